"""Numbers as they were when something ran: small arrays whole, large ones as shape, extremes and norm, within a budget.

A trace keeps no array of the program alive: a small one is copied, of a large one only a summary is made, at once.
"""

from __future__ import annotations

import math
import weakref
from typing import Any

import numpy as np

from ..core.tensor import Tensor

WHOLE = 64  # elements: up to here an array is kept whole
BUDGET = 128 << 20  # bytes that the arrays kept whole may take together; then there are summaries only


class Shot:
    """A value as it was: whole if it is small, else shape, extremes and norm."""

    __slots__ = ("array", "bad", "dtype", "high", "low", "norm", "shape", "text")

    def __init__(self, array: Any) -> None:
        """Of a value that is kept whole; it is not copied."""
        self.shape: tuple[int, ...] = np.shape(array)
        self.dtype = np.dtype(getattr(array, "dtype", type(array)))
        self.array: Any = array if isinstance(array, (np.ndarray, np.generic, int, float, complex)) else None
        self.low: float | None = None
        self.high: float | None = None
        self.norm: float | None = None
        self.bad: int | None = None  # not counted yet
        self.text: str | None = None  # written once: see `numbers`

    @classmethod
    def summary(cls, array: Any) -> Shot:
        """Of a large array: shape, extremes and norm."""
        made = cls.unknown(array.shape, array.dtype)
        made.measure(array)
        return made

    @classmethod
    def unknown(cls, shape: Any, dtype: Any) -> Shot:
        """Of a value nothing but shape and dtype is known."""
        shot = cls.__new__(cls)
        shot.shape, shot.dtype, shot.array, shot.bad = tuple(shape), np.dtype(dtype), None, 0
        shot.low = shot.high = shot.norm = shot.text = None
        return shot

    @property
    def known(self) -> bool:
        return self.array is not None or self.low is not None

    def measure(self, array: Any) -> None:
        if self.dtype.kind == "c":
            array = np.abs(array)
        if self.dtype.kind == "O":
            return
        self.low, self.high = array.min().item(), array.max().item()
        flat = array.ravel()
        if self.dtype.kind in "fc":
            norm = float(np.sqrt(np.dot(flat, flat)))
            if not np.isfinite(norm):
                self.bad = int(array.size - np.isfinite(array).sum())
                norm = float(np.linalg.norm(flat.astype(np.float64)))
            self.norm = norm
        else:
            self.norm = float(np.sqrt(np.square(flat, dtype=np.float64).sum()))

    @property
    def whole(self) -> bool:
        return self.array is not None

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def stats(self) -> tuple[float, float, float]:
        """(least, greatest, norm); of absolute values where the numbers are complex."""
        if self.whole and self.low is None and self.size:
            a = np.asarray(self.array)
            if self.dtype.kind == "f" and a.size <= WHOLE and self.non_finite() == 0:
                numbers = a.ravel().tolist()  # of few numbers Python is quicker
                self.low, self.high, self.norm = min(numbers), max(numbers), math.hypot(*numbers)
            else:
                self.measure(a)
        return self.low or 0.0, self.high or 0.0, self.norm or 0.0

    def non_finite(self) -> int:
        """How many elements are NaN or infinite."""
        if self.bad is None:
            self.bad = 0
            if self.dtype.kind in "fc" and self.array is not None and np.vdot(self.array, self.array) * 0 != 0:
                self.bad = int(self.size - np.isfinite(self.array).sum())
        return self.bad


def shot(raw: Any) -> Shot | None:
    """The Shot of what was noted: None, a Shot, a small array as it is, or (shape, dtype) where no more is known."""
    if raw is None or raw.__class__ is Shot:
        return raw
    return Shot.unknown(*raw) if raw.__class__ is tuple else Shot(raw)


class Shots:
    """Notes arrays: small ones are kept as long as the budget lasts, the others summarised, each once however often met.

    What is noted is None, an array of at most `whole` elements, a NumPy scalar, or a Shot: see `shot`.
    """

    def __init__(self, whole: int = WHOLE, budget: int = BUDGET) -> None:
        self.whole = whole
        self.budget = self.left = budget  # bytes
        self.known: dict[int, tuple[Any, Shot]] = {}

    def __call__(self, x: Any) -> Any:
        """A copy of the value of a tensor, which may be changed in place later."""
        if x is None:
            return None
        array = x._array if isinstance(x, Tensor) else x
        if array.__class__ is np.ndarray:
            if array.size <= self.whole and self.left > 0:
                self.left -= array.nbytes
                return array.copy()
            return self.large(array)
        return array if isinstance(array, np.generic) else Shot(array)

    def flying(self, x: Any) -> Any:
        """A gradient on its way: nobody writes to it, so it need not be copied."""
        if x is None:
            return None
        array = x._array if isinstance(x, Tensor) else x
        if array.__class__ is np.ndarray:
            if array.size <= self.whole and self.left > 0:
                self.left -= array.nbytes
                return array
            return self.large(array)
        return array if isinstance(array, np.generic) else Shot(array)

    def large(self, array: Any) -> Shot:
        found = self.known.get(id(array))
        if found is not None and found[0]() is array:
            return found[1]
        made = Shot.summary(array)
        if len(self.known) > 10_000:
            self.known = {k: v for k, v in self.known.items() if v[0]() is not None}
        self.known[id(array)] = (weakref.ref(array), made)
        return made

    def forget(self, x: Any) -> None:
        """`x` was changed in place."""
        self.known.pop(id(x._array), None)
