"""Order statistics of arrays along an axis: sorting, the k largest, medians, modes. NaN counts as the largest number.

Of equal elements the first comes first, whatever the direction: NumPy's fast (vectorised) sorts do not promise that, so
they are used first and their result is checked; only where there really are ties the slower stable sort follows.
Everything here works along the last axis; `along` brings another there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .threads import share

_SMALL = 256
_PACKED = (np.dtype(np.float32), np.dtype(np.int32))


def along(a: Any, axis: int, function: Callable[[Any], tuple[Any, ...]]) -> tuple[Any, ...]:
    """`function` of the array with `axis` last; its results with that axis back in its place."""
    if axis == a.ndim - 1:
        return function(a)
    return tuple(np.moveaxis(x, -1, axis) for x in function(np.moveaxis(a, axis, -1)))


def rows(a: Any, indices: Any) -> Any:
    """`a[..., indices]`, row by row."""
    if a.ndim == 1:
        return a[indices]
    if not a.size:
        return np.empty(indices.shape, a.dtype)
    n, k = a.shape[-1], indices.shape[-1]
    flat = np.ascontiguousarray(a).reshape(-1, n)
    places = indices.reshape(-1, k) + (np.arange(len(flat)) * n)[:, None]
    return flat.reshape(-1)[places].reshape(indices.shape)


def _strictly_rising(values: Any) -> bool:
    return bool((values[..., :-1] < values[..., 1:]).all())


def _packed_order(x: Any) -> Any:
    """Indices that sort rows of 32-bit numbers stably: each number, as an integer that sorts alike, and its index after it
    make one 64-bit integer, so no two are equal and the fast sort is a stable one."""
    if x.dtype.kind == "f":
        keys = (x + np.float32(0)).view(np.int32)  # -0 becomes 0, its equal
        keys = keys ^ ((keys >> 31) & 0x7FFFFFFF)
        lost = np.isnan(x)
        if lost.any():
            keys[lost] = 0x7FFFFFFF
    else:
        keys = x
    packed = keys.astype(np.int64).reshape(-1, x.shape[-1])
    packed <<= 32
    packed |= np.arange(x.shape[-1])
    share(lambda low, high: packed[low:high].sort(axis=-1), len(packed), packed.size)
    packed &= 0xFFFFFFFF
    return packed.reshape(x.shape)


def order(a: Any, descending: bool = False) -> tuple[Any, Any]:
    """(sorted values, their indices) along the last axis."""
    if a.dtype == np.bool_:
        values, indices = order(a.view(np.uint8), descending)
        return values.view(np.bool_), indices
    x = a[..., ::-1] if descending else a
    if a.size > _SMALL and a.dtype in _PACKED and a.shape[-1] < 1 << 32:
        indices = _packed_order(x)
        values = rows(x, indices)
    elif a.size > _SMALL and a.dtype.itemsize > 2:
        indices = np.argsort(x, axis=-1)
        values = rows(x, indices)
        if not _strictly_rising(values):
            indices = np.argsort(x, axis=-1, kind="stable")
            values = rows(x, indices)
    else:
        indices = np.argsort(x, axis=-1, kind="stable")
        values = rows(x, indices)
    if descending:  # both reversals together keep equal elements in their order
        return np.ascontiguousarray(values[..., ::-1]), a.shape[-1] - 1 - indices[..., ::-1]
    return values, indices


def largest(a: Any, k: int, descending: bool) -> tuple[Any, Any]:
    """The k largest (or smallest) along the last axis, in order."""
    n = a.shape[-1]
    if k == 0 or a.size <= _SMALL or k > n // 4 or a.dtype == np.bool_ or (a.dtype.kind == "f" and np.isnan(a).any()):
        values, indices = order(a, descending)
        return np.ascontiguousarray(values[..., :k]), np.ascontiguousarray(indices[..., :k])
    # Partition, then take what lies beyond the k-th value, and of its equals the first.
    at = n - k if descending else k - 1
    edge = np.partition(a, at, axis=-1)[..., at : at + 1]
    chosen = a > edge if descending else a < edge
    equal = a == edge
    missing = k - np.count_nonzero(chosen, axis=-1)
    if (np.count_nonzero(equal, axis=-1) > missing).any():
        equal &= np.cumsum(equal, axis=-1, dtype=np.int32) <= missing[..., None]
    chosen |= equal
    indices = (np.flatnonzero(chosen) % n).reshape(*a.shape[:-1], k)
    values, inner = order(rows(a, indices), descending)
    return values, rows(indices, inner)


def nth(a: Any, k: Any) -> tuple[Any, Any]:
    """The k-th smallest (counted from 0, a number or one for each row) along the last axis, kept with size 1."""
    if np.ndim(k) == 0:
        values = np.partition(a, int(k), axis=-1)[..., int(k), None]
    else:
        values = rows(np.sort(a, axis=-1), k[..., None])
    hit = a == values
    if a.dtype.kind == "f":
        hit |= np.isnan(a) & np.isnan(values)
    return values, np.argmax(hit, axis=-1)[..., None]


def median(a: Any, skip_nan: bool) -> tuple[Any, Any]:
    """The lower median along the last axis. NaN if there is one in the row, unless these are skipped."""
    n = a.shape[-1]
    missing = np.isnan(a) if a.dtype.kind == "f" else None
    if missing is None or not missing.any():
        return nth(a, (n - 1) // 2)
    if skip_nan:
        return nth(a, np.maximum((n - np.count_nonzero(missing, axis=-1) - 1) // 2, 0))
    values, indices = nth(a, (n - 1) // 2)
    first = np.argmax(missing, axis=-1)[..., None]
    some = missing.any(axis=-1)[..., None]
    return np.where(some, a.dtype.type(np.nan), values), np.where(some, first, indices)


def mode(a: Any) -> tuple[Any, Any]:
    """The most frequent value along the last axis, the smallest of several, and the last index where it appears."""
    values, indices = order(a)
    n = a.shape[-1]
    place = np.arange(n)
    starts = np.ones(a.shape, np.bool_)
    starts[..., 1:] = values[..., 1:] != values[..., :-1]
    length = place - np.maximum.accumulate(np.where(starts, place, 0), axis=-1)
    best = np.argmax(length, axis=-1)[..., None]
    return rows(values, best), rows(indices, best)
