"""Reading and writing at places given by an index tensor: `gather`, `scatter`, `index_*`, `take`, masks.

`x[...]` is in `indexing`. Each operation that reads has one that adds as its transpose, and that one is fast where no
place repeats; see `kernels.scatter`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes
from ..core.op import Array, composite, general, linear
from ..kernels.scatter import add_along, add_at, places_along
from .pointwise import masked_fill
from .reductions import sum as sum_
from .shape import expand, reshape, slice_back, sum_to_shape
from .shared import wrap_dim

__all__ = [
    "argwhere", "gather", "index_add", "index_copy", "index_fill", "index_select", "masked_scatter",
    "masked_select", "nonzero", "put", "scatter", "scatter_add", "take", "take_along_dim",
]  # fmt: skip


def _word(a: Any) -> str:
    return dtypes.of(a.dtype).tensor_type


def _inside(index: Any, n: int) -> bool:
    """Is every index in 0 .. n-1? (Seen as unsigned, a negative number is a large one.)"""
    if not index.size:
        return True
    return bool(index.astype(np.int64, copy=False).view(np.uint64).max() < n)


def _first_outside(index: Any, n: int) -> int:
    return int(index[(index < 0) | (index >= n)].flat[0])


def _bounds(index: Any, n: int, dim: int, error: type[Exception] = RuntimeError, name: str = "") -> None:
    if not _inside(index, n):
        raise error(f"{name}index {_first_outside(index, n)} is out of bounds for dimension {dim} with size {n}")


def _lifted(*arrays: Any) -> tuple[Any, ...]:
    """0-dim arrays as vectors: a scalar is indexed as a vector of one element."""
    return tuple(np.asarray(a).reshape(1) if np.ndim(a) == 0 else a for a in arrays)


# -- gather and scatter: an index for every element ------------------------------------------------------------


def _check_index(name: str, this: str, input: Any, dim: int, index: Any, src: Any = None) -> int:
    """PyTorch's requirements on the index of gather and scatter; the dimension."""
    d = wrap_dim(dim, input.ndim)
    if index.size and index.dtype not in (np.int64, np.int32):
        raise RuntimeError(f"{name}(): Expected dtype int32/int64 for index")
    if src is not None and src.dtype != input.dtype:
        raise RuntimeError("scatter(): Expected self.dtype to be equal to src.dtype")
    if not index.size:
        return d
    if max(index.ndim, 1) != max(input.ndim, 1):
        raise RuntimeError(f"Index tensor must have the same number of dimensions as {this} tensor")
    if src is not None and max(src.ndim, 1) != max(index.ndim, 1):
        raise RuntimeError("Index tensor must have the same number of dimensions as src tensor")
    index, input = _lifted(index, input)
    fits = all(k == d or a <= b for k, (a, b) in enumerate(zip(index.shape, input.shape, strict=True)))
    if src is not None:
        (src,) = _lifted(src)
        if not fits or any(a > b for a, b in zip(index.shape, src.shape, strict=True)):
            raise RuntimeError(
                f"Expected index {list(index.shape)} to be no larger than self {list(input.shape)} apart from dimension {d} "
                f"and to be no larger size than src {list(src.shape)}"
            )
    elif not fits:
        wrong = next(k for k in range(index.ndim) if k != d and index.shape[k] > input.shape[k])
        raise RuntimeError(
            f"Size does not match at dimension {wrong} expected index {list(index.shape)} to be no larger than self "
            f"{list(input.shape)} apart from dimension {d}"
        )
    _bounds(index, input.shape[d], d)
    return d


@linear(
    "gather",
    input=lambda g, index, input_shape, dim: gather_back(g, index, input_shape, dim),
    out=True,
    tex=r"{input}[{index}]",
)
def gather(input: Array, dim: int, index: Array, *, sparse_grad: bool = False) -> Any:
    """`out[i][j] = input[index[i][j]][j]` for `dim=0`, and so on."""
    d = _check_index("gather", "input", input, dim, index)
    if not index.size:
        return np.empty(index.shape, input.dtype)
    flat, where = np.ascontiguousarray(input), index
    shape = index.shape
    if not input.ndim or not index.ndim:
        flat, where = _lifted(flat, where)
    return flat.reshape(-1).take(places_along(flat.shape, d, where)).reshape(shape)


