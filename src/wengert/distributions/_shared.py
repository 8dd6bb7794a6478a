"""What families share: logits for probabilities, a place and a width, parameters kept in another distribution."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from .. import as_tensor, where, zeros_like
from ..core.size import Size
from . import constraints
from .distribution import Distribution
from .transformed_distribution import TransformedDistribution
from .transforms import AbsTransform
from .utils import broadcast_all, lazy_property, logits_to_probs, probs_to_logits


def of(part: str, name: str) -> Any:
    """A property that is a parameter of a part: of `base_dist`, say."""

    def read(self: Any) -> Any:
        found = self
        for attribute in part.split("."):
            found = getattr(found, attribute)
        return getattr(found, name)

    return property(read)


def one_of(probs: Any, logits: Any) -> str:
    """Which of the two was given."""
    if (probs is None) == (logits is None):
        raise ValueError("Either `probs` or `logits` must be specified, but not both.")
    return "logits" if probs is None else "probs"


class Binary(Distribution):
    """A distribution with `probs` or `logits` of single events."""

    arg_constraints: ClassVar[dict[str, Any]] = {"probs": constraints.unit_interval, "logits": constraints.real}
    _state: ClassVar[dict[str, int]] = {"probs": 0, "logits": 0, "_param": 0}

    def _set_param(self, probs: Any, logits: Any) -> Any:
        """Set the one that was given. Returns its shape."""
        name = one_of(probs, logits)
        (self._param,) = broadcast_all(probs if name == "probs" else logits)
        setattr(self, name, self._param)
        return self._param.shape

    def _set_count(self, total_count: Any, probs: Any, logits: Any) -> Any:
        """The same, broadcast with a number of trials."""
        name = one_of(probs, logits)
        count, self._param = broadcast_all(total_count, probs if name == "probs" else logits)
        self.total_count = count.type_as(self._param)
        setattr(self, name, self._param)
        return self._param.shape

    @lazy_property
    def logits(self) -> Any:
        return probs_to_logits(self.probs, is_binary=True)

    @lazy_property
    def probs(self) -> Any:
        return logits_to_probs(self.logits, is_binary=True)

    @property
    def param_shape(self) -> Size:
        return self._param.shape


class Centred(Distribution):
    """A distribution around `loc`, its mean and its mode."""

    loc: Any

    @property
    def mean(self) -> Any:
        return self.loc

    @property
    def mode(self) -> Any:
        return self.loc


class LocationScale(Centred):
    """A distribution over numbers around `loc`, its width in proportion to `scale`."""

    arg_constraints: ClassVar[dict[str, Any]] = {"loc": constraints.real, "scale": constraints.positive}
    support: Any = constraints.real
    has_rsample: Any = True
    _state: ClassVar[dict[str, int]] = {"loc": 0, "scale": 0}
    scale: Any

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self._broadcast(validate_args, loc=loc, scale=scale)


class Folded(TransformedDistribution):
    """|X| for a symmetric X around 0, a `LocationScale`."""

    arg_constraints: ClassVar[dict[str, Any]] = {"scale": constraints.positive}
    support: Any = constraints.nonnegative
    has_rsample: Any = True
    scale = of("base_dist", "scale")
    _unfolded: ClassVar[type[LocationScale]]

    def __init__(self, scale: Any, validate_args: bool | None = None) -> None:
        super().__init__(self._unfolded(0, scale, validate_args=False), AbsTransform(), validate_args=validate_args)

    @property
    def mode(self) -> Any:
        return zeros_like(self.scale)

    def log_prob(self, value: Any) -> Any:
        self._checked(value)
        value = as_tensor(value, dtype=self.scale.dtype)
        return where(value >= 0, self.base_dist.log_prob(value) + math.log(2), -math.inf)

    def cdf(self, value: Any) -> Any:
        return 2 * self.base_dist.cdf(self._checked(value)) - 1

    def icdf(self, prob: Any) -> Any:
        return self.base_dist.icdf((prob + 1) / 2)

    def entropy(self) -> Any:
        return self.base_dist.entropy() - math.log(2)


class OverCategorical(Distribution):
    """A distribution over vectors whose probabilities belong to a `Categorical`, `_categorical`."""

    arg_constraints: ClassVar[dict[str, Any]] = {"probs": constraints.simplex, "logits": constraints.real_vector}
    _categorical: Any

    @property
    def probs(self) -> Any:
        return self._categorical.probs

    @property
    def logits(self) -> Any:
        return self._categorical.logits

    @property
    def _param(self) -> Any:
        return self._categorical._param

    @property
    def param_shape(self) -> Size:
        return self._categorical.param_shape
