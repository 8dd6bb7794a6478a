"""Factorisations: Cholesky, LU, QR and the products of Householder's reflections.

Eigenvalues and singular values are in `linalg_spectral`, what solves systems with the factors in `linalg_solve`.
Sources of the derivatives: Murray (2016) for Cholesky; Walter and Lehmann (2010) for QR; for LU, differentiate P A = L U
and split L^-1 dA U^-1 into its strict lower and upper triangle.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.op import Array, composite, general
from ..core.returned import named_result
from ..kernels import linalg as kernel
from .arranging import diag_embed, tril, triu
from .joining import cat
from .linalg_shared import (
    at_least_matrix,
    checked,
    columns,
    floating,
    identity,
    mH,
    plain,
    refuse,
    rows,
    square,
    stacked,
    word,
)  # fmt: skip
from .linalg_triangular import solve_triangular_rows
from .parts import diagonal
from .shape import unsqueeze

__all__ = [
    "cholesky", "geqrf", "lu", "lu_unpack", "orgqr", "ormqr", "qr",
]  # fmt: skip

_NOT_POSITIVE = (
    "The factorization could not be completed because the input is not positive-definite (the leading minor of order {} "
    "is not positive-definite)."
)


def half_diagonal(x: Any) -> Any:
    """x with its diagonal halved."""
    return x - 0.5 * diag_embed(diagonal(x, 0, -2, -1))


# -- Cholesky ----------------------------------------------------------------------------------------------------


def _cholesky_back(g: Any, L: Any, upper: bool) -> Any:
    if upper:
        L, g = mH(L), mH(g)
    phi = half_diagonal(tril(mH(L) @ g))
    sym = 0.5 * (phi + mH(phi))
    right = mH(solve_triangular_rows(mH(L), mH(sym), True))  # sym L^-1
    return solve_triangular_rows(mH(L), right, True)


@general(
    "linalg.cholesky_ex",
    precision="full",
    outputs="L, info*",
    A=lambda g, L, upper: _cholesky_back(g, L, upper),
    check=checked("linalg.cholesky", square, floating),
    node="LinalgCholeskyExBackward0",
    batch=stacked(2),
    tex=r"\operatorname{{chol}} {A}",
)
def cholesky_rows(A: Array, upper: bool) -> Any:
    """Lower (or upper) triangular factors, and the order of the first leading minor that is not positive, or 0."""
    return kernel.cholesky(A, upper)


@composite("linalg.cholesky_ex", precision="full", names={"A": "input"}, out=True)
def cholesky_ex(A: Any, *, upper: bool = False, check_errors: bool = False) -> Any:
    """`(L, info)` with L L^H = A. `info` is 0, or the order of the first minor that is not positive."""
    result = cholesky_rows(A, upper)
    if check_errors:
        refuse(result[1], "linalg.cholesky_ex", _NOT_POSITIVE)
    return result


@composite("linalg.cholesky", precision="full", names={"A": "input"}, out=True)
def cholesky_(A: Any, *, upper: bool = False) -> Any:
    """L, lower triangular, with L L^H = A for Hermitian positive-definite A (its lower triangle is read)."""
    L, info = cholesky_rows(A, upper)
    refuse(info, "linalg.cholesky", _NOT_POSITIVE)
    return L


@composite("cholesky", precision="full", out=True)
def cholesky(input: Any, upper: bool = False) -> Any:
    """`linalg.cholesky`."""
    square("cholesky", input)
    L, info = cholesky_rows(input, upper)
    refuse(info, "cholesky", _NOT_POSITIVE)
    return L


# -- LU ----------------------------------------------------------------------------------------------------------


def _lu_back(gL: Any, gU: Any, L: Any, U: Any) -> Any:
    """The gradient of P^T A from those of its factors L (m, k) and U (k, n), k = min(m, n).

    The part beyond the square follows by solving: U2 = L^-1 B2 if A is wide, L2 = B2 U^-1 if it is tall.
    """
    m, n = L.shape[-2], U.shape[-1]
    k = min(m, n)
    gL1, gU1, L1, U1 = rows(gL, 0, k), columns(gU, 0, k), rows(L, 0, k), columns(U, 0, k)
    LH, UH = mH(L1), mH(U1)
    beyond: Any = None
    inner_L, inner_U = LH @ gL1, gU1 @ UH
    if n > k:
        U2, gU2 = columns(U, k, n - k), columns(gU, k, n - k)
        beyond = solve_triangular_rows(LH, gU2, True, True)
        inner_L = inner_L - gU2 @ mH(U2)
    elif m > k:
        L2, gL2 = rows(L, k, m - k), rows(gL, k, m - k)
        beyond = mH(solve_triangular_rows(U1, mH(gL2), True))
        inner_U = inner_U - mH(L2) @ gL2
    middle = tril(inner_L, -1) + triu(inner_U)
    first = solve_triangular_rows(LH, mH(solve_triangular_rows(U1, mH(middle), True)), True, True)
    if beyond is None:
        return first
    return cat([first, beyond], -1 if n > k else -2)


def _lu_factor_back(g: Any, LU: Any, pivots: Any) -> Any:
    L, U = _unpacked(LU)
    m, n = LU.shape[-2], LU.shape[-1]
    k = min(m, n)
    return permutation_matrix(pivots, m, LU) @ _lu_back(tril(columns(g, 0, k), -1), triu(rows(g, 0, k)), L, U)


def _unpacked(LU: Any) -> tuple[Any, Any]:
    m, n = LU.shape[-2], LU.shape[-1]
    k = min(m, n)
    one = identity(max(m, k), LU)[:, :k]
    return tril(columns(LU, 0, k), -1) + one, triu(rows(LU, 0, k))


@general(
    "permutation_matrix",
    outputs="P*",
    method=False,
    batch=stacked(1),
)
def _permutation(pivots: Array, m: int, dtype: Any) -> Any:
    """The matrix P of LAPACK's row interchanges: P L U = A."""
    order = kernel.permutation(pivots, m)
    return (order[..., None, :] == np.arange(m)[:, None]).astype(dtype)


