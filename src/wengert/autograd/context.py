"""The context that a Function's methods get: what they share, and what forward says about its outputs.

It is an object of its own beside the node that the walk runs, so that a user's attributes (`ctx.shape = x.shape`) are the
user's and the engine's are the engine's. The node owns its context; the context only knows the node: no reference cycle.
How a Function is run is `autograd.function`'s.
"""

from __future__ import annotations

import warnings
import weakref
from typing import Any

from ..core.node import FREED_MESSAGE
from ..core.saved import SavedTensor
from ..core.tensor import Tensor

__all__ = ["Context", "FunctionCtx"]


class FunctionCtx:
    """What forward and backward share: saved tensors, and what forward says about its outputs."""

    to_save: tuple[Any, ...] | None = None
    dirty_tensors: tuple[Any, ...] | None = None
    non_differentiable: tuple[Any, ...] | None = None
    saved_for_forward: tuple[Any, ...] | None = None
    needs_input_grad: tuple[bool, ...]
    _materialize = True
    _materialize_non_diff_grads = True
    _is_pure_view = False

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep inputs or outputs (or None) for backward, which finds them in `saved_tensors`. The last call counts."""
        self.to_save = tensors

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """Keep tensors for `jvp`, which finds them in `saved_tensors`."""
        for t in tensors:
            if t is not None and not isinstance(t, Tensor):
                raise AssertionError(
                    "save_for_forward expects all arguments to be tensors; you should save non-tensors as attributes on "
                    "ctx."
                )
        self.saved_for_forward = tensors

    def mark_dirty(self, *args: Tensor) -> None:
        """Say that these inputs were changed in place; each must be returned."""
        self.dirty_tensors = args

    def mark_non_differentiable(self, *args: Tensor) -> None:
        """Say that these outputs have no derivative."""
        self.non_differentiable = args

    def set_materialize_grads(self, value: bool) -> None:
        """Should backward get zeros (the default) or None for a gradient that did not arrive?"""
        self._materialize = bool(value)


class Context(FunctionCtx):
    """The context of one call of a Function, which knows its node."""

    _in_jvp = False

    def __init__(self, node: Any) -> None:
        self.__node = weakref.ref(node)
        self.__hash = hash(node)

    # In PyTorch they are one object: here they are equal.
    def __eq__(self, other: object) -> bool:
        return self is other or self.__node() is other

    def __hash__(self) -> int:
        return self.__hash

    @property
    def _node(self) -> Any:
        node = self.__node()
        if node is None:
            raise RuntimeError(FREED_MESSAGE)
        return node

    def __repr__(self) -> str:
        node = self.__node()
        return super().__repr__() if node is None else repr(node)

    def __getattr__(self, name: str) -> Any:
        # What was set on `y.grad_fn` is found here, as what is set here is found there.
        reference = self.__dict__.get("_Context__node")
        node = reference() if reference is not None else None
        if node is None or name not in node.own:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        return node.own[name]

    # -- what the node knows -------------------------------------------------------------------------------------
    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """What `save_for_backward` kept; in `jvp`, what `save_for_forward` kept."""
        return self.saved_for_forward or () if self._in_jvp else self._node.saved_tensors

    @property
    def saved_variables(self) -> tuple[Tensor | None, ...]:
        """The old name of `saved_tensors`."""
        warnings.warn("'saved_variables' is deprecated; use 'saved_tensors'", DeprecationWarning, stacklevel=2)
        return self.saved_tensors

    @property
    def _raw_saved_tensors(self) -> tuple[SavedTensor, ...]:
        return self._node._raw_saved_tensors

    @property
    def next_functions(self) -> tuple[Any, ...]:
        return self._node.next_functions

    @property
    def metadata(self) -> dict[str, Any]:
        return self._node.metadata

    @property
    def _input_metadata(self) -> tuple[Any, ...]:
        return self._node._input_metadata

    @property
    def _forward_cls(self) -> Any:
        return self._node._forward_cls

    def name(self) -> str:
        return self._node.name()

    def _sequence_nr(self) -> int:
        return self._node._sequence_nr()

    def register_hook(self, fn: Any) -> Any:
        """`Node.register_hook`, on this call's node."""
        return self._node.register_hook(fn)

    def register_prehook(self, fn: Any) -> Any:
        """`Node.register_prehook`, on this call's node."""
        return self._node.register_prehook(fn)
