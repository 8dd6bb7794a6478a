"""`vmap` where it computes each example by itself, and copies of examples whose order in memory has no name."""

from __future__ import annotations

import warnings

import pytest

import wengert as torch
from wengert import _C


def test_the_loop_over_a_batch_warns_if_it_is_asked_to() -> None:
    x = torch.rand(3, 4)

    def looped() -> torch.Tensor:
        return torch.vmap(lambda row: torch.histc(row, 2, 0, 1))(x)

    assert not _C._debug_only_are_vmap_fallback_warnings_enabled()
    expected = looped()
    _C._debug_only_display_vmap_fallback_warnings(True)
    try:
        assert _C._debug_only_are_vmap_fallback_warnings_enabled()
        with pytest.warns(UserWarning, match="There is a performance drop because .* batching rule for aten::histc"):
            assert torch.equal(looped(), expected)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            torch.vmap(torch.sin)(x)
    finally:
        _C._debug_only_display_vmap_fallback_warnings(False)


@pytest.mark.parametrize(
    ("form", "word"), [(torch.channels_last, "ChannelsLast"), (torch.channels_last_3d, "ChannelsLast3d")]
)
def test_clone_of_an_example_in_channels_last_is_refused(form: torch.memory_format, word: str) -> None:
    for shape in ((2, 3, 4, 5), (2, 3, 4, 5, 6)):  # with the batch, one has the rank that the order wants
        with pytest.raises(RuntimeError, match=rf"NYI: Tensor.clone\(memory_format\) inside vmap .* \(got {word}\)"):
            torch.vmap(lambda t: t.clone(memory_format=form))(torch.rand(shape))
    x = torch.rand(3, 2).t()
    assert torch.vmap(lambda t: t.clone(memory_format=torch.contiguous_format))(x).is_contiguous()


ROWS = torch.tensor([[0.9, 0.1, 0.4, 0.6], [0.2, 0.8, 0.7, 0.3], [0.5, 0.95, 0.05, 0.15]])
EDGES = torch.tensor([[0.1, 0.3, 0.7], [0.2, 0.5, 0.9], [0.0, 0.5, 0.8]])
COUNTED = {
    "histc": lambda row, edges: torch.histc(row, 2, 0, 1),
    "histogram": lambda row, edges: torch.histogram(row, edges),
    "histogramdd": lambda row, edges: torch.histogramdd(row.view(2, 2), [2, 2])[0],
    "bucketize": torch.bucketize,
    "searchsorted": lambda row, edges: torch.searchsorted(edges, row),
    "isin": lambda row, edges: torch.isin(row, row[1:3]),
    "bincount": lambda row, edges: torch.bincount((row * 4).long(), minlength=4),
}


@pytest.mark.parametrize("name", COUNTED)
def test_what_counts_sees_one_example_after_another(name: str) -> None:
    f = COUNTED[name]
    found = torch.vmap(f)(ROWS, EDGES)
    expected = [f(row, edges) for row, edges in zip(ROWS, EDGES, strict=True)]
    if isinstance(found, tuple):
        assert type(found) is type(expected[0])
        for part, parts in zip(found, zip(*expected, strict=True), strict=True):
            assert torch.equal(part, torch.stack(parts))
    else:
        assert torch.equal(found, torch.stack(expected))
    nested = torch.vmap(lambda row: torch.vmap(lambda edges: f(row, edges))(EDGES))(ROWS)
    assert torch.equal((nested[0] if isinstance(nested, tuple) else nested)[2, 1], _first(f(ROWS[2], EDGES[1])))


def _first(found: object) -> torch.Tensor:
    return found[0] if isinstance(found, tuple) else found


def test_counts_of_different_lengths_are_refused() -> None:
    with pytest.raises(RuntimeError, match="results of the examples have different shapes"):
        torch.vmap(torch.bincount)(torch.tensor([[0, 1], [0, 5]]))
    with pytest.raises(ValueError, match="vmap: bincount over a batch of size 0 is not supported"):
        torch.vmap(torch.bincount)(torch.zeros(0, 2, dtype=torch.int64))
    for f, name in ((torch.unique, "_unique2"), (torch.unique_consecutive, "unique_consecutive")):
        with pytest.raises(
            RuntimeError, match=f"operators that can output dynamic shape. Attempted to vmap over aten::{name}"
        ):
            torch.vmap(f)(ROWS)


