"""Grad mode, inference mode and every other switch, one state for each thread.

The fast road of an operation asks one question, `MODES.active`: is any thread in any mode but the default? It is
false in an ordinary training step, so whatever is optional (no_grad, anomaly mode, saved-tensor hooks, forward
mode, vmap, tracing) costs one attribute test when it is off. When it is true, the careful road reads `LOCAL`.
"""

from __future__ import annotations

import contextvars
import functools
import inspect
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

F = TypeVar("F", bound=Callable[..., Any])


class _Modes:
    __slots__ = ("active", "batches")

    def __init__(self) -> None:
        self.active = 0
        self.batches = False  # has there been a vmap? Then a graph may hold batched arrays


MODES = _Modes()
_LOCK = threading.Lock()


class _Local(threading.local):
    """The switches of one thread. `special` counts those that are not at their default."""

    grad = True  # record operations for backward
    inference = False  # tensors made now can never be recorded
    anomaly: Any = None  # None, or the anomaly settings (autograd.anomaly_mode)
    saved_hooks: tuple[Any, ...] = ()  # stack of (pack, unpack)
    saved_hooks_disabled: str | None = None  # the message, where they are forbidden
    dual_level = -1  # forward mode: number of the innermost open level, set by core.forward_ad alone
    vmap_levels: tuple[Any, ...] = ()  # open vmap levels, outermost first
    observers: tuple[Any, ...] = ()  # who is told of each recorded operation (explain, profiler)
    replay: Any = None  # selective checkpointing: who hands out results instead of computing them
    autocast: Any = None  # mixed precision: who casts the operands of the rows that ask for it (amp)
    view_replay = False  # a view is rebuilt after a change in place by the operations that made it
    mutation: Any = None  # allow_mutation_on_saved_tensors: the clones it keeps
    special = 0
    dual_levels: tuple[int, ...] = ()  # all open ones, outermost first
    push = True  # operations push tangents forward
    # Not switches: what is running in this thread.
    walk: Any = None  # the innermost pass: its nodes (see core.backward)
    began = 0  # when the operation that observers are told of began, in ns
    node: Any = None  # the node whose user code (a hook, a Function) runs
    transforms: tuple[Any, ...] = ()  # open func.grad, vjp, vmap and the like, innermost last (see func.opened)
    depth = 0  # passes inside passes (a Function whose backward calls backward)

    def __init__(self) -> None:
        # PyTorch computes 1/0 without a word; NumPy's warning is per thread, so every thread that meets
        # the engine turns it off for itself. See docs/differences.md.
        np.seterr(all="ignore")


LOCAL = _Local()
_DEFAULTS = {
    name: getattr(_Local, name)
    for name in (
        "grad",
        "inference",
        "anomaly",
        "saved_hooks",
        "saved_hooks_disabled",
        "dual_level",
        "vmap_levels",
        "observers",
        "mutation",
        "replay",
        "view_replay",
        "autocast",
    )
}


def carried(fn: Callable[[], Any]) -> Any:
    """Call `fn` in a thread of its own, whose switches are those of this one; its exception is raised here."""
    state = dict(LOCAL.__dict__)
    outcome: list[Any] = []

    def body() -> None:
        LOCAL.__dict__.update(state)
        with _LOCK:
            MODES.active += int(LOCAL.special > 0)
        try:
            outcome.append((fn(), None))
        except BaseException as error:
            outcome.append((None, error))
        finally:
            with _LOCK:
                MODES.active -= int(LOCAL.special > 0)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(body,))
    thread.start()
    thread.join()
    result, error = outcome[0]
    if error is not None:
        raise error
    return result


class Observer:
    """Who looks on as operations are recorded and walked back; `set_mode("observers", ...)` lets it in."""

    def recorded(self, op: Any, vals: Sequence[Any], outputs: Sequence[Any]) -> Any:
        """An operation has run on `vals`."""

    def changed(self, op: Any, vals: list[Any], target: Any) -> None:
        """An operation has stored its result in `target`."""

    def written(self, t: Any) -> None:
        """The memory of `t` has been, or is about to be, changed in place; its version says so."""

    def applied(self, node: Any, args: tuple[Any, ...], outputs: tuple[Any, ...]) -> None:
        """A user's Function has run."""

    def left(self, how: str, t: Any, result: Any = None) -> None:
        """The value of `t` has left autograd: by "detach", "data", "detach_", "item", "numpy", "tolist", "bool", "int" (an
        index), "tensor" or "Parameter" (a new leaf); `result` is the tensor that holds it now."""

    def before(self, node: Any, g: Any) -> None:
        """A node is about to run in a backward pass."""

    def after(self, node: Any, g: Any, grads: tuple[Any, ...]) -> None:
        """A node has run."""

    def accumulated(self, node: Any, g: Any, leaf: Any) -> None:
        """A gradient has been added to a leaf's `.grad`."""


