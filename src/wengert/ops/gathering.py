"""Reading and writing with an index for every element: `gather`, `scatter` and their kin.

Each operation that reads has one that adds as its transpose, and that one is fast where no place repeats; see
`kernels.scatter`. An index for each slice is in `slices`, masks and flat places in `places`, `x[...]` in `indexing`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.op import Array, composite, general, linear
from ..kernels.scatter import add_at, add_each, places_along, take_each
from .parts import slice_back
from .shape import expand, reshape
from .shared import bounds, dtype_word, lifted, wrap_dim

__all__ = ["gather", "scatter", "scatter_add", "take_along_dim"]


# -- gather and scatter: an index for every element ------------------------------------------------------------


def check_index(name: str, this: str, input: Any, dim: int, index: Any, src: Any = None, within: bool = True) -> int:
    """PyTorch's requirements on the index of gather and scatter; the dimension. Without `within` its bounds are not looked at."""
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
    index, input = lifted(index, input)
    fits = all(k == d or a <= b for k, (a, b) in enumerate(zip(index.shape, input.shape, strict=True)))
    if src is not None:
        (src,) = lifted(src)
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
    if within:
        bounds(index, input.shape[d], d)
    return d


@linear(
    "gather",
    input=lambda g, index, input_shape, dim: gather_back(g, index, input_shape, dim),
    out=True,
    tex=r"{input}[{index}]",
)
def gather(input: Array, dim: int, index: Array, *, sparse_grad: bool = False) -> Any:
    """`out[i][j] = input[index[i][j]][j]` for `dim=0`, and so on."""
    d = check_index("gather", "input", input, dim, index, within=False)
    if not index.size:
        return np.empty(index.shape, input.dtype)
    x, where = (input, index) if input.ndim and index.ndim else lifted(input, index)
    try:
        return take_each(x, d, where).reshape(index.shape)
    except IndexError:
        bounds(where, x.shape[d], d)
        raise


@linear("gather_back", input=lambda g, index, dim: gather(g, dim, index), method=False, node="GatherBackwardBackward0")
def gather_back(input: Array, index: Array, shape: Any, dim: int) -> Any:
    """Zeros of `shape` to which `input` is added where `index` points."""
    result = np.empty(shape, input.dtype)
    _scatter_add(result, wrap_dim(dim, len(shape)), index, input, 0)
    return result


def _cut(index: Any, src: Any) -> Any:
    """The part of `src` that `index` covers."""
    return src if src.shape == index.shape else src[tuple(slice(n) for n in index.shape)]


def _scatter_add(target: Any, d: int, index: Any, src: Any, start: Any) -> None:
    """Make `target` be `start` with `src` added where `index` points."""
    if not index.size:
        target[...] = start
        return
    target, index, src = (a.reshape(1) if a.ndim == 0 else a for a in (target, np.asarray(index), np.asarray(src)))
    try:
        add_each(target, d, index, _cut(index, src), start)
    except IndexError:
        bounds(index, target.shape[d], d)
        raise


@composite("scatter", out=True)
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
    src=lambda g, dim, index, src_shape: uncut(gather(g, dim, index), src_shape),
    jvp=lambda t_input, t_src, dim, index: scatter_src(t_input, dim, index, t_src),
    method=False,
    node="ScatterBackward0",
)
def scatter_src(input: Array, dim: int, index: Array, src: Array) -> Any:
    """`out[index[i][j]][j] = src[i][j]`; of several values for one place, the last stays."""
    d = check_index("scatter", "self", input, dim, index, src)
    result = np.array(input, order="C")
    if index.size:
        line, where, source = lifted(result, index, src)
        line = result.reshape(line.shape)
        line.reshape(-1)[places_along(line.shape, d, where)] = _cut(where, source)
    return result


def uncut(g: Any, shape: tuple[int, ...]) -> Any:
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
    d = check_index("scatter", "self", input, dim, index)
    result = np.array(input, order="C")
    if index.size:
        line, where = lifted(result, index)
        line = result.reshape(line.shape)
        line.reshape(-1)[places_along(line.shape, d, where)] = value
    return result


@general("scatter_reduced", method=False, node="ScatterBackward2")
def scatter_reduced(input: Array, dim: int, index: Array, src: Array | float, reduce: str) -> Any:
    """Add or multiply instead of overwriting. PyTorch has no gradient for this: use `scatter_reduce`."""
    is_number = not hasattr(src, "dtype")
    d = check_index("scatter", "self", input, dim, index, None if is_number else src)
    result = np.array(input, order="C")
    if index.size:
        line, where = lifted(result, index)
        line = result.reshape(line.shape)
        values = np.full(where.shape, src, input.dtype) if is_number else _cut(where, lifted(src)[0])
        places = places_along(line.shape, d, where)
        if reduce == "add":
            add_at(line.reshape(-1), places, values)
        else:
            np.multiply.at(line.reshape(-1), places.reshape(-1), values.reshape(-1))
    return result


@general(
    "scatter_add",
    input=lambda g: g,
    src=lambda g, dim, index, src_shape: uncut(gather(g, dim, index), src_shape),
    jvp=lambda t_input, t_src, dim, index: scatter_add(t_input, dim, index, t_src),
    inplace=True,
    out=True,
)
def scatter_add(input: Array, dim: int, index: Array, src: Array) -> Any:
    """A copy of `input` with `src` added where `index` points along `dim`."""
    d = check_index("scatter_add", "self", input, dim, index, src, within=False)
    result = np.empty(input.shape, input.dtype)
    _scatter_add(result, d, index, src, input)
    return result


@composite("take_along_dim", out=True)
def take_along_dim(input: Any, indices: Any, dim: Any = None) -> Any:
    """Like `gather`, but input and index broadcast against each other; without `dim`, of the flattened input."""
    array = getattr(indices, "_array", indices)
    if array.dtype != np.int64:
        raise RuntimeError(f"torch.take_along_dim(): dtype of indices should be Long but got {dtype_word(array)}")
    if dim is None:
        return gather(reshape(input, (-1,)), 0, reshape(indices, (-1,)))
    shape, places = tuple(input.shape), tuple(indices.shape)
    if len(shape) != len(places):
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, but got "
            f"{len(shape)} dimensions for input, and {len(places)} dimensions for indices"
        )
    from .choosing import where

    d = wrap_dim(dim, len(shape))
    full = list(np.broadcast_shapes((*shape[:d], 1, *shape[d + 1 :]), (*places[:d], 1, *places[d + 1 :])))
    full_input, full_index = list(full), list(full)
    full_input[d], full_index[d] = shape[d], places[d]
    from_the_end = (indices < 0) & (indices >= -shape[d])  # as in NumPy
    counted = where(from_the_end, indices + shape[d], indices)
    return gather(expand(input, tuple(full_input)), d, expand(counted, tuple(full_index)))
