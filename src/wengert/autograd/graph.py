"""The graph and what may be hooked into it: nodes, edges, what saved tensors become, hooks over several tensors."""

from __future__ import annotations

import contextlib
import functools
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core.modes import LOCAL, set_mode
from ..core.node import AccumulateGrad, leaf_edge
from ..core.node import Node as _Node
from ..core.saved import Guarded
from ..core.tensor import Tensor
from ..core.views import bump
from .context import Context

__all__ = [
    "GradientEdge",
    "Node",
    "allow_mutation_on_saved_tensors",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "increment_version",
    "register_multi_grad_hook",
    "save_on_cpu",
    "saved_tensors_hooks",
]


class _NodeMeta(type):
    def __instancecheck__(cls, x: object) -> bool:
        return isinstance(x, (_Node, Context))  # the context of a Function stands for its node

    def __subclasscheck__(cls, kind: type) -> bool:
        return kind is cls or issubclass(kind, _Node)


class Node(metaclass=_NodeMeta):
    """What every node of the graph is an instance of; as in PyTorch, a name to ask with and not to derive from."""

    def __new__(cls) -> Any:
        raise TypeError("a Node is made by an operation: autograd.Function states one of your own")


class GradientEdge(NamedTuple):
    """Where the gradient of a tensor enters the graph: stands for the tensor in `grad` and `backward`."""

    node: _Node
    output_nr: int
    ownership_token: Any = None


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """The edge of a tensor that requires grad (of a leaf: to its AccumulateGrad)."""
    if not tensor.requires_grad:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does not require gradients")
    node, nr = tensor._edge or leaf_edge(tensor)
    return GradientEdge(node, nr)


# -- what saved tensors become ---------------------------------------------------------------------------------------


class saved_tensors_hooks:
    """Inside, what backward needs is kept as `pack_hook(tensor)`, and is `unpack_hook(packed)` when it is used.

    The innermost pair counts. `unpack_hook` is called at every access and must give a tensor of the same numbers.
    """

    def __init__(self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]) -> None:
        self.pack_hook = pack_hook
        self.unpack_hook = unpack_hook

    def __enter__(self) -> None:
        if not (callable(self.pack_hook) and callable(self.unpack_hook)):
            raise TypeError("saved_tensors_hooks(): pack_hook and unpack_hook must be callable")
        if LOCAL.saved_hooks_disabled is not None:
            raise RuntimeError(LOCAL.saved_hooks_disabled)
        for transform in LOCAL.transforms:
            transform.refuse_saved_hooks()
        set_mode("saved_hooks", (*LOCAL.saved_hooks, (self.pack_hook, self.unpack_hook)))

    def __exit__(self, *exc: Any) -> None:
        set_mode("saved_hooks", LOCAL.saved_hooks[:-1])


