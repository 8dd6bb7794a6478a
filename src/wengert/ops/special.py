"""Special functions: error functions, gamma and its relatives, Bessel functions, entropy-like ones, polynomials.

Those of torch's own namespace have their plain name; those of torch.special alone are named `special.<name>`, and
`SPECIAL` lists what that namespace consists of.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.inplace import inplace
from ..core.op import Array, composite, elementwise, general, missing
from ..kernels import bessel, incomplete, polynomials
from ..kernels import special as kernel
from . import pointwise
from .arithmetic import NUMBERS, mul, need_tensors
from .choosing import where
from .pointwise import cos, exp, expm1, log, log1p, sigmoid, sign, sin

__all__ = [
    "digamma", "erf", "erfc", "erfinv", "frexp", "gcd", "i0", "igamma", "igammac", "lcm", "lgamma", "logit", "mvlgamma",
    "polygamma", "sinc", "xlogy",
]  # fmt: skip

_BY_ROOT_PI = 1 / math.sqrt(math.pi)


def _real(kernel: str) -> Any:
    """A check: no complex numbers. PyTorch's message names its kernel."""

    def check(*arguments: Any) -> None:
        for x in arguments:
            if isinstance(x, complex) or (getattr(x, "dtype", None) is not None and x.dtype.kind == "c"):
                word = dtypes.result_type(arguments).tensor_type
                raise NotImplementedError(f"\"{kernel}\" not implemented for '{word}'")

    return check


# -- error functions -------------------------------------------------------------------------------------------


@elementwise(
    "erf",
    check=_real("erf_vml_cpu"),
    promote="float",
    inplace=True,
    input=lambda input: 2 * _BY_ROOT_PI * exp(-(input * input)),
    tex=r"\operatorname{{erf}} {input}",
)
def erf(input: Array) -> Any:
    """The error function, `2 / sqrt(pi)` times the integral of `exp(-t**2)` from 0."""
    return kernel.erf(input)


@elementwise(
    "erfc",
    check=_real("erfc_vml_cpu"),
    promote="float",
    inplace=True,
    input=lambda input: -2 * _BY_ROOT_PI * exp(-(input * input)),
    tex=r"\operatorname{{erfc}} {input}",
)
def erfc(input: Array) -> Any:
    """`1 - erf(input)`, accurate where that is small."""
    return kernel.erfc(input)


@elementwise(
    "erfinv",
    check=_real("erfinv_vml_cpu"),
    promote="float",
    inplace=True,
    input=lambda out: 0.5 / _BY_ROOT_PI * exp(out * out),
    tex=r"\operatorname{{erf}}^{{-1}} {input}",
)
def erfinv(input: Array) -> Any:
    """The inverse of `erf`."""
    return kernel.erfinv(input)


@elementwise(
    "special.erfcx",
    check=_real("erfcx_cpu"),
    promote="float",
    node="SpecialErfcxBackward0",
    input=lambda input, out: 2 * input * out - 2 * _BY_ROOT_PI,
)
def erfcx(input: Array) -> Any:
    """`exp(input**2) * erfc(input)`."""
    return kernel.erfcx(input)


@composite("special.ndtr", out=True)
def ndtr(input: Any) -> Any:
    """The normal distribution function."""
    return erfc(input * -math.sqrt(0.5)) * 0.5


@elementwise(
    "special.ndtri",
    check=_real("ndtri_cpu"),
    promote="float",
    node="SpecialNdtriBackward0",
    input=lambda out: math.sqrt(2 * math.pi) * exp(out * out * 0.5),
)
def ndtri(input: Array) -> Any:
    """The inverse of the normal distribution function."""
    return kernel.ndtri(input)


@elementwise(
    "special.log_ndtr",
    check=_real("log_ndtr_cpu"),
    promote="float",
    node="SpecialLogNdtrBackward0",
    input=lambda input: math.sqrt(2 / math.pi) / erfcx(input * -math.sqrt(0.5)),
)
def log_ndtr(input: Array) -> Any:
    """The logarithm of the normal distribution function, without underflow."""
    t = input * math.sqrt(0.5)
    below = np.log(kernel.erfcx(-np.minimum(t, 0)) / 2) - t * t
    return np.where(input < -1, below, np.log1p(-kernel.erfc(t) / 2))


# -- gamma and its relatives -----------------------------------------------------------------------------------


@elementwise(
    "lgamma",
    check=_real("lgamma_vml_cpu"),
    promote="float",
    inplace=True,
    input=lambda input: digamma(input),
    tex=r"\ln |\Gamma({input})|",
)
def lgamma(input: Array) -> Any:
    """`log(|gamma(input)|)`."""
    return kernel.lgamma(input)


