"""Taking a tensor apart along a dimension: `split`, `chunk`, `unbind`, `tensor_split` and their kin. Joining is in `joining`."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.op import Array, composite, linear
from .parts import slice_
from .shared import wrap_dim

__all__ = [
    "chunk", "dsplit", "hsplit", "split", "split_with_sizes", "tensor_split", "unbind", "unsafe_chunk", "unsafe_split",
    "unsafe_split_with_sizes", "vsplit",
]  # fmt: skip


# -- taking apart ----------------------------------------------------------------------------------------------


@linear(
    "unbind",
    outputs="parts...",
    input=lambda g, dim: stack(g, dim),
    view=True,
    multi_view=True,
)
def unbind(input: Array, dim: int = 0) -> Any:
    """The slices along `dim`, as a tuple of views."""
    if not input.ndim:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    lead = (slice(None),) * wrap_dim(dim, input.ndim)
    return tuple(input[(*lead, i, ...)] for i in range(input.shape[len(lead)]))


def _cut(name: str, node: str, view: bool = True) -> Any:
    def forward(input: Array, sizes: Any, dim: int) -> Any:
        """Parts of the given sizes along `dim`, as a tuple of views."""
        lead = (slice(None),) * dim
        parts, start = [], 0
        for n in sizes:
            part = input[(*lead, slice(start, start + n))]
            parts.append(part if view else part.copy())
            start += n
        return tuple(parts)

    return linear(
        name,
        forward,
        outputs="parts...",
        input=lambda g, dim: cat(g, dim),
        view=view,
        multi_view=view,
        method=False,
        node=node,
    )


_split = _cut("split", "SplitBackward0")


_split_sizes = _cut("split_with_sizes", "SplitWithSizesBackward0")


_parted = _cut("unsafe_split", "UnsafeSplitBackward0", view=False)


_parted_sizes = _cut("unsafe_split_with_sizes", "UnsafeSplitWithSizesBackward0", view=False)


def split(tensor: Any, split_size_or_sections: Any, dim: int = 0) -> Any:
    """Parts of a given size (the last may be smaller), or of the sizes in a list: views."""
    if isinstance(split_size_or_sections, (list, tuple)):
        return split_with_sizes(tensor, split_size_or_sections, dim)
    return _split(tensor, *_equal(tensor, split_size_or_sections, dim))


def _equal(tensor: Any, split_size: Any, dim: int) -> tuple[tuple[int, ...], int]:
    """The sizes of parts of one size, and the dimension."""
    size = split_size.__index__()
    shape = tuple(tensor.shape)
    if not shape:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    if size < 0:
        raise RuntimeError(f"split expects split_size be non-negative, but got split_size={size}")
    d = wrap_dim(dim, len(shape))
    n = shape[d]
    if size == 0:
        if n:
            raise RuntimeError(f"split_size can only be 0 if dimension size is 0, but got dimension size of {n}")
        return (0,), d
    count = max(-(-n // size), 1)
    return (*(size,) * (count - 1), n - size * (count - 1)), d


def split_with_sizes(input: Any, split_sizes: Any, dim: int = 0) -> Any:
    """Parts of the given sizes: views."""
    return _split_sizes(input, *_checked(input, split_sizes, dim))


def _checked(input: Any, split_sizes: Any, dim: int) -> tuple[tuple[int, ...], int]:
    """The sizes that were asked for, and the dimension."""
    shape = tuple(input.shape)
    if not shape:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    d = wrap_dim(dim, len(shape))
    sizes = tuple(n.__index__() for n in split_sizes)
    if any(n < 0 for n in sizes):
        raise RuntimeError(
            f"split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes={list(sizes)}"
        )
    total = 0
    for n in sizes:
        total += n
    if total != shape[d]:
        raise RuntimeError(
            f"split_with_sizes expects split_sizes to sum exactly to {shape[d]} (input tensor's size at dimension {d}), but "
            f"got split_sizes={list(sizes)}"
        )
    return sizes, d


@composite("chunk")
def chunk(input: Any, chunks: int, dim: int = 0) -> Any:
    """At most `chunks` parts of equal size (the last may be smaller): views."""
    return _split(input, *_chunks(input, chunks, dim))


def _chunks(input: Any, chunks: int, dim: int) -> tuple[tuple[int, ...], int]:
    """The sizes of so many parts, and the dimension."""
    shape = tuple(input.shape)
    if not shape:
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    d = wrap_dim(dim, len(shape))
    size = -(-shape[d] // chunks)
    if not size:
        return (0,) * chunks, d
    return _equal(input, size, d)


def unsafe_split(input: Any, split_size: int, dim: int = 0) -> Any:
    """`split`, but copies: they may be changed in place."""
    return _parted(input, *_equal(input, split_size, dim))


def unsafe_split_with_sizes(input: Any, split_sizes: Any, dim: int = 0) -> Any:
    """`split_with_sizes`, but copies: they may be changed in place."""
    return _parted_sizes(input, *_checked(input, split_sizes, dim))


@composite("unsafe_chunk")
def unsafe_chunk(input: Any, chunks: int, dim: int = 0) -> Any:
    """`chunk`, but copies: they may be changed in place."""
    return _parted(input, *_chunks(input, chunks, dim))


def _where(name: str, positional: Any, named: dict[str, Any]) -> Any:
    """The places to split at, or the number of parts: by position, or under one of PyTorch's names."""
    given = [v for v in (positional, *(named.pop(k, None) for k in _WHERE)) if v is not None]
    if len(given) != 1 or named:
        found = ", ".join([type(v).__name__ for v in given] + [f"{k}={type(v).__name__}" for k, v in named.items()])
        raise TypeError(f"{name}() received an invalid combination of arguments - got (Tensor, {found})")
    return given[0]


