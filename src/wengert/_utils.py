"""`torch._utils`: the helpers that libraries and tests take from PyTorch's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .core.dtypes import dtype
from .core.tensor import Tensor


def _element_size(dtype: dtype) -> int:
    """Bytes of one element."""
    return dtype.itemsize


def _flatten_dense_tensors(tensors: Iterable[Tensor]) -> Tensor:
    """All of them, one after another, as one tensor of one dimension."""
    from .ops.joining import cat

    found = [t.contiguous().view(-1) for t in tensors]
    return found[0] if len(found) == 1 else cat(found)


def _unflatten_dense_tensors(flat: Tensor, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The parts of what `_flatten_dense_tensors` made, views in the shapes of `tensors`."""
    parts = flat.split([t.numel() for t in tensors])
    return tuple(part.view(t.shape) for part, t in zip(parts, tensors, strict=True))


def _get_device_index(device: Any, optional: bool = False, allow_cpu: bool = False) -> int:
    """The number of a device; the CPU has none, -1 with `allow_cpu`. ValueError otherwise."""
    if allow_cpu:
        return -1
    raise ValueError(f"Expected a torch.device with a specified index or an integer, but got: {device}")
