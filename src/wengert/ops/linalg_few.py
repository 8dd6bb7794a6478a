"""The few largest or smallest eigenvalues and singular values of a matrix, with their vectors. States no row of the table."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.op import composite
from .linalg_factor import cholesky_rows, qr_rows
from .linalg_shared import mH
from .linalg_spectral import eigh_rows, svd_rows
from .linalg_triangular import solve_triangular_rows
from .random import randn

__all__ = ["lobpcg", "pca_lowrank", "svd_lowrank"]


@composite("lobpcg", method=False)
def lobpcg(
    A: Any, k: int | None = None, B: Any = None, X: Any = None, n: int | None = None, iK: Any = None,
    niter: int | None = None, tol: float | None = None, largest: bool | None = None, method: str | None = None,
    tracker: Any = None, ortho_iparams: Any = None, ortho_fparams: Any = None, ortho_bparams: Any = None,
) -> Any:  # fmt: skip
    """`(E, X)`: the `k` largest eigenvalues of A X = B X diag(E), descending (or the smallest, ascending), and their vectors.

    A and B are real, symmetric, dense and (*, m, m); B is positive definite, and X^T B X = 1. Computed directly, by
    `linalg.eigh`, and as exact: what steers PyTorch's iteration (`X` beyond its number of columns, `iK`, `niter`, `tol`,
    `method`, `ortho_*`) changes nothing. NotImplementedError for a `tracker`, which would watch the iteration.
    """
    if A.shape[-2] != A.shape[-1]:
        raise AssertionError(f"A must be square, got shape {A.shape}")
    if B is not None and A.shape != B.shape:
        raise AssertionError(f"A and B must have same shape, got {A.shape} vs {B.shape}")
    if tracker is not None:
        raise NotImplementedError(
            "lobpcg: there are no iterations for a tracker to watch; the eigenvalues are found directly"
        )
    m = A.shape[-1]
    k = k if k is not None else 1 if X is None else X.shape[-1]
    n = X.shape[-1] if X is not None else k if n is None else n
    if m < 3 * n:
        raise ValueError(
            f"LOBPCG algorithm is not applicable when the number of A rows (={m}) is smaller than 3 x the number of requested "
            f"eigenpairs (={n})"
        )
    A = (A + A.mT) / 2
    L: Any = None
    if B is not None:
        L = cholesky_rows((B + B.mT) / 2, False)[0]
        half = solve_triangular_rows(L, A, False)
        A = solve_triangular_rows(L, half.mT, False)
    E, vectors = eigh_rows(A)
    if largest or largest is None:
        E, vectors = E[..., m - k :].flip(-1), vectors[..., m - k :].flip(-1)
    else:
        E, vectors = E[..., :k], vectors[..., :k]
    return E, vectors if B is None else solve_triangular_rows(L.mT, vectors, True)


def _range(A: Any, q: int, niter: int, M: Any) -> Any:
    """An orthonormal basis of about the first q left singular vectors, from random ones (Halko et al. 2009, algorithm 4.4)."""
    if not (A.is_floating_point() or A.is_complex()):
        A = A.to(np.float32)

    def apply(X: Any, adjoint: bool) -> Any:
        B = mH(A) if adjoint else A
        Y = B @ X
        return Y if M is None else Y - (mH(M) if adjoint else M) @ X

    start = randn(A.shape[-1], q, dtype=A.dtype)
    Q = qr_rows(apply(start, False), "reduced")[0]
    for _ in range(niter):
        Q = qr_rows(apply(Q, True), "reduced")[0]
        Q = qr_rows(apply(Q, False), "reduced")[0]
    return Q


@composite("svd_lowrank", method=False)
def svd_lowrank(A: Any, q: int | None = 6, niter: int | None = 2, M: Any = None) -> Any:
    """`(U, S, V)`, about the first `q` singular values and vectors of A (or A - M), by a random projection."""
    q = 6 if q is None else q
    m, n = A.shape[-2:]
    if M is not None:
        M = M.expand(tuple(A.shape))
    wide = m < n
    if wide:
        A, M = mH(A), None if M is None else mH(M)
    Q = _range(A, q, 2 if niter is None else niter, M)
    B = mH(Q) @ A
    if M is not None:
        B = B - mH(Q) @ M
    U, S, Vh = svd_rows(B, False)
    V = mH(Vh)
    U = Q @ U
    return (V, S, U) if wide else (U, S, V)


@composite("pca_lowrank", method=False)
def pca_lowrank(A: Any, q: int | None = None, center: bool = True, niter: int = 2) -> Any:
    """`(U, S, V)` of principal component analysis of rank `q`: `svd_lowrank` with columns centred."""
    m, n = A.shape[-2:]
    if q is None:
        q = min(6, m, n)
    elif not (q >= 0 and q <= min(m, n)):
        raise ValueError(f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}")
    if not niter >= 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    if not (A.is_floating_point() or A.is_complex()):
        A = A.to(np.float32)
    return svd_lowrank(A - A.mean(-2, keepdim=True) if center else A, q, niter)
