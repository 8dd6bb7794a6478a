"""What a trace notes while a program runs: an observer of the engine, which writes down and interprets nothing.

What it writes are `steps`, with numbers as `shots` keeps them. `ledger` makes of these notes what is shown. What a node had
saved is looked up later among the arguments of its step, where that was watched.
"""

from __future__ import annotations

import collections
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from ..core.modes import LOCAL, Observer
from ..core.node import AccumulateGrad, Node
from ..core.tensor import Tensor
from .shots import BUDGET, WHOLE, Shots
from .shots import Shot as Shot
from .shots import shot as shot
from .steps import NUMBERS, output_of, summarised_bad, unwatched
from .steps import Engine as Engine
from .steps import Pass as Pass
from .steps import Ran as Ran
from .steps import Step as Step
from .steps import Value as Value

ndarray = np.ndarray
_new = object.__new__
_HERE = str(Path(__file__).resolve().parent.parent)
_OPTIONS = frozenset([int, float, bool, complex, type(None), str])
_SCALARS = frozenset(t for t in np.sctypeDict.values())
_TENSORS = frozenset(["tensor", "list", "output", "aux"])
_KNOWN: dict[str, bool] = {}
STEPS = 20_000  # steps that a recorder remembers though nothing alive came of them
_noted = vars(Node)["noted"].__get__  # raises at once where `node.noted` would search on


def place(depth: int) -> Any:
    """Where in the user's program we are: in the innermost frame, from `depth` outwards, that is not Wengert's."""
    frame = sys._getframe(depth)
    known = _KNOWN
    while frame is not None:
        code = frame.f_code
        internal = known.get(code.co_filename)
        if internal is None:
            internal = _internal(code.co_filename)
        if not internal:
            return code, frame.f_lasti, frame.f_globals
        frame = frame.f_back  # type: ignore[assignment]
    return None


def _internal(filename: str) -> bool:
    found = _KNOWN.get(filename)
    if found is None:
        found = filename.startswith((_HERE, "<wengert", "<frozen", "<__array_function__"))
        found = found and not filename.endswith("demo.py")  # which stands for a user's program
        _KNOWN[filename] = found
    return found


def version_of(t: Any) -> Any:
    """Changes with a tensor's value: when it is written to, and when it is given another array."""
    return t._vc[0] if t._vc is not None else 0, id(t._array), t._array.dtype


