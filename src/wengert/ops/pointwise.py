"""Pointwise mathematics: functions of one number (and choices between numbers), with their partial derivatives.

Activations of neural networks are in `activations`, what is peculiar to complex numbers in `complex`, functions beyond
the elementary ones in `special`. A rule may name an operation stated further down: it is called only when needed.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.batched import refuse_dynamic
from ..core.inplace import inplace
from ..core.op import Array, composite, elementwise
from ..kernels import masking
from .arithmetic import not_of_integers
from .comparison import isfinite, isnan
from .powers import sqrt

__all__ = [
    "abs", "absolute", "acos", "acosh", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "asin",
    "asinh", "atan", "atan2", "atanh", "ceil", "clamp", "clamp_max", "clamp_min", "clip", "cos", "cosh", "deg2rad", "exp",
    "exp2", "expm1", "fill", "fix", "floor", "fmax", "fmin", "frac", "heaviside", "log", "log10", "log1p", "log2",
    "logaddexp", "logaddexp2", "masked_fill", "maximum", "minimum", "nan_to_num", "nextafter", "rad2deg", "relu", "relu_",
    "round", "sgn", "sigmoid", "sign", "sin", "sinh", "tan", "tanh", "trunc", "where",
]  # fmt: skip

# -- choosing --------------------------------------------------------------------------------------------------


@elementwise("keep", promote=None, input=lambda g, mask: keep(g, mask), method=False, out=False, tex="[{mask}] {input}")
def keep(input: Array, mask: Array) -> Any:
    """`input` where `mask` is true, else 0: exact, also where `input` is infinite or NaN. For rules."""
    return masking.keep(input, mask)


@elementwise(
    "where",
    promote=None,
    input=lambda g, condition: keep(g, condition),
    other=lambda g, condition: keep(g, ~condition),
    method=False,
    tex=r"\begin{{cases}} {input} & {condition} \\ {other} & \text{{else}} \end{{cases}}",
)
def _where(condition: Array, input: Array | float, other: Array | float) -> Any:
    """`input` where `condition` holds, else `other`."""
    if condition.dtype != np.bool_:
        if condition.dtype != np.uint8:
            word = dtypes.of(condition.dtype).tensor_type.lower()
            raise RuntimeError(f"where expected condition to be a boolean tensor, but got a tensor with dtype {word}")
        condition = condition.astype(np.bool_)
    if getattr(input, "dtype", None) != getattr(other, "dtype", False):
        d = dtypes.result_type((input, other)).np
        if getattr(input, "dtype", None) != d:
            input = np.asarray(input).astype(d)
        if getattr(other, "dtype", None) != d:
            other = np.asarray(other).astype(d)
    return masking.select(condition, input, other)


def where(condition: Any, input: Any = None, other: Any = None, *, out: Any = None) -> Any:
    """`input` where `condition` holds, else `other`. With the condition alone: the indices where it holds."""
    if input is None and other is None:
        refuse_dynamic("where", getattr(condition, "_array", condition))
        return condition.nonzero(as_tuple=True)
    return _where(condition, input, other, out=out)


@elementwise(
    "masked_fill",
    promote=None,
    out=False,
    input=lambda g, mask: keep(g, ~mask),
    value=lambda g, mask: keep(g, mask),
    inplace=True,
    node={"": "MaskedFillBackward0", "TTT": "MaskedFillBackward1"},
    tex=r"\begin{{cases}} {value} & {mask} \\ {input} & \text{{else}} \end{{cases}}",
)
def masked_fill(input: Array, mask: Array, value: Array | float) -> Any:
    """`input` with the elements where `mask` is true replaced by one value."""
    if mask.dtype != np.bool_:
        raise RuntimeError(
            "masked_fill_ only supports boolean masks, but got mask with dtype "
            + dtypes.of(mask.dtype).tensor_type.lower()
        )
    if np.ndim(value):
        raise RuntimeError(
            "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{np.ndim(value)} dimension(s)."
        )
    if mask.ndim == 0 and input.ndim == 0:
        return np.where(mask, dtypes.fitted(value, input.dtype), input)
    return masking.select(mask, dtypes.fitted(value, input.dtype), input)


def masked_fill_(self: Any, mask: Any, value: Any) -> Any:
    """Replace in place the elements where `mask` is true."""
    return inplace(masked_fill.op, (self, mask, value))


@elementwise("fill", promote=None, out=False, input=0, value=lambda g: g, inplace=True)
def fill(input: Array, value: Array | float) -> Any:
    """A tensor of the same shape and dtype with every element `value`."""
    if value.__class__ is float and input.dtype.kind in "fc":
        result = np.empty(input.shape, input.dtype)
        result.fill(value)
        return result
    if np.ndim(value):
        raise RuntimeError(
            f"fill_ only supports 0-dimension value tensor but got tensor with {np.ndim(value)} dimensions."
        )
    return np.full(input.shape, np.asarray(value).astype(input.dtype), input.dtype)


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
    result = np.exp(np.negative(input))
    result += 1
    return np.reciprocal(result)


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


# -- limits ----------------------------------------------------------------------------------------------------


@elementwise(
    "clamp",
    promote=None,
    out=False,
    method=False,
    input=lambda g, input, min, max: keep(g, _inside(input, min, max)),
    inplace=True,
    node="ClampBackward1",
    domain="at a limit the derivative is 1",
)
def _clamp_numbers(input: Array, min: Any, max: Any) -> Any:
    """Limits that are numbers or None."""
    if input.dtype.kind not in "fV":
        if input.dtype.kind == "c":
            raise NotImplementedError("clamp is not supported for complex types")
        input = input.astype(dtypes.result_type((input, min, max)).np)
    if input.dtype.kind == "V":  # or NumPy computes in float32
        min, max = (None if limit is None else input.dtype.type(limit) for limit in (min, max))
    if max is None:
        return np.maximum(input, min)
    if min is None:
        return np.minimum(input, max)
    return np.minimum(np.maximum(input, min), max)


def _inside(x: Any, min: Any, max: Any) -> Any:
    if max is None:
        return x >= min
    if min is None:
        return x <= max
    return (x >= min) & (x <= max)


@elementwise(
    "clamp_tensors",
    out=False,
    method=False,
    input=lambda g, input, min, max: keep(g, _inside(input, min, max)),
    min=lambda g, input, min, max: keep(g, input < min if max is None else (input < min) & (min < max)),
    max=lambda g, input, min, max: keep(g, input > max if min is None else (input > max) | (max < min)),
    inplace=True,
    node="ClampBackward0",
    domain="at a limit the derivative is 1 in the input",
)
def _clamp_tensors(input: Array, min: Array | float | None = None, max: Array | float | None = None) -> Any:
    """Limits of which at least one is a tensor."""
    if input.dtype.kind == "c":
        raise NotImplementedError("clamp is not supported for complex types")
    result = input if min is None else np.maximum(input, min)
    return result if max is None else np.minimum(result, max)


def _clamp_row(min: Any, max: Any) -> Any:
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    numbers = (min is None or isinstance(min, (int, float))) and (max is None or isinstance(max, (int, float)))
    return _clamp_numbers if numbers else _clamp_tensors


@composite("clamp", out=True)
def clamp(input: Any, min: Any = None, max: Any = None) -> Any:
    """`input` limited to `min` .. `max` (numbers, tensors or None). Where `min > max` the result is `max`."""
    return _clamp_row(min, max)(input, min, max)


@composite("clamp_min", out=True)
def clamp_min(input: Any, min: Any) -> Any:
    """`input`, or `min` where that is greater."""
    return _clamp_row(min, None)(input, min, None)


@composite("clamp_max", out=True)
def clamp_max(input: Any, max: Any) -> Any:
    """`input`, or `max` where that is less."""
    return _clamp_row(None, max)(input, None, max)


def clamp_(self: Any, min: Any = None, max: Any = None) -> Any:
    """Limit in place."""
    return inplace(_clamp_row(min, max).op, (self, min, max))


def clamp_min_(self: Any, min: Any) -> Any:
    """Limit from below in place."""
    return clamp_(self, min, None)


def clamp_max_(self: Any, max: Any) -> Any:
    """Limit from above in place."""
    return clamp_(self, None, max)


def _not_complex(name: str) -> Any:
    def check(input: Any, other: Any) -> None:
        if input.dtype.kind == "c" or other.dtype.kind == "c":
            raise RuntimeError(f"{name} not implemented for complex tensors.")

    return check


maximum = elementwise(
    "maximum",
    np.maximum,
    numbers="none",
    input=lambda g, input, other: _share(g, input < other, input == other),
    other=lambda g, input, other: _share(g, other < input, input == other),
    check=_not_complex("maximum"),
    tex=r"\max({input}, {other})",
    domain="at a tie each argument gets half",
)
minimum = elementwise(
    "minimum",
    np.minimum,
    numbers="none",
    input=lambda g, input, other: _share(g, input > other, input == other),
    other=lambda g, input, other: _share(g, other > input, input == other),
    check=_not_complex("minimum"),
    tex=r"\min({input}, {other})",
    domain="at a tie each argument gets half",
)


def _share(g: Any, loses: Any, ties: Any) -> Any:
    """What one of two competing arguments gets of the gradient: nothing where it loses, half at a tie."""
    return _where(ties, g / 2, keep(g, ~loses))


fmax = elementwise(
    "fmax",
    np.fmax,
    numbers="none",
    input=lambda g, input, other: keep(g, (input >= other) | isnan(other)),
    other=lambda g, input, other: keep(g, ~((input >= other) | isnan(other))),
    check=_not_complex("fmax"),
    tex=r"\max({input}, {other})",
    domain="at a tie the first argument gets all",
)
fmin = elementwise(
    "fmin",
    np.fmin,
    numbers="none",
    input=lambda g, input, other: keep(g, (input <= other) | isnan(other)),
    other=lambda g, input, other: keep(g, ~((input <= other) | isnan(other))),
    check=_not_complex("fmin"),
    tex=r"\min({input}, {other})",
    domain="at a tie the first argument gets all",
)


@elementwise(
    "nan_to_num",
    inplace=True,
    input=lambda g, input: keep(g, isfinite(input)),
)
def nan_to_num(input: Array, nan: Any = None, posinf: Any = None, neginf: Any = None) -> Any:
    """NaN replaced by `nan` (0), infinities by `posinf` and `neginf` (the largest and least finite number)."""
    if input.dtype.kind == "c":
        real, imag = (nan_to_num.op.forward(part, nan, posinf, neginf) for part in (input.real, input.imag))
        return (real + 1j * imag).astype(input.dtype)
    if input.dtype.kind not in "fV":
        return input.copy()
    limits = np.finfo(input.dtype)
    result = input.copy() if isinstance(input, np.ndarray) else np.asarray(input)
    result[np.isnan(input)] = 0 if nan is None else nan
    result[input == np.inf] = limits.max if posinf is None else posinf
    result[input == -np.inf] = limits.min if neginf is None else neginf
    return result


@elementwise(
    "threshold_backward",
    promote=None,
    input=lambda g, mask: threshold_backward(g, mask),
    node="ThresholdBackwardBackward0",
    method=False,
    out=False,
    tex="[{mask}] {input}",
)
def threshold_backward(input: Array, mask: Array) -> Any:
    """`keep`, in the rules of relu and threshold: the graph of a second derivative names it as PyTorch does."""
    return masking.keep(input, mask)


@elementwise(
    "relu",
    input=lambda g, out: threshold_backward(g, ~(out <= 0)),
    inplace=True,
    domain="at 0 the derivative is taken as 0",
)
def relu(input: Array) -> Any:
    """`max(input, 0)`, elementwise."""
    if input.dtype.kind == "b":
        raise RuntimeError("Boolean inputs not supported for relu")
    return np.maximum(input, 0)


def relu_(input: Any) -> Any:
    """`relu` in place."""
    return input.relu_()


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


absolute, clip, fix = abs, clamp, trunc
arccos, arccosh, arcsin, arcsinh, arctan, arctan2, arctanh = acos, acosh, asin, asinh, atan, atan2, atanh
