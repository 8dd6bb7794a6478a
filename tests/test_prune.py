"""`nn.utils.prune`. Masks are computed by hand."""

from __future__ import annotations

from typing import Any

import pytest

import wengert as torch
from wengert import nn
from wengert.nn.utils import prune


def layer() -> Any:
    m = nn.Linear(3, 2)
    with torch.no_grad():
        m.weight.copy_(torch.tensor([[1.0, -2.0, 3.0], [-0.5, 4.0, 0.25]]))
    return m


def test_the_smallest_go_first_and_stay_away() -> None:
    m = layer()
    weight = m.weight
    assert prune.l1_unstructured(m, "weight", 2) is m
    assert m.weight_mask.tolist() == [[1, 1, 1], [0, 1, 0]]
    assert m.weight_orig is weight
    assert m.weight.tolist() == [[1, -2, 3], [0, 4, 0]]
    assert list(m.state_dict()) == ["bias", "weight_orig", "weight_mask"]
    assert prune.is_pruned(nn.Sequential(m))
    prune.ln_structured(m, "weight", 1, n=1, dim=1)
    assert m.weight_mask.tolist() == [[0, 1, 1], [0, 1, 0]]
    m(torch.ones(1, 3)).sum().backward()
    assert weight.grad.tolist() == [[0, 1, 1], [0, 1, 0]]
    with torch.no_grad():
        weight.add_(1)
    m(torch.ones(1, 3))
    assert m.weight.tolist() == [[0, -1, 4], [0, 5, 0]]
    prune.remove(m, "weight")
    assert not prune.is_pruned(m)
    assert m.weight is weight
    assert m.weight.tolist() == [[0, -1, 4], [0, 5, 0]]
    assert list(m.state_dict()) == ["bias", "weight"]


def test_all_parameters_together() -> None:
    a, b = layer(), layer()
    with torch.no_grad():
        b.weight.mul_(10)
    prune.global_unstructured([(a, "weight"), (b, "weight")], prune.L1Unstructured, amount=0.5)
    assert a.weight_mask.sum() == 1  # 4
    assert b.weight_mask.tolist() == [[1, 1, 1], [1, 1, 0]]
    prune.custom_from_mask(b, "weight", torch.tensor([[0, 1, 1], [1, 1, 1]]))
    assert b.weight_mask.tolist() == [[0, 1, 1], [1, 1, 0]]


def test_at_random() -> None:
    torch.manual_seed(0)
    m = layer()
    prune.random_unstructured(m, "weight", 0.5)
    assert m.weight_mask.sum() == 3
    prune.random_unstructured(m, "weight", 2)
    assert m.weight_mask.sum() == 1
    m = layer()
    prune.random_structured(m, "weight", 1, dim=0)
    assert sorted(m.weight_mask.sum(1).tolist()) == [0, 3]


def test_importance_scores() -> None:
    m = layer()
    prune.l1_unstructured(m, "weight", 1, importance_scores=torch.tensor([[9.0, 9, 9], [9, 0, 9]]))
    assert m.weight_mask.tolist() == [[1, 1, 1], [1, 0, 1]]
    t = torch.tensor([1.0, 2.0])
    assert prune.L1Unstructured(1).prune(t).tolist() == [0, 2]


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (
            lambda m: prune.l1_unstructured(m, "weight", 1.5),
            ValueError,
            "amount=1.5 should either be a float in the range",
        ),
        (lambda m: prune.l1_unstructured(m, "weight", -1), ValueError, "or a non-negative integer"),
        (
            lambda m: prune.l1_unstructured(m, "weight", "x"),
            TypeError,
            "Invalid type for amount: x. Must be int or float.",
        ),
        (
            lambda m: prune.l1_unstructured(m, "weight", 7),
            ValueError,
            "amount=7 should be smaller than the number of .*=6",
        ),
        (lambda m: prune.ln_structured(m, "bias", 1, 2, 0), ValueError, "only be applied to multidimensional tensors"),
        (lambda m: prune.ln_structured(m, "weight", 1, 2, 2), IndexError, "Invalid index 2 for tensor of size"),
        (lambda m: prune.remove(m, "weight"), ValueError, "Parameter 'weight' of module .* has to be pruned before"),
        (
            lambda m: prune.global_unstructured([(m, "weight")], prune.LnStructured, amount=1, n=2),
            TypeError,
            'Only "unstructured" PRUNING_TYPE supported',
        ),
    ],
)
def test_refused(wrong: Any, error: type[Exception], message: str) -> None:
    m = layer()
    with pytest.raises(error, match=message):
        wrong(m)
    assert set(m.state_dict()) == {"weight", "bias"}  # as it was
