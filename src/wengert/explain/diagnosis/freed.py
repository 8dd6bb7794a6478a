"""A graph that an earlier backward freed: which backward that was, and what carries the old graph into the new pass."""

from __future__ import annotations

import ast
from typing import Any

from ...core.node import AccumulateGrad
from ...core.tensor import Tensor
from ..recording import _TENSORS as TENSORS
from ..sites import line_of
from . import reading, routes
from .answer import Code, Site, Why
from .places import line_of_node, operation, tensors_in
from .trail import Trail, step_of_node, watchers


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
    if node is root or _whole(root, node):
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
    outputs = trail.local("backward", "outputs")
    total = trail.names.known(outputs[0][0]) if outputs is not None and outputs[0] else None
    if total is not None and total in _carried(trail):
        return _total(trail, total, sites)
    shared, carried = _shared(trail, root, node)
    for called, t in shared:
        assert t._edge is not None
        found = step_of_node(t._edge[0])
        line = line_of_node(t._edge[0], found[1] if found is not None else None, trail.names)
        sites.append(Site(f"{called} belongs to the old graph and is used again", line, "shared"))
    if not shared:
        found = step_of_node(node)
        line = line_of_node(node, found[1] if found is not None else None, trail.names)
        sites.append(
            Site(f"the result of {operation(node)} belongs to the old graph and is used again", line, "shared")
        )
    what = shared[0][0].split("[")[0] if shared else f"the result of {operation(node)}"
    title = f"Part of this graph was freed by an earlier backward(): {what} was computed before it, and this loss uses it again."
    keep = (
        "compute it again for each pass, add the losses up and call backward once, or give the first backward "
        "retain_graph=True"
    )
    if carried:
        cut = _cut_off(what, shared[0][0], trail.names.variables.get(what))
        change = f"{what} goes on from one pass to the next. Cut it off from its past before it is used again. (If gradients "
        return Why("freed", title, sites, trail.line, f"{change}are to flow through all passes: {keep}.)", [cut])
    both = _added(earlier, trail.line)
    change = f"{keep}. (If no gradient is wanted through {what} here, use {what if shared else 'it'}.detach().)"
    return Why("freed", title, sites, trail.line, change, both)


def _total(trail: Trail, total: str, sites: list[Site]) -> Why:
    """A sum of losses that is carried from pass to pass, and of which backward is called each time."""
    code = trail.user[0].f_code if trail.user is not None else None
    use = next((u for u in _carried(trail)[total] if u.name != total), None)
    line = reading.code_at(code.co_filename, use.line) if code is not None and use is not None else trail.line
    new = use.name if use is not None else "loss"
    sites.append(Site(f"{total} holds the losses of all passes so far, with their graphs", line, "shared"))
    return Why(
        "freed",
        f"Part of this graph was freed by an earlier backward(): {total} still holds the losses of the passes before.",
        sites,
        trail.line,
        f"call backward on the new loss alone, and add up its number; or call {total}.backward() once, after the loop:",
        [f"{new}.backward()", f"{total} = {total} + {new}.item()"],
    )


def _cut_off(name: str, part: str, held: Any) -> str:
    if name == part:
        return f"{name} = {name}.detach()"
    if isinstance(held, dict):
        return f"{name} = {{k: t.detach() for k, t in {name}.items()}}"
    return f"{name} = tuple(t.detach() for t in {name})"


def _added(first: Code | None, second: Code | None) -> list[str]:
    """`a.backward()` and `b.backward()` as one: `(a + b).backward()`."""
    found = []
    for line in (first, second):
        call = next(iter(reading.calls(line[0], line[1], "backward")), None) if line is not None else None
        if call is None or call.args or not isinstance(call.func, ast.Attribute):
            return []
        found.append(ast.unparse(call.func.value))
    return [f"({found[0]} + {found[1]}).backward()"] if found[0] != found[1] else []


def _carried(trail: Trail) -> dict[str, list[reading.Use]]:
    """Names that a statement makes of their own old value, as a loop carries a hidden state; with what they are made of."""
    if trail.user is None:
        return {}
    code = trail.user[0].f_code
    found = reading.assignments(code.co_filename, code, 10**9)
    return {name: uses for name, uses in found.items() if any(use.name == name for use in uses)}


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


def _shared(trail: Trail, root: Any, node: Any) -> tuple[list[tuple[str, Tensor]], bool]:
    """The user's tensors, other than leaves, from which the way leads to the freed node; and if a loop carries them.

    Those that a loop carries come before the others, the nearest first.
    """
    nodes = routes.reachable(root)
    uses = _carried(trail)
    found: list[tuple[bool, int, str, Tensor]] = []
    for t in tensors_in(trail.names.variables):
        name = trail.names.known(t)
        if name is None or t._edge is None or t._edge[0] is root:
            continue
        below = routes.reachable(t._edge[0])
        carried = name.split("[")[0] in uses
        if node in below and (carried or t._edge[0] in nodes):
            found.append((not carried, len(below), name, t))
    found.sort(key=lambda f: f[:3])
    first = [(name, t) for plain, _, name, t in found if plain == found[0][0]][:3]
    return first, bool(found) and not found[0][0]
