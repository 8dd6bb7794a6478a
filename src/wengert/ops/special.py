"""Special functions: error functions, gamma and its relatives, Bessel functions, entropy-like ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.op import Array, elementwise
from ..kernels import special as kernel
from .pointwise import exp

__all__ = ["erf", "erfc"]


@elementwise(
    "erf",
    promote="float",
    inplace=True,
    input=lambda input: 2 / math.sqrt(math.pi) * exp(-(input * input)),
    tex=r"\operatorname{{erf}} {input}",
)
def erf(input: Array) -> Any:
    """The error function."""
    return kernel.erf(input)


@elementwise(
    "erfc",
    promote="float",
    inplace=True,
    input=lambda input: -2 / math.sqrt(math.pi) * exp(-(input * input)),
    tex=r"\operatorname{{erfc}} {input}",
)
def erfc(input: Array) -> Any:
    """`1 - erf(input)`."""
    return kernel.erfc(input)
