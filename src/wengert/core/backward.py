"""The way back: the walk over the graph, and what a node needs while it runs.

`walk` is the whole of reverse mode. It counts, for each node that can be reached, how many gradients will arrive;
then runs the ready node with the highest sequence number, gives it its summed gradient, and passes the results on.
Gradients in flight live in a dictionary of the walk, never in `.grad`, which AccumulateGrad alone touches. In an
ordinary pass they are arrays and nothing is recorded; with `create_graph` they are Tensors, and the same rules are.

If anything raises, every `.grad` is put back as it was before the call (PyTorch leaves some written). Saved values
of the nodes that had already run stay freed unless `retain_graph`.
"""

from __future__ import annotations

import functools
import itertools
import sys
import threading
from collections.abc import Callable, Sequence
from heapq import heappop, heappush, heappushpop
from typing import Any

import numpy as np

from ..kernels import narrow
from ..kernels.threads import LARGE
from . import dtypes
from .batched import Batched, settle
from .blocks import LOOPED, add_to
from .fitting import as_gradient, as_tensor, conform, grad_dtype
from .hooks import call_user, hooked_run, leaf_hooks, prehooks_of, tensor_hooks_of, watched_run
from .modes import LOCAL, MODES, carried, set_mode
from .node import LAST, AccumulateGrad, leaf_edge
from .roots import roots_of
from .tensor import Tensor, wrap

# AccumulateGrad reads `.grad`, adds and writes: threads that share a leaf take turns.
_ACCUMULATE = threading.Lock()
_PASSES = itertools.count()
MAX_DEPTH = 40  # passes inside passes on one thread's stack: Python's recursion limit is not far beyond

# How many references an array has inside `deliver` when nothing but the walk holds it; see `_own`.
_LONE = 3


# -- the walk --------------------------------------------------------------------------------------------------


def _own(g: Any, holders: int = 0) -> bool:
    """Does nothing but the walk hold this array (`holders` times more)? Then it may be kept, and added to, without a copy."""
    if g.__class__ is not np.ndarray or not g.flags.c_contiguous or sys.getrefcount(g) > _LONE + holders:
        return False
    base = g.base  # an array that was only given another shape is as good as a new one
    return base is None or (
        base.__class__ is np.ndarray and base.flags.owndata and base.size == g.size and sys.getrefcount(base) <= _LONE
    )


