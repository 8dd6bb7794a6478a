"""Reading an image at places, and adding up there: (N, C, *S) with places (N, L) that all channels share.

A place is an index into the flattened image; -1 is outside, reads as zero and keeps nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def read(x: Any, places: Any) -> Any:
    """(N, C, L): `x` (N, C, *S) at `places` (N, L)."""
    n, c = x.shape[:2]
    area = int(np.prod(x.shape[2:]))
    flat = np.empty((n, c, area + 1), x.dtype)
    flat[..., :area] = x.reshape(n, c, area)
    flat[..., area] = 0  # what place -1 reads
    result = np.empty((n, c, places.shape[1]), x.dtype)
    for i in range(n):
        np.take(flat[i], places[i], axis=1, out=result[i], mode="wrap")
    return result


def add(g: Any, places: Any, size: tuple[int, ...]) -> Any:
    """The transpose of `read`: (N, C, *size) with `g` (N, C, L) added at `places` (N, L)."""
    n, c = g.shape[:2]
    area = int(np.prod(size)) + 1
    result = np.empty((n, c, area - 1), g.dtype)
    rows = (np.arange(c) * area)[:, None]
    for i in range(n):
        index = (rows + np.where(places[i] < 0, area - 1, places[i])).reshape(-1)
        values = g[i].reshape(-1)
        if g.dtype.kind == "c":
            total: Any = np.bincount(index, values.real, c * area) + 1j * np.bincount(index, values.imag, c * area)
        else:
            total = np.bincount(index, values, c * area)
        result[i] = total.reshape(c, area)[:, :-1]
    return result.reshape(n, c, *size)
