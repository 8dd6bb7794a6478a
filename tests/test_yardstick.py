"""Facts of PyTorch's autograd that its own test files ask for and no other file here does."""

from __future__ import annotations

import gc
import warnings
import weakref
from typing import Any

import pytest

import wengert as torch
from wengert.autograd import Function, forward_ad, gradcheck
from wengert.autograd.function import once_differentiable


def leaf(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, dtype=dtype, requires_grad=True)


def described(node) -> str:
    inner = ", ".join(described(n) for n, _ in node.next_functions) if node is not None else ""
    return "None" if node is None else f"{type(node).__name__}({inner})"


# -- the graph of a gradient -------------------------------------------------------------------------------------------


def test_a_grad_that_keeps_its_graph_is_a_recorded_copy() -> None:
    x = leaf(3)
    with pytest.warns(UserWarning, match="reference cycle"):
        (x * x).sum().backward(create_graph=True)
    assert described(x.grad.grad_fn).startswith("CopyBackwards(None, AddBackward0(")
    x.grad = None


def test_once_differentiable_shows_a_place_for_each_result() -> None:
    class F(Function):
        @staticmethod
        def forward(ctx, a, number, b):
            return a * number * b

        @staticmethod
        @once_differentiable
        def backward(ctx, g):
            return g, None, 2 * g

    a, b, g = leaf(2), leaf(2), torch.ones(2, dtype=torch.float64, requires_grad=True)
    ga, gb = torch.autograd.grad(F.apply(a, 3, b), (a, b), g, create_graph=True)
    for found in (ga, gb):
        assert described(found.grad_fn) == "Error(AccumulateGrad(), None, AccumulateGrad())"
        with pytest.raises(RuntimeError, match="marked with @once_differentiable"):
            torch.autograd.grad(found.sum(), g)  # what came in is reached as well


def test_the_second_derivative_of_relu_names_its_node_as_pytorch_does() -> None:
    x = leaf(3)
    for f in (torch.relu, lambda t: torch.nn.functional.threshold(t, 0.5, 0.0)):
        (g,) = torch.autograd.grad(f(x).pow(2).sum(), x, create_graph=True)
        assert g.grad_fn.name() == "ThresholdBackwardBackward0"


def test_var_mean_and_std_mean_are_one_node_with_two_outputs() -> None:
    x = leaf(4, 3)
    for f, name in ((torch.var_mean, "VarMeanBackward0"), (torch.std_mean, "StdMeanBackward0")):
        spread, mean = f(x, dim=0)
        assert spread.grad_fn is mean.grad_fn
        assert spread.grad_fn.name() == name
        assert (spread.output_nr, mean.output_nr) == (0, 1)
        assert [tuple(m.shape) for m in mean.grad_fn._input_metadata] == [(3,), (3,)]
        seen = []
        mean.grad_fn.register_prehook(lambda gs: seen.append(len(gs)))  # noqa: B023
        (g,) = torch.autograd.grad((spread * 3 + mean).sum(), x)
        single = torch.var if f is torch.var_mean else torch.std
        (expected,) = torch.autograd.grad((single(x, dim=0) * 3 + x.mean(0)).sum(), x)
        assert torch.allclose(g, expected)
        assert seen == [2]


# -- derivatives that nobody has stated --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "what"),
    [
        (torch.igamma, "igamma: input"),
        (torch.igammac, "igammac: input"),
        (torch.special.zeta, "zeta"),
    ],
)
def test_an_argument_without_a_derivative_raises_when_it_is_asked_for(f, what: str) -> None:
    a, x = torch.tensor([1.5, 2.5], requires_grad=True), torch.tensor([0.5, 2.0], requires_grad=True)
    with pytest.raises(NotImplementedError, match=f"^the derivative for '{what}' is not implemented."):
        f(a, x).sum().backward()
    assert a.grad is None
    assert x.grad is None
    f(a.detach(), x).sum().backward()
    assert x.grad is not None
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(a.detach(), torch.ones(2))
        with pytest.raises(NotImplementedError, match="^Trying to use forward AD with .*(igamma|zeta).* that does not"):
            f(dual, x.detach())


# -- hooks -------------------------------------------------------------------------------------------------------------


