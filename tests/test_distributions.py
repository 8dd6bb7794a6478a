"""Distributions: PyTorch's numbers, shapes, checks and messages; densities integrate to one, and samples have their moments."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import wengert as torch
from wengert import distributions as D

# Each distribution, made by any library: what to draw and judge, and whether its density is over numbers.
FAMILIES: dict[str, Any] = {
    "Bernoulli": lambda t: t.distributions.Bernoulli(t.tensor([0.2, 0.7])),
    "Bernoulli of logits": lambda t: t.distributions.Bernoulli(logits=t.tensor([-1.0, 0.5])),
    "Binomial": lambda t: t.distributions.Binomial(6, t.tensor([0.2, 0.7])),
    "Geometric": lambda t: t.distributions.Geometric(t.tensor([0.2, 0.7])),
    "Poisson": lambda t: t.distributions.Poisson(t.tensor([0.5, 4.0])),
    "Categorical": lambda t: t.distributions.Categorical(t.tensor([[1.0, 2.0, 3.0], [1.0, 0.5, 0.2]])),
    "Categorical of logits": lambda t: t.distributions.Categorical(logits=t.tensor([[1.0, 2.0, 3.0], [1.0, 0.5, 0.2]])),
    "OneHotCategorical": lambda t: t.distributions.OneHotCategorical(t.tensor([0.1, 0.3, 0.6])),
    "Normal": lambda t: t.distributions.Normal(t.tensor([0.5, -1.0]), t.tensor([1.0, 2.5])),
    "LogNormal": lambda t: t.distributions.LogNormal(t.tensor([0.1, -0.3]), t.tensor([0.5, 0.2])),
    "HalfNormal": lambda t: t.distributions.HalfNormal(t.tensor([0.5, 2.0])),
    "Laplace": lambda t: t.distributions.Laplace(t.tensor([0.5, -1.0]), t.tensor([1.0, 2.5])),
    "Cauchy": lambda t: t.distributions.Cauchy(t.tensor([0.5, -1.0]), t.tensor([1.0, 2.5])),
    "Gumbel": lambda t: t.distributions.Gumbel(t.tensor([0.5, -1.0]), t.tensor([1.0, 2.5])),
    "Uniform": lambda t: t.distributions.Uniform(t.tensor([0.5, -1.0]), t.tensor([1.0, 2.5])),
    "Exponential": lambda t: t.distributions.Exponential(t.tensor([0.5, 2.0])),
    "Gamma": lambda t: t.distributions.Gamma(t.tensor([0.5, 2.0]), t.tensor([1.0, 3.0])),
    "Chi2": lambda t: t.distributions.Chi2(t.tensor([1.0, 4.0])),
    "Beta": lambda t: t.distributions.Beta(t.tensor([0.5, 2.0]), t.tensor([1.5, 3.0])),
    "Dirichlet": lambda t: t.distributions.Dirichlet(t.tensor([[0.5, 2.0, 1.0], [3.0, 3.0, 3.0]])),
    "StudentT": lambda t: t.distributions.StudentT(t.tensor([3.0, 5.0]), t.tensor([0.5, -1.0]), t.tensor([1.0, 2.5])),
    "MultivariateNormal": lambda t: t.distributions.MultivariateNormal(
        t.tensor([1.0, -1.0]), t.tensor([[2.0, 0.5], [0.5, 1.0]])
    ),
    "MultivariateNormal of a precision": lambda t: t.distributions.MultivariateNormal(
        t.tensor([1.0, -1.0]), precision_matrix=t.tensor([[2.0, 0.5], [0.5, 1.0]])
    ),
    "Independent": lambda t: t.distributions.Independent(
        t.distributions.Normal(t.zeros(3, 2), t.tensor([1.0, 2.0])), 1
    ),
    "MixtureSameFamily": lambda t: t.distributions.MixtureSameFamily(
        t.distributions.Categorical(t.tensor([0.3, 0.7])),
        t.distributions.Normal(t.tensor([-1.0, 2.0]), t.tensor([0.5, 1.0])),
    ),
}
NUMBERS = [
    "Normal",
    "LogNormal",
    "HalfNormal",
    "Laplace",
    "Gumbel",
    "Uniform",
    "Exponential",
    "Gamma",
    "Chi2",
    "Beta",
    "StudentT",
]


def answers(lib: Any, name: str) -> dict[str, Any]:
    """All that a distribution can be asked, as arrays; None for what it does not answer."""
    d = FAMILIES[name](lib)
    lib.manual_seed(11)
    found: dict[str, Any] = {"sample": d.sample((4,)), "again": d.sample()}
    value = found["sample"]
    asked = {n: (lambda n=n: getattr(d, n)) for n in ("mean", "mode", "variance", "stddev")}
    asked["entropy"] = d.entropy
    asked["log_prob"] = lambda: d.log_prob(value)
    asked["cdf"] = lambda: d.cdf(value)
    asked["icdf"] = lambda: d.icdf(lib.full(value.shape, 0.3))
    asked["support"] = lambda: d.enumerate_support()
    asked["wider"] = lambda: d.expand((3, *d.batch_shape)).log_prob(value[:1])
    for what, ask in asked.items():
        try:
            found[what] = ask()
        except NotImplementedError:
            found[what] = None
    return {k: v if v is None else v.numpy() for k, v in found.items()} | {"repr": repr(d)}


@pytest.mark.conformance
@pytest.mark.parametrize("name", FAMILIES)
def test_same_as_pytorch(name: str) -> None:
    """Samples of one seed, densities, moments and entropy."""
    theirs = answers(pytest.importorskip("torch"), name)
    ours = answers(torch, name)
    for what, wanted in theirs.items():
        if what == "repr":
            assert ours[what] == wanted or wanted.endswith("()")  # ours says more
        elif wanted is not None and ours[what] is not None:
            assert ours[what].dtype == wanted.dtype, what
            np.testing.assert_allclose(ours[what], wanted, rtol=2e-5, atol=2e-6, err_msg=what)
        else:
            assert wanted is None or what in ("cdf", "icdf", "mode"), what


@pytest.mark.conformance
@pytest.mark.parametrize(
    "name", [n for n in FAMILIES if n not in ("MixtureSameFamily", "Cauchy", "Gumbel", "StudentT")]
)
def test_divergences_are_pytorchs(name: str) -> None:
    other = pytest.importorskip("torch")
    found = []
    for lib in (torch, other):
        p, q = FAMILIES[name](lib), FAMILIES[name](lib)
        q = q.expand((2, *q.batch_shape)) if q.batch_shape else q
        if name in ("Binomial", "HalfNormal"):
            pytest.skip("no formula here")
        found.append(lib.distributions.kl_divergence(p, q).numpy())
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)


def test_divergences_of_different_distributions() -> None:
    """Against their definition, a sum over all values or an integral."""
    p, q = D.Categorical(torch.tensor([0.2, 0.8])), D.Categorical(torch.tensor([0.5, 0.5]))
    wanted = 0.2 * math.log(0.2 / 0.5) + 0.8 * math.log(0.8 / 0.5)
    assert D.kl_divergence(p, q).item() == pytest.approx(wanted, rel=1e-5)
    x = torch.linspace(-12, 12, 20001, dtype=torch.float64)
    for a, b in (
        (D.Normal(torch.tensor(0.5).double(), 1.2), D.Normal(torch.tensor(-1.0).double(), 2.0)),
        (D.Laplace(torch.tensor(0.5).double(), 0.7), D.Laplace(torch.tensor(-1.0).double(), 1.0)),
    ):
        integral = torch.trapezoid(a.log_prob(x).exp() * (a.log_prob(x) - b.log_prob(x)), x)
        assert D.kl_divergence(a, b).item() == pytest.approx(integral.item(), rel=1e-5)
    with pytest.raises(NotImplementedError, match="The cross KL-divergence between different exponential families"):
        D.kl_divergence(D.Normal(0.0, 1.0), D.Bernoulli(0.5))


@pytest.mark.parametrize("name", NUMBERS)
def test_densities_integrate_to_one_and_to_the_moments(name: str) -> None:
    d = FAMILIES[name](torch).expand((2,))
    u = torch.linspace(0, 1, 400_001, dtype=torch.float64)[1:-1].unsqueeze(-1)
    if name in ("Beta", "Uniform"):
        low, high = (0.0, 1.0) if name == "Beta" else (d.low.double(), d.high.double())
        x, slope = low + (high - low) * u**3, (high - low) * 3 * u**2
    elif name in ("LogNormal", "HalfNormal", "Exponential", "Gamma", "Chi2"):
        x, slope = (u / (1 - u)) ** 3, 3 * (u / (1 - u)) ** 2 / (1 - u) ** 2
    else:
        x, slope = (
            torch.logit(u) * 3 + (u - 0.5) / (u * (1 - u)),
            3 / (u * (1 - u)) + (u * u - u + 0.5) / (u * (1 - u)) ** 2,
        )
    d._validate_args = False
    for part in d.__dict__.values():
        if isinstance(part, D.Distribution):
            part._validate_args = False
    density = d.log_prob(x).exp() * slope
    density = torch.where(torch.isfinite(density), density, 0.0)
    step = 1 / 400_000
    assert (density.sum(0) * step).tolist() == pytest.approx([1.0, 1.0], rel=2e-3)
    mean = ((density * x).sum(0) * step).tolist()
    assert mean == pytest.approx(d.mean.tolist(), rel=3e-3, abs=1e-3)


@pytest.mark.parametrize("name", [n for n in FAMILIES if n not in ("Cauchy", "Independent")])
def test_samples_have_the_mean(name: str) -> None:
    d = FAMILIES[name](torch)
    torch.manual_seed(1)
    drawn = d.sample((4000,)).double()
    assert drawn.shape == (4000, *d.batch_shape, *d.event_shape)
    if name.startswith("Categorical"):
        for k in range(3):
            assert ((drawn == k).double().mean(0) - d.probs[..., k]).abs().max() < 0.04
        return
    error = 5 * d.stddev.clamp(max=10) / math.sqrt(4000)
    assert ((drawn.mean(0) - d.mean).abs() < error).all()


def test_gradients_reach_parameters() -> None:
    """Through rsample, and through log_prob as the policy gradient uses it."""
    loc, scale = torch.tensor([0.5], requires_grad=True), torch.tensor([2.0], requires_grad=True)
    torch.manual_seed(0)
    value = D.Normal(loc, scale).rsample()
    value.sum().backward()
    assert loc.grad.item() == 1.0
    assert scale.grad.item() == pytest.approx((value.item() - 0.5) / 2, rel=1e-5)
    logits = torch.zeros(3, requires_grad=True)
    D.Categorical(logits=logits).log_prob(torch.tensor(1)).backward()
    assert logits.grad.tolist() == pytest.approx([-1 / 3, 2 / 3, -1 / 3])
    assert not D.Normal(loc, scale).sample().requires_grad
    logits = torch.tensor([0.5, -0.5, 1.0], requires_grad=True)
    d = D.Categorical(logits=logits)
    d.sample()  # asks for the probabilities where nothing is recorded
    d.entropy().backward()
    p, h = d.probs.detach(), d.entropy().detach()
    assert logits.grad.tolist() == pytest.approx((-p * (p.log() + h)).tolist(), rel=1e-5)
    probs = torch.tensor([0.2, 0.8], requires_grad=True)
    (D.OneHotCategoricalStraightThrough(probs).rsample() * torch.tensor([1.0, 3.0])).sum().backward()
    assert probs.grad is not None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: D.Categorical(), "Either `probs` or `logits` must be specified, but not both."),
        (lambda: D.Categorical(torch.tensor(1.0)), "`probs` parameter must be at least one-dimensional."),
        (
            lambda: D.Categorical(torch.tensor([-1.0, 2.0])),
            r"Expected parameter probs \(Tensor of shape \(2,\)\) of distribution Categorical\(probs: torch.Size\(\[2\]\)\) to "
            r"satisfy the constraint Simplex\(\), but found invalid values:\n",
        ),
        (
            lambda: D.Normal(0.0, -1.0),
            r"Expected parameter scale \(Tensor of shape \(\)\) of distribution Normal\(loc: 0.0, scale: -1.0\) to satisfy the "
            r"constraint GreaterThan\(lower_bound=0.0\), but found invalid values:\n-1.0",
        ),
        (lambda: D.Normal("a", 1.0), "Input arguments must all be instances of Number, torch.Tensor"),
        (lambda: D.Uniform(1.0, 0.0), r"to satisfy the constraint LessThan\(upper_bound=0.0\)"),
        (
            lambda: D.MultivariateNormal(torch.zeros(2)),
            "Exactly one of covariance_matrix or precision_matrix or scale_tril",
        ),
        (
            lambda: D.Categorical(torch.ones(2)).log_prob(torch.tensor(2)),
            r"to be within the support \(IntegerInterval\(lower_bound=0, upper_bound=1\)\) of the distribution",
        ),
        (lambda: D.Categorical(torch.ones(2)).log_prob(3), "The value argument to log_prob must be a Tensor"),
        (
            lambda: D.Normal(0.0, torch.ones(3)).log_prob(torch.ones(2)),
            r"Value is not broadcastable with batch_shape\+event_shape: torch.Size\(\[2\]\) vs torch.Size\(\[3\]\)",
        ),
        (lambda: D.Independent(D.Normal(0.0, 1.0), 1), "Expected reinterpreted_batch_ndims <= len"),
    ],
)
def test_bad_input_in_pytorchs_words(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_samples_that_cannot_follow_their_parameters_refuse() -> None:
    with pytest.raises(NotImplementedError, match="Poisson'> does not implement rsample"):
        D.Poisson(1.0).rsample()


def test_own_divergence_may_be_registered() -> None:
    class Mine(D.Normal):
        pass

    @D.register_kl(Mine, D.Normal)
    def _(p: Any, q: Any) -> Any:
        return torch.tensor(42.0)

    assert D.kl_divergence(Mine(0.0, 1.0), D.Normal(0.0, 1.0)).item() == 42.0
