"""Nodes of the backward graph, and the edges between them.

An edge is a pair `(node, input_nr)`: "the gradient goes to `node`, as the gradient of its forward output number
`input_nr`". `node.next` holds one edge for each differentiable argument of the operation, in argument order, and
`NO_EDGE` for an argument that needs no gradient. Walking them is `core.backward`'s work; making them is
`core.record`'s. What a node saves is declared by its operation's row (`core.op`).
"""

from __future__ import annotations

import itertools
import re
import sys
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

if TYPE_CHECKING:
    from .op import Op
    from .tensor import Tensor

Edge = tuple[Any, int]
_BACKWARD = re.compile(r"Backward\d*$")
# PyTorch's engine makes these itself, and their names say so.
_ENGINE_NODES = frozenset(["AccumulateGrad", "CopyBackwards", "CopySlices"])
NO_EDGE: Edge = (None, 0)

# Sequence numbers grow as nodes are made, and an edge always points at an older node (a leaf's sink apart):
# the walk runs the ready node with the highest number first, which is PyTorch's order too.
SEQUENCE = itertools.count()
LAST = sys.maxsize  # AccumulateGrad: runs as soon as it is ready

FREED_MESSAGE = (
    "Trying to backward through the graph a second time (or directly access saved tensors after they have already "
    "been freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). "
    "Specify retain_graph=True if you need to backward through the graph a second time or if you need to access "
    "saved tensors after calling backward."
)


class RemovableHandle:
    """What `register_hook` returns: `remove()` takes the hook away, also as a context manager's exit."""

    _ids = itertools.count()

    def __init__(self, hooks: OrderedDict[int, Any], *, extra_dict: Any = None) -> None:
        self.hooks_dict_ref = weakref.ref(hooks)
        self.id = next(RemovableHandle._ids)
        self.extra_dicts = (
            () if extra_dict is None else tuple(extra_dict) if isinstance(extra_dict, list) else (extra_dict,)
        )

    def remove(self) -> None:
        hooks = self.hooks_dict_ref()
        if hooks is not None:
            hooks.pop(self.id, None)
        for extra in self.extra_dicts:
            extra.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.remove()


class Hooks(OrderedDict[int, Any]):
    """An ordered set of hooks that a RemovableHandle can refer to weakly."""

    def add(self, hook: Any) -> RemovableHandle:
        handle = RemovableHandle(self)
        self[handle.id] = hook
        return handle


class NodeExtra:
    """What few nodes have: hooks, metadata, where they were made. `node.extra` is None without any."""

    __slots__ = ("metadata", "posthooks", "prehooks", "retained", "tensor_hooks", "unpacks", "user")

    def __init__(self) -> None:
        self.tensor_hooks: dict[int, Hooks] = {}  # by output number
        self.retained: dict[int, weakref.ref[Tensor]] = {}  # retain_grad, by output number
        self.prehooks = Hooks()
        self.posthooks = Hooks()
        self.metadata: dict[str, Any] = {}
        self.user: Any = None
        self.unpacks = False  # what it saved is unpacked by hooks, which may give it further hooks while it runs


class InputMetadata:
    """Shape and dtype of one forward output of a node (what a gradient arriving there must conform to)."""

    __slots__ = ("dtype", "shape")

    is_nested_tensor = is_cpp_nested_tensor = False

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.shape = shape
        self.dtype = dtype

    @property
    def device(self) -> Any:
        from .device import CPU

        return CPU


