"""Arithmetic: + - * / and powers, and what is made of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.op import composite, elementwise

_add = elementwise("add", np.add, input=1, other=1, inplace=True, method=False, tex="{input} + {other}")
_sub = elementwise("sub", np.subtract, input=1, other=-1, inplace=True, method=False, tex="{input} - {other}")
neg = elementwise("neg", np.negative, input=-1, inplace=True, tex="-{input}")
mul = elementwise(
    "mul",
    np.multiply,
    input=lambda other: other,
    other=lambda input: input,
    inplace=True,
    tex=r"{input} \cdot {other}",
)
_div = elementwise(
    "div",
    np.true_divide,
    promote="float",
    input=lambda other: 1 / other,
    other=lambda input, other: -input / (other * other),
    inplace=True,
    method=False,
    tex=r"\frac{{{input}}}{{{other}}}",
)
plus, minus, over = _add, _sub, _div  # for `+`, `-`, `/`: no `alpha`, no rounding


@composite("add", out=True, inplace=True)
def add(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """`input + alpha * other`."""
    return _add(input, other) if alpha == 1 else _add(input, mul(other, alpha))
