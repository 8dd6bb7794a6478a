"""Eigenvalues, singular values, determinants and norms: identities that hold of them, kinks, and degenerate matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import wengert as torch
from wengert.autograd import gradcheck

RNG = np.random.default_rng(5)


def t(a: Any, grad: bool = False) -> torch.Tensor:
    return torch.tensor(np.asarray(a), requires_grad=grad)


def test_eig_is_differentiable_where_the_phase_does_not_matter() -> None:
    a = t(RNG.standard_normal((3, 3)), True)

    def projectors(x: torch.Tensor) -> Any:
        values, vectors = torch.linalg.eig(x)
        return values, vectors[:, :1] @ torch.linalg.inv(vectors)[:1]

    assert gradcheck(projectors, (a,))
    _, vectors = torch.linalg.eig(a)
    with pytest.raises(RuntimeError, match=r"specified up to multiplication by e\^\{i phi\}"):
        vectors.real.sum().backward()


def test_complex_singular_vectors_likewise() -> None:
    a = t(RNG.standard_normal((4, 3)) + 1j * RNG.standard_normal((4, 3)), True)

    def polar(x: torch.Tensor) -> Any:
        U, S, Vh = torch.linalg.svd(x, full_matrices=False)
        return U @ Vh, S, U[:, :1] @ U[:, :1].mH

    assert gradcheck(polar, (a,))
    with pytest.raises(RuntimeError, match="svd_backward: The singular vectors in the complex case"):
        torch.linalg.svd(a)[0].imag.sum().backward()


def test_eigenvalues_of_equal_ones_have_a_gradient() -> None:
    """Eigenvectors do not, but the trace does not ask for them."""
    a = torch.eye(3, dtype=torch.float64, requires_grad=True)
    torch.linalg.eigvalsh(a).sum().backward()
    np.testing.assert_allclose(a.grad.numpy(), np.eye(3))


def test_a_singular_matrix_has_an_adjugate() -> None:
    """The determinant's gradient is the transposed adjugate, inverse or not."""
    a = t([[1.0, 2.0], [2.0, 4.0]], True)
    torch.linalg.det(a).backward()
    np.testing.assert_allclose(a.grad.numpy(), [[4, -2], [-2, 1]], atol=1e-12)
    zero = torch.zeros(3, 3, requires_grad=True)
    zero.det().backward()
    assert zero.grad.tolist() == np.zeros((3, 3)).tolist()


def test_slogdet_and_logdet() -> None:
    a = RNG.standard_normal((2, 4, 4))
    sign, logabs = torch.linalg.slogdet(t(a))
    np.testing.assert_allclose((sign * logabs.exp()).numpy(), np.linalg.det(a))
    assert torch.logdet(torch.zeros(2, 2)).item() == -float("inf")
    assert torch.logdet(t([[0.0, 1], [1, 0]])).isnan()


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
@pytest.mark.parametrize("complex", [False, True])
def test_matrix_exp(scale: float, complex: bool) -> None:
    a = RNG.standard_normal((2, 3, 3)) * scale
    if complex:
        a = a * 1j
    values, vectors = np.linalg.eig(a)
    expected = (vectors * np.exp(values)[:, None, :]) @ np.linalg.inv(vectors)
    np.testing.assert_allclose(
        torch.matrix_exp(t(a)).numpy(), expected if complex else expected.real, rtol=1e-8, atol=1e-8
    )


@pytest.mark.parametrize("ord", [2, 1, 3, 0.5, 1.5, float("inf"), -float("inf"), -1, 0])
def test_the_gradient_of_a_norm_at_zero_is_zero(ord: float) -> None:
    x = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    torch.linalg.vector_norm(x, ord).backward()
    assert x.grad.tolist() == [0, 0, 0]
    part = t([0.0, 2.0, -1.0], True)
    torch.linalg.vector_norm(part, ord).backward()
    assert part.grad.isfinite().all()


@pytest.mark.parametrize("ord", ["fro", "nuc", 1, -1, 2, -2, float("inf"), -float("inf")])
def test_matrix_norms_are_numpys(ord: Any) -> None:
    a = RNG.standard_normal((4, 3, 2))
    got = torch.linalg.matrix_norm(t(a), ord, dim=(0, 2))
    np.testing.assert_allclose(got.numpy(), np.linalg.norm(a, ord, axis=(0, 2)))
    assert torch.linalg.matrix_norm(t(a), ord, dim=(2, 0), keepdim=True).shape == (1, 3, 1)