@linear(
    "gather_back", input=lambda g, index, dim: gather(g, dim, index), method=False, node="GatherBackwardBackward0"
)
def gather_back(input: Array, index: Array, shape: Any, dim: int) -> Any:
    """Zeros of `shape` to which `input` is added where `index` points."""
    result = np.zeros(shape, input.dtype)
    _scatter_add(result, wrap_dim(dim, len(shape)), index, input)
    return result


def _cut(index: Any, src: Any) -> Any:
    """The part of `src` that `index` covers."""
    return src if src.shape == index.shape else src[tuple(slice(n) for n in index.shape)]


def _scatter_add(target: Any, d: int, index: Any, src: Any) -> None:
    if not index.size:
        return
    target, index, src = (a.reshape(1) if a.ndim == 0 else a for a in (target, np.asarray(index), np.asarray(src)))
    add_at(target.reshape(-1), places_along(target.shape, d, index), _cut(index, src))


def scatter(input: Any, dim: int, index: Any, src: Any = None, *, value: Any = None, reduce: str | None = None) -> Any:
    """A copy of `input` with `src` (a tensor or a number) written where `index` points along `dim`."""
    if src is None:
        src = value
    if src is None:
        raise TypeError('scatter() missing 1 required positional arguments: "src"')
    is_number = isinstance(src, (int, float, complex))
    if reduce is not None:
        if reduce not in ("add", "multiply"):
            raise RuntimeError("reduce argument must be either add or multiply.")
        return scatter_reduced(input, dim, index, src, reduce)
    return scatter_value(input, dim, index, src) if is_number else scatter_src(input, dim, index, src)


@general(
    "scatter_src",
    input=lambda g, dim, index: scatter_value(g, dim, index, 0),
    src=lambda g, dim, index, src_shape: _uncut(gather(g, dim, index), src_shape),
    jvp=lambda t_input, t_src, dim, index: scatter_src(t_input, dim, index, t_src),
    method=False,
    node="ScatterBackward0",
)
def scatter_src(input: Array, dim: int, index: Array, src: Array) -> Any:
    """`out[index[i][j]][j] = src[i][j]`; of several values for one place, the last stays."""
    d = _check_index("scatter", "self", input, dim, index, src)
    result = np.array(input, order="C")
    if index.size:
        lifted, where, source = _lifted(result, index, src)
        lifted = result.reshape(lifted.shape)
        lifted.reshape(-1)[places_along(lifted.shape, d, where)] = _cut(where, source)
    return result


def _uncut(g: Any, shape: tuple[int, ...]) -> Any:
    """Zeros for the elements of `src` that no index covers."""
    for d, (have, want) in enumerate(zip(g.shape, shape, strict=True)):
        if have != want:
            g = slice_back(g, (*g.shape[:d], want, *g.shape[d + 1 :]), d, 0, have, 1)
    return g


@linear(
    "scatter_value",
    input=lambda g, dim, index: scatter_value(g, dim, index, 0),
    jvp=lambda t_input, dim, index: scatter_value(t_input, dim, index, 0),
    method=False,
    node="ScatterBackward1",
)
def scatter_value(input: Array, dim: int, index: Array, value: Any) -> Any:
    """A copy of `input` with a number written where `index` points."""
    d = _check_index("scatter", "self", input, dim, index)
    result = np.array(input, order="C")
    if index.size:
        lifted, where = _lifted(result, index)
        lifted = result.reshape(lifted.shape)
        lifted.reshape(-1)[places_along(lifted.shape, d, where)] = value
    return result


@general("scatter_reduced", method=False, node="ScatterBackward2")
def scatter_reduced(input: Array, dim: int, index: Array, src: Array | float, reduce: str) -> Any:
    """Add or multiply instead of overwriting. PyTorch has no gradient for this: use `scatter_reduce`."""
    is_number = not hasattr(src, "dtype")
    d = _check_index("scatter", "self", input, dim, index, None if is_number else src)
    result = np.array(input, order="C")
    if index.size:
        lifted, where = _lifted(result, index)
        lifted = result.reshape(lifted.shape)
        values = np.full(where.shape, src, input.dtype) if is_number else _cut(where, _lifted(src)[0])
        places = places_along(lifted.shape, d, where)
        if reduce == "add":
            add_at(lifted.reshape(-1), places, values)
        else:
            np.multiply.at(lifted.reshape(-1), places.reshape(-1), values.reshape(-1))
    return result


