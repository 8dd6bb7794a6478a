"""`autograd.Function`: what forward and backward may do, and what is said when they do something else."""

from __future__ import annotations

import re

import pytest

import wengert as torch
from wengert.autograd import Function
from wengert.autograd import forward_ad as fwAD
from wengert.autograd.function import once_differentiable
from wengert.func import grad as func_grad
from wengert.func import vmap


def leaf(*values: float) -> torch.Tensor:
    return torch.tensor(values, requires_grad=True)


def raises(error: type[BaseException], message: str):
    """The message must start with (or be) these exact words."""
    return pytest.raises(error, match="^" + re.escape(message))


def make(forward, backward=None, **more) -> type[Function]:
    """A Function called F from plain functions (and flags)."""
    methods = {"forward": staticmethod(forward)}
    methods |= {k: staticmethod(v) if callable(v) else v for k, v in more.items()}
    if backward is not None:
        methods["backward"] = staticmethod(backward)
    return type(Function)("F", (Function,), methods)


class Square(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x * g


# -- forward and backward ----------------------------------------------------------------------------------------


def test_old_style() -> None:
    x = leaf(3.0)
    y = Square.apply(x)
    assert y.grad_fn.name() == "SquareBackward"
    assert repr(y) == "tensor([9.], grad_fn=<SquareBackward>)"
    assert isinstance(y.grad_fn, torch.autograd.graph.Node)
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    assert g.tolist() == [6.0]
    assert torch.autograd.grad(g, x)[0].tolist() == [2.0]


def test_new_style_binds_defaults_and_keywords() -> None:
    seen = []

    def setup(ctx, inputs, output):
        seen.append((inputs[1], output.tolist()))
        ctx.k = inputs[1]

    F = make(lambda x, k=5: x * k, lambda ctx, g: (g * ctx.k, None), setup_context=setup)
    x = leaf(1.0)
    F.apply(x).backward()
    F.apply(x, k=3).backward()
    F.apply(x, 7).backward()
    assert seen == [(5, [5.0]), (3, [3.0]), (7, [7.0])]
    assert x.grad.tolist() == [15.0]


def test_grad_mode_inside() -> None:
    modes = []

    def forward(ctx, x):
        modes.append(torch.is_grad_enabled())
        return x * 2

    def backward(ctx, g):
        modes.append(torch.is_grad_enabled())
        return g * 2

    F = make(forward, backward)
    x = leaf(1.0)
    F.apply(x).backward()
    torch.autograd.grad(F.apply(x), x, create_graph=True)
    assert modes == [False, False, False, True]


def test_ctx_is_the_grad_fn() -> None:
    seen = []

    def forward(ctx, x):
        ctx.tag = "mine"
        return x * 2

    F = make(forward, lambda ctx, g: seen.append(ctx) or g)
    y = F.apply(leaf(1.0))
    assert y.grad_fn.tag == "mine"
    y.backward()
    assert seen == [y.grad_fn]
    with pytest.raises(AttributeError, match="'FBackward' object has no attribute 'other'"):
        y.grad_fn.other


def test_tensors_in_lists_are_not_tracked() -> None:
    F = make(lambda ctx, xs: xs[0] * 2, lambda ctx, g: g)
    assert not F.apply([leaf(1.0)]).requires_grad


def test_other_outputs_pass_through() -> None:
    seen = []
    F = make(lambda ctx, x: (x * 2, 3, None, x.long()), lambda ctx, *g: seen.append(g) or g[0] * 2)
    x = leaf(1.0)
    y, three, nothing, whole = F.apply(x)
    assert (three, nothing) == (3, None)
    assert not whole.requires_grad
    y.backward()
    assert x.grad.tolist() == [2.0]
    (given,) = seen
    assert given[1:3] == (None, None)
    assert given[3].tolist() == [0]


def test_needs_input_grad_is_not_narrowed_by_inputs() -> None:
    seen = []
    F = make(lambda ctx, x, y, k: x * y, lambda ctx, g: seen.append(ctx.needs_input_grad) or (g, g, None))
    x, y = leaf(1.0), leaf(2.0)
    F.apply(x, y, 3).backward(inputs=[x])
    F.apply(x, y.detach(), 3).backward()
    assert seen == [(True, True, False), (True, False, False)]


def test_it_is_a_plain_function_without_gradients() -> None:
    assert not Square.apply(torch.ones(1)).requires_grad
    with torch.no_grad():
        y = Square.apply(leaf(1.0))
    assert not y.requires_grad


# -- what backward returns ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("returned", "error", "message"),
    [
        (lambda g: g, RuntimeError, "function FBackward returned an incorrect number of gradients (expected 2, got 1)"),
        (
            lambda g: (g, g, g),
            RuntimeError,
            "function FBackward returned an incorrect number of gradients (expected 2, got 3)",
        ),
        (
            lambda g: (torch.ones(3), None),
            RuntimeError,
            "Function FBackward returned an invalid gradient at index 0 - got [3] but expected shape compatible with [2]",
        ),
        (
            lambda g: (g, g),
            RuntimeError,
            "function FBackward returned a gradient different than None at position 2, but the corresponding forward input "
            "was not a Variable",
        ),
        (lambda g: (1.0, None), RuntimeError, "expected Variable or None (got float)"),
    ],
)
def test_returned_gradients_are_checked(returned, error, message) -> None:
    F = make(lambda ctx, x, k: x * k, lambda ctx, g: returned(g))
    with raises(error, message):
        F.apply(leaf(1.0, 2.0), 3).sum().backward()


