"""A ledger as JSON (docs/explain.schema.json describes it), Markdown and LaTeX. The same run gives the same bytes."""

from __future__ import annotations

import json
import math
import os
from typing import Any

import numpy as np

from .latex import latex, tex_name
from .ledger import Block, Ledger, Term, flat, operation
from .notation import text
from .numbers import shot_text
from .recording import Shot, Step, Value
from .screen import formula, rename, with_numbers

SCHEMA = "wengert-ledger/1"


# -- JSON --------------------------------------------------------------------------------------------------------------


def _number(x: Any) -> Any:
    if isinstance(x, (bool, np.bool_)):
        return bool(x)
    if isinstance(x, (int, np.integer)):
        return int(x)
    if isinstance(x, (complex, np.complexfloating)):
        return [_number(x.real), _number(x.imag)]
    x = float(x)
    return x if math.isfinite(x) else "nan" if x != x else "inf" if x > 0 else "-inf"


def _nested(a: Any) -> Any:
    a = np.asarray(a)
    return _number(a[()]) if a.ndim == 0 else [_nested(x) for x in a]


def shot_json(shot: Shot | None) -> Any:
    if shot is None:
        return None
    found: dict[str, Any] = {"shape": list(shot.shape), "dtype": str(shot.dtype), "text": shot_text(shot)}
    if shot.whole:
        found["value"] = _nested(shot.array)
    elif shot.known:
        low, high, norm = shot.stats()
        found |= {"min": _number(low), "max": _number(high), "norm": _number(norm)}
    bad = shot.non_finite()
    if bad:
        found["not_finite"] = bad
    return found


def site_json(site: Any) -> Any:
    return None if site is None else {"file": os.path.basename(site[0].co_filename), "line": site[2]}


def to_data(ledger: Ledger) -> dict[str, Any]:
    """The ledger as plain lists and dictionaries, in the order in which things happened."""
    known = ledger.values()
    ids = {id(v): f"v{i}" for i, v in enumerate(known)}

    def reference(v: Value) -> str:
        if id(v) not in ids:  # a result that no step in it gave or used
            ids[id(v)] = f"v{len(ids)}"
            known.append(v)
        return ids[id(v)]

    root = reference(ledger.root)

    blocks = [_block(b, reference) for b in ledger.blocks]
    arrivals = [
        {
            "value": reference(a.leaf),
            "gradient": shot_json(a.gradient),
            "before": shot_json(a.before),
            "after": shot_json(a.after),
            "terms": [{"block": t.block, "position": t.position} for t in a.terms],
        }
        for a in ledger.arrivals
    ]
    steps = [_step(s, reference) for s in ledger.forward]
    values = [
        {
            "id": ids[id(v)],
            "name": v.name,
            "tex": tex_name(v.name or "?"),
            "requires_grad": v.requires_grad,
            "made_by": v.made_by.number if v.made_by is not None else None,
            "value": shot_json(v.shot),
        }
        for v in known
    ]
    return {
        "schema": SCHEMA,
        "root": root,
        "pass": ledger.number,
        "called_at": site_json(ledger.site),
        "start": shot_json(ledger.start),
        "values": values,
        "forward": steps,
        "backward": blocks,
        "gradients": arrivals,
        "notes": ledger.notes,
    }


def _step(step: Step, reference: Any) -> dict[str, Any]:
    return {
        "step": step.number,
        "operation": operation(step),
        "row": step.op.name,
        "arguments": [reference(v) for v in flat(step.args)],
        "results": [reference(v) for v in step.outputs],
        "formula": formula(step),
        "tex": formula(step, latex),
        "at": site_json(step.site),
        "in_place": step.inplace,
        "cut": step.cut,
    }


def _block(block: Block, reference: Any) -> dict[str, Any]:
    return {
        "block": block.number,
        "step": block.step.number,
        "node": block.node,
        "order": block.order,
        "outputs": [reference(v) for v in block.outputs],
        "gradient": [shot_json(g) for g in block.gradient],
        "saved": [
            block.names.get(name, name) for name, how in block.saved if how in ("tensor", "list", "output", "aux")
        ],
        "terms": [_term(block, t, reference) for t in block.terms],
        "note": block.note,
    }