def permutation_matrix(pivots: Any, m: int, like: Any) -> Any:
    """P in the dtype of `like`."""
    return _permutation(pivots, m, getattr(like.dtype, "np", like.dtype))


@general(
    "linalg.lu_factor_ex",
    outputs="LU, pivots*, info*",
    A=lambda g, LU, pivots: _lu_factor_back(g, LU, pivots),
    check=checked("torch.linalg.lu_factor", at_least_matrix, floating),
    node="LinalgLuFactorExBackward0",
    batch=stacked(2),
)
def lu_rows(A: Array, pivot: bool) -> Any:
    """L and U in one array, row interchanges, and the first zero pivot or 0."""
    return kernel.lu_factor(A, pivot)


_ZERO_PIVOT = (
    "{name}: U[{at},{at}] is zero and using it on lu_solve would result in a division by zero. If you still want to perform the "
    "factorization, consider calling linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)"
)


def _refuse_zero_pivot(info: Any, name: str) -> None:
    array = plain(info)
    if array is not None and array.any():
        raise RuntimeError(
            _ZERO_PIVOT.format(name=name, at=int(array[array != 0].flat[0]) if array.ndim else int(array))
        )


@composite("linalg.lu_factor_ex", out=True)
def lu_factor_ex(A: Any, *, pivot: bool = True, check_errors: bool = False) -> Any:
    """`(LU, pivots, info)`: `lu_factor` that reports a zero pivot in `info` instead of raising."""
    result = lu_rows(A, pivot)
    if check_errors:
        _refuse_zero_pivot(result[2], "torch.linalg.lu_factor_ex")
    return result


@composite("linalg.lu_factor", out=True)
def lu_factor(A: Any, *, pivot: bool = True) -> Any:
    """`(LU, pivots)`: the LU factorisation in LAPACK's packed form, for `lu_solve`. LinAlgError for a zero pivot."""
    LU, pivots, info = lu_rows(A, pivot)
    _refuse_zero_pivot(info, "torch.linalg.lu_factor")
    return _LUFactor(LU, pivots)


@composite("linalg.lu", out=True)
def lu_(A: Any, *, pivot: bool = True) -> Any:
    """`(P, L, U)` with A = P L U. Without `pivot`, P is empty."""
    at_least_matrix("linalg.lu", A)
    LU, pivots, _ = lu_rows(A, pivot)
    P, L, U = lu_unpack(LU, pivots, unpack_pivots=pivot)
    return _LU(P, L, U)


@composite("lu_unpack", method=False, out=True)
def lu_unpack(LU_data: Any, LU_pivots: Any, unpack_data: bool = True, unpack_pivots: bool = True) -> Any:
    """`(P, L, U)` from the packed form that `lu_factor` gives."""
    if unpack_pivots and getattr(LU_pivots.dtype, "name", "") != "int32":
        raise RuntimeError(
            "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 dtype.\n"
            "Note: this function is intended to be used with the output produced by torch.linalg.lu_factor"
        )
    empty = LU_data.new_empty((0,))
    P = permutation_matrix(LU_pivots, LU_data.shape[-2], LU_data) if unpack_pivots else empty
    L, U = _unpacked(LU_data) if unpack_data else (empty, empty)
    return _LU(P, L, U)


