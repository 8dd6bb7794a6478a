"""Makes a Ledger of what `recording` noted of one pass: finds the steps it depends on, links nodes to them, gives names.

Of a graph that was made before anybody looked on, steps are made from the nodes themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core.node import AccumulateGrad
from ..core.op import LIST
from ..core.tensor import Tensor
from . import collector, naming
from .ledger import Ledger
from .recording import Recorder
from .shots import shot
from .steps import Pass, Ran, Step, Value, output_of, unwatched


class Builder:
    """Makes one Ledger."""

    def __init__(self, recorder: Recorder, noted: Pass, variables: dict[str, Any]) -> None:
        self.recorder = recorder
        self.noted = noted
        self.variables = variables
        self.copies: dict[int, Any] = {}  # by id of a Step or Value that another ledger has named
        self.leaves: dict[int, Value] = {}  # by id of their tensor: as the steps used them
        self.sinks: dict[Any, Value] = {}
        self.writes: list[Step] = []

    def build(self) -> Ledger:
        with collector.paused():
            return self.ledger()

    def ledger(self) -> Ledger:
        noted = self.noted
        self.complete()
        for ran in noted.ran:
            if ran.saved and not ran.step.packed:
                fill(ran.step, ran)
        steps = self.reached()
        self.fill_from_variables()
        ledger = Ledger(self, noted, in_order(steps))
        ledger.writes = [(w, sum(s.time < w.time for s in steps)) for w in self.writes]
        naming.assign(ledger.forward, ledger.root, self.variables)
        return ledger

    # -- forward: who made what ----------------------------------------------------------------------------------------
    def reached(self) -> list[Step]:
        """Every step that the pass depends on."""
        writes = self.noted.writes
        steps, sources = closure([ran.step for ran in self.noted.ran])
        missing = [s for s in steps if not s.complete]
        for step in missing:  # used, but the pass did not come by
            node = step.node()
            if node is not None:
                self.completed(node)
        if missing:
            steps, sources = closure([ran.step for ran in self.noted.ran])
        if any(s.owned for s in steps) or any(v.owned for v in sources):
            # A ledger names and numbers what is in it, so each has its own.
            steps, more = in_order(steps), in_order(closure(writes)[0]) if writes else []
            steps = [self.copy(s) for s in steps]
            for s in more:
                self.copy(s)
            sources = [self.copies[id(v)] for v in sources]
        self.writes = [self.copies.get(id(w), w) for w in writes]
        for step in steps:
            step.owned = True
            if step.inplace and step.seq is None and step.outputs[0].requires_grad:
                sources.append(step.outputs[0])  # a leaf that was filled
        for v in sources:
            v.owned = True
            t = v.tensor() if v.requires_grad and v.tensor is not None else None
            if t is not None:
                self.leaves[id(t)] = v
        return steps

    def copy(self, step: Step) -> Step:
        found = self.copies.get(id(step))
        if found is None:
            found = self.copies[id(step)] = Step(step.time, step.op, [], step.place)
            skipped = ("took", "raw", "owned", "_args", "_outputs")
            vars(found).update({k: v for k, v in vars(step).items() if k not in skipped})
            for v in step.outputs:
                found.outputs.append(self.copy_value(v, found))
            found.took = [
                self.copy_value(a) if isinstance(a, Value)
                else [self.copy_value(x) if isinstance(x, Value) else x for x in a] if isinstance(a, list) else a
                for a in step.args
            ]  # fmt: skip
        return found

    def copy_value(self, v: Value, made: Step | None = None) -> Value:
        found = self.copies.get(id(v))
        if found is None:
            if made is None and v.made_by is not None:
                raise AssertionError("an argument of a step was made after it")
            found = self.copies[id(v)] = Value(v._raw, v.requires_grad, made, v.nr)
            found.tensor, found.grad_of, found.given, found.view = v.tensor, v.grad_of, v.given, v.view
        return found

    def step(self, node: Any) -> Step:
        """The forward step of a node in this ledger."""
        found: Step | None = getattr(node, "noted", None)
        if found is None or not found.complete:
            found = self.completed(node)
        copied: Step = self.copies.get(id(found), found)
        return copied

    def value(self, node: Any, nr: int) -> Value:
        """The Value whose gradient arrives at output `nr` of `node`."""
        if node.__class__ is AccumulateGrad:
            found = self.sinks.get(node)
            if found is None:
                found = self.leaves.get(id(node.variable)) or self.noted.leaves.get(node)
                found = self.sinks[node] = found or self.recorder.value_of(node.variable)
            return found
        outputs = self.step(node).outputs
        while nr >= len(outputs):
            more = Value(shot(None), True, self.step(node), len(outputs))
            outputs.append(more)
        return outputs[nr]

    def complete(self) -> None:
        """Find the arguments of steps that nobody watched: a graph's edges lead to older nodes."""
        reached = self.noted.reached
        for ran in reversed(self.noted.ran):  # what ran last was made first
            step = ran.step
            if not step.complete:
                node = ran.node
                for target, _ in node.next:
                    if target is not None and target not in reached:
                        self.completed(node)
                        break
                else:
                    step.took = self.arguments(node)
                    step.complete = True

    def completed(self, node: Any) -> Step:
        """The step of a node, as far as the node itself knows it where nobody watched."""
        step: Step = getattr(node, "noted", None) or unwatched(node)
        if step.complete:
            return step
        stack = [node]
        while stack:  # what it points at was made before: first all that, without recursion
            n = stack[-1]
            waiting = False
            for target, _ in n.next:
                if target is not None and target.__class__ is not AccumulateGrad:
                    made = getattr(target, "noted", None) or unwatched(target)
                    if not made.complete:
                        stack.append(target)
                        waiting = True
            if not waiting:
                stack.pop()
                n.noted.took = self.arguments(n)
                n.noted.complete = True
        return step

    def given(self, target: Any, nr: int) -> Any:
        """The argument that an edge leads to: a Value, or the Step whose only result it is."""
        if target.__class__ is AccumulateGrad:
            return self.recorder.value_of(target.variable)
        step: Step = target.noted
        return step if step.simple else output_of(target, nr)

    def arguments(self, node: Any) -> list[Any]:
        if node.op is None:
            return [self.given(*e) for e in node.next if e[0] is not None]
        edges = iter(node.next)
        took: list[Any] = []
        kept = node.variant.saves
        for p in node.op.params:
            if not p.is_tensor:
                took.append(getattr(node, p.name, None) if p.name in kept else p.default)
            elif p.kind == LIST:
                took.append([self.given(*e) if e[0] is not None else Value(None, False) for e in edges])
            else:
                target, nr = next(edges)
                if target is not None:
                    took.append(self.given(target, nr))
                    continue
                saved = getattr(node, p.name, None) if p.name in kept else None
                if isinstance(saved, Tensor):
                    took.append(self.recorder.value_of(saved))
                else:
                    took.append(saved if isinstance(saved, (int, float, complex)) else None)
        return took

    def fill_from_variables(self) -> None:
        """Variables of the program tell what values that nothing saved were."""
        for t in self.variables.values():
            if isinstance(t, Tensor) and t._edge is not None and not (t._vc is not None and t._vc[0]):
                node, nr = t._edge
                if node in self.noted.reached and node.__class__ is not AccumulateGrad:
                    v = self.value(node, nr)
                    if not v.known:
                        v.shot = self.recorder.shots(t)


