"""Making tensors: from data, filled, ranges; and copies of tensors in another dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes
from ..core.device import as_device
from ..core.op import Array, elementwise, general, linear
from ..core.tensor import Tensor, wrap


def tensor(
    data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False
) -> Tensor:
    """A leaf that holds a copy of `data` (numbers, nested sequences, an ndarray or a Tensor)."""
    as_device(device)
    if isinstance(data, Tensor):
        data = data._array
    elif isinstance(data, (list, tuple)):
        data = _plain(data)
    array = np.array(data)
    if dtype is not None:
        array = array.astype(dtypes.as_dtype(dtype).np)
    elif not isinstance(data, (np.ndarray, np.generic)):
        if array.dtype.kind == "f" or array.size == 0:
            array = array.astype(dtypes.get_default_dtype().np)
        elif array.dtype.kind == "c":
            array = array.astype(dtypes.get_default_dtype().to_complex().np)
    dtypes.of(array.dtype)
    t = wrap(array)
    if requires_grad:
        t.requires_grad = True
    return t


def _plain(data: Any) -> Any:
    if isinstance(data, Tensor):
        return data._array if data._array.ndim else data._array.item()
    if isinstance(data, (list, tuple)):
        return [_plain(x) for x in data]
    return data


@linear("clone", input=lambda g: g)
def clone(input: Array, *, memory_format: Any = None) -> Any:
    """A copy; the gradient passes through."""
    return input.copy(order="K")


@linear("to_dtype", input=lambda g: g, node="ToCopyBackward0", method=False)
def to_dtype(input: Array, dtype: Any) -> Any:
    """A copy in another dtype. The engine casts the gradient back."""
    if input.dtype.kind == "c" and dtype.np.kind != "c":
        input = input.real
    return input.astype(dtype.np)


def zeros_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False, **ignored: Any) -> Tensor:
    """Zeros in the shape of `input`."""
    d = input._array.dtype if dtype is None else dtypes.as_dtype(dtype).np
    return wrap(np.zeros_like(input._array, dtype=d), requires_grad)
