"""Systems of equations: general, by factors, least squares, and the inverse, the pseudo-inverse and tensor forms of both.

Derivatives: d(A^-1 B) = A^-1 (dB - dA A^-1 B). Golub and Pereyra (1973) for the pseudo-inverse at constant rank.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..core.op import Array, asked_always, composite, general
from ..core.returned import named_result
from ..kernels import linalg as kernel
from .choosing import where
from .linalg_factor import lu_unpack, permutation_matrix
from .linalg_shared import (
    at_least_matrix,
    broadcastable,
    checked,
    column_vector,
    floating,
    mH,
    refuse,
    row_vector,
    same_dtype,
    square,
    stacked,
    word,
)  # fmt: skip
from .linalg_triangular import solve_triangular_rows
from .shape import movedim, reshape, squeeze

__all__ = ["cholesky_inverse", "cholesky_solve", "inverse", "lu_solve", "pinverse"]

_SINGULAR = "The solver failed because the input matrix is singular."
_NOT_FULL = "The least squares solution could not be computed because the input matrix does not have full rank (error code: {})."
_NO_INVERSE = (
    "The diagonal element {} is zero, the inversion could not be completed because the input matrix is singular."
)


# -- A X = B -----------------------------------------------------------------------------------------------------


@asked_always
def _check_solve(A: Any, B: Any) -> None:
    name = "linalg.solve"
    square(name, A)
    at_least_matrix(name, B, "B")
    same_dtype(name, A, B)
    floating(name, A)
    if A.shape[-1] != B.shape[-2]:
        raise RuntimeError(
            f"{name}: Incompatible shapes of A and B for the equation AX = B ({A.shape[-2]}x{A.shape[-1]} and "
            f"{B.shape[-2]}x{B.shape[-1]})"
        )
    broadcastable(name, A, B)


@general(
    "linalg.solve_ex",
    outputs="result, info*",
    A=lambda g, A, result: -solve_rows(mH(A), g)[0] @ mH(result),
    B=lambda g, A: solve_rows(mH(A), g)[0],
    jvp=lambda t_A, t_B, A, result: solve_rows(A, t_B - t_A @ result)[0],
    check=_check_solve,
    node="LinalgSolveExBackward0",
    batch=stacked(2, 2),
    tex=r"{A}^{{-1}} {B}",
)
def solve_rows(A: Array, B: Array) -> Any:
    """X with A X = B, and the first zero pivot of each A or 0."""
    return kernel.solve(A, B)


def _solved(A: Any, B: Any, left: bool) -> tuple[Any, Any]:
    square("linalg.solve", A)
    # B is a batch of vectors if it is one, or if its shape is A's without the last dimension.
    vector = B.ndim == 1 or (A.ndim - 1 == B.ndim and tuple(B.shape) == tuple(A.shape[:-1]))
    if vector:
        if not left:
            raise RuntimeError(
                "linalg.solve: Vector broadcasting of the left hand side is not supported for left=False. In this case "
                "linalg.solve is equivalent to B / A.squeeze(-1)"
            )
        X, info = solve_rows(A, column_vector(B))
        return squeeze(X, -1), info
    if left:
        return solve_rows(A, B)
    if B.ndim >= 2 and A.shape[-1] != B.shape[-1]:
        raise RuntimeError(
            f"linalg.solve: Incompatible shapes of A and B for the equation XA = B ({A.shape[-2]}x{A.shape[-1]} and "
            f"{B.shape[-2]}x{B.shape[-1]})"
        )
    at_least_matrix("linalg.solve", B, "B")
    X, info = solve_rows(A.mT, B.mT)
    return X.mT, info


SolveEx = named_result("linalg_solve_ex", ["result", "info"])
InvEx = named_result("linalg_inv_ex", ["inverse", "info"])
Lstsq = named_result("linalg_lstsq", ["solution", "residuals", "rank", "singular_values"])


@composite("linalg.solve", precision="full", out=True)
def solve(A: Any, B: Any, *, left: bool = True) -> Any:
    """X with A X = B (X A = B if not `left`). B may be a vector for each matrix. LinAlgError if A is singular."""
    X, info = _solved(A, B, left)
    refuse(info, "torch.linalg.solve", _SINGULAR)
    return X


@composite("linalg.solve_ex", out=True)
def solve_ex(A: Any, B: Any, *, left: bool = True, check_errors: bool = False) -> Any:
    """`(result, info)`: `solve` that reports a zero pivot in `info` instead of raising."""
    X, info = _solved(A, B, left)
    if check_errors:
        refuse(info, "torch.linalg.solve_ex", _SINGULAR)
    return SolveEx(X, info)


# -- inverses ----------------------------------------------------------------------------------------------------


@general(
    "linalg.inv_ex",
    precision="full",
    outputs="inverse, info*",
    A=lambda g, inverse: -mH(inverse) @ g @ mH(inverse),
    jvp=lambda t_A, inverse: -inverse @ t_A @ inverse,
    check=checked("linalg.inv", square, floating),
    node="LinalgInvExBackward0",
    batch=stacked(2),
    tex=r"{A}^{{-1}}",
)
def inv_rows(A: Array) -> Any:
    """The inverses, and the first zero pivot of each matrix or 0."""
    return kernel.inverse(A)


@composite("linalg.inv", precision="full", out=True)
def inv(A: Any) -> Any:
    """The inverse of each matrix. LinAlgError if one is singular."""
    result, info = inv_rows(A)
    refuse(info, "linalg.inv", _NO_INVERSE)
    return result


@composite("linalg.inv_ex", precision="full", out=True)
def inv_ex(A: Any, *, check_errors: bool = False) -> Any:
    """`(inverse, info)`: `inv` that reports a zero pivot in `info` instead of raising."""
    result, info = inv_rows(A)
    if check_errors:
        refuse(info, "linalg.inv_ex", _NO_INVERSE)
    return InvEx(result, info)


@composite("inverse", precision="full", out=True)
def inverse(input: Any) -> Any:
    """`linalg.inv`."""
    return inv(input)


# -- from factors ------------------------------------------------------------------------------------------------


def _lu_system(LU: Any, pivots: Any, B: Any, left: bool, adjoint: bool) -> Any:
    _, L, U = lu_unpack(LU, pivots, unpack_pivots=False)
    P = permutation_matrix(pivots, LU.shape[-1], LU)
    if not left:  # X A = B: A^H X^H = B^H
        return mH(_lu_system(LU, pivots, mH(B), True, not adjoint))
    if adjoint:
        return P @ solve_triangular_rows(mH(L), solve_triangular_rows(mH(U), B, False), True, True)
    return solve_triangular_rows(U, solve_triangular_rows(L, P.mT @ B, False, True), True)


@composite("linalg.lu_solve", out=True)
def lu_solve_(LU: Any, pivots: Any, B: Any, *, left: bool = True, adjoint: bool = False) -> Any:
    """X with A X = B (X A = B if not `left`; A^H for A if `adjoint`) from `lu_factor(A)`."""
    name = "torch.linalg.lu_solve"
    floating(name, LU)
    if LU.dtype is not B.dtype:
        raise RuntimeError(
            f"{name}: Expected LU and B to have the same dtype, but found LU of type {word(LU)} and B of type {word(B)} instead"
        )
    if getattr(pivots.dtype, "name", "") != "int32":
        raise RuntimeError(f"{name}: pivots should be a Tensor of scalar type torch.int32")
    square(name, LU, "LU")
    at_least_matrix(name, B, "B")
    fits = LU.shape[-1] == B.shape[-2 if left else -1]
    if not fits:
        raise RuntimeError(
            f"{name}: Incompatible shapes of A and B for the equation {'AX' if left else 'XA'} = B "
            f"({LU.shape[-2]}x{LU.shape[-1]} and {B.shape[-2]}x{B.shape[-1]})"
        )
    if tuple(LU.shape[:-1]) != tuple(pivots.shape):
        raise RuntimeError(f"{name}: Number of pivots per batch should be same as the dimension of the matrix")
    return _lu_system(LU, pivots, B, left, adjoint)


@composite("lu_solve", precision="full", names={"b": "input"}, out=True)
def lu_solve(b: Any, LU_data: Any, LU_pivots: Any) -> Any:
    """`linalg.lu_solve` with its arguments in another order."""
    return lu_solve_(LU_data, LU_pivots, b)


@composite("cholesky_solve", precision="full", names={"B": "input", "L": "input2"}, out=True)
def cholesky_solve(B: Any, L: Any, upper: bool = False) -> Any:
    """X with A X = B from the Cholesky factor of A."""
    if B.ndim < 2:
        raise RuntimeError(f"b should have at least 2 dimensions, but has {B.ndim} dimensions instead")
    if L.ndim < 2:
        raise RuntimeError(f"u should have at least 2 dimensions, but has {L.ndim} dimensions instead")
    if L.shape[-1] != L.shape[-2] or L.shape[-1] != B.shape[-2]:
        square("cholesky_solve", L)
        raise RuntimeError(
            f"Incompatible matrix sizes for cholesky_solve: each A matrix is {L.shape[-1]} by {L.shape[-1]} but each b "
            f"matrix is {B.shape[-2]} by {B.shape[-1]}"
        )
    F = mH(L) if upper else L
    return solve_triangular_rows(mH(F), solve_triangular_rows(F, B, False), True)


@composite("cholesky_inverse", precision="full", names={"L": "input"}, out=True)
def cholesky_inverse(L: Any, upper: bool = False) -> Any:
    """The inverse of A from its Cholesky factor."""
    from .linalg_shared import identity

    square("cholesky_inverse", L)
    F = mH(L) if upper else L
    half = solve_triangular_rows(F, identity(L.shape[-1], L), False)
    return mH(half) @ half


# -- least squares and pseudo-inverses ---------------------------------------------------------------------------


def tolerances(name: str, A: Any, atol: Any, rtol: Any) -> tuple[Any, Any]:
    """(atol, rtol) as arrays over the batch. Without either, rtol is eps times the larger side."""
    for label, value in (("atol", atol), ("rtol", rtol)):
        if hasattr(value, "is_complex") and value.is_complex():
            raise RuntimeError(f"{name}: {label} tensor of complex type is not supported.")
    real = np.dtype(np.zeros(0, A.dtype).real.dtype)

    def number(value: Any) -> Any:
        array = getattr(value, "_array", value)
        return np.asarray(array, real) if not np.isscalar(array) else array

    absolute = 0.0 if atol is None else number(atol)
    if rtol is None:
        default = np.finfo(real).eps * max(A.shape[-2:]) if A.size else 0.0
        relative = np.where(np.asarray(absolute) > 0, 0.0, default) if atol is not None else default
    else:
        relative = number(rtol)
    return absolute, relative


def kept(S: Any, absolute: Any, relative: Any) -> Any:
    """Which singular values count: those above both tolerances."""
    top = S.max(axis=-1, initial=0)
    return S > np.maximum(absolute, relative * top)[..., None]


@general(
    "linalg.pinv",
    A=lambda g, A, out: _pinv_back(g, A, out),
    check=checked("linalg.pinv", at_least_matrix, floating),
    method=False,
    node="LinalgPinvBackward0",
    batch=stacked(2),
    tex=r"{A}^{{+}}",
    domain="where the rank is constant",
)
def pinv_rows(A: Array, atol: Any, rtol: Any, hermitian: bool) -> Any:
    """Moore and Penrose's inverses, singular values up to the tolerances counted as zero."""
    if A.size == 0:
        return np.zeros((*A.shape[:-2], A.shape[-1], A.shape[-2]), A.dtype)
    if hermitian:
        values, V = np.linalg.eigh(A)
        use = kept(np.abs(values), atol, rtol)
        inverse = np.where(use, 1 / np.where(use, values, 1), 0).astype(values.dtype)
        return (V * inverse[..., None, :]) @ V.mT.conjugate()
    U, S, Vh = np.linalg.svd(A, full_matrices=False)
    use = kept(S, atol, rtol)
    inverse = np.where(use, 1 / np.where(use, S, 1), 0).astype(S.dtype)
    return (Vh.mT.conjugate() * inverse[..., None, :]) @ U.mT.conjugate()


