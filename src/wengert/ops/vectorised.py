"""Which rows a compiled loop of `kernels/vector_math` may compute on large arrays, forward or for the way back.

A loop computes exactly what the row states, in one pass; the row stays the meaning, and the tests hold the two together.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..core.blocks import COMPILED, by_loop
from ..kernels.compiled import pointwise as loop_for
from . import activations, arithmetic, choosing, pointwise, powers, special


def _forward(op: Any, loop: str, *rest: Any) -> None:
    COMPILED[op.forward] = by_loop(functools.partial(loop_for, loop), rest)


def _backward(op: Any, loop: str, *rest: Any, name: str = "input") -> None:
    """The loop's arguments are g and what the rule for `name` asks for; `rest` are the options among them."""
    COMPILED[op.rules[name].fn] = by_loop(functools.partial(loop_for, loop), rest)


def _double(loop: str, size: int, count: int, dtype: Any) -> Any:
    """A loop for float64 alone."""
    return loop_for(loop, size, count, dtype) if dtype.char == "d" else None


COMPILED[np.sin] = by_loop(functools.partial(_double, "sin_loop"), ())
COMPILED[np.cos] = by_loop(functools.partial(_double, "cos_loop"), ())
COMPILED[pointwise.sin.op.rules["input"].fn] = by_loop(functools.partial(_double, "sin_back_loop"), ())
COMPILED[pointwise.cos.op.rules["input"].fn] = by_loop(functools.partial(_double, "cos_back_loop"), ())
_forward(pointwise.exp.op, "exp_loop")
_forward(pointwise.sigmoid.op, "sigmoid_loop")
_forward(pointwise.tanh.op, "tanh_loop")
_forward(pointwise.log.op, "log_loop")
_forward(choosing.relu.op, "relu_loop")
_backward(choosing.relu.op, "relu_back_loop")
_forward(special.erf.op, "erf_loop")
_backward(pointwise.tanh.op, "tanh_back_loop")
_backward(pointwise.sigmoid.op, "sigmoid_back_loop")
_backward(special.erf.op, "erf_back_loop")
_backward(powers.sqrt.op, "sqrt_back_loop")
_backward(pointwise.log.op, "over_loop")
_backward(arithmetic.over.op, "over_loop")
_backward(arithmetic.over.op, "divisor_back_loop", name="other")
_forward(activations._softplus.op, "softplus_loop", 1.0, 20.0)
_forward(activations._softplus_slope.op, "softplus_slope_loop", 1.0, 20.0)
_backward(activations._softplus_slope.op, "sigmoid_back_loop", 1.0)
_backward(activations._softplus.op, "softplus_back_loop", 1.0, 20.0)
_forward(activations._logsigmoid.op, "logsigmoid_loop")
_backward(activations._logsigmoid.op, "logsigmoid_back_loop")
_forward(activations._silu.op, "silu_loop")
_backward(activations._silu.op, "silu_back_loop")
_forward(activations._gelu.op, "gelu_loop", "none")
_backward(activations._gelu.op, "gelu_back_loop", "none")
