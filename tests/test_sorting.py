"""Sorting, order statistics, counting and differences: what the generic test of the tables does not see."""

from __future__ import annotations

import numpy as np
import pytest

import wengert as torch

NAN = float("nan")


def test_sorting_is_stable_in_both_directions_and_nan_is_the_largest() -> None:
    x = torch.tensor([2.0, NAN, 1.0, 2.0])
    assert x.sort().indices.tolist() == [2, 0, 3, 1]
    assert x.sort(descending=True).indices.tolist() == [1, 0, 3, 2]
    rng = np.random.default_rng(0)
    many = rng.integers(0, 50, (7, 1000)).astype(np.float32)
    for descending in (False, True):
        values, indices = torch.sort(torch.tensor(many), descending=descending)
        expected = np.argsort(-many if descending else many, axis=-1, kind="stable")
        assert (indices.numpy() == expected).all()
        assert (values.numpy() == np.take_along_axis(many, expected, -1)).all()


def test_topk_takes_the_first_of_equals_and_agrees_with_sorting() -> None:
    rng = np.random.default_rng(0)
    x = torch.tensor(rng.integers(0, 20, (5, 400)))
    for largest in (True, False):
        values, indices = x.topk(7, largest=largest)
        expected = x.sort(descending=largest, stable=True)
        assert (values == expected.values[:, :7]).all()
        assert (indices == expected.indices[:, :7]).all()
    with pytest.raises(RuntimeError, match="selected index k out of range"):
        x.topk(401)


def test_medians() -> None:
    x = torch.tensor([[3.0, 1.0, NAN, 2.0], [4.0, 1.0, 2.0, 3.0]])
    assert x.median(1).indices.tolist() == [2, 2]
    assert x.nanmedian(1).values.tolist() == [2.0, 2.0]
    assert x.nanmedian().item() == 2.0
    assert torch.isnan(x.median())
    assert torch.isnan(torch.empty(0).median())
    with pytest.raises(IndexError, match=r"median\(\): Expected reduction dim 1 to have non-zero size."):
        torch.empty(2, 0).median(1)


def test_mode_is_the_smallest_of_the_most_frequent() -> None:
    values, indices = torch.tensor([[3, 1, 3, 1, 2], [5, 5, 4, 0, 0]]).mode()
    assert values.tolist() == [1, 0]
    assert indices.tolist() == [3, 4]


@pytest.mark.parametrize("interpolation", ["linear", "lower", "higher", "midpoint", "nearest"])
def test_quantiles_agree_with_numpy(interpolation: str) -> None:
    rng = np.random.default_rng(0)
    a = rng.standard_normal((4, 7))
    q = [0.0, 0.25, 0.6, 1.0]
    found = torch.quantile(torch.tensor(a), torch.tensor(q, dtype=torch.float64), dim=1, interpolation=interpolation)
    np.testing.assert_allclose(found.numpy(), np.quantile(a, q, axis=1, method=interpolation))
    a[1, 2] = np.nan
    found = torch.nanquantile(torch.tensor(a), 0.6, dim=1, keepdim=True, interpolation=interpolation)
    np.testing.assert_allclose(found.numpy(), np.nanquantile(a, 0.6, axis=1, keepdims=True, method=interpolation))
    assert torch.isnan(torch.quantile(torch.tensor(a), 0.6, dim=1, interpolation=interpolation)).tolist() == [
        False, True, False, False,
    ]  # fmt: skip


def test_quantile_errors() -> None:
    with pytest.raises(RuntimeError, match=r"quantile\(\) q must be in the range \[0, 1\] but got 1.5"):
        torch.quantile(torch.ones(3), 1.5)
    with pytest.raises(RuntimeError, match="must be either float or double dtype"):
        torch.quantile(torch.ones(3).int(), 0.5)


def test_unique() -> None:
    x = torch.tensor([2, 1, 2])
    values, inverse, counts = torch.unique(x, return_inverse=True, return_counts=True)
    assert (values.tolist(), inverse.tolist(), counts.tolist()) == ([1, 2], [1, 0, 1], [1, 2])
    rows = torch.tensor([[1, 2], [0, 5], [1, 2]])
    values, inverse = rows.unique(dim=0, return_inverse=True)
    assert values.tolist() == [[0, 5], [1, 2]]
    assert inverse.tolist() == [1, 0, 1]
    assert torch.unique(torch.tensor([NAN, NAN])).shape == (2,)
    values, inverse, counts = torch.tensor([1, 1, 2, 1]).unique_consecutive(return_inverse=True, return_counts=True)
    assert (values.tolist(), inverse.tolist(), counts.tolist()) == ([1, 2, 1], [0, 0, 1, 2], [2, 1, 1])


def test_searchsorted_by_rows_agrees_with_numpy() -> None:
    rng = np.random.default_rng(0)
    sequence = np.sort(rng.integers(0, 9, (3, 11)), axis=1)
    values = rng.integers(-1, 10, (3, 5))
    for side in ("left", "right"):
        found = torch.searchsorted(torch.tensor(sequence), torch.tensor(values), side=side)
        assert found.tolist() == [np.searchsorted(s, v, side).tolist() for s, v in zip(sequence, values, strict=True)]
    assert torch.bucketize(torch.tensor([0.5, 1.0]), torch.tensor([0.0, 1.0]), right=True).tolist() == [1, 2]


