"""Runs again, on other numbers, what ran: a step's operation forward, a node's compiled rule backward.

There is no formula here. `compute` calls the row's own function, `pull` the node's own `run`, so whatever a part of an
explanation finds out about a step (its Jacobian, its share of a gradient, whether it agrees with finite differences)
is found out about the code that ran.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..core.fitting import conform
from ..core.modes import set_mode
from ..core.tensor import Tensor, wrap
from .ledger import Block, Ledger, Term, remembered
from .recording import Engine, Shot, Step, Value
from .rules import StandIn


class NotKept(RuntimeError):
    """A number that would be needed was not kept by the trace."""


@contextlib.contextmanager
def unwatched() -> Iterator[None]:
    """Nothing is recorded, and nobody looks on."""
    before = [(name, set_mode(name, value)) for name, value in (("grad", False), ("observers", ()), ("anomaly", None))]
    try:
        yield
    finally:
        for name, value in before:
            set_mode(name, value)


# -- who is meant ------------------------------------------------------------------------------------------------------


def value_of(ledger: Ledger, x: Any) -> Value:
    """The value that a user means: a Tensor of the program, or a name as the ledger shows it."""
    values = ledger.values()
    if isinstance(x, Value):
        return x
    if isinstance(x, str):
        found = [v for v in values if v.name == x]
        if found:
            return found[-1]
        names = ", ".join(v.name or "?" for v in values[:20]) + (", ..." if len(values) > 20 else "")
        raise KeyError(f"no value is called {x!r} in this pass; there are: {names}")
    if not isinstance(x, Tensor):
        raise TypeError(f"a Tensor or the name of a value is wanted, not {type(x).__name__}")
    if x._edge is not None:
        node, nr = x._edge
        for step in reversed(ledger.forward):
            if step.seq == node.seq and nr < len(step.outputs):
                return step.outputs[nr]
    # A leaf that was changed in place is several values; the last is the one that got the gradient.
    for v in [a.leaf for a in ledger.arrivals] + values[::-1]:
        if v.tensor is not None and v.tensor() is x:
            return v
    raise KeyError("this tensor has no part in the pass: no step made it or used it")


def block_of(ledger: Ledger, x: Any) -> Block:
    """The backward of a step: by the step's number, or by what the step made (a Tensor or a name)."""
    if isinstance(x, Block):
        return x
    if isinstance(x, int):
        for block in ledger.blocks:
            if block.step.number == x:
                return block
        raise KeyError(f"no step {x} ran backward in this pass; it has the steps 1 to {len(ledger.forward)}")
    value = value_of(ledger, x)
    for block in ledger.blocks:
        if any(v is value for v in block.outputs):
            return block
    raise KeyError(f"no step that ran backward made {value.name}")


def gradient_of(ledger: Ledger, value: Value) -> Shot | None:
    """The whole gradient that the engine gave to a value in this pass."""
    for arrival in ledger.arrivals:
        if arrival.leaf is value:
            return arrival.gradient
    for block in ledger.blocks:
        for v, g in zip(block.outputs, block.gradient, strict=False):
            if v is value:
                return g
    totals = [t.total for b in ledger.blocks for t in b.terms if t.target is value]
    return totals[-1] if totals else None


def terms_to(ledger: Ledger, value: Value) -> list[tuple[Block, Term]]:
    """The terms of a value's gradient, in the order in which they arrived."""
    return [(b, t) for b in ledger.blocks for t in b.terms if t.target is value]


def starts(ledger: Ledger) -> list[tuple[Value, Shot]]:
    """Where the pass began, and with what: what has a gradient that no step gave it. More than one with several roots."""
    given = {id(t.target) for b in ledger.blocks for t in b.terms}
    found = [(v, g) for b in ledger.blocks for v, g in zip(b.outputs, b.gradient, strict=False) if g is not None]
    roots = [(v, g) for v, g in found if id(v) not in given]
    if not ledger.blocks and ledger.start is not None:
        roots = [(ledger.root, ledger.start)]
    return roots


