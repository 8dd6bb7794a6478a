# mypy: ignore-errors
"""Convolution of images without columns: tiles of the result kept in registers while the kernel is walked through.

Only `compiled.machine` imports this module, for it needs Numba. `kernels/convolution` is the tests' reference.

An image is copied once into *phases*: with strides (a, b), element (y, x) of the padded image lies in phase (y % a, x % b)
at (y // a, x // b). In that memory every place of the kernel is an offset, the same for all windows, and neighbouring
windows are neighbours: what is multiplied by one weight is read as one vector.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .tiles import CHANNELS, LENGTH, NARROW, WIDE

_INDEX = ir.IntType(64)
_loop = numba.njit(nogil=True, error_model="numpy", cache=True)


class _Emitter:
    """Vector instructions on flat arrays of one dtype: 32 bytes at a time."""

    def __init__(self, context: Any, builder: Any, signature: Any, args: Any, dtype: Any) -> None:
        self.context, self.builder, self.signature, self.args = context, builder, signature, args
        self.kind = context.get_value_type(dtype)
        self.lanes = 8 if dtype == types.float32 else 4
        self.align = 4 if dtype == types.float32 else 8
        self.vector = ir.VectorType(self.kind, self.lanes)

    def data(self, i: int) -> Any:
        return self.context.make_array(self.signature.args[i])(self.context, self.builder, self.args[i]).data

    def place(self, pointer: Any, *parts: Any) -> Any:
        at = parts[0]
        for part in parts[1:]:
            at = self.builder.add(at, part)
        return self.builder.gep(pointer, [at])

    def load(self, pointer: Any) -> Any:
        where = self.builder.bitcast(pointer, self.vector.as_pointer())
        return self.builder.load(where, align=self.align)

    def store(self, value: Any, pointer: Any) -> None:
        self.builder.store(value, self.builder.bitcast(pointer, self.vector.as_pointer()), align=self.align)

    def spread(self, number: Any) -> Any:
        one = self.builder.insert_element(ir.Constant(self.vector, ir.Undefined), number, ir.IntType(32)(0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(one, ir.Constant(self.vector, ir.Undefined), mask)

    def add_product(self, total: Any, a: Any, b: Any) -> Any:
        product = self.builder.fmul(a, b, flags=("contract",))
        return self.builder.fadd(total, product, flags=("contract",))

    def loop(self, count: Any, step: int, totals: list[Any], body: Any) -> list[Any]:
        """`totals = body(k, totals)` for k = 0, step, ... below `count`, which must be positive."""
        builder = self.builder
        before, inside = builder.block, builder.append_basic_block("loop")
        after = builder.append_basic_block("after")
        builder.branch(inside)
        builder.position_at_end(inside)
        k = builder.phi(_INDEX)
        k.add_incoming(_INDEX(0), before)
        carried = []
        for value in totals:
            phi = builder.phi(self.vector)
            phi.add_incoming(value, before)
            carried.append(phi)
        found = body(k, carried)
        following = builder.add(k, _INDEX(step))
        k.add_incoming(following, builder.block)
        for phi, value in zip(carried, found, strict=True):
            phi.add_incoming(value, builder.block)
        builder.cbranch(builder.icmp_signed("<", following, count), inside, after)
        builder.position_at_end(after)
        return found


def _tile(vectors: int) -> Any:
    """Sums for CHANNELS channels of the result and so many vectors of places: as many as there are registers for, so that
    every number that is read is used several times."""

    @intrinsic
    def tile(typingctx: Any, out: Any, at: Any, step: Any, targets: Any, x: Any, sources: Any, j: Any, offsets: Any,
             w: Any, w_at: Any, b: Any, b_at: Any) -> Any:  # fmt: skip
        """out[at + i step + targets[j + v] + l] = b[i] + sum of w[k, i] x[sources[j + v] + offsets[k] + l]."""
        index = types.int64
        signature = types.void(out, index, index, targets, x, sources, index, offsets, w, index, b, index)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            e = _Emitter(context, builder, signature, args, out.dtype)
            result, to, image, origin, where, weights, bias = (e.data(i) for i in (0, 3, 4, 5, 7, 8, 10))
            at, step, j, w_at, b_at = (args[i] for i in (1, 2, 6, 9, 11))
            count = builder.extract_value(context.make_array(offsets)(context, builder, args[7]).shape, 0)
            lines = [e.place(image, builder.load(e.place(origin, j, _INDEX(v)))) for v in range(vectors)]

            def body(k: Any, totals: list[Any]) -> list[Any]:
                offset = builder.load(e.place(where, k))
                values = [e.load(e.place(line, offset)) for line in lines]
                first = builder.add(w_at, builder.mul(k, _INDEX(CHANNELS)))
                found = []
                for i in range(CHANNELS):
                    weight = e.spread(builder.load(e.place(weights, first, _INDEX(i))))
                    found += [e.add_product(totals[i * vectors + v], weight, values[v]) for v in range(vectors)]
                return found

            begin = [e.spread(builder.load(e.place(bias, b_at, _INDEX(i)))) for i in range(CHANNELS)]
            totals = e.loop(count, 1, [b for b in begin for _ in range(vectors)], body)
            for v in range(vectors):
                first = builder.add(at, builder.load(e.place(to, j, _INDEX(v))))
                for i in range(CHANNELS):
                    e.store(totals[i * vectors + v], e.place(result, first, builder.mul(step, _INDEX(i))))
            return context.get_dummy_value()

        return signature, generate

    return tile


def _weight_tile(vectors: int, places: int) -> Any:
    """Sums for so many vectors of channels of the result and places of the kernel."""

    @intrinsic
    def tile(typingctx: Any, total: Any, at: Any, g: Any, x: Any, x_at: Any, offsets: Any, k: Any, rows: Any,
             across: Any, pitch: Any, g_at: Any) -> Any:  # fmt: skip
        """total[at + (j, i)] += sum of g[g_at + (r, t, i)] x[x_at + offsets[k + j] + r pitch + t] over r and t."""
        index = types.int64
        signature = types.void(total, index, g, x, index, offsets, index, index, index, index, index)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            e = _Emitter(context, builder, signature, args, total.dtype)
            result, given, image, where = (e.data(i) for i in (0, 2, 3, 5))
            at, x_at, k, rows, across, pitch, g_at = (args[i] for i in (1, 4, 6, 7, 8, 9, 10))
            width = _INDEX(vectors * e.lanes)
            lines = [e.place(image, x_at, builder.load(e.place(where, k, _INDEX(j)))) for j in range(places)]
            given = e.place(given, g_at)

            def row(r: Any, totals: list[Any]) -> list[Any]:
                skip = builder.mul(r, pitch)
                here = [e.place(line, skip) for line in lines]
                channels = e.place(given, builder.mul(builder.mul(r, across), width))

                def place(t: Any, totals: list[Any]) -> list[Any]:
                    first = builder.mul(t, width)
                    values = [e.load(e.place(channels, first, _INDEX(v * e.lanes))) for v in range(vectors)]
                    found = []
                    for j in range(places):
                        number = e.spread(builder.load(e.place(here[j], t)))
                        found += [e.add_product(totals[j * vectors + v], number, values[v]) for v in range(vectors)]
                    return found

                return e.loop(across, 1, totals, place)

            zero = ir.Constant(e.vector, [0.0] * e.lanes)
            for n, value in enumerate(e.loop(rows, 1, [zero] * (vectors * places), row)):
                to = e.place(result, at, _INDEX(n * e.lanes))
                e.store(builder.fadd(e.load(to), value), to)
            return context.get_dummy_value()

        return signature, generate

    return tile


@intrinsic
def _turn(typingctx: Any, to: Any, at: Any, step: Any, x: Any, x_at: Any, x_step: Any) -> Any:
    """to[at + k step + i] = x[x_at + i x_step + k] for i and k below the lanes of a vector: a transposition."""
    index = types.int64

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        e = _Emitter(context, builder, signature, args, to.dtype)
        result, given = e.data(0), e.data(3)
        at, step, x_at, x_step = (args[i] for i in (1, 2, 4, 5))
        half = e.lanes // 2

        def choose(a: Any, b: Any, *order: int) -> Any:
            mask = ir.Constant(ir.VectorType(ir.IntType(32), len(order)), list(order))
            return builder.shuffle_vector(a, b, mask)

        def part(i: int, k: int) -> Any:
            where = e.place(given, x_at, builder.mul(x_step, _INDEX(i)), _INDEX(k))
            return builder.load(builder.bitcast(where, ir.VectorType(e.kind, half).as_pointer()), align=e.align)

        for k in range(0, e.lanes, half):  # the halves of vectors are turned next to each other
            v = [choose(part(i, k), part(i + half, k), *range(e.lanes)) for i in range(half)]
            if half == 4:
                low, high = (0, 8, 1, 9, 4, 12, 5, 13), (2, 10, 3, 11, 6, 14, 7, 15)
                t = [choose(v[i], v[i + 1], *order) for i in (0, 2) for order in (low, high)]
                first, second = (0, 1, 8, 9, 4, 5, 12, 13), (2, 3, 10, 11, 6, 7, 14, 15)
                v = [choose(t[i], t[i + 2], *order) for i in (0, 1) for order in (first, second)]
            else:
                v = [choose(v[0], v[1], *order) for order in ((0, 4, 2, 6), (1, 5, 3, 7))]
            for j, value in enumerate(v):
                e.store(value, e.place(result, at, builder.mul(step, _INDEX(k + j))))
        return context.get_dummy_value()

    return types.void(to, index, index, x, index, index), generate


@_loop
def _channels_together(to, at, width, x, x_at, x_step, channels, length):
    """`length` places of x, of channels that lie x_step apart, to `to` in blocks of so many channels (`width`), of which the
    numbers of a place lie together."""
    lanes = 32 // x.itemsize
    whole = channels // lanes * lanes if length >= lanes else 0
    for o in range(0, whole, lanes):
        block, t = at + o // width * length * width + o % width, 0
        while t < length:
            k = min(t, length - lanes)  # the last overlaps the one before: its numbers are the same
            _turn(to, block + k * width, width, x, x_at + o * x_step + k, x_step)
            t += lanes
    for o in range(whole, channels):
        block = at + o // width * length * width + o % width
        for t in range(length):
            to[block + t * width] = x[x_at + o * x_step + t]


_tile_of_3, _tile_of_2, _tile_of_1 = _tile(3), _tile(2), _tile(1)
_wide_tile, _narrow_tile = _weight_tile(2, WIDE), _weight_tile(1, NARROW)


@_loop
def _phases(to, x, n, stride, padding, size):
    """Image n of x (N, C, H, W), as if padded with zeros, into the flat `to`, whose zeros stay: phases of `size`."""
    channels, height, width = x.shape[1], x.shape[2], x.shape[3]
    down, across = stride
    rows, columns = size
    for c in range(channels):
        for y in range(height):
            v = y + padding[0]
            for phase in range(across):
                line = (((c * down + v % down) * across + phase) * rows + v // down) * columns
                first = (phase - padding[1]) % across  # of the elements of this row that are in the phase
                begin = line + (first + padding[1]) // across
                if across == 1:
                    for t in range(width):
                        to[begin + t] = x[n, c, y, t]
                else:
                    for t in range((width - first + across - 1) // across):
                        to[begin + t] = x[n, c, y, first + t * across]


@_loop
def direct(out, x, w, bias, offsets, targets, sources, line, places, stride, padding, size, low, high):
    """Convolution of x (N, C, H, W) to `places` (first row, step, how many; columns alike) of out (N, O, *): w (blocks,
    C * kernel, CHANNELS) and bias (blocks * CHANNELS,) in blocks of channels, of which those from `low` to `high` are
    done, counted through all images.

    Vectors of places are read from `sources` and written to `targets`, where a row has length `line`: that of `out`, or
    that of the phases, and what is between two rows is left out afterwards."""
    channels, height, width = out.shape[1], out.shape[2], out.shape[3]
    top, down, rows, left, over, across = places
    whole = rows == height and across == width and line == across
    lanes = 32 // x.itemsize
    count, vectors, blocks = len(offsets), len(targets), len(w)
    to = np.zeros(x.shape[1] * stride[0] * stride[1] * size[0] * size[1] + lanes, x.dtype)
    flat, weights = out.reshape(-1), w.reshape(-1)
    room = targets[-1] + lanes
    whole = whole and room <= height * width
    rest = np.empty(CHANNELS * room, x.dtype)
    before = -1
    for item in range(low, high):
        n, block = item // blocks, item % blocks
        if n != before:
            _phases(to, x, n, stride, padding, size)
            before = n
        first = block * CHANNELS
        at = (n * channels + first) * height * width
        straight = whole and first + CHANNELS <= channels
        result, begin, step = (flat, at, height * width) if straight else (rest, 0, room)
        j = 0
        while j + 3 <= vectors:
            _tile_of_3(result, begin, step, targets, to, sources, j, offsets, weights, first * count, bias, first)
            j += 3
        if j + 2 == vectors:
            _tile_of_2(result, begin, step, targets, to, sources, j, offsets, weights, first * count, bias, first)
        elif j < vectors:
            _tile_of_1(result, begin, step, targets, to, sources, j, offsets, weights, first * count, bias, first)
        if not straight:
            for i in range(min(CHANNELS, channels - first)):
                for r in range(rows):
                    to_row, row = at + (i * height + top + r * down) * width + left, i * room + r * line
                    if over == 1:
                        for t in range(across):
                            flat[to_row + t] = rest[row + t]
                    else:
                        for t in range(across):
                            flat[to_row + t * over] = rest[row + t]


@_loop
def weights_back(total, g, x, offsets, stride, padding, size, low, high):
    """The gradient of the weights from images `low` to `high` added to total (blocks, K, channels of a block); K offsets,
    a multiple of the places in a tile, with repeats."""
    channels, rows, across = g.shape[1], g.shape[2], g.shape[3]
    lanes = 32 // x.itemsize
    blocks, places, width = total.shape
    pitch = size[1]
    some = min(rows, max(1, LENGTH // across))  # rows whose numbers stay in the first cache
    to = np.zeros(x.shape[1] * stride[0] * stride[1] * size[0] * size[1] + lanes, x.dtype)
    given = np.zeros(blocks * some * across * width, x.dtype)
    sums, flat = total.reshape(-1), g.reshape(-1)
    for n in range(low, high):
        _phases(to, x, n, stride, padding, size)
        for top in range(0, rows, some):
            many = min(some, rows - top)
            first = (n * channels * rows + top) * across
            _channels_together(given, 0, width, flat, first, rows * across, channels, many * across)
            for block in range(blocks):
                begin = block * many * across * width
                if width == lanes:
                    for k in range(0, places, NARROW):
                        _narrow_tile(sums, (block * places + k) * width, given, to, top * pitch, offsets, k, many, across,
                                     pitch, begin)  # fmt: skip
                else:
                    for k in range(0, places, WIDE):
                        _wide_tile(sums, (block * places + k) * width, given, to, top * pitch, offsets, k, many, across,
                                   pitch, begin)  # fmt: skip


@intrinsic
def _add(typingctx: Any, to: Any, at: Any, x: Any, x_at: Any) -> Any:
    """to[at + l] += x[x_at + l] for a vector."""
    index = types.int64

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        e = _Emitter(context, builder, signature, args, to.dtype)
        place = e.place(e.data(0), args[1])
        e.store(builder.fadd(e.load(place), e.load(e.place(e.data(2), args[3]))), place)
        return context.get_dummy_value()

    return types.void(to, index, x, index), generate


@_loop
def fold(out, columns, kernel, length, stride, padding, dilation, low, high):
    """Columns (planes, *kernel, *length), flat, added up where they overlap to out (planes, H, W), planes `low` to `high`.
    Each sum is taken in the order of the kernel. A row of the result is made in phases (see above)."""
    height, width = out.shape[1], out.shape[2]
    down, across = stride
    lanes = 32 // out.itemsize
    room = (width + across - 1) // across
    row = np.empty(across * room, out.dtype)
    for plane in range(low, high):
        for y in range(height):
            row[:] = 0
            for p in range(kernel[0]):
                v = y + padding[0] - p * dilation[0]
                if v < 0 or v % down or v // down >= length[0]:
                    continue
                for q in range(kernel[1]):
                    first = q * dilation[1] - padding[1]
                    phase, shift = first % across, first // across
                    t, end = max(0, -shift), min(length[1], (width - phase + across - 1) // across - shift)
                    to = phase * room + shift
                    given = (((plane * kernel[0] + p) * kernel[1] + q) * length[0] + v // down) * length[1]
                    while t + lanes <= end:
                        _add(row, to + t, columns, given + t)
                        t += lanes
                    while t < end:
                        row[to + t] += columns[given + t]
                        t += 1
            for phase in range(across):
                for x in range(phase, width, across):
                    out[plane, y, x] = row[phase * room + x // across]
