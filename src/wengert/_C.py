"""The few names that PyTorch users reach for in `torch._C`: what the engine is doing now. There is no C here."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from types import SimpleNamespace
from typing import Any

from .autograd.grad_mode import is_multithreading_enabled
from .autograd.graph import _current_autograd_node as _current_autograd_node
from .autograd.graph import _current_graph_task_id as _current_graph_task_id
from .autograd.graph import _will_engine_execute_node as _will_engine_execute_node
from .core.modes import LOCAL
from .core.node import AccumulateGrad

_functions = SimpleNamespace(AccumulateGrad=AccumulateGrad)


def _unsafe_set_version_counter(tensors: tuple[Any, ...], versions: tuple[int, ...]) -> None:
    """Set the version counters of tensors: what was saved of them before may then pass for unchanged."""
    for t, version in zip(tensors, versions, strict=True):
        if version < 0:
            raise RuntimeError(f"Cannot set a version_counter to a value below 0: {version}")
        if t._vc is None:
            t._vc = [version, None]
        else:
            t._vc[0] = version


_autograd = SimpleNamespace(_unsafe_set_version_counter=_unsafe_set_version_counter)


def _current_graph_task_execution_order() -> list[Any]:
    """The nodes of the pass under way, in the order in which they run, those that have run included."""
    if LOCAL.walk is None:
        raise RuntimeError("_current_graph_task_execution_order should only be called during the backward pass")
    if is_multithreading_enabled():
        raise RuntimeError(
            "_current_graph_task_execution_order expects the current backward to be executed with multithreading disabled, "
            "e.g. by running:\n\nwith torch.autograd.set_multithreading_enabled(False):\n    backward()"
        )
    nodes = LOCAL.walk[1]
    waiting = dict.fromkeys(nodes, 0)
    for node in nodes:
        for target, _ in node.next:
            if target in waiting:
                waiting[target] += 1
    ready = [(-node.seq, i, node) for i, node in enumerate(nodes) if not waiting[node]]
    heapify(ready)
    order = []
    while ready:
        _, _, node = heappop(ready)
        order.append(node)
        for target, _ in node.next:
            if target in waiting:
                waiting[target] -= 1
                if not waiting[target]:
                    heappush(ready, (-target.seq, len(order) + len(nodes), target))
    return order
