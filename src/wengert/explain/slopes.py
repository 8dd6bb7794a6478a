"""Slopes of one recorded step, from running its operation again at arguments that are moved a little.

The function that is sloped is F(x) = Re⟨g, f(x)⟩, with the incoming gradient g of the pass: its gradient in x is what the
node's rule is to give. For complex x that is ∂F/∂Re x + i ∂F/∂Im x, PyTorch's convention.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .again import NotKept, compute, whole
from .ledger import Block
from .recording import Value

AGREES, KINK, SINGULAR, DIFFERS, UNCHECKED = "agrees", "kink", "not finite", "DIFFERS", "not checked"

MOST = 64  # elements of one argument that are moved one by one; of more, so many evenly spread ones
TINY = 1e-30  # a complex step: nothing is subtracted, so it may be as small as one likes


@dataclass
class Slopes:
    """The slope of F along elements of an argument; where it was found from both sides, these too. All are flat."""

    places: Any  # which elements
    slope: Any
    left: Any
    right: Any
    steps: Any
    method: str
    allowed: float  # the relative error that the method makes
    noise: float  # the absolute one


def slopes(block: Block, target: Value) -> Slopes:
    """Slopes along elements of `target`. NotKept where the numbers, or the same result again, are not to be had."""
    weights = [None if g is None else _wide_gradient(g) for g in block.gradient]
    known = {id(v): _wide(whole(v)) for v in _values(block)}
    base = compute(block.step, known)
    _same_as_before(block, base)
    x = known[id(target)]
    referee = _complex_step(block, target, known, weights, base)
    if referee is not None:
        flat = referee.reshape(-1)
        return Slopes(np.arange(x.size), flat, flat, flat, np.full(x.size, TINY), "complex step", 1e-12, 1e-300)

    move = Mover(block, target, known, weights, base)
    # Results of lower precision (a cast to float32 within the program) want larger steps.
    eps = max((float(np.finfo(r.dtype).eps) for r in base if r.dtype.kind in "fc"), default=2.2e-16)
    size = sum(float(np.abs(w * r).sum()) for w, r in zip(weights, base, strict=False)
               if w is not None and r.dtype.kind in "fc" and np.isfinite(r).all())  # fmt: skip
    steps = eps**0.2 * np.maximum(np.abs(x.reshape(-1)[move.places]), 1e-2 if eps < 1e-10 else 1.0)
    slope, left, right = (np.zeros(move.places.size, x.dtype) for _ in range(3))
    for unit in (1.0, 1j) if x.dtype.kind == "c" else (1.0,):
        h = steps * unit
        slope += unit * (8 * (move(h) - move(-h)) - (move(2 * h) - move(-2 * h))) / (12 * steps)
        left += unit * (move.here - move(-h / 100)) / (steps / 100)
        right += unit * (move(h / 100) - move.here) / (steps / 100)
    noise = 4 * eps * size / max(float(steps.min(initial=np.inf)), 1e-30) if x.size else 0.0
    return Slopes(move.places, slope, left, right, steps, "central differences", 1e-6 if eps < 1e-10 else 1e-2, noise)


class Mover:
    """F, where elements of one argument are moved, each alone.

    An elementwise operation lets all be moved at once, since none sees another; else it runs once for each of `places`.
    """

    def __init__(self, block: Block, target: Value, known: dict[int, Any], weights: list[Any], base: list[Any]) -> None:
        self.step = block.step
        self.target = target
        self.known = known
        self.weights = weights
        self.x = known[id(target)]
        once = sum(a is target for a in block.step.args) == 1
        self.together = block.step.op.kind == "elementwise" and base[0].shape == self.x.shape and once
        few = self.together or self.x.size <= MOST
        self.places = np.arange(self.x.size) if few else np.linspace(0, self.x.size - 1, MOST).astype(int)
        self.here = self(np.zeros(self.places.size))

    def __call__(self, moves: Any) -> Any:
        """F for each place where that element is moved by its part of `moves`; of a pointwise operation, its part of F."""
        if self.together:
            (result,) = self._results(self.x + moves.reshape(self.x.shape))
            return np.real(np.conj(self.weights[0]) * result).reshape(-1)
        found = np.zeros(self.places.size)
        for i, k in enumerate(self.places):
            at = self.x.reshape(-1).copy()
            at[k] += moves[i]
            results = zip(self.weights, self._results(at.reshape(self.x.shape)), strict=False)
            found[i] = sum(float(np.real(np.vdot(w, r))) for w, r in results if w is not None)
        return found

    def _results(self, at: Any) -> list[Any]:
        return compute(self.step, {**self.known, id(self.target): at})


def _values(block: Block) -> list[Value]:
    return [v for a in block.step.args for v in (a if isinstance(a, list) else [a]) if isinstance(v, Value)
            and not (v.shot is None and not v.requires_grad)]  # fmt: skip


def _wide(a: Any) -> Any:
    return a.astype(np.complex128 if a.dtype.kind == "c" else np.float64) if a.dtype.kind in "fc" else a


def _wide_gradient(shot: Any) -> Any:
    if not shot.whole:
        raise NotKept("only a summary of the incoming gradient was kept")
    return _wide(np.asarray(shot.array))


def _same_as_before(block: Block, results: list[Any]) -> None:
    """An operation that draws random numbers gives another result when it is run again."""
    for v, r in zip(block.step.outputs, results, strict=False):
        if v.shot is None or not v.shot.whole or r.dtype.kind not in "fc":
            continue
        eps = float(np.finfo(v.shot.dtype).eps) if v.shot.dtype.kind in "fc" else 0.0
        size = float(np.abs(r[np.isfinite(r)]).max(initial=0))
        if not np.allclose(r, v.shot.array, rtol=1e3 * eps, atol=1e3 * eps * size, equal_nan=True):
            raise NotKept("it gives another result when it is run again")


def _complex_step(block: Block, target: Value, known: dict[int, Any], weights: list[Any], base: list[Any]) -> Any:
    """The gradient by complex steps, if the row states a holomorphic partial derivative and takes complex numbers."""
    op = block.step.op
    x = known[id(target)]
    name = next((p.name for p, a in zip(op.params, block.step.args, strict=False) if a is target), None)
    rule = op.rules.get(name)
    if op.kind != "elementwise" or rule is None or rule.constant or rule.takes_g or x.dtype.kind != "f":
        return None
    if sum(a is target for a in block.step.args) > 1 or weights[0] is None or base[0].dtype.kind != "f":
        return None
    try:
        (result,) = compute(block.step, {**known, id(target): x + 1j * TINY})
    except Exception:  # no complex numbers here
        return None
    if result.dtype.kind != "c" or not np.array_equal(result.real, base[0], equal_nan=True):
        return None
    from ..core.fitting import sum_to

    moved = weights[0] * (result.imag / TINY)
    # A power of a negative number is real at some exponents only: between them its complex form is another function. And
    # what is left without an imaginary part has not computed with one.
    if (
        not np.isfinite(moved).all()
        or not result.imag.any()
        or np.abs(result.imag).max(initial=0) > 1e-6 * np.sqrt(TINY)
    ):
        return None
    return moved if moved.shape == x.shape else sum_to(moved, x.shape)


def fold(a: Any) -> Any:
    """A matrix and its (conjugate) transpose together: what slopes along symmetric moves are."""
    return a + np.conj(np.swapaxes(a, -1, -2))
