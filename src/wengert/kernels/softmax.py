"""Softmax and its logarithm on arrays, along one axis, and the products with their Jacobians.

float16 is computed in float32, as PyTorch does. The axis is not negative; a 0-dim array counts as one of one element.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


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
    e = x - np.maximum.reduce(x, axis=axis, keepdims=True)
    np.exp(e, out=e)
    e /= np.add.reduce(e, axis=axis, keepdims=True)
    return e


@_in_float32
def log_softmax(x: Any, axis: int) -> Any:
    """x - log(sum of exp(x))."""
    e = x - np.maximum.reduce(x, axis=axis, keepdims=True)
    total = np.add.reduce(np.exp(e), axis=axis, keepdims=True)
    np.log(total, out=total)
    e -= total
    return e


@_in_float32
def softmax_back(g: Any, out: Any, axis: int) -> Any:
    """out (g - sum of g out)."""
    r = g * out
    total = np.add.reduce(r, axis=axis, keepdims=True)
    np.subtract(g, total, out=r)
    r *= out
    return r


@_in_float32
def log_softmax_back(g: Any, out: Any, axis: int) -> Any:
    """g - exp(out) sum of g."""
    r = np.exp(out)
    r *= np.add.reduce(g, axis=axis, keepdims=True)
    np.subtract(g, r, out=r)
    return r
