"""Products of vectors and matrices: numbers against NumPy, and PyTorch's words for what does not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import wengert as torch

RNG = np.random.default_rng(3)


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [(2, 3), (3, 4)]),
        ("bij,bjk", [(2, 3, 4), (2, 4, 5)]),
        ("ii->i", [(3, 3)]),
        ("ii", [(3, 3)]),
        ("ij->ji", [(2, 3)]),
        ("i,j,k->kij", [(2,), (3,), (4,)]),
        ("...ij,...jk->...ik", [(5, 1, 2, 3), (4, 3, 2)]),
        ("iij,j->ij", [(3, 3, 2), (2,)]),
        ("ij,ij->", [(2, 3), (2, 3)]),
        ("ijk,jil,kl->il", [(2, 3, 4), (3, 2, 5), (4, 5)]),
        ("a...b->b...", [(2, 3, 4)]),
    ],
)
def test_einsum_is_numpys(equation: str, shapes: list[Any]) -> None:
    arrays = [RNG.standard_normal(s) for s in shapes]
    got = torch.einsum(equation, *[torch.tensor(a) for a in arrays])
    np.testing.assert_allclose(got.numpy(), np.einsum(equation, *arrays), rtol=1e-12, atol=1e-12)


def test_einsum_in_lists_of_numbers_means_the_same() -> None:
    a, b = torch.tensor(RNG.standard_normal((2, 3))), torch.tensor(RNG.standard_normal((3, 4)))
    assert torch.equal(torch.einsum(a, [0, 1], b, [1, 2], [2, 0]), torch.einsum("ij,jk->ki", a, b))


@pytest.mark.parametrize(
    ("equation", "shapes", "message"),
    [
        ("ij,jk->ik", [(2, 3)], "fewer operands were provided than specified"),
        ("ij", [(2, 3), (2,)], "more operands were provided than specified"),
        ("ij,jk->il", [(2, 3), (3, 4)], "output subscript l does not appear in the equation for any input operand"),
        ("ij->ii", [(2, 3)], "output subscript i appears more than once in the output"),
        ("ij,jk", [(2, 3), (4, 4)], "subscript j has size 4 for operand 1 which does not broadcast"),
        ("i1", [(2, 3)], "invalid subscript given at index 1"),
        ("i.j", [(2, 3)], "not part of any ellipsis"),
        ("ijk", [(2, 3)], r"the number of subscripts in the equation \(3\) is more than the number of dimensions"),
        ("ii", [(2, 3)], "subscript i is repeated for operand 0 but the sizes don't match, 3 != 2"),
    ],
)
def test_einsum_says_what_is_wrong(equation: str, shapes: list[Any], message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        torch.einsum(equation, *[torch.ones(*s) for s in shapes])


def test_tensordot_repeats_a_size_of_one() -> None:
    a, b = RNG.standard_normal((1, 4)), RNG.standard_normal((3, 5))
    got = torch.tensordot(torch.tensor(a), torch.tensor(b), ([0], [0]))
    np.testing.assert_allclose(got.numpy(), np.multiply.outer(a[0], b.sum(0)))


def test_products_of_nothing_have_gradients_of_zero() -> None:
    a, b = torch.ones(5, 5, 0, requires_grad=True), torch.ones(0, 5, requires_grad=True)
    (a @ b).sum().backward()
    assert a.grad.shape == (5, 5, 0)
    assert b.grad.shape == (0, 5)


def test_multi_dot_multiplies_least() -> None:
    arrays = [RNG.standard_normal(s) for s in ((2, 30), (30, 1), (1, 20), (20,))]
    got = torch.linalg.multi_dot([torch.tensor(a) for a in arrays])
    np.testing.assert_allclose(got.numpy(), np.linalg.multi_dot(arrays), rtol=1e-12)
    with pytest.raises(RuntimeError, match=r"multi_dot\(\): tensor 1 must be 2D but got 1D"):
        torch.linalg.multi_dot([torch.ones(2, 2), torch.ones(2), torch.ones(2, 2)])


def test_kron_and_cov_are_numpys() -> None:
    a, b = RNG.standard_normal((2, 3)), RNG.standard_normal((2, 1, 2))
    np.testing.assert_allclose(torch.kron(torch.tensor(a), torch.tensor(b)).numpy(), np.kron(a, b))
    x, f, w = RNG.standard_normal((3, 6)), RNG.integers(1, 4, 6), RNG.uniform(0.2, 1, 6)
    got = torch.cov(torch.tensor(x), correction=1, fweights=torch.tensor(f), aweights=torch.tensor(w))
    np.testing.assert_allclose(got.numpy(), np.cov(x, ddof=1, fweights=f, aweights=w))
    np.testing.assert_allclose(torch.corrcoef(torch.tensor(x)).numpy(), np.corrcoef(x))


def test_cross_wants_three() -> None:
    with pytest.raises(RuntimeError, match="inputs dimension -1 must have length 3"):
        torch.linalg.cross(torch.ones(5, 2), torch.ones(5, 2))
    assert torch.cross(torch.eye(3)[0], torch.eye(3)[1], dim=0).tolist() == [0, 0, 1]


@pytest.mark.parametrize("name", ["alpha", "beta"])
def test_integers_are_not_scaled_by_fractions(name: str) -> None:
    i, v = torch.ones(2, 2, dtype=torch.int64), torch.ones(2, dtype=torch.int64)
    message = f"For integral input tensors, argument {name} must not be a floating point number."
    with pytest.raises(RuntimeError, match=message):
        torch.addmm(i, i, i, **{name: 0.5})
    with pytest.raises(RuntimeError, match=message):
        torch.addmv(v, i, v, **{name: 0.5})
    assert torch.addmm(i, i, i, **{name: 2}).dtype is torch.int64
