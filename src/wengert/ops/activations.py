"""Activations of neural networks, named as in torch.nn.functional. A row is the mathematics; the public function beside
it has PyTorch's `inplace=` argument."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.batched import draw_each, refuse_random
from ..core.inplace import inplace as change
from ..core.modes import LOCAL
from ..core.op import Array, composite, elementwise
from ..core.tensor import wrap
from ..kernels import generator as kernel
from ..kernels import masking, special
from . import choosing, pointwise
from .arithmetic import mul
from .choosing import clamp, keep, threshold_backward, where
from .pointwise import exp, sigmoid, tanh
from .special import erf

__all__ = [
    "celu", "celu_", "hardshrink", "prelu", "rrelu", "rrelu_", "selu", "selu_", "threshold", "threshold_"
]  # fmt: skip


def _run(row: Any, inplace: bool, *args: Any) -> Any:
    return change(row.op, args) if inplace else row(*args)


def _floats_only(name: str, kinds: str = "fV") -> Any:
    def check(input: Any, *_: Any) -> None:
        if input.dtype.kind not in kinds:
            raise NotImplementedError(f"\"{name}\" not implemented for '{dtypes.of(input.dtype).tensor_type}'")

    return check


# -- made of straight pieces -----------------------------------------------------------------------------------


@composite("nn.functional.relu")
def functional_relu(input: Any, inplace: bool = False) -> Any:
    """`max(input, 0)`."""
    return _run(choosing.relu, inplace, input)


@elementwise(
    "leaky_relu",
    out=False,
    method=False,
    inplace=True,
    input=lambda g, input, negative_slope: where(input > 0, g, g * negative_slope),
    tex=r"\max({input}, 0) + {negative_slope} \min({input}, 0)",
    domain="at 0 the derivative is the slope",
    check=_floats_only("leaky_relu_cpu"),
)
def _leaky_relu(input: Array, negative_slope: Any) -> Any:
    if 0 <= negative_slope <= 1:
        return np.maximum(input, input * negative_slope)
    return masking.select(input > 0, input, input * input.dtype.type(negative_slope))


@composite("nn.functional.leaky_relu")
def leaky_relu(input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Any:
    """`input` where positive, else `negative_slope * input`."""
    return _run(_leaky_relu, inplace, input, negative_slope)


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
    return _run(_hardtanh, inplace, input, min_val, max_val)


@composite("nn.functional.relu6")
def relu6(input: Any, inplace: bool = False) -> Any:
    """`input` limited to 0 .. 6."""
    return _run(_hardtanh, inplace, input, 0, 6)


@elementwise(
    "hardsigmoid",
    out=False,
    method=False,
    inplace=True,
    input=lambda g, input: keep(g, (input > -3) & (input < 3)) / 6,
    tex=r"\frac{{\min(\max({input} + 3, 0), 6)}}{{6}}",
    domain="at -3 and 3 the derivative is 0",
    check=_floats_only("hardsigmoid_cpu"),
)
def _hardsigmoid(input: Array) -> Any:
    return np.minimum(np.maximum(input + 3, 0), 6) / 6


@composite("nn.functional.hardsigmoid")
def hardsigmoid(input: Any, inplace: bool = False) -> Any:
    """A sigmoid of straight pieces: `relu6(input + 3) / 6`."""
    return _run(_hardsigmoid, inplace, input)


@elementwise(
    "hardswish",
    out=False,
    method=False,
    inplace=True,
    input=lambda g, input: where(input >= 3, g, keep(g * (input / 3 + 0.5), input > -3)),
    tex=r"{input} \frac{{\min(\max({input} + 3, 0), 6)}}{{6}}",
    domain="at -3 the derivative is 0, at 3 it is 1",
    check=_floats_only("hardswish_cpu"),
)
def _hardswish(input: Array) -> Any:
    return input * np.minimum(np.maximum(input + 3, 0), 6) / 6


@composite("nn.functional.hardswish")
def hardswish(input: Any, inplace: bool = False) -> Any:
    """`input * relu6(input + 3) / 6`. A. Howard et al., 2019."""
    return _run(_hardswish, inplace, input)


@elementwise(
    "hardshrink",
    input=lambda g, input, lambd: keep(g, ~((input >= -lambd) & (input <= lambd))),
    domain="at -lambd and lambd the derivative is 0",
    check=_floats_only("hardshrink_cpu"),
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
    _floats_only("softshrink_cpu")(input)


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
    return _run(_threshold, inplace, input, threshold, value)


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
    return _run(mul, inplace, input, wrap(draw_each(slopes, input._array)))


def rrelu_(input: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> Any:
    """`rrelu` in place."""
    return rrelu(input, lower, upper, training, True)


# -- exponential -----------------------------------------------------------------------------------------------


@elementwise(
    "elu",
    method=False,
    out=False,
    inplace=True,
    input=lambda input, alpha, scale, input_scale: where(
        input > 0, scale, (alpha * scale * input_scale) * exp(input_scale * clamp(input, None, 0))
    ),
    check=_floats_only("elu_cpu"),
    tex=r"{scale} (\max({input}, 0) + {alpha} (e^{{{input_scale} \min({input}, 0)}} - 1))",
    domain="at 0 the derivative is that from below",
)
def _elu(input: Array, alpha: Any, scale: Any = 1, input_scale: Any = 1) -> Any:
    below = np.expm1(np.minimum(input, 0) * input_scale) * (alpha * scale)
    return np.maximum(input, 0) * scale + below


@composite("nn.functional.elu")
def elu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Any:
    """`input` where positive, else `alpha * (exp(input) - 1)`. D.-A. Clevert et al., 2015."""
    return _run(_elu, inplace, input, alpha, 1, 1)


@composite("nn.functional.celu")
def celu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Any:
    """`input` where positive, else `alpha * (exp(input / alpha) - 1)`. J. Barron, 2017."""
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return _run(_elu, inplace, input, alpha, 1, 1 / alpha)


# Chosen so that mean 0 and variance 1 are kept: G. Klambauer et al., 2017.
_SELU_ALPHA = 1.6732632423543772
_SELU_SCALE = 1.0507009873554805


@composite("nn.functional.selu")
def selu(input: Any, inplace: bool = False) -> Any:
    """`elu` scaled so that mean 0 and variance 1 are kept from layer to layer. G. Klambauer et al., 2017."""
    return _run(_elu, inplace, input, _SELU_ALPHA, _SELU_SCALE, 1)


def celu_(input: Any, alpha: float = 1.0) -> Any:
    """`celu` in place."""
    return celu(input, alpha, True)


def selu_(input: Any) -> Any:
    """`selu` in place."""
    return selu(input, True)


_ROOT_HALF = math.sqrt(0.5)
_ROOT_2_BY_PI = math.sqrt(2 / math.pi)


def _gelu_slope(input: Any, approximate: str) -> Any:
    if approximate == "none":
        return 0.5 * (1 + erf(input * _ROOT_HALF)) + input * exp(-0.5 * input * input) / math.sqrt(2 * math.pi)
    t = tanh(_ROOT_2_BY_PI * (input + 0.044715 * input * input * input))
    return 0.5 * (1 + t) + 0.5 * input * (1 - t * t) * (_ROOT_2_BY_PI * (1 + 0.134145 * input * input))


def _check_approximate(input: Any, approximate: Any) -> None:
    if approximate not in ("none", "tanh"):
        raise RuntimeError("approximate argument must be either none or tanh.")
    _floats_only("GeluKernelImpl")(input)


@elementwise(
    "gelu",
    method=False,
    input=lambda input, approximate: _gelu_slope(input, approximate),
    check=_check_approximate,
    tex=r"{input} \Phi({input})",
)
def _gelu(input: Array, approximate: str) -> Any:
    if approximate == "none":
        half = input * 0.5
        return half + half * special.erf(input * _ROOT_HALF)
    if approximate != "tanh":
        raise ValueError(approximate)
    half = input * 0.5
    return half + half * np.tanh(_ROOT_2_BY_PI * (input + 0.044715 * (input * input * input)))


@composite("nn.functional.gelu", out=True)
def gelu(input: Any, approximate: str = "none") -> Any:
    """`input` times the normal distribution function of `input`. D. Hendrycks and K. Gimpel, 2016."""
    return _gelu(input, approximate)


def _sigmoid(a: Any) -> Any:
    return pointwise.sigmoid.op.forward(a)


def _silu_slope(input: Any) -> Any:
    s = sigmoid(input)
    return s * (1 + input * (1 - s))


@elementwise(
    "silu", method=False, inplace=True, input=lambda input: _silu_slope(input), check=_floats_only("silu_cpu", "fcV"),
    tex=r"{input} \sigma({input})",
)  # fmt: skip
def _silu(input: Array) -> Any:
    return input * _sigmoid(input)


@composite("nn.functional.silu")
def silu(input: Any, inplace: bool = False) -> Any:
    """`input * sigmoid(input)`."""
    return _run(_silu, inplace, input)


def _mish_slope(input: Any) -> Any:
    t = tanh(_softplus(input, 1, math.inf))
    return t + input * (1 - t * t) * sigmoid(input)


@elementwise(
    "mish",
    method=False,
    inplace=True,
    input=lambda input: _mish_slope(input),
    check=_floats_only("mish_cpu"),
    tex=r"{input} \tanh \ln(1 + e^{{{input}}})",
)
def _mish(input: Array) -> Any:
    return input * np.tanh(special.softplus(input))


@composite("nn.functional.mish")
def mish(input: Any, inplace: bool = False) -> Any:
    """`input * tanh(softplus(input))`. D. Misra, 2019."""
    return _run(_mish, inplace, input)


def _softplus_slope(scaled: Any, threshold: Any) -> Any:
    return where(scaled > threshold, 1, sigmoid(scaled))


@elementwise(
    "softplus",
    method=False,
    input=lambda input, beta, threshold: _softplus_slope(input * beta, threshold),
    check=_floats_only("softplus_cpu"),
    tex=r"\ln(1 + e^{{{input}}})",
)
def _softplus(input: Array, beta: Any, threshold: Any) -> Any:
    if beta == 1:
        return masking.select(input > threshold, input, special.softplus(input))
    scaled = input * beta
    return masking.select(scaled > threshold, input, special.softplus(scaled) / beta)


@composite("nn.functional.softplus", out=True)
def softplus(input: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """`log(1 + exp(beta * input)) / beta`, and `input` itself where `beta * input > threshold`."""
    return _softplus(input, beta, threshold)


@elementwise(
    "logsigmoid",
    method=False,
    node="LogSigmoidBackward0",
    input=lambda input: sigmoid(-input),
    check=_floats_only("log_sigmoid_cpu"),
    tex=r"\ln \sigma({input})",
)
def _logsigmoid(input: Array) -> Any:
    return -special.softplus(-input)


@composite("nn.functional.logsigmoid", out=True)
def logsigmoid(input: Any) -> Any:
    """`log(sigmoid(input))` without overflow."""
    return _logsigmoid(input)


@composite("nn.functional.softsign")
def softsign(input: Any) -> Any:
    """`input / (1 + |input|)`."""
    return input / (pointwise.abs(input) + 1)


@composite("nn.functional.tanhshrink")
def tanhshrink(input: Any) -> Any:
    """`input - tanh(input)`."""
    return input - tanh(input)


@composite("nn.functional.tanh")
def functional_tanh(input: Any) -> Any:
    """The hyperbolic tangent."""
    return tanh(input)


@composite("nn.functional.sigmoid")
def functional_sigmoid(input: Any) -> Any:
    """`1 / (1 + exp(-input))`."""
    return sigmoid(input)


@composite("nn.functional.glu")
def glu(input: Any, dim: int = -1) -> Any:
    """The first half of `input` along `dim` times the sigmoid of the second. Y. Dauphin et al., 2016."""
    if input.ndim == 0:
        raise RuntimeError("glu does not support 0-dimensional tensors")
    from .shared import wrap_dim

    d = wrap_dim(dim, input.ndim)
    if input.shape[d] % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {d} is size {input.shape[d]}")
    half = input.shape[d] // 2
    return input.narrow(d, 0, half) * sigmoid(input.narrow(d, half, half))


def _in_place(fn: Any) -> Any:
    def changed(input: Any, *args: Any, **kwargs: Any) -> Any:
        return fn(input, *args, inplace=True, **kwargs)

    changed.__name__ = changed.__qualname__ = fn.__name__ + "_"
    changed.__doc__ = f"`{fn.__name__}` in place."
    return changed


for _fn in (elu, hardtanh, leaky_relu):
    composite(f"nn.functional.{_fn.__name__}_")(_in_place(_fn))
for _name, _function in (
    ("relu_", choosing.relu_),
    ("celu_", celu_),
    ("selu_", selu_),
    ("rrelu_", rrelu_),
    ("threshold_", threshold_),
):
    composite("nn.functional." + _name)(_function)
