"""Gives every value of a ledger a name: the program's own where it has one, v1, v2, ... (Wengert's) where not."""

from __future__ import annotations

from typing import Any

from .notation import public_name
from .recording import Step, Value
from .sites import name_tensors, place

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def assign(
    forward: list[Step],
    root: Value,
    variables: dict[str, Any],
    edges: dict[int, tuple[int, int]],
    by_seq: dict[int, Step],
) -> None:
    """Name all values of `forward`; numbers its steps from 1. `edges`: by id of a Value, its place in the graph."""
    by_id, by_edge = name_tensors(variables)
    values: list[Value] = []
    seen: set[int] = set()
    hints: dict[int, str] = {}

    def meet(v: Value) -> None:
        if id(v) not in seen:
            seen.add(id(v))
            values.append(v)

    for i, step in enumerate(forward):
        where = place(step.site)
        arguments = where.arguments if where is not None and _own_call(step, where.callee) else []
        for k, a in enumerate(step.args):
            for v in a if isinstance(a, list) else [a]:
                if isinstance(v, Value):
                    meet(v)
                    if a is v and k < len(arguments) and arguments[k]:
                        hints.setdefault(id(v), arguments[k] or "")
        for v in step.outputs:
            meet(v)
        following = forward[i + 1] if i + 1 < len(forward) else None
        if where is not None and where.target and len(step.outputs) == 1:
            last = following is None or following.site is None or following.site[:2] != step.site[:2]
            if last or _own_call(step, where.callee):
                hints.setdefault(id(step.outputs[0]), where.target)
    chosen: dict[str, list[Value]] = {}
    rest: list[Value] = []
    bases: dict[int, str] = {}  # names before they are numbered
    for v in values:
        t = v.tensor() if v.tensor is not None else None
        held = v.name or (by_edge.get(edges[id(v)]) if id(v) in edges else None)
        if held is None and t is not None:
            held = by_id.get(id(t))
        # A leaf that was filled in place, as parameters are, is called what the program calls it now.
        filled = v.made_by is None or (v.made_by.inplace and v.made_by.seq is None)
        name = held if filled else hints.get(id(v)) or held
        name = name or hints.get(id(v)) or gradient_name(v, by_id, by_seq)
        if name is None and v.made_by is not None and v.made_by.inplace and isinstance(v.made_by.args[0], Value):
            name = bases.get(id(v.made_by.args[0]))
        if name:
            bases[id(v)] = name
            chosen.setdefault(name, []).append(v)
        else:
            rest.append(v)
    for name, sharing in chosen.items():
        for k, v in enumerate(sharing):
            v.name = name if len(sharing) == 1 else name + str(k + 1).translate(_SUBSCRIPTS)
    for number, step in enumerate(forward):
        step.number = number + 1
    taken = set(chosen)
    constants = 0
    for v in rest:
        if v is root and "loss" not in taken and v.shot is not None and v.shot.size == 1:
            v.name = "loss"
        elif v.made_by is not None:
            v.name = _free(f"v{v.made_by.number}" + ("" if len(v.made_by.outputs) == 1 else f"_{v.nr}"), taken)
        else:
            constants += 1
            v.name = _free(f"k{constants}" if not v.requires_grad else f"x{constants}", taken)


def gradient_name(v: Value, by_id: dict[int, str], by_seq: dict[int, Step]) -> str | None:
    """Of a gradient that backward recorded: ∇ and the name of what it is the gradient of."""
    of = (
        by_seq[v.grad_of[0]].outputs[v.grad_of[1]]
        if isinstance(v.grad_of, tuple) and v.grad_of[0] in by_seq
        else v.grad_of
    )
    if not isinstance(of, Value):
        return None
    if of.name:
        return f"∇{of.name}"
    t = of.tensor() if of.tensor is not None else None
    name = by_id.get(id(t)) if t is not None else None
    if name is None and of.made_by is not None:
        where = place(of.made_by.site)
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
