"""Expressions written down as text: unicode, in the notation of code. `latex` writes the same as LaTeX.

Both know precedence, so there are no more parentheses than the meaning needs. Text can be read back by Python once `·`
and `²` are `*` and `**2`; the tests do that and compare the numbers. `Style` says how names appear (renamed, or as the
numbers they stand for).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.op import TABLE
from .symbols import NUMBERS, Call, Name, Symbol, is_call, is_number

# How tightly things bind.
LOGIC, COMPARE, SUM, PRODUCT, SIGN, POWER, ATOM = range(7)

INFIX = {
    "add": (" + ", " + ", SUM, SUM, SUM),
    "sub": (" - ", " - ", SUM, SUM, PRODUCT),
    "mul": (" · ", r" \cdot ", PRODUCT, PRODUCT, PRODUCT),
    "div": (" / ", " / ", PRODUCT, PRODUCT, SIGN),
    "floor_divide": (" // ", r" \div ", PRODUCT, PRODUCT, SIGN),
    "remainder": (" % ", r" \bmod ", PRODUCT, PRODUCT, SIGN),
    "matmul": (" @ ", r"\,", PRODUCT, PRODUCT, SIGN),
    "eq": (" = ", " = ", COMPARE, SUM, SUM),
    "ne": (" ≠ ", r" \ne ", COMPARE, SUM, SUM),
    "lt": (" < ", " < ", COMPARE, SUM, SUM),
    "le": (" ≤ ", r" \le ", COMPARE, SUM, SUM),
    "gt": (" > ", " > ", COMPARE, SUM, SUM),
    "ge": (" ≥ ", r" \ge ", COMPARE, SUM, SUM),
    "bitwise_and": (" & ", r" \wedge ", LOGIC, SUM, SUM),
    "bitwise_or": (" | ", r" \vee ", LOGIC, SUM, SUM),
    "bitwise_xor": (" ^ ", r" \oplus ", LOGIC, SUM, SUM),
}
# What is not the one is the other.
_OPPOSITE = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "gt": "le", "le": "gt"}
# Rows that are an operator.
_OPERATORS = {
    "mm": "matmul", "bmm": "matmul", "mv": "matmul", "dot": "matmul", "matmul_many": "matmul", "pow_number": "pow",
    "pow_base": "pow", "logical_and": "bitwise_and", "logical_or": "bitwise_or", "logical_xor": "bitwise_xor",
    "logical_not": "bitwise_not", "square": "square",
}  # fmt: skip


def is_infix(name: str) -> bool:
    """Is this row written as an operator between its arguments?"""
    return _OPERATORS.get(name, name) in INFIX


_NAMES = {
    "sum_all": "sum", "mean_all": "mean", "softmax_rows": "softmax", "log_softmax_rows": "log_softmax",
    "var_rows": "var", "var_mean_rows": "var_mean", "std_mean_rows": "std_mean",
    "unique_values": "unique", "max_all": "max", "min_all": "min", "max_dim": "max", "min_dim": "min",
    "unsqueeze_dims": "unsqueeze", "squeeze_all": "squeeze", "squeeze_dim": "squeeze", "squeeze_dims": "squeeze",
    "affine": "linear", "cross_entropy_rows": "cross_entropy", "nll_rows": "nll_loss", "nll_loss_rows": "nll_loss",
    "clamp_tensors": "clamp",
    "root": "sqrt", "convolution_rows": "conv", "pow_number": "pow", "pow_base": "pow", "add_scaled": "add",
    "sub_scaled": "sub", "to_dtype": "to", "getitem_select": "getitem", "getitem_unsqueeze": "getitem",
    "prod_rows": "prod", "split_with_sizes": "split", "ldexp_whole": "ldexp",
}  # fmt: skip
_CONSTANTS: dict[float, tuple[str, str]] = {
    math.pi: ("π", r"\pi"), math.e: ("e", "e"), math.log(2): ("ln2", r"\ln 2"), math.log(10): ("ln10", r"\ln 10"),
    2 / math.sqrt(math.pi): ("(2/√π)", r"\frac{2}{\sqrt\pi}"), math.sqrt(2 * math.pi): ("√(2π)", r"\sqrt{2\pi}"),
    math.sqrt(0.5): ("√½", r"\sqrt{\tfrac12}"), 180 / math.pi: ("(180/π)", r"\frac{180}{\pi}"),
    math.pi / 180: ("(π/180)", r"\frac{\pi}{180}"),
}  # fmt: skip
_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def public_name(op: str) -> str:
    """The name a user knows an operation by."""
    simple = op.rsplit(".", 1)[-1]
    return _NAMES.get(simple, simple)


def number(x: Any, digits: int = 4) -> str:
    """A number, short."""
    if x.__class__ is float and x - x == 0:
        short = f"{x:.{digits}g}"
        return "0" if short == "-0" else short
    if isinstance(x, (bool, np.bool_)):
        return str(bool(x))
    if isinstance(x, (int, np.integer)):
        return str(int(x))
    if isinstance(x, (complex, np.complexfloating)):
        imag = number(abs(x.imag), digits)
        return f"({number(x.real, digits)} {'-' if x.imag < 0 else '+'} {imag}j)"
    x = float(x)
    if x != x:
        return "nan"
    if math.isinf(x):
        return "inf" if x > 0 else "-inf"
    short = f"{x:.{digits}g}"
    return "0" if short == "-0" else short


def exact(x: Any) -> str:
    """A number in a formula: six digits, or all of it if that is shorter."""
    if isinstance(x, (float, np.floating)):
        f = float(x)
        return str(int(f)) if f.is_integer() and abs(f) < 1e15 else min(repr(f), f"{f:.6g}", key=len)
    if isinstance(x, (complex, np.complexfloating)):
        return repr(complex(x))
    return str(x)


class Style:
    """How an expression is written: text. `rename` gives the name to show for a variable, as it stands or with numbers."""

    adjoint = "∇"

    def __init__(self, rename: Callable[[Name], str] | None = None, options: dict[int, str] | None = None) -> None:
        self.rename = rename or (lambda name: name.name)
        self.options = options or {}  # names of options that are no numbers, by identity

    def write(self, x: Any, need: int = 0) -> str:
        """`x`, in parentheses if it binds less tightly than `need`."""
        shown, binds = self.term(x)
        return self.bracket(shown) if binds < need else shown

    def bracket(self, shown: str) -> str:
        return f"({shown})"

    def term(self, x: Any) -> tuple[str, int]:
        if isinstance(x, Name):
            shown = self.rename(x)
            return shown, SIGN if shown.startswith("-") else ATOM
        if isinstance(x, Call):
            return self.call(x)
        if isinstance(x, NUMBERS):
            return self.constant(x)
        return self.option(x), ATOM

    def constant(self, x: Any) -> tuple[str, int]:
        if isinstance(x, (float, np.floating)):
            for value, forms in _CONSTANTS.items():
                if abs(x) == value:
                    shown = self.symbol_of(forms)
                    return (f"-{shown}", SIGN) if x < 0 else (shown, ATOM)
        shown = exact(x)
        return shown, SIGN if shown.startswith("-") else ATOM

    def symbol_of(self, forms: tuple[str, str]) -> str:
        return forms[0]

    def option(self, x: Any) -> str:
        if id(x) in self.options:
            return self.options[id(x)]
        if isinstance(x, Symbol):
            return self.write(x)
        if isinstance(x, tuple):
            return "(" + ", ".join(self.option(y) for y in x) + ("," if len(x) == 1 else "") + ")"
        if isinstance(x, list):
            return "[" + ", ".join(self.option(y) for y in x) + "]"
        if isinstance(x, slice):
            ends = [("" if e is None else self.option(e)) for e in (x.start, x.stop, x.step)]
            return ":".join(ends[:2] if x.step is None else ends)
        if x is Ellipsis:
            return "..."
        if x is None or isinstance(x, (str, *NUMBERS)):
            return repr(x) if isinstance(x, str) else exact(x)
        array = getattr(x, "_array", x)
        if isinstance(array, np.ndarray):
            return self.array(array)
        shown = str(x)
        return shown if len(shown) <= 24 and "<" not in shown else f"<{type(x).__name__}>"

    def array(self, a: Any) -> str:
        """A constant array in a formula."""
        if a.ndim == 2 and a.size > 1 and a.dtype.kind in "fc" and (a == np.eye(*a.shape)).all():
            return self.identity(a.shape)
        if a.size and a.dtype.kind in "fc" and (a == a.flat[0]).all():
            return exact(a.flat[0])
        if a.size <= 6:
            return np.array2string(a, separator=", ", threshold=7).replace("\n", "")
        return self.unnamed(a)

    def identity(self, shape: tuple[int, ...]) -> str:
        return f"eye({shape[0]})" if shape[0] == shape[1] else f"eye({shape[0]}, {shape[1]})"

    def unnamed(self, a: Any) -> str:
        return f"<{'×'.join(map(str, a.shape))} {a.dtype}>"

    def index(self, x: Any) -> str:
        items = x if isinstance(x, tuple) else (x,)
        return ", ".join(self.option(y) for y in items)

    # -- calls ---------------------------------------------------------------------------------------------------------
    def call(self, x: Call) -> tuple[str, int]:
        op = _OPERATORS.get(x.op, x.op)
        args = x.args
        if op in ("mul", "div", "neg"):
            return self.product(x)
        if op in INFIX and op != "ne" and len(args) >= 2:
            return self.infix(op, args)
        if op == "bitwise_not" and isinstance(args[0], Call) and args[0].op in _OPPOSITE:
            return self.infix(_OPPOSITE[args[0].op], args[0].args)
        special = getattr(self, f"on_{op.replace('.', '_')}", None)
        if special is not None:
            return special(*args)
        return self.function(x)

    # Products: -g · (1 / x) is written -g / x, and x · x · 0.5 as 0.5 · x².
    def product(self, x: Any) -> tuple[str, int]:
        factor, over, under = _factors(x)
        return self.quotient(factor, over, under)

    def quotient(self, factor: Any, over: list[tuple[Any, Any]], under: list[tuple[Any, Any]]) -> tuple[str, int]:
        """factor · over / under, each a list of (base, exponent)."""
        negative = not isinstance(factor, (complex, np.complexfloating)) and factor < 0
        sign, size = ("-", -factor) if negative else ("", factor)
        shown = [self.factor(base, n, bool(under) or len(over) > 1) for base, n in over]
        if not is_number(size, 1) or not shown:
            shown.insert(0, self.write(size, POWER))
        top = self.times.join(shown)
        if not under:
            return sign + top, SIGN if sign and len(shown) == 1 else PRODUCT if sign or len(shown) > 1 else POWER
        return sign + self.over(top, self.below(under)), PRODUCT

    def factor(self, base: Any, n: Any, several: bool) -> str:
        shown, binds = self.term(base) if is_number(n, 1) else self.power(base, n)
        return self.bracket(shown) if binds < (POWER if several else PRODUCT) else shown

    times = " · "

    def below(self, under: list[tuple[Any, Any]]) -> str:
        """What stands below the line; in one line of text it may need parentheses."""
        if len(under) > 1:
            return "(" + self.times.join(self.factor(base, n, True) for base, n in under) + ")"
        base, n = under[0]
        return self.write(base, POWER) if is_number(n, 1) else self.power(base, n)[0]

    def over(self, top: str, bottom: str) -> str:
        return f"{top} / {bottom}"

    def infix(self, op: str, args: tuple[Any, ...]) -> tuple[str, int]:
        sign, _, binds, left, right = INFIX[op]
        return f"{self.write(args[0], left)}{sign}{self.write(args[1], right)}", binds

    def power(self, base: Any, n: Any) -> tuple[str, int]:
        if is_number(n, 1):
            return self.term(base)
        if isinstance(n, NUMBERS) and not isinstance(n, (complex, np.complexfloating)) and float(n).is_integer():
            return self.write(base, ATOM) + str(int(n)).translate(_SUPERSCRIPTS), POWER
        return f"{self.write(base, ATOM)}^{self.write(n, ATOM)}", POWER

    def on_pow(self, base: Any, exponent: Any) -> tuple[str, int]:
        return self.power(base, exponent)

    def on_square(self, base: Any) -> tuple[str, int]:
        return self.power(base, 2)

    def on_bitwise_not(self, x: Any) -> tuple[str, int]:
        return f"~{self.write(x, ATOM)}", SIGN

    def on_mT(self, x: Any) -> tuple[str, int]:
        return f"{self.write(x, ATOM)}ᵀ", POWER

    def on_t(self, x: Any) -> tuple[str, int]:
        return self.on_mT(x) if x.ndim > 1 else self.term(x)

    def on_getitem(self, x: Any, index: Any) -> tuple[str, int]:
        return f"{self.write(x, ATOM)}[{self.index(index)}]", ATOM

    on_getitem_select = on_getitem_unsqueeze = on_getitem

    def on_slice(self, x: Any, dim: int, start: Any, end: Any, step: int) -> tuple[str, int]:
        shape = x.shape if isinstance(x, Symbol) else ()
        if not -len(shape) <= dim < len(shape):
            return self.function(Call("slice", _unused, (x, dim, start, end, step)))
        if start in (0, None) and step == 1 and (end is None or end >= shape[dim]):
            return self.term(x)  # all of it
        part = slice(start, end, None if step == 1 else step)
        return self.on_getitem(x, (*(slice(None),) * (dim % len(shape)), part))

    def on_ne(self, a: Any, b: Any) -> tuple[str, int]:
        return self.term(Call("isnan", _unused, (a,))) if same(a, b) else self.infix("ne", (a, b))

    def on_item(self, x: Any, k: Any) -> tuple[str, int]:
        return f"{self.write(x, ATOM)}[{k}]", ATOM

    def on_cast(self, x: Any, dtype: Any) -> tuple[str, int]:
        return f"{dtype}({self.write(x)})", ATOM

    def on_sum_to(self, x: Any, shape: Any, axes: Any) -> tuple[str, int]:
        """The engine's undoing of a broadcast."""
        if not shape or not axes:
            return f"sum({self.write(x)})", ATOM
        dims = axes[0] if len(axes) == 1 else axes
        kept = ", keepdim=True" if len(shape) == len(x.shape) else ""
        return f"sum({self.write(x)}, dim={dims}{kept})", ATOM

    # Two rows that fuse what a formula says better.
    def on_softmax_back(self, g: Any, y: Any, dim: Any) -> tuple[str, int]:
        return self.term(y * (g - TABLE["sum"].function(g * y, dim, True)))

    def on_log_softmax_back(self, g: Any, y: Any, dim: Any) -> tuple[str, int]:
        return self.term(g - TABLE["exp"].function(y) * TABLE["sum"].function(g, dim, True))

    def on_keep(self, x: Any, mask: Any) -> tuple[str, int]:
        return f"where({self.write(mask)}, {self.write(x)}, 0)", ATOM

    def on_threshold_backward(self, x: Any, mask: Any) -> tuple[str, int]:
        return self.on_keep(x, mask)

    def on_add_scaled(self, a: Any, b: Any, alpha: Any) -> tuple[str, int]:
        return f"{self.write(a, SUM)} + {self.write(alpha, PRODUCT)} · {self.write(b, SIGN)}", SUM

    def on_sub_scaled(self, a: Any, b: Any, alpha: Any) -> tuple[str, int]:
        return f"{self.write(a, SUM)} - {self.write(alpha, PRODUCT)} · {self.write(b, SIGN)}", SUM

    def on_div_rounded(self, a: Any, b: Any, mode: str) -> tuple[str, int]:
        return self.term(Call(mode, _unused, (Call("div", _unused, (a, b)),)))

    def on_clone(self, x: Any, memory_format: Any = None) -> tuple[str, int]:
        return f"clone({self.write(x)})", ATOM

    def function(self, x: Call) -> tuple[str, int]:
        return f"{public_name(x.op)}({self.arguments(x)})", ATOM

    def arguments(self, x: Call) -> str:
        op = TABLE.get(x.op)
        if op is None:
            return ", ".join(self.write(a) if isinstance(a, Symbol) else self.option(a) for a in x.args)
        parts = []
        named = False
        for p, a in zip(op.params, x.args, strict=True):
            if (p.name == "dim" or op.name == "unsqueeze_dims") and isinstance(a, tuple) and len(a) == 1:
                a = a[0]
            shown = self.write(a) if isinstance(a, (Symbol, *NUMBERS)) else self.option(a)
            if p.default is inspect.Parameter.empty or (p.is_tensor and a is not None and not named):
                parts.append(f"{p.name}={shown}" if p.keyword_only else shown)
            elif a is not p.default and not _same(a, p.default):
                parts.append(f"{p.name}={shown}")
                named = True
            else:
                named = True
        return ", ".join(parts)


