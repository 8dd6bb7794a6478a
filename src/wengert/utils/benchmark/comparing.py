"""`Compare`: measurements as tables. A label is a table, a description a column, a sub-label a row."""

from __future__ import annotations

from collections.abc import Iterable

from .measuring import Measurement, select_unit, trim_sigfig, unit_to_english


class Compare:
    """Tables of measurements, printed by `print()` or `str()`."""

    def __init__(self, results: Iterable[Measurement]) -> None:
        self._results: list[Measurement] = []
        self._trim = self._mark = False
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
        cells = {(m.num_threads, m.env or "", m.as_row_name, m.description or ""): self._cell(m, scale) for m in group}
        grid: list[list[str]] = [["", *columns]]
        heads: dict[int, int] = {}
        for threads, env, name in rows:
            if threads not in heads:
                heads[threads] = len(grid)
            shown = f"      {f'({env}) ' if env else ''}{name}"
            grid.append([shown, *(cells.get((threads, env, name, c), "") for c in columns)])
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
            lines.append("  |  ".join([first_cell, *others]))
        lines.append(f"\nTimes are in {unit_to_english(unit)} ({unit}).\n")
        if self._mark and any(m.has_warnings for m in group):
            lines.append("(! XX%) Measurement has high variance, where XX is the IQR / median * 100.\n")
        return "\n".join(lines)

    def _cell(self, m: Measurement, scale: float) -> str:
        value = m.median / scale
        if self._trim:
            value = trim_sigfig(value, m.significant_figures)
        mark = f"(! {m.iqr / m.median:.0%}) " if self._mark and m.has_warnings else ""
        return f"{mark}{value:.1f}"
