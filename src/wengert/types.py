"""`torch.types`: names for annotations."""

from __future__ import annotations

import builtins
import os
from collections.abc import Sequence
from typing import IO, Any, TypeAlias

from .core.device import device
from .core.dtypes import dtype
from .core.layout import layout
from .core.size import Size
from .core.tensor import Tensor
from .storage import TypedStorage, UntypedStorage

Number: TypeAlias = builtins.int | builtins.float | builtins.bool
Device: TypeAlias = device | str | builtins.int | None
FileLike: TypeAlias = str | os.PathLike[str] | IO[bytes]
Storage: TypeAlias = UntypedStorage | TypedStorage
_dtype: TypeAlias = dtype
_device: TypeAlias = device
_layout: TypeAlias = layout
_size: TypeAlias = Size | list[int] | tuple[int, ...]
_int, _float, _bool, _complex = builtins.int, builtins.float, builtins.bool, builtins.complex
_TensorOrTensors: TypeAlias = Tensor | Sequence[Tensor]
_symint: TypeAlias = Any

__all__ = ["Number", "Device", "FileLike", "Storage"]