def test_returned_gradients_are_fitted() -> None:
    x = leaf(1.0, 2.0)
    F = make(lambda ctx, x: x * 2, lambda ctx, g: torch.ones(3, 2, dtype=torch.float64))
    F.apply(x).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]
    assert x.grad.dtype is torch.float32


def test_trailing_nones_are_allowed() -> None:
    x = leaf(1.0)
    make(lambda ctx, x: x * 2, lambda ctx, g: (g, None, None)).apply(x).backward()
    assert x.grad.tolist() == [1.0]


def test_without_backward() -> None:
    F = make(lambda ctx, x: x * 2)
    message = (
        "You must implement either the backward or vjp method for your custom autograd.Function to use it with backward "
        "mode AD."
    )
    with raises(NotImplementedError, message):
        F.apply(leaf(1.0)).backward()
    F = make(lambda ctx, x: x * 2, lambda ctx, g: g, vjp=lambda ctx, g: g)
    message = (
        "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. You should only implement one of "
        "them."
    )
    with raises(RuntimeError, message):
        F.apply(leaf(1.0)).backward()
    x = leaf(1.0)
    make(lambda ctx, x: x * 2, vjp=lambda ctx, g: g * 5).apply(x).backward()
    assert x.grad.tolist() == [5.0]


def test_without_forward() -> None:
    with raises(NotImplementedError, "You must implement the forward function for custom autograd.Function."):
        type(Function)("F", (Function,), {}).apply(leaf(1.0))


# -- saving ------------------------------------------------------------------------------------------------------


def test_save_for_backward_takes_tensors_and_none() -> None:
    seen = []

    def forward(ctx, x):
        y = x * 2
        ctx.save_for_backward(x)
        ctx.save_for_backward(x, None, y)
        return y

    F = make(forward, lambda ctx, g: seen.append(ctx.saved_tensors) or g)
    x = leaf(1.0)
    F.apply(x).backward()
    (a, b, c) = seen[0]
    assert a is x
    assert b is None
    assert c.tolist() == [2.0]

    def wrong(ctx, x):
        ctx.save_for_backward(3)
        return x * 2

    with raises(TypeError, "save_for_backward can only save variables, but argument 0 is of type int"):
        make(wrong).apply(x)


def test_saved_tensors_are_guarded_and_freed() -> None:
    x = leaf(1.0) * 1
    y = Square.apply(x)
    x.add_(1)
    with raises(RuntimeError, "one of the variables needed for gradient computation has been modified by an inplace"):
        y.backward()
    z = Square.apply(leaf(1.0))
    z.backward()
    with raises(RuntimeError, "Trying to backward through the graph a second time"):
        z.backward()
    with raises(RuntimeError, "Trying to backward through the graph a second time"):
        z.grad_fn.saved_tensors


