"""Sums along axes of an array.

NumPy starts a reduction anew for each result, which along a short last axis costs more than the additions: measured for
(36455, 3) in float64, 0.9 ms, and 0.08 ms as the product with a vector of ones.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

_SHORT, _MANY = 128, 256  # numbers in a sum (NumPy adds longer ones in pairs of halves, more exactly), and sums


@functools.lru_cache(maxsize=256)
def _ones(n: int, dtype: Any) -> Any:
    ones = np.ones(n, dtype)
    ones.flags.writeable = False
    return ones


def add(a: Any, axes: Any, keepdims: bool = False) -> Any:
    """`np.add.reduce(a, axis=axes, keepdims=keepdims)` for axes that are None or a tuple of numbers from 0."""
    if axes is not None and a.dtype.char in "fd" and a.size >= 2 * _MANY and a.flags.c_contiguous:
        first = a.ndim - len(axes)
        n = 1
        for size in a.shape[first:]:
            n *= size
        if 1 < n <= _SHORT and n * _MANY <= a.size and min(axes) == first:  # the last axes
            kept = a.shape[:first]
            return np.matmul(a.reshape(-1, n), _ones(n, a.dtype)).reshape(
                (*kept, *(1,) * len(axes)) if keepdims else kept
            )
    return np.add.reduce(a, axis=axes, keepdims=keepdims)
