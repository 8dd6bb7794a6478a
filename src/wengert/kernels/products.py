"""Large matrix products, shared among our own threads and not BLAS's.

For a while after a product OpenBLAS's threads go round in wait of the next (`blas.make_ready` makes it short, where it can),
and so take half of a processor from whatever other work is shared meanwhile: of a step of a convolutional network that
was a third of the time. It wakes them faster than we do ours (some 60 us), so products that are not large are left to it.
Which way a product goes depends on its size alone: the last digits do too.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np

from . import blas, threads

LARGE = 1 << 24  # multiplications from which waking our threads is not felt
# Of a batch of products that OpenBLAS computes with one thread each: in each at most, in all at least.
ALONE, MANY = 1 << 18, 1 << 21


def matmul(a: Any, b: Any) -> Any:
    """`np.matmul(a, b)`."""
    if a.ndim > 2 and a.shape[:-2] == b.shape[:-2] and a.dtype is b.dtype and a.shape[-1] == b.shape[-2]:
        if a.ndim == 3:
            return _each(a, b)
        if a.shape[:-3] == (1,) * (a.ndim - 3):  # say, heads of one example
            first = (0,) * (a.ndim - 3)
            return _each(a[first], b[first]).reshape((*a.shape[:-1], b.shape[-1]))
    if a.ndim != 2 or b.ndim != 2 or a.dtype != b.dtype or a.dtype.char not in "fdFD" or a.shape[1] != b.shape[0]:
        return np.matmul(a, b)
    (n, k), m = a.shape, b.shape[1]
    work = n * k * m
    if work < LARGE or threads.get_num_threads() == 1 or not blas.steerable():
        return np.matmul(a, b)
    result = np.empty((n, m), a.dtype)

    def some(low: int, high: int) -> None:
        with np.errstate(all="ignore") if low else nullcontext():  # the caller's setting does not reach the others
            if n >= m:
                np.matmul(a[low:high], b, out=result[low:high])
            else:
                np.matmul(a, b[:, low:high], out=result[:, low:high])

    threads.share_products(some, max(n, m), work)
    return result


def _each(a: Any, b: Any) -> Any:
    """Products in pairs, small ones by parts of the batch. (Large ones are BLAS's: ours took up to twice as long.)"""
    (count, n, k), m = a.shape, b.shape[2]
    work = n * k * m
    if work > ALONE or count * work < MANY or a.dtype.char not in "fdFD":
        return np.matmul(a, b)
    result = np.empty((count, n, m), a.dtype)

    def some(low: int, high: int) -> None:
        with np.errstate(all="ignore") if low else nullcontext():
            np.matmul(a[low:high], b[low:high], out=result[low:high])

    threads.share(some, count, count * work)
    return result
