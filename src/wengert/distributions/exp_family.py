"""Exponential families, whose densities are exp(t(x) . natural - log_normalizer(natural)) times a carrier measure."""

from __future__ import annotations

from typing import Any

from ..autograd import grad
from .distribution import Distribution

__all__ = ["ExponentialFamily"]


class ExponentialFamily(Distribution):
    """A family with natural parameters and a log-normaliser, from whose derivative the entropy follows.

    F. Nielsen and R. Nock, ICIP (2010).
    """

    @property
    def _natural_params(self) -> tuple[Any, ...]:
        return self._undefined("_natural_params")

    def _log_normalizer(self, *natural_params: Any) -> Any:
        return self._undefined("_log_normalizer")

    @property
    def _mean_carrier_measure(self) -> float:
        return self._undefined("_mean_carrier_measure")

    def _expected(self) -> tuple[list[Any], Any, Any]:
        """Natural parameters (as leaves), the log-normaliser, and its gradient: the means of the statistics."""
        natural = [p.detach().requires_grad_() for p in self._natural_params]
        normaliser = self._log_normalizer(*natural)
        return natural, normaliser, grad(normaliser.sum(), natural, create_graph=True)

    def entropy(self) -> Any:
        natural, normaliser, means = self._expected()
        result = normaliser - self._mean_carrier_measure
        for p, m in zip(natural, means, strict=True):
            result = result - (p * m).reshape((*self._batch_shape, -1)).sum(-1)
        return result
