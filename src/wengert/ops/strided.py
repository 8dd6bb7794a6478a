"""`as_strided`: any view at all, and the transposes that scatter a gradient back over places that may repeat."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.batched import plain
from ..core.op import Array, linear
from ..kernels.memory import address, owner, strided
from ..kernels.scatter import add_at

__all__ = ["as_strided"]


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


def storage_places(shape: Any, stride: Any, offset: int) -> Any:
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
    to, at = storage_places(size, stride, offset), storage_places(shape, *geometry)
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
    to, at = storage_places(size, stride, offset), storage_places(input.shape, *geometry)
    memory = np.zeros(int(max(to.max(initial=0), at.max(initial=0))) + 1, input.dtype)
    shares = _shares(at)
    if shares is None:
        memory[at] = input
    else:
        add_at(memory, at, np.asarray(input) / shares)
    return memory[to]
