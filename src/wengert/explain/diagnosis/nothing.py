"""`why_none(loss, x)`: where the way from x to loss was cut, or what else left `x.grad` None."""

from __future__ import annotations

import re
import sys
from typing import Any

from ...core.tensor import Tensor
from ..notation import number
from ..recording import _TENSORS as TENSORS
from ..recording import Step, Value
from ..sites import line_of, place
from ..watching import Read, Watcher, watcher_of
from . import advice, reading, routes
from .answer import Code, Site, Why
from .places import Names, bare_name, caller, declared, source_of, step_site

_HOW = {"no_grad": ("no_grad", "set_grad_enabled"), "inference_mode": ("inference_mode",)}
_WHOLE = frozenset(["integer", "argmax", "comparison"])
_NOT_WATCHED = (
    "This is read from the source, as nothing watched the program run. To be certain, put it under "
    "`with wengert.explain.trace() as t:`, or run `wengert why SCRIPT`."
)


def why_none(loss: Any, x: Any, *, _names: Names | None = None) -> Why:
    """Why `x.grad` is None after `loss.backward()`, or would be: the nearest cut between them, with its line.

    Certain where the program ran under `with wengert.explain.trace():`; without, the program's source is read and the
    answer says so. `kind` is what cut the way ("item", "detach", "no_grad", "integer", "tensor", ...) or "unused",
    "not a leaf", "requires_grad", "not run", "reset", "fine".
    """
    for name, t in (("loss", loss), ("x", x)):
        if not isinstance(t, Tensor):
            raise TypeError(f"why_none(): argument '{name}' must be Tensor, not {type(t).__name__}")
    names = _names or Names(caller())
    asked = _Question(loss, x, names)
    return asked.answer()


