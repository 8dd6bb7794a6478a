"""Distributions made of gamma-distributed numbers. They draw PyTorch's numbers from PyTorch's seeds."""

from __future__ import annotations

import math
from typing import Any

from ..core.modes import no_grad
from ..core.size import Size
from ..core.tensor import Tensor, wrap
from ..environment.limits import finfo
from ..kernels import distributions as kernel
from ..ops import random
from ..ops.creation import eye, full_like
from ..ops.joining import stack
from ..ops.pointwise import where
from ..ops.special import digamma, lgamma, xlogy
from . import constraints
from .distribution import Distribution, ExponentialFamily
from .utils import broadcast_all


def _plain(what: str, *parameters: Tensor) -> None:
    """NotImplementedError where a gradient would have to reach the parameters."""
    if any(p.requires_grad for p in parameters):
        raise NotImplementedError(
            f"{what}.rsample: gradients of gamma-distributed samples with respect to the concentration are not known here; "
            "use sample(), and log_prob in the loss"
        )


def _gamma(concentration: Tensor, shape: Any) -> Tensor:
    """Gamma-distributed numbers of rate 1, never 0."""
    alpha = concentration.detach().expand(shape)
    drawn = wrap(kernel.standard_gamma(random.default_generator._source, alpha.contiguous()._array))
    return drawn.clamp(min=finfo(drawn.dtype).tiny)


