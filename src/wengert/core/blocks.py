"""Large elementwise work, cut into blocks that fit the cache and shared among threads.

A pointwise function of arrays gives the same numbers block by block: its intermediate results then stay in the cache,
and, since NumPy lets go of the interpreter lock while it computes, two blocks run at once. Whatever is not plain (another
layout, a broadcast, few elements) is computed as it stands. Nothing here knows what is computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..kernels import narrow
from ..kernels.threads import LARGE, get_num_threads, share

LOOPED = 1 << 12  # elements from which a compiled loop pays for being looked for
_BLOCK = 1 << 15  # 256 KB of float64
_HEAVY = 1 << 21  # bytes from which two threads move memory faster than one

# Functions that memory alone limits: cutting them into blocks gains nothing, and two threads a little.
CHEAP = frozenset([np.add, np.subtract, np.multiply, np.negative, np.abs, np.conjugate, np.maximum, np.minimum])


# Pointwise functions that a compiled loop may compute: `run(values)` gives the result, or None where it cannot. The
# families' files under ops/ enter theirs (see `by_loop`).
COMPILED: dict[Any, Callable[[tuple[Any, ...]], Any]] = {}


def by_loop(find: Callable[[int, int, Any], Any], rest: tuple[Any, ...]) -> Callable[[tuple[Any, ...]], Any]:
    """An entry of `COMPILED`. `find(n, count, dtype)` gives the loop for `n` elements of `count` arrays, or None; `rest`
    are the arguments that must follow the arrays.
    """
    options = len(rest)

    def run(values: tuple[Any, ...]) -> Any:
        count = len(values) - options
        if options:
            if values[count:] != rest:
                return None
            values = values[:count]
        first = values[0]
        if first.__class__ is not np.ndarray:
            return None
        shape, dtype, size = first.shape, first.dtype, first.size
        gaps = False
        for v in values:
            if v.__class__ is not np.ndarray or v.dtype is not dtype or v.shape != shape:
                return None
            if not v.flags.c_contiguous:
                if not _row_by_row(v.strides):
                    return None
                gaps = True
        loop = find(size, count, dtype)
        if loop is None:
            return None
        if gaps:  # a copy costs less than the loop gains
            values = tuple([np.ascontiguousarray(v) for v in values])
        result = np.empty(shape, dtype)
        flat = [x.reshape(-1) for x in (result, *values)]
        if size < LARGE // 2:
            loop(*flat)
        else:
            share(lambda low, high: loop(*(x[low:high] for x in flat)), size, 2 * size)  # twice the work of an addition
        return result

    return run


def _row_by_row(strides: tuple[int, ...]) -> bool:
    """Do elements lie in the order of their indices, if with gaps? NumPy's result then has none, and the same order."""
    before = strides[0]
    for step in strides:
        if step <= 0 or step > before:
            return False
        before = step
    return True


def enough(function: Callable[..., Any]) -> int:
    """The number of elements from which `blockwise` gains something for this function."""
    return LOOPED if function in COMPILED else narrow.FROM if function in narrow.FUNCTIONS else LARGE


def rowwise(function: Callable[..., Any], axis: int, *arrays: Any) -> Any:
    """`function(*arrays, axis, out)`, which has the arrays' shape and works along `axis`: large ones by parts of axis 0."""
    first = arrays[0]
    if first.size < LARGE or first.ndim < 2 or axis == 0 or get_num_threads() == 1:
        return function(*arrays, axis)
    if any(a.shape != first.shape or a.dtype != first.dtype for a in arrays):
        return function(*arrays, axis)
    rows = first.shape[0]
    if axis > 1 and rows < 16 and all(a.flags.c_contiguous for a in arrays):  # more rows can be shared more evenly
        shape = (-1, *first.shape[axis:])
        return rowwise(function, 1, *(a.reshape(shape) for a in arrays)).reshape(first.shape)
    if rows < 2:
        return function(*arrays, axis)
    result = np.empty_like(first, order="C")

    def work(start: int, stop: int) -> None:
        with np.errstate(all="ignore"):  # the caller's setting does not reach the other threads
            function(*(a[start:stop] for a in arrays), axis, result[start:stop])

    share(work, rows, first.size)
    return result


def add_to(total: Any, g: Any) -> None:
    """`total += g` for large arrays."""
    if total.nbytes < _HEAVY or g.__class__ is not np.ndarray or g.shape != total.shape or not g.flags.c_contiguous:
        total += g
        return
    to, what = total.reshape(-1), g.reshape(-1)

    def work(low: int, high: int) -> None:
        np.add(to[low:high], what[low:high], out=to[low:high])

    share(work, to.size, to.size)