class save_on_cpu(saved_tensors_hooks):
    """Keeps saved tensors on the CPU, where they are already; with `pin_memory`, as copies."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        def pack(t: Tensor) -> Any:
            from ..core.tensor import wrap

            return wrap(np.array(t._array)) if pin_memory else t

        super().__init__(pack, lambda packed: packed)


@contextlib.contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """Inside, using `saved_tensors_hooks` raises RuntimeError with this message."""
    if LOCAL.saved_hooks:
        raise RuntimeError(error_message)
    before = set_mode("saved_hooks_disabled", error_message)
    try:
        yield
    finally:
        set_mode("saved_hooks_disabled", before)


class _MutationContext:
    """Tensors saved so far, by version counter: a change in place first gives them a copy of the old value."""

    def __init__(self) -> None:
        self.saved: dict[int, list[weakref.ref[Guarded]]] = {}
        self.copied: list[weakref.ref[Guarded]] = []

    def guard(self, t: Tensor, output: int | None) -> Guarded:
        guarded = Guarded(self, t, output)
        self.saved.setdefault(id(guarded.counter), []).append(weakref.ref(guarded))
        return guarded

    def changing(self, target: Tensor) -> None:
        """`target` is about to be changed in place."""
        for ref in self.saved.pop(id(target._vc), ()):
            guarded = ref()
            if guarded is not None and guarded.counter is target._vc:
                guarded.old = np.array(guarded.value)
                self.copied.append(ref)

    @property
    def cloned(self) -> dict[tuple[int, int], np.ndarray[Any, Any]]:
        """The copies that some node still needs, by what was changed and the version it had."""
        alive = [g for g in (ref() for ref in self.copied) if g is not None]
        return {(id(g.counter), g.version): g.old for g in alive if g.old is not None}

    @property
    def tid_to_weakhandle(self) -> dict[int, list[weakref.ref[Guarded]]]:
        """What some node has saved and nobody has changed since."""
        return {key: refs for key, refs in self.saved.items() if any(ref() is not None for ref in refs)}

    def clear(self) -> None:
        self.saved.clear()
        self.copied.clear()


@contextlib.contextmanager
def allow_mutation_on_saved_tensors() -> Iterator[_MutationContext]:
    """Inside, a saved tensor may be changed in place: backward, which must be inside too, uses its old value."""
    if LOCAL.mutation is not None:
        raise RuntimeError("allow_mutation_on_saved_tensors contexts cannot be nested")
    context = _MutationContext()
    set_mode("mutation", context)
    try:
        yield context
    finally:
        context.clear()
        set_mode("mutation", None)


def increment_version(tensor: Tensor | Iterable[Tensor]) -> None:
    """Count a change in place that the engine did not see, so that backward notices it."""
    if isinstance(tensor, Tensor):
        tensor = (tensor,)
    elif not isinstance(tensor, Iterable):
        raise RuntimeError("increment_version expect a Iterable[Tensor] as input")
    for t in tensor:
        if not isinstance(t, Tensor):
            raise RuntimeError("increment_version expects each element of the iterable to be a tensor")
        bump(t)


# -- a hook over several tensors -------------------------------------------------------------------------------------


class _Handles:
    """Removes all of several hooks."""

    def __init__(self, handles: Sequence[Any]) -> None:
        self.handles = tuple(handles)

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()

    def __enter__(self) -> _Handles:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.remove()


def register_multi_grad_hook(tensors: Sequence[Tensor], fn: Callable[..., None], *, mode: str = "all") -> _Handles:
    """Call `fn` in each backward pass, once: with the list of all gradients (None for a tensor the pass does not reach)
    when the last has come (mode "all"), or with the first one that comes ("any").
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    for t in tensors:
        if not t.requires_grad:
            raise AssertionError("Expected gradient function to be set")
    nodes = [get_gradient_edge(t).node for t in tensors]
    lock = threading.Lock()
    passes: dict[int, list[Any]] = {}  # of passes under way: [gradients still to come, those that came]

    def on_all(index: int, grad: Tensor) -> None:
        key = _current_graph_task_id()
        with lock:
            state = passes.setdefault(key, [-1, [None] * len(nodes)])
            if state[0] < 0:
                state[0] = sum(n in LOCAL.walk[1] for n in nodes)
            state[1][index] = grad
            state[0] -= 1
            done = state[0] == 0
            if done:
                del passes[key]
        if done:
            fn(state[1])

    seen: list[int] = []

    def on_any(grad: Tensor) -> None:
        key = _current_graph_task_id()
        with lock:
            first = key not in seen
            seen[:] = [key]
        if first:
            fn(grad)

    hooks = [functools.partial(on_all, i) if mode == "all" else on_any for i in range(len(nodes))]
    return _Handles([t.register_hook(h) for t, h in zip(tensors, hooks, strict=True)])


# -- the pass under way ----------------------------------------------------------------------------------------------


def _current_graph_task_id() -> int:
    """A number for the innermost backward pass of this thread, -1 outside of one."""
    return -1 if LOCAL.walk is None else int(LOCAL.walk[0])


def _current_autograd_node() -> _Node | None:
    """The node whose hook or Function is running."""
    return LOCAL.node if LOCAL.walk is not None else None


def queue_callback(callback: Callable[[], None]) -> None:
    """Call `callback` when the backward pass under way is over."""
    if LOCAL.walk is None:
        raise RuntimeError("Final callbacks can only be installed during backward pass.")
    LOCAL.walk[4].append(callback)


def _will_engine_execute_node(node: _Node) -> bool:
    """Does the pass under way run this node (or has it done so)?"""
    if not isinstance(node, _Node):
        raise RuntimeError(f"_will_engine_execute_node expects an grad_fn, but got {type(node).__name__}")
    if LOCAL.walk is None:
        raise RuntimeError("_get_should_execute_nodes should only be called during the backward pass")
    _, reached, captured, *_ = LOCAL.walk
    if isinstance(node, AccumulateGrad) and node in captured:
        raise RuntimeError(
            "A leaf node was passed to _will_engine_execute_node but we are currently running autograd.grad(). This is "
            "currently not supported."
        )
    return node in reached


def _engine_run_backward(
    outputs: Any,
    grad_tensors: Any,
    keep_graph: bool,
    create_graph: bool,
    inputs: Any = (),
    allow_unreachable: bool = False,
    accumulate_grad: bool = False,
) -> Any:
    """One walk back, as `backward` (`accumulate_grad`) and `grad` start it."""
    from . import backward, grad

    if accumulate_grad:
        return backward(outputs, grad_tensors, keep_graph, create_graph, inputs=inputs or None)
    return grad(outputs, inputs, grad_tensors, keep_graph, create_graph, allow_unused=allow_unreachable)
