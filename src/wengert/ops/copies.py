"""The views as copies: `view_copy`, `transpose_copy` ..., copies that lie as told, writing a strided view's place into a copy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.batched import SELF, Batched, layered, layers
from ..core.op import Array, composite, linear
from ..kernels.memory import Lying, zeros_lying
from . import complex, parts, shape, splitting, strided
from .assigning import put_at
from .conversion import clone
from .shared import shape_argument

__all__ = ["as_strided_scatter"]


def _copied(name: str, view: Any, method: bool = False) -> None:
    """State `name`: the result of `view` in new memory."""

    def copied(*args: Any, **kwargs: Any) -> Any:
        found = view(*args, **kwargs)
        return tuple(clone(x) for x in found) if isinstance(found, tuple) else clone(found)

    copied.__name__ = copied.__qualname__ = name
    copied.__doc__ = f"`{name.removesuffix('_copy')}`, in new memory."
    __all__.append(name)
    globals()[name] = composite(name, out=True, method=method)(copied)


def _view(input: Any, size: Any = None, dtype: Any = None) -> Any:
    """`view` of a size or of a dtype."""
    if dtype is None and not isinstance(size, (tuple, list, int)):
        dtype = size
    return shape.view_dtype(input, dtype) if dtype is not None else shape.view(input, shape_argument((size,)))


def _expand(input: Any, size: Any, *, implicit: bool = False) -> Any:
    return shape.expand(input, tuple(size))


def _unbind(input: Any, dim: int = 0) -> Any:
    return splitting.unbind(input, dim)


def _narrow(input: Any, dim: int, start: Any, length: int) -> Any:
    if input.shape and dim >= len(input.shape):
        raise RuntimeError("Expected dim < static_cast<int64_t>(self_sizes.size()) to be true, but got false.")
    if input.shape and length < 0:
        n = input.shape[dim]
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({n}).")
    return parts.narrow(input, dim, start, length)


@linear("lie_thus", input=lambda g: g, method=False, batch=SELF, node="CopyBackwards")
def lie_thus(input: Array, strides: Any, offset: int, room: int) -> Any:
    """A copy that lies in its memory as is said: a tangent lies as its primal does."""
    levels, array = layers(input)
    n = len(levels)
    result = zeros_lying(array.shape[:n], array.shape[n:], Lying(strides, offset, room), array.dtype)
    result[...] = array
    return layered(levels, result)


_copied("alias_copy", shape.alias)
_copied("as_strided_copy", strided.as_strided)
_copied("detach_copy", lambda input: input.detach())
_copied("expand_copy", _expand)
_copied("narrow_copy", _narrow, method=True)
_copied("permute_copy", shape.permute)
_copied("select_copy", parts.select)
_copied("slice_copy", parts.slice_)
_copied("split_copy", splitting.split)
_copied("split_with_sizes_copy", splitting.split_with_sizes)
_copied("squeeze_copy", shape.squeeze)
_copied("t_copy", shape.t)
_copied("transpose_copy", shape.transpose)
_copied("unbind_copy", _unbind)
_copied("unfold_copy", parts.unfold)
_copied("unsqueeze_copy", shape.unsqueeze)
_copied("view_as_complex_copy", complex.view_as_complex)
_copied("view_as_real_copy", complex.view_as_real)
_copied("view_copy", _view)
from .arranging import diagonal_copy as diagonal_copy  # noqa: E402  (`diag` needs it there)

__all__.append("diagonal_copy")


@composite("as_strided_scatter", out=True)
def as_strided_scatter(input: Any, src: Any, size: Any, stride: Any, storage_offset: Any = None) -> Any:
    """A copy of `input` in which the elements that `as_strided` would view are those of `src`."""
    if any(getattr(x, "_array", x).__class__ is Batched for x in (input, src)):
        raise RuntimeError(
            "Error: aten::as_strided_scatter requires special handling, and does not yet have a batching rule. Write to "
            "x.clone().as_strided(...) instead."
        )
    part = strided.as_strided(input.detach(), size, stride, storage_offset)  # its checks are ours
    if tuple(part.shape) != tuple(src.shape):
        raise RuntimeError(
            f"expected src to have a size equal to the slice of self. src size = {list(src.shape)}, slice size = "
            f"{list(part.shape)}"
        )
    offset = input.storage_offset() if storage_offset is None else storage_offset
    wanted = strided.storage_places(tuple(size), tuple(stride), offset)
    have = strided.storage_places(tuple(input.shape), input.stride(), input.storage_offset())
    order = np.full(max(int(wanted.max(initial=0)), int(have.max(initial=0))) + 1, -1, np.int64)
    order[have] = np.arange(math.prod(input.shape)).reshape(have.shape)
    places = order[wanted]
    if (places < 0).any():
        raise NotImplementedError(
            "as_strided_scatter() into memory that `input` itself does not cover: use a contiguous input"
        )
    return put_at(input, src, places)
