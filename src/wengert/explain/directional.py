"""The whole pass against the program itself, run again with all leaves moved along one random direction.

The recorded steps are run in double precision; what gets no gradient stays as it was. Steps of several sizes are tried, from
large to small: a large one is free of rounding, a small one does not reach the next kink.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .again import NotKept, compute, hooked, runs_again, starts, whole
from .ledger import Ledger
from .notation import number
from .recording import Step, Value
from .slopes import AGREES, DIFFERS, KINK, SINGULAR, UNCHECKED, fold

SIZES = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7)  # of the steps, as parts of a leaf's numbers


@dataclass
class Whole:
    """The loss along one direction: what the gradients say, and what the program does."""

    verdict: str
    why: str = ""
    analytic: float | None = None
    numeric: float | None = None
    error: float = 0.0

    def said(self) -> str:
        if self.verdict == UNCHECKED:
            return f"the whole pass: not checked, {self.why}"
        return (
            f"the whole pass: along a random direction of all leaves the gradients say {number(self.analytic, 8)}, the "
            f"program run again says {number(self.numeric, 8)}: {self.verdict}"
        )


def check_whole(ledger: Ledger, seed: int, halves: set[int], kinks: bool) -> Whole:
    """Compare the gradients with what the program does.

    `halves`: leaves, by id, that are to stay symmetric; `kinks`: a step was found to be at one.
    """
    try:
        leaves = [(a.leaf, np.asarray(_gradient(a))) for a in ledger.arrivals]
        points = [wide(whole(v)) for v, _ in leaves]
        roots = starts(ledger)
        if any(not g.whole for _, g in roots):
            raise NotKept("only a summary of the starting gradient was kept")
        changed = hooked(ledger)
        if changed:
            raise NotKept(f"a hook changed the gradient of {', '.join(v.name or '?' for v in changed)}")
        weights = {id(v): np.asarray(g.array) for v, g in roots}
        program = _program(ledger, weights)
        rng = np.random.default_rng(seed)
        directions = [_direction(rng, p, id(v) in halves) for (v, _), p in zip(leaves, points, strict=True)]

        def along(t: float) -> float:
            return program({id(v): p + t * d for (v, _), p, d in zip(leaves, points, directions, strict=True)})

        here = along(0.0)
        said = sum(float(np.real(np.vdot(weights[id(v)], whole(v)))) for v, _ in roots)
        precision = float(max(np.finfo(v.shot.dtype).eps for v, _ in leaves if v.shot is not None))
        if abs(here - said) > 1e4 * precision * max(1.0, abs(said)):
            raise NotKept("the steps do not give the same loss when they are run again")
        return _compare(along, here, leaves, directions, precision, kinks)
    except NotKept as error:
        return Whole(UNCHECKED, str(error))


def _compare(along: Any, here: float, leaves: Any, directions: Any, precision: float, kinks: bool) -> Whole:
    pairs = [(g, d) for (_, g), d in zip(leaves, directions, strict=True)]
    analytic = sum(float(np.real(np.vdot(g, d))) for g, d in pairs)
    # How large such a sum of products is where no two cancel more than chance has it.
    scale = float(np.sqrt(sum(float(np.square(np.abs(g * d)).sum()) for g, d in pairs)))
    if not np.isfinite(analytic):
        return Whole(SINGULAR, "", analytic, along(SIZES[1]) - here)
    # Rounding, seen in moves that are too small for anything else.
    rounding = 4 * max(2.2e-16 * abs(here), *(abs(along(t) - here) for t in (1e-15, -1e-15, 2e-15)))
    found = []
    for h in SIZES:
        near, far = (along(h), along(-h)), (along(2 * h), along(-2 * h))
        numeric = (8 * (near[0] - near[1]) - (far[0] - far[1])) / (12 * h)
        found.append((abs(analytic - numeric), numeric))
        if abs(analytic - numeric) <= (1e-6 + 1e3 * precision) * scale + rounding / h:
            return Whole(AGREES, "", analytic, numeric, abs(analytic - numeric))
    difference, numeric = min(found)
    if not np.isfinite(numeric):
        return Whole(SINGULAR, "", analytic, numeric)
    return Whole(KINK if kinks else DIFFERS, "", analytic, numeric, difference)


def _gradient(arrival: Any) -> Any:
    g = arrival.gradient
    if g is None or not g.whole:
        raise NotKept(f"only a summary of the gradient of {arrival.leaf.name} was kept")
    return g.array


def _direction(rng: Any, point: Any, halved: bool) -> Any:
    """Random moves, as large as the numbers that are moved."""
    d = np.asarray(rng.standard_normal(point.shape))
    d = d + 1j * rng.standard_normal(point.shape) if point.dtype.kind == "c" else d
    size = float(np.sqrt(np.mean(np.square(np.abs(point))))) if point.size else 0.0
    return max(size, 1e-2) * (fold(d) if halved else d)


def wide(a: Any) -> Any:
    """In double precision."""
    a = np.asarray(a)
    return a.astype(np.complex128 if a.dtype.kind == "c" else np.float64) if a.dtype.kind in "fc" else a


def _program(ledger: Ledger, weights: dict[int, Any]) -> Callable[[dict[int, Any]], float]:
    """The recorded steps as a function of the leaves. What gets no gradient stays as it was."""
    steps: list[Step] = []
    wanted = set(weights)
    for step in reversed(ledger.forward):
        if any(id(v) in wanted for v in step.outputs) and any(v.requires_grad for v in step.outputs):
            steps.append(step)
            wanted |= {id(v) for a in step.args for v in (a if isinstance(a, list) else [a]) if isinstance(v, Value)}
    steps.reverse()
    for step in steps:
        if not runs_again(step):
            raise NotKept(f"step {step.number}, {step.op.name}, is no operation that could be run again")

    def run(leaves: dict[int, Any]) -> float:
        known = dict(leaves)
        for step in steps:
            for a in step.args:
                for v in a if isinstance(a, list) else [a]:
                    if isinstance(v, Value) and id(v) not in known:
                        known[id(v)] = wide(whole(v))
            for v, result in zip(step.outputs, compute(step, known), strict=True):
                known[id(v)] = result
        return sum(float(np.real(np.vdot(w, known[v]))) for v, w in weights.items())

    return run
