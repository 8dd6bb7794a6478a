"""Convolution of images by the compiled loops of `conv_loops`, where they may and are worth it; else None.

Shapes and options as in `kernels/convolution`, which asks here first.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from . import threads
from .compiled import machine

Ints = tuple[int, ...]
_WORTH = 1 << 20  # multiplications from which a compiled loop is looked for
_FEW = 5  # channels of the result, of the eight that are computed together


def _lay_out(size: Ints, stride: Ints, padding: Ints) -> Ints:
    """Rows and columns of a phase of the padded image."""
    rows, columns = (-(-(n + 2 * p) // s) for n, s, p in zip(size, stride, padding, strict=True))
    return rows, columns


@functools.lru_cache(maxsize=256)
def _offsets(channels: int, kernel: Ints, stride: Ints, dilation: Ints, phase: Ints) -> Any:
    """Where, in the memory of phases, each weight of a channel of the result finds its first element."""
    c = np.arange(channels)[:, None, None]
    p, q = (np.arange(k) * d for k, d in zip(kernel, dilation, strict=True))
    down, across = stride
    rows = (c * down + (p % down)[:, None]) * across + q % across
    return np.ascontiguousarray((rows * phase[0] + (p // down)[:, None]) * phase[1] + q // across).reshape(-1)


def _suited(x: Any, other: Any, across: int, work: int) -> bool:
    if x.ndim != 4 or x.dtype.char not in "fd" or x.dtype != other.dtype or work < _WORTH:
        return False
    return across >= 32 // x.itemsize  # a vector


def forward(x: Any, w: Any, bias: Any, stride: Ints, padding: Ints, dilation: Ints, out: Ints) -> Any:
    """Cross-correlation of (N, C, H, W) with (O, C, *kernel), and a bias (O,) or None."""
    n, c = x.shape[:2]
    o, kernel = w.shape[0], w.shape[2:]
    count = w.size // o
    if o < _FEW or not _suited(x, w, out[-1], n * o * count * out[0] * out[-1]):
        return None
    x = np.ascontiguousarray(x)
    phase = _lay_out(x.shape[2:], stride, padding)
    offsets = _offsets(c, kernel, stride, dilation, phase)
    blocks = -(-o // 8)
    packed, biases = np.zeros((blocks * 8, count), x.dtype), np.zeros(blocks * 8, x.dtype)
    packed[:o] = w.reshape(o, count)
    if bias is not None:
        biases[:o] = bias
    packed = np.ascontiguousarray(packed.reshape(blocks, 8, count).swapaxes(1, 2))
    result = np.empty((n, o, *out), x.dtype)
    values = result, x, packed, biases, offsets, stride, padding, phase
    loop = machine("conv_loops.direct", result.size * 8, *values, 0, 0)
    if loop is None:
        return None
    threads.share(lambda low, high: loop(*values, low, high), n, result.size * count)
    return result


def weight_grad(x: Any, g: Any, weight_shape: Ints, stride: Ints, padding: Ints, dilation: Ints) -> Any:
    """Transpose with respect to the weight: (N, C, H, W) with (N, O, *places) to `weight_shape`."""
    n, c = x.shape[:2]
    o, kernel = weight_shape[0], weight_shape[2:]
    count = int(np.prod(weight_shape[1:]))
    if not _suited(x, g, g.shape[-1], g.size * count):
        return None
    x, g = np.ascontiguousarray(x), np.ascontiguousarray(g)
    phase = _lay_out(x.shape[2:], stride, padding)
    offsets = _offsets(c, kernel, stride, dilation, phase)
    offsets = np.concatenate([offsets, np.zeros(-count % 3, np.int64)])
    empty = np.empty((o, count), x.dtype)
    values = g, x, offsets, stride, padding, phase
    loop = machine("conv_loops.weights_back", g.size * 8, empty, *values, 0, 0)
    if loop is None:
        return None
    parts: dict[int, Any] = {}

    def work(low: int, high: int) -> None:
        parts[low] = np.empty((o, count), x.dtype)
        loop(parts[low], *values, low, high)

    threads.share(work, n, g.size * count)
    total = parts.pop(0)
    for low in sorted(parts):
        total += parts[low]
    return total.reshape(weight_shape)
