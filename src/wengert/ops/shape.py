"""Shapes and views: operations whose result is the argument's own memory, seen differently.

Lives here: views, and the transposes of those (`*_back`) that scatter a gradient back. What joins tensors is in
`joining`, what rearranges elements into new memory in `arranging`, `x[...]` in `indexing`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes
from ..core.batched import plain
from ..core.op import Array, composite, linear
from ..kernels.memory import address, owner, strided
from ..kernels.scatter import add_at
from .shared import resolve_shape, shape_argument, wrap_dim

__all__ = [
    "adjoint", "as_strided", "broadcast_to", "diagonal", "expand_as", "flatten", "movedim", "moveaxis", "narrow", "permute",
    "ravel", "reshape", "select", "squeeze", "swapaxes", "sum_to_size", "swapdims",
    "t", "transpose", "unflatten", "unfold", "unsqueeze", "view_as",
]  # fmt: skip

# -- other shapes ----------------------------------------------------------------------------------------------

_INCOMPATIBLE = (
    "view size is not compatible with input tensor's size and stride (at least one dimension spans across two "
    "contiguous subspaces). Use .reshape(...) instead."
)


@linear("view", input=lambda g, input_shape: reshape(g, input_shape), view=True, method=False)
def view(input: Array, shape: Any) -> Any:
    """The same memory in another shape; an error if that takes a copy."""
    result = input.reshape(resolve_shape(shape, input.size))
    if not input.flags.c_contiguous and input.size and not np.may_share_memory(result, input):
        raise RuntimeError(_INCOMPATIBLE)
    return result


@linear(
    "reshape", input=lambda g, input_shape: reshape(g, input_shape), view="maybe", node="ViewBackward0", method=False
)
def reshape(input: Array, shape: Any) -> Any:
    """Another shape, a view where possible."""
    return input.reshape(resolve_shape(shape, input.size))


@linear("view_as", input=lambda g: g, view=True, node="ViewBackward0", method=False)
def view_as_(input: Array) -> Any:
    """A fresh view of the same tensor."""
    return input[...]


def view_as(input: Any, other: Any) -> Any:
    """`input` in the shape of `other`."""
    return view_as_(input) if input.shape == other.shape else view(input, tuple(other.shape))


@linear("alias", input=lambda g: g, view=True, method=False)
def alias(input: Array) -> Any:
    """A fresh view of the same tensor, as `x[:]` gives."""
    return input[...]


@linear("view_dtype", view=True, node="ViewBackward1", method=False)
def view_dtype(input: Array, dtype: Any) -> Any:
    """The same memory read as another dtype (no gradient passes)."""
    want, have = dtypes.as_dtype(dtype).np, input.dtype
    if want.itemsize == have.itemsize:
        return np.asarray(input).view(want)
    ratio = want.itemsize // have.itemsize  # 0 if the numbers get smaller
    steps = [s // have.itemsize for s in input.strides] if input.size else _row_major(input.shape)
    kinds = f"{dtypes.of(have).tensor_type} as {dtypes.as_dtype(dtype).tensor_type} (different element sizes)"
    if not input.ndim:
        raise RuntimeError(f"self.dim() cannot be 0 to view {kinds}")
    if steps[-1] != 1:
        raise RuntimeError(f"self.stride(-1) must be 1 to view {kinds}, but got {steps[-1]}")
    if ratio:
        start = (address(input) - address(owner(input))) // have.itemsize if isinstance(input, np.ndarray) else 0
        parts = [("size(-1)", input.shape[-1]), ("storage_offset()", start)]
        parts += [(f"stride({i})", s) for i, s in enumerate(steps[:-1])]
        for what, n in parts:
            if n % ratio:
                raise RuntimeError(f"self.{what} must be divisible by {ratio} to view {kinds}, but got {n}")
    if not input.size:
        return (
            np.asarray(input)
            .reshape(-1)
            .view(want)
            .reshape((*input.shape[:-1], input.shape[-1] * have.itemsize // want.itemsize))
        )
    return input.view(want)


def _row_major(shape: Any) -> list[int]:
    steps = [1]
    for n in reversed(shape[1:]):
        steps.insert(0, steps[0] * max(n, 1))
    return steps


@composite("flatten")
def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """Dimensions `start_dim` to `end_dim` as one."""
    shape = tuple(input.shape)
    start, end = wrap_dim(start_dim, len(shape)), wrap_dim(end_dim, len(shape))
    if start > end:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if not shape:
        return reshape(input, (1,))
    if start == end:
        return input
    size = 1
    for n in shape[start : end + 1]:
        size *= n
    return reshape(input, (*shape[:start], size, *shape[end + 1 :]))


@composite("ravel")
def ravel(input: Any) -> Any:
    """All elements in one dimension."""
    if len(input.shape) == 1:
        from ..core.layout import contiguous_format
        from .conversion import clone

        return input if _contiguous(input) else clone(input, memory_format=contiguous_format)
    return reshape(input, (-1,))


def _contiguous(input: Any) -> bool:
    array = getattr(input, "_array", input)
    return array.flags.c_contiguous


@composite("unflatten")
def unflatten(input: Any, dim: int, sizes: Any) -> Any:
    """Dimension `dim` as several, one of which may be -1."""
    shape = tuple(input.shape)
    d = wrap_dim(dim, len(shape))
    if len(sizes) == 0:
        raise RuntimeError("unflatten: sizes must be non-empty")
    try:
        split = resolve_shape(sizes, shape[d])
    except RuntimeError as error:
        if "invalid for input" not in str(error):
            raise
        raise RuntimeError(
            f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {d} ({shape[d]}) in the input "
            "tensor"
            if -1 not in tuple(sizes)
            else str(error)
        ) from None
    return view(input, (*shape[:d], *split, *shape[d + 1 :]))


# -- repeated dimensions ---------------------------------------------------------------------------------------


@linear("expand", input=lambda g, input_shape: sum_to_shape(g, input_shape), view=True, method=False)
def expand(input: Array, shape: Any) -> Any:
    """A view in which dimensions of size 1 (and new ones in front) repeat. -1 keeps a size."""
    a = np.asarray(input)
    lead = len(shape) - a.ndim
    if lead < 0:
        raise RuntimeError(
            f"expand({_describe(a)}, size={list(shape)}): the number of sizes provided ({len(shape)}) must be greater or "
            f"equal to the number of dimensions in the tensor ({a.ndim})"
        )
    strides = []
    full = []
    for i, n in enumerate(shape):
        if i < lead:
            if n < 0:
                raise RuntimeError(
                    f"The expanded size of the tensor ({n}) isn't allowed in a leading, non-existing dimension {i}"
                )
            stride = 0
        else:
            have = a.shape[i - lead]
            if n == -1 or n == have:
                n, stride = have, a.strides[i - lead]
            elif have == 1:
                stride = 0
            else:
                raise RuntimeError(
                    f"The expanded size of the tensor ({n}) must match the existing size ({have}) at non-singleton "
                    f"dimension {i}.  Target sizes: {list(shape)}.  Tensor sizes: {list(a.shape)}"
                )
        full.append(n)
        strides.append(stride)
    return strided(a, full, strides)


def _describe(a: Any) -> str:
    return f"torch.{dtypes.of(a.dtype).tensor_type}Tensor{{{list(a.shape)}}}"


@linear("sum_to_shape", input=lambda g, input_shape: expand(g, input_shape), method=False)
def sum_to_shape(input: Array, shape: Any) -> Any:
    """Sum down to a shape that broadcasts to the input's."""
    from ..core.fitting import sum_to

    return sum_to(np.asarray(input), tuple(shape))


