"""What a public function takes: PyTorch's names of arguments, NumPy's beside them, and `out=`. No operation is run here.

Note [Names of arguments]
    PyTorch's functions take `axis` for `dim` and `keepdims` for `keepdim`, as NumPy's do. The functions compiled here have
    them as further keywords, which the first lines read; an argument that has no default gets one that says "missing".
    And `names={"A": "input"}` in a statement says what users call an argument that the formulas call otherwise.
"""

from __future__ import annotations

import inspect
import linecache
import threading
from types import FunctionType
from typing import Any

from .by_example import by_example
from .op import Composite, Param, params_of
from .overriding import met

VARIADIC = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS
_NUMPY_NAMES = {"dim": "axis", "keepdim": "keepdims"}
NUMPY_NAMES = {numpy: ours for ours, numpy in _NUMPY_NAMES.items()}
_EMPTY = inspect.Parameter.empty


class _Missing:
    """The default of an argument that must be given, under one of its names."""

    def __repr__(self) -> str:
        return "<missing>"


MISSING = _Missing()


def missing(function: str, argument: str) -> TypeError:
    return TypeError(f'{function}() missing 1 required positional arguments: "{argument}"')


def execute(source: str, title: str, env: dict[str, Any]) -> dict[str, Any]:
    """Compile generated source so that tracebacks show its lines."""
    filename = f"<wengert {title}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    exec(compile(source, filename, "exec"), env)
    return env


def parameters(
    function: str, params: tuple[Param, ...], out: bool, names: dict[str, str], env: dict[str, Any]
) -> tuple[str, list[str]]:
    """The parameters of a function as source, and its first lines. What they use is put in `env`."""
    further = {_NUMPY_NAMES[p.name]: p.name for p in params if p.name in _NUMPY_NAMES and not p.is_tensor}
    parts, lines, starred, unset = [], [], False, False
    for p in params:
        if p.keyword_only and not starred:
            parts.append("*")
            starred = True
        name = names.get(p.name, p.name)
        unset = unset or (p.name in further.values() and p.default is _EMPTY)
        if p.default is not _EMPTY:
            env[f"DEFAULT_{p.name}"] = p.default
            parts.append(f"{name}=DEFAULT_{p.name}")
        elif unset:
            env.update(MISSING=MISSING, missing=missing)
            parts.append(f"{name}=MISSING")
            alias = _NUMPY_NAMES.get(p.name) if p.name in further.values() else None
            if alias:
                lines += [f"if {name} is MISSING and {alias} is not None:", f"    {name} = {alias}"]
            lines += [f"if {name} is MISSING:", f"    raise missing({function!r}, {name!r})"]
        else:
            parts.append(name)
        if p.name in further.values() and p.default is not _EMPTY:
            alias = _NUMPY_NAMES[p.name]
            lines += [f"if {alias} is not None:", f"    {name} = {alias}"]
        if name != p.name:
            lines.append(f"{p.name} = {name}")
    last = ["out=None"] * out + [f"{alias}=None" for alias in further]
    if last and not starred:
        parts.append("*")
    return ", ".join(parts + last), lines


class PublicSignature(inspect.Signature):
    """What `inspect.signature` says of a function: as PyTorch documents it, without NumPy's names.

    It is made when it is first asked for: for all functions it would take a tenth of the import.
    """

    __slots__ = ("_found", "_given")

    def __init__(self, params: tuple[Param, ...], out: bool, names: dict[str, str]) -> None:
        self._given = (params, out, names)
        self._found: Any = None
        self._return_annotation = inspect.Signature.empty

    @property
    def _parameters(self) -> Any:
        if self._found is None:
            self._found = inspect.Signature(_shown(*self._given)).parameters
        return self._found

    def replace(self, **changes: Any) -> inspect.Signature:  # type: ignore[override]
        return inspect.Signature(list(self.parameters.values())).replace(**changes)


