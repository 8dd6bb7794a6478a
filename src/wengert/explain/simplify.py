"""Formulas made shorter, where that changes no more than the rounding: factors of 1, stretched factors, equal terms of a sum.

An expression is taken as a sum of terms, each a number times the rest; numbers stay fractions until they are printed.
"""

from __future__ import annotations

import operator
from fractions import Fraction
from typing import Any

import numpy as np

from .notation import exact, same
from .symbols import NUMBERS, Call, Name, Symbol, div, is_call, mul, neg


class Numeral(Name):
    """A number where an operation wants a tensor: it has a shape, and is still simplified as a number."""

    __slots__ = ("number",)

    def __init__(self, x: Any, dtype: Any = None) -> None:
        super().__init__(exact(x), np.asarray(x, dtype))
        self.number = x


_SUMS = frozenset(["sum", "sum_all", "sum_to"])


def size(x: Any) -> int:
    """How many operations a formula has when it is written out."""
    known: dict[int, int] = {}
    order: list[Any] = []
    stack = [x]
    while stack:  # arguments before what is made of them, without recursion
        y = stack.pop()
        order.append(y)
        if len(order) > 100_000:
            return len(order)
        if isinstance(y, (Call, tuple, list)):
            stack.extend(y.args if isinstance(y, Call) else y)
    for y in reversed(order):
        if isinstance(y, Call):
            known[id(y)] = 1 + sum(known.get(id(a), 0) for a in y.args)
        elif isinstance(y, (tuple, list)):
            known[id(y)] = sum(known.get(id(a), 0) for a in y)
    return known.get(id(x), 0)


def simplify(x: Any) -> Any:
    """The same, shorter."""
    if isinstance(x, (tuple, list)):
        return type(x)(simplify(y) for y in x) if any(isinstance(y, (Symbol, tuple, list)) for y in x) else x
    if not isinstance(x, Call):
        return x
    args = tuple(simplify(a) for a in x.args)
    if x.op in ("mul", "div"):
        return _product(x.op, *args)
    if x.op == "neg":
        return _scaled(-1, args[0])
    if x.op in ("add", "sub"):
        return plus(args[0], _scaled(-1, args[1]) if x.op == "sub" else args[1])
    if x.op == "expand" and isinstance(args[0], Symbol) and args[0].shape == tuple(x.shape):
        return args[0]
    if x.op in _SUMS and isinstance(args[0], Symbol):
        return _sum(x, args)
    return Call(x.op, x.fn, tuple(map(_argument, x.args, args)))


def _argument(old: Any, new: Any) -> Any:
    """An operation that wants a tensor does not take the number that it was simplified to."""
    return Numeral(new, old.dtype) if isinstance(old, Symbol) and isinstance(new, NUMBERS) else new


def _shape(x: Any) -> tuple[int, ...]:
    return x.shape if isinstance(x, Symbol) else ()


def split(x: Any) -> tuple[Any, Any]:
    """(number, rest) with x = number · rest; the rest is None where x is just a number."""
    if isinstance(x, Numeral):
        x = x.number
    if isinstance(x, NUMBERS) and not isinstance(x, (bool, np.bool_)):
        return _exact(x), None
    if is_call(x, "neg"):
        n, rest = split(x.args[0])
        return -n, rest
    if is_call(x, "mul") or is_call(x, "div"):
        a, b = x.args
        (n, p), (m, q) = split(a), split(b)
        if x.op == "mul":
            return n * m, q if p is None else p if q is None else x if (n, m) == (1, 1) else mul(p, q)
        if m == 0:
            return Fraction(1), x
        if q is None:
            return n / m, p
        if (n, m) == (1, 1) and p is not None:
            return Fraction(1), x
        return n / m, div(1 if p is None else p, q)
    return Fraction(1), x


def _exact(x: Any) -> Any:
    """A number as a fraction, if it is a simple one."""
    if isinstance(x, (int, np.integer)):
        return Fraction(int(x))
    if isinstance(x, (float, np.floating)) and np.isfinite(x) and abs(float(x)) < 1e9:
        found = Fraction(float(x))
        return found if found.denominator <= 64 else x
    return x


