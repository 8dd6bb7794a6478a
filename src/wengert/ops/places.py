"""Reading and writing at row-major places and under masks: `take`, `put`, `masked_select`, `nonzero` and their kin."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.batched import Batched, refuse_dynamic
from ..core.op import Array, general, linear
from ..core.out import store
from ..core.record import broadcast_check
from ..core.tensor import wrap
from ..kernels.scatter import add_at
from .choosing import masked_fill
from .parts import slice_back
from .shape import expand, reshape, sum_to_shape
from .shared import dtype_word, inside

__all__ = [
    "argwhere", "masked_scatter", "masked_select", "nonzero", "nonzero_static", "put", "take", "unravel_index",
]  # fmt: skip


# -- places in the flattened tensor ----------------------------------------------------------------------------


def _flat_places(name: str, input: Any, index: Any) -> Any:
    if index.dtype != np.int64:
        raise RuntimeError(f"{name}(): Expected a long tensor for index, but got {dtype_word(index)}")
    n = input.size
    if not inside(index, n):
        low = index < -n
        wrong = index[low | (index >= n)]
        if wrong.size:
            if name == "take" and not n:
                raise IndexError("take(): tried to take from an empty tensor")
            raise IndexError(f"out of range: tried to access index {wrong.flat[0]} on a tensor of {n} elements.")
        index = np.where(index < 0, index + n, index)
    return index


@linear("take", input=lambda g, index, input_shape: take_back(g, index, input_shape), out=True)
def take(input: Array, index: Array) -> Any:
    """The elements at row-major places `index`."""
    if index.dtype != np.int64:
        raise RuntimeError(f"take(): Expected a long tensor for index, but got {dtype_word(index)}")
    if index.size and not input.size:
        raise IndexError("take(): tried to take from an empty tensor")
    return np.ascontiguousarray(input).reshape(-1).take(_flat_places("take", input, index))


@linear("take_back", input=lambda g, index: take(g, index), method=False, node="TakeBackwardBackward0")
def take_back(input: Array, index: Array, shape: Any) -> Any:
    """Zeros of `shape` to which `input` is added at those places."""
    result = np.zeros(shape, input.dtype)
    add_at(result.reshape(-1), _flat_places("take", result, index), np.asarray(input))
    return result


@general(
    "put",
    input=lambda g, index, accumulate: g if accumulate else put_value(g, index, 0),
    source=lambda g, index, source_shape: reshape(take(g, index), source_shape),
    jvp=lambda t_input, t_source, index, accumulate: put(t_input, index, t_source, accumulate),
    inplace=True,
)
def put(input: Array, index: Array, source: Array, accumulate: bool = False) -> Any:
    """A copy of `input` with `source` written (or added) at row-major places `index`."""
    if index.dtype != np.int64:
        raise RuntimeError(f"put_(): Expected a long tensor for index, but got {dtype_word(index)}")
    if input.dtype != source.dtype:
        raise RuntimeError(
            f"put_(): self and source expected to have the same dtype, but got self.dtype = {dtype_word(input)} and source.dtype "
            f"= {dtype_word(source)}"
        )
    if index.size != source.size:
        raise IndexError(
            "put_(): Expected source and index to have the same number of elements, but got source.numel() = "
            f"{source.size}, index.numel() = {index.size}"
        )
    places = _flat_places("put_", input, index)
    result = np.array(input, order="C")
    if accumulate:
        add_at(result.reshape(-1), places, source)
    else:
        result.reshape(-1)[places.reshape(-1)] = source.reshape(-1)
    return result


@linear(
    "put_value",
    input=lambda g, index: put_value(g, index, 0),
    jvp=lambda t_input, index: put_value(t_input, index, 0),
    method=False,
    node="PutBackward1",
)
def put_value(input: Array, index: Array, value: Any) -> Any:
    """A copy of `input` with a number written at row-major places."""
    result = np.array(input, order="C")
    result.reshape(-1)[index] = value
    return result


# -- masks -----------------------------------------------------------------------------------------------------


@linear(
    "masked_select",
    input=lambda g, mask, input_shape: masked_put(g, mask, input_shape),
    out=True,
)
def masked_select(input: Array, mask: Array) -> Any:
    """The elements where `mask` is true, as a vector."""
    if mask.dtype != np.bool_:
        raise RuntimeError("masked_select: expected BoolTensor for mask")
    if mask.shape != input.shape:
        broadcast_check([mask, input])
        input, mask = np.broadcast_arrays(input, mask)
    return np.asarray(input)[mask].reshape(-1)


def masked_put(g: Any, mask: Any, shape: tuple[int, ...]) -> Any:
    """The transpose of `masked_select`."""
    full = np.broadcast_shapes(tuple(mask.shape), shape)
    return sum_to_shape(masked_put_full(g, expand(mask, full)), shape)


@linear(
    "masked_put_full",
    input=lambda g, mask: masked_select(g, mask),
    method=False,
    node="MaskedSelectBackwardBackward0",
)
def masked_put_full(input: Array, mask: Array) -> Any:
    """Zeros with a vector's elements, in order, where `mask` is true."""
    result = np.zeros(mask.shape, input.dtype)
    result[mask] = input
    return result


