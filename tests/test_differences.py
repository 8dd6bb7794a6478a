"""Where PyTorch is silently wrong, Wengert raises or is right: each row of docs/differences.md."""

from __future__ import annotations

import gc
import math
import re
import warnings
import weakref

import pytest

import wengert as torch
from test_function import make, once


def leaf(*values: float) -> torch.Tensor:
    return torch.tensor(values, requires_grad=True)


# -- a. a Function that saves an intermediate -----------------------------------------------------------------------


def cube_through_an_intermediate(ctx, x):
    square = x * x
    ctx.save_for_backward(x, square)
    return square * x


@pytest.mark.parametrize("route", ["grad", "backward"])
def test_a_second_derivative_through_a_saved_intermediate_raises(route) -> None:
    F = make(cube_through_an_intermediate, lambda ctx, g: 3 * ctx.saved_tensors[1] * g)
    x = leaf(4.0)
    (g,) = torch.autograd.grad(F.apply(x), x, create_graph=True)
    assert g.tolist() == [48.0]
    with pytest.raises(RuntimeError, match="forward computed from its inputs and saved without returning it"):
        torch.autograd.grad(g, x) if route == "grad" else g.backward()


def test_the_same_for_an_intermediate_kept_as_an_attribute() -> None:
    def forward(ctx, x):
        ctx.square = torch.zeros(1)
        ctx.square.add_(x.detach() * x)
        return ctx.square * x

    F = make(forward, lambda ctx, g: 3 * ctx.square * g)
    x = leaf(4.0)
    (g,) = torch.autograd.grad(F.apply(x), x, create_graph=True)
    with pytest.raises(RuntimeError, match="FBackward: a second derivative was asked for"):
        torch.autograd.grad(g, x)


def test_masks_constants_and_recomputed_values_are_no_mistake() -> None:
    def forward(ctx, x):
        ctx.save_for_backward(x, (x > 0).to(x.dtype), torch.full((1,), 3.0))
        return x**3

    def backward(ctx, g):
        x, mask, three = ctx.saved_tensors
        return three * x * x * mask * g

    x = leaf(4.0)
    (g,) = torch.autograd.grad(make(forward, backward).apply(x), x, create_graph=True)
    assert torch.autograd.grad(g, x)[0].tolist() == [24.0]


def test_once_differentiable_also_raises_where_the_incoming_gradient_is_constant() -> None:
    x, g = once(True)
    with pytest.raises(RuntimeError, match="marked with @once_differentiable"):
        torch.autograd.grad(g, x)


# -- d. a change through .data, detach() or numpy() -----------------------------------------------------------------


def test_a_change_through_detach_is_noticed() -> None:
    x = leaf(1.0)
    y = x.exp()
    y.detach().mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_a_change_through_data_is_noticed() -> None:
    x, w = leaf(1.0), leaf(2.0)
    y = x * w
    w.data.sub_(1)
    assert w._version == 0  # as in PyTorch
    with pytest.raises(RuntimeError, match=r"modified by an inplace operation.* is at version 1; .*through \.data"):
        y.backward()
    (x * w).backward()  # saved after the change
    assert x.grad is not None
    assert x.grad.item() == 1


def test_a_change_through_data_of_data_and_its_views_is_noticed() -> None:
    x = torch.ones(3, requires_grad=True)
    y = x.exp()
    y.data.data[1:].zero_()
    assert y._version == 0
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_a_change_through_data_of_what_was_not_saved_does_no_harm() -> None:
    x, w = leaf(1.0), leaf(2.0)
    y = x + w
    w.data.sub_(1)
    y.backward()
    assert w.grad is not None
    assert w.grad.item() == 1


# -- e. anomalies ---------------------------------------------------------------------------------------------------


def test_anomaly_mode_names_the_first_operation_not_the_last() -> None:
    x = leaf(0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with torch.autograd.detect_anomaly():
            y = x.sqrt() * 0
            with pytest.raises(RuntimeError, match="Function 'SqrtBackward0' returned nan values in its 0th output."):
                y.backward()
            y = (x.sqrt()).exp() * 1
            with pytest.raises(RuntimeError, match="Function 'SqrtBackward0' returned inf values in its 0th output."):
                y.backward()
            with pytest.raises(
                RuntimeError, match="Function 'log' returned nan values in its 0th output, going forward"
            ):
                (x - 1).log()


# -- f. an exception leaves every .grad as it was -------------------------------------------------------------------


@pytest.mark.parametrize("retained", [False, True])
def test_a_failing_backward_leaves_grad_alone(retained) -> None:
    w, x = leaf(1.0), leaf(2.0)
    x.grad = torch.tensor([7.0])
    y = w * 2
    if retained:
        y.retain_grad()

    def fail(g):
        raise ZeroDivisionError

    w.register_hook(fail)
    z = (y + x * 3).sum()
    with pytest.raises(ZeroDivisionError):
        z.backward()
    assert x.grad.tolist() == [7.0]
    assert w.grad is None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert y.grad is None


# -- g. backward(create_graph=True) leaks nothing -------------------------------------------------------------------


def test_create_graph_leaves_no_leak() -> None:
    x = leaf(2.0)
    with pytest.warns(UserWarning, match=re.escape("Using backward() with create_graph=True")):
        (x**3).sum().backward(create_graph=True)
    dead = weakref.ref(x)
    del x
    gc.collect()
    assert dead() is None


# -- others ----------------------------------------------------------------------------------------------------------


def test_a_user_may_have_numpy_warn() -> None:
    import numpy as np

    assert math.isinf((torch.ones(1) / 0).item())
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        np.ones(1) / 0