def test_answers_that_may_differ_are_refused() -> None:
    with pytest.raises(RuntimeError, match="vmap over torch.allclose isn't supported yet"):
        torch.vmap(torch.allclose)(ROWS, ROWS)


@pytest.mark.parametrize("interpolation", ["linear", "lower", "higher", "midpoint", "nearest"])
@pytest.mark.parametrize("f", [torch.quantile, torch.nanquantile])
def test_quantiles_of_each_example(f: object, interpolation: str) -> None:
    x = ROWS.double().clone()
    x[1, 2] = float("nan")
    q = torch.tensor([0.0, 0.3, 1.0], dtype=torch.float64)
    found = torch.vmap(lambda row: f(row, q, interpolation=interpolation))(x)
    expected = torch.stack([f(row, q, interpolation=interpolation) for row in x])
    assert torch.allclose(found, expected, equal_nan=True)
    each = torch.vmap(lambda row, q: f(row, q, interpolation=interpolation))(x[:1].expand(3, 4), q)
    assert torch.equal(each, expected[0])


def test_gradient_of_quantiles_of_each_example() -> None:
    x = ROWS.double()
    found = torch.vmap(torch.func.grad(lambda row: torch.quantile(row, 0.5)))(x)
    assert found.tolist() == [[0, 0, 0.5, 0.5], [0, 0, 0.5, 0.5], [0.5, 0, 0, 0.5]]


def test_spacings_whose_ends_differ() -> None:
    start = torch.tensor([0.0, 0.5])
    assert torch.vmap(lambda s: torch.linspace(s, 1.0, 3))(start).tolist() == [[0, 0.5, 1], [0.5, 0.75, 1]]
    assert torch.vmap(lambda s: torch.logspace(s, 2.0, 2, base=4))(start).tolist() == [[1, 16], [2, 16]]


def test_places_in_a_shape_of_each_example() -> None:
    rows, columns = torch.vmap(lambda i: torch.unravel_index(i, (2, 3)))(torch.tensor([[1, 4], [3, 5]]))
    assert rows.tolist() == [[0, 1], [1, 1]]
    assert columns.tolist() == [[1, 1], [0, 2]]


def test_no_dimension_to_squeeze_is_none_of_them() -> None:
    assert torch.vmap(lambda t: torch.squeeze(t, ()))(torch.ones(2, 1, 3, 1)).shape == (2, 1, 3, 1)
    assert torch.vmap(lambda t: torch.squeeze(t, (0,)))(torch.ones(2, 1, 3, 1)).shape == (2, 3, 1)


def test_each_example_of_least_squares_has_its_residuals() -> None:
    a, b = torch.eye(3).expand(2, 3, 3), torch.ones(2, 3, 1)
    assert torch.vmap(torch.linalg.lstsq)(a, b).residuals.shape == (2, 0)
    solution, residuals, *_ = torch.vmap(lambda a, b: torch.linalg.lstsq(a, b, driver="gelsd"))(a[..., :2], b)
    assert torch.allclose(residuals, torch.ones(2, 1))
    assert torch.allclose(solution, torch.ones(2, 2, 1))


def test_statistics_shared_by_the_examples_are_not_moved_by_each() -> None:
    mean, var, x = torch.zeros(4), torch.ones(4), torch.rand(2, 3, 4)
    with pytest.raises(
        RuntimeError, match="Batch norm got a batched tensor as input while the running_mean or running_var"
    ):
        torch.vmap(lambda t: torch.nn.functional.batch_norm(t, mean, var, training=True))(x)
    assert mean.tolist() == [0] * 4
    means = torch.zeros(2, 4)
    torch.vmap(lambda t, m, v: torch.nn.functional.batch_norm(t, m, v, training=True))(x, means, torch.ones(2, 4))
    assert torch.allclose(means, 0.1 * x.mean(1))


