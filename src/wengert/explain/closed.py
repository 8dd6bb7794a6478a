"""The gradient of a small program as one formula of its leaves.

The forward steps are called with symbols, so each value becomes an expression; then every node's own rule is called with
those expressions in place of what it had saved, and what fans in is added. Nothing is derived here: the formula is what the
rules that ran make of the program's own expressions. Its number is computed and compared with the engine's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .again import gradient_of, runs_again, starts, value_of
from .export import _number
from .latex import latex, tex_name
from .ledger import Block, Ledger, operation
from .notation import number, text
from .part import Part, wrapped
from .recording import Step, Value
from .rules import rule_of
from .simplify import Numeral, plus, simplify, size
from .symbols import NUMBERS, Name, Symbol

LONG = 60  # operations: beyond, what the program gives names to is not written out
TOO_LONG = 400


@dataclass
class Form:
    """One gradient as a formula."""

    value: Value
    expression: Any
    differs_by: float | None  # from the engine's, relative to the largest element; None if that was not kept

    @property
    def name(self) -> str:
        return self.value.name or "?"


class ClosedForm(Part):
    """∂loss/∂x for one leaf, or for each."""

    def __init__(self, ledger: Ledger, x: Any = None, expand: bool | None = None) -> None:
        self.ledger = ledger
        wanted = [a.leaf for a in ledger.arrivals] if x is None else [value_of(ledger, x)]
        if sum(any(v.requires_grad for v in s.outputs) for s in ledger.forward) > 2 * LONG:
            raise _TooLong(_TOO_LARGE)
        self.symbols: dict[int, Any] = {}
        self.definitions: list[tuple[str, Any]] = []
        self.forms: list[Form] = []
        if expand is None:
            try:
                self.forms = self._forms(wanted, True)
            except _TooLong:
                expand = False
            else:
                expand = all(size(f.expression) <= LONG for f in self.forms)
        if not self.forms or not expand:
            self.forms = self._forms(wanted, bool(expand))

    def _forms(self, wanted: list[Value], full: bool) -> list[Form]:
        self.symbols, self.definitions = {}, []
        for v in self.ledger.values():
            if v.made_by is None:
                self.symbols[id(v)] = _leaf(v)
        for step in self.ledger.forward:
            self._forward(step, full)
        gradients = self._backward(full)
        found = []
        for v in wanted:
            expression = gradients.get(id(v))
            if expression is None:
                raise ValueError(f"closed_form(): no gradient reaches {v.name}")
            found.append(Form(v, expression, _differs(expression, gradient_of(self.ledger, v))))
        names = {n.name for f in found for n in (f.expression.names() if isinstance(f.expression, Symbol) else ())}
        needed = []
        for name, expression in reversed(self.definitions):
            if name in names:
                needed.append((name, expression))
                names |= {n.name for n in expression.names()}
        self.definitions = needed[::-1]
        if len(needed) > LONG:
            raise _TooLong(_TOO_LARGE)
        return found

    def _forward(self, step: Step, full: bool) -> None:
        if not any(v.requires_grad for v in step.outputs):
            self.symbols |= {id(v): _leaf(v) for v in step.outputs}
            return
        if not runs_again(step) or step.inplace:
            raise NotImplementedError(
                f"closed_form() through step {step.number}, {operation(step)}, which is "
                + ("a change in place" if step.inplace else "no operation of the tables")
                + "; the ledger shows it step by step"
            )
        args = [self._symbol(a) for a in step.args]
        first = next((a for x in args for a in (x if isinstance(x, list) else [x]) if isinstance(a, Symbol)), None)
        if first is None:
            self.symbols |= {id(v): _leaf(v) for v in step.outputs}
            return
        result = first.__wengert_op__(step.op, args)
        results = [simplify(r) for r in (result if isinstance(result, tuple) else (result,))]
        for v, r in zip(step.outputs, results, strict=True):
            _bounded(r)
            self.symbols[id(v)] = r
            if not full and v is not self.ledger.root:
                self._define(v.name or "?", r)
                self.symbols[id(v)] = Name(v.name or "?", np.asarray(r.value))

    def _define(self, name: str, expression: Any) -> None:
        self.definitions.append((name, expression))
        if len(self.definitions) > TOO_LONG:
            raise _TooLong(_TOO_LARGE)

    def _symbol(self, a: Any) -> Any:
        if isinstance(a, list):
            return [self._symbol(x) for x in a]
        return self.symbols[id(a)] if isinstance(a, Value) else a

    def _backward(self, full: bool) -> dict[int, Any]:
        found: dict[int, Any] = {}
        for v, start in starts(self.ledger):
            if not start.whole:
                raise ValueError("closed_form(): of the gradient that the pass starts with only a summary was kept")
            one = not start.shape and np.asarray(start.array) == 1
            found[id(v)] = Numeral(1.0) if one else Name(f"∇{v.name}", np.asarray(start.array))
        for block in self.ledger.blocks:
            gradients = [found.get(id(v)) for v in block.outputs]
            if all(g is None for g in gradients) or not block.terms:
                continue
            if getattr(block.ran.node, "variant", None) is None:
                raise NotImplementedError(f"closed_form() through step {block.step.number}, {block.note or block.node}")
            if not full:
                for k, v in enumerate(block.outputs):
                    g = gradients[k]
                    if g is not None and size(g):
                        self._define(f"∇{v.name}", g)
                        gradients[k] = Name(f"∇{v.name}", np.asarray(g.value))
            node = block.ran.node
            outs = [node.output_meta(k) for k in range(node.n_outputs)]
            rules = rule_of(type(node), self._saved(block), node.next, outs, gradients)
            for term, i in zip(block.terms, block.places, strict=True):
                made = simplify(term.undone(rules[i]))
                if (
                    isinstance(made, Symbol)
                    and made.is_complex()
                    and term.value is not None
                    and term.value.dtype.kind == "f"
                ):
                    made = made.real  # as the engine casts it
                old = found.get(id(term.target))
                made = _bounded(made if old is None else plus(old, made))
                found[id(term.target)] = Numeral(made) if isinstance(made, NUMBERS) else made
        return found

    def _saved(self, block: Block) -> dict[str, Any]:
        """What the node saved, as the expressions that made it."""
        step, node = block.step, block.ran.node
        found: dict[str, Any] = {}
        for name, (how, _) in node.variant.saves.items():
            if how in ("tensor", "list"):
                a = next((a for p, a in zip(step.op.params, step.args, strict=False) if p.name == name), None)
                found[name] = self._symbol(a)
            elif how == "output":
                found[name] = self.symbols[id(step.outputs[step.op.outputs.index(name)])]
            elif how == "aux":
                raw = block.ran.saved.get(name)
                found[name] = None if raw is None else Name(name, np.asarray(getattr(raw, "array", raw)))
            else:
                found[name] = getattr(node, name, None)
            if how in ("tensor", "output") and isinstance(found[name], NUMBERS):
                found[name] = Numeral(found[name])
        return found

    # -- shown ---------------------------------------------------------------------------------------------------------
    @property
    def loss(self) -> Any:
        """The loss itself, as an expression."""
        return self.symbols[id(self.ledger.root)]

    @property
    def title(self) -> str:
        return f"{self.ledger.root.name} = {text(self.loss)}"

    def text(self, width: int = 100, limit: int | None = None) -> str:
        lines = wrapped(self.title, width)
        for name, expression in self.definitions:
            lines += wrapped(f"  where {name} = {text(expression)}", width, 4)
        for f in self.forms:
            lines += wrapped(f"∂{self.ledger.root.name}/∂{f.name} = {text(f.expression)}", width, 4)
            lines += [f"    {self._said(f)}"]
        return "\n".join(lines) + "\n"

    @staticmethod
    def _said(f: Form) -> str:
        if f.differs_by is None:
            return "not compared with the engine: its gradient was not kept"
        value = np.asarray(f.expression.value if isinstance(f.expression, Symbol) else f.expression)
        shown = f"= {number(value[()])}, " if value.ndim == 0 else ""
        return shown + (
            "the engine's to the bit" if f.differs_by == 0 else f"agrees with the engine to {number(f.differs_by, 2)}"
        )

    columns = ("", "formula", "")

    def rows(self) -> list[list[str]]:
        where = [["where " + name, text(e), ""] for name, e in self.definitions]
        root = self.ledger.root.name
        return where + [[f"∂{root}/∂{f.name}", text(f.expression), self._said(f)] for f in self.forms]

    def latex(self) -> str:
        """The loss, and each gradient, as one `align*`."""
        root = tex_name(self.ledger.root.name or "?")
        lines = [f"{root} &= {latex(self.loss)}"]
        lines += [f"{tex_name(name)} &= {latex(e)}" for name, e in self.definitions]
        lines += [
            rf"\frac{{\partial {root}}}{{\partial {tex_name(f.name)}}} &= {latex(f.expression)}" for f in self.forms
        ]
        return "\\begin{align*}\n" + " \\\\\n".join(lines) + "\n\\end{align*}\n"

    def _repr_latex_(self) -> str:
        body = self.latex().strip()
        return body.replace(r"\begin{align*}", r"$$\begin{aligned}").replace(r"\end{align*}", r"\end{aligned}$$")

    def to_data(self) -> dict[str, Any]:
        return {
            "loss": {"name": self.ledger.root.name, "text": text(self.loss), "tex": latex(self.loss)},
            "where": [{"name": n, "text": text(e), "tex": latex(e)} for n, e in self.definitions],
            "gradients": [
                {
                    "of": f.name,
                    "text": text(f.expression),
                    "tex": latex(f.expression),
                    "differs_by": None if f.differs_by is None else _number(f.differs_by),
                }
                for f in self.forms
            ],
        }


_TOO_LARGE = "closed_form(): this program is too large for a formula that can be read; the ledger shows it step by step"


class _TooLong(ValueError):
    pass


def _bounded(x: Any) -> Any:
    if size(x) > TOO_LONG:
        raise _TooLong(_TOO_LARGE)
    return x


def _leaf(v: Value) -> Any:
    """A value that the formula is made of: a name, or a number that the program wrote as one."""
    if v.shot is None or not v.shot.whole:
        raise ValueError(f"closed_form(): of {v.name} only a summary was kept; it is too large for a formula's check")
    return Name(v.name or "?", np.asarray(v.shot.array))


def _differs(expression: Any, shot: Any) -> float | None:
    if shot is None or not shot.whole:
        return None
    value = np.asarray(expression.value if isinstance(expression, Symbol) else expression)
    engine = np.asarray(shot.array)
    scale = float(np.abs(engine).max(initial=0)) or 1.0
    return float(np.abs(value - engine).max(initial=0)) / scale
