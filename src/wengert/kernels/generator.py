"""PyTorch's CPU random draws on NumPy arrays, number for number: uniform, normal, integers, Bernoulli.

The draws every program needs live here; `twister` has the `Generator`, `shuffle` the permutations (both are
re-exported, so this is the one module to import), `distributions` the rest. What may not: Tensors, devices,
autograd. Functions take a generator, a shape and a NumPy dtype, and return a new ndarray.

Source of the normals: G. Box and M. Muller, Ann. Math. Stat. 29 (1958).

Note [What agrees with PyTorch]
All that is made of integers agrees bit for bit with PyTorch 2.13 on x86-64: raw draws, saved states,
`uniform`, `random_`, `randperm`, `bernoulli`. So do fewer than 16 normals, which both compute with the C
library. Sixteen or more normals use vector log, sin and cos, and two vector libraries differ in the last
place or two: seven values in eight are equal in float32, the others within 5e-7 relative; in float64 all but
two in a thousand are equal, the others within two ulps. (A `mean` that almost cancels the value enlarges the
relative, not the absolute, difference.) How many words each call consumes always agrees, so the calls after
it do too. MKL's generators, which once drew scalar `bernoulli` and `exponential` on Intel machines, are
switched off in PyTorch (its issue 132395).
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from .compiled import machine
from .rounding import cast as cast
from .rounding import fused_multiply_add as fused_multiply_add
from .rounding import kind as kind
from .rounding import libm as libm
from .rounding import limits as limits
from .shuffle import randperm as randperm
from .twister import (
    CHUNK,
    NAMES,
    Array,
    Shape,
    code,
    count,
    greatest,
    joined,
    not_implemented,
    real_dtype,
    unit_floats,
)
from .twister import Generator as Generator
from .twister import default_generator as default_generator
from .twister import random_raw32 as random_raw32
from .twister import random_raw64 as random_raw64

if TYPE_CHECKING:
    import numpy.typing as npt

_MANY = 1 << 12  # elements from which a compiled loop is looked for


# -- Uniform and normal --------------------------------------------------------------------------------------


def uniform(gen: Generator, shape: Shape, dtype: npt.DTypeLike, low: float = 0.0, high: float = 1.0) -> Array:
    """Uniform on [low, high), for float16, bfloat16, 32 and 64; for complex dtypes, both parts so.

    The short ones are drawn in float32 and rounded; a value that rounding moves onto `high` becomes `low`.
    """
    real, is_complex = real_dtype(dtype, "check_uniform_bounds")
    if is_complex:
        return uniform(gen, 2 * count(shape), real, low, high).view(dtype).reshape(shape)
    most = float(limits(real).max)
    for name, value in (("from", low), ("to", high)):
        if not -most <= value <= most:
            raise RuntimeError(f"{name} is out of bounds for {NAMES[code(real)][1]}")
    if not low <= high:
        raise RuntimeError(f"uniform_ expects to return a [from, to) range, but found from={low:g} > to={high:g}")
    if high - low > most:
        raise RuntimeError(
            f"uniform_ expects to-from <= std::numeric_limits<{NAMES[code(real)][0]}>::max(), but found "
            f"to={high:g} and from={low:g} which result in to-from to exceed the limit"
        )
    work = np.dtype(np.float64) if real == np.float64 else np.dtype(np.float32)
    values = unit_floats(gen, count(shape), work)
    if (low, high) != (0.0, 1.0):
        start, stop = work.type(low), work.type(high)
        values = fused_multiply_add(values, float(stop - start), float(start))
    if real.itemsize == 2 or (low, high) != (0.0, 1.0):  # on [0, 1) the wider types cannot round up to 1
        values = cast(values, real)
        values[values == real.type(high)] = low
    return values.reshape(shape)


def normal(
    gen: Generator, shape: Shape, dtype: npt.DTypeLike, mean: float = 0.0, std: float = 1.0, contiguous: bool = True
) -> Array:
    """Normal numbers, for float16, bfloat16, 32 and 64. Complex ones have variance `std`**2, half of it in each part.

    Fewer than 16, and those for a place that is not contiguous, come in pairs from float64 draws, the spare kept for the
    next call; 16 or more by blocks, see Note [Normals by sixteens].
    """
    if not std >= 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")
    real, is_complex = real_dtype(dtype, "normal_kernel_cpu")
    if is_complex:
        return normal(gen, 2 * count(shape), real, mean, std / math.sqrt(2), contiguous).view(dtype).reshape(shape)
    n = count(shape)
    by_blocks = n >= 16 and contiguous
    values = _normal_blocks(gen, n, real, mean, std) if by_blocks else paired_normals(gen, n, mean, std)
    return cast(values, real).reshape(shape)


def paired_normals(gen: Generator, n: int, mean: float = 0.0, std: float = 1.0) -> npt.NDArray[np.float64]:
    """`n` float64 normals by Box and Muller's pairs; a spare is kept in the generator, and used first."""
    spare = gen.next_normal
    fresh = n - (spare is not None)
    pairs = (fresh + 1) // 2
    values: Any = np.empty(2 * pairs)
    if pairs > 0:
        draws = unit_floats(gen, 2 * pairs, np.float64)
        radius = np.sqrt(-2.0 * libm("log1p", -draws[1::2]))
        angle = (2.0 * math.pi) * draws[0::2]
        values[0::2] = radius * libm("cos", angle)
        values[1::2] = radius * libm("sin", angle)
    if n:
        gen.next_normal = float(values[-1]) if fresh % 2 else None
        if spare is not None:
            values = np.concatenate([[spare], values])
    return fused_multiply_add(values[:n], std, mean)