def test_writing_to_a_place_in_memory_of_each_example_is_refused() -> None:
    with pytest.raises(RuntimeError, match="as_strided_scatter requires special handling"):
        torch.vmap(lambda t: torch.as_strided_scatter(t, t[0], (4,), (1,)))(torch.rand(2, 3, 4))


def test_what_follows_the_values_is_computed_example_by_example() -> None:
    F = torch.nn.functional
    torch.manual_seed(0)
    grids, image = torch.rand(3, 1, 2, 2, 2) * 2 - 1, torch.rand(1, 2, 4, 4)
    bags, weight = torch.tensor([[[0, 1]], [[2, 2]], [[1, 3]]]), torch.rand(4, 3)
    pooled, at = F.max_pool1d(torch.rand(3, 1, 8), 2, return_indices=True)
    scores = torch.rand(3, 5, 1, 4).log_softmax(-1)
    words, lengths = torch.tensor([[[1, 2]], [[2, 3]], [[3, 3]]]), torch.tensor([[2], [1], [2]])
    classes = torch.tensor([[1, 0, -1, 2], [0, -1, 1, 1], [3, 2, 1, 0]])
    index = torch.tensor([[0, 1], [2, 2], [1, 0]])

    def both(f, dims, *args):
        found = torch.vmap(f, dims)(*args)
        each = [f(*(a if d is None else a[b] for a, d in zip(args, dims, strict=True))) for b in range(3)]
        assert torch.allclose(found, torch.stack(each))

    both(lambda x, g: F.grid_sample(x, g, align_corners=False), (None, 0), image, grids)
    both(F.embedding_bag, (0, None), bags, weight)
    both(lambda x, i: F.max_unpool1d(x, i, 2), (0, 0), pooled, at)
    both(lambda s, w, n: F.ctc_loss(s, w, torch.tensor([5]), n), (0, 0, 0), scores, words, lengths)
    both(F.multilabel_margin_loss, (0, 0), torch.rand(3, 4), classes)
    both(lambda x, i, s: torch.index_reduce(x, 0, i, s, "mean"), (0, 0, 0), torch.rand(3, 3), index, torch.rand(3, 2))


def test_derivatives_of_what_is_computed_example_by_example() -> None:
    F = torch.nn.functional
    bags, weight = torch.tensor([[[0, 1]], [[2, 2]]]), torch.rand(4, 3, dtype=torch.float64)

    def loss(weight: torch.Tensor, bag: torch.Tensor) -> torch.Tensor:
        return (F.embedding_bag(bag, weight) ** 2).sum()

    # each example has a gradient of its own for what they share
    found = torch.vmap(torch.func.grad(loss), (None, 0))(weight, bags)
    assert torch.allclose(found, torch.stack([torch.func.grad(loss)(weight, bag) for bag in bags]))
    shared = weight.clone().requires_grad_()
    torch.vmap(loss, (None, 0))(shared, bags).sum().backward()
    assert torch.allclose(shared.grad, found.sum(0))

    image, grids = torch.rand(1, 1, 3, 3, dtype=torch.float64), torch.rand(2, 1, 1, 2, 2, dtype=torch.float64) - 0.5

    def sampled(image: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
        return F.grid_sample(image, grid, align_corners=False)

    for transform in (torch.func.jacfwd, torch.func.jacrev):
        jacobian = transform(sampled, argnums=(0, 1))
        found = torch.vmap(jacobian, (None, 0))(image, grids)
        for part, parts in zip(found, zip(*(jacobian(image, g) for g in grids), strict=True), strict=True):
            assert torch.allclose(part, torch.stack(parts))


def test_the_base_of_a_slice_of_one_example_is_not_known() -> None:
    inverse = torch.ops.aten.slice_inverse
    with pytest.raises(RuntimeError, match="Batching rule not implemented for aten::slice_inverse"):
        torch.vmap(lambda part, whole: inverse(part, whole, 0, 1, 3))(torch.rand(2, 2), torch.rand(2, 4))
