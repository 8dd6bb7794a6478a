"""KL(p || q) of two families: what q's density asks of p (its cross entropy), less p's entropy.

A cross entropy is the mean of -log q(x): a few moments of p. Here is, for each q, its cross entropy in terms of moments, and
for each p its moments; `_PAIRS` says for which pairs both are known.
"""

from __future__ import annotations

import math
from typing import Any

from .. import where, xlogy
from .bernoulli import Bernoulli
from .beta import Beta
from .binomial import Binomial
from .continuous_bernoulli import ContinuousBernoulli
from .exponential import Exponential
from .gamma import Gamma
from .gumbel import Gumbel
from .kl import _infinite_like, register_kl
from .laplace import Laplace
from .normal import Normal
from .pareto import Pareto
from .poisson import Poisson
from .uniform import Uniform
from .utils import euler_constant

# -- moments of p --------------------------------------------------------------------------------------------------


def _x_log_x(x: Any) -> Any:
    return xlogy(x, x)


def _uniform_log(low: Any, high: Any) -> Any:
    """The mean of log(x) between two numbers."""
    return (_x_log_x(high) - _x_log_x(low)) / (high - low) - 1


def _mean_log(p: Any) -> Any:
    """The mean of log(x)."""
    if isinstance(p, Beta):
        return p.concentration1.digamma() - (p.concentration1 + p.concentration0).digamma()
    if isinstance(p, Exponential):
        return -euler_constant - p.rate.log()
    if isinstance(p, Gamma):
        return p.concentration.digamma() - p.rate.log()
    if isinstance(p, Pareto):
        return p.scale.log() + p.alpha.reciprocal()
    return _uniform_log(p.low, p.high)


def _mean_exp(p: Any, s: Any) -> Any:
    """The mean of exp(-x / s)."""
    if isinstance(p, Exponential):
        return p.rate * s / (p.rate * s + 1)
    if isinstance(p, Gamma):
        return (1 + (p.rate * s).reciprocal()).pow(-p.concentration)
    if isinstance(p, Normal):
        return (-p.loc / s + 0.5 * (p.scale / s).pow(2)).exp()
    return s / (p.high - p.low) * ((-p.low / s).exp() - (-p.high / s).exp())


def _mean(p: Any) -> Any:
    """The mean, where there is one."""
    return p.alpha * p.scale / (p.alpha - 1) if isinstance(p, Pareto) else p.mean


def _variance(p: Any) -> Any:
    return p.alpha * (p.scale / (p.alpha - 1)).pow(2) / (p.alpha - 2) if isinstance(p, Pareto) else p.variance


# -- cross entropies -----------------------------------------------------------------------------------------------


def _beta(p: Any, q: Any) -> Any:
    a, b = q.concentration1, q.concentration0
    other = _uniform_log(1 - p.high, 1 - p.low)
    return a.lgamma() + b.lgamma() - (a + b).lgamma() - (a - 1) * _mean_log(p) - (b - 1) * other


def _continuous_bernoulli(p: Any, q: Any) -> Any:
    return -p.mean * q.logits - (-q.probs).log1p() - q._cont_bern_log_norm()


def _exponential(p: Any, q: Any) -> Any:
    return q.rate * _mean(p) - q.rate.log()


def _gamma(p: Any, q: Any) -> Any:
    c = q.concentration
    return c.lgamma() - c * q.rate.log() - (c - 1) * _mean_log(p) + q.rate * _mean(p)


def _pareto(p: Any, q: Any) -> Any:
    return (q.alpha + 1) * _mean_log(p) - (q.alpha * q.scale.pow(q.alpha)).log()


def _gumbel(p: Any, q: Any) -> Any:
    away = q.loc / q.scale
    return q.scale.log() + p.mean / q.scale - away + away.exp() * _mean_exp(p, q.scale)


def _laplace(p: Any, q: Any) -> Any:
    away = p.loc - q.loc
    z = away / p.scale
    distance = math.sqrt(2 / math.pi) * p.scale * (-0.5 * z.pow(2)).exp() + away * (math.sqrt(0.5) * z).erf()
    return (2 * q.scale).log() + distance / q.scale


def _normal(p: Any, q: Any) -> Any:
    spread = (_variance(p) + (_mean(p) - q.loc).pow(2)) / (2 * q.scale.pow(2))
    return 0.5 * math.log(2 * math.pi) + q.scale.log() + spread


def _poisson(p: Any, q: Any) -> Any:
    return q.rate - p.mean * q.rate.log()


def _uniform(p: Any, q: Any) -> Any:
    return (q.high - q.low).log()


def _divergent(p: Any, q: Any) -> Any:
    """Where it is infinite: q is zero where p is not, or the moment does not exist. None: nowhere."""
    if isinstance(p, Pareto):
        return p.alpha <= (2 if isinstance(q, Normal) else 1)
    if isinstance(q, Uniform):
        return (q.low > 0) | (q.high < 1)
    if not isinstance(p, Uniform):
        return None
    if isinstance(q, (Beta, ContinuousBernoulli)):
        return (p.high > 1) | (p.low < 0)
    if isinstance(q, (Exponential, Gamma)):
        return p.low < 0
    return p.low < q.scale if isinstance(q, Pareto) else None


_PAIRS: dict[Any, tuple[Any, tuple[type, ...]]] = {
    Beta: (_beta, (Uniform,)),
    ContinuousBernoulli: (_continuous_bernoulli, (Beta, Uniform)),
    Exponential: (_exponential, (Beta, ContinuousBernoulli, Gamma, Pareto, Uniform)),
    Gamma: (_gamma, (Beta, Exponential, Pareto, Uniform)),
    Gumbel: (_gumbel, (Exponential, Gamma, Normal, Uniform)),
    Laplace: (_laplace, (Normal,)),
    Normal: (_normal, (Beta, ContinuousBernoulli, Exponential, Gamma, Gumbel, Laplace, Pareto, Uniform)),
    Pareto: (_pareto, (Uniform,)),
    Poisson: (_poisson, (Bernoulli,)),
    Uniform: (_uniform, (Beta, ContinuousBernoulli)),
}
# Where p's support always reaches beyond q's, and the parameter of p that has the batch's shape.
_INFINITE: dict[Any, tuple[str, tuple[type, ...]]] = {
    Beta: ("concentration1", (Pareto,)),
    ContinuousBernoulli: ("probs", (Pareto,)),
    Exponential: ("rate", (Beta, ContinuousBernoulli, Pareto, Uniform)),
    Gamma: ("concentration", (Beta, ContinuousBernoulli, Pareto, Uniform)),
    Gumbel: ("loc", (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)),
    Laplace: ("loc", (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)),
    Normal: ("loc", (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)),
    Pareto: ("scale", (Beta, ContinuousBernoulli, Uniform)),
    Poisson: ("rate", (Bernoulli, Binomial)),
}


def _state(cross: Any) -> Any:
    def divergence(p: Any, q: Any) -> Any:
        found, infinite = cross(p, q) - p.entropy(), _divergent(p, q)
        return found if infinite is None else where(infinite, math.inf, found)

    return divergence


def _infinite(name: str) -> Any:
    return lambda p, q: _infinite_like(getattr(p, name))


for _q, (_cross, _ps) in _PAIRS.items():
    for _p in _ps:
        register_kl(_p, _q)(_state(_cross))
for _p, (_name, _qs) in _INFINITE.items():
    for _q in _qs:
        register_kl(_p, _q)(_infinite(_name))
