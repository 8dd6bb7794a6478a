"""Factorisations that `numpy.linalg` does not offer: LU, Bunch-Kaufman's LDL, triangular solves, the matrix exponential.

Everything here takes stacks of matrices (leading dimensions are a batch) and returns new arrays. What NumPy has (Cholesky,
QR, eigenvalues, SVD) is called from the tables directly. No matrix is refused here: a singular one gives infinities and
a number that says which pivot is zero, as LAPACK does.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from . import blas
from .compiled import compiled

_PANEL = 32  # columns factored one by one, before the rest is updated by one matrix product
_SMALL = 16  # triangular systems up to this size are solved together, by LAPACK
_BLOCK = 64  # triangular systems up to this size go to LAPACK as they are
_FEW = 4  # so many large matrices are factored one by one


def _size(x: Any) -> Any:
    """LAPACK's measure for pivots: |re| + |im|."""
    return np.abs(x.real) + np.abs(x.imag) if x.dtype.kind == "c" else np.abs(x)


def batch_of(a: Any, b: Any) -> tuple[int, ...]:
    """The broadcast leading dimensions of two stacks of matrices."""
    return np.broadcast_shapes(a.shape[:-2], b.shape[:-2])


# -- LU ----------------------------------------------------------------------------------------------------------


def lu_factor(a: Any, pivot: bool = True) -> tuple[Any, Any, Any]:
    """P A = L U. L (unit diagonal) and U in one array, LAPACK's pivots (from 1), and the first zero pivot (from 1) or 0.

    Blocked, right-looking (Golub and Van Loan, algorithm 3.4.1 with panels).
    """
    *batch, m, n = a.shape
    k = min(m, n)
    count = prod(batch)
    x = np.array(a, order="C").reshape((count, m, n))
    pivots = np.empty((count, k), np.int64)
    info = np.zeros(count, np.int32)
    for start in range(0, k, _PANEL):
        stop = min(start + _PANEL, k)
        if count <= _FEW:
            for i in range(count):
                _panel(x[i], start, stop, pivots[i], info[i : i + 1], pivot)
        else:
            _panels(x, start, stop, pivots, info, pivot)
        if stop < n:
            top = solve_triangular(x[:, start:stop, start:stop], x[:, start:stop, stop:], False, True)
            x[:, start:stop, stop:] = top
            x[:, stop:, stop:] -= x[:, stop:, start:stop] @ top
    return x.reshape(a.shape), (pivots + 1).astype(np.int32).reshape((*batch, k)), info.reshape(tuple(batch))


def _panel(x: Any, start: int, stop: int, pivots: Any, info: Any, pivot: bool) -> None:
    """Factor columns start ... stop-1 of one matrix, then exchange the rows of the others likewise."""
    width = stop - start
    loop = compiled(_panel_loop, (x.shape[0] - start) * width)
    if loop is not None:
        panel = x[start:, start:stop].copy()
        loop(panel, pivots, info, start, pivot)
    else:
        panel = _panel_columns(x[start:, start:stop], pivots, info, start, pivot)
    if pivot:
        order = list(range(panel.shape[0]))
        for j in range(width):
            p = int(pivots[start + j]) - start
            order[j], order[p] = order[p], order[j]
        x[start:] = x[start:][order]
    x[start:, start:stop] = panel


def _panel_columns(x: Any, pivots: Any, info: Any, start: int, pivot: bool) -> Any:
    """The factored panel; columns are rows of memory here, which NumPy passes over fastest."""
    panel = x.T.copy()
    width = panel.shape[0]
    for j in range(width):
        column = panel[j, j:]
        p = int(_size(column).argmax()) if pivot else 0
        pivots[start + j] = start + j + p
        if p:
            row = panel[:, j].copy()
            panel[:, j] = panel[:, j + p]
            panel[:, j + p] = row
        head = column[0]
        if head == 0:
            info[0] = info[0] or start + j + 1
        else:
            column[1:] /= head
        if j + 1 < width:
            panel[j + 1 :, j + 1 :] -= panel[j + 1 :, j, None] * column[1:]
    return panel.T


def _panel_loop(panel: Any, pivots: Any, info: Any, start: int, pivot: bool) -> None:
    """The same as loops over elements, for Numba."""
    m, width = panel.shape
    for j in range(width):
        p = j
        if pivot:
            most = -1.0
            for i in range(j, m):
                size = abs(panel[i, j].real) + abs(panel[i, j].imag)
                if size > most:
                    most = size
                    p = i
        pivots[start + j] = start + p
        if p != j:
            for c in range(width):
                panel[j, c], panel[p, c] = panel[p, c], panel[j, c]
        head = panel[j, j]
        if head == 0:
            if info[0] == 0:
                info[0] = start + j + 1
            continue
        for i in range(j + 1, m):
            factor = panel[i, j] / head
            panel[i, j] = factor
            for c in range(j + 1, width):
                panel[i, c] -= factor * panel[j, c]


