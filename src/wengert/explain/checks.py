"""Each step's gradient against finite differences of the very operation that ran, and the whole pass along a direction.

A step is run again in double precision at the recorded arguments, each element moved a little; what the incoming gradient
makes of the change is compared, element by element, with what the engine gave. Where the row states a partial derivative
(so that it is holomorphic) and computes with complex numbers, a complex step of 1e-30 is the referee instead: it has no
rounding. Where the slopes from both sides differ there is a kink, and the rule may choose any value between.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .again import NotKept, compute, hooked, runs_again, starts, whole
from .export import _number
from .ledger import Block, Ledger, Term, operation
from .notation import number
from .part import Part
from .recording import Step, Value
from .slopes import Slopes, slopes

AGREES, KINK, SINGULAR, DIFFERS, UNCHECKED = "agrees", "kink", "not finite", "DIFFERS", "not checked"
SYMMETRIC = ", symmetric moves"


@dataclass
class Element:
    """One element of one gradient."""

    index: tuple[int, ...]
    analytic: Any
    numeric: Any
    error: float  # the difference, relative to the largest of what is compared
    step: float
    verdict: str
    left: Any = None  # at a kink, the slopes from both sides
    right: Any = None


@dataclass
class TermCheck:
    """What one step gave to one argument, checked."""

    block: Block
    target: Value
    terms: list[Term]
    verdict: str
    why: str = ""
    method: str = ""
    elements: tuple[Element, ...] = ()

    @property
    def worst(self) -> Element | None:
        """The element that counts: one that differs, one at a kink, or else the one with the largest error."""
        rank = {DIFFERS: 3, SINGULAR: 2, KINK: 1, AGREES: 0}
        return max(self.elements, key=lambda e: (rank[e.verdict], _size(e.error)), default=None)


class Check(Part):
    """Finite differences for each step of a pass, and for the pass as a whole."""

    columns = ("step", "operation", "gradient of", "verdict", "error", "method", "")

    def __init__(self, ledger: Ledger, seed: int = 0) -> None:
        self.ledger = ledger
        self.seed = seed
        self.terms: list[TermCheck] = [c for b in ledger.blocks for c in check_block(b)]

    def __bool__(self) -> bool:
        """Did nothing differ?"""
        return not any(c.verdict == DIFFERS for c in self.terms) and self.whole.verdict != DIFFERS

    @functools.cached_property
    def whole(self) -> Whole:
        """The loss along one random direction of all leaves at once."""
        return check_whole(self.ledger, self.seed, {id(c.target) for c in self.terms if c.method.endswith(SYMMETRIC)})

    @property
    def title(self) -> str:
        count = Counter(c.verdict for c in self.terms)
        said = [f"{count[AGREES]} of {len(self.terms)} gradients agree with finite differences"]
        words = {DIFFERS: "DIFFER", KINK: "at a kink", SINGULAR: "not finite", UNCHECKED: "not checked"}
        said += [f"{count[v]} {word}" for v, word in words.items() if count[v]]
        return ", ".join(said)

    def rows(self) -> list[list[str]]:
        found = []
        for c in self.terms:
            worst = c.worst
            error = "" if worst is None else number(worst.error, 2)
            step = c.block.step
            found.append(
                [str(step.number), operation(step), c.target.name or "?", c.verdict, error, c.method, c.why or _at(c)]
            )
        return found

    def faint(self) -> set[int]:
        return {k for k, c in enumerate(self.terms) if c.verdict == UNCHECKED}

    def remarks(self) -> list[str]:
        return [self.whole.said()]

    def to_data(self) -> dict[str, Any]:
        whole = self.whole
        return {
            "agrees": bool(self),
            "gradients": [
                {
                    "step": c.block.step.number,
                    "operation": operation(c.block.step),
                    "of": c.target.name,
                    "verdict": c.verdict,
                    "why": c.why,
                    "method": c.method,
                    "elements": [
                        {
                            "index": list(e.index),
                            "analytic": _number(e.analytic),
                            "numeric": _number(e.numeric),
                            "error": _number(e.error),
                            "h": _number(e.step),
                            "verdict": e.verdict,
                        }
                        for e in c.elements
                    ],
                }
                for c in self.terms
            ],
            "whole": {
                "verdict": whole.verdict,
                "why": whole.why,
                "analytic": None if whole.analytic is None else _number(whole.analytic),
                "numeric": None if whole.numeric is None else _number(whole.numeric),
            },
        }


def _at(c: TermCheck) -> str:
    """Where the worst element is, if there is something to say of it."""
    worst = c.worst
    if worst is None or worst.verdict == AGREES:
        return ""
    place = f"at {list(worst.index)}: " if worst.index else ""
    if worst.verdict == SINGULAR:
        return f"{place}the rule gives {number(worst.analytic)}, differences {number(worst.numeric)}"
    if worst.verdict == KINK:
        sides = f"slopes {number(worst.left)} and {number(worst.right)}"
        return f"{place}{sides}, the rule gives {number(worst.analytic)}"
    return f"{place}the rule gives {number(worst.analytic)}, differences {number(worst.numeric)} (h = {worst.step:.1g})"


def _size(x: float) -> float:
    return x if x == x else float("inf")


# -- one step ----------------------------------------------------------------------------------------------------------


def check_block(block: Block) -> list[TermCheck]:
    """What a node gave to each of its arguments; terms of one argument together."""
    groups: dict[int, list[Term]] = {}
    for t in block.terms:
        groups.setdefault(id(t.target), []).append(t)
    return [_checked(block, terms[0].target, terms) for terms in groups.values()]


def _checked(block: Block, target: Value, terms: list[Term]) -> TermCheck:
    if not runs_again(block.step):
        return TermCheck(block, target, terms, UNCHECKED, block.note or "no operation to run again")
    try:
        analytic = sum(_kept(t) for t in terms)
        found = slopes(block, target)
    except NotKept as error:
        return TermCheck(block, target, terms, UNCHECKED, str(error))
    except Exception as error:  # the operation does not take what it is given, in double precision
        return TermCheck(block, target, terms, UNCHECKED, f"{operation(block.step)} raised {type(error).__name__}")
    elements = _compare(np.asarray(analytic), found)
    verdicts = {e.verdict for e in elements}
    if DIFFERS in verdicts and len(found.places) == analytic.size and _halved(whole(target), found.slope):
        # Of a symmetric matrix such operations read one half, or differentiate as if it stayed symmetric: then the slopes
        # along symmetric moves are what there is to compare.
        shape = analytic.shape
        folded = {n: _fold(getattr(found, n).reshape(shape)).reshape(-1) for n in ("slope", "left", "right")}
        elements = _compare(_fold(np.asarray(analytic)), replace(found, **folded))
        verdicts = {e.verdict for e in elements}
        found.method += SYMMETRIC
    verdict = next((v for v in (DIFFERS, SINGULAR, KINK) if v in verdicts), AGREES)
    return TermCheck(block, target, terms, verdict, "", found.method, elements)


def _halved(x: Any, slope: Any) -> bool:
    """Is `x` a symmetric (Hermitian) matrix, or several, or does the operation look at one triangle of it only?"""
    if x.ndim < 2 or x.shape[-1] != x.shape[-2] or x.shape[-1] < 2:
        return False
    slope = slope.reshape(x.shape)
    one = not np.triu(slope, 1).any() or not np.tril(slope, -1).any()
    return one or bool(np.allclose(x, np.conj(np.swapaxes(x, -1, -2)), rtol=1e-6, atol=0))


def _fold(a: Any) -> Any:
    return a + np.conj(np.swapaxes(a, -1, -2))


def _kept(term: Term) -> Any:
    if term.value is None or not term.value.whole:
        raise NotKept("only a summary of the gradient was kept")
    return np.asarray(term.value.array)


def _compare(analytic: Any, found: Slopes) -> tuple[Element, ...]:
    a, n, left, right = analytic.reshape(-1)[found.places], found.slope, found.left, found.right
    finite = np.abs(np.concatenate([a, n]))
    finite = finite[np.isfinite(finite)]
    # Rounding is measured by the largest number that took part, and by what the operation's results weigh.
    scale = max(float(finite.max(initial=0)), 1e-30)
    allowed = found.allowed * scale + found.noise
    eps = float(np.finfo(analytic.dtype).eps) if analytic.dtype.kind in "fc" else 0.0
    allowed += 64 * eps * scale
    elements = []
    for k in range(a.size):
        difference = abs(a[k] - n[k])
        verdict = DIFFERS
        if difference <= allowed:
            verdict = AGREES
        elif not (np.isfinite(a[k]) and np.isfinite(n[k])):
            verdict = SINGULAR
        elif abs(a[k] - (left[k] + right[k]) / 2) <= 1e-4 * scale + 1e3 * found.noise and _near(
            left[k], right[k], scale
        ):
            verdict = AGREES  # a kink nearby, which the larger step went across
        elif _between(a[k], left[k], right[k], n[k], allowed):
            verdict = KINK
        sides = (left[k], right[k]) if verdict == KINK else (None, None)
        index = tuple(int(i) for i in np.unravel_index(found.places[k], analytic.shape)) if analytic.shape else ()
        elements.append(Element(index, a[k], n[k], float(difference / scale), float(found.steps[k]), verdict, *sides))
    return tuple(elements)


def _near(left: Any, right: Any, scale: float) -> bool:
    return bool(abs(left - right) <= 1e-3 * scale)


def _between(a: Any, left: Any, right: Any, slope: Any, allowed: float) -> bool:
    """Are the slopes of the two sides, and the difference over a larger step, so unlike that a rule had to choose?"""
    if np.iscomplexobj(a):
        return bool(abs(left - right) > allowed)
    if abs(left - right) <= 1e-3 * max(abs(left), abs(right)) and abs(left - slope) <= 0.5 * abs(left):
        return False  # smooth here
    return bool(min(left, right, slope, 0) - allowed <= a <= max(left, right, slope, 0) + allowed)


# -- the whole ---------------------------------------------------------------------------------------------------------


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


def check_whole(ledger: Ledger, seed: int, halves: set[int]) -> Whole:
    """Run the recorded steps again in double precision, all leaves moved along one direction, and compare.

    `halves`: leaves, by id, that are to stay symmetric.
    """
    try:
        leaves = [(a.leaf, np.asarray(_gradient(a))) for a in ledger.arrivals]
        points = [whole(v) for v, _ in leaves]
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
        analytic = sum(float(np.real(np.vdot(g, d))) for (_, g), d in zip(leaves, directions, strict=True))

        def along(t: float) -> float:
            return program({id(v): wide(p) + t * d for (v, _), p, d in zip(leaves, points, directions, strict=True)})[0]

        here, weight = program({id(v): wide(p) for (v, _), p in zip(leaves, points, strict=True)})
        said = sum(float(np.real(np.vdot(weights[id(v)], whole(v)))) for v, _ in roots)
        precision = max(np.finfo(v.shot.dtype).eps for v, _ in leaves if v.shot is not None)
        if abs(here - said) > 1e4 * precision * max(1.0, abs(said)):
            raise NotKept("the steps do not give the same loss when they are run again")
        h = 1e-4
        numeric = (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h)
    except NotKept as error:
        return Whole(UNCHECKED, str(error))
    difference = abs(analytic - numeric)
    scale = sum(float(np.linalg.norm(g) * np.linalg.norm(d)) for (_, g), d in zip(leaves, directions, strict=True))
    if not np.isfinite([analytic, numeric]).all():
        return Whole(SINGULAR, "", analytic, numeric, difference)
    close = bool(difference <= (1e-6 + 1e3 * precision) * scale + 16 * 2.2e-16 * weight / h)
    if not close and any(c.verdict == KINK for b in ledger.blocks for c in check_block(b)):
        return Whole(KINK, "", analytic, numeric, difference)
    return Whole(AGREES if close else DIFFERS, "", analytic, numeric, difference)


def _gradient(arrival: Any) -> Any:
    g = arrival.gradient
    if g is None or not g.whole:
        raise NotKept(f"only a summary of the gradient of {arrival.leaf.name} was kept")
    return g.array


def _direction(rng: Any, point: Any, fold: bool) -> Any:
    d = np.asarray(rng.standard_normal(point.shape))
    d = d + 1j * rng.standard_normal(point.shape) if point.dtype.kind == "c" else d
    return _fold(d) if fold else d


def wide(a: Any) -> Any:
    """In double precision."""
    a = np.asarray(a)
    return a.astype(np.complex128 if a.dtype.kind == "c" else np.float64) if a.dtype.kind in "fc" else a


def _program(ledger: Ledger, weights: dict[int, Any]) -> Callable[[dict[int, Any]], tuple[float, float]]:
    """The recorded steps as a function of the leaves: the loss, and the size of the largest numbers on the way to it.

    What gets no gradient stays as it was.
    """
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

    def run(leaves: dict[int, Any]) -> tuple[float, float]:
        known = dict(leaves)
        weight = 0.0
        for step in steps:
            for a in step.args:
                for v in a if isinstance(a, list) else [a]:
                    if isinstance(v, Value) and id(v) not in known:
                        known[id(v)] = wide(whole(v))
            for v, result in zip(step.outputs, compute(step, known), strict=True):
                known[id(v)] = result
                weight = max(weight, float(np.abs(result).sum()) if result.dtype.kind in "fc" else 0.0)
        return sum(float(np.real(np.vdot(w, known[v]))) for v, w in weights.items()), weight

    return run
