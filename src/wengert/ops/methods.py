"""Hangs the operations on Tensor: methods, in-place forms, operators. States no operation.

Whatever a row says (`method`, `inplace`) is installed from it; written out here are only Python's operators and the
methods whose signature differs from the function's (`x.view(2, 3)`).
"""

from __future__ import annotations

from typing import Any

from ..core.op import COMPOSITES, TABLE
from ..core.tensor import Tensor
from ..core.views import inplace, inplace_composite
from . import arithmetic, creation, shape
from .shared import shape_argument


def _inplace_method(name: str) -> Any:
    op = TABLE[name]
    names = [p.name for p in op.params]
    defaults = {p.name: p.default for p in op.params}

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        values = dict(zip(names[1:], args, strict=False))
        values.update(kwargs)
        row = [self] + [values.get(n, defaults[n]) for n in names[1:]]
        return inplace(op, tuple(row))

    return method


def _inplace_composite_method(fn: Any) -> Any:
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return inplace_composite(fn, self, args, kwargs)

    return method


def install() -> None:
    """Give Tensor its methods. Called once, when `wengert` is imported."""
    for name, op in TABLE.items():
        if "." in name:
            continue
        if op.method and name not in Tensor.__dict__:
            setattr(Tensor, name, op.function)
        if op.inplace:
            method = _inplace_method(name)
            method.__name__ = method.__qualname__ = name + "_"
            setattr(Tensor, name + "_", method)
    for name, composite in COMPOSITES.items():
        if "." in name:
            continue
        if composite.method and name not in Tensor.__dict__:
            setattr(Tensor, name, composite.function)
        if composite.inplace and name not in TABLE:
            method = _inplace_composite_method(composite.function)
            method.__name__ = method.__qualname__ = name + "_"
            setattr(Tensor, name + "_", method)
    _operators()
    _varargs()


def _operators() -> None:
    T: Any = Tensor
    T.__add__ = T.__radd__ = arithmetic.plus
    T.__sub__ = arithmetic.minus
    T.__rsub__ = lambda self, other: arithmetic.minus(other, self)
    T.__mul__ = T.__rmul__ = arithmetic.mul
    T.__truediv__ = arithmetic.over
    T.__rtruediv__ = lambda self, other: arithmetic.over(other, self)
    T.__neg__ = arithmetic.neg


def _varargs() -> None:
    T: Any = Tensor
    T.view = lambda self, *size: shape.view(self, shape_argument(size))
    T.reshape = lambda self, *size: shape.reshape(self, shape_argument(size))
    T.expand = lambda self, *size: shape.expand(self, shape_argument(size))
    T.view_as = shape.view_as
    T.unbind = shape.unbind
    T.conjugate = lambda self: self
    T.to = lambda self, dtype: creation.to_dtype(self, dtype)
