"""`distributions` in both libraries: what each says of itself, samples under a seed, densities, gradients, divergences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from both import compare
from distribution_examples import EXAMPLES, Make, Torch

pytestmark = pytest.mark.conformance

CASES = [(name, i) for name, makes in EXAMPLES.items() for i in range(len(makes))]


def told(what: Callable[[], Any]) -> Any:
    """The result or the type of the error (whose message PyTorch leaves empty where something is not implemented)."""
    try:
        return what()
    except NotImplementedError:
        return "NotImplementedError"
    except Exception as error:
        return [type(error).__name__, str(error)]


def gradients(t: Any, result: Any) -> Any:
    if not getattr(result, "requires_grad", False):
        return "no gradient"
    return told(lambda: t.autograd.grad(result.square().sum(), t.leaves, allow_unused=True, retain_graph=True))


@pytest.mark.parametrize(("name", "i"), CASES, ids=[f"{name}-{i}" for name, i in CASES])
def test_says_samples_and_weighs_alike(name: str, i: int) -> None:
    def program(library: Any) -> Any:
        t = Torch(library)
        dist = EXAMPLES[name][i](t.distributions, t)
        found = [
            repr(dist),
            list(dist.batch_shape),
            list(dist.event_shape),
            dist.has_rsample,
            dist.has_enumerate_support,
        ]
        found += [told(lambda: repr(dist.support)), sorted(dist.arg_constraints), repr(dist.arg_constraints)]
        for attribute in ("mean", "mode", "variance", "stddev"):
            value = told(lambda attribute=attribute: getattr(dist, attribute))
            found.append([attribute, value, gradients(t, value)])
        for method in ("entropy", "enumerate_support", "perplexity"):
            value = told(lambda method=method: getattr(dist, method)())
            found.append([method, value, gradients(t, value)])
        found.append(["flat support", told(lambda: dist.enumerate_support(expand=False))])
        for shape in ((), (3,), (2, 20)):
            sample = dist.sample(shape)
            found.append(["sample", sample, sample.requires_grad])
            if dist.has_rsample:
                drawn = dist.rsample(shape)
                # (PyTorch changes Wishart samples in place where backward still wants the mask.)
                found.append(["rsample", drawn, gradients(t, drawn) if name != "Wishart" else None])
            for method in ("log_prob", "cdf"):
                value = told(lambda method=method, sample=sample: getattr(dist, method)(sample))
                found.append([method, value, gradients(t, value)])
        value = told(lambda: dist.icdf(t.full((3, *dist.batch_shape), 0.3, dtype=t.float64)))
        found.append(["icdf", value, gradients(t, value)])
        more = dist.expand((2, *dist.batch_shape))
        sample = more.sample((2,))
        found += [repr(more), list(more.batch_shape), sample, more.log_prob(sample), told(lambda: more.mean)]
        if name != "Multinomial":  # (in PyTorch an expanded one has lost a part)
            found.append(told(lambda: more.entropy()))
        found.append(told(lambda: dist.sample_n(2)))
        return found

    # (PyTorch's Wishart takes regular samples for singular ones, and says so.)
    compare(program, rtol=2e-4, atol=2e-5, unheard=("Singular sample detected.",))


@pytest.mark.parametrize("p", EXAMPLES)
def test_divergences(p: str) -> None:
    def program(library: Any) -> Any:
        found = []
        for q in EXAMPLES:
            for i in range(len(EXAMPLES[p])):
                for j in range(len(EXAMPLES[q])):
                    if {p, q} == {"Uniform", "ContinuousBernoulli"}:
                        continue  # in PyTorch infinite on equal supports
                    t = Torch(library)
                    d = t.distributions
                    a, b = EXAMPLES[p][i](d, t), EXAMPLES[q][j](d, t)
                    if (
                        a.batch_shape != b.batch_shape
                        and p != q
                        and () not in (tuple(a.batch_shape), tuple(b.batch_shape))
                    ):
                        continue
                    value = told(lambda d=d, a=a, b=b: d.kl_divergence(a, b))
                    if isinstance(value, list) and value[0] in ("RuntimeError", "IndexError"):
                        value = value[0]  # batches that do not meet
                    # (Of a triangle the part above the diagonal has no gradient here.)
                    found.append([q, i, j, value, gradients(t, value) if p != "Wishart" else None])
        return found

    compare(program, rtol=1e-4, atol=1e-5)


# -- transforms --------------------------------------------------------------------------------------------------------

REAL = [-1.5, -0.2, 0.3, 2.0, 0.7, -0.9]
TRANSFORMS: dict[str, tuple[Make, Any]] = {
    "exp": (lambda d, t: d.ExpTransform(), REAL),
    "power": (lambda d, t: d.PowerTransform(t.tensor(2.5, dtype=t.float64)), [0.3, 2.0]),
    "sigmoid": (lambda d, t: d.SigmoidTransform(), REAL),
    "softplus": (lambda d, t: d.SoftplusTransform(), REAL),
    "tanh": (lambda d, t: d.TanhTransform(), REAL),
    "abs": (lambda d, t: d.AbsTransform(), REAL),
    "affine": (lambda d, t: d.AffineTransform(1.0, -2.0), REAL),
    "affine vector": (
        lambda d, t: d.AffineTransform(t.tensor([1.0, 2.0]), t.tensor([3.0, -4.0]), event_dim=1), [REAL[:2], REAL[2:4]],
    ),
    "softmax": (lambda d, t: d.SoftmaxTransform(), [REAL, REAL[::-1]]),
    "stick": (lambda d, t: d.StickBreakingTransform(), [REAL, REAL[::-1]]),
    "corr": (lambda d, t: d.CorrCholeskyTransform(), [REAL, REAL[::-1]]),
    "lower": (lambda d, t: d.LowerCholeskyTransform(), [REAL[:3], REAL[3:], REAL[1:4]]),
    "definite": (lambda d, t: d.PositiveDefiniteTransform(), [REAL[:3], REAL[3:], REAL[1:4]]),
    "reshape": (lambda d, t: d.ReshapeTransform((2, 3), (6,)), [[REAL[:3], REAL[3:]]]),
    "compose": (
        lambda d, t: d.ComposeTransform([d.AffineTransform(1.0, 2.0), d.ExpTransform(), d.StickBreakingTransform()]), [REAL],
    ),
    "nothing": (lambda d, t: d.ComposeTransform([]), REAL),
    "independent": (lambda d, t: d.IndependentTransform(d.ExpTransform(), 1), [REAL, REAL]),
    "cat": (lambda d, t: d.CatTransform([d.ExpTransform(), d.AffineTransform(1.0, 2.0)], 0, [2, 4]), REAL),
    "cat vectors": (lambda d, t: d.CatTransform([d.ExpTransform(), d.StickBreakingTransform()], 0, [1, 1]), [REAL, REAL]),
    "stack": (lambda d, t: d.StackTransform([d.ExpTransform(), d.TanhTransform()], 1), [REAL[:2], REAL[2:4]]),
    "cdf": (lambda d, t: d.CumulativeDistributionTransform(d.Normal(0.0, 2.0)), REAL),
    "inverse": (lambda d, t: d.TanhTransform(cache_size=1).inv, [0.3, -0.5]),
}  # fmt: skip


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms(name: str) -> None:
    make, numbers = TRANSFORMS[name]

    def program(t: Any) -> Any:
        d = t.distributions
        transform = make(d, t)
        x = t.tensor(numbers, dtype=t.float64, requires_grad=True)
        y = transform(x)
        found = [repr(transform), transform.bijective, y, transform == make(d, t), transform == d.ExpTransform()]
        found += [
            told(lambda: transform.log_abs_det_jacobian(x, y)),
            told(lambda: transform.inv(y)),
            repr(transform.inv),
        ]
        found += [
            told(lambda: transform.sign),
            told(lambda: repr(transform.domain)),
            told(lambda: repr(transform.codomain)),
        ]
        found += [told(lambda: transform.event_dim), told(lambda: list(transform.forward_shape(x.shape)))]
        found += [told(lambda: list(transform.inverse_shape(y.shape))), told(lambda: transform.with_cache()(x))]
        found.append(told(lambda: transform.inv.log_abs_det_jacobian(y, x)))
        return [*found, t.autograd.grad(y.square().sum(), x)]

    compare(program)


CONSTRAINTS = [
    "real", "positive", "nonnegative", "unit_interval", "simplex", "lower_cholesky", "corr_cholesky", "positive_definite",
    "positive_semidefinite", "real_vector", "boolean", "one_hot", "nonnegative_integer", "positive_integer", "square",
    "symmetric", "lower_triangular", "dependent",
]  # fmt: skip
MADE: list[Callable[[Any], Any]] = [
    lambda c: c.greater_than(1.0), lambda c: c.greater_than_eq(-1.0), lambda c: c.less_than(2.0), lambda c: c.interval(-1.0, 2.0),
    lambda c: c.half_open_interval(-1.0, 2.0), lambda c: c.integer_interval(0, 2), lambda c: c.multinomial(3),
    lambda c: c.independent(c.positive, 1), lambda c: c.cat([c.positive, c.real], 0, [1, 1]),
    lambda c: c.stack([c.positive, c.real]),
]  # fmt: skip
VALUES = [[[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.3, 0.7]], [[2.0, 1.0], [1.0, 2.0]], [[-1.0, 1.0], [2.0, 0.0]]]


@pytest.mark.parametrize("which", [*CONSTRAINTS, *range(len(MADE))])
def test_constraints(which: Any) -> None:
    def program(t: Any) -> Any:
        d = t.distributions
        c = d.constraints
        constraint = getattr(c, which) if isinstance(which, str) else MADE[which](c)
        found = [repr(constraint), told(lambda: constraint.is_discrete), told(lambda: constraint.event_dim)]
        found += [told(lambda v=v: constraint.check(t.tensor(v))) for v in VALUES]
        found.append(told(lambda: constraint.check(t.tensor([[[1.0, 2.0, 3.0]]]))))
        for to in (d.biject_to, d.transform_to):
            found.append(told(lambda to=to: repr(to(constraint))))
            found.append(told(lambda to=to: to(constraint)(t.tensor([[0.2, -0.3], [1.0, 0.5]]))))
        return found

    compare(program)


# -- errors ------------------------------------------------------------------------------------------------------------

WRONG: list[Make] = [
    lambda d, t: d.Normal(0.0, -1.0),
    lambda d, t: d.Normal(t.tensor([0.0, float("nan")]), t.ones(2)),
    lambda d, t: d.Normal("a", 1.0),
    lambda d, t: d.Normal(t.ones(2), t.ones(3)),
    lambda d, t: d.Normal(0.0, 1.0).log_prob(3.0),
    lambda d, t: d.Normal(t.ones(2), 1.0).log_prob(t.ones(3)),
    lambda d, t: d.Normal(0.0, 1.0).log_prob(t.tensor(float("nan"))),
    lambda d, t: d.Normal(0.0, -1.0, validate_args=False).log_prob(t.tensor(1.0)),
    lambda d, t: d.Exponential(1.0).log_prob(t.tensor([-1.0, 2.0])),
    lambda d, t: d.Categorical(t.tensor([-0.5, 1.5])),
    lambda d, t: d.Categorical(t.tensor(0.5)),
    lambda d, t: d.Categorical(logits=t.tensor(0.5)),
    lambda d, t: d.Categorical(),
    lambda d, t: d.Categorical(t.ones(2), t.ones(2)),
    lambda d, t: d.Categorical(t.ones(2)).log_prob(t.tensor(2)),
    lambda d, t: d.Categorical(t.ones(3, 2)).log_prob(t.tensor([0, 1])),
    lambda d, t: d.Bernoulli(1.5),
    lambda d, t: d.Bernoulli(),
    lambda d, t: d.Bernoulli(0.5).log_prob(t.tensor(0.5)),
    lambda d, t: d.ContinuousBernoulli(1.5, validate_args=True),
    lambda d, t: d.Geometric(0.0),
    lambda d, t: d.Uniform(1.0, 0.0),
    lambda d, t: d.Uniform(0.0, 1.0).log_prob(t.tensor(2.0)),
    lambda d, t: d.Dirichlet(t.tensor(1.0)),
    lambda d, t: d.Dirichlet(t.ones(2)).log_prob(t.tensor([0.5, 0.6])),
    lambda d, t: d.Dirichlet(t.ones(2)).log_prob(t.tensor([0.2, 0.3, 0.5])),
    lambda d, t: d.Beta(-1.0, 1.0),
    lambda d, t: d.Binomial(-1, t.tensor(0.5)),
    lambda d, t: d.Binomial(t.tensor([1, 2]), t.tensor(0.5)).entropy(),
    lambda d, t: d.Multinomial(t.tensor(3), t.ones(2)),
    lambda d, t: d.Multinomial(3, t.ones(2)).log_prob(t.tensor([2.0, 2.0])),
    lambda d, t: d.OneHotCategorical(t.ones(2)).log_prob(t.tensor([1.0, 1.0])),
    lambda d, t: d.MultivariateNormal(t.zeros(2)),
    lambda d, t: d.MultivariateNormal(t.tensor(0.0), t.eye(2)),
    lambda d, t: d.MultivariateNormal(t.zeros(2), t.ones(2)),
    lambda d, t: d.MultivariateNormal(t.zeros(2), -t.eye(2)),
    lambda d, t: d.MultivariateNormal(t.zeros(2), precision_matrix=t.ones(2)),
    lambda d, t: d.MultivariateNormal(t.zeros(2), scale_tril=t.ones(2)),
    lambda d, t: d.MultivariateNormal(t.zeros(2), scale_tril=t.ones(2, 2)),
    lambda d, t: d.MultivariateNormal(t.zeros(2), t.eye(2)).log_prob(t.zeros(3)),
    lambda d, t: d.LowRankMultivariateNormal(t.zeros(2), t.ones(3, 1), t.ones(2)),
    lambda d, t: d.LowRankMultivariateNormal(t.zeros(2), t.ones(2), t.ones(2)),
    lambda d, t: d.LowRankMultivariateNormal(t.zeros(2), t.ones(2, 1), t.ones(3)),
    lambda d, t: d.LowRankMultivariateNormal(t.zeros(3, 2), t.ones(4, 2, 1), t.ones(2)),
    lambda d, t: d.Wishart(0.5, t.eye(2)),
    lambda d, t: d.Wishart(3.0),
    lambda d, t: d.Wishart(1.5, t.eye(2)).mean,
    lambda d, t: d.LKJCholesky(1),
    lambda d, t: d.Independent(d.Normal(t.zeros(2), 1.0), 2),
    lambda d, t: d.MixtureSameFamily(d.Normal(0.0, 1.0), d.Normal(0.0, 1.0)),
    lambda d, t: d.MixtureSameFamily(d.Categorical(t.ones(2)), 3),
    lambda d, t: d.MixtureSameFamily(d.Categorical(t.ones(2)), d.Normal(t.zeros(3), 1.0)),
    lambda d, t: d.MixtureSameFamily(d.Categorical(t.ones(4, 2)), d.Normal(t.zeros(3, 2), 1.0)),
    lambda d, t: d.TransformedDistribution(d.Normal(0.0, 1.0), 3),
    lambda d, t: d.TransformedDistribution(d.Normal(0.0, 1.0), [3]),
    lambda d, t: d.TransformedDistribution(d.Normal(0.0, 1.0), d.StickBreakingTransform()),
    lambda d, t: d.kl_divergence(d.Normal(0.0, 1.0), d.VonMises(0.0, 1.0)),
    lambda d, t: d.kl_divergence(d.MultivariateNormal(t.zeros(2), t.eye(2)), d.MultivariateNormal(t.zeros(3), t.eye(3))),
    lambda d, t: d.constraints.independent(3, 1),
    lambda d, t: d.constraints.independent(d.constraints.real, -1),
    lambda d, t: d.constraints.independent(d.constraints.real, 2).check(t.ones(2)),
    lambda d, t: d.constraints.cat([d.constraints.real], 0, [1, 2]),
    lambda d, t: d.ExpTransform(cache_size=2),
    lambda d, t: d.ReshapeTransform((2, 3), (5,)),
    lambda d, t: d.ReshapeTransform((2, 3), (6,)).forward_shape(t.Size([6])),
    lambda d, t: d.CatTransform([d.ExpTransform()], 0, [2])(t.ones(3)),
    lambda d, t: d.StackTransform([d.ExpTransform()], 0)(t.ones(3)),
    lambda d, t: d.biject_to.register(3, lambda c: None),
]  # fmt: skip


@pytest.mark.parametrize("i", range(len(WRONG)))
def test_refused_alike(i: int) -> None:
    def program(t: Any) -> Any:
        try:
            return str(WRONG[i](t.distributions, t))
        except NotImplementedError as error:
            return ["NotImplementedError", str(error)]

    compare(program)


def test_subclasses_and_registration() -> None:
    def program(t: Any) -> Any:
        d = t.distributions

        class Mine(d.Normal):
            def __init__(self, x: Any) -> None:
                super().__init__(x, 1.0)

        class Plain(d.Normal):
            pass

        class Bare(d.Distribution):
            pass

        found = [told(lambda: Mine(t.tensor(0.0)).expand((2,))), repr(Plain(0.0, 1.0).expand((2,)))]
        found += [repr(Bare(validate_args=False).batch_shape), d.kl_divergence(Plain(0.0, 1.0), d.Normal(1.0, 2.0))]
        bare = Bare()
        found.append(told(lambda: bare.log_prob(t.ones(1))))
        a, b = type("A", (d.Normal,), {}), type("B", (d.Normal,), {})
        d.register_kl(a, d.Normal)(lambda p, q: t.tensor(1.0))
        d.register_kl(d.Normal, b)(lambda p, q: t.tensor(2.0))
        found += [d.kl_divergence(a(0.0, 1.0), d.Normal(0.0, 1.0)), d.kl_divergence(d.Normal(0.0, 1.0), b(0.0, 1.0))]
        return [*found, d.kl_divergence(a(0.0, 1.0), b(0.0, 1.0))]

    compare(program)
