"""The transforms that are running in this thread: what each was given, so that it can tell what is not its own.

Tensors inside a transform are plain ones (see `func.transforms`), so nothing is paid for this while a function runs. Two
questions are asked of it, rarely: how a tensor is shown inside (`show`), and whether a change in place reaches a tensor
that the function captured instead of taking it as an argument (`changing`).
"""

from __future__ import annotations

import functools
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..core.modes import LOCAL
from ..core.tangents import tangent_at
from ..core.tensor import Tensor

_REVERSE = "torch.func.{grad, vjp, jacrev, hessian}"
NO_SAVED_HOOKS = _REVERSE + " don't yet support saved tensor hooks. Please open an issue with your use case."


class Opened:
    """One running transform: a context manager, innermost last in `LOCAL.transforms`."""

    def __init__(self, func: Callable[..., Any] | None = None, given: Any = (), level: int | None = None) -> None:
        self.func = func  # None: captures are not asked for (vmap has its own rules of what may be changed)
        self.given = given
        self.level = level  # of vmap or forward mode
        self.places: list[Tensor] = []
        self.entered: list[tuple[Tensor, Tensor]] = []  # arguments as the function sees them, and as they were given

    def __enter__(self) -> Opened:
        LOCAL.transforms = (*LOCAL.transforms, self)
        return self

    def __exit__(self, *exc: Any) -> None:
        LOCAL.transforms = LOCAL.transforms[:-1]

    @staticmethod
    def show(t: Tensor, plain: Callable[[Any], str]) -> str | None:
        return show(t, plain)

    @staticmethod
    def changing(target: Tensor, name: str) -> None:
        changing(target, name)

    @staticmethod
    def refuse(call: str) -> None:
        """Raise: `call` is for tensors outside."""
        also = " (or perhaps using torch.autograd.functional.* APIs)" if "requires_grad_" in call else ""
        raise RuntimeError(
            f"You are attempting to call Tensor.{call}{also} inside of a function being transformed by a functorch transform. "
            "This is unsupported, please attempt to use the functorch transforms (e.g. grad, vjp, jacrev, jacfwd, hessian) or "
            f"call {call} outside of a function being transformed instead."
        )

    def refuse_saved_hooks(self) -> None:
        """Raise in reverse mode, whose saved tensors are the transform's own."""
        if self.func is not None and self.level is None:
            raise RuntimeError(NO_SAVED_HOOKS)

    def tracks(self, t: Tensor) -> bool:
        """Does `t` depend on what this transform differentiates or maps over?"""
        if self.level is not None:
            return tangent_at(t, self.level) is not None
        own = {id(p) for p in self.places}
        if id(t) in own:
            return True
        nodes = {id(p._edge[0]) for p in self.places if p._edge is not None}
        stack = [t._edge[0]] if t._rg and t._edge is not None else []
        seen = set()
        while stack:
            node = stack.pop()
            if node is None or node in seen:
                continue
            if id(node) in nodes or id(getattr(node, "variable", None)) in own:
                return True
            seen.add(node)
            stack.extend(target for target, _ in node.next)
        return False


class OpenedMap(Opened):
    """A running `vmap`; what is captured by its function has rules of its own (`core.batched.store`)."""

    def tracks(self, t: Tensor) -> bool:
        return self.level in _levels(t._array)


def _levels(array: Any) -> list[int]:
    found = []
    while hasattr(array, "level"):
        found.append(array.level)
        array = array.value
    return found


def show(t: Tensor, plain: Callable[[Any], str]) -> str | None:
    """The text of `t` inside the open transforms: the wrappers PyTorch would have put around it, outermost transform
    innermost; None where it belongs to none of them. `plain` shows the array.
    """
    array = t._array
    while hasattr(array, "level"):
        array = array.value
    text = None
    hidden = len(_levels(t._array))
    for number, transform in enumerate(LOCAL.transforms, 1):
        if not transform.tracks(t):
            continue
        if text is None:
            text = plain(array)
        mapped = isinstance(transform, OpenedMap)
        kind = "BatchedTensor" if mapped else "GradTrackingTensor"
        hidden -= mapped
        where = f", bdim={hidden}" if mapped else ""
        text = f"{kind}(lvl={number}{where}, value=\n{textwrap.indent(text, '    ', lambda _: True)}\n)"
    return text


def changing(target: Tensor, name: str) -> None:
    """`target` is about to be changed in place: raise where a running transform's function captured it."""
    for transform in reversed(LOCAL.transforms):
        if transform.func is None:
            base = target if target._extra is None or target._extra.base is None else target._extra.base
            if LOCAL.grad and any(x is base and t._rg and t._edge is None for x, t in transform.entered):
                raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
            continue
        owner = _owner(target)
        if any(_owner(x) is owner for x in (*transform.places, *transform.given)):
            return
        if any(_owner(x) is owner for x in captured(transform.func)):
            raise RuntimeError(
                "During a grad (vjp, jvp, grad, etc) transform, the function provided attempted to call in-place operation "
                f"(aten::{name}) that would mutate a captured Tensor. This is not supported; please rewrite the function "
                "being transformed to explicitly accept the mutated Tensor(s) as inputs."
            )


def debug_unwrap(tensor: Tensor, *, recurse: bool = True) -> Tensor:
    """The tensor behind an argument of a running transform: what it was before the transforms (with `recurse` all of them).

    For looking only: what is computed with it is not mapped or differentiated.
    """
    if not isinstance(tensor, Tensor):
        raise ValueError(f"Expected a tensor, but got {type(tensor)}")
    for transform in reversed(LOCAL.transforms):
        for inside, outside in transform.entered:
            if inside is tensor:
                return debug_unwrap(outside, recurse=True) if recurse else outside
    return tensor


def _owner(t: Tensor) -> Any:
    """The array that owns the memory: aliases share it."""
    array = t._array
    while isinstance(getattr(array, "base", None), np.ndarray):
        array = array.base
    return array


def captured(func: Any, depth: int = 4) -> Iterator[Tensor]:
    """The tensors that a function reaches without their being arguments: in its closure, defaults and globals, also through
    other functions and containers. Attributes of objects are not looked at.
    """
    if isinstance(func, Tensor):
        yield func
        return
    if not depth:
        return
    func = inspect.unwrap(func) if callable(func) else func
    inner: list[Any] = []
    if isinstance(func, functools.partial):
        inner = [func.func, *func.args, *func.keywords.values()]
    elif isinstance(func, (list, tuple)):
        inner = list(func)
    elif isinstance(func, dict):
        inner = list(func.values())
    elif hasattr(func, "__code__"):
        names = func.__globals__
        inner = [*(func.__defaults__ or ()), *(func.__kwdefaults__ or {}).values()]
        if not str(names.get("__name__")).startswith("wengert."):
            inner += [names[n] for n in func.__code__.co_names if isinstance(names.get(n), Tensor)]
        for cell in func.__closure__ or ():
            try:
                inner.append(cell.cell_contents)
            except ValueError:  # not yet assigned
                continue
    for x in inner:
        yield from captured(x, depth - 1)
