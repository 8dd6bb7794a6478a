"""Convolution of images by the compiled loops of `conv_loops`, where they may and are worth it; else None.

Shapes and options as in `kernels/convolution`, which asks here first.
"""

from __future__ import annotations

import functools
import itertools
from typing import Any, NamedTuple

import numpy as np

from . import threads
from .compiled import machine

Ints = tuple[int, ...]
_WORTH = 1 << 20  # multiplications from which a compiled loop is looked for
_FEW = 3  # channels of the result that are worth a tile
_USED = 0.5  # of the places that are computed, how many must be wanted
_COPY = 16
_FOLDED = 1 << 14  # elements of columns from which a loop adds them up

# A tile of the result has CHANNELS channels and up to three vectors of places. One of the weights' gradient has two
# vectors of channels and WIDE places of the kernel, or one and NARROW; it is walked through LENGTH places of the result.
CHANNELS, WIDE, NARROW, LENGTH = 4, 6, 9, 256


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


@functools.lru_cache(maxsize=256)
def _vectors(out: Ints, phase: Ints, count: int, lanes: int) -> tuple[Any, Any, int]:
    """Where vectors of places are written to and read from, and the length of a row where they are written.

    Either rows of vectors, of which the last overlaps the one before with the same numbers; or, where that makes fewer,
    all rows at once with what lies between them, which is left out by a copy (about as long as _COPY of `count` products).
    """
    rows, across = out
    length = (rows - 1) * phase[1] + across
    each, through = -(-across // lanes), -(-length // lanes)
    if across < lanes or through * (count + _COPY) < rows * each * count:
        places = np.arange(through) * lanes
        if across == phase[1]:  # nothing lies between rows
            places = np.minimum(places, max(0, length - lanes))
        return places, places, phase[1]
    starts = np.minimum(np.arange(each) * lanes, across - lanes)
    row = np.arange(rows)[:, None]
    targets, sources = ((row * n + starts).reshape(-1) for n in (across, phase[1]))
    return targets, sources, across


def _suited(x: Any, other: Any, work: int) -> bool:
    return x.ndim == 4 and x.dtype.char in "fd" and x.dtype == other.dtype and work >= _WORTH


def _blocks(w: Any, bias: Any) -> tuple[Any, Any]:
    """Weights (O, C, *kernel) in blocks of channels: (blocks, C * kernel, CHANNELS); and a bias (O,) or None for them."""
    o, count = len(w), w.size // len(w)
    blocks = -(-o // CHANNELS)
    packed, biases = np.zeros((blocks * CHANNELS, count), w.dtype), np.zeros(blocks * CHANNELS, w.dtype)
    packed[:o] = w.reshape(o, count)
    if bias is not None:
        biases[:o] = bias
    return np.ascontiguousarray(packed.reshape(blocks, CHANNELS, count).swapaxes(1, 2)), biases


def forward(x: Any, w: Any, bias: Any, stride: Ints, padding: Ints, dilation: Ints, out: Ints) -> Any:
    """Cross-correlation of (N, C, H, W) with (O, C, *kernel), and a bias (O,) or None."""
    n, c = x.shape[:2]
    o, kernel = w.shape[0], w.shape[2:]
    count = w.size // o
    if o < _FEW or not _suited(x, w, n * o * count * out[0] * out[-1]):
        return None
    x = np.ascontiguousarray(x)
    phase = _lay_out(x.shape[2:], stride, padding)
    targets, sources, line = _vectors(out, phase, count, 32 // x.itemsize)
    if out[0] * out[1] < _USED * len(targets) * (32 // x.itemsize):
        return None
    offsets = _offsets(c, kernel, stride, dilation, phase)
    packed, biases = _blocks(w, bias)
    result = np.empty((n, o, *out), x.dtype)
    places = (0, 1, out[0], 0, 1, out[1])
    values = result, x, packed, biases, offsets, targets, sources, line, places, stride, padding, phase
    loop = machine("conv_loops.direct", result.size * 8, *values, 0, 0)
    if loop is None:
        return None
    threads.share(lambda low, high: loop(*values, low, high), n * len(packed), result.size * count)
    return result


class _Class(NamedTuple):
    """Of one dimension: the places of the input with one remainder modulo the stride, as (first, step, how many).

    They are a convolution without strides of the result, `before` and `after` which there must be zeros (or of which so
    many elements do not count, if negative), with some `taps` of the kernel."""

    places: Ints
    taps: slice
    dilation: int
    before: int
    after: int


def _classes(n: int, length: int, k: int, s: int, p: int, d: int) -> list[_Class]:
    """Size of the input and of the result, kernel, stride, padding and dilation."""
    found = []
    for first in range(min(s, n)):
        start, remainder = divmod(first + p, s)
        many = len(range(first, n, s))
        taps = [q for q in range(k) if d * q % s == remainder]  # tap q of the window at l meets place l + d q // s
        reach = [d * q // s for q in taps] or [0]
        step, dilation = (b[1] - b[0] if len(b) > 1 else 1 for b in (taps, reach))
        ends = reach[-1] - start, start + many - reach[0] - length
        found.append(
            _Class((first, s, many), slice(*taps[:1], taps[-1] + 1, step) if taps else slice(0), dilation, *ends)
        )
    return found


def input_grad(g: Any, w: Any, bias: Any, size: Ints, stride: Ints, padding: Ints, dilation: Ints) -> Any:
    """Transpose with respect to an input of that size which was walked over in strides; a bias (C,) or None is added."""
    n, (o, c) = len(g), w.shape[:2]
    if c < CHANNELS or not _suited(g, w, g.size * (w.size // o)):
        return None
    g = np.ascontiguousarray(g)
    lanes = 32 // g.itemsize
    axes = [_classes(*axis) for axis in zip(size, g.shape[2:], w.shape[2:], stride, padding, dilation, strict=True)]
    margins = [[max(0, *end) for end in zip(*((a.before, a.after) for a in axis), strict=True)] for axis in axes]
    phase = tuple(length + before + after for length, (before, after) in zip(g.shape[2:], margins, strict=True))
    pads = tuple(before for before, _ in margins)
    every, computed = [], 0
    for down, across in itertools.product(*axes):
        part = np.flip(w[:, :, down.taps, across.taps].swapaxes(0, 1), (2, 3))
        if not part.size:
            continue
        skip = (pads[0] - down.before) * phase[1] + pads[1] - across.before
        offsets = _offsets(o, part.shape[2:], (1, 1), (down.dilation, across.dilation), phase) + skip
        vectors = _vectors((down.places[2], across.places[2]), phase, len(offsets), lanes)
        computed += len(vectors[0]) * lanes
        every.append((*_blocks(part, bias), offsets, *vectors, (*down.places, *across.places)))
    if not every or size[0] * size[1] < _USED * computed:
        return None
    result = np.empty((n, c, *size), g.dtype)
    if len(every) < len(axes[0]) * len(axes[1]):  # there are places that no tap meets
        result[...] = 0 if bias is None else bias[:, None, None]
    rest = (1, 1), pads, phase
    loop = machine("conv_loops.direct", result.size * 8, result, g, *every[0], *rest, 0, 0)
    if loop is None:
        return None

    def work(low: int, high: int) -> None:
        for values in every:
            loop(result, g, *values, *rest, low, high)

    threads.share(work, n * -(-c // CHANNELS), g.size * (w.size // o))
    return result


def weight_grad(x: Any, g: Any, weight_shape: Ints, stride: Ints, padding: Ints, dilation: Ints) -> Any:
    """Transpose with respect to the weight: (N, C, H, W) with (N, O, *places) to `weight_shape`."""
    n, c = x.shape[:2]
    o, kernel = weight_shape[0], weight_shape[2:]
    count = int(np.prod(weight_shape[1:]))
    if not _suited(x, g, g.size * count):
        return None
    x, g = np.ascontiguousarray(x), np.ascontiguousarray(g)
    phase = _lay_out(x.shape[2:], stride, padding)
    lanes = 32 // x.itemsize
    width, tile = (lanes, NARROW) if o <= lanes else (2 * lanes, WIDE)
    offsets = _offsets(c, kernel, stride, dilation, phase)
    offsets = np.concatenate([offsets, np.zeros(-count % tile, np.int64)])
    shape = -(-o // width), len(offsets), width
    values = g, x, offsets, stride, padding, phase
    loop = machine("conv_loops.weights_back", g.size * 8, np.empty(shape, x.dtype), *values, 0, 0)
    if loop is None:
        return None
    total = threads.share_sum(
        lambda into, low, high: loop(into, *values, low, high), n, g.size * count, lambda: np.zeros(shape, x.dtype)
    )
    total = total.swapaxes(1, 2).reshape(-1, len(offsets))[:o, :count]
    return np.ascontiguousarray(total).reshape(weight_shape)


def fold(columns: Any, size: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints) -> Any:
    """Columns (N, C, *kernel, *places) added up where they overlap, to (N, C, *size)."""
    if len(size) != 2 or columns.dtype.char not in "fd" or columns.size < _FOLDED or not columns.flags.c_contiguous:
        return None
    n, c = columns.shape[:2]
    result = np.empty((n, c, *size), columns.dtype)
    planes, places = result.reshape(n * c, *size), columns.shape[4:]
    values = planes, columns.reshape(-1), kernel, places, stride, padding, dilation
    loop = machine("conv_loops.fold", columns.size, *values, 0, 0)
    if loop is None:
        return None
    threads.share(lambda low, high: loop(*values, low, high), n * c, columns.size)
    return result