@composite("sum_to_size")
def sum_to_size(input: Any, *size: Any) -> Any:
    """Sum down to a size that can be expanded to the input's."""
    want, have = shape_argument(size), tuple(input.shape)
    lead = len(have) - len(want)
    if lead < 0 or any(n not in (1, m) for n, m in zip(want, have[lead:], strict=True)):
        raise RuntimeError(f"size {{{list(want)}}} is not expandable to size {{{list(have)}}}.")
    return sum_to_shape(input, want)


@composite("broadcast_to")
def broadcast_to(input: Any, size: Any) -> Any:
    """`input` expanded to `size`."""
    return expand(input, tuple(size))


def expand_as(input: Any, other: Any) -> Any:
    """`input` expanded to the shape of `other`."""
    return expand(input, tuple(other.shape))


# -- dimensions added, removed and reordered -------------------------------------------------------------------


@linear("unsqueeze_dims", input=lambda g, input_shape: reshape(g, input_shape), method=False, view=True)
def unsqueeze_dims(input: Array, dims: Any) -> Any:
    """Put dimensions of size 1 back where they are in the result."""
    return np.expand_dims(input, dims)


@linear("unsqueeze", input=lambda g, dim: squeeze_dim(g, dim if dim >= 0 else dim + len(g.shape)), view=True)
def unsqueeze(input: Array, dim: int) -> Any:
    """A view with a dimension of size 1 put in at `dim`."""
    d = wrap_dim(dim, input.ndim + 1)
    return input[(slice(None),) * d + (None,)]


