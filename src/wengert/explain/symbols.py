"""Symbols: what a rule is called with when it is to print itself.

A `Symbol` goes wherever an array or a Tensor goes. Whatever is done to it, by an operator, by a row of the tables or by
a composite, gives another Symbol that knows what was done: an expression. `notation` writes expressions down; nothing
here knows how they look. A Symbol also knows the recorded value that it stands for and computes its own (lazily, by the
very operations it is made of), so a rule that looks at a shape takes the way it took in the run.

Simplified here, and only so far as the numbers stay the same to the bit: 1 * x, -(-x), signs in products and quotients,
the conjugate of a real number.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..core.op import Op
from ..core.tensor import Tensor

NUMBERS = (int, float, complex, np.bool_, np.number)
# Operators that keep the shape that their operands broadcast to.
_POINTWISE = {
    "add", "sub", "mul", "div", "floor_divide", "remainder", "pow", "neg", "abs", "eq", "ne", "lt", "le", "gt", "ge",
    "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not", "conj", "real", "imag", "cast",
}  # fmt: skip


def value_of(x: Any) -> Any:
    """The number, array or option behind `x`."""
    if isinstance(x, Symbol):
        return x.value
    if isinstance(x, (tuple, list)) and any(isinstance(y, Symbol) for y in x):
        return type(x)(value_of(y) for y in x)
    return x


class Symbol:
    """An expression with the value it has. Made by `Name`, and by computing with Symbols."""

    __slots__ = ("_dtype", "_shape", "_value")

    __wengert_priority__ = 1000
    __hash__ = object.__hash__

    _value: Any
    _shape: tuple[int, ...] | None
    _dtype: Any

    # -- the value -----------------------------------------------------------------------------------------------------
    def compute(self) -> Any:
        raise NotImplementedError

    @property
    def value(self) -> Any:
        if self._value is None:
            self._value = self.compute()
        return self._value

    @property
    def shape(self) -> tuple[int, ...]:
        if self._shape is None:
            self._shape = tuple(np.shape(self.value))
        return self._shape

    @property
    def dtype(self) -> Any:
        if self._dtype is None:
            self._dtype = np.asarray(self.value).dtype
        return self._dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=int))

    def dim(self) -> int:
        return len(self.shape)

    def numel(self) -> int:
        return self.size

    def is_complex(self) -> bool:
        return bool(self.dtype.kind == "c")

    def is_floating_point(self) -> bool:
        return bool(self.dtype.kind == "f")

    def detach(self) -> Symbol:
        return self

    def item(self) -> Any:
        return np.asarray(self.value).item()

    def tolist(self) -> Any:
        return np.asarray(self.value).tolist()

    def __bool__(self) -> bool:
        return bool(self.value)

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Symbol]:
        return (self[i] for i in range(len(self)))

    def names(self) -> set[Name]:
        """The variables in it."""
        found: set[Name] = set()
        seen: set[int] = set()
        stack: list[Any] = [self]
        while stack:
            x = stack.pop()
            if id(x) not in seen:
                seen.add(id(x))
                if isinstance(x, Name):
                    found.add(x)
                elif isinstance(x, (Call, tuple, list)):
                    stack.extend(x.args if isinstance(x, Call) else x)
        return found

    # -- operations ----------------------------------------------------------------------------------------------------
    def __wengert_op__(self, op: Op, vals: list[Any]) -> Any:
        simple = _SIMPLE.get(op.name) or op.spelled
        if simple is not None:
            return simple(*vals)
        call = Call(op.name, functools.partial(_run_row, op), tuple(vals))
        if op.single:
            return call
        return tuple(Call("item", operator.getitem, (call, k)) for k in range(len(call.value)))

    # Helpers of a rule may prepare what is no gradient (an index) with NumPy.
    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **options: Any) -> Any:
        if method != "__call__":
            return NotImplemented
        simple = _UFUNCS.get(ufunc.__name__)
        return simple(*args) if simple is not None else _with_options(ufunc, args, options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        return _with_options(function, args, options)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.asarray(self.value, dtype)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        method = getattr(Tensor, name, None)
        if not callable(method):
            raise AttributeError(f"a symbol has no attribute {name!r}")
        return functools.partial(method, self)

    def astype(self, dtype: Any) -> Symbol:
        return self if self.dtype == dtype else Call("cast", _cast, (self, np.dtype(dtype)))

    def conjugate(self) -> Symbol:
        return conj(self)

    conj = conjugate

    @property
    def real(self) -> Symbol:
        return Call("real", np.real, (self,)) if self.is_complex() else self

    @property
    def imag(self) -> Symbol:
        return Call("imag", np.imag, (self,))

    @property
    def mT(self) -> Symbol:
        return Call("mT", _mT, (self,))

    @property
    def T(self) -> Symbol:
        return self if self.ndim < 2 else Call("mT", np.transpose, (self,))

    def __getitem__(self, index: Any) -> Symbol:
        return self if isinstance(index, tuple) and not index else Call("getitem", operator.getitem, (self, index))

    def __neg__(self) -> Symbol:
        return neg(self)

    def __pos__(self) -> Symbol:
        return self

    def __invert__(self) -> Symbol:
        return Call("bitwise_not", operator.invert, (self,))

    def __abs__(self) -> Symbol:
        return Call("abs", abs, (self,))

    def __repr__(self) -> str:
        from .notation import text

        return text(self)


class Name(Symbol):
    """A variable: what an expression is made of in the end."""

    __slots__ = ("name",)

    def __init__(self, name: str, value: Any = None, shape: Any = None, dtype: Any = None) -> None:
        """A variable with its value, or (value None) with only a shape and dtype, of which a value is made if needed."""
        self.name = name
        self._value = value
        self._shape = tuple(shape) if shape is not None else None
        self._dtype = np.dtype(dtype) if dtype is not None else None

    def compute(self) -> Any:
        return np.ones(self._shape or (), self._dtype or np.float64)


class Call(Symbol):
    """What an operation gives: `op` names it (a row or an operator), `fn` computes it from the values of `args`."""

    __slots__ = ("args", "fn", "op")

    def __init__(self, op: str, fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.op = op
        self.fn = fn
        self.args = args
        self._value = None
        self._dtype = None
        self._shape = None
        if op in _POINTWISE:
            self._shape = np.broadcast_shapes(*(_shape_of(a) for a in args))

    def compute(self) -> Any:
        return self.fn(*(value_of(a) for a in self.args))


def _shape_of(x: Any) -> tuple[int, ...]:
    return x.shape if isinstance(x, (Symbol, np.ndarray)) else ()


def _with_options(function: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Call:
    fn = functools.partial(function, **options) if options else function
    return Call(function.__name__, fn, args)


def _run_row(op: Op, *vals: Any) -> Any:
    args = [v for p, v in zip(op.params, vals, strict=True) if not p.keyword_only]
    options = {p.name: v for p, v in zip(op.params, vals, strict=True) if p.keyword_only}
    return op.function(*args, **options)


def _cast(a: Any, dtype: Any) -> Any:
    return np.asarray(a).astype(dtype)


def _mT(a: Any) -> Any:
    return np.swapaxes(a, -1, -2)


# -- operators, with what little is simplified -------------------------------------------------------------------------


def is_number(x: Any, *values: float) -> bool:
    return isinstance(x, NUMBERS) and x in values


def is_call(x: Any, op: str) -> bool:
    return isinstance(x, Call) and x.op == op


def neg(x: Any) -> Any:
    if not isinstance(x, Symbol):
        return -x
    return x.args[0] if is_call(x, "neg") else Call("neg", operator.neg, (x,))


def add(a: Any, b: Any) -> Any:
    if is_call(b, "neg"):
        return sub(a, b.args[0])
    return Call("add", operator.add, (a, b))


def sub(a: Any, b: Any) -> Any:
    if is_call(b, "neg"):
        return add(a, b.args[0])
    return Call("sub", operator.sub, (a, b))


def mul(a: Any, b: Any) -> Any:
    if is_number(a, 1) and isinstance(b, Symbol):
        return b
    if is_number(b, 1) and isinstance(a, Symbol):
        return a
    if is_number(a, -1):
        return neg(b)
    if is_number(b, -1):
        return neg(a)
    if is_call(a, "neg"):
        return neg(mul(a.args[0], b))
    if is_call(b, "neg"):
        return neg(mul(a, b.args[0]))
    return Call("mul", operator.mul, (a, b))


def div(a: Any, b: Any) -> Any:
    if is_number(b, 1):
        return a
    if is_call(a, "neg"):
        return neg(div(a.args[0], b))
    return Call("div", operator.truediv, (a, b))


def conj(x: Any) -> Any:
    if not isinstance(x, Symbol) or not x.is_complex():
        return x
    return x.args[0] if is_call(x, "conj") else Call("conj", np.conjugate, (x,))


def _call(op: str, fn: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: Call(op, fn, args)


_BINARY: dict[str, Callable[..., Any]] = {
    "add": add,
    "sub": sub,
    "mul": mul,
    "truediv": div,
    "floordiv": _call("floor_divide", operator.floordiv),
    "mod": _call("remainder", operator.mod),
    "pow": _call("pow", operator.pow),
    "matmul": _call("matmul", operator.matmul),
    "and": _call("bitwise_and", operator.and_),
    "or": _call("bitwise_or", operator.or_),
    "xor": _call("bitwise_xor", operator.xor),
    "eq": _call("eq", operator.eq),
    "ne": _call("ne", operator.ne),
    "lt": _call("lt", operator.lt),
    "le": _call("le", operator.le),
    "gt": _call("gt", operator.gt),
    "ge": _call("ge", operator.ge),
}
for _name, _function in _BINARY.items():
    setattr(Symbol, f"__{_name}__", lambda self, other, _f=_function: _f(self, other))
    if _name not in ("eq", "ne", "lt", "le", "gt", "ge"):
        setattr(Symbol, f"__r{_name}__", lambda self, other, _f=_function: _f(other, self))

_UFUNCS: dict[str, Callable[..., Any]] = {
    "add": add,
    "subtract": sub,
    "multiply": mul,
    "true_divide": div,
    "divide": div,
    "negative": neg,
    "conjugate": conj,
    "power": _BINARY["pow"],
    "floor_divide": _BINARY["floordiv"],
    "remainder": _BINARY["mod"],
}
# Rows that say what an operator says.
_SIMPLE: dict[str, Callable[..., Any]] = {
    "add": add,
    "sub": sub,
    "mul": mul,
    "div": div,
    "neg": neg,
    "conj": conj,
    "conj_physical": conj,
}