class Gamma(ExponentialFamily):
    """The time until `concentration` events that come `rate` times in a unit of time."""

    arg_constraints: Any = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self.concentration, self.rate = broadcast_all(concentration, rate)
        super().__init__(self.concentration.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.rate

    @property
    def mode(self) -> Tensor:
        return ((self.concentration - 1) / self.rate).clamp(min=0)

    @property
    def variance(self) -> Tensor:
        return self.concentration / self.rate.pow(2)

    def sample(self, sample_shape: Any = Size()) -> Tensor:
        with no_grad():
            return self._drawn(sample_shape)

    def rsample(self, sample_shape: Any = Size()) -> Tensor:
        _plain(type(self).__name__, self.concentration)
        return self._drawn(sample_shape)

    def _drawn(self, sample_shape: Any) -> Tensor:
        return _gamma(self.concentration, self._extended_shape(sample_shape)) / self.rate

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        a, rate = self.concentration, self.rate
        return xlogy(a, rate) + xlogy(a - 1, value) - rate * value - lgamma(a)

    def entropy(self) -> Tensor:
        a = self.concentration
        return a - self.rate.log() + lgamma(a) + (1.0 - a) * digamma(a)


class Chi2(Gamma):
    """The sum of the squares of `df` normal numbers."""

    arg_constraints: Any = {"df": constraints.positive}

    def __init__(self, df: Any, validate_args: bool | None = None) -> None:
        (half,) = broadcast_all(df)
        half = 0.5 * half
        super().__init__(half, full_like(half, 0.5), validate_args=validate_args)

    @property
    def df(self) -> Tensor:
        return self.concentration * 2


class Dirichlet(ExponentialFamily):
    """Vectors of probabilities, along the last dimension."""

    arg_constraints: Any = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex
    has_rsample = True

    def __init__(self, concentration: Any, validate_args: bool | None = None) -> None:
        if concentration.ndim < 1:
            raise ValueError("`concentration` parameter must be at least one-dimensional.")
        self.concentration = concentration
        super().__init__(concentration.shape[:-1], concentration.shape[-1:], validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.concentration.sum(-1, True)

    @property
    def mode(self) -> Tensor:
        """Where all concentrations are below 1 the density is infinite in every corner; the first is given."""
        above = (self.concentration - 1).clamp(min=0.0)
        corner = eye(self._event_shape[0], dtype=above.dtype)[above.argmax(-1)]
        return where((self.concentration < 1).all(-1, True), corner, above / above.sum(-1, True))

    @property
    def variance(self) -> Tensor:
        total = self.concentration.sum(-1, True)
        return self.concentration * (total - self.concentration) / (total.pow(2) * (total + 1))

    def sample(self, sample_shape: Any = Size()) -> Tensor:
        with no_grad():
            return self._drawn(sample_shape)

    def rsample(self, sample_shape: Any = Size()) -> Tensor:
        _plain("Dirichlet", self.concentration)
        return self._drawn(sample_shape)

    def _drawn(self, sample_shape: Any) -> Tensor:
        alpha = self.concentration.detach().expand(self._extended_shape(sample_shape)).contiguous()
        return wrap(kernel.dirichlet(random.default_generator._source, alpha._array))

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        a = self.concentration
        return xlogy(a - 1.0, value).sum(-1) + lgamma(a.sum(-1)) - lgamma(a).sum(-1)

    def entropy(self) -> Tensor:
        a, k = self.concentration, self.concentration.shape[-1]
        total = a.sum(-1)
        return lgamma(a).sum(-1) - lgamma(total) - (k - total) * digamma(total) - ((a - 1.0) * digamma(a)).sum(-1)


class Beta(ExponentialFamily):
    """Probabilities: the share of the first of two gamma-distributed numbers."""

    arg_constraints: Any = {"concentration1": constraints.positive, "concentration0": constraints.positive}
    support = constraints.unit_interval
    has_rsample = True

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: bool | None = None) -> None:
        self._dirichlet = Dirichlet(stack(list(broadcast_all(concentration1, concentration0)), -1))
        super().__init__(self._dirichlet.batch_shape, validate_args=validate_args)

    @property
    def concentration1(self) -> Tensor:
        return self._dirichlet.concentration[..., 0]

    @property
    def concentration0(self) -> Tensor:
        return self._dirichlet.concentration[..., 1]

    @property
    def mean(self) -> Tensor:
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def mode(self) -> Tensor:
        return self._dirichlet.mode[..., 0]

    @property
    def variance(self) -> Tensor:
        total = self.concentration1 + self.concentration0
        return self.concentration1 * self.concentration0 / (total.pow(2) * (total + 1))

    def sample(self, sample_shape: Any = Size()) -> Tensor:
        return self._dirichlet.sample(sample_shape).select(-1, 0)

    def rsample(self, sample_shape: Any = Size()) -> Tensor:
        return self._dirichlet.rsample(sample_shape).select(-1, 0)

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        return self._dirichlet.log_prob(stack([value, 1.0 - value], -1))

    def entropy(self) -> Tensor:
        return self._dirichlet.entropy()


class StudentT(Distribution):
    """A normal number over the root of a chi-squared number of `df` degrees of freedom, moved and stretched."""

    arg_constraints: Any = {"df": constraints.positive, "loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True

    def __init__(self, df: Any, loc: Any = 0.0, scale: Any = 1.0, validate_args: bool | None = None) -> None:
        self.df, self.loc, self.scale = broadcast_all(df, loc, scale)
        self._chi2 = Chi2(self.df)
        super().__init__(self.df.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return where(self.df <= 1, full_like(self.loc, float("nan")), self.loc)

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        wide = self.scale.pow(2) * self.df / (self.df - 2)
        some = where(self.df > 2, wide, full_like(wide, float("inf")))
        return where(self.df <= 1, full_like(wide, float("nan")), some)

    def rsample(self, sample_shape: Any = Size()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        x = random.randn(shape, dtype=self.df.dtype)
        z = self._chi2.rsample(sample_shape)
        return self.loc + self.scale * x * (z / self.df).rsqrt()

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        y = (value - self.loc) / self.scale
        z = (
            self.scale.log()
            + 0.5 * self.df.log()
            + 0.5 * math.log(math.pi)
            + lgamma(0.5 * self.df)
            - lgamma(0.5 * (self.df + 1))
        )
        return -0.5 * (self.df + 1.0) * (y**2.0 / self.df).log1p() - z

    def entropy(self) -> Tensor:
        half, more = 0.5 * self.df, 0.5 * (self.df + 1)
        log_beta = lgamma(half) + math.log(math.sqrt(math.pi)) - lgamma(more)
        return self.scale.log() + more * (digamma(more) - digamma(half)) + 0.5 * self.df.log() + log_beta


__all__ = ["Beta", "Chi2", "Dirichlet", "Gamma", "StudentT"]