def _shown(params: tuple[Param, ...], out: bool, names: dict[str, str]) -> list[inspect.Parameter]:
    keyword, positional = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    shown = [
        inspect.Parameter(names.get(p.name, p.name), keyword if p.keyword_only else positional, default=p.default)
        for p in params
    ]
    if out:
        shown.append(inspect.Parameter("out", keyword, default=None))
    return shown


# -- composites ------------------------------------------------------------------------------------------------


def wants_forms(row: Composite, fn: Any) -> bool:
    """Does a composite take more than is written in it? (PyTorch's own Python functions do not know NumPy's names.)"""
    if row.out or row.names or row.by_example:
        return True
    given = fn.__code__.co_varnames[: fn.__code__.co_argcount + fn.__code__.co_kwonlyargcount]
    return not row.name.startswith("nn.") and any(n in _NUMPY_NAMES for n in given)


def _first_call(*args: Any, **kwargs: Any) -> Any:
    """The code of a composite's public function until it is called."""
    COMPILE(ROW, SELF)  # type: ignore[name-defined]  # noqa: F821
    return SELF(*args, **kwargs)  # type: ignore[name-defined]  # noqa: F821


def with_forms(row: Composite, fn: Any) -> Any:
    """The public function of a composite. Its source is written when it is first called: importing stays quick."""
    called = by_example(fn) if row.by_example else fn
    env = {"ROW": row, "COMPILE": _compile, "COMPOSITE": called, "NAME": row.name, "__name__": fn.__module__}
    function = FunctionType(_first_call.__code__, env, fn.__name__)
    env["SELF"] = function
    function.__doc__, function.__module__, function.__qualname__ = fn.__doc__, fn.__module__, fn.__qualname__
    function.__wrapped__ = fn  # type: ignore[attr-defined]
    if fn.__code__.co_flags & VARIADIC:
        shown = inspect.signature(fn)
        found = list(shown.parameters.values())
        last = len(found) - bool(fn.__code__.co_flags & inspect.CO_VARKEYWORDS)
        found.insert(last, inspect.Parameter("out", inspect.Parameter.KEYWORD_ONLY, default=None))
        function.__signature__ = shown.replace(parameters=found)  # type: ignore[attr-defined]
    else:
        function.__signature__ = PublicSignature(params_of(fn), row.out, row.names)  # type: ignore[attr-defined]
    return function


_COMPILING = threading.RLock()


def _compile(row: Composite, function: Any) -> None:
    with _COMPILING:
        if function.__code__ is not _first_call.__code__:
            return  # another thread was first
        compiled = _compiled(row, function.__globals__)
        function.__defaults__, function.__kwdefaults__ = compiled.__defaults__, compiled.__kwdefaults__
        function.__code__ = compiled.__code__


def _compiled(row: Composite, env: dict[str, Any]) -> Any:
    fn = env["COMPOSITE"]
    simple = fn.__name__
    lines: list[str] = []
    if fn.__code__.co_flags & VARIADIC:
        head, plain, call = "*args, out=None, **kwargs", "args, kwargs", "*args, **kwargs"
    else:
        params = params_of(fn)
        head, lines = parameters(row.name.rsplit(".", 1)[-1], params, row.out, row.names, env)
        by_place = [p.name for p in params if not p.keyword_only]
        by_name = [p.name for p in params if p.keyword_only]
        plain = f"({''.join(n + ', ' for n in by_place)}), {{{', '.join(f'{n!r}: {n}' for n in by_name)}}}"
        call = ", ".join([*by_place, *(f"{n}={n}" for n in by_name)])
    if row.out:
        from .out import store_out

        env["STORE"] = store_out
        lines += ["if out is not None:", f"    return STORE(NAME, COMPOSITE, {plain}, out)"]
    # An argument that has `__torch_function__` but is no Tensor may be the first anybody has seen: see core.overriding.
    env["MET"] = met
    lines += ["try:", f"    return COMPOSITE({call})", "except (AttributeError, TypeError):"]
    lines += [f"    result = MET(ROW.function, {plain})", "    if result is NotImplemented: raise", "    return result"]
    source = f"def {simple}({head}):\n" + "".join(f"    {line}\n" for line in lines)
    return execute(source, row.name, env)[simple]