def tell(how: str, t: Any, result: Any = None) -> None:
    """Let observers know that a value leaves autograd."""
    for observer in LOCAL.observers:
        observer.left(how, t, result)


def set_mode(name: str, value: Any) -> Any:
    """Set one switch of this thread; return what it was."""
    local = LOCAL
    old = getattr(local, name)
    setattr(local, name, value)
    default = _DEFAULTS[name]
    change = int(value != default) - int(old != default)
    if change:
        before = local.special > 0
        local.special += change
        after = local.special > 0
        if before != after:
            count_active(1 if after else -1)
    return old


def only_grad() -> bool:
    """Is this thread in no mode, but perhaps no_grad?"""
    return LOCAL.special == (not LOCAL.grad)


def count_active(change: int) -> None:
    """One thread more, or less, is in a mode other than the default."""
    with _LOCK:
        MODES.active += change


class Switch:
    """A context that sets one switch; also a decorator of functions and of generator functions."""

    _name: str
    _value: Any

    def __init__(self) -> None:
        self._saved: list[Any] = []

    def clone(self) -> Switch:
        return self.__class__()

    def __enter__(self) -> Any:
        self._saved.append(set_mode(self._name, self._value))
        return None

    def __exit__(self, *exc: Any) -> None:
        set_mode(self._name, self._saved.pop())

    def __call__(self, func: F) -> F:
        if inspect.isclass(func):
            warnings.warn(
                "Decorating classes is deprecated and will be disabled in future versions. You should only decorate "
                "functions or methods. To preserve the current behavior of class decoration, you can directly decorate "
                "the `__init__` method and nothing else.",
                FutureWarning,
                stacklevel=2,
            )
            func.__init__ = self(func.__init__)  # type: ignore[method-assign]
            return func
        clone = self.clone
        if inspect.isgeneratorfunction(func):

            @functools.wraps(func)
            def generator(*args: Any, **kwargs: Any) -> Any:
                # The mode holds only while the generator's own body runs: enter at each resume and leave at
                # each yield, so that the caller's mode is never disturbed.
                gen = func(*args, **kwargs)
                try:
                    with clone():
                        item = gen.send(None)
                    while True:
                        try:
                            sent = yield item
                        except GeneratorExit:
                            with clone():
                                gen.close()
                            raise
                        except BaseException:
                            with clone():
                                item = gen.throw(*sys.exc_info())
                        else:
                            with clone():
                                item = gen.send(sent)
                except StopIteration as stop:
                    return stop.value

            return generator  # type: ignore[return-value]

        @functools.wraps(func)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with clone():
                return func(*args, **kwargs)

        return wrapper  # type: ignore[return-value]


class _BareDecorator(Switch):
    """`@no_grad` without parentheses works too."""

    def __new__(cls, orig_func: Any = None) -> Any:
        if orig_func is None:
            return object.__new__(cls)
        return cls()(orig_func)

    def __init__(self, orig_func: Any = None) -> None:
        super().__init__()


class no_grad(_BareDecorator):
    """Record nothing: results do not require grad. Context manager or decorator."""

    _name, _value = "grad", False


class enable_grad(_BareDecorator):
    """Record again inside a `no_grad` block. Context manager or decorator."""

    _name, _value = "grad", True


class set_grad_enabled(Switch):
    """Turn recording on or off: at once when called, until the end of the block when used as a context."""

    _name = "grad"

    def __init__(self, mode: bool) -> None:
        super().__init__()
        self.mode = self._value = bool(mode)
        self._before = set_mode("grad", self._value)

    def clone(self) -> Switch:
        return self.__class__(self.mode)

    def __enter__(self) -> None:
        set_mode("grad", self._value)

    def __exit__(self, *exc: Any) -> None:
        set_mode("grad", self._before)

    def __call__(self, func: F) -> F:
        # As a decorator it must not change the mode of the code that decorates.
        set_mode("grad", self._before)
        return super().__call__(func)


class inference_mode(Switch):
    """Record nothing and mark results as inference tensors, which no later recording may save."""

    def __new__(cls, mode: Any = True) -> Any:
        if callable(mode):
            return cls()(mode)
        return object.__new__(cls)

    def __init__(self, mode: bool = True) -> None:
        super().__init__()
        self.mode = bool(mode)

    def clone(self) -> Switch:
        return self.__class__(self.mode)

    def __enter__(self) -> None:
        self._saved.append((set_mode("inference", self.mode), set_mode("grad", not self.mode)))

    def __exit__(self, *exc: Any) -> None:
        inference, grad = self._saved.pop()
        set_mode("inference", inference)
        set_mode("grad", grad)


def is_grad_enabled() -> bool:
    return LOCAL.grad


def is_inference_mode_enabled() -> bool:
    return LOCAL.inference
