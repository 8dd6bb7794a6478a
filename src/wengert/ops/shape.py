"""Shape and views: everything that rearranges elements without computing with them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.op import Array, Arrays, linear
from .shared import resolve_shape, shape_argument, wrap_dim, wrap_dims


@linear("view", input=lambda g, input_shape: reshape(g, input_shape), view=True, method=False)
def view(input: Array, shape: Any) -> Any:
    """The same memory in another shape; an error if that takes a copy."""
    return input.reshape(resolve_shape(shape, input.size))


@linear("reshape", input=lambda g, input_shape: reshape(g, input_shape), view="maybe", node="ViewBackward0", method=False)
def reshape(input: Array, shape: Any) -> Any:
    """Another shape, a view where possible."""
    return input.reshape(resolve_shape(shape, input.size))


@linear("expand", input=lambda g, input_shape: sum_to_shape(g, input_shape), view=True, method=False)
def expand(input: Array, shape: Any) -> Any:
    """A view in which dimensions of size 1 (and new ones in front) repeat. -1 keeps a size."""
    lead = len(shape) - np.ndim(input)
    full = tuple(np.shape(input)[i - lead] if n == -1 else n for i, n in enumerate(shape))
    return np.lib.stride_tricks.as_strided(*_expanded(np.asarray(input), full))


def _expanded(a: Any, shape: tuple[int, ...]) -> tuple[Any, tuple[int, ...], tuple[int, ...]]:
    lead = len(shape) - a.ndim
    strides = [0] * lead
    for i, n in enumerate(shape[lead:]):
        if a.shape[i] == n:
            strides.append(a.strides[i])
        elif a.shape[i] == 1:
            strides.append(0)
        else:
            raise RuntimeError(
                f"The expanded size of the tensor ({n}) must match the existing size ({a.shape[i]}) at non-singleton "
                f"dimension {i + lead}.  Target sizes: {list(shape)}.  Tensor sizes: {list(a.shape)}"
            )
    return a, shape, tuple(strides)


@linear("sum_to_shape", input=lambda g, input_shape: expand(g, input_shape), method=False)
def sum_to_shape(input: Array, shape: Any) -> Any:
    """Sum down to a shape that broadcasts to the input's."""
    from ..core.backward import sum_to

    return sum_to(np.asarray(input), tuple(shape))


@linear("unsqueeze_dims", input=lambda g, input_shape: reshape(g, input_shape), method=False, view=True)
def unsqueeze_dims(input: Array, dims: Any) -> Any:
    """Put dimensions of size 1 back where they are in the result."""
    return np.expand_dims(input, dims)


@linear("view_as", input=lambda g: g, view=True, node="ViewBackward0", method=False)
def view_as_(input: Array) -> Any:
    """A fresh view of the same tensor."""
    return input[...]


def view_as(input: Any, other: Any) -> Any:
    """`input` in the shape of `other`."""
    return view_as_(input) if input.shape == other.shape else view(input, tuple(other.shape))


@linear("stack", tensors=lambda g, dim, tensors_shape: unbind(g, dim))
def stack(tensors: Arrays, dim: int = 0) -> Any:
    """Join along a new dimension."""
    return np.stack(tensors, axis=wrap_dim(dim, tensors[0].ndim + 1))


def unbind(input: Any, dim: int = 0) -> Any:
    """The slices along `dim`, as a tuple."""
    d = wrap_dim(dim, len(input.shape))
    return tuple(select(input, d, i) for i in range(input.shape[d]))


@linear("select", input=lambda g, input_shape, dim, index: select_back(g, input_shape, dim, index), view=True)
def select(input: Array, dim: int, index: int) -> Any:
    """The slice `index` along `dim`, a view without that dimension."""
    return input[(slice(None),) * wrap_dim(dim, input.ndim) + (index,)]


@linear("select_back", input=lambda g, dim, index: select(g, dim, index), method=False)
def select_back(input: Array, shape: Any, dim: int, index: int) -> Any:
    """Zeros of `shape` with `input` as the slice `index` along `dim`."""
    result = np.zeros(shape, input.dtype)
    result[(slice(None),) * wrap_dim(dim, len(shape)) + (index,)] = input
    return result


_ = (shape_argument, wrap_dims)
