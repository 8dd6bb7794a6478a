"""Ready-made parametrizations: weight normalisation, spectral normalisation, orthogonal matrices.

Sources: T. Salimans and D. Kingma, 2016; T. Miyato et al., 2018; M. Lezcano-Casado, 2019 (trivializations); for Householder
reflections see LAPACK's orgqr.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.layout import contiguous_format
from ...core.modes import no_grad
from ...core.tensor import Tensor
from ...ops.linalg_factor import householder_product
from ...ops.linalg_solve import solve
from ..functional import normalize
from ..module import Module
from .parametrize import register_parametrization

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]

_MAPS = ("matrix_exp", "cayley", "householder")


def _tensor_of(module: Any, name: str) -> Tensor:
    found = getattr(module, name, None)
    if not isinstance(found, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    return found


def output_dim(module: Any) -> int:
    """Which dimension of a module's weight counts its outputs."""
    from ..modules.conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d

    return 1 if isinstance(module, (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)) else 0


# -- orthogonal ----------------------------------------------------------------------------------------------------


def _is_orthogonal(q: Any) -> bool:
    from ... import allclose, eye

    n, k = q.shape[-2:]
    return allclose(q.mH @ q, eye(k, dtype=q.dtype), atol=10.0 * n * float(np.finfo(q.dtype.np).eps))


def _make_orthogonal(a: Any) -> Any:
    """The orthogonal factor of QR with a positive diagonal of R."""
    from ... import geqrf

    x, tau = geqrf(a)
    return householder_product(x, tau) * x.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)


class _Orthogonal(Module):
    def __init__(self, weight: Any, orthogonal_map: str, *, use_trivialization: bool = True) -> None:
        super().__init__()
        if weight.is_complex() and orthogonal_map == "householder":
            raise ValueError("The householder parametrization does not support complex tensors.")
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, x: Any) -> Any:
        wide = x.shape[-2] < x.shape[-1]
        if wide:
            x = x.mT
        if self.orthogonal_map == "householder":
            a = x.tril(-1)
            tau = 2.0 / (1.0 + (a * a).sum(-2))
            q = householder_product(a, tau) * x.diagonal(dim1=-2, dim2=-1).int().unsqueeze(-2)
        else:
            q = self._exponential(x)
        if hasattr(self, "base"):
            q = self.base @ q
        return q.mT if wide else q

    def _exponential(self, x: Any) -> Any:
        """The first columns of exp(a), or of (1 - a/2)^-1 (1 + a/2), for a = l - l^H and l the lower triangle of x."""
        from ... import cat, eye, matrix_exp

        n, k = x.shape[-2:]
        lower = x.tril()
        if n != k:
            lower = cat([lower, lower.new_zeros(n, n - k).expand(*lower.shape[:-2], -1, -1)], -1)
        a = lower - lower.mH
        if self.orthogonal_map == "matrix_exp":
            q = matrix_exp(a)
        else:
            one = eye(n, dtype=a.dtype)
            q = solve(one - 0.5 * a, one + 0.5 * a)
        return q if n == k else q[..., :k]

    @no_grad()
    def right_inverse(self, q: Any) -> Any:
        from ... import cat, geqrf, randn, zeros_like

        if q.shape != self.shape:
            raise ValueError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of shape {q.shape}."
            )
        given = q
        wide = q.shape[-2] < q.shape[-1]
        if wide:
            q = q.mT
        n, k = q.shape[-2:]
        if not hasattr(self, "base"):
            if self.orthogonal_map != "householder":
                raise NotImplementedError(
                    "It is not possible to assign to the matrix exponential or the Cayley parametrizations when "
                    "use_trivialization=False."
                )
            # Householder vectors with the sign of each column of Q on their diagonal, which forward reads there.
            a, tau = geqrf(q)
            diagonal = a.diagonal(dim1=-2, dim2=-1)
            diagonal.sign_()
            diagonal[tau == 0.0] *= -1
            return a.mT if wide else a
        if n == k:
            self.base = q.clone() if _is_orthogonal(q) else _make_orthogonal(q)
        else:
            rest = randn(*q.shape[:-2], n, n - k, dtype=q.dtype)
            self.base = _make_orthogonal(cat([q, rest], -1))
        origin = zeros_like(given)  # what all maps send to the identity, -1 on the diagonal for Householder's
        origin.diagonal(dim1=-2, dim2=-1).fill_(-1.0)
        return origin


