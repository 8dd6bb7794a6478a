"""Runs an operation in place: its result is stored in its first argument, whose place in the graph moves on.

Like every operation it has a fast road, for plain tensors in the ordinary case, and a careful one for all others. What a
change does to views and to the graph is `views`'s (Note [Views and in-place]).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels.threads import LARGE
from . import record as rec
from .batched import Batched, refuse_escaped
from .batched import store as store_batched
from .blocks import CHEAP, stored
from .fast_road import LEFT
from .modes import LOCAL, MODES, only_grad
from .op import LIST, Op
from .tensor import PLAIN_TYPES, Tensor, wrap
from .views import bump, check_fits, check_inplace, check_overlap, check_partial_overlap, rebase

_F32, _F64 = np.dtype(np.float32), np.dtype(np.float64)

# Every element becomes the same: it does not matter that some are one place in memory.
_CONSTANT = frozenset(["fill", "zero"])


def inplace(op: Op, values: tuple[Any, ...]) -> Tensor:
    """Run `op` and store its result in its first argument, a Tensor, which is returned."""
    return values[0] if _fast(op, values) else _careful(op, values)


def _fast(op: Op, values: tuple[Any, ...]) -> bool:
    """Do it by the row's own fast road, if that is all there is to it; else change nothing and return False."""
    if values[0].__class__ not in PLAIN_TYPES or (MODES.active and not only_grad()):
        return False
    target: Any = values[0]
    array = target._array
    extra = target._extra
    grad = LOCAL.grad
    if (
        array.__class__ is not np.ndarray
        or not op.single
        or op.view
        or LOCAL.transforms
        or (extra is not None and extra.inference)
        or not (array.flags.c_contiguous or 0 not in array.strides)
    ):
        return False
    counter = target._vc
    records = target._rg and grad
    if records and target._edge is None:
        return False
    args = [target]
    for v in values[1:]:
        if isinstance(v, Tensor):
            if v.__class__ not in PLAIN_TYPES or v is target or (counter is not None and v._vc is counter):
                return False
            records = records or (grad and v._rg)
        elif v.__class__ is tuple or v.__class__ is list:
            return False  # of tensors, perhaps
        args.append(v)
    if extra is not None and extra.base is not None and grad:
        check_inplace(target, records)
    if not records:
        if not _at_once(op, array, args) and not _copied(array, rec.unrecorded(op)(*args)):
            return False
        bump(target)
        return True
    before = args[0] = wrap(array.copy() if op.saves_first else array)
    before._rg, before._edge = target._rg, target._edge
    result = rec.unwatched(op)(*args)
    if not _copied(array, result):
        return False
    bump(target)
    if result._rg:
        node = result._edge[0]
        outputs = [name for name, (how, _) in node.variant.saves.items() if how == "output"]
        if outputs:  # what is saved is the target itself, and must not change after
            for name in outputs:
                setattr(node, name, array)
            node.out_counters, node.out_versions = (target._vc,), (target._vc[0],)
        rebase(target, node)
    return True


def _at_once(op: Op, array: Any, args: list[Any]) -> bool:
    """Let a ufunc write where its first operand lies, if operands and result are of one dtype."""
    d = array.dtype
    forward = op.forward
    if (
        forward.__class__ is not np.ufunc
        or (d is not _F32 and d is not _F64)
        or op.promote not in ("default", "float")
        or (array.size >= LARGE and forward not in CHEAP)
    ):
        return False
    operands = []
    for v in args:
        if isinstance(v, Tensor):
            v = v._array
            if v.dtype is not d:
                return False
        elif v.__class__ is not float and v.__class__ is not int:
            return False
        operands.append(v)
    try:
        stored(forward, array, operands)
    except Exception:  # before anything was written
        return False
    return True


def _copied(array: Any, result: Any) -> bool:
    """Store a result of the fast road, if there is one and it fits as it is."""
    if result is LEFT:
        return False
    new = result._array
    if new.dtype is not array.dtype or new.shape != array.shape:
        return False
    array[...] = new
    return True


def _careful(op: Op, values: tuple[Any, ...]) -> Tensor:
    """With every check and every mode."""
    target: Tensor = values[0]
    vals, _, interpreter = rec.classify(op, values)
    if interpreter is not None:
        return interpreter.__wengert_inplace__(op, vals)
    rest = [v for p, v in zip(op.params[1:], vals[1:], strict=True) if p.is_tensor]
    flat = [x for v in rest for x in (v if isinstance(v, tuple) else (v,))]
    records = LOCAL.grad and (target._rg or any(isinstance(x, Tensor) and x._rg for x in flat))
    check_inplace(target, records)
    for i, p in enumerate(op.params):  # what is recorded must be a Tensor
        if p.is_tensor and i:
            v = vals[i]
            if p.kind == LIST:
                vals[i] = tuple(
                    x if isinstance(x, Tensor) or not hasattr(x, "dtype") else wrap(np.asarray(x)) for x in v
                )
            elif isinstance(v, (np.ndarray, np.generic)):
                vals[i] = wrap(np.asarray(v))
    array = target._array
    if array.__class__ is Batched:
        refuse_escaped(op.name + "_", array)
    if op.name not in _CONSTANT:
        check_overlap(array)
        if op.kind == "elementwise" and target._vc is not None:
            for x in flat:
                if isinstance(x, Tensor) and x is not target and x._vc is target._vc:
                    check_partial_overlap(array, x._array)
    if LOCAL.mutation is not None:
        LOCAL.mutation.changing(target)
    if LOCAL.transforms:
        LOCAL.transforms[-1].changing(target, op.name + "_")
    if LOCAL.dual_level >= 0:
        from .tangents import inplace_jvp

        if inplace_jvp(op, vals, target):
            return target
    # An argument that shares the target's memory must be read before it is overwritten; `forward` has finished
    # reading when it returns.
    results = rec.forward(op, vals)
    result = results[0] if results[0].__class__ is Batched else np.asarray(results[0])
    check_fits(array, result)
    before = wrap(array.copy()) if records and op.saves_first else wrap(array)
    before._rg, before._edge = target._rg, target._edge
    store_batched(array, result)
    bump(target)
    if not records:
        for observer in LOCAL.observers:
            observer.changed(op, vals, target)
        return target
    after = wrap(array)
    after._vc = target._vc
    results[0] = array
    vals[0] = before
    node = rec.record(op, vals, [after], results)
    if node is None:
        # Recorded arguments, but nothing differentiable comes out (x.floor_divide_ and the like).
        return target
    versions = getattr(node, "versions", None)
    if versions:
        # What was saved but lies in the memory just overwritten is lost: it was saved as it was before.
        for key in {id(x) for x in flat if isinstance(x, Tensor) and x._vc is target._vc} & versions.keys():
            versions[key] -= 1
    rebase(target, node)
    for observer in LOCAL.observers:
        observer.changed(op, vals, target)
    return target


def inplace_composite(fn: Any, target: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """`x.name_()` of a composite: compute from the old value, then copy the result in."""
    check_inplace(target, True)
    return target.copy_(fn(target, *args, **kwargs))
