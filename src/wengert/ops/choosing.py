"""Choices between numbers: `where`, `masked_fill`, `fill`; and limits: `clamp`, `maximum`, `relu`, `nan_to_num`. At a tie the
derivative is shared as PyTorch does. Smooth functions of one number are in `pointwise`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes
from ..core.batched import refuse_dynamic
from ..core.inplace import inplace
from ..core.op import Array, composite, elementwise
from ..kernels import masking
from .comparison import isfinite, isnan

__all__ = [
    "clamp", "clamp_max", "clamp_min", "clip", "fill", "fmax", "fmin", "masked_fill", "maximum", "minimum", "nan_to_num",
    "relu", "relu_", "where",
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


clip = clamp


clip = clamp
