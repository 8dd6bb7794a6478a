"""Joining tensors and taking them apart again: `cat`, `stack` and `split` with their relatives."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.op import Array, Arrays, composite, linear
from .parts import narrow, slice_
from .shape import broadcast_to, expand, flatten, reshape, unsqueeze
from .shared import wrap_dim

__all__ = [
    "atleast_1d", "atleast_2d", "atleast_3d", "block_diag", "broadcast_shapes", "broadcast_tensors", "cartesian_prod", "cat",
    "chunk", "column_stack", "combinations", "concat", "concatenate", "dsplit", "dstack", "hsplit", "hstack", "meshgrid",
    "row_stack", "split", "split_with_sizes", "stack", "tensor_split", "unbind", "unsafe_chunk", "unsafe_split",
    "unsafe_split_with_sizes", "vsplit", "vstack",
]  # fmt: skip


# -- joining ---------------------------------------------------------------------------------------------------


def _common(arrays: Any) -> Any:
    """All in their common dtype."""
    first = arrays[0].dtype
    if all(a.dtype == first for a in arrays):
        return arrays
    target = dtypes.result_type([np.empty((1,), a.dtype) for a in arrays]).np
    return [a.astype(target, copy=False) for a in arrays]


def _legacy(shape: Any) -> bool:
    """`cat` passes over empty vectors, whatever the others' shapes."""
    return len(shape) == 1 and shape[0] == 0


def _check_cat(tensors: Any, dim: int = 0) -> None:
    if not len(tensors):
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")


@linear(
    "cat",
    precision="widest",
    tensors=lambda g, tensors_shape, dim: _pieces(g, tensors_shape, dim),
    out=True,
    method=False,
    check=_check_cat,
)
def cat(tensors: Arrays, dim: int = 0) -> Any:
    """Join along a dimension that is there."""
    _check_cat(tensors)
    for i, a in enumerate(tensors):
        if not a.ndim:
            raise RuntimeError(f"zero-dimensional tensor (at position {i}) cannot be concatenated")
    kept = [a for a in tensors if not _legacy(a.shape)]
    if not kept:
        return np.concatenate(_common(tensors))
    first = kept[0].shape
    d = wrap_dim(dim, len(first))
    for i, a in enumerate(tensors):
        if _legacy(a.shape):
            continue
        if a.ndim != len(first):
            raise RuntimeError(f"Tensors must have same number of dimensions: got {len(first)} and {a.ndim}")
        if a.shape[:d] != first[:d] or a.shape[d + 1 :] != first[d + 1 :]:
            wrong = next(k for k in range(a.ndim) if k != d and a.shape[k] != first[k])
            raise RuntimeError(
                f"Sizes of tensors must match except in dimension {d}. Expected size {first[wrong]} but got size "
                f"{a.shape[wrong]} for tensor number {i} in the list."
            )
    if len(kept) < len(tensors):
        target = _common(tensors)[0].dtype
        return np.concatenate(kept, axis=d, dtype=target)
    return np.concatenate(_common(tensors), axis=d)


def _pieces(g: Any, shapes: Any, dim: int) -> tuple[Any, ...]:
    """Each tensor's part of a joined one."""
    d = dim % len(g.shape)
    parts = []
    start = 0
    for shape in shapes:
        if _legacy(shape):
            parts.append(slice_(reshape(g, (-1,)), 0, 0, 0, 1))
            continue
        parts.append(slice_(g, d, start, start + shape[d], 1))
        start += shape[d]
    return tuple(parts)


@composite("concat", out=True, method=False)
def concat(tensors: Any, dim: int = 0) -> Any:
    """The same as `cat`."""
    return cat(tensors, dim)


@composite("concatenate", out=True, method=False)
def concatenate(tensors: Any, dim: int = 0) -> Any:
    """The same as `cat`."""
    return cat(tensors, dim)


