"""Hangs the operations on Tensor: methods, in-place forms, operators. States no operation.

Whatever a row says (`method`, `inplace`) is installed from it; written out here are only Python's operators and the
methods whose signature differs from the function's (`x.view(2, 3)`).
"""

from __future__ import annotations

from inspect import Parameter
from typing import Any

from ..core.inplace import inplace, inplace_composite
from ..core.op import COMPOSITES, TABLE, params_of
from ..core.signatures import NUMPY_NAMES, missing
from ..core.tensor import Tensor
from . import (
    arithmetic,
    choosing,
    comparison,
    complex,
    compound,
    conversion,
    draws,
    filling,
    matmul,
    own_methods,
    pointwise,
    powers,
    shape_methods,
)


def _inplace_method(name: str) -> Any:
    op = TABLE[name]
    names = [p.name for p in op.params[1:]]
    defaults = {p.name: p.default for p in op.params}
    if name in COMPOSITES:  # what users see may have defaults that the row has not
        seen = getattr(COMPOSITES[name].function, "__wrapped__", COMPOSITES[name].function)
        defaults.update((p.name, p.default) for p in params_of(seen) if p.name in defaults)
    count = len(names)

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if len(args) == count and not kwargs:
            return inplace(op, (self, *args))
        if len(args) > count:
            takes = f"{count} positional argument" + "s" * (count != 1) if count else "no arguments"
            raise TypeError(f"{name}_() takes {takes} ({len(args)} given)")
        values = dict(zip(names, args, strict=False))
        for given, value in kwargs.items():
            known = NUMPY_NAMES.get(given, given)
            if known not in names or known in values:
                raise TypeError(f"{name}_() got an unexpected keyword argument '{given}'")
            values[known] = value
        row = [values.get(n, defaults[n]) for n in names]
        for n, value in zip(names, row, strict=True):
            if value is Parameter.empty:
                raise missing(name + "_", n)
        return inplace(op, (self, *row))

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
    _pointwise_methods()
    _varargs()


def _operators() -> None:
    T: Any = Tensor
    a, c = arithmetic, comparison
    T.__add__, T.__radd__ = a.plus, _reflected(a.plus)
    T.__sub__, T.__rsub__ = a.minus, _reflected(a.minus)
    T.__mul__, T.__rmul__ = a.mul, _reflected(a.mul)
    T.__truediv__, T.__rtruediv__ = a.over, _reflected(a.over)
    T.__rdiv__ = T.__rtruediv__
    T.__neg__ = a.neg
    T.__pos__ = a.positive
    T.__abs__ = pointwise.abs
    T.__pow__, T.__rpow__ = powers.pow, _reflected(powers.pow)
    T.__floordiv__, T.__rfloordiv__ = a.floor_divide, _reflected(a.floor_divide)
    T.__mod__, T.__rmod__ = a.remainder, _reflected(a.remainder)
    T.__invert__ = _invert
    T.__matmul__ = matmul.matmul
    T.__rmatmul__ = lambda self, other: matmul.matmul(other, self)
    for name, row in (
        *(("and", c.bitwise_and), ("or", c.bitwise_or), ("xor", c.bitwise_xor)),
        *(("lshift", c.bitwise_left_shift), ("rshift", c.bitwise_right_shift)),
    ):
        setattr(T, f"__{name}__", row)
        setattr(T, f"__r{name}__", _reflected(row))
        setattr(T, f"__i{name}__", _inplace_method(row.op.name))
    T.__eq__ = _or_identity(c.eq)
    T.__ne__ = _or_identity(c.ne)
    T.__lt__, T.__le__, T.__gt__, T.__ge__ = c.lt, c.le, c.gt, c.ge
    T.__iadd__ = _inplace_method("add")
    T.__isub__ = _inplace_method("sub")
    T.__imul__ = _inplace_method("mul")
    T.__itruediv__ = T.__idiv__ = _inplace_method("div")
    T.__ifloordiv__ = _inplace_method("floor_divide")
    T.__imod__ = _inplace_method("remainder")
    T.__ipow__ = powers.pow_


def _reflected(row: Any) -> Any:
    """`other <operator> self`."""

    def operate(self: Tensor, other: Any) -> Any:
        if not isinstance(self, Tensor):
            raise TypeError(f"descriptor doesn't apply to a '{type(self).__name__}' object")
        return row(other, self)

    return operate


def _or_identity(row: Any) -> Any:
    """`==` and `!=` with what is no number: Python then compares identities."""

    def compare(self: Tensor, other: Any) -> Any:
        try:
            return row(self, other)
        except TypeError:
            return NotImplemented

    return compare


def _invert(self: Tensor) -> Tensor:
    if self._array.dtype.kind not in "biu":
        raise TypeError("~ (operator.invert) is only implemented on integer and Boolean-type tensors")
    return comparison.bitwise_not(self)


def _pointwise_methods() -> None:
    T: Any = Tensor
    for f in (
        *(arithmetic.add_, arithmetic.sub_, arithmetic.div_, powers.pow_, powers.float_power_),
        *(choosing.clamp_, choosing.clamp_min_, choosing.clamp_max_, choosing.masked_fill_),
        *(conversion.copy_, conversion.to, conversion.type_as, powers.pow),
        *(complex.conj, complex.resolve_conj, complex.resolve_neg),
        *conversion.CONVERTERS.values(),
        *filling.METHODS.values(),
        *draws.METHODS.values(),
    ):
        setattr(T, f.__name__, f)
    for name in ("addcmul_", "addcdiv_"):
        setattr(T, name, compound.value_first(name, getattr(T, name)))
    T.type = conversion.type_
    T.where = lambda self, condition, other: choosing.where(condition, self, other)
    T.multiply_, T.divide_, T.subtract_ = T.mul_, T.div_, T.sub_
    T.true_divide_, T.negative_, T.absolute_ = T.div_, T.neg_, T.abs_
    T.clip_, T.fix_ = T.clamp_, T.trunc_
    for short in ("cos", "sin", "tan", "cosh", "sinh", "tanh"):
        setattr(T, f"arc{short}_", getattr(T, f"a{short}_"))
    T.arctan2_ = T.atan2_
    for module in (arithmetic, powers, compound, pointwise, choosing, comparison):
        for name in module.__all__:  # the second names of functions: multiply, absolute, arccos, greater ...
            if name not in T.__dict__ and name != "relu_":
                setattr(T, name, getattr(module, name))
    for name, short in (
        ("greater", "gt"),
        ("greater_equal", "ge"),
        ("less", "lt"),
        ("less_equal", "le"),
        ("not_equal", "ne"),
    ):
        setattr(T, name + "_", getattr(T, short + "_"))
    T.conjugate = complex.conj
    T.real = property(complex.real, _set_part("real"))
    T.imag = property(complex.imag, _set_part("imag"))
    T.zero_ = lambda self: self.fill_(0)


def _set_part(name: str) -> Any:
    def set_part(self: Tensor, value: Any) -> None:
        getattr(self, name).copy_(value)

    return set_part


def _varargs() -> None:
    T: Any = Tensor
    shape_methods.install(T)
    own_methods.install(T)
