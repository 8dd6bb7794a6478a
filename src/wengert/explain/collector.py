"""Python's collector of cycles, kept from looking over and over at what a trace makes: nearly all of that stays."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

OFTEN = 10_000  # a trace lets it come after so many new objects


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """It does not come at all: for work of ours, which ends."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            if gc.get_count()[0] > OFTEN and gc.get_freeze_count() == 0:
                gc.freeze()
                gc.unfreeze()  # what was made is old now: it is not gone through at once
            gc.enable()


def seldom() -> tuple[int, int, int]:
    """Let it come less often while a program runs under a trace. Returns the thresholds, to be set again."""
    before = gc.get_threshold()
    if 0 < before[0] < OFTEN:
        gc.set_threshold(OFTEN, *before[1:])
    return before


def as_before(thresholds: tuple[int, int, int]) -> None:
    gc.set_threshold(*thresholds)
