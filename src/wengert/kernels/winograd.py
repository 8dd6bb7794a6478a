"""Convolution of images with kernels of 3 x 3, by fewer products, where they are worth it; else None.

Source. S. Winograd, Arithmetic Complexity of Computations (1980); A. Lavin and S. Gray, CVPR 2016: F(2 x 2, 3 x 3). The
result is computed in tiles of 2 x 2, each from a patch d of 4 x 4:

    A' [(G w G') * (B' d B)] A       B' d = (d0 - d2, d1 + d2, d2 - d1, d1 - d3),  A' m = (m0 + m1 + m2, m1 - m2 - m3)
                                     G w = (w0, (w0 + w1 + w2) / 2, (w0 - w1 + w2) / 2, w2)

The products (*) of the 16 points, summed over channels, are 4 / 9 of those that the definition takes. In float32 the
error is some two to three times that of the definition, of which tests hold the bounds; float64 is left to it. A number
that is not finite would reach all four places of a tile: then, too, the definition is computed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import threads
from .compiled import machine
from .tiles import CHANNELS

Ints = tuple[int, ...]
_ROOM = 1 << 17  # bytes for the points of some tiles: they stay in the second cache
_FEW = 16  # channels from which it pays


def forward(x: Any, w: Any, bias: Any, padding: Ints, out: Ints) -> Any:
    """Cross-correlation of (N, C, H, W) with (O, C, 3, 3), and a bias (O,) or None, without strides."""
    if x.ndim != 4 or w.shape[2:] != (3, 3) or x.dtype != np.float32 or w.dtype != np.float32:
        return None
    n, c = x.shape[:2]
    o = len(w)
    lanes = 8
    rows, columns = (-(-m // 2) for m in out)
    vectors = -(-((rows - 1) * (columns + 1) + columns) // lanes)
    if min(c, o) < _FEW or n < threads.get_num_threads() or vectors < 3:
        return None
    # In products of a vector: 16 for the points, and what it takes to get there and back.
    if vectors * (16 * o * c + 80 * c + 55 * o) > 9 * o * c * out[0] * out[1] / lanes:
        return None
    some = min(vectors, max(1, _ROOM // (16 * c * 4 * 3 * lanes)) * 3)
    blocks = -(-o // CHANNELS)
    points, w = np.empty((16, blocks, c, CHANNELS), w.dtype), np.ascontiguousarray(w)
    transform = machine("winograd_loops.points_of", w.size, points, w)
    if transform is None:
        return None
    transform(points, w)
    biases = np.zeros(o, x.dtype) if bias is None else np.ascontiguousarray(bias)
    result, odd = np.empty((n, o, *out), x.dtype), np.zeros((threads.get_num_threads(), lanes), x.dtype)
    values = result, np.ascontiguousarray(x), points, biases, padding, (rows + 1, columns + 1), some
    loop = machine("winograd_loops.forward", result.size * 8, *values, odd[0], 0, 0)
    if loop is None:
        return None
    spare = iter(odd)
    threads.share(lambda low, high: loop(*values, next(spare), low, high), n, result.size * c)
    return None if np.isnan(odd).any() else result
