"""Eigenvalues and singular values, and what is made of them alone.

Derivatives by first-order perturbation (Giles 2008; Seeger et al. 2017 for complex singular vectors; Boeddeker et al. 2017
for complex eigenvectors). Vectors are defined up to a phase only: a loss that depends on it has no gradient, and says so.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.op import Array, asked_always, composite, general
from ..core.returned import named_result
from .arranging import diag_embed
from .complex import imag
from .linalg_shared import (
    LinAlgError,
    at_least_matrix,
    checked,
    columns,
    derivative_wanted,
    floating,
    identity,
    is_complex,
    mH,
    plain,
    real_part,
    row_vector,
    rows,
    square,
    stacked,
    word,
)  # fmt: skip
from .linalg_solve import kept, solve_rows, tolerances
from .parts import diagonal
from .shape import unsqueeze

__all__ = ["svd"]


def _phase_check(name: str, what: str, phase: Any) -> None:
    """`phase`: the part of the gradient along a change of phase, which must be zero."""
    numbers = plain(phase)
    if numbers is not None and not np.allclose(numbers, 0, rtol=1e-2, atol=1e-2):
        raise RuntimeError(
            f"{name}: The {what} in the complex case are specified up to multiplication by e^{{i phi}}. The specified loss "
            "function depends on this quantity, so it is ill-defined."
        )


def _failed(name: str, a: Any, kind: str) -> LinAlgError:
    if not np.isfinite(a).all():
        return LinAlgError(
            f"{name}: The algorithm failed to converge because the input matrix contained non-finite values."
        )
    return LinAlgError(
        f"{name}: The algorithm failed to converge because the input matrix is ill-conditioned or has too many repeated "
        f"{kind} (error code: 1)."
    )


def _gaps(values: Any, like: Any) -> Any:
    """values_j - values_i, with ones on the diagonal."""
    return unsqueeze(values, -2) - unsqueeze(values, -1) + identity(values.shape[-1], values)


# -- Hermitian matrices ------------------------------------------------------------------------------------------


def _eigh_back(gL: Any, gV: Any, L: Any, V: Any) -> Any:
    VH = mH(V)
    if gV is None:
        return (V * row_vector(gL)) @ VH if gL is not None else None
    inner = VH @ gV
    if is_complex(V):
        _phase_check("linalg_eigh_backward", "eigenvectors", imag(diagonal(inner, 0, -2, -1)))
    off = inner / _gaps(L, V)
    off = off - diag_embed(diagonal(off, 0, -2, -1))
    if gL is not None:
        off = off + diag_embed(gL)
    return V @ off @ VH


@general(
    "linalg.eigh",
    precision="full",
    outputs="eigenvalues, eigenvectors",
    undefined=True,
    A=lambda g_eigenvalues, g_eigenvectors, eigenvalues, eigenvectors: _eigh_back(
        g_eigenvalues, g_eigenvectors, eigenvalues, eigenvectors
    ),
    check=checked("linalg.eigh", square, floating),
    node="LinalgEighBackward0",
    batch=stacked(2),
    domain="distinct eigenvalues, for gradients of eigenvectors",
)
def eigh_rows(A: Array, UPLO: str = "L") -> Any:
    """Eigenvalues in ascending order and orthonormal eigenvectors (columns) of Hermitian matrices."""
    if A.size == 0:
        return np.zeros(A.shape[:-1], A.real.dtype), A.copy()
    try:
        values, vectors = np.linalg.eigh(A, UPLO)
    except np.linalg.LinAlgError:
        raise _failed("linalg.eigh", A, "eigenvalues") from None
    return values, vectors


@general("eigvalsh_rows", outputs="eigenvalues*", method=False, batch=stacked(2))
def _eigvalsh(A: Array, UPLO: str) -> Any:
    """Eigenvalues alone, where no derivative is wanted."""
    if A.size == 0:
        return np.zeros(A.shape[:-1], A.real.dtype)
    try:
        return np.linalg.eigvalsh(A, UPLO)
    except np.linalg.LinAlgError:
        raise _failed("linalg.eigh", A, "eigenvalues") from None


def _uplo(UPLO: str) -> str:
    if not isinstance(UPLO, str) or UPLO.upper() not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    return UPLO.upper()


@composite("linalg.eigh", precision="full", names={"A": "input"}, out=True)
def eigh(A: Any, UPLO: str = "L") -> Any:
    """`(eigenvalues, eigenvectors)` of Hermitian matrices, ascending; only the triangle `UPLO` is read."""
    square("linalg.eigh", A)
    return eigh_rows(A, _uplo(UPLO))


@composite("linalg.eigvalsh", precision="full", names={"A": "input"}, out=True)
def eigvalsh(A: Any, UPLO: str = "L") -> Any:
    """The eigenvalues of Hermitian matrices, ascending."""
    square("linalg.eigvalsh", A)
    floating("linalg.eigvalsh", A)
    return eigh_rows(A, _uplo(UPLO))[0] if derivative_wanted(A) else _eigvalsh(A, _uplo(UPLO))


# -- general square matrices -------------------------------------------------------------------------------------


def _eig_back(gL: Any, gV: Any, L: Any, V: Any) -> Any:
    VH = mH(V)
    if gV is None:
        return solve_rows(VH, unsqueeze(gL, -1) * VH)[0] if gL is not None else None
    inner = VH @ gV
    d = diagonal(inner, 0, -2, -1)
    _phase_check("linalg_eig_backward", "eigenvectors", imag(d))
    off = (inner - VH @ (V * row_vector(real_part(d)))) / _gaps(L, V).conjugate()
    off = off - diag_embed(diagonal(off, 0, -2, -1))
    if gL is not None:
        off = off + diag_embed(gL)
    return solve_rows(VH, off @ VH)[0]


@asked_always
def _eig_check(A: Any) -> None:
    square("linalg.eig", A)
    if A.dtype.kind not in "fcV":
        raise RuntimeError(f"linalg.eig: Expected a floating point or complex tensor as input. Got {word(A)}")
    if not np.isfinite(A).all():
        raise RuntimeError("torch.linalg.eig: input tensor should not contain infs or NaNs.")


@general(
    "linalg.eig",
    precision="full",
    outputs="eigenvalues, eigenvectors",
    undefined=True,
    A=lambda g_eigenvalues, g_eigenvectors, eigenvalues, eigenvectors: _eig_back(
        g_eigenvalues, g_eigenvectors, eigenvalues, eigenvectors
    ),
    check=_eig_check,
    node="LinalgEigBackward0",
    batch=stacked(2),
    domain="distinct eigenvalues",
)
def eig_rows(A: Array) -> Any:
    """Complex eigenvalues and eigenvectors (columns of unit length) of square matrices."""
    wide = np.result_type(A.dtype, np.complex64)
    if A.size == 0:
        return np.zeros(A.shape[:-1], wide), A.astype(wide)
    try:
        values, vectors = np.linalg.eig(A)
    except np.linalg.LinAlgError:
        raise _failed("torch.linalg.eig", A, "eigenvalues") from None
    return values.astype(wide, copy=False), vectors.astype(wide, copy=False)


@general("eigvals_rows", outputs="eigenvalues*", method=False, batch=stacked(2), check=_eig_check)
def _eigvals(A: Array) -> Any:
    """Eigenvalues alone, where no derivative is wanted."""
    wide = np.result_type(A.dtype, np.complex64)
    return np.linalg.eigvals(A).astype(wide, copy=False) if A.size else np.zeros(A.shape[:-1], wide)


@composite("linalg.eig", precision="full", names={"A": "input"}, out=True)
def eig(A: Any) -> Any:
    """`(eigenvalues, eigenvectors)` of square matrices, complex and in no particular order."""
    return eig_rows(A)


@composite("linalg.eigvals", precision="full", names={"A": "input"}, out=True)
def eigvals(A: Any) -> Any:
    """The complex eigenvalues of square matrices."""
    return eig_rows(A)[0] if derivative_wanted(A) else _eigvals(A)


# -- singular values ---------------------------------------------------------------------------------------------


def _skew(x: Any) -> Any:
    return x - mH(x)


def _svd_back(gU: Any, gS: Any, gVh: Any, U: Any, S: Any, Vh: Any) -> Any:
    k = S.shape[-1]
    m, n = U.shape[-2], Vh.shape[-1]
    # Of the full matrices only what belongs to singular values counts.
    U, Vh = columns(U, 0, k), rows(Vh, 0, k)
    gU = None if gU is None else columns(gU, 0, k)
    gVh = None if gVh is None else rows(gVh, 0, k)
    if gU is None and gVh is None:
        return None if gS is None else (U * row_vector(gS)) @ Vh
    UH, V = mH(U), mH(Vh)
    inner_U = None if gU is None else UH @ gU
    inner_V = None if gVh is None else Vh @ mH(gVh)
    if is_complex(U):
        phases = [imag(diagonal(x, 0, -2, -1)) for x in (inner_U, inner_V) if x is not None]
        _phase_check("svd_backward", "singular vectors", phases[0] if len(phases) == 1 else phases[0] + phases[1])
    squares = S * S
    E = _gaps(squares, S)
    middle: Any = None
    if inner_U is not None:
        middle = (_skew(inner_U) / E) * row_vector(S)
    if inner_V is not None:
        term = unsqueeze(S, -1) * (_skew(inner_V) / E)
        middle = term if middle is None else middle + term
    # The skew parts have nothing on the diagonal but, if complex, the phase of U against that of V.
    middle = middle - diag_embed(diagonal(middle, 0, -2, -1))
    if gS is not None:
        middle = middle + diag_embed(gS)
    if is_complex(U) and inner_U is not None:
        middle = middle + diag_embed(1j * imag(diagonal(inner_U, 0, -2, -1)) / S)
    gA = U @ middle @ Vh
    if m > k and gU is not None:
        scaled = gU / row_vector(S)
        gA = gA + (scaled - U @ (UH @ scaled)) @ Vh
    if n > k and gVh is not None:
        scaled = gVh / unsqueeze(S, -1)
        gA = gA + U @ (scaled - (scaled @ V) @ Vh)
    return gA


@general(
    "linalg.svd",
    precision="full",
    outputs="U, S, Vh",
    undefined=True,
    A=lambda g_U, g_S, g_Vh, U, S, Vh: _svd_back(g_U, g_S, g_Vh, U, S, Vh),
    check=checked("linalg.svd", at_least_matrix, floating),
    node="LinalgSvdBackward0",
    batch=stacked(2),
    domain="distinct singular values, for gradients of singular vectors",
)
def svd_rows(A: Array, full_matrices: bool = True) -> Any:
    """A = U diag(S) V^H, singular values in descending order."""
    m, n = A.shape[-2:]
    if A.size == 0:
        k = min(m, n)
        U = np.zeros((*A.shape[:-1], m if full_matrices else k), A.dtype)
        Vh = np.zeros((*A.shape[:-2], n if full_matrices else k, n), A.dtype)
        if full_matrices:
            U[...], Vh[...] = np.eye(m), np.eye(n)
        return U, np.zeros((*A.shape[:-2], k), A.real.dtype), Vh
    try:
        U, S, Vh = np.linalg.svd(A, full_matrices)
    except np.linalg.LinAlgError:
        raise _failed("linalg.svd", A, "singular values") from None
    return U, S, Vh


@general("svdvals_rows", outputs="S*", method=False, batch=stacked(2))
def _svdvals(A: Array) -> Any:
    """Singular values alone, where no derivative is wanted."""
    if A.size == 0:
        return np.zeros((*A.shape[:-2], min(A.shape[-2:])), A.real.dtype)
    try:
        return np.linalg.svd(A, compute_uv=False)
    except np.linalg.LinAlgError:
        raise _failed("linalg.svd", A, "singular values") from None


@composite("linalg.svd", precision="full", out=True)
def svd_(A: Any, full_matrices: bool = True, *, driver: str | None = None) -> Any:
    """`(U, S, Vh)` with A = U diag(S) Vh; `full_matrices=False` gives only the vectors that belong to singular values."""
    if driver is not None:
        raise RuntimeError(
            "torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER backend."
        )
    return svd_rows(A, full_matrices)


@composite("linalg.svdvals", precision="full", out=True)
def svdvals(A: Any, *, driver: str | None = None) -> Any:
    """The singular values of each matrix, descending."""
    if driver is not None:
        raise RuntimeError(
            "torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER backend."
        )
    at_least_matrix("linalg.svd", A)
    floating("linalg.svd", A)
    return svd_rows(A, False)[1] if derivative_wanted(A) else _svdvals(A)


@composite("svd", precision="full", out=True)
def svd(input: Any, some: bool = True, compute_uv: bool = True) -> Any:
    """`(U, S, V)` with input = U diag(S) V^H: the older form of `linalg.svd`. Without `compute_uv` U and V are zero."""
    at_least_matrix("linalg.svd", input)
    if not compute_uv:
        S = svdvals(input)
        m, n = input.shape[-2:]
        zeros = [input.new_zeros((*input.shape[:-2], k, k)) for k in (m, n)]
        return _SVD(zeros[0], S, zeros[1])
    U, S, Vh = svd_rows(input, not some)
    return _SVD(U, S, mH(Vh))


@composite("linalg.matrix_rank", precision="full", names={"A": "input"}, out=True)
def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None) -> Any:
    """How many singular values (of Hermitian A: absolute eigenvalues) are above max(atol, rtol * largest)."""
    name = "torch.linalg.matrix_rank"
    at_least_matrix("linalg.matrix_rank", A)
    floating("linalg.matrix_rank", A)
    if hermitian:
        square("linalg.matrix_rank", A)
    if tol is not None:
        atol, rtol = tol, 0.0
    absolute, relative = tolerances(name, A._array, atol, rtol)
    return _rank(A, absolute, relative, hermitian)


@general("matrix_rank_rows", outputs="rank*", method=False, batch=stacked(2))
def _rank(A: Array, atol: Any, rtol: Any, hermitian: bool) -> Any:
    """The numerical rank of each matrix."""
    if A.size == 0:
        return np.zeros(A.shape[:-2], np.int64)
    S = np.sort(np.abs(np.linalg.eigvalsh(A)))[..., ::-1] if hermitian else np.linalg.svd(A, compute_uv=False)
    return np.asarray(kept(S, atol, rtol).sum(-1))


_SVD = named_result("svd", ["U", "S", "V"])
