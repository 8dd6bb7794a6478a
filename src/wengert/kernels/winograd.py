"""Convolution of images with kernels of 3 x 3, by fewer products, where they are worth it; else None.

Source. S. Winograd, Arithmetic Complexity of Computations (1980); A. Lavin and S. Gray, CVPR 2016: F(2 x 2, 3 x 3). The
result is computed in tiles of 2 x 2, each from a patch d of 4 x 4:

    A' [(G w G') * (B' d B)] A       B' d = (d0 - d2, d1 + d2, d2 - d1, d1 - d3),  A' m = (m0 + m1 + m2, m1 - m2 - m3)
                                     G w = (w0, (w0 + w1 + w2) / 2, (w0 - w1 + w2) / 2, w2)

and so the gradient of the weights is G' [sum of (A g A') * (B' d B)] G. The products (*) of the 16 points, summed over
channels (or places), are 4 / 9 of those that the definition takes. In float32 the error is that of the definition to
within a small factor, which tests state; float64 is left to the definition. A number that is not finite would reach all
four places of a tile (or all nine weights): then, too, the definition is computed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import blas, threads
from .compiled import machine
from .tiles import CHANNELS

Ints = tuple[int, ...]
_G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], np.float32)
_BACK = np.kron(_G, _G).T.copy()  # (9, 16)
_ROOM = 1 << 17  # bytes for the points of some tiles: they stay in the second cache
_FEW = 16  # channels from which it pays
INPUTS, _WIDE = 4, 16  # channels of the input and of the result in a tile of the weights' gradient


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


def weight_grad(x: Any, g: Any, padding: Ints) -> Any:
    """Transpose with respect to weights (O, C, 3, 3), without strides: (N, C, H, W) with (N, O, *places)."""
    if x.ndim != 4 or x.dtype != np.float32 or g.dtype != np.float32:
        return None
    n, c = x.shape[:2]
    o, height, width = g.shape[1:]
    if min(c, o) < _FEW or n < threads.get_num_threads() or min(height, width) < 3:
        return None
    rows, columns = -(-height // 2), -(-width // 2)
    blocks, inputs = -(-o // _WIDE), -(-c // INPUTS) * INPUTS
    some = max(1, min(128, max(32, _ROOM // (64 * max(c, o)))) // columns)
    # In products of a vector, as above; every sum that is begun costs some.
    there = (
        rows * (-(-columns // 8) * 80 * c + columns * blocks * _WIDE // 8 * 40) + blocks * 4 * inputs * rows / some * 60
    )
    if 2 * blocks * 16 * rows * columns * inputs + there > 2 * blocks * 9 * c * height * width:
        return None
    x, g = np.ascontiguousarray(x), np.ascontiguousarray(g)
    shape = 16, blocks, inputs, _WIDE
    values = g, x, padding, (rows + 1, columns + 1), some
    loop = machine("winograd_loops.weights_back", g.size * 8, np.empty(shape, x.dtype), *values, 0, 0)
    if loop is None:
        return None
    total = threads.share_sum(
        lambda into, low, high: loop(into, *values, low, high), n, g.size * c, lambda: np.zeros(shape, x.dtype)
    )
    with blas.one_thread():
        found = np.matmul(_BACK, total.reshape(16, -1)).reshape(9, blocks, inputs, _WIDE)
    found = np.ascontiguousarray(found.transpose(1, 3, 2, 0).reshape(-1, inputs, 9)[:o, :c]).reshape(o, c, 3, 3)
    return found if np.isfinite(found).all() else None