def test_a_saved_output_can_be_differentiated_again() -> None:
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    F = make(forward, lambda ctx, g: g * ctx.saved_tensors[0])
    x = leaf(0.0)
    (g,) = torch.autograd.grad(F.apply(x), x, create_graph=True)
    (gg,) = torch.autograd.grad(g, x, create_graph=True)
    assert gg.tolist() == [1.0]


def test_clear_saved_tensors_on_access() -> None:
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * 2

    F = make(
        forward, lambda ctx, g: (ctx.saved_tensors, ctx.saved_tensors)[0][0] * g, clear_saved_tensors_on_access=True
    )
    message = "saved_tensors can only be accessed once when clear_saved_tensors_on_access=True is set on the"
    with raises(RuntimeError, message):
        F.apply(leaf(1.0)).backward()


def test_boxed_grads_call() -> None:
    seen = []
    F = make(lambda ctx, x: (x * 2, x * 3), lambda ctx, g: seen.append(type(g)) or g[0], boxed_grads_call=True)
    a, b = F.apply(leaf(1.0))
    (a + b).backward()
    assert seen == [list]


def test_raw_saved_tensors_take_hooks() -> None:
    x = leaf(3.0)
    y = Square.apply(x)
    y.grad_fn._raw_saved_tensors[0].register_hooks(lambda t: t.item(), lambda n: torch.tensor([n * 10]))
    y.backward()
    assert x.grad.tolist() == [60.0]


# -- inputs changed in place, returned as they came, not differentiable -------------------------------------------


def dirty(ctx, x):
    ctx.mark_dirty(x)
    x.mul_(2)
    return x


def test_mark_dirty() -> None:
    F = make(dirty, lambda ctx, g: g * 2)
    x = leaf(1.0, 2.0)
    y = x * 1
    before = y._version
    z = F.apply(y)
    assert z is y
    assert z.grad_fn.name() == "FBackward"
    assert z._version > before
    z.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_mark_dirty_of_a_view() -> None:
    F = make(dirty, lambda ctx, g: g * 2)
    x = leaf(1.0, 2.0)
    y = x * 1
    F.apply(y[0:1])
    assert y.tolist() == [2.0, 2.0]
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 1.0]


def test_mark_dirty_is_checked() -> None:
    F = make(dirty, lambda ctx, g: g)
    with raises(RuntimeError, "a leaf Variable that requires grad has been used in an in-place operation."):
        F.apply(leaf(1.0))
    with raises(RuntimeError, "a view of a leaf Variable that requires grad is being used in an in-place operation."):
        F.apply(leaf(1.0)[0:1])
    message = (
        "Some elements marked as dirty during the forward method were not returned as output. The inputs that are modified "
        "inplace must all be outputs of the Function."
    )
    with raises(RuntimeError, message):
        make(lambda ctx, x: ctx.mark_dirty(x) or x * 2).apply(leaf(1.0) * 1)

    def two(ctx, x):
        ctx.mark_dirty(x)
        return x, x * 2

    with raises(
        RuntimeError, "If your Function modifies inplace an input that is a view of another Tensor, your Function"
    ):
        make(two).apply((leaf(1.0, 2.0) * 1)[0:1])


def test_an_input_returned_as_it_came_is_a_view() -> None:
    F = make(lambda ctx, x: x, lambda ctx, g: g * 3)
    x = leaf(1.0)
    y = F.apply(x)
    assert y is not x
    assert y._is_view()
    assert y._base is x
    message = (
        "Output 0 of F is a view and is being modified inplace. This view was created inside a custom Function (or because "
        "an input was returned as-is) and the autograd logic to handle view+inplace would override the custom backward "
        "associated with the custom Function, leading to incorrect gradients. This behavior is forbidden. You can fix this "
        "by cloning the output of the custom Function."
    )
    with raises(RuntimeError, message):
        F.apply(x * 1).add_(1)
    y.backward()
    assert x.grad.tolist() == [3.0]
    with torch.no_grad():
        z = F.apply(x)
    assert not z.requires_grad
    a = torch.ones(1)
    assert F.apply(a).data_ptr() == a.data_ptr()


