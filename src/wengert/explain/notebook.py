"""What a notebook shows of an explanation, a ledger, a node and a tensor: `_repr_html_` and `_repr_latex_` come here.

A notebook's output is a document among others, so there is no script here: tables, MathML and the drawing. The stepper is
a page of its own (`Explanation.html`).
"""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

from ..core.node import Node
from ..core.tensor import Tensor
from .latex import latex, tex_name
from .ledger import Block, Ledger
from .mathml import math
from .numbers import array_text, shot_text
from .recording import Step
from .rules import gradient_names, rule_of, symbols_for
from .screen import formula, remark, rename, with_numbers
from .symbols import Name

LIMIT = 60  # steps each way
_CELL = "text-align:left;vertical-align:top"


def _table(head: list[str], rows: list[list[str]]) -> str:
    top = "".join(f'<th scope="col" style="{_CELL}">{h}</th>' for h in head)
    body = "".join("<tr>" + "".join(f'<td style="{_CELL}">{c}</td>' for c in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _code(shown: str) -> str:
    return f"<code>{escape(shown)}</code>"


def _more(count: int) -> str:
    return f"<p>… {count} more steps: <code>.html(path)</code> shows all</p>" if count > 0 else ""


def ledger_html(ledger: Ledger) -> str:
    """Forward and backward as tables, with formulas as mathematics and as numbers."""
    forward = [
        [str(s.number), _equation(s), _code(shot_text(s.outputs[0].shot) if s.outputs else "")]
        for s in ledger.forward[-LIMIT:]
    ]
    backward = []
    for b in ledger.blocks[:LIMIT]:
        for t in b.terms:
            left = rf"\nabla {tex_name(t.target.name or '?')} {'+=' if t.of > 1 else '='} "
            right = rf"\text{{{b.node}}}" if t.rule is None else _tex_of(t.rule, b)
            numbers = with_numbers(b, t.rule) if t.rule is not None else None
            result = shot_text(t.value if t.value is not None else t.raw)
            shown = result if numbers in (None, result) else f"{numbers} = {result}"
            said = remark(t)
            note = f"<br><small>{escape(said)}</small>" if said else ""
            backward.append([str(b.step.number), math(left + right) + note, _code(shown)])
    leaves = [[math(tex_name(f"∇{a.leaf.name}")), _code(shot_text(a.gradient, 80))] for a in ledger.arrivals[:LIMIT]]
    root = f"{ledger.root.name} = {shot_text(ledger.root.shot)}"
    return (
        f"<p><b>{escape(root)}</b></p>"
        + _table(["step", "forward", "value"], forward)
        + _more(len(ledger.forward) - LIMIT)
        + _table(["step", "backward", "numbers"], backward)
        + _more(len(ledger.blocks) - LIMIT)
        + _table(["gradient", "value"], leaves)
    )


def _tex_of(rule: Any, block: Block) -> str:
    names = rename(block)
    return latex(rule, lambda n: tex_name(names(n)))


def _equation(step: Step) -> str:
    names = ", ".join(tex_name(v.name or "?") for v in step.outputs)
    return math(f"{names} = {formula(step, latex)}")


def explanation_html(explanation: Any) -> str:
    """The drawing, if it is of a size to be looked at, and the tables."""
    ledger = explanation.ledger
    from .graph import FLAT, drawn

    picture = explanation.svg() if len(drawn(ledger)) <= FLAT else ""
    return f'<div style="overflow-x:auto">{picture}</div>' + ledger_html(ledger)


def ledger_latex(ledger: Ledger) -> str:
    """The steps forward and back as LaTeX that MathJax reads."""
    from .export import to_latex

    body = to_latex(ledger).split("\n", 1)[1]
    return body.replace(r"\begin{align*}", r"$$\begin{aligned}").replace(r"\end{align*}", r"\end{aligned}$$")


def node_html(node: Any) -> str:
    """A grad_fn: what it does, the rule for each argument in mathematics, what it keeps."""
    kind = type(node).__name__
    head = f"<p><b>{escape(kind)}</b></p>"
    if getattr(node, "variant", None) is None:
        return head
    if getattr(node, "freed", False):
        return head + "<p>its saved values were freed by backward()</p>"
    outs = [node.output_meta(k) for k in range(node.n_outputs)]
    names = gradient_names(node.op, node.n_outputs)
    gradients = [Name(name, None, *meta) for name, meta in zip(names, outs, strict=True)]
    saved = symbols_for(node)
    try:
        rules = rule_of(type(node), saved, node.next, outs, gradients)
    except Exception:  # a rule that cannot be shown must not hide the rest
        rules = []
    arguments = [p.name for p in node.op.tensor_params] if not node.op.variadic else []
    shown = [
        math(rf"\nabla {tex_name(name)} = {latex(rule)}")
        for name, rule in zip(arguments, rules, strict=False)
        if rule is not None
    ]
    kept = [f"<dt>{escape(name)}</dt><dd>{_code(_value(s))}</dd>" for name, s in saved.items() if isinstance(s, Name)]
    return (
        head
        + "".join(f"<p>{s}</p>" for s in shown)
        + (f"<p>keeps</p><dl>{''.join(kept)}</dl>" if kept else "<p>keeps nothing</p>")
    )


def _value(symbol: Name) -> str:
    a = np.asarray(symbol.value)
    return array_text(a) if a.size <= 12 else f"{'×'.join(map(str, a.shape))} {a.dtype}"


def tensor_html(t: Any) -> str:
    """A tensor: its usual text, its shape, and for one with a grad_fn what made it."""
    made = t.grad_fn
    by = f", made by {type(made).__name__}" if made is not None else ", a leaf" if t.requires_grad else ""
    where = f"{'×'.join(map(str, t.shape)) or 'number'}, {str(t.dtype).removeprefix('torch.')}{by}"
    return f"<pre>{escape(repr(t))}</pre><small>{escape(where)}</small>"


def install() -> None:
    """Nodes and tensors show themselves in notebooks, from when `wengert.explain` is imported."""
    Node._repr_html_ = node_html  # type: ignore[attr-defined]
    Tensor._repr_html_ = tensor_html  # type: ignore[attr-defined]
