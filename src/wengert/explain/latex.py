"""Expressions as LaTeX, from each row's own `tex`; precedence is read off those templates."""

from __future__ import annotations

import functools
import re
import string
from collections.abc import Callable
from typing import Any

from ..core.op import TABLE, Op
from .notation import ATOM, COMPARE, INFIX, POWER, PRODUCT, SIGN, SUM, Style, public_name
from .symbols import NUMBERS, Call, Name, Symbol, is_number

_GREEK = re.compile(
    "alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|upsilon|phi|chi|psi|omega"
)


_DIGITS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")


class Latex(Style):
    """LaTeX, from each row's own `tex`."""

    adjoint = r"\nabla "

    def __init__(self, rename: Callable[[Name], str] | None = None, options: dict[int, str] | None = None) -> None:
        super().__init__(rename or (lambda name: tex_name(name.name)), options)

    def bracket(self, shown: str) -> str:
        return rf"\left({shown}\right)"

    def symbol_of(self, forms: tuple[str, str]) -> str:
        return forms[1]

    def constant(self, x: Any) -> tuple[str, int]:
        shown, binds = super().constant(x)
        mantissa, e, exponent = shown.partition("e")
        if e and mantissa.lstrip("-")[:1].isdigit():
            return rf"{mantissa} \cdot 10^{{{int(exponent)}}}", PRODUCT
        return shown, binds

    def option(self, x: Any) -> str:
        if id(x) in self.options or isinstance(x, (str, Symbol)) or x is None or isinstance(x, (tuple, list)):
            shown = super().option(x)
            return shown if isinstance(x, (tuple, list, Symbol)) else rf"\mathrm{{{_escape(shown)}}}"
        return _escape(super().option(x))

    def identity(self, shape: tuple[int, ...]) -> str:
        return rf"I_{{{shape[0]}}}" if shape[0] == shape[1] else rf"I_{{{shape[0]} \times {shape[1]}}}"

    def unnamed(self, a: Any) -> str:
        return f"C_{{{self.sizes(a.shape)}}}"

    def infix(self, op: str, args: tuple[Any, ...]) -> tuple[str, int]:
        _, sign, binds, left, right = INFIX[op]
        return f"{self.write(args[0], left)}{sign}{self.write(args[1], right)}", binds

    times = r" \cdot "

    def below(self, under: list[tuple[Any, Any]]) -> str:
        return self.times.join(self.factor(base, n, len(under) > 1) for base, n in under)

    def over(self, top: str, bottom: str) -> str:
        return rf"\frac{{{top}}}{{{bottom}}}"

    def power(self, base: Any, n: Any) -> tuple[str, int]:
        if is_number(n, 1):
            return self.term(base)
        return f"{self.write(base, ATOM)}^{{{self.write(n)}}}", POWER

    def on_bitwise_not(self, x: Any) -> tuple[str, int]:
        return rf"\neg {self.write(x, ATOM)}", SIGN

    def on_mT(self, x: Any) -> tuple[str, int]:
        return rf"{self.write(x, ATOM)}^{{\mathsf T}}", POWER

    def on_getitem(self, x: Any, index: Any) -> tuple[str, int]:
        return rf"{self.write(x, ATOM)}_{{{self.index(index)}}}", POWER

    on_getitem_select = on_getitem_unsqueeze = on_getitem

    def on_cast(self, x: Any, dtype: Any) -> tuple[str, int]:
        return rf"\operatorname{{{dtype}}}({self.write(x)})", ATOM

    def on_sum_to(self, x: Any, shape: Any, axes: Any) -> tuple[str, int]:
        below = f"_{{{', '.join(map(str, axes))}}}" if shape and axes else ""
        return rf"\sum{below} {self.write(x, PRODUCT)}", SUM

    def on_keep(self, x: Any, mask: Any) -> tuple[str, int]:
        return rf"\left[{self.write(mask)}\right] {self.write(x, PRODUCT)}", PRODUCT

    def on_conj(self, x: Any) -> tuple[str, int]:
        return rf"\overline{{{self.write(x)}}}", ATOM

    def on_expand(self, x: Any, shape: Any) -> tuple[str, int]:
        return rf"\mathbf 1_{{{self.sizes(shape)}}}\,{self.write(x, PRODUCT)}", PRODUCT

    def sizes(self, shape: Any) -> str:
        return r" \times ".join(map(str, shape)) or "1"

    def function(self, x: Call) -> tuple[str, int]:
        op = TABLE.get(x.op)
        if op is not None and op.tex is not None:
            return self.template(op, x.args)
        return rf"\operatorname{{{_escape(public_name(x.op))}}}\left({self.arguments(x)}\right)", ATOM

    def template(self, op: Op, args: tuple[Any, ...]) -> tuple[str, int]:
        needs, binds = _reading(op.tex or "")
        parts = {}
        for p, a in zip(op.params, args, strict=True):
            need = needs.get(p.name, 0)
            if p.name == "dim" and a is not None:
                parts[p.name] = ", ".join(map(str, a)) if isinstance(a, (tuple, list)) else str(a)
            elif isinstance(a, (Symbol, *NUMBERS)):
                parts[p.name] = self.write(a, need)
            else:
                parts[p.name] = "" if a is None else self.option(a)
        return (op.tex or "").format_map(parts), binds


