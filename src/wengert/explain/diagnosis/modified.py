"""A saved value that was changed in place: which, who had saved it, who wrote, and what to write instead."""

from __future__ import annotations

import ast
from typing import Any

from ...core.tensor import Tensor
from ..sites import line_of
from ..watching import Write
from . import reading
from .answer import Code, Site, Why
from .places import line_of_node, operation, source_of
from .trail import Trail, kept_name, step_of_node, watchers

_UNKNOWN = "a tensor"


def changed_in_place(trail: Trail) -> Why:
    """Which value, who saved it, who wrote into it, and what to write instead."""
    n, name, saved, counter, expected, how = _saved(trail)
    if n is None:
        return Why("in place", "A value that backward needs was changed in place after it was saved.", line=trail.line)
    op = operation(n)
    variables = {id(t): k for k, t in trail.names.variables.items() if isinstance(t, Tensor)}
    same = [k for i, k in variables.items() if _shares(trail.names.variables[k], counter)]
    called = (trail.names.known(saved) if isinstance(saved, Tensor) else None) or (same[0] if same else _UNKNOWN)
    found = step_of_node(n)
    saver = Site(
        f"{op} saved {kept_name(n, name)}, which is {called}, for its backward"
        + (f": {source_of(found[1])}" if found is not None and source_of(found[1]) else ""),
        line_of_node(n, found[1] if found is not None else None, trail.names, called if how != "output" else None),
        "saved",
    )
    sites = [saver]
    writes = _watched_writes(counter, expected)
    parameter = isinstance(saved, Tensor) and saved._rg and saved._edge is None
    if writes:
        sites += [
            Site(f"{called} was changed in place here (version {w.version})", line_of(w.site), "written")
            for w in writes
        ]
    else:
        lines = _written_lines(trail, {called, *same}, parameter)
        sites += [Site(f"{called} is changed in place here, by the source", code, "written") for code in lines]
    written = next((s.line for s in sites if s.kind == "written"), None)
    if called == _UNKNOWN and written is not None and (name_there := reading.written_name(written[0], written[1])):
        called = name_there  # the function that knows it has returned
        for site in sites:
            site.what = site.what.replace(_UNKNOWN, called)
    says = "saves its result" if how == "output" else f"saves {kept_name(n, name)}"
    title = f"{called} was changed in place after {op} had saved it: {op} {says} because its derivative needs it."
    step = written is not None and ".step(" in written[2]
    rewrite: list[str] = []
    if step:
        change = (
            "optimizer.step() changes the parameters in place, and this graph was made with the old ones. Call every "
            "backward() before step(), or compute the loss again after it"
        )
    else:
        made = _out_of_place(written)
        rewrite = [made] if made else []
        change = "write the new value into a new tensor instead of changing this one in place"
        if how == "output":
            change = f"{op} computes its derivative from its result, so that must stay as it was: " + change
        if not made:
            change += f", or give {op} a copy: {called}.clone()"
    if ".data" in trail.message:
        change += " (.data does not hide a change from backward here)"
    notes = [] if writes else ["Nothing watched the program run: with `wengert.explain.trace()` the writes are known."]
    return Why("in place", title, sites, written or trail.line, change + (":" if rewrite else "."), rewrite, notes)


def _saved(trail: Trail) -> tuple[Any, str, Any, Any, int, str]:
    """(node, the name it saved it by, what, its version counter, the version expected, how it was saved)."""
    found = trail.local("check_version", "n", "name", "saved", "expected")
    if found is not None:
        n, name, saved, expected = found
        variant = getattr(n, "variant", None)
        how = variant.saves.get(name, ("tensor",))[0] if variant is not None else "tensor"
        return n, name, saved, saved._vc, expected, how
    found = trail.local("saved_output", "n", "name", "value", "counter", "expected")
    if found is not None:
        n, name, value, counter, expected = found
        return n, name, value, counter, expected, "output"
    for frame, _, _ in reversed(trail.frames):
        held = frame.f_locals
        if frame.f_code.co_name == "unpack" and "node" in held and hasattr(held.get("self"), "counter"):
            kept = held["self"]
            return held["node"], "saved_tensors", held.get("array"), kept.counter, kept.version, "tensor"
    return None, "", None, None, 0, ""


def _shares(t: Any, counter: Any) -> bool:
    return counter is not None and t._vc is counter


def _watched_writes(counter: Any, expected: int) -> list[Write]:
    for w in watchers():
        found = w.written_by.get(id(counter))
        if found is not None and found[0] is counter:
            return [x for x in found[1] if x.version > expected][:5]
    return []


def _written_lines(trail: Trail, names: set[str], parameter: bool) -> list[Code]:
    """Lines of the user's function that write into one of the names."""
    if trail.user is None:
        return []
    code = trail.user[0].f_code
    found = []
    for s in reading.statements(code.co_filename, code):
        hit = False
        if isinstance(s, ast.AugAssign):
            target = s.target.value if isinstance(s.target, ast.Subscript) else s.target
            hit = (reading.dotted(target) or "").removesuffix(".data") in names
        elif isinstance(s, ast.Assign):
            hit = any(isinstance(t, ast.Subscript) and reading.dotted(t.value) in names for t in s.targets)
        for call in reading.calls_in(s):
            f = call.func
            if isinstance(f, ast.Attribute):
                on = (reading.dotted(f.value) or "").removesuffix(".data")
                hit |= f.attr.endswith("_") and not f.attr.endswith("__") and on in names
                hit |= parameter and f.attr == "step"
            hit |= any(
                k.arg == "inplace" and isinstance(k.value, ast.Constant) and k.value.value is True
                for k in call.keywords
            ) and any(reading.dotted(a) in names for a in call.args)
        if hit:
            found.append(reading.code_at(code.co_filename, s.lineno))
    return found


def _out_of_place(line: Code | None) -> str | None:
    """A statement that changes in place, written so that it does not."""
    s = reading.statement_at(line[0], line[1]) if line is not None else None
    if isinstance(s, ast.AugAssign):
        target = ast.unparse(s.target)
        if isinstance(s.target, ast.Subscript):
            base = ast.unparse(s.target.value)
            return f"{base} = {base}.clone(); {ast.unparse(s)}"
        return f"{target} = {ast.unparse(ast.BinOp(ast.Name(target, ast.Load()), s.op, s.value))}"
    if isinstance(s, ast.Assign) and isinstance(s.targets[0], ast.Subscript):
        base = ast.unparse(s.targets[0].value)
        return f"{base} = {base}.clone(); {ast.unparse(s)}"
    if isinstance(s, ast.Expr) and isinstance(s.value, ast.Call) and isinstance(s.value.func, ast.Attribute):
        f = s.value.func
        name = f.attr.removesuffix("_")
        if f.attr.endswith("_") and isinstance(f.value, (ast.Name, ast.Attribute)):
            on = ast.unparse(f.value).removesuffix(".data")
            args = ", ".join([ast.unparse(a) for a in s.value.args] + [ast.unparse(k) for k in s.value.keywords])
            made = {
                "zero": f"torch.zeros_like({on})",
                "fill": f"torch.full_like({on}, {args})",
                "copy": f"{args}.clone()",
            }
            return f"{on} = {made.get(name, f'{on}.{name}({args})')}"
    return None
