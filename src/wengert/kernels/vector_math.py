# mypy: ignore-errors
# (Numba gives what it decorates other types: an intrinsic is called without its typing context.)
"""Elementary functions as straight-line arithmetic, which the compiler turns into vector instructions, and loops over
arrays that use them. Only `compiled.vector` imports this module, for it needs Numba.

A scalar function here works on float32 and float64 alike and never branches: it chooses between values. Infinities and
NaN come out as from NumPy, so no mathematics that forgets them (`fastmath` beyond fused multiply-add) may be allowed
outside of sums. The errors, in units in the last place, are stated in `tests/test_vector_math.py` and tested there.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

_scalar = numba.njit(nogil=True, fastmath={"contract"}, error_model="numpy", forceinline=True)
_INLINED = {"nogil": True, "fastmath": {"contract"}, "error_model": "numpy", "forceinline": True}
_SINGLE, _DOUBLE = types.float32, types.float64


@intrinsic
def _as(typingctx: Any, x: Any, constant: Any) -> Any:
    """The number `constant` in the type of x: literals are float64 and would drag float32 along."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.cast(builder, args[1], signature.args[1], signature.return_type)

    return x(x, constant), generate


def _power(context: Any, builder: Any, type: Any, t: Any, rest: bool) -> Any:
    """2**floor(k/2), or 2**(k - floor(k/2)), for t = k + 1.5 * 2**23 (or 2**52): k is read from t's last bits."""
    integer = ir.IntType(32 if type == _SINGLE else 64)
    magic, bias, mantissa = (0x4B400000, 127, 23) if type == _SINGLE else (0x4338000000000000, 1023, 52)
    k = builder.sub(builder.bitcast(t, integer), integer(magic))
    half = builder.ashr(k, integer(1))
    part = builder.sub(k, half) if rest else half
    bits = builder.shl(builder.add(part, integer(bias)), integer(mantissa))
    return builder.bitcast(bits, context.get_value_type(type))


@intrinsic
def _half_power(typingctx: Any, t: Any) -> Any:
    return t(t), lambda context, builder, signature, args: _power(context, builder, t, args[0], False)


@intrinsic
def _rest_power(typingctx: Any, t: Any) -> Any:
    return t(t), lambda context, builder, signature, args: _power(context, builder, t, args[0], True)


# exp(r) - 1 for |r| <= ln(2)/2 by its Taylor series, whose first omitted term is below a quarter of the last place.


@_scalar
def _core_single(r):
    p = _as(r, 1 / 5040)
    p = p * r + _as(r, 1 / 720)
    p = p * r + _as(r, 1 / 120)
    p = p * r + _as(r, 1 / 24)
    p = p * r + _as(r, 1 / 6)
    p = p * r + _as(r, 1 / 2)
    return p * r * r + r


@_scalar
def _core_double(r):
    p = 1 / 6227020800.0
    p = p * r + 1 / 479001600.0
    p = p * r + 1 / 39916800.0
    p = p * r + 1 / 3628800.0
    p = p * r + 1 / 362880.0
    p = p * r + 1 / 40320.0
    p = p * r + 1 / 5040.0
    p = p * r + 1 / 720.0
    p = p * r + 1 / 120.0
    p = p * r + 1 / 24.0
    p = p * r + 1 / 6.0
    p = p * r + 0.5
    return p * r * r + r


def _reduced(x: Any) -> Any:
    raise NotImplementedError


@overload(_reduced, strict=False, jit_options=_INLINED)
def _reduced_overload(x: Any) -> Any:
    """exp(x) = (1 + q) a b with a and b powers of two; x must lie where they exist."""
    if x == _SINGLE:

        def single(x):
            t = x * _as(x, 1.4426950408889634) + _as(x, 12582912.0)
            k = t - _as(x, 12582912.0)
            # ln 2 in two parts, the first with few enough bits that its product with k is exact
            r = (x - k * _as(x, 0.693359375)) + k * _as(x, 2.1219444005469057e-4)
            return _core_single(r), _half_power(t), _rest_power(t)

        return single

    def double(x):
        t = x * 1.4426950408889634 + 6755399441055744.0
        k = t - 6755399441055744.0
        r = (x - k * 0.693147180369123816490) - k * 1.90821492927058770002e-10
        return _core_double(r), _half_power(t), _rest_power(t)

    return double


