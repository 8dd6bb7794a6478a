"""What a trace notes while a program runs: an observer of the engine, which writes down and interprets nothing.

Small arrays are copied, large ones summarised at once (`Shot`), so a trace does not keep a program's memory alive.
`ledger` makes of these notes what is shown.
"""

from __future__ import annotations

import math
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from ..core.modes import LOCAL, Observer
from ..core.node import AccumulateGrad
from ..core.tensor import Tensor

SMALL = 64  # elements: up to here an array is kept whole
_HERE = str(Path(__file__).resolve().parent.parent)
_TENSORS = frozenset(["tensor", "list", "output", "aux"])


class Shot:
    """A value as it was: whole if it is small, else shape, extremes and norm."""

    __slots__ = ("array", "bad", "dtype", "high", "low", "norm", "shape")

    def __init__(self, array: Any) -> None:
        self.shape: tuple[int, ...] = np.shape(array)
        self.dtype = np.dtype(getattr(array, "dtype", type(array)))
        self.array: Any = None
        self.low: float | None = None
        self.high: float | None = None
        self.norm: float | None = None
        self.bad = 0
        if array.__class__ is not np.ndarray:
            self.array = array if isinstance(array, (np.generic, int, float, complex)) else None
        elif array.size <= SMALL:
            self.array = array.copy()
        else:
            self.measure(array)

    @classmethod
    def unknown(cls, shape: Any, dtype: Any) -> Shot:
        """Of a value nothing but shape and dtype is known."""
        shot = cls.__new__(cls)
        shot.shape, shot.dtype, shot.array, shot.bad = tuple(shape), np.dtype(dtype), None, 0
        shot.low = shot.high = shot.norm = None
        return shot

    @property
    def known(self) -> bool:
        return self.array is not None or self.low is not None

    def measure(self, array: Any) -> None:
        if self.dtype.kind == "c":
            array = np.abs(array)
        if self.dtype.kind == "O":
            return
        self.low, self.high = array.min().item(), array.max().item()
        flat = array.ravel()
        if self.dtype.kind in "fc":
            norm = float(np.sqrt(np.dot(flat, flat)))
            if not np.isfinite(norm):
                self.bad = int(array.size - np.isfinite(array).sum())
                norm = float(np.linalg.norm(flat.astype(np.float64)))
            self.norm = norm
        else:
            self.norm = float(np.sqrt(np.square(flat, dtype=np.float64).sum()))

    @property
    def whole(self) -> bool:
        return self.array is not None

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def stats(self) -> tuple[float, float, float]:
        """(least, greatest, norm); of absolute values where the numbers are complex."""
        if self.whole and self.low is None and self.size:
            self.measure(np.asarray(self.array))
        return self.low or 0.0, self.high or 0.0, self.norm or 0.0

    def non_finite(self) -> int:
        """How many elements are NaN or infinite."""
        if self.whole and self.dtype.kind in "fc":
            return int(self.size - np.isfinite(self.array).sum())
        return self.bad


def shot(raw: Any) -> Shot | None:
    """The Shot of what was noted: None, a Shot, or a small array as it is."""
    return raw if raw is None or raw.__class__ is Shot else Shot(raw)


class Shots:
    """Notes arrays: small ones are kept, large ones summarised, each once however often it is met."""

    def __init__(self) -> None:
        self.known: dict[int, tuple[Any, Shot]] = {}

    def __call__(self, x: Any) -> Any:
        """A copy of the value of a tensor, which may be changed in place later."""
        if x is None:
            return None
        array = x._array if isinstance(x, Tensor) else x
        if array.__class__ is not np.ndarray:
            return array if isinstance(array, np.generic) else Shot(array)
        return array.copy() if array.size <= SMALL else self.large(array)

    def flying(self, x: Any) -> Any:
        """A gradient on its way: nobody writes to it, so it need not be copied."""
        if x is None:
            return None
        array = x._array if isinstance(x, Tensor) else x
        if array.__class__ is not np.ndarray:
            return array if isinstance(array, np.generic) else Shot(array)
        return array if array.size <= SMALL else self.large(array)

    def large(self, array: Any) -> Shot:
        found = self.known.get(id(array))
        if found is not None and found[0]() is array:
            return found[1]
        made = Shot(array)
        if len(self.known) > 10_000:
            self.known = {k: v for k, v in self.known.items() if v[0]() is not None}
        self.known[id(array)] = (weakref.ref(array), made)
        return made

    def forget(self, x: Any) -> None:
        """`x` was changed in place."""
        self.known.pop(id(x._array), None)


