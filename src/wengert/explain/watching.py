"""What a trace notes for the sake of diagnosis: where values left autograd, who wrote in place, where a NaN was born.

`Watcher` is the Recorder that traces use. Like it, it writes down and judges nothing; `why_*` do that.

Note [Born here, or passed on]
    A value is *born* bad where a NaN comes out of an operation that was given none, or an infinity out of finite
    arguments. On the way back a node that was given a bad gradient may have a bad local derivative of its own: its rule
    is then run once more on that gradient with the bad elements set to 0. What is bad still is the node's own making.
    So one pass finds every place, not only the first.

    Of small arrays all numbers are kept, so they are looked through when somebody asks (`births`, `poisons`); of large ones
    there is a summary, which says at once that numbers are not finite, and then what made them is still there.
"""

from __future__ import annotations

import collections
import copy
import os
import sys
import weakref
from typing import Any

import numpy as np

from .. import core
from ..core.modes import LOCAL
from ..core.tensor import Tensor
from .ledger import remembered
from .recording import _TENSORS, Engine, Pass, Ran, Recorder, Shot, Shots, Step, Value, _internal, place
from .rules import StandIn, rule_of
from .steps import NUMBERS, is_bad
from .symbols import Name, Symbol

ROOM = 1000  # places that are remembered
_LATEST: list[Any] = []  # weak references to the traces that look on or did, the latest last
_KEPT: collections.deque[Watcher] = collections.deque(maxlen=2)


class Birth:
    """A number that is not finite, made of others that were; at one element, with what made it so."""

    __slots__ = (
        "count",
        "g",
        "index",
        "inherited",
        "node",
        "nr",
        "passed_on",
        "result",
        "rule",
        "saved",
        "size",
        "slope",
        "step",
    )

    def __init__(self, nr: int, bad: Any, result: Any) -> None:
        self.node: Any = None  # going back: the node
        self.step: Step | None = None  # going forward: the step
        self.nr = nr  # of the node's argument, or of the step's result
        self.count = int(bad.sum())
        self.size = int(bad.size)
        self.index = tuple(int(i) for i in np.unravel_index(int(np.argmax(bad)), bad.shape))
        self.result = result[self.index]
        self.g: Any = None  # going back: what came in at that element
        self.saved: dict[str, Any] = {}  # what the node had saved, or the step's arguments, at that element
        self.slope: Any = None  # of an elementwise node: its local derivative there
        self.rule: Any = None  # the rule at that element, made of numbers
        self.passed_on = False  # bad values came in as well
        self.inherited = False  # what the node had saved was bad already


class Write:
    """A change in place: where, and to which version it led."""

    __slots__ = ("site", "version")

    def __init__(self, place: Any, version: int) -> None:
        self.site = place
        self.version = version


class Read:
    """A value that the program read out of a tensor."""

    __slots__ = ("array", "how", "item", "number", "site", "value")

    def __init__(self, how: str, value: Value, place: Any, at: int, array: Any) -> None:
        self.how = how
        self.value = value
        self.site = place
        self.number = at  # steps that had run
        self.item = array.item() if array.__class__ is np.ndarray and array.size == 1 else None
        self.array = weakref.ref(array) if array.__class__ is np.ndarray else None