@composite("lu", method=True)
def lu(A: Any, pivot: bool = True, get_infos: bool = False, out: Any = None) -> Any:
    """`(LU, pivots)`, and `info` with `get_infos`: the older form of `linalg.lu_factor_ex`."""
    LU, pivots, info = lu_rows(A, pivot)
    result = (LU, pivots, info) if get_infos else (LU, pivots)
    if out is None:
        return result
    from ..core.out import store_out

    return store_out("lu", lambda: result, (), {}, out)


# -- QR ----------------------------------------------------------------------------------------------------------


def _qr_back(gQ: Any, gR: Any, Q: Any, R: Any, mode: str) -> Any:
    m, n = Q.shape[-2], R.shape[-1]
    if mode == "r":
        raise RuntimeError(
            "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please use "
            "linalg.qr(A, mode='reduced') if you are going to require gradients."
        )
    if mode == "complete" and m > n:
        raise RuntimeError("The QR decomposition is not differentiable when mode='complete' and nrows > ncols.")
    if m >= n:
        return _qr_tall_back(gQ, gR, Q, R)
    # Wide: A = [A1 A2] with A1 = Q R1 square and R2 = Q^H A2.
    R1, R2, gR1, gR2 = columns(R, 0, m), columns(R, m, n - m), columns(gR, 0, m), columns(gR, m, n - m)
    first = _qr_tall_back(gQ + Q @ (R2 @ mH(gR2)), gR1, Q, R1)
    return cat([first, Q @ gR2], -1)


def _qr_tall_back(gQ: Any, gR: Any, Q: Any, R: Any) -> Any:
    x = triu(gR @ mH(R) - mH(Q) @ gQ)
    sym = half_diagonal(x + mH(x))
    # (gQ + Q sym) R^-H
    return mH(solve_triangular_rows(R, mH(gQ + Q @ sym), True))


@general(
    "linalg.qr",
    precision="full",
    outputs="Q, R",
    A=lambda g_Q, g_R, Q, R, mode: _qr_back(g_Q, g_R, Q, R, mode),
    check=checked("linalg.qr", at_least_matrix, floating),
    node="LinalgQrBackward0",
    batch=stacked(2),
    method=False,
)
def qr_rows(A: Array, mode: str = "reduced") -> Any:
    """A = Q R with orthonormal columns of Q and R upper triangular."""
    if mode == "r":
        return np.zeros(0, A.dtype), np.linalg.qr(A, "r")
    m, n = A.shape[-2:]
    if A.size == 0:
        k = m if mode == "complete" else min(m, n)
        Q = np.zeros((*A.shape[:-1], k), A.dtype)
        Q[...] = np.eye(m, k)
        return Q, np.zeros((*A.shape[:-2], k, n), A.dtype)
    Q, R = np.linalg.qr(A, mode)
    return Q, R


@composite("linalg.qr", precision="full", out=True)
def qr_(A: Any, mode: str = "reduced") -> Any:
    """`(Q, R)`; mode is "reduced", "complete" or "r" (R alone, Q is empty)."""
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'"
        )
    return qr_rows(A, mode)


@composite("qr", precision="full", out=True)
def qr(input: Any, some: bool = True) -> Any:
    """`linalg.qr`, reduced if `some`."""
    if input.ndim < 2:
        raise RuntimeError(f"qr: The input tensor {'A'} must have at least 2 dimensions.")
    return _QR(*qr_rows(input, "reduced" if some else "complete"))


def _no_geqrf_derivative() -> Any:
    raise NotImplementedError("the derivative for 'geqrf' is not implemented.")


@general(
    "geqrf",
    precision="full",
    outputs="a, tau",
    out=True,
    input=lambda g_a, g_tau: _no_geqrf_derivative(),
    check=checked("torch.geqrf", at_least_matrix),
    batch=stacked(2),
)
def geqrf(input: Array) -> Any:
    """LAPACK's packed QR `(a, tau)`, for `ormqr` and `householder_product`: R, below it the reflections. No derivative."""
    if input.dtype.kind not in "fcV":
        raise RuntimeError(f"\"geqrf_cpu\" not implemented for '{word(input)}'")
    if input.size == 0:
        return input.copy(), np.zeros((*input.shape[:-2], min(input.shape[-2:])), input.dtype)
    packed, tau = np.linalg.qr(input, "raw")
    return np.swapaxes(packed, -1, -2), tau


def _reflections(input: Any, tau: Any) -> tuple[Any, Any]:
    """V and T with H_1 H_2 ... H_k = I - V T V^H (Schreiber and Van Loan's compact form); T^-1 exists if no tau is zero.

    T = D (I + U D)^-1 where D = diag(tau) and U is the strict upper triangle of V^H V; so zeros of tau do no harm.
    """
    k = tau.shape[-1]
    m, n = input.shape[-2], input.shape[-1]
    V = tril(columns(input, 0, k) if k < n else input, -1) + identity(max(m, k), input)[:m, :k]
    D = unsqueeze(tau, -2)  # scales columns
    UD = triu(mH(V) @ V, 1) * D
    inverse = solve_triangular_rows(UD, identity(k, input), True, True)
    return V, unsqueeze(tau, -1) * inverse


