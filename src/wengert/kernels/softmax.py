"""Softmax and its logarithm on arrays, along one axis, and the products with their Jacobians.

float16 is computed in float32, as PyTorch does. The axis is not negative; a 0-dim array counts as one of one element.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .compiled import vector

_LARGE = 1 << 13  # elements from which a compiled loop is looked for


def _by_loop(name: str, axis: int, out: Any, *arrays: Any) -> bool:
    """Has a compiled loop along the last axis filled `out` from arrays and numbers for each row?"""
    first = arrays[0]
    if first.size < _LARGE or axis != first.ndim - 1:
        return False
    rows = [a.reshape(-1, a.shape[-1]) if a.shape[-1] != 1 else a.reshape(-1) for a in (out, *arrays)]
    if rows[0].ndim != 2 or not all(a.flags.c_contiguous and a.ndim == first.ndim for a in (out, *arrays)):
        return False
    loop = vector(name, first.size, *rows[1:])
    if loop is None:
        return False
    loop(*rows)
    return True


def _in_float32(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """What is common to the kernels `(*arrays, axis, out)`: new memory where no `out` is given; float16 in float32."""
    count = kernel.__code__.co_argcount - 2

    def run(*args: Any) -> Any:
        arrays, axis, out = args[:count], args[count], args[count + 1] if len(args) > count + 1 else None
        first = arrays[0]
        if first.size and first.ndim and first.dtype != np.float16:
            out = np.empty(first.shape, first.dtype) if out is None else out
            kernel(*arrays, axis, out)
            return out
        if not first.ndim:
            found = run(*(np.reshape(a, 1) for a in arrays), 0).reshape(())
        elif not first.size:
            found = np.zeros_like(first)
        else:
            found = run(*(a.astype(np.float32) for a in arrays), axis).astype(np.float16)
        if out is None:
            return found
        out[...] = found
        return out

    run.__name__ = kernel.__name__
    run.__doc__ = kernel.__doc__
    return run


@_in_float32
def softmax(x: Any, axis: int, out: Any) -> None:
    """exp(x) / sum of exp(x)."""
    top = np.maximum.reduce(x, axis=axis, keepdims=True)
    if _by_loop("softmax_loop", axis, out, x, top):
        return
    np.subtract(x, top, out=out)
    np.exp(out, out=out)
    np.divide(out, np.add.reduce(out, axis=axis, keepdims=True), out=out)


@_in_float32
def log_softmax(x: Any, axis: int, out: Any) -> None:
    """x - log(sum of exp(x))."""
    top = np.maximum.reduce(x, axis=axis, keepdims=True)
    if _by_loop("log_softmax_loop", axis, out, x, top):
        return
    np.subtract(x, top, out=out)
    total = np.add.reduce(np.exp(out), axis=axis, keepdims=True)
    np.log(total, out=total)
    np.subtract(out, total, out=out)


@_in_float32
def softmax_back(g: Any, y: Any, axis: int, out: Any) -> None:
    """y (g - sum of g y)."""
    if _by_loop("softmax_back_loop", axis, out, g, y):
        return
    np.multiply(g, y, out=out)
    total = np.add.reduce(out, axis=axis, keepdims=True)
    np.subtract(g, total, out=out)
    np.multiply(out, y, out=out)


@_in_float32
def log_softmax_back(g: Any, y: Any, axis: int, out: Any) -> None:
    """g - exp(y) sum of g."""
    if _by_loop("log_softmax_back_loop", axis, out, g, y):
        return
    np.exp(y, out=out)
    np.multiply(out, np.add.reduce(g, axis=axis, keepdims=True), out=out)
    np.subtract(g, out, out=out)
