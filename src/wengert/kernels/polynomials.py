"""Orthogonal polynomials on arrays, each by its recurrence (Abramowitz and Stegun 22.7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any


def _evaluate(x: Array, n: Array, first: Callable[[Array], Array], step: Callable[..., Array]) -> Array:
    """The polynomial of degree `n` (cut to an integer; 0 below degree 0, and for what is no int64): `first` is that of
    degree 1, and `step(x, k, previous, last)` that of degree k + 1."""
    d = np.result_type(x, n)
    x, degree = np.broadcast_arrays(np.asarray(x, np.float64), np.trunc(np.asarray(n, np.float64)))
    degree = np.where(np.abs(degree) < 2.0**63, degree, -1)  # NaN, too
    last, current = np.ones(x.shape), first(x)
    result = np.where(degree == 0, 1.0, np.where(degree == 1, current, 0.0))
    for k in range(1, int(degree.max(initial=0))):
        last, current = current, step(x, k, last, current)
        result = np.where(degree == k + 1, current, result)
        going = degree > k + 1
        if np.isnan(current[going]).all():  # and so it stays
            return np.where(going, np.nan, result).astype(d)
    return result.astype(d)


def _chebyshev(first: Callable[[Array], Array]) -> Callable[[Array, Array], Array]:
    return lambda x, n: _evaluate(x, n, first, lambda x, k, last, current: 2 * x * current - last)


chebyshev_t = _chebyshev(lambda x: x)
chebyshev_u = _chebyshev(lambda x: 2 * x)
chebyshev_v = _chebyshev(lambda x: 2 * x - 1)
chebyshev_w = _chebyshev(lambda x: 2 * x + 1)


def hermite_h(x: Array, n: Array) -> Array:
    """The physicists' Hermite polynomial."""
    return _evaluate(x, n, lambda x: 2 * x, lambda x, k, last, current: 2 * x * current - 2 * k * last)


def hermite_he(x: Array, n: Array) -> Array:
    """The probabilists' Hermite polynomial."""
    return _evaluate(x, n, lambda x: x, lambda x, k, last, current: x * current - k * last)


def laguerre(x: Array, n: Array) -> Array:
    """Laguerre's polynomial."""
    return _evaluate(
        x, n, lambda x: 1 - x, lambda x, k, last, current: ((2 * k + 1 - x) * current - k * last) / (k + 1)
    )


def legendre(x: Array, n: Array) -> Array:
    """Legendre's polynomial."""
    return _evaluate(x, n, lambda x: x, lambda x, k, last, current: ((2 * k + 1) * x * current - k * last) / (k + 1))
