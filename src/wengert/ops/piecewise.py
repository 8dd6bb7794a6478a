"""Activations made of straight pieces: `relu`, `leaky_relu`, `hardtanh`, `threshold` ..., named as in torch.nn.functional.
Smooth ones are in `activations`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes
from ..core.batched import draw_each, refuse_random
from ..core.inplace import inplace as change
from ..core.modes import LOCAL
from ..core.op import Array, composite, elementwise
from ..core.tensor import wrap
from ..kernels import generator as kernel
from ..kernels import masking
from . import choosing
from .arithmetic import mul
from .choosing import keep, threshold_backward, where

__all__ = ["hardshrink", "prelu", "rrelu", "rrelu_", "threshold", "threshold_"]


def run(row: Any, inplace: bool, *args: Any) -> Any:
    return change(row.op, args) if inplace else row(*args)


def floats_only(name: str, kinds: str = "fV") -> Any:
    def check(input: Any, *_: Any) -> None:
        if input.dtype.kind not in kinds:
            raise NotImplementedError(f"\"{name}\" not implemented for '{dtypes.of(input.dtype).tensor_type}'")

    return check


def in_place(fn: Any) -> Any:
    def changed(input: Any, *args: Any, **kwargs: Any) -> Any:
        return fn(input, *args, inplace=True, **kwargs)

    changed.__name__ = changed.__qualname__ = fn.__name__ + "_"
    changed.__doc__ = f"`{fn.__name__}` in place."
    return changed


@composite("nn.functional.relu")
def functional_relu(input: Any, inplace: bool = False) -> Any:
    """`max(input, 0)`."""
    return run(choosing.relu, inplace, input)


@elementwise(
    "leaky_relu",
    out=False,
    method=False,
    inplace=True,
    input=lambda g, input, negative_slope: where(input > 0, g, g * negative_slope),
    tex=r"\max({input}, 0) + {negative_slope} \min({input}, 0)",
    domain="at 0 the derivative is the slope",
    check=floats_only("leaky_relu_cpu"),
)
def _leaky_relu(input: Array, negative_slope: Any) -> Any:
    if 0 <= negative_slope <= 1:
        return np.maximum(input, input * negative_slope)
    return masking.select(input > 0, input, input * input.dtype.type(negative_slope))


@composite("nn.functional.leaky_relu")
def leaky_relu(input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Any:
    """`input` where positive, else `negative_slope * input`."""
    return run(_leaky_relu, inplace, input, negative_slope)


@elementwise(
    "hardtanh",
    out=False,
    method=False,
    inplace=True,
    input=lambda g, input, min_val, max_val: keep(g, (input > min_val) & (input < max_val)),
    tex=r"\min(\max({input}, {min_val}), {max_val})",
    domain="at a limit the derivative is 0",
)
def _hardtanh(input: Array, min_val: Any, max_val: Any) -> Any:
    if input.dtype.kind == "b":
        raise RuntimeError("Bool inputs not supported for hardtanh")
    if input.dtype.kind == "u" and (min_val < 0 or max_val < 0):
        raise RuntimeError("cannot do hardtanh on an unsigned type with negative limits")
    if input.dtype.kind in "iu":
        min_val, max_val = int(min_val), int(max_val)
    return np.minimum(np.maximum(input, min_val), max_val)


@composite("nn.functional.hardtanh")
def hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Any:
    """`input` limited to `min_val` .. `max_val`."""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    return run(_hardtanh, inplace, input, min_val, max_val)


@composite("nn.functional.relu6")
def relu6(input: Any, inplace: bool = False) -> Any:
    """`input` limited to 0 .. 6."""
    return run(_hardtanh, inplace, input, 0, 6)


@elementwise(
    "hardsigmoid",
    out=False,
    method=False,
    inplace=True,
    input=lambda g, input: keep(g, (input > -3) & (input < 3)) / 6,
    tex=r"\frac{{\min(\max({input} + 3, 0), 6)}}{{6}}",
    domain="at -3 and 3 the derivative is 0",
    check=floats_only("hardsigmoid_cpu"),
)
def _hardsigmoid(input: Array) -> Any:
    return np.minimum(np.maximum(input + 3, 0), 6) / 6


@composite("nn.functional.hardsigmoid")
def hardsigmoid(input: Any, inplace: bool = False) -> Any:
    """A sigmoid of straight pieces: `relu6(input + 3) / 6`."""
    return run(_hardsigmoid, inplace, input)


@elementwise(
    "hardswish",
    out=False,
    method=False,
    inplace=True,
    input=lambda g, input: where(input >= 3, g, keep(g * (input / 3 + 0.5), input > -3)),
    tex=r"{input} \frac{{\min(\max({input} + 3, 0), 6)}}{{6}}",
    domain="at -3 the derivative is 0, at 3 it is 1",
    check=floats_only("hardswish_cpu"),
)
def _hardswish(input: Array) -> Any:
    return input * np.minimum(np.maximum(input + 3, 0), 6) / 6


@composite("nn.functional.hardswish")
def hardswish(input: Any, inplace: bool = False) -> Any:
    """`input * relu6(input + 3) / 6`. A. Howard et al., 2019."""
    return run(_hardswish, inplace, input)


@elementwise(
    "hardshrink",
    input=lambda g, input, lambd: keep(g, ~((input >= -lambd) & (input <= lambd))),
    domain="at -lambd and lambd the derivative is 0",
    check=floats_only("hardshrink_cpu"),
)
def hardshrink(input: Array, lambd: float = 0.5) -> Any:
    """`input`, but 0 within `lambd` of 0."""
    return masking.keep(input, ~((input >= -lambd) & (input <= lambd)))


@composite("nn.functional.hardshrink", method=False, out=True)
def functional_hardshrink(input: Any, lambd: float = 0.5) -> Any:
    """`input`, but 0 within `lambd` of 0."""
    return hardshrink(input, lambd)


def _check_lambd(input: Any, lambd: Any) -> None:
    if not lambd >= 0:
        raise RuntimeError(
            f"lambda must be in range [0, {np.finfo(input.dtype).max:g}] for input dtype "
            f"{dtypes.of(input.dtype).tensor_type.lower()}, but found {lambd:g}"
        )
    floats_only("softshrink_cpu")(input)


@elementwise(
    "softshrink",
    method=False,
    input=lambda g, input, lambd: keep(g, ~((input >= -lambd) & (input <= lambd))),
    tex=r"{input} - \min(\max({input}, -{lambd}), {lambd})",
    domain="at -lambd and lambd the derivative is 0",
    check=_check_lambd,
)
def _softshrink(input: Array, lambd: Any) -> Any:
    if not lambd >= 0:
        raise ValueError
    return input - np.minimum(np.maximum(input, -lambd), lambd)


@composite("nn.functional.softshrink", out=True)
def softshrink(input: Any, lambd: float = 0.5) -> Any:
    """`input` moved towards 0 by `lambd`, and 0 within it."""
    return _softshrink(input, lambd)


@elementwise(
    "threshold",
    method=False,
    inplace=True,
    domain="at the threshold the derivative is 0",
    input=lambda g, input, threshold: threshold_backward(g, ~(input <= threshold)),
)
def _threshold(input: Array, threshold: Any, value: Any) -> Any:
    """`input` where it is above `threshold`, else `value`."""
    if input.dtype.kind == "b":
        raise NotImplementedError("\"threshold_cpu\" not implemented for 'Bool'")
    return masking.select(~(input <= threshold), input, input.dtype.type(value))


@composite("nn.functional.threshold", out=True)
def threshold(input: Any, threshold: float, value: float, inplace: bool = False) -> Any:
    """`input` where it is above `threshold`, else `value`."""
    return run(_threshold, inplace, input, threshold, value)


def threshold_(input: Any, threshold: float, value: float) -> Any:
    """`threshold` in place."""
    return change(_threshold.op, (input, threshold, value))


@elementwise(
    "prelu",
    precision="lower",
    promote="same",
    method=False,
    out=False,
    node="PreluKernelBackward0",
    input=lambda g, input, weight: where(input > 0, g, g * weight),
    weight=lambda g, input: keep(g * input, ~(input > 0)),
    tex=r"\max({input}, 0) + {weight} \min({input}, 0)",
    domain="at 0 the derivative is the slope",
)
def _prelu(input: Array, weight: Array) -> Any:
    return masking.select(input > 0, input, input * weight)


@composite("prelu", precision="lower", method=True)
def prelu(input: Any, weight: Any) -> Any:
    """`input` where positive, else `weight * input`, with one weight or one for each channel (dimension 1)."""
    if input.dtype is not weight.dtype:
        raise RuntimeError(
            f"prelu: Type promoting not supported. Got {input.dtype.tensor_type} and {weight.dtype.tensor_type}"
        )
    n = weight.numel()
    if n != 1:
        if input.ndim == 0:
            raise RuntimeError("Not allow zero-dim input tensor.")
        channels = input.shape[1] if input.ndim > 1 else 1
        if channels != n:
            raise RuntimeError(
                f"Mismatch of parameter numbers and input channel size. Found parameter numbers = {n} and channel size = "
                f"{channels}."
            )
    if weight.ndim > 1:
        raise RuntimeError(f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight.ndim}")
    if input.ndim == weight.ndim == 0 or (input.ndim == 1 and weight.ndim == 1):
        return _prelu(input, weight)
    shape = (1,) * input.ndim if n == 1 else (1, n) + (1,) * (input.ndim - 2)
    return _prelu(input, weight.reshape(shape))


@composite("nn.functional.prelu")
def functional_prelu(input: Any, weight: Any) -> Any:
    """`input` where positive, else `weight * input`."""
    return prelu(input, weight)


@composite("nn.functional.rrelu")
def rrelu(input: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, inplace: bool = False) -> Any:
    """`leaky_relu` whose slopes are drawn anew for each element while training. B. Xu et al., 2015."""
    if not lower <= upper:
        raise RuntimeError(
            f"Lower bound should be less than or equal to the upper bound, lower: {lower:g}, upper: {upper:g}"
        )
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    source = kernel.default_generator

    def slopes(array: Any) -> Any:
        found = np.ones(array.shape, array.dtype)
        below = array <= 0
        found[below] = kernel.uniform(source, (int(below.sum()),), np.float64, lower, upper)
        return found

    if LOCAL.vmap_levels:
        refuse_random()
    return run(mul, inplace, input, wrap(draw_each(slopes, input._array)))


def rrelu_(input: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> Any:
    """`rrelu` in place."""
    return rrelu(input, lower, upper, training, True)


for _fn in (hardtanh, leaky_relu):
    composite(f"nn.functional.{_fn.__name__}_")(in_place(_fn))
for _fn in (choosing.relu_, rrelu_, threshold_):
    composite(f"nn.functional.{_fn.__name__}")(_fn)
