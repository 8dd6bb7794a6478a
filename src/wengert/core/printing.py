"""Printing of tensors, to the character as PyTorch prints them.

Works on arrays: what follows the numbers (`grad_fn=...`) is given by the caller, and no tensor is known here. Facts of
the format: the numbers of one tensor share a width; floats print with `precision` digits, as integers with a point when
all are whole, and in scientific notation when they spread over more than three orders of magnitude, exceed 1e8 or fall
below 1e-4 (judged in double precision, on what is shown); beyond `threshold` elements only the edges are shown.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class PrintOptions:
    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_OPTIONS = PrintOptions()
_PROFILES: dict[str, dict[str, Any]] = {
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
    """Set how tensors print: digits, elements before edges only are shown, how many at each edge, characters a line.

    What is not given stays as it was, except `sci_mode`: None puts the choice back to the numbers.
    """
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
    """The options in force, as keyword arguments for `set_printoptions`."""
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


def _write(values: np.ndarray[Any, Any]) -> tuple[list[str], int]:
    """The texts of the numbers shown, in order, and the width that a line reckons with for each.

    Zeros, infinities and NaN do not count for the width, so their texts can be longer than it.
    """
    kind = values.dtype.kind
    if kind == "V":  # bfloat16
        return _write(values.astype(np.float32))
    if kind == "c":
        reals, real_width = _write(values.real)
        imags, imag_width = _write(values.imag)
        pairs = zip(reals, (i.lstrip() for i in imags), strict=True)
        # The sign is looked for in the text: -0.0 has one and is not below zero.
        return [f"{r}{'' if i.startswith('-') else '+'}{i}j" for r, i in pairs], real_width + imag_width + 1
    numbers = values.ravel().tolist()
    if kind == "f":
        counted, spec, point = _style(values)
        widths = [len(f"{v:{spec}}{point}") for v in counted]
        texts = [f"{v:{spec}}" + (point if math.isfinite(v) else "") for v in numbers]
    else:
        texts = [str(v) for v in numbers]
        widths = [len(t) for t in texts]
    width = max(widths, default=1)
    return [t.rjust(width) for t in texts], width


def _style(values: np.ndarray[Any, Any]) -> tuple[list[float], str, str]:
    """The floats that the width is measured on, the format that all are written with, and what follows a finite one."""
    wide = values.astype(np.float64).ravel()
    counted = wide[np.isfinite(wide) & (wide != 0)]
    if not counted.size:
        # Nothing to judge by, so not even sci_mode=True is obeyed.
        return [], ".0f", "."
    scientific = _OPTIONS.sci_mode
    if scientific is None:
        sizes = np.abs(counted)
        low, high = float(sizes.min()), float(sizes.max())
        scientific = high / low > 1000 or high > 1e8 or low < 1e-4
    if scientific:
        return counted.tolist(), f".{_OPTIONS.precision}e", ""
    if np.array_equal(counted, np.ceil(counted)):
        return counted.tolist(), ".0f", "."
    return counted.tolist(), f".{_OPTIONS.precision}f", ""


def _edges(a: np.ndarray[Any, Any], k: int) -> np.ndarray[Any, Any]:
    """The first and last k along every axis: the elements that are shown of a long array."""
    for axis, n in enumerate(a.shape):
        if n > 2 * k:
            a = np.take(a, [*range(k), *range(n - k, n)], axis=axis)
    return a


def _lay_out(texts: Iterator[str], shape: tuple[int, ...], column: int, per_line: int, k: int | None) -> str:
    """Brackets, commas and line breaks around the texts of an array of this shape, which starts after `column`.

    With a number `k` an axis longer than 2k has dots between its edges; `texts` then holds the edges alone.
    """
    n, inner = shape[0], shape[1:]
    dots = k is not None and n > 2 * k
    count = 2 * k if k is not None and dots else n
    if inner:
        items = [_lay_out(texts, inner, column + 1, per_line, k) for _ in range(count)]
    else:
        items = [next(texts) for _ in range(count)]
    if dots:
        # Among numbers the dots are set off by one more space.
        items.insert(count // 2, "..." if inner or not k else " ...")
    margin = " " * (column + 1)
    if inner:
        # One empty line more for every further axis.
        return "[" + f",{chr(10) * len(inner)}{margin}".join(items) + "]"
    lines = (", ".join(items[i : i + per_line]) for i in range(0, len(items), per_line))
    return "[" + f",\n{margin}".join(lines) + "]"


def _numbers(array: np.ndarray[Any, Any], indent: int) -> str:
    """All between `tensor(` and the suffixes."""
    if not array.size:
        return "[]"
    k = _OPTIONS.edgeitems if array.size > _OPTIONS.threshold else None
    texts, width = _write(array if k is None else _edges(array, k))
    if array.ndim == 0:
        return texts[0]
    # The innermost vectors stand one column further in for every axis around them; ", " follows each number.
    per_line = max(1, (_OPTIONS.linewidth - indent - (array.ndim - 1)) // (width + 2))
    return _lay_out(iter(texts), array.shape, indent, per_line, k)


def format_tensor(
    array: np.ndarray[Any, Any], *, default_float: np.dtype[Any], suffixes: Sequence[str] = (), prefix: str = "tensor("
) -> str:
    """The text of a tensor. `default_float` is the dtype that is not named; `suffixes` come after the numbers."""
    facts = []
    # A shape is told where the brackets do not show it: of nothing, and where edges of no width are asked for.
    if array.ndim != 1 if not array.size else not _OPTIONS.edgeitems:
        facts.append(f"size={tuple(array.shape)}")
    # Reading the text back would give these dtypes; from no elements only the default one.
    unnamed = [default_float]
    if array.size:
        unnamed += [np.result_type(default_float, np.complex64), np.dtype(np.int64), np.dtype(np.bool_)]
    if array.dtype not in unnamed:
        facts.append(f"dtype=torch.{array.dtype.name}")
    return _close(prefix + _numbers(array, len(prefix)), [*facts, *suffixes], len(prefix))


def _close(text: str, suffixes: Sequence[str], indent: int) -> str:
    """`text` and its suffixes; one that passes the line's end goes to the next line."""
    # The last line is reckoned two characters longer than it is, as in PyTorch.
    used = len(text.rpartition("\n")[2]) + 2
    for suffix in suffixes:
        used += len(suffix) + 2
        if used > _OPTIONS.linewidth:
            text += ",\n" + " " * indent + suffix
            used = indent + len(suffix)
        else:
            text += ", " + suffix
    return text + ")"
