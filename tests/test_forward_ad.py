"""Forward mode: dual levels, what is checked, and its composition with reverse mode."""

from __future__ import annotations

import re

import numpy as np
import pytest

import wengert as torch
from wengert import func
from wengert.autograd import forward_ad as fwAD
from wengert.autograd import functional


def raises(error: type[BaseException], message: str):
    """The message must start with (or be) these exact words."""
    return pytest.raises(error, match="^" + re.escape(message))


def test_make_and_unpack() -> None:
    with fwAD.dual_level():
        x = fwAD.make_dual(torch.tensor([2.0]), torch.tensor([1.0]))
        y = x**3
        assert repr(y) == "tensor([8.], tangent=tensor([12.]))"
        unpacked = fwAD.unpack_dual(y)
        assert isinstance(unpacked, fwAD.UnpackedDualTensor)
        assert unpacked.primal.tolist() == [8.0]
        assert unpacked.tangent.tolist() == [12.0]
        assert fwAD.unpack_dual(torch.ones(1)).tangent is None
    assert fwAD.unpack_dual(y).tangent is None
    assert repr(y) == "tensor([8.])"


def test_levels() -> None:
    level = fwAD.enter_dual_level()
    x = fwAD.make_dual(torch.ones(1), torch.ones(1))
    assert fwAD.unpack_dual(x).tangent.tolist() == [1.0]
    with raises(RuntimeError, "Nested forward mode AD is not supported at the moment"):
        fwAD.enter_dual_level()
    fwAD.exit_dual_level(level=level)
    with raises(RuntimeError, "Dual level must be a positive number."):
        fwAD.exit_dual_level()
    with fwAD.dual_level():
        assert fwAD.unpack_dual(x).tangent is None


def test_make_dual_is_checked() -> None:
    with raises(
        RuntimeError, "Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual"
    ):
        fwAD.make_dual(torch.ones(1), torch.ones(1))
    with fwAD.dual_level():
        with raises(ValueError, "Expected primal to be floating point or complex, but got: torch.int64"):
            fwAD.make_dual(torch.ones(1, dtype=torch.int64), torch.ones(1))
        with raises(ValueError, "Expected tangent to be floating point or complex, but got: torch.int64"):
            fwAD.make_dual(torch.ones(1), torch.ones(1, dtype=torch.int64))
        with raises(
            RuntimeError, "Trying to set a forward gradient that has a different size than that of the original"
        ):
            fwAD.make_dual(torch.ones(2), torch.ones(3))
        x = fwAD.make_dual(torch.ones(1), torch.ones(1))
        assert fwAD.unpack_dual(x.detach()).tangent is None
        message = (
            "Making a dual Tensor based on a Tensor that already has a forward gradient at the same level 0 is not"
        )
        with raises(RuntimeError, message):
            fwAD.make_dual(x, torch.ones(1))
        with raises(RuntimeError, "Trying to exit a forward AD level that was not the last one that was created."):
            fwAD.exit_dual_level(level=3)


def test_in_place_views_and_constants() -> None:
    with fwAD.dual_level():
        x = fwAD.make_dual(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 10.0]))
        y = x * 2
        y.mul_(x)
        assert fwAD.unpack_dual(y).tangent.tolist() == [4.0, 80.0]
        assert fwAD.unpack_dual(x[1:] * 3).tangent.tolist() == [30.0]
        assert fwAD.unpack_dual(x > 1).tangent is None


def test_under_no_grad_tangents_go_on() -> None:
    with fwAD.dual_level(), torch.no_grad():
        x = fwAD.make_dual(torch.tensor([2.0]), torch.tensor([1.0]))
        assert fwAD.unpack_dual(x.exp()).tangent.item() == pytest.approx(np.exp(2.0))


def f(x):
    return (x.exp() * x.sin()).sum() + (x**3).prod() + torch.logsumexp(x, 0)


X = torch.tensor([0.5, -0.3, 1.2], dtype=torch.float64)
V = torch.tensor([1.0, 2.0, -1.0], dtype=torch.float64)


def hvp() -> torch.Tensor:
    return functional.hvp(f, X, V)[1]


@pytest.mark.parametrize("route", ["create_graph", "plain", "leaf is dual", "backward"])
def test_forward_over_reverse(route) -> None:
    with fwAD.dual_level():
        if route == "leaf is dual":
            d = fwAD.make_dual(X, V).requires_grad_()
            (g,) = torch.autograd.grad(f(d), d)
        elif route == "backward":
            p = X.clone().requires_grad_()
            f(fwAD.make_dual(p, V)).backward()
            g = p.grad
        else:
            p = X.clone().requires_grad_()
            (g,) = torch.autograd.grad(f(fwAD.make_dual(p, V)), p, create_graph=route == "create_graph")
        tangent = fwAD.unpack_dual(g).tangent
    assert torch.allclose(tangent, hvp(), rtol=1e-12)


