"""Loops that Numba compiles over rows and channels agree with NumPy, forward and backward, in one thread and several."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import wengert as torch
from wengert.kernels import compiled

pytestmark = pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="numba is not installed")
F = torch.nn.functional
R = np.random.default_rng(0)


@pytest.fixture(params=[1, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


# name: (function of the leaves, their shapes, the loops that must have run)
CALLS: dict[str, tuple[Any, list[tuple[int, ...]], list[str]]] = {
    "layer_norm": (
        lambda x, w, b: F.layer_norm(x, (32, 8), w, b),
        [(40, 17, 32, 8), (32, 8), (32, 8)],
        ["rows_norm", "rows_norm_back"],
    ),
    "layer_norm, no bias": (lambda x, w: F.layer_norm(x, (256,), w), [(680, 256), (256,)], ["rows_norm"]),
    "layer_norm, plain": (lambda x: F.layer_norm(x, (256,)), [(680, 256)], ["rows_norm"]),
    "group_norm": (
        lambda x, w, b: F.group_norm(x, 3, w, b),
        [(20, 12, 25, 30), (12,), (12,)],
        ["rows_norm", "rows_norm_back"],
    ),
    "batch_norm": (
        lambda x, w, b: F.batch_norm(x, None, None, w, b, True),
        [(20, 7, 33, 40), (7,), (7,)],
        ["channels_norm", "channels_norm_back"],
    ),
    "batch_norm, plain": (lambda x: F.batch_norm(x, None, None, training=True), [(20, 7, 1320)], ["channels_norm"]),
    "cumsum, last": (lambda x: torch.cumsum(x, 1), [(43, 700)], ["running_sums"]),
    "cumsum, first": (lambda x: torch.cumsum(x, 0), [(43, 700)], ["running_sums"]),
    "cumsum, middle": (lambda x: torch.cumsum(x, 1), [(11, 43, 70)], ["running_sums"]),
}


def both(call: Any, shapes: list[tuple[int, ...]], dtype: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Result and gradients without Numba and with it, and the names of the loops that ran."""
    data = [R.normal(1, 2, s).astype(dtype) for s in shapes]
    ran = []
    machine = compiled._prepared
    results = []
    for wish in "01":
        monkeypatch.setenv("WENGERT_NUMBA", wish)
        monkeypatch.setattr(compiled, "_loops", {})
        monkeypatch.setattr(compiled, "_prepared", lambda m, name, v: (ran.append(name), machine(m, name, v))[1])
        leaves = [torch.tensor(d, requires_grad=True) for d in data]
        out = call(*leaves)
        weights = np.random.default_rng(1).normal(size=tuple(out.shape)).astype(dtype)
        out.backward(torch.from_numpy(weights))
        results.append([out.detach().numpy(), *[x.grad.numpy() for x in leaves]])
    return [*results, ran]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CALLS)
def test_loops_agree_with_numpy(name: str, dtype: type, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    call, shapes, loops = CALLS[name]
    expected, found, ran = both(call, shapes, dtype, monkeypatch)
    assert set(loops) <= set(ran)
    tolerance = 1e-5 if dtype is np.float32 else 1e-12
    for a, b in zip(expected, found, strict=True):
        assert a.dtype == b.dtype == dtype
        assert np.abs(a - b).max() <= tolerance * np.abs(a).max()


def test_a_gradient_that_nobody_wants_takes_the_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WENGERT_NUMBA", "1")
    x, w, b = torch.randn(100, 256), torch.ones(256, requires_grad=True), torch.zeros(256, requires_grad=True)
    F.layer_norm(x, (256,), w, b).sum().backward()
    normal = (x - x.mean(1, keepdim=True)) / (x.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    np.testing.assert_allclose(w.grad.numpy(), normal.sum(0).numpy(), atol=1e-4)
    np.testing.assert_array_equal(b.grad.numpy(), 100)


def test_second_derivatives_go_through_the_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WENGERT_NUMBA", "1")
    x = torch.randn(80, 256, dtype=torch.float64, requires_grad=True)
    w, b = (torch.ones(256, dtype=torch.float64, requires_grad=True) for _ in range(2))
    (g,) = torch.autograd.grad(F.layer_norm(x, (256,), w, b).pow(3).sum(), x, create_graph=True)
    (h,) = torch.autograd.grad(g.pow(2).sum(), x)
    step = 1e-6 * torch.randn(80, 256, dtype=torch.float64)

    def slope(at: Any) -> Any:
        at = at.detach().requires_grad_()
        (g,) = torch.autograd.grad(F.layer_norm(at, (256,), w, b).pow(3).sum(), at)
        return g.pow(2).sum()

    difference = slope(x + step) - slope(x - step)
    assert difference.item() == pytest.approx(2 * (h * step).sum().item(), rel=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("layer", [torch.nn.LSTM, torch.nn.GRU])
def test_gates_by_compiled_loops_are_those_of_numpy(layer: Any, dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for wish in "01":
        monkeypatch.setenv("WENGERT_NUMBA", wish)
        torch.manual_seed(0)
        model = layer(5, 30, 2, bidirectional=True, dtype=dtype)
        x = torch.randn(4, 12, 5, dtype=dtype, requires_grad=True)
        out, last = model(x)
        states = last if isinstance(last, tuple) else (last,)
        (out.square().sum() + sum(s.sin().sum() for s in states)).backward()
        found.append([out.detach(), x.grad, *(p.grad for p in model.parameters())])
    names = {key[0] for key in compiled._loops if isinstance(key, tuple)}
    assert f"gate_loops.{layer.__name__.lower()}_back" in names
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5 if dtype is torch.float32 else 1e-12, atol=1e-6)
