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

CHANNELS = 8  # of the result in a tile
GROUP, OFFSETS = 4, 3  # channels and places of the kernel in a tile of the weights' gradient
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


@intrinsic
def _tile(typingctx: Any, out: Any, at: Any, step: Any, x: Any, x_at: Any, offsets: Any, w: Any, w_at: Any, b: Any,
          b_at: Any) -> Any:  # fmt: skip
    """For 8 channels i and a vector of places l: out[at + i step + l] = b[i] + sum of w[k, i] x[offsets[k] + l]."""
    signature = types.void(out, types.int64, types.int64, x, types.int64, offsets, w, types.int64, b, types.int64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        e = _Emitter(context, builder, signature, args, out.dtype)
        result, image, where, weights, bias = (e.data(i) for i in (0, 3, 5, 6, 8))
        at, step, x_at, w_at, b_at = (args[i] for i in (1, 2, 4, 7, 9))
        count = builder.extract_value(context.make_array(offsets)(context, builder, args[5]).shape, 0)

        def body(k: Any, totals: list[Any]) -> list[Any]:
            v = e.load(e.place(image, x_at, builder.load(e.place(where, k))))
            first = builder.add(w_at, builder.mul(k, _INDEX(CHANNELS)))
            return [
                e.add_product(t, e.spread(builder.load(e.place(weights, first, _INDEX(i)))), v)
                for i, t in enumerate(totals)
            ]

        begin = [e.spread(builder.load(e.place(bias, b_at, _INDEX(i)))) for i in range(CHANNELS)]
        for i, total in enumerate(e.loop(count, 1, begin, body)):
            e.store(total, e.place(result, at, builder.mul(step, _INDEX(i))))
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _weight_tile(typingctx: Any, sums: Any, at: Any, g: Any, g_at: Any, g_step: Any, x: Any, offsets: Any, k: Any,
                 length: Any) -> Any:  # fmt: skip
    """For 4 channels i and 3 places j of the kernel: sums[at + (i, j)] += g[g_at + i g_step + l] x[offsets[k + j] + l],
    l from 0 to length a vector at a time; each sum is a vector."""
    signature = types.void(sums, types.int64, g, types.int64, types.int64, x, offsets, types.int64, types.int64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        e = _Emitter(context, builder, signature, args, sums.dtype)
        result, given, image, where = (e.data(i) for i in (0, 2, 5, 6))
        at, g_at, g_step, k, length = (args[i] for i in (1, 3, 4, 7, 8))
        rows = [e.place(given, g_at, builder.mul(g_step, _INDEX(i))) for i in range(GROUP)]
        lines = [e.place(image, builder.load(e.place(where, k, _INDEX(j)))) for j in range(OFFSETS)]
        places = [e.place(result, at, _INDEX(n * e.lanes)) for n in range(GROUP * OFFSETS)]

        def body(at: Any, totals: list[Any]) -> list[Any]:
            xs = [e.load(e.place(line, at)) for line in lines]
            found = []
            for i, row in enumerate(rows):
                v = e.load(e.place(row, at))
                found += [e.add_product(totals[i * OFFSETS + j], v, xs[j]) for j in range(OFFSETS)]
            return found

        for place, total in zip(places, e.loop(length, e.lanes, [e.load(p) for p in places], body), strict=True):
            e.store(total, place)
        return context.get_dummy_value()

    return signature, generate


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
def direct(out, x, w, bias, offsets, stride, padding, size, low, high):
    """Convolution of images `low` to `high`: x (N, C, H, W), w (blocks, C * kernel, 8) and bias (blocks * 8,) in blocks of
    channels, out (N, O, *) with rows of a vector at least."""
    channels, rows, across = out.shape[1], out.shape[2], out.shape[3]
    lanes = 32 // x.itemsize
    count = len(offsets)
    to = np.zeros(x.shape[1] * stride[0] * stride[1] * size[0] * size[1] + lanes, x.dtype)
    flat, weights = out.reshape(-1), w.reshape(-1)
    rest = np.empty(CHANNELS * lanes, x.dtype)
    for n in range(low, high):
        _phases(to, x, n, stride, padding, size)
        for block in range(len(w)):
            first = block * CHANNELS
            for r in range(rows):
                t = 0
                while t < across:
                    at = min(t, across - lanes)  # the last overlaps the one before: its numbers are the same
                    place = ((n * channels + first) * rows + r) * across + at
                    if first + CHANNELS <= channels:
                        _tile(flat, place, rows * across, to, r * size[1] + at, offsets, weights,
                              first * count, bias, first)  # fmt: skip
                    else:
                        _tile(rest, 0, lanes, to, r * size[1] + at, offsets, weights, first * count, bias, first)
                        for i in range(channels - first):
                            for j in range(lanes):
                                flat[place + i * rows * across + j] = rest[i * lanes + j]
                    t += lanes


@_loop
def weights_back(total, g, x, offsets, stride, padding, size, low, high):
    """The gradient of the weights from images `low` to `high` into total (O, K); K offsets, a multiple of 3 with repeats."""
    channels, rows, across = g.shape[1], g.shape[2], g.shape[3]
    lanes = 32 // x.itemsize
    pitch = size[1]
    length = (rows - 1) * pitch + across
    room = (length + lanes - 1) // lanes * lanes
    blocks = (channels + GROUP - 1) // GROUP
    groups = len(offsets) // OFFSETS
    to = np.zeros(x.shape[1] * stride[0] * stride[1] * size[0] * size[1] + lanes, x.dtype)
    given = np.zeros(blocks * GROUP * room, x.dtype)
    sums = np.zeros(blocks * groups * GROUP * OFFSETS * lanes, x.dtype)
    for n in range(low, high):
        _phases(to, x, n, stride, padding, size)
        for o in range(channels):
            for r in range(rows):
                for t in range(across):
                    given[o * room + r * pitch + t] = g[n, o, r, t]
        for k in range(groups):
            for block in range(blocks):
                _weight_tile(sums, (block * groups + k) * (GROUP * OFFSETS * lanes), given, block * GROUP * room, room,
                             to, offsets, k * OFFSETS, room)  # fmt: skip
    for o in range(channels):
        for k in range(total.shape[1]):
            group = o // GROUP * groups + k // OFFSETS
            at = ((group * GROUP + o % GROUP) * OFFSETS + k % OFFSETS) * lanes
            found = total.dtype.type(0)
            for j in range(lanes):
                found += sums[at + j]
            total[o, k] = found
