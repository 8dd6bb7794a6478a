"""What several families of modules need: fresh parameters, how options print, numbers for each dimension."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from typing import Any, ClassVar

import numpy as np

from ...core import dtypes
from ...core.device import as_device
from ...core.tensor import Tensor, wrap
from ..module import Module
from ..parameter import Parameter


def empty(shape: tuple[int, ...], device: Any = None, dtype: Any = None) -> Tensor:
    """A tensor whose numbers are not set."""
    if device is not None:
        as_device(device)
    if any(n < 0 for n in shape):
        raise RuntimeError(f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)}")
    return wrap(np.empty(shape, (dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)).np))


def parameter(*shape: int, device: Any = None, dtype: Any = None) -> Parameter:
    """A parameter whose numbers are not set."""
    return Parameter(empty(shape, device, dtype))


class Shown(Module):
    """A module that prints the attributes named in `shown`, and `inplace` if it is so."""

    shown: ClassVar[tuple[str, ...]] = ()
    shows_inplace: ClassVar[bool] = True

    def extra_repr(self) -> str:
        parts = [f"{name}={getattr(self, name)}" for name in self.shown]
        if self.shows_inplace and getattr(self, "inplace", False):
            parts.append("inplace=True")
        return ", ".join(parts)


class Inplace(Shown):
    """A module whose one option is to work in place."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


def tuple_of(n: int, x: Any) -> tuple[Any, ...]:
    """One number for each of `n` dimensions."""
    return tuple(x) if isinstance(x, Iterable) else tuple(repeat(x, n))
