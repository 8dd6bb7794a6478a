"""Cross entropy of a linear layer's scores on arrays, some rows at a time: the (n, classes) scores are never there at once.

Float16 is computed in float32. Reductions are those of `kernels/losses`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .losses import MEAN, NONE, _element_weights, _flat


def _wide(a: Any) -> Any:
    return a.astype(np.float32) if a is not None and a.dtype == np.float16 else a


def _chunks(x: Any, w: Any, bias: Any, rows: int) -> Iterator[tuple[slice, Any]]:
    """Which rows, and their scores, always in the same memory."""
    memory = np.empty((min(rows, len(x)), len(w)), x.dtype)
    for start in range(0, len(x), rows):
        part = slice(start, min(start + rows, len(x)))
        scores = np.matmul(x[part], w.T, out=memory[: part.stop - start])
        if bias is not None:
            scores += bias
        yield part, scores


def forward(
    x: Any, w: Any, bias: Any, target: Any, weight: Any, reduction: int, ignore: int, rows: int
) -> tuple[Any, Any, Any]:
    """The loss; log(sum(exp(scores))) of each row; the sum of the weights, which a mean divides by."""
    kind = x.dtype
    x, w, bias, weight = map(_wide, (x, w, bias, weight))
    t, kept = _flat(target, len(w), ignore)
    losses, logs = np.empty(len(x), x.dtype), np.empty(len(x), x.dtype)
    for part, scores in _chunks(x, w, bias, rows):
        picked = np.take_along_axis(scores, t[part, None], 1)[:, 0]
        top = scores.max(1)
        scores -= top[:, None]
        np.exp(scores, out=scores)
        logs[part] = np.log(scores.sum(1)) + top
        losses[part] = logs[part] - picked
    weights = _element_weights(t, kept, weight, x.dtype)
    if weights is not None:
        losses = np.where(weights != 0, losses * weights, x.dtype.type(0))
    total = np.asarray(len(x) if weights is None else weights.sum(), x.dtype)
    if reduction == NONE:
        return losses.astype(kind, copy=False), logs, total
    loss = losses.sum()
    if reduction == MEAN:
        with np.errstate(divide="ignore", invalid="ignore"):
            loss = loss / total
    return np.asarray(loss, kind), logs, total


def back(
    g: Any,
    x: Any,
    w: Any,
    bias: Any,
    target: Any,
    weight: Any,
    logs: Any,
    total: Any,
    reduction: int,
    ignore: int,
    rows: int,
) -> tuple[Any, Any, Any]:
    """Gradients of `x`, `w` and `bias`; the scores are computed once more."""
    kinds = x.dtype, w.dtype
    g, x, w, bias, weight = map(_wide, (g, x, w, bias, weight))
    t, kept = _flat(target, len(w), ignore)
    each = np.broadcast_to(g / total if reduction == MEAN else g, len(x))
    weights = _element_weights(t, kept, weight, x.dtype)
    if weights is not None:
        each = np.where(weights != 0, each * weights, x.dtype.type(0))
    d_x, d_w, d_bias = np.empty_like(x), np.zeros_like(w), np.zeros(len(w), w.dtype)
    for part, scores in _chunks(x, w, bias, rows):
        scores -= logs[part, None]
        np.exp(scores, out=scores)
        scores[np.arange(len(scores)), t[part]] -= 1
        scores *= each[part, None]
        np.matmul(scores, w, out=d_x[part])
        d_w += scores.T @ x[part]
        d_bias += scores.sum(0)
    return d_x.astype(kinds[0], copy=False), d_w.astype(kinds[1], copy=False), d_bias.astype(kinds[1], copy=False)