def test_histograms_agree_with_numpy() -> None:
    rng = np.random.default_rng(0)
    a, w = rng.standard_normal(200), rng.random(200)
    hist, edges = torch.histogram(torch.tensor(a), 7, weight=torch.tensor(w), density=True)
    expected, where = np.histogram(a, 7, weights=w, density=True)
    np.testing.assert_allclose(hist.numpy(), expected)
    np.testing.assert_allclose(edges.numpy(), where)
    assert (torch.histc(torch.tensor(a), 5, -1, 1).numpy() == np.histogram(a, 5, (-1, 1))[0]).all()
    points = rng.standard_normal((100, 2))
    hist, _ = torch.histogramdd(torch.tensor(points), [3, 4])
    assert (hist.numpy() == np.histogramdd(points, [3, 4])[0]).all()
    assert torch.bincount(torch.tensor([1, 1, 3]), minlength=6).tolist() == [0, 2, 0, 1, 0, 0]
    with pytest.raises(RuntimeError, match="bincount only supports 1-d non-negative integral inputs."):
        torch.bincount(torch.tensor([-1]))


def test_differences_agree_with_numpy() -> None:
    rng = np.random.default_rng(0)
    a, x = rng.standard_normal((3, 6)), np.cumsum(rng.random(6) + 0.1)
    np.testing.assert_allclose(torch.diff(torch.tensor(a), n=2, dim=0).numpy(), np.diff(a, 2, 0))
    np.testing.assert_allclose(torch.trapezoid(torch.tensor(a), torch.tensor(x)).numpy(), np.trapezoid(a, x))
    for order in (1, 2):
        found = torch.gradient(torch.tensor(a), spacing=(torch.tensor(x),), dim=1, edge_order=order)
        np.testing.assert_allclose(found[0].numpy(), np.gradient(a, x, axis=1, edge_order=order))
        found = torch.gradient(torch.tensor(a), spacing=0.5, edge_order=order)
        for mine, theirs in zip(found, np.gradient(a, 0.5, edge_order=order), strict=True):
            np.testing.assert_allclose(mine.numpy(), theirs)


def test_logcumsumexp_and_its_gradient_do_not_overflow() -> None:
    x = torch.tensor([-1000.0, 0.0, 1000.0, 999.0], dtype=torch.float64, requires_grad=True)
    y = x.logcumsumexp(0)
    assert y.tolist() == pytest.approx([-1000.0, 0.0, 1000.0, 1000.0 + np.log1p(np.exp(-1.0))])
    y.sum().backward()
    share = 1 / (1 + np.exp(-1.0))
    assert x.grad is not None
    assert x.grad.tolist() == pytest.approx([1.0, 1.0, 1.0 + share, 1 - share])
    long = torch.randn(5000, dtype=torch.float64, requires_grad=True)
    (grad,) = torch.autograd.grad(long.logcumsumexp(0).sum(), long)
    weights = np.exp(long.detach().numpy() - long.logcumsumexp(0).detach().numpy()[:, None])
    np.testing.assert_allclose(grad.numpy(), np.tril(weights).sum(0), rtol=1e-10)


def test_as_strided_scatter_sends_the_gradient_where_the_values_went() -> None:
    """PyTorch 2.13 gives [1, 2, 3, 4, 0, 0] to the input here."""
    x = torch.arange(6.0, requires_grad=True)
    src = torch.ones(2, 2, requires_grad=True)
    y = torch.as_strided_scatter(x, src, (2, 2), (2, 1), 0)
    assert y.tolist() == [1.0, 1.0, 1.0, 1.0, 4.0, 5.0]
    (y * torch.arange(1.0, 7.0)).sum().backward()
    assert x.grad is not None
    assert src.grad is not None
    assert x.grad.tolist() == [0.0, 0.0, 0.0, 0.0, 5.0, 6.0]
    assert src.grad.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_copies_of_views_share_no_memory() -> None:
    x = torch.arange(6.0).reshape(2, 3)
    for y in (
        *(torch.view_copy(x, (3, 2)), torch.t_copy(x), torch.expand_copy(x, (2, 2, 3)), torch.narrow_copy(x, 1, 0, 2)),
        *torch.unbind_copy(x),
    ):
        y.zero_()
    assert x.sum().item() == 15.0


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_numbers_of_32_bits_are_sorted_stably_with_ties_zeros_and_nans(dtype: type, descending: bool) -> None:
    rng = np.random.default_rng(0)
    a = rng.integers(-50, 50, (300, 1000)).astype(dtype)
    a[:2, :4] = np.iinfo(np.int32).max, np.iinfo(np.int32).min, 0, -1
    if dtype is np.float32:
        a[rng.random(a.shape) < 0.05] = np.nan
        a[rng.random(a.shape) < 0.05] = -np.nan
        a[rng.random(a.shape) < 0.05] = -0.0
        a[3, :3] = np.inf, -np.inf, 1e-42
    values, indices = torch.sort(torch.from_numpy(a), dim=1, descending=descending, stable=True)
    keys = np.where(np.isnan(a), np.inf, a).astype(np.float64) if dtype is np.float32 else a.astype(np.float64)
    nan = np.isnan(a) if dtype is np.float32 else np.zeros(a.shape, bool)
    places = np.broadcast_to(np.arange(a.shape[1]), a.shape)
    order = np.lexsort((places, -keys, ~nan) if descending else (places, keys, nan), axis=1)
    np.testing.assert_array_equal(indices.numpy(), order)
    np.testing.assert_array_equal(values.numpy(), np.take_along_axis(a, order, 1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64])
def test_rows_without_elements_are_sorted(dtype) -> None:
    x = torch.zeros(2, 0, dtype=dtype)
    for values, indices in (x.sort(), x.sort(0), x.t().sort(0, descending=True), x.topk(0)):
        assert values.numel() == indices.numel() == 0
    assert x.sort().values.shape == x.argsort().shape == (2, 0)
    assert torch.vmap(lambda row: row.sort().indices)(x).shape == (2, 0)
