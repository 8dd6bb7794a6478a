"""How the C library hands out memory for arrays: freed memory is kept for the next array.

By default glibc asks the system for every array of more than 128 KB and gives it back when it is freed; each time the
system clears the pages one by one and has to tell every processor. Of a chain of products of a million numbers, which
frees and asks for the same arrays again and again, that took more than half of the time. Who has set glibc's own
environment variables is left alone.
"""

from __future__ import annotations

import os

_TRIM, _MAP, _ARENAS = -1, -3, -8  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD and M_ARENA_MAX in malloc.h
KEEP = 1 << 29  # free bytes at the end of the heap from which memory is given back
MAPPED = 1 << 26  # bytes of an array from which it is asked of the system by itself

_USERS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def keep_freed_memory() -> bool:
    """Tell glibc to keep what is freed; False where there is no glibc or the user has settings of his own."""
    if any(name in os.environ for name in _USERS):
        return False
    try:
        if not (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc"):
            return False
    except (AttributeError, ValueError, OSError):
        return False
    import ctypes

    mallopt = ctypes.CDLL(None).mallopt
    # One heap for all threads: what one has freed another uses, and only this heap grows without the system's help.
    return all([mallopt(_MAP, MAPPED), mallopt(_TRIM, KEEP), mallopt(_ARENAS, 1)])
