"""Parts of a tensor as views (`select`, slices, `narrow`, `diagonal`, `unfold`), and the transposes that scatter a gradient
back (`*_back`). `x[...]` is in `indexing`, parts named by a vector are in `slices`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.op import Array, composite, linear
from ..kernels.memory import strided
from .shared import wrap_dim

__all__ = ["diagonal", "narrow", "select", "unfold"]


# -- parts -----------------------------------------------------------------------------------------------------


@linear(
    "select", input=lambda g, input_shape, dim, index: select_back(g, input_shape, dim, index), view=True, part=True
)
def select(input: Array, dim: int, index: int) -> Any:
    """The slice `index` along `dim`, a view without that dimension."""
    if not input.ndim:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    d, i = wrap_dim(dim, input.ndim), index.__index__()
    n = input.shape[d]
    if not -n <= i < n:
        raise IndexError(f"select(): index {i} out of range for tensor of size {list(input.shape)} at dimension {d}")
    return np.asarray(input)[(slice(None),) * d + (i, ...)]


@linear("select_back", input=lambda g, dim, index: select(g, dim, index), method=False, node="SelectBackwardBackward0")
def select_back(input: Array, shape: Any, dim: int, index: int) -> Any:
    """Zeros of `shape` with `input` as the slice `index` along `dim`."""
    result = np.zeros(shape, input.dtype)
    result[(slice(None),) * wrap_dim(dim, len(shape)) + (index,)] = input
    return result


@linear(
    "slice",
    input=lambda g, input_shape, dim, start, end, step: slice_back(g, input_shape, dim, start, end, step),
    view=True,
    part=True,
    method=False,
)
def slice_(input: Array, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    """Elements `start` to `end`, every `step`th, along `dim`: a view."""
    if step <= 0:
        raise RuntimeError("slice step must be positive")
    return input[(slice(None),) * wrap_dim(dim, input.ndim) + (slice(start, end, step),)]


@linear(
    "slice_back",
    input=lambda g, dim, start, end, step: slice_(g, dim, start, end, step),
    method=False,
    node="SliceBackwardBackward0",
)
def slice_back(input: Array, shape: Any, dim: int, start: Any, end: Any, step: int) -> Any:
    """Zeros of `shape` with `input` as that slice."""
    result = np.zeros(shape, input.dtype)
    result[(slice(None),) * wrap_dim(dim, len(shape)) + (slice(start, end, step),)] = input
    return result


@composite("narrow")
def narrow(input: Any, dim: int, start: Any, length: int) -> Any:
    """`length` elements from `start` on along `dim`, a view."""
    shape = tuple(input.shape)
    if not shape:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    d = wrap_dim(dim, len(shape))
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    if getattr(start, "ndim", 0) or (
        hasattr(start, "dtype") and getattr(start, "_array", start).dtype.kind not in "iu"
    ):
        raise RuntimeError("start must be an 0-dim integral Tensor.")
    n, first = shape[d], start.__index__()
    if not -n <= first <= n:
        raise IndexError(f"start out of range (expected to be in range of [{-n}, {n}], but got {first})")
    if first < 0:
        first += n
    if first + length > n:
        raise RuntimeError(f"start ({first}) + length ({length}) exceeds dimension size ({n}).")
    return slice_(input, d, first, first + length, 1)


@linear(
    "diagonal",
    input=lambda g, input_shape, offset, dim1, dim2: diagonal_back(g, input_shape, offset, dim1, dim2),
    view=True,
    part=True,
)
def diagonal(input: Array, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """The diagonal of two dimensions as the last dimension of a view."""
    a, b = wrap_dim(dim1, input.ndim), wrap_dim(dim2, input.ndim)
    if a == b:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return _diagonal(input, offset, a, b)


def _diagonal(a: Any, offset: int, dim1: int, dim2: int) -> Any:
    """As `np.diagonal`, but writable."""
    rows, columns = a.shape[dim1], a.shape[dim2]
    n = max(min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns), 0)
    start = [slice(None)] * a.ndim
    if n:
        start[dim1 if offset < 0 else dim2] = slice(abs(offset), None)
    a = a[tuple(start)]
    rest = [d for d in range(a.ndim) if d not in (dim1, dim2)]
    return strided(
        a, (*(a.shape[d] for d in rest), n), (*(a.strides[d] for d in rest), a.strides[dim1] + a.strides[dim2])
    )


@linear(
    "diagonal_back",
    input=lambda g, offset, dim1, dim2: diagonal(g, offset, dim1, dim2),
    method=False,
    node="DiagonalBackwardBackward0",
)
def diagonal_back(input: Array, shape: Any, offset: int, dim1: int, dim2: int) -> Any:
    """Zeros of `shape` with `input` on the diagonal."""
    result = np.zeros(shape, input.dtype)
    _diagonal(result, offset, wrap_dim(dim1, len(shape)), wrap_dim(dim2, len(shape)))[...] = input
    return result


@linear(
    "unfold",
    input=lambda g, input_shape, dimension, size, step: unfold_back(g, input_shape, dimension, size, step),
    view=True,
)
def unfold(input: Array, dimension: int, size: int, step: int) -> Any:
    """Windows of `size` elements, every `step`, along `dimension`; the window is the last dimension. A view."""
    d = wrap_dim(dimension, input.ndim)
    n = input.shape[d] if input.ndim else 1
    if size < 0:
        raise RuntimeError(f"size is {size} but must be >= 0")
    if size > n:
        raise RuntimeError(f"maximum size for tensor at dimension {d} is {n} but size is {size}")
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    a = np.asarray(input)
    if not a.ndim:
        return strided(a, (size,), (a.itemsize,))
    shape, strides = list(a.shape), list(a.strides)
    shape[d] = (n - size) // step + 1
    stride = strides[d]
    strides[d] *= step
    return strided(a, (*shape, size), (*strides, stride))


@linear(
    "unfold_back",
    input=lambda g, dimension, size, step: unfold(g, dimension, size, step),
    method=False,
    node="UnfoldBackwardBackward0",
)
def unfold_back(input: Array, shape: Any, dimension: int, size: int, step: int) -> Any:
    """Windows added up where they overlap."""
    result = np.zeros(shape, input.dtype)
    if not shape:
        return np.asarray(input.sum(), input.dtype) if size else result
    d = wrap_dim(dimension, len(shape))
    count = input.shape[d]
    lead = (slice(None),) * d
    if step >= size:
        _windows(result, d, count, size, step)[...] = input
        return result
    for k in range(size):  # the k-th element of all windows lies apart: one addition for each
        result[(*lead, slice(k, k + (count - 1) * step + 1, step))] += input[..., k]
    return result


def _windows(a: Any, d: int, count: int, size: int, step: int) -> Any:
    shape, strides = list(a.shape), list(a.strides)
    shape[d] = count
    stride = strides[d]
    strides[d] *= step
    return strided(a, (*shape, size), (*strides, stride))