def _pinv_back(g: Any, A: Any, P: Any) -> Any:
    """-P^H g P^H + (I - A P) g^H P P^H + P^H P g^H (I - P A), multiplied in the order that suits A's shape."""
    gh, Ph = mH(g), mH(P)
    if A.shape[-2] <= A.shape[-1]:
        K = gh @ P
        inside = K @ Ph
        return -mH(K) @ Ph + inside - (A @ P) @ inside + (Ph @ P) @ (gh - K @ A)
    K = P @ gh
    inside = Ph @ K
    return -Ph @ mH(K) + (gh - A @ K) @ P @ Ph + inside - (inside @ P) @ A


@composite("linalg.pinv", names={"A": "input"}, out=True)
def pinv(A: Any, rcond: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None) -> Any:
    """The pseudo-inverse of each matrix. Singular values up to max(atol, rtol * largest) count as zero."""
    at_least_matrix("linalg.pinv", A)
    floating("linalg.pinv", A)
    if hermitian:
        square("linalg.pinv", A)
    absolute, relative = tolerances("linalg.pinv", A._array, atol, rcond if rtol is None else rtol)
    return pinv_rows(A, absolute, relative, hermitian)


@composite("pinverse", precision="full", out=True)
def pinverse(input: Any, rcond: float = 1e-15) -> Any:
    """`linalg.pinv` with a relative tolerance."""
    return pinv(input, rcond)


