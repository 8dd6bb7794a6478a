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


# Places are seen as unsigned numbers: a negative one is a large one, outside. `wrong[0]` says that there was one, in whose
# stead place 0 was read or written. `begin`: the target is left as it is (KEEP), or first filled with zeros or `start`.
KEEP, ZEROS, START = 0, 1, 2


def add_at(target: Any, start: Any, index: Any, source: Any, begin: int, wrong: Any, low: int, high: int) -> None:
    """`target[a, index[a, k, j], j] += source[a, k, j]`, for k in turn.

    Along a last axis two rows at a time: an addition waits for the one before, which may have been to the same place.
    """
    n = np.uint64(target.shape[1])
    inner = target.shape[2]
    outside = False
    a = low
    while a < high:
        b = a + 1 if inner == 1 and a + 1 < high else a
        for c in range(a, b + 1):
            if begin == ZEROS:
                for i in range(target.shape[1]):
                    for j in range(inner):
                        target[c, i, j] = 0
            elif begin == START:
                for i in range(target.shape[1]):
                    for j in range(inner):
                        target[c, i, j] = start[c, i, j]
        if inner == 1:
            for k in range(index.shape[1]):
                p, q = np.uint64(index[a, k, 0]), np.uint64(index[b, k, 0])
                if p >= n or q >= n:
                    outside = True
                    p = q = np.uint64(0)
                target[a, p, 0] += source[a, k, 0]
                if a < b:
                    target[b, q, 0] += source[b, k, 0]
        else:
            for k in range(index.shape[1]):
                for j in range(inner):
                    p = np.uint64(index[a, k, j])
                    if p >= n:
                        outside = True
                        p = np.uint64(0)
                    target[a, p, j] += source[a, k, j]
        a = b + 1
    if outside:
        wrong[0] = 1


def take_at(out: Any, x: Any, index: Any, wrong: Any, low: int, high: int) -> None:
    """`out[a, k, j] = x[a, index[a, k, j], j]`."""
    n = np.uint64(x.shape[1])
    outside = False
    if index.shape[2] == 1:
        for a in range(low, high):
            to, row, places = out[a, :, 0], x[a, :, 0], index[a, :, 0]
            for k in range(places.shape[0]):
                p = np.uint64(places[k])
                if p >= n:
                    outside = True
                    p = np.uint64(0)
                to[k] = row[p]
    else:
        for a in range(low, high):
            for k in range(index.shape[1]):
                for j in range(index.shape[2]):
                    p = np.uint64(index[a, k, j])
                    if p >= n:
                        outside = True
                        p = np.uint64(0)
                    out[a, k, j] = x[a, p, j]
    if outside:
        wrong[0] = 1


def add_slices(
    target: Any, start: Any, index: Any, source: Any, begin: int, rows: bool, wrong: Any, low: int, high: int
) -> None:
    """`target[a, index[k], j] += source[a, k, j]` for k in turn; a negative place counts from the end.

    `low` to `high` are the a, or with `rows` the places to work on: each part looks for its own among all of `index`.
    """
    n, inner = target.shape[1], target.shape[2]
    first, last = (0, target.shape[0]) if rows else (low, high)
    top = np.uint64(low) if rows else np.uint64(0)
    count = np.uint64(high - low) if rows else np.uint64(n)
    outside = False
    for a in range(first, last):
        if begin == ZEROS:
            for i in range(top, top + count):
                for j in range(inner):
                    target[a, i, j] = 0
        elif begin == START:
            for i in range(top, top + count):
                for j in range(inner):
                    target[a, i, j] = start[a, i, j]
        for k in range(index.shape[0]):
            place = index[k]
            p = np.uint64(place + n if place < 0 else place)
            if p - top < count:
                if inner == 1:
                    target[a, p, 0] += source[a, k, 0]
                else:
                    for j in range(inner):
                        target[a, p, j] += source[a, k, j]
            elif p >= np.uint64(n):
                outside = True
    if outside:
        wrong[0] = 1


def take_slices(out: Any, x: Any, index: Any, wrong: Any, low: int, high: int) -> None:
    """`out[:, k] = x[:, index[k]]`; a negative place counts from the end."""
    n, inner = x.shape[1], x.shape[2]
    outside = False
    for a in range(x.shape[0]):
        for k in range(low, high):
            place = index[k]
            p = np.uint64(place + n if place < 0 else place)
            if p >= np.uint64(n):
                outside = True
                p = np.uint64(0)
            for j in range(inner):
                out[a, k, j] = x[a, p, j]
    if outside:
        wrong[0] = 1


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