@elementwise(
    "digamma",
    check=_real("digamma"),
    promote="float",
    inplace=True,
    input=lambda input: polygamma(1, input),
    tex=r"\psi({input})",
)
def digamma(input: Array) -> Any:
    """The derivative of `lgamma`."""
    return kernel.digamma(input)


def _check_order(input: Any, n: Any) -> None:
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    _real(("digamma", "trigamma")[n] if n < 2 else "polygamma")(input)


@elementwise(
    "polygamma",
    promote="float",
    method=False,
    inplace=False,
    input=lambda input, n: polygamma(n + 1, input),
    check=_check_order,
    tex=r"\psi^{{({n})}}({input})",
)
def _polygamma(input: Array, n: Any) -> Any:
    return kernel.polygamma(n, input)


@composite("polygamma", out=True, method=False)
def polygamma(n: int, input: Any) -> Any:
    """The `n`-th derivative of `digamma`."""
    return _polygamma(input, n)


@composite("mvlgamma", inplace=True, out=True)
def mvlgamma(input: Any, p: int) -> Any:
    """The logarithm of the multivariate gamma function of dimension `p`."""
    if p < 1:
        raise RuntimeError("p has to be greater than or equal to 1")
    total = lgamma(input)
    for j in range(1, p):
        total = total + lgamma(input - j / 2)
    return total + p * (p - 1) / 4 * math.log(math.pi)


def _floats(name: str) -> Any:
    def check(input: Any, other: Any) -> None:
        common = dtypes.result_type((input, other))
        if common.category != dtypes.FLOATING:
            raise NotImplementedError(f"\"{name}_cpu\" not implemented for '{common.tensor_type}'")

    return check


@elementwise(
    "igamma",
    inplace=True,
    input=missing("igamma: input"),
    other=lambda input, other: exp((input - 1) * log(other) - other - lgamma(input)),
    check=_floats("igamma"),
    tex=r"P({input}, {other})",
    domain="differentiable in the second argument only",
)
def igamma(input: Array, other: Array) -> Any:
    """The regularised lower incomplete gamma function."""
    return incomplete.igamma(input, other)


@elementwise(
    "igammac",
    inplace=True,
    input=missing("igammac: input"),
    other=lambda input, other: -exp((input - 1) * log(other) - other - lgamma(input)),
    check=_floats("igammac"),
    tex=r"Q({input}, {other})",
    domain="differentiable in the second argument only",
)
def igammac(input: Array, other: Array) -> Any:
    """The regularised upper incomplete gamma function."""
    return incomplete.igammac(input, other)


@elementwise(
    "special.zeta",
    check=_real("zeta_cpu"),
    promote="float",
    node="SpecialZetaBackward0",
    input=missing("zeta"),
    other=lambda input, other: -input * zeta(input + 1, other),
    domain="differentiable in the second argument only",
)
def zeta(input: Array | float, other: Array | float) -> Any:
    """Hurwitz's zeta function."""
    return kernel.zeta(np.asarray(input), np.asarray(other))


# -- Bessel functions ------------------------------------------------------------------------------------------


@elementwise(
    "i0", check=_real("i0_vml_cpu"), promote="float", inplace=True, input=lambda input: i1(input), tex=r"I_0({input})"
)
def i0(input: Array) -> Any:
    """The modified Bessel function of the first kind of order 0."""
    return bessel.i0(input)


@elementwise(
    "special.i0e",
    check=_real("i0e_cpu"),
    promote="float",
    node="SpecialI0EBackward0",
    input=lambda input, out: i1e(input) - sign(input) * out,
)
def i0e(input: Array) -> Any:
    """`exp(-|input|) * i0(input)`."""
    return bessel.i0e(input)


@elementwise(
    "special.i1",
    check=_real("i1_cpu"),
    promote="float",
    node="SpecialI1Backward0",
    input=lambda input, out: i0(input) - _over(out, input),
)
def i1(input: Array) -> Any:
    """The modified Bessel function of the first kind of order 1."""
    return bessel.i1(input)


@elementwise(
    "special.i1e",
    check=_real("i1e_cpu"),
    promote="float",
    node="SpecialI1EBackward0",
    input=lambda input, out: i0e(input) - out * sign(input) - _over(out, input),
)
def i1e(input: Array) -> Any:
    """`exp(-|input|) * i1(input)`."""
    return bessel.i1e(input)


def _over(value: Any, x: Any) -> Any:
    """`value / x`, which is 1/2 at 0 for the functions of order 1."""
    return where(x == 0, 0.5, value / where(x == 0, 1, x))


