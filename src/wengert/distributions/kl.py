"""The Kullback-Leibler divergence KL(p || q): the mean, under p, of log p(x) - log q(x).

`register_kl(P, Q)` states it for two families, and the most special statement that fits is used. Here are those of one
family with itself, and infinities (where q is zero on a part of p's support); `kl_pairs` has those of two families.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

from .. import broadcast_shapes, diag_embed, full_like, where
from ..nn.functional import softplus
from ..ops.linalg_triangular import solve_triangular
from .bernoulli import Bernoulli
from .beta import Beta
from .binomial import Binomial
from .categorical import Categorical
from .cauchy import Cauchy
from .continuous_bernoulli import ContinuousBernoulli
from .dirichlet import Dirichlet
from .distribution import Distribution
from .exp_family import ExponentialFamily
from .exponential import Exponential
from .gamma import Gamma
from .geometric import Geometric
from .gumbel import Gumbel
from .half_normal import HalfNormal
from .independent import Independent
from .laplace import Laplace
from .lowrank_multivariate_normal import (
    LowRankMultivariateNormal,
    _batch_lowrank_logdet,
    _batch_lowrank_mahalanobis,
)
from .multivariate_normal import MultivariateNormal
from .normal import Normal
from .of_matrix import _batch_mahalanobis, _half_log_det
from .one_hot_categorical import OneHotCategorical
from .pareto import Pareto
from .poisson import Poisson
from .transformed_distribution import TransformedDistribution
from .uniform import Uniform
from .utils import _sum_rightmost, euler_constant

__all__ = ["kl_divergence", "register_kl"]

_REGISTRY: dict[tuple[type, type], Any] = {}
_FOUND: dict[tuple[type, type], Any] = {}  # what was found for the classes of instances


def register_kl(type_p: type, type_q: type) -> Any:
    """Decorates `fun(p, q)`, the divergence of a `type_p` from a `type_q`, subclasses included."""
    for name, kind in (("type_p", type_p), ("type_q", type_q)):
        if not (isinstance(kind, type) and issubclass(kind, Distribution)):
            raise TypeError(f"Expected {name} to be a Distribution subclass but got {kind}")

    def register(fun: Any) -> Any:
        _REGISTRY[type_p, type_q] = fun
        _FOUND.clear()
        return fun

    return register


def _dispatch(type_p: type, type_q: type) -> Any:
    """The most special statement, looking at p first; a warning if looking at q first would choose another."""
    fits = [(p, q) for p, q in _REGISTRY if issubclass(type_p, p) and issubclass(type_q, q)]
    if not fits:
        return NotImplemented
    order_p, order_q = type_p.__mro__, type_q.__mro__
    left = min(fits, key=lambda m: (order_p.index(m[0]), order_q.index(m[1])))
    right = min(fits, key=lambda m: (order_q.index(m[1]), order_p.index(m[0])))
    if _REGISTRY[left] is not _REGISTRY[right]:
        warnings.warn(
            f"Ambiguous kl_divergence({type_p.__name__}, {type_q.__name__}). Please register_kl({left[0].__name__}, "
            f"{right[1].__name__})",
            RuntimeWarning,
            stacklevel=3,
        )
    return _REGISTRY[left]


def kl_divergence(p: Any, q: Any) -> Any:
    """KL(p || q), a number for each element of the batch. NotImplementedError where it is not known for these families."""
    kinds = type(p), type(q)
    if kinds not in _FOUND:
        _FOUND[kinds] = _dispatch(*kinds)
    if _FOUND[kinds] is NotImplemented:
        raise NotImplementedError(
            f"No KL(p || q) is implemented for p type {kinds[0].__name__} and q type {kinds[1].__name__}"
        )
    return _FOUND[kinds](p, q)


def _infinite_like(t: Any) -> Any:
    return full_like(t, math.inf)


# -- a family with itself ------------------------------------------------------------------------------------------


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Any, q: Any) -> Any:
    ones = p.probs * (softplus(-q.logits) - softplus(-p.logits))
    zeros = (1 - p.probs) * (softplus(q.logits) - softplus(p.logits))
    ones = where(p.probs == 0, 0.0, where(q.probs == 0, math.inf, ones))
    zeros = where(p.probs == 1, 0.0, where(q.probs == 1, math.inf, zeros))
    return ones + zeros


@register_kl(Beta, Beta)
def _beta(p: Any, q: Any) -> Any:
    return _dirichlet(p._dirichlet, q._dirichlet)


@register_kl(Binomial, Binomial)
def _binomial(p: Any, q: Any) -> Any:
    if (p.total_count < q.total_count).any():
        raise NotImplementedError("KL between Binomials where q.total_count > p.total_count is not implemented")
    each = p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p()
    return where(p.total_count > q.total_count, math.inf, p.total_count * each)


@register_kl(Categorical, Categorical)
def _categorical(p: Any, q: Any) -> Any:
    each = p.probs * (p.logits - q.logits)
    return where(p.probs == 0, 0.0, where(q.probs == 0, math.inf, each)).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot(p: Any, q: Any) -> Any:
    return _categorical(p._categorical, q._categorical)


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _continuous_bernoulli(p: Any, q: Any) -> Any:
    constants = (d._cont_bern_log_norm() + (-d.probs).log1p() for d in (p, q))
    mine, other = constants
    return p.mean * (p.logits - q.logits) + mine - other


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p: Any, q: Any) -> Any:
    a, b = p.concentration, q.concentration
    total = a.sum(-1)
    constants = total.lgamma() - b.sum(-1).lgamma() - (a.lgamma() - b.lgamma()).sum(-1)
    return constants + ((a - b) * (a.digamma() - total.digamma().unsqueeze(-1))).sum(-1)


@register_kl(Exponential, Exponential)
def _exponential(p: Any, q: Any) -> Any:
    ratio = q.rate / p.rate
    return -ratio.log() + ratio - 1


@register_kl(ExponentialFamily, ExponentialFamily)
def _exponential_family(p: Any, q: Any) -> Any:
    """The Bregman divergence of the log-normaliser."""
    if type(p) is not type(q):
        raise NotImplementedError(
            "The cross KL-divergence between different exponential families cannot                             be computed "
            "using Bregman divergences"
        )
    natural, normaliser, means = p._expected()
    others = q._natural_params
    result = q._log_normalizer(*others) - normaliser
    for mine, other, mean in zip(natural, others, means, strict=True):
        result = result - _sum_rightmost((other - mine) * mean, len(q.event_shape))
    return result


@register_kl(Gamma, Gamma)
def _gamma(p: Any, q: Any) -> Any:
    a, b = p.concentration, q.concentration
    shapes = b.lgamma() - a.lgamma() + (a - b) * a.digamma()
    return b * (p.rate / q.rate).log() + shapes + (q.rate - p.rate) * (a / p.rate)


@register_kl(Gumbel, Gumbel)
def _gumbel(p: Any, q: Any) -> Any:
    ratio, away = p.scale / q.scale, (p.loc - q.loc) / q.scale
    far = ((1 + ratio).lgamma() - away).exp()
    return -ratio.log() + away + ratio * euler_constant + far - (1 + euler_constant)


@register_kl(Geometric, Geometric)
def _geometric(p: Any, q: Any) -> Any:
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


@register_kl(HalfNormal, HalfNormal)
def _half_normal(p: Any, q: Any) -> Any:
    return _normal(p.base_dist, q.base_dist)


@register_kl(Laplace, Laplace)
def _laplace(p: Any, q: Any) -> Any:
    ratio, away = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + away / q.scale + ratio * (-away / p.scale).exp() - 1


@register_kl(Normal, Normal)
def _normal(p: Any, q: Any) -> Any:
    ratio = (p.scale / q.scale).pow(2)
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale).pow(2) - 1 - ratio.log())


@register_kl(Pareto, Pareto)
def _pareto(p: Any, q: Any) -> Any:
    ratio = q.alpha / p.alpha
    found = q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1
    return where(p.scale < q.scale, math.inf, found)


@register_kl(Poisson, Poisson)
def _poisson(p: Any, q: Any) -> Any:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Uniform, Uniform)
def _uniform(p: Any, q: Any) -> Any:
    found = ((q.high - q.low) / (p.high - p.low)).log()
    return where((q.low > p.low) | (q.high < p.high), math.inf, found)


@register_kl(Cauchy, Cauchy)
def _cauchy(p: Any, q: Any) -> Any:
    """F. Chyzak and F. Nielsen, 2019."""
    both = (p.scale + q.scale).pow(2) + (p.loc - q.loc).pow(2)
    return both.log() - (4 * p.scale * q.scale).log()


@register_kl(Independent, Independent)
def _independent(p: Any, q: Any) -> Any:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError("KL of Independents with different reinterpreted_batch_ndims is not implemented")
    return _sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed(p: Any, q: Any) -> Any:
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError("KL of TransformedDistributions with different transforms is not implemented")
    return kl_divergence(p.base_dist, q.base_dist)


# -- normal vectors ------------------------------------------------------------------------------------------------


def _log_det(d: Any) -> Any:
    """log det of the covariance."""
    if isinstance(d, MultivariateNormal):
        return 2 * _half_log_det(d._unbroadcasted_scale_tril)
    w, diagonal = d._parts()
    return _batch_lowrank_logdet(w, diagonal, d._capacitance_tril)


def _distance(d: Any, x: Any) -> Any:
    """x^T covariance^-1 x"""
    if isinstance(d, MultivariateNormal):
        return _batch_mahalanobis(d._unbroadcasted_scale_tril, x)
    w, diagonal = d._parts()
    return _batch_lowrank_mahalanobis(w, diagonal, x, d._capacitance_tril)


def _square(m: Any) -> Any:
    """trace(M M^T)"""
    return m.pow(2).sum((-2, -1))


def _trace(p: Any, q: Any) -> Any:
    """trace(covariance_q^-1 covariance_p), through factors of the covariance of p."""
    if isinstance(p, MultivariateNormal):
        factors = [p._unbroadcasted_scale_tril]
    else:
        factors = [p._unbroadcasted_cov_factor, diag_embed(p._unbroadcasted_cov_diag.sqrt())]
    total: Any = 0
    for factor in factors:
        if isinstance(q, MultivariateNormal):
            triangle = q._unbroadcasted_scale_tril
            shape = broadcast_shapes(triangle.shape[:-2], factor.shape[:-2])
            triangle, factor = (t.expand((*shape, *t.shape[-2:])) for t in (triangle, factor))
            total = total + _square(solve_triangular(triangle, factor, upper=False))
        else:  # Woodbury's identity
            w, d = q._parts()
            inner = solve_triangular(q._capacitance_tril, w.mT / d.unsqueeze(-2), upper=False)
            total = total + _square(factor * d.rsqrt().unsqueeze(-1)) - _square(inner @ factor)
    return total


def _normal_vectors(p: Any, q: Any) -> Any:
    if p.event_shape != q.event_shape:
        kind = {(True, True): "Multivariate", (False, False): "Low Rank Multivariate"}.get(
            (isinstance(p, MultivariateNormal), isinstance(q, MultivariateNormal)), "(Low Rank) Multivariate"
        )
        gap = " " * 26
        raise ValueError(f"KL-divergence between two {kind} Normals with{gap}different event shapes cannot be computed")
    return 0.5 * (_log_det(q) - _log_det(p) + _trace(p, q) + _distance(q, q.loc - p.loc) - p.event_shape[0])


for _p in (MultivariateNormal, LowRankMultivariateNormal):
    for _q in (MultivariateNormal, LowRankMultivariateNormal):
        register_kl(_p, _q)(_normal_vectors)


from . import kl_pairs as kl_pairs  # noqa: E402  (it registers the others)