@linear("stack", precision="widest", tensors=lambda g, dim: unbind(g, dim), out=True, method=False)
def stack(tensors: Arrays, dim: int = 0) -> Any:
    """Join along a new dimension."""
    if not tensors:
        raise RuntimeError("stack expects a non-empty TensorList")
    first = tensors[0].shape
    for i, a in enumerate(tensors):
        if a.shape != first:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(first)} at entry 0 and {list(a.shape)} at entry {i}"
            )
    d = wrap_dim(dim, len(first) + 1)
    return np.stack(_common(tensors), axis=d)


def _listed(name: str, tensors: Any) -> tuple[Any, ...]:
    found = tuple(tensors)
    if not found:
        raise RuntimeError(f"{name} expects a non-empty TensorList")
    return found


@composite("hstack", out=True, method=False)
def hstack(tensors: Any) -> Any:
    """Join along the second dimension; vectors along the first."""
    parts = [atleast_1d(x) for x in _listed("hstack", tensors)]
    return cat(parts, 0 if len(parts[0].shape) == 1 else 1)


@composite("vstack", out=True, method=False)
def vstack(tensors: Any) -> Any:
    """Join along the first dimension; vectors are rows."""
    return cat([atleast_2d(x) for x in _listed("vstack", tensors)], 0)


@composite("row_stack", out=True, method=False)
def row_stack(tensors: Any) -> Any:
    """The same as `vstack`."""
    return vstack(tensors)


@composite("dstack", out=True, method=False)
def dstack(tensors: Any) -> Any:
    """Join along the third dimension."""
    return cat([atleast_3d(x) for x in _listed("dstack", tensors)], 2)


@composite("column_stack", out=True, method=False)
def column_stack(tensors: Any) -> Any:
    """Join along the second dimension; vectors are columns."""
    parts = [reshape(x, (-1, 1)) if len(x.shape) <= 1 else x for x in _listed("column_stack", tensors)]
    return cat(parts, 1)


@linear(
    "block_diag", tensors=lambda g, tensors_shape: _blocks(g, tensors_shape), method=False, node="BlockDiagBackward0"
)
def _block_diag(tensors: Arrays) -> Any:
    """Matrices along the diagonal of a larger one."""
    parts = _common([np.atleast_2d(a) for a in tensors])
    result = np.zeros((sum(a.shape[0] for a in parts), sum(a.shape[1] for a in parts)), parts[0].dtype)
    i = j = 0
    for k, a in enumerate(parts):
        if a.ndim != 2:
            raise RuntimeError(
                f"torch.block_diag: Input tensors must have 2 or fewer dimensions. Input {k} has {a.ndim} dimensions"
            )
        result[i : i + a.shape[0], j : j + a.shape[1]] = a
        i, j = i + a.shape[0], j + a.shape[1]
    return result


def _blocks(g: Any, shapes: Any) -> tuple[Any, ...]:
    parts = []
    i = j = 0
    for shape in shapes:
        rows, columns = (1,) * (2 - len(shape)) + tuple(shape)
        block = slice_(slice_(g, 0, i, i + rows, 1), 1, j, j + columns, 1)
        parts.append(block if len(shape) == 2 else reshape(block, shape))
        i, j = i + rows, j + columns
    return tuple(parts)


def block_diag(*tensors: Any) -> Any:
    """Matrices (vectors are rows) along the diagonal of a larger one, zeros elsewhere."""
    return _block_diag(tensors)


# -- taking apart ----------------------------------------------------------------------------------------------


@linear(
    "unbind",
    outputs="parts...",
    input=lambda g, dim: stack(g, dim),
    view=True,
    multi_view=True,
)
def unbind(input: Array, dim: int = 0) -> Any:
    """The slices along `dim`, as a tuple of views."""
    if not input.ndim:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    lead = (slice(None),) * wrap_dim(dim, input.ndim)
    return tuple(input[(*lead, i, ...)] for i in range(input.shape[len(lead)]))


def _cut(name: str, node: str, view: bool = True) -> Any:
    def forward(input: Array, sizes: Any, dim: int) -> Any:
        """Parts of the given sizes along `dim`, as a tuple of views."""
        lead = (slice(None),) * dim
        parts, start = [], 0
        for n in sizes:
            part = input[(*lead, slice(start, start + n))]
            parts.append(part if view else part.copy())
            start += n
        return tuple(parts)

    return linear(
        name,
        forward,
        outputs="parts...",
        input=lambda g, dim: cat(g, dim),
        view=view,
        multi_view=view,
        method=False,
        node=node,
    )


