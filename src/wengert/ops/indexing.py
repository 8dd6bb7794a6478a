"""`x[...]`: every index PyTorch knows, reading and writing.

Note [Indexing]
    An index is read in two steps, and so differs from NumPy's in places. Numbers, slices, None and `...` come first and
    give a view; then tensors, lists and masks read elements out of that view, all together, into new memory. A number
    beside a tensor is thus no index array: in `x[0, :, [0, 1]]` it does not move the new dimension to the front. A 0-dim
    integer tensor is a number, a mask stands for the places where it is true, and a bool for a dimension of size 1 or 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.batched import Batched
from ..core.op import Array, Arrays, general, linear
from ..core.tensor import Tensor
from ..kernels.scatter import add_along, take_along
from .parts import select, slice_
from .shape import alias, sum_to_shape, unsqueeze

__all__ = ["index_put"]


# -- views -----------------------------------------------------------------------------------------------------


def _basic(name: str, node: str) -> Any:
    """Several numbers, slices and Nones at once. PyTorch names the node by the last of them, hence three rows."""

    def forward(input: Array, index: Any) -> Any:
        """The part that a tuple of numbers, slices and Nones names: a view."""
        return np.asarray(input)[(*index, ...)]

    return linear(
        name,
        forward,
        input=lambda g, input_shape, index: getitem_back(g, input_shape, index),
        view=True,
        part=True,
        method=False,
        node=node,
    )


getitem = _basic("getitem", "SliceBackward0")
_getitem_select = _basic("getitem_select", "SelectBackward0")
_getitem_unsqueeze = _basic("getitem_unsqueeze", "UnsqueezeBackward0")


@linear("getitem_back", input=lambda g, index: getitem(g, index), method=False)
def getitem_back(input: Array, shape: Any, index: Any) -> Any:
    """Zeros of `shape` with `input` as that part."""
    result = np.zeros(shape, input.dtype)
    result[(*index, ...)] = input
    return result


# -- copies ----------------------------------------------------------------------------------------------------


def _around(dims: Any, ndim: int, arrays: Any) -> tuple[Any, ...]:
    """NumPy's index: array `i` at dimension `dims[i]`, everything elsewhere."""
    full: list[Any] = [slice(None)] * ndim
    for d, a in zip(dims, arrays, strict=True):
        full[d] = a
    return tuple(full)


@linear(
    "index",
    input=lambda g, indices, input_shape, dims, once: index_back(g, indices, input_shape, dims, once),
    method=False,
)
def index(input: Array, indices: Arrays, dims: Any, once: bool = False) -> Any:
    """Elements at the places that integer arrays name, one for each of `dims`. `once`: no place twice (a mask)."""
    try:
        if len(dims) == 1:
            return take_along(input, dims[0], indices[0])
        return input[_around(dims, input.ndim, indices)]
    except IndexError as error:
        raise IndexError(_index_error(str(error), indices)) from None


def _index_error(text: str, indices: Any) -> str:
    if "shape mismatch" in text:
        shapes = ", ".join(str(list(a.shape)) for a in indices)
        return f"shape mismatch: indexing tensors could not be broadcast together with shapes {shapes}"
    return text.replace("for axis", "for dimension")


def _places(indices: Any, dims: Any, shape: Any) -> Any:
    """Row-major places, counted over the dimensions `dims` alone."""
    places: Any = 0
    for a, d in zip(indices, dims, strict=True):
        n = shape[d]
        places = places * n + np.where(a < 0, a + n, a)
    return places


@linear(
    "index_back",
    input=lambda g, indices, dims, once: index(g, indices, dims, once),
    method=False,
    node="IndexBackwardBackward0",
)
def index_back(input: Array, indices: Arrays, shape: Any, dims: Any, once: bool = False) -> Any:
    """Zeros of `shape` to which `input` is added at those places."""
    if len(dims) == 1 and not once and 0 not in shape:
        result = np.empty(shape, input.dtype)
        _add_slices(result, indices[0], dims[0], input, 0)
        return result
    result = np.zeros(shape, input.dtype)
    _add(result, indices, dims, input, once)
    return result


def _add_slices(target: Any, index: Any, d: int, source: Any, start: Any = None) -> None:
    """`target[..., index, ...] += source` along `d`; target is first filled with `start`, unless that is None."""
    lead, tail = target.shape[:d], target.shape[d + 1 :]
    add_along(target, d, index.reshape(-1), source.reshape(*lead, index.size, *tail), start)


