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
    if index.shape[2] == 1:
        for a in range(low, high):
            for k in range(index.shape[1]):
                target[a, index[a, k, 0], 0] += source[a, k, 0]
        return
    for a in range(low, high):
        for k in range(index.shape[1]):
            for j in range(index.shape[2]):
                target[a, index[a, k, j], j] += source[a, k, j]


def take_at(out: Any, x: Any, index: Any, low: int, high: int) -> None:
    """`out[a, k, j] = x[a, index[a, k, j], j]`."""
    if index.shape[2] == 1:
        for a in range(low, high):
            for k in range(index.shape[1]):
                out[a, k, 0] = x[a, index[a, k, 0], 0]
        return
    for a in range(low, high):
        for k in range(index.shape[1]):
            for j in range(index.shape[2]):
                out[a, k, j] = x[a, index[a, k, j], j]


def add_slices(target: Any, index: Any, source: Any, low: int, high: int) -> None:
    """`target[:, index[k], j] += source[:, k, j]` for k in turn, for j from `low` to `high`."""
    for a in range(target.shape[0]):
        for k in range(index.shape[0]):
            place = index[k]
            for j in range(low, high):
                target[a, place, j] += source[a, k, j]


def max_pool(
    best: Any, places: Any, x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, low: int, high: int
) -> None:
    """Maxima of windows of planes (n, H, W), and their places in the plane: the first maximum, or the last NaN."""
    height, width = x.shape[1], x.shape[2]
    down, right = kernel
    step_down, step_right = dilation
    rows, across = best.shape[1], best.shape[2]
    plain = padding[0] == 0 and padding[1] == 0 and step_down == 1 and step_right == 1
    inside = (rows - 1) * stride[0] + down <= height and (across - 1) * stride[1] + right <= width
    for a in range(low, high):
        if plain and inside and down == 2 and right == 2:  # the usual pooling, four times as fast for being spelt out
            nans = 0
            for r in range(rows):
                for c in range(across):
                    top, left = r * stride[0], c * stride[1]
                    found = x[a, top, left]
                    where = top * width + left
                    nans += found != found
                    for i in range(2):
                        for j in range(2):
                            v = x[a, top + i, left + j]
                            better = v > found
                            found = v if better else found
                            where = (top + i) * width + left + j if better else where
                            nans += v != v
                    best[a, r, c] = found
                    places[a, r, c] = where
            if nans == 0:
                continue
        for r in range(rows):
            top = r * stride[0] - padding[0]
            first = top if top >= 0 else top + (-top + step_down - 1) // step_down * step_down
            bottom = min(top + (down - 1) * step_down + 1, height)
            for c in range(across):
                left = c * stride[1] - padding[1]
                begin = left if left >= 0 else left + (-left + step_right - 1) // step_right * step_right
                end = min(left + (right - 1) * step_right + 1, width)
                found = x[a, first, begin]
                where = first * width + begin
                for i in range(first, bottom, step_down):
                    for j in range(begin, end, step_right):
                        v = x[a, i, j]
                        better = (v > found) | (v != v)  # chosen, not branched on: which is larger cannot be guessed
                        found = v if better else found
                        where = i * width + j if better else where
                best[a, r, c] = found
                places[a, r, c] = where


def add_places(target: Any, places: Any, values: Any, low: int, high: int) -> None:
    """`target[a] = 0`, then `target[a, places[a, k]] += values[a, k]` for k in turn."""
    for a in range(low, high):
        for k in range(target.shape[1]):
            target[a, k] = 0
        for k in range(places.shape[1]):
            target[a, places[a, k]] += values[a, k]
