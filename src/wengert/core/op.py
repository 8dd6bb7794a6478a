"""The kinds of operation: what a row of the tables states, and what follows from it.

A row gives the forward (a function of arrays) and its derivative. The kind says how to read the derivative:

* `elementwise`: for each argument a *partial derivative*, a function of the arguments and `out`. A number stands for
  a constant partial. Reverse: `g * conj(partial)`; forward mode: `tangent * partial`. A rule whose first parameter
  is named `g` is instead the whole (real, self-adjoint, linear in g) map, for masks: `where(out > 0, g, 0)`.
* `linear`: for each argument the *transpose*, a function whose first parameter is `g`. Forward mode is the operation
  itself, by the product rule.
* `general`: for each argument the vjp, likewise; optionally `jvp`.
* `composite`: a plain function of other operations; nothing else is needed.

A row may name a kernel that gives, on large arrays, what all its rules together give (`fused`): a tuple of gradients or,
where it cannot, None. Its parameters are among those of the rules. The rules stay the meaning, and what is shown.

The *parameter names* of a rule say what is saved for backward, and nothing else is:
an argument's name saves that argument, `<argument>_shape` its shape only, `out` (or an output's name) the result, an
option's name the option. So `mul`'s `input=lambda other: other` keeps `other` alone, and only if `input` needs a gradient.

A rule is written with Wengert's operations and Python's operators and must not ask what it was called with: arrays
compute, Tensors are recorded, symbols print.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .modes import LOCAL, MODES, set_mode
from .overriding import FRONTS, met
from .returned import named_result

TENSOR, OPTIONAL, LIST, PLAIN = "tensor", "optional", "list", "plain"

# Array and Arrays mark, in the signature of a forward, the arguments that are tensors for the user.
Array = Any
Arrays = Any
_ANNOTATIONS = {
    "Array": (TENSOR, False),
    "Array | float": (TENSOR, True),
    "Array | None": (OPTIONAL, False),
    "Array | float | None": (OPTIONAL, True),
    "Arrays": (LIST, False),
}


@dataclass(slots=True, eq=False)  # (not frozen: made so often that it would be felt in the import)
class Param:
    """One parameter of an operation."""

    name: str
    kind: str  # TENSOR, OPTIONAL (a tensor or None), LIST (of tensors) or PLAIN
    scalar: bool  # a Python number is accepted in its place
    default: Any
    keyword_only: bool
    annotation: str
    is_tensor: bool = field(init=False)

    def __post_init__(self) -> None:
        self.is_tensor = self.kind != PLAIN


@dataclass(slots=True, eq=False)
class Rule:
    """The derivative with respect to one argument. `names` are the parameters of `fn`, in order."""

    fn: Any  # a function, or a number (a constant partial)
    names: tuple[str, ...]

    @property
    def constant(self) -> bool:
        return not callable(self.fn)

    @property
    def identity(self) -> int | None:
        """If the rule just returns one of its parameters, which one: such a rule need not be called."""
        code = getattr(self.fn, "__code__", None)
        if code is None or code.co_names:  # it uses other names, so it computes
            return None
        markers = [object() for _ in self.names]
        try:
            result = self.fn(*markers)
        except Exception:
            return None
        return next((i for i, m in enumerate(markers) if m is result), None)

    @property
    def takes_g(self) -> bool:
        return bool(self.names) and (self.names[0] == "g" or self.names[0].startswith("g_"))


@dataclass(eq=False)
class Op:
    """A row, compiled: `function` is what users call. See `core.fast_road` for how it is made."""

    name: str
    kind: str
    forward: Callable[..., Any]
    params: tuple[Param, ...]
    rules: dict[str, Rule]
    outputs: tuple[str, ...] = ("out",)
    differentiable: tuple[bool, ...] = (True,)
    aux: tuple[str, ...] = ()  # further results of the forward that are only saved
    promote: str | None = None  # how operands' dtypes combine: see record.promote
    joint: Rule | None = None  # one rule for all arguments together, returns a tuple
    fused: Rule | None = None  # what the rules give for large arrays, all at once; or None, and the rules are used
    jvp: Callable[..., Any] | None = None
    check: Callable[..., Any] | None = None  # raises PyTorch's error for bad arguments; the careful road calls it
    composite: Callable[..., Any] | None = None  # the same in other operations; used where the rule cannot go
    batch: Any = None  # how vmap maps it: see func.batching
    view: Any = False  # the result shares the first argument's memory (True), or may do so ("maybe")
    multi_view: bool = False  # ... and there are several results
    part: bool = False  # ... being a part of it: backward may add to the argument's gradient where the part lies in it
    out: bool = False  # accepts out=
    inplace: bool = False  # has an in-place form
    method: bool = True
    names: dict[str, str] = field(default_factory=dict)  # what users call an argument, if not by its name here
    precision: str | None = (
        None  # under autocast: computed in "lower" precision, in "full", or in the "widest" of operands
    )
    of_numbers: bool = False  # two Python numbers are taken as tensors, and give one
    variadic: bool = False  # as many outputs as the arguments say; the rule's `g` is the list of their gradients
    undefined: bool = False  # the rule copes with missing output gradients (None) itself
    tex: str | None = None  # how explain prints it
    spelled: Callable[..., Any] | None = None  # the same in other operations, as which explain prints it
    domain: str = ""  # for the table of derivatives: where it is differentiable, and the value chosen at kinks
    node_name: str = ""
    node_names: dict[str, str] = field(default_factory=dict)  # other names, by pattern of arguments
    function: Any = None
    body: Any = None  # the function that holds its code: `function`, unless that asks first (see overriding)
    unwatched: Any = None  # the same where observers look on: see record
    unrecorded: Any = None  # ... and where nothing is recorded
    doc: str = ""
    result: Any = tuple
    variants: dict[tuple[str, bool, bool], Any] = field(default_factory=dict)

    @functools.cached_property
    def single(self) -> bool:
        """Is the result one tensor, not a tuple?"""
        return len(self.outputs) == 1 and not self.variadic

    def differentiable_among(self, outputs: Any) -> tuple[bool, ...]:
        """`differentiable`, for these results."""
        return self.differentiable * len(outputs) if self.variadic else self.differentiable

    @functools.cached_property
    def positional(self) -> int:
        """How many parameters may be given by position; the others come after them."""
        return sum(not p.keyword_only for p in self.params)

    @functools.cached_property
    def tensor_places(self) -> tuple[tuple[int, Param], ...]:
        """The parameters that are tensors, each with its position."""
        return tuple((i, p) for i, p in enumerate(self.params) if p.is_tensor)

    @functools.cached_property
    def saves_first(self) -> bool:
        """Does backward read the first argument? Then a change in place of it must keep the old value."""
        rules = [self.joint] if self.joint is not None else list(self.rules.values())
        return self.composite is not None or any(self.params[0].name in rule.names for rule in rules)

    @functools.cached_property
    def tensor_params(self) -> tuple[Param, ...]:
        return tuple(p for p in self.params if p.is_tensor)

    def __repr__(self) -> str:
        return f"<{self.kind} operation {self.name}>"


TABLE: dict[str, Op] = {}  # every operation by its dotted name


_NO_DEFAULT = inspect.Parameter.empty


def params_of(fn: Callable[..., Any]) -> tuple[Param, ...]:
    """The parameters of a forward. (Read off its code: `inspect.signature` would take a third of the import.)"""
    code, annotations = fn.__code__, fn.__annotations__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    positional = fn.__defaults__ or ()
    defaults = dict(zip(names[code.co_argcount - len(positional) : code.co_argcount], positional, strict=True))
    defaults.update(fn.__kwdefaults__ or {})
    found = []
    for i, name in enumerate(names):
        annotation = annotations.get(name, "")
        kind, scalar = _ANNOTATIONS.get(annotation, (PLAIN, False))
        found.append(Param(name, kind, scalar, defaults.get(name, _NO_DEFAULT), i >= code.co_argcount, annotation))
    return tuple(found)


def _rule(fn: Any) -> Rule:
    return Rule(fn, _names(fn) if callable(fn) else ())


def _names(fn: Any) -> tuple[str, ...]:
    """The names of a rule's parameters."""
    code = getattr(fn, "__code__", None)
    if code is None or hasattr(fn, "__wrapped__") or code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS):
        return tuple(inspect.signature(fn).parameters)
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def _ufunc_params(count: int, numbers: str) -> tuple[Param, ...]:
    """The arguments of a bare ufunc. `numbers`: which of two may be Python numbers ("both", "other" or "none")."""
    input = Param("input", TENSOR, count == 2 and numbers == "both", _NO_DEFAULT, False, "Array")
    return (input,) if count == 1 else (input, Param("other", TENSOR, numbers != "none", _NO_DEFAULT, False, "Array"))


