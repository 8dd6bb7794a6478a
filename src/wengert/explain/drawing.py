"""Drawings of a ledger's graph as SVG: forward values, adjoints coloured by sign and size, what was saved.

A step is a box with its formula, its value and, below, the gradient of its result. Grey lines go forward; coloured lines
beside them carry gradients back. A gradient that has not been computed is blank, one that is zero says 0. `fragment` makes
the inside of a drawing for the page, where each part knows from when to when it is shown; `svg` makes a picture of the end.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from html import escape

from .graph import FLAT, Box, Drawing, Edge, Scope, drawing, drawn, place, scopes
from .ledger import Block, Ledger, operation
from .notation import number
from .numbers import shape_text, shot_text, whole_text
from .recording import Shot, Step, Value
from .screen import keeps, step_expression
from .templates import Template, Templates, filled

CHARACTER, LINE, PAD = 7.25, 17.0, 9.0
LONG = 30  # characters of a line in a box

STYLE = """
.g{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;--ink:#1c2430;--dim:#667085;--face:#fff;--line:#98a2b3;
--pos:#b54708;--neg:#175cd3;--mix:#7a3fb0;--bad:#c01048;--zero:#667085;--soft:#f2f4f7;--save:#107569}
@media(prefers-color-scheme:dark){.g{--ink:#e6e9ef;--dim:#98a2b3;--face:#1b222d;--line:#596579;
--pos:#fdb022;--neg:#84b5ff;--mix:#c9a3f5;--bad:#ff6f91;--zero:#98a2b3;--soft:#252d3a;--save:#5fd0bd}}
.g text{fill:var(--ink)}.g .d{fill:var(--dim)}.g .f{font-weight:600}
.g rect{fill:var(--face);stroke:var(--line)}.g .leaf rect{fill:var(--soft);stroke-dasharray:none}
.g .cut rect{stroke-dasharray:4 3}.g .scope rect{stroke-width:2}.g .scope .u{fill:var(--soft)}
.g path{fill:none;stroke:var(--line);stroke-width:1.3}.g .b{stroke-width:1.8}
.g .tip{fill:var(--line);stroke:none}
.g text.p{fill:var(--pos)}.g text.n{fill:var(--neg)}.g text.m{fill:var(--mix)}.g text.x{fill:var(--bad);font-weight:700}
.g text.z{fill:var(--zero)}.g text.s{fill:var(--save);font-size:11px}
.g path.p{stroke:var(--pos)}.g path.n{stroke:var(--neg)}.g path.m{stroke:var(--mix)}.g path.x{stroke:var(--bad)}
.g path.z{stroke:var(--zero);stroke-dasharray:2 3}
.g rect.a{stroke:none}.g rect.p{fill:var(--pos)}.g rect.n{fill:var(--neg)}.g rect.m{fill:var(--mix)}
.g rect.x{fill:var(--bad)}.g rect.z{fill:none;stroke:var(--zero);stroke-width:1}
""".strip()


@dataclass
class Seen:
    """A gradient as it is after some block: its text, its colour, how dark."""

    at: int  # number of the block
    text: str
    kind: str  # p positive, n negative, m of both signs, z zero, x not finite
    weight: float


def colour(shot: Shot | None) -> tuple[str, float]:
    """(kind, darkness from 0 to 1 by the logarithm of the norm)."""
    if shot is None or not shot.known or shot.size == 0 or shot.dtype.kind not in "fciub":
        return "m", 0.3
    if shot.non_finite():
        return "x", 1.0
    low, high, norm = shot.stats()
    if norm == 0 and low == 0 and high == 0:
        return "z", 0.0
    each = norm / math.sqrt(shot.size)
    weight = min(1.0, max(0.1, (math.log10(max(each, 1e-30)) + 8) / 10))
    if shot.dtype.kind == "c":
        return "m", weight
    return ("p" if low >= 0 else "n" if high <= 0 else "m"), weight


def seen(ledger: Ledger) -> dict[int, list[Seen]]:
    """By id of a value: what its gradient was after each block that added to it."""
    found: dict[int, list[Seen]] = {}

    def note(v: Value, at: int, shot: Shot | None) -> None:
        kind, weight = colour(shot)
        found.setdefault(id(v), []).append(Seen(at, brief(shot), kind, weight))

    if ledger.blocks:
        note(ledger.root, 1, ledger.start)
    for block in ledger.blocks:
        for term in block.terms:
            now = term.total or term.value or (term.raw if term.of == 1 else None)
            note(term.target, block.number, now)
    return found


def cut(text: str, wide: int = LONG) -> str:
    return text if len(text) <= wide else text[: wide - 1] + "…"


def brief(shot: Shot | None) -> str:
    """A value in a box: whole if it is short, else its shape and norm."""
    if shot is None:
        return "?"
    if shot.whole and 0 < 3 * shot.size <= LONG:
        shown = whole_text(shot)
        if len(shown) <= LONG - 4:
            return shown
    if not shot.known or not shot.size:
        return cut(shot_text(shot), LONG - 4)
    bad = shot.non_finite()
    return f"{shape_text(shot.shape)}, " + (f"{bad} not finite" if bad else f"norm {number(shot.stats()[2], 3)}")


@dataclass
class Lines:
    """What a box says."""

    head: str
    value: str
    saved: str
    under: str


class Painter:
    """Makes the drawings of one ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.blocks: dict[int, Block] = {id(b.step): b for b in ledger.blocks}
        self.seen = seen(ledger)
        self.steps = drawn(ledger)
        self.tree = scopes(ledger, self.steps)
        self.templates = Templates()
        self._written: dict[int, tuple[Template, list[str]]] = {}

    def written(self, step: Step) -> tuple[Template, list[str]]:
        """What a step computed: a formula with holes, and the names for them."""
        found = self._written.get(id(step))
        if found is None:
            found = self._written[id(step)] = self.templates.of(step_expression(step), lambda name: name.name)
        return found

    def formula(self, step: Step) -> str:
        written, names = self.written(step)
        return filled(written.text, names)

    def drawing(self, scope: Scope, detail: bool) -> tuple[Drawing, list[Lines]]:
        d = drawing(self.steps, scope, detail, self.blocks)
        said = [self.lines(b) for b in d.boxes]
        for b, lines in zip(d.boxes, said, strict=True):
            adjoint = max((len(s.text) for s in self.seen.get(id(b.value), ())), default=0) + 4
            longest = max(len(lines.head), len(lines.value), adjoint, len(lines.saved) + 2, len(lines.under))
            b.width = math.ceil(longest * CHARACTER + 2 * PAD)
            rows = 2 + bool(lines.value) + bool(lines.under) + bool(lines.saved)
            b.height = LINE * rows + PAD
        place(d)
        return d, said

    def lines(self, b: Box) -> Lines:
        value = brief(b.value.shot) if b.value is not None and b.value.shot is not None else ""
        if b.kind == "leaf":
            name = b.value.name if b.value is not None else "?"
            return Lines(cut(name or "?"), value, "", "")
        if b.scope is not None:
            count = b.scope.last - b.scope.first
            kind = f" · {b.scope.kind}" if b.scope.kind not in ("run", "loop", b.scope.label) else ""
            under = f"{count} step{'s' if count > 1 else ''}"
            name = b.value.name if b.value is not None else ""
            return Lines(cut(b.scope.label + kind), cut(f"{name} = {value}", LONG + 4), "", under)
        assert b.step is not None
        names = ", ".join(v.name or "?" for v in b.step.outputs)
        head = f"{names} = {self.formula(b.step)}"
        if len(head) > LONG + 4:
            head = f"{cut(names, 12)} = {operation(b.step)}(…)"
        saved = keeps(b.block) if b.block is not None else ""
        under = f"cut: {b.step.cut}" if b.step.cut else ""
        return Lines(cut(head, LONG + 4), value, cut(saved), under)

    def fragment(self, scope: Scope, detail: bool, live: bool = True) -> tuple[str, float, float]:
        """(the inside of an SVG, width, height). `live`: every part says when it is shown; else the end is drawn."""
        d, said = self.drawing(scope, detail)
        count = len(self.steps)
        out: list[str] = []
        for e in d.edges:
            out.append(self.edge(e, live, count))
        for b, lines in zip(d.boxes, said, strict=True):
            out.append(self.box(b, lines, live, count))
        return "".join(out), d.width, d.height

    def edge(self, e: Edge, live: bool, count: int) -> str:
        (x, y), (u, v) = e.points[0], e.points[-1]
        made = f'<path d="{way(e.points, -3 if e.back else 0, 0, -5)}"{when(live, e.at)}/>'
        u -= 3 if e.back else 0
        made += f'<path class="tip" d="M{n(u)} {n(v)}l-3.5-7h7z"{when(live, e.at)}/>'
        if e.back is None:
            return made
        notes = [s for s in self.seen.get(id(e.value), ()) if s.at >= e.back]
        kind = notes[-1].kind if notes else "m"
        strong = notes[-1].weight if notes else 0.3
        at = when(live, count + e.back)
        made += f'<path class="b {kind}" opacity="{0.45 + 0.55 * strong:.2f}" d="{way(e.points, 3, 5, 0)}"{at}/>'
        return made + f'<path class="tip" style="fill:var(--{NAMES[kind]})" d="M{n(x + 3)} {n(y)}l-3.5 7h7z"{at}/>'

    def box(self, b: Box, lines: Lines, live: bool, count: int) -> str:
        left, top = b.x - b.width / 2, b.y - b.height / 2
        step = b.step
        place = b.at
        kind = b.kind + (" cut" if step is not None and step.cut else "")
        target = "" if not live else f' data-o="{b.scope.number}"' if b.scope else f' data-s="{place}"' if place else ""
        out = [f'<g class="{kind}"{target} transform="translate({n(left)} {n(top)})">']
        if not live and step is not None:
            out.append(f"<title>{escape(lines.head)}</title>")
        if b.kind == "scope":
            out.append(f'<rect class="u" x="5" y="-4" width="{n(b.width - 10)}" height="{n(b.height)}" rx="7"/>')
        round_ = 12 if b.kind == "leaf" else 6
        out.append(f'<rect width="{n(b.width)}" height="{n(b.height)}" rx="{round_}"/>')
        y = LINE - 1
        out.append(text(PAD, y, lines.head, "f"))
        if lines.value:
            y += LINE
            out.append(text(PAD, y, lines.value, "", when(live, place)))
        if lines.saved:
            y += LINE
            out.append(text(PAD, y, lines.saved, "s", when(live, place)))
        if lines.under:
            y += LINE
            out.append(text(PAD, y, lines.under, "d"))
        y += LINE
        notes = self.seen.get(id(b.value), [])
        if not live:
            notes = notes[-1:]
        for k, s in enumerate(notes):
            until = notes[k + 1].at if k + 1 < len(notes) else None
            if until == s.at:
                continue
            at = when(live, count + s.at, None if until is None else count + until)
            size = 4 + 6 * s.weight
            out.append(f'<rect class="a {s.kind}" x="{n(PAD)}" y="{n(y - 4 - size / 2)}" width="{n(size)}" '
                       f'height="{n(size)}" rx="1.5"{at}/>')  # fmt: skip
            out.append(text(PAD + 14, y, "∇ " + s.text, s.kind, at))
        out.append("</g>")
        return "".join(out)


NAMES = {"p": "pos", "n": "neg", "m": "mix", "z": "zero", "x": "bad"}


def n(x: float) -> str:
    return f"{x:.1f}".removesuffix(".0")


def text(x: float, y: float, said: str, kind: str, at: str = "") -> str:
    mark = f' class="{kind}"' if kind else ""
    return f'<text{mark} x="{n(x)}" y="{n(y)}"{at}>{escape(said)}</text>'


def when(live: bool, at: int, until: int | None = None) -> str:
    if not live:
        return ""
    return f' data-a="{at}"' + (f' data-u="{until}"' if until is not None else "")


def way(points: list[tuple[float, float]], shift: float, top: float, bottom: float) -> str:
    """A smooth path through points from top to bottom, `shift` beside them, shortened at its ends."""
    moved = [(x + shift, y) for x, y in points]
    moved[0] = (moved[0][0], moved[0][1] + top)
    moved[-1] = (moved[-1][0], moved[-1][1] + bottom)
    found = f"M{n(moved[0][0])} {n(moved[0][1])}"
    for (x, y), (u, v) in itertools.pairwise(moved):
        if abs(x - u) < 0.5:
            found += f"L{n(u)} {n(v)}"
        else:
            half = (y + v) / 2
            found += f"C{n(x)} {n(half)} {n(u)} {n(half)} {n(u)} {n(v)}"
    return found


def svg(ledger: Ledger, detail: bool | None = None) -> str:
    """The whole ledger as a picture. `detail=None`: every step where they are few, else calls and loops as boxes."""
    painter = Painter(ledger)
    top = painter.tree[0]
    if detail is None:
        detail = top.last <= FLAT or not top.has_scopes
    if detail and top.last > 5000:
        raise ValueError(f"svg(): a drawing of {top.last} steps could not be read; use detail=False, or html()")
    inside, width, height = painter.fragment(top, detail, live=False)
    title = f"{ledger.root.name} = {shot_text(ledger.root.shot)}: the graph forward and backward"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {n(width)} {n(height)}" width="{n(width)}" '
        f'height="{n(height)}" role="img" aria-label="{escape(title)}" class="g"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style>{inside}</svg>\n"
    )
