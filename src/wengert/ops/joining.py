"""Joining tensors and taking them apart again: `cat`, `stack` and `split` with their relatives."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.op import Arrays, composite, linear
from .parts import narrow, slice_
from .shape import broadcast_to, expand, flatten, reshape, unsqueeze
from .shared import wrap_dim

__all__ = [
    "atleast_1d", "atleast_2d", "atleast_3d", "block_diag", "broadcast_shapes", "broadcast_tensors", "cartesian_prod",
    "cat", "column_stack", "combinations", "concat", "concatenate", "dstack", "hstack", "meshgrid", "row_stack",
    "stack", "vstack",
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


from .splitting import unbind  # noqa: E402  (the tables use each other: whatever is named in a rule may be stated later)
