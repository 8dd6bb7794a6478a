"""What a node saved, as users may see it: `grad_fn._saved_self`, `grad_fn._raw_saved_self`, pack and unpack hooks.

The names are PyTorch's: `self` is the first argument, `result` the output, `self_sym_sizes` a saved shape. What is
saved at all is declared by the parameter names of the operation's rules; nothing here adds to it.
"""

from __future__ import annotations

import math
import re
from typing import Any

from .modes import LOCAL, set_mode
from .node import FREED_MESSAGE, Node, leaf_edge
from .tensor import Tensor, wrap

# PyTorch saves a size, or the number of elements, where that is all it needs.
_OF_SHAPE = re.compile(r"(?P<whose>\w+)_sym_(?:numel|argsize_(?P<dim>(?:minus_)?\d+))")


class Packed:
    """A saved tensor that went through a pack hook: what the hook returned, and its place in the graph.

    `output`: it is this output of the node that saves it, whose place in the graph is there.
    """

    __slots__ = ("edge", "output", "packed", "rg", "unpack_hook")

    _vc = None

    def __init__(self, t: Tensor, pack_hook: Any, unpack_hook: Any, output: int | None = None) -> None:
        self.output = output
        self.rg = t._rg or output is not None
        self.edge = None if output is not None or not t._rg else t._edge or leaf_edge(t)
        self.unpack_hook = unpack_hook
        # The tensor itself, so that what is unpacked can be it; a result alone, for it will hold the node that saves it.
        given = t if output is None else t.detach()
        version = given._version
        before = set_mode("saved_hooks", ())
        grad = set_mode("grad", False)
        try:
            self.packed = pack_hook(given)
        finally:
            set_mode("grad", grad)
            set_mode("saved_hooks", before)
        if given._version != version:
            raise RuntimeError(
                "A saved tensor pack hook is modifying its input in place. Tensors provided as input to pack hook "
                "cannot be modified by in-place operations as this can lead to unexpected side-effects. Please "
                "open an issue if you need to perform in-place operations on the input to a pack hook."
            )

    def unpack(self, node: Any = None) -> Tensor:
        """The tensor, at its place in the graph. The hook is called each time."""
        t = self.unpack_hook(self.packed)
        if not isinstance(t, Tensor):
            raise TypeError(
                f"Output of saved tensor unpack_hook expected to be a Tensor but got result of type {type(t).__name__}"
            )
        edge = (node, self.output) if self.output is not None else self.edge
        if not self.rg or edge == (None, 0) or edge is None:
            return t
        placed = wrap(t._array)
        placed._vc = t._vc
        placed._rg, placed._edge = True, edge
        return placed

    @property
    def _array(self) -> Any:
        """What an ordinary backward pass reads."""
        before = set_mode("grad", False)
        try:
            return self.unpack()._array
        finally:
            set_mode("grad", before)


class Guarded(Packed):
    """A tensor saved inside `allow_mutation_on_saved_tensors`: its old value, should it be changed in place."""

    __slots__ = ("__weakref__", "context", "counter", "old", "value", "version")

    def __init__(self, context: Any, t: Tensor, output: int | None) -> None:
        self.output = output
        self.rg = t._rg or output is not None
        self.edge = None if output is not None or not t._rg else t._edge or leaf_edge(t)
        if t._vc is None:
            t._vc = [0, None]
        self.context = context
        self.counter = t._vc
        self.version = t._vc[0]
        self.value = t._array
        self.old: Any = None

    def unpack(self, node: Any = None) -> Tensor:
        if LOCAL.mutation is not self.context:
            raise AssertionError(
                "Trying to backward outside of the 'allow_mutation_on_saved_tensors' context in which the graph was "
                "originally recorded."
            )
        t = wrap(self.value if self.old is None else self.old)
        edge = (node, self.output) if self.output is not None else self.edge
        if self.rg and edge is not None:
            t._rg, t._edge = True, edge
        return t


