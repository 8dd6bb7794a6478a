"""`torch.ops.aten.<activation>_backward`: what autograd computes, by name."""

from __future__ import annotations

from typing import Any

import pytest

import wengert as torch
import wengert.nn.functional as F

aten: Any = torch.ops.aten

CASES = {
    "gelu": (F.gelu, (), {}),
    "gelu, by tanh": (lambda x: F.gelu(x, approximate="tanh"), (), {"approximate": "tanh"}),
    "hardshrink": (F.hardshrink, (0.5,), {}),
    "hardsigmoid": (F.hardsigmoid, (), {}),
    "hardswish": (F.hardswish, (), {}),
    "hardtanh": (F.hardtanh, (-1.0, 1.0), {}),
    "leaky_relu": (F.leaky_relu, (0.01, False), {}),
    "logit": (lambda x: torch.logit(x, 0.1), (0.1,), {}),
    "mish": (F.mish, (), {}),
    "silu": (F.silu, (), {}),
    "softplus": (F.softplus, (1.0, 20.0), {}),
    "softshrink": (F.softshrink, (0.5,), {}),
    "threshold": (lambda x: F.threshold(x, 0.3, -1.0), (0.3,), {}),
}


@pytest.mark.parametrize("name", CASES)
def test_the_operator_is_the_gradient(name: str) -> None:
    function, options, named = CASES[name]
    x = torch.tensor([-2.5, -0.7, 0.2, 0.4, 1.7], dtype=torch.float64, requires_grad=True)
    g = torch.tensor([1.0, -2.0, 3.0, 0.5, 4.0], dtype=torch.float64)
    (expected,) = torch.autograd.grad(function(x), x, g)
    operator = getattr(aten, name.partition(",")[0] + "_backward")
    assert torch.equal(operator(g, x.detach(), *options, **named), expected)
    assert torch.equal(operator.default(g, x.detach(), *options, **named), expected)


def test_of_sigmoid_and_tanh_the_result_is_given() -> None:
    out, g = torch.tensor([0.5, 0.25]), torch.tensor([2.0, 1.0])
    assert aten.sigmoid_backward(g, out).tolist() == [0.5, 0.1875]
    assert aten.tanh_backward(g, out).tolist() == [1.5, 0.9375]


def test_complex_gradients_are_conjugate() -> None:
    z = torch.tensor([1 + 2j, -0.5 + 0.3j], dtype=torch.complex128, requires_grad=True)
    g = torch.tensor([1j, 2 - 1j], dtype=torch.complex128)
    (expected,) = torch.autograd.grad(F.silu(z), z, g)
    assert torch.allclose(aten.silu_backward(g, z.detach()), expected)


def test_under_vmap_and_for_a_second_derivative() -> None:
    g, x = torch.rand(3, 4), torch.rand(4)
    assert torch.equal(torch.vmap(aten.silu_backward, in_dims=(0, None))(g, x), aten.silu_backward(g, x))
    y = torch.rand(4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: aten.mish_backward(torch.ones(4, dtype=torch.float64), t), (y,))


def test_what_is_missing_is_named() -> None:
    with pytest.raises(RuntimeError, match=r"aten::softplus_backward\(\) is missing value for argument 'beta'"):
        aten.softplus_backward(torch.ones(1), torch.ones(1))
    with pytest.raises(AttributeError, match="'_OpNamespace' 'aten' object has no attribute 'nothing_backward'"):
        aten.nothing_backward
