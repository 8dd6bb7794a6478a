"""`autograd.functional`: shapes, strict mode, `create_graph` and the messages."""

from __future__ import annotations

import re

import pytest

import wengert as torch
from wengert.autograd import functional as F

X = torch.tensor([1.0, 2.0])
Y = torch.tensor([3.0])
V = torch.ones(2)


def square(x):
    return x**2


def cubes(x):
    return (x**3).sum()


def constant(x):
    return Y


def raises(error: type[BaseException], message: str):
    """The message must start with (or be) these exact words."""
    return pytest.raises(error, match="^" + re.escape(message))


# -- jacobian ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "how", [{}, {"vectorize": True}, {"vectorize": True, "strategy": "forward-mode"}, {"create_graph": True}]
)
def test_jacobian(how) -> None:
    assert F.jacobian(square, X, **how).tolist() == [[2.0, 0.0], [0.0, 4.0]]
    two = F.jacobian(lambda a, b: (a * b, b), (X, Y), **how)
    assert [[j.tolist() for j in row] for row in two] == [
        [[[3.0, 0.0], [0.0, 3.0]], [[1.0], [2.0]]],
        [[[0.0, 0.0]], [[1.0]]],
    ]
    assert F.jacobian(constant, X, **how).tolist() == [[0.0, 0.0]]
    assert F.jacobian(lambda x: x.expand(3, 2) * 2, X, **how).shape == (3, 2, 2)
    assert F.jacobian(lambda x: x.sum(), torch.ones(2, 3), **how).shape == (2, 3)


def test_jacobian_and_create_graph() -> None:
    x = X.clone().requires_grad_()
    assert not F.jacobian(square, x).requires_grad
    j = F.jacobian(square, x, create_graph=True)
    assert torch.autograd.grad(j.sum(), x)[0].tolist() == [2.0, 2.0]
    assert x.grad is None
    with torch.no_grad():
        assert F.jacobian(square, x).tolist() == [[2.0, 0.0], [0.0, 4.0]]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: F.jacobian(square, 3),
            TypeError,
            "The inputs given to jacobian must be either a Tensor or a tuple of Tensors but the given inputs has type "
            "<class 'int'>.",
        ),
        (
            lambda: F.jacobian(square, (3,)),
            TypeError,
            "The inputs given to jacobian must be either a Tensor or a tuple of Tensors but the value at index 0 has type "
            "<class 'int'>.",
        ),
        (
            lambda: F.jacobian(lambda a: (a, 3), X),
            TypeError,
            "The outputs of the user-provided function given to jacobian must be either a Tensor or a tuple of Tensors but "
            "the value at index 1 has type <class 'int'>.",
        ),
        (
            lambda: F.jacobian(square, X, strategy="x"),
            AssertionError,
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint:',
        ),
        (
            lambda: F.jacobian(square, X, strategy="forward-mode"),
            NotImplementedError,
            "Computing Jacobian using forward-AD or forward-over-reverse Hessian is",
        ),
        (
            lambda: F.jacobian(square, X, vectorize=True, strict=True),
            RuntimeError,
            "torch.autograd.functional.jacobian: `strict=True` and `vectorized=True` are not supported together.",
        ),
        (
            lambda: F.hessian(square, X),
            RuntimeError,
            "The Tensor returned by the function given to hessian should contain a single element",
        ),
        (
            lambda: F.hessian(lambda x: (cubes(x), x), X),
            RuntimeError,
            "The function given to hessian should return a single Tensor",
        ),
        (
            lambda: F.hessian(cubes, X, outer_jacobian_strategy="q"),
            AssertionError,
            'Expected strategy to be either "forward-mode" or "reverse-mode".',
        ),
        (
            lambda: F.vhp(square, X, V),
            RuntimeError,
            "The Tensor returned by the function given to vhp should contain a single element",
        ),
        (
            lambda: F.hvp(lambda x: (x, x), X, V),
            RuntimeError,
            "The function given to hvp should return a single Tensor",
        ),
        (
            lambda: F.vjp(square, X),
            RuntimeError,
            "The vector v can only be None if the user-provided function returns a single Tensor with a single element.",
        ),
        (
            lambda: F.jvp(square, X),
            RuntimeError,
            "The vector v can only be None if the input to the user-provided function is a single Tensor with a single "
            "element.",
        ),
        (
            lambda: F.vjp(square, X, torch.ones(3)),
            RuntimeError,
            "v has invalid size: should be torch.Size([2]) but got torch.Size([3]).",
        ),
        (lambda: F.vjp(square, X, (V, V)), RuntimeError, "The given v should contain a single Tensor."),
        (
            lambda: F.vjp(lambda x: (x, x), X, (V, torch.ones(3))),
            RuntimeError,
            "Entry 1 in v has invalid size: should be torch.Size([2]) but got torch.Size([3]).",
        ),
        (
            lambda: F.vjp(lambda x: (x, x), X, (V,)),
            RuntimeError,
            "v is a tuple of invalid length: should be 2 but got 1.",
        ),
    ],
)
def test_messages(call, error, message) -> None:
    with raises(error, message):
        call()


