"""`functorch`, the older names of `torch.func`: they warn, and do what the new ones do."""

from __future__ import annotations

import subprocess
import sys

import pytest

import wengert as torch
from wengert import func, functorch, nn
from wengert.functorch.experimental import chunk_vmap

quiet = pytest.mark.filterwarnings("ignore:.*is deprecated as of PyTorch 2.0:FutureWarning")


@pytest.mark.parametrize("name", ["grad", "grad_and_value", "vjp", "jvp", "jacrev", "jacfwd", "hessian", "vmap"])
def test_the_older_transforms_warn_and_are_the_new_ones(name) -> None:
    successor = "torch.vmap" if name == "vmap" else "torch.func." + name
    x = torch.tensor(2.0)
    args = {"vjp": (torch.sin, x), "jvp": (torch.sin, (x,), (x,))}.get(name, (torch.sin,))
    with pytest.warns(FutureWarning, match=f"^`functorch.{name}` is deprecated.* Please use `{successor}` instead"):
        made = getattr(functorch, name)(*args)
    new = getattr(func, name)(*args)
    if callable(made):
        given = x if name != "vmap" else torch.tensor([1.0, 2.0])
        torch.testing.assert_close(made(given), new(given))
    else:
        torch.testing.assert_close(made[0], new[0])


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(2, 2)
        self.two = nn.Linear(2, 2)
        self.two.bias = self.one.bias
        self.shift = nn.Buffer(torch.randn(2))
        self.again = self.shift

    def forward(self, x):
        return self.two(self.one(x)) + self.shift + self.again


@quiet
def test_make_functional_takes_the_state_as_tuples() -> None:
    net, x = nn.Linear(2, 3), torch.randn(4, 2)
    f, params = functorch.make_functional(net)
    assert torch.equal(f(params, x), net(x))
    assert params[0] is not net.weight
    other = functorch.make_functional(nn.Linear(2, 3), disable_autograd_tracking=True)[1]
    assert torch.equal(f(other, x), torch.nn.functional.linear(x, *other))
    assert [p.requires_grad for p in (*params, *other)] == [True, True, False, False]
    assert torch.equal(f.stateless_model(x), net(x))
    with pytest.raises(RuntimeError, match=r"^make_functional\(model\): `model` has buffers"):
        functorch.make_functional(Tied())


@quiet
def test_make_functional_with_buffers_ties_what_was_tied() -> None:
    net, other, x = Tied(), Tied(), torch.randn(4, 2)
    f, params, buffers = functorch.make_functional_with_buffers(net)
    assert (len(params), len(buffers)) == (3, 1)
    _, given, shift = functorch.make_functional_with_buffers(other)
    assert torch.equal(f(given, shift, x), other(x))
    grads = func.grad(lambda p: f(p, shift, x).sum())(given)
    torch.testing.assert_close(grads, torch.autograd.grad(other(x).sum(), tuple(other.parameters())))


@quiet
def test_an_ensemble() -> None:
    models, x = [Tied() for _ in range(3)], torch.randn(3, 4, 2)
    f, params, buffers = functorch.combine_state_for_ensemble(models)
    torch.testing.assert_close(
        func.vmap(f)(params, buffers, x), torch.stack([m(r) for m, r in zip(models, x, strict=True)])
    )
    with pytest.raises(RuntimeError, match="^combine_state_for_ensemble: Expected at least one model"):
        functorch.combine_state_for_ensemble([])


def test_chunk_vmap_counts_the_pieces() -> None:
    x = torch.randn(7, 3)
    sizes = []

    def look(t):
        return t.sin()

    for chunks in (1, 2, 3, 7, 20):
        assert torch.equal(chunk_vmap(look, chunks=chunks)(x), x.sin())
        assert torch.equal(chunk_vmap(look, in_dims=1, out_dims=1, chunks=chunks)(x), x.sin())
    seen = chunk_vmap(lambda t: (sizes.append(1), t)[1], chunks=3)(x)
    assert torch.equal(seen, x)
    assert len(sizes) == 3
    with pytest.raises(ValueError, match="chunks should be greater than 0"):
        chunk_vmap(look, chunks=0)


def test_the_alias_brings_functorch_along() -> None:
    script = (
        "import wengert.alias; wengert.alias.install()\n"
        "import functorch, torch; from functorch.experimental import chunk_vmap\n"
        "import wengert; assert functorch is wengert.functorch and torch is wengert; print(functorch.__name__)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("wengert.functorch\n", "")


def test_jvp_pushes_tangents_where_they_are_switched_off_outside() -> None:
    forward_ad = torch.autograd.forward_ad
    x = torch.tensor(0.3)
    with forward_ad._set_fwd_grad_enabled(False):
        _, t = func.jvp(torch.sin, (x,), (torch.ones(()),))
        assert not forward_ad._is_fwd_grad_enabled()
    torch.testing.assert_close(t, x.cos())


def test_the_forward_of_a_function_pushes_no_tangents() -> None:
    seen = []

    class Sine(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            seen.append(torch.autograd.forward_ad._is_fwd_grad_enabled())
            _, slope = func.jvp(torch.sin, (x,), (torch.ones_like(x),))
            ctx.save_for_backward(slope)
            return x.sin()

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0]

    x = torch.tensor(0.3, requires_grad=True)
    Sine.apply(x).backward()
    torch.testing.assert_close(x.grad, x.detach().cos())
    assert seen == [False]
    assert torch.autograd.forward_ad._is_fwd_grad_enabled()