def test_posthooks_of_a_leaf_see_what_hooks_before_them_made_of_its_grad() -> None:
    x = torch.zeros(2, requires_grad=True)
    sink = (x * 1).grad_fn.next_functions[0][0]
    seen = []
    x.register_post_accumulate_grad_hook(lambda t: [t.grad.add_(4.0)].clear())
    sink.register_hook(lambda ins, outs: seen.append(outs[0].clone()))
    x.sum().backward()
    assert torch.equal(seen[0], torch.full((2,), 5.0))


def test_an_unpack_hook_knows_its_node_and_may_hook_it() -> None:
    x = leaf(3)
    calls = []

    def halve(grads, outs):
        calls.append(outs)
        return tuple(None if g is None else g / 2 for g in grads)

    def unpack(t):
        torch._C._current_autograd_node().register_hook(halve)
        return t

    with torch.autograd.graph.saved_tensors_hooks(lambda t: t, unpack):
        y = x.sin()
    y.sum().backward()
    assert torch.allclose(x.grad, x.detach().cos() / 2)
    assert calls == [(None,)]  # it came too late to be given what arrived


def test_backward_hooks_of_a_tensor_may_be_assigned() -> None:
    x, plain = leaf(2), torch.zeros(2)
    seen = []
    x._backward_hooks = {0: lambda g: seen.append("leaf")}
    y = x * 2
    y._backward_hooks = {0: lambda g: seen.append("result")}
    plain._backward_hooks = {0: lambda g: seen.append("never")}
    y.sum().backward()
    assert seen == ["result", "leaf"]
    with pytest.raises(RuntimeError, match="Deletion of _backwards_hooks not allowed!"):
        del x._backward_hooks


def test_a_result_whose_saving_was_cut_short_is_freed() -> None:
    kept = []

    class F(Function):
        @staticmethod
        def forward(ctx, x):
            y = x.clone()
            ctx.save_for_backward(y)
            kept.append(weakref.ref(y))
            return y

        @staticmethod
        def backward(ctx, g):
            assert len(ctx.saved_tensors) == 1
            return g

    gc.disable()
    try:
        torch.utils.checkpoint.checkpoint(F.apply, leaf(2), use_reentrant=False).sum().backward()
        assert [r() for r in kept] == [None, None]
    finally:
        gc.enable()


# -- grad ---------------------------------------------------------------------------------------------------------------


def test_zeros_of_materialize_grads_can_be_differentiated_again_with_create_graph() -> None:
    x, y = leaf(2), leaf(2)
    for again in (False, True):
        (g,) = torch.autograd.grad(x.sum(), y, materialize_grads=True, create_graph=again)
        assert g.requires_grad is again
        assert torch.equal(g, torch.zeros(2, dtype=torch.float64))


def test_any_attribute_of_ctx_is_the_users() -> None:
    reserved = ["shape", "dtype", "next", "outs", "extra", "seq", "freed", "n_outputs", "name", "run", "release", "op"]

    class F(Function):
        @staticmethod
        def forward(ctx, x):
            for k, name in enumerate(reserved):
                setattr(ctx, name, k)
            ctx.save_for_backward(x)
            return x.sum(0), x * 2

        @staticmethod
        def backward(ctx, g, h):
            assert [getattr(ctx, name) for name in reserved] == list(range(len(reserved)))
            assert ctx.later == "set on the node"
            assert isinstance(ctx, torch.autograd.graph.Node)
            return g.expand(ctx.saved_tensors[0].shape) + 2 * h

    x = leaf(3, 2)
    a, b = F.apply(x)
    assert a.grad_fn.name() == "FBackward"
    assert a.grad_fn.needs_input_grad == (True,)
    a.grad_fn.later = "set on the node"
    (a.sum() + b.sum()).backward()
    assert torch.equal(x.grad, torch.full((3, 2), 3.0, dtype=torch.float64))

    kept = []

    class Stashed(Function):
        @staticmethod
        def forward(ctx, x):
            kept.append(ctx)
            ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    y = Stashed.apply(x)
    assert kept[0].saved_tensors[0] is x
    assert kept[0].next_functions[0][0].variable is x
    del y
    with pytest.raises(RuntimeError, match="after they have already been freed"):
        _ = kept[0].saved_tensors


