"""The public autograd API, shaped like `torch.autograd`."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..core.backward import grad as _grad
from ..core.backward import run_walk
from ..core.modes import LOCAL, Observer, set_mode
from ..core.node import AccumulateGrad, leaf_edge
from ..core.roots import roots_of
from ..core.saved import SavedTensor as SavedTensor
from ..core.tensor import Tensor
from .graph import GradientEdge

_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_LOG: Any = None  # the logger, once anything has imported logging: until then nobody listens

_CYCLE = (
    "Using backward() with create_graph=True will create a reference cycle between the parameter and its gradient "
    "which can cause a memory leak. We recommend using autograd.grad when creating the graph to avoid this. If you "
    "have to use this function, make sure to reset the .grad fields of your parameters to None after use to break the "
    "cycle and avoid the leak."
)


def _sequence(x: Any) -> tuple[Any, ...]:
    if isinstance(x, (Tensor, GradientEdge)):
        return (x,)
    return tuple(x.values()) if isinstance(x, dict) else tuple(x)


def _gradients(given: Any, outputs: tuple[Any, ...]) -> tuple[Any, ...]:
    if given is None:
        return (None,) * len(outputs)
    found = _sequence(given)
    if len(found) != len(outputs):
        raise RuntimeError(f"got {len(outputs)} tensors and {len(found)} gradients")
    return found


class _Log(Observer):
    """Tells the log of each node that runs."""

    def before(self, node: Any, g: Any) -> None:
        incoming = g if isinstance(g, (list, tuple)) else [g]
        shown = ", ".join("None" if x is None else f"{_short(x.dtype)}{list(x.shape)}" for x in incoming)
        _LOG.debug("Executing: %s with grad_outputs: [%s]", node, shown)


def _short(dtype: Any) -> str:
    """`f32` for float32, as PyTorch's log has it."""
    d = np.dtype(getattr(dtype, "np", dtype))
    return f"{d.kind}{d.itemsize * 8}"


def _logged() -> Any:
    """Inside, each node that runs is logged, if that is what the logger's level says."""
    global _LOG
    if _LOG is None:
        logging = sys.modules.get("logging")
        if logging is None:
            return _NOTHING
        _LOG = logging.getLogger(f"{__name__}.graph")
    return _logging() if _LOG.isEnabledFor(10) else _NOTHING  # logging.DEBUG


_NOTHING = contextlib.nullcontext()


@contextlib.contextmanager
def _logging() -> Iterator[None]:
    before = set_mode("observers", (*LOCAL.observers, _Log()))
    try:
        yield
    finally:
        set_mode("observers", before)


_WHY = "Why, and what to change: wengert.explain.why_error() of this exception, or `wengert why SCRIPT`."