class Watcher(Recorder):
    """A Recorder that also notes cuts, values read out, changes in place, and births of numbers that are not finite."""

    def __init__(self, *, known: Recorder | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.reads: dict[Any, Read] = {}
        self.written_by: dict[int, tuple[Any, list[Write]]] = {}  # by version counter, which is held
        self._births: dict[int, Birth] = {}  # going forward: by time of the step
        self._poisons: dict[int, list[Birth]] = {}  # going back: by number of the pass
        self._looked = -1  # the steps up to this time have been looked through
        self._first_bad: Pass | None = None
        self.begun: list[tuple[int, Any, frozenset[int]]] = []  # number, site, the nodes' sequence numbers
        self.traced: Any = None  # of a light copy: a weak reference to the trace's own
        if known is not None:
            self.free, self.room = known.free, known.room
        else:
            _LATEST[:] = [r for r in _LATEST if r() is not None][-8:]
            _LATEST.append(weakref.ref(self))

    # -- forward -------------------------------------------------------------------------------------------------------
    def bad(self, made: Step, vals: Any, outputs: Any) -> None:
        for nr, t in enumerate(outputs):
            array = _array(t)
            if array.dtype.kind in "fc" and not np.isfinite(array).all():
                given = [_array(x) for v in vals for x in (v if isinstance(v, (tuple, list)) else (v,)) if _floating(x)]
                bad = _born(array, given, made.op.kind == "elementwise" if hasattr(made.op, "kind") else False)
                if bad is not None:
                    birth = Birth(nr, bad, array)
                    birth.step = made
                    for p, v in zip(made.op.params, vals, strict=False):
                        if p.is_tensor and isinstance(v, (Tensor, np.ndarray, np.generic, int, float)):
                            known = isinstance(v, (Tensor, np.ndarray, np.generic))
                            birth.saved[p.name] = _element(_array(v) if known else v, birth.index, array.shape)
                    if len(self._births) < ROOM:
                        self._births[made.time] = birth
                    return

    @property
    def births(self) -> dict[int, Birth]:
        """Where numbers that are not finite were made going forward: by time of the step."""
        for step in list(self.steps):
            if step.time > self._looked and any(v.raw.__class__ is not Shot and is_bad(v.raw) for v in step.outputs):
                vals = [[_noted(v) for v in a] if isinstance(a, list) else _noted(a) for a in step.args]
                self.bad(step, vals, [v.raw for v in step.outputs if v.raw.__class__ is not Shot])
        self._looked = self.steps[-1].time if self.steps else -1
        return self._births

    def left(self, how: str, t: Any, result: Any = None) -> None:
        if LOCAL.walk is not None and not LOCAL.grad:
            return
        if result is not None:
            known = self.met(t)
            before = self.met(result) if result is not t else None
            if before is not None and before.made_by is not None:
                if before.made_by.op.name == how and (t._rg or known is not None):
                    # One leaf made of several tensors.
                    before.made_by.args = [*before.made_by.args, self.value_of(t)]
            elif t._rg or (known is not None and known.made_by is not None):
                made = self.step(Engine(how), [self.value_of(t)], place(2))
                made.cut = how
                made.inplace = how == "detach_"
                made.outputs.append(self.enter(result, Value(self.shots(t), result._rg and not made.inplace, made)))
            return
        depth = 1
        while _plumbing((frame := sys._getframe(depth)).f_code.co_filename):
            depth += 1
        if len(self.reads) < ROOM and not _internal(frame.f_code.co_filename):
            key = how, frame.f_code, frame.f_lasti
            if t._rg or self.met(t) is not None:  # of each place the latest
                self.reads[key] = Read(how, self.value_of(t), place(1), next(NUMBERS), t._array)

    def written(self, t: Any) -> None:
        counter = t._vc
        if len(self.written_by) > ROOM:
            self.written_by.pop(next(iter(self.written_by)))
        _, written = self.written_by.setdefault(id(counter), (counter, []))
        written.append(Write(place(1), counter[0]))
        del written[:-100]

    def finished(self, variables: dict[str, Any]) -> None:
        """The program has ended, with these variables."""

    # -- backward ------------------------------------------------------------------------------------------------------
    def begin(self, walk: Any, node: Any, g: Any) -> None:
        before = self.passes[-1] if self.passes else None
        if before is not None and self.keep is not None:
            self.judge(before)  # it may be let go now
        super().begin(walk, node, g)
        if before is not None and before is self._first_bad and before not in self.passes:
            self.passes.insert(0, before)  # the pass in which things went wrong is the one to look at
        new = self.current
        self.begun = [*self.begun[-19:], (new.number, new.place, frozenset(n.seq for n in walk[1]))]

    def poisoned(self, node: Any, nr: int, g: Any, x: Any) -> None:
        held = {} if getattr(node, "variant", None) is None else {k: getattr(node, k, None) for k in node.variant.saves}
        self.poison(self.current, node, nr, g, x, {k: _plain(v) for k, v in (held | self.held).items()})

    def judge(self, noted: Pass) -> None:
        """Look through the gradients of a pass, as far as it has not been done."""
        for ran in noted.ran[noted.judged :]:
            if ran.grads is None:
                break
            noted.judged += 1
            for nr, x in enumerate(ran.grads):
                if x.__class__ is not Shot and is_bad(x):
                    self.poison(noted, ran.node, nr, ran.g, x, _held(ran))

    @property
    def poisons(self) -> dict[int, list[Birth]]:
        """Where gradients that are not finite were made: by number of the pass."""
        for noted in self.passes:
            self.judge(noted)
        return self._poisons

    @property
    def first_bad(self) -> Pass | None:
        """The first pass in which a gradient was not finite."""
        for noted in self.passes:
            self.judge(noted)
        return self._first_bad

    @first_bad.setter
    def first_bad(self, noted: Pass | None) -> None:
        self._first_bad = noted

    def poison(self, noted: Pass, node: Any, nr: int, g: Any, x: Any, held: dict[str, Any]) -> None:
        """Note a gradient that is not finite, unless it has only been passed on."""
        array = _array(x)
        if node.next[nr][0] is None or array.dtype.kind not in "fc" or np.isfinite(array).all():
            return
        if self._first_bad is None or noted.number < self._first_bad.number:
            self._first_bad = noted
        several = isinstance(g, (list, tuple))
        incoming = [None if x is None else _array(x) for x in (g if several else [g])]
        given = [x for x in incoming if x is not None]
        clean = all(np.isfinite(x).all() for x in given)
        if not clean:
            if getattr(node, "variant", None) is None:
                return
            cleaned = [None if x is None else np.where(np.isfinite(x), x, np.zeros((), x.dtype)) for x in incoming]
            found = _rerun(node, held, cleaned if several else cleaned[0])
            if found is None or nr >= len(found) or found[nr] is None:
                return
            array, given = np.asarray(found[nr]), [x for x in cleaned if x is not None]
        bad = ~np.isfinite(array)
        if not bad.any():
            return
        made = Birth(nr, bad, array)
        made.node, made.passed_on = node, not clean
        if len(given) == 1 and given[0].shape == array.shape and node.op is not None and node.op.kind == "elementwise":
            made.g = given[0][made.index]
            made.saved = {k: _element(v, made.index, array.shape) for k, v in held.items()}
            made.rule = _rule_at(node, nr, made)
            slope = _rerun(node, made.saved, np.asarray(1, array.dtype))
            made.slope = None if slope is None or slope[nr] is None else np.asarray(slope[nr])[()]
        seen = made.saved if made.g is not None else held
        made.inherited = any(_is_bad(v) for v in seen.values())
        self._poisons.setdefault(noted.number, []).append(made)

    def pass_through(self, seq: int) -> tuple[int, Any] | None:
        """The latest pass that ran the node `seq` before the one that is last: (number, site)."""
        return next(((number, place) for number, place, seqs in self.begun if seq in seqs), None)


_CORE = os.path.dirname(core.__file__)


def _plumbing(filename: str) -> bool:
    """Is it a file that a value passes through on its way out of autograd?"""
    return filename in (__file__, "<wengert overrides>") or filename.startswith(_CORE)


def _array(x: Any) -> Any:
    if isinstance(x, Shot):  # of a large array: only whether it has such numbers
        low = 0.0 if x.low is None else x.low
        return np.asarray(
            low if low != low else np.inf if x.non_finite() else 0.0, x.dtype if x.dtype.kind in "fc" else None
        )
    return np.asarray(x._array if isinstance(x, Tensor) else x)


def _noted(a: Any) -> Any:
    """An argument of a step, as it was noted."""
    return a.raw if isinstance(a, Value) and a.known else None if isinstance(a, Value) else a


def _held(ran: Ran) -> dict[str, Any]:
    """What a node had saved, as it was noted: arrays and options."""
    found: dict[str, Any] = {}
    variant = getattr(ran.node, "variant", None)
    for name, (how, _) in variant.saves.items() if variant is not None else ():
        if how in _TENSORS:
            raw = ran.saved.get(name)
            raw = remembered(ran.step, name) if raw is None and ran.step.op is ran.node.op else raw
            raw = raw if isinstance(raw, list) else [raw]
            plain = [None if x.__class__ in (Shot, tuple) else x for x in raw]
            found[name] = plain if how == "list" else plain[0]
        else:
            found[name] = getattr(ran.node, name, None)
    return found


def _plain(x: Any) -> Any:
    """What a node saved, as its rule takes it: arrays and options."""
    if x.__class__ in (tuple, list) and any(hasattr(y, "_array") for y in x):
        return [_plain(y) for y in x]
    return getattr(x, "_array", x)


def _floating(x: Any) -> bool:
    if isinstance(x, Tensor):
        return x._array.__class__ is np.ndarray
    return isinstance(x, (float, complex, np.inexact, np.ndarray, Shot)) and not isinstance(x, bool)


def _is_bad(x: Any) -> bool:
    if isinstance(x, (list, tuple)):
        return any(_is_bad(y) for y in x)
    return getattr(getattr(x, "dtype", None), "kind", "") in ("f", "c") and not np.isfinite(x).all()


def _born(array: Any, given: list[Any], elementwise: bool) -> Any:
    """Where in `array` bad numbers were made and not handed on; None if nowhere. See Note [Born here, or passed on]."""
    floats = [x for x in given if x.dtype.kind in "fc"]
    if elementwise:
        try:
            had_nan = np.zeros(array.shape, bool)
            had_bad = np.zeros(array.shape, bool)
            for x in floats:
                had_nan |= np.isnan(x)
                had_bad |= ~np.isfinite(x)
        except ValueError:
            return None
    else:
        had_nan = np.full(array.shape, any(np.isnan(x).any() for x in floats))
        had_bad = np.full(array.shape, any(not np.isfinite(x).all() for x in floats))
    nan = np.isnan(array) & ~had_nan
    inf = np.isinf(array) & ~had_bad
    bad = nan if nan.any() else inf
    return bad if bad.any() else None


def _element(value: Any, index: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    """The element of a saved value that belongs to an element of the result; options as they are."""
    if isinstance(value, np.ndarray):
        try:
            return np.broadcast_to(value, shape)[index]
        except (ValueError, IndexError):
            return None
    return value


def _rerun(node: Any, saved: dict[str, Any], g: Any) -> Any:
    """What the node's own rule makes of another gradient; None where it cannot be asked again."""
    outs = [node.output_meta(nr) for nr in range(node.n_outputs)]
    try:
        return type(node).run(StandIn(type(node), saved, node.next, outs), g, True)
    except Exception:  # it is asked with less than it was recorded with
        return None


def _rule_at(node: Any, nr: int, made: Birth) -> Any:
    """The rule of an elementwise node at one element, as an expression of numbers."""
    saved: dict[str, Any] = {}
    for name, (how, _) in node.variant.saves.items():
        value = made.saved.get(name)
        saved[name] = Name(name, np.asarray(value)) if how in ("tensor", "output", "aux") else value
    try:
        g = Name("g", np.asarray(made.g))
        found = rule_of(type(node), saved, node.next, [((), np.asarray(made.g).dtype)], [g])
    except Exception:  # only shown: what cannot be shown is left out
        return None
    return found[nr] if isinstance(found[nr], Symbol) else None


# -- which trace knows a tensor ----------------------------------------------------------------------------------------


def remember(recorder: Any) -> None:
    """A trace has ended. What it noted going forward stays known for a while though nobody holds the trace: the last two
    are kept, without the passes, which would keep their graphs alive."""
    recorder.end()
    if recorder.__class__ is Watcher:
        light = copy.copy(recorder)
        light.passes, light._poisons, light._first_bad, light.running = [], {}, None, None
        light.shots = Shots()
        light.current, light.open, light.held = None, [], {}
        light.traced = weakref.ref(recorder)
        _KEPT.append(light)


def watcher_of(*tensors: Any) -> Watcher | None:
    """The latest trace that has seen one of the tensors being made, or being used."""
    full = [r for r in (ref() for ref in reversed(_LATEST)) if r is not None]
    for t in tensors:
        for recorder in (*full, *(r for r in reversed(_KEPT) if r.traced is not None and r.traced() is None)):
            if recorder.met(t) is not None:
                return recorder
    return None
