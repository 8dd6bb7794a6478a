"""The memory under a tensor as an object: `t.untyped_storage()` in bytes, `t.storage()` in numbers. Computes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from . import dtypes


class UntypedStorage:
    """The bytes of the memory that a tensor, and every view of it, lies in."""

    def __init__(self, array: Any) -> None:
        while isinstance(array.base, np.ndarray):
            array = array.base
        self._owner = array

    @property
    def _numbers(self) -> Any:
        """The memory as a vector, in the order in which it lies."""
        return self._owner.reshape(-1, order="A").view(np.uint8)

    def nbytes(self) -> int:
        return self._owner.nbytes

    def __len__(self) -> int:
        return len(self._numbers)

    size = __len__

    def data_ptr(self) -> int:
        return self._owner.__array_interface__["data"][0]

    def element_size(self) -> int:
        return 1

    @property
    def device(self) -> Any:
        from .device import CPU

        return CPU

    is_cuda = False

    def is_shared(self) -> bool:
        return False

    def is_pinned(self) -> bool:
        return False

    def cpu(self) -> UntypedStorage:
        return self

    def tolist(self) -> list[Any]:
        return self._numbers.tolist()

    def __getitem__(self, index: Any) -> Any:
        found = self._numbers[index]
        return found.item() if isinstance(found, np.generic) else type(self)(found)

    def __setitem__(self, index: Any, value: Any) -> None:
        self._numbers[index] = value

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UntypedStorage) and self.data_ptr() == other.data_ptr()

    def __hash__(self) -> int:
        return hash(self.data_ptr())

    def __repr__(self) -> str:
        lines = "".join(f" {x}\n" for x in self.tolist())
        return f"{lines}[torch.storage.{type(self).__name__}(device=cpu) of size {len(self)}]"


class TypedStorage(UntypedStorage):
    """The same memory, counted in numbers of one dtype."""

    @property
    def _numbers(self) -> Any:
        return self._owner.reshape(-1, order="A")

    @property
    def dtype(self) -> dtypes.dtype:
        return dtypes.of(self._owner.dtype)

    def element_size(self) -> int:
        return self._owner.itemsize

    def untyped(self) -> UntypedStorage:
        return UntypedStorage(self._owner)
