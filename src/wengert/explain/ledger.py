"""The ledger of one backward pass: for each node that ran, in the engine's order, its rule, names, numbers and sums.

`building` makes it from what `recording` noted. `screen`, `page` and the exports only lay it out. What a step or a node
says (its rule, its sums, its names) is found when it is first asked for, so a pass of ten thousand nodes of which sixty are
shown costs sixty formulas.
"""

from __future__ import annotations

import bisect
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from ..core.fitting import conform, sum_to
from ..core.op import LIST
from .notation import public_name
from .recording import Pass, Ran, Shot, Step, Value, shot
from .rules import gradient_names, rule_of
from .sites import line_of, site_of
from .symbols import Call, Name, Symbol


class Term:
    """What one node adds to the gradient of one of its arguments. What is costly to know is found when it is asked for."""

    def __init__(self, owner: Block, place: int, target: Value) -> None:
        self.owner = owner  # the Block of the node
        self.place = place  # which of the node's edges it goes along
        self.target = target

    @property
    def block(self) -> int:
        """The number of its block."""
        return self.owner.number

    @property
    def edge(self) -> Any:
        """Where it goes in the graph: (node, output)."""
        return self.owner.ran.node.next[self.place]

    @functools.cached_property
    def position(self) -> int:
        """Which of the `of` terms of this gradient it is, in the order in which the engine adds them."""
        return bisect.bisect_left(self.owner.ledger.arriving[self.edge], (self.owner.number - 1, self.place)) + 1

    @property
    def of(self) -> int:
        return len(self.owner.ledger.arriving[self.edge])

    @functools.cached_property
    def argument(self) -> str:
        """The row's name of the argument."""
        return argument_names(self.owner.ran.node)[self.place]

    @functools.cached_property
    def rule(self) -> Any:
        """The rule, called with symbols: an expression, or None where there is none to show."""
        return self.undone(self.owner.rules[self.place])

    def undone(self, rule: Any) -> Any:
        """A rule, and the sum that undoes the broadcast of its argument."""
        if self.stretched is None or not isinstance(rule, Symbol):
            return rule
        shape, _, axes = self.stretched
        return Call("sum_to", lambda g, shape, axes: sum_to(g, shape), (rule, shape, axes))

    @functools.cached_property
    def raw(self) -> Shot | None:
        """What the rule gave."""
        return shot(self.owner.ran.grads[self.place])

    @functools.cached_property
    def wanted(self) -> tuple[tuple[int, ...], Any]:
        """Shape and dtype that the gradient must have."""
        node, nr = self.edge
        shape, dtype = node.output_meta(nr)
        return tuple(shape), np.dtype(dtype)

    @functools.cached_property
    def value(self) -> Shot | None:
        """What arrives: broadcasting is undone as the engine undoes it."""
        raw, (shape, dtype) = self.raw, self.wanted
        if raw is None or (raw.shape == shape and raw.dtype == dtype):
            return raw
        if raw.whole:
            target, nr = self.edge
            return Shot(np.asarray(conform(np.asarray(raw.array), target, nr, self.owner.ran.node)))
        return self.owner.ledger.arrived(self.edge) if self.of == 1 else None  # summarised, but it arrived alone

    @functools.cached_property
    def stretched(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]] | None:
        """(from, to, axes summed), where the argument was broadcast."""
        raw, (shape, _) = self.raw, self.wanted
        if raw is None or raw.shape == shape:
            return None
        lead = len(raw.shape) - len(shape)
        axes = [lead + i for i, n in enumerate(shape) if n == 1 and raw.shape[lead + i] != 1]
        return shape, raw.shape, (*range(lead), *axes)

    @property
    def note(self) -> str:
        raw, (_, dtype) = self.raw, self.wanted
        return f"cast from {raw.dtype} to {dtype}" if raw is not None and raw.dtype != dtype else ""

    @property
    def total(self) -> Shot | None:
        """The sum so far, in the order in which the engine adds."""
        return self.owner.ledger.total(self.edge, self.position)


