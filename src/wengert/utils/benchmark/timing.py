"""`Timer`: runs a statement in blocks, long enough for the clock and short enough for statistics.

One thread computes unless told otherwise, so that statements can be compared; as in PyTorch.
"""

from __future__ import annotations

import enum
import textwrap
import time
import timeit
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ...kernels.threads import get_num_threads, set_num_threads
from .measuring import Measurement, TaskSpec

timer = time.perf_counter


class Language(enum.Enum):
    """In what a statement is written: Python, here."""

    PYTHON = 0
    CPP = 1


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = get_num_threads()
    set_num_threads(count)
    try:
        yield
    finally:
        set_num_threads(before)


def _tidy(source: str) -> str:
    """Without the indentation and the first line break of a quoted block."""
    source = textwrap.dedent(source)
    return source.removeprefix("\n").rstrip()


class Timer:
    """Measures `stmt`, after `setup`, with the names of `globals`. The labels are for tables (`Compare`).

    NotImplementedError for another language than Python.
    """

    def __init__(
        self, stmt: str = "pass", setup: str = "pass", global_setup: str = "", timer: Callable[[], float] = timer,
        globals: dict[str, Any] | None = None, label: str | None = None, sub_label: str | None = None,
        description: str | None = None, env: str | None = None, num_threads: int = 1, language: Any = Language.PYTHON,
    ) -> None:  # fmt: skip
        if not isinstance(stmt, str):
            raise ValueError("Currently only a `str` stmt is supported.")
        if language is not Language.PYTHON and str(language).lower() not in ("python", "py"):
            raise NotImplementedError(
                f"Timer(language={language!r}): statements are Python; time other programs from outside"
            )
        if global_setup:
            raise ValueError(
                f"global_setup is C++ only, got `{global_setup}`. Most likely this code can simply be moved to `setup`."
            )
        import wengert

        names = dict(globals or {})
        names.setdefault("torch", wengert)
        stmt, setup = _tidy(stmt), _tidy(setup)
        self._timer = timeit.Timer(stmt, setup, timer, names)
        self._task_spec = TaskSpec(stmt, setup, global_setup, label, sub_label, description, env, num_threads)

    def _time(self, number: int) -> float:
        return max(self._timer.timeit(number), 1e-9)

    def _measured(self, number: int, raw: list[float]) -> Measurement:
        return Measurement(number, raw, self._task_spec)

    def timeit(self, number: int = 1_000_000) -> Measurement:
        """One block of `number` runs, after a short one to warm up."""
        with _threads(self._task_spec.num_threads):
            self._time(max(number // 100, 2))
            return self._measured(number, [self._time(number)])

    def repeat(self, repeat: int = -1, number: int = -1) -> None:
        raise NotImplementedError("See `Timer.blocked_autorange.`")

    def autorange(self, callback: Any = None) -> None:
        raise NotImplementedError("See `Timer.blocked_autorange.`")

    def blocked_autorange(
        self, callback: Callable[[int, float], Any] | None = None, min_run_time: float = 0.2
    ) -> Measurement:
        """Blocks of equal length until `min_run_time` seconds have passed."""
        with _threads(self._task_spec.num_threads):
            number = self._block(min_run_time)
            return self._measured(number, self._blocks(number, min_run_time, None, callback, lambda raw: True))

    def adaptive_autorange(
        self, threshold: float = 0.1, *, min_run_time: float = 0.01, max_run_time: float = 10.0,
        callback: Callable[[int, float], Any] | None = None,
    ) -> Measurement:  # fmt: skip
        """Blocks until their quartiles are within `threshold` of the median, or `max_run_time` seconds have passed."""

        def steady(raw: list[float]) -> bool:
            return len(raw) > 3 and self._measured(number, raw).meets_confidence(threshold)

        with _threads(self._task_spec.num_threads):
            number = self._block(0.05)
            return self._measured(number, self._blocks(number, min_run_time, max_run_time, callback, steady))

    def collect_callgrind(self, *args: Any, **kwargs: Any) -> None:
        """NotImplementedError: instructions are not counted."""
        raise NotImplementedError("Timer.collect_callgrind: instructions are not counted here; use blocked_autorange")

    def _block(self, min_run_time: float) -> int:
        """How many runs make a block that takes a thousandth of the time, and in which the clock costs a ten-thousandth."""
        self._time(1)
        clock = float(np.median([self._time(0) for _ in range(5)]))
        number = 1
        while number < 100_000_000:
            taken = self._time(number)
            if taken > min_run_time or (clock / taken <= 1e-4 and taken >= min_run_time / 1000):
                break
            number *= 10
        return number

    def _blocks(
        self, number: int, least: float, most: float | None, callback: Any, enough: Callable[[list[float]], bool]
    ) -> list[float]:
        raw: list[float] = []
        total = 0.0
        while total < least or not enough(raw):
            raw.append(self._time(number))
            total += raw[-1]
            if callback is not None:
                callback(number, raw[-1])
            if most is not None and total > most:
                break
        return raw
