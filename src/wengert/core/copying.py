"""Copies of a Tensor made by Python: `copy.deepcopy` and pickle. Copies that autograd records are operations (`clone`)."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .tensor import Tensor

_new = object.__new__


class Copies:
    """The part of Tensor that copies it."""

    __slots__ = ()

    def __deepcopy__(self: Any, memo: dict[int, Any]) -> Any:
        if self._edge is not None:
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the "
                "moment.  If you were attempting to deepcopy a module, this may be because of a torch.nn.utils."
                "weight_norm usage, see https://github.com/pytorch/pytorch/pull/103001"
            )
        if id(self) in memo:
            return memo[id(self)]
        t = _new(type(self))
        t._array = _copy_memory(self._array, memo)
        t._rg = self._rg
        t._edge = None
        t._vc = None
        t._extra = None
        memo[id(self)] = t
        found = getattr(self, "_grad", None)
        if found is not None:
            t._grad = copy.deepcopy(found, memo)
        t.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return t

    def __reduce_ex__(self: Any, protocol: Any) -> Any:
        return (_rebuild, (type(self), np.ascontiguousarray(self._array), self._rg, self.__dict__))


def _copy_memory(array: Any, memo: dict[int, Any]) -> Any:
    """Copy an array; views of one buffer that are copied together stay views of one buffer."""
    base = array
    while isinstance(base.base, np.ndarray):
        base = base.base
    if base is array:
        if id(array) not in memo:
            memo[id(array)] = array.copy(order="K")
            memo.setdefault(id(memo), []).append(array)
        return memo[id(array)]
    if id(base) not in memo:
        memo[id(base)] = base.copy(order="K")
        memo.setdefault(id(memo), []).append(base)
    new = memo[id(base)]
    if new.strides != base.strides:
        return array.copy(order="K")
    offset = array.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    return np.ndarray(
        array.shape,
        array.dtype,
        buffer=new.reshape(-1).view(np.uint8).data if new.flags.c_contiguous else new.data,
        offset=offset,
        strides=array.strides,
    )


def _rebuild(cls: type, array: Any, rg: bool, attributes: dict[str, Any]) -> Tensor:
    from .tensor import Tensor, wrap

    t = wrap(array.copy() if not array.flags.owndata else array)
    if cls is not Tensor:
        t.__class__ = cls
    t._rg = rg
    t.__dict__.update(attributes)
    return t
