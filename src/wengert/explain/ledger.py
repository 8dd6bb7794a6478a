"""The ledger of one backward pass: for each node that ran, in the engine's order, its rule, names, numbers and sums.

`build` makes it from what `recording` noted. A Ledger is plain data: `screen`, `page` and the exports only lay it out.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core.backward import conform, sum_to
from ..core.node import LAST, AccumulateGrad
from ..core.op import LIST
from ..core.tensor import Tensor
from . import naming
from .notation import public_name
from .recording import Engine, Pass, Ran, Recorder, Shot, Step, Value, shot
from .rules import gradient_names, rule_of
from .sites import line_of
from .symbols import Call, Name, Symbol


@dataclass
class Term:
    """What one node adds to the gradient of one of its arguments."""

    target: Value
    argument: str  # the row's name of it
    make: Callable[[], Any]  # the rule: see `rule`
    value: Shot | None  # what arrives, after broadcasting is undone
    raw: Shot | None  # what the rule gave
    block: int = 0
    position: int = 1  # of `of` terms of this gradient
    of: int = 1
    total: Shot | None = None  # the sum so far
    stretched: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]] | None = None  # from, to, axes summed
    note: str = ""

    @functools.cached_property
    def rule(self) -> Any:
        """The rule, called with symbols: an expression, or None where there is none to show. Made when first asked for."""
        return self.make()


@dataclass
class Block:
    """One node that ran."""

    number: int  # in the order of the pass, from 1
    step: Step
    node: str  # its class's name
    order: int  # 1 for the gradient, 2 for the gradient of a gradient
    outputs: list[Value]
    gradient: list[Shot | None]  # what came in, for each output
    terms: list[Term]
    saved: list[tuple[str, str]]  # (the row's name of it, how: tensor, output, shape, ...)
    names: dict[str, str]  # how the rule's names are called in the program
    note: str = ""
    ran: Any = None  # what was noted of it: the node, and what it had saved (see `again`)
    places: list[int] = field(default_factory=list)  # which of the node's edges each term goes along


@dataclass
class Arrival:
    """What a leaf's `.grad` became."""

    leaf: Value
    gradient: Shot | None
    before: Shot | None
    after: Shot | None
    terms: list[Term]


@dataclass
class Ledger:
    """One backward pass."""

    root: Value
    start: Shot | None
    forward: list[Step]
    blocks: list[Block]
    arrivals: list[Arrival]
    number: int = 0
    site: Any = None
    freed: bool = False  # the numbers were gone: structure only
    notes: list[str] = field(default_factory=list)
    writes: list[tuple[Step, int]] = field(default_factory=list)  # changes in place, each after so many forward steps

    @property
    def line(self) -> tuple[str, int, str] | None:
        return line_of(self.site)

    def _repr_html_(self) -> str:
        from .notebook import ledger_html

        return ledger_html(self)

    def _repr_latex_(self) -> str:
        from .notebook import ledger_latex

        return ledger_latex(self)

    def values(self) -> list[Value]:
        """Every value in it, arguments before results."""
        found: dict[int, Value] = {}
        for step in self.forward:
            for a in flat(step.args):
                found.setdefault(id(a), a)
            for v in step.outputs:
                found.setdefault(id(v), v)
        return list(found.values())


def flat(args: list[Any]) -> list[Value]:
    """The Values among arguments."""
    return [v for a in args for v in (a if isinstance(a, list) else [a]) if isinstance(v, Value)]


