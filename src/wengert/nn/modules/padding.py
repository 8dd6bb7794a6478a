"""Padding of the last one, two or three dimensions. `padding` is one number, or two for each dimension, the last first."""

from __future__ import annotations

from typing import Any, ClassVar

from ...core.tensor import Tensor
from .. import functional as F
from ..module import Module
from .shared import tuple_of

__all__ = [
    "CircularPad1d", "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d", "ConstantPad3d",
    "ReflectionPad1d", "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d", "ReplicationPad2d",
    "ReplicationPad3d", "ZeroPad1d", "ZeroPad2d", "ZeroPad3d",
]  # fmt: skip


class _Pad(Module):
    """Pads `_dims` dimensions in the mode `_mode`."""

    _dims: ClassVar[int]
    _mode: ClassVar[str]

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = tuple_of(2 * self._dims, padding)

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _CircularPadNd(_Pad):
    """The other end continues the input."""

    _mode = "circular"

    def _check_input_dim(self, input: Tensor) -> None:
        n = self._dims
        if input.ndim not in (n + 1, n + 2):
            raise ValueError(f"expected {n + 1}D or {n + 2}D input (got {input.ndim}D input)")

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        return F.pad(input, self.padding, self._mode)


class CircularPad1d(_CircularPadNd):
    """Circular padding of (N, C, L) or (C, L)."""

    _dims = 1


class CircularPad2d(_CircularPadNd):
    """Circular padding of (N, C, H, W) or (C, H, W)."""

    _dims = 2


class CircularPad3d(_CircularPadNd):
    """Circular padding of (N, C, D, H, W) or (C, D, H, W)."""

    _dims = 3


class _ConstantPadNd(_Pad):
    """One number all around."""

    _mode = "constant"

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPadNd):
    """One number before and after the last dimension."""

    _dims = 1


class ConstantPad2d(_ConstantPadNd):
    """One number around the last two dimensions."""

    _dims = 2


class ConstantPad3d(_ConstantPadNd):
    """One number around the last three dimensions."""

    _dims = 3


class _ReflectionPadNd(_Pad):
    """The input mirrored at its border, which is not repeated."""

    _mode = "reflect"


class ReflectionPad1d(_ReflectionPadNd):
    """Reflection padding of (N, C, L) or (C, L)."""

    _dims = 1


class ReflectionPad2d(_ReflectionPadNd):
    """Reflection padding of (N, C, H, W) or (C, H, W)."""

    _dims = 2


class ReflectionPad3d(_ReflectionPadNd):
    """Reflection padding of (N, C, D, H, W) or (C, D, H, W)."""

    _dims = 3


class _ReplicationPadNd(_Pad):
    """The border repeated."""

    _mode = "replicate"


class ReplicationPad1d(_ReplicationPadNd):
    """Replication padding of (N, C, L) or (C, L)."""

    _dims = 1


class ReplicationPad2d(_ReplicationPadNd):
    """Replication padding of (N, C, H, W) or (C, H, W)."""

    _dims = 2


class ReplicationPad3d(_ReplicationPadNd):
    """Replication padding of (N, C, D, H, W) or (C, D, H, W)."""

    _dims = 3


class _ZeroPad(_ConstantPadNd):
    """Zeros all around."""

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad1d(_ZeroPad, ConstantPad1d):
    """Zeros before and after the last dimension."""


class ZeroPad2d(_ZeroPad, ConstantPad2d):
    """Zeros around the last two dimensions."""


class ZeroPad3d(_ZeroPad, ConstantPad3d):
    """Zeros around the last three dimensions."""
