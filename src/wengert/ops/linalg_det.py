"""Determinants, the matrix exponential, powers of matrices and of vectors (Vandermonde)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.op import Array, composite, general
from ..kernels import linalg as kernel
from .choosing import where
from .complex import imag
from .joining import cat
from .linalg_shared import (
    checked,
    column_vector,
    columns,
    floating,
    identity,
    is_complex,
    mH,
    plain,
    refuse,
    row_vector,
    rows,
    square,
    stacked,
)  # fmt: skip
from .linalg_solve import _NO_INVERSE, inv_rows, solve_rows
from .linalg_spectral import svd_rows
from .pointwise import log
from .reductions import _others
from .scans import cumprod
from .shape import expand, reshape, unsqueeze

__all__ = ["det", "logdet", "matrix_exp", "matrix_power", "slogdet"]


# -- determinants ------------------------------------------------------------------------------------------------


def _det_back(g: Any, A: Any, out: Any) -> Any:
    scale = column_vector(column_vector(g * out.conjugate()))
    numbers = plain(out)
    if numbers is None or np.all(numbers != 0):
        return solve_rows(mH(A), scale * identity(A.shape[-1], A))[0]
    # A singular matrix has no inverse but an adjugate: of A = U S V^H it is det(U) det(V^H) V adj(S) U^H.
    U, S, Vh = svd_rows(A, False)
    sign = (det_rows(U) * det_rows(Vh)).conjugate()
    return (U * row_vector(_others(S, S.ndim - 1, cumprod) * column_vector(g * sign))) @ Vh


@general(
    "linalg.det",
    A=lambda g, A, out: _det_back(g, A, out),
    check=checked("linalg.det", square, floating),
    node="LinalgDetBackward0",
    batch=stacked(2),
    method=False,
    out=True,
    tex=r"\det {A}",
)
def det_rows(A: Array) -> Any:
    """The determinant of each matrix."""
    return np.asarray(np.linalg.det(A))


@composite("det")
def det(input: Any) -> Any:
    """`linalg.det`."""
    return det_rows(input)


def _slogdet_back(g_sign: Any, g_logabsdet: Any, A: Any, sign: Any) -> Any:
    g = g_logabsdet
    if is_complex(A):
        g = g - 1j * imag(g_sign.conjugate() * sign)
    return solve_rows(mH(A), column_vector(column_vector(g)) * identity(A.shape[-1], A))[0]


@general(
    "linalg.slogdet",
    outputs="sign, logabsdet",
    A=lambda g_sign, g_logabsdet, A, sign: _slogdet_back(g_sign, g_logabsdet, A, sign),
    check=checked("linalg.slogdet", square, floating),
    node="LinalgSlogdetBackward0",
    batch=stacked(2),
    method=False,
    out=True,
)
def slogdet_rows(A: Array) -> Any:
    """The sign (complex: the phase) of the determinant and the logarithm of its absolute value."""
    sign, logabs = np.linalg.slogdet(A)
    return np.asarray(sign), np.asarray(logabs)


@composite("slogdet", out=True)
def slogdet(input: Any) -> Any:
    """`linalg.slogdet`."""
    return slogdet_rows(input)


@composite("logdet")
def logdet(input: Any) -> Any:
    """The logarithm of the determinant: NaN if that is negative, -inf if it is zero."""
    square("logdet", input)
    floating("logdet", input)
    sign, logabs = slogdet_rows(input)
    # Where the sign is 1 its logarithm is 0, and where it is -1 it is NaN, as it should be.
    return log(sign) + logabs


# -- functions of a matrix ---------------------------------------------------------------------------------------


def _exp_back(g: Any, A: Any) -> Any:
    """The derivative of e^A along g, by the upper right block of e^[[A, g], [0, A]] (Mathias 1996), at A^H."""
    return _exp_along(mH(A), g)


def _exp_along(A: Any, t: Any) -> Any:
    n = A.shape[-1]
    top = cat([A, expand(t, tuple(A.shape))], -1)
    low = cat([A * 0, A], -1)
    return columns(rows(exp_rows(cat([top, low], -2)), 0, n), n, n)


@general(
    "linalg.matrix_exp",
    names={"A": "input"},
    A=lambda g, A: _exp_back(g, A),
    jvp=lambda t_A, A: _exp_along(A, t_A),
    check=checked("linalg.matrix_exp", square, floating),
    node="LinalgMatrixExpBackward0",
    batch=stacked(2),
    tex=r"e^{{{A}}}",
)
def exp_rows(A: Array) -> Any:
    """e^A for each square matrix A."""
    return kernel.matrix_exp(A)


@composite("matrix_exp")
def matrix_exp(input: Any) -> Any:
    """`linalg.matrix_exp`."""
    return exp_rows(input)


@composite("linalg.matrix_power", names={"A": "input"}, out=True)
def matrix_power_(A: Any, n: int) -> Any:
    """A multiplied by itself n times, by repeated squaring; the inverse's power for negative n."""
    square("linalg.matrix_power", A)
    if n == 0:
        # Constant, but (as in PyTorch) with a gradient of zero.
        return where(A != A, 0, A) * 0 + identity(A.shape[-1], A) if A.numel() else A.clone()
    if n < 0:
        floating("linalg.matrix_power", A)
        A, info = inv_rows(A)
        refuse(info, "linalg.inv", _NO_INVERSE)
        n = -n
    if n == 1:
        return A.clone()
    if n == 3:
        return (A @ A) @ A
    result: Any = None
    square_ = A
    while True:
        if n & 1:
            result = square_ if result is None else result @ square_
        n >>= 1
        if not n:
            return result
        square_ = square_ @ square_


@composite("matrix_power", out=True)
def matrix_power(input: Any, n: int) -> Any:
    """`linalg.matrix_power`."""
    return matrix_power_(input, n)


@composite("linalg.vander")
def vander(x: Any, N: int | None = None) -> Any:
    """Powers 0 ... N-1 of each element, in rows."""
    if x.ndim == 0:
        x = reshape(x, (1,))
    N = x.shape[-1] if N is None else N
    if N <= 1:
        raise RuntimeError("N must be greater than 1.")
    if not (x.is_floating_point() or x.is_complex()):
        x = x.to(np.int64)
    powers = expand(unsqueeze(x, -1), (*x.shape, N - 1))
    one = x.new_ones((*x.shape, 1))
    return cat([one, cumprod(powers, -1)], -1)
