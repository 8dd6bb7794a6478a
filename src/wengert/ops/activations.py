"""Smooth activations of neural networks, named as in torch.nn.functional: those made of exponentials, and `glu`.

A row is the mathematics; the public function beside it has PyTorch's `inplace=` argument. Those made of straight pieces
are in `piecewise`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.op import Array, composite, elementwise
from ..kernels import masking, special
from . import pointwise
from .choosing import clamp, where
from .piecewise import floats_only, in_place, run
from .pointwise import exp, sigmoid, tanh
from .special import erf

__all__ = ["celu", "celu_", "selu", "selu_"]


# -- exponential -----------------------------------------------------------------------------------------------


@elementwise(
    "elu",
    method=False,
    out=False,
    inplace=True,
    input=lambda input, alpha, scale, input_scale: where(
        input > 0, scale, (alpha * scale * input_scale) * exp(input_scale * clamp(input, None, 0))
    ),
    check=floats_only("elu_cpu"),
    tex=r"{scale} (\max({input}, 0) + {alpha} (e^{{{input_scale} \min({input}, 0)}} - 1))",
    domain="at 0 the derivative is that from below",
)
def _elu(input: Array, alpha: Any, scale: Any = 1, input_scale: Any = 1) -> Any:
    below = np.expm1(np.minimum(input, 0) * input_scale) * (alpha * scale)
    return np.maximum(input, 0) * scale + below


@composite("nn.functional.elu")
def elu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Any:
    """`input` where positive, else `alpha * (exp(input) - 1)`. D.-A. Clevert et al., 2015."""
    return run(_elu, inplace, input, alpha, 1, 1)


@composite("nn.functional.celu")
def celu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Any:
    """`input` where positive, else `alpha * (exp(input / alpha) - 1)`. J. Barron, 2017."""
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return run(_elu, inplace, input, alpha, 1, 1 / alpha)


# Chosen so that mean 0 and variance 1 are kept: G. Klambauer et al., 2017.
_SELU_ALPHA = 1.6732632423543772
_SELU_SCALE = 1.0507009873554805


@composite("nn.functional.selu")
def selu(input: Any, inplace: bool = False) -> Any:
    """`elu` scaled so that mean 0 and variance 1 are kept from layer to layer. G. Klambauer et al., 2017."""
    return run(_elu, inplace, input, _SELU_ALPHA, _SELU_SCALE, 1)


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
    floats_only("GeluKernelImpl")(input)


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
    "silu", method=False, inplace=True, input=lambda input: _silu_slope(input), check=floats_only("silu_cpu", "fcV"),
    tex=r"{input} \sigma({input})",
)  # fmt: skip
def _silu(input: Array) -> Any:
    return input * _sigmoid(input)


@composite("nn.functional.silu")
def silu(input: Any, inplace: bool = False) -> Any:
    """`input * sigmoid(input)`."""
    return run(_silu, inplace, input)


def _mish_slope(input: Any) -> Any:
    t = tanh(_softplus(input, 1, math.inf))
    return t + input * (1 - t * t) * sigmoid(input)


@elementwise(
    "mish",
    method=False,
    inplace=True,
    input=lambda input: _mish_slope(input),
    check=floats_only("mish_cpu"),
    tex=r"{input} \tanh \ln(1 + e^{{{input}}})",
)
def _mish(input: Array) -> Any:
    return input * np.tanh(special.softplus(input))


@composite("nn.functional.mish")
def mish(input: Any, inplace: bool = False) -> Any:
    """`input * tanh(softplus(input))`. D. Misra, 2019."""
    return run(_mish, inplace, input)


# The derivative of softplus, a row of its own so that a second derivative takes one pass. Past the threshold it is 1, and
# `1 - out` with it 0.
@elementwise(
    "softplus_slope",
    method=False,
    input=lambda out, beta: beta * ((1 - out) * out),
    spelled=lambda input, beta, threshold: where(input * beta > threshold, 1, sigmoid(input * beta)),
    tex=r"\sigma({beta}\,{input})",
    domain="1 where beta · input > threshold, with the derivative 0",
)
def _softplus_slope(input: Array, beta: Any, threshold: Any) -> Any:
    scaled = input if beta == 1 else input * beta
    return masking.select(scaled > threshold, np.ones_like(scaled), sigmoid.op.forward(scaled))


@elementwise(
    "softplus",
    method=False,
    input=lambda input, beta, threshold: _softplus_slope(input, beta, threshold),
    check=floats_only("softplus_cpu"),
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
    check=floats_only("log_sigmoid_cpu"),
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


composite("nn.functional.elu_")(in_place(elu))
composite("nn.functional.celu_")(celu_)
composite("nn.functional.selu_")(selu_)