def _lstsq_examples(op: Any, args: list[Any], level: int, size: int) -> Any:
    """Each example has residuals, if only none."""
    found = stacked(2, 2)(op, args, level, size)
    if found is NotImplemented or found[1].shape[:1] == (size,):
        return found
    X, residuals, *rest = found
    return X, np.zeros((size, 0), residuals.dtype), *rest


@general(
    "linalg.lstsq",
    precision="full",
    outputs="solution, residuals, rank*, singular_values*",
    joint=lambda g_solution, g_residuals, A, B, solution, rcond: _lstsq_back(
        g_solution, g_residuals, A, B, solution, rcond
    ),
    method=False,
    node="LinalgLstsqBackward0",
    batch=_lstsq_examples,
)
def lstsq_rows(A: Array, B: Array, rcond: Any, driver: str) -> Any:
    """X that minimises |A X - B|, its squared residuals, the ranks and, by some drivers, the singular values."""
    m, n = A.shape[-2:]
    S: Any = np.zeros((*A.shape[:-2], min(m, n)), A.real.dtype)
    P = np.zeros((*A.shape[:-2], n, m), A.dtype)
    use = np.zeros(S.shape, bool)
    if A.size:
        U, S, Vh = np.linalg.svd(A, full_matrices=False)
        use = kept(S, 0.0, rcond)
        P = (Vh.mT.conjugate() * np.where(use, 1 / np.where(use, S, 1), 0).astype(S.dtype)[..., None, :]) @ U.mT.conj()
    X = P @ B
    rank = use.sum(-1)
    residuals = np.zeros(0, S.dtype)
    if m > n and driver != "gelsy" and (rank == n).all():
        away = A @ X - B
        residuals = (away * away.conjugate()).real.sum(-2)
    return X, residuals, rank, S