def walk(
    roots: Sequence[tuple[Any, int, Any]],
    keep: bool,
    create: bool,
    captures: dict[tuple[Any, int], Any] | None = None,
    sinks: set[Any] | None = None,
) -> dict[tuple[Any, int], Any]:
    """Run the graph backwards from `roots`: (node, output number, gradient).

    `captures` names edges whose gradients are wanted (they are not accumulated anywhere); `sinks` the
    AccumulateGrad nodes that may run. With both None, every sink runs. Returns what was captured.
    """
    # For each node that can be reached: how many gradients are still to come; their sum so far, once there is one;
    # whether that sum's memory is the walk's own. (Dicts of numbers and arrays: nothing that the collector must visit.)
    waiting: dict[Any, int] = {}
    pending: dict[Any, Any] = {}
    owned: set[Any] = set()
    stack = []
    for node, _, _ in roots:
        if node not in waiting:
            waiting[node] = 0
            stack.append(node)
    while stack:
        for node, _ in stack.pop().next:
            if node is not None:
                count = waiting.get(node)
                if count is None:
                    waiting[node] = 1
                    stack.append(node)
                else:
                    waiting[node] = count + 1
    captured: set[Any] = set()
    live: set[Any] = set()
    found: dict[tuple[Any, int], Any] = {}
    plain = captures is None and sinks is None
    if captures is not None or sinks is not None:
        captures = captures or {}
        captured = {node for node, _ in captures}
        wanted = captured | sinks if sinks else captured
        if wanted == {node for node in waiting if node.__class__ is AccumulateGrad}:
            # Every way ends at a leaf, and all leaves are wanted: so is every node.
            live = waiting.keys() - captured.difference(sinks or ())
        else:
            live = _needed(waiting, captured, sinks or set())
            waiting = _recount(roots, live | captured, live)
    anomaly = LOCAL.anomaly
    observers = LOCAL.observers
    batches = MODES.batches
    # Leaves that are captured are so where they end; captured results are asked for at every node.
    results = any(n.__class__ is not AccumulateGrad for n in captured)
    special = results or anomaly is not None or bool(observers)
    # Somebody looks on, and nothing else is special (leaves apart, which are captured where they end).
    watched = bool(observers) and not create and anomaly is None and not results
    undo: list[tuple[Any, Any, Any]] = []
    order = 0
    ready: list[tuple[int, int, Any]] = []
    for node, nr, g in roots:
        if node in waiting:
            _add(pending, node, nr, g)
    for node in dict.fromkeys(node for node, _, _ in roots):
        if waiting.get(node) == 0:
            order += 1
            heappush(ready, (-node.seq, order, node))
    grads: Any
    # The usual case, a chain, has one node ready at a time: it goes round by `lone`, past the heap, and its gradient (if it
    # is the only one) by `lone_g`, past `pending`.
    lone: Any = None
    lone_g: Any = None
    outer = LOCAL.walk, LOCAL.node
    hooks = LOCAL.saved_hooks
    callbacks: list[Callable[[], None]] = []
    LOCAL.walk = (next(_PASSES), waiting, captured, plain, callbacks, keep)
    try:
        while lone is not None or ready:
            if lone is None:
                _, _, node = heappop(ready)
                g = pending.pop(node, None)
            elif not ready:
                node, g = lone, lone_g
                lone = lone_g = None
                if g is None:
                    g = pending.pop(node, None)
            else:
                if lone_g is not None:
                    pending[lone] = lone_g
                order += 1
                _, _, node = heappushpop(ready, (-lone.seq, order, lone))
                lone = lone_g = None
                g = pending.pop(node, None)
            if special or node.extra is not None or g is None:
                if watched and node.extra is None and g is not None and node.__class__ is not AccumulateGrad:
                    for observer in observers:
                        observer.before(node, g)
                    grads = node.run(g, keep)
                    for observer in observers:
                        observer.after(node, g, grads)
                else:
                    grads = _special_step(
                        node, g, node in owned, keep, create, captures, captured, live, anomaly, found, undo
                    )
                    if grads is None:
                        continue
            elif node.__class__ is AccumulateGrad:
                if captured and g is not None and not batches and node.variable._extra is None and node not in live:
                    found[node, 0] = g
                elif create or captured:
                    _special_step(node, g, node in owned, keep, create, captures, captured, live, anomaly, found, undo)
                else:
                    mine = node in owned or _own(g)  # on a line of its own: a call holds its other arguments
                    _accumulate(node, g, mine, False, undo, observers)
                continue
            elif create:
                grads = node.run_recorded(g, keep)
            elif node.part is not None and _add_part(node, g, pending, owned):
                grads = (None,)
            else:
                grads = node.run(g, keep)
            for (target, nr), g in zip(node.next, grads):  # noqa: B905  (the fast road; counts are the rule's affair)
                if target is None:
                    continue
                count = waiting.get(target)
                if count is None:
                    continue
                if g is not None:
                    array = g._array if create else g
                    if array.shape != target.shape or array.dtype is not target.dtype:
                        g = conform(g, target, nr, node)
                        if target.n_outputs != 1:
                            _add(pending, target, nr, g)
                            g = None
                    if g is not None:
                        known = pending.get(target)
                        if known is None:
                            if count == 1 and lone is None:
                                lone, lone_g = target, g
                                continue
                            pending[target] = g
                        elif batches and (_batched(known) or _batched(g)):
                            pending[target] = settle(known, target.shape) + settle(g, target.shape)
                        elif target in owned:
                            if known.size >= LARGE:
                                add_to(known, g)
                            else:
                                known += g
                            pending[target] = known
                        elif not create and known.size >= LOOPED and _own(known, 1):  # held by `pending` too
                            add_to(known, g)
                            owned.add(target)
                        else:
                            pending[target] = known + g
                            if not create:
                                owned.add(target)
                if count == 1:
                    if lone is None:
                        lone = target
                    else:
                        order += 1
                        heappush(ready, (-target.seq, order, target))
                else:
                    waiting[target] = count - 1
            grads = array = known = None  # so that a gradient with one taker is the taker's own
        for callback in callbacks:  # one may queue another
            callback()
    except BaseException:
        for leaf, grad_tensor, array in reversed(undo):
            leaf._grad = grad_tensor
            if array is not None:
                grad_tensor._array[...] = array
        raise
    finally:
        LOCAL.walk, LOCAL.node = outer
        if LOCAL.saved_hooks is not hooks:
            set_mode("saved_hooks", hooks)  # an unpack hook that entered or left a context has no effect after the pass
    return found


