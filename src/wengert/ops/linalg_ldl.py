"""The LDL factorisation of symmetric and Hermitian matrices. As in PyTorch it has no derivative."""

from __future__ import annotations

from typing import Any

from ..core.op import Array, composite, general
from ..core.returned import named_result
from ..kernels import ldl as kernel
from .linalg_shared import at_least_matrix, broadcastable, checked, floating, refuse, square, stacked, word

__all__: list[str] = []  # the functions are torch.linalg's


def _no_derivative(name: str) -> Any:
    raise RuntimeError(f"derivative for aten::{name} is not implemented")


LDL = named_result("linalg_ldl_factor", ["LD", "pivots"])


@general(
    "linalg.ldl_factor_ex",
    outputs="LD, pivots*, info*",
    A=lambda g: _no_derivative("linalg_ldl_factor_ex"),
    check=checked("torch.linalg.ldl_factor_ex", square, floating),
    method=False,
    batch=stacked(2),
)
def factor_rows(A: Array, hermitian: bool) -> Any:
    """The factors in LAPACK's format; `info` tells the first block of D that is zero, or 0."""
    return kernel.factor(A, hermitian)


_ZERO = (
    "The factor D has zero in its {} th diagonal element: the factorization is complete, but solving with it would divide "
    "by zero."
)


@composite("linalg.ldl_factor_ex", names={"A": "input"}, out=True)
def ldl_factor_ex(A: Any, *, hermitian: bool = False, check_errors: bool = False) -> Any:
    """`(LD, pivots, info)`: the factorisation of symmetric (`hermitian`: Hermitian) matrices; the lower triangle is read."""
    result = factor_rows(A, hermitian)
    if check_errors:
        refuse(result[2], "torch.linalg.ldl_factor_ex", _ZERO)
    return result


@composite("linalg.ldl_factor", names={"A": "input"}, out=True)
def ldl_factor(A: Any, *, hermitian: bool = False) -> Any:
    """`(LD, pivots)`. LinAlgError if D has a zero block."""
    LD, pivots, info = factor_rows(A, hermitian)
    refuse(info, "torch.linalg.ldl_factor", _ZERO)
    return LDL(LD, pivots)


@general(
    "linalg.ldl_solve",
    LD=lambda g: _no_derivative("linalg_ldl_solve"),
    B=lambda g: _no_derivative("linalg_ldl_solve"),
    method=False,
)
def solve_rows(LD: Array, pivots: Array, B: Array, hermitian: bool) -> Any:
    """X with A X = B from the factors of A."""
    return kernel.solve(LD, pivots, B, hermitian)


@composite("linalg.ldl_solve", out=True)
def ldl_solve(LD: Any, pivots: Any, B: Any, *, hermitian: bool = False) -> Any:
    """X with A X = B from `ldl_factor(A)`."""
    name = "torch.linalg.ldl_solve"
    square(name, LD, "LD")
    at_least_matrix(name, B, "B")
    if LD.shape[-1] != B.shape[-2]:
        raise RuntimeError(
            f"Incompatible matrix sizes for {name}: each A matrix is {LD.shape[-1]} by {LD.shape[-1]} but each b matrix is "
            f"{B.shape[-2]} by {B.shape[-1]}"
        )
    if LD.dtype is not B.dtype:
        raise RuntimeError(
            f"Expected b and A to have the same dtype, but found b of type {word(B)} and A of type {word(LD)} instead."
        )
    if tuple(LD.shape[:-1]) != tuple(pivots.shape):
        raise RuntimeError(
            f"{name}: Expected LD.shape[:-1] and pivots.shape to be the same, but got pivots with shape "
            f"{list(pivots.shape)} instead"
        )
    if pivots.is_floating_point() or pivots.is_complex():
        raise RuntimeError(f"{name}: Expected pivots to be integers. Got {word(pivots)}")
    broadcastable(name, LD, B)
    return solve_rows(LD, pivots, B, hermitian)