class Block:
    """One node that ran."""

    def __init__(self, ledger: Ledger, number: int, step: Step, ran: Ran) -> None:
        self.ledger = ledger
        self.number = number  # in the order of the pass, from 1
        self.step = step
        self.ran = ran  # what was noted of it: the node, and what it had saved

    @functools.cached_property
    def terms(self) -> list[Term]:
        """What it adds to the gradients of its arguments."""
        ledger = self.ledger
        return [Term(self, place, ledger.builder.value(*self.ran.node.next[place])) for place in ledger.given(self.ran)]

    @property
    def node(self) -> str:
        """Its class's name."""
        return type(self.ran.node).__name__

    @property
    def order(self) -> int:
        """1 for the gradient, 2 for the gradient of a gradient."""
        return self.step.order

    @property
    def places(self) -> list[int]:
        """Which of the node's edges each term goes along."""
        return [t.place for t in self.terms]

    @property
    def outputs(self) -> list[Value]:
        """What the forward step gave."""
        return self.step.outputs

    @functools.cached_property
    def gradient(self) -> list[Shot | None]:
        """What came in, for each output."""
        g = self.ran.g
        return [shot(x) for x in (g if isinstance(g, list) else [g] * self.ran.node.n_outputs)]

    @functools.cached_property
    def saved(self) -> list[tuple[str, str]]:
        """(the row's name of it, how: tensor, output, shape, ...) of all that the node kept."""
        node = self.ran.node
        variant = getattr(node, "variant", None)
        if variant is None:
            return []
        every = node.op.joint is not None or "L" in variant.pattern
        return [
            (name, how)
            for name, (how, users) in variant.saves.items()
            if every or how != "tensor" or any(node.next[i][0] is not None for i in users)
        ]

    @functools.cached_property
    def names(self) -> dict[str, str]:
        """How the names in its rules are called in the program."""
        op = self.step.op
        found: dict[str, str] = {}
        for p, a in zip(op.params, self.step.args, strict=False):
            if isinstance(a, Value) and a.name:
                found[p.name] = a.name
            elif isinstance(a, list):
                found |= {f"{p.name}{i}": v.name for i, v in enumerate(a) if isinstance(v, Value) and v.name}
        outputs = list(op.outputs) if not op.variadic else [f"out{k}" for k in range(len(self.outputs))]
        for name, v in zip(outputs, self.outputs, strict=False):
            found[name] = v.name or name
        for g, v in zip(gradient_names(op, len(self.outputs)), self.outputs, strict=False):
            found[g] = f"∇{v.name}"
        return found

    @property
    def note(self) -> str:
        """Of a node that has no row: what it is."""
        node = self.ran.node
        return engine_note(node) if getattr(node, "variant", None) is None else ""

    @functools.cached_property
    def rules(self) -> list[Any]:
        """The gradients that the node gives, as expressions; None for each that cannot be shown."""
        node = self.ran.node
        nothing: list[Any] = [None] * len(node.next)
        if getattr(node, "variant", None) is None:
            return nothing
        names = gradient_names(node.op, node.n_outputs)
        symbols = [None if g is None else symbol(n, g) for n, g in zip(names, self.gradient, strict=True)]
        outs = [node.output_meta(nr) for nr in range(node.n_outputs)]
        try:
            return rule_of(type(node), self.saved_symbols(), node.next, outs, symbols) + nothing
        except Exception:  # a rule that cannot be shown must not hide the rest
            return nothing

    def saved_symbols(self) -> dict[str, Any]:
        """What the node saved, as symbols; options as they are."""
        node = self.ran.node
        kept = {name for name, _ in self.saved}
        found: dict[str, Any] = {}
        for name, (how, _) in node.variant.saves.items():
            if how in ("tensor", "output", "aux"):
                raw = self.held(name) if name in kept else None
                found[name] = None if raw is None else symbol(name, raw)
            elif how == "list":
                found[name] = [symbol(f"{name}{i}", s) for i, s in enumerate(self.held(name) or ())]
            else:
                found[name] = getattr(node, name, None)
        return found

    def held(self, name: str) -> Any:
        """What the node had saved under a name, as it was noted; arguments and results are those of its step."""
        raw = self.ran.saved.get(name)
        return remembered(self.step, name) if raw is None and self.step.op is self.ran.node.op else raw


@dataclass
class Arrival:
    """What a leaf's `.grad` became."""

    leaf: Value
    gradient: Shot | None
    before: Shot | None
    after: Shot | None
    edge: Any
    ledger: Ledger

    @property
    def terms(self) -> list[Term]:
        """What it is the sum of."""
        return [self.ledger.term(i, place) for i, place in self.ledger.arriving.get(self.edge, ())]


