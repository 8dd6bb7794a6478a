"""The categorical distribution over vectors with a single 1."""

from __future__ import annotations

from typing import Any, ClassVar

from .. import eye
from ..core.size import Size
from ..nn.functional import one_hot
from . import constraints
from ._shared import OverCategorical
from .categorical import Categorical

__all__ = ["OneHotCategorical", "OneHotCategoricalStraightThrough"]


class OneHotCategorical(OverCategorical):
    """A vector of zeros with a 1 at a categorical place"""

    support = constraints.one_hot
    has_enumerate_support = True
    _state: ClassVar[dict[str, int]] = {"_categorical": 0}

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        self._categorical = Categorical(probs, logits)
        super().__init__(self._categorical.batch_shape, self.param_shape[-1:], validate_args=validate_args)

    @property
    def mean(self) -> Any:
        return self.probs

    @property
    def mode(self) -> Any:
        return one_hot(self.probs.argmax(-1), self.probs.shape[-1]).to(self.probs.dtype)

    @property
    def variance(self) -> Any:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = Size()) -> Any:
        drawn = self._categorical.sample(sample_shape)
        return one_hot(drawn, self._event_shape[0]).to(self.probs.dtype)

    def log_prob(self, value: Any) -> Any:
        return self._categorical.log_prob(self._checked(value).max(-1)[1])

    def entropy(self) -> Any:
        return self._categorical.entropy()

    def enumerate_support(self, expand: bool = True) -> Any:
        n = self._event_shape[0]
        values = eye(n, dtype=self._param.dtype).view((n,) + (1,) * len(self._batch_shape) + (n,))
        return values.expand((n, *self._batch_shape, n)) if expand else values


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """The same with `rsample`: the gradient passes to the probabilities as if the sample were they.

    Y. Bengio, N. Leonard, A. Courville, 2013.
    """

    has_rsample = True

    def rsample(self, sample_shape: Any = Size()) -> Any:
        return self.sample(sample_shape) + (self.probs - self.probs.detach())
