"""`profile`: a stretch of the program, or by a schedule some of its steps."""

from __future__ import annotations

import enum
import json
import os
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any

from .events import EventList
from .recording import Recorder


class ProfilerActivity(enum.Enum):
    """What can be watched. There is only the CPU here."""

    CPU = 0
    CUDA = 2


class ProfilerAction(enum.Enum):
    """What a schedule says of a step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


def supported_activities() -> set[ProfilerActivity]:
    return {ProfilerActivity.CPU}


def schedule(
    *, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0, skip_first_wait: int = 0
) -> Callable[[int], ProfilerAction]:
    """Steps are passed over (`wait`), run up to speed (`warmup`), recorded (`active`), over and over or `repeat` times."""
    if not (wait >= 0 and warmup >= 0 and active > 0 and repeat >= 0 and skip_first >= 0):
        raise AssertionError(
            f"Invalid profiler schedule arguments. Got wait={wait} (need >= 0), warmup={warmup} (need >= 0), "
            f"active={active} (need > 0), repeat={repeat} (need >= 0), skip_first={skip_first} (need >= 0)."
        )

    def action(step: int) -> ProfilerAction:
        if step < 0:
            raise AssertionError(f"Step must be non-negative. Got {step}.")
        if step < skip_first:
            return ProfilerAction.NONE
        step -= skip_first
        if skip_first_wait:
            step += wait
        round_, place = divmod(step, wait + warmup + active)
        if repeat and round_ >= repeat:
            return ProfilerAction.NONE
        if place < wait:
            return ProfilerAction.NONE
        if place < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD if place < wait + warmup + active - 1 else ProfilerAction.RECORD_AND_SAVE

    return action


def tensorboard_trace_handler(
    dir_name: str, worker_name: str | None = None, use_gzip: bool = False
) -> Callable[[Any], None]:
    """For `on_trace_ready`: writes each trace into a folder."""
    if use_gzip:
        raise NotImplementedError("tensorboard_trace_handler(use_gzip=True): traces are written as plain JSON here")

    def write(prof: Any) -> None:
        os.makedirs(dir_name, exist_ok=True)
        worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        prof.export_chrome_trace(os.path.join(dir_name, f"{worker}.{time.time_ns()}.pt.trace.json"))

    return write


class profile:
    """Watches the operations of this thread inside a `with` block, forward and backward.

    `record_shapes`, `profile_memory` (bytes of results) and `with_stack` say what is noted besides the times. With a
    `schedule`, call `step()` after each step; `on_trace_ready` is called when a stretch of recorded steps is complete.
    """

    def __init__(
        self,
        *,
        activities: Iterable[ProfilerActivity] | None = None,
        schedule: Callable[[int], ProfilerAction] | None = None,
        on_trace_ready: Callable[[Any], Any] | None = None,
        record_shapes: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_flops: bool = False,
        with_modules: bool = False,
        experimental_config: Any = None,
        execution_trace_observer: Any = None,
        acc_events: bool = False,
        use_cuda: bool | None = None,
        custom_trace_id_callback: Callable[[], str] | None = None,
        post_processing_timeout_s: float | None = None,
    ) -> None:
        if with_flops:
            raise NotImplementedError("profile(with_flops=True): operations are not counted; use record_shapes=True")
        if execution_trace_observer is not None:
            raise NotImplementedError(
                "profile(execution_trace_observer=...): use on_trace_ready and export_chrome_trace"
            )
        if activities is not None and not (activities := set(activities)):
            raise AssertionError("No valid profiler activities found")
        if use_cuda or (activities is not None and ProfilerActivity.CPU not in activities):
            raise RuntimeError("profile: only the CPU can be watched, ProfilerActivity.CPU")
        self._wish = (record_shapes, with_stack, profile_memory)
        self._schedule = schedule
        self.on_trace_ready = on_trace_ready
        self.step_num = 0
        self._recorder: Recorder | None = None
        self._acc = acc_events
        self._events: EventList | None = None
        self._metadata: dict[str, Any] = {}

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *exc: Any) -> None:
        self.stop()

    @property
    def _action(self) -> ProfilerAction:
        return self._schedule(self.step_num) if self._schedule else ProfilerAction.RECORD_AND_SAVE

    def _set(self, record: bool) -> None:
        if record and self._recorder is None:
            self._recorder = Recorder(*self._wish)
            self._recorder.start()
        elif not record and self._recorder is not None:
            self._recorder.stop()
            before = self._events if self._acc and self._events else []
            self._events = EventList([*before, *self._recorder.finished()])
            self._recorder = None

    def start(self) -> None:
        self._set(self._action in (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE))

    def stop(self) -> None:
        was = self._recorder is not None
        self._set(False)
        if was and self.on_trace_ready is not None:
            self.on_trace_ready(self)

    def step(self) -> None:
        """The next step of the schedule begins."""
        done = self._action is ProfilerAction.RECORD_AND_SAVE and self._schedule is not None
        self.step_num += 1
        if done:
            self.stop()
        if self._schedule is not None:
            self.start()

    # -- what was found ------------------------------------------------------------------------------------------------
    def events(self) -> EventList:
        """All that ran, by beginning. AssertionError before the profiler was started."""
        return self._found("accessing events")

    def _found(self, wish: str) -> EventList:
        if self._recorder is not None:
            return self._recorder.finished()
        if self._events is None:
            raise AssertionError(f"Profiler must be initialized before {wish}")
        return self._events

    @property
    def function_events(self) -> EventList:
        return self.events()

    def key_averages(self, group_by_input_shape: bool = False, group_by_stack_n: int = 0) -> EventList:
        return self._found("getting key averages").key_averages(group_by_input_shape, group_by_stack_n)

    def total_average(self) -> Any:
        return self.events().total_average()

    def table(self, sort_by: str | None = None, row_limit: int = 100, **options: Any) -> str:
        return self.key_averages().table(sort_by, row_limit, **options)

    @property
    def self_cpu_time_total(self) -> float:
        return self.events().self_cpu_time_total

    def export_chrome_trace(self, path: Any) -> None:
        self._found("exporting chrome trace").export_chrome_trace(path, **self._metadata)

    def add_metadata(self, key: str, value: str) -> None:
        """Put a word beside the events of the trace file."""
        self._metadata[key] = value

    def add_metadata_json(self, key: str, value: str) -> None:
        """Put what is written as JSON beside the events of the trace file."""
        self._metadata[key] = json.loads(value)

    preset_metadata_json = add_metadata_json

    def export_memory_timeline(self, path: Any, device: Any = None) -> None:
        """NotImplementedError: what memory is for is shown by `wengert.explain`."""
        raise NotImplementedError(
            "profile.export_memory_timeline: use profile(profile_memory=True) and key_averages().table(), or wengert.explain"
        )

    def export_stacks(self, path: Any, metric: str = "self_cpu_time_total") -> None:
        """Write the stacks as a flame graph's input: `outer;...;inner microseconds`."""
        if metric != "self_cpu_time_total":
            raise ValueError(f"metric must be 'self_cpu_time_total', but got {metric!r}")
        with open(path, "w", encoding="utf-8") as file:
            for e in self.events():
                if e.stack:
                    file.write(";".join([*reversed(e.stack), e.name]) + f" {int(e.self_cpu_time_total)}\n")

    def __str__(self) -> str:
        return str(self.events())
