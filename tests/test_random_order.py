"""Draws into tensors that are not contiguous come in the order of the places in memory, and normals in pairs, as in PyTorch.

The golden numbers were printed by PyTorch 2.13.0 after `torch.manual_seed(5)`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import wengert as torch


def seeded() -> None:
    torch.manual_seed(5)


def test_sixteen_normals_of_a_strided_tensor_come_in_pairs() -> None:
    seeded()
    x = torch.zeros(36)[::2].normal_()
    assert np.allclose(x[:3].tolist(), [-0.4868, -0.6038, -0.5581], atol=1e-4)
    assert torch.rand(1).item() == 0.9697042107582092  # as many words were used
    seeded()
    x = torch.zeros(5, 4).t().normal_()
    assert np.allclose(x[:, 0].tolist(), [-0.4868, -0.6038, -0.5581, 0.6675], atol=1e-4)
    assert torch.rand(1).item() == 0.5818747282028198


@pytest.mark.parametrize(
    ("draw", "golden"),
    [
        (lambda x: x.random_(0, 100), [[11.0, 85.0], [14.0, 6.0], [67.0, 70.0]]),
        (lambda x: x.exponential_(), [[1.0273, 0.3785], [0.3008, 0.3094], [0.4476, 1.9067]]),
        (lambda x: x.bernoulli_(torch.tensor([[0.1, 0.9]]).expand(3, 2)), [[0.0, 1.0], [0.0, 0.0], [0.0, 1.0]]),
    ],
)
def test_a_transposed_tensor_is_filled_as_it_lies(draw: Any, golden: list[list[float]]) -> None:
    seeded()
    assert np.allclose(draw(torch.zeros(2, 3).t()).tolist(), golden, atol=1e-4)


def test_the_layout_decides_for_randn_like_and_trunc_normal() -> None:
    golden = [-0.4868, -0.1974, 0.6312, 0.2225, -0.5829]
    seeded()
    x = torch.randn_like(torch.zeros(5, 4).t())
    assert not x.is_contiguous()
    assert np.allclose(x[0].tolist(), golden, atol=1e-4)
    seeded()
    x = torch.nn.init.trunc_normal_(torch.zeros(5, 4).t(), 0, 1, -1, 1)
    assert np.allclose(x[0].tolist(), golden, atol=1e-4)
    assert bool((x.abs() <= 1).all())


def test_dropout_of_short_floats_divides_in_single_precision() -> None:
    kept = torch.nn.functional.dropout(torch.ones(64, dtype=torch.float16), 0.3)
    assert set(kept.tolist()) == {0.0, 1.4287109375}
