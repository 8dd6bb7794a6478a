"""A ledger as one self-contained HTML page: nothing is fetched, there is no server; the same run gives the same bytes.

This module gathers what the page shows (`to_page`) and puts it with `static/page.{html,css,js}` into one file. Formulas
are written by `latex` with holes where names stand and read by `mathml`, so that a formula that occurs a thousand times
is stored once. The page's script only shows and hides; it computes nothing of mathematics.
"""

from __future__ import annotations

import base64
import json
import os
import re
import zlib
from html import escape
from pathlib import Path
from typing import Any

from . import memory
from .drawing import STYLE, Painter, brief, n
from .graph import FLAT
from .latex import tex_name
from .ledger import Block, Ledger, Term, flat, operation
from .mathml import mathml
from .numbers import is_short, shot_text
from .recording import Shot, Step
from .screen import idle, keeps, remark, rename
from .sites import line_of
from .templates import HOLES, Template, filled

_STATIC = Path(__file__).parent / "static"
_NUMBERED = re.compile("(.*[^0-9₀-₉])([0-9]+|[₀-₉]+)")
_DIGITS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
LONG = 5000  # steps: a page of more leaves out the formulas with numbers; values and gradients are all there
PACKED = 500_000  # characters of data: a page that has more is packed


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
        self.formulas, self.stems, self.files, self.texts = _Table(), _Table(), _Table(), _Table()
        self.names: list[Any] = []
        self.named: dict[str, int] = {}
        self.stemmed: dict[tuple[str, bool], int | None] = {}
        self.latest: Any = None
        self.sites: dict[tuple[int, int], list[Any]] = {}
        self.numbers: dict[int, int] = {}  # of formulas, by identity of their Template
        self.read: dict[str, str] = {}  # LaTeX already turned into MathML

    def tex(self, tex: str) -> str:
        found = self.read.get(tex)
        if found is None:
            found = self.read[tex] = mathml(tex)
        return found

    def math(self, written: Template, names: list[str]) -> list[int]:
        """[formula, name, name, ...]: the number of a formula with holes, and those of the names to fill them."""
        number = self.numbers.get(id(written))
        if number is None:
            number = self.numbers[id(written)] = self.formulas(self.tex(written.tex))
        return [number, *map(self.name, names)]

    def name(self, shown: str) -> int:
        """The number of a name in MathML; of a numbered one only its stem, which many share, and the number are stored."""
        found = self.named.get(shown)
        if found is None:
            found = self.named[shown] = len(self.names)
            numbered = _NUMBERED.fullmatch(shown)
            stem = self.stem(*numbered.groups()) if numbered else None
            self.names.append(self.tex(tex_name(shown)) if stem is None else [stem, numbered[2].translate(_DIGITS)])  # type: ignore[index]
        return found

    def stem(self, prefix: str, digits: str) -> int | None:
        key = prefix, digits[0] in "0123456789"
        if key not in self.stemmed:
            sample = self.tex(tex_name(prefix + ("7" if key[1] else "₇")))
            self.stemmed[key] = self.stems(sample.replace("7", chr(HOLES))) if sample.count("7") == 1 else None
        return self.stemmed[key]

    def site(self, place: Any) -> list[Any]:
        if place is None:
            return []
        key = id(place[0]), place[1]
        found = self.sites.get(key)
        if found is None:
            file, line, text = line_of(place)  # type: ignore[misc]
            found = self.sites[key] = [self.files(os.path.basename(file)), line, self.texts(text)]
        return found

    def forward(self, step: Step) -> dict[str, Any]:
        block = self.painter.blocks.get(id(step))
        names = ", ".join(v.name or "?" for v in step.outputs)
        found: dict[str, Any] = {
            "r": f"{names} = {self.painter.formula(step)}",
            "o": [self.name(v.name or "?") for v in step.outputs],
            "m": self.math(*self.painter.written(step)),
            "v": [shot_text(v.shot, 200) for v in step.outputs],
            "at": self.site(step.place),
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
            came = idle(step) != "constant"
            parts.append("no gradient came here" if came else "constant: no gradient is wanted here")
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
        first = block.terms[0] if block.terms else None
        row = self.row(block, first) if first is not None else f"{operation(block.step)}: nothing to pass on"
        terms = [self.term(block, t) for t in block.terms]
        sizes = [size(t.value if t.value is not None else t.raw) for t in block.terms]
        return {
            "r": row + (f"  (+{len(terms) - 1})" if len(terms) > 1 else ""),
            "t": terms,
            "g": [[self.name(f"∇{v.name}"), shot_text(g, 200)] for v, g in zip(block.outputs, block.gradient, strict=False)
                  if g is not None],
            "f": self.place[id(block.step)],
            "at": self.site(block.step.place),
            "say": self.texts(self.note(block)),
            "norm": max((s for s in sizes if s is not None), key=lambda s: float("inf") if s == "nan" else s, default=None),
        }  # fmt: skip

    def note(self, block: Block) -> str:
        return block.note or block.node + (f", order {block.order}" if block.order > 1 else "")

    def row(self, block: Block, term: Term) -> str:
        sign = "+=" if term.of > 1 else "="
        if term.rule is None:
            return f"∇{term.target.name} {sign} {block.node}"
        written, names = self.written(block, term)
        return f"∇{term.target.name} {sign} {filled(written.text, names)}"

    def written(self, block: Block, term: Term) -> tuple[Template, list[str]]:
        """A term's rule: a formula with holes, and the names for them."""
        if self.latest is None or self.latest[0] is not term:
            self.latest = term, self.painter.templates.of(term.rule, rename(block))
        found: tuple[Template, list[str]] = self.latest[1]
        return found

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
            written, names = self.written(block, term)
            found["m"] = self.math(written, names)
            numbers = self.with_numbers(block, term.rule, written, names) if len(self.steps) <= LONG else None
            if numbers is not None and numbers != shown:
                found["n"] = numbers
        return found

    def with_numbers(self, block: Block, rule: Any, written: Template, names: list[str]) -> str | None:
        """The rule with every name replaced by its number, if all of them are short."""
        shown = rename(block)
        values: dict[str, str] = {}
        for name in rule.names():
            held = Shot(name._value) if name._value is not None else None
            if held is None or not is_short(held):
                return None
            values[shown(name)] = shot_text(held)
        if not values:
            return None
        parts = [values[name] for name in names]
        negative = tuple(p.startswith("-") for p in parts)
        return filled(written.signed(negative), [p.removeprefix("-") for p in parts])

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
            "where": self.site(self.ledger.place),
            "root": self.name(self.ledger.root.name or "?"),
            "forward": len(self.steps),
            "long": len(self.steps) > LONG,
            "steps": steps,
            "scopes": drawings,
            "gradients": self.gradients(),
            "kept": kept.curve,
            "owners": [[h.name, h.bytes] for h in kept.at_peak()[:5]],
            "formulas": self.formulas.items,
            "names": self.names,
            "stems": self.stems.items,
            "files": self.files.items,
            "lines": self.texts.items,
        }


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
        "DATA": packed if len(packed) <= PACKED else _deflated(packed),
        "KIND": "application/json" if len(packed) <= PACKED else "application/octet-stream",
    }
    made = (_STATIC / "page.html").read_text(encoding="utf-8")
    first, *rest = made.split("{{")
    out = [first]
    for piece in rest:
        key, _, after = piece.partition("}}")
        out += [parts[key], after]
    return "".join(out)


def _deflated(text: str) -> str:
    packer = zlib.compressobj(4, zlib.DEFLATED, -15)
    return base64.b64encode(packer.compress(text.encode()) + packer.flush()).decode()


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
