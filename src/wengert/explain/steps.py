"""What is noted of a program: a `Step` for each operation that ran, between `Value`s; a `Ran` for each node; a `Pass`.

A program runs while these are made, so what can be found out later is left for later: a Step stands for its only result
until somebody asks for that, a line number is a place in the bytecode. Who makes them is `recording`.
"""

from __future__ import annotations

import itertools
import weakref
from typing import Any

import numpy as np

from .shots import Shot, shot

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
NUMBERS = itertools.count()  # one for all recorders, for they share what they know of a node


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
    """One operation that ran forward. (Defaults are the class's: making one is cheap.)"""

    simple = True  # it gave one tensor, which is still what it was
    now: dict[int, Value] | None = None  # by output: what was changed under no_grad and keeps its place in the graph
    complete = True  # the arguments are known
    late = -1  # when it became known, where nobody looked on as it ran
    node: Any = None  # of such a one: its node, weakly
    packed = False  # saved-tensors hooks took what its node saved
    owned = False  # a ledger has named and numbered it
    ref: Any = None  # to the tensor of its only result, weakly
    raw: Any = None  # what its only result was, where it has one whose Value is made when it is asked for
    inplace = False
    cut: str | None = None  # why no gradient goes through here
    seq: int | None = None  # of its node
    scope: Any = None  # the module's call it ran in (scopes)
    origin: Ran | None = None  # the node whose backward made this step (create_graph)

    hint: str | None = None  # these two are its only result's, until that has a Value
    _name: Any = None
    time = -1
    number = -1
    took: Any = ()
    place: Any = None
    _args: list[Any] | None = None
    _outputs: list[Value] | None = None

    def __init__(self, number: int, op: Any, took: list[Any], place: Any) -> None:
        self.time = number  # when it ran, among all that were watched; -1 where nobody looked on
        self.number = number  # in the ledger it belongs to
        self.op = op
        self.took = took  # its arguments, where a Step stands for its only result
        self.place = place  # (code, instruction, globals) in the user's program, or None

    @property
    def met(self) -> int:
        """When a recorder first knew of it."""
        return self.time if self.time >= 0 else self.late

    @property
    def args(self) -> list[Any]:
        """A Value for each tensor, a list of them, or the option itself."""
        found = self._args
        if found is None:
            found = self._args = [a.outputs[0] if a.__class__ is Step else a for a in self.took]
        return found

    @args.setter
    def args(self, args: list[Any]) -> None:
        self.took = self._args = args

    @property
    def outputs(self) -> list[Value]:
        """What it gave."""
        found = self._outputs
        if found is None:
            found = self._outputs = []
            if self.raw is not None:
                v = Value(self.raw, True, self)
                v.hint, v._name, v.tensor = self.hint, self._name, self.ref
                found.append(v)
        return found

    @property
    def site(self) -> Any:
        """(code, instruction, line, globals) in the user's program, or None."""
        from .sites import site_of

        return site_of(self.place)

    @property
    def order(self) -> int:
        """1 for a step of the program, 2 for one that its backward made, ..."""
        order, step = 1, self
        while step.origin is not None and step.origin.step is not None:
            order, step = order + 1, step.origin.step
        return order


