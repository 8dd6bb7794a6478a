"""Linear algebra: factorisations and solutions against NumPy, degenerate cases, and PyTorch's words for what cannot be done."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import wengert as torch
from wengert import func

RNG = np.random.default_rng(11)


def t(a: Any) -> torch.Tensor:
    return torch.tensor(np.asarray(a))


@pytest.mark.parametrize("shape", [(5, 5), (3, 70, 70), (4, 2), (2, 3, 6), (0, 0)])
@pytest.mark.parametrize("complex", [False, True])
def test_lu_multiplies_back(shape: tuple[int, ...], complex: bool) -> None:
    a = RNG.standard_normal(shape) + (1j * RNG.standard_normal(shape) if complex else 0)
    P, L, U = torch.linalg.lu(t(a))
    np.testing.assert_allclose((P @ L @ U).numpy(), a, atol=1e-12)
    assert np.abs(L.numpy()).max(initial=0) <= 1 + (0.5 if complex else 1e-12)


def test_lu_solve_uses_the_factors() -> None:
    a, b = RNG.standard_normal((2, 40, 40)), RNG.standard_normal((2, 40, 3))
    LU, pivots = torch.linalg.lu_factor(t(a))
    assert pivots.dtype is torch.int32
    np.testing.assert_allclose(torch.linalg.lu_solve(LU, pivots, t(b)).numpy(), np.linalg.solve(a, b), atol=1e-9)
    got = torch.linalg.lu_solve(LU, pivots, t(b), adjoint=True).numpy()
    np.testing.assert_allclose(got, np.linalg.solve(a.swapaxes(1, 2), b), atol=1e-9)


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("n", [1, 63, 64, 130])
def test_triangular_systems(n: int, upper: bool) -> None:
    a = RNG.standard_normal((n, n)) + n * np.eye(n)
    b = RNG.standard_normal((n, 2))
    x = torch.linalg.solve_triangular(t(a), t(b), upper=upper).numpy()
    np.testing.assert_allclose((np.triu(a) if upper else np.tril(a)) @ x, b, atol=1e-10)
    y = torch.linalg.solve_triangular(t(a), t(b.T), upper=upper, left=False).numpy()
    np.testing.assert_allclose(y @ (np.triu(a) if upper else np.tril(a)), b.T, atol=1e-10)


def test_a_zero_on_the_diagonal_divides() -> None:
    a = t([[2.0, 1.0], [0.0, 0.0]])
    x = torch.linalg.solve_triangular(a, t([[1.0], [1.0]]), upper=True)
    assert x.tolist() == [[-float("inf")], [float("inf")]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: torch.linalg.inv(torch.zeros(3, 3)),
            "linalg.inv: The diagonal element 1 is zero, the inversion could not be completed because the input matrix is "
            "singular.",
        ),
        (
            lambda: torch.linalg.inv(torch.stack([torch.eye(2), torch.ones(2, 2)])),
            "linalg.inv: (Batch element 1): The diagonal element 2 is zero, the inversion could not be completed because "
            "the input matrix is singular.",
        ),
        (
            lambda: torch.linalg.solve(torch.zeros(3, 3), torch.zeros(3)),
            "torch.linalg.solve: The solver failed because the input matrix is singular.",
        ),
        (
            lambda: torch.linalg.cholesky(t([[1.0, 0, 0], [0, 1, 0], [0, 0, -1]])),
            "linalg.cholesky: The factorization could not be completed because the input is not positive-definite (the "
            "leading minor of order 3 is not positive-definite).",
        ),
        (
            lambda: torch.linalg.lstsq(torch.ones(3, 2), torch.ones(3, 1), driver="gels"),
            "torch.linalg.lstsq: The least squares solution could not be computed because the input matrix does not have "
            "full rank (error code: 2).",
        ),
    ],
)
def test_what_cannot_be_done(call: Any, message: str) -> None:
    with pytest.raises(torch.linalg.LinAlgError) as caught:
        call()
    assert str(caught.value) == message
    assert isinstance(caught.value, RuntimeError)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: torch.linalg.inv(torch.ones(3, 2)),
            "linalg.inv: A must be batches of square matrices, but they are 3 by 2",
        ),
        (lambda: torch.linalg.inv(torch.ones(3)), "linalg.inv: The input tensor A must have at least 2 dimensions."),
        (
            lambda: torch.linalg.inv(torch.ones(3, 3, dtype=torch.int64)),
            "linalg.inv: Expected a floating point or complex tensor as input. Got Long",
        ),
        (
            lambda: torch.linalg.inv(torch.ones(3, 3, dtype=torch.float16)),
            "linalg.inv: Low precision dtypes not supported. Got Half",
        ),
        (
            lambda: torch.linalg.lu_factor(torch.zeros(3, 3)),
            "torch.linalg.lu_factor: U[1,1] is zero and using it on lu_solve",
        ),
        (
            lambda: torch.linalg.solve(torch.eye(3), torch.ones(2, 1)),
            "linalg.solve: Incompatible shapes of A and B for the equation AX = B (3x3 and 2x1)",
        ),
        (
            lambda: torch.linalg.qr(torch.ones(3, 2, requires_grad=True), mode="complete")[1].sum().backward(),
            "The QR decomposition is not differentiable when mode='complete' and nrows > ncols.",
        ),
    ],
)
def test_bad_matrices(call: Any, message: str) -> None:
    with pytest.raises(RuntimeError) as caught:
        call()
    assert str(caught.value).startswith(message)


def test_info_instead_of_an_error() -> None:
    a = t(np.stack([np.eye(2), np.ones((2, 2))]))
    inverse, info = torch.linalg.inv_ex(a)
    assert info.tolist() == [0, 2]
    assert torch.equal(inverse[0], torch.eye(2, dtype=torch.float64))
    assert torch.linalg.cholesky_ex(t([[1.0, 0], [0, -1]])).info.item() == 2
    assert torch.linalg.solve_ex(t(np.zeros((2, 2))), t(np.ones((2, 1)))).info.item() == 1


def test_householder_product_gives_q() -> None:
    a = RNG.standard_normal((2, 5, 3))
    packed, tau = torch.geqrf(t(a))
    q = torch.linalg.householder_product(packed, tau)
    np.testing.assert_allclose(q.numpy(), np.linalg.qr(a)[0], atol=1e-12)
    c = RNG.standard_normal((2, 5, 4))
    full = np.linalg.qr(a, "complete")[0]
    np.testing.assert_allclose(torch.ormqr(packed, tau, t(c), True, True).numpy(), full.swapaxes(1, 2) @ c, atol=1e-12)


def test_inverse_in_vmap_is_one_call() -> None:
    a = t(RNG.standard_normal((4, 3, 3)))
    got = func.vmap(func.grad(lambda x: torch.linalg.inv(x).sum()))(a)
    one = [func.grad(lambda x: torch.linalg.inv(x).sum())(x) for x in a]
    assert torch.allclose(got, torch.stack(one))


@pytest.mark.parametrize("hermitian", [False, True])
@pytest.mark.parametrize("complex", [False, True])
def test_indefinite_symmetric_systems(complex: bool, hermitian: bool) -> None:
    a = RNG.standard_normal((2, 9, 9)) + (1j * RNG.standard_normal((2, 9, 9)) if complex else 0)
    a = a + (a.conj() if hermitian else a).swapaxes(-1, -2)
    a[0, :3, :3] = 0  # asks for blocks of 2
    b = RNG.standard_normal((2, 9, 2)) + (1j if complex else 0)
    LD, pivots = torch.linalg.ldl_factor(t(a), hermitian=hermitian)
    assert (pivots[0] < 0).any()
    got = torch.linalg.ldl_solve(LD, pivots, t(b), hermitian=hermitian)
    np.testing.assert_allclose(got.numpy(), np.linalg.solve(a, b), atol=1e-9)


def test_ldl_pivots_are_lapacks() -> None:
    LD, pivots = torch.linalg.ldl_factor(t([[1.0, 2, 3], [2, 0, 5], [3, 5, 6]]))
    assert pivots.tolist() == [3, 2, 3]
    np.testing.assert_allclose(LD.numpy(), [[6, 0, 0], [5 / 6, -25 / 6, 0], [0.5, 0.12, -0.44]], atol=1e-12)


def test_factorisations_without_derivative_say_so() -> None:
    a = t(
        np.eye(3),
    ).requires_grad_()
    with pytest.raises(NotImplementedError, match="the derivative for 'geqrf' is not implemented"):
        torch.geqrf(a)[0].sum().backward()
    with pytest.raises(RuntimeError, match="derivative for aten::linalg_ldl_factor_ex is not implemented"):
        torch.linalg.ldl_factor(a)[0].sum().backward()


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.complex128])
def test_the_compiled_lu_is_the_same(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loops for Numba, run as Python, against the passes of NumPy."""
    from wengert.kernels import linalg as kernel

    a = (RNG.standard_normal((50, 40)) + (1j if kind is np.complex128 else 0)).astype(kind)
    a[:, 36] = 0
    plain = kernel.lu_factor(a)
    monkeypatch.setattr(kernel, "compiled", lambda loop, n: loop)
    looped = kernel.lu_factor(a)
    np.testing.assert_allclose(looped[0], plain[0], rtol=1e-3 if kind is np.float32 else 1e-10, atol=1e-5)
    np.testing.assert_array_equal(looped[1], plain[1])
    assert looped[2] == plain[2] == 37


