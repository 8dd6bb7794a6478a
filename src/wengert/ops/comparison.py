"""Comparisons, tests and logic: operations whose result is bool, and bitwise ones. None has a derivative."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes
from ..core.batched import Batched
from ..core.op import Array, composite, elementwise

__all__ = [
    "allclose", "bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor",
    "eq", "equal", "ge", "greater", "greater_equal", "gt", "isclose", "isfinite", "isinf", "isnan", "isneginf", "isposinf",
    "isreal", "le", "less", "less_equal", "logical_and", "logical_not", "logical_or", "logical_xor", "lt", "ne",
    "not_equal", "signbit",
]  # fmt: skip


def _no_order(name: str) -> Any:
    def check(input: Any, other: Any) -> None:
        if any(
            isinstance(x, complex) or (getattr(x, "dtype", None) is not None and x.dtype.kind == "c")
            for x in (input, other)
        ):
            word = dtypes.result_type([input, other]).tensor_type
            raise NotImplementedError(f"\"{name}_cpu\" not implemented for '{word}'")

    return check


eq = elementwise("eq", np.equal, promote="bool", numbers="other", inplace=True, tex="{input} = {other}")
ne = elementwise("ne", np.not_equal, promote="bool", numbers="other", inplace=True, tex=r"{input} \ne {other}")
lt = elementwise(
    "lt", np.less, promote="bool", numbers="other", inplace=True, check=_no_order("lt"), tex="{input} < {other}"
)
le = elementwise(
    "le",
    np.less_equal,
    promote="bool",
    numbers="other",
    inplace=True,
    check=_no_order("le"),
    tex=r"{input} \le {other}",
)
gt = elementwise(
    "gt", np.greater, promote="bool", numbers="other", inplace=True, check=_no_order("gt"), tex="{input} > {other}"
)
ge = elementwise(
    "ge",
    np.greater_equal,
    promote="bool",
    numbers="other",
    inplace=True,
    check=_no_order("ge"),
    tex=r"{input} \ge {other}",
)
not_equal, less, less_equal, greater, greater_equal = ne, lt, le, gt, ge

logical_and = elementwise("logical_and", np.logical_and, promote="bool", numbers="none", inplace=True)
logical_or = elementwise("logical_or", np.logical_or, promote="bool", numbers="none", inplace=True)
logical_xor = elementwise("logical_xor", np.logical_xor, promote="bool", numbers="none", inplace=True)
logical_not = elementwise("logical_not", np.logical_not, promote="bool", numbers="none", inplace=True)

isnan = elementwise("isnan", np.isnan, promote=None, out=False)
isfinite = elementwise("isfinite", np.isfinite, promote=None, out=False)
isinf = elementwise("isinf", np.isinf, promote=None, out=False)


@elementwise("isposinf", promote=None)
def isposinf(input: Array) -> Any:
    """Is the element plus infinity?"""
    _refuse_complex("isposinf", input)
    return input == np.inf


@elementwise("isneginf", promote=None)
def isneginf(input: Array) -> Any:
    """Is the element minus infinity?"""
    _refuse_complex("isneginf", input)
    return input == -np.inf


def _refuse_complex(name: str, input: Any) -> None:
    if input.dtype.kind == "c":
        raise RuntimeError(f"{name} does not support complex inputs.")


@elementwise("isreal", promote=None, out=False)
def isreal(input: Array) -> Any:
    """Is the imaginary part 0?"""
    return np.equal(input.imag, 0)


@elementwise("signbit", promote=None)
def signbit(input: Array) -> Any:
    """Is the element negative, -0.0 included?"""
    if input.dtype.kind == "c":
        raise RuntimeError("signbit is not implemented for complex tensors.")
    return np.signbit(input) if input.dtype.kind == "f" else np.less(input, 0)


@elementwise("isclose", promote=None, out=False)
def isclose(input: Array, other: Array, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Any:
    """Is `|input - other| <= atol + rtol * |other|`, or are both equal?"""
    if input.dtype != other.dtype:
        names = [dtypes.of(a.dtype).tensor_type for a in (input, other)]
        raise RuntimeError(f"{names[0]} did not match {names[1]}")
    if rtol < 0:
        raise RuntimeError(f"rtol must be greater than or equal to zero, but got {rtol:g}")
    if atol < 0:
        raise RuntimeError(f"atol must be greater than or equal to zero, but got {atol:g}")
    close = np.equal(input, other)
    if equal_nan and input.dtype.kind in "fcV":
        close |= np.isnan(input) & np.isnan(other)
    if rtol == 0 and atol == 0:
        return close
    wide = input if input.dtype.kind in "fcV" else input.astype(np.float64)
    allowed = atol + np.abs(rtol * other)
    error = np.abs(wide - other)
    return close | (np.isfinite(error) & (error <= allowed))


@composite("allclose")
def allclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Are all elements close? See `isclose`."""
    a, b = _array(input), _array(other)
    if a.__class__ is Batched or b.__class__ is Batched:
        raise RuntimeError(
            "vmap over torch.allclose isn't supported yet; the answers for the examples may differ. Use "
            "torch.isclose(...).all() and look at the result outside of vmap."
        )
    return bool(np.all(isclose.op.forward(a, b, rtol, atol, equal_nan)))


@composite("equal")
def equal(input: Any, other: Any) -> bool:
    """The same shape and the same elements?"""
    a, b = _array(input), _array(other)
    if a.__class__ is Batched or b.__class__ is Batched:
        raise RuntimeError("Batching rule not implemented for aten::equal; the results of the examples may differ.")
    if a.shape != b.shape:
        return False
    return bool(np.all(a == b))


def _array(x: Any) -> Any:
    return getattr(x, "_array", x)


# -- bitwise ---------------------------------------------------------------------------------------------------


def _integral(name: str) -> Any:
    def check(input: Any, other: Any) -> None:
        common = dtypes.result_type([input, other])
        if common.category > dtypes.INTEGER or (name.endswith("shift") and common is dtypes.bool_):
            word = "lshift" if name.endswith("left_shift") else "rshift" if name.endswith("right_shift") else name
            raise NotImplementedError(f"\"{word}_cpu\" not implemented for '{common.tensor_type}'")

    return check


bitwise_and = elementwise("bitwise_and", np.bitwise_and, inplace=True, check=_integral("bitwise_and"))
bitwise_or = elementwise("bitwise_or", np.bitwise_or, inplace=True, check=_integral("bitwise_or"))
bitwise_xor = elementwise("bitwise_xor", np.bitwise_xor, inplace=True, check=_integral("bitwise_xor"))


@elementwise("bitwise_not", inplace=True)
def bitwise_not(input: Array) -> Any:
    """Every bit flipped; for bool, `not`."""
    if input.dtype.kind not in "biu":
        word = dtypes.of(input.dtype).tensor_type
        raise NotImplementedError(f"\"bitwise_not_cpu\" not implemented for '{word}'")
    return np.invert(input)


bitwise_left_shift = elementwise(
    "bitwise_left_shift", np.left_shift, inplace=True, check=_integral("bitwise_left_shift")
)
bitwise_right_shift = elementwise(
    "bitwise_right_shift", np.right_shift, inplace=True, check=_integral("bitwise_right_shift")
)
