"""The loops over narrow matrices give what NumPy gives; gradients of parts are added where the parts lie."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

import wengert as torch
from wengert.kernels import narrow

numba = pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="numba is not installed")
R = np.random.default_rng(0)
N = 9000


def _matrix(columns: int, lying: str, dtype: str) -> Any:
    wide = R.standard_normal((N, 2 * columns + 1)).astype(dtype)
    wide[3] = np.nan
    wide[4, ::2] = np.inf
    wide[5] = 0
    part = wide[:, 1 : 1 + columns]
    if lying == "columns":
        return np.asfortranarray(part)
    if lying == "backwards":
        return wide[::-1, ::-2][:, :columns]
    if lying == "read-only":
        part.flags.writeable = False
    return part


@pytest.fixture(autouse=True)
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WENGERT_NUMBA", "1")


@numba
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("lying", ["rows", "columns", "backwards", "read-only"])
def test_arithmetic_of_narrow_matrices(lying: str, dtype: str) -> None:
    a, b, g = _matrix(3, lying, dtype), _matrix(3, "rows", dtype), _matrix(3, "backwards", dtype)
    column = _matrix(1, lying, dtype)
    tolerance = {"rtol": 1e-5 if dtype == "f4" else 1e-13, "atol": 1e-5 if dtype == "f4" else 1e-13}
    with np.errstate(all="ignore"):
        for function in narrow.FUNCTIONS:
            for x, y in ((a, b), (a, column), (column, b)):
                found = narrow.pair(function, x, y)
                assert found.dtype == dtype
                np.testing.assert_array_equal(found, function(x, y))
            changed = np.array(np.repeat(b, 2, axis=1))[:, ::2]
            assert narrow.pair(function, changed, a, changed) is changed
            np.testing.assert_array_equal(changed, function(b, a))
        for x, y in ((a, b), (a, column), (column, b)):
            for found, other, shape in zip(narrow.product_back(g, x, y), (y, x), (x.shape, y.shape), strict=True):
                expected = (g * other).sum(1, keepdims=True) if shape[1] == 1 else g * other
                np.testing.assert_allclose(found, expected, **tolerance)
        ga, gb = narrow.quotient_back(g, a, column)
        np.testing.assert_allclose(ga, g / column, **tolerance)
        expected = -(g * a).sum(1, keepdims=True, dtype="f8") / column / column
        np.testing.assert_allclose(gb, expected, rtol=1e-2 if dtype == "f4" else 1e-9)  # terms cancel
        expected = np.stack([a[:, i] * b[:, j] - a[:, j] * b[:, i] for i, j in ((1, 2), (2, 0), (0, 1))], 1)
        np.testing.assert_allclose(narrow.cross(a, b), expected, **tolerance)


def test_what_is_not_narrow_is_left_to_numpy() -> None:
    full, column = R.standard_normal((N, 3)), R.standard_normal((N, 1))
    assert narrow.pair(np.add, full, full) is None  # rows that follow each other are one vector
    assert narrow.pair(np.add, column, column) is None
    assert narrow.pair(np.add, full, 2.0) is None
    assert narrow.pair(np.add, full, full[:, 0]) is None
    assert narrow.pair(np.add, full, column.astype("f4")) is None
    assert narrow.pair(np.add, full[:1000], column[:1000]) is None
    assert narrow.pair(np.add, full.astype(int), column.astype(int)) is None
    assert narrow.pair(np.add, np.ones((N, 20)), column) is None
    assert narrow.pair(np.add, full, np.ones((N, 2))) is None


@pytest.mark.parametrize("rows", [4, N])
def test_gradients_of_parts_are_added_where_they_lie(rows: int) -> None:
    x = torch.tensor(R.standard_normal((rows, 6)), requires_grad=True)
    factors = R.standard_normal((rows, 6))
    w = torch.tensor(factors)
    kept = []
    y = x * 1
    y.register_hook(lambda g: kept.append(g))
    parts = (
        (y[:, 0:3] * w[:, 0:3]).sum()
        + (y[:, 2:6] * w[:, 2:6]).sum()
        + (y[1] * w[1]).sum()
        + y[2, 3] * w[2, 3]
        + (y[::2, 1] * w[::2, 1]).sum()
        + (y.diagonal() * w.diagonal()).sum()
        + (y[None, :, 5:] * w[None, :, 5:]).sum()
    )
    expected = factors.copy()
    expected[:, 2] *= 2
    expected[1] += factors[1]
    expected[2, 3] += factors[2, 3]
    expected[::2, 1] += factors[::2, 1]
    diagonal = np.arange(min(rows, 6))
    expected[diagonal, diagonal] += factors[diagonal, diagonal]
    expected[:, 5] += factors[:, 5]
    parts.backward(retain_graph=True)
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-12)
    parts.backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * expected, rtol=1e-12)
    np.testing.assert_allclose(kept[0].numpy(), expected, rtol=1e-12)


def test_a_gradient_that_others_hold_is_not_added_to() -> None:
    """The gradient of ones that a user gives stays what it is, though a part of the same tensor comes after it."""
    x = torch.ones(4, 3, requires_grad=True)
    y = x * 2
    given, small = torch.ones(4, 3), torch.ones(3)
    torch.autograd.backward([y, y[0]], [given, small])
    assert given.tolist() == torch.ones(4, 3).tolist()
    assert x.grad.tolist() == [[4.0] * 3, [2.0] * 3, [2.0] * 3, [2.0] * 3]
