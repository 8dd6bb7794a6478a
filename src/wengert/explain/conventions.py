"""Where a pass met a point without a derivative, and which value was chosen there.

A kink or a tie is not looked up but found: the operation is run again a little to both sides of the recorded argument, and
where the slopes differ there is one. What was chosen is what the node's own rule gives there. The row's `domain` says it
in words. Only steps whose row names such points are looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .again import NotKept, compute, place_of, pull, runs_again, whole
from .export import _number, site_json
from .ledger import Block, Ledger, Term, operation
from .notation import number, public_name
from .part import Part
from .recording import Value
from .sites import line_of
from .slopes import Mover

NEAR = 1e-6  # so far to both sides
# Where jax.grad chooses otherwise: found by running JAX 0.10.2 at such points. That PyTorch chooses as we do is tested.
JAX = {
    "abs": "at 0 the derivative is 1",
    "leaky_relu": "at 0 the derivative is 1",
    "hardtanh": "at a limit of hard_tanh the derivative is 1 (of relu6 it is 0)",
    "clamp": "at a limit the derivative is 1/2",
    "clamp_tensors": "at a limit the derivative is 1/2",
    "fmax": "at a tie the second argument gets all",
    "fmin": "at a tie the second argument gets all",
    "max_dim": "ties share evenly",
    "min_dim": "ties share evenly",
    "cummax": "ties share",
    "vector_norm": "NaN at 0; of the 1-norm, the derivative at 0 is 1",
}


@dataclass
class Meeting:
    """One element at which a rule had to choose."""

    block: Block
    target: Value
    index: tuple[int, ...]
    left: float
    right: float
    chosen: float
    matters: bool  # is the gradient that came in there not 0?


class Conventions(Part):
    """The kinks, ties and excepted points that a pass met, with the choice made at each."""

    columns = ("step", "operation", "at", "slope from below", "from above", "chosen", "the rule's convention")

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.met: list[Meeting] = []
        self.unknown: list[Block] = []  # not to be told: the numbers were not kept
        for block in ledger.blocks:
            if runs_again(block.step) and may_have_kinks(block):
                try:
                    self.met += meetings(block)
                except NotKept:
                    self.unknown.append(block)

    def __len__(self) -> int:
        return len(self.met)

    @property
    def title(self) -> str:
        if not self.met:
            return "No kink and no tie was met"
        return f"{len(self.met)} point{'s' if len(self.met) > 1 else ''} without a derivative met"

    def rows(self) -> list[list[str]]:
        found = []
        for m in self.met:
            step = m.block.step
            index = ", ".join(map(str, m.index))
            at = f"{m.target.name}[{index}]" if m.index else m.target.name or "?"
            slopes = ["a jump" if np.isinf(s) else number(s) for s in (m.left, m.right)] + [number(m.chosen)]
            found.append([str(step.number), operation(step), at, *slopes, step.op.domain or "(not stated)"])
        return found

    def remarks(self) -> list[str]:
        said = []
        for m in self.met:
            where = line_of(m.block.step.site)
            if not m.matters and where is not None:
                said.append(
                    f"line {where[1]}: the gradient that comes in at {list(m.index)} is 0, so the choice is without effect"
                )
        said = list(dict.fromkeys(said))
        others = {public_name(m.block.step.op.name): JAX[m.block.step.op.name] for m in self.met
                  if m.block.step.op.name in JAX}  # fmt: skip
        if self.met:
            said.append("PyTorch chooses the same.")
        said += [f"JAX chooses otherwise for {name}: {choice}." for name, choice in others.items()]
        if self.unknown:
            names = ", ".join(f"{b.step.number} {operation(b.step)} ({b.step.op.domain})" for b in self.unknown[:20])
            said.append(f"Not looked at, since their numbers were not kept: {names}")
        return said

    def to_data(self) -> dict[str, Any]:
        return {
            "met": [
                {
                    "step": m.block.step.number,
                    "operation": operation(m.block.step),
                    "of": m.target.name,
                    "index": list(m.index),
                    "from_below": _number(m.left),
                    "from_above": _number(m.right),
                    "chosen": _number(m.chosen),
                    "matters": m.matters,
                    "convention": m.block.step.op.domain,
                    "jax": JAX.get(m.block.step.op.name),
                    "at": site_json(m.block.step.site),
                }
                for m in self.met
            ],
            "not_looked_at": [b.step.number for b in self.unknown],
        }


def may_have_kinks(block: Block) -> bool:
    """Does the row name excepted points, or is its derivative piecewise: a mask, a constant 0?"""
    op = block.step.op
    piecewise = op.kind == "elementwise" and any(r.takes_g or r.fn == 0 for r in op.rules.values())
    return bool(op.domain) or piecewise


def meetings(block: Block) -> list[Meeting]:
    """The elements of a step's arguments at which the slopes from both sides differ."""
    targets: dict[int, list[Term]] = {}
    for t in block.terms:
        targets.setdefault(id(t.target), []).append(t)
    weights = [None if g is None else _weights(block, g.shape) for g in block.gradient]
    given = [np.asarray(_numbers(g)) for g in block.gradient if g is not None]
    found = []
    for terms in targets.values():
        target = terms[0].target
        x = whole(target)
        if x.dtype.kind != "f":
            continue  # there is no below and above for complex numbers
        chosen = np.zeros(x.shape)
        pulled = pull(block, [_cast(w, block, k) for k, w in enumerate(weights)])
        for t in terms:
            part = pulled[place_of(block, t)]
            chosen = chosen + (0 if part is None else part)
        places, left, right = _sides(block, target, weights)
        quiet = any((g == 0).all() for g in given)
        jumps = np.isinf(left) | np.isinf(right)
        with np.errstate(invalid="ignore"):
            apart = np.abs(left - right) > 1e-3 * _scale(left, right)
        for k in np.flatnonzero(apart | jumps):
            index = tuple(int(i) for i in np.unravel_index(places[k], x.shape)) if x.shape else ()
            same = given[0].shape == x.shape and len(given) == 1
            matters = bool(given[0][index] != 0) if same else not quiet
            found.append(Meeting(block, target, index, float(left[k]), float(right[k]), float(chosen[index]), matters))
    return found


