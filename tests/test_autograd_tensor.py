"""What a Tensor is to autograd: flags, `.grad`, hooks, versions, views, detaching and copies."""

from __future__ import annotations

import copy
import pickle
import re
import subprocess
import sys
import warnings

import numpy as np
import pytest

import wengert as torch


def leaf(*values: float) -> torch.Tensor:
    return torch.tensor(values, requires_grad=True)


def raises(error: type[BaseException], message: str):
    """The message must start with (or be) these exact words."""
    return pytest.raises(error, match="^" + re.escape(message))


# -- requires_grad and is_leaf ---------------------------------------------------------------------------------


def test_requires_grad_is_false_by_default_and_spreads_to_results() -> None:
    a, b = torch.tensor([1.0]), leaf(1.0)
    assert not a.requires_grad
    assert not (a + a).requires_grad
    assert (a + b).requires_grad
    with torch.no_grad():
        assert not (a + b).requires_grad


def test_factories_honour_requires_grad_inside_no_grad() -> None:
    with torch.no_grad():
        for made in (
            torch.ones(2, requires_grad=True),
            torch.zeros(2, requires_grad=True),
            torch.tensor([1.0], requires_grad=True),
            torch.randn(2, requires_grad=True),
        ):
            assert made.requires_grad
            assert made.is_leaf


def test_integers_cannot_require_grad() -> None:
    with raises(RuntimeError, "Only Tensors of floating point and complex dtype can require gradients"):
        torch.tensor([1, 2], requires_grad=True)
    with raises(RuntimeError, "only Tensors of floating point dtype can require gradients"):
        torch.tensor([1, 2]).requires_grad_()
    with raises(RuntimeError, "only Tensors of floating point and complex dtype can require gradients"):
        torch.tensor([1, 2]).requires_grad = True


def test_requires_grad_of_a_result_cannot_be_turned_off() -> None:
    y = leaf(1.0) * 2
    message = (
        "you can only change requires_grad flags of leaf variables. If you want to use a computed variable in a "
        "subgraph that doesn't require differentiation use var_no_grad = var.detach()."
    )
    with raises(RuntimeError, message):
        y.requires_grad = False
    with raises(RuntimeError, message):
        y.requires_grad_(False)
    assert y.requires_grad_(True) is y
    assert y.grad_fn is not None


def test_is_leaf() -> None:
    x = leaf(1.0)
    y = x * 2
    assert x.is_leaf
    assert not y.is_leaf
    assert y.detach().is_leaf
    assert torch.tensor([1.0]).is_leaf
    assert (torch.tensor([1.0]) + 1).is_leaf
    with torch.no_grad():
        assert (x * 2).is_leaf
    assert all(t.is_leaf == (t.grad_fn is None) for t in (x, y, y.detach()))


# -- grad ------------------------------------------------------------------------------------------------------


def test_grad_is_none_until_reached() -> None:
    x, other = leaf(1.0, 2.0), leaf(3.0)
    assert x.grad is None
    (x * x).sum().backward()
    assert x.grad.tolist() == [2.0, 4.0]
    assert other.grad is None


def test_reading_grad_of_a_non_leaf_warns() -> None:
    x = leaf(1.0)
    y = x * 2
    with pytest.warns(UserWarning, match="The .grad attribute of a Tensor that is not a leaf Tensor is being accessed"):
        assert y.grad is None
    y.retain_grad()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert y.grad is None


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (
            lambda x: torch.ones(2),
            RuntimeError,
            "attempting to assign a gradient of size '[2]' to a tensor of size '[3]'. Please ensure that the gradient "
            "and the tensor are the same size",
        ),
        (
            lambda x: torch.ones(3, dtype=torch.float64),
            RuntimeError,
            "attempting to assign a gradient with dtype 'double' to a tensor with grad_dtype 'Float'. The gradient must "
            "match the tensor's grad_dtype (defaults to the tensor's dtype).",
        ),
        (lambda x: x, RuntimeError, "can't assign Variable as its own grad"),
        (lambda x: 1.0, TypeError, "assigned grad expected to be a Tensor or None but got grad of type float"),
    ],
)
def test_assigning_grad_is_checked(value, error, message) -> None:
    x = torch.ones(3, requires_grad=True)
    with raises(error, message):
        x.grad = value(x)
    assert x.grad is None
    g = torch.ones(3)
    x.grad = g
    assert x.grad is g
    x.grad = None
    assert x.grad is None


