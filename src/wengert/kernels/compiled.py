"""Loops over elements that Numba compiles, if it is installed and the work is large enough to pay for it.

`compiled(loop, n)` is asked before each use and returns the machine-code version or None, in which case the caller runs
its NumPy passes. Importing Numba takes about as long as 50 million elements do in NumPy, so it is first imported when so
many have been seen. Set the environment variable WENGERT_NUMBA to 0 to never use it, to 1 to use it from the first call.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from typing import Any

WORTH = 20_000_000  # elements seen before Numba is imported

_seen = 0
_loops: dict[Any, Any] = {}
_available: bool | None = None


def compiled(loop: Callable[..., None], n: int) -> Any:
    """`loop`, compiled, for a call on `n` elements; None if it should not be."""
    global _seen
    found = _loops.get(loop)
    if found is not None:
        return found
    _seen += n
    wish = os.environ.get("WENGERT_NUMBA", "")
    if wish == "0" or (_seen < WORTH and wish != "1") or not available():
        return None
    import numba

    _loops[loop] = numba.njit(loop, nogil=True, cache=True, error_model="numpy")
    return _loops[loop]


def available() -> bool:
    """Is Numba installed?"""
    global _available
    if _available is None:
        _available = importlib.util.find_spec("numba") is not None
    return _available
