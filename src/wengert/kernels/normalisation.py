"""Normalisation on arrays: subtract the mean, divide by the standard deviation; and the way back.

`axes` are what mean and variance are taken over; the statistics keep those axes with size 1. float16 is computed in
float32, as PyTorch does.
"""

from __future__ import annotations

from typing import Any

import numpy as np


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