def closure(steps: Sequence[Step]) -> tuple[list[Step], list[Value]]:
    """Steps and all that they depend on, and the values that no step made."""
    found = {id(s): s for s in steps}
    sources: dict[int, Value] = {}
    stack = list(found.values())
    while stack:
        for a in stack.pop().took:
            for v in a if a.__class__ is list else (a,):
                made: Any = v if v.__class__ is Step else None
                if v.__class__ is Value:
                    made = v.made_by
                    if made is None:
                        sources[id(v)] = v
                if made is not None and id(made) not in found:
                    found[id(made)] = made
                    stack.append(made)
    return list(found.values()), list(sources.values())


def in_order(steps: list[Step]) -> list[Step]:
    """Steps as they ran. Of those that were not watched, the number of their node tells when."""
    steps.sort(key=lambda s: s.time)
    if not steps or steps[0].time >= 0:
        return steps
    rank: dict[int, Any] = {}
    latest = -1
    for s in steps:
        if s.time >= 0:
            latest = max(latest, -1 if s.seq is None else s.seq)
            rank[id(s)] = (latest, 1, s.time)
        else:
            rank[id(s)] = (s.seq, 0, 0)
    return sorted(steps, key=lambda s: rank[id(s)])


def fill(step: Step, ran: Ran) -> None:
    """What a node saved tells what its arguments and result were, where they were not watched."""
    for name, raw in ran.saved.items():
        if raw is None or isinstance(raw, list):
            continue
        if name in step.op.outputs:
            learn(step.outputs[step.op.outputs.index(name)], raw)
            continue
        for p, a in zip(step.op.params, step.took, strict=False):
            if p.name == name:
                learn(a, raw)


def learn(a: Any, raw: Any) -> None:
    """`a`, a Value or a Step that stands for its result, was `raw`."""
    if a.__class__ is Step:
        if a._outputs is None:
            if a.raw.__class__ is tuple:
                a.raw = raw
            return
        a = a.outputs[0]
    if a.__class__ is Value and not a.known:
        a.shot = raw
