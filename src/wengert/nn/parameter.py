"""Parameter and Buffer: tensors that a Module lists when they are assigned to its attributes; and those still without a
shape, which lazy modules give one at their first call. No Module here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes
from ..core.device import CPU, as_device
from ..core.modes import MODES, tell
from ..core.overriding import SILENT, disabled
from ..core.tensor import PLAIN_TYPES, Tensor, TensorMeta, wrap

_new = object.__new__


class _ParameterMeta(TensorMeta):
    def __instancecheck__(cls, instance: Any) -> bool:
        # A tensor of a user's own class is a parameter if it is marked so.
        return type.__instancecheck__(cls, instance) or (
            cls is Parameter and isinstance(instance, Tensor) and getattr(instance, "_is_param", False)
        )


class Parameter(Tensor, metaclass=_ParameterMeta):
    """A leaf that shares the memory of `data`, requires grad unless told otherwise, and is listed by its Module."""

    __slots__ = ()
    __torch_function__ = disabled

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Any:
        if data is None:
            data = wrap(np.empty(0, dtypes.get_default_dtype().np))
        if not isinstance(data, Tensor):
            raise TypeError(f"Parameter(): argument 'data' must be Tensor, not {type(data).__name__}")
        if requires_grad and data._array.dtype.kind not in "fcV":
            raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
        if type(data) not in PLAIN_TYPES and not isinstance(data, Parameter):
            t = data.detach().requires_grad_(requires_grad)
            t._is_param = True  # type: ignore[attr-defined]
            return t
        t = _new(cls)
        t._array = data._array
        t._rg = bool(requires_grad)
        t._edge = t._vc = t._extra = None
        if MODES.active:
            tell("Parameter", data, t)
        return t

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """A copy of the numbers. `.grad` is not copied, as in PyTorch."""
        if id(self) not in memo:
            t = type(self)(wrap(self._array.copy(order="K")), self._rg)
            t.__dict__.update(self.__dict__)
            memo[id(self)] = t
        return memo[id(self)]


class _BufferMeta(TensorMeta):
    def __instancecheck__(cls, instance: Any) -> bool:
        return type.__instancecheck__(cls, instance) or (
            cls is Buffer and isinstance(instance, Tensor) and getattr(instance, "_is_buffer", False)
        )


class Buffer(Tensor, metaclass=_BufferMeta):
    """`Buffer(t)` is a Tensor sharing the memory of `t` that its Module lists among its buffers.

    `persistent=False` keeps it out of the `state_dict`.
    """

    __slots__ = ()
    __torch_function__ = disabled

    def __new__(cls, data: Any = None, *, persistent: bool = True) -> Any:
        if data is None:
            data = wrap(np.empty(0, dtypes.get_default_dtype().np))
        t = data.detach().requires_grad_(data.requires_grad)
        t.persistent, t._is_buffer = persistent, True
        return t


# -- without a shape yet ---------------------------------------------------------------------------------------

_NO_SHAPE = (
    "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in `load_state_dict` "
    "when trying to load an uninitialized parameter into an initialized one. Call `forward` to initialize the "
    "parameters before accessing their attributes."
)
_NOT_YET = (
    "Attempted to use an uninitialized parameter in an operation. This error happens when you are using a "
    "`LazyModule` or explicitly manipulating `torch.nn.parameter.{}` objects. When using LazyModules Call `forward` "
    "with a dummy batch to initialize the parameters before calling torch functions"
)
_slot: Any = Tensor.__dict__["_array"]


class UninitializedTensorMixin(Tensor):
    """A tensor that knows its dtype but not its shape. `materialize(shape)` makes an ordinary one of it."""

    __slots__ = ()
    __torch_function__ = disabled
    cls_to_become: type = Tensor

    @property
    def _array(self) -> Any:
        raise ValueError(_NOT_YET.format(type(self).__name__))

    @_array.setter
    def _array(self, value: Any) -> None:
        _slot.__set__(self, value)

    @property
    def shape(self) -> Any:
        raise RuntimeError(_NO_SHAPE)

    @property
    def data(self) -> Tensor:
        """Empty, so that filling it with numbers, as programs do with any layer's weight, is no error and does nothing."""
        return wrap(_slot.__get__(self))

    @data.setter
    def data(self, value: Tensor) -> None:
        Tensor.data.__set__(self, value)  # type: ignore[attr-defined]

    @property
    def dtype(self) -> dtypes.dtype:
        return dtypes.of(_slot.__get__(self).dtype)

    @property
    def device(self) -> Any:
        return CPU

    def is_floating_point(self) -> bool:
        return _slot.__get__(self).dtype.kind in "fV"

    def is_complex(self) -> bool:
        return _slot.__get__(self).dtype.kind == "c"

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Become a tensor of this shape, its numbers not yet set."""
        as_device(device)
        kind = self.dtype if dtype is None else dtypes.as_dtype(dtype)
        _slot.__set__(self, np.empty(tuple(shape), kind.np))
        self.__class__ = self.cls_to_become

    def apply_(self, convert: Any) -> Tensor:
        """Let `convert` (of a Module's `to`, `double`, ...) change the dtype to come."""
        _slot.__set__(self, convert(wrap(_slot.__get__(self)))._array)
        return self

    def _copied(self) -> Any:
        return type(self)(dtype=self.dtype)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if id(self) not in memo:
            memo[id(self)] = self._copied()
        return memo[id(self)]

    def __reduce_ex__(self, protocol: Any) -> Any:
        return (_rebuild_uninitialized, (type(self), self._rg, self.dtype))

    def __repr__(self) -> str:  # type: ignore[override]
        return f"<{type(self).__name__}>"


def _rebuild_uninitialized(cls: Any, requires_grad: bool, dtype: Any) -> Any:
    return cls(requires_grad, dtype=dtype)


def _bare(cls: type, requires_grad: bool, device: Any, dtype: Any) -> Any:
    as_device(device)
    t: Any = _new(cls)
    t._array = np.empty(0, (dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)).np)
    t._rg = bool(requires_grad)
    t._edge = t._vc = t._extra = None
    return t


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A parameter whose shape a lazy module finds at its first call."""

    __slots__ = ()
    cls_to_become = Parameter

    def __new__(cls, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> Any:
        return _bare(cls, requires_grad, device, dtype)

    def _copied(self) -> Any:
        return type(self)(self._rg, dtype=self.dtype)


class UninitializedBuffer(UninitializedTensorMixin):
    """A buffer whose shape a lazy module finds at its first call."""

    __slots__ = ()
    cls_to_become = Tensor

    def __new__(
        cls, requires_grad: bool = False, device: Any = None, dtype: Any = None, persistent: bool = True
    ) -> Any:
        t = _bare(cls, requires_grad, device, dtype)
        t.persistent, t._is_buffer = persistent, True
        return t


def is_lazy(t: Any) -> bool:
    """Is `t` a parameter or buffer without a shape yet?"""
    return isinstance(t, UninitializedTensorMixin)


PLAIN_TYPES.add(Parameter)
SILENT.update((Parameter, Buffer))

__all__ = [
    "Buffer",
    "Parameter",
    "UninitializedBuffer",
    "UninitializedParameter",
    "UninitializedTensorMixin",
    "is_lazy",
]