def test_a_view_made_inside_cannot_be_changed_in_place() -> None:
    y = make(lambda ctx, x: x[0:1], lambda ctx, g: torch.cat([g, g])).apply(leaf(1.0, 2.0) * 1)
    with raises(RuntimeError, "Output 0 of F is a view and is being modified inplace. This view was created inside"):
        y.add_(1)
    several = make(lambda ctx, x: (x[0:1], x[1:]), lambda ctx, g, h: torch.cat([g, h])).apply(leaf(1.0, 2.0) * 1)
    with raises(RuntimeError, "Output 1 of F is a view and is being modified inplace. This view is the output of a"):
        several[1].add_(1)


def test_mark_non_differentiable() -> None:
    def forward(ctx, x):
        a, b = x * 2, x * 3
        ctx.mark_non_differentiable(a)
        return a, b

    seen = []
    F = make(forward, lambda ctx, g, h: seen.append(g.tolist()) or h * 3)
    x = leaf(1.0, 2.0)
    a, b = F.apply(x)
    assert a.grad_fn is None
    assert not a.requires_grad
    b.sum().backward()
    assert seen == [[0.0, 0.0]]
    assert x.grad.tolist() == [3.0, 3.0]


@pytest.mark.parametrize("materialize", [True, False])
def test_set_materialize_grads(materialize) -> None:
    seen = []

    def forward(ctx, x):
        ctx.set_materialize_grads(materialize)
        return x * 2, torch.cat([x, x])

    F = make(forward, lambda ctx, g, h: seen.append(h) or g)
    F.apply(leaf(1.0))[0].backward()
    assert seen[0].tolist() == [0.0, 0.0] if materialize else seen == [None]


# -- second derivatives ------------------------------------------------------------------------------------------


def once(constant_grad: bool):
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @once_differentiable
    def backward(ctx, g):
        assert not torch.is_grad_enabled()
        return 2 * ctx.saved_tensors[0] * g

    x = leaf(1.0)
    start = torch.ones(1, requires_grad=not constant_grad)
    (g,) = torch.autograd.grad(make(forward, backward).apply(x), x, start, create_graph=True)
    return x, g


def test_once_differentiable() -> None:
    _, g = once(False)
    with raises(RuntimeError, "trying to differentiate twice a function that was marked with @once_differentiable"):
        g.sum().backward()


def test_forward_mode() -> None:
    def forward(ctx, x, y):
        ctx.save_for_forward(x)
        return x * y

    seen = []

    def jvp(ctx, s, t):
        seen.append(t.tolist())
        return s * ctx.saved_tensors[0] * 100

    F = make(forward, jvp=jvp)
    with fwAD.dual_level():
        d = fwAD.make_dual(torch.tensor([2.0]), torch.tensor([1.0]))
        out = F.apply(d, torch.ones(1))
        assert fwAD.unpack_dual(out).tangent.tolist() == [200.0]
        assert seen == [[0.0]]
        message = "You must implement the jvp function for custom autograd.Function to use it with forward mode AD."
        with raises(NotImplementedError, message):
            make(forward).apply(d, d)
        message = "Trying to set a forward gradient that has a different size than that of the original Tensor"
        with raises(RuntimeError, message):
            make(forward, jvp=lambda ctx, s, t: torch.ones(3)).apply(d, d)


# -- vmap --------------------------------------------------------------------------------------------------------