def _plain(name: str, function: Any, doc: str) -> Any:
    """A function of one number without a derivative."""

    def forward(x: Array) -> Any:
        return function(x)

    forward.__doc__ = doc
    names = {"x": "input"} if name.startswith(("bessel", "modified")) else {}
    options = {"domain": "no derivative, as in PyTorch", "names": names, "check": _real(f"{name}_cpu")}
    return elementwise("special." + name, forward, promote="float", **options)


bessel_j0 = _plain("bessel_j0", bessel.j0, "The Bessel function of the first kind of order 0.")
bessel_j1 = _plain("bessel_j1", bessel.j1, "The Bessel function of the first kind of order 1.")
bessel_y0 = _plain("bessel_y0", bessel.y0, "The Bessel function of the second kind of order 0.")
bessel_y1 = _plain("bessel_y1", bessel.y1, "The Bessel function of the second kind of order 1.")
modified_bessel_i0 = _plain("modified_bessel_i0", bessel.i0, "The modified Bessel function I of order 0.")
modified_bessel_i1 = _plain("modified_bessel_i1", bessel.i1, "The modified Bessel function I of order 1.")
modified_bessel_k0 = _plain("modified_bessel_k0", bessel.k0, "The modified Bessel function K of order 0.")
modified_bessel_k1 = _plain("modified_bessel_k1", bessel.k1, "The modified Bessel function K of order 1.")
scaled_modified_bessel_k0 = _plain("scaled_modified_bessel_k0", bessel.k0e, "`exp(input)` times K of order 0.")
scaled_modified_bessel_k1 = _plain("scaled_modified_bessel_k1", bessel.k1e, "`exp(input)` times K of order 1.")
spherical_bessel_j0 = _plain("spherical_bessel_j0", bessel.spherical_j0, "`sin(input) / input`.")
airy_ai = _plain("airy_ai", bessel.airy_ai, "Airy's function Ai.")

# -- logarithms and products -----------------------------------------------------------------------------------


@elementwise(
    "logit",
    promote="float",
    method=False,
    inplace=True,
    input=lambda input, eps: (
        where((input < 0) | (input > 1), math.nan, 1 / (input * (1 - input)))
        if eps is None
        else where((input < eps) | (input > 1 - eps), 0, 1 / (input * (1 - input)))
    ),
    tex=r"\ln \frac{{{input}}}{{1 - {input}}}",
)
def _logit(input: Array, eps: Any) -> Any:
    z = input if eps is None else np.minimum(np.maximum(input, eps), 1 - eps)
    return np.log(z / (1 - z))


@composite("logit", out=True)
def logit(input: Any, eps: float | None = None) -> Any:
    """The inverse of `sigmoid`; `input` is first limited to eps .. 1 - eps if `eps` is given."""
    return _logit(input, eps)


def logit_(self: Any, eps: float | None = None) -> Any:
    """`logit` in place."""
    return inplace(_logit.op, (self, eps))


@elementwise(
    "sinc",
    promote="float",
    inplace=True,
    input=lambda input: _sinc_slope(math.pi * input, input),
    tex=r"\frac{{\sin \pi {input}}}{{\pi {input}}}",
    domain="the derivative at 0 is 0",
)
def sinc(input: Array) -> Any:
    """`sin(pi input) / (pi input)`, 1 at 0."""
    angle = np.pi * input
    return np.where(input == 0, input.dtype.type(1), np.sin(angle) / np.where(input == 0, input.dtype.type(1), angle))


def _sinc_slope(angle: Any, input: Any) -> Any:
    return where(angle * input == 0, 0, (angle * cos(angle) - sin(angle)) / where(angle * input == 0, 1, angle * input))


@elementwise(
    "xlogy",
    promote="float",
    inplace=True,
    node={"": "XlogyBackward0", "TS": "XlogyBackward2", "ST": "XlogyBackward1"},
    check=_real("xlogy_cpu"),
    input=lambda input, other: where((input == 0) & (other <= 0), 0, log_of(other)),
    other=lambda input, other: input / other,
    tex=r"{input} \ln {other}",
)
def xlogy(input: Array | float, other: Array | float) -> Any:
    """`input * log(other)`, 0 where `input` is 0 (unless `other` is NaN)."""
    value = input * np.log(other)
    return np.where(np.isnan(other), other, np.where(np.equal(input, 0), value.dtype.type(0), value))


def log_of(x: Any) -> Any:
    """`log` of a tensor or of a number."""
    return (math.log(x) if x > 0 else -math.inf if x == 0 else math.nan) if x.__class__ in NUMBERS else log(x)


