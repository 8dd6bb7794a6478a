"""Compiled loops agree with the NumPy reference, and their scalar functions keep the stated errors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import wengert as torch
from wengert.kernels import compiled

pytest.importorskip("numba")

N = 1 << 18
# The errors in units in the last place, of float32 and of float64.
ULP = {
    "exp": (2, 2), "sigmoid": (3, 3), "tanh": (3, 4), "erf": (2, 6), "log": (1, 1), "softplus": (3, 3), "sin": (0, 1),
    "cos": (0, 1),
}  # fmt: skip
EXACT: dict[str, Any] = {  # in the widest floats there are, at least float64
    "exp": np.exp,
    "log": np.log,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "sin": np.sin,
    "cos": np.cos,
    "softplus": lambda x: np.where(x > 20, x, np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)),
    "erf": lambda x: np.array([math.erf(v) for v in x]),  # itself right to one unit in the last place
}
WIDE = np.finfo(np.longdouble).eps < np.finfo(np.float64).eps


@pytest.mark.parametrize(
    "dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.skipif(not WIDE, reason="-"))]
)
@pytest.mark.parametrize("name", ULP)
def test_errors_in_units_in_the_last_place(name: str, dtype: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WENGERT_NUMBA", "1")
    if name in ("sin", "cos") and dtype is np.float32:
        pytest.skip("NumPy's are fast")
    rng = np.random.default_rng(0)
    waves = rng.uniform(-1, 1, N) * 10.0 ** rng.uniform(-12, 6, N)
    waves[: N // 2] = np.pi / 2 * rng.integers(-1_000_000, 1_000_000, N // 2)  # near where they are 0
    known = {"exp": rng.uniform(-80, 80, N), "log": np.exp(rng.uniform(-80, 80, N)), "sin": waves, "cos": waves}
    data = known.get(name, rng.uniform(-6, 6, N))
    x = data.astype(dtype)
    loop = compiled.vector(f"{name}_loop", N, x)
    assert loop is not None
    out = np.empty_like(x)
    loop(out, x)
    exact = EXACT[name](x.astype(np.longdouble))
    error = np.abs(out - exact) / np.spacing(np.abs(exact).astype(dtype))
    assert error.max() <= ULP[name][dtype is np.float64]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ULP)
def test_special_values(name: str, dtype: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WENGERT_NUMBA", "1")
    if name in ("sin", "cos") and dtype is np.float32:
        pytest.skip("NumPy's are fast")
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1000, -1000, 1e-40], dtype)
    loop = compiled.vector(f"{name}_loop", N, x)
    out = np.empty_like(x)
    loop(out, x)
    with np.errstate(all="ignore"):
        function = getattr(torch, name, None) or getattr(torch.nn.functional, name)
        expected = function(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(out, expected, rtol=1e-6)
    np.testing.assert_array_equal(np.signbit(out[:2]), np.signbit(expected[:2]))


CALLS: dict[str, Any] = {
    "relu": torch.relu,
    "log": lambda x: torch.log(x * x + 0.5),
    "sqrt": lambda x: torch.sqrt(x * x + 0.5),
    "div": lambda x: (x + 3) / (x * x + 0.5),
    "sin": torch.sin,
    "cos": torch.cos,
    "exp": torch.exp,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softplus": torch.nn.functional.softplus,
    "logsigmoid": torch.nn.functional.logsigmoid,
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
