"""Errors of a result without a graph: nothing requires grad, a cut, numbers read out, a gradient that is constant, an input
that does not enter.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from typing import Any

from ...core.tensor import Tensor
from ..sites import line_of
from ..watching import Read, watcher_of
from . import advice, reading, routes
from .answer import Site, Why
from .nothing import why_none
from .places import bare_name, source_of, step_site
from .severed import matches
from .trail import Trail


def no_grad_fn(trail: Trail) -> Why:
    held = trail.local("edge_of", "t")
    t = held[0] if held is not None else None
    if not isinstance(t, Tensor):
        return Why("no grad_fn", "The result does not depend on a tensor that requires grad.", line=trail.line)
    name = trail.names.of(t, "the result")
    made = _constant_gradient(trail, t, name)
    if made is not None:
        return made
    watcher = watcher_of(t)
    if watcher is not None:
        steps, values = routes.ancestors(watcher.value_of(t))
        cuts = [s for s in steps if s.cut]
        if cuts:
            return _cut_here(trail, name, cuts)
        reads = [r for r in watcher.reads.values() if matches(r, steps, values)]
        if reads:
            return _read_out(name, reads[-1])
        leaves = sorted({trail.names.known(v.tensor()) or "" for v in values if v.made_by is None and v.tensor} - {""})
        used = f" It was made of {', '.join(leaves)}." if leaves else ""
        return _nothing_requires(trail, name, used, leaves)
    frame = trail.user[0] if trail.user is not None else None
    found = reading.cuts_into(frame, name) if frame is not None else []
    if found:
        kind, use = found[0]
        kind = kind if kind in advice.CUT else "not differentiable"
        happened, change = advice.CUT[kind]
        assert frame is not None
        line = reading.code_at(frame.f_code.co_filename, use.line)
        made_of = reading.without(line[0], line[1], kind) or reading.without(line[0], line[1], "detach", "numpy")
        block = reading.around(line[0], line[1], ("no_grad", "inference_mode"))
        notes = [f"the block begins at line {block[0]}"] if block is not None and kind == "no_grad" else []
        return Why(
            "no grad_fn",
            f"{name} has no graph behind it: {happened}.",
            [Site(f"✂ {use.name} is used here", line, kind)],
            line,
            change + ".",
            [made_of] if made_of else [],
            [*notes, "Read from the source, as nothing watched the program run."],
            watched=False,
        )
    why = _nothing_requires(trail, name, "", [])
    why.watched = False
    return why


def _cut_here(trail: Trail, name: str, cuts: list[Any]) -> Why:
    last = cuts[-1]
    kind = advice.kind_of_cut(bare_name(last.op.name), last.cut or "")
    happened, change = advice.CUT[kind]
    sites = [step_site(s, f"✂ {source_of(s) or bare_name(s.op.name)}", kind) for s in cuts[-5:]]
    line = line_of(last.site)
    made = reading.without(line[0], line[1], last.cut or kind) if line is not None else None
    return Why(
        "no grad_fn",
        f"{name} has no graph behind it: {happened}.",
        sites,
        line,
        change + ".",
        [made] if made else [],
    )


def _read_out(name: str, read: Read) -> Why:
    """What it was made of had been read out of tensors as numbers before."""
    kind = read.how if read.how in advice.CUT else "item"
    happened, change = advice.CUT[kind]
    line = line_of(read.site)
    made = reading.without(line[0], line[1], kind) if line is not None else None
    return Why(
        "no grad_fn",
        f"{name} has no graph behind it: its numbers were read out of tensors, and {happened}.",
        [Site("✂ the numbers that it is made of were read out here", line, kind)],
        line,
        change + (": torch.stack joins a list of them" if kind in ("item", "tolist") else "") + ".",
        [made] if made else [],
    )


def _nothing_requires(trail: Trail, name: str, used: str, leaves: list[str]) -> Why:
    which = leaves[0] if leaves else "the tensor to be learnt"
    return Why(
        "no grad_fn",
        f"{name} has no graph behind it: nothing it was computed from requires grad.{used}",
        line=trail.line,
        advice=f"call {which}.requires_grad_() before the computation, or make it with requires_grad=True. If this runs under "
        "torch.no_grad(), move it out.",
    )


def _constant_gradient(trail: Trail, t: Tensor, name: str) -> Why | None:
    """A gradient that is to be differentiated again, and is a constant."""
    watcher = watcher_of(t)
    value = watcher.met(t) if watcher is not None else None
    is_gradient = value is not None and value.grad_of is not None
    line, created = None, None
    rewrite: list[str] = []
    frame = trail.user[0] if trail.user is not None else None
    if frame is not None:
        code = frame.f_code
        here = trail.expression()
        names = {name} | (
            {reading.dotted(n) or "" for n in ast.walk(here) if isinstance(n, ast.Name)} if here else set()
        )
        for s, hit in _gradients(code, names):
            call = next(c for c in ast.walk(s.value) if isinstance(c, ast.Call) and reading.callee(c) == "grad")
            name, is_gradient, line = hit, True, reading.code_at(code.co_filename, s.lineno)
            flags = [k for k in call.keywords if k.arg == "create_graph"]
            created = any(getattr(k.value, "value", True) is not False for k in flags)
            if not created:
                call.keywords = [*(k for k in call.keywords if k.arg != "create_graph"), _CREATE]
                rewrite = [ast.unparse(s)]
            break
    if not is_gradient:
        return None
    if created is False:
        return Why(
            "no grad_fn",
            f"{name} is a gradient that was computed without create_graph=True, so how it depends on its inputs was not "
            "recorded.",
            [Site(f"{name} was computed here", line, "create_graph")] if line else [],
            line or trail.line,
            "give that call create_graph=True" + (":" if rewrite else "."),
            rewrite,
        )
    return Why(
        "constant gradient",
        f"{name} is a gradient that is constant: what it is the gradient of is linear in its input, so its second derivative is "
        "identically zero and there is no graph to go back through.",
        [Site(f"{name} was computed here", line, "constant")] if line else [],
        trail.line,
        f"the second derivative is 0: leave this term out, or ask `if {name}.requires_grad:` first.",
    )


_CREATE = ast.keyword("create_graph", ast.Constant(True))


def _gradients(code: Any, names: set[str]) -> Iterator[tuple[ast.Assign, str]]:
    """Assignments of what `autograd.grad` gave to a name that one of `names` was computed from, and that name."""
    found = reading.assignments(code.co_filename, code, 10**9)
    wanted = set(names)
    queue = list(names)
    while queue:
        for use in found.get(queue.pop(), []):
            if use.name not in wanted:
                wanted.add(use.name)
                queue.append(use.name)
    for s in reading.statements(code.co_filename, code):
        if isinstance(s, ast.Assign):
            called = {reading.callee(c) for c in ast.walk(s.value) if isinstance(c, ast.Call)}
            targets = [reading.dotted(n) for t in s.targets for n in ast.walk(t) if isinstance(n, ast.expr)]
            hit = next((n for n in targets if n in wanted), None)
            if hit is not None and "grad" in called:
                yield copy.deepcopy(s), hit  # a copy, which may be written to


def unused(trail: Trail) -> Why:
    held = trail.local("grad", "outputs", "inputs", "i")
    if held is None or held[0] is None or held[2] is None:
        return Why("unused", "One of the inputs does not enter the outputs.", line=trail.line)
    outputs, inputs, i = held
    x, y = inputs[i], outputs[0]
    if not isinstance(x, Tensor) or not isinstance(y, Tensor):
        return Why("unused", f"Input {i} does not enter the outputs.", line=trail.line)
    before = getattr(x, "_grad", None)
    x._grad = None
    try:
        why = why_none(y, x, _names=trail.names)
    finally:
        x._grad = before
    name = trail.names.of(x, f"input {i}")
    why.title = why.title.replace(f"{name}.grad is None because", f"there is no gradient for {name}:")
    why.notes.append("where an input may be unused, autograd.grad(..., allow_unused=True) gives None for it")
    return why
