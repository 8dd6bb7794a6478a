"""The few names that PyTorch users reach for in `torch._C`: what the engine is doing now. There is no C here."""

from __future__ import annotations

import warnings
import weakref
from heapq import heapify, heappop, heappush
from types import SimpleNamespace
from typing import Any

from .autograd.function import Function
from .autograd.grad_mode import is_multithreading_enabled
from .autograd.graph import _current_autograd_node as _current_autograd_node
from .autograd.graph import _current_graph_task_id as _current_graph_task_id
from .autograd.graph import _will_engine_execute_node as _will_engine_execute_node
from .core.batched import FALLBACK
from .core.modes import LOCAL
from .core.modes import is_grad_enabled as is_grad_enabled
from .core.node import AccumulateGrad, Node
from .core.overriding import STATE
from .core.overriding import DisableTorchFunction as DisableTorchFunction
from .core.overriding import DisableTorchFunctionSubclass as DisableTorchFunctionSubclass
from .core.overriding import disabled as _disabled_torch_function_impl  # noqa: F401
from .core.overriding import modes_are_asked as _is_torch_function_mode_enabled  # noqa: F401
from .core.saved import SavedTensor, make_saved_tensor
from .core.tensor import Tensor
from .ops.conversion import to_arguments


class UndefinedGrad(Node):
    """`UndefinedGrad()(t)`: `t` again, whose gradient never arrives. For tests."""

    def __call__(self, *tensors: Tensor) -> Any:
        return _applied(_Undefined, tensors)


class DelayedError(Node):
    """`DelayedError(message, n)(t)`: `t` again; walking back from it raises RuntimeError(message). For tests."""

    def __init__(self, message: str, count: int) -> None:
        self.message = message

    def __call__(self, *tensors: Tensor) -> Any:
        return _applied(_Failing, tensors, self.message)


class _Undefined(Function):
    @staticmethod
    def forward(ctx: Any, t: Tensor) -> Tensor:
        return t.view_as(t)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> None:
        return None


class _Failing(Function):
    @staticmethod
    def forward(ctx: Any, t: Tensor, message: str) -> Tensor:
        ctx.message = message
        return t.view_as(t)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        raise RuntimeError(ctx.message)


class _WeakTensorRef:
    """A reference that does not keep its tensor: `expired()` says that it is gone."""

    def __init__(self, t: Tensor) -> None:
        self._ref = weakref.ref(t)

    def expired(self) -> bool:
        return self._ref() is None


def _applied(function: type[Function], tensors: tuple[Tensor, ...], *more: Any) -> Any:
    found = tuple(function.apply(t, *more) for t in tensors)
    return found[0] if len(found) == 1 else found


class _WithWarning(Function):
    @staticmethod
    def forward(ctx: Any, t: Tensor) -> Tensor:
        return t.clone()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        warnings.warn("Warn from backward", UserWarning, stacklevel=2)
        return g


class _NN:
    """`torch._C._nn`: the functions of `nn.functional` under the name they have behind it."""

    def _test_warn_in_autograd(self, t: Tensor) -> Any:
        """`t` again; walking back from it warns. For tests."""
        return _WithWarning.apply(t)

    def _parse_to(self, *args: Any, **kwargs: Any) -> tuple[Any, Any, bool, Any]:
        """`(device, dtype, non_blocking, memory_format)`: what the arguments of `Tensor.to` or `Module.to` say."""
        said = to_arguments(args, kwargs)
        return said.device, said.dtype, said.non_blocking, said.memory_format

    def __getattr__(self, name: str) -> Any:
        import wengert

        for home in (wengert.nn.functional, wengert):
            if hasattr(home, name):
                return getattr(home, name)
        raise AttributeError(f"module 'wengert._C._nn' has no attribute {name!r}")


_nn = _NN()
_functions = SimpleNamespace(AccumulateGrad=AccumulateGrad, DelayedError=DelayedError, UndefinedGrad=UndefinedGrad)


def _unsafe_set_version_counter(tensors: tuple[Any, ...], versions: tuple[int, ...]) -> None:
    """Set the version counters of tensors: what was saved of them before may then pass for unchanged."""
    for t, version in zip(tensors, versions, strict=True):
        if version < 0:
            raise RuntimeError(f"Cannot set a version_counter to a value below 0: {version}")
        if t._vc is None:
            t._vc = [version, None]
        else:
            t._vc[:] = [version, t._vc[1]]


def _debug_only_are_vmap_fallback_warnings_enabled() -> bool:
    """Does `vmap` warn where it computes an operation for each example by itself?"""
    return FALLBACK.warns


def _debug_only_display_vmap_fallback_warnings(enabled: bool) -> None:
    """Let `vmap` warn, or not, where it computes an operation for each example by itself."""
    FALLBACK.warns = enabled


def _set_fwd_grad_enabled(mode: bool) -> None:
    """Whether operations push tangents, from here on."""
    LOCAL.push = mode


_autograd = SimpleNamespace(
    SavedTensor=SavedTensor,
    _make_saved_tensor=make_saved_tensor,
    _saved_tensors_hooks_is_enabled=lambda: LOCAL.saved_hooks_disabled is None,
    _unsafe_set_version_counter=_unsafe_set_version_counter,
    _get_current_graph_task_keep_graph=lambda: LOCAL.walk is None or LOCAL.walk[5],
)


def _current_graph_task_execution_order() -> list[Any]:
    """The nodes of the pass under way, in the order in which they run, those that have run included."""
    if LOCAL.walk is None:
        raise RuntimeError("_current_graph_task_execution_order should only be called during the backward pass")
    if is_multithreading_enabled():
        raise RuntimeError(
            "_current_graph_task_execution_order expects the current backward to be executed with multithreading disabled, "
            "e.g. by running:\n\nwith torch.autograd.set_multithreading_enabled(False):\n    backward()"
        )
    nodes = LOCAL.walk[1]
    waiting = dict.fromkeys(nodes, 0)
    for node in nodes:
        for target, _ in node.next:
            if target in waiting:
                waiting[target] += 1
    ready = [(-node.seq, i, node) for i, node in enumerate(nodes) if not waiting[node]]
    heapify(ready)
    order = []
    while ready:
        _, _, node = heappop(ready)
        order.append(node)
        for target, _ in node.next:
            if target in waiting:
                waiting[target] -= 1
                if not waiting[target]:
                    heappush(ready, (-target.seq, len(order) + len(nodes), target))
    return order


def _is_torch_function_enabled() -> bool:
    """Is an argument's `__torch_function__` asked?"""
    return not STATE.off


def _len_torch_function_stack() -> int:
    """How many TorchFunctionModes are on."""
    return len(STATE.modes)


def _get_function_stack_at(index: int) -> Any:
    """One of the TorchFunctionModes that are on, the outermost first."""
    return STATE.modes[index]
