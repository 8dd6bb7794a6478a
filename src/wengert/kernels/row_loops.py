# mypy: ignore-errors
"""Loops over rows or channels, each in passes that stay in the cache: normalisation, forward and for the way back; running sums.

Only `compiled.machine` imports this module, for it needs Numba. The last two arguments say which part of the first axis
to work on. What they compute is stated in NumPy in `kernels/normalisation` and `scans`, the tests' reference.
"""

from __future__ import annotations

import numba
import numpy as np

# Sums may be taken in any order.
_loop = numba.njit(nogil=True, fastmath={"contract", "reassoc"}, error_model="numpy", cache=True)


@_loop
def rows_norm(out, mean, var, rstd, x, w, b, eps, low, high):
    """Each row of x (rows, n), its mean taken off, divided by its deviation, times w plus b: (groups, n), row by row."""
    n = x.shape[1]
    count = x.dtype.type(n)
    one = x.dtype.type(1)
    for i in range(low, high):
        k = i % w.shape[0]
        total = x.dtype.type(0)
        for j in range(n):
            total += x[i, j]
        m = total / count
        square = x.dtype.type(0)
        for j in range(n):
            d = x[i, j] - m
            square += d * d
        v = square / count
        r = one / np.sqrt(v + eps)
        for j in range(n):
            out[i, j] = (x[i, j] - m) * r * w[k, j] + b[k, j]
        mean[i] = m
        var[i] = v
        rstd[i] = r


@_loop
def rows_norm_back(out, dw, db, g, x, w, mean, rstd, low, high):
    """The gradients of x in rows, and of w and b added to dw[part] and db[part], (groups, n) each."""
    n = x.shape[1]
    count = x.dtype.type(n)
    for i in range(low, high):
        k = i % w.shape[0]
        m, r = mean[i], rstd[i]
        total = x.dtype.type(0)
        along = x.dtype.type(0)
        for j in range(n):
            h = g[i, j] * w[k, j]
            total += h
            along += h * (x[i, j] - m)
        total /= count
        along *= r * r / count
        for j in range(n):
            d = x[i, j] - m
            out[i, j] = (g[i, j] * w[k, j] - total - d * along) * r
            dw[k, j] += g[i, j] * d * r
            db[k, j] += g[i, j]


@_loop
def channels_norm(out, mean, var, rstd, x, w, b, eps, low, high):
    """The same for channels of x (n, c, s), over examples and places."""
    examples, places = x.shape[0], x.shape[2]
    count = x.dtype.type(examples * places)
    one = x.dtype.type(1)
    for c in range(low, high):
        total = x.dtype.type(0)
        for i in range(examples):
            for j in range(places):
                total += x[i, c, j]
        m = total / count
        square = x.dtype.type(0)
        for i in range(examples):
            for j in range(places):
                d = x[i, c, j] - m
                square += d * d
        v = square / count
        r = one / np.sqrt(v + eps)
        scale, shift = r * w[c], b[c]
        for i in range(examples):
            for j in range(places):
                out[i, c, j] = (x[i, c, j] - m) * scale + shift
        mean[c] = m
        var[c] = v
        rstd[c] = r


@_loop
def channels_norm_back(out, dw, db, g, x, w, mean, rstd, low, high):
    """The gradients of x (n, c, s), of w and of b (c)."""
    examples, places = x.shape[0], x.shape[2]
    count = x.dtype.type(examples * places)
    for c in range(low, high):
        m, r = mean[c], rstd[c]
        total = x.dtype.type(0)
        along = x.dtype.type(0)
        for i in range(examples):
            for j in range(places):
                total += g[i, c, j]
                along += g[i, c, j] * (x[i, c, j] - m)
        db[c] = total
        dw[c] = along * r
        total /= count
        along *= r * r / count
        scale = r * w[c]
        for i in range(examples):
            for j in range(places):
                out[i, c, j] = (g[i, c, j] - total - (x[i, c, j] - m) * along) * scale


@numba.njit(nogil=True, error_model="numpy", cache=True)
def running_sums(out, x, backwards, low, high):
    """Running sums of x (outer, n, inner) along n, from the end if `backwards`. Four rows at a time: each waits for itself."""
    n, inner = x.shape[1], x.shape[2]
    zero = x.dtype.type(0)
    if inner > 1:
        for a in range(low, high):
            for k in range(n):
                i = n - 1 - k if backwards else k
                before = i + 1 if backwards else i - 1
                for j in range(inner):
                    out[a, i, j] = x[a, i, j] + (out[a, before, j] if k else zero)
        return
    a = low
    while a + 4 <= high:
        p, q, r, s = zero, zero, zero, zero
        for k in range(n):
            i = n - 1 - k if backwards else k
            p += x[a, i, 0]
            q += x[a + 1, i, 0]
            r += x[a + 2, i, 0]
            s += x[a + 3, i, 0]
            out[a, i, 0] = p
            out[a + 1, i, 0] = q
            out[a + 2, i, 0] = r
            out[a + 3, i, 0] = s
        a += 4
    for b in range(a, high):
        p = zero
        for k in range(n):
            i = n - 1 - k if backwards else k
            p += x[b, i, 0]
            out[b, i, 0] = p
