"""Reductions over all elements or along dimensions: sums, means, products, and the parts of which the others are made.

The largest and the smallest are in `extrema`, variances and logsumexp in `moments`, norms in `linalg_norms`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes
from ..core.op import Array, composite, general, linear
from ..kernels import sums
from ..kernels.rounding import is_half
from .shape import expand, unsqueeze_dims
from .shared import axes_of, wrap_dim, wrap_dims

__all__ = ["mean", "nanmean", "nansum", "prod", "sum"]


def spread(g: Any, shape: tuple[int, ...], dim: Any, keepdim: bool) -> Any:
    """Undo a reduction: the same value for every element that was reduced."""
    dims = wrap_dims(dim, len(shape))
    if dims and not keepdim and shape:
        g = unsqueeze_dims(g, dims)
    return expand(g, shape)


def count(shape: tuple[int, ...], dim: Any) -> int:
    """How many elements each result of a reduction is made of."""
    dims = wrap_dims(dim, len(shape))
    n = 1
    for d in dims or range(len(shape)):
        n *= shape[d] if shape else 1
    return n


def axes_for(dim: Any, ndim: int) -> Any:
    return axes_of(dim, ndim) or None


def _want(dtype: Any) -> Any:
    return None if dtype is None else dtypes.as_dtype(dtype).np


def _summed(input: Any, dim: Any, keepdim: bool, dtype: Any) -> Any:
    kind = input.dtype.kind
    if dtype is None and (kind == "f" or kind == "c"):
        return sums.add(input, axes_for(dim, input.ndim), keepdim)
    want = _want(dtype)
    if want is None and kind in "iubV":
        if input.dtype.kind == "V":
            return _summed(input, dim, keepdim, dtypes.float32).astype(input.dtype)
        want = np.dtype(np.int64)
    return np.add.reduce(input, axis=axes_for(dim, input.ndim), keepdims=keepdim, dtype=want)


@linear(
    "sum_all",
    input=lambda g, input_shape: expand(g, input_shape),
    node="SumBackward0",
    method=False,
    tex=r"\sum {input}",
)
def sum_all(input: Array, *, dtype: Any = None) -> Any:
    """The sum of all elements."""
    return _summed(input, None, False, dtype)


@linear(
    "sum",
    input=lambda g, input_shape, dim, keepdim: spread(g, input_shape, dim, keepdim),
    node="SumBackward1",
    method=False,
    tex=r"\sum_{{{dim}}} {input}",
)
def sum_dim(input: Array, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Sums over dimensions."""
    return _summed(input, dim, keepdim, dtype)


