"""Arithmetic: + - * / and powers, and what is made of them. Functions of one number are in `pointwise`."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.blocks import doubled
from ..core.inplace import inplace
from ..core.modes import LOCAL
from ..core.op import Array, composite, elementwise
from ..kernels import narrow

__all__ = [
    "add", "div", "divide", "floor_divide", "fmod", "mul", "multiply", "neg", "negative", "positive", "reciprocal",
    "remainder", "rsub", "sub", "subtract", "true_divide",
]  # fmt: skip

NUMBERS: Any = (int, float, complex)


def kind_of(x: Any) -> int:
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
    kinds = (kind_of(input), kind_of(other))
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
    kind = max(kind_of(input), kind_of(other))
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


def _product_back(g: Any, a: Any, b: Any) -> Any:
    """Both gradients of a product at once, where that saves something; those of a square are one, doubled."""
    if LOCAL.observers:  # who are told what each argument gets
        return None
    if a is not b:
        return narrow.product_back(g, a, b)
    if a.shape != g.shape or a.dtype is not g.dtype or not a.flags.c_contiguous:
        return None
    return doubled(g, a), None


mul = elementwise(
    "mul",
    np.multiply,
    of_numbers=True,
    input=lambda other: other,
    other=lambda input: input,
    fused=lambda g, input, other: _product_back(g, input, other),
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
    fused=lambda g, input, other: None if LOCAL.observers else narrow.quotient_back(g, input, other),
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


def not_of_bools(kernel: str) -> Any:
    """A check: PyTorch has no such kernel for two bools."""

    def check(input: Any, other: Any) -> None:
        if kind_of(input) == kind_of(other) == dtypes.BOOL:
            raise NotImplementedError(f"\"{kernel}\" not implemented for 'Bool'")

    return check


def not_of_integers(kernel: str) -> Any:
    """A check: PyTorch has no such kernel for integers and bools."""

    def check(input: Any, other: Any) -> None:
        common = dtypes.result_type((input, other))
        if common.category < dtypes.FLOATING:
            raise NotImplementedError(f"\"{kernel}\" not implemented for '{common.tensor_type}'")

    return check


@elementwise("floor_divide", inplace=True, of_numbers=True, check=not_of_bools("div_floor_cpu"))
def floor_divide(input: Array | float, other: Array | float) -> Any:
    """The quotient rounded down. Not differentiable (`div(rounding_mode="floor")` is, with derivative 0)."""
    return _floored(input, other)


@elementwise(
    "remainder",
    input=1,
    other=lambda input, other: -over_rounded(input, other, "floor"),
    inplace=True,
    check=not_of_bools("remainder_cpu"),
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
    check=not_of_bools("fmod_cpu"),
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

subtract, multiply, divide, negative = sub, mul, div, neg
