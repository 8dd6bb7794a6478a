"""Checkpointing: the same gradients for less memory, and an error where the second run is not like the first."""

from __future__ import annotations

import gc
import re
import warnings
import weakref

import pytest

import wengert as torch
from wengert.utils.checkpoint import (
    CheckpointError,
    CheckpointPolicy,
    GraphExecGroup,
    checkpoint,
    checkpoint_sequential,
    create_selective_checkpoint_contexts,
    set_checkpoint_debug_enabled,
    set_checkpoint_early_stop,
)

forms = pytest.mark.parametrize("reentrant", [True, False], ids=["reentrant", "not"])


def leaf(*values: float) -> torch.Tensor:
    return torch.tensor(values, requires_grad=True)


def toggling(first, then):
    """A function that is another one from its second call on."""
    calls = []

    def fn(x):
        calls.append(1)
        return (first if len(calls) == 1 else then)(x)

    return fn


# -- what it does ----------------------------------------------------------------------------------------------------


@forms
def test_gradients_are_the_same_and_the_function_runs_twice(reentrant) -> None:
    calls = []

    def f(x, k, y):
        calls.append(k)
        return (x * y).exp() * k + x.sin(), y * 2

    x, y = leaf(0.5, 1.0), leaf(1.5, -1.0)
    a, b = f(x, 3, y)
    expected = torch.autograd.grad((a.sum() + b.sum()), (x, y))
    calls.clear()
    a, b = checkpoint(f, x, 3, y, use_reentrant=reentrant)
    (a.sum() + b.sum()).backward()
    assert calls == [3, 3]
    assert torch.allclose(x.grad, expected[0])
    assert torch.allclose(y.grad, expected[1])


def test_nothing_but_the_arguments_is_kept() -> None:
    kept = []

    def f(x):
        y = x.exp()
        kept.append(weakref.ref(y))
        return y.sin() * 2

    out = checkpoint(f, leaf(1.0, 2.0), use_reentrant=False)
    assert kept[0]() is None
    out.sum().backward()
    gc.collect()
    assert all(ref() is None for ref in kept)


def test_keywords_structures_and_what_is_closed_over() -> None:
    w = leaf(2.0, 3.0)

    def f(inputs, *, scale):
        return {"out": [inputs["x"] * w * scale]}

    x = leaf(1.0, 1.0)
    checkpoint(f, {"x": x}, scale=5.0, use_reentrant=False)["out"][0].sum().backward()
    assert x.grad.tolist() == [10.0, 15.0]
    assert w.grad.tolist() == [5.0, 5.0]


def test_grad_and_inputs_work_without_reentering_only() -> None:
    x = leaf(0.5)
    f = lambda x: x.exp().sin()
    (g,) = torch.autograd.grad(checkpoint(f, x, use_reentrant=False).sum(), x)
    checkpoint(f, x, use_reentrant=False).sum().backward(inputs=[x])
    assert x.grad.item() == g.item()
    message = (
        "When use_reentrant=True, torch.utils.checkpoint is incompatible with .grad() or passing an `inputs` parameter"
    )
    with pytest.raises(RuntimeError, match="^" + re.escape(message)):
        torch.autograd.grad(checkpoint(f, x, use_reentrant=True).sum(), x)
    with pytest.raises(RuntimeError, match="^" + re.escape(message)):
        checkpoint(f, x, use_reentrant=True).sum().backward(inputs=[x])
    checkpoint(f, x, use_reentrant=True).sum().backward()


def test_second_derivatives() -> None:
    x = leaf(0.5, 1.5)
    out = checkpoint(lambda x: (x**3).sin(), x, use_reentrant=False).sum()
    (g,) = torch.autograd.grad(out, x, create_graph=True)
    (h,) = torch.autograd.grad(g.sum(), x)
    (g1,) = torch.autograd.grad((x**3).sin().sum(), x, create_graph=True)
    assert torch.allclose(h, torch.autograd.grad(g1.sum(), x)[0])


def test_checkpoints_nest() -> None:
    calls = []

    def inner(x):
        calls.append("inner")
        return x.exp().sin()

    def outer(x):
        calls.append("outer")
        return checkpoint(inner, x.cos(), use_reentrant=False) * x

    x = leaf(0.3, 0.7)
    checkpoint(outer, x, use_reentrant=False).sum().backward()
    expected = torch.autograd.grad((x.cos().exp().sin() * x).sum(), x)[0]
    assert torch.allclose(x.grad, expected)
    assert calls.count("outer") == 2
    assert calls.count("inner") == 3