_split = _cut("split", "SplitBackward0")
_split_sizes = _cut("split_with_sizes", "SplitWithSizesBackward0")
_parted = _cut("unsafe_split", "UnsafeSplitBackward0", view=False)
_parted_sizes = _cut("unsafe_split_with_sizes", "UnsafeSplitWithSizesBackward0", view=False)


def split(tensor: Any, split_size_or_sections: Any, dim: int = 0) -> Any:
    """Parts of a given size (the last may be smaller), or of the sizes in a list: views."""
    if isinstance(split_size_or_sections, (list, tuple)):
        return split_with_sizes(tensor, split_size_or_sections, dim)
    return _split(tensor, *_equal(tensor, split_size_or_sections, dim))


def _equal(tensor: Any, split_size: Any, dim: int) -> tuple[tuple[int, ...], int]:
    """The sizes of parts of one size, and the dimension."""
    size = split_size.__index__()
    shape = tuple(tensor.shape)
    if not shape:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    if size < 0:
        raise RuntimeError(f"split expects split_size be non-negative, but got split_size={size}")
    d = wrap_dim(dim, len(shape))
    n = shape[d]
    if size == 0:
        if n:
            raise RuntimeError(f"split_size can only be 0 if dimension size is 0, but got dimension size of {n}")
        return (0,), d
    count = max(-(-n // size), 1)
    return (*(size,) * (count - 1), n - size * (count - 1)), d


def split_with_sizes(input: Any, split_sizes: Any, dim: int = 0) -> Any:
    """Parts of the given sizes: views."""
    return _split_sizes(input, *_checked(input, split_sizes, dim))


def _checked(input: Any, split_sizes: Any, dim: int) -> tuple[tuple[int, ...], int]:
    """The sizes that were asked for, and the dimension."""
    shape = tuple(input.shape)
    if not shape:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    d = wrap_dim(dim, len(shape))
    sizes = tuple(n.__index__() for n in split_sizes)
    if any(n < 0 for n in sizes):
        raise RuntimeError(
            f"split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes={list(sizes)}"
        )
    total = 0
    for n in sizes:
        total += n
    if total != shape[d]:
        raise RuntimeError(
            f"split_with_sizes expects split_sizes to sum exactly to {shape[d]} (input tensor's size at dimension {d}), but "
            f"got split_sizes={list(sizes)}"
        )
    return sizes, d


@composite("chunk")
def chunk(input: Any, chunks: int, dim: int = 0) -> Any:
    """At most `chunks` parts of equal size (the last may be smaller): views."""
    return _split(input, *_chunks(input, chunks, dim))


def _chunks(input: Any, chunks: int, dim: int) -> tuple[tuple[int, ...], int]:
    """The sizes of so many parts, and the dimension."""
    shape = tuple(input.shape)
    if not shape:
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    d = wrap_dim(dim, len(shape))
    size = -(-shape[d] // chunks)
    if not size:
        return (0,) * chunks, d
    return _equal(input, size, d)


def unsafe_split(input: Any, split_size: int, dim: int = 0) -> Any:
    """`split`, but copies: they may be changed in place."""
    return _parted(input, *_equal(input, split_size, dim))


def unsafe_split_with_sizes(input: Any, split_sizes: Any, dim: int = 0) -> Any:
    """`split_with_sizes`, but copies: they may be changed in place."""
    return _parted_sizes(input, *_checked(input, split_sizes, dim))


@composite("unsafe_chunk")
def unsafe_chunk(input: Any, chunks: int, dim: int = 0) -> Any:
    """`chunk`, but copies: they may be changed in place."""
    return _parted(input, *_chunks(input, chunks, dim))


def _where(name: str, positional: Any, named: dict[str, Any]) -> Any:
    """The places to split at, or the number of parts: by position, or under one of PyTorch's names."""
    given = [v for v in (positional, *(named.pop(k, None) for k in _WHERE)) if v is not None]
    if len(given) != 1 or named:
        found = ", ".join([type(v).__name__ for v in given] + [f"{k}={type(v).__name__}" for k, v in named.items()])
        raise TypeError(f"{name}() received an invalid combination of arguments - got (Tensor, {found})")
    return given[0]


_WHERE = ("sections", "indices", "indices_or_sections", "tensor_indices_or_sections")


@composite("tensor_split")
def tensor_split(input: Any, indices_or_sections: Any = None, dim: int = 0, **named: Any) -> Any:
    """Split into a number of parts (which may differ by one in size), or before the given indices."""
    dim = named.pop("axis", dim)
    where = _where("tensor_split", indices_or_sections, named)
    shape = tuple(input.shape)
    if not shape:
        raise RuntimeError("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims")
    d = wrap_dim(dim, len(shape))
    n = shape[d]
    if hasattr(where, "tolist"):
        if where.ndim > 1:
            raise RuntimeError(
                "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or one-dimensional tensor, but "
                f"got a tensor with {where.ndim} dims"
            )
        array = getattr(where, "_array", where)
        if array.dtype != np.int64:
            raise RuntimeError(
                "tensor_split expected tensor_indices_or_sections to have dtype of long, but got "
                f"{dtypes.of(array.dtype).tensor_type}"
            )
        where = where.tolist()
    if isinstance(where, (list, tuple)):
        edges = [0, *(min(max(i if i >= 0 else i + n, 0), n) for i in where), n]
        return tuple(slice_(input, d, a, max(a, b), 1) for a, b in itertools.pairwise(edges))
    if where <= 0:
        raise RuntimeError(f"number of sections must be larger than 0, got {where}")
    small, larger = divmod(n, where)
    starts = [i * small + min(i, larger) for i in range(where + 1)]
    return tuple(slice_(input, d, a, b, 1) for a, b in itertools.pairwise(starts))


def _axis_split(name: str, least: int, axis: int, input: Any, where: Any) -> Any:
    shape = tuple(input.shape)
    if len(shape) < least:
        raise RuntimeError(
            f"torch.{name} requires a tensor with at least {least} dimension, but got a tensor "
            f"with {len(shape)} dimensions!"
        )
    if isinstance(where, str):
        raise TypeError(
            f"{name}() received an invalid combination of arguments. Expected the sections as an int or the indices as a "
            "tuple of ints"
        )
    if isinstance(where, int) and (where <= 0 or shape[axis] % where):
        raise RuntimeError(
            f"torch.{name} attempted to split along dimension {axis}, but the size of the dimension {shape[axis]} is not "
            f"divisible by the split_size {where}!"
        )
    return tensor_split(input, where, axis)


def hsplit(input: Any, indices_or_sections: Any = None, **named: Any) -> Any:
    """Split along the second dimension; a vector along its only one."""
    return _axis_split(
        "hsplit", 1, 0 if len(input.shape) == 1 else 1, input, _where("hsplit", indices_or_sections, named)
    )


def vsplit(input: Any, indices_or_sections: Any = None, **named: Any) -> Any:
    """Split along the first dimension."""
    return _axis_split("vsplit", 2, 0, input, _where("vsplit", indices_or_sections, named))


def dsplit(input: Any, indices_or_sections: Any = None, **named: Any) -> Any:
    """Split along the third dimension."""
    return _axis_split("dsplit", 3, 2, input, _where("dsplit", indices_or_sections, named))


# -- bringing to the same shape --------------------------------------------------------------------------------


def _each(tensors: tuple[Any, ...], form: Any) -> Any:
    """One tensor or several, each brought to a form."""
    for i, x in enumerate(tensors):
        if isinstance(x, (int, float, complex)):
            raise TypeError(
                f"argument 'tensors' (position {i + 1}) must be a Tensor or a tuple of them, not {type(x).__name__}"
            )
    if len(tensors) == 1:
        (x,) = tensors
        return tuple(form(y) for y in x) if isinstance(x, (tuple, list)) else form(x)
    return tuple(form(x) for x in tensors)


@composite("atleast_1d", method=False)
def atleast_1d(*tensors: Any) -> Any:
    """A scalar becomes a vector."""
    return _each(tensors, lambda x: reshape(x, (1,)) if len(x.shape) == 0 else x)


@composite("atleast_2d", method=False)
def atleast_2d(*tensors: Any) -> Any:
    """Scalars and vectors become rows."""

    def form(x: Any) -> Any:
        n = len(x.shape)
        return reshape(x, (1, 1)) if n == 0 else unsqueeze(x, 0) if n == 1 else x

    return _each(tensors, form)


@composite("atleast_3d", method=False)
def atleast_3d(*tensors: Any) -> Any:
    """Dimensions of size 1 until there are three."""

    def form(x: Any) -> Any:
        n = len(x.shape)
        if n == 0:
            return reshape(x, (1, 1, 1))
        return unsqueeze(unsqueeze(x, 0), -1) if n == 1 else unsqueeze(x, -1) if n == 2 else x

    return _each(tensors, form)


def broadcast_shapes(*shapes: Any) -> Any:
    """The shape that the given ones broadcast to."""
    from ..core.size import Size

    full: list[int] = []
    for shape in shapes:
        if not isinstance(shape, (int, tuple, list)):
            raise RuntimeError(
                f"Input shapes should be of type ints, a tuple of ints, or a list of ints, got {shape!r}"
            )
        sizes = (shape,) if isinstance(shape, int) else tuple(shape)
        full = [1] * (len(sizes) - len(full)) + full
        for i, n in enumerate(sizes, len(full) - len(sizes)):
            if n < 0:
                raise RuntimeError(f"Trying to create tensor with negative dimension ({n}): ({n})")
            if n != 1 and full[i] != n:
                if full[i] != 1:
                    raise RuntimeError("Shape mismatch: objects cannot be broadcast to a single shape")
                full[i] = n
    return Size(full)


def broadcast_tensors(*tensors: Any) -> Any:
    """All expanded to their common shape; those that have it are returned themselves."""
    from ..core.record import broadcast_check

    given = tuple(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors
    broadcast_check([getattr(x, "_array", x) for x in given])
    shape = np.broadcast_shapes(*(tuple(x.shape) for x in given))
    return tuple(x if tuple(x.shape) == shape else broadcast_to(x, shape) for x in given)


def meshgrid(*tensors: Any, indexing: str | None = None) -> Any:
    """Coordinates of a grid: each vector expanded along all the others' dimensions."""
    given = tuple(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors
    if not given:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    for x in given:
        if len(x.shape) > 1:
            raise RuntimeError(f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {len(x.shape)}D")
    for x in given[1:]:
        if x.dtype != given[0].dtype:
            raise RuntimeError("torch.meshgrid expects all tensors to have the same dtype")
    if indexing not in (None, "ij", "xy"):
        raise RuntimeError(f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}')
    swap = indexing == "xy" and len(given) >= 2
    order = [1, 0, *range(2, len(given))] if swap else range(len(given))
    vectors = [given[i] for i in order]
    shape = tuple(x.shape[0] if len(x.shape) else 1 for x in vectors)
    n = len(shape)
    grids = [expand(reshape(x, (1,) * i + (shape[i],) + (1,) * (n - 1 - i)), shape) for i, x in enumerate(vectors)]
    if swap:
        grids = [grids[1], grids[0], *grids[2:]]
    return tuple(grids)


def cartesian_prod(*tensors: Any) -> Any:
    """All choices of one element of each vector, as rows."""
    for x in tensors:
        if len(x.shape) != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {list(x.shape)}")
    if len(tensors) == 1:
        return tensors[0]
    return stack([flatten(x) for x in meshgrid(*tensors, indexing="ij")], 1)


@composite("combinations")
def combinations(input: Any, r: int = 2, with_replacement: bool = False) -> Any:
    """All choices of `r` elements of a vector in order, as rows."""
    import itertools

    from .slices import index_select

    if len(input.shape) != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(input.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    n = input.shape[0]
    if not r:
        return narrow(input, 0, 0, 0)
    rows = np.array(list(choose(range(n), r)), np.int64).reshape(-1, r)
    return reshape(index_select(input, 0, rows.reshape(-1)), rows.shape)
