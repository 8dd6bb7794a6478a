"""Which module's call each step belongs to: hooks that a trace puts around every module's forward while it watches.

When no trace is on, nothing is here: the call of a module is what it was before.
"""

from __future__ import annotations

import threading
from typing import Any


class Scope:
    """One call of one module."""

    __slots__ = ("kind", "label", "parent")

    def __init__(self, label: str, kind: str, parent: Scope | None) -> None:
        self.label = label  # the module's path in the outermost one, or its class where it is the outermost
        self.kind = kind
        self.parent = parent

    def chain(self) -> list[Scope]:
        """From the outermost call to this one."""
        found: list[Scope] = []
        scope: Scope | None = self
        while scope is not None:
            found.append(scope)
            scope = scope.parent
        return found[::-1]


class Watch:
    """Notes into `recorder.scope` the call that is running, between `start` and `stop`."""

    def __init__(self, recorder: Any) -> None:
        self.recorder = recorder
        self.open: list[tuple[Any, Scope | None]] = []  # (module, the scope before its call)
        self.paths: dict[int, str] = {}  # of the modules in the outermost one that is open
        self.handles: list[Any] = []
        self.before: Any = None
        self.thread = 0

    def start(self) -> None:
        from ..nn import hooks
        from ..nn.module import Module

        self.thread = threading.get_ident()
        self.before = Module.__dict__.get("_hooks")
        self.handles = [
            hooks.register_module_forward_pre_hook(self.enter),
            hooks.register_module_forward_hook(self.leave, always_call=True),
        ]

    def stop(self) -> None:
        from ..nn.hooks import GLOBAL
        from ..nn.module import Module

        for handle in self.handles:
            handle.remove()
        self.handles = []
        if self.before is None and not (GLOBAL.forward_pre or GLOBAL.forward or GLOBAL.backward_pre or GLOBAL.backward):
            Module._hooks = None  # the short road again

    def enter(self, module: Any, args: Any) -> None:
        if threading.get_ident() != self.thread:
            return
        if not self.open:
            self.paths = {id(m): path for path, m in module.named_modules()}
        kind = type(module).__name__
        before = self.recorder.scope
        self.open.append((module, before))
        self.recorder.scope = Scope(self.paths.get(id(module)) or kind, kind, before)

    def leave(self, module: Any, args: Any, output: Any) -> None:
        if threading.get_ident() != self.thread:
            return
        while self.open:
            found, before = self.open.pop()
            self.recorder.scope = before
            if found is module:
                return