# -- names ---------------------------------------------------------------------------------------------------------------


def test_node_is_a_name_to_ask_with() -> None:
    Node = torch.autograd.graph.Node
    y = leaf(2).exp()
    assert isinstance(y.grad_fn, Node)
    assert isinstance(y.grad_fn.next_functions[0][0], Node)
    assert issubclass(type(y.grad_fn), Node)
    assert Node not in type(y.grad_fn).mro()
    assert issubclass(torch.autograd.function.BackwardCFunction, Node)
    assert issubclass(Node, Node)
    assert not isinstance(Node, Node)
    assert not isinstance(None, Node)
    with pytest.raises(TypeError, match="made by an operation"):
        Node()


def test_resize_is_the_function_that_is_left_of_autograd_functions() -> None:
    x = leaf(2, 3)
    y = torch.autograd._functions.Resize.apply(x, (3, 2))
    assert y.shape == (3, 2)
    (y * 2).sum().backward()
    assert torch.equal(x.grad, torch.full((2, 3), 2.0, dtype=torch.float64))
    with pytest.raises(RuntimeError, match=r"^requested resize to 2x2 \(4 elements in total\), but the given tensor"):
        torch.autograd._functions.Resize.apply(x, (2, 2))
    assert torch.autograd.torch is torch


def test_a_weak_reference_to_a_tensor_expires() -> None:
    t = torch.zeros(1)
    ref = torch._C._WeakTensorRef(t)
    assert not ref.expired()
    del t
    assert ref.expired()


def test_dir_of_a_tensor_names_what_it_has() -> None:
    t = torch.zeros(2, 2)
    names = dir(t)
    names.remove("imag")  # of complex tensors only
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # .volatile and .T
        assert [name for name in names if not hasattr(t, name)] == []


def test_a_view_changed_behind_the_graph_prints_an_invalid_grad_fn() -> None:
    x = torch.ones(1, requires_grad=True)
    with torch.no_grad():
        v = x[:]
        v *= 2
    assert repr(v) == "tensor([2.], grad_fn=<Invalid>)"


# -- views made by a Function ---------------------------------------------------------------------------------------------


def test_a_pure_view_function_may_be_changed_in_place() -> None:
    ran = []

    class Half(Function):
        @staticmethod
        def forward(ctx, x, pure):
            ctx._is_pure_view = pure
            return x[:1]

        @staticmethod
        def backward(ctx, g):
            ran.append(1)
            return torch.cat([g, torch.zeros_like(g)]), None

    x = leaf(2)
    with pytest.raises(RuntimeError, match="This view was created inside a custom Function"):
        Half.apply(x.clone(), False).mul_(3)
    Half.apply(x.clone(), True).mul_(3).sum().backward()
    assert torch.equal(x.grad, torch.tensor([3.0, 0.0], dtype=torch.float64))
    assert not ran  # the graph is made anew from the view itself

    class Two(Function):
        @staticmethod
        def forward(ctx, a, b):
            ctx._is_pure_view = True
            return a[:1], b

        @staticmethod
        def backward(ctx, ga, gb):
            raise AssertionError

    with pytest.raises(RuntimeError, match="^Pure view custom Function can only have one input Tensor and one output"):
        Two.apply(x, x)


# -- gradcheck's older names ------------------------------------------------------------------------------------------------


def test_jacobians_by_the_older_names_of_gradcheck() -> None:
    from wengert.autograd.gradcheck import get_analytical_jacobian, get_numerical_jacobian

    a, b = leaf(2), leaf(2)
    eye = torch.eye(2, dtype=torch.float64)
    private = "was part of PyTorch's private API"
    with pytest.warns(FutureWarning, match=f"`get_numerical_jacobian` {private}"):
        found = get_numerical_jacobian(lambda xs: (2 * xs[0] + xs[1], xs[0]), (a, b), eps=1e-6)
    assert torch.allclose(found[0], 2 * eye)
    assert torch.allclose(found[1], eye)
    with pytest.warns(FutureWarning, match=private):
        (only,) = get_numerical_jacobian(lambda xs: xs[0] + 3 * xs[1], (a, b), target=b, eps=1e-6)
    assert torch.allclose(only, 3 * eye)
    with pytest.warns(FutureWarning, match=f"`get_analytical_jacobian` {private}"):
        jacobians, *right = get_analytical_jacobian((a, b), 2 * a + b)
    assert torch.equal(jacobians[0], 2 * eye)
    assert torch.equal(jacobians[1], eye)
    assert right == [True, True, True]
    with (
        pytest.warns(FutureWarning, match=private),
        pytest.raises(ValueError, match="^Expected grad_out to be 1.0. get_num"),
    ):
        get_numerical_jacobian(lambda xs: xs[0], (a,), grad_out=2.0)