@elementwise(
    "special.xlog1py",
    promote="float",
    node={"": "SpecialXlog1PyBackward0", "TS": "SpecialXlog1PyBackward2", "ST": "SpecialXlog1PyBackward1"},
    check=_real("xlog1py_cpu"),
    input=lambda input, other: where((input == 0) & (other <= -1), 0, log_of(1 + other)) if other.__class__ in NUMBERS
    else where((input == 0) & (other <= -1), 0, log1p(other)),
    other=lambda input, other: input / (other + 1),
)  # fmt: skip
def xlog1py(input: Array | float, other: Array | float) -> Any:
    """`input * log1p(other)`, 0 where `input` is 0 (unless `other` is NaN)."""
    value = input * np.log1p(other)
    return np.where(np.isnan(other), other, np.where(np.equal(input, 0), value.dtype.type(0), value))


@elementwise(
    "special.entr",
    promote="float",
    node="SpecialEntrBackward0",
    input=lambda input: -log(input) - 1,
    tex=r"-{input} \ln {input}",
)
def entr(input: Array) -> Any:
    """`-input * log(input)`: 0 at 0, -inf below."""
    value = -input * np.log(input)
    kind = input.dtype.type
    return np.where(input > 0, value, np.where(input == 0, kind(0), np.where(input < 0, kind(-np.inf), input)))


# -- integers and bits -----------------------------------------------------------------------------------------


def _integers(name: str) -> Any:
    def check(input: Any, other: Any) -> None:
        need_tensors(name, input=input, other=other)
        common = dtypes.result_type((input, other))
        if common.category != dtypes.INTEGER:
            raise NotImplementedError(f"\"{name}_cpu\" not implemented for '{common.tensor_type}'")

    return check


gcd = elementwise("gcd", np.gcd, numbers="none", inplace=True, check=_integers("gcd"))
lcm = elementwise("lcm", np.lcm, numbers="none", inplace=True, check=_integers("lcm"))


@general("frexp", outputs="mantissa, exponent*", out=True, input=lambda g, exponent: mul(g, exp2_of(-exponent)))
def frexp(input: Array) -> Any:
    """`input` as `mantissa * 2**exponent` with the mantissa between 1/2 and 1 (without sign)."""
    if input.dtype.kind not in "fV":
        raise RuntimeError("torch.frexp() only supports floating-point dtypes")
    mantissa, exponent = np.frexp(input)
    return mantissa, exponent.astype(np.int32)


def exp2_of(exponent: Any) -> Any:
    """2 to the power of an integer tensor, in float64 so that it is exact."""
    return pointwise.exp2(mul(exponent, 1.0) if exponent.dtype != np.int32 else exponent * 1.0)


# -- polynomials -----------------------------------------------------------------------------------------------


def _polynomial(name: str, function: Any, shifted: bool = False) -> Any:
    def forward(x: Array | float, n: Array | float) -> Any:
        return function(2 * x - 1 if shifted else x, n)

    forward.__doc__ = f"{name.replace('_', ' ').capitalize()} of degree `n`."
    options = {"domain": "no derivative, as in PyTorch", "check": _real(f"{name}_cpu")}
    return elementwise("special." + name, forward, promote="float", **options)


_POLYNOMIALS = {
    **{f"chebyshev_polynomial_{k}": getattr(polynomials, f"chebyshev_{k}") for k in "tuvw"},
    "hermite_polynomial_h": polynomials.hermite_h,
    "hermite_polynomial_he": polynomials.hermite_he,
    "laguerre_polynomial_l": polynomials.laguerre,
    "legendre_polynomial_p": polynomials.legendre,
}
_polynomials = {name: _polynomial(name, function) for name, function in _POLYNOMIALS.items()}
_polynomials |= {
    "shifted_" + name: _polynomial("shifted_" + name, function, True)
    for name, function in _POLYNOMIALS.items()
    if name.startswith("chebyshev")
}

# What torch.special consists of.
SPECIAL: dict[str, Any] = {
    **{f.__name__: f for f in (erf, erfc, erfinv, digamma, polygamma, i0, logit, sinc, xlogy, expm1, log1p)},
    **{f.__name__: f for f in (erfcx, ndtr, ndtri, log_ndtr, zeta, i0e, i1, i1e, xlog1py, entr, airy_ai)},
    **{f.__name__: f for f in (bessel_j0, bessel_j1, bessel_y0, bessel_y1, spherical_bessel_j0)},
    **{f.__name__: f for f in (modified_bessel_i0, modified_bessel_i1, modified_bessel_k0, modified_bessel_k1)},
    **{f.__name__: f for f in (scaled_modified_bessel_k0, scaled_modified_bessel_k1)},
    **_polynomials,
    **{"gammaln": lgamma, "psi": digamma, "multigammaln": mvlgamma, "gammainc": igamma, "gammaincc": igammac},
    **{"expit": sigmoid, "exp2": pointwise.exp2, "round": pointwise.round},
}
