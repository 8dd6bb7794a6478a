"""What a Tensor answers about its array: shape, dtype, device, and where its elements lie. Nothing here changes anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import dtypes
from .device import CPU
from .layout import lies_in
from .size import Size

if TYPE_CHECKING:
    from .tensor import Tensor, TensorExtra


class Geometry:
    """The part of Tensor that looks at its array."""

    __slots__ = ()

    _array: Any
    _extra: TensorExtra | None

    @property
    def shape(self) -> Any:
        return Size(self._array.shape)

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of dimension `dim`."""
        if dim is None:
            return Size(self._array.shape)
        from ..ops.shared import wrap_dim

        return self._array.shape[wrap_dim(dim, self._array.ndim)]

    @property
    def ndim(self) -> int:
        return self._array.ndim

    def dim(self) -> int:
        return self._array.ndim

    ndimension = dim

    def numel(self) -> int:
        return self._array.size

    nelement = numel

    @property
    def dtype(self) -> dtypes.dtype:
        return dtypes.of(self._array.dtype)

    @property
    def device(self) -> Any:
        return CPU

    @property
    def layout(self) -> Any:
        from .layout import strided

        return strided

    @property
    def is_cuda(self) -> bool:
        return False

    @property
    def is_sparse(self) -> bool:
        return False

    @property
    def is_quantized(self) -> bool:
        return False

    @property
    def is_meta(self) -> bool:
        return False

    @property
    def is_nested(self) -> bool:
        return False

    @property
    def itemsize(self) -> int:
        return self._array.itemsize

    def element_size(self) -> int:
        return self._array.itemsize

    @property
    def nbytes(self) -> int:
        return self._array.nbytes

    def stride(self, dim: int | None = None) -> Any:
        """Steps between neighbours, in elements (NumPy counts bytes)."""
        array = self._array
        strides = tuple(s // array.itemsize for s in array.strides)
        if 0 in strides:
            strides = _torch_strides(array, strides)
        return strides if dim is None else strides[dim]

    def storage_offset(self) -> int:
        base = self._array
        while isinstance(base.base, np.ndarray):
            base = base.base
        start = base.__array_interface__["data"][0]
        return (self._array.__array_interface__["data"][0] - start) // max(self._array.itemsize, 1)

    def data_ptr(self) -> int:
        return self._array.__array_interface__["data"][0]

    def get_device(self) -> int:
        return -1

    def is_floating_point(self) -> bool:
        return self._array.dtype.kind in "fV"

    def is_complex(self) -> bool:
        return self._array.dtype.kind == "c"

    def is_signed(self) -> bool:
        return self._array.dtype.kind not in "bu"

    def is_conj(self) -> bool:
        return False

    def is_neg(self) -> bool:
        return False

    def is_inference(self) -> bool:
        return self._extra is not None and self._extra.inference

    def is_contiguous(self, memory_format: Any = None) -> bool:
        """Are the elements in row-major order (or in that of `memory_format`) without gaps?"""
        return lies_in(self._array, memory_format)

    def is_same_size(self, other: Tensor) -> bool:
        return self._array.shape == other._array.shape


def _torch_strides(array: Any, strides: tuple[int, ...]) -> tuple[int, ...]:
    """NumPy gives a dimension of size 1 that was put in stride 0, PyTorch what a neighbour there would need.

    An array without elements has no strides that matter; PyTorch's are those of a contiguous tensor.
    """
    found = list(strides)
    if not array.size:
        step = 1
        for d in range(array.ndim - 1, -1, -1):
            found[d] = step
            step *= max(array.shape[d], 1)
        return tuple(found)
    for d in range(array.ndim - 1, -1, -1):
        if found[d] == 0 and array.shape[d] == 1:
            found[d] = found[d + 1] * array.shape[d + 1] if d + 1 < array.ndim else 1
    return tuple(found)
