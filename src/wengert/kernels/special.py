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


_FEW = 256  # up to so many elements, C's functions one by one are quicker than NumPy's many passes


def _each(fn: Callable[[float], float], x: Array) -> Array:
    return np.array([fn(v) for v in x.ravel().tolist()], np.float64).reshape(x.shape)


def softplus(x: Array) -> Array:
    """`log(1 + exp(x))` without overflow, in the dtype of `x`.

    `np.log1p` is no vector code; log(1 + u) = log(w) + (u - (w - 1)) / w with w = 1 + u as rounded is as exact and faster.
    """
    u = np.exp(-np.abs(x))
    if x.size < 1024:  # fewer passes count for more
        return np.log1p(u) + np.maximum(x, 0)
    w = u + 1
    result = np.log(w)
    u -= w - 1
    u /= w
    result += u
    result += np.maximum(x, 0)
    return result


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


# For float32, as the compiled loop has them: (erf(x) - x) / x near 0, by x^2; beyond 0.9 -log(1 - erf(x)) / x, by x.
_NEAR = (
    -0.0006090495153330266, 0.005011992994695902, -0.02677893452346325, 0.11282141506671906, -0.3761252462863922,
    0.12837915122509003,
)  # fmt: skip
_BEYOND = (
    1.0433114766783547e-05, -0.0003148581017740071, 0.0036103420425206423, -0.023694565519690514, 0.10615904629230499,
    0.6351980566978455, 1.1286370754241943,
)  # fmt: skip
_BLOCK = 1 << 15  # elements: the passes stay in the cache


def erf(x: Array) -> Array:
    """The error function, 2/sqrt(pi) times the integral of exp(-t**2) from 0 to x. Of float32 to 2 units in the last place."""
    if x.dtype != np.float32 or x.size <= _FEW:
        return _erf(x)
    flat = np.ascontiguousarray(x).reshape(-1)
    result = np.empty_like(flat)
    for at in range(0, flat.size, _BLOCK):
        _erf_single(flat[at : at + _BLOCK], result[at : at + _BLOCK])
    return result.reshape(x.shape)


def _erf_single(x: Array, result: Array) -> None:
    y = np.minimum(np.abs(x), np.float32(4))  # erf(4) rounds to 1; NaN stays
    far = _polynomial(y, _BEYOND)
    far *= y
    np.negative(far, out=far)
    np.exp(far, out=far)
    np.subtract(1, far, out=far)
    near = _polynomial(y * y, _NEAR)
    near *= y
    near += y
    np.copysign(np.where(y <= np.float32(0.9), near, far), x, out=result)


@_wide
def _erf(x: Array) -> Array:
    if x.size <= _FEW:
        return _each(math.erf, x)
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
    if x.size <= _FEW:
        return _each(math.erfc, x)
    y = np.abs(x)
    small = y <= _SMALL
    result = np.empty_like(x)
    result[small] = 1 - _erf_small(x[small])
    large = ~small
    z = np.minimum(y[large], 30)
    tail = _exp_minus_square(z) * _scaled_erfc(z)
    result[large] = np.where(x[large] < 0, 2 - tail, tail)
    return result


@_wide
def erfcx(x: Array) -> Array:
    """`exp(x**2) * erfc(x)`."""
    y = np.abs(x)
    small = y <= _SMALL
    result = np.empty_like(x)
    z = x[small]
    result[small] = np.exp(z * z) * (1 - _erf_small(z))
    large = ~small
    z = y[large]
    scaled = _scaled_erfc(z)
    result[large] = np.where(x[large] < 0, 2 * np.exp(z * z) - scaled, scaled)
    return result


@_wide
def erfinv(x: Array) -> Array:
    """The inverse of `erf` on (-1, 1); infinite at the ends, NaN beyond."""
    y = np.abs(x)
    return np.copysign(_inverse(y, 1 - y), x)


