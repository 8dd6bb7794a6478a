"""`wengert.profiler`, shaped like torch.profiler: where time and memory go, operation by operation, forward and backward.

    with wengert.profiler.profile(record_shapes=True) as prof:
        with wengert.profiler.record_function("step"):
            model(x).sum().backward()
    print(prof.key_averages().table(sort_by="self_cpu_time_total", row_limit=10))
    prof.export_chrome_trace("trace.json")

A forward operation and its backward node carry the same sequence number.
"""

from __future__ import annotations

from .events import EventList as EventList
from .events import FunctionEvent as FunctionEvent
from .events import FunctionEventAvg as FunctionEventAvg
from .profile import ProfilerAction as ProfilerAction
from .profile import ProfilerActivity as ProfilerActivity
from .profile import profile as profile
from .profile import schedule as schedule
from .profile import supported_activities as supported_activities
from .profile import tensorboard_trace_handler as tensorboard_trace_handler
from .recording import record_function as record_function


class itt:
    """Marks for Intel's tracing tools, which are not here."""

    @staticmethod
    def is_available() -> bool:
        return False


__all__ = [
    "EventList", "FunctionEvent", "FunctionEventAvg", "ProfilerAction", "ProfilerActivity", "profile", "record_function",
    "schedule", "supported_activities", "tensorboard_trace_handler",
]  # fmt: skip