def _add(target: Any, indices: Any, dims: Any, source: Any, once: bool) -> None:
    """`target[indices] += source`, places that repeat included; `source` has the full shape."""
    if once or all(a.size == 1 for a in indices):
        target[_around(dims, target.ndim, indices)] += source
        return
    if len(dims) == 1:
        _add_slices(target, indices[0], dims[0], source)
        return
    places = _places(indices, dims, target.shape)
    first, k = dims[0], len(dims)
    count = 1
    for d in dims:
        count *= target.shape[d]
    rest = [d for d in range(target.ndim) if d not in dims]
    if dims == tuple(range(first, first + k)):
        lead, tail = target.shape[:first], target.shape[first + k :]
        flat = np.ascontiguousarray(target).reshape(*lead, count, *tail)
        add_along(flat, first, places.reshape(-1), source.reshape(*lead, places.size, *tail))
        if flat.base is not target and not np.may_share_memory(flat, target):
            target[...] = flat.reshape(target.shape)
        return
    # The new dimensions come first, as in the result of reading there.
    order = (*dims, *rest)
    moved = np.ascontiguousarray(target.transpose(order))
    others = moved.shape[k:]
    add_along(moved.reshape(count, *others), 0, places.reshape(-1), source.reshape(places.size, *others))
    target.transpose(order)[...] = moved


@general(
    "index_put",
    input=lambda g, indices, dims, accumulate: g if accumulate else index_clear(g, indices, dims),
    values=lambda g, indices, dims, values_shape: sum_to_shape(index(g, indices, dims), values_shape),
    jvp=lambda t_input, t_values, indices, dims, accumulate: _index_put(t_input, t_values, indices, dims, accumulate),
    method=False,
    inplace=True,
)
def _index_put(input: Array, values: Array, indices: Arrays, dims: Any, accumulate: bool = False) -> Any:
    """A copy of `input` with `values` written (or added) at the places that integer arrays name."""
    result = np.array(input, order="C")
    put_at_index(result, values, indices, dims, accumulate)
    return result


@linear(
    "index_clear",
    input=lambda g, indices, dims: index_clear(g, indices, dims),
    method=False,
    node="IndexPutBackward1",
)
def index_clear(input: Array, indices: Arrays, dims: Any) -> Any:
    """A copy of `input` with zeros at those places."""
    result = np.array(input, order="C")
    result[_around(dims, result.ndim, indices)] = 0
    return result


def put_at_index(target: Any, values: Any, indices: Any, dims: Any, accumulate: bool) -> None:
    """Write (or add) `values` into the array `target`."""
    where = _around(dims, target.ndim, indices)
    try:
        if not accumulate:
            target[where] = values
            return
        shape = target[where].shape
        _add(target, indices, dims, np.broadcast_to(values, shape), False)
    except IndexError as error:
        raise IndexError(_index_error(str(error), indices)) from None
    except ValueError:
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {list(np.shape(values))} cannot be broadcast to indexing result of shape "
            f"{list(target[where].shape)}"
        ) from None


# -- reading an index ------------------------------------------------------------------------------------------

_WRONG = "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices (got {})"
_KINDS = "tensors used as indices must be long, int, byte or bool tensors"


class Places:
    """An index, read: `basic` for the view; `arrays` at `dims` of that view; `last` names the last basic item."""

    __slots__ = ("arrays", "basic", "dims", "last", "once")

    def __init__(self) -> None:
        self.basic: list[Any] = []
        self.arrays: list[Any] = []
        self.dims: list[int] = []
        self.last = ""
        self.once = False


def _as_items(index: Any) -> tuple[Any, ...]:
    if isinstance(index, tuple):
        return index
    if isinstance(index, list) and any(x is None or isinstance(x, (slice, type(...))) for x in index):
        return tuple(index)
    return (index,)


def _specified(item: Any) -> int:
    """How many dimensions an item uses up."""
    if item is None or item is Ellipsis or item is True or item is False:
        return 0
    array = getattr(item, "_array", item)
    if getattr(array, "dtype", None) in _MASKS:
        return array.ndim
    return 1


_MASKS = (np.dtype(np.bool_), np.dtype(np.uint8))


