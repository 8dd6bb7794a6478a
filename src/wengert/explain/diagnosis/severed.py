"""The cut between x and loss in what was watched: an operation without a derivative, numbers read out, or no use at all."""

from __future__ import annotations

import ast
import re
import sys
from typing import Any

from ...core.tensor import Tensor
from ..notation import number
from ..recording import Step, Value
from ..sites import line_of, place
from ..watching import Read, Watcher, watcher_of
from . import advice, reading, routes
from .answer import Code, Site, Why
from .places import Names, bare_name, declared, source_of, step_site

_HOW = {"no_grad": ("no_grad", "set_grad_enabled"), "inference_mode": ("inference_mode",)}
_WHOLE = frozenset(["integer", "argmax", "comparison"])


class Severed:
    """What is asked about, and the answers for a way that is cut."""

    def __init__(self, loss: Tensor, x: Tensor, names: Names) -> None:
        self.loss = loss
        self.x = x
        self.names = names
        self.loss_name = names.of(loss, "loss")
        self.name = names.of(x, "x")
        self.watcher = watcher_of(loss)
        self.nodes: dict[Any, Any] = {}
        if loss._rg and loss._edge is not None:
            self.nodes = routes.reachable(loss._edge[0])

    # -- the way is cut ------------------------------------------------------------------------------------------------
    def assigned(self) -> Code | None:
        """The line in the source that last assigned x."""
        frame = self.names.frame
        code = self.names.codes.get(id(self.x)) or (frame.f_code if frame is not None else None)
        if code is None:
            return None
        until = frame.f_lineno if frame is not None and code is frame.f_code else 10**9
        uses = reading.assignments(code.co_filename, code, until).get(self.name)
        if not uses:
            line = reading.assigned(code, self.name)  # of numbers alone, which are no use of any name
            return None if line is None else reading.code_at(code.co_filename, line)
        return reading.code_at(code.co_filename, uses[-1].line) if uses else None

    def way_cut(self, watcher: Watcher, way: list[tuple[Value, Step]]) -> Why:
        """Values lead from x to loss, and somewhere on the way the gradient does not come back."""
        if not way[0][0].requires_grad:
            return self.told("late", way[0][1], way)
        after = [*(v for v, _ in way[1:]), watcher.value_of(self.loss)]
        for (value, step), result in zip(way, after, strict=True):
            if step.cut or (value.requires_grad and not result.requires_grad):
                several = len(step.outputs) > 1  # of max(dim) the indices
                kind = advice.kind_of_cut(bare_name(step.op.name), step.cut or "not differentiable")
                return self.told("argmax" if several and kind == "not differentiable" else kind, step, way)
        writes = next((s for _, s in way if s.inplace), way[-1][1])
        return self.told("overwritten", writes, way)

    def told(self, kind: str, step: Step, way: list[tuple[Value, Step]]) -> Why:
        line = line_of(step.site)
        if kind == "no_grad" and line is not None and reading.around(*line[:2], ("inference_mode",)) is not None:
            kind = "inference_mode"
        happened, change = advice.CUT[kind]
        sites: list[Site] = []
        seen: set[Any] = set()
        for _, s in way:
            code = line_of(s.site)
            is_cut = s is step
            if is_cut or (code is not None and code[:2] not in seen):
                if is_cut and sites and sites[-1].line == code:
                    sites.pop()
                seen.add(code[:2] if code is not None else None)
                what = source_of(s) or bare_name(s.op.name)
                sites.append(Site(f"✂ {what}" if is_cut else what, code, kind if is_cut else "path"))
        title = f"{self.name}.grad is None because the way from {self.name} to {self.loss_name} is cut: {happened}."
        return Why(kind, title, short(sites), line, change + ".", *self.rewritten(kind, line))

    def rewritten(self, kind: str, line: Code | None) -> tuple[list[str], list[str]]:
        """(what to write instead, remarks) for a cut at a line."""
        if line is None:
            return [], []
        if kind in _HOW:
            block = reading.around(line[0], line[1], _HOW[kind])
            if block is None:
                return [], []
            what = "the block begins" if block[1] == "with" else "the function is decorated"
            return [], [f"{what} at line {block[0]}: {reading.code_at(line[0], block[0])[2]}"]
        words = {
            "item": ("item", "float", "numpy", "detach"), "tolist": ("tolist",), "detach": ("detach",), "data": ("data",),
            "tensor": ("tensor",), "numpy": ("detach", "numpy", "from_numpy", "cpu"), "Parameter": ("Parameter",),
        }.get(kind)  # fmt: skip
        if words is None:
            return [], []
        made = reading.without(line[0], line[1], *words)
        if made is not None and kind == "numpy":
            made = re.sub(r"\b(np|numpy)\.", "torch.", made)
        if made is None and kind == "tensor":
            call = next(iter(reading.calls(line[0], line[1], "tensor")), None)
            made = _stacked(call)
        return ([made] if made else []), []

    def read_out(self, watcher: Watcher, root: Value) -> Why:
        """loss was not made from x as a tensor: did the program read x's value out, and go on with that?"""
        steps, values = routes.ancestors(root)
        mine = [v for s in watcher.steps for v in values_of(s) if v.tensor is not None and v.tensor() is self.x]
        now = watcher.met(self.x)
        used, marked = routes.descendants(watcher.steps, [*mine, *([now] if now is not None else [])])
        last = steps[-1].met if steps else sys.maxsize
        reads = [r for r in watcher.reads.values() if id(r.value) in marked and r.number <= last]
        if reads:
            best = max(reads, key=lambda r: (matches(r, steps, values), r.number))
            return self.out(best, used, steps)
        ends = {id(s) for s in used} - {id(s) for s in steps}
        loose = [s for s in used if id(s) in ends and not self.fills(s)]
        if not loose:
            return self.by_source() or self.unused()
        whole = [s for s in loose if s.cut and advice.kind_of_cut(bare_name(s.op.name), s.cut) in _WHOLE]
        if whole:
            kind = advice.kind_of_cut(bare_name(whole[-1].op.name), whole[-1].cut or "")
            return self.told(
                kind, whole[-1], [(v, s) for s in used if s.number <= whole[-1].number for v in values_of(s)[:1]]
            )
        step = loose[-1]
        line = line_of(step.site)
        if line is not None and reading.writes_data(line[0], line[1]):
            return self.told("data", step, [(v, s) for s in loose for v in values_of(s)[:1]])
        target = place(step.site)
        result = target.target if target is not None else None
        end = (
            f" ends in {result}, which {self.loss_name} does not use" if result else f" does not enter {self.loss_name}"
        )
        return Why(
            "unused",
            f"{self.name}.grad is None because {self.loss_name} does not depend on {self.name}: what was computed from "
            f"it{end}.",
            short([step_site(s, source_of(s) or bare_name(s.op.name), "path") for s in _by_line(loose)]),
            line=line_of(step.site),
            advice=f"use {result or 'the result'} in {self.loss_name}"
            + ("; it may have been assigned again, or overwritten, before it was used." if result else "."),
        )

    def by_source(self) -> Why | None:
        """Of operations on numbers alone, which nobody is told of, the source may tell."""
        raise NotImplementedError

    def fills(self, step: Step) -> bool:
        """Does a step only put new numbers into x itself, as an initialisation or an update does?"""
        return step.inplace and all(v.tensor is not None and v.tensor() is self.x for v in step.outputs)

    def out(self, read: Read, used: list[Step], steps: list[Step]) -> Why:
        kind = read.how
        line = line_of(read.site)
        before = [s for s in used if s.met < read.number and id(read.value) in {id(v) for v in s.outputs}]
        cut = next((s.cut for s in used if s.cut and s.met < read.number), None)
        happened, change = advice.CUT.get(kind, advice.CUT["item"])
        if kind == "bool" and cut == "not differentiable":
            happened = "it only enters a comparison that decides an `if`; which branch is taken has no derivative"
        sites = [step_site(s, source_of(s) or bare_name(s.op.name), "path") for s in _by_line(before)]
        sites = [s for s in sites if s.line is None or line is None or s.line[:2] != line[:2]]
        found = place(read.site)
        sites.append(Site(f"✂ {found.text if found is not None and found.text else kind}", line, kind))
        if read.item is not None and any(_holds(s, read.item) for s in steps):
            sites[-1].details.append(f"the number {number(read.item)} went on from here into {self.loss_name}")
        title = (
            f"{self.name}.grad is None because the way from {self.name} to {self.loss_name} is cut: {happened}."
            if kind != "bool"
            else f"{self.name}.grad is None because {self.loss_name} does not depend on its value: {happened}."
        )
        return Why(kind, title, sites, line, change + ".", *self.rewritten(kind, line))

    def unused(self) -> Why:
        where = self.assigned() or declared(self.x, self.names.modules)
        module = "." in self.name or self.name in ("weight", "bias")
        return Why(
            "unused",
            f"{self.name}.grad is None because no operation used {self.name} at all"
            + (" while the program was watched." if self.watcher is not None else "."),
            line=where or self.names.here(),
            advice=(
                f"call the module that {self.name} belongs to in forward(), or leave it out"
                if module
                else f"use {self.name} in the computation of {self.loss_name}; perhaps another tensor of the same numbers "
                "is used in its place (a copy, or one that was made again)"
            )
            + ".",
            watched=self.watcher is not None,
        )


