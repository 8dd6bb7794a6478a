"""Arithmetic: + - * / and powers, and what is made of them. Functions of one number are in `pointwise`."""

from __future__ import annotations

import cmath
import math
import warnings
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.inplace import inplace
from ..core.op import Array, composite, elementwise

__all__ = [
    "add", "addcdiv", "addcmul", "copysign", "div", "divide", "float_power", "floor_divide", "fmod", "hypot", "ldexp",
    "lerp", "mul", "multiply", "neg", "negative", "positive", "pow", "reciprocal", "remainder", "rsqrt", "rsub", "sqrt",
    "square", "sub", "subtract", "true_divide",
]  # fmt: skip

NUMBERS: Any = (int, float, complex)


def _kind_of(x: Any) -> int:
    if isinstance(x, NUMBERS):
        return dtypes.of_scalar(x).category
    d = x.dtype
    return (d if isinstance(d, dtypes.dtype) else dtypes.of(d)).category


def need_tensors(function: str, **arguments: Any) -> None:
    """TypeError for numbers where PyTorch wants tensors."""
    for i, (name, value) in enumerate(arguments.items()):
        if isinstance(value, NUMBERS):
            raise TypeError(
                f"{function}(): argument '{name}' (position {i + 1}) must be Tensor, not {type(value).__name__}"
            )


# -- + and - ---------------------------------------------------------------------------------------------------