def test_reverse_over_forward() -> None:
    p = X.clone().requires_grad_()
    with fwAD.dual_level():
        tangent = fwAD.unpack_dual(f(fwAD.make_dual(p, V))).tangent
    (g,) = torch.autograd.grad(tangent, p)
    assert torch.allclose(g, hvp(), rtol=1e-12)


def by_vmap_over_grad(fn, x):
    p = x.clone().requires_grad_()
    (g,) = torch.autograd.grad(fn(p), p, create_graph=True)
    return func.vmap(lambda v: torch.autograd.grad(g, p, v, retain_graph=True)[0])(torch.eye(3, dtype=x.dtype))


ROUTES = {
    "reverse over reverse": lambda fn, x: func.jacrev(func.jacrev(fn))(x),
    "forward over reverse": lambda fn, x: func.jacfwd(func.jacrev(fn))(x),
    "reverse over forward": lambda fn, x: func.jacrev(func.jacfwd(fn))(x),
    "forward over forward": lambda fn, x: func.jacfwd(func.jacfwd(fn))(x),
    "functional.hessian": functional.hessian,
    "functional.hessian, forward": lambda fn, x: functional.hessian(
        fn, x, vectorize=True, outer_jacobian_strategy="forward-mode"
    ),
    "func.hessian": lambda fn, x: func.hessian(fn)(x),
    "vmap over grad": by_vmap_over_grad,
}


@pytest.mark.parametrize("route", ROUTES)
def test_all_routes_lead_to_one_hessian(route) -> None:
    eps = 1e-5
    rows = []
    for i in range(3):
        step = torch.zeros(3, dtype=torch.float64)
        step[i] = eps
        rows.append((functional.vjp(f, X + step)[1] - functional.vjp(f, X - step)[1]) / (2 * eps))
    numeric = torch.stack(rows)
    found = ROUTES[route](f, X)
    assert torch.allclose(found, numeric, atol=1e-8)
    assert torch.allclose(found, functional.hessian(f, X), rtol=1e-10, atol=1e-12)


def test_out_does_not_go_with_tangents() -> None:
    with (
        fwAD.dual_level(),
        pytest.raises(NotImplementedError, match="^Trying to use forward AD with add_out that does"),
    ):
        torch.add(fwAD.make_dual(torch.ones(2), torch.ones(2)), 1, out=torch.zeros(2))


def pushed(f, x, xt, y, yt):
    return [t.tolist() for t in func.jvp(f, (x, y), (xt, yt))[1]]


def test_tangents_follow_changes_in_place_through_views() -> None:
    def view_changed(x, y):
        v = x[:, ::2]
        v.copy_(y)
        return v, x

    def base_changed(x, y):
        v = x[0, ::2]
        x.mul_(0).add_(y)
        return x, v

    def made_inside(x, y):
        x = torch.zeros(2, 2)
        v, w = x[0], x[:, 1]
        v.copy_(y)
        return v, x, w

    one, three = torch.ones(2, 4), torch.full((2, 4), 3.0)
    half = torch.full((2, 2), 3.0)
    assert pushed(view_changed, one.clone(), one.clone(), half.clone(), half) == [[[3, 3]] * 2, [[3, 1, 3, 1]] * 2]
    assert pushed(base_changed, one.clone(), one.clone(), three.clone(), three) == [[[3] * 4] * 2, [3, 3]]
    row = torch.tensor([5.0, 6.0])
    assert pushed(made_inside, one, one, row, row) == [[5, 6], [[5, 6], [0, 0]], [6, 0]]
    assert half.tolist() == [[3] * 2] * 2
    assert three.tolist() == [[3] * 4] * 2
    assert row.tolist() == [5, 6]


def test_tangents_in_place_under_vmap() -> None:
    def f(x, y):
        v = x[0, ::2]
        x.copy_(y)
        return x, v

    x, xt = torch.zeros(3, 2, 4), torch.zeros(3, 2, 4)
    y = torch.arange(24.0).reshape(3, 2, 4)
    _, (by_x, by_v) = torch.vmap(lambda x, xt, y, yt: func.jvp(f, (x, y), (xt, yt)))(x, xt, y, y * 2)
    assert by_x.tolist() == (y * 2).tolist()
    assert by_v.tolist() == (y * 2)[:, 0, ::2].tolist()


# -- Note [Tangents lie as their primals do] ---------------------------------------------------------------------