def _term(block: Block, term: Term, reference: Any) -> dict[str, Any]:
    names = rename(block)
    rule = term.rule
    return {
        "target": reference(term.target),
        "argument": term.argument,
        "rule": None if rule is None else text(rule),
        "named": None if rule is None else text(rule, names),
        "numbers": None if rule is None else with_numbers(block, rule),
        "tex": None if rule is None else latex(rule, lambda n: tex_name(names(n))),
        "value": shot_json(term.value),
        "raw": shot_json(term.raw) if term.stretched else None,
        "total": shot_json(term.total),
        "position": term.position,
        "of": term.of,
        "stretched": None
        if term.stretched is None
        else dict(zip(("from", "to", "axes"), map(list, term.stretched), strict=True)),
        "note": term.note,
    }


def to_json(ledger: Ledger) -> str:
    return json.dumps(to_data(ledger), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


# -- LaTeX and Markdown ------------------------------------------------------------------------------------------------


def _tex_term(block: Block, term: Term) -> str:
    names = rename(block)
    left = rf"\nabla {tex_name(term.target.name or '?')}"
    sign = "&\\mathrel{+}=" if term.of > 1 else "&="
    parts = [f"{left} {sign} "]
    if term.rule is None:
        parts.append(rf"\text{{{block.node}}}")
    else:
        parts.append(latex(term.rule, lambda n: tex_name(names(n))))
    shot = term.value if term.value is not None else term.raw
    if shot is not None and shot.whole and shot.size <= 9:
        parts.append(" = " + tex_array(shot.array))
    return "".join(parts)


def tex_array(a: Any) -> str:
    """A small array as a LaTeX matrix."""
    from .notation import number

    a = np.asarray(a)
    if a.ndim == 0:
        return number(a[()])
    rows = [a] if a.ndim == 1 else a.reshape(-1, a.shape[-1])
    return r"\begin{bmatrix} " + r" \\ ".join(" & ".join(number(x) for x in row) for row in rows) + r" \end{bmatrix}"


def to_latex(ledger: Ledger) -> str:
    """The forward steps and the backward steps, each as one `align*`."""
    lines = [rf"% backward pass of {ledger.root.name}; \nabla x stands for the gradient of it", r"\begin{align*}"]
    lines.append(
        " \\\\\n".join(
            f"{', '.join(tex_name(v.name or '?') for v in s.outputs)} &= {formula(s, latex)}" for s in ledger.forward
        )
    )
    lines += [r"\end{align*}", r"\begin{align*}"]
    first = tex_array(ledger.start.array) if ledger.start is not None and ledger.start.whole else "g"
    start = rf"\nabla {tex_name(ledger.root.name or '?')} &= {first}"
    lines.append(" \\\\\n".join([start, *(_tex_term(b, t) for b in ledger.blocks for t in b.terms)]))
    lines.append(r"\end{align*}")
    return "\n".join(lines) + "\n"


def to_markdown(ledger: Ledger) -> str:
    """Tables, with the formulas as code and as mathematics."""
    root = ledger.root.name
    out = [f"## {root} = {shot_text(ledger.root.shot)}", "", f"∇x stands for ∂{root}/∂x.", "", "### Forward", ""]
    out += ["| step | | value | line |", "|---:|---|---|---:|"]
    for s in ledger.forward:
        names = ", ".join(v.name or "?" for v in s.outputs)
        value = shot_text(s.outputs[0].shot) if s.outputs else ""
        out.append(f"| {s.number} | `{names} = {formula(s)}` | {value} | {s.site[2] if s.site else ''} |")
    out += [
        "",
        "### Backward",
        "",
        f"∇{root} = {shot_text(ledger.start)}",
        "",
        "| step | rule | result |",
        "|---:|---|---|",
    ]
    for b in ledger.blocks:
        for t in b.terms:
            sign = "+=" if t.of > 1 else "="
            rule = text(t.rule, rename(b)) if t.rule is not None else b.note
            out.append(
                f"| {b.step.number} | `∇{t.target.name} {sign} {rule}` | {shot_text(t.value if t.value is not None else t.raw)} |"
            )
    out += ["", "### Gradients", ""]
    out += [f"* `{a.leaf.name}.grad` = {shot_text(a.after)}" for a in ledger.arrivals]
    return "\n".join(out).replace("|v|", r"\|v\|") + "\n"