class Builder:
    """Makes a Ledger; holds what the parts of it have in common."""

    def __init__(self, recorder: Recorder, noted: Pass, variables: dict[str, Any]) -> None:
        self.recorder = recorder
        self.noted = noted
        self.variables = variables
        self.values: dict[tuple[int, int], Value] = {}
        self.copies: dict[int, Value] = {}
        self.by_seq: dict[int, Step] = {}
        self.copy_steps()

    # What was noted is shared by the passes of one trace; a ledger names and numbers copies of it.
    def copy_steps(self) -> None:
        found: dict[int, Step] = {}
        stack = [v.made_by for v in self.noted.anchors if v.made_by is not None] + self.noted.writes
        while stack:
            step = stack.pop()
            if id(step) not in found:
                found[id(step)] = step
                stack += [v.made_by for v in flat(step.args) if v.made_by is not None]
        for step in sorted(found.values(), key=lambda s: s.number):
            new = Step(step.number, step.op, [self.copied(a) for a in step.args], step.site)
            new.inplace, new.cut, new.origin, new.seq = step.inplace, step.cut, step.origin, step.seq
            new.scope = step.scope
            for v in step.outputs:
                self.copies[id(v)] = w = Value(v._raw, v.requires_grad, new, v.nr)
                w.tensor, w.grad_of, w.name, w.view = v.tensor, v.grad_of, v.name, v.view
                new.outputs.append(w)
            found[id(step)] = new
            if step.seq is not None:
                self.by_seq[step.seq] = new
        self.writes = [found[id(step)] for step in self.noted.writes]
        for ran in self.noted.ran:
            ran.step = self.by_seq.get(ran.node.seq)
        for step in self.by_seq.values():  # made by the backward of a pass that was not kept
            if step.origin is not None and step.origin.step is None:
                step.origin.step = self.by_seq.get(step.origin.node.seq)

    def copied(self, a: Any) -> Any:
        if isinstance(a, list):
            return [self.copied(x) for x in a]
        if not isinstance(a, Value):
            return a
        found = self.copies.get(id(a))
        if found is None:
            found = self.copies[id(a)] = Value(a._raw, a.requires_grad)
            found.tensor, found.grad_of, found.name = a.tensor, a.grad_of, a.name
        return found

    # -- forward: who made what ----------------------------------------------------------------------------------------
    def value(self, node: Any, nr: int) -> Value:
        """The Value whose gradient arrives at output `nr` of `node`."""
        key = (id(node), nr)
        found = self.values.get(key)
        if found is None:
            if node.__class__ is AccumulateGrad:
                found = self.copied(self.recorder.value_of(node.variable))
            else:
                outputs = self.step(node).outputs
                found = outputs[nr] if nr < len(outputs) else self.unseen(node, nr)
            self.values[key] = found
        return found

    def unseen(self, node: Any, nr: int) -> Value:
        shape, dtype = node.output_meta(nr)
        return Value(Shot.unknown(shape, dtype), True, None, nr)

    def step(self, node: Any) -> Step:
        """The forward step of a node: as it was traced, or as far as the node itself knows."""
        found = self.by_seq.get(node.seq)
        if found is None:
            # Untraced. What it points at was made before: first all that, without recursion.
            stack = [node]
            while stack:
                n = stack[-1]
                missing = [t for t, _ in n.next if t is not None and t.seq != LAST and t.seq not in self.by_seq]
                if missing:
                    stack += missing
                elif n.seq in self.by_seq:
                    stack.pop()
                else:
                    self.by_seq[n.seq] = self.untraced(n)
            found = self.by_seq[node.seq]
        return found

    def untraced(self, node: Any) -> Step:
        """A step as far as the node itself knows it."""
        step = Step(node.seq, node.op or Engine(_bare(node), node.n_outputs), self.arguments(node), None)
        step.seq = node.seq
        for nr in range(node.n_outputs):
            value = self.unseen(node, nr)
            value.made_by = step
            step.outputs.append(value)
        return step

    def arguments(self, node: Any) -> list[Any]:
        edges = iter(node.next)
        if node.op is None:
            return [self.value(*e) for e in edges if e[0] is not None]
        args: list[Any] = []
        kept = type(node).variant.saves
        for p in node.op.params:
            saved = getattr(node, p.name, None) if p.name in kept else None
            if not p.is_tensor:
                args.append(saved if p.name in kept else p.default)
            elif p.kind == LIST:
                args.append([self.value(*e) if e[0] is not None else Value(None, False) for e in edges])
            else:
                target, nr = next(edges)
                if target is not None:
                    args.append(self.value(target, nr))
                elif hasattr(saved, "_array"):
                    args.append(self.copied(self.recorder.value_of(saved)))
                else:
                    args.append(saved if isinstance(saved, (int, float, complex)) else None)
        return args

    # -- backward ------------------------------------------------------------------------------------------------------
    def build(self) -> Ledger:
        noted = self.noted
        for ran in noted.ran:
            self.fill(ran)
        self.fill_from_variables()
        blocks = [self.block(i + 1, ran) for i, ran in enumerate(noted.ran)]
        arriving: dict[int, list[Term]] = {}
        for block in blocks:
            for term in block.terms:
                arriving.setdefault(id(term.target), []).append(term)
        incoming = {id(v): g for b in blocks for v, g in zip(b.outputs, b.gradient, strict=False)}
        for terms in arriving.values():
            add_up(terms, incoming.get(id(terms[0].target)))
        arrivals = []
        for sink, raw, raw_after in noted.arrived:
            g, after = shot(raw), shot(raw_after)
            leaf = self.value(sink, 0)
            terms = arriving.get(id(leaf), [])
            if len(terms) == 1 and terms[0].value is None:
                terms[0].value = g
            if terms:
                terms[-1].total = g
            arrivals.append(Arrival(leaf, g, shot(noted.held.get(sink)), after, terms))
        executed = {id(b.step) for b in blocks}
        done = {id(a.leaf) for a in arrivals}
        for terms in arriving.values():
            target = terms[0].target
            if id(target) not in done and (target.made_by is None or id(target.made_by) not in executed):
                arrivals.append(Arrival(target, terms[-1].total, None, None, terms))  # asked for by autograd.grad
        if blocks:
            nr = next((k for k, g in enumerate(blocks[0].gradient) if g is not None), 0)
            root, start = blocks[0].outputs[nr], blocks[0].gradient[nr]
        else:
            root, start = arrivals[0].leaf, arrivals[0].gradient
        forward = self.forward(blocks)
        writes = [(w, sum(s.number < w.number for s in forward)) for w in self.writes]
        edges = {id(v): key for key, v in self.values.items()}
        naming.assign(forward, root, self.variables, edges, self.by_seq)
        for block in blocks:
            block.names = self.names(block)
        return Ledger(root, start, forward, blocks, arrivals, noted.number, noted.site, writes=writes)

    def forward(self, blocks: list[Block]) -> list[Step]:
        """Every step that the results depend on, in order."""
        found: dict[int, Step] = {}
        stack = [b.step for b in blocks]
        while stack:
            step = stack.pop()
            if id(step) not in found:
                found[id(step)] = step
                stack += [v.made_by for v in flat(step.args) if v.made_by is not None]
        return sorted(found.values(), key=lambda s: s.number)

    def fill(self, ran: Ran) -> None:
        """What a node saved tells what its arguments and result were, where they were not traced."""
        step = self.step(ran.node)
        for name, raw in ran.saved.items():
            if raw is None or isinstance(raw, list):
                continue
            for p, a in zip(step.op.params, step.args, strict=False):
                if p.name == name and isinstance(a, Value) and (a.shot is None or not a.shot.known):
                    a.shot = raw
            if name in step.op.outputs:
                out = step.outputs[step.op.outputs.index(name)]
                if out.shot is not None and not out.shot.known:
                    out.shot = raw

    def fill_from_variables(self) -> None:
        """Variables of the program tell what values that nothing saved were."""
        for t in self.variables.values():
            if isinstance(t, Tensor) and t._edge is not None:
                key = (id(t._edge[0]), t._edge[1])
                if key in self.values:
                    v = self.values[key]
                elif t._edge[0].seq in self.by_seq and t._edge[1] < len(self.by_seq[t._edge[0].seq].outputs):
                    v = self.by_seq[t._edge[0].seq].outputs[t._edge[1]]
                    self.values[key] = v
                else:
                    continue
                if v.shot is not None and not v.shot.known and not (t._vc is not None and t._vc[0]):
                    v.shot = Shot(t._array)

    def block(self, number: int, ran: Ran) -> Block:
        node = ran.node
        step = self.step(node)
        outputs = [self.value(node, nr) for nr in range(node.n_outputs)]
        gradient = [shot(g) for g in (ran.g if isinstance(ran.g, list) else [ran.g] * node.n_outputs)]
        note = engine_note(node) if getattr(node, "variant", None) is None else ""
        rules = functools.cache(functools.partial(self.rules, node, ran, gradient))
        arguments = self.argument_names(node)
        terms, places = [], []
        for i, (target, nr) in enumerate(node.next):
            if target is None or id(target) not in self.noted.reached or ran.grads is None or i >= len(ran.grads):
                continue
            if ran.grads[i] is not None:
                terms.append(self.term(node, (target, nr), arguments[i], (rules, i), shot(ran.grads[i]), number))
                places.append(i)
        variant = getattr(node, "variant", None)
        kept = [(name, how) for name, (how, _) in variant.saves.items()] if variant is not None else []
        return Block(
            number, step, type(node).__name__, step.order, outputs, gradient, terms, kept, {}, note, ran, places
        )

    def rules(self, node: Any, ran: Ran, gradient: list[Shot | None]) -> list[Any]:
        """The gradients that a node gives, as expressions; None for each that cannot be shown."""
        nothing: list[Any] = [None] * len(node.next)
        if getattr(node, "variant", None) is None:
            return nothing
        names = gradient_names(node.op, node.n_outputs)
        symbols = [None if g is None else symbol(n, g) for n, g in zip(names, gradient, strict=True)]
        outs = [node.output_meta(nr) for nr in range(node.n_outputs)]
        try:
            return rule_of(type(node), saved_symbols(node, ran), node.next, outs, symbols) + nothing
        except Exception:  # a rule that cannot be shown must not hide the rest
            return nothing

    def argument_names(self, node: Any) -> list[str]:
        if node.op is None:
            return [str(i) for i in range(len(node.next))]
        names: list[str] = []
        for p in node.op.tensor_params:
            if p.kind == LIST:
                names += [f"{p.name}{i}" for i in range(len(node.next) - len(node.op.tensor_params) + 1)]
            else:
                names.append(p.name)
        return names + [""] * (len(node.next) - len(names))

    def term(self, node: Any, edge: Any, argument: str, rule: Any, raw: Any, number: int) -> Term:
        """What arrives at one argument, its broadcasting undone as the engine undoes it."""
        target, nr = edge
        shape, dtype = target.output_meta(nr)
        value: Shot | None = raw
        stretched = None
        note = ""
        if raw.shape != shape:
            lead = len(raw.shape) - len(shape)
            axes = tuple(range(lead)) + tuple(
                lead + i for i, n in enumerate(shape) if n == 1 and raw.shape[lead + i] != 1
            )
            stretched = (tuple(shape), raw.shape, axes)
        if raw.dtype != dtype:
            note = f"cast from {raw.dtype} to {np.dtype(dtype)}"
        if raw.shape != shape or raw.dtype != dtype:
            value = Shot(np.asarray(conform(np.asarray(raw.array), target, nr, node))) if raw.whole else None
        make = functools.partial(_rule, rule[0], rule[1], stretched)
        return Term(self.value(target, nr), argument, make, value, raw, number, stretched=stretched, note=note)

    def names(self, block: Block) -> dict[str, str]:
        """How the names in a block's rules are called in the program."""
        op = block.step.op
        found: dict[str, str] = {}
        for p, a in zip(op.params, block.step.args, strict=False):
            if isinstance(a, Value) and a.name:
                found[p.name] = a.name
            elif isinstance(a, list):
                found |= {f"{p.name}{i}": v.name for i, v in enumerate(a) if isinstance(v, Value) and v.name}
        outputs = list(op.outputs) if not op.variadic else [f"out{k}" for k in range(len(block.outputs))]
        for name, v in zip(outputs, block.outputs, strict=False):
            found[name] = v.name or name
        for g, v in zip(gradient_names(op, len(block.outputs)), block.outputs, strict=False):
            found[g] = f"∇{v.name}"
        return found