def _lstsq_back(g: Any, g_residuals: Any, A: Any, B: Any, X: Any, rcond: Any) -> tuple[Any, Any]:
    P = pinv_rows(A, 0.0, rcond, False)
    gA, gB = _pinv_back(g @ mH(B), A, P), mH(P) @ g
    if prod(g_residuals.shape):
        # X minimises the residuals: only A and B themselves matter.
        scaled = (A @ X - B) * row_vector(2 * g_residuals)
        gA, gB = gA + scaled @ mH(X), gB - scaled
    return gA, gB


@composite("linalg.lstsq", precision="full", names={"A": "input", "B": "b"}, out=True)
def lstsq(A: Any, B: Any, rcond: Any = None, *, driver: str | None = None) -> Any:
    """`(solution, residuals, rank, singular_values)` of the least squares problem min |A X - B|.

    The drivers are LAPACK's by name; all compute by singular values here. As in PyTorch "gels" gives no rank, and only
    "gelsd" and "gelss" give singular values; residuals are there if A is tall and of full rank, except for "gelsy".
    """
    name = "torch.linalg.lstsq"
    if A.ndim < 2:
        raise RuntimeError(f"{name}: input must have at least 2 dimensions.")
    if B.ndim < 1:
        raise RuntimeError(f"{name}: other must have at least 1 dimension.")
    if A.dtype is not B.dtype:
        raise RuntimeError(
            f"{name}: Expected input and other to have the same dtype, but got input's dtype {word(A)} and other's dtype "
            f"{word(B)}"
        )
    floating("linalg.lstsq", A)
    driver = "gelsy" if driver is None else driver
    if driver not in ("gels", "gelsy", "gelsd", "gelss"):
        raise RuntimeError(f"{name}: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)")
    vector = A.ndim - 1 == B.ndim and tuple(B.shape) == tuple(A.shape[:-1])
    rhs = column_vector(B) if vector else B
    if rhs.ndim < 2 or A.shape[-2] != rhs.shape[-2]:
        shown = (
            "input.size(-2) should match other.size(-1)"
            if B.ndim == 1
            else "input.size(-2) should match other.size(-2)"
        )
        raise RuntimeError(f"{name}: {shown}")
    if rcond is None:
        rcond = float(np.finfo(A._array.real.dtype).eps) * max(A.shape[-2:])
    X, residuals, rank, values = lstsq_rows(A, rhs, rcond, driver)
    if driver == "gels":
        refuse(where(rank < min(A.shape[-2:]), rank + 1, 0), name, _NOT_FULL)
        rank = rank.new_empty((0,))
    if driver in ("gels", "gelsy"):
        values = values.new_empty((0,))
    return Lstsq(squeeze(X, -1) if vector else X, residuals, rank, values)