def test_grad_dtype() -> None:
    x = leaf(1.0, 2.0)
    assert x.grad_dtype is torch.float32
    x.grad_dtype = torch.float64
    (x * 2).sum().backward()
    assert x.grad.dtype is torch.float64
    z = leaf(1.0)
    z.grad_dtype = None
    z.grad = torch.ones(1, dtype=torch.float64)
    assert z.grad.dtype is torch.float64
    with raises(RuntimeError, "grad_dtype can only be set on leaf tensors."):
        (x * 2).grad_dtype = torch.float64


def test_grad_fn_and_how_it_prints() -> None:
    x = leaf(1.0)
    y = x * 2
    assert x.grad_fn is None
    assert re.match(r"<MulBackward0 object at 0x[0-9a-f]+>", repr(y.grad_fn))
    assert repr(y) == "tensor([2.], grad_fn=<MulBackward0>)"
    assert repr(x) == "tensor([1.], requires_grad=True)"
    with pytest.raises(AttributeError):
        y.grad_fn = None


def test_output_nr_counts_the_outputs_of_one_node() -> None:
    parts = leaf(1.0, 2.0, 3.0).unbind()
    assert [p.output_nr for p in parts] == [0, 1, 2]
    assert len({id(p.grad_fn) for p in parts}) == 1
    values, indices = leaf(1.0, 2.0).max(0)
    assert values.output_nr == 0
    assert indices.grad_fn is None


# -- versions, views, data, detach -----------------------------------------------------------------------------


def test_version_counts_changes_in_place_of_all_aliases() -> None:
    x = torch.ones(3)
    assert x._version == 0
    x.add_(1)
    v = x[1:]
    v.mul_(2)
    assert x._version == v._version == 2
    d = x.detach()
    d.add_(1)
    assert x._version == 3
    x.data.add_(1)
    assert x._version == 3
    x[0] = 5.0
    assert x._version == d._version == 4


def test_inference_tensors_have_no_version() -> None:
    with torch.inference_mode():
        t = torch.ones(2)
    with raises(RuntimeError, "Inference tensors do not track version counter."):
        t._version


def test_base_is_the_root_of_views() -> None:
    x = torch.ones(4)
    v = x[1:]
    w = v[1:]
    assert not x._is_view()
    assert x._base is None
    assert v._is_view()
    assert v._base is x
    assert w._base is x
    assert (x + 1)._base is None


def test_data_is_an_alias_without_version() -> None:
    x = leaf(1.0, 2.0)
    d = x.data
    assert not d.requires_grad
    d[0] = 7.0
    assert x.tolist() == [7.0, 2.0]
    assert x._version == 0
    x.data = torch.zeros(2, 2)
    assert x.shape == (2, 2)
    assert x._version == 0
    message = "data set to a tensor that requires gradients must be floating point or complex dtype"
    with raises(RuntimeError, message):
        x.data = torch.tensor([1])


def test_gradient_after_data_has_another_shape() -> None:
    x = leaf(1.0, 2.0)
    (x * x).sum().backward()
    x.data = torch.full((2, 2), 3.0)
    x.grad = None
    (x * x).sum().backward()
    assert x.grad.tolist() == [[6.0, 6.0], [6.0, 6.0]]


def test_detach_shares_memory_and_changes_are_noticed() -> None:
    x = leaf(1.0, 2.0)
    y = x.exp()
    d = y.detach()
    assert not d.requires_grad
    assert d.data_ptr() == y.data_ptr()
    d.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_detach_in_place() -> None:
    x = leaf(1.0, 2.0)
    y = x * 2
    assert y.detach_() is y
    assert y.is_leaf
    assert not y.requires_grad
    with raises(RuntimeError, "Can't detach views in-place. Use detach() instead."):
        (x * 2)[0:1].detach_()


# -- retain_grad -----------------------------------------------------------------------------------------------


def test_retain_grad() -> None:
    x = leaf(1.0)
    x.retain_grad()
    assert not x.retains_grad
    y = x * 3
    assert not y.retains_grad
    y.retain_grad()
    y.retain_grad()
    assert y.retains_grad
    z = y.sum()
    z.backward(retain_graph=True)
    assert y.grad.tolist() == [1.0]
    z.backward()
    assert y.grad.tolist() == [2.0]
    with raises(RuntimeError, "can't retain_grad on Tensor that has requires_grad=False"):
        torch.ones(1).retain_grad()


