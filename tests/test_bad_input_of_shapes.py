"""Inputs of shape operations that NumPy takes in another way than PyTorch: results and errors are PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest

import wengert as torch


@pytest.mark.parametrize(("n", "m"), [(3, 2), (3, 3), (1, 4)])
def test_meshgrid_xy_has_the_second_vector_along_the_rows(n: int, m: int) -> None:
    a, b = np.arange(float(n)), np.arange(float(m)) + 10
    for got, want in zip(
        torch.meshgrid(torch.tensor(a), torch.tensor(b), indexing="xy"), np.meshgrid(a, b), strict=True
    ):
        np.testing.assert_array_equal(got.numpy(), want)


def test_meshgrid_xy_of_a_vector_and_a_number() -> None:
    grids = torch.meshgrid(torch.arange(3.0), torch.tensor(2.0), indexing="xy")
    assert [tuple(g.shape) for g in grids] == [(1, 3), (1, 3)]


def test_take_along_dim_counts_negative_indices_from_the_end() -> None:
    x = torch.arange(6.0).reshape(2, 3).requires_grad_()
    y = torch.take_along_dim(x, torch.tensor([[-1], [-3]]), 1)
    assert y.tolist() == [[2.0], [3.0]]
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    with pytest.raises(RuntimeError, match="out of bounds for dimension 1 with size 3"):
        torch.take_along_dim(x, torch.tensor([[-4], [0]]), 1)


def test_roll_of_a_number_has_no_dimensions() -> None:
    with pytest.raises(IndexError, match="Dimension specified as 0 but tensor has no dimensions"):
        torch.roll(torch.tensor(1.0), 0, 0)


def test_arange_of_integers_refuses_a_step_that_is_cut_to_zero() -> None:
    with pytest.raises(ValueError, match="step must be nonzero"):
        torch.arange(0, 64, 0.5, dtype=torch.int64)


def test_fractional_max_pooling_of_an_empty_batch_has_an_empty_gradient() -> None:
    x = torch.zeros(0, 1, 4, 5, 4, requires_grad=True)
    torch.nn.functional.fractional_max_pool3d(x, (2, 2, 1), output_size=(2, 3, 2)).sum().backward()
    assert x.grad is not None
    assert x.grad.shape == x.shape
