"""How a Tensor becomes something else: an ndarray, a Python number, a list, a string; and how Python's protocols see it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .modes import LOCAL, MODES, tell

if TYPE_CHECKING:
    from .tensor import Tensor


class ToPython:
    """The part of Tensor that leaves autograd for Python and NumPy."""

    __slots__ = ()

    _array: Any
    _rg: bool

    def numpy(self, *, force: bool = False) -> np.ndarray[Any, Any]:
        """The array itself, not a copy. RuntimeError if it requires grad and that is recorded, unless `force`."""
        if self._rg and not force and LOCAL.grad:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
        if MODES.active:
            tell("numpy", self)
        return self._array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            if copy is False:
                raise ValueError("Unable to avoid copy while creating an array as requested: the dtype differs.")
            return array.astype(dtype)
        return array.copy() if copy else array

    def item(self) -> Any:
        """The one number this tensor holds, as a Python number."""
        array = self._array
        if array.size != 1:
            raise RuntimeError(f"a Tensor with {array.size} elements cannot be converted to Scalar")
        if MODES.active:
            tell("item", self)
        return array.item()

    def tolist(self) -> Any:
        if MODES.active:
            tell("tolist", self)
        return self._array.tolist()

    def _scalar(self, to: type) -> Any:
        if self._rg and LOCAL.grad:
            _warn_scalar_once()
        value = self.item()
        return to(value)

    def __float__(self) -> float:
        return self._scalar(float)

    def __int__(self) -> int:
        return self._scalar(int)

    def __complex__(self) -> complex:
        return self._scalar(complex)

    def __bool__(self) -> bool:
        array = self._array
        if array.__class__ is not np.ndarray:
            return bool(array)  # under vmap there is no one answer, and it says so
        if array.size == 0:
            raise RuntimeError("Boolean value of Tensor with no values is ambiguous")
        if array.size > 1:
            raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")
        if MODES.active:
            tell("bool", self)
        return bool(array.item())

    def __index__(self) -> int:
        if self._array.dtype.kind not in "iub" or self._array.size != 1:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        if MODES.active:
            tell("int", self)
        return int(self._array.item())

    def __len__(self) -> int:
        if self._array.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return self._array.shape[0]

    def __iter__(self: Any) -> Iterator[Any]:
        if self._array.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return iter(self.unbind(0))

    def __hash__(self) -> int:
        return id(self)

    def __format__(self, spec: str) -> str:
        from .tensor import Tensor

        if self._array.ndim == 0 and not self._is_batched() and type(self) is Tensor:
            return format(self.item(), spec)
        return object.__format__(self, spec)

    def _is_batched(self) -> bool:
        return not isinstance(self._array, np.ndarray)

    def __repr__(self, *, tensor_contents: str | None = None) -> str:
        from .show import tensor_repr

        return tensor_repr(self)

    def __dir__(self) -> list[str]:
        unset = {name for name in ("_acc", "_grad") if not hasattr(self, name)}
        return [name for name in super().__dir__() if name not in unset]

    def __reversed__(self: Any) -> Tensor:
        return self if self._array.ndim == 0 else self.flip(0)

    def __contains__(self: Any, element: Any) -> bool:
        from .tensor import Tensor

        if isinstance(element, (Tensor, int, float, complex, bool)):
            return bool((self == element).any())
        raise RuntimeError(f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(element)}.")


_warned_scalar = False


def _warn_scalar_once() -> None:
    global _warned_scalar
    if not _warned_scalar:
        _warned_scalar = True
        warnings.warn(
            "Converting a tensor with requires_grad=True to a scalar may lead to unexpected behavior.\n"
            "Consider using tensor.detach() first.",
            UserWarning,
            stacklevel=4,
        )