class Value:
    """A tensor at one time: what it was, who made it, where in the graph it is."""

    hint: str | None = None  # what the source calls it where it is used or assigned
    _name: Any = None  # in its ledger: a str, (a shared one, which), or None for an automatic one
    given: str | None = None  # what the program calls it
    owned = False  # a ledger has named it
    tensor: Any = None  # a weak reference
    version: Any = None  # of a tensor without a place in the graph: which of its values this is
    view = False  # of its maker's first argument
    grad_of: Any = None  # the Value or (node's number, output) it is the gradient of (create_graph)

    def __init__(self, raw: Any, requires_grad: bool, made_by: Step | None = None, nr: int = 0) -> None:
        self._raw = raw
        self.requires_grad = requires_grad
        self.made_by = made_by
        self.nr = nr

    @property
    def name(self) -> str | None:
        """What it is called in the ledger it belongs to."""
        name = self._name
        if name.__class__ is tuple:
            name = self._name = name[0] + str(name[1]).translate(_SUBSCRIPTS)
        elif name is None and self.made_by is not None and self.made_by.owned:
            made = self.made_by
            name = f"v{made.number}" if len(made.outputs) == 1 else f"v{made.number}_{self.nr}"
        return name

    @name.setter
    def name(self, name: Any) -> None:
        self._name = name

    @property
    def raw(self) -> Any:
        """What it was, as it was noted: see `shots`."""
        return self._raw

    @property
    def known(self) -> bool:
        """Are its numbers known, or a summary of them?"""
        raw = self._raw
        return raw is not None and raw.__class__ is not tuple and (raw.__class__ is not Shot or raw.known)

    @property
    def shot(self) -> Shot | None:
        """What it was."""
        raw = self._raw
        if raw is not None and raw.__class__ is not Shot:
            raw = self._raw = shot(raw)
        return raw

    @shot.setter
    def shot(self, raw: Any) -> None:
        self._raw = raw


_NOTHING: dict[str, Any] = {}  # never written to


class Ran:
    """One node that ran backward."""

    grads: Any = None
    saved: dict[str, Any] = _NOTHING

    def __init__(self, node: Any, g: Any, step: Any) -> None:
        self.node = node
        self.g = g
        self.step = step  # its forward


class Pass:
    """One backward pass, as noted."""

    def __init__(self, number: int, place: Any, reached: Any) -> None:
        self.number = number
        self.place = place
        self.ran: list[Ran] = []
        self.arrived: list[tuple[Any, Any, Any]] = []  # (sink, gradient, .grad afterwards)
        self.held: dict[Any, Any] = {}  # .grad of each leaf before the pass
        self.reached = reached  # the nodes that the walk counted
        self.leaves: dict[Any, Value] = {}  # by sink: what each leaf was when the pass began
        self.writes: list[Step] = []  # changes in place since the pass before
        self.judged = 0  # so many of `ran` have been looked through for gradients that are not finite

    @property
    def site(self) -> Any:
        """(code, instruction, line, globals) of the call of backward, or None."""
        from .sites import site_of

        return site_of(self.place)


def output_of(node: Any, nr: int) -> Value | None:
    """What is known of a place in the graph."""
    step: Step | None = getattr(node, "noted", None)
    if step is None or nr >= len(step.outputs):
        return None
    return step.outputs[nr] if step.now is None else step.now.get(nr, step.outputs[nr])


def unwatched(node: Any) -> Step:
    """The Step of a node that was made while nobody looked on; `building` finds out what its arguments were."""
    step = object.__new__(Step)  # with the class's defaults
    step.op = node.op or Engine(bare_name(node), node.n_outputs)
    step.seq = node.seq
    step.complete = False
    step.late = next(NUMBERS)
    step.node = weakref.ref(node)
    if node.n_outputs == 1:
        step.raw = node.shape, node.dtype
    else:
        step.simple = False
        step.outputs.extend(Value(node.output_meta(nr), True, step, nr) for nr in range(node.n_outputs))
    node.noted = step
    return step


def bare_name(node: Any) -> str:
    return str(node.operation().rsplit("::", 1)[-1])


def summarised_bad(v: Value) -> bool:
    """Has a value of which there is only a summary numbers that are not finite?"""
    return v._raw.__class__ is Shot and v._raw.non_finite() > 0


def is_bad(raw: Any) -> bool:
    """Has what was noted numbers that are not finite?"""
    if raw.__class__ is Shot:
        return bool(raw.non_finite())
    # A product with itself is finite only if all numbers are (and, rarely, not even then): the cheapest question to ask.
    if raw is None or raw.__class__ is tuple or np.vdot(raw, raw) * 0 == 0:
        return False
    return not np.isfinite(raw).all()