def test_a_change_in_place_of_a_dual_changes_the_tangent_that_was_given() -> None:
    x, t = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 1.0, 2.0])
    with fwAD.dual_level():
        dual = fwAD.make_dual(x, t)
        part = dual[1:]
        dual.mul_(3)
        assert t.tolist() == [3, 3, 6]
        assert fwAD.unpack_dual(part).tangent.tolist() == [3, 6]
        part += part  # a view writes to the same memory
        assert t.tolist() == [3, 6, 12]
        assert x.tolist() == [3, 12, 18]
        assert fwAD.unpack_dual(dual).tangent is t


def test_a_result_has_a_tangent_of_its_own() -> None:
    t = torch.ones(2)
    with fwAD.dual_level():
        dual = fwAD.make_dual(torch.zeros(2), t)
        shifted = dual + 1  # the tangents are equal numbers, not the same memory
        shifted.mul_(5)
        assert fwAD.unpack_dual(shifted).tangent.tolist() == [5, 5]
        assert t.tolist() == [1, 1]


def test_a_tangent_that_requires_grad_is_replaced_not_changed() -> None:
    t = torch.ones(2, requires_grad=True)
    with fwAD.dual_level():
        dual = fwAD.make_dual(torch.ones(2), t)
        dual.mul_(4)
        moved = fwAD.unpack_dual(dual).tangent
    assert t.tolist() == [1, 1]
    assert torch.autograd.grad(moved.sum(), t)[0].tolist() == [4, 4]


def test_tangents_are_laid_out_as_their_primals() -> None:
    whole = torch.arange(6.0)
    x, t = whole[1:5].view(2, 2).t().detach(), torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    with fwAD.dual_level():
        dual = fwAD.make_dual(x, t)
        laid = fwAD.unpack_dual(dual).tangent
        assert laid.stride() == (1, 2)
        assert laid.storage_offset() == 1
        assert len(laid.storage()) == 6
        read = dual.as_strided((3,), (2,), 0)  # memory around the view has the tangent 0
        assert fwAD.unpack_dual(read).primal.tolist() == [0, 2, 4]
        assert fwAD.unpack_dual(read).tangent.tolist() == [0, 3, 4]
        assert torch.autograd.grad(laid[0].sum(), t)[0].tolist() == [[1, 1], [0, 0]]
        alike = torch.full((2, 2), 2.0).t()
        assert fwAD.unpack_dual(fwAD.make_dual(torch.zeros(2, 2).t(), alike)).tangent is alike


def test_what_is_copied_into_a_view_gives_the_base_a_tangent_of_its_layout() -> None:
    base, x, t = torch.zeros(2, 3), torch.ones(3, 2), torch.arange(6.0).reshape(3, 2)
    view, row = base.t(), base[0]
    with fwAD.dual_level():
        view.copy_(fwAD.make_dual(x, t))
        of_base, of_view = fwAD.unpack_dual(base).tangent, fwAD.unpack_dual(view).tangent
        assert of_view._base is of_base
        assert of_base.tolist() == t.t().tolist()
        row.mul_(10)
        assert of_view.tolist() == [[0, 1], [20, 3], [40, 5]]
        assert t.tolist() == [[0, 1], [2, 3], [4, 5]]


def test_tangents_of_a_batch_that_share_memory_still_do_outside_vmap() -> None:
    base = torch.zeros(2, 2)
    view = base.t()

    def jvp(t):
        with fwAD.dual_level():
            x = fwAD.make_dual(torch.ones(2, 2), t)
            view.copy_(x)
            return fwAD.unpack_dual(x)[1], fwAD.unpack_dual(view)[1], fwAD.unpack_dual(base)[1]

    t = torch.arange(12.0).reshape(3, 2, 2)
    of_x, of_view, of_base = torch.vmap(jvp)(t)
    assert of_x is t
    assert of_view._base is of_base
    assert of_view.tolist() == t.tolist()
    assert of_base.tolist() == t.mT.tolist()
    twice = torch.vmap(lambda a: (lambda b: (b, b))(a * 2))(t)
    assert twice[0] is twice[1]


def test_an_expanded_tensor_may_have_a_tangent_with_memory_of_its_own() -> None:
    t = torch.tensor([1.0, 2.0, 3.0])
    with fwAD.dual_level():
        dual = fwAD.make_dual(torch.ones(1).expand(3), t)
        assert fwAD.unpack_dual(dual).tangent is t
        assert fwAD.unpack_dual(dual * 2).tangent.tolist() == [2, 4, 6]


def test_a_tangent_of_another_precision_becomes_the_primals() -> None:
    primal = torch.ones(2, dtype=torch.float64)
    with fwAD.dual_level():
        dual = fwAD.make_dual(primal, torch.full((2,), 0.5))
        assert fwAD.unpack_dual(dual * 3).tangent.tolist() == [1.5, 1.5]
        with pytest.raises(RuntimeError, match="Expected tangent to have the same dtype as primal"):
            fwAD.make_dual(primal, torch.ones(2, dtype=torch.complex128))