def test_gradcheck_says_that_a_batched_jvp_draws_random_numbers() -> None:
    class F(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def vjp(ctx, g):
            return g * 2

        @staticmethod
        def jvp(ctx, t):
            torch.randn_like(t)
            return t * 2

    with pytest.raises(RuntimeError, match="vmap: We do not yet support calling random operations inside of vmap"):
        gradcheck(F.apply, (leaf(2),), check_forward_ad=True, check_batched_forward_grad=True)


# -- the profiler's events ----------------------------------------------------------------------------------------------------


def test_events_find_their_children_and_their_averages() -> None:
    from wengert.autograd.profiler_util import EventList, FunctionEvent, FunctionEventAvg

    spans = [(1, 0, 5), (1, 1, 2), (1, 3, 9), (1, 4, 5), (2, 1, 2)]
    events = EventList(FunctionEvent(k, f"e{k}", thread, start, end) for k, (thread, start, end) in enumerate(spans))
    events._populate_cpu_children()
    assert [[c.id for c in e.cpu_children] for e in events] == [[1], [], [3], [], []]
    assert events[0].self_cpu_time_total == 4
    assert events[3].cpu_parent is events[2]

    average = FunctionEventAvg()
    average.add(FunctionEvent(0, "f", 0, 10, 14))
    average.add(FunctionEvent(1, "f", 0, 20, 26))
    average.add(average)
    assert (average.key, average.count, average.cpu_time_total, average.cpu_time) == ("f", 4, 20, 5)


def test_autograd_knows_whether_a_profiler_looks_on() -> None:
    assert not torch.autograd._profiler_enabled()
    with torch.autograd.profiler.profile():
        assert torch.autograd._profiler_enabled()
    assert not torch.autograd._profiler_enabled()


# -- views made while nothing is recorded ------------------------------------------------------------------------------------


def test_a_view_of_inference_mode_requires_grad_if_what_it_shows_does() -> None:
    for requires in (True, False):
        a = torch.ones(2, 3, requires_grad=requires).clone()
        with torch.inference_mode():
            v = a.view(-1)
            assert v.requires_grad is requires
            assert v.is_leaf
            assert not v.is_inference()
            v.add_(1)
        assert a._version == v._version == 1
        if requires:
            with pytest.raises(
                RuntimeError, match="^A view was created in inference mode and is being modified inplace"
            ):
                v.add_(1)


def test_a_view_that_was_overtaken_by_a_change_has_no_grad_fn() -> None:
    for mode, words in ((torch.no_grad, "no_grad mode"), (torch.inference_mode, "inference mode")):
        a = torch.ones(3, requires_grad=True).clone()
        with mode():
            v = a[1:]
        assert v.grad_fn is None
        a.add_(2)
        with pytest.raises(
            RuntimeError, match=f"^A view was created in {words} and its base or another view of its base"
        ):
            _ = v.grad_fn


def test_a_view_of_an_inference_tensor_is_one_and_no_view() -> None:
    with torch.inference_mode():
        c = torch.ones(2, 3, requires_grad=True)
        c.resize_(3, 2)
    v = c.view(-1)
    assert v.is_inference()
    assert not v.requires_grad
    assert not v._is_view()
    with pytest.raises(RuntimeError, match="^Inplace update to inference tensor outside InferenceMode is not allowed"):
        torch.mul(torch.ones(3, 2), 2, out=c.detach())


def test_unsafe_splits_are_copies_that_may_be_changed() -> None:
    for cut, name in (
        (lambda t: t.unsafe_split(1), "UnsafeSplitBackward0"),
        (lambda t: t.unsafe_chunk(3), "UnsafeSplitBackward0"),
        (lambda t: t.unsafe_split_with_sizes((1, 1, 1)), "UnsafeSplitWithSizesBackward0"),
    ):
        a = leaf(3, 2)
        b = a + 0
        first, second, _ = cut(b)
        assert first.grad_fn.name() == name
        first.mul_(second)
        first.sum().backward()
        assert torch.allclose(a.grad, torch.stack([a[1], a[0], torch.zeros_like(a[0])]).detach())
        assert torch.equal(b, a)


def test_resizing_counts_as_a_change() -> None:
    x = torch.ones(1)
    x.resize_(1, 2)
    assert x._version == 1
    x.resize_as_(torch.ones(3))
    x.resize_(3)
    assert x._version == 2


# -- forward mode -------------------------------------------------------------------------------------------------------------


def test_a_dual_shares_the_version_of_its_primal() -> None:
    x = torch.ones(2)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x, torch.ones(2))
        x.add_(1)
        assert dual._version == x._version == forward_ad.unpack_dual(dual).primal._version == 1


