"""Rearranging elements into new memory: repeating, flipping, rolling, triangles, diagonals, writing into a copy."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes
from ..core.op import Array, composite, general, linear
from .choosing import fill
from .parts import diagonal, diagonal_back, select, slice_  # fmt: skip
from .shape import expand, flatten, reshape, sum_to_shape, transpose, unsqueeze  # fmt: skip
from .shared import wrap_dim, wrap_dims

__all__ = [
    "diag", "diag_embed", "diagflat", "diagonal_scatter", "flip", "fliplr", "flipud", "repeat_interleave", "roll", "rot90",
    "select_scatter", "slice_scatter", "tile", "tril", "tril_indices", "triu", "triu_indices", "vander",
]  # fmt: skip


# -- repeating -------------------------------------------------------------------------------------------------


@linear("repeat", input=lambda g, input_shape, repeats: _fold(g, input_shape, repeats), method=False)
def repeat(input: Array, repeats: Any) -> Any:
    """The tensor laid side by side `repeats[d]` times along each dimension, in new memory."""
    if len(repeats) < input.ndim:
        raise RuntimeError("Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor")
    for n in repeats:
        if n < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {n}: {list(repeats)}")
    return np.tile(input, tuple(repeats))


def _fold(g: Any, shape: tuple[int, ...], repeats: Any) -> Any:
    """Add the copies up."""
    full = (1,) * (len(repeats) - len(shape)) + tuple(shape)
    split = tuple(x for pair in zip(repeats, full, strict=True) for x in pair)
    kept = tuple(x for n in full for x in (1, n))
    return reshape(sum_to_shape(reshape(g, split), kept), shape)


@composite("tile", method=False)
def tile(input: Any, dims: Any) -> Any:
    """Like `repeat`; where `dims` is shorter than the shape, ones are put in front of it."""
    return repeat(input, (1,) * (len(input.shape) - len(dims)) + tuple(dims))


@composite("repeat_interleave")
def repeat_interleave(input: Any, repeats: Any = None, dim: Any = None, *, output_size: Any = None) -> Any:
    """Each element along `dim` `repeats` times in a row; with only one argument, the index that does that."""
    from ..core.tensor import Tensor, wrap
    from .slices import index_select

    if repeats is None:
        counts = getattr(input, "_array", input)
        if counts.ndim != 1:
            raise RuntimeError("repeat_interleave only accept 1D vector as repeat")
        if counts.dtype not in (np.int64, np.int32):
            raise RuntimeError("repeats has to be Long or Int tensor")
        if (counts < 0).any():
            raise RuntimeError("repeats can not be negative")
        return wrap(np.repeat(np.arange(len(counts)), counts).astype(counts.dtype))
    if dim is None:
        input = flatten(input)
        dim = 0
    shape = tuple(input.shape)
    d = wrap_dim(dim, len(shape))
    n = shape[d] if shape else 1
    if isinstance(repeats, Tensor) or hasattr(repeats, "dtype"):
        counts = getattr(repeats, "_array", repeats)
        if counts.ndim > 1:
            raise RuntimeError("repeats must be 0-dim or 1-dim tensor")
        if counts.dtype not in (np.int64, np.int32):
            raise RuntimeError("repeats has to be Long or Int tensor")
        if (counts < 0).any():
            raise RuntimeError("repeats can not be negative")
        if counts.size not in (1, n) or (counts.size == 1 and counts.ndim == 1 and n == 0):
            raise RuntimeError(
                f"repeats must have the same size as input along dim, but got repeats.size(0) = {counts.size} and "
                f"input.size({d}) = {n}"
            )
    else:
        if not isinstance(repeats, (int, np.integer)):
            raise TypeError(f"repeat_interleave(): argument 'repeats' must be int, not {type(repeats).__name__}")
        if repeats < 0:
            raise RuntimeError("Repeats must be non-negative")
        counts = np.asarray(repeats)
    if counts.size == 1 and shape:
        k = int(counts.reshape(()))
        spread = expand(unsqueeze(input, d + 1), (*shape[: d + 1], k, *shape[d + 1 :]))
        return reshape(spread, (*shape[:d], n * k, *shape[d + 1 :]))
    return index_select(input, d, np.repeat(np.arange(n), counts))


# -- reversing and turning -------------------------------------------------------------------------------------


@linear("flip", input=lambda g, dims: flip(g, dims), method=False)
def flip(input: Array, dims: Any) -> Any:
    """Elements in reverse order along `dims`, in new memory."""
    axes = wrap_dims(dims, input.ndim) or ()
    if not input.ndim:
        return input.copy()
    return np.flip(input, axes).copy()


@composite("fliplr")
def fliplr(input: Any) -> Any:
    """Reverse the second dimension."""
    if len(input.shape) < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return flip(input, (1,))


@composite("flipud")
def flipud(input: Any) -> Any:
    """Reverse the first dimension."""
    if len(input.shape) < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return flip(input, (0,))


@linear("roll", input=lambda g, shifts, dims: roll(g, _negative(shifts), dims))
def roll(input: Array, shifts: Any, dims: Any = ()) -> Any:
    """Elements moved on by `shifts`, those that leave at the end come in at the start."""
    steps = tuple(shifts) if isinstance(shifts, (tuple, list)) else (shifts,)
    axes = tuple(dims) if isinstance(dims, (tuple, list)) else () if dims is None else (dims,)
    if not steps:
        raise RuntimeError("`shifts` required")
    if not axes and len(steps) == 1:
        return np.roll(input, steps[0])
    if len(axes) != len(steps):
        raise RuntimeError(f"shifts and dimensions must align. shifts: {len(steps)}, dims:{len(axes)}")
    if not input.ndim:
        raise IndexError(f"Dimension specified as {axes[0]} but tensor has no dimensions")
    return np.roll(input, steps, tuple(wrap_dim(d, input.ndim) for d in axes))


def _negative(shifts: Any) -> Any:
    return tuple(-n for n in shifts) if isinstance(shifts, (tuple, list)) else -shifts


@composite("rot90")
def rot90(input: Any, k: int = 1, dims: Any = (0, 1)) -> Any:
    """Turn by `k` quarters in the plane of two dimensions, from the first towards the second."""
    ndim = len(input.shape)
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if ndim < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {ndim}")
    if dims[0] == dims[1] or abs(dims[0] - dims[1]) == ndim:
        raise RuntimeError(f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}")
    for i, d in enumerate(dims):
        if not -ndim <= d < ndim:
            raise RuntimeError(f"Rotation dim{i} out of range, dim{i} = {d}")
    k %= 4
    if k == 1:
        return transpose(flip(input, (dims[1],)), dims[0], dims[1])
    if k == 2:
        return flip(input, tuple(dims))
    if k == 3:
        return transpose(flip(input, (dims[0],)), dims[0], dims[1])
    from .conversion import clone

    return clone(input)


# -- triangles and diagonals -----------------------------------------------------------------------------------


def _matrix(name: str, input: Any) -> None:
    if input.ndim < 2:
        raise RuntimeError(f"{name}: input tensor must have at least 2 dimensions")


@linear("tril", input=lambda g, diagonal: tril(g, diagonal), out=True, inplace=True)
def tril(input: Array, diagonal: int = 0) -> Any:
    """The lower triangle of matrices, zeros above diagonal number `diagonal`."""
    _matrix("tril", input)
    return np.tril(input, diagonal)


@linear("triu", input=lambda g, diagonal: triu(g, diagonal), out=True, inplace=True)
def triu(input: Array, diagonal: int = 0) -> Any:
    """The upper triangle of matrices, zeros below diagonal number `diagonal`."""
    _matrix("triu", input)
    return np.triu(input, diagonal)


def _triangle(name: str, find: Any, row: int, col: int, offset: int, dtype: Any, ignored: Any) -> Any:
    from ..core.tensor import wrap

    if row < 0 or col < 0:
        which = "row" if row < 0 else "col"
        raise RuntimeError(f"{which} must be non-negative, got{row if row < 0 else col}")
    d = dtypes.int64 if dtype is None else dtypes.as_dtype(dtype)
    if d not in (dtypes.int64, dtypes.int32):
        raise RuntimeError(f"\"{name}\" not implemented for '{d.tensor_type}'")
    return wrap(np.stack(find(row, offset, col)).astype(d.np, copy=False))


def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, **ignored: Any) -> Any:
    """Row and column numbers of the lower triangle, as a 2 by n tensor."""
    return _triangle("tril_indices", np.tril_indices, row, col, offset, dtype, ignored)


def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, **ignored: Any) -> Any:
    """Row and column numbers of the upper triangle, as a 2 by n tensor."""
    return _triangle("triu_indices", np.triu_indices, row, col, offset, dtype, ignored)


@linear("diag_embed", input=lambda g, offset, dim1, dim2: diagonal(g, offset, dim1, dim2))
def diag_embed(input: Array, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """The last dimension as the diagonal of two dimensions, zeros elsewhere."""
    ndim = input.ndim + 1
    a, b = wrap_dim(dim1, ndim), wrap_dim(dim2, ndim)
    if a == b:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    n = input.shape[-1] + abs(offset)
    shape = list(input.shape[:-1])
    for d in sorted((a, b)):
        shape.insert(d, n)
    return diagonal_back(input, tuple(shape), offset, a, b)


@composite("diag", out=True)
def diag(input: Any, diagonal: int = 0) -> Any:
    """A vector as the diagonal of a matrix; of a matrix, its diagonal."""
    ndim = len(input.shape)
    if ndim == 1:
        return diag_embed(input, diagonal)
    if ndim == 2:
        return diagonal_copy(input, diagonal)
    raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {ndim}D")


@composite("diagonal_copy", method=False, out=True)
def diagonal_copy(input: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """The diagonal, in new memory."""
    from .conversion import clone

    return clone(diagonal(input, offset, dim1, dim2))


@composite("diagflat")
def diagflat(input: Any, offset: int = 0) -> Any:
    """All elements as the diagonal of a matrix."""
    return diag_embed(reshape(input, (-1,)), offset)


# -- a copy with a part replaced -------------------------------------------------------------------------------


def _fits(kind: str, part: Any, src: Any) -> None:
    if tuple(part.shape) != tuple(src.shape):
        raise RuntimeError(
            f"expected src to have a size equal to the {kind} of self. src size = {list(src.shape)}, {kind} size = "
            f"{list(part.shape)}"
        )


@general(
    "select_scatter",
    input=lambda g, src_shape, dim, index: select_scatter(g, fill(select(g, dim, index), 0), dim, index),
    src=lambda g, dim, index: select(g, dim, index),
    jvp=lambda t_input, t_src, dim, index: select_scatter(t_input, t_src, dim, index),
    out=True,
)
def select_scatter(input: Array, src: Array, dim: int, index: int) -> Any:
    """A copy of `input` with the slice `index` along `dim` replaced by `src`."""
    result = input.copy()
    part = select(result, dim, index)
    _fits("slice", part, src)
    part[...] = src
    return result


@general(
    "slice_scatter",
    input=lambda g, dim, start, end, step: slice_scatter(
        g, fill(slice_(g, dim, start, end, step), 0), dim, start, end, step
    ),
    src=lambda g, dim, start, end, step: slice_(g, dim, start, end, step),
    jvp=lambda t_input, t_src, dim, start, end, step: slice_scatter(t_input, t_src, dim, start, end, step),
    out=True,
)
def slice_scatter(input: Array, src: Array, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    """A copy of `input` with a slice along `dim` replaced by `src`."""
    result = input.copy()
    part = slice_(result, dim, start, end, step)
    _fits("slice", part, src)
    part[...] = src
    return result


@general(
    "diagonal_scatter",
    input=lambda g, offset, dim1, dim2: diagonal_scatter(
        g, fill(diagonal(g, offset, dim1, dim2), 0), offset, dim1, dim2
    ),
    src=lambda g, offset, dim1, dim2: diagonal(g, offset, dim1, dim2),
    jvp=lambda t_input, t_src, offset, dim1, dim2: diagonal_scatter(t_input, t_src, offset, dim1, dim2),
)
def diagonal_scatter(input: Array, src: Array, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """A copy of `input` with a diagonal replaced by `src`."""
    result = input.copy()
    part = diagonal(result, offset, dim1, dim2)
    _fits("slice", part, src)
    part[...] = src
    return result


@composite("vander", method=False)
def vander(x: Any, N: Any = None, increasing: bool = False) -> Any:
    """Powers of a vector's elements as columns, falling unless `increasing`."""
    from ..core.op import TABLE

    if len(x.shape) != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    n = x.shape[0] if N is None else N
    if n < 0:
        raise RuntimeError("N must be non-negative.")
    powers = np.arange(n) if increasing else np.arange(n)[::-1].copy()
    return TABLE["pow"].function(unsqueeze(x, 1), powers)
