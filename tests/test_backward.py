"""`backward` and `grad`, and what the engine promises: order, accumulation, release, threads, ties and kinks."""

from __future__ import annotations

import gc
import math
import re
import threading
import warnings
import weakref

import pytest

import wengert as torch
from wengert.autograd.graph import get_gradient_edge


def leaf(*values: float) -> torch.Tensor:
    return torch.tensor(values, requires_grad=True)


def raises(error: type[BaseException], message: str):
    """The message must start with (or be) these exact words."""
    return pytest.raises(error, match="^" + re.escape(message))


AGAIN = (
    "Trying to backward through the graph a second time (or directly access saved tensors after they have already been "
    "freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). Specify "
    "retain_graph=True if you need to backward through the graph a second time or if you need to access saved tensors "
    "after calling backward."
)

# -- roots and gradients ---------------------------------------------------------------------------------------


def test_a_root_outside_the_graph_is_named_by_its_position() -> None:
    x = leaf(1.0)
    message = "element {} of tensors does not require grad and does not have a grad_fn"
    with raises(RuntimeError, message.format(0)):
        torch.ones(1).backward()
    with raises(RuntimeError, message.format(1)):
        torch.autograd.backward([(x * 2).sum(), torch.ones(())])


def test_implicit_gradient_needs_one_element() -> None:
    x = torch.ones(1, 1, 1, requires_grad=True)
    (x * 2).backward()
    assert x.grad.tolist() == [[[2.0]]]
    with raises(RuntimeError, "grad can be implicitly created only for scalar outputs"):
        leaf(1.0, 2.0).mul(2).backward()
    z = torch.tensor([1 + 2j], requires_grad=True)
    message = "grad can be implicitly created only for real scalar outputs but got torch.complex64"
    with raises(RuntimeError, message):
        (z * z).backward()


def test_gradient_is_checked_and_cast() -> None:
    x = leaf(1.0, 2.0)
    y = x * 2
    message = (
        "Mismatch in shape: grad_output[0] has a shape of torch.Size([3]) and output[0] has a shape of torch.Size([2])."
    )
    with raises(RuntimeError, message):
        y.backward(torch.ones(3))
    y.backward(torch.tensor([1.0, 10.0], dtype=torch.float64), retain_graph=True)
    assert x.grad.dtype is torch.float32
    assert x.grad.tolist() == [2.0, 20.0]
    with pytest.raises(TypeError):
        y.backward(3.0)
    with raises(RuntimeError, "For complex Tensors, both grad_output and output are required to have the same dtype."):
        y.backward(torch.ones(2, dtype=torch.complex64))
    with raises(RuntimeError, "got 2 tensors and 1 gradients"):
        torch.autograd.backward([y, y], [torch.ones(2)])


def test_several_roots_are_summed() -> None:
    x = leaf(2.0)
    y, z = x * 3, (x * x).sum()
    torch.autograd.backward([y, z, z], [torch.tensor([10.0]), None, torch.tensor(1.0)])
    assert x.grad.tolist() == [38.0]


# -- keeping and freeing the graph -----------------------------------------------------------------------------


def test_second_pass_over_freed_values() -> None:
    x = leaf(1.0)
    y = x.exp().sum()
    node = y.grad_fn.next_functions[0][0]
    y.backward()
    assert y.grad_fn is not None
    with raises(RuntimeError, AGAIN):
        y.backward()
    with raises(RuntimeError, AGAIN):
        node._saved_result