def _weights(block: Block, shape: tuple[int, ...]) -> Any:
    """What the results are summed with: where several lie on one element, no two may cancel by accident."""
    if block.step.op.kind == "elementwise":
        return np.ones(shape)
    size = max(int(np.prod(shape)), 1)
    return 1 + (0.37 * np.arange(size) / size).reshape(shape)


def _cast(w: Any, block: Block, k: int) -> Any:
    return None if w is None else w.astype(block.ran.node.output_meta(k)[1])


def _scale(left: Any, right: Any) -> Any:
    """What a difference of slopes is measured by. A little of the largest: a curve's own slopes differ a little too."""
    both = np.maximum(np.abs(left), np.abs(right))
    finite = both[np.isfinite(both)]
    return np.maximum(both, 1e-2 * finite.max(initial=1e-6))


def _numbers(shot: Any) -> Any:
    if shot is None or not shot.whole:
        raise NotKept("only a summary was kept")
    return np.asarray(shot.array)


def _sides(block: Block, target: Value, weights: list[Any]) -> tuple[Any, Any, Any]:
    """(places, slopes from below, from above) of the weighted sum of the results; infinite at a jump."""
    known = {id(v): _wide(whole(v)) for a in block.step.args for v in (a if isinstance(a, list) else [a])
             if isinstance(v, Value) and v.shot is not None}  # fmt: skip
    move = Mover(block, target, known, weights, compute(block.step, known))
    sides = []
    for side in (-1, 1):
        h = np.full(move.places.size, side * NEAR)
        found = (move(h) - move.here) / h
        if (np.abs(found) > 1e3).any():
            # The slope of a jump grows as the step gets smaller.
            closer = (move(h / 100) - move.here) / (h / 100)
            jump = (np.abs(found) > 1e3) & (np.abs(closer) > 50 * np.abs(found))
            found = np.where(jump, np.copysign(np.inf, found), found)
        sides.append(found)
    return move.places, *sides


def _wide(a: Any) -> Any:
    return a.astype(np.float64) if a.dtype.kind == "f" else a
