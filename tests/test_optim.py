"""Optimizers: the base class, SGD and Adam against formulas written out here, and what large parameters do."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import wengert as torch
from wengert.kernels import compiled, updates
from wengert.optim import SGD, Adam, AdamW, Optimizer


def leaf(*shape: int, seed: int = 0, dtype: object = np.float64) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(seed).standard_normal(shape).astype(dtype), requires_grad=True)


def fill(p: torch.Tensor, seed: int) -> np.ndarray:
    g = np.random.default_rng(seed).standard_normal(p.shape).astype(p.detach().numpy().dtype)
    p.grad = torch.tensor(g)
    return g


# -- the base class --------------------------------------------------------------------------------------------


def test_repr_lists_the_options_of_each_group_in_order():
    opt = SGD([{"params": [leaf(2)]}, {"params": [leaf(1)], "lr": 0.5}], lr=0.1, momentum=0.9)
    assert repr(opt) == (
        "SGD (\nParameter Group 0\n    dampening: 0\n    differentiable: False\n    foreach: None\n    fused: None\n"
        "    lr: 0.1\n    maximize: False\n    momentum: 0.9\n    nesterov: False\n    weight_decay: 0\n\n"
        "Parameter Group 1\n    dampening: 0\n    differentiable: False\n    foreach: None\n    fused: None\n"
        "    lr: 0.5\n    maximize: False\n    momentum: 0.9\n    nesterov: False\n    weight_decay: 0\n)"
    )


def test_errors_of_the_parameters():
    p, q = leaf(2), leaf(2)
    with pytest.raises(TypeError, match="should be an iterable of Tensors or dicts, but got torch.DoubleTensor"):
        SGD(p)
    with pytest.raises(ValueError, match="optimizer got an empty parameter list"):
        SGD([])
    with pytest.raises(TypeError, match="the ordering of tensors in sets will change between runs"):
        SGD([{"params": {p}}])
    with pytest.raises(TypeError, match="optimizer can only optimize Tensors, but one of the params is int"):
        SGD([3])
    with pytest.raises(ValueError, match="can't optimize a non-leaf Tensor"):
        SGD([p * 2])
    with pytest.raises(ValueError, match="some parameters appear in more than one parameter group"):
        SGD([{"params": p}, {"params": p}])
    with pytest.raises(ValueError, match="Some param names are missing"):
        SGD([("p", p), q])
    with pytest.raises(ValueError, match="cannot add param group with names to the optimizer"):
        SGD([{"params": [p]}, {"params": [("q", q)]}])
    with pytest.raises(TypeError, match="param_group must be a dict, but got <class 'list'>"):
        SGD([p]).add_param_group([q])  # type: ignore[arg-type]
    with pytest.warns(UserWarning, match="a parameter group with duplicate parameters"):
        SGD([p, p])
    from wengert.optim.optimizer import required

    with pytest.raises(ValueError, match="didn't specify a value of required optimization parameter lr"):
        Optimizer([p], {"lr": required})


def test_errors_of_the_options():
    p = leaf(2)
    for options, message in (
        ({"lr": -1}, "Invalid learning rate: -1"),
        ({"lr": torch.ones(2)}, "Tensor lr must be 1-element"),
        ({"momentum": -0.5}, "Invalid momentum value: -0.5"),
        ({"weight_decay": -1}, "Invalid weight_decay value: -1"),
        ({"nesterov": True}, "Nesterov momentum requires a momentum and zero dampening"),
    ):
        with pytest.raises(ValueError, match=message):
            SGD([p], **options)
    for options, message in (
        ({"betas": (1.0, 0.0)}, "Invalid beta parameter at index 0: 1.0"),
        ({"eps": -1}, "Invalid epsilon value: -1"),
        ({"betas": (0.9, torch.tensor(0.99))}, "betas must be either both floats or both Tensors"),
        ({"lr": torch.tensor(0.1), "foreach": True}, "lr as a Tensor is not supported for capturable=False"),
    ):
        with pytest.raises(ValueError, match=message):
            Adam([p], **options)
    with pytest.raises(RuntimeError, match="`fused` and `foreach` cannot be `True` together."):
        Adam([p], fused=True, foreach=True)
    with pytest.raises(NotImplementedError, match=r"AdamW\(differentiable=True\): a step is not recorded"):
        AdamW([p], differentiable=True)


def test_step_counts_as_a_change_in_place():
    p = leaf(3)
    loss = (p * p).sum()
    opt = SGD([p], lr=0.1)
    loss.backward(retain_graph=True)
    version = p._version
    opt.step()
    assert p._version == version + 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_parameters_without_gradient_are_left_alone():
    p, q = leaf(3), leaf(3)
    before = q.detach().numpy().copy()
    opt = Adam([p, q], lr=0.1)
    fill(p, 1)
    opt.step()
    assert (q.detach().numpy() == before).all()
    assert q._version == 0
    assert list(opt.state) == [p]


def test_zero_grad():
    p = leaf(3)
    opt = SGD([p])
    g = fill(p, 1)
    kept = p.grad
    opt.zero_grad(set_to_none=False)
    assert p.grad is kept
    assert (kept.numpy() == 0).all()
    assert (g != 0).any()
    opt.zero_grad()
    assert p.grad is None


def test_hooks_run_around_step_and_may_replace_arguments():
    p = leaf(2)
    opt = SGD([p], lr=0.1)
    seen = []
    opt.register_step_pre_hook(lambda o, args, kwargs: seen.append(("pre", o is opt, len(args), dict(kwargs))))
    handle = opt.register_step_post_hook(lambda o, args, kwargs: seen.append(("post", o is opt, len(args))))
    assert opt.step(lambda: 3.0) == 3.0
    assert seen == [("pre", True, 2, {}), ("post", True, 2)]
    handle.remove()
    opt.step()
    assert seen[2:] == [("pre", True, 1, {})]
    replace = opt.register_step_pre_hook(lambda o, args, kwargs: (args, {"closure": lambda: 7}))
    assert opt.step() == 7
    replace.remove()
    opt.register_step_pre_hook(lambda o, args, kwargs: 1)
    with pytest.raises(RuntimeError, match="must return None or a tuple of \\(new_args, new_kwargs\\), but got 1"):
        opt.step()


def test_hooks_of_all_optimizers():
    from wengert.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

    seen = []
    handles = [
        register_optimizer_step_pre_hook(lambda *a: seen.append("pre")),
        register_optimizer_step_post_hook(lambda *a: seen.append("post")),
    ]
    opt = SGD([leaf(1)])
    opt.step()
    for h in handles:
        h.remove()
    opt.step()
    assert seen == ["pre", "post"]


def test_own_optimizers_get_hooks_and_state():
    class Signs(Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, {"lr": lr})

        @torch.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    state = self.state[p]
                    state["n"] = state.get("n", 0) + 1
                    p.add_(p.grad.sign(), alpha=-group["lr"])

    p = torch.tensor([1.0, 2.0], requires_grad=True)
    p.grad = torch.tensor([0.3, -4.0])
    opt = Signs([p], 0.5)
    seen = []
    opt.register_step_post_hook(lambda *a: seen.append(1))
    opt.step()
    assert p.tolist() == [0.5, 2.5]
    assert seen == [1]
    assert opt.state_dict() == {"state": {0: {"n": 1}}, "param_groups": [{"lr": 0.5, "params": [0]}]}


def test_closure_runs_with_gradients_even_in_no_grad():
    p = leaf(2)
    opt = SGD([p], lr=0.1)

    def closure():
        opt.zero_grad()
        loss = (p**2).sum()
        loss.backward()
        return loss

    before = p.detach().numpy().copy()
    with torch.no_grad():
        loss = opt.step(closure)
    assert loss.item() == pytest.approx((before**2).sum())
    assert np.allclose(p.detach().numpy(), before * 0.8)


# -- state -----------------------------------------------------------------------------------------------------


def test_state_dict_numbers_parameters_across_groups():
    p, q, r = leaf(2), leaf(3), leaf(1)
    opt = Adam([{"params": [p]}, {"params": [q, r], "lr": 0.5}])
    fill(q, 1)
    opt.step()
    found = opt.state_dict()
    assert list(found["state"]) == [1]
    assert list(found["state"][1]) == ["step", "exp_avg", "exp_avg_sq"]
    assert found["state"][1]["step"].dtype is torch.float32
    assert [g["params"] for g in found["param_groups"]] == [[0], [1, 2]]
    assert found["param_groups"][1]["lr"] == 0.5
    named = SGD([("w", p), ("b", q)])
    assert named.state_dict()["param_groups"][0]["param_names"] == ["w", "b"]


@pytest.mark.parametrize("make", [lambda p: SGD(p, 0.1, 0.9), lambda p: Adam(p, amsgrad=True)])
def test_going_on_from_saved_state_is_the_same_as_going_on(make):
    p = leaf(4, 3)
    opt = make([p])
    for i in range(3):
        fill(p, i)
        opt.step()
    q = p.detach().clone().requires_grad_()
    other = make([q])
    other.load_state_dict(copy.deepcopy(opt.state_dict()))
    for i in range(3):
        fill(p, i), fill(q, i)
        opt.step(), other.step()
    assert (p.detach().numpy() == q.detach().numpy()).all()


def test_loading_casts_state_but_not_the_counter():
    p, q = leaf(2), leaf(2, dtype=np.float32)
    opt, other = Adam([p]), Adam([q])
    fill(p, 0)
    opt.step()
    other.load_state_dict(opt.state_dict())
    assert other.state[q]["exp_avg"].dtype is torch.float32
    assert other.state[q]["step"].item() == 1


def test_loading_refuses_other_shapes_of_groups():
    with pytest.raises(ValueError, match="loaded state dict has a different number of parameter groups"):
        SGD([leaf(1)]).load_state_dict(SGD([{"params": leaf(1)}, {"params": leaf(1)}]).state_dict())
    with pytest.raises(ValueError, match="that doesn't match the size of optimizer's group"):
        SGD([leaf(1)]).load_state_dict(SGD([leaf(1), leaf(1)]).state_dict())


def test_hooks_of_state_dict():
    opt = SGD([leaf(1)], lr=0.1)
    seen = []
    opt.register_state_dict_pre_hook(lambda o: seen.append("second"))
    opt.register_state_dict_pre_hook(lambda o: seen.append("first"), prepend=True)
    opt.register_state_dict_post_hook(lambda o, d: {**d, "mine": 1})
    found = opt.state_dict()
    assert seen == ["first", "second"]
    assert found["mine"] == 1

    def faster(o, d):
        d = copy.deepcopy(d)
        d["param_groups"][0]["lr"] = 9.0
        return d

    opt.register_load_state_dict_pre_hook(faster)
    opt.register_load_state_dict_post_hook(lambda o: seen.append(o.param_groups[0]["lr"]))
    opt.load_state_dict(found)
    assert seen[-1] == 9.0


def test_an_optimizer_is_copied_and_pickled_with_its_state():
    p = leaf(2)
    opt = SGD([p], lr=0.1, momentum=0.9)
    fill(p, 0)
    opt.step()
    twin = copy.deepcopy(opt)
    (q,) = twin.param_groups[0]["params"]
    assert q is not p
    assert (twin.state[q]["momentum_buffer"].numpy() == opt.state[p]["momentum_buffer"].numpy()).all()
    twin.register_step_pre_hook(lambda *a: None)
    fill(q, 1)
    twin.step()


# -- the algorithms, by formulas --------------------------------------------------------------------------------


@pytest.mark.parametrize("dampening", [0, 0.3])
@pytest.mark.parametrize("momentum", [0, 0.9])
@pytest.mark.parametrize("maximize", [False, True])
def test_sgd(momentum, dampening, maximize):
    p = leaf(3, 2)
    opt = SGD([p], 0.1, momentum, dampening, weight_decay=0.01, maximize=maximize)
    x = p.detach().numpy().copy()
    b = None
    for i in range(4):
        g = fill(p, i)
        kept = g.copy()
        opt.step()
        g = (-g if maximize else g) + 0.01 * x
        b = g if b is None else momentum * b + (1 - dampening) * g
        x = x - 0.1 * (b if momentum else g)
        assert np.allclose(p.detach().numpy(), x, rtol=1e-13)
        assert (p.grad.numpy() == kept).all()


def test_nesterov():
    p = leaf(3)
    opt = SGD([p], 0.1, 0.9, nesterov=True)
    x, b = p.detach().numpy().copy(), 0
    for i in range(4):
        g = fill(p, i)
        opt.step()
        b = 0.9 * b + g
        x = x - 0.1 * (g + 0.9 * b)
        assert np.allclose(p.detach().numpy(), x, rtol=1e-13)


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("decoupled", [False, True])
def test_adam(amsgrad, decoupled):
    p = leaf(3, 2)
    opt = (AdamW if decoupled else Adam)([p], 0.1, (0.8, 0.9), 1e-3, 0.05, amsgrad)
    x, m, v, top = p.detach().numpy().copy(), 0, 0, 0
    for t in range(1, 6):
        g = fill(p, t)
        opt.step()
        if decoupled:
            x = x * (1 - 0.1 * 0.05)
        else:
            g = g + 0.05 * x
        m, v = 0.8 * m + 0.2 * g, 0.9 * v + 0.1 * g * g
        top = np.maximum(top, v)
        x = x - 0.1 * m / (1 - 0.8**t) / (np.sqrt((top if amsgrad else v) / (1 - 0.9**t)) + 1e-3)
        assert np.allclose(p.detach().numpy(), x, rtol=1e-12)
    assert opt.state[p]["step"].item() == 5


def test_rates_and_betas_may_be_tensors():
    p, q = leaf(3), leaf(3)
    fill(p, 1), fill(q, 1)
    Adam([p], torch.tensor(0.1, dtype=torch.float64), (torch.tensor(0.5), torch.tensor(0.25))).step()
    Adam([q], 0.1, (0.5, 0.25)).step()
    assert np.allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-6)  # the betas are float32


def test_a_complex_parameter_is_treated_as_its_two_parts():
    z = np.random.default_rng(0).standard_normal((3, 2)) + 1j
    for order in "CF":
        p = torch.tensor(np.array(z, order=order), requires_grad=True)
        parts = torch.tensor(np.stack([z.real, z.imag], -1), requires_grad=True)
        a, b = Adam([p]), Adam([parts])
        for i in range(3):
            g = np.random.default_rng(i).standard_normal((3, 2, 2))
            p.grad, parts.grad = torch.tensor(g[..., 0] + 1j * g[..., 1]), torch.tensor(g)
            a.step(), b.step()
        assert np.allclose(p.detach().numpy().imag, parts.detach().numpy()[..., 1], rtol=1e-14)
        assert np.allclose(p.detach().numpy().real, parts.detach().numpy()[..., 0], rtol=1e-14)


# -- large parameters --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [SGD, lambda p: SGD(p, momentum=0.9), Adam, lambda p: Adam(p, amsgrad=True)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_blocks_give_the_numbers_of_the_whole(make, order, monkeypatch):
    """Also where the gradient lies in memory in another order than the parameter."""
    found = []
    for block in (10**9, 7):
        monkeypatch.setattr(updates, "BLOCK", block)
        p = leaf(11, 3, dtype=np.float32)
        opt = make([p])
        for i in range(3):
            fill(p, i)
            p.grad = torch.from_numpy(np.array(p.grad.numpy(), order=order))
            opt.step()
        found.append(p.detach().numpy())
    assert (found[0] == found[1]).all()


@pytest.mark.parametrize("update", [updates.descend, updates.momentum, updates.adam])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_compiled_loop_gives_the_same_bits(update, dtype, monkeypatch):
    pytest.importorskip("numba")
    n = updates.BLOCK
    count = 2 if update is updates.descend else 3 if update is updates.momentum else 4
    constants = {2: (0.1,), 3: (0.9, 0.7, 0.1), 4: (0.1, 0.999, 0.001, 0.3, 1e-8, 0.01)}[count]
    found = []
    for use in "01":
        monkeypatch.setenv("WENGERT_NUMBA", use)
        assert (compiled.compiled(update.loop, n) is not None) == (use == "1" or update.loop in compiled._loops)
        arrays = [np.random.default_rng(i).random(n).astype(dtype) for i in range(count)]
        if use == "0":
            update(*arrays, np.empty(n, dtype), *(np.array(c, dtype) for c in constants))
        else:
            updates.blockwise(update, tuple(arrays), constants)
        found.append(arrays)
    for a, b in zip(*found, strict=True):
        assert (a == b).all()


def test_numba_waits_until_it_is_worth_it(monkeypatch):
    monkeypatch.setattr(compiled, "_seen", 0)
    monkeypatch.setattr(compiled, "_available", True)
    monkeypatch.delenv("WENGERT_NUMBA", raising=False)
    assert compiled.compiled(lambda: None, compiled.WORTH - 1) is None
    monkeypatch.setenv("WENGERT_NUMBA", "0")
    assert compiled.compiled(lambda: None, compiled.WORTH) is None


def test_a_wrapper_that_never_calls_the_base_class() -> None:
    """As Lookahead and the like are written: a subclass that shares another optimiser's groups."""

    class Wrapper(torch.optim.Optimizer):
        def __init__(self, inner: torch.optim.Optimizer) -> None:
            self.inner = inner
            self.param_groups = inner.param_groups

        def step(self, closure: Any = None) -> Any:
            return self.inner.step(closure)

    p = torch.nn.Parameter(torch.ones(1))
    p.grad = torch.ones(1)
    Wrapper(torch.optim.SGD([p], lr=0.5)).step()
    assert p.item() == 0.5