def _lowest(x: Any) -> Any:
    raise NotImplementedError


def _highest(x: Any) -> Any:
    raise NotImplementedError


@overload(_lowest, strict=False)
def _lowest_overload(x: Any) -> Any:
    """Where exp is 0."""
    return (lambda x: _as(x, -104.0)) if x == _SINGLE else (lambda x: -746.0)


@overload(_highest, strict=False)
def _highest_overload(x: Any) -> Any:
    """Where exp is infinite."""
    return (lambda x: _as(x, 89.0)) if x == _SINGLE else (lambda x: 710.0)


@_scalar
def exp(x):
    low, high = _lowest(x), _highest(x)
    x = low if x < low else x
    x = high if x > high else x
    q, a, b = _reduced(x)
    return (q + _as(x, 1.0)) * a * b


@_scalar
def sigmoid(x):
    one = _as(x, 1.0)
    return one / (one + exp(-x))


@_scalar
def tanh(x):
    one, two = _as(x, 1.0), _as(x, 2.0)
    y = abs(x)
    y = _as(x, 22.0) if y > _as(x, 22.0) else y  # tanh(22) rounds to 1
    q, a, b = _reduced(two * y)
    s = a * b
    m = (s - one) + s * q  # exp(2 y) - 1
    r = m / (m + two)
    r = -r if x < _as(x, 0.0) else r
    return x if x == _as(x, 0.0) else r


# W. J. Cody, Rational Chebyshev approximations for the error function, Math. Comp. 23 (1969). His third range, beyond 4,
# is not needed: erfc is below 2e-8 there, and the second is good to more digits than the difference from 1 shows.


@_scalar
def _erf_double(x):
    one = _as(x, 1.0)
    y = abs(x)
    y = _as(x, 6.0) if y > _as(x, 6.0) else y
    z = y * y
    p = _as(x, 1.85777706184603153e-1) * z + _as(x, 3.16112374387056560e0)
    p = p * z + _as(x, 1.13864154151050156e2)
    p = p * z + _as(x, 3.77485237685302021e2)
    p = p * z + _as(x, 3.20937758913846947e3)
    q = z + _as(x, 2.36012909523441209e1)
    q = q * z + _as(x, 2.44024637934444173e2)
    q = q * z + _as(x, 1.28261652607737228e3)
    q = q * z + _as(x, 2.84423683343917062e3)
    t = _as(x, 2.15311535474403846e-8) * y + _as(x, 5.64188496988670089e-1)
    t = t * y + _as(x, 8.88314979438837594e0)
    t = t * y + _as(x, 6.61191906371416295e1)
    t = t * y + _as(x, 2.98635138197400131e2)
    t = t * y + _as(x, 8.81952221241769090e2)
    t = t * y + _as(x, 1.71204761263407058e3)
    t = t * y + _as(x, 2.05107837782607147e3)
    t = t * y + _as(x, 1.23033935479799725e3)
    u = y + _as(x, 1.57449261107098347e1)
    u = u * y + _as(x, 1.17693950891312499e2)
    u = u * y + _as(x, 5.37181101862009858e2)
    u = u * y + _as(x, 1.62138957456669019e3)
    u = u * y + _as(x, 3.29079923573345963e3)
    u = u * y + _as(x, 4.36261909014324716e3)
    u = u * y + _as(x, 3.43936767414372164e3)
    u = u * y + _as(x, 1.23033935480374942e3)
    far = one - exp(-z) * (t / u)
    far = -far if x < _as(x, 0.0) else far
    near = x * (p / q)  # before the choice, which is then no branch
    return near if y <= _as(x, 0.46875) else far


