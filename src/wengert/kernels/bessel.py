"""Bessel functions of order 0 and 1, and Airy's function, on arrays: integrals in place of tables.

Note [Bessel functions by integrals]
    Up to some argument each is an integral of a smooth function that is periodic or dies out at both ends, for which the
    trapezoidal rule converges faster than any power (Abramowitz and Stegun 9.1.18, 9.6.16, 9.6.24; L. Trefethen and J.
    Weideman, SIAM Review 56, 2014). Beyond it the asymptotic series (9.2.5, 9.7.1, 9.7.2) are exact to rounding. Good to
    a few 1e-16, absolutely for the oscillating ones, relatively for the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .special import _EULER, _polynomial, _wide

Array = Any
_SPLIT = 25.0  # where the asymptotic series take over
_ANGLES = np.arange(33) * (np.pi / 64)  # a quarter of 128 points on the circle, both ends
_WEIGHTS = np.where((np.arange(33) == 0) | (np.arange(33) == 32), 0.5, 1.0) / 32
# Neumann's series for Y (9.1.88) summed once for all arguments: of (-1)**k cos(2 k angle) / k.
_NEUMANN = _WEIGHTS * sum((-1) ** k * np.cos(2 * k * _ANGLES) / k for k in range(1, 41))


def _coefficients(order: int, count: int) -> list[float]:
    """a_k of Hankel's asymptotic series in 1/x."""
    found = [1.0]
    for k in range(1, count):
        found.append(found[-1] * (4 * order * order - (2 * k - 1) ** 2) / (8 * k))
    return found


def _split(x: Array, near: Callable[[Array], Array], far: Callable[[Array], Array], at: float = _SPLIT) -> Array:
    result = np.empty_like(x)
    small = x < at
    result[small] = near(x[small])
    result[~small] = far(x[~small])
    return result


def _sum(x: Array, term: Callable[[Array, float], Array], nodes: Array, weights: Array) -> Array:
    total = np.zeros_like(x)
    for node, weight in zip(nodes.tolist(), weights.tolist(), strict=True):
        total += weight * term(x, node)
    return total


def _hankel(order: int, sine: bool, x: Array) -> Array:
    """J or (with `sine`) Y for large x."""
    a = _coefficients(order, 24)
    inverse = 1 / (x * x)
    p = _polynomial(inverse, tuple((-1) ** k * a[2 * k] for k in reversed(range(12))))
    q = _polynomial(inverse, tuple((-1) ** k * a[2 * k + 1] for k in reversed(range(12)))) / x
    phase = x - (2 * order + 1) * np.pi / 4
    wave = p * np.sin(phase) + q * np.cos(phase) if sine else p * np.cos(phase) - q * np.sin(phase)
    return np.sqrt(2 / (np.pi * x)) * wave


def _j0_near(x: Array) -> Array:
    return _sum(x, lambda x, t: np.cos(x * math.cos(t)), _ANGLES, _WEIGHTS)


def _j1_near(x: Array) -> Array:
    return _sum(x, lambda x, t: math.cos(t) * np.sin(x * math.cos(t)), _ANGLES, _WEIGHTS)


@_wide
def j0(x: Array) -> Array:
    """Bessel's J of order 0."""
    return _split(np.abs(x), _j0_near, lambda x: _hankel(0, False, x))


@_wide
def j1(x: Array) -> Array:
    """Bessel's J of order 1."""
    return np.sign(x) * _split(np.abs(x), _j1_near, lambda x: _hankel(1, False, x))


def _y0_near(x: Array) -> Array:
    rest = _sum(x, lambda x, t: np.cos(x * math.sin(t)), _ANGLES, _NEUMANN)
    return 2 / np.pi * ((np.log(x / 2) + _EULER) * _j0_near(x) - 2 * rest)