def _normal(item: Any) -> Any:
    """Lists and sequences of numbers as arrays; the rest as it is."""
    if isinstance(item, (list, tuple, range)):
        if any(isinstance(x, Tensor) for x in item):
            item = [getattr(x, "_array", x) for x in item]
        array = np.asarray(item)
        if array.dtype.kind in "OUS":
            raise TypeError(f"new(): invalid data type '{type(item[0]).__name__}'" if len(item) else "invalid index")
        return array.astype(np.int64) if array.dtype.kind != "b" else array
    return item


def read(shape: tuple[int, ...], index: Any) -> Places:
    """What an index means for a tensor of `shape`."""
    found = Places()
    items = [_normal(x) for x in _as_items(index)]
    ndim = len(shape)
    used = 0
    for item in items:
        used += _specified(item)
    masks = others = 0
    ellipsis = False
    source = 0  # dimension of the tensor
    place = 0  # dimension of the view
    for item in items:
        cls = item.__class__
        if cls is int or isinstance(item, np.integer):
            if not ndim:
                raise IndexError(
                    "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to "
                    "convert a 0-dim tensor to a number"
                )
            _number(found, shape, source, int(item))
            source += 1
        elif cls is slice:
            part = _slice(item)
            if len(items) > 1 and source < ndim and part.indices(shape[source]) == (0, shape[source], 1):
                part = _ALL
            found.basic.append(part)
            if part != _ALL or len(items) == 1:
                found.last = "slice"
            source += 1
            place += 1
        elif item is None:
            found.basic.append(None)
            found.last = "unsqueeze"
            place += 1
        elif item is Ellipsis:
            n = 0 if ellipsis else max(ndim - used, 0)
            ellipsis = True
            found.basic.extend([_ALL] * n)
            source += n
            place += n
        elif cls is bool or isinstance(item, np.bool_):
            found.basic.append(None)
            found.arrays.append(np.zeros(int(item), np.int64))
            found.dims.append(place)
            others += 1
            place += 1
        else:
            array = getattr(item, "_array", item)
            if not hasattr(array, "dtype"):
                if hasattr(item, "__index__"):
                    _number(found, shape, source, item.__index__())
                    source += 1
                    continue
                if isinstance(item, str):
                    raise TypeError("new(): invalid data type 'str'")
                raise IndexError(_WRONG.format(type(item).__name__))
            if array.ndim == 0 and array.dtype in _MASKS:
                found.basic.append(None)
                found.arrays.append(np.zeros(int(bool(array)), np.int64))
                found.dims.append(place)
                others += 1
                place += 1
            elif array.ndim == 0 and array.dtype.kind in "iu" and isinstance(array, (np.ndarray, np.generic)):
                _number(found, shape, source, int(array))
                source += 1
            elif array.dtype in _MASKS:
                k = array.ndim
                have = shape[source : source + k]
                if source + k > ndim:
                    raise IndexError(f"too many indices for tensor of dimension {ndim}")
                for i, (a, b) in enumerate(zip(array.shape, have, strict=True)):
                    if a != b:
                        raise IndexError(
                            f"The shape of the mask {list(array.shape)} at index {i} does not match the shape of the "
                            f"indexed tensor {list(_view_shape(shape, found.basic, source))} at index {place + i}"
                        )
                masks += 1
                if array.__class__ is Batched:
                    raise RuntimeError(
                        "vmap: We do not support batching operators that can support dynamic shape. Attempting to batch "
                        "over indexing with a boolean mask."
                    )
                for a in np.nonzero(array):
                    found.basic.append(_ALL)
                    found.arrays.append(a.astype(np.int64, copy=False))
                    found.dims.append(place)
                    place += 1
                source += k
            elif array.dtype in _INDEX_DTYPES:
                found.basic.append(_ALL)
                found.arrays.append(item)
                found.dims.append(place)
                others += 1
                source += 1
                place += 1
            else:
                raise IndexError(_KINDS)
        if source > ndim:
            raise IndexError(f"too many indices for tensor of dimension {ndim}")
    found.once = masks == 1 and not others
    return found


_ALL = slice(None)
_INDEX_DTYPES = (np.dtype(np.int64), np.dtype(np.int32))


def _view_shape(shape: tuple[int, ...], basic: list[Any], source: int) -> tuple[int, ...]:
    """The shape after the basic items read so far, for a message."""
    return tuple(np.empty(shape, np.bool_)[tuple(basic)].shape) if 0 not in shape else shape


