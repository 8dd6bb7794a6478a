"""Names and lines for what an answer speaks of: of tensors, of steps that were watched, and of nodes that were not."""

from __future__ import annotations

import ast
import re
import sys
import types
from typing import Any

from ...core.tensor import Tensor
from ..notation import public_name
from ..recording import Step, _internal
from ..sites import attributes, has_method, line_of, name_tensors, place, variables_of
from . import reading
from .answer import Code, Site

_LINE = re.compile(r"(.*):(\d+): (.*)", re.DOTALL)
# What an operation may be called by in the source, besides its name.
_ALSO = {"linear": ("Linear", "fc", "linear"), "pow": ("pow",), "conv": ("conv1d", "conv2d", "conv3d")}


def caller() -> Any:
    """The user's innermost frame."""
    frame: Any = sys._getframe(1)
    while frame is not None and _internal(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


class Names:
    """What the user calls the tensors that one frame knows."""

    def __init__(self, frame: Any, variables: dict[str, Any] | None = None) -> None:
        self.frame = frame
        self.variables = variables_of(frame) if variables is None else variables
        self.by_id, self.by_edge = name_tensors(self.variables)
        self.codes: dict[int, Any] = {}  # by id of a tensor: the function that knows it, where that is not the frame's
        self.modules = [v for v in self.variables.values() if is_module(v)]

    def of(self, t: Any, otherwise: str = "the tensor") -> str:
        found = self.known(t)
        return found if found is not None else otherwise

    def known(self, t: Any) -> str | None:
        if not isinstance(t, Tensor):
            return None
        found = self.by_id.get(id(t))
        if found is None and t._edge is not None:
            found = self.by_edge.get((t._edge[0].seq, t._edge[1]))
        own = t._extra.name if t._extra is not None else None
        return own or found

    def here(self) -> Code | None:
        """The line that runs in the frame now."""
        if self.frame is None:
            return None
        return reading.code_at(self.frame.f_code.co_filename, self.frame.f_lineno)


def is_module(v: Any) -> bool:
    return has_method(v, "named_modules")


def declared(leaf: Any, modules: list[Any]) -> Code | None:
    """The line in a user's module, `self.scale = nn.Parameter(...)` or `self.fc = nn.Linear(...)`, that a parameter is of."""
    for root in modules:
        held = dict(root.named_modules())
        for path, module in held.items():
            attribute = next((k for k, p in module._parameters.items() if p is leaf), None)
            while attribute is not None:
                code = getattr(type(module).__init__, "__code__", None)
                if code is not None and not _internal(code.co_filename):
                    line = reading.assigned(code, f"self.{attribute}")
                    return None if line is None else reading.code_at(code.co_filename, line)
                if not path:
                    return None
                path, _, attribute = path.rpartition(".")
                module = held[path]
    return None


def function_of(node: Any) -> Any:
    """The user's Function that a node runs the backward of."""
    return getattr(node, "_forward_cls", None)


def rule_line(function: Any) -> Code | None:
    """Where a Function's backward returns its gradients."""
    rule = getattr(function, "vjp" if function is not None and "vjp" in vars(function) else "backward", None)
    code = getattr(rule, "__code__", None)
    if code is None:
        return None
    returns = [s.lineno for s in reading.statements(code.co_filename, code) if isinstance(s, ast.Return)]
    return reading.code_at(code.co_filename, returns[-1] if returns else code.co_firstlineno)


def tensors_in(variables: dict[str, Any]) -> list[Any]:
    """Tensors among some variables: themselves, in modules, lists, dicts and objects."""
    found: list[Any] = []
    for v in variables.values():
        if isinstance(v, Tensor):
            found.append(v)
        elif isinstance(v, (list, tuple, dict)):
            inner = list(v.values() if isinstance(v, dict) else v)[:1000]
            found += [x for x in inner if isinstance(x, Tensor)]
        elif not isinstance(v, (type, types.ModuleType)):
            if is_module(v):
                found += v.parameters()
            found += [x for x in attributes(v).values() if isinstance(x, Tensor)]
    return found


def bare_name(op: str) -> str:
    """The name of an operation, without what tells its variants apart."""
    return public_name(op).removesuffix("_rows").rstrip("_")


def operation(node: Any) -> str:
    """What a node did, as the user calls it."""
    if getattr(node, "op", None) is not None:
        return bare_name(node.op.name)
    return str(node.operation().rsplit("::", 1)[-1])


def step_site(step: Step, what: str, kind: str = "") -> Site:
    return Site(what, line_of(step.site), kind or public_name(step.op.name))


def source_of(step: Step | None) -> str | None:
    """The expression in the program that ran a step."""
    if step is None or step.site is None:
        return None
    found = place(step.site)
    return found.text if found is not None and found.text else None


def line_of_node(node: Any, step: Step | None, names: Names | None, mentions: str | None = None) -> Code | None:
    """Where a node was made: as it was watched, as anomaly mode noted it, or where the source leaves no choice."""
    if step is not None and step.site is not None:
        return line_of(step.site)
    if node is not None and node.extra is not None and "line_" in node.extra.metadata:
        found = _LINE.match(node.extra.metadata["line_"])
        if found:
            return found[1], int(found[2]), found[3]
    if names is None or names.frame is None or node is None:
        return None
    code = names.frame.f_code
    line = reading.only_call(code.co_filename, code, operation(node), mentions=mentions)
    return None if line is None else reading.code_at(code.co_filename, line)