def camel(name: str) -> str:
    """`log_softmax` -> `LogSoftmax`, as PyTorch names nodes."""
    return "".join(part[:1].upper() + part[1:] for part in name.rsplit(".", 1)[-1].split("_"))


def _make(kind: str, name: str, forward: Any, rules: dict[str, Any], options: dict[str, Any]) -> Any:
    from .fast_road import compile_function

    if name in TABLE:
        raise ValueError(f"operation {name!r} is stated twice")
    numbers = options.pop("numbers", "both")
    params = _ufunc_params(forward.nin, numbers) if isinstance(forward, np.ufunc) else params_of(forward)
    outputs: list[str] = []
    differentiable: list[bool] = []
    aux: list[str] = []
    for text in options.pop("outputs", "out").replace(" ", "").split(","):
        if text.endswith("..."):
            options["variadic"] = True
            text = text[:-3]
        if text.startswith("~"):
            aux.append(text[1:])
        else:
            outputs.append(text.rstrip("*"))
            differentiable.append(not text.endswith("*"))
    joint, fused = options.pop("joint", None), options.pop("fused", None)
    # A row has one node name, or several by pattern of arguments (T a tensor, S a number), the first for all others.
    node = options.pop("node", None) or camel(name) + "Backward0"
    nodes = node if isinstance(node, dict) else {"": node}
    result: Any = tuple
    if len(outputs) > 1 and options.pop("named", True):
        result = named_result(name, outputs)
    op = Op(
        name=name,
        kind=kind,
        forward=forward,
        params=params,
        rules={arg: _rule(fn) for arg, fn in rules.items()},
        outputs=tuple(outputs),
        differentiable=tuple(differentiable),
        aux=tuple(aux),
        joint=_rule(joint) if joint else None,
        fused=_rule(fused) if fused else None,
        node_name=next(iter(nodes.values())),
        node_names=nodes,
        doc=options.pop("doc", None) or getattr(forward, "__doc__", "") or "",
        result=result,
        **options,
    )
    names = {p.name for p in params}
    for arg in rules:
        if arg not in names:
            raise ValueError(f"{name}: a rule for {arg!r}, which is not an argument")
    TABLE[name] = op
    op.function = op.body = compile_function(op)
    return op.function


