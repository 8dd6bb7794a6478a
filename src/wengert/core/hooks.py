"""User code inside the walk: hooks of tensors and nodes, anomaly mode and observers around a node, nodes called by hand."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .fitting import as_gradient, as_tensor, conform
from .modes import LOCAL, set_mode
from .tensor import Tensor, wrap


def call_user(fn: Callable[[], Any], create: bool) -> Any:
    """Call a user's function, recording only if the pass does: one on Tensors (`create`) has set the mode it wants."""
    before = set_mode("grad", create and LOCAL.grad)
    try:
        return fn()
    finally:
        set_mode("grad", before)


def _hook_name(hook: Any) -> str:
    return getattr(hook, "__name__", type(hook).__name__)


def run_tensor_hooks(hooks: Any, g: Any, create: bool) -> Any:
    """Call tensor hooks in order on one gradient (a Tensor); each may replace it by one of the same kind."""
    for hook in list(hooks.values()):
        result = call_user(functools.partial(hook, g), create)
        if result is None:
            continue
        if not isinstance(result, Tensor):
            raise TypeError(f"expected Variable, but hook returned '{type(result).__name__}'")
        if g is not None:
            if result.shape != g.shape:
                raise RuntimeError(f"hook '{_hook_name(hook)}' has changed the size of value")
            if result.dtype is not g.dtype:
                raise RuntimeError(
                    f"hook '{_hook_name(hook)}' has changed the type of value (was torch."
                    f"{g.dtype.tensor_type}Tensor got torch.{result.dtype.tensor_type}Tensor)"
                )
        g = result
    return g


def leaf_hooks(leaf: Tensor, g: Any, create: bool) -> Any:
    extra = leaf._extra
    if extra is None or not extra.hooks:
        return g
    return as_gradient(run_tensor_hooks(extra.hooks, as_tensor(g), create), create)


def tensor_hooks_of(node: Any, extra: Any, g: Any, create: bool, undo: list[Any]) -> Any:
    """Hooks of the tensors this node made, then `retain_grad`, which sees what the hooks left."""
    LOCAL.node = node
    single = node.n_outputs == 1
    grads = [g] if single else (list(g) if g is not None else [None] * node.n_outputs)
    for nr in range(node.n_outputs):
        hooks = extra.tensor_hooks.get(nr)
        if hooks:
            grads[nr] = as_gradient(run_tensor_hooks(hooks, as_tensor(grads[nr]), create), create)
        keeper = extra.retained.get(nr)
        t = keeper() if keeper is not None else None
        if t is not None and grads[nr] is not None:
            old = getattr(t, "_grad", None)
            undo.append((t, old, None))
            new = as_tensor(grads[nr])
            if old is None:
                t._grad = new if create and new._rg else wrap(np.array(new._array))
            else:
                t._grad = old + new if create else wrap(old._array + new._array)
    if single:
        return grads[0]
    return None if all(x is None for x in grads) else grads


def prehooks_of(node: Any, extra: Any, grads: tuple[Any, ...], create: bool) -> tuple[Any, ...]:
    for hook in list(extra.prehooks.values()):
        given = tuple(as_tensor(x) for x in grads)
        result = call_user(functools.partial(hook, given), create)
        if result is not None:
            grads = _from_node_hook(hook, result, len(grads), create)
    return grads


def _from_node_hook(hook: Any, result: Any, count: int, create: bool) -> tuple[Any, ...]:
    """What a node's hook returned, checked. A prehook of one gradient may return it without a tuple."""
    if not isinstance(result, tuple):
        if not isinstance(result, Tensor):
            raise TypeError(f"expected tuple, but hook returned '{type(result).__name__}'")
        result = (result,)
    if len(result) != count:
        raise RuntimeError(
            f"hook '{_hook_name(hook)}' has returned an incorrect number of values (got {len(result)}, but expected "
            f"{count})"
        )
    for x in result:
        if x is not None and not isinstance(x, Tensor):
            raise TypeError(f"expected Variable, but hook returned '{type(x).__name__}'")
    return tuple(as_gradient(x, create) for x in result)


def hooked_run(node: Any, extra: Any, g: Any, keep: bool, create: bool) -> tuple[Any, ...]:
    LOCAL.node = node
    single = node.n_outputs == 1
    incoming = (g,) if single else tuple(g) if g is not None else (None,) * node.n_outputs
    watched = bool(extra.posthooks)  # those that come while the node runs get no gradients of outputs
    if extra.prehooks:
        incoming = prehooks_of(node, extra, incoming, create)
        g = incoming[0] if single else list(incoming)
    nothing = all(x is None for x in incoming)
    if nothing and not node.user_code:
        grads: tuple[Any, ...] = (None,) * len(node.next)
    else:
        grads = node.run_recorded(g, keep) if create else node.run(g, keep)
    if not watched:
        incoming = (None,) * len(incoming)
    for hook in list(extra.posthooks.values()):
        inputs = tuple(
            as_tensor(x if x is None or t is None else conform(x, t, nr, node))
            for x, (t, nr) in zip(grads, node.next, strict=False)
        )
        outputs = tuple(as_tensor(x) for x in incoming)
        result = call_user(functools.partial(hook, inputs, outputs), create)
        if result is not None:
            grads = _from_node_hook(hook, result, len(inputs), create)
    return grads


def watched_run(
    node: Any, g: Any, keep: bool, create: bool, anomaly: Any, observers: tuple[Any, ...]
) -> tuple[Any, ...]:
    """Run one node while anomaly mode or an observer looks on."""
    for observer in observers:
        observer.before(node, g)
    if anomaly is not None:
        anomaly.before(node, g)
    try:
        if node.extra is not None and (node.extra.prehooks or node.extra.posthooks):
            grads = hooked_run(node, node.extra, g, keep, create)
        elif g is None:
            grads = (None,) * len(node.next)
        else:
            grads = node.run_recorded(g, keep) if create else node.run(g, keep)
    except Exception as error:
        if anomaly is not None:
            anomaly.failed(node, error)
        raise
    if anomaly is not None:
        anomaly.after(node, g, grads)
    for observer in observers:
        observer.after(node, g, grads)
    return grads
