"""Two errors of a graph that lives on: a saved value that was changed in place, and a graph that was freed."""

from __future__ import annotations

import ast
from typing import Any

from ...core.node import AccumulateGrad
from ...core.tensor import Tensor
from ..recording import _TENSORS as TENSORS
from ..sites import line_of
from ..watching import Write
from . import reading, routes
from .answer import Code, Site, Why
from .places import line_of_node, operation, source_of
from .trail import Trail, kept_name, step_of_node, watchers


def changed_in_place(trail: Trail) -> Why:
    """Which value, who saved it, who wrote into it, and what to write instead."""
    n, name, saved, counter, expected, how = _saved(trail)
    if n is None:
        return Why("in place", "A value that backward needs was changed in place after it was saved.", line=trail.line)
    op = operation(n)
    variables = {id(t): k for k, t in trail.names.variables.items() if isinstance(t, Tensor)}
    same = [k for i, k in variables.items() if _shares(trail.names.variables[k], counter)]
    called = (trail.names.known(saved) if isinstance(saved, Tensor) else None) or (same[0] if same else "a tensor")
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


# -- freed -------------------------------------------------------------------------------------------------------------


def freed(trail: Trail) -> Why:
    """Which earlier backward freed the graph, and what carries the old graph into the new pass."""
    node, root = trail.node(), trail.root()
    sites: list[Site] = []
    earlier = _earlier(trail, node)
    if earlier is not None:
        sites.append(Site("this backward ran through the same graph and freed it", earlier, "first"))
    if node is None or root is None:
        return Why(
            "freed",
            "What this node had saved was freed when backward ran through it.",
            sites,
            trail.line,
            "read it before backward(), or call backward(retain_graph=True).",
        )
    if getattr(root, "freed", False) or node is root or _whole(root, node):
        twice = earlier is not None and trail.line is not None and earlier[:2] == trail.line[:2]
        return Why(
            "freed",
            "backward() ran a second time from the same result, and the first time freed what it had saved.",
            sites,
            trail.line,
            "call backward() once for each time the loss is computed"
            + (": compute the loss inside the loop" if twice else "")
            + "; where two passes over one graph are meant, give the first one retain_graph=True (for several losses, add "
            "them up and call backward once).",
        )
    shared = _shared(trail, root, node)
    for called, t in shared:
        assert t._edge is not None
        found = step_of_node(t._edge[0])
        line = line_of_node(t._edge[0], found[1] if found is not None else None, trail.names)
        sites.append(Site(f"{called} belongs to the old graph and is used again", line, "shared"))
    name = shared[0][0] if shared else None
    found = step_of_node(node)
    if name is None:
        line = line_of_node(node, found[1] if found is not None else None, trail.names)
        sites.append(
            Site(f"the result of {operation(node)} belongs to the old graph and is used again", line, "shared")
        )
    what = name or f"the result of {operation(node)}"
    return Why(
        "freed",
        f"Part of this graph was freed by an earlier backward(): {what} was computed before it, and this loss uses it again.",
        sites,
        trail.line,
        f"if {what} is only a start value here (a hidden state, a running mean), cut it off: "
        f"{name or 'h'} = {name or 'h'}.detach(). If its gradient is meant, compute it again for each pass, add the losses up "
        "and call backward once, or give the first backward retain_graph=True.",
        [f"{name} = {name}.detach()"] if name else [],
    )


def _whole(root: Any, node: Any) -> bool:
    """Had all of the graph been run through before? So it is where nothing newer than the freed node saves anything."""
    for w in watchers():
        if w.passes or w.begun:
            before = [seqs for _, _, seqs in w.begun if node.seq in seqs]
            if before:
                return root.seq in before[0]
    newer = [n for n in routes.reachable(root) if n.seq > node.seq and n.__class__ is not AccumulateGrad]
    return not any(how in TENSORS for n in newer if getattr(n, "variant", None) for how, _ in n.variant.saves.values())


def _earlier(trail: Trail, node: Any) -> Code | None:
    """The line of the backward that came first."""
    if node is not None:
        for w in watchers():
            seen = w.pass_through(node.seq)
            if seen is not None:
                return line_of(seen[1])
    if trail.user is None or trail.line is None:
        return None
    code = trail.user[0].f_code
    lines = []
    for s in reading.statements(code.co_filename, code):
        for call in reading.calls_in(s):
            if (
                isinstance(call.func, ast.Attribute)
                and call.func.attr in ("backward", "grad")
                and call.lineno <= trail.line[1]
            ):
                lines.append(call.lineno)
    before = [n for n in lines if n < trail.line[1]] or lines
    return reading.code_at(code.co_filename, before[-1]) if before else None


def _shared(trail: Trail, root: Any, node: Any) -> list[tuple[str, Tensor]]:
    """The user's tensors, other than leaves, from which the way leads to the freed node; the nearest to it first."""
    nodes = routes.reachable(root)
    found: list[tuple[int, str, Tensor]] = []
    for name, t in trail.names.variables.items():
        if isinstance(t, Tensor) and t._edge is not None and t._edge[0] is not root and t._edge[0] in nodes:
            at = t._edge[0]
            below = routes.reachable(at)
            if at.__class__ is not AccumulateGrad and (at is node or getattr(at, "freed", False)) and node in below:
                found.append((len(below), name, t))
    return [(name, t) for _, name, t in sorted(found, key=lambda f: f[:2])][:3]
