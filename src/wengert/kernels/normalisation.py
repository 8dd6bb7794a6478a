"""Normalisation on arrays: subtract the mean, divide by the standard deviation; and the way back.

`axes` are what mean and variance are taken over; the statistics keep those axes with size 1. float16 is computed in
float32, as PyTorch does.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import threads
from .compiled import machine


def _letters(ndim: int, axes: tuple[int, ...]) -> tuple[str, str]:
    every = "abcdefghijklmnop"[:ndim]
    return every, "".join(c for i, c in enumerate(every) if i not in axes)


def product_sum(a: Any, b: Any, axes: tuple[int, ...]) -> Any:
    """The sum of a * b over axes, kept with size 1; nothing of the size of `a` is made."""
    every, rest = _letters(a.ndim, axes)
    shape = tuple(1 if i in axes else n for i, n in enumerate(a.shape))
    if axes == (a.ndim - 1,) and a.flags.c_contiguous and b.flags.c_contiguous:
        return np.vecdot(a, b)[..., None] if hasattr(np, "vecdot") else np.einsum("...i,...i", a, b)[..., None]
    return np.einsum(f"{every},{every}->{rest}", a, b).reshape(shape)


def count(shape: tuple[int, ...], axes: tuple[int, ...]) -> int:
    n = 1
    for d in axes:
        n *= shape[d]
    return n


def statistics(x: Any, axes: tuple[int, ...]) -> tuple[Any, Any, Any]:
    """Mean, (biased) variance, and what is left when the mean is taken off."""
    n = count(x.shape, axes)
    mean = np.add.reduce(x, axis=axes, keepdims=True)
    mean /= n
    away = x - mean
    var = product_sum(away, away, axes)
    var = var / x.dtype.type(n)
    return mean, var, away


def normalise(x: Any, axes: tuple[int, ...], eps: float) -> tuple[Any, Any, Any, Any]:
    """(x - mean) / sqrt(var + eps), in new memory; mean, variance and 1 / sqrt(var + eps)."""
    mean, var, away = statistics(x, axes)
    rstd = 1 / np.sqrt(var + x.dtype.type(eps))
    away *= rstd
    return away, mean, var, rstd


def normalise_back(g: Any, x: Any, mean: Any, rstd: Any, axes: tuple[int, ...]) -> Any:
    """The gradient of x from that of (x - mean) rstd, whose statistics are those of x over `axes`.

    With y = (x - mean) rstd it is rstd (g - mean of g - y mean of (g y)).
    """
    n = x.dtype.type(count(x.shape, axes))
    r = x - mean
    along = product_sum(g, r, axes) * (rstd * rstd / n)
    r *= along
    np.subtract(g, r, out=r)
    r -= np.add.reduce(g, axis=axes, keepdims=True) / n
    r *= rstd
    return r


# -- compiled, weight and bias and their gradients included --------------------------------------------------------

_LARGE = 1 << 14  # elements from which a compiled loop is looked for


def _fit(x: Any, *others: Any) -> bool:
    """Is there work enough, on arrays that a loop knows?"""
    if x.size < _LARGE or x.dtype.char not in "fd":
        return False
    return all(a is None or (a.dtype == x.dtype and a.flags.c_contiguous) for a in (x, *others))


def _filled(a: Any, shape: tuple[int, ...], value: int, dtype: Any) -> Any:
    return np.full(shape, value, dtype) if a is None else a.reshape(shape)


def _forward(name: str, x: Any, w: Any, b: Any, eps: float, many: int) -> Any:
    out = np.empty_like(x)
    mean, var, rstd = statistics = np.empty((3, many), x.dtype)
    values = out, mean, var, rstd, x, w, b, x.dtype.type(eps)
    loop = machine(name, x.size, *values, 0, 0)
    if loop is None:
        return None
    threads.share(lambda low, high: loop(*values, low, high), many, x.size)
    return out, *statistics


def rows_by_loop(x: Any, n: int, w: Any, b: Any, eps: float) -> Any:
    """Rows of n numbers normalised, times w plus b, which are (groups, n), for rows in turn, or None; mean, variance and
    1 / deviation of each row. None if no compiled loop may do it."""
    if not _fit(x, w, b):
        return None
    groups = len(w) if w is not None else len(b) if b is not None else 1
    w, b = _filled(w, (groups, n), 1, x.dtype), _filled(b, (groups, n), 0, x.dtype)
    found = _forward("rows_norm", x.reshape(-1, n), w, b, eps, x.size // n)
    return found and (found[0].reshape(x.shape), *found[1:])


def rows_back_by_loop(g: Any, x: Any, n: int, w: Any, mean: Any, rstd: Any) -> Any:
    """The gradients of x, w and b of `rows_by_loop`; None if no compiled loop may do it."""
    if not _fit(x, g, w, mean, rstd):
        return None
    out = np.empty((x.size // n, n), x.dtype)
    parts: dict[int, Any] = {}
    given = g.reshape(-1, n), x.reshape(-1, n), w, mean.reshape(-1), rstd.reshape(-1)
    loop = machine("rows_norm_back", x.size, out, w, w, *given, 0, 0)
    if loop is None:
        return None

    def work(low: int, high: int) -> None:
        parts[low] = sums = np.zeros((2, *w.shape), x.dtype)
        loop(out, *sums, *given, low, high)

    threads.share(work, len(out), x.size)
    total = np.add.reduce([parts[low] for low in sorted(parts)])
    return out.reshape(x.shape), total[0], total[1]


def channels_by_loop(x: Any, w: Any, b: Any, eps: float) -> Any:
    """The same for (n, c, *) and each channel, with w and b (c,) or None."""
    if not _fit(x, w, b):
        return None
    c = x.shape[1]
    w, b = _filled(w, (c,), 1, x.dtype), _filled(b, (c,), 0, x.dtype)
    found = _forward("channels_norm", x.reshape(len(x), c, -1), w, b, eps, c)
    return found and (found[0].reshape(x.shape), *found[1:])


def channels_back_by_loop(g: Any, x: Any, w: Any, mean: Any, rstd: Any) -> Any:
    """The gradients of x, w and b of `channels_by_loop`; None if no compiled loop may do it."""
    if not _fit(x, g, w, mean, rstd):
        return None
    n, c = x.shape[:2]
    out = np.empty((n, c, x.size // (n * c)), x.dtype)
    dw, db = np.empty((2, c), x.dtype)
    values = out, dw, db, g.reshape(out.shape), x.reshape(out.shape), w, mean.reshape(-1), rstd.reshape(-1)
    loop = machine("channels_norm_back", x.size, *values, 0, 0)
    if loop is None:
        return None
    threads.share(lambda low, high: loop(*values, low, high), c, x.size)
    return out.reshape(x.shape), dw, db