def _add_part(node: Any, g: Any, pending: dict[Any, Any], owned: set[Any]) -> bool:
    """Add the gradient of a part (say, of a slice) where it lies in what is pending for the whole, if that is the walk's own."""
    target = node.next[0][0]
    known = pending.get(target)
    if known.__class__ is not np.ndarray or g.__class__ is Batched:
        return False
    if target not in owned:
        if not _own(known, 1):
            return False
        owned.add(target)
    place = node.part(known)
    if g.__class__ is not np.ndarray or g.size < narrow.FROM or narrow.pair(np.add, place, g, place) is None:
        place += g
    return True


def _special_step(
    node: Any,
    g: Any,
    mine: bool,
    keep: bool,
    create: bool,
    captures: Any,
    captured: set[Any],
    live: set[Any],
    anomaly: Any,
    found: dict[tuple[Any, int], Any],
    undo: list[Any],
) -> Any:
    """What one node does where more is asked than its rule: hooks, captures, anomaly mode, observers, `create_graph`.

    Returns its gradients; None where there are none to hand on.
    """
    extra = node.extra
    observers = LOCAL.observers
    if extra is not None and (extra.tensor_hooks or extra.retained):
        g = tensor_hooks_of(node, extra, g, create, undo)
    if captured and node in captured:
        for nr in range(node.n_outputs):
            if (node, nr) in captures:
                value = g if node.n_outputs == 1 else None if g is None else g[nr]
                if value is not None and _batched(value):
                    value = settle(value)
                if node.__class__ is AccumulateGrad:
                    value = leaf_hooks(node.variable, value, create)
                found[(node, nr)] = value
        if node not in live:
            return None
    if node.__class__ is AccumulateGrad:
        _accumulate(node, g, mine, create, undo, observers)
        return None
    if anomaly is not None or observers:
        return watched_run(node, g, keep, create, anomaly, observers)
    if extra is not None and (extra.prehooks or extra.posthooks or extra.unpacks):
        return hooked_run(node, extra, g, keep, create)
    if g is None and not node.user_code:
        return (None,) * len(node.next)
    return node.run_recorded(g, keep) if create else node.run(g, keep)


def _add(pending: dict[Any, Any], node: Any, nr: int, g: Any) -> None:
    """Add a gradient to what is pending for output `nr` of `node`."""
    if g is None:
        return
    known = pending.get(node)
    if node.n_outputs == 1:
        pending[node] = g if known is None else settle(known, node.shape) + settle(g, node.shape)
        return
    if known is None:
        known = pending[node] = [None] * node.n_outputs
    shape = node.outs[nr][0]
    known[nr] = g if known[nr] is None else settle(known[nr], shape) + settle(g, shape)


def _needed(reached: dict[Any, Any], captured: set[Any], sinks: set[Any]) -> set[Any]:
    """The nodes that must run so that every capture and sink receives its gradient."""
    wanted = captured | sinks
    live = set(sinks)
    # An edge points at an older node, so by growing sequence number targets come before their users; sinks first.
    for node in sorted(reached, key=lambda n: -1 if n.seq == LAST else n.seq):
        for target, _ in node.next:
            if target in live or target in wanted:
                live.add(node)
                break
    return live


def _recount(roots: Sequence[tuple[Any, int, Any]], nodes: set[Any], live: set[Any]) -> dict[Any, int]:
    """Count arriving gradients again, over the nodes that matter only."""
    waiting: dict[Any, int] = {}
    stack = []
    for node, _, _ in roots:
        if node in nodes and node not in waiting:
            waiting[node] = 0
            stack.append(node)
    while stack:
        node = stack.pop()
        if node not in live:
            continue
        for target, _ in node.next:
            if target is not None and target in nodes:
                if target not in waiting:
                    stack.append(target)
                waiting[target] = waiting.get(target, 0) + 1
    return waiting