class Engine:
    """Stands for the row of a step that has none: a user's Function, or what the engine does itself."""

    params: tuple[Any, ...] = ()
    variadic = False
    single = False
    domain = ""
    tex = None

    def __init__(self, name: str, outputs: int = 1) -> None:
        self.name = name
        self.outputs = ("out",) if outputs == 1 else tuple(f"out{k}" for k in range(outputs))
        self.differentiable = (True,) * outputs


class Step:
    """One operation that ran forward."""

    __slots__ = ("args", "cut", "inplace", "number", "op", "origin", "outputs", "scope", "seq", "site")

    def __init__(self, number: int, op: Any, args: list[Any], site: Any) -> None:
        self.number = number
        self.op = op
        self.args = args  # a Value for each tensor, a list of them, or the option itself
        self.site = site  # (code, instruction, line, globals) in the user's program, or None
        self.outputs: list[Value] = []
        self.inplace = False
        self.cut: str | None = None  # why no gradient goes through here
        self.seq: int | None = None  # of its node
        self.scope: Any = None  # the module's call it ran in (scopes)
        self.origin: Ran | None = None  # the node whose backward made this step (create_graph)

    @property
    def order(self) -> int:
        """1 for a step of the program, 2 for one that its backward made, ..."""
        order, step = 1, self
        while step.origin is not None and step.origin.step is not None:
            order, step = order + 1, step.origin.step
        return order


class Value:
    """A tensor at one time: what it was, who made it, where in the graph it is."""

    __slots__ = ("__weakref__", "_raw", "grad_of", "made_by", "name", "nr", "requires_grad", "tensor", "view")

    def __init__(self, raw: Any, requires_grad: bool, made_by: Step | None = None, nr: int = 0) -> None:
        self._raw = raw
        self.requires_grad = requires_grad
        self.made_by = made_by
        self.nr = nr
        self.name: str | None = None
        self.tensor: Any = None  # a weak reference
        self.view = False  # of its maker's first argument
        self.grad_of: Any = None  # the Value or (node's number, output) it is the gradient of (create_graph)

    @property
    def shot(self) -> Shot | None:
        """What it was."""
        self._raw = shot(self._raw)
        return self._raw

    @shot.setter
    def shot(self, raw: Any) -> None:
        self._raw = raw


class Ran:
    """One node that ran backward."""

    __slots__ = ("g", "grads", "node", "saved", "step")

    def __init__(self, node: Any, g: Any) -> None:
        self.node = node
        self.g = g
        self.saved: dict[str, Any] = {}
        self.grads: list[Any] | None = None
        self.step: Step | None = None


class Pass:
    """One backward pass, as noted."""

    def __init__(self, number: int, site: Any) -> None:
        self.number = number
        self.site = site
        self.ran: list[Ran] = []
        self.arrived: list[tuple[Any, Any, Any]] = []  # (sink, gradient, .grad afterwards)
        self.held: dict[Any, Any] = {}  # .grad of each leaf before the pass
        self.reached: frozenset[int] = frozenset()  # ids of the nodes that the walk counted
        self.writes: list[Step] = []  # changes in place since the pass before
        self.anchors: list[Value] = []  # through these the steps that led here stay known


