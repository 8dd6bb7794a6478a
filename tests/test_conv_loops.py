"""Convolution by compiled tiles gives what products of columns give, for every stride, padding, dilation and remainder."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

import wengert as torch
from wengert.kernels import convolution, tiles

pytestmark = pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="numba is not installed")
R = np.random.default_rng(0)

# images, channels, height, width, channels of the result, kernel, stride, padding, dilation
CASES = [
    (3, 4, 20, 21, 8, (3, 3), (1, 1), (0, 0), (1, 1)),
    (3, 4, 20, 21, 13, (3, 3), (1, 1), (1, 1), (1, 1)),
    (2, 5, 19, 30, 9, (3, 2), (2, 1), (2, 1), (1, 2)),
    (2, 3, 33, 40, 10, (5, 7), (2, 2), (3, 3), (1, 1)),
    (2, 3, 33, 41, 7, (3, 3), (2, 3), (0, 2), (2, 3)),
    (2, 6, 12, 17, 5, (1, 1), (1, 2), (0, 0), (1, 1)),
    (1, 7, 8, 8, 6, (3, 3), (1, 1), (2, 2), (1, 1)),
    (2, 6, 18, 17, 8, (2, 3), (3, 2), (0, 1), (1, 1)),
    (2, 4, 31, 29, 8, (3, 4), (2, 3), (2, 0), (2, 2)),
    (2, 3, 8, 6, 5, (3, 3), (1, 1), (1, 1), (1, 1)),
    (2, 5, 14, 10, 17, (4, 1), (1, 1), (2, 0), (1, 1)),
    (1, 2, 28, 28, 34, (3, 3), (1, 1), (2, 2), (1, 1)),
]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_tiles_agree_with_columns(case: Any, dtype: type, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    n, c, height, width, o, kernel, stride, padding, dilation = case
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    monkeypatch.setattr(tiles, "_WORTH", 0)
    x, w = R.standard_normal((n, c, height, width)).astype(dtype), R.standard_normal((o, c, *kernel)).astype(dtype)
    bias, bias_back = R.standard_normal(o).astype(dtype), R.standard_normal(c).astype(dtype)
    options = stride, padding, dilation, 1
    results = []
    for wish in "01":
        monkeypatch.setenv("WENGERT_NUMBA", wish)
        out = convolution.forward(x, w, bias, *options)
        g = results[0][0] if results else out
        back = convolution.input_grad(g, w, bias_back, (height, width), *options)
        results.append((out, convolution.weight_grad(x, g, w.shape, *options), back))
    torch.set_num_threads(before)
    places = results[0][0].shape[2:]
    assert tiles.forward(x, w, bias, stride, padding, dilation, places) is not None
    assert tiles.weight_grad(x, results[0][0], w.shape, stride, padding, dilation) is not None
    if max(stride) > 1 and c > 3:
        assert tiles.input_grad(g, w, None, (height, width), stride, padding, dilation) is not None
    tolerance = 2e-5 if dtype is np.float32 else 1e-13
    for a, b in zip(*results, strict=True):
        assert a.dtype == b.dtype == dtype
        assert a.shape == b.shape
        assert np.abs(a - b).max() <= tolerance * np.abs(a).max()


@pytest.mark.parametrize(
    ("shape", "channels"),
    [((2, 3, 3, 4), 8), ((2, 3, 20, 20), 2)],
    ids=["fewer places than half a vector", "few channels"],
)
def test_what_does_not_pay_is_left_to_products(shape: Any, channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WENGERT_NUMBA", "1")
    monkeypatch.setattr(tiles, "_WORTH", 0)
    x, w = np.ones(shape, np.float32), np.ones((channels, 3, 3, 3), np.float32)
    out = (shape[2] - 2, shape[3] - 2)
    assert tiles.forward(x, w, None, (1, 1), (0, 0), (1, 1), out) is None


def test_arrays_that_are_not_contiguous(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WENGERT_NUMBA", "1")
    monkeypatch.setattr(tiles, "_WORTH", 0)
    x, w = R.standard_normal((2, 12, 14, 3)).transpose(0, 3, 1, 2), R.standard_normal((3, 3, 3, 8)).T
    options = (1, 1), (1, 1), (1, 1)
    found = tiles.forward(x, w, None, *options, (12, 14))
    monkeypatch.setenv("WENGERT_NUMBA", "0")
    np.testing.assert_allclose(found, convolution.forward(x, w, None, *options, 1), atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_columns_are_added_up_in_the_same_order(case: Any, dtype: type, monkeypatch: pytest.MonkeyPatch) -> None:
    n, c, height, width, _, kernel, stride, padding, dilation = case
    monkeypatch.setattr(tiles, "_FOLDED", 0)
    out = convolution.output_size((height, width), kernel, stride, padding, dilation)
    columns: Any = R.standard_normal((n, c, *kernel, *out)).astype(dtype)
    columns[0, 1, 0, 0, 1, 1] = np.nan
    found = []
    for wish in "01":
        monkeypatch.setenv("WENGERT_NUMBA", wish)
        found.append(convolution.fold(columns, (height, width), kernel, stride, padding, dilation))
    assert tiles.fold(columns, (height, width), kernel, stride, padding, dilation) is not None
    np.testing.assert_array_equal(*found)
