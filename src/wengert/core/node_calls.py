"""What the compiled code of a node calls while it runs: saved values and their versions, missing gradients, fused rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import dtypes
from .counters import unseen
from .fitting import reducible, sum_to
from .modes import LOCAL, set_mode
from .node import FREED_MESSAGE, Edge
from .tensor import Tensor, wrap

INFERENCE_MESSAGE = (
    "Inference tensors cannot be saved for backward. Please do not use Tensors created in inference mode in computation "
    "tracked by autograd. To work around this, you can make a clone to get a normal tensor and use it in autograd, or use "
    "`torch.no_grad()` instead of `torch.inference_mode()`."
)


def versions_of(pairs: tuple[tuple[str, Any], ...]) -> dict[int, int] | None:
    """Versions, by identity of the saved tensor, of those that have been changed in place already."""
    found = None
    for _, t in pairs:
        if t is not None and t._vc is not None:
            if t._extra is not None and t._extra.inference:
                raise RuntimeError(INFERENCE_MESSAGE)
            version = t._vc[0]
            if version:
                if found is None:
                    found = {}
                found[id(t)] = version
    return found


def check_version(n: Any, name: str, saved: Any) -> None:
    """Raise PyTorch's error if the saved tensor was changed in place, or detached, after it was saved."""
    check_attached(n, saved)
    expected = 0 if n.versions is None else n.versions.get(id(saved), 0)
    if saved._vc[0] != expected:
        raise modified_error(saved._array, saved._vc, expected, saved._edge, n, name)


def check_attached(n: Any, saved: Any) -> None:
    """Raise PyTorch's error if a tensor that `n` saved as an argument was detached in place since: it could no longer say
    where in the graph it was, and a second derivative would take it for a constant.
    """
    if saved._extra is not None and saved._extra.detached > n.seq:
        raise RuntimeError(
            "Trying to use a saved tensor that has been detached in-place, i.e. with .detach_().This is not supported, please "
            "use out-of-place `.detach()` instead"
        )


def modified_error(array: Any, counter: list[Any], expected: int, edge: Edge | None, n: Any, name: str) -> RuntimeError:
    """PyTorch's error for a saved value that was changed in place: by `counter` now, at version `expected` when saved."""
    kind = dtypes.of(array.dtype).tensor_type
    source = ""
    if edge is not None and edge[0] is not None:
        source = f", which is output {edge[1]} of {edge[0].operation()},"
    message = (
        "one of the variables needed for gradient computation has been modified by an inplace operation: "
        f"[torch.{kind}Tensor {list(array.shape)}]{source} is at version {counter[0]}; expected version {expected} instead."
    )
    if unseen(counter):
        message += f" {unseen(counter)} of these changes were made through .data, which `_version` does not count."
    if LOCAL.anomaly is None:
        message += (
            " Hint: enable anomaly detection to find the operation that failed to compute its gradient, with "
            "torch.autograd.set_detect_anomaly(True, check_nan=False)."
        )
    else:
        message += LOCAL.anomaly.modified_hint(n, name, counter)
    return RuntimeError(message)


def saved_output(n: Any, name: str, k: int, recorded: bool) -> Any:
    """A result that its own node saved: the array, or a Tensor hung on this node again."""
    value = getattr(n, name)
    if value.__class__ is not np.ndarray and hasattr(value, "unpack"):
        return value.unpack(n) if recorded else value._array
    counter, expected = _counter(n, name)
    if counter is not None and counter[0] != expected:
        raise modified_error(value, counter, expected, (n, k), n, name)
    if not recorded:
        return value
    t = wrap(value)
    t._vc = counter
    if n.op.differentiable[k] and value.dtype.kind in "fcV":
        t._rg = True
        t._edge = (n, k)
    return t


def _counter(n: Any, name: str) -> tuple[Any, int]:
    kept = [s for s, (how, _) in n.variant.saves.items() if how == "output"]
    i = kept.index(name)
    return n.out_counters[i], n.out_versions[i]


def materialise(n: Any, k: int, recorded: bool) -> Any:
    """Zeros in place of a gradient that did not arrive."""
    shape, dtype = n.outs[k]
    zeros = np.zeros(shape, dtype)
    return wrap(zeros) if recorded else zeros


def opposite(g: Any, node: Any) -> Any:
    """`-g` for the large gradient of something smaller that was broadcast, which is `node`'s result: summed first."""
    if node is not None and node.shape is not None and g.shape != node.shape and reducible(g.shape, node.shape):
        return -sum_to(g, node.shape)
    return -g


def run_composite(n: Any, g: Any, keep: bool) -> tuple[Any, ...]:
    """Differentiate a fused operation again: through its definition in other operations."""
    before = set_mode("grad", True)
    try:
        grads = _composite_grads(n, g, keep)
    finally:
        set_mode("grad", before)
    if before:
        return grads
    from .forward_ad import unlinked

    return tuple(None if t is None else unlinked(t) for t in grads)


def _composite_grads(n: Any, g: Any, keep: bool) -> tuple[Any, ...]:
    if n.freed:
        raise RuntimeError(FREED_MESSAGE)
    op = n.op
    values: list[Any] = []
    where: list[Any] = []
    edges = iter(n.next)
    for p in op.params:
        if p.is_tensor and p.kind == "list":
            raise NotImplementedError(f"{op.name}: double backward through a list argument")
        value: Any = getattr(n, p.name, None)
        if hasattr(value, "unpack"):
            value = value.unpack(n)
        if isinstance(value, Tensor) and value._vc is not None:
            check_version(n, p.name, value)
        if p.is_tensor:
            node, _ = next(edges)
            if node is not None:
                value = value.view_as(value)  # a place of its own to differentiate at, linked to the argument
                where.append(value)
            else:
                where.append(None)
        values.append(value)
    args = [v for v, p in zip(values, op.params, strict=True) if not p.keyword_only]
    kwargs = {p.name: v for v, p in zip(values, op.params, strict=True) if p.keyword_only}
    results = op.composite(*args, **kwargs)
    outputs = results if isinstance(results, tuple) else (results,)
    cotangents = g if isinstance(g, list) else [g]
    pairs = [(o, c) for o, c in zip(outputs, cotangents, strict=False) if c is not None and o._rg]
    wanted = [w for w in where if w is not None]
    from .backward import grad

    found = iter(grad([o for o, _ in pairs], wanted, [c for _, c in pairs], create_graph=True, allow_unused=True))
    if not keep:
        n.release()
    return tuple(next(found) if w is not None else None for w in where)
