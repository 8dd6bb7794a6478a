"""The gamma distribution."""

from __future__ import annotations

from typing import Any, ClassVar

from .. import _standard_gamma, as_tensor
from ..core.size import Size
from ..ops.special import igamma
from . import constraints
from .exp_family import ExponentialFamily
from .utils import limits

__all__ = ["Gamma"]


class Gamma(ExponentialFamily):
    """rate^c x^(c - 1) exp(-rate x) / Gamma(c), for c the concentration"""

    arg_constraints: ClassVar[dict[str, Any]] = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True
    _mean_carrier_measure = 0
    _state: ClassVar[dict[str, int]] = {"concentration": 0, "rate": 0}
    concentration: Any
    rate: Any

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self._broadcast(validate_args, concentration=concentration, rate=rate)

    @property
    def mean(self) -> Any:
        return self.concentration / self.rate

    @property
    def mode(self) -> Any:
        return ((self.concentration - 1) / self.rate).clamp(min=0)

    @property
    def variance(self) -> Any:
        return self.concentration / self.rate.pow(2)

    def rsample(self, sample_shape: Any = Size()) -> Any:
        shape = self._extended_shape(sample_shape)
        value = _standard_gamma(self.concentration.expand(shape)) / self.rate.expand(shape)
        value.detach().clamp_(min=float(limits(value).tiny))  # 0 would have no logarithm; not recorded
        return value

    def log_prob(self, value: Any) -> Any:
        value = self._checked(as_tensor(value, dtype=self.rate.dtype))
        c = self.concentration
        return c.xlogy(self.rate) + (c - 1).xlogy(value) - self.rate * value - c.lgamma()

    def cdf(self, value: Any) -> Any:
        return igamma(self.concentration, self.rate * self._checked(value))

    def entropy(self) -> Any:
        c = self.concentration
        return c - self.rate.log() + c.lgamma() + (1.0 - c) * c.digamma()

    @property
    def _natural_params(self) -> tuple[Any, Any]:
        return self.concentration - 1, -self.rate

    def _log_normalizer(self, x: Any, y: Any) -> Any:
        return (x + 1).lgamma() + (x + 1) * (-y.reciprocal()).log()
