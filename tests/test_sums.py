"""Sums along short last axes and those before them, which take a way of their own, are NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import wengert as torch
from wengert.kernels import sums

R = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("shape", "axes"),
    [((700, 3), (1,)), ((20, 30, 10), (2,)), ((300, 4, 5), (1, 2)), ((300, 4, 5), (2, 1)), ((300, 1), (1,)),
     ((700, 3), (0,)), ((4, 300, 5), (1,)), ((20, 30, 5), (0, 1)), ((5000, 3), (0,)), ((2, 4100, 3), (1,)), ((700, 2), ()),
     ((4, 300), (0,)), ((6, 700), None), ((300, 200), (1,)), ((0, 3), (1,)), ((300, 0), (1,))],
)  # fmt: skip
@pytest.mark.parametrize("keepdims", [False, True])
def test_sums_are_those_of_numpy(shape: Any, axes: Any, keepdims: bool, dtype: Any) -> None:
    a = R.standard_normal(shape).astype(dtype)
    found = sums.add(a, axes, keepdims)
    expected = np.add.reduce(a, axis=axes, keepdims=keepdims)
    assert np.shape(found) == np.shape(expected)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=1e-5 if dtype is np.float32 else 1e-12, atol=1e-5)


def test_infinities_and_nan_stay_in_their_rows() -> None:
    a = torch.zeros(600, 3)
    a[1, 0], a[2, 1], a[3, 2], a[4, 0], a[4, 1] = np.inf, -np.inf, np.nan, np.inf, -np.inf
    total = a.sum(1)
    assert total[:3].tolist() == [0, np.inf, -np.inf]
    assert total[3:5].isnan().all()
    assert (total[5:] == 0).all()
    assert torch.equal(a.T.sum(0)[5:], total[5:])  # not contiguous


def test_gradients_of_broadcast_columns_are_summed() -> None:
    column = torch.ones(600, 1, requires_grad=True)
    (column * torch.arange(3.0)).sum().backward()
    assert torch.equal(column.grad, torch.full((600, 1), 3.0))
