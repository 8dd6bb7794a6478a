"""Shapes and views: operations whose result is the argument's own memory, seen differently.

Lives here: views, and the transposes of those (`*_back`) that scatter a gradient back. What joins tensors is in
`joining`, what rearranges elements into new memory in `arranging`, `x[...]` in `indexing`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes
from ..core.op import Array, composite, linear
from ..kernels.memory import address, owner, strided
from .shared import resolve_shape, shape_argument, wrap_dim

__all__ = [
    "adjoint", "broadcast_to", "expand_as", "flatten", "movedim", "moveaxis", "permute", "ravel", "reshape", "squeeze",
    "swapaxes", "sum_to_size", "swapdims", "t", "transpose", "unflatten", "unsqueeze", "view_as",
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
