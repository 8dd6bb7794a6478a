"""Resampling along one dimension after another: every result is a weighted sum of a few neighbours.

A *pass* is (rows, indices, weights): `result[rows] += weights * source[indices]` along one dimension. A resampling is a list
of passes, one for each neighbour, and so is its transpose. Elements of weight zero are not read, so that an infinity
reaches only its own neighbourhood. Positions and weights follow PyTorch's formulas (`aten/src/ATen/native/UpSample.h`),
in float32 for float32 and half, in float64 for float64.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

Pass = tuple[Any, Any, Any]  # rows (a slice or indices), indices, weights (None: all 1)


def _scale(n: int, m: int, align_corners: bool, factor: float | None, real: Any) -> Any:
    """How far two neighbours of the result lie apart in the source."""
    if align_corners:
        return real(n - 1) / real(m - 1) if m > 1 else real(0)
    return real(1.0 / factor) if factor is not None and factor > 0 else real(n) / real(m)


def _cubic(t: Any, a: float) -> Any:
    """The cubic convolution kernel of parameter `a` (Keys 1981)."""
    t = np.abs(t)
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = (((t - 5) * t + 8) * t - 4) * a
    return np.where(t < 1, near, np.where(t < 2, far, 0))


def _triangle(t: Any) -> Any:
    return np.maximum(1 - np.abs(t), 0)


def _lanczos(t: Any) -> Any:
    return np.where(np.abs(t) < 3, np.sinc(t) * np.sinc(t / 3), 0)


_FILTERS = {"linear": (2, _triangle), "cubic": (4, lambda t: _cubic(t, -0.5)), "lanczos": (6, _lanczos)}


def _neighbours(mode: str, n: int, m: int, align_corners: bool, factor: float | None, real: Any) -> tuple[Any, Any]:
    """(m, taps) indices into the source and their weights."""
    out = np.arange(m).astype(real)
    if mode in ("nearest", "nearest-exact"):
        scale = _scale(n, m, False, factor, np.float32)
        shift = np.float32(0.5 if mode == "nearest-exact" else 0)
        index = np.floor((np.arange(m).astype(np.float32) + shift) * scale).astype(np.int64)
        return np.minimum(index, n - 1)[:, None], np.ones((m, 1), real)
    if mode == "mean":
        begin, end = np.arange(m) * n // m, -(-(np.arange(m) + 1) * n // m)
        index = begin[:, None] + np.arange(int((end - begin).max(initial=1)))
        inside = index < end[:, None]
        return np.where(inside, index, 0), inside / (end - begin)[:, None].astype(real)
    scale = _scale(n, m, align_corners, factor, real)
    if mode.endswith("-antialias"):
        return _antialiased(mode.removesuffix("-antialias"), n, out, scale, real)
    place = scale * out if align_corners else scale * (out + real(0.5)) - real(0.5)
    if mode == "linear":
        place = np.maximum(place, 0)
        first = np.minimum(np.floor(place).astype(np.int64), n - 1)
        t = np.clip(place - first, 0, 1)
        return np.stack([first, np.minimum(first + 1, n - 1)], 1), np.stack([1 - t, t], 1).astype(real)
    first = np.floor(place).astype(np.int64)
    t = np.clip(place - first, 0, 1)
    index = np.clip(first[:, None] + np.arange(-1, 3), 0, n - 1)
    weights = _cubic(t[:, None] - np.arange(-1, 3).astype(real), -0.75)
    return index, weights.astype(real)


def _antialiased(mode: str, n: int, out: Any, scale: Any, real: Any) -> tuple[Any, Any]:
    """Neighbours under a filter as wide as the step between results, normalised at the border."""
    taps, filter = _FILTERS[mode]
    support = taps * 0.5 * max(float(scale), 1.0)
    centre = scale * (out + real(0.5))
    begin = np.maximum((centre - support + 0.5).astype(np.int64), 0)
    end = np.minimum((centre + support + 0.5).astype(np.int64), n)
    index = begin[:, None] + np.arange(max(int((end - begin).max(initial=1)), 1))
    inside = index < end[:, None]
    weights = np.where(inside, filter((index - centre[:, None] + 0.5) / max(float(scale), 1.0)), 0)
    weights = weights / weights.sum(1, keepdims=True)
    return np.where(inside, index, 0), weights.astype(real)


def _as_passes(rows: Any, indices: Any, weights: Any, count: int) -> list[Pass]:
    """Entries of a sparse matrix, sorted by row, as passes over rows: the first entry of each, the second, ..."""
    starts = np.searchsorted(rows, np.arange(count + 1))
    number = np.arange(rows.size) - starts[rows]
    found: list[Pass] = []
    for k in range(int(number.max(initial=-1)) + 1):
        chosen = number == k
        r, w = rows[chosen], weights[chosen]
        everywhere = r.size == count
        found.append((slice(None) if everywhere else r, indices[chosen], None if (w == 1).all() else w))
    return found


@functools.lru_cache(maxsize=256)
def passes(
    mode: str, n: int, m: int, align_corners: bool, factor: float | None, dtype: Any, transpose: bool
) -> list[Pass]:
    """How `n` elements become `m`; with `transpose`, how a gradient of `m` becomes one of `n`."""
    real = np.float32 if np.dtype(dtype) in (np.float32, np.float16, np.uint8, np.complex64) else np.float64
    index, weights = _neighbours(mode, n, m, align_corners, factor, real)
    rows = np.repeat(np.arange(m), index.shape[1])
    columns, values = index.reshape(-1), weights.reshape(-1)
    used = values != 0
    rows, columns, values = rows[used], columns[used], values[used]
    if not transpose:
        return _as_passes(rows, columns, values, m)
    order = np.argsort(columns, kind="stable")
    return _as_passes(columns[order], rows[order], values[order], n)


def along(x: Any, axis: int, size: int, steps: list[Pass]) -> Any:
    """Passes over one dimension, of which `size` elements remain."""
    shape = list(x.shape)
    shape[axis] = size
    if len(steps) == 1 and isinstance(steps[0][0], slice):
        only = x.take(steps[0][1], axis)
        return only if steps[0][2] is None else np.multiply(only, _along(steps[0][2], x.ndim, axis), out=only)
    result: Any = None
    for rows, indices, weights in steps:
        term = x.take(indices, axis)
        if weights is not None:
            np.multiply(term, _along(weights, x.ndim, axis), out=term)
        if isinstance(rows, slice):
            result = term if result is None else np.add(result, term, out=result)
        else:
            result = np.zeros(shape, x.dtype) if result is None else result
            result[(*(slice(None),) * axis, rows)] += term
    return np.zeros(shape, x.dtype) if result is None else result


def _along(weights: Any, ndim: int, axis: int) -> Any:
    return weights.reshape(-1, *(1,) * (ndim - axis - 1))


def resample(x: Any, mode: str, size: Any, align_corners: bool, factors: Any, transpose_to: Any = None) -> Any:
    """The last dimensions of `x` resampled to `size`; with `transpose_to`, the transpose of resampling from that size."""
    rank = len(size)
    goal = size if transpose_to is None else transpose_to
    wide = x.astype(np.float32) if x.dtype in (np.float16, np.uint8) and not mode.startswith("nearest") else x
    for d in range(rank):
        axis = x.ndim - rank + d
        n, m = (wide.shape[axis], size[d]) if transpose_to is None else (transpose_to[d], size[d])
        if n == m and (mode == "mean" or mode.startswith("nearest")) and factors is None:
            continue
        factor = None if factors is None else factors[d]
        steps = passes(mode, n, m, align_corners, factor, x.dtype.str, transpose_to is not None)
        wide = along(wide, axis, goal[d], steps)
    if x.dtype == np.uint8 and wide.dtype != np.uint8:
        wide = np.clip(np.rint(wide), 0, 255)
    return wide.astype(x.dtype, copy=wide is x)