# -- tensors as matrices -----------------------------------------------------------------------------------------


@composite("linalg.tensorinv", precision="full", names={"A": "input"}, out=True)
def tensorinv(A: Any, ind: int = 2) -> Any:
    """The inverse of A as a map from its last dimensions to its first `ind`."""
    if ind <= 0:
        raise RuntimeError(f"Expected a strictly positive integer for 'ind', but got {ind}")
    first, last = tuple(A.shape[:ind]), tuple(A.shape[ind:])
    if prod(first) != prod(last):
        raise RuntimeError(
            f"Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind]), but got "
            f"{prod(last)} != {prod(first)}"
        )
    result, info = inv_rows(reshape(A, (prod(last), prod(last))))
    refuse(info, "inv", _NO_INVERSE)
    return reshape(result, last + first)


@composite("linalg.tensorsolve", precision="full", names={"A": "input", "B": "other"}, out=True)
def tensorsolve(A: Any, B: Any, dims: Any = None) -> Any:
    """X with tensordot(A, X, X.ndim) = B; the dimensions `dims` of A are moved to its end first."""
    if dims is not None:
        A = movedim(A, tuple(dims), tuple(range(A.ndim - len(dims), A.ndim)))
    shape = tuple(A.shape[B.ndim :])
    n = B.numel()
    if prod(shape) != n or A.numel() != n * n:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == prod(self.shape[:other.ndim]), but "
            f"got {prod(shape)} != {prod(A.shape[: B.ndim])}"
        )
    return reshape(solve(reshape(A, (n, n)), reshape(B, (n,))), shape)