class Recorder(Observer):
    """Notes operations and passes. `keep`: the number of the one pass wanted, "last", or None for all.

    What is known of a tensor with a place in the graph hangs on its node (`noted`: the Step) and lives as long as that;
    a tensor without one is known by its identity and version while it lives.
    """

    def __init__(self, *, keep: Any = None, whole: int = WHOLE, budget: int = BUDGET, late: bool = False) -> None:
        self.late = late  # the graph was made before anybody looked on
        self.shots = Shots(whole, budget)
        self.whole = whole
        self.keep = keep
        self.passes: list[Pass] = []
        self.seen = 0  # passes begun
        self.free: dict[int, Value] = {}  # tensors without a place in the graph, by identity
        self.room = 1024
        self.running: Any = None  # the walk that runs, or ran last
        self.current: Any = None  # and its Pass
        self.open: list[tuple[int, Pass]] = []  # passes inside passes, the innermost last
        self.steps: collections.deque[Step] = collections.deque(maxlen=STEPS)
        self.writes: list[Step] = []  # changes in place since the last pass began
        self.began, self.ended = next(NUMBERS), sys.maxsize  # which steps are its own
        self.names: dict[type, tuple[Any, Any]] = {}
        self.held: dict[str, Any] = {}  # the tensors that the node which runs had saved, where gradients are large
        self.scope: Any = None  # the module's call that is running

    def end(self) -> None:
        """It looks on no more."""
        self.ended = next(NUMBERS)

    # -- who is who ----------------------------------------------------------------------------------------------------
    def known(self, t: Any) -> Value | None:
        """The Value of a tensor as it is now, if it has been met."""
        edge = t._edge
        if edge is not None:
            return output_of(*edge)
        found = self.free.get(id(t))
        return found if found is not None and found.tensor() is t and found.version == version_of(t) else None

    def met(self, t: Any) -> Value | None:
        """The latest Value of a tensor, if this recorder has seen it made or used."""
        if t._edge is None:
            found = self.free.get(id(t))
            return found if found is not None and found.tensor() is t else None
        found = output_of(*t._edge)
        made = found.made_by if found is not None else None
        return found if made is not None and self.began < made.met < self.ended else None

    def value_of(self, t: Any) -> Value:
        """The Value of a tensor as it is now."""
        found = self.known(t)
        edge = t._edge
        if edge is None:
            return self.enter(t, Value(self.shots(t), t._rg)) if found is None else found
        if found is None:
            step = unwatched(edge[0])
            if edge[1] >= len(step.outputs):
                return Value(self.shots(t), t._rg, step, edge[1])
            found = step.outputs[edge[1]]
        if not found.known:  # its step was not watched
            found._raw = self.shots(t)
            found.tensor = weakref.ref(t)
        return found

    def enter(self, t: Any, value: Value) -> Value:
        """Know `t`, which has no place in the graph, as `value`."""
        value.tensor = weakref.ref(t)
        value.version = version_of(t)
        self.free[id(t)] = value
        if len(self.free) > self.room:
            self.free = {k: v for k, v in self.free.items() if v.tensor() is not None}
            self.room = 1024 + 2 * len(self.free)
        return value

    # -- forward -------------------------------------------------------------------------------------------------------
    def argument(self, x: Any) -> Any:
        if isinstance(x, Tensor):
            return self.value_of(x)
        if x.__class__ in (tuple, list) and any(isinstance(y, Tensor) for y in x):
            return [self.argument(y) for y in x]
        return x

    def step(self, op: Any, args: list[Any], place: Any) -> Step:
        made = Step(next(NUMBERS), op, args, place)
        self.steps.append(made)
        self.situate(made)
        return made

    def situate(self, made: Step) -> None:
        """Note in which module's call a step ran, or in which node's backward."""
        if self.scope is not None:
            made.scope = self.scope
        if self.running is not None and LOCAL.walk is not None and self.current.ran:
            made.origin = self.current.ran[-1]

    def into(self, made: Step, t: Any) -> Value:
        """`t` is what `made` gave."""
        outputs = made.outputs
        value = Value(self.shots(t), t._rg, made, len(outputs))
        if t._extra is not None and t._extra.base is not None:
            value.view = True
        outputs.append(value)
        edge = t._edge
        if edge is None:
            return self.enter(t, value)
        value.tensor = weakref.ref(t)
        node = edge[0]
        made.seq = node.seq
        node.noted = made
        return value

    def recorded(self, op: Any, vals: Any, outputs: Any) -> Any:
        walk = LOCAL.walk
        if walk is not None and not LOCAL.grad:
            return None  # arithmetic of a rule
        took: list[Any] = []
        for v in vals:
            if v.__class__ is Tensor:
                edge = v._edge
                made = getattr(edge[0], "noted", None) if edge is not None else None
                took.append(made if made is not None and made.simple else self.value_of(v))
            else:
                took.append(v if v.__class__ in _OPTIONS else self.argument(v))
        frame = sys._getframe(3)
        code = frame.f_code
        made = _new(Step)  # as Step() and place() do it
        made.time = made.number = next(NUMBERS)
        made.op = op
        made.took = took
        if _KNOWN.get(code.co_filename) is False:
            made.place = code, frame.f_lasti, frame.f_globals
        else:
            made.place = place(4)
        self.steps.append(made)
        if self.scope is not None or walk is not None:
            self.situate(made)
        t = outputs[0]
        array, edge, shots = t._array, t._edge, self.shots
        if (
            edge is not None and len(outputs) == 1 and t._extra is None and LOCAL.special == 1
            and array.__class__ is ndarray and array.size <= self.whole and shots.left > 0
        ):  # fmt: skip
            # The usual case: as `into` does it.
            shots.left -= array.nbytes
            made.raw = array.copy()
            made.ref = weakref.ref(t)
            node = edge[0]
            made.seq = node.seq
            node.noted = made
            return made
        made.packed = bool(LOCAL.saved_hooks)
        made.simple = len(outputs) == 1
        for t in outputs:
            value = self.into(made, t)
        if not value.requires_grad:
            made.cut = self.cut(op, vals, outputs)
        if any(map(summarised_bad, made.outputs)):
            self.bad(made, vals, outputs)
        return made

    def bad(self, made: Step, vals: Any, outputs: Any) -> None:
        """A step has given numbers that are not finite, of which there will be a summary only."""

    def poisoned(self, node: Any, nr: int, g: Any, x: Any) -> None:
        """A node has given a gradient that is not finite, of which there will be a summary only."""

    def changed(self, op: Any, vals: Any, target: Any) -> None:
        base = target._base
        old = [self.former(t) for t in (target, base) if t is not None]
        if vals and vals[0] is not target and isinstance(vals[0], Tensor):
            old[0] = self.known(vals[0]) or old[0]  # it stands for what the target was
        self.shots.forget(target)
        args = [old[0] if v is target else self.argument(v) for v in vals]
        made = self.step(op, [old[0], *args[1:]] if args else args, place(2))
        made.cut = self.cut(op, vals, [target])
        self.overwrite(made, target)
        self.writes.append(made)
        if any(map(summarised_bad, made.outputs)):
            self.bad(made, vals, [target])
        if base is not None:
            # A part of a tensor was overwritten: the whole is a new value too.
            self.shots.forget(base)
            self.overwrite(self.step(Engine("overwrite"), [old[1], made.outputs[0]], made.place), base)

    def former(self, t: Any) -> Value:
        """What a tensor was before it was changed in place just now."""
        found = self.free.pop(id(t), None)
        if found is not None and found.tensor() is t:
            return found
        edges = [t._edge] if t._edge is not None else []
        edges += [e for edge in edges for e in edge[0].next[:1] if e[0] is not None]
        for node, nr in edges:  # where it is now, if nothing was recorded; else where its new node points
            found = output_of(node, nr)
            if found is not None:
                return found
        return Value(Shot.unknown(t._array.shape, t._array.dtype), bool(edges))

    def overwrite(self, made: Step, t: Any) -> None:
        """`t` has become what `made` gave."""
        made.inplace = True
        edge = t._edge
        kept: Step | None = getattr(edge[0], "noted", None) if edge is not None else None
        if edge is not None and kept is None and edge[0].op is not None and edge[0].op is not made.op:
            # It is a view, whose new node leads to the whole.
            value = Value(self.shots(t), t._rg, made, 0)
            value.view = True
            made.outputs.append(value)
            return
        value = self.into(made, t)
        if edge is not None and kept is not None:  # it was changed under no_grad, and keeps its place
            edge[0].noted, made.seq, made.cut, kept.simple = kept, None, "no_grad", False
            kept.now = {**(kept.now or {}), edge[1]: value}

    def applied(self, node: Any, args: Any, results: Any) -> None:
        """A user's Function has run."""
        given = [self.value_of(a) for a in args if isinstance(a, Tensor)]
        made = self.step(Engine(node.operation()), given, place(2))
        for t in results:
            if isinstance(t, Tensor):
                self.into(made, t)

    def cut(self, op: Any, vals: Any, outputs: Any) -> str | None:
        """Why no gradient flows through an operation whose arguments want one."""
        flat = [x for v in vals for x in (v if isinstance(v, (tuple, list)) else (v,))]
        if not any(isinstance(x, Tensor) and x._rg for x in flat) or any(t._rg for t in outputs):
            return None
        if not LOCAL.grad:
            return "no_grad"
        if not any(op.differentiable) or (not op.rules and op.joint is None):
            return "not differentiable"
        return "integer result" if outputs and outputs[0]._array.dtype.kind not in "fc" else "detached"

    # -- backward ------------------------------------------------------------------------------------------------------
    def before(self, node: Any, g: Any) -> None:
        if LOCAL.walk is not self.running:
            self.turn_to(LOCAL.walk, node, g)
        step = getattr(node, "noted", None)
        names = self.names.get(node.__class__) or self.saves_of(node.__class__)
        ran = Ran(node, g, step)
        self.current.ran.append(ran)
        if step is None:
            step = ran.step = unwatched(node)
        if g.__class__ is ndarray and g.size > self.whole:
            self.held = {name: getattr(node, name, None) for name, _ in names[0]}
        wanted = names[step.op is node.op and step.time >= 0 and not step.packed]
        if not wanted:
            return
        shots = self.shots
        saved = ran.saved = {}
        for name, how in wanted:
            value = getattr(node, name, None)
            array = value._array if value.__class__ is Tensor else value
            if array.__class__ is ndarray and array.size <= self.whole and shots.left > 0:
                shots.left -= array.nbytes
                saved[name] = array.copy()
            else:
                saved[name] = [self.kept(v) for v in value or ()] if how == "list" else self.kept(array)

    def saves_of(self, cls: type) -> tuple[Any, Any]:
        """(what nodes of a class saved; what of it is neither argument nor result, and known from nothing else)."""
        variant = getattr(cls, "variant", None)
        saves = {} if variant is None else variant.saves
        found = tuple((name, how) for name, (how, _) in saves.items() if how in _TENSORS)
        self.names[cls] = made = (found, tuple((name, how) for name, how in found if how == "aux"))
        return made

    def kept(self, value: Any) -> Any:
        """A saved tensor; what a hook has packed is not unpacked for looking at."""
        return self.shots(value) if isinstance(value, (np.ndarray, Tensor)) else None

    def turn_to(self, walk: Any, node: Any, g: Any) -> None:
        """Another pass runs than did: a new one, or that in which one has just ended."""
        self.running = walk
        depth = max(LOCAL.depth, 1)
        if len(self.open) >= depth and self.open[depth - 1][0] == walk[0]:
            del self.open[depth:]
            self.current = self.open[-1][1]
            if self.keep == "last":
                self.passes[:] = [self.current]
            return
        self.current = Pass(self.seen, place(2), walk[1])
        self.open[depth - 1 :] = [(walk[0], self.current)]
        self.begin(walk, node, g)

    def begin(self, walk: Any, node: Any, g: Any) -> None:
        """A pass begins."""
        new = self.current
        self.seen += 1
        new.writes, self.writes = self.writes, []
        if self.keep is not None and (self.keep == "last" or new.number <= self.keep):
            self.passes.clear()
            self.shots.left = self.shots.budget  # what was kept of them is let go
        if self.keep in (None, "last") or new.number <= self.keep:
            self.passes.append(new)
        for n in walk[1]:
            if n.__class__ is not AccumulateGrad:
                if self.late:
                    try:
                        _noted(n)
                    except AttributeError:
                        unwatched(n)
            else:
                grad = getattr(n.variable, "_grad", None)
                new.held[n] = None if grad is None else self.shots(grad)
                new.leaves[n] = self.value_of(n.variable)
        if isinstance(g, Tensor):
            step = getattr(node, "noted", None)
            self.value_of(g).grad_of = step.outputs[0] if step is not None else (node.seq, 0)

    def after(self, node: Any, g: Any, grads: tuple[Any, ...]) -> None:
        ran = self.current.ran[-1]
        if ran.node is not node:  # passes ran inside it
            self.turn_to(LOCAL.walk, node, g)
            ran = self.current.ran[-1]
        shots = self.shots
        whole = self.whole if shots.left > 0 else -1
        if not (g.__class__ is ndarray and g.size <= whole):
            ran.g = [shots.flying(x) for x in g] if g.__class__ is list else shots.flying(g)
        ran.grads = grads
        for nr, x in enumerate(grads):
            if x is None or x.__class__ in _SCALARS:
                continue
            if x.__class__ is ndarray and x.size <= whole:
                shots.left -= x.nbytes
                continue
            if ran.grads is grads:
                ran.grads = list(grads)
            ran.grads[nr] = flying = shots.flying(x)
            if flying.__class__ is Shot and flying.non_finite():
                self.poisoned(node, nr, g, x)
        if self.held:
            self.held = {}
        if g.__class__ is not ndarray and isinstance(g[0] if g.__class__ is list else g, Tensor):
            self.link(node, grads)

    def link(self, node: Any, grads: tuple[Any, ...]) -> None:
        """The gradients are themselves recorded: note what they are the gradients of."""
        for x, (target, nr) in zip(grads, node.next, strict=False):
            if isinstance(x, Tensor) and target is not None:
                value = self.value_of(x)
                if value.grad_of is None:
                    leaf = target.__class__ is AccumulateGrad
                    value.grad_of = self.value_of(target.variable) if leaf else (target.seq, nr)

    def accumulated(self, node: Any, g: Any, leaf: Any) -> None:
        if self.current is not None:
            grad = leaf._grad
            held = None if grad is None else self.shots(grad)
            if grad is not None:
                self.shots.forget(grad)
            self.current.arrived.append((node, self.shots(g), held))