def _number(found: Places, shape: tuple[int, ...], d: int, i: int) -> None:
    if d >= len(shape):
        raise IndexError(f"too many indices for tensor of dimension {len(shape)}")
    n = shape[d]
    if not -n <= i < n:
        raise IndexError(f"index {i} is out of bounds for dimension {d} with size {n}")
    found.basic.append(i)
    found.last = "select"


def _slice(s: slice) -> slice:
    step = 1 if s.step is None else s.step.__index__()
    if step == 0:
        raise ValueError("slice step cannot be zero")
    if step < 0:
        raise ValueError("step must be greater than zero")
    return slice(
        None if s.start is None else s.start.__index__(),
        None if s.stop is None else s.stop.__index__(),
        s.step and step,
    )


def view_of(x: Any, found: Places) -> Any:
    """The view that the basic items name."""
    basic = found.basic
    if not found.last:
        if any(item is None for item in basic):
            return _getitem_unsqueeze(x, tuple(basic))
        return x
    special = [(i, item) for i, item in enumerate(basic) if item.__class__ is int or item is None or item != _ALL]
    if len(special) == 1:
        i, item = special[0]
        if item is None:
            return unsqueeze(x, i)
        if item.__class__ is int:
            return select(x, i, item)
        return slice_(x, i, item.start, item.stop, item.step or 1)
    row = {"select": _getitem_select, "slice": getitem}.get(found.last, _getitem_unsqueeze)
    return row(x, tuple(basic))


def _numbers(index_: tuple[Any, ...], shape: tuple[int, ...]) -> bool:
    """Are these all numbers, and places that there are?"""
    return len(index_) <= len(shape) and all(
        i.__class__ is int and -n <= i < n for i, n in zip(index_, shape, strict=False)
    )


def subscript(x: Any, index_: Any) -> Any:
    """`x[index]`."""
    cls = index_.__class__
    if cls is int:
        n = x._array.shape[0] if x._array.ndim else 0
        if -n <= index_ < n:
            return select(x, 0, index_)
    elif cls is slice and x._array.ndim:
        s = _slice(index_)
        return slice_(x, 0, s.start, s.stop, s.step or 1)
    elif cls is tuple and len(index_) > 1 and index_[-1].__class__ is int and _numbers(index_, x._array.shape):
        return _getitem_select(x, index_)
    found = read(x._array.shape, index_)
    if not found.arrays:
        return view_of(x, found) if found.last else alias(x)
    return index(view_of(x, found), tuple(found.arrays), tuple(found.dims), found.once)


def index_put(input: Any, indices: Any, values: Any, accumulate: bool = False) -> Any:
    """A copy of `input` with `values` written (or added) where a tuple of index tensors points."""
    return _put(input, indices, values, accumulate, _index_put)


def _put(input: Any, indices: Any, values: Any, accumulate: bool, run: Any) -> Any:
    if not isinstance(indices, (tuple, list)):
        raise TypeError(
            f"index_put(): argument 'indices' (position 1) must be tuple of Tensors, not {type(indices).__name__}"
        )
    array = getattr(input, "_array", input)
    given = getattr(values, "_array", values)
    if given.dtype != array.dtype:
        from ..core import dtypes

        raise RuntimeError(
            "Index put requires the source and destination dtypes match, got "
            f"{dtypes.of(array.dtype).tensor_type} for the destination and {dtypes.of(given.dtype).tensor_type} for the "
            "source."
        )
    found = read_tensors(array.shape, indices)
    return run(input, values, tuple(found.arrays), tuple(found.dims), accumulate)


def read_tensors(shape: tuple[int, ...], indices: Any) -> Places:
    """An index of tensors alone (None: all of a dimension); unlike in `x[...]`, 0-dim ones are index arrays."""
    lifted: list[Any] = [_ALL if i is None else i for i in indices]
    found = Places()
    place = 0
    for item in lifted:
        if item is _ALL:
            place += 1
            continue
        array = getattr(item, "_array", item)
        if array.ndim == 0 and array.dtype in _INDEX_DTYPES:
            if place >= len(shape):
                raise IndexError(f"too many indices for tensor of dimension {len(shape)} (got {len(lifted)})")
            found.arrays.append(item)
            found.dims.append(place)
            place += 1
            continue
        part = read(shape[place:], (item,))
        found.arrays += part.arrays
        found.dims += [d + place for d in part.dims]
        place += len(part.dims)
    if place > len(shape):
        raise IndexError(f"too many indices for tensor of dimension {len(shape)} (got {len(lifted)})")
    return found
