"""`torch.utils.dlpack`: memory handed from library to library without a copy."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes
from ..core.tensor import Tensor, wrap
from ..ops.own_methods import dlpack


class _Capsule:
    """A bare capsule, in the form that NumPy takes."""

    def __init__(self, capsule: Any) -> None:
        self._capsule = capsule

    def __dlpack__(self, **options: Any) -> Any:
        return self._capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


class _Writable:
    """Memory that NumPy was told nothing about, and so holds to be read-only; kept alive by `owner`."""

    def __init__(self, owner: Any) -> None:
        self.owner = owner
        interface = dict(owner.__array_interface__)
        interface["data"] = (interface["data"][0], False)
        self.__array_interface__ = interface


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor on the memory of another library's array, or of a DLPack capsule. Shared, not copied, unless `copy`."""
    from ..core.device import as_device

    as_device(device)
    if not hasattr(ext_tensor, "__dlpack__"):
        if type(ext_tensor).__name__ != "PyCapsule":
            raise RuntimeError(
                "from_dlpack received an invalid capsule. Note that DLTensor capsules can be consumed only once, so you might "
                "have already constructed a tensor from it once."
            )
        ext_tensor = _Capsule(ext_tensor)
    options: dict[str, Any] = {} if copy is None or isinstance(ext_tensor, _Capsule) else {"copy": copy}
    array = np.from_dlpack(ext_tensor, **options)
    dtypes.of(array.dtype)
    if not array.flags.writeable and not isinstance(ext_tensor, np.ndarray):
        # Before version 1 the protocol did not say whether memory may be written; PyTorch writes.
        array = np.asarray(_Writable(array))
    return wrap(array)


def to_dlpack(tensor: Tensor) -> Any:
    """A capsule of the tensor's memory."""
    return dlpack(tensor)
