"""Pointwise mathematics: smooth functions of one number or two, and rounding, with their partial derivatives.

Choices between numbers and limits are in `choosing`, activations of neural networks in `activations`, what is peculiar
to complex numbers in `complex`, functions beyond the elementary ones in `special`. A rule may
name an operation stated further down: it is called only when needed.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.op import Array, elementwise
from .arithmetic import not_of_integers
from .choosing import keep, where

__all__ = [
    "abs", "absolute", "acos", "acosh", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh",
    "asin", "asinh", "atan", "atan2", "atanh", "ceil", "cos", "cosh", "deg2rad", "exp", "exp2", "expm1", "fix",
    "floor", "frac", "heaviside", "log", "log10", "log1p", "log2", "logaddexp", "logaddexp2", "nextafter", "rad2deg",
    "round", "sgn", "sigmoid", "sign", "sin", "sinh", "tan", "tanh", "trunc",
]  # fmt: skip


# -- exponentials and logarithms -------------------------------------------------------------------------------

exp = elementwise("exp", np.exp, promote="float", inplace=True, input=lambda out: out, tex=r"e^{{{input}}}")
exp2 = elementwise(
    "exp2", np.exp2, promote="float", inplace=True, input=lambda out: out * math.log(2), tex=r"2^{{{input}}}"
)
expm1 = elementwise(
    "expm1", np.expm1, promote="float", inplace=True, input=lambda out: out + 1, tex=r"e^{{{input}}} - 1"
)
log = elementwise("log", np.log, promote="float", inplace=True, input=lambda input: 1 / input, tex=r"\ln {input}")
log2 = elementwise(
    "log2", np.log2, promote="float", inplace=True, input=lambda input: 1 / (input * math.log(2)), tex=r"\log_2 {input}"
)
log10 = elementwise(
    "log10",
    np.log10,
    promote="float",
    inplace=True,
    input=lambda input: 1 / (input * math.log(10)),
    tex=r"\log_{{10}} {input}",
)
log1p = elementwise(
    "log1p",
    np.log1p,
    promote="float",
    inplace=True,
    node="Log1PBackward0",
    input=lambda input: 1 / (input + 1),
    tex=r"\ln(1 + {input})",
)

# -- circular and hyperbolic functions -------------------------------------------------------------------------

sin = elementwise("sin", np.sin, promote="float", inplace=True, input=lambda input: cos(input), tex=r"\sin {input}")
cos = elementwise("cos", np.cos, promote="float", inplace=True, input=lambda input: -sin(input), tex=r"\cos {input}")


@elementwise("tan", promote="float", inplace=True, input=lambda out: 1 + out * out, tex=r"\tan {input}")
def tan(input: Array) -> Any:
    """The tangent."""
    if input.dtype == np.float32 and input.size > 256:  # where NumPy's sin and cos are vector code, and its tan is not
        return np.sin(input) / np.cos(input)
    return np.tan(input)


sinh = elementwise(
    "sinh", np.sinh, promote="float", inplace=True, input=lambda input: cosh(input), tex=r"\sinh {input}"
)
cosh = elementwise(
    "cosh", np.cosh, promote="float", inplace=True, input=lambda input: sinh(input), tex=r"\cosh {input}"
)
tanh = elementwise(
    "tanh", np.tanh, promote="float", inplace=True, input=lambda out: 1 - out * out, tex=r"\tanh {input}"
)
asin = elementwise(
    "asin",
    np.arcsin,
    promote="float",
    inplace=True,
    input=lambda input: 1 / sqrt(1 - input * input),
    tex=r"\arcsin {input}",
)
acos = elementwise(
    "acos",
    np.arccos,
    promote="float",
    inplace=True,
    input=lambda input: -1 / sqrt(1 - input * input),
    tex=r"\arccos {input}",
)
atan = elementwise(
    "atan",
    np.arctan,
    promote="float",
    inplace=True,
    input=lambda input: 1 / (1 + input * input),
    tex=r"\arctan {input}",
)
asinh = elementwise(
    "asinh",
    np.arcsinh,
    promote="float",
    inplace=True,
    input=lambda input: 1 / sqrt(input * input + 1),
    tex=r"\operatorname{{arsinh}} {input}",
)
# Two roots, not the root of input**2 - 1: for complex numbers only so is the branch right.
acosh = elementwise(
    "acosh",
    np.arccosh,
    promote="float",
    inplace=True,
    input=lambda input: 1 / (sqrt(input - 1) * sqrt(input + 1)),
    tex=r"\operatorname{{arcosh}} {input}",
)
atanh = elementwise(
    "atanh",
    np.arctanh,
    promote="float",
    inplace=True,
    input=lambda input: 1 / (1 - input * input),
    tex=r"\operatorname{{artanh}} {input}",
)
atan2 = elementwise(
    "atan2",
    np.arctan2,
    numbers="none",
    promote="float",
    inplace=True,
    input=lambda input, other: _over_norm(other, input, other),
    other=lambda input, other: _over_norm(-input, input, other),
    tex=r"\operatorname{{atan2}}({input}, {other})",
    domain="at (0, 0) the derivative is taken as 0",
)


def _over_norm(numerator: Any, a: Any, b: Any) -> Any:
    square = a * a + b * b
    return where(square == 0, 0, numerator / square)


@elementwise("sigmoid", promote="float", inplace=True, input=lambda out: (1 - out) * out, tex=r"\sigma({input})")
def sigmoid(input: Array) -> Any:
    """`1 / (1 + exp(-input))`."""
    result = np.negative(input)
    if result.__class__ is not np.ndarray:
        return np.reciprocal(np.exp(result) + 1)
    np.exp(result, result)
    result += 1.0
    return np.reciprocal(result, result)


@elementwise("deg2rad", promote="float", inplace=True, input=math.pi / 180, tex=r"\frac{{\pi}}{{180}} {input}")
def deg2rad(input: Array) -> Any:
    """Degrees to radians."""
    return input * (math.pi / 180)


@elementwise("rad2deg", promote="float", inplace=True, input=180 / math.pi, tex=r"\frac{{180}}{{\pi}} {input}")
def rad2deg(input: Array) -> Any:
    """Radians to degrees."""
    return input * (180 / math.pi)


# -- sign and rounding -----------------------------------------------------------------------------------------

abs = elementwise(
    "abs",
    np.abs,
    promote=None,
    inplace=True,
    input=lambda g, input: g * sgn(input),
    jvp=lambda input, t_input: (t_input * sgn(input).conjugate()).real,
    tex="|{input}|",
    domain="at 0 the derivative is taken as 0",
)


@elementwise("sign", inplace=True, input=0, tex=r"\operatorname{{sgn}} {input}", domain="the derivative is 0, at 0 too")
def sign(input: Array) -> Any:
    """-1, 0 or 1."""
    if input.dtype.kind == "c":
        raise NotImplementedError(
            "Unlike NumPy, torch.sign is not intended to support complex numbers. Please use torch.sgn instead."
        )
    return _sign(input)


@elementwise(
    "sgn",
    inplace=True,
    # Only a complex number can turn: the part of g along the number itself changes nothing. For a real one nothing is left.
    input=lambda g, input, out: where(out == 0, 0, (g - out * (g * out.conjugate()).real) / abs(input)),
    tex=r"\operatorname{{sgn}} {input}",
    domain="at 0 the derivative is taken as 0",
)
def sgn(input: Array) -> Any:
    """`input / |input|`, 0 at 0."""
    return _sign(input)


def _sign(a: Any) -> Any:
    """NumPy's, but 0 for NaN and for -0."""
    kind = a.dtype.kind
    if kind != "f":
        return a.copy() if kind == "b" else np.sign(a)
    return np.subtract(np.greater(a, 0), np.less(a, 0), dtype=np.int8).astype(a.dtype)


