"""`__torch_function__`: which arguments answer a call in the place of a function, and in which order they are asked.

Lives here: the protocol. Which functions ask is said in `wengert.overrides`. Not here: anything that computes.

Note [Functions that ask]
    Nothing of this is on any road until there is somebody to ask: a class derived from Tensor, a mode, another object that
    has `__torch_function__`. Then `awake()` lets every public function ask first. The function keeps its identity, for
    programs hold it; its *code* is exchanged for one that asks (`Asking`), and what it did goes on in a second function,
    `Asking.plain`. So it costs nothing where nobody asks for it, and a frame for each call of a public function where
    somebody has.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterable
from types import CodeType, FunctionType
from typing import Any

# How far `State.off` goes: nobody is out of the question; classes are not asked; neither are modes.
ASKED, NO_CLASSES, NOBODY = 0, 1, 2


class State(threading.local):
    """Who may be asked in this thread."""

    modes: tuple[Any, ...] = ()  # the innermost last
    off = ASKED
    skip = False  # the next function that would ask does what it does instead


STATE = State()

# Types that have no `__torch_function__` to ask, for a quick answer. Tensor and Parameter add themselves.
SILENT: set[type] = {int, float, bool, complex, str, type(None), slice, type(...)}
_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Turned:
    """A context in which `STATE.off` is another."""

    __slots__ = ("before",)
    off = NO_CLASSES

    def __enter__(self) -> None:
        self.before = STATE.off
        STATE.off = max(self.before, self.off)

    def __exit__(self, *_: Any) -> None:
        STATE.off = self.before


class DisableTorchFunctionSubclass(Turned):
    """Inside, no argument's `__torch_function__` is asked; modes are."""


class DisableTorchFunction(Turned):
    """Inside, neither arguments nor modes are asked."""

    off = NOBODY


def disabled(func: Any, types: Any = (), args: Any = (), kwargs: Any = None) -> Any:
    """`__torch_function__ = disabled` in a class: it is treated as a plain Tensor."""
    with DisableTorchFunctionSubclass():
        return func(*args, **(kwargs or {}))


def answers(kind: type) -> bool:
    """Do objects of this class want to be asked?"""
    return kind not in SILENT and getattr(kind, "__torch_function__", disabled) is not disabled


def anyone(args: Iterable[Any]) -> bool:
    """Is there an argument to ask, itself or in a list?"""
    for a in args:
        kind = a.__class__
        if kind in SILENT:
            continue
        if kind is tuple or kind is list:
            if anyone(a):
                return True
        elif answers(kind):
            return True
    return False


def in_order(args: Iterable[Any], plain_too: bool = False) -> list[Any]:
    """The arguments to ask, one of each class: from left to right, but a class before those it is derived from.

    PyTorch's functions that are written in Python count plain Tensors too (`plain_too`).
    """
    found: list[Any] = []
    for a in _flat(args):
        kind = type(a)
        if any(type(x) is kind for x in found):
            continue
        if answers(kind) or (plain_too and getattr(kind, "__torch_function__", disabled) is not disabled):
            place = next((i for i, x in enumerate(found) if issubclass(kind, type(x))), len(found))
            found.insert(place, a)
    return found


def _flat(args: Iterable[Any]) -> Iterable[Any]:
    for a in args:
        if a.__class__ is tuple or a.__class__ is list:
            yield from _flat(a)
        else:
            yield a


class without_mode:
    """Inside, the innermost mode is not asked: the next one is."""

    def __enter__(self) -> Any:
        self.before = STATE.modes
        STATE.modes = self.before[:-1]
        return self.before[-1]

    def __exit__(self, *_: Any) -> None:
        STATE.modes = self.before


def modes_are_asked() -> bool:
    return bool(STATE.modes) and STATE.off != NOBODY


