"""Pooling on arrays, of any rank: maxima with their places, sums of windows and their transpose.

Input (N, C, *S). A window is visited offset by offset of the kernel, each offset a strided view of all windows at once: a
kernel of 3 x 3 is nine passes over arrays of the result's size, whatever the size of the image.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

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
    need = tuple(
        max(n + 2 * p, (m - 1) * s + d * (k - 1) + 1)
        for n, p, m, s, d, k in zip(x.shape[2:], padding, out, stride, dilation, kernel, strict=True)
    )
    if need == x.shape[2:]:
        return x
    result = np.full((*x.shape[:2], *need), fill, x.dtype)
    result[(slice(None), slice(None), *(slice(p, p + n) for p, n in zip(padding, x.shape[2:], strict=True)))] = x
    return result


def _offsets(kernel: Ints, out: Ints, stride: Ints, dilation: Ints) -> Any:
    """For each offset in the kernel: the offset, and the index of that element of every window."""
    for offset in itertools.product(*(range(k) for k in kernel)):
        yield (
            offset,
            (
                slice(None),
                slice(None),
                *(
                    slice(i * d, i * d + s * (m - 1) + 1, s)
                    for i, d, s, m in zip(offset, dilation, stride, out, strict=True)
                ),
            ),
        )


def max_pool(x: Any, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil: bool) -> tuple[Any, Any]:
    """Maxima of windows and their places: indices into the flattened spatial dimensions. The first maximum wins."""
    size = x.shape[2:]
    out = result_size(size, kernel, stride, padding, dilation, ceil)
    low = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    xp = _padded(x, out, kernel, stride, padding, dilation, low)
    best: Any = None
    which = np.zeros((*x.shape[:2], *out), np.int32)
    for j, (_, place) in enumerate(_offsets(kernel, out, stride, dilation)):
        v = xp[place]
        if best is None:
            best = v.copy()
            continue
        larger = v > best
        if x.dtype.kind == "f":
            larger |= np.isnan(v)
        np.copyto(best, v, where=larger)
        which[larger] = j
    return best, _places(which, size, out, kernel, stride, padding, dilation)


def _places(which: Any, size: Ints, out: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints) -> Any:
    """Numbers of offsets in each window as indices into the flattened image."""
    rank = len(size)
    flat: Any = 0
    for axis, offset in enumerate(np.unravel_index(which, kernel)):
        start = np.arange(out[axis]) * stride[axis] - padding[axis]
        shape = [1] * (rank + 2)
        shape[2 + axis] = out[axis]
        position = start.reshape(shape) + offset * dilation[axis]
        # A window that lies in the padding altogether has no place; it points at the nearest element.
        flat = flat * size[axis] + np.clip(position, 0, size[axis] - 1)
    return flat.astype(np.int64)


def window_sum(x: Any, kernel: Ints, stride: Ints, padding: Ints, ceil: bool) -> Any:
    """Sums of windows; the padding counts as zero."""
    ones = (1,) * len(kernel)
    out = result_size(x.shape[2:], kernel, stride, padding, ones, ceil)
    xp = _padded(x, out, kernel, stride, padding, ones, 0)
    total: Any = None
    for _, place in _offsets(kernel, out, stride, ones):
        total = xp[place].copy() if total is None else np.add(total, xp[place], out=total)
    return total


def window_spread(g: Any, size: Ints, kernel: Ints, stride: Ints, padding: Ints) -> Any:
    """The transpose of `window_sum`: each window's number added to all its elements."""
    ones = (1,) * len(kernel)
    out = g.shape[2:]
    probe = np.zeros((*g.shape[:2], *size), g.dtype)
    total = _padded(probe, out, kernel, stride, padding, ones, 0)
    for _, place in _offsets(kernel, out, stride, ones):
        total[place] += g
    if total is probe:
        return total
    return np.ascontiguousarray(
        total[(slice(None), slice(None), *(slice(p, p + n) for p, n in zip(padding, size, strict=True)))]
    )


def put_at_places(values: Any, places: Any, size: Ints) -> Any:
    """(N, C, *L) values added into zeros (N, C, *size) at flat spatial `places`; repeated places sum."""
    n, c = values.shape[:2]
    area = int(np.prod(size))
    base = np.arange(n * c).reshape(n, c, *(1,) * (values.ndim - 2)) * area
    index = (places + base).reshape(-1)
    flat = values.reshape(-1)
    if values.dtype.kind == "c":
        real = np.bincount(index, flat.real, n * c * area)
        total = real + 1j * np.bincount(index, flat.imag, n * c * area)
    else:
        total = np.bincount(index, flat, n * c * area)
    return total.astype(values.dtype, copy=False).reshape(n, c, *size)


def take_at_places(x: Any, places: Any) -> Any:
    """(N, C, *S) read at flat spatial `places` (N, C, *L)."""
    n, c = x.shape[:2]
    flat = x.reshape(n, c, -1)
    return np.take_along_axis(flat, places.reshape(n, c, -1), axis=2).reshape(places.shape)


def coverage(size: Ints, kernel: Ints, stride: Ints, padding: Ints, ceil: bool, count_padding: bool) -> Any:
    """How many elements each window has: of the input alone, or of the padded input."""
    ones = (1,) * len(kernel)
    out = result_size(size, kernel, stride, padding, ones, ceil)
    total = np.ones(())
    for n, k, s, p, m in zip(size, kernel, stride, padding, out, strict=True):
        start = np.arange(m) * s - p
        end = np.minimum(start + k, n + p)
        if not count_padding:
            start, end = np.maximum(start, 0), np.minimum(end, n)
        total = np.multiply.outer(total, end - start)
    return total
