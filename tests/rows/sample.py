"""How a test row is written.

    row("mul", lambda r: (r.any(3, 4), r.any(4)), lambda r: (r.any(2), 3.0))

Each lambda makes the arguments of one call from `r`, a `Draw`; keyword arguments come as a dict in the last place,
wrapped by `kw(...)`. Choose samples away from kinks, with 0-dim, broadcast and optional arguments among them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.core.tensor import Tensor, wrap


class kw(dict[str, Any]):
    """Keyword arguments of a sample."""


class Draw:
    """Makes float64 tensors that require grad, the same ones every time."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)

    def _leaf(self, array: Any) -> Tensor:
        return wrap(np.asarray(array), True)

    def any(self, *shape: int) -> Tensor:
        """Between -2 and 2, no element closer than 0.1 to an integer or to 0."""
        a = self.rng.uniform(0.1, 0.9, shape) + self.rng.integers(-2, 2, shape)
        return self._leaf(a)

    def pos(self, *shape: int, low: float = 0.3, high: float = 2.0) -> Tensor:
        return self._leaf(self.rng.uniform(low, high, shape))

    def unit(self, *shape: int) -> Tensor:
        """Strictly between -1 and 1."""
        return self._leaf(self.rng.uniform(-0.9, 0.9, shape))

    def prob(self, *shape: int) -> Tensor:
        """Strictly between 0 and 1."""
        return self._leaf(self.rng.uniform(0.1, 0.9, shape))

    def distinct(self, *shape: int) -> Tensor:
        """All elements at least 0.3 apart: for maxima, sorting, medians."""
        n = int(np.prod(shape, dtype=int))
        return self._leaf((self.rng.permutation(n) * 0.5 - n / 4 + self.rng.uniform(0, 0.2, n)).reshape(shape))

    def complex(self, *shape: int) -> Tensor:
        return self._leaf(self.rng.uniform(0.3, 2, shape) * np.exp(1j * self.rng.uniform(-3, 3, shape)))

    def ints(self, high: int, *shape: int) -> Tensor:
        """Integers in 0 .. high-1 (no gradient)."""
        return wrap(np.asarray(self.rng.integers(0, high, shape)))

    def mask(self, *shape: int) -> Tensor:
        return wrap(np.asarray(self.rng.random(shape) < 0.5))

    def const(self, *shape: int) -> Tensor:
        """Like `any`, but no gradient is wanted."""
        t = self.any(*shape)
        t.requires_grad = False
        return t


Sample = Callable[[Draw], tuple[Any, ...]]
ROWS: dict[str, tuple[Sample, ...]] = {}
PREPARE: dict[str, Callable[..., tuple[Any, ...]]] = {}


def row(name: str, *samples: Sample, prepare: Callable[..., tuple[Any, ...]] | None = None) -> None:
    """State the samples of operation `name`. `prepare` makes its arguments of those drawn (a symmetric matrix, say)."""
    assert name not in ROWS, f"{name} has two test rows"
    ROWS[name] = samples
    if prepare is not None:
        PREPARE[name] = prepare


def hermitian(a: Tensor, *rest: Any) -> tuple[Any, ...]:
    """The first argument with its conjugate transpose added: of such matrices only one triangle is read."""
    return ((a + a.mH) / 2, *rest)


def arguments(sample: Sample, seed: int = 0) -> tuple[tuple[Any, ...], dict[str, Any]]:
    args = sample(Draw(seed))
    if args and isinstance(args[-1], kw):
        return args[:-1], dict(args[-1])
    return args, {}
