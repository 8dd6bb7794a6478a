"""`distributions`: PyTorch 2.13's numbers as literals, and what must hold of any distribution, computed here by quadrature."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import wengert as torch
from distribution_examples import EXAMPLES, Torch
from wengert import distributions as D

NAN, INF = math.nan, math.inf
# After manual_seed(7): the sum of i times the i-th number of sample((3,)), the sum of its log_prob; sums of entropy, mean and
# variance. Which example; None: not implemented.
PYTORCHS: dict[str, tuple[int, Any, Any, Any, Any, Any]] = {
    "Bernoulli": (1, 20.0, -3.064953743, 1.518632577, 1.6, 0.5),
    "Beta": (1, 27.26254906, 1.556658721, -1.156848619, 1.346078431, 0.1643206284),
    "Binomial": (0, 39.0, -7.410041733, 2.741022345, 4.0, 2.0),
    "Categorical": (0, 9.0, -3.575550769, 0.8018185525, NAN, NAN),
    "Cauchy": (1, -140.2876864, -33.96619112, 11.51039135, NAN, INF),
    "Chi2": (1, 783.3555581, -22.65828899, 5.920419391, 33.0, 66.0),
    "ContinuousBernoulli": (1, 40.0535024, -0.380935971, -0.2560457355, 2.057727907, 0.3090733132),
    "Dirichlet": (0, 16.57632875, 5.626686519, -1.688899567, 1.0, 0.1032547699),
    "Exponential": (1, 43.4190704, -6.868924843, 1.594534892, 2.333333333, 4.111111111),
    "FisherSnedecor": (1, 518.0828283, -17.74984043, None, NAN, NAN),
    "Gamma": (1, 7442.041574, -35.37078562, 4.327877161, 219.0, 219.0),
    "GeneralizedPareto": (0, 4.8840231, -2.476432562, 1.200000048, 1.25, 2.604166508),
    "Geometric": (1, 7.0, -8.21802913, 3.374675406, 4.428571429, 20.6122449),
    "Gumbel": (1, 56.8857726, -12.00814149, 3.84757851, 2.731646995, 8.224670334),
    "HalfCauchy": (1, 56.94223474, -12.1585358, 4.368901313, INF, INF),
    "HalfNormal": (1, 34.23846247, -6.652834099, 2.144729886, 2.393653682, 1.816901138),
    "Independent": (0, 118.1497084, -20.71113213, 7.062048494, 6.0, 10.0),
    "InverseGamma": (1, 60.02496295, -9.954344052, 4.621837561, INF, INF),
    "Kumaraswamy": (1, 9.144152264, 2.011121828, -0.8021820292, 1.156970805, 0.1185441973),
    "LKJCholesky": (1, 914.7685554, -16.62332087, None, None, None),
    "Laplace": (1, 38.84212368, -12.08826082, 4.079441542, 1.0, 10.0),
    "LogNormal": (1, 60.42406514, -11.53213544, 3.144729886, 4.72893812, 7.365532395),
    "LogisticNormal": (0, 13.81298136, 5.164348233, None, None, None),
    "LowRankMultivariateNormal": (0, 29.51778188, -10.90829711, 3.561336558, 1.0, 4.25),
    "MixtureSameFamily": (0, 10.69231126, -5.909954413, None, 2.8, 3.835),
    "Multinomial": (0, 74.0, -7.57605742, 2.591808541, 5.0, 3.1),
    "MultivariateNormal": (0, 24.86606469, -9.571699322, 3.11768496, 1.0, 3.0),
    "NegativeBinomial": (0, 69.0, -12.34388561, None, 8.75, 20.3125),
    "Normal": (1, -122.7404006, -42.06177297, 12.09715014, 3.0, 28.0),
    "OneHotCategorical": (0, 16.0, -3.575550769, 0.8018185525, 1.0, 0.46),
    "OneHotCategoricalStraightThrough": (0, 16.0, -3.575550769, 0.8018185525, 1.0, 0.46),
    "Pareto": (1, 1030.723856, -19.75459932, 4.621015406, INF, INF),
    "Poisson": (1, 365.0, -21.59916671, None, 23.5, 23.5),
    "RelaxedBernoulli": (0, 15.71494545, -0.2894267838, None, None, None),
    "RelaxedOneHotCategorical": (0, 17.13022786, 6.836112292, None, None, None),
    "StudentT": (1, -360.3029883, -30.6210484, 9.235649026, NAN, NAN),
    "TransformedDistribution": (0, 2.57195863, -6.251448009, None, None, None),
    "Uniform": (1, 59.80226592, -6.238324625, 2.079441542, 4.0, 1.666666667),
    "VonMises": (1, 0.4278234684, -12.25875209, None, 1.0, 0.8451410801),
    "Weibull": (1, 70.18848029, -9.768133126, 2.095276851, 3.785959023, 20.42133154),
    "Wishart": (0, 179.1340409, -21.50977304, 7.140810774, 16.0, 58.0),
}


def made(name: str, i: int) -> Any:
    t = Torch(torch)
    return EXAMPLES[name][i](D, t)


@pytest.mark.parametrize("name", PYTORCHS)
def test_pytorchs_numbers(name: str) -> None:
    i, *expected = PYTORCHS[name]
    d = made(name, i)
    torch.manual_seed(7)
    x = d.sample((3,))
    places = torch.arange(1, x.numel() + 1, dtype=torch.float64).reshape(x.shape)
    found: list[Any] = [float((x.double() * places).sum()), float(d.log_prob(x).sum().detach())]
    for what in (lambda: d.entropy(), lambda: d.mean, lambda: d.variance):
        try:
            found.append(float(what().sum().detach()))
        except NotImplementedError:
            found.append(None)
    for a, b in zip(found, expected, strict=True):
        assert a is None if b is None else a == pytest.approx(b, rel=2e-6, nan_ok=True)


def t64(x: Any) -> Any:
    return torch.tensor(x, dtype=torch.float64)


# One-dimensional distributions in float64, and a substitution x = f(u), u from -12 to 12, that reaches their supports.
LINE = (lambda u: np.sinh(u), lambda u: np.cosh(u))
HALF = (lambda u: np.exp(1.5 * u), lambda u: 1.5 * np.exp(1.5 * u))
UNIT = (lambda u: 1 / (1 + np.exp(-2 * u)), lambda u: 2 / (np.exp(u) + np.exp(-u)) ** 2)


def above(low: float) -> Any:
    return lambda u: low + np.exp(u), lambda u: np.exp(u)


ONE_DIMENSIONAL: dict[str, tuple[Any, Any]] = {
    "Normal": (lambda: D.Normal(t64(0.5), t64(1.5)), LINE),
    "Laplace": (lambda: D.Laplace(t64(0.5), t64(1.5)), LINE),
    "Gumbel": (lambda: D.Gumbel(t64(0.5), t64(1.5)), LINE),
    "StudentT": (lambda: D.StudentT(t64(5.0), t64(0.5), t64(1.5)), LINE),
    "Cauchy": (lambda: D.Cauchy(t64(0.5), t64(1.5)), LINE),
    "Exponential": (lambda: D.Exponential(t64(1.5)), HALF),
    "Gamma": (lambda: D.Gamma(t64(2.5), t64(1.5)), HALF),
    "Chi2": (lambda: D.Chi2(t64(3.0)), HALF),
    "FisherSnedecor": (lambda: D.FisherSnedecor(t64(3.0), t64(7.0)), HALF),
    "HalfNormal": (lambda: D.HalfNormal(t64(1.5)), HALF),
    "LogNormal": (lambda: D.LogNormal(t64(0.5), t64(0.7)), HALF),
    "Weibull": (lambda: D.Weibull(t64(1.5), t64(2.5)), HALF),
    "InverseGamma": (lambda: D.InverseGamma(t64(3.5), t64(1.5)), HALF),
    "Pareto": (lambda: D.Pareto(t64(1.5), t64(3.5)), above(1.5)),
    "GeneralizedPareto": (lambda: D.GeneralizedPareto(t64(0.0), t64(1.5), t64(0.2)), HALF),
    "Beta": (lambda: D.Beta(t64(2.5), t64(1.5)), UNIT),
    "Kumaraswamy": (lambda: D.Kumaraswamy(t64(2.5), t64(1.5)), UNIT),
    "ContinuousBernoulli": (lambda: D.ContinuousBernoulli(t64(0.3)), UNIT),
    "Uniform": (lambda: D.Uniform(t64(0.0), t64(1.0)), UNIT),
    "RelaxedBernoulli": (lambda: D.RelaxedBernoulli(t64(0.7), t64(0.3)), UNIT),
}


def quadrature(name: str) -> tuple[Any, Any, Any, Any]:
    """The distribution, points, log p there, and weights: sum(weights * f(x)) is the mean of f."""
    make, (place, slope) = ONE_DIMENSIONAL[name]
    d = make()
    u = np.linspace(-12, 12, 24001)
    x = place(u)
    inside = (x > 0) & (x < 1) if place is UNIT[0] else x > -np.inf
    u, x = u[inside], x[inside]
    logs = d.log_prob(t64(x)).numpy()
    weights = np.exp(logs) * slope(u) * 1e-3
    counts = weights > 1e-300
    return d, x[counts], logs[counts], weights[counts]


@pytest.mark.parametrize("name", ONE_DIMENSIONAL)
def test_the_density_agrees_with_everything_else(name: str) -> None:
    d, x, logs, weights = quadrature(name)
    assert weights.sum() == pytest.approx(1, abs=2e-5)
    if name not in ("Cauchy", "RelaxedBernoulli"):
        mean = (weights * x).sum()
        assert float(d.mean) == pytest.approx(mean, rel=1e-4, abs=1e-5)
        assert float(d.variance) == pytest.approx((weights * (x - mean) ** 2).sum(), rel=2e-3)
    if name not in ("FisherSnedecor", "RelaxedBernoulli"):
        assert float(d.entropy()) == pytest.approx(-(weights * logs).sum(), abs=5e-4)
    if name not in ("StudentT", "FisherSnedecor", "Beta", "RelaxedBernoulli"):
        at = x[len(x) // 2 + 300]
        below = weights[: len(x) // 2 + 301].sum() - weights[len(x) // 2 + 300] / 2
        assert float(d.cdf(t64(at))) == pytest.approx(below, abs=1e-4)
        if name not in ("Gamma", "Chi2", "InverseGamma"):
            assert float(d.icdf(d.cdf(t64(at)))) == pytest.approx(at, rel=1e-6)


@pytest.mark.parametrize("p", ONE_DIMENSIONAL)
def test_divergences_agree_with_the_densities(p: str) -> None:
    d, x, logs, weights = quadrature(p)
    found = 0
    for q in ONE_DIMENSIONAL:
        other = ONE_DIMENSIONAL[q][0]()
        try:
            value = float(D.kl_divergence(d, other))
        except NotImplementedError:
            continue
        other._validate_args = False
        inside = other.support.check(t64(x)).numpy()
        found += 1
        if (weights[~inside] > 1e-12).any():
            assert value == INF, q
        else:
            theirs = other.log_prob(t64(x[inside])).numpy()
            expected = (weights[inside] * (logs[inside] - theirs)).sum()
            assert value == pytest.approx(expected, abs=5e-4), q
    assert found or p in (
        "StudentT",
        "FisherSnedecor",
        "Weibull",
        "InverseGamma",
        "GeneralizedPareto",
        "Kumaraswamy",
        "RelaxedBernoulli",
        "LogNormal",
    )


def test_divergences_of_vectors() -> None:
    a = np.array([[2.0, 0.5], [0.5, 1.0]])
    w, diagonal = np.array([[1.0], [0.5]]), np.array([1.0, 2.0])
    b = w @ w.T + np.diag(diagonal)
    m, n = np.array([0.0, 1.0]), np.array([0.5, -1.0])

    def expected(a: Any, b: Any, m: Any, n: Any) -> float:
        inverse = np.linalg.inv(b)
        logs = np.log(np.linalg.det(b) / np.linalg.det(a))
        return 0.5 * (np.trace(inverse @ a) + (n - m) @ inverse @ (n - m) - 2 + logs)

    full = D.MultivariateNormal(t64(m), t64(a))
    precise = D.MultivariateNormal(t64(n), precision_matrix=t64(np.linalg.inv(b)))
    low = D.LowRankMultivariateNormal(t64(n), t64(w), t64(diagonal))
    for p, q, value in (
        (full, low, expected(a, b, m, n)), (low, full, expected(b, a, n, m)), (full, precise, expected(a, b, m, n)),
        (low, precise, 0.0),
    ):  # fmt: skip
        assert float(D.kl_divergence(p, q)) == pytest.approx(value, abs=1e-12)
    np.testing.assert_allclose(low.covariance_matrix.numpy(), b, rtol=1e-12)
    np.testing.assert_allclose(low.scale_tril.numpy(), np.linalg.cholesky(b), rtol=1e-12)
    np.testing.assert_allclose(low.precision_matrix.numpy(), np.linalg.inv(b), rtol=1e-12)
    x = np.array([0.3, 0.4])
    density = -0.5 * (x - n) @ np.linalg.inv(b) @ (x - n) - 0.5 * np.log(np.linalg.det(2 * np.pi * b))
    assert float(low.log_prob(t64(x))) == pytest.approx(density, rel=1e-12)
    assert float(precise.log_prob(t64(x))) == pytest.approx(density, rel=1e-12)


@pytest.mark.parametrize("alpha", [0.3, 0.9, 1.7, 4.0, 7.9, 9.0, 50.0])
def test_gamma_draws_follow_the_shape(alpha: float) -> None:
    """dx/da = -(dP/da) / p, the former by differences."""
    from wengert.kernels.incomplete import igamma

    torch.manual_seed(0)
    a = t64(alpha).requires_grad_()
    x = D.Gamma(a, t64(1.0)).rsample((40,))
    (found,) = torch.autograd.grad([x], [a], [torch.ones_like(x)])
    y, h = x.detach().numpy(), 1e-4
    slope = (igamma(np.full(40, alpha + h), y) - igamma(np.full(40, alpha - h), y)) / (2 * h)
    density = np.exp(D.Gamma(t64(alpha), t64(1.0)).log_prob(t64(y)).numpy())
    assert float(found) == pytest.approx(float((-slope / density).sum()), rel=2e-3)


@pytest.mark.parametrize(("a", "b"), [(0.4, 0.6), (0.5, 3.0), (2.0, 3.0), (5.0, 1.5), (9.0, 8.0), (30.0, 40.0)])
def test_beta_draws_follow_their_parameters(a: float, b: float) -> None:
    u = np.linspace(-30, 30, 60001)
    z = 1 / (1 + np.exp(-u))

    def below(a: float, b: float, x: Any) -> Any:
        mass = z**a * (1 - z) ** b
        total = np.concatenate([[0.0], np.cumsum((mass[1:] + mass[:-1]) / 2)])
        return np.interp(np.log(x / (1 - x)), u, total / total[-1])

    torch.manual_seed(0)
    p, q = t64(a).requires_grad_(), t64(b).requires_grad_()
    x = D.Beta(p, q).rsample((50,))
    found = torch.autograd.grad([x], [p, q], [torch.ones_like(x)])
    y, h = x.detach().numpy(), 1e-4
    density = np.exp(D.Beta(t64(a), t64(b)).log_prob(t64(y)).numpy())
    slopes = (below(a + h, b, y) - below(a - h, b, y), below(a, b + h, y) - below(a, b - h, y))
    for mine, slope in zip(found, slopes, strict=True):
        assert float(mine) == pytest.approx(float((-slope / (2 * h) / density).sum()), rel=5e-3)


def test_implicit_derivatives_have_none_themselves() -> None:
    a = t64([2.0]).requires_grad_()
    (g,) = torch.autograd.grad(D.Gamma(a, t64(1.0)).rsample().sum(), a, create_graph=True)
    with pytest.raises(NotImplementedError, match="the derivative for '_standard_gamma_grad' is not implemented"):
        g.sum().backward()
    c = t64([2.0, 3.0]).requires_grad_()
    (g,) = torch.autograd.grad(D.Dirichlet(c).rsample()[0], c, create_graph=True)
    with pytest.raises(NotImplementedError, match="the derivative for '_dirichlet_grad' is not implemented"):
        g.sum().backward()
    with pytest.raises(NotImplementedError, match="the derivative for 'igamma: input' is not implemented"):
        D.Gamma(a, t64(1.0)).cdf(t64(1.0)).sum().backward()


def test_a_policy_gradient_and_a_reparametrised_one() -> None:
    torch.manual_seed(0)
    logits = torch.zeros(3, requires_grad=True)
    for _ in range(200):
        policy = D.Categorical(logits=logits)
        action = policy.sample((16,))
        loss = -(policy.log_prob(action) * (action == 2)).mean()
        (g,) = torch.autograd.grad(loss, logits)
        with torch.no_grad():
            logits -= 0.5 * g
    assert D.Categorical(logits=logits).probs[2] > 0.9
    loc = torch.tensor(3.0, requires_grad=True)
    D.Normal(loc, 2.0).rsample((4,)).mean().backward()
    assert loc.grad == 1.0
    assert not D.Normal(loc, 2.0).sample().requires_grad
    assert D.Normal(loc, 2.0).loc is not None


def test_parameters_that_need_no_broadcast_stay_themselves() -> None:
    loc, scale = torch.zeros(2, requires_grad=True), torch.ones(2)
    d = D.Normal(loc, scale)
    assert d.loc is loc
    assert d.scale is scale


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (
            lambda: D.Normal(0.0, -1.0),
            ValueError,
            r"Expected parameter scale \(Tensor of shape \(\)\) of distribution Normal\(loc: 0.0, scale: -1.0\) to satisfy the "
            r"constraint GreaterThan\(lower_bound=0.0\), but found invalid values:\n-1.0",
        ),
        (
            lambda: D.Exponential(1.0).log_prob(torch.tensor(-1.0)),
            ValueError,
            r"Expected value argument \(Tensor of shape \(\)\) to be within the support \(GreaterThanEq\(lower_bound=0.0\)\)",
        ),
        (lambda: D.Normal("a", 1.0), ValueError, "Input arguments must all be instances of Number, torch.Tensor"),
        (lambda: D.Normal(0.0, 1.0).log_prob(1.0), ValueError, "The value argument to log_prob must be a Tensor"),
        (lambda: D.Bernoulli(), ValueError, "Either `probs` or `logits` must be specified, but not both."),
        (lambda: D.Normal(torch.zeros(2), 1.0).log_prob(torch.zeros(3)), ValueError, "Value is not broadcastable"),
        (lambda: D.Dirichlet(torch.ones(2)).log_prob(torch.ones(3)), ValueError, "The right-most size of value must"),
        (lambda: D.Geometric(0.0), ValueError, "to be positive but found invalid values"),
        (
            lambda: D.MultivariateNormal(torch.zeros(2)),
            ValueError,
            "Exactly one of covariance_matrix or precision_matrix",
        ),
        (lambda: D.MultivariateNormal(torch.zeros(2), -torch.eye(2)), ValueError, "PositiveDefinite"),
        (lambda: D.Wishart(0.5, torch.eye(2)), ValueError, "expected to be greater than ndim - 1 = 1"),
        (
            lambda: D.LKJCholesky(1),
            ValueError,
            "Expected dim to be an integer greater than or equal to 2. Found dim=1.",
        ),
        (
            lambda: D.kl_divergence(D.Normal(0.0, 1.0), D.VonMises(0.0, 1.0)),
            NotImplementedError,
            r"No KL\(p \|\| q\) is implemented for p type Normal and q type VonMises",
        ),
        (lambda: D.Independent(D.Normal(0.0, 1.0), 1), ValueError, "Expected reinterpreted_batch_ndims <= len"),
        (lambda: D.VonMises(0.0, 1.0).rsample(), NotImplementedError, "does not implement rsample"),
        (lambda: D.biject_to(D.constraints.square), NotImplementedError, "Cannot transform _Square constraints"),
        (lambda: D.register_kl(int, D.Normal), TypeError, "Expected type_p to be a Distribution subclass but got"),
    ],
)
def test_refused(wrong: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        wrong()


@pytest.mark.parametrize(
    "constraint",
    [
        "real",
        "positive",
        "unit_interval",
        "simplex",
        "corr_cholesky",
        "lower_cholesky",
        "positive_definite",
        "real_vector",
    ],
)
def test_transforms_reach_their_constraint(constraint: str) -> None:
    wanted = getattr(D.constraints, constraint)
    x = t64([[0.3, -1.2, 0.7], [1.5, 0.1, -0.4], [0.2, 0.9, -2.0]])
    for registry in (D.transform_to, D.biject_to):
        try:
            transform = registry(wanted)
        except NotImplementedError:
            assert registry is D.biject_to
            continue
        y = transform(x)
        assert wanted.check(y).all()
        if registry is D.biject_to:
            np.testing.assert_allclose(transform.inv(y).numpy(), x.numpy(), rtol=1e-9)
            row = x[0].clone().requires_grad_()
            free = lambda v, t=transform: t(v.unsqueeze(0)).reshape(-1)[_free(constraint)]
            jacobian = torch.autograd.functional.jacobian(free, row)
            logs = transform.log_abs_det_jacobian(row.unsqueeze(0), transform(row.unsqueeze(0))).sum()
            assert float(logs.detach()) == pytest.approx(np.log(abs(np.linalg.det(jacobian.numpy()))), rel=1e-9)


def _free(constraint: str) -> Any:
    """Which elements of the result are free, so that the Jacobian is square."""
    return {"simplex": slice(0, 3), "corr_cholesky": [3, 6, 7]}.get(constraint, slice(0, 3))


def test_a_cache_remembers_the_last_pair() -> None:
    transform = D.TanhTransform(cache_size=1)
    x = t64([20.0])
    y = transform(x)
    assert transform.inv(y) is x
    assert transform(x) is y
    with pytest.raises(ValueError, match="cache_size must be 0 or 1"):
        D.ExpTransform(cache_size=3)


def test_registering_divergences() -> None:
    kind = type("Kind", (D.Normal,), {})
    other = type("Other", (D.Normal,), {})
    D.register_kl(kind, D.Normal)(lambda p, q: torch.tensor(1.0))
    assert D.kl_divergence(kind(0.0, 1.0), D.Normal(0.0, 1.0)) == 1.0
    D.register_kl(D.Normal, other)(lambda p, q: torch.tensor(2.0))
    with pytest.warns(
        RuntimeWarning, match=r"Ambiguous kl_divergence\(Kind, Other\). Please register_kl\(Kind, Other\)"
    ):
        assert D.kl_divergence(kind(0.0, 1.0), other(0.0, 1.0)) == 1.0


def test_expanding_subclasses() -> None:
    class Mine(D.Normal):
        def __init__(self, x: Any) -> None:
            super().__init__(x, 1.0)

    with pytest.raises(
        NotImplementedError, match="Subclass Mine of Normal that defines a custom __init__ method must also"
    ):
        Mine(0.0).expand((2,))
    assert (
        repr(type("Plain", (D.Normal,), {})(0.0, 1.0).expand((2,)))
        == "Plain(loc: torch.Size([2]), scale: torch.Size([2]))"
    )


def test_validation_can_be_turned_off() -> None:
    assert math.isnan(float(D.Normal(0.0, -1.0, validate_args=False).entropy()))
    D.Distribution.set_default_validate_args(False)
    try:
        D.Normal(0.0, -1.0)
    finally:
        D.Distribution.set_default_validate_args(True)
    with pytest.raises(ValueError, match="Expected parameter scale"):
        D.Normal(0.0, -1.0)
