"""The normal distribution of vectors with a covariance of low rank plus a diagonal."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from .. import broadcast_tensors, diag_embed, eye
from ..core.size import Size
from ..ops.linalg_factor import cholesky
from ..ops.linalg_triangular import solve_triangular
from . import constraints
from ._shared import Centred
from .of_matrix import _batch_mahalanobis, _batch_mv, _half_log_det
from .utils import _standard_normal, lazy_property

__all__ = ["LowRankMultivariateNormal"]


def _batch_capacitance_tril(w: Any, d: Any) -> Any:
    """The Cholesky factor of 1 + W^T D^-1 W, by which the matrix determinant lemma and Woodbury's identity work."""
    return cholesky((w.mT / d.unsqueeze(-2)) @ w + eye(w.shape[-1], dtype=w.dtype))


def _batch_lowrank_logdet(w: Any, d: Any, capacitance_tril: Any) -> Any:
    """log det(W W^T + D)"""
    return 2 * _half_log_det(capacitance_tril) + d.log().sum(-1)


def _batch_lowrank_mahalanobis(w: Any, d: Any, x: Any, capacitance_tril: Any) -> Any:
    """x^T (W W^T + D)^-1 x"""
    inner = _batch_mv(w.mT / d.unsqueeze(-2), x)
    return (x.pow(2) / d).sum(-1) - _batch_mahalanobis(capacitance_tril, inner)


class LowRankMultivariateNormal(Centred):
    """The normal distribution with covariance W W^T + diag(cov_diag), for W = cov_factor, (n, rank)"""

    arg_constraints: ClassVar[dict[str, Any]] = {
        "loc": constraints.real_vector,
        "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }
    support = constraints.real_vector
    has_rsample = True
    _state: ClassVar[dict[str, int]] = {
        "loc": 1, "cov_diag": 1, "cov_factor": 2, "covariance_matrix": 2, "scale_tril": 2, "precision_matrix": 2,
    }  # fmt: skip

    def __init__(self, loc: Any, cov_factor: Any, cov_diag: Any, validate_args: bool | None = None) -> None:
        if loc.ndim < 1:
            raise ValueError("loc must be at least one-dimensional.")
        event_shape = loc.shape[-1:]
        if cov_factor.ndim < 2:
            raise ValueError("cov_factor must be at least two-dimensional, with optional leading batch dimensions")
        if cov_factor.shape[-2:-1] != event_shape:
            raise ValueError(f"cov_factor must be a batch of matrices with shape {event_shape[0]} x m")
        if cov_diag.shape[-1:] != event_shape:
            raise ValueError(f"cov_diag must be a batch of vectors with shape {event_shape}")
        try:
            columns, self.cov_factor, diagonal = broadcast_tensors(
                loc.unsqueeze(-1), cov_factor, cov_diag.unsqueeze(-1)
            )
        except RuntimeError as error:
            raise ValueError(
                f"Incompatible batch shapes: loc {loc.shape}, cov_factor {cov_factor.shape}, cov_diag {cov_diag.shape}"
            ) from error
        self.loc, self.cov_diag = columns[..., 0], diagonal[..., 0]
        self._unbroadcasted_cov_factor, self._unbroadcasted_cov_diag = cov_factor, cov_diag
        self._capacitance_tril = _batch_capacitance_tril(cov_factor, cov_diag)
        super().__init__(self.loc.shape[:-1], event_shape, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = super().expand(batch_shape, _instance)
        for name in ("_unbroadcasted_cov_factor", "_unbroadcasted_cov_diag", "_capacitance_tril"):
            setattr(new, name, getattr(self, name))
        return new

    def _parts(self) -> tuple[Any, Any]:
        return self._unbroadcasted_cov_factor, self._unbroadcasted_cov_diag

    def _matrix(self, m: Any) -> Any:
        return m.expand(self._batch_shape + self._event_shape + self._event_shape)

    @lazy_property
    def variance(self) -> Any:
        w, d = self._parts()
        return (w.pow(2).sum(-1) + d).expand(self._batch_shape + self._event_shape)

    @lazy_property
    def scale_tril(self) -> Any:
        w, d = self._parts()
        root = d.sqrt().unsqueeze(-1)
        scaled = w / root
        return self._matrix(root * cholesky(scaled @ scaled.mT + eye(w.shape[-2], dtype=w.dtype)))

    @lazy_property
    def covariance_matrix(self) -> Any:
        w, d = self._parts()
        return self._matrix(w @ w.mT + diag_embed(d))

    @lazy_property
    def precision_matrix(self) -> Any:
        w, d = self._parts()
        a = solve_triangular(self._capacitance_tril, w.mT / d.unsqueeze(-2), upper=False)
        return self._matrix(diag_embed(d.reciprocal()) - a.mT @ a)

    def rsample(self, sample_shape: Any = Size()) -> Any:
        w, d = self._parts()
        shape = self._extended_shape(sample_shape)
        low = _standard_normal(shape[:-1] + self.cov_factor.shape[-1:], self.loc.dtype)
        rest = _standard_normal(shape, self.loc.dtype)
        return self.loc + _batch_mv(w, low) + d.sqrt() * rest

    def log_prob(self, value: Any) -> Any:
        away = self._checked(value) - self.loc
        distance = _batch_lowrank_mahalanobis(*self._parts(), away, self._capacitance_tril)
        log_det = _batch_lowrank_logdet(*self._parts(), self._capacitance_tril)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + log_det + distance)

    def entropy(self) -> Any:
        log_det = _batch_lowrank_logdet(*self._parts(), self._capacitance_tril)
        found = 0.5 * (self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + log_det)
        return found.expand(self._batch_shape)
