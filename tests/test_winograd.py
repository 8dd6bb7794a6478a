"""Convolution with kernels of 3 x 3 by fewer products: as near to the exact result as the definition, and finite where it is."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import wengert as torch
from wengert.kernels import convolution, tiles, winograd

pytestmark = pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="numba is not installed")
R = np.random.default_rng(0)
NONE, ONE = (0, 0), (1, 1)

# images, channels, height, width, channels of the result, padding
CASES = [
    (3, 16, 16, 16, 16, (1, 1)),
    (3, 17, 13, 18, 21, (0, 2)),
    (4, 32, 26, 26, 64, (0, 0)),
    (4, 64, 8, 8, 64, (1, 1)),
    (3, 20, 9, 40, 19, (2, 1)),
    (3, 130, 14, 14, 24, (1, 1)),
]


@pytest.fixture(autouse=True)
def loops(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("WENGERT_NUMBA", "1")
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def _drawn(case: Any) -> tuple[Any, Any, Any, Any, Any]:
    n, c, height, width, o, padding = case
    x, w = R.standard_normal((n, c, height, width)), R.standard_normal((o, c, 3, 3))
    size = tuple(m + 2 * p - 2 for m, p in zip((height, width), padding, strict=True))
    return x, w, R.standard_normal(o), padding, size


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_error_is_that_of_the_definition(case: Any) -> None:
    """It may be three times as large; for many channels it is smaller, for the sums are shorter."""
    x, w, bias, padding, size = _drawn(case)
    exact = convolution.forward(x, w, bias, ONE, padding, ONE, 1)
    x32, w32, bias32 = (a.astype(np.float32) for a in (x, w, bias))
    found = winograd.forward(x32, w32, bias32, padding, size)
    usual = tiles.forward(x32, w32, bias32, ONE, padding, ONE, size)
    assert found.dtype == np.float32
    assert found.shape == exact.shape
    rounding = np.abs(usual - exact).max()
    assert np.abs(found - exact).max() <= 3 * rounding
    np.testing.assert_array_equal(convolution.forward(x32, w32, bias32, ONE, padding, ONE, 1), found)
    without = winograd.forward(x32, w32, None, padding, size)
    np.testing.assert_allclose(without + bias32[:, None, None], found, atol=1e-4)


@pytest.mark.parametrize("case", CASES[:1] + CASES[2:], ids=str)
def test_the_error_of_the_weights_gradient(case: Any) -> None:
    x, w, _, padding, size = _drawn(case)
    g = R.standard_normal((len(x), len(w), *size))
    exact = convolution.weight_grad(x, g, w.shape, ONE, padding, ONE, 1)
    x32, g32 = x.astype(np.float32), g.astype(np.float32)
    found = winograd.weight_grad(x32, g32, padding)
    usual = tiles.weight_grad(x32, g32, w.shape, ONE, padding, ONE)
    assert found.dtype == np.float32
    assert found.shape == exact.shape
    assert np.abs(found - exact).max() <= 4 * np.abs(usual - exact).max()
    np.testing.assert_array_equal(convolution.weight_grad(x32, g32, w.shape, ONE, padding, ONE, 1), found)
    odd = np.asfortranarray(x32)
    np.testing.assert_array_equal(winograd.weight_grad(odd, g32[::-1][::-1], padding), found)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_reaches_only_its_weights(value: float) -> None:
    x, w, _, padding, size = _drawn(CASES[0])
    x32, g = x.astype(np.float32), np.ones((len(x), len(w), *size), np.float32)
    x32[1, 3, 6, 8] = value
    assert winograd.weight_grad(x32, g, padding) is None
    found = convolution.weight_grad(x32, g, w.shape, ONE, padding, ONE, 1)
    np.testing.assert_array_equal(found[:, 3], np.full_like(found[:, 3], value))
    assert np.isfinite(np.delete(found, 3, 1)).all()


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_the_error_is_relative(scale: float) -> None:
    x, w, _, padding, size = _drawn(CASES[0])
    exact = convolution.forward(x, w, None, ONE, padding, ONE, 1)
    found = winograd.forward((x * scale).astype(np.float32), w.astype(np.float32), None, padding, size)
    assert np.abs(found / scale - exact).max() <= 1e-6 * np.abs(exact).max()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_what_is_not_finite_reaches_only_what_it_should(value: float) -> None:
    x, w, bias, padding, size = _drawn(CASES[0])
    x, w, bias = (a.astype(np.float32) for a in (x, w, bias))
    x[1, 3, 5, 6] = value
    assert winograd.forward(x, w, bias, padding, size) is None
    found = convolution.forward(x, w, bias, ONE, padding, ONE, 1)
    odd = ~np.isfinite(found)
    reached = np.zeros(found.shape, bool)
    reached[1, :, 4:7, 5:8] = True
    assert not (odd & ~reached).any()
    assert odd.any()
    assert np.isnan(value) <= odd[reached].all()


@pytest.mark.parametrize(
    ("shape", "weight", "dtype"),
    [
        ((3, 16, 16, 16), (16, 16, 3, 3), np.float64),
        ((3, 8, 16, 16), (16, 8, 3, 3), np.float32),
        ((2, 16, 16, 16), (16, 16, 3, 3), np.float32),
        ((3, 16, 16, 16), (16, 16, 3, 2), np.float32),
        ((3, 16, 4, 4), (16, 16, 3, 3), np.float32),
    ],
    ids=["float64", "few channels", "fewer images than threads", "another kernel", "small images"],
)
def test_what_does_not_pay_is_left(shape: Any, weight: Any, dtype: Any) -> None:
    size = (shape[2], shape[3] + 3 - weight[3])
    x = np.ones(shape, dtype)
    assert winograd.forward(x, np.ones(weight, dtype), None, ONE, size) is None
    if weight[3] == 3:
        assert winograd.weight_grad(x, np.ones((len(x), weight[0], *size), dtype), ONE) is None


def test_the_gradients_of_a_network_agree_with_those_of_double_precision() -> None:
    """Two layers of convolution, with the gradient of the input: forward and both transposes."""
    x, w, bias, _, _ = _drawn(CASES[0])
    second = R.standard_normal((16, 16, 3, 3)) / 12
    grads = []
    for dtype in (torch.float32, torch.float64):
        leaves = [torch.tensor(a, dtype=dtype, requires_grad=True) for a in (x, w / 12, bias, second)]
        h = torch.nn.functional.conv2d(leaves[0], leaves[1], leaves[2], padding=1).tanh()
        torch.nn.functional.conv2d(h, leaves[3], padding=1).square().sum().backward()
        grads.append([leaf.grad.double() for leaf in leaves])  # type: ignore[union-attr]
    for single, double in zip(*grads, strict=True):
        assert (single - double).abs().max() <= 2e-6 * double.abs().max()
