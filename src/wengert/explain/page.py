"""A ledger as one self-contained HTML page: nothing is fetched, there is no server; the same run gives the same bytes.

This module gathers what the page shows (`to_page`) and puts it with `static/page.{html,css,js}` into one file. Formulas
are written by `latex` with holes where names stand and read by `mathml`, so that a formula that occurs a thousand times
is stored once. The page's script only shows and hides; it computes nothing of mathematics.
"""

from __future__ import annotations

import json
import os
from html import escape
from pathlib import Path
from typing import Any

from . import memory
from .drawing import STYLE, Painter, brief, n
from .graph import FLAT
from .latex import Latex, tex_name
from .ledger import Block, Ledger, Term, flat, operation
from .mathml import mathml
from .numbers import shot_text
from .recording import Shot, Step
from .screen import formula, keeps, remark, rename, step_expression, with_numbers
from .sites import line_of
from .symbols import Name

_STATIC = Path(__file__).parent / "static"
_HOLES = 0xE000  # private use: hole k is the character _HOLES + k


class _Table:
    """Strings, each once."""

    def __init__(self) -> None:
        self.items: list[str] = []
        self.known: dict[str, int] = {}

    def __call__(self, item: str) -> int:
        found = self.known.get(item)
        if found is None:
            found = self.known[item] = len(self.items)
            self.items.append(item)
        return found


