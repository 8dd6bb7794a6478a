"""`torch.autograd.profiler_util`: the events of a profile, to be made and put together by hand as PyTorch's are."""

from __future__ import annotations

from typing import Any

from ..profiler import events
from ..profiler.events import FunctionEventAvg as FunctionEventAvg
from ..profiler.events import _memory as _format_memory
from ..profiler.events import _time as _format_time

__all__ = ["EventList", "FunctionEvent", "FunctionEventAvg", "_format_memory", "_format_time"]


class FunctionEvent(events.FunctionEvent):
    """One event, by PyTorch's arguments: times are microseconds."""

    def __init__(
        self,
        id: int,
        name: str,
        thread: int,
        start_us: float,
        end_us: float,
        input_shapes: list[list[int]] | None = None,
        stack: list[str] | None = None,
        cpu_memory_usage: int = 0,
        node_id: int = -1,
        sequence_nr: int = -1,
    ) -> None:
        super().__init__(name, "user", start_us, end_us, thread, sequence_nr, input_shapes, stack, cpu_memory_usage)
        self.id = id
        self.node_id = node_id

    def append_cpu_child(self, child: FunctionEvent) -> None:
        self.cpu_children.append(child)
        child.cpu_parent = self


class EventList(events.EventList):
    """Events in a list, `_populate_cpu_children` finds out which ran inside which."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)

    def _populate_cpu_children(self) -> None:
        """An event of the same thread that lies within another, the latest begun, is its child."""
        by_thread: dict[tuple[int, int], list[FunctionEvent]] = {}
        for event in self:
            by_thread.setdefault((event.thread, event.node_id), []).append(event)
        for found in by_thread.values():
            inside: list[FunctionEvent] = []
            for event in sorted(found, key=lambda e: (e.start, -e.end)):
                while inside and (event.start >= inside[-1].end or event.end > inside[-1].end):
                    inside.pop()
                if inside:
                    inside[-1].append_cpu_child(event)
                inside.append(event)
