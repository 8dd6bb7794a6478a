"""Arithmetic of narrow matrices: many rows of few numbers, as the coordinates of points are, slices of them, and columns.

NumPy begins anew with each row where rows do not follow each other in memory, or one operand is a column. Measured for
(36455, 3) in float64: a product of two slices 0.35 to 0.55 ms, by these loops 0.18. Each function here returns None, and
computes nothing, where its arguments are not of that kind or Numba is missing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .compiled import narrow

FROM = 1 << 13  # elements from which a loop is looked for
_WIDEST = 16

_PAIRS = {np.add: 0, np.subtract: 1, np.multiply: 2, np.true_divide: 3}  # as `narrow_loops` numbers them
FUNCTIONS = frozenset(_PAIRS)


def _columns(*arrays: Any) -> int:
    """How many columns the matrices have together, if they are narrow ones that NumPy would take row by row; or 0."""
    first = arrays[0]
    columns, simple = 1, True
    for a in arrays:
        if a.__class__ is not np.ndarray or a.ndim != 2 or a.dtype is not first.dtype or len(a) != len(first):
            return 0
        width = a.shape[1]
        if width != columns:
            if width != 1 and columns != 1:
                return 0
            columns = max(width, columns)
    for a in arrays:
        simple = simple and a.shape[1] == columns and a.flags.c_contiguous
    return 0 if simple or not 1 < columns <= _WIDEST or len(first) * columns < FROM else columns


def pair(function: Any, a: Any, b: Any, out: Any = None) -> Any:
    """`function(a, b)` for one of `FUNCTIONS`, put into `out` if that is given."""
    columns = _columns(a, b)
    if not columns:
        return None
    loop = narrow("pair", len(a) * columns, a.dtype)
    if loop is None:
        return None
    if out is None:
        out = np.empty((len(a), columns), a.dtype)
    loop(out, a, b, _PAIRS[function])
    return out


def _back(name: str, g: Any, a: Any, b: Any) -> tuple[Any, Any] | None:
    columns = _columns(g, a, b)
    if columns < 2 or g.shape[1] != columns:
        return None
    loop = narrow(name, g.size, g.dtype)
    if loop is None:
        return None
    ga, gb = np.empty(a.shape, g.dtype), np.empty(b.shape, g.dtype)
    loop(ga, gb, g, a, b)
    return ga, gb


def product_back(g: Any, a: Any, b: Any) -> tuple[Any, Any] | None:
    """The gradients of the factors a and b, with the sum over what was broadcast, from that of their product."""
    if a is b:
        return None
    if a.shape[-1:] == (1,) and b.shape[-1:] == (1,):
        return None
    return _back("product_back", g, a, b)


def quotient_back(g: Any, a: Any, b: Any) -> tuple[Any, Any] | None:
    """The same of a / b, where b is a column."""
    return _back("quotient_back", g, a, b) if b.shape[-1:] == (1,) and a.shape == g.shape else None


def cross(a: Any, b: Any) -> Any:
    """The vector products of rows of three."""
    if a.shape != b.shape or a.ndim != 2 or a.shape[1] != 3 or a.size < FROM or a.dtype is not b.dtype:
        return None
    loop = narrow("cross", a.size, a.dtype)
    if loop is None:
        return None
    out = np.empty(a.shape, a.dtype)
    loop(out, a, b)
    return out