def test_under_no_grad_it_is_just_the_function() -> None:
    with torch.no_grad():
        assert not checkpoint(lambda x: x * 2, leaf(1.0), use_reentrant=False).requires_grad


@forms
def test_random_numbers_are_the_same(reentrant) -> None:
    x = leaf(*([1.0] * 20))
    masks = []

    def f(x):
        mask = torch.rand(20)
        masks.append(mask)
        return x * x * mask

    torch.manual_seed(0)
    out = checkpoint(f, x, use_reentrant=reentrant)
    after = torch.rand(3)
    out.sum().backward()
    assert torch.equal(masks[0], masks[1])
    assert torch.equal(x.grad, 2 * masks[0])
    torch.manual_seed(0)
    torch.rand(20)
    assert torch.equal(after, torch.rand(3))
    later = torch.rand(3)
    torch.manual_seed(0)
    out = checkpoint(f, x, use_reentrant=reentrant)
    torch.rand(3)
    out.sum().backward()
    assert torch.equal(later, torch.rand(3))  # recomputing has drawn nothing


def test_each_access_outside_backward_computes_again() -> None:
    calls = []

    def f(a):
        calls.append(1)
        return (a * a).exp()

    a = leaf(0.5, 1.0)
    d = checkpoint(f, a, use_reentrant=False)
    assert torch.equal(d.grad_fn._saved_result, d.detach())
    assert d.grad_fn._saved_result.shape == (2,)
    assert len(calls) == 3
    d.sum().backward()
    assert len(calls) == 4
    with pytest.raises(RuntimeError, match="after they have already been freed"):
        _ = d.grad_fn._saved_result


def test_sequential() -> None:
    calls = []

    def step(i):
        def f(x):
            calls.append(i)
            return (x * (i + 1)).sin()

        return f

    steps = [step(i) for i in range(5)]
    x = leaf(0.4, 0.8)
    y = x
    for s in steps:
        y = s(y)
    expected = torch.autograd.grad(y.sum(), x)[0]
    calls.clear()
    out = checkpoint_sequential(steps, 2, x, use_reentrant=False)
    assert calls == [0, 1, 2, 3, 4]
    out.sum().backward()
    assert calls == [0, 1, 2, 3, 4, 0, 1]  # the last segment is not checkpointed
    assert torch.allclose(x.grad, expected)


def test_context_fn() -> None:
    seen = []

    class Mark:
        def __init__(self, name):
            self.name = name

        def __enter__(self):
            seen.append(self.name)

        def __exit__(self, *exc):
            seen.append("-" + self.name)

    x = leaf(1.0)
    out = checkpoint(lambda x: x.exp(), x, use_reentrant=False, context_fn=lambda: (Mark("first"), Mark("second")))
    assert seen == ["first", "-first"]
    out.sum().backward()
    assert seen == ["first", "-first", "second", "-second"]


def test_graph_exec_group_computes_once_for_several_passes() -> None:
    calls = []

    def f(x):
        calls.append(1)
        y = x.sin().cos()
        return y, y.sin().cos()

    def run() -> torch.Tensor:
        x = leaf(0.5, 1.5)
        y, z = checkpoint(f, x, use_reentrant=False)
        (gy,) = torch.autograd.grad(z, y, torch.ones(2))
        return torch.autograd.grad(y, x, gy)[0]

    with GraphExecGroup():
        once = run()
    assert len(calls) == 2
    calls.clear()
    assert torch.equal(run(), once)
    assert len(calls) == 3
    out = checkpoint(lambda x: x.sin().cos(), leaf(0.5), use_reentrant=False).sum()
    with GraphExecGroup():
        out.backward(retain_graph=True)
        with pytest.raises(RuntimeError, match="Performing two backward calls that overlap"):
            out.backward()
        with pytest.raises(RuntimeError, match="GraphExecGroup contexts cannot be nested"):
            GraphExecGroup().__enter__()


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_arguments_are_checked() -> None:
    x = leaf(1.0)
    f = lambda x: x * 2
    with pytest.warns(
        UserWarning, match=re.escape("torch.utils.checkpoint: the use_reentrant parameter should be passed")
    ):
        checkpoint(f, x)
    with pytest.warns(
        UserWarning, match="checkpoint_sequential: the use_reentrant parameter should be passed explicitly"
    ):
        checkpoint_sequential([f, f], 2, x)
    with pytest.raises(ValueError, match="^Unexpected keyword arguments: k"):
        checkpoint(f, x, use_reentrant=True, k=1)
    with pytest.raises(ValueError, match="^Passing `context_fn` or `debug` is only supported when use_reentrant=False"):
        checkpoint(f, x, use_reentrant=True, debug=True)
    with pytest.raises(ValueError, match="^determinism_check should be one of"):
        checkpoint(f, x, use_reentrant=False, determinism_check="all")
    with pytest.warns(UserWarning, match="None of the inputs have requires_grad=True. Gradients will be None"):
        checkpoint(f, torch.ones(1), use_reentrant=True)


