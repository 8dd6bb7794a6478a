"""Dtypes of mixed operands, numbers and 0-dim tensors included; what PyTorch has no kernel for; and casts to integers."""

from __future__ import annotations

import math

import pytest

import wengert as torch

INF, NAN = math.inf, math.nan


@pytest.mark.parametrize(
    ("tensor", "zero_dim", "result"),
    [
        (torch.float32, torch.complex128, torch.complex64),
        (torch.float64, torch.complex64, torch.complex128),
        (torch.int64, torch.complex128, torch.complex128),
        (torch.float32, torch.float64, torch.float32),
        (torch.int8, torch.float64, torch.float64),
        (torch.uint8, torch.int64, torch.uint8),
        (torch.bool, torch.int16, torch.int16),
    ],
)
def test_a_0_dim_tensor_adds_its_category_only(tensor, zero_dim, result) -> None:
    a, b = torch.ones(2, dtype=tensor), torch.ones((), dtype=zero_dim)
    assert (a + b).dtype is (b * a).dtype is torch.result_type(a, b) is result


def test_bfloat16_with_complex_numbers_and_limits() -> None:
    pytest.importorskip("ml_dtypes")
    x = torch.tensor([1.0, 4.0], dtype=torch.bfloat16)
    for y in (x + 2j, 2j * x, x / 2j, x - torch.tensor(1j, dtype=torch.complex128)):
        assert y.dtype is torch.complex64
    assert (x + 2j).tolist() == [1 + 2j, 4 + 2j]
    for y in (x.clamp(max=2.5), x.clamp(0.5, 3.0), torch.clamp_min(x, 2)):
        assert y.dtype is torch.bfloat16
    assert x.clamp(0.5, 3.0).tolist() == [1.0, 3.0]


@pytest.mark.parametrize("name", ["lt", "le", "gt", "ge"])
@pytest.mark.parametrize("other", [torch.ones(2, dtype=torch.complex64), torch.ones(()), 1j, 2])
def test_complex_numbers_have_no_order(name: str, other) -> None:
    z = torch.ones(2, dtype=torch.complex64)
    with pytest.raises(NotImplementedError, match=rf"\"{name}_cpu\" not implemented for 'ComplexFloat'"):
        getattr(torch, name)(z, other)
    assert torch.eq(z, z).all()


@pytest.mark.parametrize(
    ("name", "kernel"),
    [("fmod", "fmod_cpu"), ("remainder", "remainder_cpu"), ("floor_divide", "div_floor_cpu"), ("pow", "pow")],
)
def test_two_bools_have_no(name: str, kernel: str) -> None:
    x = torch.tensor([True])
    with pytest.raises(NotImplementedError, match=rf"\"{kernel}\" not implemented for 'Bool'"):
        getattr(torch, name)(x, x)
    assert getattr(torch, name)(x, torch.tensor([1])).dtype is torch.int64


@pytest.mark.parametrize("name", ["hypot", "logaddexp", "logaddexp2"])
def test_two_integers_have_no(name: str) -> None:
    x = torch.tensor([3])
    with pytest.raises(NotImplementedError, match=rf"\"{name}_cpu\" not implemented for 'Long'"):
        getattr(torch, name)(x, x)
    assert getattr(torch, name)(x, torch.tensor([4.0])).dtype is torch.float32


@pytest.mark.parametrize(
    ("function", "kernel"),
    [
        (torch.xlogy, "xlogy_cpu"),
        (torch.special.xlog1py, "xlog1py_cpu"),
        (torch.special.zeta, "zeta_cpu"),
        (torch.special.legendre_polynomial_p, "legendre_polynomial_p_cpu"),
    ],
)
def test_special_functions_of_complex_numbers(function, kernel: str) -> None:
    x = torch.ones(2, dtype=torch.float64)
    for other in (2j, torch.ones(2, dtype=torch.complex128)):
        with pytest.raises(NotImplementedError, match=rf"\"{kernel}\" not implemented for 'ComplexDouble'"):
            function(x, other)


def test_ldexp_keeps_the_dtype_and_reaches_beyond_the_powers_of_two() -> None:
    exponents = torch.tensor([1, 130])
    x = torch.full((2,), 1e-30, requires_grad=True)
    y = torch.ldexp(x, exponents)
    assert y.tolist() == pytest.approx([2e-30, 1.3611295e9])
    y.sum().backward()
    assert x.grad.tolist() == [2.0, INF]
    assert type(y.grad_fn).__name__ == "LdexpBackward0"
    assert torch.ldexp(torch.ones(1).half(), exponents).dtype is torch.float16
    assert torch.ldexp(torch.tensor(1.0, dtype=torch.float64), exponents).dtype is torch.float64
    assert torch.ldexp(torch.tensor([3]), exponents).dtype is torch.float32


@pytest.mark.parametrize("name", ["max", "min"])
def test_a_bool_is_no_dimension(name: str) -> None:
    with pytest.raises(
        TypeError, match=rf"{name}\(\) received an invalid combination of arguments - got \(Tensor, bool\)"
    ):
        getattr(torch, name)(torch.ones(2, 2), True)


def test_a_rounded_quotient_of_two_numbers() -> None:
    assert torch.div(-7.5, 2.0, rounding_mode="trunc").item() == -3.0
    assert torch.div(-7.5, 2.0, rounding_mode="floor").item() == -4.0


@pytest.mark.parametrize("source", [torch.float64, torch.float32])
def test_casts_of_what_is_no_integer(source) -> None:
    """As a C cast does on x86: the least int32, whose lower bits are 0."""
    x = torch.tensor([NAN, INF, -INF, 3e9, -3e9, 300.7, -5.9], dtype=source)
    least = -(1 << 31)
    assert x.int().tolist() == [least] * 5 + [300, -5]
    assert x.short().tolist() == [0] * 5 + [300, -5]
    assert x.to(torch.int8).tolist() == [0] * 5 + [44, -5]
    assert x.byte().tolist() == [0] * 5 + [44, 251]
    assert x.long().tolist() == [-(1 << 63)] * 3 + [3000000000, -3000000000, 300, -5]
    assert x[0].int().item() == least


@pytest.mark.parametrize("name", ["chebyshev_polynomial_u", "hermite_polynomial_h", "legendre_polynomial_p"])
def test_polynomials_of_degrees_that_are_none(name: str) -> None:
    x = torch.tensor([0.5, NAN, INF], dtype=torch.float64)
    f = getattr(torch.special, name)
    for n in (NAN, INF, 1e20, -1.0):
        assert f(x, torch.tensor(n, dtype=torch.float64)).tolist() == [0.0, 0.0, 0.0]
    assert f(x, 0).tolist() == [1.0, 1.0, 1.0]
    assert f(x, 2).isnan().tolist() == [False, True, False]


@pytest.mark.parametrize(("n", "value"), [(2, -INF), (3, INF), (4, -INF)])
def test_polygamma_at_minus_infinity(n: int, value: float) -> None:
    assert torch.polygamma(n, torch.tensor(-INF)).item() == value