@general(
    "scatter_add",
    input=lambda g: g,
    src=lambda g, dim, index, src_shape: _uncut(gather(g, dim, index), src_shape),
    jvp=lambda t_input, t_src, dim, index: scatter_add(t_input, dim, index, t_src),
    inplace=True,
    out=True,
)
def scatter_add(input: Array, dim: int, index: Array, src: Array) -> Any:
    """A copy of `input` with `src` added where `index` points along `dim`."""
    d = _check_index("scatter_add", "self", input, dim, index, src)
    result = np.array(input, order="C")
    _scatter_add(result, d, index, src)
    return result


@composite("take_along_dim", out=True)
def take_along_dim(input: Any, indices: Any, dim: Any = None) -> Any:
    """Like `gather`, but input and index broadcast against each other; without `dim`, of the flattened input."""
    array = getattr(indices, "_array", indices)
    if array.dtype != np.int64:
        raise RuntimeError(f"torch.take_along_dim(): dtype of indices should be Long but got {_word(array)}")
    if dim is None:
        return gather(reshape(input, (-1,)), 0, reshape(indices, (-1,)))
    shape, where = tuple(input.shape), tuple(indices.shape)
    if len(shape) != len(where):
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, but got "
            f"{len(shape)} dimensions for input, and {len(where)} dimensions for indices"
        )
    d = wrap_dim(dim, len(shape))
    full = list(np.broadcast_shapes((*shape[:d], 1, *shape[d + 1 :]), (*where[:d], 1, *where[d + 1 :])))
    full_input, full_index = list(full), list(full)
    full_input[d], full_index[d] = shape[d], where[d]
    return gather(expand(input, tuple(full_input)), d, expand(indices, tuple(full_index)))


# -- an index for each slice along a dimension -----------------------------------------------------------------


@linear(
    "index_select",
    input=lambda g, input_shape, dim, index: index_select_back(g, index, input_shape, dim),
    out=True,
    tex=r"{input}[{index}]",
)
def index_select(input: Array, dim: int, index: Array) -> Any:
    """The slices along `dim` that a vector names, in its order."""
    d = wrap_dim(dim, input.ndim)
    if index.ndim > 1:
        raise IndexError("index_select(): Index is supposed to be a vector")
    if index.dtype not in (np.int64, np.int32):
        raise RuntimeError("index_select(): Expected dtype int32 or int64 for index")
    n = input.shape[d] if input.ndim else 1
    if not input.ndim and index.size != 1:
        raise RuntimeError(f"index_select(): Index to scalar can have only 1 value, got {index.size} value(s)")
    if not _inside(index, n):
        raise IndexError("index out of range in self")
    if not input.ndim:
        return input.copy()
    return input.take(index.reshape(-1), axis=d)


@linear(
    "index_select_back",
    input=lambda g, index, dim: index_select(g, dim, index),
    method=False,
    node="IndexSelectBackwardBackward0",
)
def index_select_back(input: Array, index: Array, shape: Any, dim: int) -> Any:
    """Zeros of `shape` to which the slices of `input` are added."""
    if not shape:
        return input.reshape(())
    result = np.zeros(shape, input.dtype)
    add_along(result, wrap_dim(dim, len(shape)), index.reshape(-1), input)
    return result


def _check_source(name: str, input: Any, d: int, index: Any, source: Any, error: type[Exception] = RuntimeError) -> None:
    """What index_add and index_reduce require of their arguments."""
    if index.ndim > 1:
        raise IndexError(
            f"{name}_(): Index is supposed to be a vector, but got dim: {index.ndim} with type: {_word(index)} and size: "
            f"{list(index.shape)}"
        )
    if index.dtype not in (np.int64, np.int32):
        raise RuntimeError(f"{name}_(): Expected dtype int32/int64 for index but got: {_word(index)}")
    if input.dtype != source.dtype:
        raise RuntimeError(f"{name}_(): self ({_word(input)}) and source ({_word(source)}) must have the same scalar type")
    if source.ndim and d >= source.ndim:
        raise RuntimeError(f"{name}_(): Indexing dim {d} is out of bounds of the source tensor with dim {source.ndim}")
    if source.ndim == 0 and input.ndim > 1 or source.ndim > input.ndim and input.ndim:
        raise RuntimeError(
            f"{name}_(): When source is not a scalar, both dimensions should be the same. source dim: {source.ndim}"
        )
    n = source.shape[d] if source.ndim else 1
    if index.size != n:
        raise RuntimeError(
            f"{name}_(): Number of indices ({index.size}) should be equal to source.size(dim): ({n}), for dim: {d}"
        )
    if input.ndim and source.ndim and (
        source.ndim != input.ndim
        or any(k != d and a != b for k, (a, b) in enumerate(zip(input.shape, source.shape, strict=True)))
    ):
        raise RuntimeError(
            "source tensor shape must match self tensor shape, excluding the specified dimension. Got self.shape = "
            f"{list(input.shape)} source.shape = {list(source.shape)}"
        )


