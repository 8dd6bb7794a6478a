"""Mixtures whose components are a batch of one distribution."""

from __future__ import annotations

from typing import Any, ClassVar

from ..core.modes import no_grad
from ..core.size import Size
from . import constraints
from .categorical import Categorical
from .constraints import MixtureSameFamilyConstraint
from .distribution import Distribution

__all__ = ["MixtureSameFamily"]


class MixtureSameFamily(Distribution):
    """The last batch dimension of `component_distribution`, mixed by a Categorical"""

    arg_constraints: ClassVar[dict[str, Any]] = {}
    _state: ClassVar[dict[str, int]] = {
        "_mixture_distribution": 0, "_component_distribution": 1, "_num_component": 0, "_event_ndims": 0,
    }  # fmt: skip

    def __init__(
        self, mixture_distribution: Any, component_distribution: Any, validate_args: bool | None = None
    ) -> None:
        if not isinstance(mixture_distribution, Categorical):
            raise ValueError(" The Mixture distribution needs to be an  instance of torch.distributions.Categorical")
        if not isinstance(component_distribution, Distribution):
            raise ValueError("The Component distribution needs to be an instance of torch.distributions.Distribution")
        mixing, components = mixture_distribution.batch_shape, component_distribution.batch_shape
        for a, b in zip(reversed(mixing), reversed(components[:-1]), strict=False):
            if a != 1 and b != 1 and a != b:
                raise ValueError(
                    f"`mixture_distribution.batch_shape` ({mixing}) is not compatible with `component_distribution."
                    f"batch_shape`({components[:-1]})"
                )
        n = mixture_distribution.logits.shape[-1]
        if n != components[-1]:
            raise ValueError(
                f"`mixture_distribution component` ({n}) does not equal `component_distribution.batch_shape[-1]` "
                f"({components[-1]})"
            )
        self._mixture_distribution = mixture_distribution
        self._component_distribution = component_distribution
        self._num_component = n
        event_shape = component_distribution.event_shape
        self._event_ndims = len(event_shape)
        super().__init__(components[:-1], event_shape, validate_args=validate_args)

    @constraints.dependent_property
    def support(self) -> Any:
        return MixtureSameFamilyConstraint(self._component_distribution.support)

    @property
    def mixture_distribution(self) -> Any:
        return self._mixture_distribution

    @property
    def component_distribution(self) -> Any:
        return self._component_distribution

    def _mixed(self, x: Any) -> Any:
        """The mean over the components."""
        probs = self._mixture_distribution.probs
        own = len(self._mixture_distribution.batch_shape)
        between = 0 if own == 1 else len(self.batch_shape) - own
        probs = probs.reshape(probs.shape[:-1] + (1,) * between + probs.shape[-1:] + (1,) * self._event_ndims)
        return (probs * x).sum(-1 - self._event_ndims)

    def _pad(self, x: Any) -> Any:
        return x.unsqueeze(-1 - self._event_ndims)

    @property
    def mean(self) -> Any:
        return self._mixed(self._component_distribution.mean)

    @property
    def variance(self) -> Any:
        """The mean of the variances plus the variance of the means."""
        away = self._component_distribution.mean - self._pad(self.mean)
        return self._mixed(self._component_distribution.variance) + self._mixed(away.pow(2.0))

    def cdf(self, x: Any) -> Any:
        return (self._component_distribution.cdf(self._pad(x)) * self._mixture_distribution.probs).sum(-1)

    def log_prob(self, x: Any) -> Any:
        each = self._component_distribution.log_prob(self._pad(self._checked(x)))
        return (each + self._mixture_distribution.logits.log_softmax(-1)).logsumexp(dim=-1)

    def sample(self, sample_shape: Any = Size()) -> Any:
        with no_grad():
            which = self._mixture_distribution.sample(sample_shape)
            drawn = self._component_distribution.sample(sample_shape)
            axis = len(sample_shape) + len(self.batch_shape)
            which = which.reshape(which.shape + (1,) * (self._event_ndims + 1))
            which = which.expand(*which.shape[: axis + 1], *self.event_shape)
            return drawn.gather(axis, which).squeeze(axis)

    def __repr__(self) -> str:
        return f"MixtureSameFamily(\n  {self._mixture_distribution},\n  {self._component_distribution})"
