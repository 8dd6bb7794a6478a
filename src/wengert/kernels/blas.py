"""The OpenBLAS that NumPy brings along, asked for what NumPy has no function for: how many threads it uses, how soon they
sleep, and triangular systems. Where another BLAS is at work, or none is found, nothing is steered, and the callers solve
systems with NumPy.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


@functools.cache
def _library() -> tuple[Any, str, str] | None:
    """OpenBLAS, and what stands before and after the names of its functions; None if it is not there."""
    import ctypes
    from pathlib import Path

    home = Path(np.__file__).parent
    folders = (home.parent / "numpy.libs", home / ".libs", home / ".dylibs")
    for path in sorted(p for folder in folders if folder.is_dir() for p in folder.glob("*openblas*")):
        try:
            library = ctypes.CDLL(str(path))
        except OSError:
            continue
        for before in ("scipy_", ""):
            for after in ("64_", ""):
                if all(hasattr(library, f"{before}openblas_{verb}_num_threads{after}") for verb in ("get", "set")):
                    return library, before, after
    return None


@functools.cache
def _functions() -> tuple[Any, Any] | None:
    """OpenBLAS's (get, set) functions for the number of threads; None if it is not there."""
    import ctypes

    found = _library()
    if found is None:
        return None
    library, before, after = found
    get, set_to = (getattr(library, f"{before}openblas_{verb}_num_threads{after}") for verb in ("get", "set"))
    get.restype, set_to.argtypes, set_to.restype = ctypes.c_int, [ctypes.c_int], None
    return get, set_to


def steerable() -> bool:
    """Can the number of threads be set?"""
    return _functions() is not None


_lock = threading.Lock()
_asked: list[int] = []  # how many threads there were before, while someone keeps BLAS to one


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep BLAS to the calling thread; who comes first takes note of the setting, who leaves last puts it back."""
    found = _functions()
    if found is None:
        yield
        return
    get, set_to = found
    with _lock:
        _asked.append(get() if not _asked else _asked[0])
        if len(_asked) == 1 and _asked[0] != 1:
            set_to(1)
    try:
        yield
    finally:
        with _lock:
            before = _asked.pop()
            if not _asked and before != 1:
                set_to(before)


def set_threads(count: int) -> None:
    """How many threads BLAS uses; while someone keeps it to one, from when they leave."""
    found = _functions()
    if found is not None:
        with _lock:
            if _asked:
                _asked[:] = [count] * len(_asked)
            else:
                found[1](count)


def _forked() -> None:
    """Who kept BLAS to one thread is not in the new process."""
    global _lock
    _lock = threading.Lock()
    if _asked:
        before = _asked[0]
        _asked.clear()
        set_threads(before)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)

unready = True  # whether `make_ready` has not run

_TIMEOUT = "OPENBLAS_THREAD_TIMEOUT"
_PATIENCE = 20  # as a power of two, in ticks of the processor's clock: half a millisecond


def make_ready() -> None:
    """What is done before the first product that is not small. It takes about 1 ms."""
    global unready
    unready = False
    _let_threads_sleep()
    touch_buffers()


def touch_buffers() -> None:
    """One product that fills the buffer which OpenBLAS gives to a thread.

    Measured: until the pages of it have been written, a product such as (64, 256) @ (256, 256) takes up to 3.5 times as
    long, time after time, for the system looks for the missing pages whenever the next block is fetched ahead.
    """
    np.matmul(np.ones((64, 320), np.float32), np.ones((320, 352), np.float32))  # more than one block of OpenBLAS's


def _let_threads_sleep() -> None:
    """Let OpenBLAS's threads sleep half a millisecond after their last product, instead of 0.03 to 0.1 s.

    Until then they wait in a loop and hold a processor that the threads here have work for: measured, gelu of (768, 512)
    took 1.46 ms after a product, as long as with one thread, and takes 0.85. OpenBLAS reads the time when it makes its
    threads, so they are made anew; not where other threads might be using them, nor where the user has set the time.
    """
    if _TIMEOUT in os.environ or threading.active_count() != 1:
        return
    found = _library()
    read, stop = (getattr(found and found[0], name, None) for name in ("openblas_read_env", "blas_thread_shutdown_"))
    if read is None or stop is None:
        return
    os.environ[_TIMEOUT] = str(_PATIENCE)
    try:
        read()
        stop()
    finally:
        del os.environ[_TIMEOUT]


# -- triangular systems ------------------------------------------------------------------------------------------

_ROWS, _COLUMNS, _LEFT = 101, 102, 141  # the words of CBLAS
_LETTERS = {"f": "s", "d": "d", "F": "c", "D": "z"}


@functools.cache
def _solver(char: str) -> Any:
    """CBLAS's `trsm` for arrays of this kind, taking what factors there are by their address, and the number 1 for it."""
    import ctypes

    found = _library()
    if found is None or char not in _LETTERS:
        return None
    library, before, after = found
    function = getattr(library, f"{before}cblas_{_LETTERS[char]}trsm{after}", None)
    if function is None:
        return None
    number = ctypes.c_int64 if after else ctypes.c_int
    real = {"f": ctypes.c_float, "d": ctypes.c_double}.get(char)
    one: Any = 1.0 if real else np.ones((), char)
    function.restype = None
    function.argtypes = [
        *[ctypes.c_int] * 5, number, number, real or ctypes.c_void_p, ctypes.c_void_p, number, ctypes.c_void_p, number,
    ]  # fmt: skip
    return function, one if real else one.ctypes.data, one


def _lies(a: Any) -> int:
    """How the matrix `a` lies in memory: by rows, by columns, or neither (0)."""
    k, (m, n) = a.itemsize, a.shape
    if a.strides[1] == k and a.strides[0] >= n * k and a.strides[0] % k == 0:
        return _ROWS
    if a.strides[0] == k and a.strides[1] >= m * k and a.strides[1] % k == 0:
        return _COLUMNS
    return 0


def solve_triangular(a: Any, b: Any, upper: bool, unit: bool) -> Any:
    """X with A X = B for one matrix A, of which a triangle is read; None if there is no such function for the dtype."""
    found = _solver(a.dtype.char)
    if found is None or a.dtype != b.dtype:
        return None
    function, one, _ = found
    x = np.array(b, order="F" if _lies(b) == _COLUMNS else "C")
    order = _COLUMNS if _lies(b) == _COLUMNS else _ROWS
    how = _lies(a)
    if not how:
        a, how = np.ascontiguousarray(a), _ROWS
    across = how != order  # then it is the transpose that lies there
    step = max(a.strides) // a.itemsize, max(x.strides) // x.itemsize
    function(
        *(order, _LEFT, 121 if upper != across else 122, 112 if across else 111, 132 if unit else 131),
        *(*x.shape, one, a.ctypes.data, step[0], x.ctypes.data, step[1]),
    )
    return x