def _normal_blocks(gen: Generator, n: int, dtype: np.dtype[Any], mean: float, std: float) -> Array:
    """`n` >= 16 normals, each block of 16 from 16 uniforms.

    Note [Normals by sixteens]
    Of each block of 16 uniforms the first 8 give radii and the last 8 angles; cosines fill the first half,
    sines the second. When 16 does not divide `n`, the last 16 places are made again from 16 new uniforms,
    overlapping the block before. The uniforms first drawn for the tail go unused, but are drawn all the same
    (not for float16 and bfloat16, which PyTorch fills block by block).
    """
    work = np.dtype(np.float64) if dtype == np.float64 else np.dtype(np.float32)
    whole, tail = n - n % 16, n % 16 != 0
    drawn = whole if dtype.itemsize == 2 else n
    draws = unit_floats(gen, drawn + 16 * tail, work)
    out = np.empty(n, work)
    _box_muller(draws[:whole], out[:whole], mean, std)
    if tail:
        _box_muller(draws[drawn:], out[-16:], mean, std)
    return out


def _box_muller(draws: Array, out: Array, mean: float, std: float) -> None:
    """Fill `out` with normals from as many uniforms, block by block of 16."""
    kind = out.dtype.type
    for start in range(0, out.size, CHUNK):
        blocks = draws[start : start + CHUNK].reshape(-1, 2, 8)
        radius = np.subtract(kind(1), blocks[:, 0])  # on (0, 1]: the logarithm is finite
        np.log(radius, out=radius)
        radius *= kind(-2)
        np.sqrt(radius, out=radius)
        angle = blocks[:, 1] * kind(2 * math.pi)
        result = out[start : start + CHUNK].reshape(-1, 2, 8)
        np.multiply(radius, np.cos(angle), out=result[:, 0])
        np.multiply(radius, np.sin(angle), out=result[:, 1])
        if (mean, std) != (0.0, 1.0):
            result[...] = fused_multiply_add(result, float(kind(std)), float(kind(mean)))


