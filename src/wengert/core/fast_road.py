"""The function users call for a row, compiled to source when it is first called: a *fast road* with everything inlined for
the ordinary case (plain tensors of one dtype, no special mode). Whatever it does not recognise it leaves to `record.careful`.
"""

from __future__ import annotations

import threading
from types import FunctionType
from typing import Any

import numpy as np

from .blocks import enough
from .op import LIST, OPTIONAL, TENSOR, Op
from .signatures import PublicSignature, execute, parameters
from .variant import GLOBALS, KEEPS_ARRAYS, variant


def _patterns(op: Op) -> list[str]:
    """The argument patterns worth a fast road."""
    params = op.tensor_params
    if any(p.kind == LIST for p in params) or op.variadic:
        return _pattern_of_many(op)
    if not params:
        return []
    full = "T" * len(params)
    patterns = [full]
    if op.kind == "elementwise" and len(params) > 1 and (op.promote is None or len(params) == 2):
        patterns += [full[:i] + "S" + full[i + 1 :] for i, p in reversed([*enumerate(params)]) if p.scalar]
    optional = [i for i, p in enumerate(params) if p.kind == OPTIONAL]
    for n in range(1, len(optional) + 1):
        cut = optional[-n:]
        patterns.append("".join("S" if i in cut else "T" for i in range(len(params))))
    return patterns


def _pattern_of_many(op: Op) -> list[str]:
    """... of a row with a list of tensors as its only one, or with any number of results: if all is as simple as can be."""
    params = op.tensor_params
    if len(params) != 1 or op.aux or op.composite is not None or not all(op.differentiable):
        return []
    pattern = "L" if params[0].kind == LIST else "T"
    if params[0].kind == OPTIONAL or (pattern == "L" and (op.variadic or op.view)):
        return []
    simple = ("plain", "shape", "shapes")
    return [pattern] if all(how in simple for how, _ in variant(op, pattern).saves.values()) else []


def _emit_many(op: Op, pattern: str, env: dict[str, Any], records: bool) -> list[str]:
    """The fast road of a row with a list of tensors, or with any number of results."""
    name = op.tensor_params[0].name
    bail = "return CAREFUL(OP, VALUES)"
    if pattern == "L":
        body = [
            f"given = [x._array for x in {name} if x.__class__ is Tensor or x.__class__ in PLAIN]",
            f"if not given or len(given) != len({name}): {bail}",
            "d = given[0].dtype",
            f"for a in given:\n    if a.dtype is not d: {bail}",
        ]
    else:
        body = [f"given = {name}._array"]
    call = ", ".join(
        (f"{p.name}=" if p.keyword_only else "") + ("given" if p.name == name else p.name) for p in op.params
    )
    body += ["try:", f"    found = FORWARD({call})", "except Exception:", f"    {bail}"]
    body += ["found = list(found)" if op.variadic else "found = [found]", "made = []", "for x in found:"]
    body += ["    t = new(Tensor)", "    t._array, t._vc, t._extra, t._rg, t._edge = x, None, None, False, None"]
    if op.view:
        body.append(f"    mark_view(t, {name}, {op.view == 'maybe'}, {op.multi_view})")
    body.append("    made.append(t)")
    if records:
        v = variant(op, pattern)
        env[f"NODE_{pattern}"] = v.node
        needed = f"any([x._rg for x in {name}])" if pattern == "L" else f"{name}._rg"
        body.append(f"if {needed} and made:")
        lines = v.emit_record(["found"] if op.variadic else ["found[0]"], [])
        body += ["    " + line.replace("new(NODE)", f"new(NODE_{pattern})") for line in lines]
        body += ["    for k, t in enumerate(made):"]
        unless = "if t._extra is None or not t._extra.inference: " if op.view else ""
        body += [f"        {unless}t._rg, t._edge = True, (node_, k)"]
    body.append("return tuple(made)" if op.variadic else "return made[0]")
    return [line for part in body for line in part.split("\n")]


