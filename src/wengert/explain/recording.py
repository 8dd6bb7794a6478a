"""What a trace notes while a program runs: an observer of the engine, which writes down and interprets nothing.

Small arrays are copied, large ones summarised at once (`Shot`), so a trace does not keep a program's memory alive.
`ledger` makes of these notes what is shown.
"""

from __future__ import annotations

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
        self.low = self.high = self.norm = None
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
            self.norm = float(np.sqrt(np.dot(flat, flat)))
            if not np.isfinite(self.norm):
                self.bad = int(array.size - np.isfinite(array).sum())
                self.norm = float(np.linalg.norm(flat.astype(np.float64)))
        else:
            self.norm = float(np.sqrt(np.square(flat, dtype=np.float64).sum()))

    @property
    def whole(self) -> bool:
        return self.array is not None

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=int))

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


class Shots:
    """Makes Shots, one for each array however often it is met."""

    def __init__(self) -> None:
        self.known: dict[int, tuple[Any, Shot]] = {}

    def __call__(self, x: Any) -> Shot | None:
        if x is None:
            return None
        array = x._array if isinstance(x, Tensor) else x
        if array.__class__ is not np.ndarray or array.size <= SMALL:
            return Shot(array)
        found = self.known.get(id(array))
        if found is not None and found[0]() is array:
            return found[1]
        shot = Shot(array)
        self.known[id(array)] = (weakref.ref(array), shot)
        return shot

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

    __slots__ = ("__weakref__", "args", "cut", "inplace", "number", "op", "origin", "outputs", "site")

    def __init__(self, number: int, op: Any, args: list[Any], site: Any) -> None:
        self.number = number
        self.op = op
        self.args = args  # a Value for each tensor, a list of them, or the option itself
        self.site = site  # (code, instruction, line, globals) in the user's program, or None
        self.outputs: list[Value] = []
        self.inplace = False
        self.cut: str | None = None  # why no gradient goes through here
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

    __slots__ = ("__weakref__", "grad_of", "made_by", "name", "nr", "requires_grad", "shot", "tensor")

    def __init__(self, shot: Shot | None, requires_grad: bool, made_by: Step | None = None, nr: int = 0) -> None:
        self.shot = shot
        self.requires_grad = requires_grad
        self.made_by = made_by
        self.nr = nr
        self.name: str | None = None
        self.tensor: Any = None  # a weak reference
        self.grad_of: Value | None = None  # it is the gradient of that one (create_graph)


class Ran:
    """One node that ran backward."""

    __slots__ = ("g", "grads", "node", "saved", "step")

    def __init__(self, node: Any, g: Any, saved: dict[str, Any] | None, step: Step | None) -> None:
        self.node = node
        self.step = step
        self.g = g
        self.saved = saved
        self.grads: list[Shot | None] | None = None


class Pass:
    """One backward pass, as noted."""

    def __init__(self, number: int, site: Any) -> None:
        self.number = number
        self.site = site
        self.ran: list[Ran] = []
        self.arrived: list[tuple[Any, Shot | None, Shot | None]] = []  # (sink, gradient, .grad afterwards)
        self.held: dict[Any, Shot | None] = {}  # .grad of each leaf before the pass
        self.reached: frozenset[int] = frozenset()  # ids of the nodes that the walk counted


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
        _KNOWN[filename] = found
    return found