def test_vmap_staticmethod_and_generated_rule() -> None:
    def setup(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    def backward(ctx, g):
        return g * 2 * ctx.saved_tensors[0]

    asked = []

    def rule(info, in_dims, x):
        asked.append((info.batch_size, in_dims))
        return F.apply(x), in_dims[0]

    F = make(lambda x: x * x, backward, setup_context=setup, vmap=rule)
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    assert vmap(F.apply)(x).tolist() == (x * x).tolist()
    assert asked == [(3, (0,))]
    G = make(lambda x: x * x, backward, setup_context=setup, generate_vmap_rule=True)
    assert vmap(G.apply)(x).tolist() == (x * x).tolist()
    per_sample = vmap(func_grad(lambda v: G.apply(v).sum()))(x)
    assert per_sample.tolist() == (2 * x).tolist()


def test_vmap_without_a_rule() -> None:
    def setup(ctx, inputs, output):
        pass

    x = torch.ones(2)
    with raises(
        RuntimeError, "You tried to vmap over F, but it does not have vmap support. Please override and implement"
    ):
        vmap(make(lambda x: x * 2, setup_context=setup).apply)(x)
    both = make(lambda x: x * 2, setup_context=setup, vmap=lambda i, d, x: (x, 0), generate_vmap_rule=True)
    with raises(
        RuntimeError, "You tried to vmap over F, but it has both generate_vmap_rule=True and an overridden vmap"
    ):
        vmap(both.apply)(x)
    with raises(
        RuntimeError, "In order to use an autograd.Function with functorch transforms (vmap, grad, jvp, jacrev"
    ):
        vmap(make(lambda ctx, x: x * 2).apply)(x)


# -- relics ------------------------------------------------------------------------------------------------------


def test_instances_are_a_relic() -> None:
    with pytest.warns(
        DeprecationWarning, match="should not be instantiated. Methods on autograd functions are all static"
    ):
        f = Square()
    with raises(RuntimeError, "Legacy autograd function with non-static forward method is deprecated."):
        f(leaf(1.0))


def _identity(rule=None):
    class Identity(torch.autograd.Function):
        @staticmethod
        def forward(x):
            return x.clone()

        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

        @staticmethod
        def backward(ctx, g):
            return g

    if rule is not None:
        Identity.vmap = staticmethod(rule)
    return Identity


def test_an_argument_returned_as_it_came_cannot_be_saved() -> None:
    class Same(_identity()):
        @staticmethod
        def forward(x):
            return x

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(output)

    with pytest.raises(
        RuntimeError, match="An input that has been returned as-is as output is being saved for backward"
    ):
        Same.apply(torch.ones(2))
    with pytest.raises(
        RuntimeError, match="An input that has been returned as-is as output is being saved for backward"
    ):
        torch.func.grad(Same.apply)(torch.tensor(1.0))


def test_the_nodes_name_inside_a_transform() -> None:
    names = []

    def f(x):
        y = _identity().apply(x)
        names.append(y.grad_fn.name())
        return y

    torch.func.grad(f)(torch.tensor(1.0))
    assert names == ["IdentityGeneratedBackward"]


def test_a_vmap_rule_sees_where_the_batch_is() -> None:
    def rule(info, in_dims, x):
        assert in_dims == (1,)
        assert x.shape == (3, 4)
        return x * 2, in_dims[0]

    x = torch.ones(3, 4)
    assert torch.vmap(_identity(rule).apply, in_dims=1)(x).tolist() == (x.T * 2).tolist()

    def of_lists(info, in_dims, x, ys):
        assert in_dims == (0, [0, None])
        return x * ys[0], 0

    class OfLists(_identity(of_lists)):
        @staticmethod
        def forward(x, ys):
            return x * ys[0]

    assert torch.vmap(lambda x: OfLists.apply(x, [x, torch.ones(())]))(x).tolist() == x.tolist()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda x: x, "to have two returns, an output and out_dims .* Got a <class 'wengert"),
        (lambda x: (x, x, 0), "Got 3 returns instead"),
        (lambda x: (x, (None,)), r"Expected out_dims=\(None,\) .* TreeSpec\(tuple, None, \[\*\]\) but output has structure \*"),
        (lambda x: ([x], (None,)), "returned an incompatible"),
    ],
)  # fmt: skip
def test_what_a_vmap_rule_may_return(answer, message) -> None:
    with pytest.raises(RuntimeError, match=message):
        torch.vmap(_identity(lambda info, in_dims, x: answer(x)).apply)(torch.ones(2, 3))


def test_keyword_only_tensors_are_refused() -> None:
    class KeywordOnly(_identity()):
        @staticmethod
        def forward(x, *, y):
            return x + y

    with pytest.raises(NotImplementedError, match="Run vmap on autograd.Function with kwarg-only Tensor args"):
        torch.vmap(KeywordOnly.apply)(torch.ones(2), y=torch.ones(2))
    with pytest.raises(TypeError, match=r"forward\(\) got an unexpected keyword argument 'y'"):
        KeywordOnly.apply(torch.ones(2), y=torch.ones(2))
