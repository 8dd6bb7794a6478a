"""An exception's way: the engine's frames, which still hold what they worked on, and the user's line that led there."""

from __future__ import annotations

import ast
from typing import Any

from ...core.tensor import Tensor
from ..notation import public_name
from ..recording import Step, _internal
from ..sites import _span, place
from ..watching import _KEPT, _LATEST, Watcher
from . import reading
from .answer import Code
from .places import Names


class Trail:
    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.message = str(error)
        self.frames: list[tuple[Any, int, int]] = []  # (frame, line, instruction), outermost first
        tb = error.__traceback__
        while tb is not None:
            self.frames.append((tb.tb_frame, tb.tb_lineno, tb.tb_lasti))
            tb = tb.tb_next
        own = [f for f in self.frames if not _internal(f[0].f_code.co_filename)]
        inner = next(
            (i for i, f in enumerate(self.frames) if _internal(f[0].f_code.co_filename) and _after(self, i)), None
        )
        before = (
            [f for f in self.frames[:inner] if not _internal(f[0].f_code.co_filename)] if inner is not None else own
        )
        self.user = before[-1] if before else None  # where the user's program called Wengert
        self.deepest = own[-1] if own else None  # the user's innermost frame: in a hook or a Function, perhaps
        self.names = Names(self.user[0] if self.user is not None else None)

    @property
    def raised_inside(self) -> bool:
        """Was it raised by Wengert's own code, not the user's?"""
        return bool(self.frames) and _internal(self.frames[-1][0].f_code.co_filename)

    @property
    def line(self) -> Code | None:
        return _code(self.user)

    @property
    def site(self) -> Any:
        if self.user is None:
            return None
        frame, line, instruction = self.user
        return frame.f_code, instruction, line, frame.f_globals

    def local(self, function: str, *names: str) -> tuple[Any, ...] | None:
        """Local variables of the innermost frame of an engine's function."""
        for frame, _, _ in reversed(self.frames):
            if frame.f_code.co_name == function and _internal(frame.f_code.co_filename):
                held = frame.f_locals
                return tuple(held.get(n) for n in names)
        return None

    def node(self) -> Any:
        """The node that ran."""
        found = self.local("walk", "node")
        return found[0] if found is not None else None

    def root(self) -> Any:
        """The node that the pass started from."""
        found = self.local("walk", "roots")
        return found[0][0][0] if found is not None and found[0] else None

    def expression(self) -> ast.AST | None:
        """The expression of the user's that raised."""
        found = place(self.site) if self.user is not None else None
        return found.node if found is not None else None

    def tensors(self) -> list[str]:
        """The tensors in that expression with their shapes, for errors about shapes."""
        node = self.expression()
        if node is None or self.user is None:
            return []
        found: dict[str, str] = {}
        for n in ast.walk(node):
            name = reading.dotted(n) if isinstance(n, (ast.Name, ast.Attribute)) else None
            t = _look_up(self.names.variables, name) if name else None
            if name and isinstance(t, Tensor):
                found.setdefault(name, f"{name}: {tuple(t.shape)} {t.dtype}")
        return list(found.values())


def _after(trail: Trail, i: int) -> bool:
    """Is everything from frame `i` on called from Wengert? (Before it stand the user's and, perhaps, the command's own.)"""
    return any(not _internal(f[0].f_code.co_filename) for f in trail.frames[:i])


def _code(found: tuple[Any, int, int] | None) -> Code | None:
    if found is None:
        return None
    frame, line, instruction = found
    span = _span(frame.f_code, instruction)
    return reading.code_at(frame.f_code.co_filename, span[0] if span is not None else line)


def _look_up(variables: dict[str, Any], name: str) -> Any:
    parts = name.split(".")
    found: Any = variables.get(parts[0], variables.get("self") if parts[0] not in variables else None)
    for p in parts[1:] if parts[0] in variables else parts:
        try:
            found = getattr(found, p, None)
        except Exception:  # a property of the user's that raises is not what was asked about
            return None
    return found


def watchers() -> list[Watcher]:
    """Every trace that may know something, the latest first."""
    full = [r for r in (ref() for ref in reversed(_LATEST)) if r is not None]
    return [*full, *(r for r in reversed(_KEPT) if r.traced is not None and r.traced() is None)]


def step_of_node(node: Any) -> tuple[Watcher, Step] | None:
    """The step that made a node, if a trace saw it."""
    for w in watchers():
        for step in reversed(w.steps):
            if step.seq == node.seq and (node.op is None or step.op is node.op or step.op.name == node.op.name):
                return w, step
    return None


def kept_name(node: Any, name: str) -> str:
    """What a node calls something that it saved, said for people."""
    if node.op is not None and name in node.op.outputs:
        return f"its result (as {name!r})"
    return f"its argument {name!r}"


__all__ = ["Trail", "kept_name", "public_name", "step_of_node", "watchers"]