STRICT_OUTPUT = (
    "Output 0 of the user-provided function does not require gradients. The outputs must be computed in a differentiable "
    "manner from the input when running in strict mode."
)
STRICT_JACOBIAN = (
    "While computing the hessian, found that the jacobian of the user-provided function with respect to input 0 is "
    "independent of the input. This is not allowed in strict mode. You should ensure that your function is twice "
    "differentiable and that the jacobian depends on the inputs (this would be violated by a linear function for example)."
)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: F.jacobian(constant, X, strict=True), STRICT_OUTPUT),
        (lambda: F.jacobian(lambda x: x.detach(), X, strict=True), STRICT_OUTPUT),
        (
            lambda: F.jacobian(lambda a, b: a, (X, Y), strict=True),
            "Output 0 of the user-provided function is independent of input 1. This is not allowed in strict mode.",
        ),
        (
            lambda: F.jacobian(lambda a: a * 2, X, strict=True, create_graph=True),
            "The jacobian of the user-provided function is independent of input 0. This is not allowed in strict mode when "
            "create_graph=True.",
        ),
        (lambda: F.vjp(constant, X, Y, strict=True), STRICT_OUTPUT),
        (lambda: F.jvp(constant, X, V, strict=True), STRICT_OUTPUT),
        (lambda: F.hessian(lambda x: (x * 3).sum(), X, strict=True), STRICT_JACOBIAN),
        (lambda: F.hessian(lambda x: Y.sum(), X, strict=True), STRICT_OUTPUT),
        (lambda: F.vhp(lambda x: (x * 2).sum(), X, V, strict=True), STRICT_JACOBIAN),
        (lambda: F.hvp(lambda x: (x * 2).sum(), X, V, strict=True), STRICT_JACOBIAN),
        (lambda: F.hvp(lambda x: Y.sum(), X, V, strict=True), STRICT_OUTPUT),
    ],
)
def test_strict(call, message) -> None:
    with raises(RuntimeError, message):
        call()


# -- hessian and products ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "how", [{}, {"vectorize": True}, {"vectorize": True, "outer_jacobian_strategy": "forward-mode"}]
)
def test_hessian(how) -> None:
    assert F.hessian(cubes, X, **how).tolist() == [[6.0, 0.0], [0.0, 12.0]]
    assert F.hessian(lambda x: (x * 3).sum(), X, **how).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    blocks = F.hessian(lambda a, b: (a**2 * b).sum(), (X, Y), **how)
    assert [[h.tolist() for h in row] for row in blocks] == [
        [[[6.0, 0.0], [0.0, 6.0]], [[2.0], [4.0]]],
        [[[2.0, 4.0]], [[0.0]]],
    ]


@pytest.mark.parametrize(
    ("call", "value", "product"),
    [
        (lambda: F.vjp(square, X, V), [1.0, 4.0], [2.0, 4.0]),
        (lambda: F.vjp(lambda x: x.sum(), X), 3.0, [1.0, 1.0]),
        (lambda: F.vjp(constant, X, Y), [3.0], [0.0, 0.0]),
        (lambda: F.jvp(square, X, V), [1.0, 4.0], [2.0, 4.0]),
        (lambda: F.jvp(lambda x: x * 2, torch.tensor(1.0)), 2.0, 2.0),
        (lambda: F.jvp(constant, X, V), [3.0], [0.0]),
        (lambda: F.vhp(cubes, X, V), 9.0, [6.0, 12.0]),
        (lambda: F.vhp(cubes, torch.tensor(2.0)), 8.0, 12.0),
        (lambda: F.vhp(lambda x: (x * 2).sum(), X, V), 6.0, [0.0, 0.0]),
        (lambda: F.hvp(cubes, X, V), 9.0, [6.0, 12.0]),
        (lambda: F.hvp(lambda x: (x * 2).sum(), X, V), 6.0, [0.0, 0.0]),
    ],
)
def test_products(call, value, product) -> None:
    out, found = call()
    assert out.tolist() == value
    assert found.tolist() == product
    assert not out.requires_grad
    assert not found.requires_grad


@pytest.mark.parametrize("product", [F.vjp, F.jvp])
def test_products_and_create_graph(product) -> None:
    x = X.clone().requires_grad_()
    out, found = product(square, x, V, create_graph=True)
    assert torch.autograd.grad(out.sum(), x, retain_graph=True)[0].tolist() == [2.0, 4.0]
    assert torch.autograd.grad(found.sum(), x)[0].tolist() == [2.0, 2.0]


def test_second_order_products_and_create_graph() -> None:
    x = X.clone().requires_grad_()
    _, found = F.hvp(cubes, x, V, create_graph=True)
    assert torch.autograd.grad(found.sum(), x)[0].tolist() == [6.0, 6.0]
