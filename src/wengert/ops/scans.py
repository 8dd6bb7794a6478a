"""Running sums and products along a dimension."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes
from ..core.op import Array, general, linear
from .arranging import flip
from .shared import wrap_dim

__all__ = ["cumprod", "cumsum"]


def _typed(input: Any, dtype: Any) -> Any:
    if dtype is not None:
        return dtypes.as_dtype(dtype).np
    return np.dtype(np.int64) if input.dtype.kind in "iub" else input.dtype


@linear("cumsum", input=lambda g, dim: back_sum(g, dim), out=True, inplace=True)
def cumsum(input: Array, dim: int, *, dtype: Any = None) -> Any:
    """Running sums along `dim`."""
    d = wrap_dim(dim, input.ndim)
    if input.ndim == 0:
        return input.astype(_typed(input, dtype))
    return np.add.accumulate(input, axis=d, dtype=_typed(input, dtype))


def back_sum(g: Any, dim: int) -> Any:
    """Running sums from the end."""
    return g if g.ndim == 0 else flip(cumsum(flip(g, (dim,)), dim), (dim,))


@general("cumprod", input=lambda g, input, out, dim: _cumprod_back(g, input, out, dim), out=True, inplace=True)
def cumprod(input: Array, dim: int, *, dtype: Any = None) -> Any:
    """Running products along `dim`."""
    d = wrap_dim(dim, input.ndim)
    if input.ndim == 0:
        return input.astype(_typed(input, dtype))
    return np.multiply.accumulate(input, axis=d, dtype=_typed(input, dtype))


def _cumprod_back(g: Any, input: Any, out: Any, dim: int) -> Any:
    """Element k of the input enters out[i], i >= k, times the product of the others up to i: exact at zeros.

    Written as a recurrence from the end, s[k] = g[k] + input[k+1] * s[k+1], times the product before k.
    """
    from .joining import stack
    from .shape import select

    if input.ndim == 0:
        return g
    n = input.shape[dim]
    if n == 0:
        return g
    x = input.conjugate()
    sums = [select(g, dim, n - 1)]
    for k in range(n - 2, -1, -1):
        sums.append(select(g, dim, k) + select(x, dim, k + 1) * sums[-1])
    sums.reverse()
    one = select(x, dim, 0) * 0 + 1
    before = [one] + [select(out.conjugate(), dim, k) for k in range(n - 1)]
    return stack([b * s for b, s in zip(before, sums, strict=True)], dim % input.ndim)
