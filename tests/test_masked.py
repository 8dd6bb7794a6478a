"""Reductions under a mask, against NumPy's; and rules whose operands were promoted."""

from __future__ import annotations

import numpy as np
import pytest

import wengert as torch

A = np.array([[4.0, 1.0, 3.0], [2.0, 6.0, 5.0]])
M = np.array([[True, False, True], [False, False, True]])


@pytest.mark.parametrize("name", ["sum", "prod", "mean", "amax", "amin", "var", "std"])
def test_reductions_see_what_the_mask_leaves_in(name: str) -> None:
    x = torch.tensor(A, requires_grad=True)
    found = getattr(torch.masked, name)(x, 1, mask=torch.tensor(M), **({"correction": 0} if name in "var std" else {}))
    function = getattr(np, name)
    assert found.tolist() == pytest.approx([function(a[m]) for a, m in zip(A, M, strict=True)])
    found[0].backward()
    assert x.grad is not None
    assert (x.grad.numpy()[~M] == 0).all()


def test_softmax_gives_nothing_to_what_is_left_out() -> None:
    found = torch.masked.softmax(torch.tensor(A), 1, mask=torch.tensor(M)).numpy()
    e = np.exp(A) * M
    np.testing.assert_allclose(found, e / e.sum(1, keepdims=True))
    assert torch.masked.cumsum(torch.tensor(A), 1, mask=torch.tensor(M)).tolist() == [[4.0, 4.0, 7.0], [0.0, 0.0, 5.0]]


def test_median_and_empty_rows() -> None:
    x, nothing = torch.tensor(A), torch.zeros(2, 3, dtype=torch.bool)
    assert torch.masked.median(x, 1, mask=torch.tensor(M)).tolist() == [3.0, 5.0]
    assert torch.isnan(torch.masked.median(x, 1, mask=nothing)).all()
    assert torch.isnan(torch.masked.mean(x, 1, mask=nothing)).all()
    assert torch.masked.sum(x, mask=nothing).item() == 0.0
    with pytest.raises(ValueError, match="masked median expects no fully masked out rows"):
        torch.masked.median(x.long(), 1, mask=nothing)


def test_masks_and_dtypes_that_do_not_fit() -> None:
    with pytest.raises(IndexError, match="expected broadcastable mask"):
        torch.masked.sum(torch.ones(3), mask=torch.ones(2, 3, dtype=torch.bool))
    with pytest.raises(ValueError, match="Could not infer output dtype. Input dtype must be either a floating point"):
        torch.masked.mean(torch.ones(3).long())


def test_rules_compute_in_the_dtype_that_the_forward_computed_in() -> None:
    """An integer divisor: 1 / other would be float32 in a recorded rule and in forward mode."""
    x = torch.tensor([1.0, 2.0, 5.0], dtype=torch.float64, requires_grad=True)
    n = np.array([3, 7, 11])
    (g,) = torch.autograd.grad((x / torch.tensor(n)).sum(), x, create_graph=True)
    assert (g.detach().numpy() == 1 / n).all()
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x.detach(), torch.ones(3, dtype=torch.float64))
        pushed = torch.autograd.forward_ad.unpack_dual(dual / torch.tensor(n)).tangent
    assert (pushed.numpy() == 1 / n).all()