def normal_elementwise(gen: Generator, mean: Array | float, std: Array | float) -> Array:
    """Normal numbers with a mean or a standard deviation for each element (`torch.normal`).

    The result has the dtype of `mean` if that is an array, else of `std`, and the shape of both broadcast.
    """
    if not isinstance(std, np.ndarray):
        if not isinstance(mean, np.ndarray):
            raise TypeError("normal_elementwise expects mean or std to be an array")
        return cast(normal(gen, mean.shape, mean.dtype, 0.0, std) + mean, mean.dtype)
    if std.dtype.kind == "c":
        raise RuntimeError("normal expects standard deviation to be non-complex")
    if std.size and not std.min() >= 0:
        raise RuntimeError("normal expects all elements of std >= 0.0")
    dtype = mean.dtype if isinstance(mean, np.ndarray) else std.dtype
    values = normal(gen, np.broadcast_shapes(np.shape(mean), std.shape), dtype)
    scaled = cast(values * std, dtype)
    return cast(scaled + mean, dtype)


# -- Integers ------------------------------------------------------------------------------------------------


def random_(
    gen: Generator, shape: Shape, dtype: npt.DTypeLike, low: int | None = None, high: int | None = None
) -> Array:
    """Integers, in any real dtype.

    With both bounds, uniform on [low, high). With `low` alone, from it to the greatest integer of the dtype
    (2**63 - 1; for floats, 2**digits). With none, from 0 to that. A range of 2**28 or more takes 64-bit
    draws, a smaller one 32-bit; the remainder is taken, so ranges near 2**28 are uneven by up to 6 percent,
    as in PyTorch.
    """
    dtype = np.dtype(dtype)
    n = count(shape)
    if low is None and high is None:
        return _random_unbounded(gen, n, dtype).reshape(shape)
    if kind(dtype) not in "biuf":
        raise RuntimeError("check_random_bounds handles only integral, floating-point and boolean types")
    start = 0 if low is None else int(low)
    if high is None:
        if start == -(1 << 63):  # the whole range: no remainder to take
            if code(dtype) not in ("i8", "f8", "f4", "V2"):
                raise RuntimeError(
                    "random_full_64_bits_range_kernel_cpu handles only int64, double, float and bfloat16"
                )
            return random_raw64(gen, n).view(np.int64).astype(dtype).reshape(shape)
        stop = greatest(dtype) + 1
    else:
        stop = int(high)
        if start >= stop:
            raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={start} >= to={stop}")
    if kind(dtype) == "f":
        start, stop = _representable_range(start, stop, dtype, to_given=high is not None)
    _check_range(start, stop - 1, dtype)
    span = stop - start
    if span >= 1 << 28:
        wide = random_raw64(gen, n)
        if span < 1 << 64:
            wide %= np.uint64(span)
        wide += np.uint64(start % (1 << 64))  # wraps, as C's unsigned sum does
        return wide.view(np.int64).astype(dtype, copy=False).reshape(shape)
    words = gen.bits(n)
    # NumPy divides by a constant with vector multiplications, but takes remainders one at a time.
    words -= words // np.uint32(span) * np.uint32(span)
    values = words.astype(np.int64)
    if start:
        values += start
    return values.astype(dtype, copy=False).reshape(shape)


def randint(gen: Generator, low: int, high: int, shape: Shape, dtype: npt.DTypeLike = np.int64) -> Array:
    """Integers uniform on [low, high); see `random_`."""
    return random_(gen, shape, dtype, low, high)


def _random_unbounded(gen: Generator, n: int, dtype: np.dtype[Any]) -> Array:
    if kind(dtype) not in "bif" and dtype != np.uint8:
        raise not_implemented("random_kernel_cpu", dtype)
    if dtype == np.int64 or dtype == np.float64:
        return (random_raw64(gen, n) % np.uint64(greatest(dtype) + 1)).astype(dtype)
    return (gen.bits(n) % np.uint32(greatest(dtype) + 1)).astype(dtype)


