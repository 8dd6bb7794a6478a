"""Each step's gradient against finite differences of the very operation that ran, and the whole pass along a direction.

A step is run again in double precision at the recorded arguments, each element moved a little; what the incoming gradient
makes of the change is compared, element by element, with what the engine gave. Where the row states a partial derivative
(so that it is holomorphic) and computes with complex numbers, a complex step of 1e-30 is the referee instead: it has no
rounding. Where the slopes from both sides differ there is a kink, and the rule may choose any value between.
"""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .again import NotKept, runs_again, whole
from .directional import Whole, check_whole
from .export import _number
from .ledger import Block, Ledger, Term, operation
from .notation import number
from .part import Part
from .recording import Value
from .slopes import AGREES, DIFFERS, KINK, SINGULAR, UNCHECKED, Slopes, fold, slopes

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
        halves = {id(c.target) for c in self.terms if c.method.endswith(SYMMETRIC)}
        return check_whole(self.ledger, self.seed, halves, any(c.verdict == KINK for c in self.terms))

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
        folded = {n: fold(getattr(found, n).reshape(shape)).reshape(-1) for n in ("slope", "left", "right")}
        elements = _compare(fold(np.asarray(analytic)), replace(found, **folded))
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
        numeric, closer = n[k], (left[k] + right[k]) / 2
        verdict = DIFFERS
        if abs(a[k] - numeric) <= allowed:
            verdict = AGREES
        elif not (np.isfinite(a[k]) and np.isfinite(numeric)):
            verdict = SINGULAR
        elif abs(a[k] - closer) <= 1e-4 * scale + 1e3 * found.noise and _near(left[k], right[k], scale):
            verdict, numeric = AGREES, closer  # a kink nearby, which the larger step went across
        elif _between(a[k], left[k], right[k], numeric, allowed):
            verdict = KINK
        sides = (left[k], right[k]) if verdict == KINK else (None, None)
        index = tuple(int(i) for i in np.unravel_index(found.places[k], analytic.shape)) if analytic.shape else ()
        error = float(abs(a[k] - numeric) / scale)
        elements.append(Element(index, a[k], numeric, error, float(found.steps[k]), verdict, *sides))
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
