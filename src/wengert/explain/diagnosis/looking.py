"""A backward pass to ask about: the one that was watched, or one run now for looking only.

`look` gives the pass as a ledger and what its watcher noted. Running one now touches no `.grad` and frees nothing, like
`explain(loss)`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core import backward
from ...core.modes import LOCAL, set_mode
from ...core.node import FREED_MESSAGE, AccumulateGrad
from ...core.roots import roots_of
from ...core.tensor import Tensor
from ..building import Builder
from ..ledger import Ledger
from ..recording import Pass, Shot, Step, Value
from ..watching import Birth, Watcher, watcher_of
from . import routes
from .places import Names


class Look:
    """One pass: its ledger, the watcher that saw it, and who points at whom."""

    def __init__(self, ledger: Ledger, builder: Builder, watcher: Watcher, noted: Pass, names: Names | None) -> None:
        self.ledger = ledger
        self.builder = builder
        self.watcher = watcher
        self.noted = noted
        self.names = names
        self.poisons: list[Birth] = watcher.poisons.get(noted.number, [])
        self.users: dict[Any, list[tuple[Any, int]]] = {}  # of a node: the nodes whose gradients go to it, argument
        for ran in noted.ran:
            for i, (target, _) in enumerate(ran.node.next):
                if target is not None:
                    self.users.setdefault(target, []).append((ran.node, i))
        self.ran = {r.node: r for r in noted.ran}
        self.blocks = {b.step.seq: b for b in ledger.blocks if b.step.seq is not None}

    def step(self, node: Any) -> Step | None:
        return self.builder.step(node)

    def value(self, node: Any, nr: int) -> Value:
        return self.builder.value(node, nr)


def look(loss: Any, names: Names | None, what: str) -> Look:
    """The backward pass of `loss`. RuntimeError if its graph is gone and no trace that still lives has seen it run."""
    known = watcher_of(loss)
    if loss._edge is None or not loss._rg:
        raise RuntimeError(
            f"{what}: this tensor has no grad_fn, so there is no backward pass to look at; why_none(loss, x) says where "
            "the way to x was cut"
        )
    node, _ = loss._edge
    freed = any(getattr(n, "freed", False) for n in routes.reachable(node))
    if not freed:
        return _run(loss, known, names)
    for noted in reversed(known.passes if known is not None else []):
        if any(r.node is node for r in noted.ran):
            assert known is not None
            return of_pass(known, noted, names)
    raise RuntimeError(
        f"{FREED_MESSAGE}\n{what}: a backward() has run and freed this graph. Ask before it, or put the program under "
        "`with wengert.explain.trace() as t:` and ask while t is there; `wengert why SCRIPT` does that for a whole script."
    )


def of_pass(watcher: Watcher, noted: Pass, names: Names | None) -> Look:
    builder = Builder(watcher, noted, names.variables if names is not None else {})
    return Look(builder.build(), builder, watcher, noted, names)


def _run(loss: Tensor, known: Watcher | None, names: Names | None) -> Look:
    watcher = Watcher(known=known, late=True)
    assert loss._edge is not None
    node, _ = loss._edge
    sinks = [n for n in routes.reachable(node) if n.__class__ is AccumulateGrad]
    before = set_mode("observers", (*LOCAL.observers, watcher))
    start = None if loss._array.size == 1 else _ones(loss)
    try:
        found = backward.run_walk(
            roots_of([loss], [start], False), True, False, dict.fromkeys((s, 0) for s in sinks), set()
        )
    finally:
        set_mode("observers", before)
        watcher.end()
    noted = watcher.passes[-1]
    for sink in sinks:
        g = found.get((sink, 0))
        if g is not None:
            noted.arrived.append((sink, watcher.shots(g), watcher.shots(g)))
    noted.held, noted.place = {}, None
    watcher.value_of(loss)
    builder = Builder(watcher, noted, names.variables if names is not None else {})
    if known is not None:
        watcher._births, watcher.written_by, watcher.steps = known.births, known.written_by, known.steps
    return Look(builder.build(), builder, watcher, noted, names)


def _ones(t: Tensor) -> Tensor:
    from ...core.tensor import wrap

    return wrap(np.ones(t._array.shape, t._array.dtype))


# -- what a shot tells -------------------------------------------------------------------------------------------------


def is_zero(shot: Shot | None) -> bool:
    """Is it known to be zero everywhere?"""
    if shot is None or not shot.known or shot.size == 0:
        return False
    if shot.whole:
        return not np.any(shot.array)
    return shot.low == 0 and shot.high == 0


def bad_word(shot: Shot | None) -> str | None:
    """ "NaN" or "infinite" if it has such numbers."""
    if shot is None or not shot.non_finite():
        return None
    if shot.whole:
        return "NaN" if np.isnan(shot.array).any() else "infinite"
    return "NaN" if shot.low is not None and shot.low != shot.low else "infinite"