@_scalar
def _erf_single(x):
    """Near 0 an odd polynomial; beyond 0.9 one minus the exponential of a polynomial fitted to log(1 - erf)."""
    one = _as(x, 1.0)
    y = abs(x)
    y = _as(x, 4.0) if y > _as(x, 4.0) else y
    s = x * x
    p = _as(x, -0.0006090495153330266) * s + _as(x, 0.005011992994695902)
    p = p * s + _as(x, -0.02677893452346325)
    p = p * s + _as(x, 0.11282141506671906)
    p = p * s + _as(x, -0.3761252462863922)
    p = p * s + _as(x, 0.12837915122509003)
    near = p * x + x
    q = _as(x, 1.0433114766783547e-05) * y + _as(x, -0.0003148581017740071)
    q = q * y + _as(x, 0.0036103420425206423)
    q = q * y + _as(x, -0.023694565519690514)
    q = q * y + _as(x, 0.10615904629230499)
    q = q * y + _as(x, 0.6351980566978455)
    q = q * y + _as(x, 1.1286370754241943)
    far = one - exp(-(q * y))
    far = -far if x < _as(x, 0.0) else far
    return near if y <= _as(x, 0.9) else far


def erf(x: Any) -> Any:
    raise NotImplementedError


@overload(erf, strict=False, jit_options=_INLINED)
def _erf_overload(x: Any) -> Any:
    return (lambda x: _erf_single(x)) if x == _SINGLE else (lambda x: _erf_double(x))


@_scalar
def _normal_single(x):
    """One exponential for both: below 0 the distribution function is exp(-x^2/2) times a polynomial in 1 / (1 + 0.22 |x|),
    fitted to it for the least relative error, 2e-8, down to -9.
    """
    one, zero = _as(x, 1.0), _as(x, 0.0)
    y = abs(x)
    e = exp(_as(x, -0.5) * x * x)
    e = zero if y > _as(x, 14.0) else e
    t = one / (one + _as(x, 0.22) * y)
    r = _as(x, -0.11478041112422943) * t + _as(x, 0.5219400525093079)
    r = r * t + _as(x, -0.7253113389015198)
    r = r * t + _as(x, 0.7770701050758362)
    r = r * t + _as(x, -0.3438660204410553)
    r = r * t + _as(x, 0.24244841933250427)
    r = r * t + _as(x, 0.04986676946282387)
    r = r * t + _as(x, 0.09294109791517258)
    r = r * t + _as(x, -0.0003086149808950722)
    below = e * r
    return (below if x < zero else one - below), e


@_scalar
def _normal_double(x):
    return 0.5 * (1.0 + _erf_double(x * 0.7071067811865476)), exp(-0.5 * x * x)


def normal(x: Any) -> Any:
    raise NotImplementedError


@overload(normal, strict=False, jit_options=_INLINED)
def _normal_overload(x: Any) -> Any:
    """The normal distribution function, and exp(-x^2/2)."""
    return (lambda x: _normal_single(x)) if x == _SINGLE else (lambda x: _normal_double(x))