class _Question:
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

    def answer(self) -> Why:
        x, name = self.x, self.name
        if getattr(x, "_grad", None) is not None:
            return Why("fine", f"{name}.grad is not None: a gradient has arrived.")
        if x is self.loss and x._edge is None:
            return self.start_is_leaf()
        reached = self.reached()
        if not x._rg:
            return self.needs_no_grad()
        if reached and x._edge is not None:
            return self.not_a_leaf()
        if reached:
            ran = self.ran()
            return self.reset() if ran else self.not_run(ran is None)
        found = self.cut()
        if x._edge is not None and found.kind == "unused":
            return self.not_a_leaf(found)
        return found

    def reached(self) -> bool:
        """Does the graph lead from loss to x?"""
        if self.x._edge is not None:
            return self.x._edge[0] in self.nodes
        sink = getattr(self.x, "_acc", None)
        node = sink() if sink is not None else None
        return node is not None and node in self.nodes

    # -- the way is whole ----------------------------------------------------------------------------------------------
    def start_is_leaf(self) -> Why:
        if self.x._rg:
            return Why("not run", f"{self.name} is a leaf itself and backward() has not run from it.")
        return self.needs_no_grad()

    def ran(self) -> bool | None:
        """Has backward run through the graph? None where nothing tells: a graph that saves nothing frees nothing."""
        if any(getattr(n, "freed", False) for n in self.nodes) or self.arrival() is not None:
            return True
        if self.watcher is not None and self.watcher.traced is None:
            return self.watcher.pass_through(self.loss._edge[0].seq) is not None if self.loss._edge else False
        variants = [getattr(n, "variant", None) for n in self.nodes]
        return False if any(how in TENSORS for v in variants if v for how, _ in v.saves.values()) else None

    def arrival(self) -> Any:
        """The pass in which a gradient of x arrived, as far as one was watched: its site."""
        for noted in reversed(self.watcher.passes if self.watcher is not None else []):
            if any(sink.variable is self.x for sink, _, _ in noted.arrived):
                return noted.site
        return None

    def not_run(self, unsure: bool = False) -> Why:
        return Why(
            "not run",
            f"{self.name}.grad is None because backward() has not run"
            + (", or because it was set to None afterwards" if unsure else "")
            + f": the way from {self.name} to {self.loss_name} is whole.",
            line=self.names.here(),
            advice=f"call {self.loss_name}.backward() first. (autograd.grad returns gradients and leaves .grad alone.)",
        )

    def reset(self) -> Why:
        site = self.arrival()
        where = Site("a gradient of it arrived here", line_of(site)) if site is not None else None
        found = self.call_line("zero_grad")
        return Why(
            "reset",
            f"{self.name}.grad is None though backward() has run and the way from {self.name} to {self.loss_name} is "
            "whole: it was set to None afterwards, or the pass was autograd.grad or backward(inputs=...), which leave "
            "it alone.",
            [where] if where is not None else [],
            line=found or self.names.here(),
            advice=f"read {self.name}.grad after backward() and before zero_grad(), which sets it to None "
            "(zero_grad(set_to_none=False) sets it to zero).",
            watched=self.watcher is not None,
        )

    def call_line(self, name: str) -> Code | None:
        frame = self.names.frame
        if frame is None:
            return None
        line = reading.only_call(frame.f_code.co_filename, frame.f_code, name)
        return None if line is None else reading.code_at(frame.f_code.co_filename, line)

    def not_a_leaf(self, cut: Why | None = None) -> Why:
        """x was computed: its own `.grad` is not kept."""
        assert self.x._edge is not None
        step = self.step_of(self.x)
        line = line_of(step.site) if step is not None else self.assigned()
        text = source_of(step)
        sites = [Site(f"{self.name} is a result of this ({type(self.x._edge[0]).__name__})", line)] if line else []
        again = self.rebound()
        why = (
            f"{self.name}.grad is None because {self.name} is not a leaf: it is the result of an operation, and .grad is "
            "kept for leaves only."
        )
        if again is not None:
            return Why(
                "not a leaf",
                why,
                sites,
                line=again,
                advice=f"this line makes a new tensor and calls it {self.name}; the leaf that was called so before is "
                "another one. Change the leaf itself, in place, outside the graph:",
                rewrite=["with torch.no_grad():", "    " + _in_place(again[2])],
                notes=cut.notes if cut is not None else [],
            )
        if cut is not None:
            why += f" Nor does {self.loss_name} depend on it."
        made = f" ({text})" if text else ""
        return Why(
            "not a leaf",
            why,
            sites,
            line=line or self.names.here(),
            advice=f"call {self.name}.retain_grad() before backward(), or torch.autograd.grad({self.loss_name}, "
            f"{self.name}). If {self.name} is what is learnt, make it the leaf: compute it{made} first and call "
            "requires_grad_() on the result (x = torch.randn(3).double().requires_grad_()).",
            watched=self.watcher is not None,
        )

    def rebound(self) -> Code | None:
        """The line `w = w - lr * w.grad`: a leaf's name given to a result."""
        frame = self.names.frame
        if frame is None or "." in self.name:
            return None
        code = frame.f_code
        for name, uses in reading.assignments(code.co_filename, code, 10**9).items():
            if name == self.name:
                for use in uses:
                    if use.name in (f"{name}.grad", f"{name}.grad.data"):
                        return reading.code_at(code.co_filename, use.line)
        return None

    def assigned(self) -> Code | None:
        """The line in the source that last assigned x."""
        frame = self.names.frame
        if frame is None:
            return None
        code = frame.f_code
        uses = reading.assignments(code.co_filename, code, frame.f_lineno).get(self.name)
        return reading.code_at(code.co_filename, uses[-1].line) if uses else None

    def step_of(self, t: Tensor) -> Step | None:
        value = self.watcher.met(t) if self.watcher is not None else None
        return value.made_by if value is not None else None

    # -- x needs none --------------------------------------------------------------------------------------------------
    def needs_no_grad(self) -> Why:
        x, name = self.x, self.name
        step = self.step_of(x)
        if step is not None and (step.cut or any(v.requires_grad for v in _values(step))):
            kind = advice.kind_of_cut(bare_name(step.op.name), step.cut or "detach")
            happened, change = advice.CUT[kind]
            return Why(
                kind,
                f"{name}.grad is None because {name} does not require grad: {happened}.",
                [step_site(step, f"{name} was made here, from a tensor that does require grad", kind)],
                line=line_of(step.site),
                advice=change + ".",
            )
        if x._array.dtype.kind not in "fc":
            return Why(
                "integer",
                f"{name}.grad is None because {name} has dtype {x.dtype}, and only floating-point and complex tensors "
                "can have gradients.",
                line=self.assigned() or self.names.here(),
                advice="make it floating-point: torch.tensor([1., 2.], requires_grad=True), or x.float() before "
                "requires_grad_().",
                watched=self.watcher is not None,
            )
        line = (line_of(step.site) if step is not None else None) or self.assigned()
        buffer = " If a module holds it, it must be an nn.Parameter: a plain tensor attribute is not learnt."
        return Why(
            "requires_grad",
            f"{name}.grad is None because {name} does not require grad: nobody asked for one.",
            line=line or self.names.here(),
            advice=f"make it with requires_grad=True, or call {name}.requires_grad_() before it is used."
            + (buffer if "." in name else ""),
            rewrite=_asking(line[2]) if line is not None else [],
            watched=self.watcher is not None,
        )

    # -- the way is cut ------------------------------------------------------------------------------------------------
    def cut(self) -> Why:
        if self.watcher is None:
            return self.read()
        root = self.watcher.value_of(self.loss)
        way = routes.way_back(root, lambda v: v.tensor is not None and v.tensor() is self.x)
        if way is not None:
            return self.way_cut(self.watcher, way)
        return self.read_out(self.watcher, root)

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
        return Why(kind, title, _short(sites), line, change + ".", *self.rewritten(kind, line))

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
        mine = [v for s in watcher.steps for v in _values(s) if v.tensor is not None and v.tensor() is self.x]
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
            return self.unused()
        whole = [s for s in loose if s.cut and advice.kind_of_cut(bare_name(s.op.name), s.cut) in _WHOLE]
        if whole:
            kind = advice.kind_of_cut(bare_name(whole[-1].op.name), whole[-1].cut or "")
            return self.told(
                kind, whole[-1], [(v, s) for s in used if s.number <= whole[-1].number for v in _values(s)[:1]]
            )
        step = loose[-1]
        line = line_of(step.site)
        if line is not None and reading.writes_data(line[0], line[1]):
            return self.told("data", step, [(v, s) for s in loose for v in _values(s)[:1]])
        target = place(step.site)
        result = target.target if target is not None else None
        end = (
            f" ends in {result}, which {self.loss_name} does not use" if result else f" does not enter {self.loss_name}"
        )
        return Why(
            "unused",
            f"{self.name}.grad is None because {self.loss_name} does not depend on {self.name}: what was computed from "
            f"it{end}.",
            _short([step_site(s, source_of(s) or bare_name(s.op.name), "path") for s in _by_line(loose)]),
            line=line_of(step.site),
            advice=f"use {result or 'the result'} in {self.loss_name}"
            + ("; it may have been assigned again, or overwritten, before it was used." if result else "."),
        )

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

    # -- nothing was watched -------------------------------------------------------------------------------------------
    def read(self) -> Why:
        frame = self.names.frame
        start, end = self.names.known(self.x), self.names.known(self.loss)
        way = reading.path(frame, start, end) if frame is not None and start and end else None
        cause = next((u for u in way or [] if u.cuts), None)
        if way is None or cause is None:
            direct = way is None and frame is not None and bool(start and end)
            if direct and reading.assignments(frame.f_code.co_filename, frame.f_code, frame.f_lineno).get(end or ""):
                title = (
                    f"{self.name}.grad is None because {self.loss_name} does not depend on {self.name}: in the source, "
                    f"nothing computed from {self.name} enters {self.loss_name}."
                )
                line = self.assigned()
                return Why(
                    "unused",
                    title,
                    line=line or self.names.here(),
                    advice=f"use {self.name} in the computation of {self.loss_name}.",
                    notes=[_NOT_WATCHED],
                    watched=False,
                )
            return Why(
                "unknown",
                f"{self.name}.grad is None because no gradient can come from {self.loss_name} to {self.name}: the graph "
                "does not lead there. Where the way was cut is not known, as nothing watched the program run.",
                line=self.names.here(),
                advice="put the program under `with wengert.explain.trace() as t:` and ask again, or run "
                f"`wengert why SCRIPT --none {self.name}`.",
                watched=False,
            )
        kind = cause.cuts[0]
        kind = kind if kind in advice.CUT else "not differentiable"
        happened, change = advice.CUT[kind]
        filename = frame.f_code.co_filename
        line = reading.code_at(filename, cause.line)
        sites = []
        for use in way:
            code = reading.code_at(filename, use.line)
            mark = "✂ " if use is cause else ""
            sites.append(Site(f"{mark}{use.name} is used here", code, kind if use is cause else "path"))
        rewrite, notes = self.rewritten(kind, line)
        return Why(
            kind,
            f"{self.name}.grad is None because the way from {self.name} to {self.loss_name} is cut: {happened}.",
            _short(sites),
            line,
            change + ".",
            rewrite,
            [*notes, _NOT_WATCHED],
            watched=False,
        )


