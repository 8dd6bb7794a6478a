"""Ways through a graph, and through what a trace has noted: from a loss back to a tensor, from a tensor on to its uses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ...core.node import AccumulateGrad
from ...core.tensor import Tensor
from ..ledger import flat
from ..recording import Step, Value


def reachable(root: Any) -> dict[Any, Any]:
    """Every node that can be reached from `root`, and for each one that points at it (None for the root)."""
    found = {root: None}
    stack = [root]
    while stack:
        node = stack.pop()
        for target, _ in node.next:
            if target is not None and target not in found:
                found[target] = node
                stack.append(target)
    return found


def leaves(nodes: Iterable[Any]) -> list[Tensor]:
    return [n.variable for n in nodes if n.__class__ is AccumulateGrad]


def way_back(loss: Value, wanted: Callable[[Value], bool]) -> list[tuple[Value, Step]] | None:
    """From a value that is `wanted` to `loss`: (value, the step that used it), with the fewest cuts on the way.

    Breadth first, one cut after the other: what is reached without a cut comes before what needs one.
    """
    came: dict[int, tuple[Value, Step] | None] = {id(loss): None}
    now: list[Value] = [loss]
    later: list[Value] = []
    while now or later:
        if not now:
            now, later = later, []
        nxt: list[Value] = []
        for v in now:
            if wanted(v) and came[id(v)] is not None:
                way = []
                link = came[id(v)]
                at = v
                while link is not None:
                    way.append((at, link[1]))
                    at = link[0]
                    link = came[id(at)]
                return way
            step = v.made_by
            if step is None:
                continue
            for a in flat(step.args):
                if id(a) not in came:
                    came[id(a)] = (v, step)
                    (later if step.cut else nxt).append(a)
        now = nxt
    return None


def ancestors(loss: Value) -> tuple[list[Step], list[Value]]:
    """The steps that `loss` depends on, cut or not, in order, and the values they used."""
    steps: dict[int, Step] = {}
    values: dict[int, Value] = {id(loss): loss}
    stack = [loss]
    while stack:
        step = stack.pop().made_by
        if step is not None and id(step) not in steps:
            steps[id(step)] = step
            for a in flat(step.args):
                if id(a) not in values:
                    values[id(a)] = a
                    stack.append(a)
    return sorted(steps.values(), key=lambda s: s.met), list(values.values())


def descendants(steps: Iterable[Step], start: Iterable[Value]) -> tuple[list[Step], set[int]]:
    """The steps that used a value or what came of it, in order, and the ids of all those values."""
    marked = {id(v) for v in start}
    used = []
    for step in sorted(steps, key=lambda s: s.met):
        if any(id(a) in marked for a in flat(step.args)):
            used.append(step)
            marked.update(id(v) for v in step.outputs)
    return used, marked