def _real_only(name: str) -> Any:
    def check(input: Any, *_: Any) -> None:
        if input.dtype.kind == "c":
            raise NotImplementedError(f"{name} is not supported for complex inputs")

    return check


floor = elementwise("floor", np.floor, inplace=True, input=0, check=_real_only("floor"), tex=r"\lfloor {input} \rfloor")
ceil = elementwise("ceil", np.ceil, inplace=True, input=0, check=_real_only("ceil"), tex=r"\lceil {input} \rceil")
trunc = elementwise(
    "trunc", np.trunc, inplace=True, input=0, check=_real_only("trunc"), tex=r"\operatorname{{trunc}} {input}"
)


@elementwise("frac", inplace=True, input=1)
def frac(input: Array) -> Any:
    """The part after the point, with the sign of `input`."""
    if input.dtype.kind not in "fV":
        raise NotImplementedError(f"\"frac_cpu\" not implemented for '{dtypes.of(input.dtype).tensor_type}'")
    return input - np.trunc(input)


@elementwise("round", inplace=True, input=0, tex=r"\operatorname{{round}} {input}", domain="the derivative is 0")
def round(input: Array, *, decimals: int = 0) -> Any:
    """The nearest integer (halves go to the even one), or number of `decimals` decimal places."""
    if input.dtype.kind == "c" or (decimals and input.dtype.kind != "f"):
        word = dtypes.of(input.dtype).tensor_type
        raise NotImplementedError(f"\"round_{'cpu' if decimals else 'vml_cpu'}\" not implemented for '{word}'")
    if input.dtype.kind not in "fV":
        return input.copy()
    if decimals == 0:
        return np.rint(input)
    scale = input.dtype.type(10.0 ** math.fabs(decimals))
    return np.rint(input * scale) / scale if decimals > 0 else np.rint(input / scale) * scale