def test_ties_of_the_largest_norm_share() -> None:
    x = t([1.0, -3.0, 3.0], True)
    torch.linalg.vector_norm(x, float("inf")).backward()
    assert x.grad.tolist() == [0, -0.5, 0.5]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: torch.linalg.matrix_norm(torch.ones(3, 3), ord=3), "linalg.matrix_norm: Order 3 not supported."),
        (lambda: torch.linalg.matrix_norm(torch.ones(3, 3), dim=(0, 0)), r"dims must be different. Got \(0, 0\)"),
        (lambda: torch.linalg.norm(torch.ones(3, 3, 3), ord=2), "the input must be 1D or 2D. Got 3D."),
        (lambda: torch.norm(torch.ones(2, 3), p="nuc", dim=0), "dim must be a 2-tuple. Got 0"),
        (
            lambda: torch.linalg.cond(torch.ones(3, 2), p=1),
            r"linalg.cond\(ord=1\): A must be batches of square matrices",
        ),
        (lambda: torch.linalg.cond(torch.ones(3, 3), p=5), "linalg.cond got an invalid norm type: 5"),
        (lambda: torch.linalg.eigh(torch.ones(2, 2), UPLO="X"), "Expected UPLO argument to be 'L' or 'U', but got X"),
        (lambda: torch.linalg.eig(torch.full((2, 2), float("nan"))), "input tensor should not contain infs or NaNs."),
        (
            lambda: torch.cdist(torch.ones(3, 2), torch.ones(3, 3)),
            "X1 and X2 must have the same number of columns. X1: 2 X2: 3",
        ),
        (lambda: torch.renorm(torch.ones(2, 2), -1, 0, 1), "renorm: non-positive-norm not supported"),
    ],
)
def test_bad_arguments(call: Any, message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        call()


def test_the_condition_of_a_singular_matrix_is_infinite() -> None:
    assert torch.linalg.cond(torch.zeros(3, 3), p=1).item() == float("inf")


def test_distances() -> None:
    a, b = RNG.standard_normal((30, 4)), RNG.standard_normal((5, 4))
    expected = np.linalg.norm(a[:, None] - b, axis=-1)
    np.testing.assert_allclose(torch.cdist(t(a), t(b)).numpy(), expected, rtol=1e-9)
    same = t(b, True)
    torch.cdist(same, same.detach()).sum().backward()
    assert same.grad.isfinite().all()


def test_low_rank() -> None:
    a = RNG.standard_normal((12, 3)) @ RNG.standard_normal((3, 9))
    U, S, V = torch.svd_lowrank(t(a), q=4)
    np.testing.assert_allclose((U @ torch.diag(S) @ V.mT).numpy(), a, atol=1e-10)
    assert torch.linalg.matrix_rank(t(a)).item() == 3
    np.testing.assert_allclose(torch.linalg.pinv(t(a)).numpy(), np.linalg.pinv(a), atol=1e-10)


def test_the_second_derivative_of_a_norm_at_zero_is_zero() -> None:
    x = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    (g,) = torch.autograd.grad(torch.linalg.vector_norm(x), x, create_graph=True)
    (h,) = torch.autograd.grad(g.sum(), x)
    assert h.tolist() == [0, 0, 0]


def test_a_few_eigenvalues() -> None:
    a = RNG.standard_normal((2, 6, 6))
    a = a @ a.swapaxes(-1, -2)
    values = np.linalg.eigvalsh(a)
    E, X = torch.lobpcg(t(a), k=2)
    np.testing.assert_allclose(E.numpy(), values[:, :-3:-1])
    np.testing.assert_allclose((t(a) @ X).numpy(), (X * E[:, None]).numpy(), atol=1e-10)
    E, X = torch.lobpcg(t(a), X=torch.ones(2, 6, 2, dtype=torch.float64), largest=False)
    np.testing.assert_allclose(E.numpy(), values[:, :2])
    assert X.shape == (2, 6, 2)

    b = RNG.standard_normal((2, 6, 6))
    b = b @ b.swapaxes(-1, -2) + 6 * np.eye(6)
    E, X = torch.lobpcg(t(a), 2, t(b))
    np.testing.assert_allclose((t(a) @ X).numpy(), (t(b) @ X * E[:, None]).numpy(), atol=1e-10)
    np.testing.assert_allclose((X.mT @ t(b) @ X).numpy(), np.broadcast_to(np.eye(2), (2, 2, 2)), atol=1e-10)

    first, second = t(a[0], True), t(b[0], True)
    assert gradcheck(lambda x, y: (torch.lobpcg(x, 2, y)[0], torch.lobpcg(x, 2, y)[1].square()), (first, second))
    torch.lobpcg(first, 1)[0].backward(torch.ones(1, dtype=torch.float64))
    assert first.grad.allclose(first.grad.mT)


def test_what_lobpcg_does_not_take() -> None:
    a = torch.eye(5, dtype=torch.float64)
    message = r"the number of A rows \(=5\) is smaller than 3 x the number of requested eigenpairs \(=2\)"
    with pytest.raises(ValueError, match=message):
        torch.lobpcg(a, 2)
    with pytest.raises(AssertionError, match="A must be square, got shape"):
        torch.lobpcg(a[:4], 1)
    with pytest.raises(AssertionError, match="A and B must have same shape"):
        torch.lobpcg(a, 1, torch.eye(4, dtype=torch.float64))
    with pytest.raises(NotImplementedError, match="no iterations for a tracker"):
        torch.lobpcg(a, 1, tracker=print)
