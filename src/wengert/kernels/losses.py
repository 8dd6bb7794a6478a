"""Losses of classes on arrays, forward and backward. Reductions are PyTorch's numbers: 0 none, 1 mean, 2 sum.

Scores have shape (c,), (n, c) or (n, c, *s); targets the same without the classes. A target equal to `ignore` counts for
nothing, any other that is no class is an IndexError.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

NONE, MEAN, SUM = 0, 1, 2


def _flat(target: Any, classes: int, ignore: int) -> tuple[Any, Any]:
    """Targets as one vector, those ignored replaced by 0, and which count (None: all)."""
    t = target.reshape(-1)
    if not t.size:
        return t, None
    if t.dtype == np.int64 and t.view(np.uint64).max() < classes and not 0 <= ignore < classes:
        return t, None
    kept = t != ignore
    bad = kept & ((t < 0) | (t >= classes))
    if bad.any():
        raise IndexError(f"Target {int(t[bad][0])} is out of bounds.")
    return t * kept, kept


@functools.lru_cache(maxsize=64)
def _starts(rows: int, classes: int) -> Any:
    """Where each row begins in a flattened matrix."""
    starts = np.arange(0, rows * classes, classes)
    starts.flags.writeable = False
    return starts


def _places(shape: tuple[int, ...], t: Any) -> Any:
    """Where, in an array of `shape`, the elements that the flat targets point at lie."""
    classes = shape[0] if len(shape) == 1 else shape[1]
    if len(shape) <= 2:
        return _starts(t.size, classes) + t
    rest = int(np.prod(shape[2:]))
    return (np.arange(shape[0])[:, None] * (classes * rest) + np.arange(rest)).reshape(-1) + t * rest


def _element_weights(t: Any, kept: Any, weight: Any, dtype: Any) -> Any:
    """The weight of each element; None where all are 1."""
    if weight is None:
        return None if kept is None else kept.astype(dtype)
    return weight[t] if kept is None else weight[t] * kept


def nll(x: Any, target: Any, weight: Any, reduction: int, ignore: int) -> tuple[Any, Any]:
    """-weight[target] x[target], reduced; and the sum of the weights, which a mean divides by."""
    if weight is None and x.ndim == 2 and reduction == MEAN and target.dtype == np.int64 and target.size:
        n, classes = x.shape  # the ordinary case, in as few calls as it can be
        if np.maximum.reduce(target.view(np.uint64)) < classes and not 0 <= ignore < classes:
            picked = x.reshape(-1).take(target + _starts(n, classes))
            return np.asarray(-np.add.reduce(picked) / x.dtype.type(n)), np.asarray(n, x.dtype)
    t, kept = _flat(target, x.shape[0] if x.ndim == 1 else x.shape[1], ignore)
    picked = x.reshape(-1)[_places(x.shape, t)]
    weights = _element_weights(t, kept, weight, x.dtype)
    if weights is not None:
        picked = np.where(weights != 0, picked * weights, x.dtype.type(0)) if kept is not None else picked * weights
    if reduction == NONE:
        return -picked.reshape(target.shape), np.zeros((), x.dtype)
    total = np.asarray(t.size if weights is None else np.add.reduce(weights), x.dtype)
    loss = -np.add.reduce(picked)
    return np.asarray(loss / total if reduction == MEAN else loss), total


def nll_back(g: Any, target: Any, weight: Any, total: Any, shape: tuple[int, ...], reduction: int, ignore: int) -> Any:
    """Its transpose: zeros of `shape` with -weight[target] g where the targets point."""
    out = np.zeros(shape, g.dtype)
    if weight is None and reduction == MEAN and len(shape) == 2 and total == target.size:  # none was ignored
        out.reshape(-1)[target.reshape(-1) + _starts(*shape)] = -g / total
        return out
    t, kept = _flat(target, shape[0] if len(shape) == 1 else shape[1], ignore)
    value = -g.reshape(-1) if reduction == NONE else -(g / total if reduction == MEAN else g)
    weights = _element_weights(t, kept, weight, g.dtype)
    if weights is not None:
        value = np.where(weights != 0, value * weights, g.dtype.type(0)) if kept is not None else value * weights
    out.reshape(-1)[_places(shape, t)] = value
    return out
