"""The threads that share large work, and how many there are. Nothing here knows what is computed.

A team of threads waits, each on a lock of its own; the calling thread does its part too. One call has the team at a time:
work that is shared inside a shared part, or by a second thread of the user's, is done by who asked, so there are never
more threads at work than were asked for. `share_products` keeps BLAS to one thread meanwhile.
"""

from __future__ import annotations

import _thread
import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from . import blas

LARGE = 1 << 17  # elements from which sharing pays for waking a thread (some 20 us)

Work = Callable[[int, int], Any]


def _default_threads() -> int:
    wish = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    if wish.isdigit() and int(wish):
        return int(wish)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Helper:
    """A thread that does what it is given, again and again; given None it ends."""

    def __init__(self) -> None:
        self.start, self.end = _thread.allocate_lock(), _thread.allocate_lock()
        self.start.acquire()
        self.end.acquire()
        self.task: tuple[Work, int, int] | None = None
        self.error: BaseException | None = None
        threading.Thread(target=self._serve, name="wengert", daemon=True).start()

    def _serve(self) -> None:
        # What NumPy should say of infinities is set for the caller's thread, which does its part.
        np.seterr(all="ignore")
        while True:
            self.start.acquire()
            task = self.task
            if task is None:
                return
            try:
                task[0](task[1], task[2])
            except BaseException as error:
                self.error = error
            self.task = task = None
            self.end.release()

    def give(self, task: tuple[Work, int, int] | None) -> None:
        self.task = task
        self.start.release()

    def wait(self) -> BaseException | None:
        self.end.acquire()
        error, self.error = self.error, None
        return error


class _Team:
    """The helpers. They are made when first needed, and anew in a process that was forked."""

    def __init__(self) -> None:
        self.count = _default_threads()
        self.forget()

    def forget(self) -> None:
        self.helpers: list[_Helper] = []
        self.free = threading.Lock()
        self.touched = False  # the buffers of BLAS, one for each part

    def at_work(self, parts: int) -> list[_Helper]:
        if blas.unready:
            blas.make_ready()
        while len(self.helpers) < parts - 1:
            self.helpers.append(_Helper())
        return self.helpers[: parts - 1]


_TEAM = _Team()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_TEAM.forget)


def get_num_threads() -> int:
    """How many threads share large work. At first `OMP_NUM_THREADS`, or else the number of processors."""
    return _TEAM.count


def set_num_threads(count: int) -> None:
    """Share large work among `count` threads, the calling one included; BLAS uses as many."""
    if not isinstance(count, int) or isinstance(count, bool):
        raise TypeError(f"set_num_threads expects an int, but got {type(count).__name__}")
    if count < 1:
        raise RuntimeError("set_num_threads expects a positive integer")
    if count != _TEAM.count:
        with _TEAM.free:
            for helper in _TEAM.helpers:
                helper.give(None)
            _TEAM.helpers, _TEAM.count, _TEAM.touched = [], count, False
    blas.set_threads(count)


def share(work: Work, count: int, size: int) -> None:
    """`work(low, high)` on parts that make up `range(count)`, at once if there are elements enough (`size`) to pay for it."""
    parts = min(_TEAM.count, count)
    if parts < 2 or size < LARGE or not _TEAM.free.acquire(blocking=False):
        work(0, count)
        return
    try:
        helpers = _TEAM.at_work(parts)
        for i, helper in enumerate(helpers, 1):
            helper.give((work, count * i // parts, count * (i + 1) // parts))
        try:
            work(0, count // parts)
        finally:
            errors = [helper.wait() for helper in helpers]
    finally:
        _TEAM.free.release()
    for found in errors:
        if found is not None:
            raise found


def share_sum(work: Callable[[Any, int, int], Any], count: int, size: int, zeros: Callable[[], Any]) -> Any:
    """The sum of what `work(into, low, high)` adds to arrays of `zeros()`, one for each part; in order, so always the same."""
    parts: dict[int, Any] = {}

    def some(low: int, high: int) -> None:
        parts[low] = zeros()
        work(parts[low], low, high)

    share(some, count, size)
    total = parts.pop(0)
    for low in sorted(parts):
        total += parts[low]
    return total


def share_products(work: Work, count: int, size: int) -> None:
    """`share` for work that is matrix products for the most part: BLAS keeps to one thread for each part.

    Where BLAS cannot be told so, it is given all the work, and its own threads.
    """
    if min(_TEAM.count, count) < 2 or size < LARGE or not blas.steerable():
        work(0, count)
        return
    with blas.one_thread():
        if not _TEAM.touched:
            _TEAM.touched = True
            share(lambda low, high: blas.touch_buffers(), _TEAM.count, LARGE)
        share(work, count, size)
