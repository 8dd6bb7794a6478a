"""Powers and roots. The reciprocal is in `arithmetic`, exponentials are in `pointwise`."""

from __future__ import annotations

import cmath
import math
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.inplace import inplace
from ..core.op import Array, composite, elementwise
from .arithmetic import NUMBERS, kind_of, mul, need_tensors, not_of_bools
from .choosing import where
from .conversion import convert

__all__ = ["float_power", "ldexp", "pow", "rsqrt", "sqrt", "square"]


# -- powers and roots ------------------------------------------------------------------------------------------

sqrt = elementwise(
    "sqrt", np.sqrt, promote="float", inplace=True, input=lambda out: 1 / (2 * out), tex=r"\sqrt{{{input}}}"
)


@elementwise("rsqrt", promote="float", inplace=True, input=lambda out: -0.5 * (out * out * out))
def rsqrt(input: Array) -> Any:
    """`1 / sqrt(input)`."""
    return np.reciprocal(np.sqrt(input))


def _check_power(input: Any, exponent: Any) -> None:
    if isinstance(exponent, int) and exponent < 0 and kind_of(input) <= dtypes.INTEGER:
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
    check=not_of_bools("pow"),
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
    complex_ = any(kind_of(x) == dtypes.COMPLEX for x in (input, exponent))
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
    wide = dtypes.complex128 if dtypes.COMPLEX in (kind_of(self), kind_of(exponent)) else dtypes.float64
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
    if kind_of(input) == dtypes.FLOATING and kind_of(other) == dtypes.INTEGER:
        return _scaled(input, other)
    if kind_of(input) == dtypes.COMPLEX and kind_of(other) < dtypes.FLOATING:
        other = convert(other, input.dtype.to_real())
    return mul(input, pow(2.0, other))


@elementwise("ldexp_whole", promote=None, method=False, node="LdexpBackward0", input=lambda g, other: _scaled(g, other))
def _scaled(input: Array, other: Array) -> Any:
    """`input * 2 ** other` for whole `other`, in the dtype of `input`."""
    power = np.clip(other, -10_000, 10_000).astype(np.int32)
    return np.ldexp(input.astype(np.float32) if input.dtype.kind == "V" else input, power).astype(input.dtype)


from .pointwise import log  # noqa: E402  (the tables use each other: whatever is named in a rule may be stated later)