def _representable_range(start: int, stop: int, dtype: np.dtype[Any], to_given: bool) -> tuple[int, int]:
    """[start, stop) narrowed so that no integer in it rounds, in the float `dtype`, to one outside."""
    digits = int(limits(dtype).nmant) + 1

    def rounded(value: int) -> float:
        return float(cast(np.array(value, np.float64 if abs(value) < 1 << 53 else np.int64), dtype))

    above = rounded(start + 1)
    if above < start:
        start = int(above) + (1 << abs(start + 1).bit_length() - digits)
    below = rounded(stop - 1)
    if to_given and below >= stop and math.isfinite(below):
        stop = int(below) - (1 << abs(stop - 1).bit_length() - digits)
    if start >= stop:
        relation, name = ("less than", "to") if to_given else ("less than or equal to", "to_inc")
        sign, shown = (">=", stop) if to_given else (">", stop - 1)
        raise RuntimeError(
            f"random_ expects 'from' casted to dtype to be {relation} '{name}' casted to dtype, "
            f"but got from={start} {sign} {name}={shown}"
        )
    return start, stop


def _check_range(first: int, last: int, dtype: np.dtype[Any]) -> None:
    """Raise if `dtype` cannot hold `first` or `last`; warn if a float dtype skips integers between them."""
    name = NAMES[code(dtype)][1]
    if kind(dtype) == "f":
        high = float(limits(dtype).max)
        low = -high
    elif dtype.kind == "b":
        low, high = 0, 1
    else:
        low, high = np.iinfo(dtype).min, min(np.iinfo(dtype).max, (1 << 63) - 1)
    for label, value in (("from", first), ("to - 1", last)):
        if not low <= value <= high:
            raise RuntimeError(f"{label} is out of bounds for {name}")
    if kind(dtype) == "f":
        digits = int(limits(dtype).nmant) + 1
        for label, value in (("from", first), ("to - 1", last)):
            if abs(value) > 1 << digits:
                warnings.warn(
                    f"{label} is out of bounds [-(2^{digits}), 2^{digits}]: {name} has gaps "
                    "between the integers there, so not every one can be drawn",
                    UserWarning,
                    stacklevel=4,
                )


# -- Bernoulli -----------------------------------------------------------------------------------------------


def bernoulli(
    gen: Generator, p: Array | float, shape: Shape | None = None, dtype: npt.DTypeLike | None = None
) -> Array:
    """Ones with probability `p`, else zeros.

    A scalar `p` (dropout, `bernoulli_(p)`) takes 64-bit draws whatever `dtype` is. An array `p` takes 64-bit
    draws if it is float64, else 32-bit ones, and broadcasts to `shape` (default: its own). `dtype`
    defaults to that of `p`, or float32 for a scalar.
    """
    if not isinstance(p, np.ndarray):
        if not 0 <= p <= 1:
            raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p:g}")
        if shape is None:
            raise TypeError("bernoulli with a scalar p expects a shape")
        ones = np.empty(count(shape), np.float32 if dtype is None else dtype)
        bound = np.uint64(math.ceil(p * 2.0**53))
        for start in range(0, ones.size, CHUNK):
            part = ones[start : start + CHUNK]
            if part.dtype.char in "fd" and part.size >= _MANY:
                words = gen.bits(2 * part.size)
                loop = machine("twister_loops.below", part.size, part, words, int(bound))
                if loop is not None:
                    loop(part, words, int(bound))
                    continue
                bits = joined(words)
            else:
                bits = random_raw64(gen, part.size)
            bits &= np.uint64((1 << 53) - 1)
            part[...] = bits < bound  # bits * 2**-53 < p, scaled up: exact, and no floats are made
        return ones.reshape(shape)
    if kind(p.dtype) != "f":
        raise not_implemented("bernoulli_tensor_cpu_p_", p.dtype)
    target = p.shape if shape is None else shape
    if p.size and count(target) and not (p.min() >= 0 and p.max() <= 1):
        raise RuntimeError("Expected p_in >= 0 && p_in <= 1 to be true, but got false.")
    work = np.float64 if p.dtype == np.float64 else np.float32
    draws = unit_floats(gen, count(target), work).reshape(target)
    return (draws < p).astype(p.dtype if dtype is None else dtype)
