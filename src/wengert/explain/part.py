"""What every part of an explanation has in common: it prints as a table, shows itself in a notebook, and is plain data.

A part says its `title`, `columns`, `rows` and `remarks`; how they are laid out is here and nowhere else.
"""

from __future__ import annotations

import json
from html import escape
from typing import Any

GAP = "  "
MANY = 200  # rows that `str` and a notebook show
LEAST = 6  # columns are not cut below so many characters


class Part:
    """One view of a backward pass. `str` prints it, `to_data` gives its numbers."""

    columns: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        raise NotImplementedError

    def rows(self) -> list[list[str]]:
        """The cells, a list for each row."""
        return []

    def faint(self) -> set[int]:
        """Rows to be shown in the background: constants, cuts."""
        return set()

    def remarks(self) -> list[str]:
        """What is to be said below the table."""
        return []

    def to_data(self) -> dict[str, Any]:
        """Plain lists, dictionaries, numbers and strings, which JSON can hold."""
        raise NotImplementedError

    # -- laid out ------------------------------------------------------------------------------------------------------
    def text(self, width: int = 100, limit: int | None = None) -> str:
        """The table in at most `width` columns; what does not fit is cut and ends in `…`. `limit`: so many rows at most."""
        found = self.rows()
        rows = found if limit is None else found[:limit]
        lines = wrapped(self.title, width)
        if rows:
            widths = _widths([list(self.columns), *rows], width)
            lines += [_line(list(self.columns), widths), *(_line(row, widths) for row in rows)]
        if len(rows) < len(found):
            lines.append(f"... {len(found) - len(rows)} more rows: .text(limit=None) shows all")
        lines += [piece for said in self.remarks() for piece in wrapped(said, width)]
        return "\n".join(line.rstrip() for line in lines) + "\n"

    def __str__(self) -> str:
        return self.text(limit=MANY)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        cell = "text-align:left;vertical-align:top"
        head = "".join(f'<th scope="col" style="{cell}">{escape(c)}</th>' for c in self.columns)
        faint = self.faint()
        rows = self.rows()
        body = "".join(
            ('<tr style="opacity:0.6">' if k in faint else "<tr>")
            + "".join(f'<td style="{cell}"><code>{escape(c)}</code></td>' for c in row)
            + "</tr>"
            for k, row in enumerate(rows[:MANY])
        )
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if body else ""
        more = [f"... {len(rows) - MANY} more rows"] if len(rows) > MANY else []
        said = "".join(f"<p>{escape(s)}</p>" for s in more + self.remarks())
        return f"<p><b>{escape(self.title)}</b></p>{table}{said}"

    def to_json(self) -> str:
        """`to_data` as JSON; the same run gives the same bytes."""
        return json.dumps(self.to_data(), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _widths(rows: list[list[str]], width: int) -> list[int]:
    """How wide each column is: what it needs, or less in the widest ones where they do not fit together."""
    found = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    while sum(found) + len(GAP) * (len(found) - 1) > width and max(found) > LEAST:
        found[found.index(max(found))] -= 1
    return found


def _line(row: list[str], widths: list[int]) -> str:
    cut = (cell if len(cell) <= w else cell[: w - 1] + "…" for cell, w in zip(row, widths, strict=True))
    return GAP.join(f"{cell:<{w}}" for cell, w in zip(cut, widths, strict=True))


def wrapped(said: str, width: int, indent: int = 2) -> list[str]:
    """Text in lines of at most `width`, broken at spaces, all but the first indented."""
    lines: list[str] = []
    for line in said.split("\n"):
        while len(line) > width:
            cut = line.rfind(" ", max(width // 3, indent + 1), width + 1)
            cut = cut if cut > 0 else width
            lines.append(line[:cut])
            line = " " * indent + line[cut:].lstrip()
        lines.append(line)
    return lines
