"""How draws move with the parameters of their distribution: the implicit derivative -(dF/da)/f of a draw with
distribution function F and density f.

For the gamma distribution's shape and for the Dirichlet distribution. Each is approximated, as in PyTorch and to about
four digits, by a series near the ends, by a saddle point expansion for large parameters, and by a fitted rational function
between. What may not live here: drawing.

Sources: M. Figurnov, S. Mohamed, A. Mnih, NeurIPS (2018); M. Jankowiak and F. Obermeyer, ICML (2018), whose pathwise
derivatives these approximations and their coefficients are; S. O. Rice, SIAM J. Sci. Stat. Comput. 1 (1980).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .special import digamma

Array = Any


def _by_case(cases: list[tuple[Array, Callable[..., Array]]], *args: Array) -> Array:
    """For each element the first case that holds. Computed in float64."""
    dtype = args[0].dtype
    values = [np.asarray(a, np.float64) for a in np.broadcast_arrays(*args)]
    out = np.zeros(values[0].shape)
    left = np.ones(out.shape, bool)
    with np.errstate(all="ignore"):
        for condition, compute in cases:
            here = left & condition
            if here.any():
                out[here] = compute(*(v[here] for v in values))
            left &= ~here
    return out.astype(dtype)


# -- gamma -------------------------------------------------------------------------------------------------------------


def standard_gamma(alpha: Array, x: Array) -> Array:
    """dx/dalpha for draws `x` of the gamma distribution with shape `alpha` and scale 1."""
    a, y = np.broadcast_arrays(alpha, x)
    near = (0.9 * a <= y) & (y <= 1.1 * a)
    cases = [
        (y < 0.8, _gamma_small),
        ((a > 8) & near, _gamma_centre),
        (a > 8, _gamma_large),
        (np.ones(a.shape, bool), _gamma_fitted),
    ]
    return _by_case(cases, alpha, x)


def _gamma_small(a: Array, x: Array) -> Array:
    term, shifted = np.ones_like(x), a
    series, derivative = 1 / a, 1 / (a * a)
    for i in range(1, 6):
        term = term * -x / i
        shifted = shifted + 1
        series = series + term / shifted
        derivative = derivative + term / (shifted * shifted)
    # F = x^a series; dF/da = (log x - psi(a)) F - x^a derivative; f = x^(a - 1) exp(-x). Divided by x^(a - 1):
    found = -x * ((np.log(x) - digamma(a)) * series - derivative) / np.exp(-x)
    return np.where(np.isnan(found), 0, found)


def _gamma_centre(a: Array, x: Array) -> Array:
    first = 1 + 24 * a * (1 + 12 * a)
    second = 1440 * a * a + 6 * x * (53 - 120 * x) - 65 * x * x / a + a * (107 + 3600 * x)
    return first * second / (1244160 * a**4)


def _gamma_large(a: Array, x: Array) -> Array:
    away = a - x
    ratio = np.log(x / a)
    root = np.sqrt(8 * a)
    side = (x - a - a * ratio) ** -1.5
    terms = ratio * (root / away + np.where(x < a, -side, side)) - np.sqrt(2 / a) * (a + x) / away**2
    stirling = 1 + 1 / (12 * a) * (1 + 1 / (24 * a))
    return -stirling * x * terms / root


_GAMMA = np.array(
    [
        [0.16009398, -0.094634809, 0.025146376, -0.0030648343, 1, 0.32668115, 0.10406089, 0.0014179084],
        [0.53487893, 0.1298071, 0.065735949, -0.0015649758, 0.16639465, 0.020070113, -0.0035938915, -0.00058392623],
        [0.040121004, -0.0065914022, -0.0026286047, -0.0013441777, 0.017050642, -0.0021309326, 0.00085092367, -1.5247877e-07],
    ]
)  # fmt: skip


def _gamma_fitted(a: Array, x: Array) -> Array:
    u, v = np.log(x / a), np.log(a)
    c = [k[0] + u * (k[1] + u * k[2]) for k in _GAMMA.T]
    return np.exp(_cubic(c[:4], v) / _cubic(c[4:], v))


def _cubic(c: Any, v: Array) -> Array:
    return c[0] + v * (c[1] + v * (c[2] + v * c[3]))


# -- Dirichlet ---------------------------------------------------------------------------------------------------------


def dirichlet(x: Array, alpha: Array, total: Array) -> Array:
    """dx/dalpha / (1 - x) for draws `x` of the beta distribution with parameters `alpha` and `total - alpha`.

    Of a Dirichlet draw each coordinate is such a one; moving its parameter scales the others by (1 - x) alike.
    """
    y, a, t = np.broadcast_arrays(x, alpha, total)
    boundary = t * y * (1 - y)
    cases: list[tuple[Array, Callable[..., Array]]] = [
        ((y <= 0.5) & (boundary < 2.5), lambda x, a, t: _beta_near_zero(x, a, t - a)),
        ((y >= 0.5) & (boundary < 0.75), lambda x, a, t: -_beta_other_near_zero(1 - x, t - a, a)),
        ((a > 6) & (t - a > 6), lambda x, a, t: _beta_large(x, a, t - a)),
        (np.ones(y.shape, bool), _beta_fitted),
    ]
    return _by_case(cases, x, alpha, total)


def _beta_near_zero(x: Array, a: Array, b: Array) -> Array:
    """For small x, with respect to the first parameter: the distribution function as a series."""
    factor = digamma(a) - digamma(a + b) - np.log(x)
    term = np.ones_like(x)
    series = 1 / a * (factor + 1 / a)
    for i in range(1, 11):
        term = term * (i - b) * x / i
        series = series + term / (a + i) * (factor + 1 / (a + i))
    found = x * (1 - x) ** -b * series
    return np.where(np.isnan(found), 0, found)


def _beta_other_near_zero(x: Array, a: Array, b: Array) -> Array:
    """For small x, with respect to the second parameter."""
    factor = digamma(a + b) - digamma(b)
    term, product, slope = np.ones_like(x), np.ones_like(x), np.zeros_like(x)
    series = factor / a
    for i in range(1, 9):
        term = term * -x / i
        slope = slope * (b - i) + product
        product = product * (b - i)
        series = series + term / (a + i) * (slope + factor * product)
    found = -((1 - x) ** (1 - b)) * series
    return np.where(np.isnan(found), 0, found)


def _beta_large(x: Array, a: Array, b: Array) -> Array:
    total = a + b
    mean, spread = a / total, np.sqrt(a * b / (total + 1)) / total
    centre = (mean - 0.1 * spread <= x) & (x <= mean + 0.1 * spread)
    return np.where(centre, _beta_centre(x, a, b, total), _beta_saddle(x, a, b, total))


def _beta_centre(x: Array, a: Array, b: Array, total: Array) -> Array:
    """At the mean, where the saddle point expansion is 0/0."""
    inner = (453 + 1620 * b * (1 - x) - 455 * x) * b + a * (8 * (1 - x) * (135 * b - 11))
    inner = 3 * (59 + 180 * b - 90 * x) * b**2 + a * inner
    polynomial = 47 * x * b**4 + a * ((43 + 20 * (16 + 27 * b) * x) * b**3 + a * inner)
    scale = (1 + 12 * a) * (1 + 12 * b) / (total * total) / (12960 * a**3 * b**2 * (1 + 12 * total))
    return scale / (1 - x) * polynomial


def _stirling(z: Array) -> Array:
    return 1 + 1 / (12 * z) + 1 / (288 * z * z)


def _beta_saddle(x: Array, a: Array, b: Array, total: Array) -> Array:
    away = a * (x - 1) + b * x
    first = (2 * a * a * (x - 1) + a * b * (x - 1) - x * b * b) / (np.sqrt(2 * a / b) * total**1.5 * away * away)
    rate = a * np.log(a / (total * x))
    depth = (b * np.log(b / (total * (1 - x))) + rate) ** -1.5
    side = np.sqrt(8 * a * b / total) / away + np.where(x < a / total, depth, -depth)
    scale = -x / np.sqrt(2 * a * b / total) * _stirling(a) * _stirling(b) / _stirling(total)
    return scale * (first + 0.5 * rate / a * side)


_BETA = np.array(
    [
        [
            [
                [1.003668233, -0.01061107488, -0.0657888334, 0.01201642863],
                [0.6336835991, -0.3557432599, 0.05486251648, -0.001465281033],
                [-0.03276231906, 0.004474107445, 0.002429354597, -0.0001557569013],
            ],
            [
                [0.221950385, -0.3187676331, 0.01799915743, 0.01074823814],
                [-0.2951249643, 0.06219954479, 0.01535556598, 0.001550077057],
                [0.02155310298, 0.004170831599, 0.001292462449, 6.976601077e-05],
            ],
            [
                [-0.05980841433, 0.008441916499, 0.01085618172, 0.002319392565],
                [0.02911413504, 0.01400243777, -0.002721828457, 0.000751041181],
                [0.005900514878, -0.001936558688, -9.495446725e-06, 5.385558597e-05],
            ],
        ],
        [
            [
                [1, -0.02924021934, -0.04438342661, 0.007285809825],
                [0.6357567472, -0.3473456711, 0.05454656494, -0.002407477521],
                [-0.03301322327, 0.004845219414, 0.00231480583, -0.0002307248149],
            ],
            [
                [0.5925320577, -0.1757678135, 0.01505928619, 0.000564515273],
                [0.1014815858, -0.06589186703, 0.01272886114, -0.0007316646956],
                [-0.007258481865, 0.001096195486, 0.0003934994223, -4.12701925e-05],
            ],
            [
                [0.06469649321, -0.0236701437, 0.002902096474, -5.896963079e-05],
                [0.001925008108, -0.002869809258, 0.0008000589141, -6.063713228e-05],
                [-0.0003477407336, 6.959756487e-05, 1.097287507e-05, -1.650964693e-06],
            ],
        ],
    ]
)


def _beta_fitted(x: Array, a: Array, total: Array) -> Array:
    """A simple approximation, corrected by a fitted rational function of log(x), log(a/x) and log(total x / a)."""
    u = np.log(x)
    v = np.log(a) - u
    w = np.log(total) - v
    top, bottom = (sum(u**i * v**j * _cubic(side[i, j], w) for i in range(3) for j in range(3)) for side in _BETA)
    return top / bottom * x * (digamma(total) - digamma(a)) / (total - a)
