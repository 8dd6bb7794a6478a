"""Reductions: sums, means, extrema, norms, over all elements or along dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes
from ..core.op import Array, linear
from .shape import expand, unsqueeze_dims
from .shared import axes_of, wrap_dims


def spread(g: Any, shape: tuple[int, ...], dim: Any, keepdim: bool) -> Any:
    """Undo a reduction: the same value for every element that was reduced."""
    dims = wrap_dims(dim, len(shape))
    if dims and not keepdim and shape:
        g = unsqueeze_dims(g, dims)
    return expand(g, shape)


@linear(
    "sum",
    input=lambda g, input_shape, dim, keepdim: spread(g, input_shape, dim, keepdim),
    out=True,
    tex=r"\sum {input}",
)
def sum(input: Array, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Sum over `dim` (an int, a tuple, or None for all). Integers and bools are summed as int64."""
    axes = axes_of(dim, input.ndim)
    if axes == ():
        axes = None
    want = dtypes.as_dtype(dtype).np if dtype is not None else None
    if want is None and input.dtype.kind in "iub":
        want = np.dtype(np.int64)
    return np.add.reduce(input, axis=axes, keepdims=keepdim, dtype=want)