class Gatherer:
    """What the page shows, as plain data."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.painter = Painter(ledger)
        self.steps = self.painter.steps
        self.formulas, self.names, self.files, self.texts = _Table(), _Table(), _Table(), _Table()
        self.read: dict[str, str] = {}  # LaTeX already turned into MathML

    def tex(self, tex: str) -> str:
        found = self.read.get(tex)
        if found is None:
            found = self.read[tex] = mathml(tex)
        return found

    def math(self, x: Any, names: Any) -> list[int]:
        """[formula, name, name, ...]: the number of a formula with holes, and those of the names to fill them."""
        holes: dict[str, int] = {}

        def hole(name: Name) -> str:
            shown = names(name)
            if shown[:1].isdigit() or shown[:1] == "-":
                return tex_name(shown)
            return chr(_HOLES + holes.setdefault(shown, len(holes)))

        written = Latex(hole).write(x)
        return [self.formulas(self.tex(written)), *(self.name(shown) for shown in holes)]

    def name(self, shown: str) -> int:
        return self.names(self.tex(tex_name(shown)))

    def site(self, site: Any) -> list[Any]:
        where = line_of(site)
        return [] if where is None else [self.files(os.path.basename(where[0])), where[1], self.texts(where[2])]

    def forward(self, step: Step) -> dict[str, Any]:
        block = self.painter.blocks.get(id(step))
        names = ", ".join(v.name or "?" for v in step.outputs)
        found: dict[str, Any] = {
            "r": f"{names} = {formula(step)}",
            "o": [self.name(v.name or "?") for v in step.outputs],
            "m": self.math(step_expression(step), lambda name: name.name),
            "v": [shot_text(v.shot, 200) for v in step.outputs],
            "at": self.site(step.site),
            "say": self.texts(self.said(step, block)),
            "norm": size(step.outputs[0].shot if step.outputs else None),
        }
        if block is not None:
            found["b"] = len(self.steps) + block.number
        arguments = {v.name or "?": v for v in flat(step.args)}
        found["in"] = [[self.name(name), shot_text(v.shot, 120)] for name, v in arguments.items()]
        return found

    def said(self, step: Step, block: Block | None) -> str:
        parts = [operation(step)]
        if step.scope is not None:
            parts[0] += " in " + " › ".join(s.label for s in step.scope.chain())
        if block is not None:
            parts.append(f"recorded as {block.node}")
            parts.append(keeps(block) or "keeps nothing")
        elif step.cut is None:
            parts.append("constant: no gradient is wanted here")
        if step.cut:
            parts.append(f"cut: {step.cut}, no gradient goes through here")
        if step.inplace:
            parts.append("in place")
        if step.order > 1:
            parts.append(f"made by a backward pass: order {step.order}")
        if step.op.domain:
            parts.append(f"convention: {step.op.domain}")
        return "; ".join(parts)

    def backward(self, block: Block) -> dict[str, Any]:
        terms = [self.term(block, t) for t in block.terms]
        sizes = [size(t.value if t.value is not None else t.raw) for t in block.terms]
        first = block.terms[0] if block.terms else None
        row = self.row(block, first) if first is not None else f"{operation(block.step)}: nothing to pass on"
        return {
            "r": row + (f"  (+{len(terms) - 1})" if len(terms) > 1 else ""),
            "t": terms,
            "g": [[self.name(f"∇{v.name}"), shot_text(g, 200)] for v, g in zip(block.outputs, block.gradient, strict=False)
                  if g is not None],
            "f": self.place[id(block.step)],
            "at": self.site(block.step.site),
            "say": self.texts(self.note(block)),
            "norm": max((s for s in sizes if s is not None), key=lambda s: float("inf") if s == "nan" else s, default=None),
        }  # fmt: skip

    def note(self, block: Block) -> str:
        return block.note or block.node + (f", order {block.order}" if block.order > 1 else "")

    def row(self, block: Block, term: Term) -> str:
        sign = "+=" if term.of > 1 else "="
        return f"∇{term.target.name} {sign} " + (formula_of(term, block) if term.rule is not None else block.node)

    def term(self, block: Block, term: Term) -> dict[str, Any]:
        shown = shot_text(term.value if term.value is not None else term.raw, 200)
        found: dict[str, Any] = {
            "x": self.name(f"∇{term.target.name}"),
            "s": int(term.of > 1),
            "v": shown,
        }
        said = remark(term)
        if said:
            found["say"] = said
        if term.rule is not None:
            found["m"] = self.math(term.rule, rename(block))
            numbers = with_numbers(block, term.rule)
            if numbers is not None and numbers != shown:
                found["n"] = numbers
        return found

    def scopes(self) -> list[dict[str, Any]]:
        found = []
        for scope in self.painter.tree:
            count = scope.last - scope.first
            entry: dict[str, Any] = {"l": scope.label, "p": scope.parent, "a": scope.first + 1, "z": scope.last}
            entry["d"] = list(self.painter.fragment(scope, not scope.has_scopes))
            if scope.has_scopes and count <= FLAT:
                entry["e"] = list(self.painter.fragment(scope, True))
            found.append(entry)
        return found

    def gradients(self) -> list[list[Any]]:
        return [
            [self.name(f"∇{a.leaf.name}"), shot_text(a.gradient, 120),
             "" if a.after is None else f"{a.leaf.name}.grad = {shot_text(a.after, 120)}"
             + ("" if a.before is None else f"; it held {shot_text(a.before, 60)} already")]
            for a in self.ledger.arrivals
        ]  # fmt: skip

    def data(self) -> dict[str, Any]:
        self.place = {id(s): k + 1 for k, s in enumerate(self.steps)}
        steps = [self.forward(s) for s in self.steps] + [self.backward(b) for b in self.ledger.blocks]
        drawings = self.scopes()
        kept = memory.kept(self.ledger, self.steps)
        return {
            "title": f"{self.ledger.root.name} = {brief(self.ledger.root.shot)}",
            "where": self.site(self.ledger.site),
            "root": self.name(self.ledger.root.name or "?"),
            "forward": len(self.steps),
            "steps": steps,
            "scopes": drawings,
            "gradients": self.gradients(),
            "kept": kept.curve,
            "owners": [[h.name, h.bytes] for h in kept.at_peak()[:5]],
            "formulas": self.formulas.items,
            "names": self.names.items,
            "files": self.files.items,
            "lines": self.texts.items,
        }


def formula_of(term: Term, block: Block) -> str:
    from .notation import text

    return text(term.rule, rename(block))


def size(shot: Shot | None) -> Any:
    """The norm of a value, "nan" where it is not finite, None where nothing is known."""
    if shot is None or not shot.known or not shot.size or shot.dtype.kind not in "fciub":
        return None
    return "nan" if shot.non_finite() else float(f"{shot.stats()[2]:.4g}")


def to_page(ledger: Ledger) -> dict[str, Any]:
    """What the page shows, as plain data."""
    return Gatherer(ledger).data()


def html(ledger: Ledger) -> str:
    """The page."""
    data = to_page(ledger)
    # `</` would end the script element; JSON may write it otherwise.
    packed = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")
    packed = packed.replace("<!--", "<\\u0021--")
    kept = data["kept"]
    parts = {
        "TITLE": escape(data["title"]),
        "STYLE": STYLE + "\n" + (_STATIC / "page.css").read_text(encoding="utf-8"),
        "SCRIPT": (_STATIC / "page.js").read_text(encoding="utf-8"),
        "MEMORY": timeline(kept, data["forward"]),
        "PEAK": escape(peak_text(kept, data["owners"])),
        "DATA": packed,
    }
    made = (_STATIC / "page.html").read_text(encoding="utf-8")
    first, *rest = made.split("{{")
    out = [first]
    for piece in rest:
        key, _, after = piece.partition("}}")
        out += [parts[key], after]
    return "".join(out)


def timeline(kept: list[int], forward: int) -> str:
    """Bytes kept against steps, as the inside of an SVG of 1000 by 100."""
    high = max(max(kept, default=0), 1)
    wide = 1000 / max(len(kept) - 1, 1)
    path, before = "M0 100", None
    for k, b in enumerate(kept):
        if b != before:
            path += f"H{n(k * wide)}V{n(100 - 94 * b / high)}"
            before = b
    middle = n(forward * wide)
    return f'<path class="area" d="{path}H1000V100Z"/><path class="turn" d="M{middle} 0V100"/>'


def peak_text(kept: list[int], owners: list[Any]) -> str:
    peak = max(kept, default=0)
    if not peak:
        return "nothing is kept for backward"
    return f"at most {memory.amount(peak)}, largest: " + ", ".join(f"{name} {memory.amount(b)}" for name, b in owners)