class Node:
    """One executed operation. Subclasses, one for each row of the tables, add slots for what they save."""

    __slots__ = ("__weakref__", "dtype", "extra", "freed", "next", "noted", "outs", "seq", "shape")

    op: ClassVar[Op | None] = None
    n_outputs: ClassVar[int] = 1
    user_code: ClassVar[bool] = False  # runs a user's Function: grad mode must be set for it
    part: ClassVar[Any] = None  # of a row with `part`: the part of an array that its result was of the argument

    seq: int
    next: tuple[Edge, ...]
    shape: tuple[int, ...] | None  # of the forward output; None where there are several, see `outs`
    dtype: np.dtype[Any]
    outs: tuple[tuple[tuple[int, ...], np.dtype[Any]], ...]
    extra: NodeExtra | None
    freed: bool
    noted: Any  # what an observer knows of its forward; unset where none looked on

    # -- what the walk calls -------------------------------------------------------------------------------
    def run(self, g: Any, keep: bool) -> tuple[Any, ...]:
        """Gradients of the arguments (arrays) from that of the output; frees what was saved unless `keep`."""
        raise NotImplementedError(f"{self.name()} has no backward rule")

    def run_recorded(self, g: Any, keep: bool) -> tuple[Any, ...]:
        """The same with Tensors, so that it is itself recorded (`create_graph=True`)."""
        raise NotImplementedError(f"{self.name()} has no backward rule that can be differentiated again")

    def release(self) -> None:
        """Drop what was saved."""
        self.freed = True

    def output_meta(self, nr: int) -> tuple[Any, np.dtype[Any]]:
        return self.outs[nr] if self.n_outputs != 1 else (self.shape, self.dtype)

    # -- the public face -----------------------------------------------------------------------------------
    def name(self) -> str:
        kind = type(self).__name__
        return f"torch::autograd::{kind}" if kind in _ENGINE_NODES else kind

    def operation(self) -> str:
        """The name without `Backward0`, as PyTorch's messages have it."""
        return _BACKWARD.sub("", self.name())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} object at {hex(id(self))}>"

    @property
    def next_functions(self) -> tuple[Edge, ...]:
        return self.next

    @property
    def metadata(self) -> dict[str, Any]:
        return self.more().metadata

    @property
    def _input_metadata(self) -> tuple[InputMetadata, ...]:
        from . import dtypes

        metas = [self.output_meta(i) for i in range(self.n_outputs)]
        return tuple(InputMetadata(shape, dtypes.of(d)) for shape, d in metas)

    def _sequence_nr(self) -> int:
        return self.seq

    def _set_sequence_nr(self, number: int) -> None:
        """Of the nodes that are ready, the one with the highest number runs first."""
        self.seq = number

    def more(self) -> NodeExtra:
        if self.extra is None:
            self.extra = NodeExtra()
        return self.extra

    def register_prehook(self, fn: Callable[..., Any]) -> RemovableHandle:
        """`fn(grad_outputs) -> tuple | None`, called before the node runs."""
        return self.more().prehooks.add(fn)

    def register_hook(self, fn: Callable[..., Any]) -> RemovableHandle:
        """`fn(grad_inputs, grad_outputs) -> tuple | None`, called after the node has run."""
        return self.more().posthooks.add(fn)

    def __call__(self, *grads: Any) -> Any:
        """Run this node's rule by hand: gradients of the outputs in, gradients of the arguments out."""
        from .backward import call_node

        return call_node(self, grads)

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("_saved_", "_raw_saved_")):
            from .saved import read_saved

            return read_saved(self, name)
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __dir__(self) -> list[str]:
        from .saved import saved_names

        return [*super().__dir__(), *saved_names(self)]


class AccumulateGrad(Node):
    """The sink of a leaf: adds what arrives to the leaf's `.grad`."""

    __slots__ = ("variable",)

    variable: Tensor

    def __init__(self, variable: Tensor) -> None:
        self.seq = LAST
        self.next = ()
        self.shape = variable._array.shape
        self.dtype = variable._array.dtype
        self.extra = None
        self.freed = False
        self.variable = variable


def leaf_edge(leaf: Tensor) -> Edge:
    """The edge to a leaf's sink. The graph owns the sink, the leaf only knows it: no reference cycle."""
    try:
        sink = leaf._acc()
    except AttributeError:
        sink = None
    if sink is None:
        if not leaf._rg:
            return NO_EDGE
        sink = AccumulateGrad(leaf)
        leaf._acc = weakref.ref(sink)
    return (sink, 0)
