"""Parameter: a tensor that a Module lists among its parameters."""

from __future__ import annotations

from typing import Any


from ..core.tensor import PLAIN_TYPES, Tensor

_new = object.__new__


class Parameter(Tensor):
    """A leaf that requires grad (unless told otherwise) and that assigning to a Module's attribute registers."""

    __slots__ = ()

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Any:
        if data is None:
            data = Tensor()
        if not isinstance(data, Tensor):
            raise TypeError(f"Parameter data must be a Tensor, not {type(data).__name__}")
        if requires_grad and data._array.dtype.kind not in "fc":
            raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
        t = _new(cls)
        t._array = data._array
        t._rg = bool(requires_grad)
        t._edge = None
        t._vc = None
        t._extra = None
        return t


class Buffer(Tensor):
    """A tensor that a Module lists among its buffers when it is assigned to an attribute."""

    __slots__ = ("persistent",)

    def __new__(cls, data: Any = None, *, persistent: bool = True) -> Any:
        t = _new(cls)
        source = Tensor() if data is None else data
        t._array = source._array
        t._rg, t._edge, t._vc, t._extra = source._rg, source._edge, None, None
        t.persistent = persistent
        return t


PLAIN_TYPES.update((Parameter, Buffer))


class UninitializedParameter(Parameter):
    """Not supported: lazy modules wait for their first input."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("UninitializedParameter: give the module its sizes instead of using a lazy one")


