"""Loops over elements that Numba compiles, if it is installed and the work is large enough to pay for it.

`compiled(loop, n)` is asked before each use and returns the machine-code version or None, in which case the caller runs
its NumPy passes. Importing Numba takes about as long as 50 million elements do in NumPy, so it is first imported when so
many have been seen. What was compiled is kept on disk by Numba, by the version of Numba and of the loop's file; where that
fails NumPy computes. Set the environment variable WENGERT_NUMBA to 0 to never use it, to 1 to use it from the first call.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

WORTH = 20_000_000  # elements seen before Numba is imported

_seen = 0
_loops: dict[Any, Any] = {}
_available: bool | None = None
_broken = False
_spent = 0.0  # seconds, for compiling
_lock = threading.Lock()


def _forked() -> None:
    """Whoever held the lock is not in the new process."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def compiled(loop: Callable[..., None], n: int) -> Any:
    """`loop`, compiled, for a call on `n` elements; None if it should not be."""
    if _broken:
        return None
    found = _loops.get(loop)
    if found is not None:
        return found
    if not _worth(n):
        return None
    with _lock:
        if loop not in _loops:
            try:
                _loops[loop] = _Lazy(loop)
            except Exception as error:
                _fail(loop.__name__, error)
                return None
    return _loops[loop]


class _Lazy:
    """A loop that is compiled when it is called with arguments of new types. If what was kept on disk for them turns out to
    be broken, it is compiled for this call alone."""

    def __init__(self, loop: Callable[..., None]) -> None:
        import numba

        self.make: Any = functools.partial(numba.njit, loop, nogil=True, error_model="numpy")
        self.kept = True
        self.machine = self.make(cache=True)

    def __call__(self, *args: Any) -> None:
        known, start = len(self.machine.overloads), time.perf_counter()
        try:
            self.machine(*args)
        except Exception as error:  # before the loop ran: it raises nothing itself
            with _lock:
                _fail(self.machine.__name__, error)
                if self.kept:
                    self.kept, self.machine = False, self.make()
            self.machine(*args)
        if len(self.machine.overloads) != known:
            _announce(self.machine, time.perf_counter() - start)


def pointwise(name: str, n: int, count: int, dtype: Any) -> Any:
    """The loop `name` of `vector_math`, for a call on `n` elements of `count` vectors; None if NumPy should compute it.

    The vectors must be contiguous and of one dtype, float32 or float64. A loop is first compiled for them here, so that
    it never is in two threads at once; where that fails (say, there is nowhere to keep what was compiled), a warning
    says so once and NumPy computes from then on.
    """
    return _vector(name, n, (1,) * count, dtype)


def vector(name: str, n: int, *arrays: Any) -> Any:
    """The same for a loop over arrays of other dimensions than one. They may be of any layout and dtype here."""
    dtype = arrays[0].dtype
    if any(a.dtype != dtype or not a.flags.c_contiguous for a in arrays):
        return None
    return _vector(name, n, tuple(a.ndim for a in arrays), dtype)


def _vector(name: str, n: int, dims: tuple[int, ...], dtype: Any) -> Any:
    key = (name, dtype.char)
    found = _loops.get(key)
    if found is None and dtype.char not in "fd":
        return None
    if os.environ.get("WENGERT_NUMBA") == "0" or _broken:
        return None
    if found is not None:
        return found
    with _lock:
        if not _worth(n):
            return None
        empty = [np.empty((0,) * d, dtype) for d in (dims[0], *dims)]
        found = _prepared("vector_math", name, tuple(empty))
        if found is not None:
            _loops[key] = found
        return found


def machine(name: str, n: int, *values: Any) -> Any:
    """The loop `name` of `row_loops`, or `module.name`, for a call with these `values` on `n` elements.

    None if NumPy should compute it.

    The arrays among the values must be contiguous; those of numbers all float32 or all float64, the others int64 or
    uint32.
    """
    dtype, char = None, ""
    for v in values:
        if v.__class__ is np.ndarray:
            if not v.flags.c_contiguous:
                return None
            if v.dtype.char in "fd":
                if dtype is not None and v.dtype != dtype:
                    return None
                dtype, char = v.dtype, v.dtype.char
            elif v.dtype != np.int64 and v.dtype != np.uint32:
                return None
    if _broken:
        return None
    key = (name, char)
    found = _loops.get(key)
    if found is None or os.environ.get("WENGERT_NUMBA") == "0":
        if found is not None:
            return None
        with _lock:
            if found is None and _worth(n):
                module, _, simple = name.rpartition(".")
                found = _prepared(module or "row_loops", simple, values)
                if found is not None:
                    _loops[key] = found
    return found


def narrow(name: str, n: int, dtype: Any) -> Any:
    """The loop `name` of `narrow_loops`, for float32 or float64, on `n` elements; None if NumPy should compute it."""
    key = ("narrow", name, dtype.char)
    if dtype.char not in "fd" or os.environ.get("WENGERT_NUMBA") == "0" or _broken:
        return None
    found = _loops.get(key)
    if found is None:
        with _lock:
            if key not in _loops and _worth(n):
                found = _prepared("narrow_loops", name, (dtype,))
                if found is not None:
                    _loops[key] = found
    return found


def _prepared(module: str, name: str, values: tuple[Any, ...]) -> Any:
    """A loop, compiled for such values (or as its module says how); or None, with a warning, if that fails."""
    start = time.perf_counter()
    try:
        import numba

        home = importlib.import_module(f".{module}", __package__)
        loop = getattr(home, name)
        if hasattr(home, "prepare"):
            home.prepare(loop, *values)
        else:
            loop.compile(tuple(numba.typeof(v) for v in values))
        _announce(loop, time.perf_counter() - start)
    except Exception as error:
        _fail(name, error)
        return None
    return loop


def _fail(name: str, error: Exception) -> None:
    """From now on NumPy computes; one warning says so."""
    global _broken
    if not _broken:
        _broken = True
        warnings.warn(f"Numba could not compile {name}, NumPy computes instead: {error}", stacklevel=5)


def _announce(loop: Any, seconds: float) -> None:
    """Say once, in the log `wengert`, that compiling took more than a second. What was kept on disk is not compiled."""
    global _spent
    if not loop.stats.cache_misses and loop.stats.cache_hits:
        return
    before, _spent = _spent, _spent + seconds
    if before <= 1 < _spent:
        import logging

        logging.getLogger("wengert").warning(
            "compiling loops for this machine takes some seconds, once: they are kept on disk for the next time "
            "(WENGERT_NUMBA=0 does without)"
        )


def _worth(n: int) -> bool:
    """Have enough elements been seen, these `n` among them, to use Numba?"""
    global _seen
    _seen += n
    wish = os.environ.get("WENGERT_NUMBA", "")
    return wish != "0" and (_seen >= WORTH or wish == "1") and available()


def available() -> bool:
    """Is Numba installed?"""
    global _available
    if _available is None:
        _available = importlib.util.find_spec("numba") is not None
    return _available
