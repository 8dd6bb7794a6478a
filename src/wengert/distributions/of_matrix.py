"""Distributions that are given by a positive definite matrix, its inverse, or its lower triangular factor."""

from __future__ import annotations

from typing import Any

from .. import cholesky_inverse, eye, flip, matmul
from ..ops.linalg_factor import cholesky
from ..ops.linalg_triangular import solve_triangular
from .distribution import Distribution
from .utils import lazy_property


def _batch_mv(matrices: Any, vectors: Any) -> Any:
    return matmul(matrices, vectors.unsqueeze(-1)).squeeze(-1)


def _batch_mahalanobis(triangle: Any, x: Any) -> Any:
    """|L^-1 x|^2, for batches of triangles (b, n, n) and vectors (..., b, n) of which the first may broadcast."""
    return solve_triangular(triangle, x.unsqueeze(-1), upper=False).squeeze(-1).pow(2).sum(-1)


def _half_log_det(triangle: Any) -> Any:
    return triangle.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def _precision_to_scale_tril(precision: Any) -> Any:
    """The lower triangular L with (L L^T)^-1 = `precision`: from the Cholesky factor of the matrix turned over."""
    upper = flip(cholesky(flip(precision, (-2, -1))), (-2, -1)).mT
    return solve_triangular(upper, eye(precision.shape[-1], dtype=precision.dtype), upper=False)


def one_matrix(covariance: Any, precision: Any, triangle: Any, error: type[Exception]) -> tuple[str, Any]:
    """The name and the value of the one that was given; `error` is raised unless it is one."""
    given = {"covariance_matrix": covariance, "precision_matrix": precision, "scale_tril": triangle}
    named = [(name, value) for name, value in given.items() if value is not None]
    if len(named) != 1:
        raise error("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
    return named[0]


class OfMatrix(Distribution):
    """Keeps the triangle, not yet broadcast; makes of it what was not given when it is asked for."""

    _unbroadcasted_scale_tril: Any

    def _set_triangle(self, name: str, matrix: Any) -> None:
        if name == "scale_tril":
            self._unbroadcasted_scale_tril = matrix
        elif name == "covariance_matrix":
            self._unbroadcasted_scale_tril = cholesky(matrix)
        else:
            self._unbroadcasted_scale_tril = _precision_to_scale_tril(matrix)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = super().expand(batch_shape, _instance)
        new._unbroadcasted_scale_tril = self._unbroadcasted_scale_tril
        return new

    def _matrix(self, m: Any) -> Any:
        n = self._event_shape[-1]
        return m.expand((*self._batch_shape, n, n))

    @lazy_property
    def scale_tril(self) -> Any:
        return self._matrix(self._unbroadcasted_scale_tril)

    @lazy_property
    def covariance_matrix(self) -> Any:
        return self._matrix(self._unbroadcasted_scale_tril @ self._unbroadcasted_scale_tril.mT)

    @lazy_property
    def precision_matrix(self) -> Any:
        return self._matrix(cholesky_inverse(self._unbroadcasted_scale_tril))