# -- of two numbers --------------------------------------------------------------------------------------------


@elementwise(
    "logaddexp",
    inplace=False,
    promote="float",
    input=lambda input, other: sigmoid(input - other),
    other=lambda input, other: sigmoid(other - input),
    check=not_of_integers("logaddexp_cpu"),
    tex=r"\ln(e^{{{input}}} + e^{{{other}}})",
)
def logaddexp(input: Array, other: Array) -> Any:
    """`log(exp(input) + exp(other))` without overflow."""
    if input.dtype.kind != "c":
        return np.logaddexp(input, other)
    first = input.real >= other.real
    high: Any = np.where(first, input, other)
    low: Any = np.where(first, other, input)
    return high + np.log1p(np.exp(low - high))


@elementwise(
    "logaddexp2",
    promote="float",
    input=lambda input, other: sigmoid(math.log(2) * (input - other)),
    other=lambda input, other: sigmoid(math.log(2) * (other - input)),
    check=not_of_integers("logaddexp2_cpu"),
    tex=r"\log_2(2^{{{input}}} + 2^{{{other}}})",
)
def logaddexp2(input: Array, other: Array) -> Any:
    """`log2(2**input + 2**other)` without overflow."""
    return np.logaddexp2(input, other)


@elementwise("heaviside", promote="same", inplace=True)
def heaviside(input: Array, values: Array) -> Any:
    """0 for negative numbers and NaN, 1 for positive ones, `values` at 0. Not differentiable."""
    if input.dtype.kind == "c" or values.dtype.kind == "c":
        raise RuntimeError("heaviside is not yet implemented for complex tensors.")
    one, zero = input.dtype.type(1), input.dtype.type(0)
    return np.where(input == 0, values, np.where(input > 0, one, zero))


@elementwise(
    "nextafter",
    inplace=True,
    input=lambda g, input, other: keep(g, input != other),
    other=lambda g: g * 0,
    domain="the derivative is that of the identity, and 0 where both arguments are equal",
)
def nextafter(input: Array, other: Array) -> Any:
    """The next floating-point number from `input` towards `other`."""
    if input.dtype.kind not in "fV":
        raise NotImplementedError(f"\"nextafter_cpu\" not implemented for '{dtypes.of(input.dtype).tensor_type}'")
    return np.nextafter(input, other)


absolute, fix = abs, trunc
arccos, arccosh, arcsin, arcsinh, arctan, arctan2, arctanh = acos, acosh, asin, asinh, atan, atan2, atanh

from .powers import sqrt  # noqa: E402  (the tables use each other: whatever is named in a rule may be stated later)
