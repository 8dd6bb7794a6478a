"""Triangular systems: the row that every other factorisation's derivative uses, and its public forms."""

from __future__ import annotations

from typing import Any

from ..core.op import Array, asked_always, composite, general
from ..core.returned import named_result
from ..kernels import linalg as kernel
from .arranging import tril, triu
from .linalg_shared import at_least_matrix, broadcastable, floating, mH, same_dtype, square, stacked

__all__ = ["triangular_solve"]


@asked_always
def _check(A: Any, B: Any, upper: bool, unitriangular: bool) -> None:
    name = "linalg.solve_triangular"
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


def _matrix_back(g: Any, A: Any, out: Any, upper: bool, unitriangular: bool) -> Any:
    full = -solve_triangular_rows(mH(A), g, not upper, unitriangular) @ mH(out)
    d = 1 if unitriangular else 0
    return triu(full, d) if upper else tril(full, -d)


@general(
    "solve_triangular",
    A=lambda g, A, out, upper, unitriangular: _matrix_back(g, A, out, upper, unitriangular),
    B=lambda g, A, upper, unitriangular: solve_triangular_rows(mH(A), g, not upper, unitriangular),
    jvp=lambda t_A, t_B, A, out, upper, unitriangular: solve_triangular_rows(
        A, t_B - _own(t_A, upper, unitriangular) @ out, upper, unitriangular
    ),
    check=_check,
    node="LinalgSolveTriangularBackward0",
    method=False,
    batch=stacked(2, 2),
    tex=r"{A}^{{-1}} {B}",
)
def solve_triangular_rows(A: Array, B: Array, upper: bool, unitriangular: bool = False) -> Any:
    """X with A X = B; of A only the triangle named is read, and without its diagonal if that counts as ones."""
    return kernel.solve_triangular(A, B, upper, unitriangular)


def _own(t: Any, upper: bool, unitriangular: bool) -> Any:
    """The part of a matrix that is read."""
    d = 1 if unitriangular else 0
    return triu(t, d) if upper else tril(t, -d)


@composite("linalg.solve_triangular", names={"A": "input"}, out=True)
def solve_triangular(A: Any, B: Any, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Any:
    """X with A X = B, or X A = B if not `left`, for triangular A. A zero on the diagonal gives infinities."""
    if left:
        return solve_triangular_rows(A, B, upper, unitriangular)
    name = "linalg.solve_triangular"
    square(name, A)
    at_least_matrix(name, B, "B")
    if A.shape[-1] != B.shape[-1]:
        raise RuntimeError(
            f"{name}: Incompatible shapes of A and B for the equation XA = B ({B.shape[-2]}x{B.shape[-1]} and "
            f"{A.shape[-2]}x{A.shape[-1]})"
        )
    return solve_triangular_rows(A.mT, B.mT, not upper, unitriangular).mT


TriangularSolve = named_result("triangular_solve", ["solution", "cloned_coefficient"])


@composite("triangular_solve", precision="full", names={"b": "input"}, out=True)
def triangular_solve(b: Any, A: Any, upper: bool = True, transpose: bool = False, unitriangular: bool = False) -> Any:
    """`(solution, A)` of A X = b, or of A^T X = b: the older form of `linalg.solve_triangular`."""
    name = "torch.triangular_solve"
    for label, x in (("b", b), ("A", A)):
        if x.ndim < 2:
            raise RuntimeError(
                f"{name}: Expected {label} to have at least 2 dimensions, but it has {x.ndim} dimensions instead"
            )
    square("triangular_solve", A)
    if A.shape[-1] != b.shape[-2]:
        raise RuntimeError(
            f"Incompatible matrix sizes for triangular_solve: each A matrix is {A.shape[-1]} by {A.shape[-1]} but each b "
            f"matrix is {b.shape[-2]} by {b.shape[-1]}"
        )
    M, up = (A.mT, not upper) if transpose else (A, upper)
    X = solve_triangular_rows(M, b, up, unitriangular)
    return TriangularSolve(X, A.expand((*X.shape[:-2], *A.shape[-2:])).clone())
