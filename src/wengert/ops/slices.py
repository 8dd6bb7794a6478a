"""Reading and writing whole slices along a dimension, named by a vector: `index_select`, `index_add` and their kin."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.op import Array, general, linear
from ..kernels.scatter import add_along, take_along
from .reductions import sum as sum_
from .shape import reshape
from .shared import bounds, dtype_word, inside, wrap_dim

__all__ = ["index_add", "index_copy", "index_fill", "index_select"]


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
    if not inside(index, n):
        raise IndexError("index out of range in self")
    if not input.ndim:
        return input.copy()
    return take_along(input, d, index.reshape(-1))


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
    result = np.empty(shape, input.dtype)
    add_along(result, wrap_dim(dim, len(shape)), index.reshape(-1), input, 0)
    return result


def check_source(name: str, input: Any, d: int, index: Any, source: Any, error: type[Exception] = RuntimeError) -> None:
    """What index_add and index_reduce require of their arguments."""
    if index.ndim > 1:
        raise IndexError(
            f"{name}_(): Index is supposed to be a vector, but got dim: {index.ndim} with type: {dtype_word(index)} and size: "
            f"{list(index.shape)}"
        )
    if index.dtype not in (np.int64, np.int32):
        raise RuntimeError(f"{name}_(): Expected dtype int32/int64 for index but got: {dtype_word(index)}")
    if input.dtype != source.dtype:
        raise RuntimeError(
            f"{name}_(): self ({dtype_word(input)}) and source ({dtype_word(source)}) must have the same scalar type"
        )
    if source.ndim and d >= source.ndim:
        raise RuntimeError(f"{name}_(): Indexing dim {d} is out of bounds of the source tensor with dim {source.ndim}")
    if (source.ndim == 0 and input.ndim > 1) or (source.ndim > input.ndim and input.ndim):
        raise RuntimeError(
            f"{name}_(): When source is not a scalar, both dimensions should be the same. source dim: {source.ndim}"
        )
    n = source.shape[d] if source.ndim else 1
    if index.size != n:
        raise RuntimeError(
            f"{name}_(): Number of indices ({index.size}) should be equal to source.size(dim): ({n}), for dim: {d}"
        )
    if (
        input.ndim
        and source.ndim
        and (
            source.ndim != input.ndim
            or any(k != d and a != b for k, (a, b) in enumerate(zip(input.shape, source.shape, strict=True)))
        )
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
    check_source("index_add", input, d, index, source)
    n = input.shape[d] if input.ndim else 1
    bounds(index, n, d)
    result = np.empty(input.shape, input.dtype)
    if alpha != 1:
        source = source * np.asarray(alpha).astype(source.dtype)
    target = result.reshape(1) if not result.ndim else result
    add_along(target, d, index.reshape(-1), source.reshape((1,) * (not source.ndim) + source.shape), input)
    return result


def _scaled(g: Any, alpha: Any) -> Any:
    return g if alpha == 1 else g * alpha


def _sliced(g: Any, dim: int, index: Any, shape: tuple[int, ...]) -> Any:
    """`index_select`, brought to the source's shape (a scalar may stand for one element)."""
    found = index_select(g, dim, index)
    return found if tuple(found.shape) == tuple(shape) else reshape(found, shape)


@general(
    "index_copy",
    precision="widest",
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
        raise RuntimeError(f"index_copy_(): Expected a long tensor for index, but got {dtype_word(index)}")
    if input.dtype != source.dtype:
        raise RuntimeError(
            f"index_copy_(): self and source expected to have the same dtype, but got (self) {dtype_word(input)} and (source) "
            f"{dtype_word(source)}"
        )
    rest, other = (tuple(n for k, n in enumerate(a.shape) if k != d) for a in (input, source))
    if rest != other:
        raise RuntimeError(
            "index_copy_(): Source/destination tensor must have same slice shapes. Destination slice shape: "
            f"{' '.join(map(str, rest))} at dimension {d} and source slice shape: {' '.join(map(str, other))} at dimension 0."
        )
    if source.ndim and index.size != n:
        raise IndexError(f"index_copy_(): Number of indices ({index.size}) should be equal to source.size(dim) ({n})")
    bounds(index, input.shape[d] if input.ndim else 1, d, IndexError, "index_copy_(): ")
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