def test_retain_graph_keeps_values() -> None:
    x = leaf(1.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [4.0]
    with raises(RuntimeError, AGAIN):
        y.backward()


def test_what_saves_nothing_may_run_twice() -> None:
    x = leaf(1.0)
    y = (x + 1).sum()
    y.backward()
    y.backward()
    assert x.grad.tolist() == [2.0]


def test_losses_sharing_a_trunk() -> None:
    x = leaf(1.0)
    trunk = x.exp()
    a, b = trunk.sum(), (trunk * 2).sum()
    a.backward()
    with raises(RuntimeError, AGAIN):
        b.backward()


def test_only_visited_nodes_are_freed() -> None:
    x, w = leaf(2.0), leaf(3.0)
    y = x * x
    z = w * w
    torch.autograd.grad((y + z).sum(), x)
    with raises(RuntimeError, AGAIN):
        y.sum().backward()
    z.sum().backward()
    assert w.grad.tolist() == [6.0]


def test_create_graph() -> None:
    x = leaf(2.0)
    (g,) = torch.autograd.grad((x**3).sum(), x, create_graph=True)
    assert g.requires_grad
    assert torch.autograd.grad(g.sum(), x)[0].tolist() == [12.0]
    (constant,) = torch.autograd.grad((2 * x).sum(), x, create_graph=True)
    assert not constant.requires_grad
    y = (x**3).sum()
    with torch.no_grad():
        (g,) = torch.autograd.grad(y, x, create_graph=True)
    assert g.requires_grad


def test_backward_with_create_graph_warns() -> None:
    x = leaf(2.0)
    with pytest.warns(UserWarning, match="Using backward\\(\\) with create_graph=True will create a reference cycle"):
        (x**3).sum().backward(create_graph=True)
    assert x.grad.requires_grad
    x.grad = None


def test_create_graph_without_retaining() -> None:
    x = leaf(2.0)
    y = (x * x).sum()
    (g,) = torch.autograd.grad(y, x, create_graph=True, retain_graph=False)
    assert g.requires_grad
    with raises(RuntimeError, AGAIN):
        torch.autograd.grad(y, x)


# -- inputs= ---------------------------------------------------------------------------------------------------


def test_inputs_limit_what_accumulates() -> None:
    x, w = leaf(2.0), leaf(3.0)
    y = x * w
    z = y * y
    z.sum().backward(inputs=[x, y])
    assert x.grad.tolist() == [36.0]
    assert w.grad is None
    assert y.grad.tolist() == [12.0]


def test_an_unused_input_stays_none() -> None:
    x, other = leaf(2.0), leaf(1.0)
    (x * 2).sum().backward(inputs=[other])
    assert x.grad is None
    assert other.grad is None


def test_inputs_are_checked() -> None:
    x = leaf(2.0)
    y = (x * 2).sum()
    with raises(RuntimeError, "`inputs` argument to `backward()` cannot be empty."):
        y.backward(inputs=[])
    with raises(RuntimeError, "can't retain_grad on Tensor that has requires_grad=False"):
        y.backward(inputs=[torch.ones(1)])


def test_inputs_may_be_a_dict() -> None:
    x, w = leaf(2.0), leaf(3.0)
    (x * w).sum().backward(inputs={"x": x})
    assert x.grad.tolist() == [3.0]
    assert w.grad is None


# -- accumulation ----------------------------------------------------------------------------------------------


def test_gradients_accumulate_in_place() -> None:
    x = leaf(2.0)
    (x * 3).sum().backward()
    first = x.grad
    (x * 4).sum().backward()
    assert x.grad is first
    assert first.tolist() == [7.0]


def test_accumulation_with_create_graph_makes_a_new_tensor() -> None:
    x = leaf(2.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (x * x).sum().backward(create_graph=True)
        first = x.grad
        (x * x).sum().backward(create_graph=True)
    assert x.grad is not first
    assert first.tolist() == [4.0]
    assert x.grad.tolist() == [8.0]
    x.grad = None


def test_grad_never_shares_memory() -> None:
    x, y = leaf(1.0, 2.0), leaf(1.0, 2.0)
    g = torch.ones(2)
    (x + y).backward(g)
    assert len({x.grad.data_ptr(), y.grad.data_ptr(), g.data_ptr()}) == 3
    x.grad[0] = 100.0
    assert y.grad.tolist() == [1.0, 1.0]
    assert g.tolist() == [1.0, 1.0]
    z = torch.ones(2, 3, requires_grad=True)
    z.sum().backward()
    assert z.grad.is_contiguous()
    z.grad[0, 0] = 5.0
    assert z.grad.sum().item() == 10.0


def test_grad_has_the_layout_of_a_dense_leaf() -> None:
    x = torch.ones(3, 2).t().requires_grad_()
    (x * torch.ones(2, 3)).sum().backward()
    assert x.grad.stride() == x.stride() == (1, 2)


def test_backward_of_a_leaf_itself() -> None:
    x = torch.tensor(3.0, requires_grad=True)
    x.backward()
    assert x.grad.item() == 1.0
    assert torch.autograd.grad(x, x)[0].item() == 1.0


def test_backward_works_under_no_grad() -> None:
    x = leaf(3.0)
    y = (x * x).sum()
    with torch.no_grad():
        y.backward()
    assert x.grad.tolist() == [6.0]


# -- grad ------------------------------------------------------------------------------------------------------


def test_grad_returns_a_tuple_and_leaves_grad_alone() -> None:
    x, w = leaf(2.0), leaf(5.0)
    y = x * w
    found = torch.autograd.grad((y * y).sum(), [x, y, x, w])
    assert isinstance(found, tuple)
    assert [g.tolist() for g in found] == [[100.0], [20.0], [100.0], [40.0]]
    assert x.grad is None
    assert w.grad is None


def test_grad_of_a_dict_is_a_dict() -> None:
    x, w = leaf(2.0), leaf(5.0)
    found = torch.autograd.grad((x * w).sum(), {"x": x, "w": w})
    assert {k: g.tolist() for k, g in found.items()} == {"x": [5.0], "w": [2.0]}


def test_unused_inputs() -> None:
    x, other = leaf(2.0), leaf(1.0)
    y = (x * 2).sum()
    message = (
        "The differentiated Tensor at index 1 appears to not have been used in the graph. Set allow_unused=True if this "
        "is the desired behavior."
    )
    with raises(RuntimeError, message):
        torch.autograd.grad(y, [x, other], retain_graph=True)
    g, none = torch.autograd.grad(y, [x, other], allow_unused=True, retain_graph=True)
    assert g.tolist() == [2.0]
    assert none is None
    with raises(RuntimeError, "One of the differentiated Tensors does not require grad"):
        torch.autograd.grad(y, torch.ones(1), allow_unused=True)


def test_materialize_grads() -> None:
    x, other = leaf(2.0), leaf(1.0, 1.0)
    y = (x * 2).sum()
    _, zeros = torch.autograd.grad(y, [x, other], materialize_grads=True, retain_graph=True)
    assert zeros.tolist() == [0.0, 0.0]
    message = "Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False."
    with raises(ValueError, message):
        torch.autograd.grad(y, [x], materialize_grads=True, allow_unused=False)


def test_is_grads_batched() -> None:
    x = leaf(1.0, 2.0, 3.0)
    y = x * x
    (jacobian,) = torch.autograd.grad(y, x, torch.eye(3), is_grads_batched=True, retain_graph=True)
    assert jacobian.tolist() == [[2.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 6.0]]
    message = "If `is_grads_batched=True`, we interpret the first dimension of each grad_output as the batch dimension."
    with raises(RuntimeError, message):
        torch.autograd.grad(y, x, torch.ones(3, 2), is_grads_batched=True)


def test_grad_outputs_are_differentiable_with_create_graph() -> None:
    x = leaf(1.0, 2.0, 3.0)
    v = torch.zeros(3, requires_grad=True)
    (g,) = torch.autograd.grad(x * x, x, v, create_graph=True)
    (jvp,) = torch.autograd.grad(g, v, torch.tensor([1.0, 10.0, 100.0]))
    assert jvp.tolist() == [2.0, 40.0, 600.0]
    (plain,) = torch.autograd.grad(x * x, x, v)
    assert not plain.requires_grad


def test_deprecated_arguments_warn() -> None:
    x = leaf(2.0)
    with pytest.warns(FutureWarning):
        torch.autograd.grad((x * 2).sum(), x, only_inputs=False)
    with pytest.warns(FutureWarning):
        torch.autograd.backward((x * 2), grad_variables=torch.ones(1))
    with raises(RuntimeError, "torch.autograd.variable(...) is deprecated, use torch.tensor(...) instead"):
        torch.autograd.variable(1)


def test_gradient_edges_stand_for_tensors() -> None:
    x = leaf(2.0)
    y = x * x
    z = (y * 3).sum()
    ex, ey, ez = (get_gradient_edge(t) for t in (x, y, z))
    found = torch.autograd.grad(ez, [ex, ey], retain_graph=True)
    assert [g.tolist() for g in found] == [[12.0], [3.0]]
    torch.autograd.backward(ez, inputs=[ex])
    assert x.grad.tolist() == [12.0]


# -- the engine ------------------------------------------------------------------------------------------------


def test_the_ready_node_made_last_runs_first() -> None:
    x = leaf(1.0)
    order = []
    parts = []
    for name in "abcde":
        t = x * 2
        t.grad_fn.register_hook(lambda i, o, name=name: order.append(name))
        parts.append(t)
    sum(parts).backward()
    assert order == ["e", "d", "c", "b", "a"]


def test_a_leaf_is_served_as_soon_as_it_is_ready() -> None:
    x, w = leaf(1.0), leaf(1.0)
    order = []
    y = x * 2
    y.grad_fn.register_hook(lambda i, o: order.append("y"))
    z = w * 3
    z.grad_fn.register_hook(lambda i, o: order.append("z"))
    w.register_hook(lambda g: order.append("w"))
    x.register_hook(lambda g: order.append("x"))
    (y + z).backward()
    assert order == ["z", "w", "y", "x"]


def test_a_node_runs_once_with_the_sum() -> None:
    x = leaf(1.0)
    y = x * 2
    seen = []
    y.grad_fn.register_hook(lambda i, o: seen.append(o[0].item()))
    (y * 3 + y * 4 + y).sum().backward()
    assert seen == [8.0]


def test_sequence_numbers_grow_also_in_backward() -> None:
    x = leaf(1.0)
    y = x * x
    z = y * y
    assert z.grad_fn._sequence_nr() > y.grad_fn._sequence_nr()
    (g,) = torch.autograd.grad(z.sum(), x, create_graph=True)
    assert g.grad_fn._sequence_nr() > z.grad_fn._sequence_nr()


def test_a_long_chain() -> None:
    x = leaf(1.0)
    y = x
    for _ in range(30_000):
        y = y + 1
    y.backward()
    assert x.grad.tolist() == [1.0]
    dead = weakref.ref(y)
    del y
    gc.collect()
    assert dead() is None


def test_backward_runs_on_the_calling_thread() -> None:
    x = leaf(1.0)
    seen = []
    x.register_hook(lambda g: seen.append(threading.get_ident()))
    (x * 2).sum().backward()
    assert seen == [threading.get_ident()]


def test_threads_accumulate_exactly_into_one_leaf() -> None:
    x = torch.zeros(3, requires_grad=True)

    def work() -> None:
        for _ in range(200):
            (x * 1.0).sum().backward()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert x.grad.tolist() == [1600.0] * 3


def test_reentrant_backward() -> None:
    class Deep(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, depth):
            ctx.depth = depth
            return x.clone()

        @staticmethod
        def backward(ctx, g):
            if ctx.depth:
                with torch.enable_grad():
                    inner = torch.ones(1, requires_grad=True)
                    Deep.apply(inner, ctx.depth - 1).sum().backward()
                return g * inner.grad, None
            return g * 3, None

    x = leaf(1.0)
    Deep.apply(x, 60).sum().backward()
    assert x.grad.tolist() == [3.0]


@pytest.mark.parametrize("where", ["tensor hook", "node hook", "post accumulate"])
def test_exceptions_keep_their_type(where) -> None:
    x = leaf(1.0)
    y = x * 2

    def fail(*_):
        1 / 0

    if where == "tensor hook":
        y.register_hook(fail)
    elif where == "node hook":
        y.grad_fn.register_hook(fail)
    else:
        x.register_post_accumulate_grad_hook(fail)
    with pytest.raises(ZeroDivisionError):
        y.sum().backward()


def test_saved_tensor_is_the_same_object_and_survives_del() -> None:
    x, w = leaf(2.0), leaf(3.0)
    w.tag = "kept"
    y = x * w
    assert y.grad_fn._saved_other is w
    assert y.grad_fn._saved_other.tag == "kept"
    del w
    gc.collect()
    y.sum().backward()
    assert x.grad.tolist() == [3.0]


INF = math.inf


@pytest.mark.parametrize(
    ("name", "fn", "at", "expected"),
    [
        ("max", lambda x: x.max(), [1.0, 1.0, 0.0], [0.5, 0.5, 0.0]),
        ("amax", lambda x: x.amax(0), [1.0, 1.0, 0.0], [0.5, 0.5, 0.0]),
        ("min", lambda x: x.min(), [1.0, 1.0, 3.0], [0.5, 0.5, 0.0]),
        ("max dim", lambda x: x.max(0).values, [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]),
        ("topk", lambda x: x.topk(1).values, [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]),
        ("maximum", lambda x: torch.maximum(x, torch.ones(1)), [1.0], [0.5]),
        ("abs", lambda x: x.abs(), [0.0], [0.0]),
        ("relu", lambda x: x.relu(), [0.0], [0.0]),
        ("clamp", lambda x: x.clamp(0, 1), [0.0, 1.0], [1.0, 1.0]),
        ("clamp_min", lambda x: x.clamp_min(1), [1.0], [1.0]),
        ("sqrt", lambda x: x.sqrt(), [0.0], [INF]),
        ("norm", lambda x: x.norm(), [0.0, 0.0], [0.0, 0.0]),
        ("x**0", lambda x: x**0, [0.0, 2.0], [0.0, 0.0]),
        ("0**x", lambda x: torch.zeros(1) ** x, [2.0], [0.0]),
        ("prod one zero", lambda x: x.prod(), [0.0, 2.0, 3.0], [6.0, 0.0, 0.0]),
        ("prod two zeros", lambda x: x.prod(), [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]),
        ("cummax", lambda x: x.cummax(0).values[-1], [1.0, 1.0], [0.0, 1.0]),
        ("atan2", lambda x: torch.atan2(x, torch.zeros(1)), [0.0], [0.0]),
        ("round", lambda x: x.round(), [0.5], [0.0]),
        ("floor", lambda x: x.floor(), [1.0], [0.0]),
        ("sign", lambda x: x.sign(), [0.0], [0.0]),
        ("xlogy", lambda x: torch.xlogy(torch.zeros(1), x), [0.0], ["nan"]),
        ("std", lambda x: x.std(), [1.0], ["nan"]),
        ("logsumexp", lambda x: x.logsumexp(0), [-INF, -INF], ["nan", "nan"]),
        ("hypot", lambda x: torch.hypot(x, torch.zeros(1)), [0.0], ["nan"]),
        ("sinc", lambda x: x.sinc(), [0.0], [0.0]),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_ties_and_kinks(name, fn, at, expected) -> None:
    x = leaf(*at)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # std of one element
        fn(x).sum().backward()
    assert [v if v == v else "nan" for v in x.grad.tolist()] == expected


def test_complex_gradients_are_conjugate() -> None:
    z = torch.tensor(1 + 2j, requires_grad=True)
    (z * z.conj()).real.backward()
    assert z.grad.item() == 2 + 4j
    z.grad = None
    (z * z).real.backward()
    assert z.grad.item() == 2 - 4j


def test_outputs_without_derivative() -> None:
    x = leaf(1.0, 2.0)
    for y in (x > 1, x.argmax(), x.sort().indices, x.long(), x == x):
        assert not y.requires_grad
        assert y.grad_fn is None
    assert x.round().grad_fn is not None