def test_an_output_outside_the_graph_makes_reentering_pointless() -> None:
    x = leaf(1.0)

    def f(x):
        with torch.no_grad():
            return x * 2

    out = checkpoint(f, x, use_reentrant=True) + x
    with pytest.raises(RuntimeError, match="^none of output has requires_grad=True, this checkpoint"):
        out.sum().backward()
    (checkpoint(f, x, use_reentrant=False) + x).sum().backward()
    assert x.grad.tolist() == [1.0]


def test_an_argument_changed_in_place_is_noticed() -> None:
    x = leaf(1.0) * 1
    out = checkpoint(lambda x: x.exp().sin(), x, use_reentrant=False)
    x.mul_(2)
    with pytest.raises(RuntimeError, match="has been modified by an inplace operation"):
        out.sum().backward()


def test_saved_tensors_can_be_unpacked_once_only() -> None:
    class F(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            with pytest.raises(
                RuntimeError, match="Unpack is being triggered for a tensor that was already unpacked once"
            ):
                _ = ctx.saved_tensors
            return 2 * x * g

    x = leaf(3.0)
    checkpoint(lambda x: F.apply(x * 1), x, use_reentrant=False).sum().backward()
    assert x.grad.tolist() == [6.0]


@pytest.mark.parametrize(
    ("first", "then", "early_stop", "message"),
    [
        (lambda x: x.sin().exp().sin(), lambda x: x.sin().exp(), True, "A different number of tensors was saved"),
        (
            lambda x: x.sin().exp(),
            lambda x: x.sin().exp().sin(),
            False,
            "trying to save more tensors during recomputation",
        ),
        (lambda x: x.sin().exp(), lambda x: x.sin() * torch.ones(1, 2), True, "have different metadata"),
    ],
    ids=["fewer", "more", "other"],
)
def test_a_second_run_that_saves_otherwise_is_an_error(first, then, early_stop, message) -> None:
    with set_checkpoint_early_stop(early_stop):
        out = checkpoint(toggling(first, then), leaf(0.5), use_reentrant=False)
    with pytest.raises(CheckpointError, match=message):
        out.sum().backward()


def test_metadata_are_listed() -> None:
    out = checkpoint(
        toggling(lambda x: x.sin().exp(), lambda x: x.sin() * torch.ones(1, 2)), leaf(0.5), use_reentrant=False
    )
    with pytest.raises(CheckpointError) as caught:
        out.sum().backward()
    text = str(caught.value)
    assert "tensor at position 1:\nsaved metadata: {'shape': torch.Size([1]), 'dtype': torch.float32" in text


@pytest.mark.parametrize("how", ["argument", "context"])
def test_debug_shows_the_operations_of_both_runs(how) -> None:
    fn = toggling(lambda x: x.sin().exp(), lambda x: x.sin() * torch.ones(1, 2))
    if how == "argument":
        out = checkpoint(fn, leaf(0.5), use_reentrant=False, debug=True)
    else:
        with set_checkpoint_debug_enabled(True):
            out = checkpoint(fn, leaf(0.5), use_reentrant=False)
    with pytest.raises(
        CheckpointError, match="You are seeing this error because you passed `debug=True` to checkpoint"
    ) as e:
        out.sum().backward()
    assert "during the original forward" in str(e.value)
    assert "test_checkpoint.py" in str(e.value)


# -- where PyTorch is silently wrong -------------------------------------------------------------------------------------


@forms
def test_another_path_with_the_same_shapes_is_an_error(reentrant) -> None:
    fn = toggling(lambda x: (x.sin() * x).exp(), lambda x: (x.cos() * x).exp())
    out = checkpoint(fn, leaf(0.5, 1.0), use_reentrant=reentrant)
    with pytest.raises(CheckpointError, match="the gradient would be wrong") as caught:
        out.sum().backward()
    if not reentrant:
        assert "The first operation to differ is number 0: sin during forward, cos during recomputation." in str(
            caught.value
        )


@forms
def test_a_number_that_changed_between_the_runs_is_an_error(reentrant) -> None:
    scale = [2.0]
    out = checkpoint(lambda x: (x * scale[0]).exp(), leaf(0.5, 1.0), use_reentrant=reentrant)
    scale[0] = 3.0
    with pytest.raises(CheckpointError, match="The function depends on something that has changed since"):
        out.sum().backward()


def test_the_check_of_values_can_be_turned_off() -> None:
    scale = [2.0]
    x = leaf(0.5)
    out = checkpoint(lambda x: (x * scale[0]).exp(), x, use_reentrant=False, determinism_check="none")
    scale[0] = 3.0
    out.sum().backward()
    assert x.grad.item() == pytest.approx(2 * 2.718281828**1.5)
    out = checkpoint(lambda x: x * torch.rand(1), x, use_reentrant=False, preserve_rng_state=False)
    out.sum().backward()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0, 1e30])
