"""The regularised incomplete gamma functions P(a, x) and Q(a, x) = 1 - P(a, x), on arrays.

Below a + 1 the series, above it the continued fraction, which converge in some tens of steps; but near x = a they need about
sqrt(a), so that for large a Temme's uniform expansion takes their place (N. Temme, SIAM J. Math. Anal. 10, 1979; numbers as
in the Digital Library of Mathematical Functions, section 8.12).
"""

from __future__ import annotations

import functools
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np

from .special import erfc, lgamma

if TYPE_CHECKING:
    from fractions import Fraction

Array = Any
_LARGE, _NEAR = 100.0, 0.3  # Temme's expansion: from which a on, and for which |x - a| / a
_POWERS, _TERMS = 12, 24  # of 1/a, and of eta


def igamma(a: Array, x: Array) -> Array:
    """The regularised lower incomplete gamma function P(a, x)."""
    return _incomplete(a, x, False)


def igammac(a: Array, x: Array) -> Array:
    """The regularised upper incomplete gamma function Q(a, x) = 1 - P(a, x)."""
    return _incomplete(a, x, True)


def _incomplete(a: Array, x: Array, upper: bool) -> Array:
    d = np.result_type(a, x)
    a, x = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(x, np.float64))
    result = np.full(a.shape, np.nan)
    regular = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
    near = regular & (a > _LARGE) & (np.abs(x - a) < _NEAR * a)
    below = regular & ~near & (x < a + 1)
    above = regular & ~near & ~below
    if near.any():
        result[near] = _uniform(a[near], x[near], upper)
    if below.any():
        p = _series(a[below], x[below])
        result[below] = 1 - p if upper else p
    if above.any():
        q = _fraction(a[above], x[above])
        result[above] = q if upper else 1 - q
    low, high = (1.0, 0.0) if upper else (0.0, 1.0)
    valid = (a >= 0) & (x >= 0)
    result = np.where(valid & (a == 0) & (x > 0), high, result)
    result = np.where(valid & (x == 0) & (a > 0), low, result)
    result = np.where(valid & np.isinf(x) & np.isfinite(a), high, result)
    return np.where(valid & np.isinf(a) & np.isfinite(x), low, result).astype(d)


def _front(a: Array, x: Array) -> Array:
    """x**a exp(-x) / Gamma(a)."""
    return np.exp(a * np.log(x) - x - lgamma(a))


def _series(a: Array, x: Array) -> Array:
    """P by Abramowitz and Stegun 6.5.29."""
    term = 1 / a
    total = term.copy()
    n = a.copy()
    for _ in range(10_000):
        n += 1
        term *= x / n
        total += term
        if (term <= total * 1e-17).all():
            break
    return total * _front(a, x)


def _fraction(a: Array, x: Array) -> Array:
    """Q by Abramowitz and Stegun 6.5.31, by Lentz's method."""
    tiny = 1e-300
    b = x + 1 - a
    c = np.full_like(x, 1 / tiny)
    d = 1 / b
    h = d.copy()
    for i in range(1, 10_000):
        k = -i * (i - a)
        b += 2
        d = k * d + b
        d = 1 / np.where(np.abs(d) < tiny, tiny, d)
        c = b + k / c
        c = np.where(np.abs(c) < tiny, tiny, c)
        step = d * c
        h *= step
        if (np.abs(step - 1) < 4e-16).all():
            break
    return h * _front(a, x)


# -- near x = a, for large a -----------------------------------------------------------------------------------


def _uniform(a: Array, x: Array, upper: bool) -> Array:
    """P or Q by DLMF 8.12.3 and 8.12.4: a normal distribution function, and a correction in powers of 1/a."""
    half = _half_square(x / a, (x - a) / a)
    eta = np.copysign(np.sqrt(2 * half), x - a)
    sign = 1.0 if upper else -1.0
    total = np.zeros_like(a)
    for row in reversed(_coefficients()):
        total = total / a + np.polynomial.polynomial.polyval(eta, row)
    correction = np.exp(-a * half) / np.sqrt(2 * np.pi * a) * total
    return 0.5 * erfc(sign * eta * np.sqrt(a / 2)) + sign * correction


def _half_square(ratio: Array, mu: Array) -> Array:
    """eta**2 / 2 = mu - log(1 + mu), without the cancellation: by the series of the logarithm in mu / (2 + mu)."""
    s = mu / (1 + ratio)
    square = s * s
    tail = np.zeros_like(s)
    for k in range(27, 1, -2):
        tail = tail * square + 1 / k
    return s * (mu - 2 * square * tail)


@functools.cache
def _coefficients() -> Array:
    """d[k][n] of DLMF 8.12.11: c_k(eta) = sum of d[k][n] eta**n, computed exactly and rounded once."""
    from fractions import Fraction

    count = _TERMS + 2 * _POWERS + 3
    alpha = [Fraction(0), Fraction(1), Fraction(1, 3)]  # 8.12.14: lambda - 1 in powers of eta
    for n in range(3, count):
        rest = sum((j * alpha[j] * alpha[n - j + 1] for j in range(2, n)), Fraction(0))
        alpha.append((alpha[n - 1] - rest) / (n + 1))
    rows = [[Fraction(-1, 3), *((n + 2) * alpha[n + 2] for n in range(1, count - 2))]]
    stirling = _stirling(_POWERS)
    for k in range(1, _POWERS):
        before = rows[-1]
        rows.append([(-1) ** k * stirling[k] * rows[0][n] + (n + 2) * before[n + 2] for n in range(len(before) - 2)])
    return [np.array([float(v) for v in row[:_TERMS]]) for row in rows]


def _stirling(count: int) -> list[Fraction]:
    """g_k of Gamma(a) ~ sqrt(2 pi / a) (a / e)**a (g_0 + g_1 / a + ...): the exponential of Stirling's series."""
    from fractions import Fraction

    bernoulli = [Fraction(1)]
    for m in range(1, count + 1):
        bernoulli.append(-sum((comb(m + 1, j) * bernoulli[j] for j in range(m)), Fraction(0)) / (m + 1))
    logs = [Fraction(0)] + [bernoulli[j + 1] / (j * (j + 1)) if j % 2 else Fraction(0) for j in range(1, count)]
    found = [Fraction(1)]
    for k in range(1, count):
        found.append(sum((j * logs[j] * found[k - j] for j in range(1, k + 1)), Fraction(0)) / k)
    return found