def doubled(g: Any, x: Any) -> Any:
    """`2 * (g * x)` of arrays of one shape and dtype, which x has by rows: the gradient of a square."""
    if g.flags.c_contiguous and g.ndim > 1:
        return doubled(g.reshape(-1), x.reshape(-1)).reshape(x.shape)
    out = np.empty(x.shape, x.dtype)
    rows = len(x)
    few = max(1, _BLOCK * rows // x.size)

    def work(start: int, stop: int) -> None:
        for low in range(start, stop, few):
            part = out[low : min(low + few, stop)]
            np.multiply(g[low : low + len(part)], x[low : low + len(part)], out=part)
            np.add(part, part, out=part)

    share(work, rows, x.size)
    return out


def stored(function: Any, out: Any, values: list[Any]) -> None:
    """`out[...] = function(*values)` of a ufunc, without an array in between where memory is all that it costs."""
    if out.nbytes < _HEAVY or not all(
        v.__class__ is not np.ndarray or (v.shape == out.shape and v.flags.c_contiguous) for v in values
    ):
        function(*values, out=out)
        return
    flat = [v.reshape(-1) if v.__class__ is np.ndarray else v for v in values]
    arrays = [k for k, v in enumerate(flat) if v.__class__ is np.ndarray]
    to = out.reshape(-1)

    def work(low: int, high: int) -> None:
        function(*_cut(flat, arrays, low, high), out=to[low:high])

    share(work, to.size, to.size)


def blockwise(function: Callable[..., Any], *values: Any) -> Any:
    """`function(*values)`, a pointwise function of large arrays, in blocks where they lie alike."""
    run = COMPILED.get(function)
    if run is not None:
        result = run(values)
        if result is not None:
            return result
    shape = None
    arrays = []
    for k, v in enumerate(values):
        if v.__class__ is np.ndarray and v.ndim:
            if shape is None:
                shape = v.shape
            if v.shape != shape or not v.flags.c_contiguous:
                return _pair(function, *values) if function in narrow.FUNCTIONS else function(*values)
            arrays.append(k)
    if shape is None:
        return function(*values)
    flat = list(values)
    for k in arrays:
        flat[k] = values[k].reshape(-1)
    size = flat[arrays[0]].size
    if size < LARGE:
        return function(*values)
    if function.__class__ is np.ufunc:
        return _halved(function, flat, arrays, size).reshape(shape)
    first = function(*_cut(flat, arrays, 0, _BLOCK))
    if first.__class__ is not np.ndarray or first.shape != (_BLOCK,):
        return function(*values)
    result = np.empty(size, first.dtype)
    result[:_BLOCK] = first

    def work(start: int, stop: int) -> None:
        for low in range(_BLOCK * (start + 1), min(_BLOCK * (stop + 1), size), _BLOCK):
            high = min(low + _BLOCK, size)
            result[low:high] = function(*_cut(flat, arrays, low, high))

    share(work, -(-size // _BLOCK) - 1, size)
    return result.reshape(shape)


def _pair(function: Any, a: Any, b: Any) -> Any:
    """A ufunc of two operands that do not lie alike: narrow matrices by a loop, large ones by parts of axis 0."""
    found = narrow.pair(function, a, b)
    if found is not None:
        return found
    if a.__class__ is not np.ndarray or b.__class__ is not np.ndarray or a.ndim != b.ndim or a.dtype is not b.dtype:
        return function(a, b)
    shape = tuple(m if n == 1 else n for m, n in zip(a.shape, b.shape, strict=True))
    if shape[0] < 2 or math.prod(shape) < LARGE or any(n not in (m, 1) for m, n in zip(shape, a.shape, strict=True)):
        return function(a, b)  # also where they do not fit
    out = np.empty(shape, a.dtype)

    def work(low: int, high: int) -> None:
        function(a if len(a) == 1 else a[low:high], b if len(b) == 1 else b[low:high], out=out[low:high])

    share(work, shape[0], out.size)
    return out


def _halved(function: Any, flat: list[Any], arrays: list[int], size: int) -> Any:
    """A ufunc on vectors, a part for each thread, straight into the result."""
    if function in CHEAP and size * flat[arrays[0]].itemsize < _HEAVY:
        return function(*flat)
    result = np.empty(size, function(*_cut(flat, arrays, 0, 1)).dtype)

    def work(low: int, high: int) -> None:
        function(*_cut(flat, arrays, low, high), out=result[low:high])

    share(work, size, size)
    return result


def _cut(flat: list[Any], arrays: list[int], low: int, high: int) -> list[Any]:
    part = list(flat)
    for k in arrays:
        part[k] = flat[k][low:high]
    return part
