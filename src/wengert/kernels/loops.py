"""Loops that Numba compiles where it is installed: adding and reading at places, maxima of windows.

Each stands for NumPy passes that the callers run otherwise, and gives the same numbers. All but the last two arguments are
arrays; the last two say which part of the first axis to work on, so that `threads.share` can divide the work.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .compiled import compiled
from .threads import share

_KNOWN = frozenset(map(np.dtype, ("f4", "f8", "i4", "i8", "c8", "c16")))


def run(loop: Callable[..., None], size: int, parts: int, *values: Any) -> bool:
    """Run `loop` compiled, on `size` elements in `parts`; False if the caller has to do the work with NumPy."""
    if any(v.__class__ is np.ndarray and (v.dtype not in _KNOWN or not v.flags.c_contiguous) for v in values):
        return False
    machine = compiled(loop, size)
    if machine is None:
        return False
    share(lambda low, high: machine(*values, low, high), parts, size)
    return True


def add_at(target: Any, index: Any, source: Any, low: int, high: int) -> None:
    """`target[a, index[a, k, j], j] += source[a, k, j]`, for k in turn."""
    for a in range(low, high):
        for k in range(index.shape[1]):
            for j in range(index.shape[2]):
                target[a, index[a, k, j], j] += source[a, k, j]


def take_at(out: Any, x: Any, index: Any, low: int, high: int) -> None:
    """`out[a, k, j] = x[a, index[a, k, j], j]`."""
    for a in range(low, high):
        for k in range(index.shape[1]):
            for j in range(index.shape[2]):
                out[a, k, j] = x[a, index[a, k, j], j]


def add_slices(target: Any, index: Any, source: Any, low: int, high: int) -> None:
    """`target[:, index[k], j] += source[:, k, j]` for k in turn, for j from `low` to `high`."""
    for a in range(target.shape[0]):
        for k in range(index.shape[0]):
            t = target[a, index[k]]
            s = source[a, k]
            for j in range(low, high):
                t[j] += s[j]


def max_pool(
    best: Any, places: Any, x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, low: int, high: int
) -> None:
    """Maxima of windows of planes (n, H, W), and their places in the plane: the first maximum, or the last NaN."""
    height, width = x.shape[1], x.shape[2]
    for a in range(low, high):
        for r in range(best.shape[1]):
            top = r * stride[0] - padding[0]
            first = top if top >= 0 else top + (-top + dilation[0] - 1) // dilation[0] * dilation[0]
            bottom = min(top + (kernel[0] - 1) * dilation[0] + 1, height)
            for c in range(best.shape[2]):
                left = c * stride[1] - padding[1]
                begin = left if left >= 0 else left + (-left + dilation[1] - 1) // dilation[1] * dilation[1]
                right = min(left + (kernel[1] - 1) * dilation[1] + 1, width)
                found = x[a, first, begin]
                where = first * width + begin
                for i in range(first, bottom, dilation[0]):
                    for j in range(begin, right, dilation[1]):
                        v = x[a, i, j]
                        if v > found or v != v:
                            found = v
                            where = i * width + j
                best[a, r, c] = found
                places[a, r, c] = where


def add_places(target: Any, places: Any, values: Any, low: int, high: int) -> None:
    """`target[a] = 0`, then `target[a, places[a, k]] += values[a, k]` for k in turn."""
    for a in range(low, high):
        for k in range(target.shape[1]):
            target[a, k] = 0
        for k in range(places.shape[1]):
            target[a, places[a, k]] += values[a, k]
