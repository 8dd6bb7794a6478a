"""Compiled loops agree with the NumPy reference, and their scalar functions keep the stated errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import wengert as torch
from wengert.kernels import compiled

pytest.importorskip("numba")

N = 1 << 18
# units in the last place; erf's is measured against the same function in float64, so float32 only
ULP = {"exp": 2, "sigmoid": 3, "tanh": 3, "erf": 2, "log": 1}


@pytest.mark.parametrize("name", ULP)
def test_float32_errors_in_units_in_the_last_place(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WENGERT_NUMBA", "1")
    x = np.random.default_rng(0).uniform(-6, 6, N).astype(np.float32)
    loop = compiled.vector(f"{name}_loop", N, x)
    assert loop is not None
    out = np.empty_like(x)
    loop(out, x)
    monkeypatch.setenv("WENGERT_NUMBA", "0")
    exact = getattr(torch, name)(torch.from_numpy(x.astype(np.float64))).numpy()
    assert (np.abs(out - exact) / np.spacing(np.abs(exact).astype(np.float32))).max() <= ULP[name]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ULP)
def test_special_values(name: str, dtype: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WENGERT_NUMBA", "1")
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1000, -1000, 1e-40], dtype)
    loop = compiled.vector(f"{name}_loop", N, x)
    out = np.empty_like(x)
    loop(out, x)
    with np.errstate(all="ignore"):
        expected = getattr(torch, name)(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(out, expected, rtol=1e-6)
    np.testing.assert_array_equal(np.signbit(out[:2]), np.signbit(expected[:2]))


CALLS: dict[str, Any] = {
    "exp": torch.exp,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "erf": torch.erf,
    "silu": torch.nn.functional.silu,
    "gelu": torch.nn.functional.gelu,
    "gelu_tanh": lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
    "softmax": lambda x: torch.softmax(x, -1),
    "log_softmax": lambda x: torch.log_softmax(x, -1),
    "softmax_0": lambda x: torch.softmax(x, 0),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CALLS)
def test_forward_and_backward_agree_with_numpy(name: str, dtype: type, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    data, g = (rng.normal(size=(64, N // 64)).astype(dtype) for _ in range(2))
    results = []
    for wish in "01":
        monkeypatch.setenv("WENGERT_NUMBA", wish)
        x = torch.tensor(data, requires_grad=True)
        y = CALLS[name](x)
        y.backward(torch.from_numpy(g))
        results.append((y.detach().numpy(), x.grad.numpy()))
    tolerance = 2e-6 if dtype is np.float32 else 1e-14
    for a, b in zip(*results, strict=True):
        assert a.dtype == b.dtype == dtype
        np.testing.assert_allclose(b, a, rtol=4 * tolerance, atol=tolerance)
