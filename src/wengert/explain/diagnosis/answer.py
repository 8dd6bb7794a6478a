"""What a question is answered with: a sentence, the places in the program, and what to change where.

No finding out here, and no knowledge of operations: an answer is plain data that knows how to show itself.
"""

from __future__ import annotations

import os
import shutil
import textwrap
from dataclasses import dataclass, field
from html import escape
from typing import Any

from ..screen import Line, plain

Code = tuple[str, int, str]  # file, line number, the line itself


def place_text(code: Code | None) -> str:
    """`train.py:12: loss = f(x)`, as far as it is known."""
    if code is None:
        return "(line not known)"
    return f"{os.path.basename(code[0])}:{code[1]}" + (f": {code[2]}" if code[2] else "")


@dataclass
class Site:
    """One place in the program, and what happened there."""

    what: str
    line: Code | None = None
    kind: str = ""
    details: list[str] = field(default_factory=list)
    advice: str = ""
    rewrite: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "what": self.what,
            "line": _code(self.line),
            "details": self.details,
            "advice": self.advice,
            "rewrite": self.rewrite,
        }


@dataclass
class Why:
    """An answer. `kind` is one word to test for, `line` the line to change, `advice` how, `rewrite` what to write there.

    `sites` are the places that matter, the first cause first; `watched` is False where the program's source was read
    because nothing had watched it run.
    """

    kind: str
    title: str
    sites: list[Site] = field(default_factory=list)
    line: Code | None = None
    advice: str = ""
    rewrite: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    watched: bool = True

    def lines(self, width: int = 100) -> list[Line]:
        """Styled lines, as `explain.screen` has them."""
        good = self.kind in ("nothing", "fine")
        found: list[Line] = [[(t, "good" if good else "bad")] for t in _wrapped(self.title, width)]
        for site in self.sites:
            found.append([])
            if site.line is not None:
                found.append([("  ", ""), (place_text(site.line), "name")])
            else:
                found.append([("  ", ""), (place_text(None), "dim")])
            found += [[("    ", ""), (t, "")] for t in _wrapped(site.what, width - 4)]
            found += [[("    ", ""), (t, "dim")] for d in site.details for t in _wrapped(d, width - 4)]
            if len(self.sites) > 1 and site.rewrite != self.rewrite:
                found += [[("    ", ""), (t, "rule")] for t in site.rewrite]
        if self.notes:
            found.append([])
            found += [[("  ", ""), (t, "dim")] for n in self.notes for t in _wrapped(n, width - 2)]
        if self.advice or self.line is not None:
            found.append([])
        if self.line is not None:
            found.append([(place_text(self.line), "head")])
        if self.advice:
            texts = _wrapped(self.advice, width - 8)
            found.append([("change: ", "good"), (texts[0], "")])
            found += [[("        ", ""), (t, "")] for t in texts[1:]]
        found += [[("    ", ""), (t, "rule")] for t in self.rewrite]
        return found

    def text(self, width: int | None = None) -> str:
        return plain(self.lines(width or min(shutil.get_terminal_size((100, 40)).columns, 120)))

    def __str__(self) -> str:
        return self.text().rstrip("\n")

    __repr__ = __str__

    def as_dict(self) -> dict[str, Any]:
        """The answer as plain data, for `--json`."""
        return {
            "kind": self.kind,
            "title": self.title,
            "sites": [s.as_dict() for s in self.sites],
            "line": _code(self.line),
            "advice": self.advice,
            "rewrite": self.rewrite,
            "notes": self.notes,
            "watched": self.watched,
        }

    def _repr_html_(self) -> str:
        def paragraph(inner: str) -> str:
            return f"<p>{inner}</p>"

        def code(shown: str) -> str:
            return f"<code>{escape(shown)}</code>"

        parts = [paragraph(f"<b>{escape(self.title)}</b>")]
        if self.sites:
            items = []
            for site in self.sites:
                inner = code(place_text(site.line)) + "<br>" + escape(site.what)
                inner += "".join(f"<br><small>{escape(d)}</small>" for d in site.details)
                if site.rewrite and site.rewrite != self.rewrite:
                    inner += "<pre>" + escape("\n".join(site.rewrite)) + "</pre>"
                items.append(f"<li>{inner}</li>")
            parts.append("<ol>" + "".join(items) + "</ol>")
        parts += [paragraph(f"<small>{escape(n)}</small>") for n in self.notes]
        if self.line is not None:
            parts.append(paragraph(code(place_text(self.line))))
        if self.advice:
            parts.append(paragraph("<b>change:</b> " + escape(self.advice)))
        if self.rewrite:
            parts.append("<pre>" + escape("\n".join(self.rewrite)) + "</pre>")
        return "<div>" + "".join(parts) + "</div>"


def _wrapped(said: str, width: int) -> list[str]:
    if len(said) <= width:
        return [said]
    return textwrap.wrap(said, max(width, 20), break_long_words=False, break_on_hyphens=False) or [""]


def _code(line: Code | None) -> dict[str, Any] | None:
    return None if line is None else {"file": line[0], "line": line[1], "text": line[2]}