@linear(
    "squeeze_all",
    input=lambda g, input_shape: reshape(g, input_shape),
    view=True,
    node="SqueezeBackward0",
    method=False,
)
def squeeze_all(input: Array) -> Any:
    """A view without the dimensions of size 1."""
    return np.squeeze(input)


@linear(
    "squeeze_dim",
    input=lambda g, input_shape: reshape(g, input_shape),
    view=True,
    node="SqueezeBackward1",
    method=False,
)
def squeeze_dim(input: Array, dim: int) -> Any:
    """A view without dimension `dim` if that has size 1."""
    d = wrap_dim(dim, input.ndim)
    return input[(slice(None),) * d + (0,)] if input.ndim and input.shape[d] == 1 else input[...]


@linear(
    "squeeze_dims",
    input=lambda g, input_shape: reshape(g, input_shape),
    view=True,
    node="SqueezeBackward2",
    method=False,
)
def squeeze_dims(input: Array, dim: Any) -> Any:
    """A view without those of the dimensions `dim` that have size 1."""
    dims = {wrap_dim(d, input.ndim) for d in dim}
    if len(dims) < len(dim):
        raise RuntimeError("dim appears multiple times in the list of dims")
    return input.reshape(tuple(n for d, n in enumerate(input.shape) if n != 1 or d not in dims))


@composite("squeeze")
def squeeze(input: Any, dim: Any = None) -> Any:
    """A view without dimensions of size 1: all of them, or those of `dim` (an int or a tuple)."""
    if dim is None:
        return squeeze_all(input)
    return squeeze_dims(input, dim) if isinstance(dim, (tuple, list)) else squeeze_dim(input, dim)


@linear("transpose", input=lambda g, dim0, dim1: transpose(g, dim0, dim1), view=True)
def transpose(input: Array, dim0: int, dim1: int) -> Any:
    """A view with two dimensions exchanged."""
    a, b = wrap_dim(dim0, input.ndim), wrap_dim(dim1, input.ndim)
    return input.swapaxes(a, b) if input.ndim else input[...]


@linear("t", input=lambda g: t(g), view=True, node="TBackward0")
def t(input: Array) -> Any:
    """The transpose of a matrix, a view; vectors and scalars stay as they are."""
    if input.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D")
    return input.T


@linear("permute", input=lambda g, dims: permute(g, _inverse(dims)), view=True, method=False)
def permute(input: Array, dims: Any) -> Any:
    """A view with dimensions in the order `dims`."""
    if len(dims) != input.ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired "
            f"ordering of dimensions i.e. input.dim() = {input.ndim} is not equal to len(dims) = {len(dims)}"
        )
    order = tuple(wrap_dim(d, input.ndim) for d in dims)
    if len(set(order)) < len(order):
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    return input.transpose(order)


def _inverse(dims: Any) -> tuple[int, ...]:
    n = len(dims)
    inverse = [0] * n
    for i, d in enumerate(dims):
        inverse[d % n] = i
    return tuple(inverse)


@composite("movedim")
def movedim(input: Any, source: Any, destination: Any) -> Any:
    """Dimensions `source` moved to `destination`, the others in their order."""
    ndim = len(input.shape)
    sources = tuple(source) if isinstance(source, (tuple, list)) else (source,)
    targets = tuple(destination) if isinstance(destination, (tuple, list)) else (destination,)
    if len(sources) != len(targets):
        raise RuntimeError(
            f"movedim: Invalid source or destination dims: source ({list(sources)} dims) should contain the same number of "
            f"dims as destination ({list(targets)} dims)"
        )
    s, d = [wrap_dim(i, ndim) for i in sources], [wrap_dim(i, ndim) for i in targets]
    for dims, name in ((s, "source"), (d, "destination")):
        if len(set(dims)) < len(dims):
            given = list(sources if name == "source" else targets)
            raise RuntimeError(f"movedim: repeated dim in `{name}` ({given})")
    if not ndim:
        return view_as_(input)
    rest = iter(i for i in range(ndim) if i not in s)
    place = dict(zip(d, s, strict=True))
    return permute(input, tuple(place[i] if i in place else next(rest) for i in range(ndim)))


@composite("moveaxis")
def moveaxis(input: Any, source: Any, destination: Any) -> Any:
    """The same as `movedim`."""
    return movedim(input, source, destination)


@composite("swapaxes")
def swapaxes(input: Any, axis0: int, axis1: int) -> Any:
    """The same as `transpose`."""
    return transpose(input, axis0, axis1)


@composite("swapdims")
def swapdims(input: Any, dim0: int, dim1: int) -> Any:
    """The same as `transpose`."""
    return transpose(input, dim0, dim1)


# -- parts -----------------------------------------------------------------------------------------------------