def _accumulate(
    node: AccumulateGrad, g: Any, mine: bool, create: bool, undo: list[Any], observers: tuple[Any, ...]
) -> None:
    """Add a gradient to a leaf's `.grad`: a tensor of its own, in place where nothing records it."""
    leaf = node.variable
    extra = leaf._extra
    plain = mine and extra is None and node.extra is None and not observers and g.__class__ is np.ndarray
    if plain and leaf._array.flags.c_contiguous and g.flags.c_contiguous and g.flags.writeable:
        # The ordinary case: a first gradient, in memory of its own, which is as it should lie (see `_own`).
        with _ACCUMULATE:
            if getattr(leaf, "_grad", None) is None:
                undo.append((leaf, None, None))
                leaf._grad = wrap(g)
                return
    if g is not None and _batched(g):
        g, mine = settle(g), False
    if extra is not None or node.extra is not None:
        LOCAL.node = node
    if extra is not None and extra.hooks:
        g = leaf_hooks(leaf, g, create)
        mine = False
    if node.extra is not None and node.extra.prehooks:
        (g,) = prehooks_of(node, node.extra, (g,), create)
        mine = False
    if g is None:
        return
    with _ACCUMULATE:
        old = getattr(leaf, "_grad", None)
        dtype = grad_dtype(leaf)
        linked = create and isinstance(g, Tensor) and (g._rg or (g._extra is not None and g._extra.tangents))
        if linked or (create and old is not None and old._rg):
            if dtype is not None and g._array.dtype != dtype:
                from ..ops.creation import to_dtype

                g = to_dtype(g, dtypes.of(dtype))
            undo.append((leaf, old, None))
            leaf._grad = _copied(g) if old is None else old + g
        else:
            array = g._array if isinstance(g, Tensor) else g
            if dtype is not None and array.dtype != dtype:
                array, mine = array.astype(dtype), True
            if old is None:
                undo.append((leaf, None, None))
                leaf._grad = wrap(_laid_out(array, leaf._array, mine))
                if node.extra is not None and node.extra.posthooks:
                    g = leaf._grad._array  # its posthooks see what the hooks before them make of it
            elif old._rg or create:
                undo.append((leaf, old, None))
                leaf._grad = wrap(old._array + array)
            else:
                target = old._array
                undo.append((leaf, old, target.copy()))
                if dtype is None and target.dtype != np.result_type(target, array):
                    leaf._grad = wrap(target + array)
                else:
                    np.add(target, array, out=target)
                    if old._vc is not None:
                        old._vc[0] += 1
    for observer in observers:
        observer.accumulated(node, g, leaf)
    if extra is not None and extra.post_hooks:
        for hook in list(extra.post_hooks.values()):
            result = call_user(functools.partial(hook, leaf), create)
            if result is not None:
                if not isinstance(result, Tensor):
                    raise TypeError(f"expected Variable, but hook returned '{type(result).__name__}'")
                raise RuntimeError("Tensor post accumulate grad hooks should return None.")
    if node.extra is not None and node.extra.posthooks:
        given = (g if isinstance(g, Tensor) else wrap(np.asarray(g)),)
        for hook in list(node.extra.posthooks.values()):
            call_user(functools.partial(hook, (), given), create)


def _copied(g: Tensor) -> Tensor:
    """A recorded copy, for a `.grad` that keeps its graph."""
    from ..ops.conversion import copy

    return copy(wrap(np.empty(g._array.shape, g._array.dtype)), g)


def _batched(g: Any) -> bool:
    return g.__class__ is Batched or (isinstance(g, Tensor) and g._array.__class__ is Batched)


def _laid_out(g: Any, leaf: Any, mine: bool) -> np.ndarray[Any, Any]:
    """The array to keep as `.grad`: with the strides of a dense leaf, and never anybody else's memory."""
    if g.__class__ is not np.ndarray:
        g = np.asarray(g)
        if g.ndim:
            return g  # a batched array: kept as it is
        return g.copy() if not mine else g
    if leaf.flags.c_contiguous:
        if mine and g.flags.c_contiguous and g.flags.writeable:
            return g
        return np.array(g, order="C")
    if g.strides == leaf.strides and mine and g.flags.writeable:
        return g
    dense = leaf.size > 0 and 0 not in leaf.strides
    if not dense:
        return np.array(g, order="C")
    axes = sorted(range(leaf.ndim), key=lambda d: (-abs(leaf.strides[d]), d))
    kept = np.empty([leaf.shape[d] for d in axes], g.dtype).transpose(np.argsort(axes))
    if kept.strides != leaf.strides:
        return np.array(g, order="C")  # the leaf has gaps: not dense
    kept[...] = g
    return kept