def _inverse(p: Array, q: Array) -> Array:
    """y >= 0 with erf(y) = p and erfc(y) = q = 1 - p: S. Winitzki's approximation (2008), improved by Halley's steps."""
    logarithm = np.log(q * (1 + p))
    half = 2 / (math.pi * 0.147) + logarithm / 2
    y = np.sqrt(np.maximum(np.sqrt(half * half - logarithm / 0.147) - half, 0))
    for _ in range(3):
        step = np.where(p < 0.5, erf(y) - p, q - erfc(y)) * np.exp(y * y) / (2 * _BY_ROOT_PI)
        y = y - np.nan_to_num(step / (1 + y * step))
    return np.where(q > 0, y, np.where(q == 0, np.inf, np.nan))


@_wide
def ndtri(p: Array) -> Array:
    """The inverse of the normal distribution function."""
    low = 2 * np.minimum(p, 1 - p)
    y = math.sqrt(2) * _inverse(1 - low, low)
    return np.where(p < 0.5, -y, y)


# -- the gamma function's relatives ----------------------------------------------------------------------------

_BERNOULLI = (
    1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330, 854513 / 138,
    -236364091 / 2730,
)  # fmt: skip
_EULER = 0.57721566490153286061
_FAR = 10.0  # from here on the asymptotic series in 1/x suffice


@functools.cache
def _zeta_minus_one(k: int) -> float:
    """Riemann's zeta(k) - 1, by summing and Euler and Maclaurin's correction."""
    n = 20
    total = math.fsum(float(i) ** -k for i in range(2, n)) + n ** (1 - k) / (k - 1) + n**-k / 2
    factor, power = float(k), float(n) ** (-k - 1)
    for j, b in enumerate(_BERNOULLI[:5]):
        total += b / math.factorial(2 * j + 2) * factor * power
        factor *= (k + 2 * j + 1) * (k + 2 * j + 2)
        power /= n * n
    return total


@functools.cache
def _log_gamma_coefficients() -> tuple[float, ...]:
    """Of z**k, k = 28 .. 2, in log(gamma(2 + z)): Abramowitz and Stegun 6.1.33."""
    return tuple((-1) ** k * _zeta_minus_one(k) / k for k in range(28, 1, -1))


def _log_gamma_near_two(z: Array) -> Array:
    """log(gamma(2 + z)) for |z| <= 0.5, to full relative precision: it is 0 at 0."""
    return z * ((1 - _EULER) + z * _polynomial(z, _log_gamma_coefficients()))


def _shifted(x: Array) -> tuple[Array, Array]:
    """x raised to at least `_FAR` in whole steps, and the product of the numbers passed."""
    x = x.copy()
    product = np.ones_like(x)
    while True:
        low = x < _FAR
        if not low.any():
            return x, product
        product[low] *= x[low]
        x[low] += 1


def _log_gamma_far(x: Array) -> Array:
    x, product = _shifted(x)
    series = np.zeros_like(x)
    inverse = 1 / (x * x)
    for j in reversed(range(8)):
        series = series * inverse + _BERNOULLI[j] / ((2 * j + 2) * (2 * j + 1))
    result = (x - 0.5) * np.log(x) - x + 0.5 * math.log(2 * math.pi) + series / x - np.log(product)
    return np.where(np.isinf(x), np.inf, result)


def _sin_pi(x: Array) -> Array:
    """`sin(pi * x)` up to sign, exact at integers."""
    return np.sin(np.pi * (x - np.rint(x)))


def _log_gamma(x: float) -> float:
    try:
        return math.lgamma(x)
    except (ValueError, OverflowError):  # at a pole, and beyond the largest number
        return math.inf


@_wide
def lgamma(x: Array) -> Array:
    """`log(|gamma(x)|)`."""
    if x.size <= _FEW:
        return _each(_log_gamma, x)
    result = np.full_like(x, np.nan)
    reflected = x < -0.5
    y = np.where(reflected, 1 - x, x)
    for where, compute in (
        (y < 0.5, lambda z: _log_gamma_near_two(z) - np.log1p(z) - np.log(np.abs(z))),
        ((y >= 0.5) & (y < 1.5), lambda z: _log_gamma_near_two(z - 1) - np.log1p(z - 1)),
        ((y >= 1.5) & (y < 2.5), lambda z: _log_gamma_near_two(z - 2)),
        (y >= 2.5, _log_gamma_far),
    ):
        if where.any():
            result[where] = compute(y[where])
    if reflected.any():
        sine = np.abs(_sin_pi(x[reflected]))
        result[reflected] = np.where(sine == 0, np.inf, math.log(math.pi) - np.log(sine) - result[reflected])
    result[np.isinf(x)] = np.inf
    return result


