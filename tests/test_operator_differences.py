"""Operators for which PyTorch 2.13 gives a wrong number, or none, without a word, and Wengert the right one or an error.

The rows of docs/differences.md that name this file.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

import wengert as torch
from wengert.autograd import forward_ad as fwAD


@pytest.mark.parametrize("index", [-4, -7, 3, 5])
def test_take_along_dim_does_not_go_round(index: int) -> None:
    x = torch.arange(3.0)
    assert [torch.take_along_dim(x, torch.tensor([i]), 0).item() for i in (-1, -3, 2)] == [2.0, 0.0, 2.0]
    with pytest.raises(RuntimeError, match=rf"index {index} is out of bounds for dimension 0 with size 3"):
        torch.take_along_dim(x, torch.tensor([index]), 0)


def test_as_strided_scatter_has_the_gradient_of_what_it_keeps() -> None:
    x = torch.ones(4, dtype=torch.float64, requires_grad=True)
    src = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    out = torch.as_strided_scatter(x, src, (2,), (1,), 1)
    found = torch.autograd.grad(out, (x, src), torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64))
    assert [g.tolist() for g in found] == [[1.0, 0.0, 0.0, 4.0], [2.0, 3.0]]


def test_logcumsumexp_forward_mode_is_exact() -> None:
    """The tangent is a mean with weights exp(x); where those of the first elements are small, PyTorch is off by 1e-6."""
    x = np.array([-20.0, -5.0, 3.0, 8.0])
    t = np.array([0.3, -1.0, 2.0, 0.7])
    with fwAD.dual_level():
        dual = fwAD.make_dual(torch.tensor(x), torch.tensor(t))
        found = fwAD.unpack_dual(torch.logcumsumexp(dual, 0)).tangent
    expected = [np.average(t[: k + 1], weights=np.exp(x[: k + 1] - x[k])) for k in range(4)]
    assert found is not None
    assert np.allclose(found.numpy(), expected, rtol=1e-14, atol=0)


@pytest.mark.parametrize(
    ("name", "x", "value"),
    [  # from 40-digit arithmetic
        ("bessel_j0", 7.5, 0.26633965788037840),
        ("bessel_j1", 7.5, 0.13524842757970551),
        ("bessel_y0", 7.5, 0.11731328614820863),
        ("bessel_y1", 7.5, -0.25912851048611624),
        ("airy_ai", -3.5, -0.37553382314043191),
    ],
)
def test_bessel_functions_are_exact(name: str, x: float, value: float) -> None:
    """PyTorch's are off by up to 8e-7, airy_ai by 3e-6."""
    found = getattr(torch.special, name)(torch.tensor(x, dtype=torch.float64)).item()
    assert found == pytest.approx(value, rel=1e-11)


def test_a_narrow_kaiser_window_does_not_overflow() -> None:
    """In float32 the Bessel function of beta = 100 is infinite, and PyTorch's window 0 except in the middle."""
    window = torch.signal.windows.kaiser(256, beta=100.0)
    assert window.max().item() == pytest.approx(1, abs=1e-2)
    assert np.allclose(window.numpy(), np.kaiser(256, 100.0), atol=1e-5)


def test_logaddexp_of_masked_elements_has_a_second_derivative() -> None:
    x = torch.tensor([0.5, 1.0], dtype=torch.float64, requires_grad=True)
    y = torch.tensor([0.2, 0.3], dtype=torch.float64)
    mask = torch.tensor([True, False])
    out = torch.masked.logaddexp(x, y, input_mask=mask, other_mask=mask)[0]
    (g,) = torch.autograd.grad(out, x, create_graph=True)
    (h,) = torch.autograd.grad(g.sum(), x)
    s = 1 / (1 + math.exp(-0.3))
    assert h.tolist() == [pytest.approx(s * (1 - s)), 0.0]


@pytest.mark.parametrize(
    ("name", "args"),
    [("bmm", (torch.ones(1, 2, 2),) * 2), ("cummax", (torch.ones(2, 2), 0)), ("tril", (torch.ones(2, 2),))],
)
def test_out_that_is_expanded(name: str, args: tuple[object, ...]) -> None:
    found = getattr(torch, name)(*args)
    first = found[0] if isinstance(found, tuple) else found
    out = torch.empty(()).expand(first.shape)
    with pytest.raises(RuntimeError, match="more than one element of the written-to tensor refers to a single memory"):
        getattr(torch, name)(*args, out=(out, torch.empty_like(found[1])) if isinstance(found, tuple) else out)


def test_silu_of_complex_numbers_has_a_gradient() -> None:
    z = torch.tensor([0.3 - 1.2j], dtype=torch.complex128, requires_grad=True)
    assert torch.autograd.gradcheck(torch.nn.functional.silu, (z,))
