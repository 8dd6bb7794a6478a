"""Categorical variables relaxed to the simplex, so that samples can be differentiated."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from .. import rand
from ..core.size import Size
from . import constraints
from ._shared import OverCategorical, of
from .categorical import Categorical
from .transformed_distribution import TransformedDistribution
from .transforms import ExpTransform
from .utils import broadcast_all, clamp_probs

__all__ = ["ExpRelaxedCategorical", "RelaxedOneHotCategorical"]


class ExpRelaxedCategorical(OverCategorical):
    """The logarithm of a relaxed one-hot vector: log-softmax of logits plus Gumbel numbers, at a temperature"""

    support = constraints.real_vector  # (its values lie on a surface in there)
    has_rsample = True
    _state: ClassVar[dict[str, int]] = {"_categorical": 0}

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        self._categorical = Categorical(probs, logits)
        self.temperature = temperature
        super().__init__(self._categorical.batch_shape, self.param_shape[-1:], validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = super().expand(batch_shape, _instance)
        new.temperature = self.temperature
        return new

    def rsample(self, sample_shape: Any = Size()) -> Any:
        u = clamp_probs(rand(self._extended_shape(sample_shape), dtype=self.logits.dtype))
        scores = (self.logits - (-u.log()).log()) / self.temperature
        return scores - scores.logsumexp(dim=-1, keepdim=True)

    def log_prob(self, value: Any) -> Any:
        n = self._categorical._num_events
        self._checked(value)
        logits, value = broadcast_all(self.logits, value)
        scale = math.lgamma(n) + (n - 1) * self.temperature.log()
        score = logits - value * self.temperature
        return (score - score.logsumexp(dim=-1, keepdim=True)).sum(-1) + scale


class RelaxedOneHotCategorical(TransformedDistribution):
    """A point of the simplex, near a corner where the temperature is low (Gumbel-softmax)

    C. Maddison, A. Mnih, Y. W. Teh, ICLR (2017); E. Jang, S. Gu, B. Poole, ICLR (2017).
    """

    arg_constraints: ClassVar[dict[str, Any]] = OverCategorical.arg_constraints
    support: Any = constraints.simplex
    has_rsample: Any = True
    temperature = of("base_dist", "temperature")
    probs = of("base_dist", "probs")
    logits = of("base_dist", "logits")

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        base = ExpRelaxedCategorical(temperature, probs, logits, validate_args=validate_args)
        super().__init__(base, ExpTransform(), validate_args=validate_args)