@_wide
def digamma(x: Array) -> Array:
    """The derivative of `log(gamma(x))`: -inf at 0 (+inf at -0), NaN at negative integers."""
    negative = x < 0
    y = np.where(negative, 1 - x, x)
    total = np.zeros_like(y)
    while True:
        low = (y < _FAR) & (y > 0)
        if not low.any():
            break
        total[low] -= 1 / y[low]
        y[low] += 1
    series = np.zeros_like(y)
    inverse = 1 / (y * y)
    for j in reversed(range(8)):
        series = (series + _BERNOULLI[j] / (2 * j + 2)) * inverse
    result = np.log(y) - 0.5 / y - series + total
    if negative.any():
        turn = x - np.rint(x)
        result = np.where(negative, np.where(turn == 0, np.nan, result - np.pi / np.tan(np.pi * turn)), result)
    return np.where(x == 0, np.copysign(np.inf, -x), np.where(x == np.inf, np.inf, result))


def zeta(x: Array, q: Array) -> Array:
    """Hurwitz's zeta function, the sum of (q + k)**-x over k = 0, 1, 2 ..., by Euler and Maclaurin's formula.

    For q below zero and a whole x that is a sum from a fraction on, and one back from it, and what is missing of the second.
    """
    d = np.result_type(x, q)
    x, q = np.broadcast_arrays(np.asarray(x, np.float64), np.asarray(q, np.float64))
    below = q < 0
    if below.any():
        at, sign = q - np.floor(q), np.where(x % 2 == 0, 1.0, -1.0)
        up, back, beyond = (zeta(x, np.where(below, v, 1.0)) for v in (np.where(at > 0, at, 1.0), 1 - at, 1 - q))
        found = np.where(x == np.floor(x), up + sign * back - sign * beyond, np.nan)
        found = np.where(x == 1, np.inf, np.where(x < 1, np.nan, np.where((at == 0) | np.isneginf(q), np.inf, found)))
        return np.where(below, found, zeta(x, np.where(below, 1.0, q))).astype(d)
    a = np.array(q)
    total = np.zeros(a.shape)
    for step in range(10):
        low = (a < _FAR) | (step < 10)
        total = np.where(low, total + a**-x, total)
        a = np.where(low, a + 1, a)
    power = a**-x
    total += power * (a / (x - 1) + 0.5)
    factor, power = x.copy(), power / a
    for j, b in enumerate(_BERNOULLI):
        total += b / math.factorial(2 * j + 2) * factor * power
        factor = factor * (x + 2 * j + 1) * (x + 2 * j + 2)
        power = power / (a * a)
    whole = q == np.floor(q)
    total = np.where((q <= 0) & whole, np.inf, np.where((q <= 0) & (x != np.floor(x)), np.nan, total))
    return np.where(x == 1, np.inf, np.where(x < 1, np.nan, total)).astype(d)


def polygamma(n: int, x: Array) -> Array:
    """The n-th derivative of `digamma`."""
    if n == 0:
        return digamma(x)
    if n == 1:
        return trigamma(x)
    return ((-1) ** (n + 1) * math.factorial(n) * zeta(np.float64(n + 1), np.asarray(x, np.float64))).astype(x.dtype)


@_wide
def trigamma(x: Array) -> Array:
    """The derivative of `digamma`, for negative numbers by reflection."""
    negative = x < 0.5
    value = np.where(np.isposinf(x), 0.0, zeta(np.float64(2), np.where(negative, 1 - x, x)))
    sine = _sin_pi(x)
    return np.where(negative, (np.pi / sine) ** 2 - value, value)
