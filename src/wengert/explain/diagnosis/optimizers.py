"""What goes wrong between gradients and optimizers: parameters that no step changes, gradients that were never reset."""

from __future__ import annotations

from typing import Any

from ...core.tensor import Tensor
from ..sites import line_of
from . import reading
from .answer import Code, Site, Why
from .places import Names, declared, is_module


def not_stepped(watcher: Any, names: Names) -> list[Why]:
    """What got gradients, and what no optimizer knows of though it knows of others."""
    left = {k: p for k, p in watcher.got.items() if k not in watcher.changed_once}
    found = [_hidden_tensor(watcher, p) for p in watcher.tensors_given() if watcher.learnt]
    answers = [why for why in found if why is not None]
    if left and len(left) < len(watcher.got):
        answers.append(_hidden_modules(watcher, left) or _left_out(left, names))
    return answers


def _left_out(left: dict[int, Any], names: Names) -> Why:
    known = [name for name in (names.by_id.get(k) for k in left) if name]
    which = f"{', '.join(known[:3])}{', ...' if len(known) > 3 else ''}" if known else f"{len(left)} parameters"
    return Why(
        "not stepped",
        f"{which} got gradients, but no optimizer step changed {'it' if len(left) == 1 else 'them'}, while other parameters "
        "were.",
        line=declared(next(iter(left.values())), names.modules),
        advice="give the optimizer all parameters that are to be learnt (model.parameters()), and make it after the model is "
        "whole.",
    )


def _hidden_modules(watcher: Any, left: dict[int, Any]) -> Why | None:
    """Modules in a plain list or dict of a module, which `parameters()` does not see."""
    for module in (m for root in watcher.modules.values() for m in root.modules()):
        for attribute, held in vars(module).items():
            inside = list(held.values()) if isinstance(held, dict) else held if isinstance(held, (list, tuple)) else []
            lost = [m for m in inside if is_module(m) and any(id(p) in left for p in m.parameters())]
            if lost and not attribute.startswith("_"):
                return Why(
                    "not stepped",
                    f"The parameters of self.{attribute} got gradients, but no optimizer step changed them: a plain "
                    f"{type(held).__name__} hides its modules from parameters().",
                    line=_assigned(module, attribute),
                    advice=f"make it a module too: nn.{'ModuleDict' if isinstance(held, dict) else 'ModuleList'}(...).",
                )
    return None


def _hidden_tensor(watcher: Any, leaf: Tensor) -> Why | None:
    """A plain tensor of a module, which `parameters()` does not see."""
    if id(leaf) in watcher.learnt or id(leaf) in watcher.changed_once:
        return None
    for module in (m for root in watcher.modules.values() for m in root.modules()):
        for attribute, held in vars(module).items():
            if held is leaf:
                line = _assigned(module, attribute)
                right = line[2].partition("=")[2].strip() if line is not None else ""
                made = right.replace(", requires_grad=True", "")
                return Why(
                    "not stepped",
                    f"self.{attribute} got a gradient, but no optimizer step changed it: a plain tensor is not among the "
                    "parameters() of its module.",
                    line=line,
                    advice="make it a parameter:" if right else "make it a parameter: nn.Parameter(...).",
                    rewrite=[f"self.{attribute} = nn.Parameter({made})"] if right else [],
                )
    return None


def _assigned(module: Any, attribute: str) -> Code | None:
    code = getattr(type(module).__init__, "__code__", None)
    line = reading.assigned(code, f"self.{attribute}") if code is not None else None
    return reading.code_at(code.co_filename, line) if code is not None and line is not None else None


def forgotten(watcher: Any) -> Why:
    key, site = next(iter(watcher.forgotten.items()))
    count = len(watcher.forgotten)
    name = watcher.leaves[key][0] if key in watcher.leaves else "a parameter"
    more = f" and {count - 1} more parameters" if count > 1 else ""
    return Why(
        "accumulated",
        f"{name}.grad{more} still held the gradient of an earlier pass, already used by a step, when this pass added to it.",
        [Site("this backward added to an old gradient", line_of(site), "accumulated")],
        line_of(site),
        "call optimizer.zero_grad() before each backward(), unless adding up over several steps is meant.",
    )
