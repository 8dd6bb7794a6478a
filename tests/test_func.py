"""Function transforms: what each gives, that they compose, and what they say to wrong use."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

import wengert as torch
from wengert import func, vmap
from wengert.autograd import forward_ad as fwAD
from wengert.autograd import functional


def rosenbrock(x: torch.Tensor) -> torch.Tensor:
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def hessian_by_hand(x: np.ndarray) -> np.ndarray:
    n = len(x)
    h = np.zeros((n, n))
    for i in range(n - 1):
        h[i, i] += 1200 * x[i] ** 2 - 400 * x[i + 1] + 2
        h[i + 1, i + 1] += 200
        h[i, i + 1] = h[i + 1, i] = -400 * x[i]
    return h


# -- seven routes to one Hessian -----------------------------------------------------------------------------------


def rows_by_double_backward(f, x):
    x = x.detach().requires_grad_()
    (g,) = torch.autograd.grad(f(x), x, create_graph=True)
    return torch.stack([torch.autograd.grad(g[i], x, retain_graph=True)[0] for i in range(len(x))])


def batched_double_backward(f, x):
    x = x.detach().requires_grad_()
    (g,) = torch.autograd.grad(f(x), x, create_graph=True)
    return torch.autograd.grad(g, x, torch.eye(len(x), dtype=x.dtype), is_grads_batched=True)[0]


def columns_by_dual_numbers(f, x):
    columns = []
    for e in torch.eye(len(x), dtype=x.dtype):
        with fwAD.dual_level():
            p = x.detach().requires_grad_()
            d = fwAD.make_dual(p, e)
            (g,) = torch.autograd.grad(f(d), d, create_graph=True)
            columns.append(fwAD.unpack_dual(g).tangent.detach())
    return torch.stack(columns, 1)


ROUTES = {
    "func.hessian": lambda f, x: func.hessian(f)(x),
    "reverse over reverse": lambda f, x: func.jacrev(func.jacrev(f))(x),
    "forward over forward": lambda f, x: func.jacfwd(func.jacfwd(f))(x),
    "reverse over forward": lambda f, x: func.jacrev(func.jacfwd(f))(x),
    "functional.hessian": lambda f, x: functional.hessian(f, x),
    "rows by double backward": rows_by_double_backward,
    "a batch of double backwards": batched_double_backward,
    "dual numbers through backward": columns_by_dual_numbers,
    "vmapped hvp": lambda f, x: vmap(lambda v: func.jvp(func.grad(f), (x,), (v,))[1])(torch.eye(len(x), dtype=x.dtype)),
}


@pytest.mark.parametrize("route", ROUTES)
def test_all_routes_lead_to_the_hessian(route) -> None:
    x = torch.linspace(-1.2, 0.9, 7, dtype=torch.float64)
    np.testing.assert_allclose(ROUTES[route](rosenbrock, x).numpy(), hessian_by_hand(x.numpy()), rtol=1e-10, atol=1e-10)


# -- what they give ----------------------------------------------------------------------------------------------------


def test_grad_and_value_with_aux_and_argnums() -> None:
    x, y = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])
    g, (value, aux) = func.grad_and_value(lambda x, y: ((x * y).sum(), y * 2), argnums=(0, 1), has_aux=True)(x, y)
    assert [t.tolist() for t in g] == [[3.0, 4.0], [1.0, 2.0]]
    assert value.item() == 11.0
    assert aux.tolist() == [6.0, 8.0]
    tree = func.grad(lambda p: (p["a"] * p["b"][0]).sum())({"a": x, "b": [y]})
    assert tree["a"].tolist() == [3.0, 4.0]
    assert tree["b"][0].tolist() == [1.0, 2.0]


def test_a_constant_has_gradient_zero_and_no_grad_does_not_matter() -> None:
    x = torch.tensor([1.0, 2.0])
    assert func.grad(lambda x: torch.tensor(3.0))(x).tolist() == [0.0, 0.0]
    with torch.no_grad():
        assert func.grad(lambda x: (x * x).sum())(x).tolist() == [2.0, 4.0]


def test_vjp_jvp_and_linearize() -> None:
    x, v = torch.tensor([0.5, 1.0]), torch.tensor([1.0, -2.0])
    expected = (x.cos() * v).tolist()
    out, pull = func.vjp(lambda x: x.sin(), x)
    assert pull(v)[0].tolist() == pytest.approx(expected)
    assert func.jvp(lambda x: x.sin(), (x,), (v,))[1].tolist() == pytest.approx(expected)
    out, push = func.linearize(lambda x: x.sin(), x)
    assert push(v).tolist() == pytest.approx(expected)
    assert out.tolist() == pytest.approx(x.sin().tolist())


def test_jacobians_in_chunks() -> None:
    x = torch.linspace(0.1, 1, 7)
    for chunk in (1, 2, 3, 7, 100):
        assert torch.allclose(func.jacrev(lambda x: x.sin(), chunk_size=chunk)(x), torch.diag(x.cos()))


def test_third_derivatives_and_vmap_in_any_order() -> None:
    d = lambda f: func.grad(f)
    x = torch.linspace(0.1, 1, 5, dtype=torch.float64)
    expected = -x.cos()
    third = d(d(d(lambda t: t.sin())))
    assert torch.allclose(vmap(third)(x), expected)
    assert torch.allclose(d(lambda x: vmap(d(d(lambda t: t.sin())))(x).sum())(x), expected)
    assert torch.allclose(vmap(vmap(third))(x.reshape(5, 1))[:, 0], expected)
    assert torch.allclose(func.jvp(vmap(d(d(lambda t: t.sin()))), (x,), (torch.ones_like(x),))[1], expected)


def test_per_sample_gradients() -> None:
    torch.manual_seed(0)
    w, b = torch.randn(3, 2), torch.randn(3)
    xs, ys = torch.randn(5, 2), torch.randn(5, 3)
    loss = lambda w, b, x, y: ((w @ x + b).tanh() - y).pow(2).sum()
    gw, gb = vmap(func.grad(loss, argnums=(0, 1)), in_dims=(None, None, 0, 0))(w, b, xs, ys)
    for i in range(5):
        ew, eb = func.grad(loss, argnums=(0, 1))(w, b, xs[i], ys[i])
        assert torch.allclose(gw[i], ew, atol=1e-5)
        assert torch.allclose(gb[i], eb, atol=1e-5)


# -- vmap ----------------------------------------------------------------------------------------------------------------


def test_in_dims_out_dims_and_chunks() -> None:
    x, y = torch.arange(6.0).reshape(2, 3), torch.arange(3.0)
    assert torch.equal(vmap(torch.mul, in_dims=(1, 0))(x, y), (x * y).t())
    assert torch.equal(vmap(torch.mul, in_dims=(0, None), out_dims=1)(x, y), (x * y).t())
    assert torch.equal(vmap(lambda x: x.sum(), in_dims=1, chunk_size=2)(x), x.sum(0))
    assert torch.equal(vmap(lambda d: d["a"] + d["b"], in_dims=({"a": 0, "b": None},))({"a": x, "b": y}), x + y)


def test_nesting() -> None:
    x, y = torch.arange(6.0).reshape(2, 3), torch.arange(12.0).reshape(4, 3)
    assert torch.equal(vmap(lambda a: vmap(lambda b: (a * b).sum())(y))(x), x @ y.t())


def test_changes_in_place() -> None:
    x = torch.zeros(2, 3)
    vmap(lambda x: x.add_(1).mul_(2))(x)
    assert torch.equal(x, torch.full((2, 3), 2.0))

    def f(x):
        y = x * 2
        y[1].mul_(3)
        y[2:] = x[:1]
        return (y * y).sum()

    x = torch.arange(6.0).reshape(2, 3)
    assert torch.equal(vmap(func.grad(f))(x), torch.stack([func.grad(f)(r) for r in x]))
    with pytest.raises(RuntimeError, match="^vmap: inplace arithmetic"):
        vmap(lambda y: torch.zeros(3).copy_(y))(torch.ones(2, 3))


DRAWS = {
    "rand": lambda x: torch.rand(9),
    "randn_like": lambda x: torch.randn_like(x),
    "randint": lambda x: torch.randint(0, 10**6, (4,)),
    "randperm": lambda x: torch.randperm(50),
    "normal": lambda x: torch.normal(0.0, 1.0, (4,)),
    "dropout": lambda x: torch.nn.functional.dropout(x, 0.5),
}


@pytest.mark.parametrize("name", DRAWS)
def test_randomness(name) -> None:
    torch.manual_seed(0)
    x = torch.ones(2, 40)
    with pytest.raises(RuntimeError, match="^vmap: called random operation while in randomness error mode"):
        vmap(DRAWS[name])(x)
    same = vmap(DRAWS[name], randomness="same")(x)
    assert torch.equal(same[0], same[1])
    different = vmap(DRAWS[name], randomness="different")(x)
    assert not torch.equal(different[0], different[1])
    assert same.shape == different.shape


IN_PLACE = {
    "uniform_": (),
    "normal_": (),
    "random_": (),
    "bernoulli_": (0.5,),
    "exponential_": (),
    "geometric_": (0.1,),
    "cauchy_": (),
    "log_normal_": (),
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_randomness_in_place(name) -> None:
    torch.manual_seed(0)
    x = torch.ones(2, 40)

    def draw(x):
        return getattr(x.clone(), name)(*IN_PLACE[name])

    same = vmap(draw, randomness="same")(x)
    assert torch.equal(same[0], same[1])
    different = vmap(draw, randomness="different")(x)
    assert not torch.equal(different[0], different[1])
    assert not torch.equal(different, x)
    with pytest.raises(RuntimeError, match="^vmap: Cannot ask for different inplace randomness on an unbatched tensor"):
        vmap(lambda x: getattr(torch.ones(40), name)(*IN_PLACE[name]), randomness="different")(x)


def test_randomness_in_place_of_nested_levels() -> None:
    x = torch.zeros(2, 3, 40)
    drawn = vmap(vmap(lambda x: x.clone().normal_(), randomness="different"), randomness="same")(x)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0, 0], drawn[0, 1])


# -- wrong use -------------------------------------------------------------------------------------------------------------

X = torch.ones(2, 3)


@pytest.mark.parametrize(
    ("error", "message", "use"),
    [
        (ValueError, "got no inputs. Maybe you forgot to add inputs", lambda: vmap(lambda: 1)()),
        (ValueError, "same size in the mapped dimension, got sizes [2, 3]", lambda: vmap(torch.add)(X, X.t())),
        (ValueError, "must only return Tensors, got type <class 'int'>", lambda: vmap(lambda x: 1)(X)),
        (RuntimeError, "vmap: It looks like you're calling .item() on a Tensor", lambda: vmap(lambda x: x[0].item())(X)),
        (RuntimeError, "in some data-dependent control flow", lambda: vmap(lambda x: x if x[0] > 0 else -x)(X)),
        (ValueError, "in_dims is not compatible with the structure of `inputs`", lambda: vmap(torch.mul, (0,))(X, X)),
        (ValueError, "expected `in_dims` to be int or a (potentially nested) tuple", lambda: vmap(torch.mul, [0, 0])(X, X)),
        (ValueError, "out_dims is not compatible with the structure", lambda: vmap(lambda x: x, out_dims=(0, 0))(X)),
        (ValueError, "Expected at least one Tensor to be vmapped over", lambda: vmap(lambda x: x, in_dims=(None,))(X)),
        (RuntimeError, "Only allowed values for randomness are", lambda: vmap(lambda x: x, randomness="no")(X)),
        (ValueError, "chunk_size should be None or greater than 0", lambda: vmap(lambda x: x, chunk_size=0)),
        (RuntimeError, "Maybe you wanted to use the vjp or jacrev APIs instead?", lambda: func.grad(lambda x: x)(X)),
        (RuntimeError, "Expected primals to be a tuple.", lambda: func.jvp(lambda x: x, X, (X,))),
        (RuntimeError, "Expected tensors, got unsupported type <class 'int'>",
         lambda: func.grad(lambda x: (x.sum(), 3), has_aux=True)(X)),
        (RuntimeError, "backward() called inside a functorch transform.",
         lambda: func.grad(lambda x: (x.sum().backward(), x.sum())[1])(X)),
    ],
)  # fmt: skip
def test_messages(error, message, use) -> None:
    with pytest.raises(error, match=re.escape(message)):
        use()


def test_functional_call_and_stacked_models() -> None:
    nn = torch.nn
    models = [nn.Linear(3, 2) for _ in range(4)]
    params, buffers = func.stack_module_state(models)
    x = torch.ones(3)
    out = vmap(lambda p, b: func.functional_call(models[0], (p, b), (x,)))(params, buffers)
    for i, m in enumerate(models):
        assert torch.allclose(out[i], m(x))
    assert math.isfinite(out.sum().item())


@pytest.mark.parametrize(
    ("error", "message", "use"),
    [
        (ValueError, "Thing passed to transform API must be Tensor, got <class 'float'>",
         lambda: func.grad(lambda x: x)(3.0)),
        (RuntimeError, "only Tensors of floating point dtype can require gradients",
         lambda: func.grad(lambda x: x.sum())(torch.tensor([1, 2]))),
        (ValueError, "Expected primal to be floating point or complex, but got: torch.int64",
         lambda: func.jacfwd(lambda x: x)(torch.tensor([1, 2]))),
        (RuntimeError, "grad_and_value(f)(*args): Expected f(*args) to return a Tensor, got <class 'int'>",
         lambda: func.grad(lambda x: 3)(X)),
        (RuntimeError, "Tensor is of size [2, 3] while the given forward gradient is of size [3].",
         lambda: func.jvp(lambda x: x, (X,), (torch.ones(3),))),
        (RuntimeError, "expected f(*primals) to return only tensors, got unsupported type <class 'int'>",
         lambda: func.vjp(lambda x: 3, X)),
        (RuntimeError, "We do not support batching operators that can output dynamic shape", lambda: vmap(torch.nonzero)(X)),
        (RuntimeError, "Attempting to batch over indexing with a boolean mask.", lambda: vmap(lambda x: x[x > 0])(X)),
        (RuntimeError, "Attempted to vmap over `mask` in torch.masked_select(self, mask) We cannot support this",
         lambda: vmap(lambda x: torch.masked_select(x, x > 0))(X)),
    ],
)  # fmt: skip
def test_more_messages(error, message, use) -> None:
    with pytest.raises(error, match=re.escape(message)):
        use()


def test_arguments_by_name_are_shared_by_the_examples() -> None:
    added = vmap(lambda x, y: x + y)(torch.zeros(4, 3), y=torch.arange(3.0))
    assert added.tolist() == [[0.0, 1.0, 2.0]] * 4


def test_a_linearized_function_of_constants_is_outside_the_graph() -> None:
    _, push = func.linearize(torch.sin, X)
    assert not push(X).requires_grad
    assert push(X.clone().requires_grad_()).requires_grad


# -- what is shown and refused while a transform runs ------------------------------------------------------------------


def shown(transform, x: torch.Tensor) -> str:
    texts = []

    def f(t):
        texts.append(repr(t))
        return t.mean()

    transform(f)(x)
    return texts[-1]


def test_a_tensor_inside_is_shown_with_the_transforms_it_belongs_to() -> None:
    x = torch.ones(2)
    assert shown(func.grad, x) == "GradTrackingTensor(lvl=1, value=\n    tensor([1., 1.])\n)"
    assert shown(func.vmap, x[None]) == "BatchedTensor(lvl=1, bdim=0, value=\n    tensor([[1., 1.]])\n)"
    nested = shown(lambda f: func.vmap(func.grad(f)), x[None])
    assert nested.startswith(
        "GradTrackingTensor(lvl=2, value=\n    BatchedTensor(lvl=1, bdim=0, value=\n        tensor("
    )
    assert shown(lambda f: lambda t: func.jvp(f, (t,), (t,)), x).startswith("GradTrackingTensor(lvl=1")
    captured = torch.ones(2)
    assert shown(lambda f: func.grad(lambda t: (f(captured), t.sum())[1]), x) == "tensor([1., 1.])"


def test_changing_a_captured_tensor_in_place_is_refused_and_changes_nothing() -> None:
    captured = torch.ones(3)

    def f(x):
        captured.add_(x)
        return (x * captured).sum()

    for run in (
        lambda: func.grad(f)(torch.ones(3)),
        lambda: func.vjp(f, torch.ones(3)),
        lambda: func.jvp(f, (torch.ones(3),), (torch.ones(3),)),
        lambda: func.grad(lambda x: (captured[0].mul_(2), x.sum())[1])(torch.ones(3)),
    ):
        with pytest.raises(
            RuntimeError, match=r"in-place operation \(aten::\w+_\) that would mutate a captured Tensor"
        ):
            run()
    assert captured.tolist() == [1, 1, 1]


def test_what_is_made_or_given_inside_may_be_changed() -> None:
    def f(x, y):
        z = torch.zeros(3)
        z.add_(x)
        y.mul_(2)
        return (z * y).sum()

    assert func.grad(f)(torch.ones(3), torch.ones(3)).tolist() == [2, 2, 2]


def test_transforms_inside_inference_mode() -> None:
    x = torch.tensor([1.0, 2.0])
    with torch.inference_mode():
        assert func.grad(lambda t: (t**2).sum())(x).tolist() == [2, 4]
        assert func.vmap(func.grad(lambda t: (t**2).sum()))(x[None] * 1).tolist() == [[2, 4]]
        assert func.jacrev(func.grad(lambda t: (t**3).sum()))(x).tolist() == [[6, 0], [0, 12]]
        assert func.jvp(lambda t: t**2, (x,), (x,))[1].tolist() == [2, 8]
        assert torch.is_inference_mode_enabled()


def test_a_pullback_made_without_grad_mode_can_be_recorded_later() -> None:
    x = torch.tensor(3.0, requires_grad=True)
    with torch.no_grad():
        out, pull = func.vjp(lambda t: t**2, x)
    (y,) = pull(torch.tensor(1.0))
    assert not out.requires_grad
    assert torch.autograd.grad(y, x)[0].item() == 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: func.vjp(lambda _: None, x), r"Expected f to be a function that has non-empty output \(got output = \[None\]"),
        (lambda x: func.jacfwd(lambda _: ())(x), r"jvp\(f, primals, tangents\): Expected f to be a function that has non-empty"),
        (lambda x: func.vjp(lambda t: (t, 1), x, has_aux=True), "Expected tensors, got unsupported type <class 'int'>"),
        (lambda x: func.jacfwd(lambda t: (t, [t, "a"]), has_aux=True)(x), "Expected tensors, got unsupported type <class 'str'>"),
        (lambda x: func.grad(torch.mul, argnums=[0])(x, x), r"argnums must be int or Tuple\[int, ...\], got: <class 'list'>"),
        (lambda x: func.grad(torch.mul, argnums=(0, -2))(x, x), r"argnums elements must be unique, got \(0, -2\)"),
        (lambda x: func.jacrev(torch.mul, argnums=())(x, x), "argnums must be non-empty"),
        (lambda x: func.jvp(torch.sin, (x,), x), r"structure TreeSpec\(tuple, None, \[\*\]\) and tangents with structure \*"),
        (lambda x: func.jvp(torch.sin, (x,), (1,)), "Expected tangents to only contain Tensors, got <class 'int'>"),
    ],
)  # fmt: skip
def test_what_transforms_say_of_bad_arguments(call, message) -> None:
    with pytest.raises(RuntimeError, match=message):
        call(torch.ones(2))


def test_new_tensors_of_a_mapped_one_are_mapped() -> None:
    def f(y, x):
        total = x.new_zeros(2)
        total.copy_(y)
        return total + x.new_full((2,), 3.0)

    y = torch.arange(6.0).reshape(3, 2)
    assert func.vmap(f)(y, torch.ones(3)).tolist() == (y + 3).tolist()


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x[0, ::2], lambda x: x[None, 1], lambda x: x[..., 1:3], lambda x: x.squeeze(), lambda x: x.chunk(2)[1],
        lambda x: x.split([1, 3])[1], lambda x: x.view(torch.int32).view(torch.float32), lambda x: x.unbind(1)[2],
        lambda x: x.diagonal(), lambda x: x.T.flatten(0, 0),
    ],
)  # fmt: skip
def test_a_view_of_a_mapped_tensor_is_a_view(view) -> None:
    def f(x):
        view(x).mul_(0)
        return x

    x = torch.ones(2, 4, 6)
    assert vmap(f)(x.clone()).tolist() == [f(one.clone()).tolist() for one in x]


def test_gradients_of_several_maps_are_summed_each_by_itself() -> None:
    a, b = torch.arange(3.0), torch.arange(4.0)
    w = torch.ones((), requires_grad=True)

    def loss(v):
        nested = vmap(lambda x: vmap(lambda y: x * v * y)(b).sum() + x * v)(a).sum()
        return vmap(lambda x: x * v)(a).sum() + vmap(lambda x: x * v)(b).sum() + nested + 2 * v

    expected = 3 + 6 + 3 * 6 + 3 + 2
    loss(w * 1).backward()
    assert w.grad is not None
    assert w.grad.item() == expected
    (g,) = torch.autograd.grad(loss(w * 1), w, create_graph=True)
    assert g.item() == expected


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_jacrev_in_chunks(size) -> None:
    x = torch.randn(4, 2)

    def f(x):
        return (x.sin(), x), (x + 2, x.sum())

    whole = torch.core.pytree.flatten(vmap(func.jacrev(func.jacrev(f)))(x))[0]
    pieces = torch.core.pytree.flatten(vmap(func.jacrev(func.jacrev(f, chunk_size=size), chunk_size=size))(x))[0]
    for a, b in zip(whole, pieces, strict=True):
        assert torch.allclose(a, b)
    with pytest.raises(ValueError, match="jacrev: `chunk_size` should be greater than 0"):
        func.jacrev(f, chunk_size=0)(x)


def test_jacobians_are_of_real_functions() -> None:
    with pytest.raises(RuntimeError, match="jacrev: Expected all inputs to be real but received complex tensor at"):
        func.jacrev(torch.conj)(torch.ones(1, dtype=torch.complex64))
    with pytest.raises(RuntimeError, match="jacfwd: Expected all outputs to be real but received complex tensor at"):
        func.jacfwd(lambda x: x * 1j)(torch.ones(1))


def test_arguments_that_are_not_differentiated_may_be_changed_in_place() -> None:
    def g(x, y, z):
        x[:2] = y
        return torch.stack([(x**2).sum(), (z**3).sum()])

    x, y, z = torch.zeros(3), torch.tensor([1.0, 2.0]), torch.tensor([3.0])
    for jacobian in (func.jacrev, func.jacfwd):
        by_y, by_z = jacobian(g, argnums=(1, 2))(x.clone(), y, z)
        assert by_y.tolist() == [[2, 4], [0, 0]]
        assert by_z.tolist() == [[0], [27]]


def test_what_belongs_outside_a_transform_is_refused_inside() -> None:
    x = torch.ones(3)
    with pytest.raises(RuntimeError, match=r"call Tensor.requires_grad_\(\) .* inside of a function being transformed"):
        func.grad(lambda t: t.requires_grad_().sum())(x)
    with pytest.raises(RuntimeError, match=r"call Tensor.retain_grad\(\) inside of a function being transformed"):
        func.grad(lambda t: (t.sin().retain_grad(), t.sum())[1])(x)
    with pytest.raises(RuntimeError, match="perhaps using torch.autograd.functional"):
        vmap(lambda t: functional.jacobian(torch.sin, t))(x)
    hooks = torch.autograd.graph.save_on_cpu
    with pytest.raises(RuntimeError, match="don't yet support saved tensor hooks"), hooks():
        func.grad(torch.sum)(x)

    def inside(t):
        with hooks():
            return t.sin().sum()

    with pytest.raises(RuntimeError, match="don't yet support saved tensor hooks"):
        func.vjp(inside, x)
    assert func.jvp(inside, (x,), (x,))[1].item() == pytest.approx(3 * math.cos(1))


def test_debug_unwrap_gives_the_argument_as_it_was() -> None:
    seen = []
    x = torch.ones(2, 3)
    vmap(vmap(lambda t: (seen.append(func.debug_unwrap(t)), t.sin())[1]))(x)
    assert seen[0] is x


@pytest.mark.parametrize(
    "draw",
    [
        lambda x: torch.bernoulli(torch.full((20,), 0.5)), lambda x: torch.normal(torch.zeros(5), torch.ones(5)),
        lambda x: torch.multinomial(torch.ones(10), 5), lambda x: torch.poisson(torch.full((20,), 5.0)),
        lambda x: torch.binomial(torch.full((20,), 10.0), torch.full((20,), 0.5)),
        lambda x: torch.nn.functional.gumbel_softmax(x), lambda x: torch.nn.functional.dropout(x),
        lambda x: torch.nn.functional.rrelu(-torch.ones(20), training=True),
        lambda x: torch.randperm(10), lambda x: torch.randint(0, 100, (5,)),
    ],
)  # fmt: skip
def test_random_draws_are_the_same_or_others_for_each_example(draw) -> None:
    x = torch.ones(4, 20)
    same = vmap(draw, randomness="same")(x)
    assert all(row.tolist() == same[0].tolist() for row in same)
    different = vmap(draw, randomness="different")(x)
    assert any(row.tolist() != different[0].tolist() for row in different)
    with pytest.raises(RuntimeError, match="called random operation while in randomness error mode"):
        vmap(draw)(x)


def test_what_is_done_to_an_argument_in_place_is_done_to_what_was_given() -> None:
    w = torch.arange(1.0, 7.0).requires_grad_()
    x = (w * 1).reshape(2, 3)
    assert vmap(torch.Tensor.mul_, (0, None))(x, 3.0) is x
    assert x.tolist() == [[3, 6, 9], [12, 15, 18]]
    (x**2).sum().backward()
    assert w.grad is not None
    assert w.grad.tolist() == [18.0 * v for v in w.tolist()]
    turned = vmap(torch.Tensor.neg_, out_dims=1)(x)
    assert turned._base is x._base
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used in an in-place operation"):
        vmap(torch.Tensor.neg_)(w)
    assert w.tolist() == [1, 2, 3, 4, 5, 6]


def test_what_vmap_takes_and_gives() -> None:
    x = torch.ones(2, 3)
    assert vmap(lambda t: (t, "text"), out_dims=(0, None))(x)[1] == "text"
    assert vmap(lambda t: t, out_dims=(1,))(x).shape == (3, 2)
    with pytest.raises(ValueError, match="must be an int, None or a python collection of ints"):
        vmap(lambda t: t, out_dims=("lol",))(x)
    with pytest.raises(ValueError, match="in_dims is not compatible with the structure of `inputs`"):
        vmap(lambda z: z[0], in_dims=((0, 0),))([x, x])
    with pytest.raises(RuntimeError, match="Batching rule not implemented for aten::abs.out; the fallback path"):
        vmap(lambda a, b: torch.abs(a, out=b))(x, x)
    with pytest.raises(RuntimeError, match="Batching rule not implemented for aten::equal"):
        vmap(torch.equal)(x, x)


def test_per_sample_gradients_of_a_network_with_batch_norm() -> None:
    nn = torch.nn
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 4))
    x, y = torch.randn(3, 2, 2, 4, 4), torch.randint(0, 4, (3, 2))
    assert func.replace_all_batch_norm_modules_(net) is net
    parameters = dict(net.named_parameters())

    def loss(p, x, y):
        return nn.functional.cross_entropy(func.functional_call(net, p, (x,)), y)

    found = vmap(func.grad(loss), in_dims=(None, 0, 0))(parameters, x, y)
    for i in range(3):
        one = torch.autograd.grad(loss(parameters, x[i], y[i]), list(parameters.values()))
        for g, name in zip(one, parameters, strict=True):
            assert torch.allclose(found[name][i], g, atol=1e-6)


def test_models_that_are_stacked_agree() -> None:
    models = [torch.nn.Linear(2, 2) for _ in range(3)]
    models[0].weight.requires_grad_(False)
    with pytest.raises(RuntimeError, match="to have the same .requires_grad"):
        func.stack_module_state(models)
