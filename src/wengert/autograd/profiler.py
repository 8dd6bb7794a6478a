"""`torch.autograd.profiler`: the older names of `wengert.profiler`."""

from __future__ import annotations

from typing import Any, NoReturn

from ..profiler import profile as _profile
from ..profiler import record_function as record_function
from ..profiler.events import EventList as EventList
from ..profiler.events import FunctionEvent as FunctionEvent
from ..profiler.events import FunctionEventAvg as FunctionEventAvg


class profile(_profile):
    """`wengert.profiler.profile`; with `enabled=False` nothing is watched."""

    def __init__(self, enabled: bool = True, *, use_cpu: bool = True, use_kineto: bool = True, **options: Any) -> None:
        self.enabled = enabled
        super().__init__(**options)

    def start(self) -> None:
        if self.enabled:
            super().start()
        else:
            self._events = EventList()


def _refused(name: str) -> NoReturn:
    raise NotImplementedError(f"{name} writes for tools that watch a GPU; use wengert.profiler.profile")


class emit_nvtx:
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refused("emit_nvtx")


class emit_itt:
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refused("emit_itt")