def _point(error: Exception) -> None:
    """Let an error that the engine raised, not a hook or a Function, say where an explanation is."""
    tb = error.__traceback__
    while tb is not None and tb.tb_next is not None:
        tb = tb.tb_next
    place = tb.tb_frame.f_code.co_filename if tb is not None else ""
    if (
        place.startswith((_HERE, "<wengert"))
        and not isinstance(error, Warning)
        and _WHY not in getattr(error, "__notes__", ())
    ):
        error.add_note(_WHY)


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Sum of the gradients of `tensors` with respect to the leaves, added to the leaves' `.grad`.

    `grad_tensors` are the vectors of the vector-Jacobian products, None for a tensor of one element. With `inputs`,
    only those tensors accumulate. If anything raises, every `.grad` is left as it was.
    """
    if LOCAL.transforms or LOCAL.vmap_levels:
        raise RuntimeError(
            "backward() called inside a functorch transform. This is not supported, please use functorch.grad or "
            "functorch.vjp instead or call backward() outside of functorch transforms."
        )
    if grad_variables is not None:
        warnings.warn("`grad_variables` is deprecated. Use `grad_tensors` instead.", FutureWarning, stacklevel=2)
        if grad_tensors is not None:
            raise RuntimeError(
                "`grad_tensors` and `grad_variables` (deprecated) arguments both passed to `backward()`. Please only "
                "use `grad_tensors`."
            )
        grad_tensors = grad_variables
    try:
        outputs = _sequence(tensors)
        gradients = _gradients(grad_tensors, outputs)
        keep = create_graph if retain_graph is None else retain_graph
        sinks = None
        if inputs is not None:
            wanted = _sequence(inputs)
            if not wanted:
                raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
        roots = roots_of(outputs, gradients, create_graph)
        if create_graph:
            warnings.warn(_CYCLE, UserWarning, stacklevel=2)
        if inputs is not None:
            sinks = set()
            for t in wanted:
                if isinstance(t, Tensor):
                    if not t._rg:
                        raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
                    node, _ = t._edge or leaf_edge(t)
                else:
                    node = t.node
                sinks.add(node)  # a result's own node runs too, and what it makes goes no further
                if node.__class__ is not AccumulateGrad and isinstance(t, Tensor):
                    t.retain_grad()
        with _logged():
            run_walk(roots, keep, create_graph, None, sinks)
    except Exception as error:
        _point(error)
        raise


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> Any:
    """Gradients of `outputs` with respect to `inputs`, returned and not accumulated.

    A tuple with one entry for each input (a dict for a dict). An input that the outputs do not depend on is an error,
    None with `allow_unused`, zeros with `materialize_grads`.
    """
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False."
        )
    if allow_unused is None:
        allow_unused = materialize_grads
    if not only_inputs:
        warnings.warn(
            "only_inputs argument is deprecated and is ignored now (defaults to True). To accumulate gradient for other "
            "parts of the graph, please use torch.autograd.backward.",
            FutureWarning,
            stacklevel=2,
        )
    outs = _sequence(outputs)
    ins = _sequence(inputs)
    if not ins:
        raise RuntimeError("`inputs` argument to `grad()` cannot be empty.")
    gradients = _gradients(grad_outputs, outs)
    compute = _batched if is_grads_batched else _grad
    try:
        with _logged():
            results = compute(outs, ins, gradients, retain_graph, create_graph, allow_unused)
    except Exception as error:
        _point(error)
        raise
    if materialize_grads:
        from ..ops.filling import zeros_like

        if any(g is None and isinstance(t, GradientEdge) for g, t in zip(results, ins, strict=True)):
            raise RuntimeError("materialize_grads cannot be used when the given input is a GradientEdge")
        results = tuple(
            zeros_like(t, requires_grad=create_graph) if g is None else g for g, t in zip(results, ins, strict=True)
        )
    if isinstance(inputs, dict):
        return dict(zip(inputs, results, strict=True))
    return results


def _batched(
    outs: Sequence[Any],
    ins: Sequence[Any],
    gradients: Sequence[Any],
    retain_graph: bool | None,
    create_graph: bool,
    allow_unused: bool,
) -> tuple[Any, ...]:
    """One vector-Jacobian product for each entry of the gradients' leading dimension, all in one pass."""
    from ..func import vmap

    for i, (o, g) in enumerate(zip(outs, gradients, strict=True)):
        if g is not None and g._array.shape[1:] != o._array.shape:
            raise RuntimeError(
                "If `is_grads_batched=True`, we interpret the first dimension of each grad_output as the batch "
                "dimension. The sizes of the remaining dimensions are expected to match the shape of corresponding "
                f"output, but a mismatch was detected: grad_output[{i}] has a shape of {g.shape} and output[{i}] has a "
                f"shape of {o.shape}. If you only want some tensors in `grad_output` to be considered batched, consider "
                "using vmap."
            )
    reached: list[bool] = []

    def one(*given: Any) -> tuple[Any, ...]:
        starts = iter(given)
        each = [None if g is None else next(starts) for g in gradients]
        found = _grad(outs, ins, each, retain_graph, create_graph, allow_unused)
        reached[:] = [g is not None for g in found]
        return tuple(g for g in found if g is not None)

    found = iter(vmap(one, randomness="same")(*(g for g in gradients if g is not None)))
    return tuple(next(found) if r else None for r in reached)


