"""What a profile consists of: events, their sums by name, the table, and the trace file that Chrome and Perfetto show.

Times are microseconds since the profile began, memory is bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple


class Interval(NamedTuple):
    """When something ran."""

    start: float
    end: float

    def elapsed_us(self) -> float:
        return self.end - self.start


class _Times:
    """Times in words, beside the numbers."""

    cpu_time: Any
    cpu_time_total: Any
    self_cpu_time_total: Any

    @property
    def cpu_time_str(self) -> str:
        return _time(self.cpu_time)

    @property
    def cpu_time_total_str(self) -> str:
        return _time(self.cpu_time_total)

    @property
    def self_cpu_time_total_str(self) -> str:
        return _time(self.self_cpu_time_total)

    @property
    def device_time_total(self) -> int:
        return 0  # there is the CPU only


class FunctionEvent(_Times):
    """One operation, node of the graph, or `record_function` block that ran.

    What ran inside are its `cpu_children`; its times and memory contain theirs, `self_cpu_time_total` and
    `self_cpu_memory_usage` do not.
    """

    def __init__(
        self,
        name: str,
        kind: str,
        start: float,
        end: float,
        thread: int = 0,
        sequence_nr: int = -1,
        input_shapes: list[list[int]] | None = None,
        stack: list[str] | None = None,
        memory: int = 0,
    ) -> None:
        self.name = self.key = name
        self.kind = kind  # "operation", "backward" or "user"
        self.start = start
        self.end = end
        self.thread = thread
        self.sequence_nr = sequence_nr
        self.input_shapes = input_shapes or []
        self.stack = stack or []
        self.self_cpu_memory_usage = self.cpu_memory_usage = memory
        self.cpu_parent: FunctionEvent | None = None
        self.cpu_children: list[FunctionEvent] = []
        self.count = 1

    @property
    def time_range(self) -> Interval:
        return Interval(self.start, self.end)

    @property
    def cpu_time_total(self) -> float:
        return self.end - self.start

    cpu_time = cpu_time_total

    @property
    def self_cpu_time_total(self) -> float:
        return max(self.cpu_time_total - sum(e.cpu_time_total for e in self.cpu_children), 0.0)

    @property
    def is_async(self) -> bool:
        return False

    def __repr__(self) -> str:
        return (
            f"<FunctionEvent name={self.name} cpu_time={_time(self.cpu_time_total)} thread={self.thread} "
            f"sequence_nr={self.sequence_nr} input_shapes={self.input_shapes}>"
        )


class FunctionEventAvg(_Times):
    """All events of one name (and shapes, if they were grouped by them), summed."""

    def __init__(self, first: FunctionEvent | None = None) -> None:
        self.key = None if first is None else first.name
        self.input_shapes = [] if first is None else first.input_shapes
        self.stack = [] if first is None else first.stack
        self.count = 0
        self.cpu_time_total = self.self_cpu_time_total = 0.0
        self.cpu_memory_usage = self.self_cpu_memory_usage = 0

    def add(self, event: FunctionEvent | FunctionEventAvg) -> FunctionEventAvg:
        if self.key is None:
            self.key, self.input_shapes, self.stack = event.key, event.input_shapes, event.stack
        self.count += event.count
        self.cpu_time_total += event.cpu_time_total
        self.self_cpu_time_total += event.self_cpu_time_total
        self.cpu_memory_usage += event.cpu_memory_usage
        self.self_cpu_memory_usage += event.self_cpu_memory_usage
        return self

    __iadd__ = add

    @property
    def cpu_time(self) -> float:
        """The average."""
        return self.cpu_time_total / self.count if self.count else 0.0

    def __repr__(self) -> str:
        return (
            f"<FunctionEventAvg key={self.key} self_cpu_time={_time(self.self_cpu_time_total)} "
            f"cpu_time={_time(self.cpu_time)} count={self.count}>"
        )


def _time(us: float) -> str:
    if us >= 1e6:
        return f"{us / 1e6:.3f}s"
    return f"{us / 1e3:.3f}ms" if us >= 1e3 else f"{us:.3f}us"


def _memory(n: float) -> str:
    for size, unit in ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")):
        if abs(n) >= size:
            return f"{n / size:.2f} {unit}"
    return f"{int(n)} B"


_SORTS = (
    "cpu_time", "cpu_time_total", "self_cpu_time_total", "cpu_memory_usage", "self_cpu_memory_usage", "count",
)  # fmt: skip


class EventList(list[Any]):
    """Events, in the order in which they began; or their sums, as `key_averages` gives them."""

    def key_averages(self, group_by_input_shape: bool = False, group_by_stack_n: int = 0) -> EventList:
        """Sums by name; also by shapes, or by the innermost `group_by_stack_n` lines of the user's code."""
        found: dict[Any, FunctionEventAvg] = {}
        for event in self:
            key: tuple[Any, ...] = (event.name,)
            if group_by_input_shape:
                key += (str(event.input_shapes),)
            if group_by_stack_n:
                key += tuple(event.stack[:group_by_stack_n])
            found.setdefault(key, FunctionEventAvg(event)).add(event)
        return EventList(found.values())

    def total_average(self) -> FunctionEventAvg:
        """Everything in one sum."""
        total = FunctionEventAvg(FunctionEvent("Total", "user", 0, 0))
        for event in self:
            total.add(event)
        total.key = "Total"
        return total

    @property
    def self_cpu_time_total(self) -> float:
        return sum(e.self_cpu_time_total for e in self)

    def table(
        self,
        sort_by: str | None = None,
        row_limit: int = 100,
        max_src_column_width: int = 75,
        max_name_column_width: int = 55,
        max_shapes_column_width: int = 80,
        header: str | None = None,
        top_level_events_only: bool = False,
    ) -> str:
        """A text table, the largest by `sort_by` first."""
        rows = list(self)
        if sort_by is not None:
            if sort_by not in _SORTS:
                raise ValueError(f"sort_by must be one of {', '.join(_SORTS)}, but got {sort_by!r}")
            rows.sort(key=lambda e: -getattr(e, sort_by))
        total = self.self_cpu_time_total or 1.0
        shapes = any(e.input_shapes for e in rows)
        memory = any(e.cpu_memory_usage for e in rows)
        columns: list[tuple[str, Callable[[Any], str]]] = [
            ("Name", lambda e: _short(e.key, max_name_column_width)),
            ("Self CPU %", lambda e: f"{100 * e.self_cpu_time_total / total:.2f}%"),
            ("Self CPU", lambda e: _time(e.self_cpu_time_total)),
            ("CPU total %", lambda e: f"{100 * e.cpu_time_total / total:.2f}%"),
            ("CPU total", lambda e: _time(e.cpu_time_total)),
            ("CPU time avg", lambda e: _time(e.cpu_time)),
        ]
        if memory:
            columns.append(("CPU Mem", lambda e: _memory(e.cpu_memory_usage)))
            columns.append(("Self CPU Mem", lambda e: _memory(e.self_cpu_memory_usage)))
        columns.append(("# of Calls", lambda e: str(e.count)))
        if shapes:
            columns.append(("Input Shapes", lambda e: _short(str(e.input_shapes), max_shapes_column_width)))
        cells = [[title for title, _ in columns]]
        cells += [[show(e) for _, show in columns] for e in (rows if row_limit < 0 else rows[:row_limit])]
        widths = [max(len(row[k]) for row in cells) for k in range(len(columns))]
        rule = "  ".join("-" * w for w in widths)
        lines = ["  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in cells]
        top = [rule, header] if header else []
        end = f"Self CPU time total: {_time(self.self_cpu_time_total)}"
        return "\n".join([*top, rule, lines[0], rule, *lines[1:], rule, end]) + "\n"

    def __str__(self) -> str:
        return self.table()

    def export_chrome_trace(self, path: Any, **beside: Any) -> None:
        """Write the events as a trace for chrome://tracing or ui.perfetto.dev; `beside` is written next to them."""
        text = json.dumps({"schemaVersion": 1, **beside, "traceEvents": list(_trace(self))})
        Path(path).write_text(text, encoding="utf-8")


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


_CATEGORY = {"operation": "cpu_op", "backward": "cpu_op", "user": "user_annotation"}


def _trace(events: Iterable[FunctionEvent]) -> Iterable[dict[str, Any]]:
    """Each event as a bar, and an arrow from each forward operation to its backward node."""
    forward: dict[int, FunctionEvent] = {}
    for e in events:
        args: dict[str, Any] = {"Sequence number": e.sequence_nr} if e.sequence_nr >= 0 else {}
        if e.input_shapes:
            args["Input Dims"] = e.input_shapes
        if e.stack:
            args["Call stack"] = ";".join(e.stack)
        place = {"pid": 0, "tid": e.thread}
        yield {
            "ph": "X",
            "cat": _CATEGORY[e.kind],
            "name": e.name,
            "ts": e.start,
            "dur": e.cpu_time_total,
            **place,
            "args": args,
        }
        if e.sequence_nr < 0:
            continue
        flow = {"id": e.sequence_nr, "name": "fwdbwd", "cat": "fwdbwd", "ts": e.start, **place}
        if e.kind == "operation":
            forward[e.sequence_nr] = e
            yield {"ph": "s", **flow}
        elif e.sequence_nr in forward:
            yield {"ph": "f", "bp": "e", **flow}