class Blocks(Sequence[Block]):
    """The blocks of a ledger, each made when it is first asked for."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.made: list[Block | None] = [None] * len(ledger.noted.ran)

    def __len__(self) -> int:
        return len(self.made)

    @overload
    def __getitem__(self, i: int) -> Block: ...
    @overload
    def __getitem__(self, i: slice) -> list[Block]: ...
    def __getitem__(self, i: int | slice) -> Block | list[Block]:
        if isinstance(i, slice):
            return [self[k] for k in range(*i.indices(len(self.made)))]
        found = self.made[i]
        if found is None:
            i %= len(self.made)
            ran = self.ledger.noted.ran[i]
            found = self.made[i] = Block(self.ledger, i + 1, self.ledger.step_of(ran), ran)
        return found


class Ledger:
    """One backward pass."""

    def __init__(self, builder: Any, noted: Pass, forward: list[Step]) -> None:
        self.builder = builder
        self.noted = noted
        self.forward = forward
        self.blocks = Blocks(self)
        self.number = noted.number
        self.place = noted.place  # where backward was called
        self.notes: list[str] = []
        self.writes: list[tuple[Step, int]] = []  # changes in place, each after so many forward steps
        self._sums: dict[Any, list[Shot | None]] = {}

    @property
    def site(self) -> Any:
        """(code, instruction, line, globals) of the call of backward, or None."""
        return site_of(self.place)

    @property
    def line(self) -> tuple[str, int, str] | None:
        return line_of(self.site)

    @functools.cached_property
    def _start(self) -> tuple[Value, Shot | None]:
        if not self.blocks:
            return self.arrivals[0].leaf, self.arrivals[0].gradient
        first = self.blocks[0]
        nr = next((k for k, g in enumerate(first.gradient) if g is not None), 0)
        return first.outputs[nr], first.gradient[nr]

    @property
    def root(self) -> Value:
        """What backward was called on."""
        return self._start[0]

    @property
    def start(self) -> Shot | None:
        """The gradient it began with."""
        return self._start[1]

    def step_of(self, ran: Ran) -> Step:
        """The forward step of a node that ran."""
        step: Step = self.builder.copies.get(id(ran.step), ran.step)
        return step

    @functools.cached_property
    def _numbers(self) -> dict[int, int]:
        """By the number of a node: its block, from 0."""
        return {ran.node.seq: i for i, ran in enumerate(self.noted.ran)}

    def block_of(self, step: Step) -> Block | None:
        """The backward of a step, if it ran."""
        i = None if step.seq is None else self._numbers.get(step.seq)
        return None if i is None else self.blocks[i]

    # -- sums ----------------------------------------------------------------------------------------------------------
    def given(self, ran: Ran) -> list[int]:
        """Along which of its edges a node sent a gradient."""
        reached = self.noted.reached
        return [
            place
            for place, ((target, _), g) in enumerate(zip(ran.node.next, ran.grads or (), strict=False))
            if target is not None and g is not None and target in reached
        ]

    @functools.cached_property
    def arriving(self) -> dict[Any, list[tuple[int, int]]]:
        """By place in the graph: the terms that its gradient is the sum of, in order, as (block, edge), both from 0."""
        found: dict[Any, list[tuple[int, int]]] = {}
        reached = self.noted.reached
        for i, ran in enumerate(self.noted.ran):
            for place, (edge, g) in enumerate(zip(ran.node.next, ran.grads or (), strict=False)):
                if g is not None and edge[0] in reached:
                    known = found.get(edge)
                    if known is None:
                        found[edge] = [(i, place)]
                    else:
                        known.append((i, place))
        return found

    def term(self, i: int, place: int) -> Term:
        return next(t for t in self.blocks[i].terms if t.place == place)

    @functools.cached_property
    def arrivals(self) -> list[Arrival]:
        """The gradients that leaves got, and those that were asked for."""
        noted, value = self.noted, self.builder.value
        made = [
            Arrival(value(sink, 0), shot(g), shot(noted.held.get(sink)), shot(after), (sink, 0), self)
            for sink, g, after in noted.arrived
        ]
        got = {sink for sink, _, _ in noted.arrived}
        if len(noted.reached) > len(noted.ran) + len(got):
            for edge in self.arriving:
                if edge[0].seq not in self._numbers and edge[0] not in got:  # asked for by autograd.grad
                    made.append(Arrival(value(*edge), self.total(edge), None, None, edge, self))
        return made

    def arrived(self, edge: Any) -> Shot | None:
        """The whole gradient at a place of the graph, as the engine used it: in a node that ran, for a leaf."""
        i = self._numbers.get(edge[0].seq)
        if i is not None:
            return self.blocks[i].gradient[edge[1]]
        return next((shot(g) for sink, g, _ in self.noted.arrived if sink is edge[0]), None)

    def total(self, edge: Any, count: int | None = None) -> Shot | None:
        """The sum of the first `count` terms of a gradient (None: all), as far as the numbers are there."""
        places = self.arriving.get(edge, [])
        count = len(places) if count is None else count
        if count == len(places):
            final = self.arrived(edge)
            if final is not None:
                return final
        sums = self._sums.setdefault(edge, [])
        while len(sums) < count:
            term = self.term(*places[len(sums)]).value
            before = sums[-1] if sums else None
            if term is None or not term.whole or (sums and before is None):
                sums.append(None)
            else:
                sums.append(term if before is None else Shot(np.asarray(before.array + term.array)))
        return sums[count - 1] if count else None

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


def remembered(step: Step, name: str) -> Any:
    """What a step's argument or result was, as it was noted."""
    for p, a in zip(step.op.params, step.args, strict=False):
        if p.name == name:
            return a.raw if isinstance(a, Value) else [v.raw for v in a] if isinstance(a, list) else None
    return step.outputs[step.op.outputs.index(name)].raw if name in step.op.outputs else None


def argument_names(node: Any) -> list[str]:
    """The row's name of the argument that each edge belongs to."""
    if node.op is None:
        return [str(i) for i in range(len(node.next))]
    names: list[str] = []
    for p in node.op.tensor_params:
        if p.kind == LIST:
            names += [f"{p.name}{i}" for i in range(len(node.next) - len(node.op.tensor_params) + 1)]
        else:
            names.append(p.name)
    return names + [""] * (len(node.next) - len(names))


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


def operation(step: Step) -> str:
    """What a step did, in a word."""
    return public_name(step.op.name)