def _calculate_shape(output: Tensor, grad: Tensor, is_grads_batched: bool) -> tuple[Any, Any]:
    """The shapes that must agree: of an output, and of a gradient for it."""
    return output.shape, grad.shape[1:] if is_grads_batched else grad.shape


def kineto_available() -> bool:
    """Is PyTorch's tracing library there? No: `profiler` is plain Python."""
    return False


def _profiler_enabled() -> bool:
    """Does a profiler look on?"""
    recording = sys.modules.get("wengert.profiler.recording")
    return recording is not None and bool(recording._RECORDERS)


def variable(*args: Any, **kwargs: Any) -> Any:
    """Gone, as in PyTorch."""
    raise RuntimeError("torch.autograd.variable(...) is deprecated, use torch.tensor(...) instead")


def _accumulates() -> bool:
    """May a reentrant checkpoint run: is the pass that is going on, if any, one over all leaves?"""
    return LOCAL.walk is None or bool(LOCAL.walk[3])


from . import forward_ad as forward_ad  # noqa: E402  (they use what is above)
from . import function as function  # noqa: E402
from . import functional as functional  # noqa: E402
from . import grad_mode as grad_mode  # noqa: E402
from . import graph as graph  # noqa: E402
from .anomaly_mode import detect_anomaly as detect_anomaly  # noqa: E402
from .anomaly_mode import set_detect_anomaly as set_detect_anomaly  # noqa: E402
from .function import Function as Function  # noqa: E402
from .grad_mode import _force_original_view_tracking as _force_original_view_tracking  # noqa: E402
from .grad_mode import _unsafe_preserve_version_counter as _unsafe_preserve_version_counter  # noqa: E402
from .grad_mode import enable_grad as enable_grad  # noqa: E402
from .grad_mode import inference_mode as inference_mode  # noqa: E402
from .grad_mode import is_multithreading_enabled as is_multithreading_enabled  # noqa: E402
from .grad_mode import is_view_replay_enabled as is_view_replay_enabled  # noqa: E402
from .grad_mode import no_grad as no_grad  # noqa: E402
from .grad_mode import set_grad_enabled as set_grad_enabled  # noqa: E402
from .grad_mode import set_multithreading_enabled as set_multithreading_enabled  # noqa: E402
from .gradcheck import GradcheckError as GradcheckError  # noqa: E402
from .gradcheck import gradcheck as gradcheck  # noqa: E402
from .gradcheck import gradgradcheck as gradgradcheck  # noqa: E402


class _VariableMeta(type):
    def __instancecheck__(cls, x: object) -> bool:
        return isinstance(x, Tensor)


class Variable(metaclass=_VariableMeta):
    """The name that tensors which require grad once had: `Variable(data, requires_grad)` is a Tensor of the same memory."""

    _execution_engine = SimpleNamespace(queue_callback=graph.queue_callback, is_checkpoint_valid=_accumulates)

    def __new__(cls, data: Any = None, requires_grad: bool = False, volatile: bool = False) -> Any:
        if volatile:
            warnings.warn(
                "volatile was removed and now has no effect. Use `with torch.no_grad():` instead.",
                UserWarning,
                stacklevel=2,
            )
        return (Tensor() if data is None else data.detach()).requires_grad_(requires_grad)


__all__ = [
    "Function",
    "GradcheckError",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "forward_ad",
    "function",
    "functional",
    "grad",
    "grad_mode",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
    "set_multithreading_enabled",
]


def __getattr__(name: str) -> Any:
    if name == "torch":  # PyTorch's own modules are there under this name
        return sys.modules["wengert"]
    if name in ("profiler", "profiler_util", "_functions"):
        return importlib.import_module("." + name, __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