@pytest.mark.parametrize("by_blas", [True, False])
@pytest.mark.parametrize("dtype", ["f4", "f8", "c8", "c16"])
def test_triangular_systems_however_they_lie(dtype: str, by_blas: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the general solver: rows, columns or every other element in memory; batches; sizes on both sides of a block."""
    from wengert.kernels import blas, linalg

    if not by_blas:
        monkeypatch.setattr(blas, "_solver", lambda char: None)
    r = np.random.default_rng(0)

    def some(*shape: int) -> np.ndarray:
        x = r.standard_normal(shape)
        return (x + 1j * r.standard_normal(shape) if dtype[0] == "c" else x).astype(dtype)

    lying = (np.asarray, np.asfortranarray, lambda x: np.repeat(x, 2, axis=-1)[..., ::2])
    for (n, m), batch in (((17, 5), ()), ((70, 1), (2,)), ((130, 40), ())):
        a, b = some(*batch, n, n) / n + np.eye(n, dtype=dtype), some(*batch, n, m)
        for lie_a, lie_b, upper, unit in itertools.product(lying, lying, (False, True), (False, True)):
            t = np.triu(a) if upper else np.tril(a)
            if unit:
                t[..., range(n), range(n)] = 1
            given, right = lie_a(a), lie_b(b)
            x = linalg.solve_triangular(given, right, upper, unit)
            assert x.dtype == dtype
            tolerance = 1e-4 if dtype in ("f4", "c8") else 1e-11
            np.testing.assert_allclose(x, np.linalg.solve(t.astype("c16"), b), rtol=tolerance, atol=tolerance)
            np.testing.assert_array_equal(right, b)
