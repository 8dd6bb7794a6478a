"""`Compare`: measurements as tables. A label is a table, a description a column, a sub-label a row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .measuring import Measurement, select_unit, trim_sigfig, unit_to_english

# How a time compares with the best: up to so many times, and how a terminal shows it. Between 1.1 and 2 it is left plain.
_BEST, _GOOD, _BAD, _WORST = "\033[92m\033[1m", "\033[34m\033[1m", "\033[2m\033[91m", "\033[31m\033[1m"
_PLAIN = "\033[0m\033[0m"
_CLOCK = 100e-9  # seconds that are no difference


class Compare:
    """Tables of measurements, printed by `print()` or `str()`."""

    def __init__(self, results: Iterable[Measurement]) -> None:
        self._results: list[Measurement] = []
        self._trim = self._mark = False
        self._colours: str | None = None  # what the best is sought in: a column or a row
        self.extend_results(results)

    def extend_results(self, results: Iterable[Measurement]) -> None:
        """Add measurements. ValueError for what is none."""
        for result in results:
            if not isinstance(result, Measurement):
                raise ValueError(f"Expected an instance of `Measurement`, got {type(result)} instead.")
            self._results.append(result)

    def trim_significant_figures(self) -> None:
        """Show only the digits that can be trusted."""
        self._trim = True

    def highlight_warnings(self) -> None:
        """Mark times whose blocks vary much."""
        self._mark = True

    def colorize(self, rowwise: bool = False) -> None:
        """Colour times by how far they are from the best: of their column (and number of threads), or of their row."""
        self._colours = "row" if rowwise else "column"

    def print(self) -> None:
        print(str(self))

    def __str__(self) -> str:
        merged = Measurement.merge(self._results)
        tables: dict[str, list[Measurement]] = {}
        for m in merged:
            tables.setdefault(m.task_spec.label or m.task_spec.stmt, []).append(m)
        return "\n".join(self._table(title, group) for title, group in tables.items())

    def _table(self, title: str, group: list[Measurement]) -> str:
        unit, scale = select_unit(min(m.median for m in group))
        columns = list(dict.fromkeys(m.description or "" for m in group))
        rows = list(dict.fromkeys((m.num_threads, m.env or "", m.as_row_name) for m in group))
        found = {((m.num_threads, m.env or "", m.as_row_name), m.description or ""): m for m in group}
        grid: list[list[str]] = [["", *columns]]
        heads: dict[int, int] = {}
        for threads, env, name in rows:
            if threads not in heads:
                heads[threads] = len(grid)
            shown = f"      {f'({env}) ' if env else ''}{name}"
            across = [found.get(((threads, env, name), c)) for c in columns]
            grid.append([shown, *("" if m is None else self._cell(m, scale) for m in across)])
        widths = [max(len(row[i]) for row in grid) for i in range(len(columns) + 1)]
        widths[0] = max(widths[0], len("1 threads: "))
        width = sum(widths) + 5 * len(columns)
        lines = [f"[{f' {title} ':-^{width - 2}}]"]
        for at, row in enumerate(grid):
            for threads, first in heads.items():
                if first == at:
                    lines.append(f"{threads} threads: ".ljust(width, "-"))
            first_cell = row[0].ljust(widths[0])
            others = [(c.center(w) if not at else c.rjust(w)) for c, w in zip(row[1:], widths[1:], strict=True)]
            if at and self._colours:
                others = [self._coloured(c, rows[at - 1], name, found) for c, name in zip(others, columns, strict=True)]
            lines.append("  |  ".join([first_cell, *others]))
        lines.append(f"\nTimes are in {unit_to_english(unit)} ({unit}).\n")
        if self._mark and any(m.has_warnings for m in group):
            lines.append("(! XX%) Measurement has high variance, where XX is the IQR / median * 100.\n")
        return "\n".join(lines)

    def _coloured(self, cell: str, row: Any, column: str, found: dict[Any, Measurement]) -> str:
        mine = found.get((row, column))
        if mine is None:
            return cell
        rivals = [
            m.median
            for (r, c), m in found.items()
            if (r == row if self._colours == "row" else (r[0], c) == (row[0], column))
        ]
        best, time = min(rivals), mine.median
        if time <= max(best * 1.01, best + _CLOCK):
            return f"{_BEST}{cell}{_PLAIN}"
        if time <= best * 1.1:
            return f"{_GOOD}{cell}{_PLAIN}"
        if time >= best * 2:
            return f"{_WORST if time >= best * 5 else _BAD}{cell}{_PLAIN}"
        return cell

    def _cell(self, m: Measurement, scale: float) -> str:
        value = m.median / scale
        if self._trim:
            value = trim_sigfig(value, m.significant_figures)
        mark = f"(! {m.iqr / m.median:.0%}) " if self._mark and m.has_warnings else ""
        return f"{mark}{value:.1f}"
