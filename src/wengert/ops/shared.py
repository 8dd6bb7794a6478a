"""What several tables need: dimensions, shapes, and PyTorch's errors about them. No operation is stated here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import dtypes
from ..kernels.scatter import inside as inside


def wrap_dim(dim: Any, ndim: int) -> int:
    """A dimension as a number in 0 .. ndim-1. IndexError, in PyTorch's words, if there is none such."""
    if dim.__class__ is int and 0 <= dim < ndim:
        return dim
    if not isinstance(dim, (int, np.integer)):
        if hasattr(dim, "__index__"):
            dim = dim.__index__()
        else:
            raise TypeError(f"argument 'dim' must be int, not {type(dim).__name__}")
    n = max(ndim, 1)
    if not -n <= dim < n:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})")
    return int(dim % n)


def wrap_dims(dim: Any, ndim: int) -> tuple[int, ...] | None:
    """One or several dimensions as a tuple; None for None. RuntimeError for one that appears twice."""
    if dim is None:
        return None
    if dim.__class__ is int:
        return (wrap_dim(dim, ndim),)
    if dim.__class__ is tuple and len(dim) == 1:
        return (wrap_dim(dim[0], ndim),)
    dims = tuple(wrap_dim(d, ndim) for d in (dim if isinstance(dim, (tuple, list)) else (dim,)))
    for i, d in enumerate(dims):
        if d in dims[:i]:
            raise RuntimeError(f"dim {d} appears multiple times in the list of dims")
    return dims


def axes_of(dim: Any, ndim: int) -> tuple[int, ...] | None:
    """`dim` as NumPy's `axis`: None for all; a 0-dim array has no axes."""
    dims = wrap_dims(dim, ndim)
    if dims is None or ndim == 0:
        return None
    return dims


def shape_argument(shape: tuple[Any, ...]) -> tuple[int, ...]:
    """`f(2, 3)` and `f((2, 3))` mean the same."""
    if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = tuple(shape[0])
    return tuple(int(n) for n in shape)


def resolve_shape(shape: Sequence[Any], size: int) -> tuple[int, ...]:
    """A target shape with its -1 filled in. RuntimeError, in PyTorch's words, if the element counts differ."""
    if shape.__class__ is tuple:
        known = 1
        for n in shape:
            known = known * n if n.__class__ is int and n > 0 else -1
        if known == size:
            return shape
    shape = tuple(int(n) for n in shape)
    unknown = [i for i, n in enumerate(shape) if n == -1]
    if len(unknown) > 1:
        raise RuntimeError("only one dimension can be inferred")
    for n in shape:
        if n < -1:
            raise RuntimeError(f"invalid shape dimension {n}")
    known = 1
    for n in shape:
        if n != -1:
            known *= n
    if unknown:
        if known == 0:
            if size == 0:
                raise RuntimeError(
                    f"cannot reshape tensor of 0 elements into shape {list(shape)} because the unspecified dimension "
                    "size -1 can be any value and is ambiguous"
                )
            raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {size}")
        if size % known:
            raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {size}")
        return tuple(size // known if n == -1 else n for n in shape)
    if known != size:
        raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {size}")
    return shape


def integers(value: Any, function: str, name: str, position: int) -> tuple[int, ...]:
    """An int, or a sequence of them, as a tuple. TypeError, in PyTorch's words, for anything else."""
    if isinstance(value, (int, np.integer)):
        return (int(value),)
    if isinstance(value, (tuple, list)):
        for i, v in enumerate(value):
            if not hasattr(v, "__index__"):
                raise TypeError(
                    f"{function}(): argument '{name}' (position {position}) must be tuple of ints, but found element of "
                    f"type {type(v).__name__} at pos {i}"
                )
        return tuple(v.__index__() for v in value)
    if hasattr(value, "__index__"):
        return (value.__index__(),)
    raise TypeError(
        f"{function}(): argument '{name}' (position {position}) must be tuple of ints, not {type(value).__name__}"
    )


# -- index tensors ---------------------------------------------------------------------------------------------


def dtype_word(a: Any) -> str:
    """The dtype of an array as PyTorch's messages have it: `Float`."""
    return dtypes.of(a.dtype).tensor_type


def _first_outside(index: Any, n: int) -> int:
    return int(index[(index < 0) | (index >= n)].flat[0])


def bounds(index: Any, n: int, dim: int, error: type[Exception] = RuntimeError, name: str = "") -> None:
    """Raise unless every index is inside."""
    if not inside(index, n):
        raise error(f"{name}index {_first_outside(index, n)} is out of bounds for dimension {dim} with size {n}")


def lifted(*arrays: Any) -> tuple[Any, ...]:
    """0-dim arrays as vectors: a scalar is indexed as a vector of one element."""
    return tuple(np.asarray(a).reshape(1) if np.ndim(a) == 0 else a for a in arrays)