def _same(a: Any, b: Any) -> bool:
    try:
        return bool(a == b)
    except (ValueError, TypeError):
        return False


def _unused(*args: Any) -> Any:
    raise AssertionError("made for printing only")


def _factors(x: Any) -> tuple[Any, list[tuple[Any, Any]], list[tuple[Any, Any]]]:
    """A product as (number, [(base, exponent), ...] above the line, the same below it)."""
    if isinstance(x, NUMBERS) and not isinstance(x, (bool, np.bool_)):
        if isinstance(x, (float, np.floating)) and any(abs(x) == c for c in _CONSTANTS):
            sign = 1 if float(x) > 0 else -1
            return sign, [(sign * x, 1)], []
        return x, [], []
    if is_call(x, "neg"):
        factor, over, under = _factors(x.args[0])
        return -factor, over, under
    if is_call(x, "mul") or is_call(x, "div"):
        factor, over, under = _factors(x.args[0])
        factor2, over2, under2 = _factors(x.args[1])
        if x.op == "div":
            over2, under2 = under2, over2
            if is_number(factor2, 0):
                return factor, over, [(x.args[1], 1)]
            if not is_number(factor2, 1, -1):
                under2 = [(factor2, 1), *under2]
                factor2 = 1
        return factor * factor2, _merge(over, over2), _merge(under, under2)
    if is_call(x, "square"):
        return 1, [(x.args[0], 2)], []
    return 1, [(x, 1)], []


def _merge(a: list[tuple[Any, Any]], b: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Factors of a product, equal ones gathered in a power."""
    found = list(a)
    for base, n in b:
        at = next((i for i, (c, _) in enumerate(found) if isinstance(base, Symbol) and same(base, c)), None)
        if at is None:
            found.append((base, n))
        else:
            found[at] = (base, found[at][1] + n)
    return found


def same(a: Any, b: Any) -> bool:
    """Are two expressions the same, as written?"""
    if a is b:
        return True
    if isinstance(a, Name) and isinstance(b, Name):
        return a.name == b.name
    if isinstance(a, Call) and isinstance(b, Call):
        return a.op == b.op and len(a.args) == len(b.args) and all(map(same, a.args, b.args))
    return type(a) is type(b) and isinstance(a, NUMBERS) and bool(a == b)


def text(x: Any, rename: Callable[[Name], str] | None = None, options: dict[int, str] | None = None) -> str:
    """An expression as text."""
    return Style(rename, options).write(x)