def pack(node: Any, t: Any, output: int | None = None) -> Any:
    """What to keep of a tensor that is saved on the careful road; `output`: it is this output of the node."""
    if not isinstance(t, Tensor):
        return t
    kept = keep_tensor(t, output)
    if isinstance(kept, Packed):
        node.more().unpacks = True
    return kept


def keep_tensor(t: Any, output: int | None) -> Any:
    if t is None:
        return None
    if t._extra is not None and t._extra.inference:
        from .node_calls import INFERENCE_MESSAGE

        raise RuntimeError(INFERENCE_MESSAGE)
    if LOCAL.saved_hooks:
        pack_hook, unpack_hook = LOCAL.saved_hooks[-1]
        return Packed(t, pack_hook, unpack_hook, output)
    if LOCAL.mutation is not None:
        return LOCAL.mutation.guard(t, output)
    return t if output is None else t._array


class SavedTensor:
    """`_raw_saved_*`: one saved tensor of one node, to which a pair of hooks may be given.

    `holder.<name>` is where it is kept: the node, or the place a Function keeps it in.
    """

    __slots__ = ("_holder", "_name", "_node")

    def __init__(self, holder: Any = None, name: str = "", node: Any = None) -> None:
        if holder is None:
            raise RuntimeError(
                "Trying to create a SavedTensor object from Python is forbidden. Unless this is being done by PyTorch itself."
            )
        self._holder = holder
        self._name = name
        self._node = node

    @property
    def data(self) -> Any:
        """What is kept: what the pack hook returned, or the tensor."""
        value = getattr(self._holder, self._name)
        if isinstance(value, Packed):
            return value.packed
        return value if value is None or isinstance(value, Tensor) else wrap(value)

    @property
    def unpack_hook(self) -> Any:
        value = getattr(self._holder, self._name)
        return value.unpack_hook if isinstance(value, Packed) else None

    def unpack(self) -> Any:
        """The tensor; the unpack hook is called each time."""
        value = getattr(self._holder, self._name)
        return value.unpack(self._node) if hasattr(value, "unpack") else value

    def register_hooks(self, pack_hook: Any = None, unpack_hook: Any = None) -> None:
        for hook in (pack_hook, unpack_hook):
            if not callable(hook):
                raise TypeError("incompatible function arguments: hooks must be callable")
        value = getattr(self._holder, self._name)
        if self._node.freed:
            raise RuntimeError(
                "Calling register_hooks on a saved tensor after it has been freed. Saved intermediate values of the "
                "graph are freed when you call .backward() or autograd.grad(). Specify retain_graph=True if you need "
                "to backward through the graph a second time or if you need to access saved variables after calling "
                "backward."
            )
        if value is None:
            raise RuntimeError("Calling register_hooks on a saved tensor with value None is forbidden")
        if isinstance(value, Packed):
            raise RuntimeError(
                "Calling register_hooks on a saved tensor whose hooks have already been set. Hint: only one pair of "
                "hooks is allowed at a time."
            )
        output = getattr(self._holder, "output", None)
        if not isinstance(value, Tensor):
            output = self._node.op.outputs.index(self._name) if output is None else output
            value = wrap(value)
        setattr(self._holder, self._name, Packed(value, pack_hook, unpack_hook, output))
        if isinstance(self._node, Node):
            self._node.more().unpacks = True


class _Item:
    """The place of one tensor of a list that a node saved; `k` is None for a dimension that x[...] did not index."""

    def __init__(self, node: Any, name: str, k: int | None) -> None:
        self.node, self.name, self.k = node, name, k

    @property
    def value(self) -> Any:
        return None if self.k is None else getattr(self.node, self.name)[self.k]

    @value.setter
    def value(self, new: Any) -> None:
        items = list(getattr(self.node, self.name))
        items[self.k] = new  # type: ignore[index]
        setattr(self.node, self.name, tuple(items))


