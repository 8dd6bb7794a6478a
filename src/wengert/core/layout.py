"""`layout` and `memory_format`: names that PyTorch code passes around. There is one layout, strided.

The names of the sparse ones are there to be compared with; asking for one is an error."""

from __future__ import annotations

from typing import Any

import numpy as np


class layout:
    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"


class memory_format(layout):
    """How a dense tensor's dimensions are ordered in memory."""


strided = layout("strided")
sparse_coo = layout("sparse_coo")
sparse_csr = layout("sparse_csr")
sparse_csc = layout("sparse_csc")
sparse_bsr = layout("sparse_bsr")
sparse_bsc = layout("sparse_bsc")
jagged = layout("jagged")
contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")

_LAST = {"channels_last": 4, "channels_last_3d": 5}  # formats with the channels, dimension 1, innermost; their ranks


def _channels_last(array: Any, name: str) -> Any:
    """A view with dimension 1 moved to the end."""
    if array.ndim != _LAST[name]:
        raise RuntimeError(f"required rank {_LAST[name]} tensor to use {name} format")
    return np.moveaxis(array, 1, -1)


def lies_in(array: Any, format: memory_format | None) -> bool:
    """Are the elements in this order in memory, without gaps?"""
    if format is None or format.name not in _LAST:
        return array.c_contiguous if hasattr(array, "batch_size") else array.flags.c_contiguous
    name = format.name
    if hasattr(array, "batch_size"):
        raise RuntimeError(
            "NYI: querying is_contiguous inside of vmap for memory_format other than torch.contiguous_format"
        )
    return array.ndim == _LAST[name] and np.moveaxis(array, 1, -1).flags.c_contiguous


def copied(array: Any, format: memory_format | None) -> Any:
    """A copy in this order; without one, in the order that the array has."""
    name = "preserve_format" if format is None else format.name
    if name in _LAST:
        return np.moveaxis(_channels_last(array, name).copy(order="C"), -1, 1)
    return array.copy(order="C" if name == "contiguous_format" else "K")


def made(make: Any, shape: tuple[int, ...], format: memory_format | None) -> Any:
    """`make(shape)` with the elements in this order."""
    if format is None or format.name not in _LAST:
        return make(shape)
    if len(shape) != _LAST[format.name]:
        raise RuntimeError(f"required rank {_LAST[format.name]} tensor to use {format.name} format")
    return np.moveaxis(make((shape[0], *shape[2:], shape[1])), -1, 1)