@functools.cache
def _reading(template: str) -> tuple[dict[str, int], int]:
    """How tightly each argument of a `tex` must bind, and the whole does: seen from the operators it is written with."""
    # Levels of grouping hide what is inside them.
    pieces = list(string.Formatter().parse(template))
    skeleton = ""
    fields: list[tuple[str, int]] = []
    for literal, field, _, _ in pieces:
        skeleton += literal
        if field is not None:
            fields.append((field, len(skeleton)))
            skeleton += "\0"
    depth = 0
    top: list[int] = []  # depth of each character
    opening = {"{", "(", "[", "|"}
    bar = False
    for c in skeleton:
        if c in "}])" or (c == "|" and bar):
            depth -= 1
        top.append(depth)
        if c in opening and not (c == "|" and bar):
            depth += 1
        if c == "|":
            bar = not bar
    flat = "".join(c if d == 0 else " " for c, d in zip(skeleton, top, strict=True))
    sums = [m.start() for m in re.finditer(r"(?<=\S)\s[+-]\s", flat)]
    relation = re.search(r"\\(ne|le|ge)\b|[<>=]", flat)
    if "\\begin" in flat:
        binds = ATOM
    elif relation:
        binds = COMPARE
    elif sums:
        binds = SUM
    elif flat.lstrip().startswith("-"):
        binds = SIGN
    else:
        binds = PRODUCT if "\0" in flat and flat.strip() != "\0" else ATOM
    needs = {}
    for name, at in fields:
        if top[at] > 0 or "\\begin" in flat or "floor" in skeleton or "ceil" in skeleton:
            needs[name] = 0
        elif relation or sums:
            after_minus = any(skeleton[s : s + 3].strip() == "-" and s < at for s in sums)
            alone = not re.search(r"[^\s+-]", flat.replace("\0", "").replace("\\frac", ""))
            needs[name] = SUM if relation else PRODUCT if after_minus or not alone else SUM
        elif skeleton[at + 1 : at + 2] == "^":
            needs[name] = ATOM
        elif re.search(r"\\cdot|\\bmod|\\star|\\,", flat):
            needs[name] = PRODUCT
        else:
            needs[name] = POWER
    return needs, binds


def _escape(s: str) -> str:
    return s.replace("_", r"\_").replace("%", r"\%").replace("#", r"\#").replace("&", r"\&")


def tex_name(name: str) -> str:
    """A variable's name in LaTeX: one letter in italics, Greek as Greek, words upright, `∇x` as the gradient it is."""
    if name.startswith("∇"):
        return r"\nabla " + tex_name(name[1:])
    if re.fullmatch(r"-?[\d.]+", name):
        return name
    numbered = re.fullmatch("(.+?)([₀-₉]+)", name)
    if numbered:  # by `naming`, where several values share a name
        return f"{{{tex_name(numbered[1])}}}_{{{numbered[2].translate(_DIGITS)}}}"
    base, _, index = name.partition("_")
    if (len(base) == 1 or _GREEK.fullmatch(base)) and re.fullmatch(r"[A-Za-z0-9]*", index):
        head = rf"\{base}" if _GREEK.fullmatch(base) else base
        return f"{head}_{{{index}}}" if index else head
    trailing = re.fullmatch(r"([A-Za-z])(\d+)", name)
    if trailing:
        return f"{trailing[1]}_{{{trailing[2]}}}"
    return rf"\mathrm{{{_escape(name)}}}"


def latex(x: Any, rename: Callable[[Name], str] | None = None, options: dict[int, str] | None = None) -> str:
    """An expression as LaTeX."""
    return Latex(rename, options).write(x)
