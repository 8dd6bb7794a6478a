"""A = L D L^T (or L^H) of symmetric or Hermitian, not necessarily definite matrices, and solutions with it.

The algorithm of Bunch and Kaufman (1977), unblocked, in LAPACK's format: L below the diagonal and D on it (a block of 2
takes the element below too), pivots from 1, negative for a block of 2. As there, an exchange of rows is not applied to the
columns of L that are done: L is a product of exchanges and columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .linalg import _size

_ALPHA = (1 + np.sqrt(17)) / 8  # bounds the growth of both kinds of step equally


def factor(a: Any, hermitian: bool) -> tuple[Any, Any, Any]:
    """(LD, pivots, info) of stacks of matrices, whose lower triangle is read. info: the first zero block of D, or 0."""
    *batch, n, _ = a.shape
    LD = np.tril(a)
    pivots, info = np.zeros((*batch, n), np.int32), np.zeros(tuple(batch), np.int32)
    for i in np.ndindex(*batch):
        LD[i], info[i] = _factor_one(LD[i], pivots[i], hermitian)
    return LD, pivots, info


def _factor_one(low: Any, pivots: Any, hermitian: bool) -> tuple[Any, int]:
    n = low.shape[0]
    across = np.conjugate if hermitian else np.asarray
    a = low + across(np.tril(low, -1).T)
    if hermitian:
        np.fill_diagonal(a, a.diagonal().real)
    info = k = 0
    while k < n:
        at, step = _pivot(a, k)
        if at is None:  # the column is zero
            info = info or k + 1
            pivots[k] = k + 1
            k += 1
            continue
        last = k + step - 1
        if at != last:
            rest = a[k:, k:]
            rest[[last - k, at - k]] = rest[[at - k, last - k]]
            rest[:, [last - k, at - k]] = rest[:, [at - k, last - k]]
        pivots[k : k + step] = (at + 1) * (1 if step == 1 else -1)
        below = slice(k + step, n)
        D, X = a[k : k + step, k : k + step], a[below, k : k + step]
        W = X / D if step == 1 else np.linalg.solve(D.T, X.T).T
        a[below, below] -= W @ across(X.T)
        if hermitian and k + step < n:
            np.fill_diagonal(a[below, below], a[below, below].diagonal().real)
        a[below, k : k + step] = W
        k += step
    return np.tril(a), info


def _pivot(a: Any, k: int) -> tuple[int | None, int]:
    """The row to bring up, and whether to take a pivot of 1 or a block of 2."""
    n = a.shape[0]
    own = _size(a[k, k])
    column = _size(a[k + 1 :, k])
    top = column.max(initial=0)
    if max(own, top) == 0:
        return None, 1
    if own >= _ALPHA * top:
        return k, 1
    r = k + 1 + int(column.argmax())
    row = _size(a[r, k:n])
    row[r - k] = 0
    most = row.max()
    if own >= _ALPHA * top * (top / most):
        return k, 1
    return r, 1 if _size(a[r, r]) >= _ALPHA * most else 2


def solve(LD: Any, pivots: Any, b: Any, hermitian: bool) -> Any:
    """X with A X = B from `factor(A)`."""
    batch = np.broadcast_shapes(LD.shape[:-2], b.shape[:-2])
    out = np.array(np.broadcast_to(b, (*batch, *b.shape[-2:])))
    LD = np.broadcast_to(LD, (*batch, *LD.shape[-2:]))
    pivots = np.broadcast_to(pivots, (*batch, pivots.shape[-1]))
    with np.errstate(all="ignore"):
        for i in np.ndindex(*batch):
            _solve_one(LD[i], pivots[i], out[i], hermitian)
    return out


def _solve_one(LD: Any, pivots: Any, x: Any, hermitian: bool) -> None:
    n = LD.shape[0]
    across = np.conjugate if hermitian else np.asarray
    steps = []
    k = 0
    while k < n:
        step = 1 if pivots[k] > 0 else 2
        last, at = k + step - 1, abs(int(pivots[k])) - 1
        steps.append((k, step, last, at))
        x[[last, at]] = x[[at, last]]
        x[k + step :] -= LD[k + step :, k : k + step] @ x[k : k + step]
        D = LD[k : k + step, k : k + step]
        if step == 1:
            x[k] = x[k] / D[0, 0]
        else:
            x[k : k + 2] = np.linalg.solve(np.tril(D) + across(np.tril(D, -1).T), x[k : k + 2])
        k += step
    for k, step, last, at in reversed(steps):
        x[k : k + step] -= across(LD[k + step :, k : k + step].T) @ x[k + step :]
        x[[last, at]] = x[[at, last]]
