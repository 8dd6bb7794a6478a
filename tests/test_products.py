"""Large products shared among our own threads are NumPy's; what is small, or of another kind, is left to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import wengert as torch
from wengert.kernels import blas, products, threads

pytestmark = pytest.mark.skipif(not blas.steerable(), reason="this BLAS cannot be steered")
R = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def three() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def _blas_threads(a: Any, b: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[int], int]:
    """The product, how many threads BLAS had for each part of it, and how many it had before."""
    get = blas._functions()[0]  # type: ignore[index]
    whole, seen = np.matmul, []

    def watched(*args: Any, **kwargs: Any) -> Any:
        seen.append(get())
        return whole(*args, **kwargs)

    blas.make_ready()
    threads._TEAM.touched = True
    monkeypatch.setattr(products.np, "matmul", watched)
    found = products.matmul(a, b)
    monkeypatch.undo()
    return found, seen, get()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64])
@pytest.mark.parametrize(("n", "k", "m"), [(301, 301, 200), (100, 500, 400), (7, 4000, 700), (4100, 4100, 1)])
def test_large_products_are_shared(n: int, k: int, m: int, dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = R.standard_normal((n, k)).astype(dtype), R.standard_normal((k, m)).astype(dtype)
    for left, right in ((a, b), (np.asfortranarray(a), b[:, ::-1]), (a[::-1], np.asfortranarray(b))):
        found, seen, _ = _blas_threads(left, right, monkeypatch)
        assert seen == [1, 1, 1]
        assert found.dtype == dtype
        assert found.flags.c_contiguous
        tolerance = 1e-5 if np.dtype(dtype).itemsize in (4, 8) and dtype is not np.float64 else 1e-13
        np.testing.assert_allclose(found, np.matmul(left, right), atol=tolerance * k)


def test_how_many_threads_depends_on_the_size_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for n, shared in ((60, None), (170, None), (250, None), (260, [1, 1, 1])):
        a = np.ones((n, n), np.float32)
        for _ in range(2):
            found, seen, before = _blas_threads(a, a, monkeypatch)
            assert seen == (shared or [before])
            np.testing.assert_array_equal(found, n)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.ones((300, 300), np.int64), np.ones((300, 300), np.int64)),
        (np.ones((300, 300), np.float32), np.ones((300, 300))),
        (np.ones((2, 300, 300)), np.ones((300, 300))),
        (np.ones((300, 300)), np.ones(300)),
        (np.ones((0, 300)), np.ones((300, 0))),
    ],
    ids=["integers", "two dtypes", "a batch", "a vector", "empty"],
)
def test_other_products_are_left_to_numpy(a: Any, b: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found, seen, before = _blas_threads(a, b, monkeypatch)
    assert seen == [before]
    np.testing.assert_array_equal(found, np.matmul(a, b))
    with pytest.raises(ValueError, match="mismatch in its core dimension"):
        products.matmul(np.ones((300, 301)), np.ones((300, 300)))


def test_dense_layers_share_their_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forward and for both gradients; the numbers are those of one thread."""
    x0, w0 = (R.standard_normal((300, 300)).astype(np.float32) for _ in range(2))
    shared = []
    share = threads.share_products
    monkeypatch.setattr(threads, "share_products", lambda *a, **k: (shared.append(a[1]), share(*a, **k)))
    found = []
    for count in (3, 1):
        torch.set_num_threads(count)
        x, w = (torch.tensor(a, requires_grad=True) for a in (x0, w0))
        torch.nn.functional.linear(x, w).sum().backward()
        torch.mm(x, w).sum().backward()
        found.append((x.grad, w.grad))
    assert shared == [300] * 6
    for many, one in zip(*found, strict=True):
        torch.testing.assert_close(many, one, rtol=1e-5, atol=1e-4)


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