def test_retain_grad_follows_changes_in_place() -> None:
    x = leaf(1.0)
    y = x * 3
    y.retain_grad()
    y.mul_(5)
    assert y.retains_grad
    (y * 7).sum().backward()
    assert y.grad.tolist() == [7.0]
    assert x.grad.tolist() == [105.0]


def test_retained_gradient_is_after_tensor_hooks_and_before_node_prehooks() -> None:
    x = leaf(1.0)
    y = x * 2
    y.grad_fn.register_prehook(lambda g: (g[0] * 100,))
    y.retain_grad()
    y.register_hook(lambda g: g * 10)
    y.backward()
    assert y.grad.tolist() == [10.0]
    assert x.grad.tolist() == [2000.0]


# -- hooks -----------------------------------------------------------------------------------------------------


def test_hooks_run_in_order_and_replace_the_gradient() -> None:
    x = leaf(1.0)
    seen = []
    x.register_hook(lambda g: seen.append(("a", g.item())))
    x.register_hook(lambda g: g * 2)
    handle = x.register_hook(lambda g: seen.append(("c", g.item())))
    (x * 3).sum().backward()
    assert seen == [("a", 3.0), ("c", 6.0)]
    assert x.grad.tolist() == [6.0]
    handle.remove()
    seen.clear()
    (x * 3).sum().backward()
    assert seen == [("a", 3.0)]


def test_a_hook_may_remove_itself() -> None:
    x = leaf(1.0)
    calls = []

    def once(g):
        calls.append(1)
        handle.remove()

    handle = x.register_hook(once)
    (x * 2).sum().backward()
    (x * 2).sum().backward()
    assert calls == [1]


def test_hook_needs_a_gradient() -> None:
    with raises(RuntimeError, "cannot register a hook on a tensor that doesn't require gradient"):
        torch.ones(1).register_hook(lambda g: g)


@pytest.mark.parametrize("on_leaf", [True, False])
@pytest.mark.parametrize(
    ("returned", "error", "message"),
    [
        (lambda g: 3, TypeError, "expected Variable, but hook returned 'int'"),
        (lambda g: torch.ones(5), RuntimeError, "hook '<lambda>' has changed the size of value"),
        (
            lambda g: g.double(),
            RuntimeError,
            "hook '<lambda>' has changed the type of value (was torch.FloatTensor got torch.DoubleTensor)",
        ),
    ],
)
def test_what_a_hook_returns_is_checked(on_leaf, returned, error, message) -> None:
    x = leaf(1.0, 2.0)
    y = x * 2
    (x if on_leaf else y).register_hook(returned)
    with raises(error, message):
        y.sum().backward()


def test_hooks_around_a_change_in_place() -> None:
    x = leaf(1.0)
    y = x * 2
    seen = []
    y.register_hook(lambda g: seen.append(("old", g.item())))
    y.mul_(10)
    y.register_hook(lambda g: seen.append(("new", g.item())))
    (y * 3).sum().backward()
    assert seen == [("new", 3.0), ("old", 30.0)]


def test_hook_of_a_leaf_used_often_fires_once_with_the_total() -> None:
    x = torch.ones(2, requires_grad=True)
    seen = []
    x.register_hook(lambda g: seen.append(g.tolist()))
    (x * x + x).sum().backward()
    assert seen == [[3.0, 3.0]]


def test_hooks_run_under_grad_and_change_its_result() -> None:
    x = leaf(1.0)
    y = x * 2
    x.register_hook(lambda g: g * 10)
    y.register_hook(lambda g: g * 100)
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == [2000.0]
    assert x.grad is None
    z = x * 2
    z.register_hook(lambda g: g * 5)
    assert torch.autograd.grad(z.sum(), z)[0].tolist() == [5.0]


def test_a_hook_may_register_another_in_the_same_pass() -> None:
    x = leaf(1.0)
    y = x * 2
    z = y * 3
    seen = []
    z.register_hook(lambda g: y.register_hook(lambda h: seen.append(h.item())) and None)
    z.sum().backward()
    assert seen == [3.0]


