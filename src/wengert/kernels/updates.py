"""The arithmetic of optimizers, on arrays in place: each update is a few passes over memory that stays in the cache.

An update is written as passes of NumPy over one block, `update(*arrays, scratch, *constants)`, and `blockwise` takes it
over large arrays a block at a time. Where an update is worth it there is also a loop over elements, `update.loop`, the
same operations in the same order, so the same numbers to the last bit; Numba compiles it if it is installed and enough
elements have been updated to pay for that (see `compiled`). What may not live here: Tensors, options, state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .compiled import compiled

Array = Any
BLOCK = 1 << 16  # elements: the five arrays of Adam in float32 then stay in a cache of 1 to 2 MB


def blockwise(update: Callable[..., None], arrays: tuple[Array, ...], constants: tuple[Any, ...]) -> None:
    """Run `update` on arrays of one shape and dtype, the first of which it changes. Constants are Python numbers."""
    first = arrays[0]
    n = first.size
    if n >= BLOCK:
        loop = compiled(update.loop, n) if hasattr(update, "loop") else None
        if loop is not None and first.dtype in _LOOPED:
            flat = [a.reshape(-1) if a.flags.c_contiguous else None for a in arrays]
            if flat[1] is None:  # a gradient may lie in memory in any order; the others are ours
                flat[1] = np.ascontiguousarray(arrays[1]).reshape(-1)
            if all(a is not None and a.dtype == first.dtype for a in flat):
                loop(*flat, *(first.dtype.type(c) for c in constants))
                return
    # 0-dim arrays: NumPy takes several times longer to convert a Python number on each call.
    values = [np.array(c, first.dtype) for c in constants]
    if n <= BLOCK or first.ndim == 0:
        update(*arrays, np.empty_like(first), *values)
        return
    if all(a.flags.c_contiguous for a in arrays):
        arrays = tuple(a.reshape(-1) for a in arrays)
    rows = max(1, BLOCK // (n // arrays[0].shape[0]))
    scratch = np.empty_like(arrays[0][:rows])
    for start in range(0, arrays[0].shape[0], rows):
        block = [a[start : start + rows] for a in arrays]
        update(*block, scratch[: len(block[0])], *values)


_LOOPED = (np.dtype(np.float32), np.dtype(np.float64))
add, subtract, multiply, divide, sqrt = np.add, np.subtract, np.multiply, np.divide, np.sqrt


def _looped(loop: Any) -> Any:
    def attach(update: Any) -> Any:
        update.loop = loop
        return update

    return attach


# -- SGD -------------------------------------------------------------------------------------------------------


def _descend_loop(p: Array, g: Array, lr: Any) -> None:
    for i in range(p.size):
        p[i] = p[i] - g[i] * lr


@_looped(_descend_loop)
def descend(p: Array, g: Array, t: Array, lr: Array) -> None:
    """p - lr g."""
    multiply(g, lr, t)
    subtract(p, t, p)


def _momentum_loop(p: Array, g: Array, buf: Array, mu: Any, keep: Any, lr: Any) -> None:
    for i in range(p.size):
        buf[i] = b = buf[i] * mu + g[i] * keep
        p[i] = p[i] - b * lr


@_looped(_momentum_loop)
def momentum(p: Array, g: Array, buf: Array, t: Array, mu: Array, keep: Array, lr: Array) -> None:
    """buf = mu buf + keep g; p - lr buf. `keep` is 1 - dampening."""
    multiply(buf, mu, buf)
    multiply(g, keep, t)
    add(buf, t, buf)
    multiply(buf, lr, t)
    subtract(p, t, p)


def nesterov(p: Array, g: Array, buf: Array, t: Array, mu: Array, keep: Array, lr: Array) -> None:
    """buf = mu buf + keep g; p - lr (g + mu buf)."""
    multiply(buf, mu, buf)
    multiply(g, keep, t)
    add(buf, t, buf)
    multiply(buf, mu, t)
    add(g, t, t)
    multiply(t, lr, t)
    subtract(p, t, p)


# -- Adam ------------------------------------------------------------------------------------------------------


def _adam_loop(
    p: Array, g: Array, m: Array, v: Array, w1: Any, b2: Any, w2: Any, root: Any, eps: Any, rate: Any
) -> None:
    for i in range(p.size):
        gi = g[i]
        m[i] = mi = m[i] + (gi - m[i]) * w1
        v[i] = vi = v[i] * b2 + gi * gi * w2
        p[i] = p[i] - mi / (np.sqrt(vi) / root + eps) * rate


@_looped(_adam_loop)
def adam(
    p: Array, g: Array, m: Array, v: Array, t: Array, w1: Any, b2: Any, w2: Any, root: Any, eps: Any, rate: Any
) -> None:
    """m += w1 (g - m); v = b2 v + w2 g g; p - rate m / (sqrt(v) / root + eps).

    w1 and w2 are 1 - beta1 and 1 - beta2, root is the square root of 1 - beta2**step, rate lr / (1 - beta1**step).
    """
    _means(g, m, v, t, w1, b2, w2)
    _quotient(p, m, v, t, root, eps, rate)


def amsgrad(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    top: Array,
    t: Array,
    w1: Any,
    b2: Any,
    w2: Any,
    root: Any,
    eps: Any,
    rate: Any,
) -> None:
    """`adam`, divided by the largest v so far."""
    _means(g, m, v, t, w1, b2, w2)
    np.maximum(top, v, out=top)
    _quotient(p, m, top, t, root, eps, rate)


def _means(g: Array, m: Array, v: Array, t: Array, w1: Array, b2: Array, w2: Array) -> None:
    subtract(g, m, t)
    multiply(t, w1, t)
    add(m, t, m)
    multiply(v, b2, v)
    multiply(g, g, t)
    multiply(t, w2, t)
    add(v, t, v)


def _quotient(p: Array, m: Array, v: Array, t: Array, root: Array, eps: Array, rate: Array) -> None:
    sqrt(v, t)
    divide(t, root, t)
    add(t, eps, t)
    divide(m, t, t)
    multiply(t, rate, t)
    subtract(p, t, p)