def _values(step: Step) -> list[Value]:
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


def _short(sites: list[Site]) -> list[Site]:
    """A long way, without its middle: the cut, and a few steps on both sides of it."""
    if len(sites) <= 8:
        return sites
    at = next((i for i, s in enumerate(sites) if s.kind != "path"), 0)
    return [s for i, s in enumerate(sites) if i < 2 or abs(i - at) <= 2 or i >= len(sites) - 2]


def _asking(source: str) -> list[str]:
    """The line that made x, asking for a gradient."""
    if source.endswith(")") and "=" in source and "requires_grad" not in source:
        return [source[:-1] + (", " if not source.endswith("(") else "") + "requires_grad=True)"]
    return []


def _in_place(source: str) -> str:
    """`w = w - lr * w.grad` as a change in place."""
    left, _, right = source.partition("=")
    target = left.strip()
    body = right.strip()
    for sign in ("-", "+"):
        if body.startswith(f"{target} {sign} "):
            return f"{target} {sign}= {body[len(target) + 3 :]}"
    return f"{target}.copy_({body})"


def _stacked(call: Any) -> str | None:
    import ast

    if call is not None and call.args and isinstance(call.args[0], (ast.List, ast.Tuple)):
        return f"torch.stack({ast.unparse(call.args[0])})"
    return None