@composite("sum", out=True)
def sum(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Sum over `dim` (an int, a tuple, or None for all). Integers and bools are summed as int64."""
    if dim is None and not keepdim:
        return sum_all(input) if dtype is None else sum_all(input, dtype=dtype)
    return sum_dim(input, dim, keepdim) if dtype is None else sum_dim(input, dim, keepdim, dtype=dtype)


def floating(name: str, input: Any, dtype: Any) -> Any:
    want = _want(dtype)
    kind = (input.dtype if want is None else want).kind
    if kind not in "fcV":
        what = dtypes.of(input.dtype if want is None else want).tensor_type
        whose = "Input" if want is None else "Optional"
        raise RuntimeError(
            f"{name}(): could not infer output dtype. {whose} dtype must be either a floating point or complex dtype. "
            f"Got: {what}"
        )
    return want


def averaged(input: Any, dim: Any, keepdim: bool, dtype: Any) -> Any:
    if dim is None and dtype is None and input.dtype.char in "fd" and input.size:
        return np.add.reduce(input, axis=None, keepdims=keepdim) / input.size
    want = floating("mean", input, dtype)
    if is_half(input.dtype) and want is None:
        return averaged(input, dim, keepdim, dtypes.float32).astype(input.dtype)
    axes = axes_for(dim, input.ndim)
    total = sums.add(input, axes, keepdim) if want is None else np.add.reduce(input, axes, want, None, keepdim)
    n = count(input.shape, dim)
    return total / n if n else total / total.dtype.type(0)


def _shared(g: Any, n: int) -> Any:
    """`g / n`, in two steps where `n` is beyond the largest float16 (a power of two changes no digit)."""
    return g / n if n <= 65504 else g / 32768 / (n / 32768)


@linear(
    "mean_all",
    input=lambda g, input_shape: expand(_shared(g, count(input_shape, None)), input_shape),
    node="MeanBackward0",
    method=False,
    tex=r"\operatorname{{mean}} {input}",
)
def mean_all(input: Array, *, dtype: Any = None) -> Any:
    """The mean of all elements."""
    return averaged(input, None, False, dtype)


@linear(
    "mean",
    input=lambda g, input_shape, dim, keepdim: spread(_shared(g, count(input_shape, dim)), input_shape, dim, keepdim),
    node="MeanBackward1",
    method=False,
    tex=r"\operatorname{{mean}}_{{{dim}}} {input}",
)
def mean_dim(input: Array, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Means over dimensions."""
    return averaged(input, dim, keepdim, dtype)


@composite("mean", out=True)
def mean(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Mean over `dim` (an int, a tuple, or None for all)."""
    if dim is None and not keepdim:
        return mean_all(input) if dtype is None else mean_all(input, dtype=dtype)
    return mean_dim(input, dim, keepdim) if dtype is None else mean_dim(input, dim, keepdim, dtype=dtype)


@composite("nansum", out=True)
def nansum(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Sum in which NaN counts as zero."""
    from .choosing import where
    from .comparison import isnan

    return sum(where(isnan(input), 0.0, input) if input.dtype.is_floating_point else input, dim, keepdim, dtype=dtype)


@composite("nanmean", out=True)
def nanmean(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Mean of the elements that are not NaN."""
    from .comparison import isnan

    if not (input.is_floating_point() or input.is_complex()):
        raise RuntimeError(
            f"nanmean(): expected input to have floating point or complex dtype but got {input.dtype.tensor_type}"
        )
    return nansum(input, dim, keepdim, dtype=dtype) / sum(~isnan(input.detach()), dim, keepdim)


# -- products ----------------------------------------------------------------------------------------------------


def _prod_grad(g: Any, input: Any, out: Any, dim: int | None, keepdim: bool) -> Any:
    """g times the product of all the others: by prefix and suffix products, exact where elements are zero."""
    from .scans import cumprod

    if dim is None:
        flat = input.reshape((-1,))
        return (g * _others(flat, 0, cumprod)).reshape(tuple(input.shape))
    if input.ndim == 0:
        return g
    return spread(g, tuple(input.shape), dim, keepdim) * _others(input, dim, cumprod)


def _others(x: Any, dim: int, cumprod: Any) -> Any:
    from .arranging import flip
    from .joining import cat
    from .parts import narrow

    n = x.shape[dim]
    if n == 0:
        return x
    one = narrow(x, dim, 0, 1) * 0 + 1
    before = cat([one, narrow(cumprod(x, dim), dim, 0, n - 1)], dim)
    back = cumprod(flip(x, (dim,)), dim)
    after = flip(cat([one, narrow(back, dim, 0, n - 1)], dim), (dim,))
    return (before * after).conjugate()


@general(
    "prod",
    precision="full",
    input=lambda g, input, out, dim, keepdim: _prod_grad(g, input, out, dim, keepdim),
    method=False,
    tex=r"\prod {input}",
    domain="one zero: exact; two zeros: 0",
)
def prod_rows(input: Array, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Products."""
    want = _want(dtype)
    if want is None and input.dtype.kind in "iub":
        want = np.dtype(np.int64)
    axis = None if dim is None or input.ndim == 0 else wrap_dim(dim, input.ndim)
    if dim is not None:
        wrap_dim(dim, input.ndim)
    if axis is None and not keepdim and input.size > 4096 and input.flags.c_contiguous:
        rows = input.size // 1024  # products of many at once: along the last dimension NumPy takes one by one
        head = np.multiply.reduce(input.reshape(-1)[: rows * 1024].reshape(rows, 1024), axis=0, dtype=want)
        return np.multiply.reduce(head) * np.multiply.reduce(input.reshape(-1)[rows * 1024 :], dtype=want)
    return np.multiply.reduce(input, axis=axis, keepdims=keepdim, dtype=want)


@composite("prod", precision="full", out=True)
def prod(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Product over all elements, or along one dimension."""
    if dtype is not None and input.dtype is not dtypes.as_dtype(dtype):
        input = input.to(dtype)
    return prod_rows(input, dim, keepdim)