def orthogonal(
    module: Any, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> Any:
    """Keep a matrix (or a batch of them) orthogonal, or unitary; one that is not square has orthonormal rows or columns.

    `orthogonal_map`: "matrix_exp", "cayley" or "householder"; by default the first for square and complex matrices, else the
    last. With `use_trivialization` the value is base @ map(original), so that it can be assigned to.
    """
    weight = _tensor_of(module, name)
    if weight.ndim < 2:
        raise ValueError(f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions.")
    if orthogonal_map is None:
        square = weight.shape[-2] == weight.shape[-1]
        orthogonal_map = "matrix_exp" if square or weight.is_complex() else "householder"
    if orthogonal_map not in _MAPS:
        raise ValueError(
            f'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: {orthogonal_map}'
        )
    made = _Orthogonal(weight, orthogonal_map, use_trivialization=use_trivialization)
    return register_parametrization(module, name, made, unsafe=True)


# -- weight normalisation ------------------------------------------------------------------------------------------


class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Any, weight_v: Any) -> Any:
        from ... import _weight_norm

        return _weight_norm(weight_v, weight_g, self.dim)

    def right_inverse(self, weight: Any) -> tuple[Any, Any]:
        from ... import norm_except_dim

        return norm_except_dim(weight, 2, self.dim), weight


def weight_norm(module: Any, name: str = "weight", dim: int | None = 0) -> Any:
    """weight = g v / |v|, the norm taken over all dimensions but `dim` (None: all): `original0` is g, `original1` v."""
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def rename(state_dict: Any, prefix: str, *_: Any) -> None:
        """Checkpoints of the older `nn.utils.weight_norm` can be loaded."""
        old = [f"{prefix}{name}_g", f"{prefix}{name}_v"]
        if all(key in state_dict for key in old):
            for i, key in enumerate(old):
                state_dict[f"{prefix}parametrizations.{name}.original{i}"] = state_dict.pop(key)

    module._register_load_state_dict_pre_hook(rename)
    return module


# -- spectral normalisation ----------------------------------------------------------------------------------------


class _SpectralNorm(Module):
    """weight / its largest singular value, which `_u` and `_v` follow by the power method, a step for each call."""

    _u: Any
    _v: Any

    def __init__(self, weight: Any, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        ndim = weight.ndim
        if not -ndim <= dim < ndim:
            raise IndexError(f"Dimension out of range (expected to be in range of [-{ndim}, {ndim - 1}] but got {dim})")
        if n_power_iterations <= 0:
            raise ValueError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            )
        self.dim = dim % ndim
        self.eps = eps
        if ndim > 1:
            self.n_power_iterations = n_power_iterations
            matrix = self._as_matrix(weight)
            h, w = matrix.shape
            u, v = (matrix.detach().new_empty(n).normal_(0, 1) for n in (h, w))
            self.register_buffer("_u", normalize(u, dim=0, eps=eps))
            self.register_buffer("_v", normalize(v, dim=0, eps=eps))
            self._power_method(matrix, 15)

    def _as_matrix(self, weight: Any) -> Any:
        if self.dim != 0:
            weight = weight.permute(self.dim, *(d for d in range(weight.ndim) if d != self.dim))
        return weight.flatten(1)

    @no_grad()
    def _power_method(self, matrix: Any, steps: int) -> None:
        from ... import mv

        for _ in range(steps):  # in place: the vectors are buffers, which others may share
            self._u.copy_(normalize(mv(matrix, self._v), dim=0, eps=self.eps))
            self._v.copy_(normalize(mv(matrix.H, self._u), dim=0, eps=self.eps))

    def forward(self, weight: Any) -> Any:
        from ... import mv, vdot

        if weight.ndim == 1:
            return normalize(weight, dim=0, eps=self.eps)
        matrix = self._as_matrix(weight)
        if self.training:
            self._power_method(matrix, self.n_power_iterations)
        # Copies: the next call changes the vectors in place, and backward may still want these.
        u, v = (t.clone(memory_format=contiguous_format) for t in (self._u, self._v))
        return weight / vdot(u, mv(matrix, v))

    def right_inverse(self, value: Any) -> Any:
        return value


def spectral_norm(
    module: Any, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Any:
    """Divide a weight, as a matrix whose rows are counted by `dim`, by its largest singular value."""
    weight = _tensor_of(module, name)
    made = _SpectralNorm(weight, n_power_iterations, output_dim(module) if dim is None else dim, eps)
    return register_parametrization(module, name, made)