def _panels(x: Any, start: int, stop: int, pivots: Any, info: Any, pivot: bool) -> None:
    """The same for many matrices at once, column by column."""
    every = np.arange(x.shape[0])
    for j in range(start, stop):
        pivots[:, j] = j
        if pivot:
            p = _size(x[:, j:, j]).argmax(axis=1) + j
            pivots[:, j] = p
            if (p != j).any():
                row = x[:, j].copy()
                x[:, j] = x[every, p]
                x[every, p] = row
        head = x[:, j, j]
        zero = head == 0
        if zero.any():
            info[(info == 0) & zero] = j + 1
            head = np.where(zero, 1, head)
        if j + 1 < x.shape[1]:
            x[:, j + 1 :, j] /= head[:, None]
            if j + 1 < stop:
                x[:, j + 1 :, j + 1 : stop] -= x[:, j + 1 :, j, None] * x[:, None, j, j + 1 : stop]


def permutation(pivots: Any, m: int) -> Any:
    """The order in which `pivots` (row interchanges, from 1) take the rows: `A[order]` is `L @ U`."""
    *batch, k = pivots.shape
    flat = pivots.reshape((prod(batch), k)).astype(np.int64) - 1
    order = np.tile(np.arange(m), (flat.shape[0], 1))
    every = np.arange(flat.shape[0])
    for j in range(k):
        p = flat[:, j]
        row = order[:, j].copy()
        order[:, j] = order[every, p]
        order[every, p] = row
    return order.reshape((*batch, m))


# -- triangular systems ------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _triangle(n: int, strict: bool) -> Any:
    """Where an upper triangle is, with or without its diagonal."""
    mask = np.triu(np.ones((n, n), bool), 1 if strict else 0)
    mask.setflags(write=False)
    return mask


def solve_triangular(a: Any, b: Any, upper: bool, unit: bool = False) -> Any:
    """X with A X = B, A triangular (the other triangle is not read). A zero on the diagonal gives infinities.

    Large matrices one by one by BLAS. Without it by blocks: one product takes off what is known, then LAPACK solves with
    the block on the diagonal.
    """
    n = a.shape[-1]
    kind = np.result_type(a, b)
    if n == 0 or b.shape[-1] == 0:
        return np.zeros((*batch_of(a, b), *b.shape[-2:]), kind)
    if not unit and not np.all(np.diagonal(a, 0, -2, -1)):
        return _substitute(np.triu(a) if upper else np.tril(a), b, upper)
    if n > _SMALL and a.dtype == b.dtype:
        x = _solve_by_blas(a, b, upper, unit)
        if x is not None:
            return x
    if n <= _BLOCK:
        return _solve_block(a, b, upper, unit)
    x = np.empty((*batch_of(a, b), *b.shape[-2:]), kind)
    starts = range(0, n, _BLOCK)
    for i in reversed(starts) if upper else starts:
        rows = slice(i, min(i + _BLOCK, n))
        known = slice(rows.stop, n) if upper else slice(0, i)
        rest = b[..., rows, :]
        if known.start != known.stop:
            rest = rest - a[..., rows, known] @ x[..., known, :]
        x[..., rows, :] = _solve_block(a[..., rows, rows], rest, upper, unit)
    return x


def _solve_by_blas(a: Any, b: Any, upper: bool, unit: bool) -> Any:
    """The systems one by one; None if there is no BLAS to ask."""
    if a.ndim == 2 and b.ndim == 2:
        return blas.solve_triangular(a, b, upper, unit)
    batch = batch_of(a, b)
    x = np.empty((*batch, *b.shape[-2:]), b.dtype)
    a, b = np.broadcast_to(a, (*batch, *a.shape[-2:])), np.broadcast_to(b, x.shape)
    for i in np.ndindex(batch):
        one = blas.solve_triangular(a[i], b[i], upper, unit)
        if one is None:
            return None
        x[i] = one
    return x


def _solve_block(a: Any, b: Any, upper: bool, unit: bool) -> Any:
    """Turned round, a lower triangle is an upper one, in which LAPACK's general solver finds nothing to exchange."""
    if not upper:
        return _solve_block(a[..., ::-1, ::-1], b[..., ::-1, :], True, unit)[..., ::-1, :]
    n = a.shape[-1]
    t = np.where(_triangle(n, unit), a, 0)
    if unit:
        t[..., np.arange(n), np.arange(n)] = 1
    return np.linalg.solve(t, b)


def _substitute(t: Any, b: Any, upper: bool) -> Any:
    """Row by row, so that a zero divides where it stands and nowhere else."""
    n = t.shape[-1]
    x = np.zeros((*batch_of(t, b), *b.shape[-2:]), np.result_type(t, b))
    x[...] = b
    with np.errstate(all="ignore"):
        for i in range(n - 1, -1, -1) if upper else range(n):
            rest = slice(i + 1, n) if upper else slice(0, i)
            x[..., i, :] -= (t[..., i, None, rest] @ x[..., rest, :])[..., 0, :]
            x[..., i, :] /= t[..., i, i, None]
    return x


# -- general systems ---------------------------------------------------------------------------------------------


