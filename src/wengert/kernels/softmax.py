"""Softmax and its logarithm on arrays, along one axis, and the products with their Jacobians.

float16 is computed in float32, as PyTorch does. The axis is not negative; a 0-dim array counts as one of one element.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .compiled import vector

_LARGE = 1 << 16  # elements from which a compiled loop is looked for


def _by_loop(name: str, axis: int, *arrays: Any) -> Any:
    """The result of a compiled loop along the last axis of arrays and numbers per row; None if there is none."""
    first = arrays[0]
    if first.size < _LARGE or axis != first.ndim - 1 or any(a.ndim != first.ndim for a in arrays):
        return None
    rows = [a.reshape(-1, a.shape[-1]) if a.shape[-1] != 1 else a.reshape(-1) for a in arrays]
    loop = vector(name, first.size, *rows) if rows[0].ndim == 2 else None
    if loop is None:
        return None
    out = np.empty_like(rows[1 if name == "exp_sums_loop" else 0])
    loop(out, *rows)
    return out.reshape(first.shape) if out.ndim == 2 else out.reshape(*first.shape[:-1], 1)


def _in_float32(kernel: Callable[..., Any]) -> Callable[..., Any]:
    def run(first: Any, *args: Any) -> Any:
        if first.size and first.ndim and first.dtype != np.float16:
            return kernel(first, *args)
        *arrays, axis = first, *args
        if not first.ndim:
            return kernel(*(np.reshape(a, 1) for a in arrays), 0).reshape(())
        if not first.size:
            return np.zeros_like(first)
        return kernel(*(a.astype(np.float32) for a in arrays), axis).astype(np.float16)

    run.__name__ = kernel.__name__
    run.__doc__ = kernel.__doc__
    return run


@_in_float32
def softmax(x: Any, axis: int) -> Any:
    """exp(x) / sum of exp(x)."""
    top = np.maximum.reduce(x, axis=axis, keepdims=True)
    found = _by_loop("softmax_loop", axis, x, top)
    if found is not None:
        return found
    e = x - top
    np.exp(e, out=e)
    e /= np.add.reduce(e, axis=axis, keepdims=True)
    return e


@_in_float32
def log_softmax(x: Any, axis: int) -> Any:
    """x - log(sum of exp(x))."""
    top = np.maximum.reduce(x, axis=axis, keepdims=True)
    total = _by_loop("exp_sums_loop", axis, x, top)
    e = x - top
    if total is None:
        total = np.add.reduce(np.exp(e), axis=axis, keepdims=True)
    np.log(total, out=total)
    e -= total
    return e


@_in_float32
def softmax_back(g: Any, out: Any, axis: int) -> Any:
    """out (g - sum of g out)."""
    found = _by_loop("softmax_back_loop", axis, g, out)
    if found is not None:
        return found
    r = g * out
    total = np.add.reduce(r, axis=axis, keepdims=True)
    np.subtract(g, total, out=r)
    r *= out
    return r


@_in_float32
def log_softmax_back(g: Any, out: Any, axis: int) -> Any:
    """g - exp(out) sum of g."""
    found = _by_loop("log_softmax_back_loop", axis, g, out)
    if found is not None:
        return found
    r = np.exp(out)
    r *= np.add.reduce(g, axis=axis, keepdims=True)
    np.subtract(g, r, out=r)
    return r