@linear("select", input=lambda g, input_shape, dim, index: select_back(g, input_shape, dim, index), view=True)
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


@composite("adjoint")
def adjoint(input: Any) -> Any:
    """The last two dimensions exchanged, complex numbers conjugated."""
    ndim = len(input.shape)
    if ndim == 1:
        raise RuntimeError("tensor.adjoint() is only supported on matrices or batches of matrices. Got 1-D tensor.")
    turned = transpose(input, -2, -1) if ndim else input
    return turned.conjugate() if _complex(input) else turned


def _complex(input: Any) -> bool:
    return getattr(input, "_array", input).dtype.kind == "c"


# -- any view ------------------------------------------------------------------------------------------------------


def as_strided(input: Any, size: Any, stride: Any, storage_offset: Any = None) -> Any:
    """A view of the memory under `input`, with sizes, strides and offset counted in elements of that memory."""
    array = getattr(input, "_array", input)
    k = array.itemsize
    whole = plain(array)  # under vmap the offset is one of the first example
    own = (address(whole) - address(owner(whole))) // k
    geometry = (tuple(s // k for s in array.strides), own)
    offset = own if storage_offset is None else storage_offset
    return _as_strided(input, tuple(size), tuple(stride), offset, geometry)


@linear(
    "as_strided",
    input=lambda g, input_shape, size, stride, offset, geometry: as_strided_back(
        g, input_shape, size, stride, offset, geometry
    ),
    view=True,
    method=False,
)
def _as_strided(input: Array, size: Any, stride: Any, offset: int, geometry: Any) -> Any:
    """See `as_strided`; `geometry` is the strides and offset of `input`."""
    a = np.asarray(input)
    if len(size) != len(stride):
        raise RuntimeError("mismatch in length of strides and shape")
    if any(s < 0 for s in stride):
        raise RuntimeError(
            "as_strided: Negative strides are not supported at the moment, got strides: " + str(list(stride))
        )
    if offset < 0:
        raise RuntimeError(f"Tensor: invalid storage offset {offset}")
    memory = owner(a)
    last = offset + 1
    for n, s in zip(size, stride, strict=True):
        last += (n - 1) * s
    if 0 not in size and last > memory.size:
        raise RuntimeError(
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {offset}, and itemsize {a.itemsize} "
            f"requiring a storage size of {last * a.itemsize} are out of bounds for storage of size {memory.nbytes}"
        )
    if 0 in size:
        return a.reshape(-1)[:0].reshape(size)
    return strided(a, size, [s * a.itemsize for s in stride], (offset - geometry[1]) * a.itemsize, True)


def _storage_places(shape: Any, stride: Any, offset: int) -> Any:
    """Which element of the storage each element of a view is."""
    places: Any = np.asarray(offset)
    for n, s in zip(shape, stride, strict=True):
        places = places[..., None] + np.arange(n) * s
    return places


@linear(
    "as_strided_back",
    input=lambda g, shape, size, stride, offset, geometry: as_strided_again(g, size, stride, offset, geometry),
    method=False,
    node="AsStridedBackwardBackward0",
)
def as_strided_back(input: Array, shape: Any, size: Any, stride: Any, offset: int, geometry: Any) -> Any:
    """Add the gradient of a view up in memory, then read it where the viewed tensor lies.

    Elements of the tensor that share a place (it is an expanded one) share what arrives there.
    """
    to, at = _storage_places(size, stride, offset), _storage_places(shape, *geometry)
    memory = np.zeros(int(max(to.max(initial=0), at.max(initial=0))) + 1, input.dtype)
    add_at(memory, to, np.asarray(input))
    shares = _shares(at)
    return memory[at] if shares is None else memory[at] / shares


def _shares(places: Any) -> Any:
    """How many elements lie at the place of each, None if no two lie at the same."""
    counts = np.bincount(places.reshape(-1))
    return counts[places] if counts.max(initial=0) > 1 else None


@linear(
    "as_strided_again",
    input=lambda g, input_shape, size, stride, offset, geometry: as_strided_back(
        g, input_shape, size, stride, offset, geometry
    ),
    method=False,
    node="AsStridedBackward0",
)
def as_strided_again(input: Array, size: Any, stride: Any, offset: int, geometry: Any) -> Any:
    """The view of a tensor laid out as the viewed one was, whatever its own layout."""
    to, at = _storage_places(size, stride, offset), _storage_places(input.shape, *geometry)
    memory = np.zeros(int(max(to.max(initial=0), at.max(initial=0))) + 1, input.dtype)
    shares = _shares(at)
    if shares is None:
        memory[at] = input
    else:
        add_at(memory, at, np.asarray(input) / shares)
    return memory[to]
