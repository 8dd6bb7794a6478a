"""How many threads NumPy's BLAS uses: asked of, and told to, the OpenBLAS that NumPy brings along.

NumPy has no function for this. Where another BLAS is at work, or none is found, nothing is steered.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np


@functools.cache
def _functions() -> tuple[Any, Any] | None:
    """OpenBLAS's (get, set) functions for the number of threads; None if it is not there."""
    import ctypes

    home = Path(np.__file__).parent
    folders = (home.parent / "numpy.libs", home / ".libs", home / ".dylibs")
    for path in sorted(p for folder in folders if folder.is_dir() for p in folder.glob("*openblas*")):
        try:
            library = ctypes.CDLL(str(path))
        except OSError:
            continue
        for prefix in ("scipy_openblas", "openblas"):
            for suffix in ("64_", ""):
                names = [f"{prefix}_{verb}_num_threads{suffix}" for verb in ("get", "set")]
                if all(hasattr(library, name) for name in names):
                    found = getattr(library, names[0]), getattr(library, names[1])
                    found[0].restype, found[1].argtypes, found[1].restype = ctypes.c_int, [ctypes.c_int], None
                    return found
    return None


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


untouched = True  # whether `touch_buffers` has not run


def touch_buffers() -> None:
    """One product that fills the buffer which OpenBLAS gives to a thread. It takes some 1 ms.

    Measured: until the pages of it have been written, a product such as (64, 256) @ (256, 256) takes up to 3.5 times as
    long, time after time, for the system looks for the missing pages whenever the next block is fetched ahead.
    """
    global untouched
    untouched = False
    np.matmul(np.ones((64, 320), np.float32), np.ones((320, 352), np.float32))  # more than one block of OpenBLAS's
