"""Was the second run of a checkpointed part like the first? Digests of what both saved, and the first operation that differs.

When to run again, and what to do about a difference, is `checkpoint`'s.
"""

from __future__ import annotations

import itertools
import math
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..core.modes import Observer
from ..core.tensor import Tensor

_HERE = str(Path(__file__).resolve().parent.parent)


def metadata_of(t: Tensor) -> dict[str, Any]:
    return {"shape": t.shape, "dtype": t.dtype, "device": t.device}


_TOLERANCE = {"e": 1e-2, "f": 1e-4, "d": 1e-9}


def digest(t: Tensor) -> tuple[float, ...] | None:
    """A few numbers that are the same, up to rounding, if the values are; None for what has no such numbers."""
    array = t._array
    if not isinstance(array, np.ndarray):
        return None
    flat = np.ascontiguousarray(array).reshape(-1)
    if flat.dtype.kind == "c":
        flat = flat.view(flat.real.dtype)
    if flat.dtype.kind not in "f":
        return (float(flat.sum(dtype=np.float64)), float(flat[: flat.size // 2].sum(dtype=np.float64)))
    if flat.dtype.itemsize < 4:
        flat = flat.astype(np.float32)
    half = flat[: flat.size // 2]
    return float(flat.sum()), float(np.dot(flat, flat)), float(np.dot(half, half))


def alike(a: tuple[float, ...] | None, b: tuple[float, ...] | None, t: Tensor) -> bool:
    if a is None or b is None or a == b:
        return True
    if not all(map(math.isfinite, (*a, *b))):
        return repr(a) == repr(b)
    if len(a) == 2:
        return False
    tolerance = _TOLERANCE.get(t._array.real.dtype.char, 1e-4)
    size = 2 * t._array.size
    scale = (math.sqrt(size * max(a[1], b[1])), max(a[1], b[1]), max(a[1], b[1]))
    return all(abs(x - y) <= tolerance * s for x, y, s in zip(a, b, scale, strict=True))


class Trace(Observer):
    """The operations of one run, and with `lines` where they were called."""

    def __init__(self, lines: bool) -> None:
        self.ops: list[str] = []
        self.lines = lines
        self.stacks: list[str] = []

    def recorded(self, op: Any, vals: Sequence[Any], outputs: Sequence[Any]) -> None:
        self.ops.append(op.name)
        if self.lines:
            frames = [f for f in traceback.extract_stack() if not f.filename.startswith((_HERE, "<wengert"))]
            self.stacks.append("".join(traceback.format_list(frames[-3:])))

    def changed(self, op: Any, vals: list[Any], target: Any) -> None:
        self.recorded(op, vals, [target])


def first_difference(before: list[str], again: list[str]) -> str:
    for i, (a, b) in enumerate(itertools.zip_longest(before, again, fillvalue=None)):
        if a != b:
            if b is None and i > 0:
                return ""  # it may have been stopped early
            return f"The first operation to differ is number {i}: {a} during forward, {b} during recomputation.\n"
    return ""