def test_odd_values_pass(value) -> None:
    x = leaf(value, 1.0)
    checkpoint(lambda x: (x * x).sqrt() * x.exp(), x, use_reentrant=False).sum().backward()
    assert x.grad is not None


# -- selective -----------------------------------------------------------------------------------------------------------


def test_selected_results_are_kept() -> None:
    calls = []
    policy_calls = []

    def policy(ctx, op, *args):
        policy_calls.append(op)
        return CheckpointPolicy.MUST_SAVE if op == torch.mm else CheckpointPolicy.PREFER_RECOMPUTE

    for given in (policy, [torch.mm]):
        x, w = torch.ones(2, 2, requires_grad=True), torch.full((2, 2), 0.1, requires_grad=True)

        def f(x, w):
            calls.append(1)
            return (torch.mm(x, w).exp() * x).sum()

        expected = torch.autograd.grad(f(x, w), (x, w))
        first, second = create_selective_checkpoint_contexts(given)
        out = checkpoint(f, x, w, use_reentrant=False, context_fn=lambda pair=(first, second): pair)
        out.backward(retain_graph=True)
        assert torch.allclose(x.grad, expected[0])
        assert torch.allclose(w.grad, expected[1])
        with pytest.raises(RuntimeError, match="Trying to backward an extra time"):
            out.backward()
    assert torch.mm in policy_calls


def test_a_kept_result_that_is_changed_in_place_is_not_changed_twice() -> None:
    def f(x):
        return x.sin().mul_(2).exp()

    def run(**kwargs):
        def contexts():
            return create_selective_checkpoint_contexts([torch.sin], allow_cache_entry_mutation=True)

        return torch.autograd.grad(checkpoint(f, x, use_reentrant=False, context_fn=contexts, **kwargs).sum(), x)

    x = leaf(0.5, 1.0)
    with pytest.raises(CheckpointError, match="the gradient would be wrong"):
        run()
    assert not torch.allclose(run(determinism_check="none")[0], torch.autograd.grad(f(x).sum(), x)[0])


def test_selective_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="^Expected op in `op_list` to be an OpOverload"):
        create_selective_checkpoint_contexts([len])
    with pytest.raises(ValueError, match="update the OpOverloadPacket to a specific OpOverload: aten.sin.default"):
        create_selective_checkpoint_contexts([torch.ops.aten.sin])
    assert torch.ops.aten.sin != torch.sin  # as in PyTorch, so that a policy that compares with it keeps nothing
    assert torch.ops.aten.sin.default == torch.sin
    with pytest.raises(TypeError, match="^policy_fn_or_list must be either a function or a list of ops."):
        create_selective_checkpoint_contexts(3)


def test_no_warning_where_all_is_well() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checkpoint(lambda x: x.exp(), leaf(1.0), use_reentrant=False).sum().backward()