def site() -> Any:
    """The user's place in the program: the innermost frame that is not Wengert's."""
    frame = sys._getframe(2)
    while frame is not None:
        code = frame.f_code
        if not _internal(code.co_filename):
            return code, frame.f_lasti, frame.f_lineno, frame.f_globals
        frame = frame.f_back  # type: ignore[assignment]
    return None


_KNOWN: dict[str, bool] = {}


def _internal(filename: str) -> bool:
    found = _KNOWN.get(filename)
    if found is None:
        found = filename.startswith((_HERE, "<wengert", "<frozen", "<__array_function__"))
        found = found and not filename.endswith("demo.py")  # which stands for a user's program
        _KNOWN[filename] = found
    return found


class Recorder(Observer):
    """Notes operations and passes. `keep`: the number of the one pass wanted, "last", or None for all."""

    def __init__(self, *, keep: Any = None) -> None:
        self.shots = Shots()
        self.keep = keep
        self.passes: list[Pass] = []
        self.count = 0
        self.seen = 0  # passes begun
        self.tensors: dict[int, Value] = {}  # by identity; a Value knows its tensor weakly
        self.places: Any = weakref.WeakValueDictionary()  # by place in the graph: (node's number, output)
        self.room = 1024
        self.running: Any = None
        self.writes: list[Step] = []
        self.names: dict[type, tuple[tuple[str, str], ...]] = {}
        self.scope: Any = None  # the module's call that is running

    # -- forward -------------------------------------------------------------------------------------------------------
    def value_of(self, t: Any) -> Value:
        """The Value of a tensor as it is now."""
        found = self.tensors.get(id(t))
        if found is not None and found.tensor() is t:
            return found
        if t._edge is not None:
            # What a node saved comes back as another tensor at the same place of the graph.
            found = self.places.get((t._edge[0].seq, t._edge[1]))
            if found is not None:
                return found
        return self.enter(t, Value(self.shots(t), t._rg))

    def enter(self, t: Any, value: Value) -> Value:
        value.tensor = weakref.ref(t)
        self.tensors[id(t)] = value
        if len(self.tensors) > self.room:
            self.tensors = {k: v for k, v in self.tensors.items() if v.tensor() is not None}
            self.room = 1024 + 2 * len(self.tensors)
        return value

    def argument(self, x: Any) -> Any:
        if isinstance(x, Tensor):
            return self.value_of(x)
        if x.__class__ in (tuple, list) and any(isinstance(y, Tensor) for y in x):
            return [self.argument(y) for y in x]
        return x

    def step(self, op: Any, vals: Any, place: Any) -> Step:
        made = Step(self.count, op, [self.argument(v) for v in vals], place)
        self.count += 1
        made.scope = self.scope
        if self.running is not None and LOCAL.walk is not None and self.passes[-1].ran:
            made.origin = self.passes[-1].ran[-1]
        return made

    def into(self, made: Step, t: Any) -> None:
        """`t` is what `made` gave."""
        value = self.enter(t, Value(self.shots(t), t._rg, made, len(made.outputs)))
        value.view = t._base is not None
        made.outputs.append(value)
        if t._edge is not None:
            made.seq = t._edge[0].seq
            self.places[made.seq, t._edge[1]] = value

    def recorded(self, op: Any, vals: list[Any], outputs: Any) -> None:
        if LOCAL.walk is not None and not LOCAL.grad:
            return  # arithmetic of a rule
        made = self.step(op, vals, site())
        for t in outputs:
            self.into(made, t)
        if not made.outputs[0].requires_grad:
            made.cut = self.cut(op, vals, outputs)

    def changed(self, op: Any, vals: list[Any], target: Any) -> None:
        old = self.tensors.get(id(target))
        self.shots.forget(target)
        made = self.step(op, vals, site())
        made.inplace = True
        if made.args and old is not None and old.tensor() is target:
            made.args[0] = old
        self.into(made, target)
        self.writes.append(made)
        made.cut = self.cut(op, vals, [target])
        base = target._base
        if base is not None:
            # A part of a tensor was overwritten: the whole is a new value too.
            self.shots.forget(base)
            whole = Step(self.count, Engine("overwrite"), [self.value_of(base), made.outputs[0]], made.site)
            self.count += 1
            whole.inplace = True
            self.into(whole, base)

    def applied(self, node: Any, args: Any, results: Any) -> None:
        """A user's Function has run."""
        made = self.step(Engine(node.operation()), [a for a in args if isinstance(a, Tensor)], site())
        for t in results:
            if isinstance(t, Tensor):
                self.into(made, t)

    def cut(self, op: Any, vals: list[Any], outputs: Any) -> str | None:
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
        walk = LOCAL.walk
        if walk is not self.running:
            self.begin(walk, node, g)
        names = self.names.get(node.__class__)
        if names is None:
            variant = getattr(node, "variant", None)
            saves = variant.saves if variant is not None else {}
            names = tuple((name, how) for name, (how, _) in saves.items() if how in _TENSORS)
            self.names[node.__class__] = names
        flying = self.shots.flying
        ran = Ran(node, [flying(x) for x in g] if g.__class__ is list else flying(g))
        for name, how in names:
            value = getattr(node, name, None)
            ran.saved[name] = [self.kept(v) for v in value or ()] if how == "list" else self.kept(value)
        self.passes[-1].ran.append(ran)

    def kept(self, value: Any) -> Any:
        """A saved tensor; what a hook has packed is not unpacked for looking at."""
        if value.__class__ is np.ndarray:
            return value.copy() if value.size <= SMALL else self.shots.large(value)
        return self.shots(value) if isinstance(value, Tensor) else None

    def begin(self, walk: Any, node: Any, g: Any) -> None:
        self.running = walk
        new = Pass(self.seen, site())
        self.seen += 1
        if self.keep is not None and (self.keep == "last" or new.number <= self.keep):
            self.passes.clear()
        self.passes.append(new)
        new.writes, self.writes = self.writes, []
        new.reached = frozenset(map(id, walk[1]))
        for v in self.tensors.values():
            t = v.tensor()
            if t is not None and t._edge is not None and id(t._edge[0]) in new.reached:
                new.anchors.append(v)
        for n in walk[1]:
            if n.__class__ is AccumulateGrad:
                grad = getattr(n.variable, "_grad", None)
                new.held[n] = None if grad is None else self.shots(grad)
        if isinstance(g, Tensor):
            roots = [v for v in new.anchors if v.tensor()._edge[0] is node]
            self.value_of(g).grad_of = roots[0] if roots else (node.seq, 0)

    def after(self, node: Any, g: Any, grads: tuple[Any, ...]) -> None:
        for ran in reversed(self.passes[-1].ran):
            if ran.node is node:
                flying = self.shots.flying
                ran.grads = [flying(x) for x in grads]
                if g.__class__ is not np.ndarray and isinstance(g[0] if g.__class__ is list else g, Tensor):
                    self.link(node, grads)
                return

    def link(self, node: Any, grads: tuple[Any, ...]) -> None:
        """The gradients are themselves recorded: note what they are the gradients of."""
        for x, (target, nr) in zip(grads, node.next, strict=False):
            if isinstance(x, Tensor) and target is not None:
                value = self.value_of(x)
                if value.grad_of is None:
                    leaf = target.__class__ is AccumulateGrad
                    value.grad_of = self.value_of(target.variable) if leaf else (target.seq, nr)

    def accumulated(self, node: Any, g: Any, leaf: Any) -> None:
        if self.passes:
            grad = leaf._grad
            held = None if grad is None else self.shots(grad)
            if grad is not None:
                self.shots.forget(grad)
            self.passes[-1].arrived.append((node, self.shots(g), held))