def _scaled(n: Any, rest: Any) -> Any:
    """n · rest, a fraction written as one."""
    if rest is None:
        return _plain(n)
    if isinstance(rest, NUMBERS) or is_call(rest, "mul") or is_call(rest, "neg") or is_call(rest, "div"):
        m, rest = split(rest)
        n = n * m
        if rest is None:
            return _plain(n)
    if n == 1:
        return rest
    if n == -1:
        return neg(rest)
    if isinstance(n, Fraction):
        top = mul(n.numerator, rest)
        return top if n.denominator == 1 else div(top, n.denominator)
    return mul(n, rest)


def _plain(n: Any) -> Any:
    """A number that stands alone."""
    if not isinstance(n, Fraction):
        return Call("neg", operator.neg, (-n,)) if isinstance(n, float) and n < 0 else n
    if n.denominator == 1:
        return int(n)
    return Call("div", _fraction, (n.numerator, n.denominator))


def _fraction(a: Any, b: Any) -> Any:
    return np.asarray(a / b)


def _product(op: str, a: Any, b: Any) -> Any:
    shape = np.broadcast_shapes(_shape(a), _shape(b))
    # A factor that was stretched to the shape of the other need not be: multiplying does it.
    if is_call(a, "expand") and _shape(b) == shape:
        a = a.args[0]
    elif op == "mul" and is_call(b, "expand") and _shape(a) == shape:
        b = b.args[0]
    (n, p), (m, q) = split(a), split(b)
    if op == "div" and m == 0:
        return Call("div", operator.truediv, (a, b))
    if op == "mul":
        rest = q if p is None else p if q is None else Call("mul", operator.mul, (p, q))
        return _scaled(n * m, rest)
    if q is None:
        return _scaled(n / m, p)
    return _scaled(n / m, div(1 if p is None else p, q))


def plus(a: Any, b: Any) -> Any:
    """a + b, with equal terms gathered."""
    found: list[tuple[Any, Any]] = []
    for term in [*terms(a), *terms(b)]:
        n, rest = split(term)
        at = next((k for k, (_, r) in enumerate(found) if _alike(r, rest)), None)
        if at is None:
            found.append((n, rest))
        else:
            found[at] = (found[at][0] + n, rest)
    shape = np.broadcast_shapes(_shape(a), _shape(b))
    kept = [(n, rest) for n, rest in found if n != 0] or [(found[0][0], found[0][1])]
    kept.sort(key=lambda term: _negative(term[0]))  # a sum does not begin with a minus
    total = _scaled(*kept[0])
    for n, rest in kept[1:]:
        negative = _negative(n)
        term = _scaled(-n if negative else n, rest)
        total = Call("sub" if negative else "add", operator.sub if negative else operator.add, (total, term))
    if _shape(total) != shape:  # a term that gave the sum its shape has cancelled
        return Call("add", operator.add, (a, b))
    return total


def _negative(n: Any) -> bool:
    return not isinstance(n, (complex, np.complexfloating)) and bool(n < 0)


def _alike(a: Any, b: Any) -> bool:
    return a is b if a is None or b is None else same(a, b)


def terms(x: Any) -> list[Any]:
    if is_call(x, "add") or is_call(x, "sub"):
        a, b = x.args
        return [*terms(a), *(terms(b) if x.op == "add" else [_scaled(-1, t) for t in terms(b)])]
    return [x]


def _sum(x: Call, args: tuple[Any, ...]) -> Any:
    """A sum, with a number that all terms have before it."""
    inner = args[0]
    if x.op == "sum_to" and not args[2]:
        return Call(x.op, x.fn, args) if inner.shape != tuple(args[1]) else inner
    n, rest = split(inner)
    if rest is None or n == 1 or _shape(rest) != inner.shape:
        return Call(x.op, x.fn, args)
    return _scaled(n, Call(x.op, x.fn, (rest, *args[1:])))