def call_node(node: Any, grads: tuple[Any, ...]) -> Any:
    """Run one node by hand on Tensors, keeping what it saved. Returns a Tensor or None, or a tuple of them."""
    if len(grads) != node.n_outputs:
        raise TypeError(f"expected {node.n_outputs} arguments, got {len(grads)} instead")
    for i, g in enumerate(grads):
        if g is not None and not isinstance(g, Tensor):
            raise TypeError(f"argument {i} is not a Variable")
    if node.__class__ is AccumulateGrad:
        _accumulate(node, as_gradient(grads[0], False), False, False, [], ())
        return None
    create = LOCAL.grad and any(isinstance(g, Tensor) and g._rg for g in grads)
    incoming = [as_gradient(g, create) for g in grads]
    g = incoming[0] if node.n_outputs == 1 else incoming
    results = node.run_recorded(g, True) if create else node.run(g, True)
    shaped = tuple(
        as_tensor(x if x is None or t is None else conform(x, t, nr, node))
        for x, (t, nr) in zip(results, node.next, strict=False)
    )
    return shaped[0] if len(shaped) == 1 else shaped


# -- backward and grad -----------------------------------------------------------------------------------------


def run_walk(
    roots: list[tuple[Any, int, Any]],
    keep: bool,
    create: bool,
    captures: dict[tuple[Any, int], Any] | None = None,
    sinks: set[Any] | None = None,
) -> dict[tuple[Any, int], Any]:
    """`walk`, with recording on where `create_graph` asks for it (also under `no_grad`).

    Inside a dual level gradients are Tensors in any case: the rules carry tangents (forward over reverse). A pass deep
    inside others goes on in a thread of its own, which has a stack of its own.
    """
    depth = LOCAL.depth
    if depth and depth % MAX_DEPTH == 0:
        LOCAL.depth = 1
        try:
            return carried(lambda: run_walk(roots, keep, create, captures, sinks))
        finally:
            LOCAL.depth = depth
    LOCAL.depth = depth + 1
    try:
        return _run_walk(roots, keep, create, captures, sinks)
    finally:
        LOCAL.depth = depth


def _run_walk(
    roots: list[tuple[Any, int, Any]],
    keep: bool,
    create: bool,
    captures: dict[tuple[Any, int], Any] | None,
    sinks: set[Any] | None,
) -> dict[tuple[Any, int], Any]:
    if not create and LOCAL.dual_level < 0:
        return walk(roots, keep, False, captures, sinks)
    before = set_mode("grad", create)
    try:
        return walk(roots, keep, True, captures, sinks)
    finally:
        set_mode("grad", before)


def grad(
    outputs: Sequence[Any],
    inputs: Sequence[Any],
    grad_outputs: Sequence[Any] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Any, ...]:
    """Gradients of `outputs` with respect to `inputs`; the engine's part of `autograd.grad`."""
    keep = create_graph if retain_graph is None else retain_graph
    gradients = grad_outputs if grad_outputs is not None else [None] * len(outputs)
    roots = roots_of(outputs, gradients, create_graph)
    edges = []
    for t in inputs:
        if isinstance(t, Tensor):
            if not t._rg:
                raise RuntimeError("One of the differentiated Tensors does not require grad")
            edges.append(t._edge or leaf_edge(t))
        else:
            edges.append((t.node, t.output_nr))
    found = run_walk(roots, keep, create_graph, dict.fromkeys(edges), set())
    results = []
    for i, edge in enumerate(edges):
        g = found.get(edge)
        if g is None and not allow_unused:
            raise RuntimeError(
                f"The differentiated Tensor at index {i} appears to not have been used in the graph. Set "
                "allow_unused=True if this is the desired behavior."
            )
        results.append(as_tensor(g))
    return tuple(results)
