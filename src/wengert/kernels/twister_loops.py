# mypy: ignore-errors
"""Many words of the Mersenne Twister, eight at a time, and what is made of them.

Only `compiled.machine` imports this module, for it needs Numba. NumPy's `RandomState` is the tests' reference.
"""

from __future__ import annotations

from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_LANES = 8
_WORDS = ir.VectorType(ir.IntType(32), _LANES)
_loop = numba.njit(nogil=True, error_model="numpy", cache=True)


def _all(number: int) -> Any:
    return ir.Constant(_WORDS, [number] * _LANES)


def _eight(context: Any, builder: Any, kind: Any, array: Any, place: Any) -> Any:
    """Where eight words lie."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [place]), _WORDS.as_pointer())


@intrinsic
def _twist(typingctx: Any, key: Any, k: Any, far: Any) -> Any:
    """The next state of words k to k + 7, of which those that far + 0 to 7 name are added in."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        key, k, far = args
        places = [_eight(context, builder, signature.args[0], key, at) for at in (k, builder.add(k, k.type(1)), far)]
        one, other, added = (builder.load(p, align=4) for p in places)
        y = builder.or_(builder.and_(one, _all(0x80000000)), builder.and_(other, _all(0x7FFFFFFF)))
        odd = builder.and_(builder.sub(_all(0), builder.and_(y, _all(1))), _all(0x9908B0DF))
        builder.store(builder.xor(builder.xor(added, builder.lshr(y, _all(1))), odd), places[0], align=4)
        return context.get_dummy_value()

    return types.void(key, types.int64, types.int64), generate


@intrinsic
def _temper(typingctx: Any, out: Any, at: Any, key: Any, k: Any) -> Any:
    """The words that states k to k + 7 give, to out[at] and further."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        out, at, key, k = args
        y = builder.load(_eight(context, builder, signature.args[2], key, k), align=4)
        y = builder.xor(y, builder.lshr(y, _all(11)))
        y = builder.xor(y, builder.and_(builder.shl(y, _all(7)), _all(0x9D2C5680)))
        y = builder.xor(y, builder.and_(builder.shl(y, _all(15)), _all(0xEFC60000)))
        y = builder.xor(y, builder.lshr(y, _all(18)))
        builder.store(y, _eight(context, builder, signature.args[0], out, at), align=4)
        return context.get_dummy_value()

    return types.void(out, types.int64, key, types.int64), generate


@_loop
def _twist_one(key, k, after, far):
    y = (key[k] & 0x80000000) | (key[after] & 0x7FFFFFFF)
    key[k] = key[far] ^ (y >> 1) ^ ((0 - (y & 1)) & 0x9908B0DF)


@_loop
def words(out, key, place):
    """The next words to `out`, from the state `key` (624,) at `place` (1,), which are those after them then."""
    at, done, n = place[0], 0, len(out)
    while done < n:
        if at == 624:
            for k in range(0, 224, _LANES):
                _twist(key, k, k + 397)
            for k in range(224, 227):
                _twist_one(key, k, k + 1, k + 397)
            for k in range(227, 619, _LANES):
                _twist(key, k, k - 227)
            for k in range(619, 623):
                _twist_one(key, k, k + 1, k - 227)
            _twist_one(key, 623, 0, 396)
            at = 0
        many = min(624 - at, n - done)
        whole = many // _LANES * _LANES
        for k in range(0, whole, _LANES):
            _temper(out, done + k, key, at + k)
        for k in range(whole, many):
            y = key[at + k]
            y = y ^ (y >> 11)
            y = y ^ ((y << 7) & 0x9D2C5680)
            y = y ^ ((y << 15) & 0xEFC60000)
            out[done + k] = y ^ (y >> 18)
        at += many
        done += many
    place[0] = at


@_loop
def below(out, words, bound):
    """Whether 53 bits of each two words, the high half first, are a number below `bound`: 1 or 0."""
    one, zero = out.dtype.type(1), out.dtype.type(0)
    for i in range(len(out)):
        number = ((words[2 * i] & 0x1FFFFF) << 32) | words[2 * i + 1]
        out[i] = one if number < bound else zero