def test_post_accumulate_hooks() -> None:
    x = leaf(1.0)
    seen = []

    def step(p):
        seen.append(p.grad.item())
        p.grad = None

    x.register_post_accumulate_grad_hook(step)
    (x * 3).sum().backward()
    assert seen == [3.0]
    assert x.grad is None
    torch.autograd.grad((x * 3).sum(), x)
    assert seen == [3.0]
    with raises(RuntimeError, "post accumulate grad hooks cannot be registered on non-leaf tensors"):
        (x * 2).register_post_accumulate_grad_hook(step)
    z = leaf(1.0)
    z.register_post_accumulate_grad_hook(lambda p: 1)
    with raises(TypeError, "expected Variable, but hook returned 'int'"):
        (z * 2).sum().backward()
    z = leaf(1.0)
    z.register_post_accumulate_grad_hook(lambda p: p.grad)
    with raises(RuntimeError, "Tensor post accumulate grad hooks should return None."):
        (z * 2).sum().backward()


def test_a_hook_sees_grad_mode_of_the_pass() -> None:
    x = leaf(1.0)
    seen = []
    x.register_hook(lambda g: seen.append(torch.is_grad_enabled()))
    (x * 2).sum().backward()
    torch.autograd.grad((x * 2).sum(), x, create_graph=True)
    assert seen == [False, True]


# -- to NumPy and Python ---------------------------------------------------------------------------------------


def test_numpy_refuses_what_requires_grad() -> None:
    x = leaf(1.0)
    message = "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead."
    with raises(RuntimeError, message):
        x.numpy()
    with raises(RuntimeError, message):
        np.array(x)
    with raises(RuntimeError, message):
        np.sin(x)
    assert x.detach().numpy().tolist() == [1.0]
    assert x.numpy(force=True).tolist() == [1.0]


def test_float_of_what_requires_grad_warns_once_in_a_process() -> None:
    code = (
        f"import warnings, {torch.__name__} as torch\n"
        "x = torch.ones((), requires_grad=True)\n"
        "with warnings.catch_warnings(record=True) as seen:\n"
        "    warnings.simplefilter('always')\n"
        "    float(x); float(x); x.item()\n"
        "print(len(seen), str(seen[0].message).splitlines()[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == (
        "1 Converting a tensor with requires_grad=True to a scalar may lead to unexpected behavior."
    )


# -- copies ----------------------------------------------------------------------------------------------------


def test_deepcopy_copies_a_leaf_with_its_grad() -> None:
    x = leaf(1.0, 2.0)
    (x * x).sum().backward()
    c = copy.deepcopy(x)
    assert c.requires_grad
    assert c.is_leaf
    assert c.grad.tolist() == [2.0, 4.0]
    assert c.grad is not x.grad
    with torch.no_grad():
        c.add_(1)
    assert x.tolist() == [1.0, 2.0]
    with raises(
        RuntimeError, "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol"
    ):
        copy.deepcopy(x * 2)


def test_pickle_keeps_requires_grad() -> None:
    x = pickle.loads(pickle.dumps(leaf(1.0, 2.0)))
    assert x.requires_grad
    assert x.is_leaf
    assert x.tolist() == [1.0, 2.0]
    assert not pickle.loads(pickle.dumps(torch.ones(2))).requires_grad


def test_clone_to_and_contiguous() -> None:
    x = leaf(1.0, 2.0)
    c = x.clone()
    assert c.grad_fn.name() == "CloneBackward0"
    assert c.data_ptr() != x.data_ptr()
    (c * 3).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]
    assert x.contiguous() is x
    assert x.to(torch.float32) is x
    assert x.to(torch.float64).grad_fn.name() == "ToCopyBackward0"


def test_tensor_of_a_tensor_detaches_and_warns() -> None:
    x = leaf(1.0)
    with pytest.warns(UserWarning, match="To copy construct from a tensor, it is recommended to use"):
        c = torch.tensor(x)
    assert not c.requires_grad
    assert c.data_ptr() != x.data_ptr()


def test_copy_in_place_is_recorded() -> None:
    x = leaf(1.0, 2.0)
    b = torch.zeros(2)
    b.copy_(x)
    assert b.grad_fn.name() == "torch::autograd::CopyBackwards"
    assert "grad_fn=<CopyBackwards>" in repr(b)
    (b * 3).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_each_gradient_has_the_dtype_and_shape_of_its_input() -> None:
    h = torch.ones(2, dtype=torch.float16, requires_grad=True)
    d = torch.ones(3, 2, dtype=torch.float64, requires_grad=True)
    out = h * d
    assert out.dtype is torch.float64
    out.sum().backward()
    assert h.grad.dtype is torch.float16
    assert h.grad.tolist() == [3.0, 3.0]
    assert d.grad.dtype is torch.float64
    assert d.grad.shape == (3, 2)
