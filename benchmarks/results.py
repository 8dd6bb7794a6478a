"""The table of results, and the file that keeps it. Not here: what is measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

Row = dict[str, str]  # by heading; what is missing was not measured

RATIO, BAR, PLAIN = "ratio", "bar", "ratio without Numba"
COST, THEIR_COST = "gradient / forward", "PyTorch's gradient / forward"
HEAD = ("workload", "Wengert", "PyTorch", RATIO, BAR, "JAX / PyTorch", "HIPS / PyTorch", COST, THEIR_COST, PLAIN)
MOST = 4.0  # times its forward that a gradient may take


def marked(value: float, bar: float | None) -> str:
    """A number, bold where it is over its bar."""
    shown = f"{value:.2f}"
    return f"**{shown}**" if bar is not None and float(shown) > bar else shown


def missed(rows: Iterable[Row]) -> list[str]:
    """What is over its bar, a line each."""
    found = []
    for row in rows:
        if row.get(RATIO, "").startswith("*"):
            found.append(f"{row['workload']}: {row[RATIO].strip('*')} of PyTorch's, at most {row[BAR]}")
        if row.get(COST, "").startswith("*"):
            found.append(f"{row['workload']}: a gradient takes {row[COST].strip('*')} forwards, at most {MOST:g}")
    return found


def table(rows: Iterable[Row], head: Sequence[str] = HEAD) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row.get(h, "") for h in head) + " |" for row in rows])


def write(where: Path, versions: str, rows: Iterable[Row], plain: bool = False) -> None:
    """Put the rows into the table; other rows, and what is written below the table, stay.

    `plain`: the rows are of a run without Numba, whose ratios have a column of their own.
    """
    known, below = _read(where.read_text(encoding="utf-8")) if where.exists() else ({}, "")
    for row in rows:
        name, before = row["workload"], known.get(row["workload"], {})
        if plain:
            known[name] = {"workload": name, **before, PLAIN: row.get(RATIO, "").strip("*")}
        else:
            known[name] = {**row, PLAIN: before.get(PLAIN, "")}
    where.write_text(
        "# Results\n\nWritten by `python -m benchmarks --write`. Medians of interleaved rounds in one process; a ratio below 1 "
        "means that Wengert is faster than PyTorch eager, or takes less memory; bold is over the bar. A gradient, its forward "
        f"included, may take at most {MOST:g} times the forward.\n\n{versions}\n\n{table(known.values())}\n{below}",
        encoding="utf-8",
    )


def _read(text: str) -> tuple[dict[str, Row], str]:
    """The rows of the table by workload, and the text below it."""
    head: list[str] = []
    rows: dict[str, Row] = {}
    below: list[str] = []
    for line in text.splitlines():
        if line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if not head:
                head = cells
            elif not line.startswith("|---"):
                rows[cells[0]] = dict(zip(head, cells, strict=False))
        elif head:
            below.append(line)
    return rows, ("\n".join(below).rstrip() + "\n") if below else ""
