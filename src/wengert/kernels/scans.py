"""Running sums on arrays, from the beginning or from the end."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import threads
from .compiled import machine

_LARGE = 1 << 14  # elements from which a compiled loop is looked for


def running_sums(x: Any, axis: int, backwards: bool = False) -> Any:
    """`np.add.accumulate` along `axis`, or along it from the end."""
    if x.size >= _LARGE and x.dtype.char in "fd" and x.flags.c_contiguous:
        out = np.empty_like(x)
        shape = math.prod(x.shape[:axis]), x.shape[axis], math.prod(x.shape[axis + 1 :])
        values = out.reshape(shape), x.reshape(shape), backwards
        loop = machine("running_sums", x.size, *values, 0, 0)
        if loop is not None:
            threads.share(lambda low, high: loop(*values, low, high), shape[0], x.size)
            return out
    if not backwards:
        return np.add.accumulate(x, axis=axis)
    return np.flip(np.add.accumulate(np.flip(x, axis), axis=axis), axis)