def _emit_road(op: Op, pattern: str, env: dict[str, Any], records: bool) -> list[str]:
    """The fast road for one pattern: lines to stand where every tensor argument has been recognised."""
    params = op.tensor_params
    arrays = {p.name: f"a{i}" for i, (p, c) in enumerate(zip(params, pattern, strict=True)) if c == "T"}
    body = [f"{a} = {name}._array" for name, a in arrays.items()]
    first = next(iter(arrays.values()))
    bail = "return CAREFUL(OP, VALUES)"
    if op.promote in ("default", "float"):
        # Float32 and float64 stay what they are. Integers, bools and mixtures have rules of their own, and so do
        # complex numbers, whose partial derivatives are conjugated.
        same = "".join(f"{a}.dtype is not d or " for a in list(arrays.values())[1:])
        body += [f"d = {first}.dtype", f"if {same}d is not F32 and d is not F64: {bail}"]
    elif op.promote in ("bool", "same") and len(arrays) > 1:
        same = " and ".join(f"{a}.dtype is {first}.dtype" for a in list(arrays.values())[1:])
        unordered = f" or {first}.dtype.kind == 'c'" if op.promote == "bool" and op.check is not None else ""
        body.append(f"if not ({same}){unordered}: {bail}")  # (NumPy has an order of complex numbers)
    elif op.promote == "bool" and "S" in pattern:
        # Integers would be compared with a fraction after it was cut, or in another dtype.
        body.append(f"if {first}.dtype is not F32 and {first}.dtype is not F64: {bail}")
    call = "FORWARD(" + ", ".join(
        (f"{p.name}={arrays.get(p.name, p.name)}" if p.keyword_only else arrays.get(p.name, p.name)) for p in op.params
    )
    call += ")"
    n_out = len(op.outputs)
    raw = [f"x{k}" for k in range(n_out)]
    aux = [f"y{k}" for k in range(len(op.aux))]
    target = ", ".join(raw + aux)
    after: list[str] = []
    if isinstance(op.forward, np.ufunc) and KEEPS_ARRAYS:
        call = call[:-1] + ", out=...)"
    else:
        after = [f"if {x}.__class__ is not ndarray: {x} = as_array({x})" for x in raw]
        if op.kind == "elementwise" and op.promote in ("default", "float") and "S" in pattern:
            after.append("if x0.dtype is not d: x0 = x0.astype(d)")  # what was made of the number alone is float64
    attempt = [f"{target} = {call}"]
    pointwise = op.kind == "elementwise" and n_out == 1 and not aux
    if pointwise and not any(p.keyword_only for p in op.params):
        positional = ", ".join(arrays.get(p.name, p.name) for p in op.params)
        attempt = [
            f"if {first}.size >= {enough(op.forward)}: x0 = blockwise(FORWARD, {positional})",
            f"else: x0 = {call}",
        ]
    if getattr(op.check, "always", False):
        env["CHECK"] = op.check
        attempt.insert(0, f"CHECK({', '.join(arrays.get(p.name, p.name) for p in op.params)})")
    body += [
        "try:",
        *("    " + line for line in attempt),
        "except Exception:",
        "    return CAREFUL(OP, VALUES)",
        *after,
    ]
    for k in range(n_out):
        body += [f"t{k} = new(Tensor)", f"t{k}._array = x{k}", f"t{k}._vc = None", f"t{k}._extra = None"]
    v = variant(op, pattern) if records and any(op.differentiable) else None
    plain = [line for k in range(n_out) for line in (f"t{k}._rg = False", f"t{k}._edge = None")]
    if v is None or not v.targets:
        body += plain
    if op.view:
        body.append(f"mark_view(t0, {params[0].name}, {op.view == 'maybe'})")
    if v is not None and v.targets:
        node = f"NODE_{pattern}"
        env[node] = v.node
        flags = [f"q{i}" for i, _ in v.targets]
        body += [f"{q} = {params[i].name}._rg" for q, (i, _) in zip(flags, v.targets, strict=True)]
        wanted = " or ".join(flags)
        if any(p.name == "dtype" for p in op.params):  # integers have no gradient
            wanted = f"({wanted}) and x0.dtype.kind in 'fcV'"
        body.append(f"if {wanted}:")
        record = [line.replace("new(NODE)", f"new({node})") for line in v.emit_record(raw, aux)]
        if op.promote in ("default", "float"):
            record = [line.replace("node_.dtype = x0.dtype", "node_.dtype = d") for line in record]
        for k, d in enumerate(op.differentiable):
            record += (
                [f"t{k}._rg = True", f"t{k}._edge = (node_, {k})"] if d else [f"t{k}._rg = False", f"t{k}._edge = None"]
            )
        if op.view:
            record.append("if t0._extra is not None and t0._extra.inference: t0._rg, t0._edge = False, None")
        body += ["    " + line for line in record]
        body += ["else:", *("    " + line for line in plain)]
    if n_out == 1:
        body.append("return t0")
    else:
        results = ", ".join(f"t{k}" for k in range(n_out))
        body.append(f"return ({results},)" if op.result is tuple else f"return RESULT({results})")
    return body


def _first_call(*args: Any, **kwargs: Any) -> Any:
    """The code of every row's function until it is called: see `compile_function`. Its globals are the row's own."""
    COMPILE(OP)  # type: ignore[name-defined]  # noqa: F821
    return OP.body(*args, **kwargs)  # type: ignore[name-defined]  # noqa: F821


def compile_function(op: Op) -> Any:
    """The function users call for a row. Its source is written when it is first called: importing stays quick."""
    simple = op.name.rsplit(".", 1)[-1]
    function = FunctionType(_first_call.__code__, {**GLOBALS, "OP": op, "COMPILE": write}, simple)
    function.__doc__ = op.doc
    function.__module__ = "wengert"
    function.__signature__ = PublicSignature(op.params, op.out, op.names)  # type: ignore[attr-defined]
    function.op = op  # type: ignore[attr-defined]
    return function


