"""Gives every value of a ledger a name: the program's own where it has one, v1, v2, ... (Wengert's) where not."""

from __future__ import annotations

import re
from typing import Any

from .notation import public_name
from .recording import Step, Value
from .sites import name_tensors, place

_AUTOMATIC = re.compile(r"v\d")


def assign(forward: list[Step], root: Value, variables: dict[str, Any]) -> None:
    """Name all values of `forward`; numbers its steps from 1.

    What the program has no name for is called after the number of its step, which costs nothing until it is read.
    """
    by_id, by_edge = name_tensors(variables)
    by_seq: dict[int, Step] = {}
    chosen: dict[str, list[Any]] = {}
    sources: list[Value] = []
    unnamed = False
    for v in _values(forward):
        if v.__class__ is Step:  # its only result, of which no more is known
            made: Any = v
            held = by_edge.get((made.seq, 0)) if by_edge else None
            name = v.hint or held
            if name is None:
                unnamed = True
                continue
        else:
            made = v.made_by
            name = _name_of(v, by_id, by_edge)
            if name is None and v.grad_of is not None:
                by_seq = by_seq or {s.seq: s for s in forward if s.seq is not None}
                name = gradient_name(v, by_id, by_seq)
        if name is None and made is not None and made.inplace and isinstance(made.args[0], Value):
            base = made.args[0]._name
            name = base[0] if base.__class__ is tuple else base
        if name is None:
            if made is None:
                sources.append(v)
            else:
                unnamed = True
            continue
        sharing = chosen.get(name)
        if sharing is None:
            chosen[name] = [v]
            v._name = name
        else:
            sharing.append(v)
            v._name = name, len(sharing)
    for name, sharing in chosen.items():
        if len(sharing) > 1:
            sharing[0]._name = name, 1
    taken = set(chosen)
    if root._name is None and "loss" not in taken and root.shot is not None and root.shot.size == 1:
        root._name = "loss"
        taken.add("loss")
    if unnamed and any(map(_AUTOMATIC.match, taken)):
        for step in forward:
            for v in step.outputs:
                if v._name is None:
                    v._name = _free(v.name or "v", taken)
    constants = 0
    for v in sources:
        if v._name is None:
            constants += 1
            v._name = _free(f"x{constants}" if v.requires_grad else f"k{constants}", taken)


def _name_of(v: Value, by_id: dict[int, str], by_edge: dict[tuple[int, int], str]) -> str | None:
    made, held = v.made_by, v.given
    if held is None and by_edge and made is not None and made.seq is not None:
        held = by_edge.get((made.seq, v.nr))
    if held is None and by_id and v.tensor is not None:
        t = v.tensor()
        held = by_id.get(id(t)) if t is not None else None
    if made is None or (made.inplace and made.seq is None):
        return (
            held or v.hint
        )  # a leaf that was filled in place, as parameters are, is called what the program calls it now
    return v.hint or held


def _values(forward: list[Step]) -> list[Any]:
    """All values (a Step stands for its only result), arguments before results.

    Each knows then what the source calls it where it is used or assigned.
    """
    values: list[Any] = []
    seen: set[int] = set()  # of those that no step made
    said: dict[Any, Any] = {}  # what the source says does not depend on how often a line ran
    before: Any = None  # the step before, if the result of the expression it belongs to may be its own
    target: str | None = None
    for number, step in enumerate(forward, 1):
        step.number = number
        at = step.place
        if before is not None:
            if at is None or at[1] != before.place[1] or at[0] is not before.place[0]:
                _call(_only(before), target)
            before = None
        own: Any = ()
        if at is None:
            arguments: Any = ()
        else:
            key = (id(at[0]), at[1], step.op.name)
            found = said.get(key)
            if found is None:
                found = said[key] = _said(step)
            arguments, target, own = found
        for k, a in enumerate(step.took):
            if a.__class__ is Step:
                if k < len(arguments) and arguments[k] is not None:
                    _call(_only(a), arguments[k])
            elif a.__class__ is Value:
                if a.made_by is None and id(a) not in seen:
                    seen.add(id(a))
                    values.append(a)
                if a.hint is None and k < len(arguments):
                    a.hint = arguments[k]
            elif a.__class__ is list:
                for v in a:
                    if v.__class__ is Value and v.made_by is None and id(v) not in seen:
                        seen.add(id(v))
                        values.append(v)
        if step.raw is not None:
            values.append(_only(step))
        else:
            values += step.outputs
        if at is not None and target and (step.raw is not None or len(step.outputs) == 1):
            if own:
                _call(_only(step), target)
            else:
                before = step
    if before is not None:
        _call(_only(before), target)
    return values


def _only(step: Step) -> Any:
    return step if step._outputs is None and step.raw is not None else step.outputs[0]


def _call(v: Any, name: str | None) -> None:
    if v.hint is None:
        v.hint = name


def _said(step: Step) -> tuple[Any, str | None, bool]:
    """(names of the arguments, variable that the result goes to, is the expression this very operation?)"""
    where = place(step.place)
    if where is None:
        return (), None, False
    own = bool(step.op.params) and _own_call(step, where.callee)
    arguments = where.arguments if own else []
    if arguments and where.parameters is not None:
        called = dict(zip(where.parameters, arguments, strict=False))
        arguments = [called.get(p.name) for p in step.op.params]
    part = step.inplace and not step.op.params  # of a whole, which keeps its name
    return arguments, None if part else where.target, own


def gradient_name(v: Value, by_id: dict[int, str], by_seq: dict[int, Step]) -> str | None:
    """Of a gradient that backward recorded: ∇ and the name of what it is the gradient of."""
    of = (
        by_seq[v.grad_of[0]].outputs[v.grad_of[1]]
        if isinstance(v.grad_of, tuple) and v.grad_of[0] in by_seq
        else v.grad_of
    )
    if not isinstance(of, Value):
        return None
    if of.given:
        return f"∇{of.given}"
    t = of.tensor() if of.tensor is not None else None
    name = by_id.get(id(t)) if t is not None else None
    if name is None and of.made_by is not None:
        where = place(of.made_by.place)
        name = where.target if where is not None and len(of.made_by.outputs) == 1 else None
    return None if name is None else f"∇{name}"


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "'"
    taken.add(name)
    return name


def _own_call(step: Step, callee: str | None) -> bool:
    """Is the expression in the program this very operation, not a function made of several?"""
    if callee is None:
        return False
    name = public_name(step.op.name)
    if callee == "subscript":
        return name in ("getitem", "select", "slice", "index")
    return callee in ("operator", name, name + "_") or step.op.name == callee