def _check_sub(input: Any, other: Any) -> None:
    kinds = (_kind_of(input), _kind_of(other))
    if kinds == (dtypes.BOOL, dtypes.BOOL):
        raise RuntimeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` "
            "operator instead."
        )
    if dtypes.BOOL in kinds:
        raise RuntimeError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, use "
            "the `~` or `logical_not()` operator instead."
        )


def _check_alpha(input: Any, other: Any, alpha: Any) -> None:
    kind = max(_kind_of(input), _kind_of(other))
    if isinstance(alpha, bool) and kind != dtypes.BOOL:
        raise RuntimeError("Boolean alpha only supported for Boolean results.")
    if kind <= dtypes.INTEGER and isinstance(alpha, (float, complex)):
        raise RuntimeError("For integral input tensors, argument alpha must not be a floating point number.")
    if kind <= dtypes.FLOATING and isinstance(alpha, complex):
        raise RuntimeError("For non-complex input tensors, argument alpha must not be a complex number.")


def _check_sub_alpha(input: Any, other: Any, alpha: Any) -> None:
    _check_sub(input, other)
    _check_alpha(input, other, alpha)


plus = elementwise(
    "add", np.add, input=1, other=1, inplace=True, of_numbers=True, method=False, tex="{input} + {other}"
)
minus = elementwise(
    "sub",
    np.subtract,
    of_numbers=True,
    input=1,
    other=-1,
    inplace=True,
    method=False,
    node={"": "SubBackward0", "ST": "RsubBackward1"},
    tex="{input} - {other}",
    check=_check_sub,
)


@elementwise(
    "add_scaled",
    of_numbers=True,
    input=1,
    other=lambda alpha: alpha,
    inplace=True,
    method=False,
    node="AddBackward0",
    tex="{input} + {alpha} {other}",
    check=_check_alpha,
)
def plus_scaled(input: Array | float, other: Array | float, alpha: Any) -> Any:
    """`input + alpha * other`."""
    return input + alpha * other


@elementwise(
    "sub_scaled",
    of_numbers=True,
    input=1,
    other=lambda alpha: -alpha,
    inplace=True,
    method=False,
    node={"": "SubBackward0", "ST": "RsubBackward1"},
    tex="{input} - {alpha} {other}",
    check=_check_sub_alpha,
)
def minus_scaled(input: Array | float, other: Array | float, alpha: Any) -> Any:
    """`input - alpha * other`."""
    return input - alpha * other


@composite("add", out=True)
def add(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """`input + alpha * other`."""
    return plus(input, other) if alpha.__class__ is int and alpha == 1 else plus_scaled(input, other, alpha)


@composite("sub", out=True)
def sub(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """`input - alpha * other`."""
    return minus(input, other) if alpha.__class__ is int and alpha == 1 else minus_scaled(input, other, alpha)


@composite("rsub")
def rsub(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """`other - alpha * input`."""
    need_tensors("rsub", input=input)
    return sub(other, input, alpha=alpha)


def _number_first(name: str, alpha: Any, other: Any) -> tuple[Any, Any]:
    """`(other, alpha)` of the deprecated `x.add_(alpha, other)`."""
    warnings.warn(
        f"This overload of {name} is deprecated:\n\t{name}(Number alpha, Tensor other)\nConsider using one of the following "
        f"signatures instead:\n\t{name}(Tensor other, *, Number alpha = 1)",
        UserWarning,
        stacklevel=3,
    )
    return other, alpha


def add_(self: Any, other: Any, scaled: Any = None, *, alpha: Any = 1) -> Any:
    """`self += alpha * other`."""
    if scaled is not None:
        other, alpha = _number_first("add_", other, scaled)
    return inplace(plus.op, (self, other)) if alpha == 1 else inplace(plus_scaled.op, (self, other, alpha))


def sub_(self: Any, other: Any, scaled: Any = None, *, alpha: Any = 1) -> Any:
    """`self -= alpha * other`."""
    if scaled is not None:
        other, alpha = _number_first("sub_", other, scaled)
    return inplace(minus.op, (self, other)) if alpha == 1 else inplace(minus_scaled.op, (self, other, alpha))


def _check_neg(input: Any) -> None:
    if input.dtype.kind == "b":
        raise RuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, use the "
            "`~` or `logical_not()` operator instead."
        )


neg = elementwise("neg", np.negative, input=-1, inplace=True, tex="-{input}", check=_check_neg)


@composite("positive")
def positive(input: Any) -> Any:
    """`input` itself; bool tensors have no sign."""
    if input.dtype == np.bool_ or input.dtype is dtypes.bool_:
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


# -- * and / ---------------------------------------------------------------------------------------------------

mul = elementwise(
    "mul",
    np.multiply,
    of_numbers=True,
    input=lambda other: other,
    other=lambda input: input,
    inplace=True,
    tex=r"{input} \cdot {other}",
)
over = elementwise(
    "div",
    np.true_divide,
    of_numbers=True,
    promote="float",
    input=lambda other: 1 / other,
    other=lambda input, other: -input / other / other,  # other * other might overflow
    inplace=True,
    method=False,
    tex=r"\frac{{{input}}}{{{other}}}",
)


def _no_zero(other: Any) -> None:
    if not np.all(other):
        raise RuntimeError("ZeroDivisionError")


def _floored(input: Any, other: Any) -> Any:
    if np.result_type(input, other).kind in "iu":
        _no_zero(other)
    return np.floor_divide(input, other)


def _truncated(input: Any, other: Any) -> Any:
    if np.result_type(input, other).kind not in "iu":
        return np.trunc(np.true_divide(input, other))
    _no_zero(other)
    down = np.floor_divide(input, other)
    inexact = (down * other != input) & ((np.less(input, 0)) != np.less(other, 0))
    return down + inexact


def _check_mode(input: Any, other: Any, rounding_mode: Any) -> None:
    if rounding_mode not in ("trunc", "floor"):
        raise RuntimeError(
            f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'"
        )


@elementwise(
    "div_rounded", input=0, other=0, inplace=True, method=False, check=_check_mode, of_numbers=True,
    node={"": "DivBackward1", "TS": "DivBackward2"},
    domain="constant between integers: the derivative is 0",
)  # fmt: skip
def over_rounded(input: Array | float, other: Array | float, rounding_mode: Any) -> Any:
    """The quotient rounded down (`"floor"`) or towards zero (`"trunc"`)."""
    if rounding_mode not in ("floor", "trunc"):
        raise ValueError(rounding_mode)
    return _floored(input, other) if rounding_mode == "floor" else _truncated(input, other)


@composite("div", out=True)
def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    """`input / other`; with `rounding_mode` "floor" or "trunc" rounded to an integer, and of the operands' dtype."""
    return over(input, other) if rounding_mode is None else over_rounded(input, other, rounding_mode)


def div_(self: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    """`self /= other`."""
    if rounding_mode is None:
        return inplace(over.op, (self, other))
    return inplace(over_rounded.op, (self, other, rounding_mode))


@composite("true_divide", out=True)
def true_divide(input: Any, other: Any) -> Any:
    """`input / other`."""
    return over(input, other)


def _not_of_bools(kernel: str) -> Any:
    """A check: PyTorch has no such kernel for two bools."""

    def check(input: Any, other: Any) -> None:
        if _kind_of(input) == _kind_of(other) == dtypes.BOOL:
            raise NotImplementedError(f"\"{kernel}\" not implemented for 'Bool'")

    return check


def not_of_integers(kernel: str) -> Any:
    """A check: PyTorch has no such kernel for integers and bools."""

    def check(input: Any, other: Any) -> None:
        common = dtypes.result_type((input, other))
        if common.category < dtypes.FLOATING:
            raise NotImplementedError(f"\"{kernel}\" not implemented for '{common.tensor_type}'")

    return check


@elementwise("floor_divide", inplace=True, of_numbers=True, check=_not_of_bools("div_floor_cpu"))
def floor_divide(input: Array | float, other: Array | float) -> Any:
    """The quotient rounded down. Not differentiable (`div(rounding_mode="floor")` is, with derivative 0)."""
    return _floored(input, other)


@elementwise(
    "remainder",
    input=1,
    other=lambda input, other: -over_rounded(input, other, "floor"),
    inplace=True,
    check=_not_of_bools("remainder_cpu"),
    node={"": "RemainderBackward1", "TS": "RemainderBackward0"},
    tex=r"{input} \bmod {other}",
)
def remainder(input: Array | float, other: Array | float) -> Any:
    """What is left of `input` after whole `other`s, with the sign of `other`."""
    if np.result_type(input, other).kind in "iu":
        _no_zero(other)
    return np.remainder(input, other)


@elementwise(
    "fmod",
    input=1,
    other=lambda input, other: -over_rounded(input, other, "trunc"),
    inplace=True,
    check=_not_of_bools("fmod_cpu"),
    node={"": "FmodBackward1", "TS": "FmodBackward0"},
)
def fmod(input: Array, other: Array | float) -> Any:
    """What is left of `input` after whole `other`s, with the sign of `input`."""
    if np.result_type(input, other).kind in "iu":
        _no_zero(other)
    return np.fmod(input, other)


reciprocal = elementwise(
    "reciprocal",
    np.reciprocal,
    promote="float",
    inplace=True,
    input=lambda out: -(out * out),
    tex=r"\frac{{1}}{{{input}}}",
)

# -- powers and roots ------------------------------------------------------------------------------------------

sqrt = elementwise(
    "sqrt", np.sqrt, promote="float", inplace=True, input=lambda out: 1 / (2 * out), tex=r"\sqrt{{{input}}}"
)


@elementwise("rsqrt", promote="float", inplace=True, input=lambda out: -0.5 * (out * out * out))
def rsqrt(input: Array) -> Any:
    """`1 / sqrt(input)`."""
    return np.reciprocal(np.sqrt(input))


def _check_power(input: Any, exponent: Any) -> None:
    if isinstance(exponent, int) and exponent < 0 and _kind_of(input) <= dtypes.INTEGER:
        raise RuntimeError("Integers to negative integer powers are not allowed.")


def _power(a: Any, e: Any) -> Any:
    """`a ** e` for a number `e`, by multiplication or a root where that gives the same."""
    if e.__class__ is np.ndarray or isinstance(e, np.generic):
        e = e.item()
    if e == 2:
        return a * a
    if e == 3:
        return a * a * a
    if e == 0.5 and a.dtype.kind == "f":
        return np.sqrt(a)
    if e == -1 and a.dtype.kind in "fcV":
        return np.reciprocal(a)
    if e == 1:
        return np.positive(a) if a.dtype.kind != "b" else a.copy()
    return np.power(a, e)


@elementwise(
    "pow_number",
    node="PowBackward0",
    input=lambda input, exponent: 0 if exponent == 0 else exponent * pow(input, exponent - 1),
    inplace=True,
    method=False,
    check=_check_power,
    tex="{input}^{{{exponent}}}",
    domain="the derivative for exponent 0 is 0, at 0 too",
)
def _pow_number(input: Array, exponent: Array | float) -> Any:
    """`input ** exponent` for a number `exponent`."""
    return _power(input, exponent)


@elementwise(
    "pow_base",
    node="PowBackward2",
    exponent=lambda base, exponent, out: (
        where(exponent.real >= 0, 0, -math.inf) if base == 0 else out * _log_number(base, exponent)
    ),
    method=False,
    tex="{base}^{{{exponent}}}",
)
def _pow_base(base: Array | float, exponent: Array) -> Any:
    """`base ** exponent` for a number `base`."""
    return (
        np.exp2(exponent)
        if base.__class__ in NUMBERS and base == 2 and exponent.dtype.kind == "f"
        else np.power(base, exponent)
    )


def _log_number(x: Any, exponent: Any) -> Any:
    if (
        isinstance(x, complex) or exponent.dtype.kind == "c"
        if hasattr(exponent.dtype, "kind")
        else exponent.is_complex()
    ):
        return cmath.log(x)
    return math.log(x) if x > 0 else math.nan


@elementwise(
    "pow",
    node="PowBackward1",
    input=lambda input, exponent: where(exponent == 0, 0, exponent * _pow_tensors(input, exponent - 1)),
    exponent=lambda input, exponent, out: where((input == 0) & (exponent.real >= 0), 0, out * log(input)),
    inplace=True,
    check=_not_of_bools("pow"),
    method=False,
    tex="{input}^{{{exponent}}}",
    domain="0 ** y has derivative 0 in y where y >= 0",
)
def _pow_tensors(input: Array, exponent: Array) -> Any:
    """`input ** exponent`, elementwise."""
    if input.dtype.kind in "iu" and exponent.dtype.kind == "i" and (exponent < 0).any():
        return _negative_integer_power(input, exponent)
    return np.power(input, exponent)


def _negative_integer_power(a: Any, e: Any) -> Any:
    """Integers to negative powers, which PyTorch computes for tensors: 0 unless the base is 1 or -1."""
    unit = np.where(a == 1, 1, np.where(a == -1, 1 - 2 * (e % 2), 0)).astype(a.dtype)
    return np.where(e < 0, unit, np.power(a, np.maximum(e, 0)))


def pow(input: Any, exponent: Any, *, out: Any = None) -> Any:
    """`input ** exponent`, of tensors or numbers (not two numbers)."""
    if isinstance(exponent, NUMBERS):
        return _pow_number(input, exponent, out=out)
    if isinstance(input, NUMBERS):
        return _pow_base(input, exponent, out=out)
    return _pow_tensors(input, exponent, out=out)


def pow_(self: Any, exponent: Any) -> Any:
    """`self **= exponent`."""
    return inplace((_pow_number if isinstance(exponent, NUMBERS) else _pow_tensors).op, (self, exponent))


@composite("float_power", out=True)
def float_power(input: Any, exponent: Any) -> Any:
    """`input ** exponent` computed in float64, or complex128."""
    complex_ = any(_kind_of(x) == dtypes.COMPLEX for x in (input, exponent))
    wide = dtypes.complex128 if complex_ else dtypes.float64

    def widen(x: Any) -> Any:
        return x if isinstance(x, NUMBERS) else convert(x, wide)

    if isinstance(exponent, NUMBERS) and not complex_:
        exponent = float(exponent)
    return pow(
        widen(input) if not isinstance(input, NUMBERS) else float(input) if not complex_ else input, widen(exponent)
    )


def float_power_(self: Any, exponent: Any) -> Any:
    """`self **= exponent`, for a tensor that is float64 or complex128 already."""
    wide = dtypes.complex128 if dtypes.COMPLEX in (_kind_of(self), _kind_of(exponent)) else dtypes.float64
    if self.dtype is not wide:
        raise RuntimeError(
            f"the base given to float_power_ has dtype {self.dtype.tensor_type} but the operation's result requires "
            f"dtype {wide.tensor_type}"
        )
    return pow_(self, exponent)


@elementwise("square", node="PowBackward0", input=lambda input: 2 * input, inplace=True, tex="{input}^2")
def square(input: Array) -> Any:
    """`input ** 2`."""
    return input * input


@composite("ldexp", out=True, inplace=True)
def ldexp(input: Any, other: Any) -> Any:
    """`input * 2 ** other`."""
    need_tensors("ldexp", input=input, other=other)
    if _kind_of(input) == dtypes.FLOATING and _kind_of(other) == dtypes.INTEGER:
        return _scaled(input, other)
    if _kind_of(input) == dtypes.COMPLEX and _kind_of(other) < dtypes.FLOATING:
        other = convert(other, input.dtype.to_real())
    return mul(input, pow(2.0, other))


@elementwise("ldexp_whole", promote=None, method=False, node="LdexpBackward0", input=lambda g, other: _scaled(g, other))
def _scaled(input: Array, other: Array) -> Any:
    """`input * 2 ** other` for whole `other`, in the dtype of `input`."""
    power = np.clip(other, -10_000, 10_000).astype(np.int32)
    return np.ldexp(input.astype(np.float32) if input.dtype.kind == "V" else input, power).astype(input.dtype)


# -- compound --------------------------------------------------------------------------------------------------


@elementwise(
    "addcmul",
    input=1,
    tensor1=lambda tensor2, value: tensor2 * value,
    tensor2=lambda tensor1, value: tensor1 * value,
    inplace=True,
    tex="{input} + {value} {tensor1} {tensor2}",
)
def addcmul(input: Array, tensor1: Array, tensor2: Array, *, value: Any = 1) -> Any:
    """`input + value * tensor1 * tensor2`."""
    return input + (tensor1 * tensor2 if value == 1 else value * tensor1 * tensor2)


def _check_addcdiv(input: Any, tensor1: Any, tensor2: Any, value: Any) -> None:
    if max(_kind_of(tensor1), _kind_of(tensor2)) <= dtypes.INTEGER:
        raise RuntimeError(
            "Integer division with addcdiv is no longer supported, and in a future  release addcdiv will perform a true "
            "division of tensor1 and tensor2. The historic addcdiv behavior can be implemented as (input + value * "
            "torch.trunc(tensor1 / tensor2)).to(input.dtype) for integer inputs and as (input + value * tensor1 / "
            "tensor2) for float inputs. The future addcdiv behavior is just the latter implementation: (input + value * "
            "tensor1 / tensor2), for all dtypes."
        )


@elementwise(
    "addcdiv",
    input=1,
    tensor1=lambda tensor2, value: value / tensor2,
    tensor2=lambda tensor1, tensor2, value: -value * (tensor1 / (tensor2 * tensor2)),
    inplace=True,
    check=_check_addcdiv,
    tex=r"{input} + {value} \frac{{{tensor1}}}{{{tensor2}}}",
)
def addcdiv(input: Array, tensor1: Array, tensor2: Array, *, value: Any = 1) -> Any:
    """`input + value * tensor1 / tensor2`."""
    return input + (tensor1 / tensor2 if value == 1 else value * tensor1 / tensor2)


def value_first(name: str, method: Any) -> Any:
    """`x.addcmul_(tensor1, tensor2, value=v)`, also in the order (v, tensor1, tensor2) of PyTorch's first years."""

    def either(self: Any, *args: Any, **kwargs: Any) -> Any:
        if len(args) != 3:
            return method(self, *args, **kwargs)
        warnings.warn(
            f"This overload of {name} is deprecated:\n\t{name}(Number value, Tensor tensor1, Tensor tensor2)\nConsider using "
            f"one of the following signatures instead:\n\t{name}(Tensor tensor1, Tensor tensor2, *, Number value = 1)",
            UserWarning,
            stacklevel=2,
        )
        return method(self, *args[1:], value=args[0], **kwargs)

    either.__name__ = either.__qualname__ = name
    either.__doc__ = method.__doc__
    return either


def _check_lerp(input: Any, end: Any, weight: Any) -> None:
    for name, a in (("end", end), ("weight", weight)):
        if hasattr(a, "dtype") and a.dtype != input.dtype:
            words = [_C_WORDS.get(x.dtype.name, x.dtype.name) for x in (input, a)]
            raise RuntimeError(f"expected dtype {words[0]} for `{name}` but got dtype {words[1]}")


_C_WORDS = {"float32": "float", "float64": "double", "float16": "c10::Half", "int64": "long int"}
_C_WORDS |= {"complex64": "c10::complex<float>", "complex128": "c10::complex<double>", "int32": "int"}


@elementwise(
    "lerp",
    input=lambda weight: 1 - weight,
    end=lambda weight: weight,
    weight=lambda input, end: end - input,
    inplace=True,
    node={"": "LerpBackward1", "TTS": "LerpBackward0"},
    check=_check_lerp,
    tex="{input} + {weight} ({end} - {input})",
)
def lerp(input: Array, end: Array, weight: Array | float) -> Any:
    """`input + weight * (end - input)`, computed from the nearer end."""
    if np.ndim(weight) == 0:
        return input + weight * (end - input) if abs(weight) < 0.5 else end - (end - input) * (1 - weight)
    return np.where(np.abs(weight) < 0.5, input + weight * (end - input), end - (end - input) * (1 - weight))


@elementwise(
    "hypot",
    input=lambda input, out: input / out,
    other=lambda other, out: other / out,
    inplace=True,
    check=not_of_integers("hypot_cpu"),
)
def hypot(input: Array, other: Array) -> Any:
    """`sqrt(input**2 + other**2)` without overflow."""
    return np.hypot(input, other)


copysign = elementwise(
    "copysign",
    np.copysign,
    promote="float",
    numbers="other",
    node={"": "CopysignBackward0", "TS": "CopysignBackward1"},
    input=lambda input, out: where(input == 0, 0, out / input),
    other=0,
    inplace=True,
    domain="at 0 the derivative is taken as 0",
)

subtract, multiply, divide, negative = sub, mul, div, neg

from .conversion import convert  # noqa: E402  (the tables use each other: whatever is named in a rule may be stated later)
from .pointwise import log, where  # noqa: E402
