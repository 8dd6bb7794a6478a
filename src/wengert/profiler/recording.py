"""Who looks on while a program runs and notes when each operation began and ended. Costs nothing where nobody profiles."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Sequence
from time import perf_counter_ns
from typing import Any

import numpy as np

from ..core.modes import LOCAL, Observer, set_mode
from ..core.node import AccumulateGrad
from ..core.tensor import Tensor
from ..explain.notation import public_name
from ..kernels.memory import owner
from .events import EventList, FunctionEvent

_RECORDERS: list[Recorder] = []  # of all threads: record_function tells each


class Recorder(Observer):
    """Notes events between `start` and `stop`, in the thread that started it."""

    def __init__(self, shapes: bool = False, stacks: bool = False, memory: bool = False) -> None:
        self.shapes = shapes
        self.stacks = stacks
        self.memory = memory
        self.events: list[FunctionEvent] = []
        self.origin = 0
        self._open: list[tuple[Any, int]] = []  # nodes that run now
        self._thread = threading.get_ident()

    def start(self) -> None:
        self.origin = perf_counter_ns()
        set_mode("observers", (*LOCAL.observers, self))
        _RECORDERS.append(self)

    def stop(self) -> None:
        set_mode("observers", tuple(o for o in LOCAL.observers if o is not self))
        if self in _RECORDERS:
            _RECORDERS.remove(self)

    def finished(self) -> EventList:
        """All events so far, by beginning, each knowing how much of its time others inside it took."""
        events = EventList(sorted(self.events, key=lambda e: (e.start, -e.end)))
        inside: list[FunctionEvent] = []
        for e in events:
            e.cpu_parent, e.cpu_children, e.cpu_memory_usage = None, [], e.self_cpu_memory_usage
        for e in events:
            while inside and (inside[-1].end <= e.start or inside[-1].thread != e.thread):
                inside.pop()
            if inside:
                e.cpu_parent = inside[-1]
                inside[-1].cpu_children.append(e)
            for outer in inside:
                outer.cpu_memory_usage += e.self_cpu_memory_usage
            inside.append(e)
        return events

    def note(self, name: str, kind: str, began: int, **more: Any) -> None:
        now = perf_counter_ns()
        stack = _stack() if self.stacks else None
        thread = threading.get_ident() % 1_000_000
        times = ((began - self.origin) / 1e3, (now - self.origin) / 1e3)
        self.events.append(FunctionEvent(name, kind, *times, thread=thread, stack=stack, **more))

    # -- what the engine tells ---------------------------------------------------------------------------------------
    def recorded(self, op: Any, vals: Sequence[Any], outputs: Any) -> None:
        made = [t for t in outputs if isinstance(t, Tensor)]
        edge = made[0]._edge if made else None
        self.note(
            _name(op),
            "operation",
            LOCAL.began,
            sequence_nr=-1 if edge is None or edge[0].__class__ is AccumulateGrad else edge[0].seq,
            input_shapes=_shapes(vals) if self.shapes else None,
            memory=sum(t._array.nbytes for t in made) if self.memory and not op.view else 0,
        )

    def changed(self, op: Any, vals: list[Any], target: Any) -> None:
        edge = target._edge
        self.note(
            _name(op) + "_",
            "operation",
            LOCAL.began,
            sequence_nr=-1 if edge is None or edge[0].__class__ is AccumulateGrad else edge[0].seq,
            input_shapes=_shapes(vals) if self.shapes else None,
        )

    def applied(self, node: Any, args: tuple[Any, ...], outputs: tuple[Any, ...]) -> None:
        name = type(node).__name__.removesuffix("Backward")
        self.note(name, "operation", LOCAL.began, sequence_nr=getattr(node, "seq", -1))

    def before(self, node: Any, g: Any) -> None:
        self._open.append((node, perf_counter_ns()))

    def after(self, node: Any, g: Any, grads: tuple[Any, ...]) -> None:
        while self._open:
            opened, began = self._open.pop()
            if opened is node:
                shapes = _shapes(g if isinstance(g, (list, tuple)) else [g]) if self.shapes else None
                memory = _made(g, grads) if self.memory else 0
                self.note(node.name(), "backward", began, sequence_nr=node.seq, input_shapes=shapes, memory=memory)
                return

    def accumulated(self, node: Any, g: Any, leaf: Any) -> None:
        shapes = _shapes([g]) if self.shapes else None
        self.note("torch::autograd::AccumulateGrad", "backward", perf_counter_ns(), input_shapes=shapes)


def _name(op: Any) -> str:
    """What PyTorch's profiler calls the operation; a fast row of ours carries the name of what it computes."""
    return "aten::" + public_name(op.name)


def _shapes(values: Any) -> list[list[int]]:
    return [list(v.shape) for v in values if hasattr(v, "shape")]


def _made(g: Any, grads: Any) -> int:
    """Bytes of the gradients that a node made of `g`, where they are not the memory of `g` itself."""
    given = {id(a) for a in _memories(g if isinstance(g, (list, tuple)) else [g])}
    made = {id(a): a for a in _memories(grads) if id(a) not in given}
    return sum(a.nbytes for a in made.values())


def _memories(values: Any) -> list[Any]:
    arrays = (v._array if isinstance(v, Tensor) else v for v in values)
    return [owner(a) for a in arrays if isinstance(a, np.ndarray)]


def _stack() -> list[str]:
    """The lines of code outside this package that led here, innermost first."""
    found = []
    frame: Any = sys._getframe(2)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if not module.startswith("wengert."):
            code = frame.f_code
            found.append(f"{code.co_filename}({frame.f_lineno}): {code.co_name}")
        frame = frame.f_back
    return found


class record_function:
    """A name for a stretch of the program, as a context or a decorator: it becomes an event of the profile."""

    def __init__(self, name: str, args: str | None = None) -> None:
        if not isinstance(name, str):
            raise RuntimeError(
                "profiler::_record_function_enter_new() Expected a value of type 'str' for argument 'name' but instead found "
                f"type '{type(name).__name__}'."
            )
        self.name = name
        self.args = args

    def __enter__(self) -> record_function:
        self._began = perf_counter_ns()
        return self

    def __exit__(self, *exc: Any) -> None:
        for recorder in list(_RECORDERS):
            recorder.note(self.name, "user", self._began)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def named(*args: Any, **kwargs: Any) -> Any:
            with record_function(self.name, self.args):
                return function(*args, **kwargs)

        return named