@intrinsic
def _split(typingctx: Any, x: Any) -> Any:
    """(m, e) with x = m 2**e and m from sqrt(1/2) to sqrt(2), for a normal positive x; e in the type of x."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        single = x == _SINGLE
        integer = ir.IntType(32 if single else 64)
        mantissa = 23 if single else 52
        low = 0x3F3504F3 if single else 0x3FE6A09E667F3BCD  # sqrt(1/2)
        kind = context.get_value_type(x)
        bits = builder.sub(builder.bitcast(args[0], integer), integer(low))
        e = builder.ashr(bits, integer(mantissa))
        rest = builder.and_(bits, integer((1 << mantissa) - 1))
        m = builder.bitcast(builder.add(rest, integer(low)), kind)
        # as a number: the integer put into the last bits of 1.5 * 2**23 (or 2**52), which is then taken off
        magic = 0x4B400000 if single else 0x4338000000000000
        shifted = builder.bitcast(builder.add(e, integer(magic)), kind)
        number = builder.fsub(shifted, ir.Constant(kind, 12582912.0 if single else 6755399441055744.0))
        return context.make_tuple(builder, signature.return_type, (m, number))

    return types.UniTuple(x, 2)(x), generate


# log((1 + s) / (1 - s)) = 2 s (1 + s^2 / 3 + s^4 / 5 + ...) with s = (m - 1) / (m + 1), at most 0.172


@_scalar
def _log_tail_single(z):
    p = _as(z, 1 / 9) * z + _as(z, 1 / 7)
    p = p * z + _as(z, 1 / 5)
    return p * z + _as(z, 1 / 3)


@_scalar
def _log_tail_double(z):
    p = 1 / 21 * z + 1 / 19
    p = p * z + 1 / 17
    p = p * z + 1 / 15
    p = p * z + 1 / 13
    p = p * z + 1 / 11
    p = p * z + 1 / 9
    p = p * z + 1 / 7
    p = p * z + 1 / 5
    return p * z + 1 / 3


def _log_parts(x: Any) -> Any:
    raise NotImplementedError


@overload(_log_parts, strict=False, jit_options=_INLINED)
def _log_parts_overload(x: Any) -> Any:
    """The smallest normal number, a power of two that makes denormals normal and its exponent, ln 2 in two parts."""
    if x == _SINGLE:
        return lambda x: (
            _as(x, 1.1754943508222875e-38),
            _as(x, 16777216.0),
            _as(x, 24.0),
            _as(x, 0.693359375),
            _as(x, -2.1219444005469057e-4),
        )
    return lambda x: (
        2.2250738585072014e-308,
        18014398509481984.0,
        54.0,
        0.693147180369123816490,
        1.90821492927058770002e-10,
    )


def _log_tail(z: Any) -> Any:
    raise NotImplementedError


@overload(_log_tail, strict=False, jit_options=_INLINED)
def _log_tail_overload(z: Any) -> Any:
    return (lambda z: _log_tail_single(z)) if z == _SINGLE else (lambda z: _log_tail_double(z))


@_scalar
def log(x):
    zero, one = _as(x, 0.0), _as(x, 1.0)
    smallest, lift, by, high, low = _log_parts(x)
    tiny = x < smallest
    y = x * lift if tiny else x
    m, e = _split(y)
    e = e - by if tiny else e
    f = m - one
    s = f / (f + _as(x, 2.0))
    z = s * s
    half = _as(x, 0.5) * f * f
    # f - f^2/2 + s (f^2/2 + 2 z tail): the large part of it exact
    r = s * (half + _as(x, 2.0) * z * _log_tail(z))
    found = e * high - ((half - (r + e * low)) - f)
    found = x if x * _as(x, 0.5) == x else found  # infinity
    found = found if x > zero else (zero / zero if x != zero else -one / zero)
    return found


# -- sine and cosine, of float64 alone: NumPy's are fast for float32 -------------------------------------------------


@intrinsic
def _bits(typingctx: Any, t: Any) -> Any:
    """The bits of a float64 as an integer."""
    return types.int64(t), lambda context, builder, signature, args: builder.bitcast(args[0], ir.IntType(64))


# Half of pi in pieces of 33 bits, whose products with integers below 2**20 are exact, and what is left (Cody and Waite).
_HALF_PI = (1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21, 8.4784276603689e-32)
_FAR = 1.6e6  # beyond this the C library computes


@_scalar
def _turn(x):
    """x less the nearest multiple of pi/2, as a number and what it lacks; and the multiple, in the last bits of an integer."""
    counted = x * 0.6366197723675814 + 6755399441055744.0  # 1.5 * 2**52: what is added to this is rounded
    k = counted - 6755399441055744.0
    a = x - k * _HALF_PI[0]
    w = k * _HALF_PI[1]
    b = a - w
    lost = (a - b) - w
    w = k * _HALF_PI[2]
    c = b - w
    lost += (b - c) - w - k * _HALF_PI[3]
    r = c + lost
    return r, (c - r) + lost, _bits(counted)


# The Taylor series, for |r| <= pi/4: the first omitted terms are below a hundredth of the last place.


@_scalar
def _sine(r, rest):
    z = r * r
    p = z * (-7.647163731819816e-13 + z * 2.8114572543455206e-15)
    p = z * (-2.505210838544172e-08 + z * (1.6059043836821613e-10 + p))
    p = z * (-1.984126984126984e-04 + z * (2.7557319223985893e-06 + p))
    p = z * (-1.6666666666666666e-01 + z * (8.3333333333333333e-03 + p))
    return r + (r * p + rest * (1.0 - 0.5 * z))


@_scalar
def _cosine(r, rest):
    z = r * r
    p = z * (-1.1470745597729725e-11 + z * 4.779477332387385e-14)
    p = z * (-2.7557319223985888e-07 + z * (2.08767569878681e-09 + p))
    p = z * z * (4.1666666666666664e-02 + z * (-1.3888888888888889e-03 + z * (2.48015873015873e-05 + p)))
    half = 0.5 * z
    one = 1.0 - half
    return one + (((1.0 - one) - half) + (p - r * rest))


@_scalar
def sin(x):
    r, rest, k = _turn(x)
    across, up = _cosine(r, rest), _sine(r, rest)
    found = across if k & 1 else up
    found = -found if k & 2 else found
    return x if abs(x) < 1e-9 else found


@_scalar
def cos(x):
    r, rest, k = _turn(x)
    across, up = _cosine(r, rest), _sine(r, rest)
    found = up if k & 1 else across
    return -found if (k + 1) & 2 else found


@_scalar
def _are_near(x):
    """Are all numbers small enough for `_turn`?"""
    far = 0
    for i in range(x.size):
        far += 0 if abs(x[i]) <= _FAR else 1
    return far == 0


# -- loops over arrays: the result first -----------------------------------------------------------------------

_loop = numba.njit(nogil=True, fastmath={"contract"}, error_model="numpy", cache=True)
# Sums may be taken in any order; the functions called keep their own.
_summing = numba.njit(nogil=True, fastmath={"contract", "reassoc"}, error_model="numpy", cache=True)


@_loop
def exp_loop(out, x):
    for i in range(out.size):
        out[i] = exp(x[i])


@_loop
def sigmoid_loop(out, x):
    for i in range(out.size):
        out[i] = sigmoid(x[i])


@_loop
def tanh_loop(out, x):
    for i in range(out.size):
        out[i] = tanh(x[i])


@_loop
def erf_loop(out, x):
    for i in range(out.size):
        out[i] = erf(x[i])


@_loop
def log_loop(out, x):
    for i in range(out.size):
        out[i] = log(x[i])


@_loop
def sin_loop(out, x):
    if _are_near(x):
        for i in range(out.size):
            out[i] = sin(x[i])
    else:
        for i in range(out.size):
            out[i] = np.sin(x[i])


@_loop
def cos_loop(out, x):
    if _are_near(x):
        for i in range(out.size):
            out[i] = cos(x[i])
    else:
        for i in range(out.size):
            out[i] = np.cos(x[i])


@_loop
def sin_back_loop(out, g, x):
    if _are_near(x):
        for i in range(out.size):
            out[i] = g[i] * cos(x[i])
    else:
        for i in range(out.size):
            out[i] = g[i] * np.cos(x[i])


@_loop
def cos_back_loop(out, g, x):
    if _are_near(x):
        for i in range(out.size):
            out[i] = g[i] * -sin(x[i])
    else:
        for i in range(out.size):
            out[i] = g[i] * -np.sin(x[i])


@_loop
def relu_loop(out, x):
    for i in range(out.size):
        out[i] = _as(x[i], 0.0) if x[i] <= _as(x[i], 0.0) else x[i]


@_loop
def relu_back_loop(out, g, y):
    for i in range(out.size):
        out[i] = _as(y[i], 0.0) if y[i] <= _as(y[i], 0.0) else g[i]


@_loop
def tanh_back_loop(out, g, y):
    for i in range(out.size):
        out[i] = g[i] * (_as(y[i], 1.0) - y[i] * y[i])


@_loop
def sigmoid_back_loop(out, g, y):
    for i in range(out.size):
        out[i] = g[i] * ((_as(y[i], 1.0) - y[i]) * y[i])


@_loop
def erf_back_loop(out, g, x):
    for i in range(out.size):
        out[i] = g[i] * (_as(x[i], 1.1283791670955126) * exp(-(x[i] * x[i])))


@_loop
def sqrt_back_loop(out, g, y):
    for i in range(out.size):
        out[i] = g[i] / (y[i] + y[i])


@_loop
def over_loop(out, g, x):
    for i in range(out.size):
        out[i] = g[i] / x[i]


@_loop
def divisor_back_loop(out, g, x, y):
    for i in range(out.size):
        out[i] = g[i] * (-x[i] / y[i] / y[i])


def _log_of_one_and(u: Any) -> Any:
    raise NotImplementedError


@overload(_log_of_one_and, strict=False, jit_options=_INLINED)
def _log_of_one_and_overload(u: Any) -> Any:
    """log(1 + u) for u from 0 to 1, as 2 artanh(s) with s = u / (2 + u)."""
    if u == _SINGLE:

        def single(u):
            s = u / (u + _as(u, 2.0))  # at most 1/3: the series' first omitted term is a quarter of the last place
            z = s * s
            p = z * _as(u, 1 / 13) + _as(u, 1 / 11)
            p = p * z + _as(u, 1 / 9)
            p = p * z + _as(u, 1 / 7)
            p = p * z + _as(u, 1 / 5)
            p = p * z + _as(u, 1 / 3)
            s = s + s
            return s * z * p + s

        return single

    def double(u):
        above = u > 0.41421356  # log(1 + u) is log(2 (1 + f)) for the larger u; f is exact
        f = (u - 1.0) * 0.5 if above else u
        _, _, _, high, low = _log_parts(u)
        e = 1.0 if above else 0.0
        s = f / (f + 2.0)
        z = s * s
        half = 0.5 * f * f
        r = s * (half + 2.0 * z * _log_tail(z))
        return e * high - ((half - (r + e * low)) - f)

    return double


@_scalar
def softplus(x):
    zero = _as(x, 0.0)
    return _log_of_one_and(exp(-abs(x))) + (x if not x <= zero else zero)


@_loop
def softplus_loop(out, x):
    for i in range(out.size):
        out[i] = x[i] if x[i] > _as(x[i], 20.0) else softplus(x[i])


@_loop
def softplus_slope_loop(out, x):
    for i in range(out.size):
        s = sigmoid(x[i])
        out[i] = _as(x[i], 1.0) if x[i] > _as(x[i], 20.0) else s


@_loop
def softplus_back_loop(out, g, x):
    for i in range(out.size):
        s = sigmoid(x[i])
        out[i] = g[i] if x[i] > _as(x[i], 20.0) else g[i] * s


@_loop
def logsigmoid_loop(out, x):
    for i in range(out.size):
        out[i] = -softplus(-x[i])


@_loop
def logsigmoid_back_loop(out, g, x):
    for i in range(out.size):
        out[i] = g[i] * sigmoid(-x[i])


@_loop
def silu_loop(out, x):
    for i in range(out.size):
        out[i] = x[i] * sigmoid(x[i])


@_loop
def silu_back_loop(out, g, x):
    for i in range(out.size):
        one = _as(x[i], 1.0)
        s = sigmoid(x[i])
        out[i] = g[i] * (s * (one + x[i] * (one - s)))


@_loop
def gelu_loop(out, x):
    for i in range(out.size):
        below, _ = normal(x[i])
        out[i] = x[i] * below


@_loop
def gelu_back_loop(out, g, x):
    for i in range(out.size):
        below, e = normal(x[i])
        out[i] = g[i] * (below + x[i] * e * _as(x[i], 0.3989422804014327))


@_summing
def softmax_loop(out, x, top):
    for i in range(x.shape[0]):
        m = top[i]
        total = _as(m, 0.0)
        for j in range(x.shape[1]):
            e = exp(x[i, j] - m)
            out[i, j] = e
            total += e
        total = _as(m, 1.0) / total
        for j in range(x.shape[1]):
            out[i, j] *= total


@_summing
def log_softmax_loop(out, x, top):
    for i in range(x.shape[0]):
        m = top[i]
        total = _as(m, 0.0)
        for j in range(x.shape[1]):
            total += exp(x[i, j] - m)
        total = np.log(total)
        for j in range(x.shape[1]):
            out[i, j] = (x[i, j] - m) - total


@_summing
def log_softmax_back_loop(out, g, y):
    for i in range(y.shape[0]):
        total = _as(y[i, 0], 0.0)
        for j in range(y.shape[1]):
            total += g[i, j]
        for j in range(y.shape[1]):
            out[i, j] = g[i, j] - exp(y[i, j]) * total


@_summing
def softmax_back_loop(out, g, y):
    for i in range(y.shape[0]):
        total = _as(y[i, 0], 0.0)
        for j in range(y.shape[1]):
            total += g[i, j] * y[i, j]
        for j in range(y.shape[1]):
            out[i, j] = (g[i, j] - total) * y[i, j]
