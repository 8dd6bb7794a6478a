"""Convolution of any rank on arrays: forward and its two transposes, by matrix products over cache-sized pieces.

The input is unfolded to columns (im2col) a piece at a time, some images or some rows of one, so that the columns stay in
cache between being written and being multiplied; threads share the pieces. Everything is NumPy; matrix products are
BLAS's. Shapes: input (N, C, *S), weight (O, C / groups, *K), result (N, O, *L). Options are tuples of one int for each
spatial dimension.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import numpy as np

from . import tiles, winograd
from .threads import share_products

Ints = tuple[int, ...]
_PIECE = 1 << 20  # bytes of columns at a time: about the second-level cache
_FEW = 32  # channels below which the result is computed as rows of channels, not of places: measured on OpenBLAS


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


Piece = tuple[int, int, int, int]  # images from and to, rows of the result from and to


def _pieces(n: int, out: Ints, bytes_each: int) -> list[Piece]:
    """The work on n images in pieces of about the same size: several images each or, of large ones, some rows."""
    if bytes_each <= _PIECE or not out:
        step = max(1, _PIECE // max(bytes_each, 1))
        step = -(-n // -(-n // step)) if n else 1
        return [(a, min(n, a + step), 0, out[0]) for a in range(0, n, step)]
    rows = max(1, _PIECE * out[0] // bytes_each)
    return [(a, a + 1, r, min(out[0], r + rows)) for a in range(n) for r in range(0, out[0], rows)]


class _Room:
    """Memory that is used again for one array after the other."""

    def __init__(self, dtype: Any) -> None:
        self.memory: Any = np.empty(0, dtype)

    def array(self, *shape: int) -> Any:
        size = math.prod(shape)
        if self.memory.size < size:
            self.memory = np.empty(size, self.memory.dtype)
        return self.memory[:size].reshape(shape)


class _Unfolding:
    """Columns of an input, piece by piece: one for each thread."""

    def __init__(self, x: Any, kernel: Ints, out: Ints, stride: Ints, padding: Ints, dilation: Ints) -> None:
        self.x, self.out, self.padding = x, out, padding
        self.options = kernel, stride, dilation
        self.room = _Room(x.dtype)
        self.images = (0, 0)
        self.padded: Any = None

    def columns(self, piece: Piece) -> Any:
        """(C * kernel, images * places) of a piece."""
        a, b, top, bottom = piece
        if (a, b) != self.images:
            self.images = (a, b)
            self.padded = pad(self.x[a:b], self.padding)
        kernel, stride, dilation = self.options
        rank = len(kernel)
        view = windows(self.padded, kernel, self.out, stride, dilation)
        view = view.transpose(*range(1, rank + 2), 0, *range(rank + 2, 2 * rank + 2))
        view = view[(slice(None),) * (rank + 2) + (slice(top, bottom),)]
        found = self.room.array(*view.shape)
        np.copyto(found, view)
        return found.reshape(math.prod(view.shape[: rank + 1]), -1)


def _by_loops(x: Any, w: Any, bias: Any, stride: Ints, padding: Ints, dilation: Ints, out: Ints) -> Any:
    """The result of a compiled loop, or None."""
    found = None
    if all(s == 1 for s in stride) and all(d == 1 for d in dilation):
        found = winograd.forward(x, w, bias, padding, out)
    return tiles.forward(x, w, bias, stride, padding, dilation, out) if found is None else found


@_half
def forward(x: Any, w: Any, bias: Any, stride: Ints, padding: Ints, dilation: Ints, groups: int) -> Any:
    """Cross-correlation of (N, C, *S) with (O, C / groups, *K), and a bias (O,) or None."""
    n, c = x.shape[:2]
    o, kernel = w.shape[0], w.shape[2:]
    out = output_size(x.shape[2:], kernel, stride, padding, dilation)
    k = (c // groups) * math.prod(kernel)
    matrix = np.ascontiguousarray(w).reshape(groups, o // groups, k)
    if not n * o * math.prod(out):
        return np.empty((n, o, *out), np.result_type(x, w))
    if _plain(kernel, stride, padding):
        result = np.empty((n, o, *out), np.result_type(x, w))
        images, planes = np.ascontiguousarray(x).reshape(n, groups, k, -1), result.reshape(n, groups, o // groups, -1)

        def multiply(low: int, high: int) -> None:
            np.matmul(matrix, images[low:high], out=planes[low:high])

        share_products(multiply, n, result.size * k)
        return _add_bias(result, bias)
    found = _by_loops(x, w, bias, stride, padding, dilation, out) if groups == 1 else None
    if found is not None:
        return found
    pieces = _pieces(n, out, c * math.prod(kernel) * math.prod(out) * x.itemsize)
    few = o // groups < _FEW
    result = np.empty((n, o, *out), np.result_type(x, w))

    def work(low: int, high: int) -> None:
        unfolding = _Unfolding(x, kernel, out, stride, padding, dilation)
        room = _Room(result.dtype)
        for piece in pieces[low:high]:
            a, b, top, bottom = piece
            cols = unfolding.columns(piece).reshape(groups, k, -1)
            places = (b - a, bottom - top, *out[1:])
            if few:
                found = np.matmul(matrix, cols, out=room.array(groups, o // groups, cols.shape[2]))
                found = found.reshape(o, *places).swapaxes(0, 1)
            else:
                found = room.array(groups, cols.shape[2], o // groups)
                found = np.matmul(cols.swapaxes(1, 2), matrix.swapaxes(1, 2), out=found)
                found = found.reshape(groups, *places, o // groups)
                found = np.moveaxis(found, (0, -1), (1, 2)).reshape(b - a, o, *places[1:])
            if bias is not None:
                np.add(found, bias.reshape(-1, *(1,) * len(out)), out=result[a:b, :, top:bottom])
            else:
                result[a:b, :, top:bottom] = found

    share_products(work, len(pieces), result.size * k)
    return result


@_half
def weight_grad(x: Any, g: Any, weight_shape: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int) -> Any:
    """Transpose with respect to the weight."""
    n, c = x.shape[:2]
    o, kernel = weight_shape[0], weight_shape[2:]
    out = g.shape[2:]
    k = (c // groups) * math.prod(kernel)
    plain = _plain(kernel, stride, padding)
    if groups == 1 and not plain:
        found = None
        if kernel == (3, 3) and all(s == 1 for s in (*stride, *dilation)):
            found = winograd.weight_grad(x, g, padding)
        if found is None:
            found = tiles.weight_grad(x, g, weight_shape, stride, padding, dilation)
        if found is not None:
            return found
    pieces = _pieces(n, out, c * math.prod(kernel) * math.prod(out) * x.itemsize)
    totals: dict[int, Any] = {}

    def work(low: int, high: int) -> None:
        unfolding = _Unfolding(x, kernel, out, stride, padding, dilation)
        total = np.zeros((groups, k, o // groups), np.result_type(x, g))
        product, room = np.empty_like(total), _Room(g.dtype)
        for piece in pieces[low:high]:
            a, b, top, bottom = piece
            if plain:
                cols = x[a:b, :, top:bottom].swapaxes(0, 1)
            else:
                cols = unfolding.columns(piece)
            part = g[a:b, :, top:bottom].swapaxes(0, 1)
            flat = room.array(*part.shape)
            np.copyto(flat, part)
            flat = flat.reshape(groups, o // groups, -1)
            total += np.matmul(cols.reshape(groups, k, -1), flat.swapaxes(1, 2), out=product)
        totals[low] = total

    share_products(work, len(pieces), g.size * k)
    parts = [totals[low] for low in sorted(totals)]
    total = sum(parts[1:], parts[0]) if parts else np.zeros((groups, k, o // groups), np.result_type(x, g))
    return np.ascontiguousarray(total.swapaxes(1, 2)).reshape(weight_shape)


@_half
def input_grad(g: Any, w: Any, bias: Any, size: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int) -> Any:
    """Transpose with respect to the input, whose spatial size is `size`; `bias` (C,) or None is added."""
    n, o = g.shape[:2]
    c, kernel = w.shape[1] * groups, w.shape[2:]
    out = tuple(g.shape[2:])
    reach = tuple(d * (k - 1) for d, k in zip(dilation, kernel, strict=True))
    if (
        all(s == 1 for s in stride)
        and all(p <= r for p, r in zip(padding, reach, strict=True))
        and output_size(size, kernel, stride, padding, dilation) == out
    ):
        # Without strides it is the convolution with the kernel turned round, and nothing has to be added up.
        turned = w.reshape(groups, o // groups, c // groups, *kernel).swapaxes(1, 2)
        turned = np.flip(turned, tuple(range(3, turned.ndim))).reshape(c, o // groups, *kernel)
        rest = tuple(r - p for r, p in zip(reach, padding, strict=True))
        direct = _by_loops(g, turned, bias, stride, rest, dilation, size) if groups == 1 else None
        if direct is not None:
            return direct
        if 2 * o <= 3 * c:  # it is g that is unfolded here, which may have many more channels
            return forward(g, turned, bias, stride, rest, dilation, groups)
    elif groups == 1:
        found = tiles.input_grad(g, w, bias, size, stride, padding, dilation)
        if found is not None:
            return found
    length = math.prod(out)
    gm = np.ascontiguousarray(g).reshape(n, groups, o // groups, length)
    matrix = np.ascontiguousarray(w).reshape(groups, o // groups, -1).swapaxes(-1, -2)
    result = np.empty((n, c, *size), np.result_type(g, w))
    each = c * math.prod(kernel) * length
    pieces = _pieces(n, (1,), each * g.itemsize)

    def work(low: int, high: int) -> None:
        room = _Room(result.dtype)
        for a, b, *_ in pieces[low:high]:
            cols = np.matmul(matrix, gm[a:b], out=room.array(b - a, *matrix.shape[:2], length))
            result[a:b] = fold(cols.reshape(b - a, c, *kernel, *out), size, kernel, stride, padding, dilation)

    share_products(work, len(pieces), n * each)
    return _add_bias(result, bias)


def unfold(x: Any, kernel: Ints, out: Ints, stride: Ints, padding: Ints, dilation: Ints) -> Any:
    """Columns (N, C, *kernel, *out) of an input (N, C, *S): im2col."""
    return np.ascontiguousarray(windows(pad(x, padding), kernel, out, stride, dilation))


def fold(cols: Any, size: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints) -> Any:
    """Columns (N, C, *kernel, *out) added up where they overlap, to (N, C, *size): col2im, the transpose of `unfold`."""
    found = tiles.fold(cols, size, kernel, stride, padding, dilation)
    if found is not None:
        return found
    rank = len(size)
    out = cols.shape[2 + rank :]
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