def _y1_near(x: Array) -> Array:
    rest = _sum(x, lambda x, t: math.sin(t) * np.sin(x * math.sin(t)), _ANGLES, _NEUMANN)
    return 2 / np.pi * ((np.log(x / 2) + _EULER) * _j1_near(x) - _j0_near(x) / x - 2 * rest)


def _from_zero(x: Array, value: Array, at_zero: float) -> Array:
    return np.where(x > 0, value, np.where(x == 0, at_zero, np.nan))


@_wide
def y0(x: Array) -> Array:
    """Bessel's Y of order 0."""
    return _from_zero(x, _split(x, _y0_near, lambda x: _hankel(0, True, x)), -np.inf)


@_wide
def y1(x: Array) -> Array:
    """Bessel's Y of order 1."""
    return _from_zero(x, _split(x, _y1_near, lambda x: _hankel(1, True, x)), -np.inf)


def _modified_far(order: int, sign: int, x: Array) -> Array:
    """exp(-x) I times sqrt(2 pi x) (sign -1), or exp(x) K times sqrt(2 x / pi) (sign 1)."""
    a = _coefficients(order, 26)
    return _polynomial(1 / x, tuple(sign**k * a[k] for k in reversed(range(26))))


def _i_far(order: int, x: Array) -> Array:
    return np.where(np.isinf(x), 0, _modified_far(order, -1, x) / np.sqrt(2 * np.pi * x))


@_wide
def i0e(x: Array) -> Array:
    """`exp(-|x|)` times the modified Bessel function I of order 0."""

    def near(x: Array) -> Array:
        # cosh, so that a quarter of the circle is enough
        return _sum(
            x,
            lambda x, t: 0.5 * (np.exp(x * (math.cos(t) - 1)) + np.exp(-x * (math.cos(t) + 1))),
            _ANGLES,
            _WEIGHTS,
        )

    return _split(np.abs(x), near, lambda x: _i_far(0, x))


@_wide
def i1e(x: Array) -> Array:
    """`exp(-|x|)` times the modified Bessel function I of order 1."""

    def term(x: Array, t: float) -> Array:
        c = math.cos(t)
        return -0.5 * c * np.exp(x * (c - 1)) * np.expm1(-2 * c * x)

    return np.sign(x) * _split(np.abs(x), lambda x: _sum(x, term, _ANGLES, _WEIGHTS), lambda x: _i_far(1, x))


@_wide
def i0(x: Array) -> Array:
    """The modified Bessel function I of order 0."""
    return i0e(x) * np.exp(np.abs(x))


@_wide
def i1(x: Array) -> Array:
    """The modified Bessel function I of order 1."""
    return i1e(x) * np.exp(np.abs(x))


_K_STEP = 0.15
_K_NODES = np.arange(36) * _K_STEP
_K_WEIGHTS = np.where(np.arange(36) == 0, 0.5, 1.0) * _K_STEP


def _k0_small(x: Array) -> Array:
    """The scaled K0 from its power series, Abramowitz and Stegun 9.6.13."""
    z = x * x / 4
    total = np.zeros_like(x)
    term, harmonic = np.ones_like(x), 0.0
    i = np.ones_like(x)
    for k in range(1, 10):
        term = term * z / (k * k)
        harmonic += 1 / k
        total += term * harmonic
        i += term
    return np.exp(x) * (total - (np.log(x / 2) + _EULER) * i)


def _k1_small(x: Array) -> Array:
    """The scaled K1 from its power series, Abramowitz and Stegun 9.6.11."""
    z = x * x / 4
    total, i = np.zeros_like(x), np.zeros_like(x)
    term, harmonic = np.ones_like(x), 0.0
    for k in range(10):
        total += term * (2 * harmonic + 1 / (k + 1) - 2 * _EULER)
        i += term
        harmonic += 1 / (k + 1)
        term = term * z / ((k + 1) * (k + 2))
    return np.exp(x) * (1 / x + np.log(x / 2) * i * x / 2 - x / 4 * total)