def index_add(input: Any, dim: int, index: Any, source: Any, *, alpha: Any = 1, out: Any = None) -> Any:
    """A copy of `input` with `alpha` times the slices of `source` added to those that a vector names."""
    return index_add_scaled(input, dim, index, source, alpha, out=out)


@general(
    "index_add",
    input=lambda g: g,
    source=lambda g, dim, index, alpha, source_shape: _scaled(_sliced(g, dim, index, source_shape), alpha),
    jvp=lambda t_input, t_source, dim, index, alpha: index_add_scaled(t_input, dim, index, t_source, alpha),
    out=True,
    inplace=True,
    method=False,
)
def index_add_scaled(input: Array, dim: int, index: Array, source: Array, alpha: Any = 1) -> Any:
    """See `index_add`."""
    d = wrap_dim(dim, input.ndim)
    _check_source("index_add", input, d, index, source)
    n = input.shape[d] if input.ndim else 1
    _bounds(index, n, d)
    result = np.array(input, order="C")
    if alpha != 1:
        source = source * np.asarray(alpha).astype(source.dtype)
    target = result.reshape(1) if not result.ndim else result
    add_along(target, d, index.reshape(-1), source.reshape((1,) * (not source.ndim) + source.shape))
    return result


def _scaled(g: Any, alpha: Any) -> Any:
    return g if alpha == 1 else g * alpha


def _sliced(g: Any, dim: int, index: Any, shape: tuple[int, ...]) -> Any:
    """`index_select`, brought to the source's shape (a scalar may stand for one element)."""
    found = index_select(g, dim, index)
    return found if tuple(found.shape) == tuple(shape) else reshape(found, shape)


@general(
    "index_copy",
    input=lambda g, dim, index: index_fill_value(g, dim, index, 0),
    source=lambda g, dim, index, source_shape: _sliced(g, dim, index, source_shape),
    jvp=lambda t_input, t_source, dim, index: index_copy(t_input, dim, index, t_source),
    out=True,
    inplace=True,
)
def index_copy(input: Array, dim: int, index: Array, source: Array) -> Any:
    """A copy of `input` with the slices that a vector names replaced by those of `source`."""
    d = wrap_dim(dim, input.ndim)
    if index.ndim > 1:
        raise IndexError(f"index_copy_(): Index should have dimension 1 or 0 (got {index.ndim})")
    n = source.shape[d] if source.ndim > d else 1
    if source.ndim == 0 and index.size != 1:
        raise IndexError(f"index_copy_(): When source is scalar, index should have one element (got {index.size})")
    if source.ndim != input.ndim and source.ndim and input.ndim:
        raise IndexError(
            "index_copy_(): When source and destination are not scalars, their dimensionality must match. Source "
            f"dimensionality ({source.ndim}), destination dimensionality ({input.ndim})"
        )
    if index.dtype != np.int64:
        raise RuntimeError(f"index_copy_(): Expected a long tensor for index, but got {_word(index)}")
    if input.dtype != source.dtype:
        raise RuntimeError(
            f"index_copy_(): self and source expected to have the same dtype, but got (self) {_word(input)} and (source) "
            f"{_word(source)}"
        )
    rest, other = (tuple(n for k, n in enumerate(a.shape) if k != d) for a in (input, source))
    if rest != other:
        raise RuntimeError(
            "index_copy_(): Source/destination tensor must have same slice shapes. Destination slice shape: "
            f"{' '.join(map(str, rest))} at dimension {d} and source slice shape: {' '.join(map(str, other))} at dimension 0."
        )
    if source.ndim and index.size != n:
        raise IndexError(
            f"index_copy_(): Number of indices ({index.size}) should be equal to source.size(dim) ({n})"
        )
    _bounds(index, input.shape[d] if input.ndim else 1, d, IndexError, "index_copy_(): ")
    result = np.array(input, order="C")
    if not result.ndim:
        if index.size:
            result[...] = source.reshape(-1)[-1]
        return result
    result[(slice(None),) * d + (index.reshape(-1),)] = source
    return result