def test_what_may_not_be_done_with_tangents() -> None:
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(torch.ones(2), torch.ones(2))
        with pytest.raises(
            RuntimeError, match="^Setting a forward grad that itself has a forward gradient at the same level"
        ):
            forward_ad.make_dual(torch.ones(2), dual)
        with pytest.raises(
            NotImplementedError, match="^Trying to use forward AD with add_out that does not support it"
        ):
            torch.add(torch.ones(2), 1, out=dual)
        again = dual.clone()
        again.detach_()
        assert forward_ad.unpack_dual(again).tangent is None


def test_what_is_copied_in_has_a_tangent_of_its_own() -> None:
    tangent = torch.ones(2)
    with forward_ad.dual_level():
        x = torch.zeros(2)
        x.copy_(forward_ad.make_dual(torch.ones(2), tangent))
        found = forward_ad.unpack_dual(x).tangent
        assert torch.equal(found, tangent)
        assert found is not tangent


def test_pushing_tangents_can_be_turned_off() -> None:
    assert forward_ad._is_fwd_grad_enabled()
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(torch.ones(2), torch.ones(2))
        with forward_ad._set_fwd_grad_enabled(False):
            assert not forward_ad._is_fwd_grad_enabled()
            assert forward_ad.unpack_dual(dual * 2).tangent is None
        assert torch.equal(forward_ad.unpack_dual(dual * 2).tangent, torch.full((2,), 2.0))
    try:
        torch._C._set_fwd_grad_enabled(False)
        assert not forward_ad._is_fwd_grad_enabled()
    finally:
        torch._C._set_fwd_grad_enabled(True)


