# mypy: ignore-errors
"""Convolution with kernels of 3 x 3 in fewer products: 16 for four places of the result, where they take 36.

Only `compiled.machine` imports this module, for it needs Numba. `kernels/winograd` says what is computed.

The padded image is copied into the phases of `conv_loops` for strides of two: in them neighbouring tiles are neighbours,
so that the patches of 4 x 4 of some tiles are 16 vectors, and so is what becomes of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .conv_loops import _INDEX, _channels_together, _Emitter, _loop, _tile_of_1, _tile_of_2, _tile_of_3, _weight_tile
from .tiles import CHANNELS
from .winograd import INPUTS

POINTS = 16  # of a tile: products for each pair of channels


@intrinsic
def _patch(typingctx: Any, v: Any, at: Any, step: Any, x: Any, x_at: Any, plane: Any, pitch: Any) -> Any:
    """v[at + p step + l] = point p of the patches of tiles l: B' d B, B' and A' as in `winograd`."""
    index = types.int64
    signature = types.void(v, index, index, x, index, index, index)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        e = _Emitter(context, builder, signature, args, v.dtype)
        result, image = e.data(0), e.data(3)
        at, step, x_at, plane, pitch = (args[i] for i in (1, 2, 4, 5, 6))
        sub, add = builder.fsub, builder.fadd

        def points(d: list[Any]) -> list[Any]:
            return [sub(d[0], d[2]), add(d[1], d[2]), sub(d[2], d[1]), sub(d[1], d[3])]

        rows = []
        for y in range(4):
            line = builder.add(x_at, builder.mul(pitch, _INDEX(y // 2)))
            row = [(builder.mul(plane, _INDEX(y % 2 * 2 + c % 2)), _INDEX(c // 2)) for c in range(4)]
            rows.append(points([e.load(e.place(image, line, *where)) for where in row]))
        for b in range(4):
            for a, value in enumerate(points([row[b] for row in rows])):
                e.store(value, e.place(result, at, builder.mul(step, _INDEX(4 * a + b))))
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _result(typingctx: Any, y: Any, at: Any, step: Any, m: Any, m_at: Any, m_step: Any, bias: Any, b_at: Any,
            odd: Any) -> Any:  # fmt: skip
    """y[at + k step + l] = bias[b_at] + place k of the four of tiles l, from the points m[m_at + p m_step + l]: A' m A.

    What is not finite makes `odd` NaN."""
    index = types.int64
    signature = types.void(y, index, index, m, index, index, bias, index, odd)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        e = _Emitter(context, builder, signature, args, y.dtype)
        result, given, biases, found = (e.data(i) for i in (0, 3, 6, 8))
        at, step, m_at, m_step, b_at = (args[i] for i in (1, 2, 4, 5, 7))
        sub, add = builder.fsub, builder.fadd

        def places(m: list[Any]) -> list[Any]:
            both, apart = add(m[1], m[2]), sub(m[1], m[2])
            return [add(m[0], both), sub(apart, m[3])]

        b = e.spread(builder.load(e.place(biases, b_at)))
        columns = []
        for c in range(4):
            where = [builder.mul(m_step, _INDEX(4 * a + c)) for a in range(4)]
            columns.append(places([e.load(e.place(given, m_at, w)) for w in where]))
        total = None
        for r in range(2):
            for c, value in enumerate(places([column[r] for column in columns])):
                value = add(value, b)
                e.store(value, e.place(result, at, builder.mul(step, _INDEX(2 * r + c))))
                total = value if total is None else add(total, value)
        zero = e.spread(e.kind(0.0))
        e.store(add(e.load(found), builder.fmul(total, zero)), found)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _points_of_result(typingctx: Any, z: Any, at: Any, step: Any, y: Any, y_at: Any, row: Any, column: Any) -> Any:
    """z[at + p step + l] = point p of the four places y[y_at + a row + b column + l] of a tile, for channels l: A y A'."""
    index = types.int64
    signature = types.void(z, index, index, y, index, index, index)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        e = _Emitter(context, builder, signature, args, z.dtype)
        result, given = e.data(0), e.data(3)
        at, step, y_at, row, column = (args[i] for i in (1, 2, 4, 5, 6))

        def points(y: list[Any]) -> list[Any]:
            return [y[0], builder.fadd(*y), builder.fsub(*y), builder.fneg(y[1])]

        rows = []
        for a in range(2):
            line = builder.add(y_at, builder.mul(row, _INDEX(a)))
            rows.append(points([e.load(e.place(given, line, builder.mul(column, _INDEX(b)))) for b in range(2)]))
        for b in range(4):
            for a, value in enumerate(points([r[b] for r in rows])):
                e.store(value, e.place(result, at, builder.mul(step, _INDEX(4 * a + b))))
        return context.get_dummy_value()

    return signature, generate


_quads = _weight_tile(2, INPUTS)


def _pairs(many: int) -> tuple[Any, Any]:
    """Vector instructions that take `many` pairs of neighbours apart, and put them together."""

    def mask(*numbers: int) -> Any:
        return ir.Constant(ir.VectorType(ir.IntType(32), len(numbers)), list(numbers))

    def pointers(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        e = _Emitter(context, builder, signature, args, signature.args[0].dtype)

        def at(i: int, place: Any, n: int) -> Any:
            return builder.bitcast(e.place(e.data(i), place), ir.VectorType(e.kind, n).as_pointer())

        return at, e.align, ir.Constant(ir.VectorType(e.kind, many), ir.Undefined)

    index = types.int64

    @intrinsic
    def apart(typingctx: Any, to: Any, even: Any, odd: Any, x: Any, x_at: Any) -> Any:
        """to[even + l] = x[x_at + 2 l] and to[odd + l] = x[x_at + 2 l + 1]; x in rows."""

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            at, align, _ = pointers(context, builder, signature, args)
            both = builder.load(at(3, args[4], 2 * many), align=align)
            nothing = ir.Constant(both.type, ir.Undefined)
            for k in range(2):
                half = builder.shuffle_vector(both, nothing, mask(*range(k, 2 * many, 2)))
                builder.store(half, at(0, args[1 + k], many), align=align)
            return context.get_dummy_value()

        return types.void(to, index, index, x, index), generate

    @intrinsic
    def together(typingctx: Any, to: Any, at: Any, x: Any, even: Any, odd: Any) -> Any:
        """to[at + 2 l] = x[even + l] and to[at + 2 l + 1] = x[odd + l]; to in rows."""

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            at, align, _ = pointers(context, builder, signature, args)
            halves = [builder.load(at(2, args[3 + k], many), align=align) for k in range(2)]
            order = [k * many + i for i in range(many) for k in range(2)]
            builder.store(builder.shuffle_vector(*halves, mask(*order)), at(0, args[1], 2 * many), align=align)
            return context.get_dummy_value()

        return types.void(to, index, x, index, index), generate

    return apart, together


_apart_8, _together_8 = _pairs(8)
_apart_4, _together_4 = _pairs(4)


@_loop
def _halves(to, x, n, padding, size):
    """Image n of x (N, C, H, W), as if padded with zeros, into the flat `to`, whose zeros stay: phases of `size`, for strides
    of two. See `conv_loops`."""
    channels, height, width = x.shape[1], x.shape[2], x.shape[3]
    flat = x.reshape(-1)
    rows, columns = size
    half = width // 2
    for c in range(channels):
        for r in range(height):
            line, v = ((n * channels + c) * height + r) * width, r + padding[0]
            even = (((c * 2 + v % 2) * 2 + padding[1] % 2) * rows + v // 2) * columns + padding[1] // 2
            odd = (((c * 2 + v % 2) * 2 + (padding[1] + 1) % 2) * rows + v // 2) * columns + (padding[1] + 1) // 2
            t = 0
            if half >= 8:
                while t < half:
                    at = min(t, half - 8)
                    _apart_8(to, even + at, odd + at, flat, line + 2 * at)
                    t += 8
            elif half >= 4:
                while t < half:
                    at = min(t, half - 4)
                    _apart_4(to, even + at, odd + at, flat, line + 2 * at)
                    t += 4
            else:
                for i in range(half):
                    to[even + i] = flat[line + 2 * i]
                    to[odd + i] = flat[line + 2 * i + 1]
            if width % 2:
                to[even + half] = flat[line + width - 1]


@_loop
def _whole(out, n, x, long, pitch):
    """Image n of the result, whose four places of the tiles lie in x, `long` numbers each; rows of tiles by `pitch`."""
    channels, height, width = out.shape[1], out.shape[2], out.shape[3]
    flat = out.reshape(-1)
    half = width // 2
    for o in range(channels):
        for r in range(height):
            line = ((n * channels + o) * height + r) * width
            even = (o * 4 + r % 2 * 2) * long + r // 2 * pitch
            odd = even + long
            t = 0
            if half >= 8:
                while t < half:
                    at = min(t, half - 8)
                    _together_8(flat, line + 2 * at, x, even + at, odd + at)
                    t += 8
            elif half >= 4:
                while t < half:
                    at = min(t, half - 4)
                    _together_4(flat, line + 2 * at, x, even + at, odd + at)
                    t += 4
            else:
                for i in range(half):
                    flat[line + 2 * i] = x[even + i]
                    flat[line + 2 * i + 1] = x[odd + i]
            if width % 2:
                flat[line + width - 1] = x[even + half]


@_loop
def forward(out, x, w, bias, padding, size, some, odd, low, high):
    """Convolution of x (N, C, H, W) to out (N, O, *): w (16, blocks, C, CHANNELS), bias (blocks * CHANNELS,); `size` of the
    phases; `some` vectors of tiles at a time; images `low` to `high`."""
    inputs, channels = x.shape[1], out.shape[1]
    lanes = 32 // x.itemsize
    rows, pitch = size[0] - 1, size[1]
    plane = size[0] * size[1]
    vectors = ((rows - 1) * pitch + pitch - 1 + lanes - 1) // lanes
    times = (vectors + some - 1) // some
    blocks, room = w.shape[1], some * lanes
    to = np.zeros(inputs * 4 * plane + pitch + 2 * lanes, x.dtype)
    # Points lie a line of the cache further apart than they need, or else all 16 would compete for a place in it.
    step_in, step = inputs * room + 2 * lanes, blocks * CHANNELS * room + 2 * lanes
    points, products = np.empty(POINTS * step_in, x.dtype), np.empty(POINTS * step, x.dtype)
    result = np.empty(channels * 4 * vectors * lanes, x.dtype)
    offsets, places = np.arange(inputs) * room, np.arange(some) * lanes
    nothing = np.zeros(CHANNELS, x.dtype)
    weights = w.reshape(-1)
    long = vectors * lanes
    for n in range(low, high):
        _halves(to, x, n, padding, size)
        for time in range(times):
            first = time * some
            many = min(some, vectors - first)
            for c in range(inputs):
                for v in range(many):
                    _patch(points, c * room + v * lanes, step_in, to, c * 4 * plane + (first + v) * lanes, plane, pitch)
            for p in range(POINTS):
                source = points[p * step_in :]
                for block in range(blocks):
                    at, at_w = p * step + block * CHANNELS * room, (p * blocks + block) * inputs * CHANNELS
                    j = 0
                    while j + 3 <= many:
                        _tile_of_3(products, at, room, places, source, places, j, offsets, weights, at_w, nothing, 0)
                        j += 3
                    if j + 2 == many:
                        _tile_of_2(products, at, room, places, source, places, j, offsets, weights, at_w, nothing, 0)
                    elif j < many:
                        _tile_of_1(products, at, room, places, source, places, j, offsets, weights, at_w, nothing, 0)
            for o in range(channels):
                for v in range(many):
                    _result(
                        result,
                        o * 4 * long + (first + v) * lanes,
                        long,
                        products,
                        o * room + v * lanes,
                        step,
                        bias,
                        o,
                        odd,
                    )
        _whole(out, n, result, long, pitch)


@_loop
def points_of(points, w):
    """The points G w G' of w (O, C, 3, 3) in (16, blocks, C, CHANNELS)."""
    half = w.dtype.type(0.5)
    line = np.empty((4, 3, CHANNELS), w.dtype)
    for block in range(points.shape[1]):
        first = block * CHANNELS
        many = min(CHANNELS, w.shape[0] - first)
        line[:, :, many:] = 0
        for c in range(w.shape[1]):
            for i in range(many):
                o = first + i
                for j in range(3):
                    both = (w[o, c, 0, j] + w[o, c, 2, j]) * half
                    middle = w[o, c, 1, j] * half
                    line[0, j, i] = w[o, c, 0, j]
                    line[1, j, i] = both + middle
                    line[2, j, i] = both - middle
                    line[3, j, i] = w[o, c, 2, j]
            for a in range(4):
                for i in range(CHANNELS):
                    both = (line[a, 0, i] + line[a, 2, i]) * half
                    middle = line[a, 1, i] * half
                    points[4 * a, block, c, i] = line[a, 0, i]
                    points[4 * a + 1, block, c, i] = both + middle
                    points[4 * a + 2, block, c, i] = both - middle
                    points[4 * a + 3, block, c, i] = line[a, 2, i]


@_loop
def weights_back(total, g, x, padding, size, some, low, high):
    """The points of the weights' gradient from images `low` to `high`, added to total (16, blocks, C, channels of a block),
    C a multiple of INPUTS; x (N, C, H, W), g (N, O, *), `size` of the phases; `some` rows of tiles at a time."""
    inputs = x.shape[1]
    channels, height, width = g.shape[1], g.shape[2], g.shape[3]
    blocks, places, wide = total.shape[1], total.shape[2], total.shape[3]
    lanes = 32 // x.itemsize
    rows, columns, pitch = size[0] - 1, size[1] - 1, size[1]
    plane, every = size[0] * size[1], blocks * wide
    room = some * columns + lanes
    step_in, step = places * room + 2 * lanes, some * columns * every + 2 * lanes  # see `forward`
    to = np.zeros(inputs * 4 * plane + pitch + 2 * lanes, x.dtype)
    points, given = np.zeros(POINTS * step_in, x.dtype), np.zeros(POINTS * step, x.dtype)
    turned = np.zeros(4 * columns * every, x.dtype)  # two rows of g, the channels of a place together
    offsets, sums, flat = np.arange(places) * room, total.reshape(-1), g.reshape(-1)
    count = 0
    for n in range(low, high):
        _halves(to, x, n, padding, size)
        for i in range(rows):
            for c in range(inputs):
                for t in range(0, columns, lanes):  # what is too much at the end of a row, the next one overwrites
                    _patch(
                        points, c * room + count * columns + t, step_in, to, c * 4 * plane + i * pitch + t, plane, pitch
                    )
            for a in range(2):
                y = 2 * i + a
                if y == height:
                    turned[a * 2 * columns * every :] = 0
                    break
                first = (n * channels * height + y) * width
                _channels_together(turned, a * 2 * columns * every, every, flat, first, height * width, channels, width)
            for block in range(blocks):
                for t in range(columns):
                    at = ((block * some + count) * columns + t) * wide
                    for k in range(0, wide, lanes):
                        _points_of_result(given, at + k, step, turned, 2 * t * every + block * wide + k,
                                          2 * columns * every, every)  # fmt: skip
            count += 1
            if count == some or (n == high - 1 and i == rows - 1):
                for p in range(POINTS):
                    for block in range(blocks):
                        first = p * step + block * some * columns * wide
                        for k in range(0, places, INPUTS):
                            at = ((p * blocks + block) * places + k) * wide
                            _quads(sums, at, given, points, p * step_in, offsets, k, 1, count * columns, 0, first)
                count = 0