def values_of(step: Step) -> list[Value]:
    return [v for a in step.args for v in (a if isinstance(a, list) else [a]) if isinstance(v, Value)]


def matches(read: Read, steps: list[Step], values: list[Value]) -> int:
    """2 if the number or memory that was read is found again among what loss was made from, 1 if a leaf holds it."""
    array = read.array() if read.array is not None else None
    for v in values:
        t = v.tensor() if v.tensor is not None and v.made_by is None else None
        held = t._array if t is not None else None
        if held is not None and array is not None and (held is array or held.base is array):
            return 2
        shot = v.shot if v.made_by is None and read.item is not None else None
        if shot is not None and shot.whole and shot.size and bool((shot.array == read.item).any()):
            return 1
    return 2 if read.item is not None and any(_holds(s, read.item) for s in steps) else 0


def _holds(step: Step, item: Any) -> bool:
    return any(isinstance(a, (int, float)) and not isinstance(a, bool) and a == item for a in step.args)


def _by_line(steps: list[Step]) -> list[Step]:
    """The last step of each line."""
    found = {}
    for s in steps:
        code = line_of(s.site)
        found[code[:2] if code is not None else id(s)] = s
    return list(found.values())


def short(sites: list[Site]) -> list[Site]:
    """A long way, without its middle: the cut, and a few steps on both sides of it."""
    if len(sites) <= 8:
        return sites
    at = next((i for i, s in enumerate(sites) if s.kind != "path"), 0)
    return [s for i, s in enumerate(sites) if i < 2 or abs(i - at) <= 2 or i >= len(sites) - 2]


def _stacked(call: Any) -> str | None:
    if call is not None and call.args and isinstance(call.args[0], (ast.List, ast.Tuple)):
        return f"torch.stack({ast.unparse(call.args[0])})"
    return None
