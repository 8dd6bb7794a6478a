"""Bernoulli variables relaxed to (0, 1), so that samples can be differentiated."""

from __future__ import annotations

from typing import Any, ClassVar

from .. import rand
from ..core.size import Size
from . import constraints
from ._shared import Binary, of
from .transformed_distribution import TransformedDistribution
from .transforms import SigmoidTransform
from .utils import broadcast_all, clamp_probs

__all__ = ["LogitRelaxedBernoulli", "RelaxedBernoulli"]


class LogitRelaxedBernoulli(Binary):
    """The logit of a relaxed Bernoulli variable: a logistic number plus the logits, divided by the temperature"""

    support = constraints.real
    _state: ClassVar[dict[str, int]] = {**Binary._state}

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        self.temperature = temperature
        super().__init__(self._set_param(probs, logits), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = super().expand(batch_shape, _instance)
        new.temperature = self.temperature
        return new

    def rsample(self, sample_shape: Any = Size()) -> Any:
        shape = self._extended_shape(sample_shape)
        p = clamp_probs(self.probs.expand(shape))
        u = clamp_probs(rand(shape, dtype=p.dtype))
        return (u.log() - (-u).log1p() + p.log() - (-p).log1p()) / self.temperature

    def log_prob(self, value: Any) -> Any:
        self._checked(value)
        logits, value = broadcast_all(self.logits, value)
        away = logits - value * self.temperature
        return self.temperature.log() + away - 2 * away.exp().log1p()


class RelaxedBernoulli(TransformedDistribution):
    """A number in (0, 1), near 0 or 1 where the temperature is low

    C. Maddison, A. Mnih, Y. W. Teh, ICLR (2017); E. Jang, S. Gu, B. Poole, ICLR (2017).
    """

    arg_constraints: ClassVar[dict[str, Any]] = Binary.arg_constraints
    support: Any = constraints.unit_interval
    has_rsample: Any = True
    temperature = of("base_dist", "temperature")
    probs = of("base_dist", "probs")
    logits = of("base_dist", "logits")

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        base = LogitRelaxedBernoulli(temperature, probs, logits)
        super().__init__(base, SigmoidTransform(), validate_args=validate_args)
