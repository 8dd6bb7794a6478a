"""Batches of small matrix products, shared among our own threads: NumPy computes them one after another.

Single products are left to BLAS and its threads, which are quicker awake than ours. (Between large ones shared here and
the small ones of the same step that were not, two teams of threads were in each other's way.)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import threads

# Multiplications: in each product at most, for which OpenBLAS takes one thread, and in all of them at least.
ALONE, MANY = 1 << 18, 1 << 21


def matmul(a: Any, b: Any) -> Any:
    """`np.matmul(a, b)`."""
    if a.ndim > 2 and a.shape[:-2] == b.shape[:-2] and a.dtype is b.dtype and a.shape[-1] == b.shape[-2]:
        if a.ndim == 3:
            return _each(a, b)
        if a.shape[:-3] == (1,) * (a.ndim - 3):  # say, heads of one example
            first = (0,) * (a.ndim - 3)
            return _each(a[first], b[first]).reshape((*a.shape[:-1], b.shape[-1]))
    return np.matmul(a, b)


def _each(a: Any, b: Any) -> Any:
    """Products in pairs, small ones by parts of the batch. (Large ones are BLAS's: ours took up to twice as long.)"""
    (count, n, k), m = a.shape, b.shape[2]
    work = n * k * m
    if work > ALONE or count * work < MANY or a.dtype.char not in "fdFD":
        return np.matmul(a, b)
    result = np.empty((count, n, m), a.dtype)

    def some(low: int, high: int) -> None:
        np.matmul(a[low:high], b[low:high], out=result[low:high])

    threads.share(some, count, count * work)
    return result
