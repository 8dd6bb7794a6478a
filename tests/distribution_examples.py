"""An example or several of each distribution, made from a library's `distributions` and a `Torch` around the library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Make = Callable[[Any, Any], Any]


def leaf(t: Any, *values: Any) -> Any:
    """A parameter that requires grad."""
    x = t.tensor(list(values) if len(values) > 1 else values[0], dtype=t.float64, requires_grad=True)
    t.leaves.append(x)
    return x


class Torch:
    """A library that remembers the leaves made from it."""

    def __init__(self, library: Any) -> None:
        self.library, self.leaves = library, []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.library, name)


def single(t: Any, *values: float) -> Any:
    """A float32 parameter: PyTorch's GeneralizedPareto compares it with a float32 number."""
    x = t.tensor(values, requires_grad=True)
    t.leaves.append(x)
    return x


M = ([2.0, 0.5], [0.5, 1.0])
L = ([1.5, 0.0], [0.3, 0.8])
EXAMPLES: dict[str, list[Make]] = {
    "Bernoulli": [
        lambda d, t: d.Bernoulli(0.3),
        lambda d, t: d.Bernoulli(leaf(t, 0.2, 0.5, 0.9)),
        lambda d, t: d.Bernoulli(logits=leaf(t, [0.2, -1.0], [2.0, 0.0])),
    ],
    "Beta": [lambda d, t: d.Beta(2.0, 3.0), lambda d, t: d.Beta(leaf(t, 0.5, 2.0, 9.0), leaf(t, 0.7, 3.0, 8.0))],
    "Binomial": [
        lambda d, t: d.Binomial(5, leaf(t, 0.2, 0.6)),
        lambda d, t: d.Binomial(t.tensor([40.0, 40.0]), logits=leaf(t, 0.2, 0.9)),
        lambda d, t: d.Binomial(t.tensor([3, 10]), leaf(t, 0.5)),
    ],
    "Categorical": [
        lambda d, t: d.Categorical(leaf(t, 0.1, 0.2, 0.7)),
        lambda d, t: d.Categorical(logits=leaf(t, [0.1, 0.2, 0.7], [1.0, -1.0, 0.0])),
        lambda d, t: d.Categorical(t.tensor([0.0, 0.5, 1.5])),
    ],
    "Cauchy": [lambda d, t: d.Cauchy(0.0, 1.0), lambda d, t: d.Cauchy(leaf(t, 0.0, 1.0), leaf(t, [1.0], [2.0]))],
    "Chi2": [lambda d, t: d.Chi2(3.0), lambda d, t: d.Chi2(leaf(t, 1.0, 2.0, 30.0))],
    "ContinuousBernoulli": [
        lambda d, t: d.ContinuousBernoulli(0.3),
        lambda d, t: d.ContinuousBernoulli(leaf(t, 0.2, 0.5, 0.4995, 0.9)),
        lambda d, t: d.ContinuousBernoulli(logits=leaf(t, 0.0, 1.0, -3.0)),
    ],
    "Dirichlet": [
        lambda d, t: d.Dirichlet(leaf(t, 0.5, 1.5, 2.5)),
        lambda d, t: d.Dirichlet(leaf(t, [10.0, 12.0, 14.0], [0.2, 0.3, 0.4])),
    ],
    "Exponential": [lambda d, t: d.Exponential(2.0), lambda d, t: d.Exponential(leaf(t, 0.5, 3.0))],
    "FisherSnedecor": [
        lambda d, t: d.FisherSnedecor(3.0, 5.0),
        lambda d, t: d.FisherSnedecor(leaf(t, 1.5, 6.0), leaf(t, 1.0, 9.0)),
    ],
    "Gamma": [
        lambda d, t: d.Gamma(2.0, 3.0),
        lambda d, t: d.Gamma(leaf(t, 0.1, 0.9, 2.0, 7.0, 9.0, 200.0), leaf(t, 1.0)),
    ],
    "GeneralizedPareto": [
        lambda d, t: d.GeneralizedPareto(0.0, 1.0, 0.2),
        lambda d, t: d.GeneralizedPareto(single(t, 0.0, 1.0, 2.0), single(t, 1.0, 2.0, 3.0), single(t, -0.3, 0.0, 0.7)),
    ],
    "Geometric": [
        lambda d, t: d.Geometric(0.3),
        lambda d, t: d.Geometric(leaf(t, 0.2, 0.7)),
        lambda d, t: d.Geometric(logits=leaf(t, 0.2, -0.7)),
    ],
    "Gumbel": [lambda d, t: d.Gumbel(0.0, 1.0), lambda d, t: d.Gumbel(leaf(t, 0.0, 1.0), leaf(t, 1.0, 2.0))],
    "HalfCauchy": [lambda d, t: d.HalfCauchy(1.0), lambda d, t: d.HalfCauchy(leaf(t, 1.0, 2.0))],
    "HalfNormal": [lambda d, t: d.HalfNormal(1.0), lambda d, t: d.HalfNormal(leaf(t, 1.0, 2.0))],
    "Independent": [
        lambda d, t: d.Independent(d.Normal(leaf(t, [0.0, 1.0], [2.0, 3.0]), leaf(t, 1.0, 2.0)), 1),
        lambda d, t: d.Independent(d.Normal(leaf(t, [0.0, 1.0], [2.0, 3.0]), leaf(t, 1.0, 2.0)), 2),
        lambda d, t: d.Independent(d.Bernoulli(leaf(t, 0.3, 0.6)), 0),
    ],
    "InverseGamma": [
        lambda d, t: d.InverseGamma(2.0, 3.0),
        lambda d, t: d.InverseGamma(leaf(t, 0.9, 1.5, 5.0), leaf(t, 1.0, 2.0, 3.0)),
    ],
    "Kumaraswamy": [lambda d, t: d.Kumaraswamy(2.0, 3.0), lambda d, t: d.Kumaraswamy(leaf(t, 0.9, 2.0), leaf(t, 1.5, 0.5))],
    "LKJCholesky": [lambda d, t: d.LKJCholesky(3, 0.5), lambda d, t: d.LKJCholesky(4, leaf(t, 1.0, 3.0))],
    "Laplace": [lambda d, t: d.Laplace(0.0, 1.0), lambda d, t: d.Laplace(leaf(t, 0.0, 1.0), leaf(t, 1.0, 2.0))],
    "LogNormal": [lambda d, t: d.LogNormal(0.0, 1.0), lambda d, t: d.LogNormal(leaf(t, 0.0, 1.0), leaf(t, 1.0, 0.5))],
    "LogisticNormal": [
        lambda d, t: d.LogisticNormal(leaf(t, 0.0, 1.0), leaf(t, 1.0, 0.5)),
        lambda d, t: d.LogisticNormal(leaf(t, [0.0, 1.0], [0.2, 0.3]), leaf(t, 1.0, 0.5)),
    ],
    "LowRankMultivariateNormal": [
        lambda d, t: d.LowRankMultivariateNormal(leaf(t, 0.0, 1.0), leaf(t, [1.0], [0.5]), leaf(t, 1.0, 2.0)),
        lambda d, t: d.LowRankMultivariateNormal(
            leaf(t, [0.0, 1.0, 2.0], [3.0, 4.0, 5.0]), leaf(t, [1.0, 0.2], [0.5, 0.1], [0.3, 0.4]), leaf(t, 1.0, 2.0, 0.5)
        ),
    ],
    "MixtureSameFamily": [
        lambda d, t: d.MixtureSameFamily(d.Categorical(leaf(t, 0.3, 0.7)), d.Normal(leaf(t, 0.0, 4.0), leaf(t, 1.0, 0.5))),
        lambda d, t: d.MixtureSameFamily(
            d.Categorical(logits=leaf(t, [0.3, 0.7], [0.0, 0.1], [1.0, 0.0])),
            d.Independent(d.Normal(leaf(t, [0.0, 1.0], [4.0, 5.0]).expand(3, 2, 2), leaf(t, 1.0, 0.5)), 1),
        ),
    ],
    "Multinomial": [
        lambda d, t: d.Multinomial(5, leaf(t, 0.3, 0.2, 0.5)),
        lambda d, t: d.Multinomial(3, logits=leaf(t, [0.3, 0.2], [0.5, 2.0])),
    ],
    "MultivariateNormal": [
        lambda d, t: d.MultivariateNormal(leaf(t, 0.0, 1.0), leaf(t, *M)),
        lambda d, t: d.MultivariateNormal(leaf(t, 0.0, 1.0), precision_matrix=leaf(t, *M)),
        lambda d, t: d.MultivariateNormal(leaf(t, [0.0, 1.0], [2.0, 3.0], [4.0, 5.0]), scale_tril=leaf(t, *L)),
        lambda d, t: d.MultivariateNormal(leaf(t, 0.0, 1.0), leaf(t, M, [[1.0, 0.0], [0.0, 3.0]])),
    ],
    "NegativeBinomial": [
        lambda d, t: d.NegativeBinomial(5, leaf(t, 0.2, 0.6)),
        lambda d, t: d.NegativeBinomial(t.tensor([3.5, 1.0]), logits=leaf(t, 0.2, -0.6)),
    ],
    "Normal": [
        lambda d, t: d.Normal(0.0, 1.0),
        lambda d, t: d.Normal(leaf(t, 0.0, 1.0), leaf(t, [1.0], [2.0], [3.0])),
        lambda d, t: d.Normal(leaf(t, 0.0, 1.0), 2.0),
    ],
    "OneHotCategorical": [
        lambda d, t: d.OneHotCategorical(leaf(t, 0.1, 0.2, 0.7)),
        lambda d, t: d.OneHotCategorical(logits=leaf(t, [0.1, 0.2, 0.7], [1.0, -1.0, 0.0])),
    ],
    "OneHotCategoricalStraightThrough": [lambda d, t: d.OneHotCategoricalStraightThrough(leaf(t, 0.1, 0.2, 0.7))],
    "Pareto": [lambda d, t: d.Pareto(1.0, 2.0), lambda d, t: d.Pareto(leaf(t, 1.0, 2.0), leaf(t, 0.5, 3.0))],
    "Poisson": [lambda d, t: d.Poisson(3.0), lambda d, t: d.Poisson(leaf(t, 0.5, 3.0, 20.0))],
    "RelaxedBernoulli": [
        lambda d, t: d.RelaxedBernoulli(t.tensor(0.7, dtype=t.float64), leaf(t, 0.2, 0.6)),
        lambda d, t: d.RelaxedBernoulli(leaf(t, 0.7, 2.0), logits=leaf(t, 0.2, -0.6)),
    ],
    "RelaxedOneHotCategorical": [
        lambda d, t: d.RelaxedOneHotCategorical(t.tensor(0.7, dtype=t.float64), leaf(t, 0.2, 0.3, 0.5)),
        lambda d, t: d.RelaxedOneHotCategorical(leaf(t, 1.7), logits=leaf(t, [0.2, -0.6], [0.0, 1.0])),
    ],
    "StudentT": [
        lambda d, t: d.StudentT(3.0),
        lambda d, t: d.StudentT(leaf(t, 0.5, 1.5, 5.0), leaf(t, 0.0, 1.0, 2.0), leaf(t, 1.0, 2.0, 3.0)),
    ],
    "TransformedDistribution": [
        lambda d, t: d.TransformedDistribution(
            d.Uniform(leaf(t, 0.1), leaf(t, 0.9)),
            [d.SigmoidTransform().inv, d.AffineTransform(leaf(t, 1.0), leaf(t, -2.0))],
        ),
        lambda d, t: d.TransformedDistribution(d.Normal(leaf(t, 0.0, 1.0), 1.0), d.StickBreakingTransform()),
        lambda d, t: d.TransformedDistribution(d.Normal(leaf(t, 0.0), 1.0), d.AffineTransform(leaf(t, 1.0, 2.0), 2.0)),
        lambda d, t: d.TransformedDistribution(d.Normal(leaf(t, 0.0), 1.0), []),
    ],
    "Uniform": [lambda d, t: d.Uniform(0.0, 1.0), lambda d, t: d.Uniform(leaf(t, 0.0, 1.0), leaf(t, 2.0, 5.0))],
    "VonMises": [lambda d, t: d.VonMises(0.0, 1.0), lambda d, t: d.VonMises(leaf(t, 0.0, 1.0), leaf(t, 0.5, 6.0))],
    "Weibull": [lambda d, t: d.Weibull(1.0, 2.0), lambda d, t: d.Weibull(leaf(t, 1.0, 2.0), leaf(t, 0.5, 3.0))],
    "Wishart": [
        lambda d, t: d.Wishart(leaf(t, 4.0), leaf(t, *M)),
        lambda d, t: d.Wishart(3.0, precision_matrix=leaf(t, *M)),
        lambda d, t: d.Wishart(leaf(t, 3.0, 5.0), scale_tril=leaf(t, *L).tril()),
    ],
}  # fmt: skip
