"""Nodes of the graph, their hooks and what they save; `autograd.graph`."""

from __future__ import annotations

import logging
import re

import pytest

import wengert as torch
from wengert.autograd import Function, graph


def leaf(*values: float) -> torch.Tensor:
    return torch.tensor(values, requires_grad=True)


def raises(error: type[BaseException], message: str):
    """The message must start with (or be) these exact words."""
    return pytest.raises(error, match="^" + re.escape(message))


class Twice(Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * 2


# -- nodes -------------------------------------------------------------------------------------------------------


def test_names() -> None:
    x = leaf(1.0)
    y = x * x
    sink = y.grad_fn.next_functions[0][0]
    assert y.grad_fn.name() == "MulBackward0"
    assert sink.name() == "torch::autograd::AccumulateGrad"
    assert repr(sink).startswith("<AccumulateGrad object at 0x")
    f = Twice.apply(x).grad_fn
    assert f.name() == "TwiceBackward"
    assert all(isinstance(n, graph.Node) for n in (y.grad_fn, sink, f))


def test_next_functions() -> None:
    x, w, c = leaf(1.0), leaf(1.0), torch.ones(1)
    y = x * 2
    z = w * y
    (a, b) = z.grad_fn.next_functions
    assert a[0].variable is w
    assert b == (y.grad_fn, 0)
    assert (c * y).grad_fn.next_functions == ((None, 0), (y.grad_fn, 0))
    assert (w + 1).grad_fn.next_functions[0][0] is a[0]
    with pytest.raises(AttributeError):
        z.grad_fn.next_functions = ()
    _, second = torch.stack([x, x]).unbind()
    assert (second * 1).grad_fn.next_functions[0] == (second.grad_fn, 1)


def test_metadata_and_sequence_numbers() -> None:
    x = leaf(1.0)
    y = x * 2
    assert y.grad_fn.metadata == {}
    y.grad_fn.metadata["mine"] = 1
    assert y.grad_fn.metadata == {"mine": 1}
    assert (y * 2).grad_fn._sequence_nr() > y.grad_fn._sequence_nr()


def test_input_metadata_is_of_the_outputs() -> None:
    x = torch.ones(2, 3, requires_grad=True)
    (m,) = x.sum(0).grad_fn._input_metadata
    assert tuple(m.shape) == (3,)
    assert m.dtype is torch.float32
    assert m.device == torch.device("cpu")
    several = x.max(0).values.grad_fn._input_metadata
    assert tuple(several[0].shape) == (3,)


X = leaf(0.5, 0.25)
W = leaf(2.0, 3.0)


@pytest.mark.parametrize(
    ("make", "present", "absent"),
    [
        (lambda: X * W, {"self": X, "other": W}, []),
        (lambda: X.exp(), {"result": [1.6487212, 1.2840254]}, ["self"]),
        (lambda: X.tanh(), {"result": None}, ["self"]),
        (lambda: X.sqrt(), {"result": None}, ["self"]),
        (lambda: X.relu(), {"result": [0.5, 0.25]}, ["self"]),
        (lambda: X.softmax(0), {"result": None}, ["self"]),
        (lambda: X.sin(), {"self": X}, ["result"]),
        (lambda: X.log(), {"self": X}, ["result"]),
        (lambda: X.abs(), {"self": X}, ["result"]),
        (lambda: X**3, {"self": X, "exponent": 3}, []),
        (lambda: X / W, {"self": X, "other": W}, []),
        (lambda: X.sum(), {"self_sym_sizes": (2,)}, ["self"]),
        (lambda: X.mean(), {"self_sym_sizes": (2,)}, ["self"]),
        (lambda: X.expand(3, 2), {"self_sym_sizes": (2,)}, ["self"]),
        (lambda: X.max(0).values, {"indices": 0}, ["self"]),
        (lambda: torch.where(X > 0.3, X, W), {"condition": [True, False]}, ["self"]),
        (lambda: X.var(), {"self": X}, []),
        (lambda: X.std(), {"result": None}, []),
    ],
)
def test_saved_values(make, present, absent) -> None:
    node = make().grad_fn
    for name, expected in present.items():
        found = getattr(node, f"_saved_{name}")
        if isinstance(expected, torch.Tensor):
            assert found is expected
        elif isinstance(expected, list):
            assert found.tolist() == pytest.approx(expected)
        elif expected is not None:
            assert (tuple(found) if isinstance(found, (tuple, list)) else found) == expected
    for name in absent:
        assert not hasattr(node, f"_saved_{name}")


def test_only_what_is_needed_is_saved() -> None:
    c = torch.tensor([2.0, 2.0])
    node = (X * c).grad_fn
    assert node._saved_other is c
    assert node._saved_self is None
    with pytest.raises(AttributeError, match="'MulBackward0' object has no attribute '_saved_nothing'"):
        node._saved_nothing


def test_saved_result_is_in_the_graph() -> None:
    y = X.exp()
    assert y.grad_fn._saved_result.grad_fn is y.grad_fn
    assert not hasattr(X.sum().grad_fn, "_saved_result")


def test_saved_lists_are_shown_one_by_one_and_take_hooks() -> None:
    x = torch.arange(12.0).reshape(3, 2, 2).requires_grad_()
    i, j = torch.tensor([2, 0]), torch.tensor([1, 1])
    y = x[i, :, j]
    node = y.grad_fn
    first, second, third = node._saved_indices
    assert first is i
    assert second is None
    assert third is j
    raw = node._raw_saved_indices
    assert [r.unpack() is None for r in raw] == [False, True, False]
    with pytest.raises(RuntimeError, match="register_hooks on a saved tensor with value None is forbidden"):
        raw[1].register_hooks(lambda t: t, lambda t: t)
    raw[0].register_hooks(lambda t: t.tolist(), lambda n: torch.tensor(n) * 0 + 1)
    with pytest.raises(RuntimeError, match="hooks have already been set"):
        node._raw_saved_indices[0].register_hooks(lambda t: t, lambda t: t)
    assert raw[0].data == [2, 0]
    assert node._saved_indices[0].tolist() == [1, 1]
    y.sum().backward()
    assert x.grad[1].tolist() == [[0, 2], [0, 2]]  # where the hook says, not where it was read
    assert x.grad.sum().item() == 4


def test_parts_of_saved_shapes() -> None:
    x = torch.ones(2, 3, 4, requires_grad=True)
    node = x.mean().grad_fn
    assert node._saved_self_sym_numel == 24
    assert node._saved_self_sym_argsize_0 == 2
    assert node._saved_self_sym_argsize_minus_1 == 4
    with pytest.raises(AttributeError, match="has no attribute '_saved_other_sym_numel'"):
        node._saved_other_sym_numel


def test_raw_saved_tensors_take_hooks_once() -> None:
    x = leaf(3.0)
    y = x * x.detach()
    raw = y.grad_fn._raw_saved_other
    raw.register_hooks(lambda t: t * 10, lambda t: t)
    message = (
        "Calling register_hooks on a saved tensor whose hooks have already been set. Hint: only one pair of hooks is "
        "allowed at a time."
    )
    with raises(RuntimeError, message):
        raw.register_hooks(lambda t: t, lambda t: t)
    with raises(TypeError, ""):
        (x * x).grad_fn._raw_saved_self.register_hooks(3, lambda t: t)
    y.backward()
    assert x.grad.tolist() == [30.0]
    with raises(RuntimeError, "Calling register_hooks on a saved tensor after it has been freed."):
        raw.register_hooks(lambda t: t, lambda t: t)
    with raises(RuntimeError, "Calling register_hooks on a saved tensor with value None is forbidden"):
        (x * torch.ones(1)).grad_fn._raw_saved_self.register_hooks(lambda t: t, lambda t: t)


# -- calling and hooking nodes -----------------------------------------------------------------------------------


def test_calling_a_node_runs_its_rule() -> None:
    x, c = leaf(2.0), torch.tensor([5.0])
    node = (x * c).grad_fn
    g, none = node(torch.tensor([3.0]))
    assert g.tolist() == [15.0]
    assert none is None
    assert node(torch.tensor([1.0]))[0].tolist() == [5.0]
    with raises(TypeError, "expected 1 arguments, got 0 instead"):
        node()
    with raises(TypeError, "argument 0 is not a Variable"):
        node(3)
    assert x.grad is None


def test_node_hooks_see_and_replace() -> None:
    x, c = leaf(2.0), torch.tensor([5.0])
    y = x * c
    seen = []
    y.grad_fn.register_prehook(lambda outs: (outs[0] * 2,))
    y.grad_fn.register_hook(lambda ins, outs: seen.append((ins[0].item(), ins[1], outs[0].item())))
    y.grad_fn.register_hook(lambda ins, outs: (ins[0] * 3, None))
    y.backward()
    assert seen == [(10.0, None, 2.0)]
    assert x.grad.tolist() == [30.0]


@pytest.mark.parametrize(
    ("kind", "returned", "error", "message"),
    [
        ("register_hook", (1, 2, 3), RuntimeError, "(got 3, but expected 2)"),
        ("register_prehook", (1, 2, 3), RuntimeError, "(got 3, but expected 1)"),
        ("register_hook", 3, TypeError, "expected tuple, but hook returned 'int'"),
        ("register_prehook", 3, TypeError, "expected tuple, but hook returned 'int'"),
        ("register_hook", (3, None), TypeError, "expected Variable, but hook returned 'int'"),
        ("register_prehook", (3,), TypeError, "expected Variable, but hook returned 'int'"),
    ],
)
def test_what_node_hooks_return_is_checked(kind, returned, error, message) -> None:
    y = leaf(1.0) * 3
    getattr(y.grad_fn, kind)(lambda *a: returned)
    if message.startswith("("):
        message = f"hook '<lambda>' has returned an incorrect number of values {message}"
    with raises(error, message):
        y.backward()


def test_missing_gradients_arrive_as_none() -> None:
    a, b = leaf(1.0, 2.0).unbind()
    seen = []
    a.grad_fn.register_prehook(lambda outs: seen.append([None if g is None else g.item() for g in outs]))
    (b * 3).backward()
    assert seen == [[None, 3.0]]


def test_hooks_of_a_node_can_be_removed() -> None:
    y = leaf(1.0) * 3
    calls = []
    with y.grad_fn.register_hook(lambda i, o: calls.append("a")):
        y.backward(retain_graph=True)
    handle = y.grad_fn.register_prehook(lambda o: calls.append("b"))
    handle.remove()
    y.backward()
    assert calls == ["a"]


def test_firing_order_at_a_result() -> None:
    x = leaf(1.0)
    y = x * 2
    order = []
    y.grad_fn.register_hook(lambda i, o: order.append("post"))
    y.grad_fn.register_prehook(lambda o: order.append("pre"))
    y.register_hook(lambda g: order.append("tensor"))
    x.register_hook(lambda g: order.append("leaf"))
    y.backward()
    assert order == ["tensor", "pre", "post", "leaf"]


def test_firing_order_at_a_leaf() -> None:
    x = leaf(1.0)
    y = x * 2
    sink = y.grad_fn.next_functions[0][0]
    order = []
    sink.register_hook(lambda i, o: order.append(("post", i, [g.tolist() for g in o], x.grad.tolist())))
    sink.register_prehook(lambda o: order.append(("pre", x.grad)))
    x.register_post_accumulate_grad_hook(lambda p: order.append(("accumulated", p.grad.tolist())))
    x.register_hook(lambda g: order.append("tensor"))
    y.backward()
    assert order == ["tensor", ("pre", None), ("accumulated", [2.0]), ("post", (), [[2.0]], [2.0])]


def test_a_node_that_is_only_captured_does_not_run() -> None:
    x = leaf(1.0)
    y = x * 2
    calls = []
    y.register_hook(lambda g: calls.append("tensor"))
    y.grad_fn.register_prehook(lambda o: calls.append("pre"))
    y.grad_fn.register_hook(lambda i, o: calls.append("post"))
    torch.autograd.grad(y * 3, y)
    assert calls == ["tensor"]


# -- edges -------------------------------------------------------------------------------------------------------


def test_gradient_edge() -> None:
    x = leaf(1.0, 2.0)
    _, b = x.unbind()
    edge = graph.get_gradient_edge(b)
    assert edge.node is b.grad_fn
    assert edge.output_nr == 1
    assert edge.ownership_token is None
    assert graph.get_gradient_edge(x).node.variable is x
    message = "It is not possible to get the gradient edge for a Tensor that does not require gradients"
    with raises(RuntimeError, message):
        graph.get_gradient_edge(torch.ones(1))


# -- several tensors, one hook -----------------------------------------------------------------------------------


def test_multi_grad_hook_all() -> None:
    a, b, c = leaf(1.0), leaf(1.0), leaf(1.0)
    seen = []
    handle = graph.register_multi_grad_hook(
        (a, b, c), lambda grads: seen.append([None if g is None else g.item() for g in grads])
    )
    (a * 2 + b * 3 + c * 4).backward()
    (a * 2 + c * 4).backward()
    (a * 2 + b * 3 + c * 4).backward(inputs=[b])
    assert seen == [[2.0, 3.0, 4.0], [2.0, None, 4.0], [None, 3.0, None]]
    handle.remove()
    (a * 2).backward()
    assert len(seen) == 3


def test_multi_grad_hook_any() -> None:
    a, b = leaf(1.0), leaf(1.0)
    y, z = a * 2, b * 3
    seen = []
    graph.register_multi_grad_hook((y, z), lambda g: seen.append(g.item()), mode="any")
    (y * 5 + z * 7).backward(retain_graph=True)
    assert len(seen) == 1
    (y * 5).backward()
    assert seen[1:] == [5.0]


def test_multi_grad_hook_is_checked() -> None:
    with raises(ValueError, "Expects mode to be one of ('all', 'any') but got x"):
        graph.register_multi_grad_hook([leaf(1.0)], print, mode="x")
    with raises(AssertionError, "Expected gradient function to be set"):
        graph.register_multi_grad_hook([torch.ones(1)], print)


# -- hooks of saved tensors --------------------------------------------------------------------------------------


def test_pack_once_unpack_at_every_access() -> None:
    calls = []

    def pack(t):
        calls.append("pack")
        return t.tolist()

    def unpack(packed):
        calls.append("unpack")
        return torch.tensor(packed)

    x = leaf(1.0)
    with graph.saved_tensors_hooks(pack, unpack):
        y = x.exp()
    assert calls == ["pack"]
    y.grad_fn._saved_result
    y.grad_fn._saved_result
    y.backward()
    assert calls == ["pack", "unpack", "unpack", "unpack"]
    assert x.grad.tolist() == pytest.approx([2.7182817])


def test_the_innermost_pair_counts() -> None:
    x = leaf(3.0)
    with graph.saved_tensors_hooks(lambda t: t, lambda t: t * 100):
        with graph.saved_tensors_hooks(lambda t: t, lambda t: t * 10):
            y = x * x.detach()
        z = x * x.detach()
    y.backward()
    z.backward()
    assert x.grad.tolist() == [330.0]


def test_the_same_tensor_saved_twice_is_packed_twice() -> None:
    x = leaf(3.0)
    packed = []
    with graph.saved_tensors_hooks(lambda t: packed.append(t) or t, lambda t: t):
        x * x
    assert len(packed) == 2


def test_hooked_values_can_be_differentiated_again() -> None:
    x = leaf(2.0)
    with graph.saved_tensors_hooks(lambda t: t.detach().clone(), lambda t: t):
        y = (x * x).exp() * x
        (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    (gg,) = torch.autograd.grad(g.sum(), x)
    e = 54.598150033
    assert g.item() == pytest.approx(9 * e)
    assert gg.item() == pytest.approx((12 + 32) * e)


def test_what_saved_tensor_hooks_do_is_checked() -> None:
    x = leaf(1.0)
    with graph.saved_tensors_hooks(lambda t: t, lambda t: 3):
        y = x * x
    with raises(TypeError, "Output of saved tensor unpack_hook expected to be a Tensor but got result of type int"):
        y.backward()
    message = (
        "A saved tensor pack hook is modifying its input in place. Tensors provided as input to pack hook cannot be "
        "modified by in-place operations as this can lead to unexpected side-effects."
    )
    with graph.saved_tensors_hooks(lambda t: t.mul_(2), lambda t: t):
        with raises(RuntimeError, message):
            x.exp()


def test_functions_use_the_hooks_too() -> None:
    class Save(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0]

    x = leaf(3.0)
    with graph.saved_tensors_hooks(lambda t: t.item(), lambda n: torch.tensor([n * 10])):
        y = Save.apply(x)
    y.backward()
    assert x.grad.tolist() == [30.0]


def test_save_on_cpu() -> None:
    x = leaf(3.0)
    for pin in (False, True):
        with graph.save_on_cpu(pin_memory=pin):
            y = x * x
        x.grad = None
        y.backward()
        assert x.grad.tolist() == [6.0]


def test_disable_saved_tensors_hooks() -> None:
    hooks = graph.saved_tensors_hooks(lambda t: t, lambda t: t)
    with graph.disable_saved_tensors_hooks("not here"):
        with raises(RuntimeError, "not here"):
            hooks.__enter__()
    with hooks, raises(RuntimeError, "nor here"), graph.disable_saved_tensors_hooks("nor here"):
        pass
    with hooks:
        pass


def test_allow_mutation_on_saved_tensors() -> None:
    x = leaf(3.0)
    with graph.allow_mutation_on_saved_tensors():
        y = x * 1
        z = y * y
        e = y.exp()
        y.add_(100)
        e.mul_(0)
        torch.autograd.backward([z, y])
        assert x.grad.tolist() == [7.0]
        outside = y * y
    with raises(AssertionError, "Trying to backward outside of the 'allow_mutation_on_saved_tensors' context"):
        outside.backward()


def test_allowing_mutation_does_not_nest() -> None:
    with graph.allow_mutation_on_saved_tensors():
        with raises(RuntimeError, "allow_mutation_on_saved_tensors contexts cannot be nested"):
            graph.allow_mutation_on_saved_tensors().__enter__()


def test_increment_version() -> None:
    x = leaf(3.0)
    y = x * 1
    z = y * y
    graph.increment_version(y)
    with raises(RuntimeError, "one of the variables needed for gradient computation has been modified by an inplace"):
        z.backward()
    graph.increment_version([x, y])
    assert x._version == 1
    with raises(RuntimeError, "increment_version expect"):
        graph.increment_version(3)


# -- the log -----------------------------------------------------------------------------------------------------


def test_the_log_names_each_node(caplog) -> None:
    x = leaf(3.0)
    y = x.sum()
    with caplog.at_level(logging.DEBUG, logger=graph.__name__):
        y.backward()
    assert re.search(r"Executing: <SumBackward0 object at 0x\w+> with grad_outputs: \[f32\[\]\]", caplog.text)


def test_dir_of_a_node_lists_what_it_saves() -> None:
    x = leaf(1.0, 2.0)
    saved = {name for name in dir((x * x).grad_fn) if "saved" in name}
    assert saved == {"_saved_self", "_saved_other", "_raw_saved_self", "_raw_saved_other"}
    for node in ((x * x).grad_fn, x.exp().grad_fn, x.sum().grad_fn, (x**3).grad_fn, torch.maximum(x, x).grad_fn):
        for name in dir(node):
            if "_saved" in name:
                getattr(node, name)  # none is there in name only


def test_backward_hooks_are_shown_and_not_deleted() -> None:
    x = leaf(1.0, 2.0)
    assert x._backward_hooks is None
    handle = x.register_hook(lambda g: g)
    assert list(x._backward_hooks) == [handle.id]
    y = x * 2
    assert y._grad_fn is y.grad_fn
    assert y._backward_hooks is None
    y.register_hook(lambda g: g)
    assert len(y._backward_hooks) == 1
    with pytest.raises(RuntimeError, match="Deletion of _backwards_hooks not allowed!"):
        del x._backward_hooks
    with pytest.raises(RuntimeError, match="Deletion of _grad_fn not allowed. Detach tensor instead!"):
        del y._grad_fn


def test_whether_a_reentrant_checkpoint_may_run() -> None:
    valid = torch.autograd.Variable._execution_engine.is_checkpoint_valid
    assert valid()
    seen = []
    x = leaf(1.0, 2.0)
    y = x * 2
    y.register_hook(lambda g: seen.append(valid()))
    y.sum().backward(retain_graph=True)
    torch.autograd.grad(y.sum(), x)
    assert seen == [True, False]


def test_what_a_hook_can_learn_of_the_pass() -> None:
    x, w = leaf(1.0), leaf(2.0)
    y = x.exp()
    z = y.sum()
    other = w * 2
    learnt = {}

    def hook(_):
        learnt["id"] = torch._C._current_graph_task_id()
        learnt["run"] = [torch._C._will_engine_execute_node(t.grad_fn) for t in (y, other)]
        learnt["order"] = [n.name() for n in torch._C._current_graph_task_execution_order()]

    y.register_hook(hook)
    y.grad_fn.register_prehook(lambda _: learnt.update(node=torch._C._current_autograd_node()))
    assert torch._C._current_graph_task_id() == -1
    with torch.autograd.set_multithreading_enabled(False):
        z.backward()
    assert learnt["id"] >= 0
    assert learnt["run"] == [True, False]
    assert learnt["order"][-2:] == ["ExpBackward0", "torch::autograd::AccumulateGrad"]
    assert learnt["node"] is y.grad_fn
