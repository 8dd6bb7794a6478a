"""Batches of small products, shared among our own threads, are NumPy's; all others are left to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import wengert as torch
from wengert.kernels import products, threads

R = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def three() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("dtype", ["f4", "f8", "c16"])
@pytest.mark.parametrize("lead", [(30,), (1, 30), (1, 1, 30)])
def test_small_products_of_a_batch_are_shared(
    lead: tuple[int, ...], dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However they lie, bit for bit; large ones, small batches and those that broadcast are left to NumPy."""
    shared = []
    share = threads.share
    monkeypatch.setattr(threads, "share", lambda *a, **k: (shared.append(a[1]), share(*a, **k)))

    def some(*shape: int) -> Any:
        x = R.standard_normal(shape)
        return (x + 1j * R.standard_normal(shape) if dtype[0] == "c" else x).astype(dtype)

    a, b = some(*lead, 1000, 10), some(*lead, 10, 12)
    for x, y in ((a, b), (a, some(*lead, 12, 10).mT), (a.mT, some(*lead, 1000, 12)), (some(*lead, 10, 1000).mT, b)):
        shared.clear()
        found = products.matmul(x, y)
        assert shared == [30]
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, np.matmul(x, y))
    shared.clear()
    for x, y in ((a[..., :10, :, :], b[..., :10, :, :]), (a[..., :1, :, :], b), (some(4, 300, 300), some(4, 300, 300))):
        np.testing.assert_array_equal(products.matmul(x, y), np.matmul(x, y))
    assert not shared
    with pytest.raises(ValueError):
        products.matmul(a, b[..., :20, :, :])