_WHERE = ("sections", "indices", "indices_or_sections", "tensor_indices_or_sections")


@composite("tensor_split")
def tensor_split(input: Any, indices_or_sections: Any = None, dim: int = 0, **named: Any) -> Any:
    """Split into a number of parts (which may differ by one in size), or before the given indices."""
    dim = named.pop("axis", dim)
    where = _where("tensor_split", indices_or_sections, named)
    shape = tuple(input.shape)
    if not shape:
        raise RuntimeError("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims")
    d = wrap_dim(dim, len(shape))
    n = shape[d]
    if hasattr(where, "tolist"):
        if where.ndim > 1:
            raise RuntimeError(
                "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or one-dimensional tensor, but "
                f"got a tensor with {where.ndim} dims"
            )
        array = getattr(where, "_array", where)
        if array.dtype != np.int64:
            raise RuntimeError(
                "tensor_split expected tensor_indices_or_sections to have dtype of long, but got "
                f"{dtypes.of(array.dtype).tensor_type}"
            )
        where = where.tolist()
    if isinstance(where, (list, tuple)):
        edges = [0, *(min(max(i if i >= 0 else i + n, 0), n) for i in where), n]
        return tuple(slice_(input, d, a, max(a, b), 1) for a, b in itertools.pairwise(edges))
    if where <= 0:
        raise RuntimeError(f"number of sections must be larger than 0, got {where}")
    small, larger = divmod(n, where)
    starts = [i * small + min(i, larger) for i in range(where + 1)]
    return tuple(slice_(input, d, a, b, 1) for a, b in itertools.pairwise(starts))


def _axis_split(name: str, least: int, axis: int, input: Any, where: Any) -> Any:
    shape = tuple(input.shape)
    if len(shape) < least:
        raise RuntimeError(
            f"torch.{name} requires a tensor with at least {least} dimension, but got a tensor "
            f"with {len(shape)} dimensions!"
        )
    if isinstance(where, str):
        raise TypeError(
            f"{name}() received an invalid combination of arguments. Expected the sections as an int or the indices as a "
            "tuple of ints"
        )
    if isinstance(where, int) and (where <= 0 or shape[axis] % where):
        raise RuntimeError(
            f"torch.{name} attempted to split along dimension {axis}, but the size of the dimension {shape[axis]} is not "
            f"divisible by the split_size {where}!"
        )
    return tensor_split(input, where, axis)


def hsplit(input: Any, indices_or_sections: Any = None, **named: Any) -> Any:
    """Split along the second dimension; a vector along its only one."""
    return _axis_split(
        "hsplit", 1, 0 if len(input.shape) == 1 else 1, input, _where("hsplit", indices_or_sections, named)
    )


def vsplit(input: Any, indices_or_sections: Any = None, **named: Any) -> Any:
    """Split along the first dimension."""
    return _axis_split("vsplit", 2, 0, input, _where("vsplit", indices_or_sections, named))


def dsplit(input: Any, indices_or_sections: Any = None, **named: Any) -> Any:
    """Split along the third dimension."""
    return _axis_split("dsplit", 3, 2, input, _where("dsplit", indices_or_sections, named))


from .joining import cat, stack  # noqa: E402  (the tables use each other: whatever is named in a rule may be stated later)