@general(
    "masked_scatter",
    input=lambda g, mask: masked_fill(g, mask, 0),
    source=lambda g, mask, source_shape: _leading(masked_select(g, mask), source_shape),
    jvp=lambda t_input, t_source, mask: masked_scatter(t_input, mask, t_source),
    inplace=True,
)
def masked_scatter(input: Array, mask: Array, source: Array) -> Any:
    """A copy of `input` with the elements of `source`, in order, where `mask` is true."""
    if input.dtype != source.dtype:
        raise RuntimeError(
            f"masked_scatter: expected self and source to have same dtypes but got{dtype_word(input)} and {dtype_word(source)}"
        )
    if mask.dtype != np.bool_:
        raise RuntimeError(f"masked_scatter_ only supports boolean masks, but got mask with dtype {dtype_word(mask)}")
    if mask.shape != input.shape:
        broadcast_check([mask, input])
        input, mask = np.broadcast_arrays(input, mask)
    result = np.array(input, order="C")
    n = int(np.count_nonzero(mask))
    if n > source.size:
        raise RuntimeError("Number of elements of source < number of ones in mask")
    result[mask] = source.reshape(-1)[:n]
    return result


def _leading(g: Any, shape: tuple[int, ...]) -> Any:
    """The gradient of `source`: its first elements were used, the others were not."""
    size = 1
    for n in shape:
        size *= n
    return reshape(slice_back(g, (size,), 0, 0, g.shape[0], 1), shape)


# -- where is it not zero? -------------------------------------------------------------------------------------


def nonzero(input: Any, *, as_tuple: bool = False, out: Any = None) -> Any:
    """Places of the elements that are not zero: a row each, or as one vector for each dimension."""
    array = getattr(input, "_array", input)
    refuse_dynamic("nonzero", array)
    found = np.nonzero(np.atleast_1d(array)) if array.ndim or as_tuple else None
    if as_tuple:
        assert found is not None
        return tuple(wrap(a.astype(np.int64, copy=False)) for a in found)
    if found is None:
        rows = np.zeros((int(bool(array)), 0), np.int64)
    else:
        rows = np.ascontiguousarray(np.stack(found, axis=1).astype(np.int64, copy=False))
    if out is not None:
        store((out,), [wrap(rows)], "nonzero")
        return out
    return wrap(rows)


def argwhere(input: Any) -> Any:
    """Places of the elements that are not zero, a row each."""
    return nonzero(input)


def nonzero_static(input: Any, *, size: int, fill_value: int = -1, out: Any = None) -> Any:
    """`nonzero` with a fixed number of rows: cut, or filled up with `fill_value`."""
    if size < 0:
        raise RuntimeError("nonzero_static: 'size' must be an non-negative integer")
    found = nonzero(input)._array
    rows = np.full((size, found.shape[1]), fill_value, np.int64)
    rows[: min(size, len(found))] = found[:size]
    if out is not None:
        store((out,), [wrap(rows)])
        return out
    return wrap(rows)


def unravel_index(indices: Any, shape: Any) -> Any:
    """Row-major places as one index tensor for each dimension of `shape`."""
    array = getattr(indices, "_array", None)
    if array is None:
        raise TypeError(
            f"unravel_index(): argument 'indices' (position 1) must be Tensor, not {type(indices).__name__}"
        )
    if array.dtype.kind not in "iu":
        raise ValueError(f"expected 'indices' to be integer dtype, but got {indices.dtype}")
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    if any(n < 0 for n in sizes):
        raise ValueError(f"'shape' cannot have negative values, but got {tuple(sizes)}")
    found = []
    for n in reversed(sizes):
        place = array % n
        found.append(wrap(place if place.__class__ is Batched else np.asarray(place)))
        array = array // n
    return tuple(reversed(found))
