"""`nn.utils`: gradients kept within bounds, parameters as one vector."""

from __future__ import annotations

import numpy as np
import pytest

import wengert as torch

utils = torch.nn.utils


def with_gradients(*gradients: list[float]) -> list[torch.Tensor]:
    params = []
    for g in gradients:
        p = torch.nn.Parameter(torch.zeros(len(g)))
        p.grad = torch.tensor(g)
        params.append(p)
    return params


def test_a_large_norm_is_scaled_down_and_a_small_one_is_left() -> None:
    params = with_gradients([3.0, 0.0], [0.0, 4.0])
    versions = [p.grad._version for p in params]
    total = utils.clip_grad_norm_(params, 1.0)
    assert total.item() == pytest.approx(5.0)
    np.testing.assert_allclose([p.grad.tolist() for p in params], [[0.6, 0.0], [0.0, 0.8]], rtol=1e-6)
    assert [p.grad._version for p in params] == [v + 1 for v in versions]
    assert utils.clip_grad_norm_(iter(params), 10.0).item() == pytest.approx(1.0)
    np.testing.assert_allclose(params[0].grad.tolist(), [0.6, 0.0], rtol=1e-6)


@pytest.mark.parametrize(("norm", "expected"), [(1.0, 7.0), (float("inf"), 4.0), (3.0, 91 ** (1 / 3))])
def test_other_norms(norm: float, expected: float) -> None:
    assert utils.get_total_norm([torch.tensor([3.0]), torch.tensor([4.0])], norm).item() == pytest.approx(expected)


def test_a_norm_that_is_not_finite() -> None:
    (p,) = with_gradients([float("nan"), 1.0])
    with pytest.raises(RuntimeError, match="The total norm of order 2.0 for gradients from `parameters` is non-finite"):
        utils.clip_grad_norm_(p, 1.0, error_if_nonfinite=True)
    assert p.grad.tolist()[1] == 1.0  # nothing was changed
    utils.clip_grad_norm_(p, 1.0)
    assert torch.isnan(p.grad).all()


def test_no_gradients_no_norm() -> None:
    p = torch.nn.Parameter(torch.zeros(2))
    assert utils.clip_grad_norm_([p], 1.0).item() == 0.0
    with pytest.warns(UserWarning, match="`parameters` is an empty generator, no gradient clipping will occur."):
        utils.clip_grad_norm_((q for q in []), 1.0)
    with pytest.warns(FutureWarning, match="is now deprecated in favor of"):
        utils.clip_grad_norm([p], 1.0)


def test_values_are_cut() -> None:
    (p,) = with_gradients([3.0, -2.0, 0.5])
    utils.clip_grad_value_(p, 1)
    assert p.grad.tolist() == [1.0, -1.0, 0.5]


def test_a_vector_of_all_parameters_and_back() -> None:
    model = torch.nn.Linear(2, 3)
    vector = utils.parameters_to_vector(model.parameters())
    assert vector.shape == (9,)
    assert vector.requires_grad
    utils.vector_to_parameters(torch.arange(9.0), model.parameters())
    assert model.weight.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert model.bias.tolist() == [6, 7, 8]
    with pytest.raises(TypeError, match="expected torch.Tensor, but got: builtins.list"):
        utils.vector_to_parameters([1.0], model.parameters())
