"""`why_none(loss, x)`: where the way from x to loss was cut, or what else left `x.grad` None."""

from __future__ import annotations

from typing import Any

from ...core.tensor import Tensor
from ..recording import _TENSORS as TENSORS
from ..recording import Step
from ..sites import line_of
from . import advice, reading, routes
from .answer import Code, Site, Why
from .places import Names, bare_name, caller, source_of, step_site
from .severed import Severed, short, values_of

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


class _Question(Severed):
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

    def step_of(self, t: Tensor) -> Step | None:
        value = self.watcher.met(t) if self.watcher is not None else None
        return value.made_by if value is not None else None

    # -- x needs none --------------------------------------------------------------------------------------------------
    def needs_no_grad(self) -> Why:
        x, name = self.x, self.name
        step = self.step_of(x)
        if step is not None and (step.cut or any(v.requires_grad for v in values_of(step))):
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

    def cut(self) -> Why:
        if self.watcher is None:
            return self.read()
        root = self.watcher.value_of(self.loss)
        way = routes.way_back(root, lambda v: v.tensor is not None and v.tensor() is self.x)
        if way is not None:
            return self.way_cut(self.watcher, way)
        return self.read_out(self.watcher, root)

    # -- nothing was watched -------------------------------------------------------------------------------------------
    def by_source(self) -> Why | None:
        found = self.read()
        return None if found.kind in ("unused", "unknown") else found

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
            short(sites),
            line,
            change + ".",
            rewrite,
            [*notes, _NOT_WATCHED],
            watched=False,
        )


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