@composite("linalg.householder_product", precision="full", out=True)
def householder_product(input: Any, tau: Any) -> Any:
    """The first n columns of the product of reflections I - tau v v^H that `geqrf` left below the diagonal."""
    name = "torch.linalg.householder_product"
    if input.ndim < 2:
        raise RuntimeError(f"{name}: input must have at least 2 dimensions.")
    if input.shape[-2] < input.shape[-1]:
        raise RuntimeError(f"{name}: input.shape[-2] must be greater than or equal to input.shape[-1]")
    if input.shape[-1] < tau.shape[-1]:
        raise RuntimeError(f"{name}: input.shape[-1] must be greater than or equal to tau.shape[-1]")
    if input.ndim - tau.ndim != 1:
        raise RuntimeError(
            f"{name}: Expected tau to have one dimension less than input, but got tau.ndim equal to {tau.ndim} and "
            f"input.ndim is equal to {input.ndim}"
        )
    if tuple(tau.shape[:-1]) != tuple(input.shape[:-2]):
        raise RuntimeError(
            f"{name}: Expected batch dimensions of tau to be equal to input.shape[:-2], but got {list(tau.shape[:-1])}"
        )
    if tau.dtype is not input.dtype:
        raise RuntimeError(f"{name}: tau dtype {_lower(tau)} does not match input dtype {_lower(input)}")
    m, n = input.shape[-2], input.shape[-1]
    V, T = _reflections(input, tau)
    return identity(m, input)[:, :n] - V @ (T @ mH(rows(V, 0, n)))


def _lower(x: Any) -> str:
    return word(x).lower()


@composite("orgqr", precision="full", names={"tau": "input2"}, out=True)
def orgqr(input: Any, tau: Any) -> Any:
    """`linalg.householder_product`."""
    return householder_product(input, tau)


@composite("ormqr", precision="full", names={"tau": "input2", "other": "input3"}, out=True)
def ormqr(input: Any, tau: Any, other: Any, left: bool = True, transpose: bool = False) -> Any:
    """`other` multiplied, on the left or right, by the orthogonal matrix (or its transpose) that `geqrf` left."""
    if input.ndim < 2:
        raise RuntimeError("torch.ormqr: input must have at least 2 dimensions.")
    if other.ndim < 2:
        raise RuntimeError("torch.ormqr: other must have at least 2 dimensions.")
    side = other.shape[-2 if left else -1]
    which = "other.shape[-2]" if left else "other.shape[-1]"
    if side < tau.shape[-1]:
        raise RuntimeError(f"torch.ormqr: {which} must be greater than or equal to tau.shape[-1]")
    if side != input.shape[-2]:
        raise RuntimeError(f"torch.ormqr: {which} must be equal to input.shape[-2]")
    if tau.shape[-1] != min(side, input.shape[-1]):
        raise RuntimeError(f"torch.ormqr: tau.shape[-1] must be equal to min({which}, input.shape[-1])")
    if tau.shape[-1] > input.shape[-1]:
        raise RuntimeError("torch.ormqr: tau.shape[-1] must be less than or equal to input.shape[-1]")
    if input.ndim - tau.ndim != 1:
        raise RuntimeError(
            f"torch.ormqr: Expected tau to have one dimension less than input, but got tau.ndim equal to {tau.ndim} and "
            f"input.ndim is equal to {input.ndim}"
        )
    if input.ndim != other.ndim:
        raise RuntimeError(
            f"torch.ormqr: Expected other to have the same number of dimensions as input, but got other.ndim equal to "
            f"{other.ndim} and input.ndim is equal to {input.ndim}"
        )
    for label, x, cut in (("tau", tau, 1), ("other", other, 2)):
        if tuple(x.shape[:-cut]) != tuple(input.shape[:-2]):
            raise RuntimeError(
                f"torch.ormqr: Expected batch dimensions of {label} to be equal to input.shape[:-2], but got "
                f"{list(x.shape[:-cut])}"
            )
        if x.dtype is not input.dtype:
            raise RuntimeError(
                f"torch.ormqr: Expected input and {label} to have the same dtype, but input has dtype {_lower(input)} "
                f"and {label} has dtype {_lower(x)}"
            )
    V, T = _reflections(input, tau)
    if transpose:
        T = mH(T)
    return other - V @ (T @ (mH(V) @ other)) if left else other - ((other @ V) @ T) @ mH(V)


_LU = named_result("linalg_lu", ["P", "L", "U"])
_LUFactor = named_result("linalg_lu_factor", ["LU", "pivots"])
_QR = named_result("qr", ["Q", "R"])