@dataclass(eq=False)
class Composite:
    """A function of other operations. `out` and `inplace` say which forms it has besides."""

    name: str
    function: Callable[..., Any]
    out: bool = False
    inplace: bool = False
    method: bool = True
    names: dict[str, str] = field(default_factory=dict)
    by_example: bool = False


COMPOSITES: dict[str, Composite] = {}


def stated_under(prefix: str) -> dict[str, Any]:
    """The functions whose dotted name starts with `prefix`, by the rest of it: what a public namespace consists of."""
    rows = {name: op.function for name, op in TABLE.items()}
    rows.update((name, row.function) for name, row in COMPOSITES.items())
    return {name.removeprefix(prefix): fn for name, fn in sorted(rows.items()) if name.startswith(prefix)}


def composite(
    name: str,
    *,
    out: bool = False,
    inplace: bool = False,
    method: bool = True,
    names: dict[str, str] | None = None,
    by_example: bool = False,
    precision: str | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """State an operation as a plain function of others: `@composite("name")`. The gradient follows from theirs.

    With `out=True` the function gets an `out=` argument: the result is computed and stored there. `names` says what users
    call its arguments, where that is another name than the one written. One that computes on arrays says `by_example=True`:
    under vmap it then sees one example after another. `precision`: what it is computed in under autocast.
    """

    def state(fn: Callable[..., Any]) -> Callable[..., Any]:
        if name in COMPOSITES:
            raise ValueError(f"operation {name!r} is stated twice")
        from .signatures import wants_forms, with_forms

        row = COMPOSITES[name] = Composite(name, fn, out, inplace, method, names or {}, by_example)
        if wants_forms(row, fn):
            row.function = with_forms(row, fn)
        if precision is not None:
            row.function = _cast_under_autocast(row.function, precision)
        return row.function

    return state


def _cast_under_autocast(function: Callable[..., Any], precision: str) -> Callable[..., Any]:
    """The function, which under autocast first casts its operands, and inside which there is none."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        if not MODES.active or LOCAL.autocast is None or kwargs.get("out") is not None:
            try:
                return function(*args, **kwargs)
            except (AttributeError, TypeError):  # an argument may be the first that is to be asked: see overriding
                found = met(run, args, kwargs)
                if found is NotImplemented:
                    raise
                return found
        before = LOCAL.autocast
        args, kwargs = before.cast(precision, args), before.cast(precision, kwargs)
        set_mode("autocast", None)
        try:
            return function(*args, **kwargs)
        finally:
            set_mode("autocast", before)

    FRONTS.add(run.__code__)  # type: ignore[attr-defined]
    return run


_OPTIONS = frozenset(Op.__dataclass_fields__) | {"node", "named", "numbers"}


def missing(what: str) -> Callable[..., Any]:
    """The rule of an argument whose derivative nobody has stated: the call is recorded, differentiating it raises."""

    def rule(g: Any) -> Any:
        raise NotImplementedError(f"the derivative for '{what}' is not implemented.")

    rule.missing = True  # type: ignore[attr-defined]
    return rule


def _kind(kind: str, defaults: dict[str, Any]) -> Callable[..., Any]:
    def state(name: str, forward: Any = None, **rules_and_options: Any) -> Any:
        options = dict(defaults)
        rules = {}
        for key, value in rules_and_options.items():
            if key in _OPTIONS:
                options[key] = value
            else:
                rules[key] = value
        if forward is not None:
            return _make(kind, name, forward, rules, options)
        return lambda fn: _make(kind, name, fn, rules, options)

    state.__name__ = kind
    return state


def asked_always(check: Any) -> Any:
    """Mark a `check` that the fast road asks too: of a forward that computes something for arguments it should refuse.

    (NumPy inverts matrices of integers, say.) Other checks only put words to what made the forward raise.
    """
    check.always = True
    return check


# Each is called as `kind("name", forward, argument=rule, ..., option=...)`, or as a decorator without the forward.
# A rule's keyword is the argument's name; an option's is a field of Op (see above).
elementwise = _kind("elementwise", {"promote": "default", "out": True})
linear = _kind("linear", {})
general = _kind("general", {})
