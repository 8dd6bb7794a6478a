"""Distributions made of others: of vectors, and mixtures."""

from __future__ import annotations

import math
from typing import Any

from ..core.modes import no_grad
from ..core.size import Size
from ..core.tensor import Tensor
from ..ops import random
from ..ops.creation import eye
from ..ops.linalg_factor import cholesky
from ..ops.linalg_triangular import solve_triangular
from . import constraints
from .discrete import Categorical
from .distribution import Distribution
from .utils import lazy_property


class Independent(Distribution):
    """The last `reinterpreted_batch_ndims` dimensions of a batch as one event, of independent parts."""

    def __init__(
        self, base_distribution: Distribution, reinterpreted_batch_ndims: int, validate_args: bool | None = None
    ) -> None:
        batch = base_distribution.batch_shape
        if reinterpreted_batch_ndims > len(batch):
            raise ValueError(
                "Expected reinterpreted_batch_ndims <= len(base_distribution.batch_shape), actual "
                f"{reinterpreted_batch_ndims} vs {len(batch)}"
            )
        self.base_dist, self.reinterpreted_batch_ndims = base_distribution, reinterpreted_batch_ndims
        at = len(batch) - reinterpreted_batch_ndims
        super().__init__(batch[:at], (*batch[at:], *base_distribution.event_shape), validate_args=validate_args)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        return self.base_dist.has_rsample

    @property
    def support(self) -> Any:
        inner = self.base_dist.support
        return (
            constraints.independent(inner, self.reinterpreted_batch_ndims) if self.reinterpreted_batch_ndims else inner
        )

    @property
    def mean(self) -> Tensor:
        return self.base_dist.mean

    @property
    def mode(self) -> Tensor:
        return self.base_dist.mode

    @property
    def variance(self) -> Tensor:
        return self.base_dist.variance

    def sample(self, sample_shape: Any = Size()) -> Tensor:
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Any = Size()) -> Tensor:
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        return self._summed(self.base_dist.log_prob(value))

    def entropy(self) -> Tensor:
        return self._summed(self.base_dist.entropy())

    def _summed(self, t: Tensor) -> Tensor:
        n = self.reinterpreted_batch_ndims
        return t.sum(tuple(range(-n, 0))) if n else t

    def __repr__(self) -> str:
        return f"Independent({self.base_dist!r}, {self.reinterpreted_batch_ndims})"


class MultivariateNormal(Distribution):
    """Normal vectors of mean `loc` and a covariance, given as such, by its inverse, or by its Cholesky factor."""

    arg_constraints: Any = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self, loc: Tensor, covariance_matrix: Any = None, precision_matrix: Any = None, scale_tril: Any = None,
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        if loc.ndim < 1:
            raise ValueError("loc must be at least one-dimensional.")
        given = {"covariance_matrix": covariance_matrix, "precision_matrix": precision_matrix, "scale_tril": scale_tril}
        named = [(name, matrix) for name, matrix in given.items() if matrix is not None]
        if len(named) != 1:
            raise ValueError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        ((name, matrix),) = named
        if matrix.ndim < 2:
            raise ValueError(f"{name} must be at least two-dimensional, with optional leading batch dimensions")
        n = loc.shape[-1]
        batch = _common(loc.shape[:-1], matrix.shape[:-2])
        self.loc = loc.expand((*batch, n))
        self.__dict__[name] = matrix.expand((*batch, n, n))
        super().__init__(batch, (n,), validate_args=validate_args)
        if name == "covariance_matrix":
            self._factor = cholesky(matrix)
        elif name == "scale_tril":
            self._factor = matrix
        else:
            # The factor of the inverse, from the factor of the matrix read backwards.
            backward = cholesky(matrix.flip((-2, -1)))
            inverse = backward.flip((-2, -1)).mT
            self._factor = solve_triangular(inverse, eye(n, dtype=matrix.dtype), upper=False)
        self._factor = self._factor.expand((*batch, n, n))

    @lazy_property
    def scale_tril(self) -> Tensor:
        return self._factor

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        return self._factor @ self._factor.mT

    @lazy_property
    def precision_matrix(self) -> Tensor:
        return self._factor.cholesky_inverse()

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return self._factor.pow(2).sum(-1)

    def rsample(self, sample_shape: Any = Size()) -> Tensor:
        noise = random.randn(self._extended_shape(sample_shape), dtype=self.loc.dtype)
        return self.loc + (self._factor @ noise.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        away = (value - self.loc).unsqueeze(-1)
        distance = solve_triangular(self._factor, away, upper=False).squeeze(-1).pow(2).sum(-1)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + distance) - self._half_log_det()

    def entropy(self) -> Tensor:
        return 0.5 * self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + self._half_log_det()

    def _half_log_det(self) -> Tensor:
        return self._factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def _common(a: Any, b: Any) -> tuple[int, ...]:
    import numpy as np

    return np.broadcast_shapes(tuple(a), tuple(b))


class MixtureSameFamily(Distribution):
    """One of the distributions along the last batch dimension of a family, chosen by a `Categorical`."""

    def __init__(
        self, mixture_distribution: Categorical, component_distribution: Distribution, validate_args: bool | None = None
    ) -> None:
        if not isinstance(mixture_distribution, Categorical):
            raise ValueError(" The Mixture distribution needs to be an  instance of torch.distributions.Categorical")
        if not isinstance(component_distribution, Distribution):
            raise ValueError("The Component distribution need to be an instance of torch.distributions.Distribution")
        count = mixture_distribution.logits.shape[-1]
        if count != component_distribution.batch_shape[-1]:
            raise ValueError(
                f"`mixture_distribution component` ({count}) does not equal "
                f"`component_distribution.batch_shape[-1]` ({component_distribution.batch_shape[-1]})"
            )
        self._mixture, self._component = mixture_distribution, component_distribution
        super().__init__(
            component_distribution.batch_shape[:-1], component_distribution.event_shape, validate_args=validate_args
        )

    @property
    def mixture_distribution(self) -> Categorical:
        return self._mixture

    @property
    def component_distribution(self) -> Distribution:
        return self._component

    @property
    def support(self) -> Any:
        return self._component.support

    def _weights(self) -> Tensor:
        return self._mixture.probs.reshape(tuple(self._mixture.probs.shape) + (1,) * len(self._event_shape))

    def _over(self) -> int:
        return -1 - len(self._event_shape)

    @property
    def mean(self) -> Tensor:
        return (self._weights() * self._component.mean).sum(self._over())

    @property
    def variance(self) -> Tensor:
        inner = (self._weights() * self._component.variance).sum(self._over())
        away = self._component.mean - self.mean.unsqueeze(self._over())
        return inner + (self._weights() * away.pow(2)).sum(self._over())

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        each = self._component.log_prob(value.unsqueeze(self._over()))
        return (each + self._mixture.logits.log_softmax(-1)).logsumexp(-1)

    def sample(self, sample_shape: Any = Size()) -> Tensor:
        with no_grad():
            chosen = self._mixture.sample(sample_shape)
            drawn = self._component.sample(sample_shape)
            at = len(sample_shape) + len(self._batch_shape)
            index = chosen.reshape(tuple(chosen.shape) + (1,) * (len(self._event_shape) + 1))
            wanted = (*chosen.shape, 1, *self._event_shape)
            return drawn.gather(at, index.expand(wanted)).squeeze(at)

    def __repr__(self) -> str:
        return f"MixtureSameFamily(\n  {self._mixture!r},\n  {self._component!r})"


__all__ = ["Independent", "MixtureSameFamily", "MultivariateNormal"]