def solve(a: Any, b: Any) -> tuple[Any, Any]:
    """X with A X = B for square A, and for each matrix its first zero pivot (from 1) or 0."""
    batch = batch_of(a, b)
    if b.size == 0 or a.size == 0:
        return np.zeros((*batch, *b.shape[-2:]), np.result_type(a, b)), np.zeros(a.shape[:-2], np.int32)
    try:
        return np.linalg.solve(a, b), np.zeros(a.shape[:-2], np.int32)
    except np.linalg.LinAlgError:
        lu, pivots, info = lu_factor(a)
        return lu_solve(lu, pivots, b), info


def lu_solve(lu: Any, pivots: Any, b: Any, adjoint: bool = False) -> Any:
    """X with A X = B, or A^H X = B, from the factors of A."""
    order = permutation(pivots, lu.shape[-1])
    batch = batch_of(lu, b)
    order = np.broadcast_to(order, (*batch, order.shape[-1]))[..., None]
    b = np.broadcast_to(b, (*batch, *b.shape[-2:]))
    with np.errstate(all="ignore"):
        if adjoint:
            across = lu.mT.conjugate()
            y = solve_triangular(across, solve_triangular(across, b, False), True, True)
            x = np.empty_like(y)
            np.put_along_axis(x, np.broadcast_to(order, y.shape), y, -2)
            return x
        b = np.take_along_axis(b, order, -2)
        return solve_triangular(lu, solve_triangular(lu, b, False, True), True)


def inverse(a: Any) -> tuple[Any, Any]:
    """The inverses, and for each matrix its first zero pivot (from 1) or 0."""
    if a.size == 0:
        return a.copy(), np.zeros(a.shape[:-2], np.int32)
    try:
        return np.linalg.inv(a), np.zeros(a.shape[:-2], np.int32)
    except np.linalg.LinAlgError:
        return solve(a, np.eye(a.shape[-1], dtype=a.dtype))


def cholesky(a: Any, upper: bool = False) -> tuple[Any, Any]:
    """L with L L^H = A (U with U^H U = A), and for each matrix the order of its first minor that is not positive, or 0."""
    zeros = np.zeros(a.shape[:-2], np.int32)
    if a.size == 0:
        return a.copy(), zeros
    try:
        return np.linalg.cholesky(a, upper=upper), zeros
    except np.linalg.LinAlgError:
        pass
    flat = a.reshape((-1, *a.shape[-2:]))
    out, info = np.empty_like(flat), np.zeros(len(flat), np.int32)
    for i, x in enumerate(flat):
        out[i], info[i] = _cholesky_up_to_failure(x, upper)
    return out.reshape(a.shape), info.reshape(zeros.shape)


def _cholesky_up_to_failure(x: Any, upper: bool) -> tuple[Any, int]:
    """The factor of the largest leading minor that has one; the rest as it was (only its triangle)."""
    low, high = 0, x.shape[0] + 1  # the minor of order `low` has a factor, that of order `high` has none
    while high - low > 1:
        middle = (low + high) // 2
        try:
            if middle > x.shape[0]:
                raise np.linalg.LinAlgError
            np.linalg.cholesky(x[:middle, :middle], upper=upper)
            low = middle
        except np.linalg.LinAlgError:
            high = middle
    out = np.triu(x) if upper else np.tril(x)
    out[:low, :low] = np.linalg.cholesky(x[:low, :low], upper=upper)
    return out, 0 if low == x.shape[0] else low + 1


# -- the exponential ---------------------------------------------------------------------------------------------

_PADE = (
    *(64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000, 10559470521600),
    *(670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1),
)
_THETA = 5.371920351148152  # up to this 1-norm the approximant is exact to double precision


def matrix_exp(a: Any) -> Any:
    """e^A by scaling, the Pade approximant of degree 13, and squaring (Higham 2005)."""
    n = a.shape[-1]
    if a.size == 0:
        return a.copy()
    flat = a.reshape((-1, n, n))
    size = np.abs(flat).sum(axis=1).max(axis=1)
    with np.errstate(all="ignore"):
        times = np.where(size > _THETA, np.ceil(np.log2(size / _THETA)), 0)
    times = np.where(np.isfinite(times), times, 0).astype(np.int64)
    x = flat / np.exp2(times)[:, None, None].astype(flat.real.dtype)
    one = np.eye(n, dtype=a.dtype)
    x2 = x @ x
    x4 = x2 @ x2
    x6 = x2 @ x4
    c = [float(v) for v in _PADE]
    u = x @ (x6 @ (c[13] * x6 + c[11] * x4 + c[9] * x2) + c[7] * x6 + c[5] * x4 + c[3] * x2 + c[1] * one)
    v = x6 @ (c[12] * x6 + c[10] * x4 + c[8] * x2) + c[6] * x6 + c[4] * x4 + c[2] * x2 + c[0] * one
    out = solve(v - u, v + u)[0]
    for i in range(int(times.max())):
        more = times > i
        out[more] = out[more] @ out[more]
    return out.reshape(a.shape).astype(a.dtype, copy=False)