def _numbered(node: Any, name: str) -> tuple[int | None, ...]:
    """Which tensor of a saved list PyTorch shows at each place: of x[...] one for each dimension, None if not indexed."""
    if name != "indices" or "dims" not in node.variant.saves:
        return tuple(range(len(getattr(node, name))))
    dims = node.dims
    return tuple(dims.index(d) if d in dims else None for d in range(max(dims) + 1))


class _Holder:
    """A saved tensor without a node."""

    freed = False

    def __init__(self, value: Any) -> None:
        self.value = value


def make_saved_tensor(t: Tensor, is_output: bool = False) -> SavedTensor:
    """Keep a tensor as a node would: packed by the hooks that are on."""
    holder = _Holder(keep_tensor(t, None))
    return SavedTensor(holder, "value", holder)


def _own_name(node: Any, shown: str) -> str | None:
    """Our slot for PyTorch's name of a saved value, or None."""
    variant = getattr(type(node), "variant", None)
    if variant is None:
        return None
    saves = variant.saves
    if shown.endswith("_sym_sizes"):
        base = shown.removesuffix("_sym_sizes")
        base = "input" if base == "self" else base
        shown = base + "_shape"
        if shown in saves:
            return shown
    if shown == "self":
        shown = "input" if any(p.name == "input" for p in node.op.params) else node.op.tensor_params[0].name
    if shown == "result":
        return node.op.outputs[0] if node.op.outputs[0] in saves else None
    return shown if shown in saves else None


def saved_names(node: Any) -> list[str]:
    """PyTorch's names, `_saved_...` and `_raw_saved_...`, of what a node saves."""
    variant = getattr(type(node), "variant", None)
    if variant is None:
        return []
    names = []
    for name, (how, _) in variant.saves.items():
        first = node.op.tensor_params[0].name if not any(p.name == "input" for p in node.op.params) else "input"
        shown = name.removesuffix("_shape")
        shown = "self" if shown == first else "result" if how == "output" and shown == node.op.outputs[0] else shown
        if how in ("shape", "shapes", "scalar_shape", "output_shape"):
            names.append(f"_saved_{shown}_sym_sizes")
            continue
        names.append(f"_saved_{shown}")
        if how in ("tensor", "list", "output"):
            names.append(f"_raw_saved_{shown}")
    return names


def read_saved(node: Any, attribute: str) -> Any:
    """`node._saved_x` or `node._raw_saved_x`. AttributeError for what this node does not save."""
    raw = attribute.startswith("_raw_")
    shown = attribute.removeprefix("_raw").removeprefix("_saved_")
    part = _OF_SHAPE.fullmatch(shown)
    name = _own_name(node, f"{part['whose']}_sym_sizes" if part else shown)
    if name is None:
        raise AttributeError(f"'{type(node).__name__}' object has no attribute '{attribute}'")
    how = node.variant.saves[name][0]
    if part and not raw and how != "shapes":
        shape = getattr(node, name)
        return math.prod(shape) if part["dim"] is None else shape[int(part["dim"].replace("minus_", "-"))]
    if raw and how == "list":
        return tuple(SavedTensor(_Item(node, name, k), "value", node) for k in _numbered(node, name))
    if raw:
        return SavedTensor(node, name, node)
    if how in ("shape", "shapes", "plain", "scalar_shape", "output_shape"):
        return getattr(node, name)
    if node.freed:
        raise RuntimeError(FREED_MESSAGE)
    value = getattr(node, name)
    if isinstance(value, Packed):
        return value.unpack(node)
    if how == "list":
        items = [x.unpack(node) if isinstance(x, Packed) else x for x in value]
        return tuple(None if k is None else items[k] for k in _numbered(node, name))
    if how == "output":
        from .node_calls import saved_output

        return saved_output(node, name, node.op.outputs.index(name), True)
    if isinstance(value, Tensor) and value._vc is not None:
        from .node_calls import check_version

        check_version(node, name, value)
    return wrap(value) if how == "aux" else value