def _k(x: Array, order: int, small: Callable[[Array], Array]) -> Array:
    def middle(x: Array) -> Array:
        term = lambda x, t: np.exp(-x * (math.cosh(t) - 1)) * math.cosh(order * t)
        return _sum(x, term, _K_NODES, _K_WEIGHTS)

    def large(x: Array) -> Array:
        return _modified_far(order, 1, x) * np.sqrt(np.pi / (2 * x))

    value = _split(x, small, lambda x: _split(x, middle, large, 20.0), 0.5)
    return _from_zero(x, value, np.inf)


@_wide
def k0e(x: Array) -> Array:
    """`exp(x)` times the modified Bessel function K of order 0."""
    return _k(x, 0, _k0_small)


@_wide
def k1e(x: Array) -> Array:
    """`exp(x)` times the modified Bessel function K of order 1."""
    return _k(x, 1, _k1_small)


@_wide
def k0(x: Array) -> Array:
    """The modified Bessel function K of order 0."""
    return np.where(x == np.inf, 0, k0e(x) * np.exp(-x))


@_wide
def k1(x: Array) -> Array:
    """The modified Bessel function K of order 1."""
    return np.where(x == np.inf, 0, k1e(x) * np.exp(-x))


@_wide
def spherical_j0(x: Array) -> Array:
    """`sin(x) / x`."""
    return np.where(x == 0, 1, np.where(np.isinf(x), 0, np.sin(x) / x))


_AI_0 = 0.355028053887817239  # Ai(0) and -Ai'(0)
_AI_1 = 0.258819403792806798


def _airy_series(x: Array) -> Array:
    """Abramowitz and Stegun 10.4.2."""
    cube = x * x * x
    f, g = np.ones_like(x), x.copy()
    total_f, total_g = f.copy(), g.copy()
    for k in range(1, 60):
        f = f * cube / ((3 * k - 1) * (3 * k))
        g = g * cube / ((3 * k) * (3 * k + 1))
        total_f += f
        total_g += g
    return _AI_0 * total_f - _AI_1 * total_g


def _airy_terms(count: int) -> list[float]:
    """c_k of 10.4.58."""
    found = [1.0]
    for k in range(1, count):
        found.append(found[-1] * (6 * k - 5) * (6 * k - 3) * (6 * k - 1) / (216 * k * (2 * k - 1)))
    return found


def _airy_positive(x: Array) -> Array:
    """exp(-zeta) times the integral over the line of steepest descent of exp(-sqrt(x) t**2) cos(t**3 / 3)."""
    root = np.sqrt(x)
    width = 6.2 / np.sqrt(root)
    total = np.full_like(x, 0.5)
    for k in range(1, 61):
        t = width * (k / 60)
        total += np.exp(-root * t * t) * np.cos(t * t * t / 3)
    return total * width / 60 * np.exp(-2 / 3 * x * root) / np.pi


def _airy_negative(x: Array) -> Array:
    """Abramowitz and Stegun 10.4.60, of -x."""
    zeta = 2 / 3 * x * np.sqrt(x)
    c = _airy_terms(20)
    inverse = 1 / (zeta * zeta)
    p = _polynomial(inverse, tuple((-1) ** k * c[2 * k] for k in reversed(range(10))))
    q = _polynomial(inverse, tuple((-1) ** k * c[2 * k + 1] for k in reversed(range(10)))) / zeta
    phase = zeta + np.pi / 4
    return (np.sin(phase) * p - np.cos(phase) * q) / (np.sqrt(np.pi) * x**0.25)


@_wide
def airy_ai(x: Array) -> Array:
    """Airy's function Ai; between -7 and -4 good to 1e-11."""
    result = np.full_like(x, np.nan)
    for where, compute in (
        (x > 1, _airy_positive),
        ((x <= 1) & (x > -7), _airy_series),
        (x <= -7, lambda x: _airy_negative(-x)),
    ):
        if where.any():
            result[where] = compute(x[where])
    return result
