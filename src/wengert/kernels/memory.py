"""Arrays over memory that exists already: strided views, and which memory an array lies in."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


def strided(a: Any, shape: Any, strides: Any, offset: int = 0, beyond: bool = False) -> Any:
    """A view of the memory of `a`: `strides` in bytes, from `offset` bytes after its first element.

    `beyond`: it may show elements of that memory which `a` does not.

    What `np.lib.stride_tricks.as_strided` does, several times faster, and `.base` stays an array.
    """
    memory = a
    if not a.flags.c_contiguous or offset or beyond:
        memory = owner(a)
        offset += address(a) - address(memory)
        if not memory.flags.c_contiguous:
            memory = memory.T
    if memory.size and memory.flags.c_contiguous:
        return np.ndarray(shape, a.dtype, memory, offset, strides)
    return np.lib.stride_tricks.as_strided(a, shape, strides)


def owner(a: Any) -> Any:
    """The array at the end of the chain of bases: what PyTorch calls the storage."""
    while isinstance(a.base, np.ndarray):
        a = a.base
    return a


def address(a: Any) -> int:
    """Where the first element lies."""
    return a.__array_interface__["data"][0]


class Lying(NamedTuple):
    """How an array lies in its memory, counted in elements: strides, offset, and how large the memory is."""

    strides: tuple[int, ...]
    offset: int
    room: int


def lying(a: Any) -> Lying:
    """How `a` lies."""
    k, memory = a.itemsize, owner(a)
    offset = (address(a) - address(memory)) // k if a.size else 0
    return Lying(tuple(s // k for s in a.strides), offset, memory.nbytes // k)


def zeros_lying(batch: tuple[int, ...], shape: tuple[int, ...], how: Lying, dtype: Any) -> Any:
    """Zeros that lie thus in memory of their own; for each of a batch, whose dimensions come first."""
    memory = np.zeros((*batch, how.room), dtype)
    if not memory.size or 0 in shape:
        return memory.reshape(-1)[:0].reshape((*batch, *shape))
    k = memory.itemsize
    strides = (*memory.strides[:-1], *(s * k for s in how.strides))
    return np.ndarray((*batch, *shape), memory.dtype, memory, how.offset * k, strides)


def lie_alike(a: Any, b: Any) -> bool:
    """Have two arrays of one shape the same strides, where strides matter, and the same place in memory as large?"""
    if a.strides != b.strides and not alike_strides(a, b):
        return False
    if a.base is None and b.base is None:
        return True
    one, other = owner(a), owner(b)
    return one.nbytes == other.nbytes and (not a.size or address(a) - address(one) == address(b) - address(other))


def alike_strides(a: Any, b: Any) -> bool:
    """Have two arrays of one shape the same strides, where strides matter?"""
    return not a.size or all(s == t or n == 1 for n, s, t in zip(a.shape, a.strides, b.strides, strict=True))
