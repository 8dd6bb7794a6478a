"""Hooks on the gradients of a whole module: nodes around it that see what goes in and out of its backward."""

from __future__ import annotations

from typing import Any

from ..core.node import SEQUENCE, Node, leaf_edge
from ..core.tensor import Tensor, wrap


class _Boundary(Node):
    """Passes several gradients through and lets a callback see, or replace, them together."""

    __slots__ = ("callback", "count")

    user_code = True

    def __init__(self, tensors: list[Tensor], callback: Any) -> None:
        self.seq = next(SEQUENCE)
        self.extra = None
        self.freed = False
        self.shape = None
        self.outs = tuple((t._array.shape, t._array.dtype) for t in tensors)
        self.next = tuple(t._edge or leaf_edge(t) for t in tensors)
        self.callback = callback
        self.count = len(tensors)

    @property
    def n_outputs(self) -> int:  # type: ignore[override]
        return self.count

    def name(self) -> str:
        return "BackwardHookFunctionBackward"

    def run(self, g: Any, keep: bool) -> tuple[Any, ...]:
        given = tuple(None if x is None else wrap(x) for x in g or (None,) * self.count)
        return tuple(None if x is None else x._array for x in self.callback(given))

    def run_recorded(self, g: Any, keep: bool) -> tuple[Any, ...]:
        return tuple(self.callback(tuple(g or (None,) * self.count)))


def _through(tensors: list[Tensor], callback: Any) -> list[Tensor]:
    """Views of `tensors` whose gradients pass through one boundary."""
    node = _Boundary(tensors, callback)
    passed = []
    for i, t in enumerate(tensors):
        new = wrap(t._array)
        new._rg, new._edge, new._vc = True, (node, i), t._vc
        passed.append(new)
    return passed


class BackwardHooks:
    """One call of a module that has backward hooks."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.outgoing: tuple[Any, ...] = ()  # gradients of the outputs, as they came
        self.inputs = 0
        self.places: list[int] = []

    def enter(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        self.inputs = len(args)
        self.places = [i for i, a in enumerate(args) if isinstance(a, Tensor) and a._rg]
        if not self.places:
            return args
        passed = _through([args[i] for i in self.places], self._arrived)
        new = list(args)
        for i, t in zip(self.places, passed, strict=True):
            new[i] = t
        return tuple(new)

    def leave(self, result: Any) -> Any:
        single = isinstance(result, Tensor)
        if not single and not isinstance(result, tuple):
            raise TypeError(
                "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors but received "
                f"{type(result)}"
            )
        outs = [result] if single else list(result)
        where = [i for i, o in enumerate(outs) if isinstance(o, Tensor) and o._rg]
        if not where:
            return result
        passed = _through([outs[i] for i in where], lambda g: self._started(g, len(outs), where))
        for i, t in zip(where, passed, strict=True):
            outs[i] = t
        return outs[0] if single else tuple(outs)

    def _started(self, grads: tuple[Any, ...], count: int, where: list[int]) -> tuple[Any, ...]:
        full: list[Any] = [None] * count
        for i, g in zip(where, grads, strict=True):
            full[i] = g
        given = tuple(full)
        for hook in list(self.module._backward_pre_hooks.values()):
            changed = hook(self.module, given)
            if changed is not None:
                given = changed if isinstance(changed, tuple) else (changed,)
        self.outgoing = given
        if not self.places:
            # No input takes a gradient: the hooks see the outputs' gradients now, as there is nothing to wait for.
            for hook in list(self.module._backward_hooks.values()):
                hook(self.module, (None,) * self.inputs, given)
        return tuple(given[i] for i in where)

    def _arrived(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        full: list[Any] = [None] * self.inputs
        for i, g in zip(self.places, grads, strict=True):
            full[i] = g
        given = tuple(full)
        for hook in list(self.module._backward_hooks.values()):
            changed = hook(self.module, given, self.outgoing)
            if changed is not None:
                given = changed if isinstance(changed, tuple) else (changed,)
                if len(given) != self.inputs:
                    raise RuntimeError(
                        f"Backward hook returned an invalid number of grad_input, got {len(given)}, but expected "
                        f"{self.inputs}"
                    )
        return tuple(given[i] for i in self.places)
