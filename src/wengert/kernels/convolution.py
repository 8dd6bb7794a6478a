"""Convolution of any rank on arrays: forward and its two transposes, by matrix products over cache-sized blocks.

The input is unfolded to columns (im2col) a few images at a time, so that the columns stay in cache between being
written and being multiplied. Everything is NumPy; matrix products are BLAS's. Shapes: input (N, C, *S), weight
(O, C / groups, *K), result (N, O, *L). Options are tuples of one int for each spatial dimension.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import numpy as np

from . import loops

Ints = tuple[int, ...]
_BLOCK = 1 << 20  # bytes of columns at a time: about the second-level cache


def output_size(size: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints) -> Ints:
    return tuple(
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True)
    )


def pad(x: Any, padding: Ints) -> Any:
    if not any(padding):
        return x
    shape = (*x.shape[:2], *(n + 2 * p for n, p in zip(x.shape[2:], padding, strict=True)))
    out = np.zeros(shape, x.dtype)
    out[(slice(None), slice(None), *(slice(p, p + n) for p, n in zip(padding, x.shape[2:], strict=True)))] = x
    return out


def windows(x: Any, kernel: Ints, out: Ints, stride: Ints, dilation: Ints) -> Any:
    """A view (N, C, *kernel, *out) of a padded input."""
    steps = x.strides[2:]
    return np.lib.stride_tricks.as_strided(
        x,
        (*x.shape[:2], *kernel, *out),
        (
            *x.strides[:2],
            *(s * d for s, d in zip(steps, dilation, strict=True)),
            *(s * t for s, t in zip(steps, stride, strict=True)),
        ),
        writeable=False,
    )


def _blocks(n: int, bytes_each: int) -> Any:
    step = max(1, _BLOCK // max(bytes_each, 1))
    return ((i, min(n, i + step)) for i in range(0, n, step))


def _plain(kernel: Ints, stride: Ints, padding: Ints) -> bool:
    """A 1 x 1 convolution is a matrix product of the image itself."""
    return all(k == 1 for k in kernel) and all(s == 1 for s in stride) and not any(padding)


def _half(function: Any) -> Any:
    """BLAS knows no half precision: compute in float32, round at the end."""

    @functools.wraps(function)
    def wide(x: Any, y: Any, *rest: Any) -> Any:
        if x.dtype != np.float16:
            return function(x, y, *rest)
        first = rest[0].astype(np.float32) if isinstance(rest[0], np.ndarray) else rest[0]
        return function(x.astype(np.float32), y.astype(np.float32), first, *rest[1:]).astype(np.float16)

    return wide


def _add_bias(result: Any, bias: Any) -> Any:
    """`result` (N, O, *L) with `bias` (O,) added in place."""
    if bias is not None:
        result += bias.reshape(-1, *(1,) * (result.ndim - 2))
    return result


def _columns(x: Any, kernel: Ints, out: Ints, stride: Ints, padding: Ints, dilation: Ints) -> Any:
    """(a, b, columns of images a to b) a block at a time. The memory of a block may be that of the one before."""
    n, c = x.shape[:2]
    each = c * math.prod(kernel) * math.prod(out)
    if len(kernel) == 2 and n and each:
        x = np.ascontiguousarray(x)
        buffer: Any = None
        for a, b in _blocks(n, each * x.itemsize):
            if buffer is None:
                buffer = np.empty((b - a, c, *kernel, *out), x.dtype)
            block = buffer[: b - a]
            if not _unfolded(block, x[a:b], stride, padding, dilation):
                break
            yield a, b, block
        else:
            return
    xp = pad(x, padding)
    for a, b in _blocks(n, each * x.itemsize):
        yield a, b, windows(xp[a:b], kernel, out, stride, dilation)


def _unfolded(block: Any, x: Any, stride: Ints, padding: Ints, dilation: Ints) -> bool:
    """Columns by a compiled loop, each channel as an image by itself; False if there is none."""
    n, c = x.shape[:2]
    planes = x.reshape(n * c, 1, *x.shape[2:])
    return loops.run(
        loops.columns, block.size, n * c, block.reshape(n * c, 1, *block.shape[2:]), planes, stride, padding, dilation
    )


@_half
def forward(x: Any, w: Any, bias: Any, stride: Ints, padding: Ints, dilation: Ints, groups: int) -> Any:
    """Cross-correlation of (N, C, *S) with (O, C / groups, *K), and a bias (O,) or None."""
    n, c = x.shape[:2]
    o, kernel = w.shape[0], w.shape[2:]
    out = output_size(x.shape[2:], kernel, stride, padding, dilation)
    length = int(np.prod(out))
    k = int(np.prod(kernel))
    dtype = np.result_type(x, w)
    result = np.empty((n, groups, o // groups, length), dtype)
    matrix = np.ascontiguousarray(w).reshape(groups, o // groups, (c // groups) * k)
    if _plain(kernel, stride, padding):
        np.matmul(matrix, np.ascontiguousarray(x).reshape(n, groups, c // groups, length), out=result)
        return _add_bias(result.reshape((n, o, *out)), bias)
    for a, b, cols in _columns(x, kernel, out, stride, padding, dilation):
        np.matmul(matrix, cols.reshape(b - a, groups, (c // groups) * k, length), out=result[a:b])
    return _add_bias(result.reshape((n, o, *out)), bias)


@_half
def weight_grad(x: Any, g: Any, weight_shape: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int) -> Any:
    """Transpose with respect to the weight."""
    n, c = x.shape[:2]
    o, kernel = weight_shape[0], weight_shape[2:]
    out = g.shape[2:]
    length = int(np.prod(out))
    k = int(np.prod(kernel))
    gm = np.ascontiguousarray(g).reshape(n, groups, o // groups, length)
    total = np.zeros((groups, o // groups, (c // groups) * k), np.result_type(x, g))
    plain = _plain(kernel, stride, padding)
    blocks = [(0, n, np.ascontiguousarray(x))] if plain else _columns(x, kernel, out, stride, padding, dilation)
    for a, b, block in blocks:
        cols = block.reshape(b - a, groups, (c // groups) * k, length)
        for i in range(b - a):
            total += gm[a + i] @ cols[i].swapaxes(-1, -2)
    return total.reshape(weight_shape)


@_half
def input_grad(g: Any, w: Any, bias: Any, size: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int) -> Any:
    """Transpose with respect to the input, whose spatial size is `size`; `bias` (C,) or None is added."""
    n, o = g.shape[:2]
    c, kernel = w.shape[1] * groups, w.shape[2:]
    out = g.shape[2:]
    length = int(np.prod(out))
    k = int(np.prod(kernel))
    dtype = np.result_type(g, w)
    gm = np.ascontiguousarray(g).reshape(n, groups, o // groups, length)
    matrix = np.ascontiguousarray(w).reshape(groups, o // groups, (c // groups) * k).swapaxes(-1, -2)
    if _plain(kernel, stride, padding) and tuple(out) == tuple(size):
        return _add_bias(np.matmul(matrix, gm).reshape((n, c, *size)), bias)
    result = np.empty((n, c, *size), dtype)
    for a, b in _blocks(n, c * k * length * g.itemsize):
        cols = np.matmul(matrix, gm[a:b]).reshape((b - a, c, *kernel, *out))
        result[a:b] = fold(cols, size, kernel, stride, padding, dilation)
    return _add_bias(result, bias)


def unfold(x: Any, kernel: Ints, out: Ints, stride: Ints, padding: Ints, dilation: Ints) -> Any:
    """Columns (N, C, *kernel, *out) of an input (N, C, *S): im2col."""
    return np.ascontiguousarray(windows(pad(x, padding), kernel, out, stride, dilation))


def fold(cols: Any, size: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints) -> Any:
    """Columns (N, C, *kernel, *out) added up where they overlap, to (N, C, *size): col2im, the transpose of `unfold`."""
    rank = len(size)
    out = cols.shape[2 + rank :]
    if rank == 2:
        n, c = cols.shape[:2]
        images = np.empty((n, c, *size), cols.dtype)
        planes, parts = images.reshape(n * c, 1, *size), np.ascontiguousarray(cols).reshape(n * c, 1, *cols.shape[2:])
        if loops.run(loops.folded, cols.size, n * c, planes, parts, stride, padding, dilation):
            return images
    total = np.zeros((*cols.shape[:2], *(s + 2 * p for s, p in zip(size, padding, strict=True))), cols.dtype)
    for offset in itertools.product(*(range(m) for m in kernel)):
        place = tuple(
            slice(i * d, i * d + s * (m - 1) + 1, s) for i, d, s, m in zip(offset, dilation, stride, out, strict=True)
        )
        total[(slice(None), slice(None), *place)] += cols[(slice(None), slice(None), *offset)]
    if not any(padding):
        return total
    inner = tuple(slice(p, p + s) for p, s in zip(padding, size, strict=True))
    return total[(slice(None), slice(None), *inner)]
