"""Random matrices with the property that a test wants: well-conditioned, symmetric, positive definite, of a rank.

Shapes are (*batch_dims, rows, columns).
"""

from __future__ import annotations

from typing import Any

import wengert

torch: Any = wengert


def random_matrix(rows: int, columns: int, *batch_dims: int, **kwargs: Any) -> Any:
    """Of full rank, or not with `singular=True`. The singular values are far enough apart to be told from each other."""
    dtype, singular = kwargs.get("dtype", torch.float64), kwargs.get("singular", False)
    made = make_fullrank_matrices_with_distinct_singular_values(*batch_dims, rows, columns, dtype=dtype, device="cpu")
    if not singular or min(rows, columns) == 0:
        return made
    u, s, vh = torch.linalg.svd(made, full_matrices=False)
    s[..., -1] = 0
    return (u * s.to(dtype).unsqueeze(-2)) @ vh


def make_fullrank_matrices_with_distinct_singular_values(
    *shape: int, device: Any, dtype: Any, requires_grad: bool = False
) -> Any:
    """The singular values are 1, 1 +- 1/2, 1 +- 1/3 ..., which keeps the condition low."""
    u, _, vh = torch.linalg.svd(torch.randn(shape, dtype=dtype), full_matrices=False)
    s = _apart(min(shape[-2:]), u.real.dtype if dtype.is_complex else dtype)
    return ((u * s) @ vh).detach().requires_grad_(requires_grad)


def _apart(count: int, dtype: Any) -> Any:
    sign = torch.tensor([(-1.0) ** i for i in range(count)], dtype=dtype)
    return 1 + sign / torch.arange(2, count + 2, dtype=dtype)


def random_well_conditioned_matrix(
    *shape: int, dtype: Any, device: Any, mean: float = 1.0, sigma: float = 0.001
) -> Any:
    """Orthogonal factors, and singular values drawn from (mean, sigma)."""
    u, _, vh = torch.linalg.svd(torch.randn(shape, dtype=dtype), full_matrices=False)
    s = mean + sigma * torch.randn(*shape[:-2], min(shape[-2:]), dtype=u.real.dtype if dtype.is_complex else dtype)
    return (u * s.to(dtype).unsqueeze(-2)) @ vh


def random_hermitian_matrix(l: int, *batches: int, **kwargs: Any) -> Any:  # noqa: E741
    """Equal to its conjugate transpose."""
    a = torch.randn(*batches, l, l, dtype=kwargs.get("dtype", torch.float64))
    return (a + a.mH).div_(2)


def random_symmetric_matrix(l: int, *batches: int, **kwargs: Any) -> Any:  # noqa: E741
    """Equal to its transpose."""
    a = torch.randn(*batches, l, l, dtype=kwargs.get("dtype", torch.float64))
    return (a + a.mT).div_(2)


def random_hermitian_psd_matrix(
    matrix_size: int, *batch_dims: int, dtype: Any = torch.float64, device: Any = "cpu"
) -> Any:
    """Hermitian, with eigenvalues of at least 0."""
    a = torch.randn(*batch_dims, matrix_size, matrix_size, dtype=dtype)
    return a @ a.mH


def random_hermitian_pd_matrix(matrix_size: int, *batch_dims: int, dtype: Any, device: Any) -> Any:
    """Hermitian, with eigenvalues above 0."""
    return random_hermitian_psd_matrix(matrix_size, *batch_dims, dtype=dtype) + torch.eye(matrix_size, dtype=dtype)


def random_symmetric_psd_matrix(l: int, *batches: int, **kwargs: Any) -> Any:  # noqa: E741
    """Symmetric, with eigenvalues of at least 0."""
    a = torch.randn(*batches, l, l, dtype=kwargs.get("dtype", torch.float64))
    return a @ a.mT


def random_symmetric_pd_matrix(matrix_size: int, *batch_dims: int, **kwargs: Any) -> Any:
    """Symmetric, with eigenvalues above 0."""
    made = random_symmetric_psd_matrix(matrix_size, *batch_dims, **kwargs)
    return made + torch.eye(matrix_size, dtype=made.dtype) * 1e-5


def make_symmetric_matrices(*shape: int, device: Any, dtype: Any) -> Any:
    """Symmetric, of that shape."""
    if shape[-1] != shape[-2]:
        raise AssertionError(f"shape[-1] ({shape[-1]}) != shape[-2] ({shape[-2]})")
    a = torch.testing.make_tensor(shape, device=device, dtype=dtype)
    return (a + a.mT).div_(2)


def make_symmetric_pd_matrices(*shape: int, device: Any, dtype: Any) -> Any:
    """Symmetric with eigenvalues above 0, of that shape."""
    a = make_symmetric_matrices(*shape, device=device, dtype=dtype)
    return a @ a.mT + torch.eye(shape[-1], dtype=dtype) * 1e-5


def random_square_matrix_of_rank(l: int, rank: int, dtype: Any = torch.float64, device: Any = "cpu") -> Any:  # noqa: E741
    """(l, l) of that rank: the others of its singular values are 0."""
    if rank > l:
        raise AssertionError(f"rank must be <= l, got rank={rank}, l={l}")
    u, s, vh = torch.linalg.svd(torch.randn(l, l, dtype=dtype))
    keep = torch.arange(l) < rank
    return (u * torch.where(keep, s.clamp(min=1.0), torch.zeros_like(s)).to(dtype)) @ vh


def random_lowrank_matrix(rank: int, rows: int, columns: int, *batch_dims: int, **kwargs: Any) -> Any:
    """A product of (rows, rank) and (rank, columns)."""
    return random_matrix(rows, rank, *batch_dims, **kwargs) @ random_matrix(rank, columns, *batch_dims, **kwargs)


def noncontiguous_like(t: Any) -> Any:
    """The same numbers, not contiguous where they can be; `t` itself if it is not already."""
    if not t.is_contiguous():
        return t
    result = t.new_full((*t.shape, 2), float("nan") if t.is_floating_point() or t.is_complex() else 12).select(-1, 0)
    with torch.no_grad():
        result.copy_(t)
    return result.requires_grad_(t.requires_grad)


def mask_not_all_zeros(shape: Any) -> Any:
    """Random booleans, one of them True at least. The shape has places."""
    if torch.Size(shape).numel() == 0:
        raise AssertionError("shape must have positive number of elements")
    while True:
        found = torch.randn(shape).gt(0)
        if found.sum() > 0:
            return found
