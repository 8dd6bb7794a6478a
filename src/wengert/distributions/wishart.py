"""The Wishart distribution of positive definite matrices."""

from __future__ import annotations

import math
import warnings
from typing import Any, ClassVar

from .. import (
    arange,
    broadcast_shapes,
    cholesky_solve,
    einsum,
    mvlgamma,
    randn,
    slogdet,
    tensor,
    tril_indices,
    where,
)
from ..core.size import Size
from . import constraints
from .chi2 import Chi2
from .exp_family import ExponentialFamily
from .of_matrix import OfMatrix, _half_log_det, one_matrix
from .utils import Number, limits

__all__ = ["Wishart"]


def _mvdigamma(x: Any, p: int) -> Any:
    """The derivative of mvlgamma."""
    if not (x > (p - 1) / 2).all():
        raise AssertionError("Wrong domain for multivariate digamma function.")
    return (x.unsqueeze(-1) - arange(p, dtype=x.dtype) / 2).digamma().sum(-1)


class Wishart(OfMatrix, ExponentialFamily):
    """X^T X for `df` rows of X normal with the covariance given: p x p matrices

    Drawn by Bartlett's decomposition. W. B. Smith and R. R. Hocking, Applied Statistics 21 (1972).
    """

    support = constraints.positive_definite
    has_rsample = True
    _mean_carrier_measure = 0
    _state: ClassVar[dict[str, int]] = {
        "df": 0, "covariance_matrix": 2, "scale_tril": 2, "precision_matrix": 2, "_dist_chi2": 1,
    }  # fmt: skip

    @property
    def arg_constraints(self) -> dict[str, Any]:
        return {
            "covariance_matrix": constraints.positive_definite,
            "precision_matrix": constraints.positive_definite,
            "scale_tril": constraints.lower_cholesky,
            "df": constraints.greater_than(self.event_shape[-1] - 1),
        }

    def __init__(
        self,
        df: Any,
        covariance_matrix: Any = None,
        precision_matrix: Any = None,
        scale_tril: Any = None,
        validate_args: bool | None = None,
    ) -> None:
        name, matrix = one_matrix(covariance_matrix, precision_matrix, scale_tril, AssertionError)
        if matrix.ndim < 2:
            raise ValueError("scale_tril must be at least two-dimensional, with optional leading batch dimensions")
        if isinstance(df, Number):
            batch_shape = matrix.shape[:-2]
            self.df = tensor(df, dtype=matrix.dtype)
        else:
            batch_shape = Size(broadcast_shapes(matrix.shape[:-2], df.shape))
            self.df = df.expand(batch_shape)
        p = matrix.shape[-1]
        if (self.df <= p - 1).any():
            raise ValueError(f"Value of df={df} expected to be greater than ndim - 1 = {p - 1}.")
        setattr(self, name, matrix.expand((*batch_shape, -1, -1)))
        if (self.df < p).any():
            warnings.warn(
                "Low df values detected. Singular samples are highly likely to occur for ndim - 1 < df < ndim.",
                stacklevel=2,
            )
        super().__init__(batch_shape, matrix.shape[-2:], validate_args=validate_args)
        self._set_triangle(name, matrix)
        freedom = self.df.unsqueeze(-1) - arange(p, dtype=matrix.dtype).expand((*batch_shape, -1))
        self._dist_chi2 = Chi2(freedom)

    @property
    def mean(self) -> Any:
        return self.df[..., None, None] * self.covariance_matrix

    @property
    def mode(self) -> Any:
        factor = self.df - self._event_shape[-1] - 1
        return where(factor <= 0, math.nan, factor)[..., None, None] * self.covariance_matrix

    @property
    def variance(self) -> Any:
        v = self.covariance_matrix
        diagonal = v.diagonal(dim1=-2, dim2=-1)
        return self.df[..., None, None] * (v.pow(2) + einsum("...i,...j->...ij", diagonal, diagonal))

    def _drawn(self, sample_shape: Any) -> Any:
        """L A (L A)^T: chi numbers on the diagonal of A, normal ones below."""
        p = self._event_shape[-1]
        chi = self._dist_chi2.rsample(sample_shape).sqrt()
        noise = chi.clamp(min=float(limits(chi).eps)).diag_embed(dim1=-2, dim2=-1)
        i, j = tril_indices(p, p, offset=-1)
        below = Size(sample_shape) + self._batch_shape + (p * (p - 1) // 2,)
        noise[..., i, j] = randn(below, dtype=noise.dtype)
        factor = self._unbroadcasted_scale_tril @ noise
        return factor @ factor.mT

    def rsample(self, sample_shape: Any = Size(), max_try_correction: int = 10) -> Any:
        """A sample; a singular one, which rounding makes, is drawn again up to `max_try_correction` times."""
        # PyTorch's first test is the wrong way round, so that it draws all samples twice. Drawn twice, they are its numbers.
        self._drawn(sample_shape)
        sample = self._drawn(sample_shape)
        for _ in range(max_try_correction):
            regular = self.support.check(sample)
            if regular.all():
                break
            warnings.warn("Singular sample detected.", stacklevel=2)
            sample = where(regular[..., None, None], sample, self._drawn(sample_shape))
        return sample

    def log_prob(self, value: Any) -> Any:
        self._checked(value)
        nu, p, triangle = self.df, self._event_shape[-1], self._unbroadcasted_scale_tril
        trace = cholesky_solve(value, triangle).diagonal(dim1=-2, dim2=-1).sum(-1)
        constant = nu * (p * math.log(2) / 2 + _half_log_det(triangle)) + mvlgamma(nu / 2, p)
        return (nu - p - 1) / 2 * slogdet(value).logabsdet - constant - trace / 2

    def entropy(self) -> Any:
        nu, p = self.df, self._event_shape[-1]
        constant = (p + 1) * (p * math.log(2) / 2 + _half_log_det(self._unbroadcasted_scale_tril))
        return constant + mvlgamma(nu / 2, p) - (nu - p - 1) / 2 * _mvdigamma(nu / 2, p) + nu * p / 2

    @property
    def _natural_params(self) -> tuple[Any, Any]:
        return -self.precision_matrix / 2, (self.df - self._event_shape[-1] - 1) / 2

    def _log_normalizer(self, x: Any, y: Any) -> Any:
        p = self._event_shape[-1]
        half = y + (p + 1) / 2
        return half * (p * math.log(2) - slogdet(-2 * x).logabsdet) + mvlgamma(half, p)
