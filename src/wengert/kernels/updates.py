"""The arithmetic of optimizers, on arrays in place: each update is a few passes over memory that stays in the cache.

An update is written as passes of NumPy over one block, `update(*arrays, scratch, *constants)`, and `blockwise` takes it
over large arrays a block at a time. Where an update is worth it there is also a loop over elements, `update.loop`, the
same operations in the same order, so the same numbers to the last bit; Numba compiles it if it is installed and enough
elements have been updated to pay for that (see `compiled`). What may not live here: Tensors, options, state.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .compiled import compiled

Array = Any
BLOCK = 1 << 16  # elements: the five arrays of Adam in float32 then stay in a cache of 1 to 2 MB


def descend_by(p: Array, g: Array, lr: Any) -> None:
    """`descend` over arrays of any size; what is small pays for nothing else."""
    if p.size < BLOCK:
        descend(p, g, None, _rate(lr, p.dtype))
    else:
        blockwise(descend, (p, g), (lr,))


@functools.lru_cache(16)
def _rate(lr: Any, dtype: Any) -> Array:
    return np.array(lr, dtype)


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
def descend(p: Array, g: Array, t: Array | None, lr: Array) -> None:
    """p - lr g. Without scratch (None) memory is made for it."""
    subtract(p, multiply(g, lr, t), p)


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
    _mean(g, m, t, w1)
    _mean_square(g, v, t, b2, w2)


def _quotient(p: Array, m: Array, v: Array, t: Array, root: Array, eps: Array, rate: Array) -> None:
    sqrt(v, t)
    divide(t, root, t)
    add(t, eps, t)
    divide(m, t, t)
    multiply(t, rate, t)
    subtract(p, t, p)


# -- other means of squares --------------------------------------------------------------------------------------


def _mean_square(g: Array, v: Array, t: Array, keep: Array, w: Array) -> None:
    """v = keep v + w g g."""
    multiply(v, keep, v)
    multiply(g, g, t)
    multiply(t, w, t)
    add(v, t, v)


def _mean(g: Array, m: Array, t: Array, w: Array) -> None:
    """m += w (g - m)."""
    subtract(g, m, t)
    multiply(t, w, t)
    add(m, t, m)


def _away(p: Array, g: Array, over: Array, t: Array, rate: Array) -> None:
    """p - rate g / over."""
    divide(g, over, t)
    multiply(t, rate, t)
    subtract(p, t, p)


def adagrad(p: Array, g: Array, total: Array, t: Array, eps: Array, rate: Array) -> None:
    """total += g g; p - rate g / (sqrt(total) + eps)."""
    multiply(g, g, t)
    add(total, t, total)
    sqrt(total, t)
    add(t, eps, t)
    _away(p, g, t, t, rate)


def adadelta(p: Array, g: Array, v: Array, u: Array, t: Array, rho: Array, w: Array, eps: Array, lr: Array) -> None:
    """v = rho v + w g g; d = sqrt(u + eps) / sqrt(v + eps) g; u = rho u + w d d; p - lr d."""
    _mean_square(g, v, t, rho, w)
    add(u, eps, t)
    sqrt(t, t)
    std = add(v, eps)
    sqrt(std, std)
    divide(t, std, t)
    multiply(t, g, t)
    _mean_square(t, u, std, rho, w)
    multiply(t, lr, t)
    subtract(p, t, p)


def adamax(p: Array, g: Array, m: Array, top: Array, t: Array, w1: Array, b2: Array, eps: Array, rate: Array) -> None:
    """m += w1 (g - m); top = max(b2 top, |g| + eps); p - rate m / top."""
    _mean(g, m, t, w1)
    multiply(top, b2, top)
    np.absolute(g, t)
    add(t, eps, t)
    np.maximum(top, t, out=top)
    _away(p, m, top, t, rate)


def nadam(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    t: Array,
    w1: Array,
    b2: Array,
    w2: Array,
    correction: Array,
    eps: Array,
    of_g: Array,
    of_m: Array,
) -> None:
    """Adam's means; p - (of_g g + of_m m) / (sqrt(v / correction) + eps), as two steps."""
    _means(g, m, v, t, w1, b2, w2)
    over = divide(v, correction)
    sqrt(over, over)
    add(over, eps, over)
    _away(p, g, over, t, of_g)
    _away(p, m, over, t, of_m)


def radam(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    t: Array,
    w1: Array,
    b2: Array,
    w2: Array,
    correction: Array,
    lr: Array,
    root: Array,
    eps: Array,
    rectified: Array,
) -> None:
    """Adam's means; p - m / correction lr (root / (sqrt(v) + eps)) rectified."""
    _means(g, m, v, t, w1, b2, w2)
    sqrt(v, t)
    add(t, eps, t)
    divide(root, t, t)
    step = divide(m, correction)
    multiply(step, lr, step)
    multiply(step, t, t)
    multiply(t, rectified, t)
    subtract(p, t, p)


def mean_step(
    p: Array, g: Array, m: Array, v: Array, t: Array, w1: Array, b2: Array, w2: Array, correction: Array, lr: Array
) -> None:
    """Adam's means; p - m / correction lr."""
    _means(g, m, v, t, w1, b2, w2)
    divide(m, correction, t)
    multiply(t, lr, t)
    subtract(p, t, p)


def rmsprop(p: Array, g: Array, v: Array, t: Array, alpha: Array, w: Array, eps: Array, lr: Array) -> None:
    """v = alpha v + w g g; p - lr g / (sqrt(v) + eps)."""
    _mean_square(g, v, t, alpha, w)
    sqrt(v, t)
    add(t, eps, t)
    _away(p, g, t, t, lr)


def rprop(
    p: Array, g: Array, last: Array, size: Array, t: Array, less: Array, more: Array, low: Array, high: Array
) -> None:
    """Sizes grow where the sign of g stayed and shrink where it changed, and there no step is taken."""
    multiply(g, last, t)
    turned = t < 0
    multiply(size, np.where(t > 0, more, np.where(turned, less, t.dtype.type(1))), size)
    np.clip(size, low, high, out=size)
    last[...] = g
    last[turned] = 0
    np.sign(last, t)
    multiply(t, size, t)
    subtract(p, t, p)


def asgd(p: Array, g: Array, t: Array, shrink: Array, eta: Array) -> None:
    """p shrink - eta g."""
    multiply(p, shrink, p)
    multiply(g, eta, t)
    subtract(p, t, p)