def index_fill(input: Any, dim: int, index: Any, value: Any) -> Any:
    """A copy of `input` with the slices that a vector names filled with a number (or a 0-dim tensor)."""
    return (index_fill_tensor if hasattr(value, "dtype") else index_fill_value)(input, dim, index, value)


def _fill(input: Any, dim: int, index: Any, value: Any) -> Any:
    d = wrap_dim(dim, input.ndim)
    if index.dtype != np.int64:
        raise IndexError("index_fill_(): Expected dtype int64 for index.")
    if index.ndim > 1:
        raise RuntimeError("Index has to be a vector/scalar")
    n = input.shape[d] if input.ndim else 1
    if index.size and not (-n <= int(index.min()) and int(index.max()) < n):
        wrong = index[(index < -n) | (index >= n)].flat[0]
        raise IndexError(f"index {wrong} is out of bounds for dimension {d} with size {n}")
    if np.iscomplexobj(value) and input.dtype.kind != "c":
        raise RuntimeError("index_fill_(): Converting complex Scalar to non-complex type is not supported")
    result = np.array(input, order="C")
    if input.ndim:
        result[(slice(None),) * d + (index.reshape(-1),)] = value
    elif index.size:
        result[...] = value
    return result


@linear(
    "index_fill",
    input=lambda g, dim, index: index_fill_value(g, dim, index, 0),
    jvp=lambda t_input, dim, index: index_fill_value(t_input, dim, index, 0),
    inplace=True,
    method=False,
)
def index_fill_value(input: Array, dim: int, index: Array, value: Any) -> Any:
    """See `index_fill`."""
    return _fill(input, dim, index, value)


@general(
    "index_fill_tensor",
    input=lambda g, dim, index: index_fill_value(g, dim, index, 0),
    value=lambda g, dim, index: sum_(index_select(g, dim, _once(index, g.shape, dim))),
    jvp=lambda t_input, t_value, dim, index: index_fill_tensor(t_input, dim, index, t_value),
    method=False,
    node="IndexFillBackward1",
)
def index_fill_tensor(input: Array, dim: int, index: Array, value: Array) -> Any:
    """See `index_fill`."""
    if value.ndim:
        raise RuntimeError(
            f"index_fill_ only supports a 0-dimensional value tensor, but got tensor with {value.ndim} dimension(s)."
        )
    return _fill(input, dim, index, value)


def _once(index: Any, shape: tuple[int, ...], dim: int) -> Any:
    """Each slice named once, counted from the front."""
    n = shape[dim] if shape else 1
    return np.unique(getattr(index, "_array", index) % n)


# -- places in the flattened tensor ----------------------------------------------------------------------------


def _flat_places(name: str, input: Any, index: Any) -> Any:
    if index.dtype != np.int64:
        raise RuntimeError(f"{name}(): Expected a long tensor for index, but got {_word(index)}")
    n = input.size
    if not _inside(index, n):
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
        raise RuntimeError(f"take(): Expected a long tensor for index, but got {_word(index)}")
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
        raise RuntimeError(f"put_(): Expected a long tensor for index, but got {_word(index)}")
    if input.dtype != source.dtype:
        raise RuntimeError(
            f"put_(): self and source expected to have the same dtype, but got self.dtype = {_word(input)} and source.dtype "
            f"= {_word(source)}"
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
    from ..core.record import broadcast_check

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
    from ..core.record import broadcast_check

    if input.dtype != source.dtype:
        raise RuntimeError(
            f"masked_scatter: expected self and source to have same dtypes but got{_word(input)} and {_word(source)}"
        )
    if mask.dtype != np.bool_:
        raise RuntimeError(f"masked_scatter_ only supports boolean masks, but got mask with dtype {_word(mask)}")
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
    from ..core.tensor import wrap

    array = getattr(input, "_array", input)
    found = np.nonzero(array if array.ndim or not as_tuple else array.reshape(1)) if array.ndim or as_tuple else None
    if as_tuple:
        assert found is not None
        return tuple(wrap(a.astype(np.int64, copy=False)) for a in found)
    if found is None:
        rows = np.zeros((int(bool(array)), 0), np.int64)
    else:
        rows = np.ascontiguousarray(np.stack(found, axis=1).astype(np.int64, copy=False))
    if out is not None:
        from ..core.views import store

        store((out,), [wrap(rows)])
        return out
    return wrap(rows)


def argwhere(input: Any) -> Any:
    """Places of the elements that are not zero, a row each."""
    return nonzero(input)
