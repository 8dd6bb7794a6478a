"""Pooling on arrays, of any rank: maxima with their places, sums of windows and their transpose.

The last `rank` dimensions are spatial, whatever comes before is batch and channels. A window is visited offset by offset of
the kernel, each offset a strided view of all windows at once: a kernel of 3 x 3 is nine passes over arrays of the result's
size, whatever the size of the image.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import loops

Ints = tuple[int, ...]


def result_size(size: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil: bool) -> Ints:
    """Windows along each dimension. With `ceil`, a last window that begins inside the input (or its left padding) counts."""
    found = []
    for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True):
        room = n + 2 * p - d * (k - 1) - 1
        count = (room + (s - 1 if ceil else 0)) // s + 1
        if ceil and (count - 1) * s >= n + p:
            count -= 1
        found.append(count)
    return tuple(found)


def _padded(x: Any, out: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, fill: Any) -> Any:
    """The input inside an array that every window fits into."""
    size = x.shape[-len(kernel) :]
    need = tuple(
        max(n + 2 * p, (m - 1) * s + d * (k - 1) + 1)
        for n, p, m, s, d, k in zip(size, padding, out, stride, dilation, kernel, strict=True)
    )
    if need == size:
        return x
    result: Any = np.full((*x.shape[: -len(kernel)], *need), fill, x.dtype)
    result[(..., *(slice(p, p + n) for p, n in zip(padding, size, strict=True)))] = x
    return result


def _offsets(kernel: Ints, out: Ints, stride: Ints, dilation: Ints) -> Iterator[Any]:
    """For each offset in the kernel, the index of that element of every window."""
    for offset in itertools.product(*(range(k) for k in kernel)):
        yield (
            ...,
            *(
                slice(i * d, i * d + s * (m - 1) + 1, s)
                for i, d, s, m in zip(offset, dilation, stride, out, strict=True)
            ),
        )


# -- maxima ------------------------------------------------------------------------------------------------------


def max_pool(x: Any, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil: bool) -> tuple[Any, Any]:
    """Maxima of windows and their places: indices into the flattened spatial dimensions. The first maximum wins."""
    size = x.shape[-len(kernel) :]
    out = result_size(size, kernel, stride, padding, dilation, ceil)
    floating = x.dtype.kind == "f"
    if len(size) == 2 and (dilation == (1, 1) or not any(padding)):
        best = np.empty((*x.shape[:-2], *out), x.dtype)
        found = np.empty(best.shape, np.int64)
        planes = [a.reshape(math.prod(x.shape[:-2]), *a.shape[-2:]) for a in (best, found, np.ascontiguousarray(x))]
        options = (kernel, stride, padding, dilation)
        if loops.run(loops.max_pool, best.size * math.prod(kernel), len(planes[0]), *planes, *options):
            return best, found
    low = -np.inf if floating else np.iinfo(x.dtype).min
    xp = _padded(x, out, kernel, stride, padding, dilation, low)
    places = _offsets(kernel, out, stride, dilation)
    best = xp[next(places)].copy()
    which = np.zeros(best.shape, np.uint8 if int(np.prod(kernel)) <= 256 else np.int32)
    for j, place in enumerate(places, 1):
        v = xp[place]
        larger = v > best
        if floating:
            larger |= v != v  # NaN is the maximum of any window it is in
        np.copyto(best, v, where=larger)
        np.copyto(which, j, where=larger)
    return best, _places(which, size, out, kernel, stride, padding, dilation)


def _places(which: Any, size: Ints, out: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints) -> Any:
    """Numbers of offsets in each window as indices into the flattened image."""
    rank = len(size)
    # What an offset adds, looked up by its number, and where each window starts: both in the flattened image.
    offsets = np.stack(np.unravel_index(np.arange(int(np.prod(kernel))), kernel))
    strides = [int(np.prod(size[d + 1 :])) for d in range(rank)]
    step = sum(offsets[d] * dilation[d] * strides[d] for d in range(rank))
    start: Any = 0
    for d in range(rank):
        start = np.add.outer(start, (np.arange(out[d]) * stride[d] - padding[d]) * strides[d])
    found = np.asarray(step, np.int64)[which]
    found += start
    if any(padding) or any(
        (m - 1) * s + dl * (k - 1) + 1 > n for n, m, s, dl, k in zip(size, out, stride, dilation, kernel, strict=True)
    ):
        # A window of nothing but -inf "finds" its maximum in the padding: point at the first element inside instead.
        _inside(found, which, offsets, size, out, stride, padding, dilation)
    return found


def _inside(
    found: Any, which: Any, offsets: Any, size: Ints, out: Ints, stride: Ints, padding: Ints, dilation: Ints
) -> None:
    rank = len(size)
    outside: Any = False
    first: Any = 0
    for d in range(rank):
        shape = [1] * rank
        shape[d] = out[d]
        begin = np.arange(out[d]) * stride[d] - padding[d]
        position = offsets[d].astype(np.int64)[which] * dilation[d] + begin.reshape(shape)
        outside = outside | (position < 0) | (position >= size[d])
        # The first of begin, begin + dilation, ... that is not negative.
        first = np.add.outer(
            first * size[d], np.minimum(begin + -(np.minimum(begin, 0) // dilation[d]) * dilation[d], size[d] - 1)
        )
    if outside.any():
        np.copyto(found, np.broadcast_to(first, found.shape), where=outside)


def put_at_places(values: Any, places: Any, size: Ints) -> Any:
    """Values (..., *L) added into zeros (..., *size) at flat spatial `places`; repeated places sum."""
    rank = len(size)
    lead = values.shape[: values.ndim - rank]
    rows, area = int(np.prod(lead)), int(np.prod(size))
    each = values.size // max(rows, 1)
    out = np.empty((rows, area), values.dtype)
    at, given = np.ascontiguousarray(places).reshape(rows, each), np.ascontiguousarray(values).reshape(rows, each)
    if loops.run(loops.add_places, values.size, rows, out, at, given):
        return out.reshape(*lead, *size)
    index = (at + (np.arange(rows) * area)[:, None]).reshape(-1)
    flat = values.reshape(-1)
    if values.dtype.kind == "c":
        total = np.bincount(index, flat.real, rows * area) + 1j * np.bincount(index, flat.imag, rows * area)
    else:
        total = np.bincount(index, flat, rows * area)
    return total.astype(values.dtype, copy=False).reshape(*lead, *size)


def keep_at_places(values: Any, places: Any, size: Ints) -> Any:
    """Values (..., *L) written into zeros (..., *size) at flat spatial `places`; of repeated places the last stays."""
    lead = values.shape[: values.ndim - len(size)]
    rows = int(np.prod(lead))
    out = np.zeros((rows, int(np.prod(size))), values.dtype)
    np.put_along_axis(
        out,
        places.reshape(rows, places.size // max(rows, 1)),
        values.reshape(rows, values.size // max(rows, 1)),
        axis=1,
    )
    return out.reshape(*lead, *size)


def take_at_places(x: Any, places: Any, rank: int) -> Any:
    """`x` (..., *S) read at flat spatial `places` (..., *L)."""
    rows = int(np.prod(x.shape[: x.ndim - rank]))
    flat = x.reshape(rows, int(np.prod(x.shape[x.ndim - rank :])))
    return np.take_along_axis(flat, places.reshape(rows, places.size // max(rows, 1)), axis=1).reshape(places.shape)


def max_at_starts(x: Any, starts: list[Any], kernel: Ints) -> tuple[Any, Any]:
    """Maxima of windows that begin at `starts`, for each spatial dimension (*lead, windows), and their places."""
    rank = len(kernel)
    lead, size = x.shape[: x.ndim - rank], x.shape[x.ndim - rank :]
    corner: Any = 0
    for d in range(rank):
        shape = [1] * rank
        shape[d] = starts[d].shape[-1]
        corner = corner * size[d] + starts[d].reshape(*lead, *shape)
    flat = x.reshape(*lead, int(np.prod(size)))
    best: Any = None
    for offset in itertools.product(*(range(k) for k in kernel)):
        step = 0
        for n, o in zip(size, offset, strict=True):
            step = step * n + o
        places = corner + step
        v = np.take_along_axis(flat, places.reshape(*lead, int(np.prod(places.shape[len(lead) :]))), -1).reshape(
            places.shape
        )
        if best is None:
            best, found = v, places
            continue
        larger = (v > best) | (v != v)
        np.copyto(best, v, where=larger)
        np.copyto(found, places, where=larger)
    return best, found


def max_of_boxes(x: Any, boxes: list[list[tuple[int, int]]]) -> tuple[Any, Any]:
    """Maxima over boxes of any sizes, and their places. `boxes`: for each spatial dimension, (begin, end) of each window."""
    rank = len(boxes)
    lead, size = x.shape[: x.ndim - rank], x.shape[x.ndim - rank :]
    out = np.empty((*lead, *map(len, boxes)), x.dtype)
    places = np.empty(out.shape, np.int64)
    for index in np.ndindex(*map(len, boxes)):
        bounds = [boxes[d][i] for d, i in enumerate(index)]
        part = x[(..., *(slice(a, b) for a, b in bounds))]
        flat = part.reshape(*lead, int(np.prod(part.shape[len(lead) :])))
        first = flat.argmax(-1)
        offsets = np.unravel_index(first, part.shape[x.ndim - rank :])
        place: Any = 0
        for n, (a, _), o in zip(size, bounds, offsets, strict=True):
            place = place * n + a + o
        out[(..., *index)] = np.take_along_axis(flat, first[..., None], -1)[..., 0]
        places[(..., *index)] = place
    return out, places


# -- averages ----------------------------------------------------------------------------------------------------


def _wide(dtype: Any) -> Any:
    """The dtype to add up in."""
    return np.dtype(np.float32) if dtype == np.float16 else dtype


def avg_pool(
    x: Any, kernel: Ints, stride: Ints, padding: Ints, ceil: bool, count_padding: bool, divisor: int | None
) -> Any:
    """Sums of windows, the padding as zero, divided by `divisor` or by how many elements each has."""
    ones = (1,) * len(kernel)
    size = x.shape[-len(kernel) :]
    out = result_size(size, kernel, stride, padding, ones, ceil)
    xp = _padded(x, out, kernel, stride, padding, ones, 0)
    wide = _wide(x.dtype)
    total: Any = None
    for place in _offsets(kernel, out, stride, ones):
        total = xp[place].astype(wide) if total is None else np.add(total, xp[place], out=total)
    return _divided(total, divisor or _counts(size, out, kernel, stride, padding, count_padding, wide), x.dtype)


def avg_pool_back(
    g: Any, size: Ints, kernel: Ints, stride: Ints, padding: Ints, count_padding: bool, divisor: int | None
) -> Any:
    """The transpose of `avg_pool`: each window's number, divided, added to all its elements."""
    ones = (1,) * len(kernel)
    out = g.shape[-len(kernel) :]
    wide = _wide(g.dtype)
    share = _divided(g.astype(wide), divisor or _counts(size, out, kernel, stride, padding, count_padding, wide), wide)
    need = tuple(
        max(n + 2 * p, (m - 1) * s + k) for n, p, m, s, k in zip(size, padding, out, stride, kernel, strict=True)
    )
    total: Any = np.zeros((*g.shape[: -len(kernel)], *need), wide)
    for place in _offsets(kernel, out, stride, ones):
        total[place] += share
    inner = total[(..., *(slice(p, p + n) for p, n in zip(padding, size, strict=True)))]
    return np.ascontiguousarray(inner, g.dtype)


def _divided(total: Any, counts: Any, dtype: Any) -> Any:
    if total.dtype.kind in "iu":
        quotient = np.asarray(total) / counts
        return np.trunc(quotient).astype(dtype)
    if counts is not None:
        np.divide(total, counts, out=total)
    return total.astype(dtype, copy=False)


def _counts(size: Ints, out: Ints, kernel: Ints, stride: Ints, padding: Ints, count_padding: bool, dtype: Any) -> Any:
    """How many elements each window has, of the input alone or of the padded input: a number if all have as many."""
    if all(
        ((m - 1) * s + k <= n + 2 * p if count_padding else not p and (m - 1) * s + k <= n)
        for n, m, s, k, p in zip(size, out, stride, kernel, padding, strict=True)
    ):
        return int(np.prod(kernel))
    total = np.ones((), dtype if dtype.kind == "f" else np.float64)
    for n, k, s, p, m in zip(size, kernel, stride, padding, out, strict=True):
        start = np.arange(m) * s - p
        end = np.minimum(start + k, n + p)
        if not count_padding:
            start, end = np.maximum(start, 0), np.minimum(end, n)
        total = np.multiply.outer(total, end - start).astype(total.dtype)
    return total
