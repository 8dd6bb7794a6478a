"""Printing of tensors, to the character as PyTorch prints them.

Works on arrays: what follows the numbers (`grad_fn=...`) is given by the caller. Facts of the format: numbers of one
tensor share a width; floats print with `precision` digits, as integers with a point when all are whole, and in scientific
notation when they spread over more than three orders of magnitude, exceed 1e8 or fall below 1e-4; beyond `threshold`
elements only the edges are shown.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np


@dataclass
class PrintOptions:
    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_OPTIONS = PrintOptions()
_PROFILES = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors print: digits, elements before edges only are shown, how many at each edge, characters a line."""
    global _OPTIONS
    changes: dict[str, Any] = {}
    if profile is not None:
        if profile not in _PROFILES:
            raise ValueError(f"no print profile {profile!r}: choose from {', '.join(_PROFILES)}")
        changes.update(_PROFILES[profile])
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    changes.update({k: v for k, v in given.items() if v is not None})
    _OPTIONS = replace(_OPTIONS, sci_mode=sci_mode, **changes)


def get_printoptions() -> dict[str, Any]:
    return asdict(_OPTIONS)


@contextlib.contextmanager
def printoptions(**options: Any) -> Iterator[None]:
    """`set_printoptions` until the end of the block."""
    global _OPTIONS
    before = _OPTIONS
    try:
        set_printoptions(**options)
        yield
    finally:
        _OPTIONS = before


class Format:
    """How every number of one array is written."""

    def __init__(self, values: np.ndarray[Any, Any]) -> None:
        self.floating = values.dtype.kind == "f"
        self.whole = True
        self.scientific = False
        self.width = 1
        flat = values.reshape(-1)
        if not self.floating:
            self.width = max([1, *(len(str(v)) for v in flat.tolist())])
            return
        flat = flat.astype(np.float64)
        finite = flat[np.isfinite(flat) & (flat != 0)]
        if finite.size == 0:
            # Only zeros, infinities and NaN.
            self.scientific = bool(_OPTIONS.sci_mode)
            return
        self.whole = bool(np.all(finite == np.ceil(finite)))
        size = np.abs(finite)
        low, high = float(size.min()), float(size.max())
        self.scientific = high / low > 1000 or high > 1e8 or (not self.whole and low < 1e-4)
        if self.scientific:
            lengths = (len(f"{v:.{_OPTIONS.precision}e}") for v in finite.tolist())
        elif self.whole:
            lengths = (len(f"{v:.0f}") + 1 for v in finite.tolist())
        else:
            lengths = (len(f"{v:.{_OPTIONS.precision}f}") for v in finite.tolist())
        self.width = max([1, *lengths])
        if _OPTIONS.sci_mode is not None:
            self.scientific = _OPTIONS.sci_mode

    def __call__(self, value: Any) -> str:
        if not self.floating:
            text = str(value)
        elif self.scientific:
            text = f"{value:{self.width}.{_OPTIONS.precision}e}"
        elif self.whole:
            text = f"{value:.0f}" + ("." if math.isfinite(value) else "")
        else:
            text = f"{value:.{_OPTIONS.precision}f}"
        return text.rjust(self.width)


class ComplexFormat:
    """A complex number as its two parts, each with a format of its own."""

    def __init__(self, values: np.ndarray[Any, Any]) -> None:
        self.real, self.imag = Format(values.real), Format(values.imag)
        self.width = self.real.width + self.imag.width + 1

    def __call__(self, value: complex) -> str:
        imag = (self.imag(value.imag) + "j").lstrip()
        return self.real(value.real) + ("" if value.imag < 0 else "+") + imag


def _edges(a: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The elements that are shown of a long array."""
    k = _OPTIONS.edgeitems
    for axis, n in enumerate(a.shape):
        if n > 2 * k:
            a = np.take(a, [*range(k), *range(n - k, n)], axis=axis)
    return a


def _vector(a: np.ndarray[Any, Any], indent: int, short: bool, fmt: Any) -> str:
    k = _OPTIONS.edgeitems
    # A complex element takes one more character for its j.
    per_line = max(1, (_OPTIONS.linewidth - indent) // (fmt.width + 2))
    if short and not k:
        items = ["..."]
    elif short and a.shape[0] > 2 * k:
        items = [fmt(v) for v in a[:k].tolist()] + [" ..."] + [fmt(v) for v in a[-k:].tolist()]
    else:
        items = [fmt(v) for v in a.tolist()]
    lines = [", ".join(items[i : i + per_line]) for i in range(0, len(items), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _nested(a: np.ndarray[Any, Any], indent: int, short: bool, fmt: Any) -> str:
    if a.ndim == 0:
        return fmt(a.item())
    if a.ndim == 1:
        return _vector(a, indent, short, fmt)
    k = _OPTIONS.edgeitems
    if short and a.shape[0] > 2 * k:
        slices = [_nested(x, indent + 1, short, fmt) for x in a[:k]]
        slices += ["..."] + [_nested(x, indent + 1, short, fmt) for x in a[len(a) - k :]]
    else:
        slices = [_nested(x, indent + 1, short, fmt) for x in a]
    return "[" + ("," + "\n" * (a.ndim - 1) + " " * (indent + 1)).join(slices) + "]"


def format_tensor(
    array: np.ndarray[Any, Any], *, default_float: np.dtype[Any], suffixes: Sequence[str] = (), prefix: str = "tensor("
) -> str:
    """The text of a tensor. `default_float` is the dtype that is not named; `suffixes` come after the numbers."""
    indent = len(prefix)
    parts = []
    default_complex = np.result_type(default_float, np.complex64)
    known = array.dtype in (default_float, default_complex, np.dtype(np.int64), np.dtype(np.bool_))
    if array.size == 0:
        if array.ndim != 1:
            parts.append(f"size={tuple(array.shape)}")
        known = array.dtype == default_float
        text = "[]"
    else:
        short = array.size > _OPTIONS.threshold
        shown = _edges(array) if short else array
        fmt = ComplexFormat(shown) if array.dtype.kind == "c" else Format(shown)
        text = _nested(array, indent, short, fmt)
    if not known:
        parts.append(f"dtype=torch.{array.dtype.name}")
    return _with_suffixes(prefix + text, [*parts, *suffixes], indent)


def _with_suffixes(text: str, suffixes: Sequence[str], indent: int) -> str:
    length = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if length + len(suffix) + 2 > _OPTIONS.linewidth:
            text += ",\n" + " " * indent + suffix
            length = indent + len(suffix)
        else:
            text += ", " + suffix
            length += len(suffix) + 2
    return text + ")"
