"""Padding on arrays. `pad` is (left, right) of the last dimension, then of the one before, and so on; negative cuts.

One dimension after the other: the borders of a later one repeat what the earlier ones filled in, corners included.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


def _sides(ndim: int, pad: Any) -> Iterator[tuple[int, int, int]]:
    """(dimension, left, right)."""
    for i in range(len(pad) // 2):
        yield ndim - 1 - i, pad[2 * i], pad[2 * i + 1]


def _regions(shape: Any, pad: Any) -> tuple[list[int], list[Any], list[Any]]:
    """The padded shape; where in it the input lies; which part of the input that is."""
    new = list(shape)
    to, part = [slice(None)] * len(shape), [slice(None)] * len(shape)
    for d, left, right in _sides(len(shape), pad):
        n = shape[d]
        new[d] = n + left + right
        to[d] = slice(max(left, 0), new[d] - max(right, 0))
        part[d] = slice(max(-left, 0), n - max(-right, 0))
    return new, to, part


def constant(x: Any, pad: Any, value: Any) -> Any:
    new, to, part = _regions(x.shape, pad)
    inner = x[tuple(part)]
    result = np.zeros(new, x.dtype) if not value else np.full(new, np.asarray(value).astype(x.dtype), x.dtype)
    result[tuple(to)] = inner
    return result


def _at(ndim: int, d: int, s: Any) -> tuple[Any, ...]:
    return (*(slice(None),) * d, s, *(slice(None),) * (ndim - d - 1))


def _border(mode: str, left: int, right: int, m: int) -> Iterator[tuple[slice, slice]]:
    """(border, source) in a padded dimension: `left` and `right` positive parts of the padding, `m` its new size."""
    first, end = left, m - right  # the input lies here
    if left:
        border = slice(0, left)
        if mode == "reflect":
            yield border, slice(2 * left, left, -1)
        elif mode == "replicate":
            yield border, slice(first, first + 1)
        else:
            yield border, slice(end - left, end)
    if right:
        border = slice(end, m)
        if mode == "reflect":
            stop = end - 2 - right
            yield border, slice(end - 2, stop if stop >= 0 else None, -1)
        elif mode == "replicate":
            yield border, slice(end - 1, end)
        else:
            yield border, slice(first, first + right)


def bordered(x: Any, pad: Any, mode: str) -> Any:
    """`x` with borders that repeat it: mode 'reflect', 'replicate' or 'circular'."""
    new, to, part = _regions(x.shape, pad)
    if mode != "circular" and min(pad) < 0:
        # A cut of one side does not change what the other side sees: pad in full, then cut. (Round a circle it does.)
        grown = [max(p, 0) for p in pad]
        return np.ascontiguousarray(constant(bordered(x, grown, mode), [min(p, 0) for p in pad], 0))
    result = np.empty(new, x.dtype)
    result[tuple(to)] = x[tuple(part)]
    for d, left, right in _sides(x.ndim, pad):
        for border, source in _border(mode, max(left, 0), max(right, 0), new[d]):
            # Dimensions still to come hold nothing yet: restrict to where the input lies in them.
            inside = [to[e] if e < d else slice(None) for e in range(x.ndim)]
            inside[d] = border
            view = result[tuple(inside)]
            inside[d] = source
            view[...] = result[tuple(inside)]
    return result


def unbordered(g: Any, shape: tuple[int, ...], pad: Any, mode: str) -> Any:
    """The transpose of `bordered`: borders are added where they came from. `shape` is the input's."""
    if mode != "circular" and min(pad) < 0:
        grown = [max(p, 0) for p in pad]
        return unbordered(constant(g, [max(-p, 0) for p in pad], 0), shape, grown, mode)
    _, to, part = _regions(shape, pad)
    total = g.copy()
    for d, left, right in reversed(list(_sides(g.ndim, pad))):
        for border, source in _border(mode, max(left, 0), max(right, 0), g.shape[d]):
            inside = [to[e] if e < d else slice(None) for e in range(g.ndim)]
            inside[d] = border
            back = total[tuple(inside)]
            if mode == "replicate":
                back = back.sum(d, keepdims=True, dtype=g.dtype)
            inside[d] = source
            total[tuple(inside)] += back
    result = np.zeros(shape, g.dtype)
    result[tuple(part)] = total[tuple(to)]
    return result
