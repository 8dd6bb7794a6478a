"""bfloat16, which NumPy lacks and the package ml_dtypes brings: stored, converted, computed with and differentiated."""

from __future__ import annotations

import pytest

import wengert as torch

pytest.importorskip("ml_dtypes")

BF = torch.bfloat16


def test_it_is_a_floating_dtype() -> None:
    x = torch.ones(2, dtype=BF)
    assert x.is_floating_point()
    assert BF.is_floating_point
    assert x.requires_grad_().requires_grad
    assert x.element_size() == 2


def test_conversion_rounds_to_eight_bits() -> None:
    x = torch.tensor([1.0, 1.00390625, 3.14159265, -2.5])
    assert x.bfloat16().float().tolist() == [1.0, 1.0, 3.140625, -2.5]
    assert x.bfloat16().long().tolist() == [1, 1, 3, -2]
    assert torch.tensor([7, -1]).to(BF).tolist() == [7.0, -1.0]


def test_it_prints_as_in_pytorch() -> None:
    assert repr(torch.tensor([1.0, 2.0], dtype=BF).sqrt()) == "tensor([1.0000, 1.4141], dtype=torch.bfloat16)"


@pytest.mark.parametrize(
    ("other", "dtype"),
    [(BF, BF), (torch.float16, torch.float32), (torch.float32, torch.float32), (torch.int64, BF), (torch.bool, BF)],
)
def test_promotion(other: torch.dtype, dtype: torch.dtype) -> None:
    assert torch.promote_types(BF, other) is dtype
    assert torch.promote_types(other, BF) is dtype
    assert (torch.ones(2, dtype=BF) + torch.ones(2, dtype=other)).dtype is dtype


def test_complex_promotion() -> None:
    assert torch.promote_types(BF, torch.complex64) is torch.complex64


def test_arithmetic_stays_bfloat16() -> None:
    x = torch.arange(4, dtype=BF).reshape(2, 2)
    for y in (x + 1, x * 2.5, x / 3, x @ x, x.exp(), x.sum(), x.mean(0), torch.relu(x), x.std(), torch.softmax(x, 0)):
        assert y.dtype is BF
    assert (x @ x).tolist() == [[2.0, 3.0], [6.0, 11.0]]


def test_sums_are_made_in_float32() -> None:
    assert torch.ones(1000, dtype=BF).sum().item() == 1000
    assert torch.ones(1000, dtype=BF).mean().item() == 1
    assert torch.softmax(torch.zeros(1000, dtype=BF), 0).float().sum().item() == pytest.approx(1, abs=4e-3)


def test_gradients() -> None:
    x = torch.tensor([1.0, 2.0], dtype=BF, requires_grad=True)
    (x * x).sum().backward()
    assert x.grad is not None
    assert x.grad.dtype is BF
    assert x.grad.tolist() == [2.0, 4.0]
    y = torch.tensor([1.0, 2.0], requires_grad=True)
    (y.bfloat16() * 3).float().sum().backward()
    assert y.grad is not None
    assert y.grad.dtype is torch.float32
    assert y.grad.tolist() == [3.0, 3.0]


def test_a_module_in_bfloat16() -> None:
    layer = torch.nn.Linear(3, 2).bfloat16()
    out = layer(torch.ones(4, 3, dtype=BF))
    assert out.dtype is BF
    out.sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.tolist() == [[4.0] * 3] * 2


def test_random_numbers_are_pytorchs() -> None:
    torch.manual_seed(0)
    assert torch.randn(3, dtype=BF).tolist() == [1.5390625, -0.29296875, -2.171875]
    torch.manual_seed(0)
    assert torch.rand(3, dtype=BF).tolist() == [0.49609375, 0.76953125, 0.08837890625]
    torch.manual_seed(0)
    x = torch.empty(5000, dtype=BF).uniform_()
    assert x.max() < 1
    torch.manual_seed(0)
    assert torch.zeros(3, dtype=BF).random_(5).tolist() == [4, 4, 3]
    torch.manual_seed(0)
    assert torch.empty(3, dtype=BF).exponential_().tolist() == [3.515625, 1.2265625, 0.61328125]
    assert torch.randn(40, dtype=BF).isfinite().all()
    assert sorted(torch.randperm(5, dtype=BF).tolist()) == [0, 1, 2, 3, 4]
    assert torch.nn.Linear(3, 4, dtype=BF).weight.dtype is BF
    assert torch.testing.make_tensor((3,), dtype=BF, device="cpu", low=-5, high=5).abs().max() <= 5