def test_a_function_that_returns_its_argument_must_push_a_view() -> None:
    def make(push):
        class F(Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2, x

            @staticmethod
            def jvp(ctx, t):
                return t * 2, push(t)

        return F

    tangent = torch.ones(2)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(torch.zeros(2), tangent)
        _, same = make(lambda t: t.view_as(t)).apply(dual)
        assert forward_ad.unpack_dual(same).tangent._base is tangent
        with pytest.raises(
            RuntimeError, match=r"^A custom Function's forward is returning a view \(or an input as-is\)"
        ):
            make(lambda t: t).apply(dual)


# -- values ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("f", [torch.max, torch.min, torch.median, torch.amax, torch.amin])
def test_every_nan_gets_a_share_of_the_gradient_of_an_extremum(f) -> None:
    x = torch.tensor([float("nan"), 1.0, float("nan")], requires_grad=True)
    f(x).backward()
    assert torch.equal(x.grad, torch.tensor([0.5, 0.0, 0.5]))


def test_a_negative_number_to_a_complex_power_has_a_derivative() -> None:
    exponent = torch.tensor([0.5 - 1.0j, 1.0 + 2.0j], dtype=torch.complex128, requires_grad=True)
    assert gradcheck(lambda e: torch.pow(-1.5, e), exponent)
    assert gradcheck(lambda e: torch.pow(torch.tensor(-1.5, dtype=torch.float64), e), exponent)


def test_the_different_elements_require_grad_but_have_no_derivative() -> None:
    x = torch.tensor([2.0, 1.0, 2.0], requires_grad=True)
    for values, *others in (
        torch.unique(x, return_inverse=True, return_counts=True),
        torch.unique_consecutive(x, return_inverse=True),
        torch._unique2(x),
        torch._unique(x),
        torch._VF.unique_dim(x, dim=0, return_counts=True),
    ):
        assert values.requires_grad
        assert not any(t.requires_grad for t in others)
        with pytest.raises(NotImplementedError, match="^the derivative for '_unique2' is not implemented."):
            values.sum().backward()


# -- the pass under way, and what is kept for it ----------------------------------------


def test_a_pass_knows_whether_it_keeps_the_graph() -> None:
    seen = []
    x = leaf(2)
    y = x.sin()
    y.register_hook(lambda g: seen.append(torch._C._autograd._get_current_graph_task_keep_graph()))
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    assert seen == [True, False]


def test_sequence_numbers_may_be_set_and_say_who_runs_first() -> None:
    x = leaf(2)
    a, b = x * 2, x * 3
    c = a + b
    order = []
    for t, name, number in ((a, "a", 100), (b, "b", 99), (c, "c", 98)):
        t.grad_fn._set_sequence_nr(number)
        t.register_hook(lambda g, name=name: order.append(name))
    c.sum().backward()
    assert order == ["c", "a", "b"]
    assert (x * 2).grad_fn._sequence_nr() > 0
    assert x._use_count() == 2  # c keeps the leaf's sink
    del a, b, c, t
    assert x._use_count() == 1


def test_the_copies_of_saved_tensors_are_counted() -> None:
    with torch.autograd.graph.allow_mutation_on_saved_tensors() as context:
        a = leaf(2).clone()
        b, c = a**2, a**2
        assert len(context.tid_to_weakhandle) == 1
        assert not context.cloned
        a.sin_()
        d = a**2
        a.sin_()
        assert len(context.cloned) == 2  # b and c share one
        del b, c
        assert len(context.cloned) == 1
        d.sum().backward()
        assert not context.cloned
        y = leaf(2) * (const := torch.ones(2, dtype=torch.float64))
        torch.sin(torch.zeros(2, dtype=torch.float64), out=const)
        assert len(context.cloned) == 1
        del y


def test_module_hooks_stand_aside_in_a_second_derivative() -> None:
    loss, calls = torch.nn.MSELoss(), []
    loss.register_full_backward_hook(lambda *args: calls.append(1))
    x = leaf(2)
    (g,) = torch.autograd.grad(loss(x, torch.zeros_like(x)), x, create_graph=True)
    (h,) = torch.autograd.grad(g.sum(), x)
    assert torch.allclose(h, torch.ones_like(h))
    assert calls == [1]


def test_a_kept_result_that_is_changed_afterwards_is_refused_by_selective_checkpoints() -> None:
    from wengert.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

    def policy(ctx, op, *args):
        kept = op is torch.ops.aten.sin.default
        assert kept is (op == torch.sin)
        return CheckpointPolicy.MUST_SAVE if kept else CheckpointPolicy.PREFER_RECOMPUTE

    x = leaf(3)
    out = checkpoint(
        lambda t: t.sin().mul_(2).cos().exp(),
        x,
        use_reentrant=False,
        context_fn=lambda: create_selective_checkpoint_contexts(policy),
    )
    with pytest.raises(RuntimeError, match="^Tensor cached during selective activation checkpoint has been mutated"):
        out.sum().backward()


def test_vmap_under_its_old_name() -> None:
    from wengert import _vmap_internals

    x = torch.arange(4.0)
    with pytest.warns(FutureWarning, match="^Please use torch.vmap instead"):
        assert torch.equal(_vmap_internals.vmap(torch.sin)(x), x.sin())
    doubled, nothing = _vmap_internals._vmap(lambda t: (t * 2, None), 0, 0, allow_none_pass_through=True)(x)
    assert torch.equal(doubled, 2 * x)
    assert nothing is None


# -- views and memory ---------------------------------------------------------------------------------------------------


def test_as_strided_of_an_expanded_tensor_counts_each_place_once() -> None:
    x = torch.arange(3.0, dtype=torch.float64).requires_grad_()
    x.expand(4, 3).as_strided((2, 3), (0, 1)).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [2.0, 2.0, 2.0]
    assert torch.autograd.gradcheck(lambda t: t.expand(4, 3).as_strided((4, 2), (0, 1), 1), [x], check_forward_ad=True)
    assert torch.autograd.gradgradcheck(lambda t: t.expand(4, 3).as_strided((4, 2), (0, 1), 1) ** 2, [x])


def test_viewing_as_a_wider_dtype_names_what_is_not_divisible() -> None:
    x = torch.zeros(4, 4, 3)
    with pytest.raises(RuntimeError, match=r"self\.size\(-1\) must be divisible by 2"):
        x.view(torch.float64)
    with pytest.raises(RuntimeError, match=r"self\.storage_offset\(\) must be divisible by 2"):
        x[:, :, 1:].view(torch.float64)
    with pytest.raises(RuntimeError, match=r"self\.stride\(1\) must be divisible by 2"):
        torch.zeros(32).as_strided((4, 4, 2), (2, 1, 1)).view(torch.float64)
    assert torch.zeros(0, 5, 4).view(torch.float64).shape == (0, 5, 2)
    assert torch.zeros(0, 5, 4).view(torch.int16).shape == (0, 5, 8)


def test_view_as_complex_never_copies() -> None:
    with pytest.raises(RuntimeError, match="last dimension with stride 1"):
        torch.view_as_complex(torch.randn(3, 2, 2).transpose(1, 2))
    with pytest.raises(RuntimeError, match="stride divisible by 2 for all but last"):
        torch.view_as_complex(torch.randn(9).as_strided((2, 2), (1, 1)))
    with pytest.raises(RuntimeError, match="storage_offset divisible by 2"):
        torch.view_as_complex(torch.randn(9)[1:5].view(2, 2))
    z = torch.randn(3, dtype=torch.complex128, requires_grad=True)
    (g,) = torch.autograd.grad(torch.view_as_real(z), z, torch.ones(2, 3, dtype=torch.float64).t())
    assert g.tolist() == [1 + 1j] * 3


def test_views_of_tensors_without_elements_are_views() -> None:
    x = torch.tensor([])
    assert x.reshape(0, 2)._base is x
    assert torch.view_as_complex(x.reshape(0, 2))._base is x


def test_ravel_of_a_vector_with_gaps_copies() -> None:
    x = torch.arange(6.0)
    assert x.ravel() is x
    flat = x[::2].ravel()
    assert flat.is_contiguous()
    assert flat._base is None


def test_set_takes_a_storage_with_offset_size_and_stride() -> None:
    x = torch.zeros(5)
    y = torch.empty(0)
    y.set_(x.storage(), 1, (2,), (2,))
    y[1] = 7
    assert x.tolist() == [0, 0, 0, 7, 0]
    z = torch.randn(1, 16, 5, 5)
    z.set_(z.untyped_storage(), 0, z.size(), [20, 25, 5, 1])
    assert z.is_contiguous()
    assert torch.empty(0).set_(x, 2, (3,)).tolist() == [0, 7, 0]


def test_resizing_into_an_order_of_dimensions() -> None:
    x = torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    flat = torch.arange(120.0)
    assert flat.clone().resize_as_(x, memory_format=torch.preserve_format).stride() == x.stride()
    assert flat.clone().resize_(2, 3, 4, 5, memory_format=torch.channels_last).stride() == x.stride()
    with pytest.raises(RuntimeError, match="Storage size calculation overflowed"):
        torch.empty((), dtype=torch.float64).resize_([2, 4, 2**29, 2**29])


def test_matrix_transposes_of_a_number() -> None:
    assert torch.tensor(2.0).mT.item() == 2.0
    assert torch.tensor(2j).mH.item() == -2j
    with pytest.raises(RuntimeError, match="only supported on matrices"):
        torch.zeros(2).mH


def test_broadcast_shapes_of_what_is_no_shape() -> None:
    with pytest.raises(RuntimeError, match="type ints, a tuple of ints, or a list of ints"):
        torch.broadcast_shapes(1.5)
    with pytest.raises(TypeError, match="must be a Tensor"):
        torch.atleast_2d(1)


# -- names that PyTorch's own tests import -------------------------------------------------------------------------------


def test_dispatch_modes_can_be_named_and_say_that_they_are_not_here() -> None:
    from wengert.utils._mode_utils import no_dispatch
    from wengert.utils._python_dispatch import TorchDispatchMode
    from wengert.utils.flop_counter import FlopCounterMode

    with no_dispatch():
        assert torch.ones(1).item() == 1

    class Mine(TorchDispatchMode):
        pass

    for mode in (Mine(), FlopCounterMode(display=False)):
        with pytest.raises(
            NotImplementedError, match=r"explain.trace\(\) and torch.profiler.profile\(\) see every operation"
        ):
            mode.__enter__()


def test_the_walk_under_its_internal_name() -> None:
    from wengert.autograd.graph import _engine_run_backward

    x = torch.tensor(3.0, requires_grad=True)
    (g,) = _engine_run_backward((x * x,), (torch.tensor(1.0),), False, False, (x,), True, False)
    assert g.item() == 6
    _engine_run_backward((x * x,), (torch.tensor(1.0),), False, False, (), True, True)
    assert x.grad is not None
    assert x.grad.item() == 6


def test_calling_a_function_class_through_the_internal_name() -> None:
    from wengert.autograd.function import _SingleLevelFunction, custom_function_call

    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return 2 * x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return 2 * g

    assert issubclass(Twice, _SingleLevelFunction)
    assert custom_function_call(Twice, torch.ones(1, requires_grad=True)).grad_fn is not None


def test_one_identity_matrix_shared_out() -> None:
    from wengert.autograd.functional import _construct_standard_basis_for

    a, b = _construct_standard_basis_for((torch.zeros(2), torch.zeros((), dtype=torch.float64)), (2, 1))
    assert a.tolist() == [[1, 0], [0, 1], [0, 0]]
    assert b.tolist() == [[0], [0], [1]]
    assert b.dtype is torch.float64


def test_functions_under_the_name_behind_nn_functional() -> None:
    x = torch.tensor([-1.0, 2.0], requires_grad=True)
    assert torch._C._nn.gelu is torch.nn.functional.gelu
    assert torch.equal(torch._C._nn.leaky_relu(x, 0.5), torch.tensor([-0.5, 2.0]))
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = torch._C._nn.nonsense
    y = torch._C._nn._test_warn_in_autograd(x)
    with pytest.warns(UserWarning, match="^Warn from backward$"):
        y.sum().backward()
    assert x.grad is not None


@pytest.mark.parametrize(
    ("args", "kwargs", "expected"),
    [
        ((torch.float64,), {}, (None, torch.float64, False, None)),
        (("cpu", torch.float16, True), {}, (torch.device("cpu"), torch.float16, True, None)),
        ((torch.zeros(1, dtype=torch.int8),), {}, (torch.device("cpu"), torch.int8, False, None)),
        (
            (),
            {"dtype": torch.bool, "memory_format": torch.channels_last},
            (None, torch.bool, False, torch.channels_last),
        ),
        ((), {"non_blocking": True}, (None, None, True, None)),
    ],
)
def test_what_the_arguments_of_to_say(args: Any, kwargs: Any, expected: Any) -> None:
    assert torch._C._nn._parse_to(*args, **kwargs) == expected
    with pytest.raises(TypeError, match=r"to\(\) received an invalid combination of arguments - got \(size=int"):
        torch._C._nn._parse_to(*args, size=1)


def test_where_of_many_float64_numbers_and_a_python_number() -> None:
    x = torch.arange(2e5, dtype=torch.float64)
    found = torch.where(x < 1e5, x, 0.5)
    assert found.dtype is torch.float64
    assert found.sum().item() == sum(range(100000)) + 0.5 * 100000
    assert torch.where(x < 1e5, -1.0, x).sum().item() == sum(range(100000, 200000)) - 100000
