"""Pointwise mathematics: functions of one number, with their partial derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.op import Array, elementwise

# The rules name operations stated further down: a rule is called only when it is needed.
sin = elementwise("sin", np.sin, promote="float", inplace=True, input=lambda input: cos(input), tex=r"\sin {input}")
cos = elementwise("cos", np.cos, promote="float", inplace=True, input=lambda input: -sin(input), tex=r"\cos {input}")
exp = elementwise("exp", np.exp, promote="float", inplace=True, input=lambda out: out, tex=r"e^{{{input}}}")
tanh = elementwise("tanh", np.tanh, promote="float", inplace=True, input=lambda out: 1 - out * out)


@elementwise("relu", input=lambda g, out: g * (out > 0), inplace=True)
def relu(input: Array) -> Any:
    """`max(input, 0)`, elementwise. At 0 the derivative is taken as 0."""
    return np.maximum(input, 0)
