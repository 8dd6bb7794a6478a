"""`wengert why FILE`: a whole script is watched, and what went wrong in it is told, the worst first.

An error is explained; else the first NaN; else each parameter that got no gradient, or only zeros, and a forgotten
`zero_grad`. `ScriptWatcher` notes besides what a Watcher does what the program calls its parameters, while the functions
that know them run, and which of them ever got a gradient.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from ...core.node import AccumulateGrad
from ...core.tensor import Tensor
from ...nn.parameter import Parameter
from ..recording import Pass, _internal
from ..sites import attributes, line_of, name_tensors, variables_of
from ..watching import Watcher
from . import bad, zero
from .answer import Why
from .errors import why_error
from .looking import of_pass
from .nothing import why_none
from .optimizers import forgotten, not_stepped
from .places import Names, is_module, tensors_in


class ScriptWatcher(Watcher):
    """A Watcher for a whole script, of which in the end only the last pass and the first bad one are left."""

    def __init__(self) -> None:
        super().__init__(keep="last")
        self.leaves: dict[int, tuple[str, Tensor]] = {}  # by id: name, leaf
        self.codes: dict[int, Any] = {}  # by id: the function that knows it
        self.variables: dict[str, Any] = {}  # the script's, at its end
        self.modules: dict[int, Any] = {}  # by id: those that the program's functions know
        self.got: dict[int, Any] = {}  # by id: Parameters that got a gradient
        self.changed_once: set[int] = set()  # ids of tensors that were ever changed in place
        self.roots: dict[Any, tuple[str, Tensor]] = {}  # by place in the program, of the latest pass: name, tensor
        self.given: dict[int, bool] = {}  # by id of a leaf that got a gradient: was it ever other than zero?
        self.stepped: set[int] = set()  # ids of leaves that were changed in place since a gradient arrived
        self.mixed: dict[
            int, Any
        ] = {}  # by id of a leaf: site of the pass that added to a gradient already stepped with
        self.forgotten: dict[int, Any] = {}  # of those, the ones that a step was made with all the same
        self.learnt: set[int] = set()  # ids of what the program's optimizers change

    def begin(self, walk: Any, node: Any, g: Any) -> None:
        super().begin(walk, node, g)
        self.name_leaves()
        new = self.current
        for v in node.noted.outputs:
            t = v.tensor() if v.tensor is not None else None
            if t is not None and t._edge is not None and t._edge[0] is node:
                place = new.site[:2] if new.site is not None else None
                self.roots.pop(place, None)
                self.roots[place] = (self.called.get(id(t), "loss"), t)
                if len(self.roots) > 8:
                    self.roots.pop(next(iter(self.roots)))
                if t._array.dtype.kind in "fc" and not np.isfinite(t._array).all():
                    self.first_bad = self.first_bad or new
        for sink, held in new.held.items():
            leaf = sink.variable
            if held is None or not np.any(leaf._grad._array):
                self.mixed.pop(id(leaf), None)
            elif id(leaf) in self.stepped:
                self.mixed.setdefault(id(leaf), new.site)

    def name_leaves(self) -> None:
        self.called: dict[int, str] = {}
        frame: Any = sys._getframe(1)
        while frame is not None:
            name = frame.f_code.co_filename
            if _internal(name):
                if name.endswith("cli.py"):
                    break
            else:
                variables = variables_of(frame)
                by_id, _ = name_tensors(variables)
                for key, called in by_id.items():
                    self.called.setdefault(key, called)
                for v in variables.values():
                    if is_module(v):
                        self.modules[id(v)] = v
                    groups = attributes(v).get("param_groups") if not isinstance(v, (type, Tensor)) else None
                    if isinstance(groups, list):
                        self.learnt |= {id(p) for group in groups for p in group.get("params", ())}
                for t in tensors_in(variables):
                    if t._rg and t._edge is None and id(t) in by_id:
                        self.leaves.setdefault(id(t), (by_id[id(t)], t))
                        self.codes.setdefault(id(t), frame.f_code)
            frame = frame.f_back

    def after(self, node: Any, g: Any, grads: tuple[Any, ...]) -> None:
        super().after(node, g, grads)
        for x, (target, _) in zip(grads, node.next, strict=False):
            if x is not None and target.__class__ is AccumulateGrad:
                key = id(target.variable)
                if isinstance(target.variable, Parameter):
                    self.got[key] = target.variable
                self.stepped.discard(key)
                if not self.given.get(key):
                    self.given[key] = bool(np.any(x._array if isinstance(x, Tensor) else x))

    def written(self, t: Any) -> None:
        super().written(t)
        if self.passes:
            self.changed_once.add(id(t))
        if id(t) in self.given:
            self.stepped.add(id(t))
            if id(t) in self.mixed and getattr(t, "_grad", None) is not None:
                self.forgotten.setdefault(id(t), self.mixed[id(t)])

    def tensors_given(self) -> list[Tensor]:
        """Leaves that are no Parameters, and got a gradient."""
        return [t for k, (_, t) in self.leaves.items() if k in self.given and not isinstance(t, Parameter)]

    def finished(self, variables: dict[str, Any]) -> None:
        self.variables = dict(variables)

    def names_among(self, variables: dict[str, Any]) -> Names:
        names = Names(None, variables)
        names.codes = self.codes
        names.modules = list(self.modules.values())
        for name, t in [*self.leaves.values(), *self.roots.values()]:
            names.by_id.setdefault(id(t), name)
        return names


def whole(watcher: ScriptWatcher, raised: BaseException | None, variables: dict[str, Any]) -> list[Why]:
    """What there is to say of a script that has run."""
    if raised is not None:
        return [why_error(raised)]
    if watcher.first_bad is not None:
        return [nan(watcher, variables)]
    names = watcher.names_among(variables)
    answers: list[Why] = []
    for name, leaf in watcher.leaves.values():
        if id(leaf) not in watcher.given:
            why = _none(watcher, leaf, names)
            aside = (
                why.kind in ("no_grad", "inference_mode", "detach")
                and watcher.learnt
                and id(leaf) not in watcher.learnt
            )
            if not aside:  # a network that no optimizer has and no gradient is wanted of, as for targets
                answers.append(why)
        elif not watcher.given[id(leaf)]:
            answers.append(_zero(watcher, leaf, name, names))
    answers = _grouped(answers)
    answers += not_stepped(watcher, names)
    if watcher.forgotten:
        answers.append(forgotten(watcher))
    return answers


def nan(watcher: ScriptWatcher, variables: dict[str, Any]) -> Why:
    noted = watcher.first_bad or watcher.passes[-1]
    why = bad.of_look(of_pass(watcher, noted, watcher.names_among(variables)))
    if watcher.seen > 1 and watcher.first_bad is not None:
        line = line_of(noted.site)
        if why.kind == "forward" and noted.number > 0:
            why.notes.append(
                "it comes after steps of training: if the values have grown from pass to pass, the learning rate is too large"
            )
        where = f", begun at line {line[1]}" if line is not None else ""
        why.notes.append(
            f"this is backward pass {noted.number + 1} of {watcher.seen}{where}, the first with bad values"
        )
    return why


def of_name(watcher: ScriptWatcher, name: str, variables: dict[str, Any], question: str) -> Why:
    """`--none NAME`, `--zero NAME`. KeyError if no tensor is called so."""
    names = watcher.names_among(variables)
    found = next((t for called, t in watcher.leaves.values() if called == name), None)
    if found is None:
        found = next((t for t in tensors_in(variables) if names.by_id.get(id(t)) == name), None)
    if found is None:
        raise KeyError(name)
    return _none(watcher, found, names) if question == "none" else _zero(watcher, found, name, names)


def _none(watcher: ScriptWatcher, leaf: Tensor, names: Names) -> Why:
    """Of several losses, the one that has to do with the leaf; the latest of them."""
    found = [why_none(t, leaf, _names=names) for _, t in reversed(watcher.roots.values())]
    if not found:
        name = names.of(leaf, "the tensor")
        return Why("unknown", f"no gradient came to {name}; what its losses were is not known any more.")
    return next((why for why in found if why.kind != "unused"), found[0])


def _zero(watcher: ScriptWatcher, leaf: Tensor, name: str, names: Names) -> Why:
    noted: Pass = watcher.passes[-1]
    why = zero.of_look(of_pass(watcher, noted, names), leaf, names)
    if why.kind == "fine" and getattr(leaf, "_grad", None) is None:
        why.notes.append(f"{name}.grad is None now, as it was set to None after the last backward.")
    return why


def _grouped(answers: list[Why]) -> list[Why]:
    """One answer for all parameters that have the same cause."""
    found: dict[Any, Why] = {}
    for why in answers:
        key = why.kind, why.line[:2] if why.line is not None else None, why.advice
        first = found.setdefault(key, why)
        if first is not why:
            first.notes.append(why.title)
    for why in found.values():
        if len(why.notes) > 4:
            why.notes[4:] = [f"... and so for {len(why.notes) - 4} more"]
    return list(found.values())