class Recorder(Observer):
    """Notes operations and passes. With `only_last`, a finished pass is dropped when the next one begins."""

    def __init__(self, *, keep: Any = None) -> None:
        self.shots = Shots()
        self.keep = keep  # number of the pass to keep, "last", or None for all
        self.passes: list[Pass] = []
        self.count = 0
        self.seen = 0  # passes begun
        self.made: weakref.WeakKeyDictionary[Any, Step] = weakref.WeakKeyDictionary()
        self.tensors: dict[int, tuple[Any, Value]] = {}
        self.running: Any = None
        self.saved_names: dict[type, tuple[tuple[str, str], ...]] = {}

    # -- forward -------------------------------------------------------------------------------------------------------
    def value_of(self, t: Any) -> Value:
        """The Value of a tensor as it is now."""
        found = self.tensors.get(id(t))
        if found is not None and found[0]() is t:
            return found[1]
        return self._enter(t, Value(self.shots(t), t._rg))

    def _enter(self, t: Any, value: Value) -> Value:
        key = id(t)
        tensors = self.tensors
        value.tensor = weakref.ref(t, lambda _, key=key: tensors.pop(key, None))
        tensors[key] = (value.tensor, value)
        return value

    def argument(self, x: Any) -> Any:
        if isinstance(x, Tensor):
            return self.value_of(x)
        if isinstance(x, (tuple, list)) and any(isinstance(y, Tensor) for y in x):
            return [self.argument(y) for y in x]
        return x

    def step(self, op: Any, vals: list[Any], place: Any) -> Step:
        made = Step(self.count, op, [self.argument(v) for v in vals], place)
        self.count += 1
        if LOCAL.walk is not None and self.passes and self.passes[-1].ran:
            made.origin = self.passes[-1].ran[-1]
        return made

    def recorded(self, op: Any, vals: list[Any], outputs: list[Any]) -> None:
        if LOCAL.walk is not None and not LOCAL.grad:
            return  # arithmetic of a rule
        made = self.step(op, vals, site())
        for t in outputs:
            self.into(made, t)
        made.cut = self.cut(op, vals, outputs)

    def changed(self, op: Any, vals: list[Any], target: Any) -> None:
        found = self.tensors.get(id(target))
        old = found[1] if found is not None and found[0]() is target else None
        self.shots.forget(target)
        made = self.step(op, vals, site())
        made.inplace = True
        if made.args and old is not None:
            made.args[0] = old
        self.into(made, target)
        made.cut = self.cut(op, vals, [target])
        base = target._base
        if base is not None:
            # A part of a tensor was overwritten: the whole is a new value too.
            self.shots.forget(base)
            whole = Step(self.count, Engine("overwrite"), [self.value_of(base), made.outputs[0]], made.site)
            self.count += 1
            whole.inplace = True
            self.into(whole, base)

    def into(self, made: Step, t: Any) -> None:
        """`t` is what `made` gave."""
        made.outputs.append(self._enter(t, Value(self.shots(t), t._rg, made, len(made.outputs))))
        if t._edge is not None:
            self.made[t._edge[0]] = made

    def applied(self, node: Any, args: Any, results: Any) -> None:
        """A user's Function has run."""
        made = self.step(Engine(node.operation()), [a for a in args if isinstance(a, Tensor)], site())
        for t in results:
            if isinstance(t, Tensor):
                self.into(made, t)

    def cut(self, op: Any, vals: list[Any], outputs: list[Any]) -> str | None:
        """Why no gradient flows through an operation whose arguments want one."""
        flat = [x for v in vals for x in (v if isinstance(v, (tuple, list)) else (v,))]
        if not any(isinstance(x, Tensor) and x._rg for x in flat) or any(t._rg for t in outputs):
            return None
        if not LOCAL.grad:
            return "no_grad"
        if not any(op.differentiable) or not op.rules and op.joint is None:
            return "not differentiable"
        return "integer result" if outputs and outputs[0]._array.dtype.kind not in "fc" else "detached"

    # -- backward ------------------------------------------------------------------------------------------------------
    def before(self, node: Any, g: Any) -> None:
        walk = LOCAL.walk
        if self.running is None or walk is None or walk[0] != self.running[0]:
            self.begin(walk)
        names = self.saved_names.get(node.__class__)
        if names is None:
            variant = getattr(node, "variant", None)
            saves = variant.saves if variant is not None else {}
            names = tuple((name, how) for name, (how, _) in saves.items() if how in _TENSORS)
            self.saved_names[node.__class__] = names
        shots = self.shots
        saved: dict[str, Any] = {}
        for name, how in names:
            value = getattr(node, name, None)
            saved[name] = [shots(v) for v in value or ()] if how == "list" else self.plain(value)
        given = g
        if g.__class__ is list:
            g = [shots(x) for x in g]
        else:
            g = shots(g)
        step = self.made.get(node)
        running = self.passes[-1]
        if isinstance(given, Tensor) and not running.ran and step is not None:
            self.value_of(given).grad_of = step.outputs[0]
        running.ran.append(Ran(node, g, saved, step))

    def plain(self, value: Any) -> Any:
        """A saved tensor; what a hook has packed is not unpacked for looking at."""
        if value is None or value.__class__ is np.ndarray or isinstance(value, Tensor):
            return self.shots(value)
        return None

    def begin(self, walk: Any) -> None:
        self.running = walk
        new = Pass(self.seen, site())
        self.seen += 1
        if self.keep is not None:
            if self.keep == "last" or new.number <= self.keep:
                self.passes.clear()
        self.passes.append(new)
        new.reached = frozenset(map(id, walk[1]))
        for node in walk[1]:
            if node.__class__ is AccumulateGrad:
                grad = getattr(node.variable, "_grad", None)
                new.held[node] = None if grad is None else Shot(grad._array)

    def after(self, node: Any, g: Any, grads: tuple[Any, ...]) -> None:
        for ran in reversed(self.passes[-1].ran):
            if ran.node is node:
                ran.grads = [self.shots(x) for x in grads]
                if any(isinstance(x, Tensor) for x in grads):
                    self.link(node, grads)
                return

    def link(self, node: Any, grads: tuple[Any, ...]) -> None:
        """The gradients are themselves recorded: note what they are the gradients of."""
        for x, (target, nr) in zip(grads, node.next, strict=False):
            if isinstance(x, Tensor) and target is not None:
                value = self.value_of(x)
                if target.__class__ is AccumulateGrad:
                    value.grad_of = value.grad_of or self.value_of(target.variable)
                elif target in self.made and nr < len(self.made[target].outputs):
                    value.grad_of = value.grad_of or self.made[target].outputs[nr]

    def accumulated(self, node: Any, g: Any, leaf: Any) -> None:
        if self.passes:
            grad = leaf._grad
            self.passes[-1].arrived.append((node, self.shots(g), None if grad is None else Shot(grad._array)))
