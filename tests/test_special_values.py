"""NaN and infinities, and numbers whose square overflows, go through operations and their derivatives as in PyTorch."""

from __future__ import annotations

import math

import numpy as np
import pytest

import wengert as torch
from wengert.kernels import special

INF, NAN = math.inf, math.nan


def slope(f, at: float, dtype=torch.float64) -> float:
    x = torch.tensor([at], dtype=dtype, requires_grad=True)
    f(x).sum().backward()
    return x.grad.item()


@pytest.mark.parametrize(
    ("name", "at", "expected"),
    [  # as PyTorch 2.13 gives them
        ("asin", INF, NAN),
        ("asin", -1e300, NAN),
        ("asin", 1.0, INF),
        ("acos", INF, NAN),
        ("acos", 1.0, -INF),
        ("asinh", INF, 0.0),
        ("acosh", 1.0, INF),
        ("logit", 2.0, NAN),
        ("logit", -INF, NAN),
        ("logit", 0.0, INF),
        ("relu", NAN, 1.0),
        ("relu", 0.0, 0.0),
        ("relu", INF, 1.0),
        ("sinc", 1e-300, 0.0),
        ("sinc", 5e-324, 0.0),
        ("digamma", INF, 0.0),
    ],
)
def test_derivatives_at_the_ends(name: str, at: float, expected: float) -> None:
    assert slope(getattr(torch, name), at) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("size", [1, 100_000])
def test_relu_does_not_silence_the_gradient_where_its_argument_is_nan(size: int) -> None:
    x = torch.full((size,), NAN, requires_grad=True)
    torch.relu(x).sum().backward()
    assert x.grad.tolist() == [1.0] * size


@pytest.mark.parametrize("size", [1, 100_000])
@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [(1e30, 1e30, -1e-30), (1e-30, 1e-30, -1e30), (0.0, 1e-30, -0.0), (INF, 1e30, -INF), (1.0, INF, -0.0)],
)
def test_the_derivative_at_the_divisor_where_its_square_is_no_float32(
    size: int, a: float, b: float, expected: float
) -> None:
    other = torch.full((size,), b, requires_grad=True)
    (torch.full((size,), a) / other).sum().backward()
    assert other.grad.tolist() == pytest.approx([expected] * size)


@pytest.mark.parametrize("f", [torch.logaddexp, torch.logaddexp2])
@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (INF, 1.0, (1.0, 0.0)),
        (-INF, 1.0, (0.0, 1.0)),
        (INF, -INF, (1.0, 0.0)),
        (1e30, 1e30, (0.5, 0.5)),
        (INF, INF, (NAN, NAN)),
    ],
)
def test_shares_of_logaddexp(f, a: float, b: float, expected: tuple[float, float]) -> None:
    x, y = (torch.tensor(v, requires_grad=True) for v in (a, b))
    f(x, y).backward()
    assert (x.grad.item(), y.grad.item()) == pytest.approx(expected, nan_ok=True)


def test_heaviside_of_nan_is_zero() -> None:
    assert torch.heaviside(torch.tensor([NAN, -0.0, INF, -INF]), torch.tensor([5.0])).tolist() == [0.0, 5.0, 1.0, 0.0]


@pytest.mark.parametrize("name", ["erf", "erfc", "lgamma", "erfinv", "digamma"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_few_numbers_and_many_give_the_same(name: str, dtype: torch.dtype) -> None:
    """Few are computed one by one by C's functions."""
    few = torch.tensor([0.0, -0.0, 0.3, -0.7, -2.5, 5.0, 1e-300, 1e308, INF, -INF, NAN, 0.999], dtype=dtype)
    f = getattr(torch, name)
    many = f(few.repeat(100))[-len(few) :]
    assert torch.allclose(f(few), many, rtol=1e-6 if dtype is torch.float32 else 1e-13, atol=0, equal_nan=True)
    assert f(few[2]).item() == pytest.approx(many[2].item())


def test_a_polynomial_of_high_degree_ends_where_it_is_no_number() -> None:
    x = torch.tensor([0.5, 1e6, -1e6], dtype=torch.float64)
    found = torch.special.laguerre_polynomial_l(x, torch.tensor([2.0, 5e9, 7e9], dtype=torch.float64))
    assert found.tolist() == pytest.approx([0.125, NAN, NAN], nan_ok=True)


def test_tangents_of_many_numbers() -> None:
    x = torch.linspace(-20, 20, 1001)
    expected = torch.tensor([math.tan(v) for v in x.tolist()])
    assert torch.allclose(torch.tan(x), expected, rtol=1e-6, atol=0)


def test_the_product_of_many_numbers() -> None:
    x = torch.linspace(0.9, 1.1, 10_000, dtype=torch.float64)
    assert torch.prod(x).item() == pytest.approx(math.prod(x.tolist()), rel=1e-12)
    assert torch.prod(torch.ones(5000, dtype=torch.int32) * 3).item() == pow(3, 5000, 1 << 64) - (
        (1 << 64) if pow(3, 5000, 1 << 64) >= 1 << 63 else 0
    )
    assert torch.prod(torch.ones(5000, dtype=torch.bool)).item() == 1


@pytest.mark.parametrize("n", [4000, 70_000])
def test_half_precision_numbers_are_summed_in_float32(n: int) -> None:
    x = torch.ones(n, dtype=torch.float16, requires_grad=True)
    mean = x.mean()
    mean.backward()
    assert mean.item() == 1
    assert x.grad[0].item() == pytest.approx(1 / n, rel=1e-2)
    assert x.reshape(2, -1).mean(1).tolist() == [1, 1]
    assert x.var().item() == x.std().item() == 0
    assert torch.linalg.vector_norm(x).item() == x.norm().item() == pytest.approx(math.sqrt(n), rel=1e-3)
    assert torch.cumsum(x, 0)[-1].item() == (n if n < 65504 else INF)
    assert torch.logsumexp(x, 0).item() == pytest.approx(1 + math.log(n), rel=1e-3)


def test_bfloat16_numbers_are_summed_in_float32() -> None:
    pytest.importorskip("ml_dtypes")
    x = torch.ones(4000, dtype=torch.bfloat16)
    assert torch.cumsum(x, 0)[-1].item() == 4000
    assert torch.logsumexp(x, 0).item() == pytest.approx(1 + math.log(4000), rel=4e-3)
    assert x.var().item() == 0


def test_erf_of_float32_in_numpy_is_right_to_two_units_in_the_last_place() -> None:
    x = np.concatenate(
        [np.linspace(-6, 6, 20_001), np.geomspace(1e-37, 1, 5_000), [np.inf, -np.inf, 0.0, -0.0]]
    ).astype("f")
    found = special.erf(x)
    true = np.array([math.erf(v) for v in x.tolist()])
    assert found.dtype == np.float32
    assert (np.abs(found - true) <= 2 * np.spacing(np.abs(true).astype("f"))).all()
    assert (np.signbit(found) == np.signbit(x)).all()
    with np.errstate(all="raise", under="ignore"):
        some = special.erf(np.full((300, 2), np.nan, np.float32).T)
    assert some.shape == (2, 300)
    assert np.isnan(some).all()
