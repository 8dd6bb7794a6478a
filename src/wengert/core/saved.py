"""What a node saved, as users may see it: `grad_fn._saved_self`, `grad_fn._raw_saved_self`, pack and unpack hooks.

The names are PyTorch's: `self` is the first argument, `result` the output, `self_sym_sizes` a saved shape. What is
saved at all is declared by the parameter names of the operation's rules; nothing here adds to it.
"""

from __future__ import annotations

from typing import Any

from .modes import LOCAL, set_mode
from .node import FREED_MESSAGE
from .tensor import Tensor, wrap


class Packed:
    """A saved tensor that went through a pack hook: what the hook returned, and how to get the tensor back."""

    __slots__ = ("edge", "packed", "rg", "unpack_hook")

    _vc = None

    def __init__(self, t: Tensor, pack_hook: Any, unpack_hook: Any) -> None:
        version = t._vc[0] if t._vc is not None else 0
        self.rg = t._rg
        self.edge = t._edge
        self.unpack_hook = unpack_hook
        before = set_mode("saved_hooks", ())
        grad = set_mode("grad", False)
        try:
            self.packed = pack_hook(t)
        finally:
            set_mode("grad", grad)
            set_mode("saved_hooks", before)
        if (t._vc[0] if t._vc is not None else 0) != version:
            raise RuntimeError(
                "A saved tensor pack hook is modifying its input in place. Tensors provided as input to pack hook "
                "can not be modified by in-place operations as this can lead to unexpected side-effects. Please "
                "open an issue if you need to perform in-place operations on the input to a pack hook."
            )

    def unpack(self, node: Any = None) -> Tensor:
        t = self.unpack_hook(self.packed)
        if not isinstance(t, Tensor):
            raise TypeError(
                "Output of saved tensor unpack_hook expected to be a Tensor but got result of type "
                f"{type(t).__name__}"
            )
        return t

    @property
    def _array(self) -> Any:
        return self.unpack()._array


def pack(node: Any, t: Any, is_output: bool = False) -> Any:
    """What to keep of a tensor that is saved on the careful road."""
    if not isinstance(t, Tensor):
        return t
    if t._extra is not None and t._extra.inference:
        raise RuntimeError(
            "Inference tensors cannot be saved for backward. Please do not use Tensors created in inference mode in "
            "computation tracked by autograd. To work around this, you can make a clone to get a normal tensor and "
            "use it in autograd, or use `torch.no_grad()` instead of `torch.inference_mode()`."
        )
    if LOCAL.saved_hooks:
        pack_hook, unpack_hook = LOCAL.saved_hooks[-1]
        return Packed(t.detach() if is_output else t, pack_hook, unpack_hook)
    if LOCAL.mutation is not None:
        LOCAL.mutation.saved(node, t)
    return t._array if is_output else t


class SavedTensor:
    """`_raw_saved_*`: one saved tensor of one node, to which a pair of hooks may be given."""

    __slots__ = ("_name", "_node")

    def __init__(self, node: Any, name: str) -> None:
        self._node = node
        self._name = name

    def register_hooks(self, pack_hook: Any, unpack_hook: Any) -> None:
        value = getattr(self._node, self._name)
        if isinstance(value, Packed):
            raise RuntimeError(
                "Calling register_hooks on a saved tensor whose hooks have already been set. Hint: only one pair of "
                "hooks is allowed at a time."
            )
        if self._node.freed:
            raise RuntimeError(
                "Calling register_hooks on a saved tensor after it has been freed. Saved intermediate values of the "
                "graph are freed when you call .backward() or autograd.grad(). Specify retain_graph=True if you need "
                "to backward through the graph a second time or if you need to access saved variables after calling "
                "backward."
            )
        if value is None:
            raise RuntimeError("Calling register_hooks on a saved tensor with value None is forbidden")
        for hook in (pack_hook, unpack_hook):
            if not callable(hook):
                raise TypeError("incompatible function arguments: hooks must be callable")
        t = value if isinstance(value, Tensor) else wrap(value)
        setattr(self._node, self._name, Packed(t, pack_hook, unpack_hook))


_ALIASES = {"self": "input", "result": "out", "exponent": "exponent"}


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
        first = node.op.tensor_params[0].name
        return first if first in saves else None
    if shown == "result":
        return node.op.outputs[0] if node.op.outputs[0] in saves else None
    return shown if shown in saves else None


def read_saved(node: Any, attribute: str) -> Any:
    """`node._saved_x` or `node._raw_saved_x`. AttributeError for what this node does not save."""
    raw = attribute.startswith("_raw_")
    shown = attribute.removeprefix("_raw").removeprefix("_saved_")
    name = _own_name(node, shown)
    if name is None:
        raise AttributeError(f"'{type(node).__name__}' object has no attribute '{attribute}'")
    how = node.variant.saves[name][0]
    if raw:
        return SavedTensor(node, name)
    if how in ("shape", "shapes", "plain", "scalar_shape", "output_shape"):
        return getattr(node, name)
    if node.freed:
        raise RuntimeError(FREED_MESSAGE)
    value = getattr(node, name)
    if isinstance(value, Packed):
        return value.unpack(node)
    if how == "output":
        from .backward import saved_output

        return saved_output(node, name, node.op.outputs.index(name), True)
    if isinstance(value, Tensor) and value._vc is not None:
        from .backward import check_version

        check_version(node, name, value)
    return wrap(value) if how == "aux" else value