_COMPILING = threading.RLock()


def write(op: Op) -> None:
    """Write the row's source and give its function that code."""
    with _COMPILING:
        function = op.body
        if function.__code__ is not _first_call.__code__:
            return  # another thread was first
        env = function.__globals__
        compiled = _compiled(op, env)
        function.__defaults__, function.__kwdefaults__ = compiled.__defaults__, compiled.__kwdefaults__
        function.__code__ = compiled.__code__


def quiet(op: Op) -> Any:
    """The row's function where nothing is recorded and no mode asked for; it takes every argument by position, and gives
    `LEFT` where it would have left the call to the careful road.
    """
    found = _compiled(op, {**GLOBALS, "OP": op}, records=False)
    return by_position(op, found)


class _Nobody:
    """Stands for MODES where the fast road is to run as if nobody looked on."""

    active = 0


LEFT = object()


def _left(op: Op, values: tuple[Any, ...], out: Any = None) -> Any:
    return LEFT


def by_position(op: Op, function: Any) -> Any:
    """A row's function with MODES and the careful road of its own, taking every argument by position."""
    code, count = function.__code__, len(op.params)
    code = code.replace(co_argcount=count, co_kwonlyargcount=code.co_argcount + code.co_kwonlyargcount - count)
    found = FunctionType(code, {**function.__globals__, "MODES": _Nobody, "CAREFUL": _left}, function.__name__)
    found.__kwdefaults__ = function.__kwdefaults__  # of out=, and of NumPy's names for arguments
    return found


def _compiled(op: Op, env: dict[str, Any], records: bool = True) -> Any:
    """The function of a row as source, run in `env`."""
    from .record import careful
    from .views import mark_view

    values = "(" + "".join(p.name + ", " for p in op.params) + ")"
    env.update(FORWARD=op.forward, CAREFUL=careful, RESULT=op.result, mark_view=mark_view)
    params = op.tensor_params
    lines = []
    patterns = _patterns(op)
    plain_call = ", ".join(f"{p.name}={p.name}" if p.keyword_only else p.name for p in op.params)
    if patterns:
        p0 = params[0].name
        guard = "not MODES.active" + (" and out is None" if op.out else "")
        is_tensor = {
            p: " and ".join(
                f"({q.name}.__class__ is Tensor or {q.name}.__class__ in PLAIN)"
                if c == "T"
                else f"({q.name}.__class__ is list or {q.name}.__class__ is tuple)"
                for q, c in zip(params, p, strict=True)
                if c in "TL"
            )
            for p in patterns
        }
        keyword = "if"
        lines.append(f"if {guard}:")
        for pattern in patterns:
            tests = [is_tensor[pattern]]
            for q, c in zip(params, pattern, strict=True):
                if c == "S":
                    tests.append(
                        f"{q.name} is None"
                        if q.kind == OPTIONAL
                        else f"{q.name}.__class__ is float or {q.name}.__class__ is int"
                    )
            test = " and ".join(f"({t})" if " or " in t and not t.startswith("(") else t for t in tests)
            lines.append(f"    {keyword} {test}:")
            emit = _emit_many if op.variadic or pattern == "L" else _emit_road
            lines += ["        " + line.replace("VALUES", values) for line in emit(op, pattern, env, records)]
            keyword = "elif"
        arrays = " and ".join(
            f"{q.name}.__class__ in ARRAYS"
            if not q.scalar and q.kind == TENSOR
            else f"({q.name} is None or {q.name}.__class__ in ARRAYS or {q.name}.__class__ in NUMBERS)"
            for q in params[1:]
        )
        first_array = f"{p0}.__class__ in ARRAYS"
        lines.append(f"if {first_array}" + (f" and {arrays}" if arrays else "") + ":")
        lines.append("    r = FORWARD(" + plain_call + ")")
        n_out, n_aux = len(op.outputs), len(op.aux)
        if n_aux:
            lines.append("    return r[0]" if n_out == 1 else f"    return r[:{n_out}]")
        else:
            lines.append("    return r")
    if op.spelled is not None and op.kind == "linear":  # batches have operators, which know short ways
        from .batched import Batched

        env.update(Batched=Batched, SPELLED=op.spelled)
        lines.append("if " + " or ".join(f"{q.name}.__class__ is Batched" for q in params) + ":")
        lines.append(f"    return SPELLED({plain_call})")
    lines.append(f"return CAREFUL(OP, {values}" + (", out)" if op.out else ")"))
    simple = op.name.rsplit(".", 1)[-1]
    head, first = parameters(simple, op.params, op.out, op.names, env)
    source = f"def {simple}({head}):\n" + "".join(f"    {line}\n" for line in first + lines)
    return execute(source, op.name, env)[simple]