def hooked(ledger: Ledger) -> list[Value]:
    """Values whose gradient is not the sum of what arrived: a hook of the program changed it."""
    arrived: dict[int, list[Term]] = {}
    for block in ledger.blocks:
        for t in block.terms:
            arrived.setdefault(id(t.target), []).append(t)
    final = [(v, g) for b in ledger.blocks for v, g in zip(b.outputs, b.gradient, strict=False)]
    final += [(a.leaf, a.gradient) for a in ledger.arrivals]
    found = []
    for v, g in final:
        values = [t.value for t in arrived.get(id(v), [])]
        if g is None or not g.whole or not values or any(x is None or not x.whole for x in values):
            continue
        total = np.asarray(sum(np.asarray(x.array) for x in values if x is not None))
        eps = float(np.finfo(total.dtype).eps) if total.dtype.kind in "fc" else 0.0
        size = sum(float(np.abs(x.array).max(initial=0)) for x in values if x is not None)
        if not np.allclose(total, np.asarray(g.array), rtol=0, atol=64 * eps * size, equal_nan=True):
            found.append(v)
    return found


def place_of(block: Block, term: Term) -> int:
    """Which of the block's terms it is."""
    return next(k for k, t in enumerate(block.terms) if t is term)


# -- forward -----------------------------------------------------------------------------------------------------------


def whole(value: Value) -> Any:
    """What a value was, as an array; NotKept where a trace kept a summary only."""
    shot = value.shot
    if shot is None or not shot.whole:
        why = (
            "only a summary of it was kept" if shot is not None and shot.known else "trace() did not watch the program"
        )
        raise NotKept(f"the numbers of {value.name or 'a value'} are not there: {why}")
    return np.asarray(shot.array)


def runs_again(step: Step) -> bool:
    """Is there an operation to call? A user's Function and what the engine does itself have none."""
    return not isinstance(step.op, Engine)


def compute(step: Step, known: dict[int, Any] | None = None) -> list[Any]:
    """The results of a step, as arrays. `known`: by id of a Value, an array to use in place of what it was."""
    if not runs_again(step):
        raise NotKept(f"{step.op.name} is no operation that could be run again")
    known = known or {}

    def given(a: Any) -> Any:
        if isinstance(a, list):
            return [given(x) for x in a]
        if isinstance(a, Value):
            return wrap(np.array(known[id(a)] if id(a) in known else whole(a)))
        return a

    op = step.op
    vals = [given(a) for a in step.args]
    args = [v for p, v in zip(op.params, vals, strict=True) if not p.keyword_only]
    options = {p.name: v for p, v in zip(op.params, vals, strict=True) if p.keyword_only}
    with unwatched():
        results = op.function(*args, **options)
    return [t._array for t in (results if isinstance(results, (tuple, list)) else (results,))]


# -- backward ----------------------------------------------------------------------------------------------------------


def pull(block: Block, gradients: Sequence[Any]) -> list[Any]:
    """What the node's rule gives for other gradients of its results, one array or None for each of `block.terms`."""
    node = block.ran.node
    g = [None if x is None else np.asarray(x) for x in gradients]
    g = [x if x is None or x.ndim else x[()] for x in g]
    incoming = g[0] if node.n_outputs == 1 else g
    with unwatched():
        grads = _run(block, node, incoming)
        found = []
        for i in block.places:
            target, nr = node.next[i]
            found.append(None if grads[i] is None else np.asarray(conform(np.asarray(grads[i]), target, nr, node)))
    return found


def _run(block: Block, node: Any, g: Any) -> Any:
    saved = _saved(block, node)
    if saved is not None:
        outs = [node.output_meta(k) for k in range(node.n_outputs)]
        stand_in = StandIn(type(node), saved, node.next, outs)
        return type(node).run(stand_in, g, True)
    if getattr(node, "freed", False) or getattr(getattr(node, "fn", None), "freed", False):
        raise NotKept(
            f"what {block.node} of step {block.step.number} had saved is freed, and the trace kept no more than summaries "
            "of it; trace(whole=...) keeps larger arrays, and explain(loss) before backward() has them"
        )
    return node.run(g, True)


def _saved(block: Block, node: Any) -> dict[str, Any] | None:
    """What the node had saved, as arrays; None if not all of it was kept."""
    variant = getattr(node, "variant", None)
    if variant is None:
        return None
    found: dict[str, Any] = {}
    for name, (how, _) in variant.saves.items():
        raw = block.ran.saved.get(name)
        raw = remembered(block.step, name) if raw is None else raw
        if how == "list":
            found[name] = [_array(x) for x in raw or ()]
            if any(x is None for x in found[name]):
                return None
        elif how in ("tensor", "output", "aux"):
            found[name] = _array(raw)
            if found[name] is None and raw is not None:
                return None
        else:
            found[name] = getattr(node, name, None)
    return found


def _array(raw: Any) -> Any:
    array = raw.array if isinstance(raw, Shot) else raw
    return None if array is None else np.asarray(array)
