"""Two passes side by side: the first step where their values part, and by how many units in the last place.

Steps are matched by what they do, in order; a step that only one of them has is said to be missing in the other. Of values of
which a trace kept a summary, the summaries are compared.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

import numpy as np

from .export import _number, shot_json
from .ledger import Block, Ledger, flat, operation
from .notation import number
from .numbers import shot_text
from .part import Part
from .recording import Shot, Step

SHOWN = 12


@dataclass
class Difference:
    """One value or gradient that is not the same in both."""

    what: str  # "given" (a leaf or constant), "value" or "gradient"
    name: str
    step: Step
    other: Step
    mine: Shot | None
    theirs: Shot | None
    ulp: float | None  # None where shapes or dtypes differ, or only summaries are known
    relative: float | None
    why: str


class Comparison(Part):
    """Where two passes part. False if they do."""

    columns = ("", "step", "operation", "name", "this", "other", "apart")

    def __init__(self, ledger: Ledger, other: Ledger, ulp: float = 0) -> None:
        self.ledger = ledger
        self.other = other
        self.ulp = ulp
        keys, others = ([operation(s) for s in x.forward] for x in (ledger, other))
        matcher = difflib.SequenceMatcher(None, keys, others, autojunk=False)
        self.pairs = [
            (ledger.forward[m.a + k], other.forward[m.b + k])
            for m in matcher.get_matching_blocks()
            for k in range(m.size)
        ]
        mine, theirs = ({id(s) for s, _ in self.pairs}, {id(s) for _, s in self.pairs})
        self.missing = [s for s in ledger.forward if id(s) not in mine]  # in the other
        self.added = [s for s in other.forward if id(s) not in theirs]  # by the other
        self.seen: set[int] = set()
        self.values = [d for a, b in self.pairs for d in self._values(a, b)]
        self.gradients = self._gradients()

    def __bool__(self) -> bool:
        """Are they the same, as far as `ulp` allows?"""
        return not (self.missing or self.added or self.values or self.gradients)

    def _values(self, a: Step, b: Step) -> list[Difference]:
        found = []
        for v, w in zip(flat(a.args), flat(b.args), strict=False):
            if v.made_by is None and w.made_by is None and id(v) not in self.seen:
                self.seen.add(id(v))
                found += self._apart("given", v.name or "?", a, b, v.shot, w.shot)
        for v, w in zip(a.outputs, b.outputs, strict=False):
            found += self._apart("value", v.name or "?", a, b, v.shot, w.shot)
        return found

    def _gradients(self) -> list[Difference]:
        """In the order of the pass, then what the leaves got."""
        blocks: dict[int, Block] = {id(x.step): x for x in self.other.blocks}
        partner = {id(a): b for a, b in self.pairs}
        found = []
        for block in self.ledger.blocks:
            step = partner.get(id(block.step))
            if step is None:
                continue
            twin = blocks.get(id(step))
            theirs = twin.gradient if twin is not None else [None] * len(block.gradient)
            for v, g, h in zip(block.outputs, block.gradient, theirs, strict=False):
                found += self._apart("gradient", f"∇{v.name}", block.step, step, g, h)
            for t, u in zip(block.terms, twin.terms if twin is not None else [], strict=False):
                if t.target.made_by is None:
                    found += self._apart("gradient", f"∇{t.target.name}", block.step, step, t.value, u.value)
        return found

    def _apart(
        self, what: str, name: str, a: Step, b: Step, mine: Shot | None, theirs: Shot | None
    ) -> list[Difference]:
        ulp, relative, why = apart(mine, theirs)
        if not why or (ulp is not None and ulp <= self.ulp):
            return []
        return [Difference(what, name, a, b, mine, theirs, ulp, relative, why)]

    @property
    def first(self) -> Difference | None:
        """Where they part first: forward, or if the values are the same, backward."""
        return next(iter(self.values + self.gradients), None)

    @property
    def title(self) -> str:
        names = f"{self.ledger.root.name} = {shot_text(self.ledger.root.shot)}"
        others = f"{self.other.root.name} = {shot_text(self.other.root.shot)}"
        both = f"{names} and {others}"
        if self:
            steps = f"{len(self.pairs)} steps"
            return f"{both}: the same{'' if not self.ulp else f' to {self.ulp:g} ulp'}, {steps} forward and back"
        first = self.first
        if first is None:
            return f"{both}: what both did is the same, but they did not do the same"
        step = f"step {first.step.number}, {operation(first.step)}"
        what = "its argument" if first.what == "given" else f"the {first.what}"
        return f"{both}: they part at {step}: {what} {first.name} is {first.why}"

    def rows(self) -> list[list[str]]:
        return [
            [
                d.what,
                str(d.step.number) if d.step.number == d.other.number else f"{d.step.number} / {d.other.number}",
                operation(d.step),
                d.name,
                shot_text(d.mine),
                shot_text(d.theirs),
                d.why,
            ]
            for d in (self.values + self.gradients)[:SHOWN]
        ]

    def remarks(self) -> list[str]:
        said = []
        count = len(self.values) + len(self.gradients)
        if count > SHOWN:
            said.append(f"... and {count - SHOWN} more differences")
        for steps, which in ((self.missing, "only this one has"), (self.added, "only the other has")):
            if steps:
                names = ", ".join(f"{s.number} {operation(s)}" for s in steps[:SHOWN])
                said.append(f"{which}: {names}" + (f", ... {len(steps)} in all" if len(steps) > SHOWN else ""))
        return said

    def to_data(self) -> dict[str, Any]:
        return {
            "same": bool(self),
            "steps": len(self.pairs),
            "missing": [s.number for s in self.missing],
            "added": [s.number for s in self.added],
            "differences": [
                {
                    "what": d.what,
                    "name": d.name,
                    "step": d.step.number,
                    "other_step": d.other.number,
                    "this": shot_json(d.mine),
                    "other": shot_json(d.theirs),
                    "ulp": None if d.ulp is None else _number(d.ulp),
                    "relative": None if d.relative is None else _number(d.relative),
                    "why": d.why,
                }
                for d in self.values + self.gradients
            ],
        }


def apart(a: Shot | None, b: Shot | None) -> tuple[float | None, float | None, str]:
    """(ulp, relative difference, in words) of two noted values; no words if they are the same."""
    if a is None or b is None:
        missing = "this" if a is None else "the other"
        return None, None, "" if a is b else f"not there in {missing}"
    if a.shape != b.shape:
        return None, None, f"of another shape: {a.shape} and {b.shape}"
    if a.dtype != b.dtype:
        return None, None, f"of another dtype: {a.dtype} and {b.dtype}"
    if a.whole and b.whole:
        x, y = np.asarray(a.array), np.asarray(b.array)
        if np.array_equal(x, y, equal_nan=x.dtype.kind in "fc"):
            return 0.0, 0.0, ""
        ulp = ulps(x, y)
        finite = np.isfinite(x) & np.isfinite(y) if x.dtype.kind in "fc" else np.ones(x.shape, bool)
        if not finite.all() and not np.array_equal(np.isnan(x), np.isnan(y)):
            return ulp, None, f"not a number in {int(np.isnan(x).sum())} and {int(np.isnan(y).sum())} elements"
        scale = float(max(np.abs(x[finite]).max(initial=0), np.abs(y[finite]).max(initial=0))) or 1.0
        relative = (
            float(np.abs(np.subtract(x[finite], y[finite], dtype=np.result_type(x, np.float64))).max(initial=0)) / scale
        )
        return ulp, relative, f"apart by {number(ulp, 3)} ulp" if ulp < 1e4 else f"apart by {number(relative, 2)} of it"
    if not a.known or not b.known:
        return 0.0, 0.0, ""  # nothing is known that could differ
    if a.stats() == b.stats() and a.non_finite() == b.non_finite():
        return 0.0, 0.0, ""
    norms = a.stats()[2], b.stats()[2]
    return None, None, f"apart in summary: norms {number(norms[0], 8)} and {number(norms[1], 8)}"


def ulps(x: Any, y: Any) -> float:
    """How many representable numbers lie between two arrays at most; infinite where one is NaN."""
    if x.dtype.kind == "c":
        return max(ulps(x.real, y.real), ulps(x.imag, y.imag))
    if x.dtype.kind != "f":
        return float(np.abs(np.subtract(x, y, dtype=np.float64)).max(initial=0))
    if (np.isnan(x) != np.isnan(y)).any():
        return float("inf")
    a, b = _ordered(x), _ordered(y)
    # Across 0 the count may be too large for an integer; on one side of it, it must not be rounded.
    count = np.where((a < 0) == (b < 0), np.abs(a - b), np.abs(a.astype(np.float64)) + np.abs(b.astype(np.float64)))
    return float(np.where(np.isnan(x), 0, count).max(initial=0))


def _ordered(x: Any) -> Any:
    """Floating-point numbers as integers in the same order, neighbours one apart."""
    bits = np.ascontiguousarray(x).view(f"i{x.dtype.itemsize}").astype(np.int64)
    least = np.int64(-(2 ** (8 * x.dtype.itemsize - 1)))
    return np.where(bits < 0, least - bits, bits)
