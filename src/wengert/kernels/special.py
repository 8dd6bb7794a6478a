"""Special functions on arrays: the error functions, gamma and its relatives. NumPy only.

Each is vectorised, computes in float64 (float32 input is widened, the result cast back), and is good to a few units
in the last place of float64 unless its docstring says otherwise. Bessel functions are in `bessel`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any


def _wide(fn: Callable[..., Array]) -> Callable[..., Array]:
    """Compute in float64, answer in the argument's dtype."""

    @functools.wraps(fn)
    def compute(*arrays: Array) -> Array:
        d = arrays[0].dtype
        result = fn(*(np.asarray(a, np.float64) for a in arrays))
        return result.astype(d) if d != np.float64 else result

    return compute


def _ratio(x: Array, top: tuple[float, ...], bottom: tuple[float, ...]) -> Array:
    return _polynomial(x, top) / _polynomial(x, bottom)


def _polynomial(x: Array, coefficients: tuple[float, ...]) -> Array:
    """By Horner's scheme, highest coefficient first."""
    result = np.full_like(x, coefficients[0])
    for c in coefficients[1:]:
        result *= x
        result += c
    return result


# -- error functions -------------------------------------------------------------------------------------------

# W. J. Cody, Rational Chebyshev approximations for the error function, Math. Comp. 23 (1969): erf(x)/x for |x| <= 0.46875,
# exp(x^2) erfc(x) up to 4, and the tail in 1/x^2.
_ERF_TOP = (
    1.85777706184603153e-1, 3.16112374387056560e0, 1.13864154151050156e2, 3.77485237685302021e2, 3.20937758913846947e3,
)  # fmt: skip
_ERF_BOTTOM = (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3)
_MIDDLE_TOP = (
    2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0, 6.61191906371416295e1, 2.98635138197400131e2,
    8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3,
)  # fmt: skip
_MIDDLE_BOTTOM = (
    1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3, 3.29079923573345963e3,
    4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3,
)  # fmt: skip
_TAIL_TOP = (
    1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1, 1.60837851487422766e-2,
    6.58749161529837803e-4,
)  # fmt: skip
_TAIL_BOTTOM = (
    1.0, 2.56852019228982242e0, 1.87295284992346725e0, 5.27905102951428412e-1, 6.05183413124413191e-2,
    2.33520497626869185e-3,
)  # fmt: skip
_BY_ROOT_PI = 1 / math.sqrt(math.pi)
_SMALL = 0.46875


def _erf_small(x: Array) -> Array:
    return x * _ratio(x * x, _ERF_TOP, _ERF_BOTTOM)


def _scaled_middle(y: Array) -> Array:
    return _ratio(y, _MIDDLE_TOP, _MIDDLE_BOTTOM)


def _scaled_tail(y: Array) -> Array:
    z = 1 / (y * y)
    return (_BY_ROOT_PI - z * _ratio(z, _TAIL_TOP, _TAIL_BOTTOM)) / y


def _scaled_erfc(y: Array) -> Array:
    """`exp(y**2) * erfc(y)` for y > 0.46875."""
    result = np.empty_like(y)
    far = y > 4
    result[far] = _scaled_tail(y[far])
    near = ~far
    result[near] = _scaled_middle(y[near])
    return result


def _exp_minus_square(y: Array) -> Array:
    """`exp(-y**2)` with the square split so that its rounding does not matter."""
    high = np.trunc(y * 16) / 16
    return np.exp(-high * high) * np.exp(-(y - high) * (y + high))


@_wide
def erf(x: Array) -> Array:
    """The error function, 2/sqrt(pi) times the integral of exp(-t**2) from 0 to x."""
    y = np.abs(x)
    small = y <= _SMALL
    if small.all():
        return _erf_small(x)
    result = np.empty_like(x)
    result[small] = _erf_small(x[small])
    large = ~small
    z = np.minimum(y[large], 6)  # erf(6) rounds to 1; NaN stays
    result[large] = np.copysign(1 - _exp_minus_square(z) * _scaled_erfc(z), x[large])
    return result


@_wide
def erfc(x: Array) -> Array:
    """`1 - erf(x)`, accurate where that is small."""
    y = np.abs(x)
    small = y <= _SMALL
    result = np.empty_like(x)
    result[small] = 1 - _erf_small(x[small])
    large = ~small
    z = np.minimum(y[large], 30)
    tail = _exp_minus_square(z) * _scaled_erfc(z)
    result[large] = np.where(x[large] < 0, 2 - tail, tail)
    return result
