"""Large elementwise work, cut into blocks that fit the cache and shared among threads.

A pointwise function of arrays gives the same numbers block by block: its intermediate results then stay in the cache,
and, since NumPy lets go of the interpreter lock while it computes, two blocks run at once. Whatever is not plain (another
layout, a broadcast, few elements) is computed as it stands. Nothing here knows what is computed.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

LARGE = 1 << 17  # elements from which sharing pays for waking a thread (some 50 us)
_BLOCK = 1 << 15  # 256 KB of float64

# Functions that memory alone limits: cutting them up gains nothing.
CHEAP = frozenset([np.add, np.subtract, np.multiply, np.negative, np.abs, np.conjugate, np.maximum, np.minimum])


def _default_threads() -> int:
    wish = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    if wish.isdigit() and int(wish):
        return int(wish)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Team:
    """The threads. They are made when first needed, and anew in a process that was forked."""

    def __init__(self) -> None:
        self.count = _default_threads()
        self.pool: Any = None
        self.lock = threading.Lock()

    def start(self) -> Any:
        with self.lock:
            if self.pool is None:
                from concurrent.futures import ThreadPoolExecutor

                self.pool = ThreadPoolExecutor(self.count - 1, "wengert")
            return self.pool

    def forget(self) -> None:
        self.pool = None
        self.lock = threading.Lock()


_TEAM = _Team()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_TEAM.forget)


def get_num_threads() -> int:
    """How many threads share large elementwise work. At first `OMP_NUM_THREADS`, or else the number of processors."""
    return _TEAM.count


def set_num_threads(count: int) -> None:
    """Share large elementwise work among `count` threads, the calling one included. (BLAS has its own setting.)"""
    if not isinstance(count, int) or isinstance(count, bool):
        raise TypeError(f"set_num_threads expects an int, but got {type(count).__name__}")
    if count < 1:
        raise RuntimeError("set_num_threads expects a positive integer")
    if count != _TEAM.count:
        pool, _TEAM.count = _TEAM.pool, count
        _TEAM.forget()
        if pool is not None:
            pool.shutdown(wait=False)


def share(work: Callable[[int, int], Any], count: int, size: int) -> None:
    """`work(low, high)` on parts that make up `range(count)`, at once if there are elements enough (`size`) to pay for it."""
    threads = min(_TEAM.count, count)
    if threads < 2 or size < LARGE:
        work(0, count)
        return
    pool = _TEAM.pool or _TEAM.start()
    edges = [count * i // threads for i in range(threads + 1)]
    others = [pool.submit(work, a, b) for a, b in itertools.pairwise(edges[1:])]
    work(edges[0], edges[1])
    for other in others:
        other.result()


# Pointwise functions that a compiled loop may compute: what finds the loop (or None) for arrays, and the arguments that
# must follow these. The families' files under ops/ enter theirs.
COMPILED: dict[Any, tuple[Callable[..., Any], tuple[Any, ...]]] = {}


def _by_loop(entry: tuple[Callable[..., Any], tuple[Any, ...]], flat: list[Any], arrays: list[int], size: int) -> Any:
    """The result of the compiled loop, its elements shared among the threads; None if there is no such loop."""
    find, rest = entry
    n = len(arrays)
    if arrays != list(range(n)) or tuple(flat[n:]) != rest:
        return None
    given = flat[:n]
    loop = find(size, *given)
    if loop is None:
        return None
    result = np.empty(size, given[0].dtype)
    share(lambda a, b: loop(result[a:b], *(x[a:b] for x in given)), size, size)
    return result


def rowwise(function: Callable[..., Any], axis: int, *arrays: Any) -> Any:
    """`function(*arrays, axis)`, which has the arrays' shape and works along `axis`: large ones by parts of axis 0."""
    first = arrays[0]
    rows = first.shape[0] if first.ndim > 1 else 1
    if first.size < LARGE or axis == 0 or rows < 2 or _TEAM.count == 1:
        return function(*arrays, axis)
    if any(a.shape != first.shape or a.dtype != first.dtype for a in arrays):
        return function(*arrays, axis)
    result = np.empty_like(first, order="C")

    def work(start: int, stop: int) -> None:
        with np.errstate(all="ignore"):  # the caller's setting does not reach the other threads
            result[start:stop] = function(*(a[start:stop] for a in arrays), axis)

    share(work, rows, first.size)
    return result


def blockwise(function: Callable[..., Any], *values: Any) -> Any:
    """`function(*values)`, a pointwise function of large arrays, in blocks where they lie alike."""
    shape = None
    arrays = []
    for k, v in enumerate(values):
        if v.__class__ is np.ndarray and v.ndim:
            if shape is None:
                shape = v.shape
            if v.shape != shape or not v.flags.c_contiguous:
                return function(*values)
            arrays.append(k)
    if shape is None:
        return function(*values)
    flat = list(values)
    for k in arrays:
        flat[k] = values[k].reshape(-1)
    size = flat[arrays[0]].size
    if function in COMPILED:
        result = _by_loop(COMPILED[function], flat, arrays, size)
        if result is not None:
            return result.reshape(shape)
    first = function(*_cut(flat, arrays, 0, _BLOCK))
    if first.__class__ is not np.ndarray or first.shape != (_BLOCK,):
        return function(*values)
    result = np.empty(size, first.dtype)
    result[:_BLOCK] = first

    def work(start: int, stop: int) -> None:
        for low in range(start, stop, _BLOCK):
            high = min(low + _BLOCK, stop)
            result[low:high] = function(*_cut(flat, arrays, low, high))

    def helper(start: int, stop: int) -> None:
        with np.errstate(all="ignore"):
            work(start, stop)

    count = _TEAM.count
    if count == 1:
        work(_BLOCK, size)
        return result.reshape(shape)
    pool = _TEAM.pool or _TEAM.start()
    blocks = -(-(size - _BLOCK) // _BLOCK)
    edges = [_BLOCK + _BLOCK * (blocks * i // count) for i in range(count)] + [size]
    others = [pool.submit(helper, a, b) for a, b in itertools.pairwise(edges[1:])]
    work(edges[0], edges[1])
    for other in others:
        other.result()
    return result.reshape(shape)


def _cut(flat: list[Any], arrays: list[int], low: int, high: int) -> list[Any]:
    part = list(flat)
    for k in arrays:
        part[k] = flat[k][low:high]
    return part