def _rule(rules: Callable[[], list[Any]], i: int, stretched: Any) -> Any:
    found = rules()[i]
    if stretched is None or not isinstance(found, Symbol):
        return found
    shape, _, axes = stretched
    return Call("sum_to", lambda g, shape, axes: sum_to(g, shape), (found, shape, axes))


def _bare(node: Any) -> str:
    return str(node.operation().rsplit("::", 1)[-1])


def engine_note(node: Any) -> str:
    kind = type(node).__name__
    if node.user_code:
        return f"the backward of {kind.removesuffix('Backward')}, written in the program"
    if kind == "CopySlices":
        return f"a part of the tensor was overwritten: the gradient there goes through {type(node.fn).__name__}"
    return f"{kind}, which the engine runs itself"


def symbol(name: str, raw: Any) -> Name:
    """A name with the value it had, or, for a large one, its shape and dtype."""
    if isinstance(raw, Shot):
        return Name(name, raw.array, raw.shape, raw.dtype)
    return Name(name, raw, np.shape(raw), raw.dtype)


def saved_symbols(node: Any, ran: Ran) -> dict[str, Any]:
    """What a node saved, as symbols; options as they are."""
    found: dict[str, Any] = {}
    variant = getattr(node, "variant", None)
    for name, (how, _) in variant.saves.items() if variant is not None else ():
        raw = ran.saved.get(name)
        if raw is None and ran.step is not None:
            raw = remembered(ran.step, name)
        if how in ("tensor", "output", "aux"):
            found[name] = None if raw is None else symbol(name, raw)
        elif how == "list":
            found[name] = [symbol(f"{name}{i}", s) for i, s in enumerate(raw or ())]
        else:
            found[name] = getattr(node, name, None)
    return found


def remembered(step: Step, name: str) -> Any:
    """What a step's argument or result was, where a saved-tensors hook took what the node saved."""
    for p, a in zip(step.op.params, step.args, strict=False):
        if p.name == name:
            return a.shot if isinstance(a, Value) else [v.shot for v in a] if isinstance(a, list) else None
    return step.outputs[step.op.outputs.index(name)].shot if name in step.op.outputs else None


def add_up(terms: list[Term], final: Shot | None) -> None:
    """Number the terms of one gradient and note the sum after each."""
    total: Any = None
    for i, term in enumerate(terms):
        term.position, term.of = i + 1, len(terms)
        if term.value is not None and term.value.whole:
            total = term.value.array if i == 0 else None if total is None else total + term.value.array
        else:
            total = None
        term.total = Shot(np.asarray(total)) if total is not None else None
    if terms and final is not None:
        terms[-1].total = final
        if len(terms) == 1 and terms[0].value is None:
            terms[0].value = final


def operation(step: Step) -> str:
    """What a step did, in a word."""
    return public_name(step.op.name)