def ask(
    public: Any, asked: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any] | None, written: bool = True
) -> Any:
    """What the innermost mode, or else the first of `asked` that does not decline, answers; NotImplemented if all decline."""
    types = tuple(type(a) for a in asked)
    if modes_are_asked():
        with without_mode() as mode:
            result = mode.__torch_function__(public, types, args, kwargs)
        if result is not NotImplemented:
            return result
    for a in asked:
        method = a.__torch_function__
        if getattr(method, "__self__", None) is a:
            warnings.warn(
                f"Defining your `__torch_function__{'' if written else '`'} as a plain method is deprecated and will be an "
                "error in future, please define it as a classmethod.",
                DeprecationWarning if written else UserWarning,
                stacklevel=3,
            )
        result = method(public, types, args, kwargs)
        if result is not NotImplemented:
            return result
    return NotImplemented


class Asking:
    """What a public function does once there is somebody to ask; see Note [Functions that ask].

    `public` is what they are told they answer for. `title` is its name in messages. `written`: PyTorch has it in Python,
    and so passes what has a default by name, counts plain Tensors, and says otherwise that nobody answered.
    """

    __slots__ = (
        "__weakref__",
        "by_name",
        "of_data",
        "operator",
        "plain",
        "plain_too",
        "public",
        "signature",
        "title",
        "written",
    )

    def __init__(
        self,
        plain: Callable[..., Any],
        public: Any,
        title: str,
        written: bool = False,
        operator: bool = False,
        by_name: bool = False,
        of_data: bool = False,
        plain_too: bool = False,
    ) -> None:
        self.plain = plain
        self.public = public
        self.title = title
        self.written = written
        self.operator = operator  # Python's: where nobody answers, the other operand may
        self.by_name = by_name  # every argument is passed by name
        self.of_data = of_data  # only modes are asked
        self.plain_too = plain_too or written
        self.signature: inspect.Signature | None = None

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        off = STATE.off
        if off == NOBODY or not (STATE.modes or (off == ASKED and self._someone(args, kwargs))):
            return self.plain(*args, **kwargs)
        if STATE.skip:
            STATE.skip = False
            return self.plain(*args, **kwargs)
        given = (*args, *kwargs.values())
        if self.written:
            args, kwargs, given = self._bound(args, kwargs)
        asked = in_order(given, self.plain_too) if off == ASKED and not self.of_data else []
        result = ask(self.public, asked, args, kwargs if kwargs or self.written else None, self.written)
        if result is NotImplemented:
            if self.operator:
                return result
            raise TypeError(self._nobody(asked))
        return result

    def _someone(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        return not self.of_data and (anyone(args) or (bool(kwargs) and anyone(kwargs.values())))

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The arguments as PyTorch's Python functions pass them on."""
        if self.signature is None:
            self.signature = inspect.signature(self.plain)
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        by_place: list[Any] = []
        named: dict[str, Any] = {}
        for p in self.signature.parameters.values():
            value = bound.arguments[p.name]
            if p.kind is p.VAR_POSITIONAL:
                by_place.extend(value)
            elif p.kind is p.VAR_KEYWORD:
                named.update(value)
            elif p.default is p.empty and not self.by_name:
                by_place.append(value)
            else:
                named[p.name] = value
        return tuple(by_place), named, (*by_place, *named.values())

    def _nobody(self, asked: list[Any]) -> str:
        modes = STATE.modes if modes_are_asked() else ()
        if self.written:
            return no_implementation(self.title, asked)
        lines = [f"  - mode object {modes[-1]!r}"] if modes else []
        lines += [f"  - tensor subclass {type(a)!r}" for a in asked]
        return (
            f"Multiple dispatch failed for '{self.title}'; all __torch_function__ handlers returned NotImplemented:\n\n"
            + "".join(line + "\n" for line in lines)
            + "\nFor more information, try re-running with TORCH_LOGS=not_implemented"
        )


def no_implementation(title: str, asked: list[Any]) -> str:
    """What PyTorch's Python functions say where nobody answered."""
    message = (
        f"no implementation found for '{title}' on types that implement __torch_function__: {[type(a) for a in asked]}"
    )
    return message + (f" nor in mode {STATE.modes[-1]}" if modes_are_asked() else "")


def preserving(cls: type, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
    """`Tensor.__torch_function__`: what `func` gives, in which Tensors are made instances of the class that was asked."""
    if not all(issubclass(cls, t) for t in types):
        return NotImplemented
    from .tensor import Tensor

    with DisableTorchFunctionSubclass():
        found = func(*args, **(kwargs or {}))
        if cls is Tensor or func in _kept():
            return found
        return _made(found, cls)


@functools.cache
def _kept() -> frozenset[Any]:
    """What gives a tensor that is kept somewhere, and is to stay itself."""
    from .tensor import Tensor

    T: Any = Tensor
    return frozenset((T._base.__get__, T.grad.__get__))


def _made(found: Any, cls: type) -> Any:
    from .tensor import Tensor

    if isinstance(found, Tensor) and not isinstance(found, cls):
        return found.as_subclass(cls)
    if isinstance(found, (tuple, list)):
        parts = [_made(x, cls) for x in found]
        if all(a is b for a, b in zip(parts, found, strict=True)):
            return found
        return type(found)(*parts) if hasattr(found, "_fields") else type(found)(parts)
    return found


# -- exchanging code -------------------------------------------------------------------------------------------


@functools.cache
def _template(free: int) -> CodeType:
    """The code of a function that hands its arguments to the constant "ASKING", with so many variables of a closure."""
    names = ", ".join(f"v{i}" for i in range(free))
    lines = ["def make():"]
    if free:
        lines.append(f"    {' = '.join(f'v{i}' for i in range(free))} = None")
    lines += ["    def asks(*args, **kwargs):", "        ask = 'ASKING'", "        return ask(args, kwargs)"]
    if free:
        lines.append(f"        {names}")
    lines.append("    return asks")
    env: dict[str, Any] = {}
    exec(compile("\n".join(lines), "<wengert overrides>", "exec"), env)
    code: CodeType = env["make"]().__code__
    return code


def _code(function: FunctionType, asking: Asking) -> CodeType:
    template = _template(len(function.__code__.co_freevars))
    consts: Any = tuple(asking if c == "ASKING" else c for c in template.co_consts)
    return template.replace(
        co_consts=consts, co_name=function.__code__.co_name, co_qualname=function.__code__.co_qualname
    )


def twin(function: FunctionType) -> FunctionType:
    """A second function that does the same."""
    found = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    found.__kwdefaults__ = function.__kwdefaults__
    found.__qualname__ = function.__qualname__
    found.__dict__.update(function.__dict__)
    return found


def let_ask(function: FunctionType, public: Any, title: str, **how: bool) -> None:
    """From now on `function` asks before it does what it did. A row, or a composite, is compiled in the twin."""
    plain = twin(function)
    inside: Any = plain
    while inside is not None:
        if inside.__code__.co_name != "_first_call":
            _PLAIN_CODES.add(inside.__code__)
        inside = getattr(inside, "__wrapped__", None)
    op = getattr(function, "op", None)
    if op is not None and op.function is function:
        op.body = plain
    elif function.__globals__.get("SELF") is function:
        function.__globals__["SELF"] = plain
    if not hasattr(function, "__signature__") and not hasattr(function, "__wrapped__"):
        function.__wrapped__ = plain  # type: ignore[attr-defined]
    function.__code__ = _code(function, Asking(plain, public, title, **how))


def twin_of(function: Any) -> Any:
    """What does the same as `function` even when that asks."""
    op = getattr(function, "op", None)
    if op is not None and op.function is function:
        return forwarding(op)
    return twin(function)


def forwarding(to: Any) -> FunctionType:
    """A new function that calls `to`; or the code of a row, wherever it is."""
    if hasattr(to, "body"):
        return lambda *args, **kwargs: to.body(*args, **kwargs)  # type: ignore[return-value]
    return lambda *args, **kwargs: to(*args, **kwargs)  # type: ignore[return-value]


def asks(function: FunctionType) -> bool:
    """Does it ask already?"""
    return any(c.__class__ is Asking for c in function.__code__.co_consts)


def asking(plain: Callable[..., Any], public: Any, title: str, **how: bool) -> Callable[..., Any]:
    """A new function that asks for `public` (None: itself), and else does what `plain` does, which is left as it is."""
    ask = Asking(plain, public, title, **how)

    @functools.wraps(plain)
    def asks(*args: Any, **kwargs: Any) -> Any:
        return ask(args, kwargs)

    if public is None:
        ask.public = asks
    return asks


# Rows that are no public functions themselves: which is called by the operator that they are.
STANDS_FOR: dict[Any, Any] = {}
# The code of what asks now, as it runs where it was called before: to find in the stack which function was called.
_PLAIN_CODES: set[CodeType] = set()
FRONTS: set[CodeType] = set()  # code that all casting composites share, and that lets them ask when they failed: `met`
_TURNING = "methods.py"  # there an operator's arguments are turned round, and no more

# -- the first to ask ------------------------------------------------------------------------------------------

_awake = False


def awake() -> None:
    """Let every public function ask, from now on. Called when there is somebody to ask."""
    global _awake
    if not _awake:
        _awake = True
        importlib.import_module("wengert.overrides").let_all_ask()


class Met(TypeError):
    """An object with `__torch_function__` has come as far as a row, before anything asked: the public function is to."""


def _outermost() -> Any:
    """The frame of the public function that the program called, and through which a row has come to be called; or None."""
    frame: Any = sys._getframe(2)
    found = None
    while frame is not None and frame.f_code.co_filename.startswith(("<wengert ", _HERE)):
        if frame.f_code in _PLAIN_CODES or frame.f_code in FRONTS:
            found = frame
        frame = frame.f_back
    return found


class _Foreign:
    """Interprets a row's call for an object with `__torch_function__` that is no Tensor, met before functions asked."""

    @staticmethod
    def __wengert_op__(op: Any, values: list[Any]) -> Any:
        """Ask it; where the row was called by a public function, that function is to ask."""
        if not _awake:
            awake()
            outer = _outermost()
            if outer is not None and not outer.f_code.co_filename.endswith(_TURNING):
                if "COMPOSITE" in outer.f_globals or outer.f_code in FRONTS:
                    raise Met("an object with __torch_function__ was met")
                if not (outer.f_code.co_filename.startswith("<wengert ") and outer.f_globals.get("OP") is op):
                    raise TypeError(
                        f"{outer.f_code.co_name}() was given an object with __torch_function__ that is no Tensor, the first in "
                        "this process. Functions ask such objects from now on: call it again, or import torch.overrides before."
                    )
        function = STANDS_FOR.get(op.function, op.function)
        if not asks(function) or STATE.off:
            kind = next(
                type(v) for v in _flat(values) if hasattr(v, "__torch_function__") and v.__class__ not in SILENT
            )
            raise TypeError(
                f"{op.name.rpartition('.')[2]}(): a Tensor is expected here, not {kind.__module__}.{kind.__name__}"
            )
        by_place = tuple(v for v, p in zip(values, op.params, strict=True) if not p.keyword_only)
        by_name = {op.names.get(p.name, p.name): v for v, p in zip(values, op.params, strict=True) if p.keyword_only}
        return _again(function, by_place, by_name)

    @staticmethod
    def __wengert_inplace__(op: Any, values: list[Any]) -> Any:
        """Ask it; the method is to ask, for it was called."""
        from .tensor import Tensor

        awake()
        return _again(getattr(Tensor, op.name + "_"), tuple(values), {})


FOREIGN = _Foreign()


def _again(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a function without those of these arguments that are what they would be anyway."""
    found = inspect.signature(function).parameters
    defaults = [p.default for p in found.values() if p.kind is not p.KEYWORD_ONLY]
    while args and len(args) <= len(defaults) and args[-1] is defaults[len(args) - 1]:
        args = args[:-1]
    kwargs = {name: value for name, value in kwargs.items() if name not in found or value is not found[name].default}
    return function(*args, **kwargs)


def met(public: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A composite has failed. Was that because an argument is to be asked, the first in this process? NotImplemented if not."""
    if sys.exc_info()[0] is Met:
        outer = _outermost()
        if outer is not None and outer is not sys._getframe(1):
            return NotImplemented  # it is the outer function's affair
    elif _awake or not anyone((*args, *kwargs.values())):
        return NotImplemented
    awake()
    return _again(public, args, kwargs)
