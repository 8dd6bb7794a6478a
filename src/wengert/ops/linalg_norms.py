"""Norms of vectors and matrices, distances, and the condition number.

A norm is not differentiable at zero, nor a maximum at ties; PyTorch's choice is a subgradient: 0 at zero, ties share evenly.
"""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.op import Array, composite, general
from ..kernels import sums
from ..kernels.rounding import is_half
from .choosing import clamp, where
from .extrema import amax, amin
from .linalg_shared import at_least_matrix, square
from .linalg_solve import inv_rows
from .linalg_spectral import svdvals
from .moments import root as root_
from .pointwise import abs as abs_
from .pointwise import sgn
from .reductions import spread, sum
from .shape import permute, reshape, unsqueeze, unsqueeze_dims
from .shared import axes_of, wrap_dim, wrap_dims

__all__ = ["cdist", "dist", "norm", "renorm"]


# -- vectors -----------------------------------------------------------------------------------------------------


def _vector_back(g: Any, x: Any, out: Any, ord: Any, dim: Any, keepdim: bool) -> Any:
    shape = tuple(x.shape)
    if ord == 0:
        return x * 0
    if ord == 1:
        return spread(g, shape, dim, keepdim) * sgn(x)
    if ord in (inf, -inf):
        size, wide = abs_(x), spread(out, shape, dim, keepdim)
        attained = (size == wide) | ((size != size) & (wide != wide))
        return sgn(x) * (spread(g, shape, dim, keepdim) * attained / sum(attained, dim, True))
    # What is common to the elements of one norm, 0 where that is 0.
    none = out == 0
    safe = where(none, 1.0, out)
    common = spread(where(none, 0.0, g / safe if ord == 2 else g * safe ** (1 - ord)), shape, dim, keepdim)
    if ord == 2:
        return x * common
    if ord > 2:
        return x * (abs_(x) ** (ord - 2) * common)
    size = abs_(x)
    zero = size == 0
    return sgn(x) * (where(zero, 0.0, where(zero, 1.0, size) ** (ord - 1)) * common)


@general(
    "linalg.vector_norm",
    x=lambda g, x, out, ord, dim, keepdim: _vector_back(g, x, out, ord, dim, keepdim),
    node="LinalgVectorNormBackward0",
    method=False,
    tex=r"\lVert {x} \rVert_{{{ord}}}",
    domain="0 at 0; ties share evenly",
)
def vector_norm_rows(x: Array, ord: Any, dim: Any, keepdim: bool) -> Any:
    """The `ord`-norm over dimensions."""
    if is_half(x.dtype):
        return vector_norm_rows.op.forward(x.astype(np.float32), ord, dim, keepdim).astype(x.dtype)
    axes = axes_of(dim, x.ndim) or None
    if ord == 2:
        if isinstance(axes, tuple) and len(axes) == 1:
            return np.sqrt(np.vecdot(x, x, axis=axes[0], keepdims=keepdim).real)
        if x.dtype.kind == "c":
            squares = x.real * x.real + x.imag * x.imag
        elif axes is None and x.flags.c_contiguous and not keepdim:
            flat = x.reshape(-1)
            return np.sqrt(np.dot(flat, flat))
        else:
            squares = x * x
        return np.sqrt(sums.add(squares, axes, keepdim))
    size = np.abs(x)
    if ord == inf:
        return np.maximum.reduce(size, axis=axes, keepdims=keepdim)
    if ord == -inf:
        return np.minimum.reduce(size, axis=axes, keepdims=keepdim)
    if ord == 0:
        return np.add.reduce(size != 0, axis=axes, keepdims=keepdim, dtype=size.dtype)
    if ord == 1:
        return sums.add(size, axes, keepdim)
    with np.errstate(divide="ignore"):
        powers = size * size * size if ord == 3 else size**ord
        total = sums.add(powers, axes, keepdim)
        return total ** size.dtype.type(1 / ord)


@composite("linalg.vector_norm", out=True)
def vector_norm(x: Any, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The `ord`-norm of all elements or along dimensions. Where the norm is 0 its derivative is taken as 0."""
    x = _to_dtype("linalg.vector_norm", x, dtype)
    ord = float(ord) if ord not in (0, 1, 2) else ord
    if x.numel() == 0 and (ord < 0 or ord == inf):
        which = "inf" if ord == inf else f"{ord:g}"
        dims = wrap_dims(dim, x.ndim)
        for d in dims or ():
            if x.shape[d] == 0:
                raise RuntimeError(
                    f"linalg.vector_norm cannot compute the {which} norm on the dimension {d}because this dimension is "
                    "empty and the operation does not have an identity"
                )
        if not dims:
            raise RuntimeError(
                f"linalg.vector_norm cannot compute the {which} norm on an empty tensor because the operation does not have "
                "an identity"
            )
    return vector_norm_rows(x, ord, dim, keepdim)


def _to_dtype(name: str, x: Any, dtype: Any) -> Any:
    if not (x.is_floating_point() or x.is_complex()):
        raise RuntimeError(f"{name}: Expected a floating point or complex tensor as input. Got {x.dtype.tensor_type}")
    if dtype is None:
        return x
    dtype = dtypes.as_dtype(dtype)
    if dtype.category < dtypes.FLOATING:
        raise RuntimeError(f"{name}: dtype should be floating point or complex. Got {dtype.tensor_type}")
    if dtype.is_complex != x.is_complex():
        raise RuntimeError(
            f"{name}: dtype should be {'complex' if x.is_complex() else 'real'} for {'complex' if x.is_complex() else 'real'} "
            f"inputs. Got {dtype.tensor_type}"
        )
    return x.to(dtype)


# -- matrices ----------------------------------------------------------------------------------------------------


def _matrices(name: str, A: Any, dim: Any) -> tuple[int, int]:
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    if len(dims) != 2:
        raise RuntimeError(f"{name}: dim must be a 2-tuple. Got {' '.join(map(str, dims))}")
    first, second = wrap_dim(dims[0], A.ndim), wrap_dim(dims[1], A.ndim)
    if first == second:
        raise RuntimeError(f"{name}: dims must be different. Got ({dims[0]}, {dims[1]})")
    return first, second


@composite("linalg.matrix_norm", names={"A": "input"}, out=True)
def matrix_norm(A: Any, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The norm of each matrix: "fro", "nuc", or induced by the 1-, 2- or inf-norm (negative: the least instead)."""
    name = "linalg.matrix_norm"
    at_least_matrix(name, A)
    if isinstance(ord, str):
        if ord not in ("fro", "nuc"):
            raise RuntimeError(f"{name}: Order {ord} not supported.")
    elif abs(ord) not in (1, 2, inf):
        raise RuntimeError(f"{name}: Order {ord} not supported.")
    dims = _matrices(name, A, dim)
    A = _to_dtype(name, A, dtype)
    if ord == "fro":
        return vector_norm(A, 2, dims, keepdim)
    if ord == "nuc" or abs(ord) == 2:
        rest = [d for d in range(A.ndim) if d not in dims]
        S = svdvals(permute(A, (*rest, *dims)))
        out = sum(S, -1) if ord == "nuc" else _extreme(S, -1, ord > 0)
        return unsqueeze_dims(out, tuple(sorted(dims))) if keepdim else out
    # Largest (or least) sum of absolute values of the columns, or of the rows.
    added, kept = dims if abs(ord) == 1 else dims[::-1]
    sums = vector_norm(A, 1, added, True)
    out = _extreme(sums, kept, ord > 0, True)
    return out if keepdim else _without(out, dims)


def _extreme(x: Any, dim: int, largest: bool, keepdim: bool = False) -> Any:
    """The largest element along `dim`, 0 of none, or the least."""
    if largest:
        return amax(x, (dim,), keepdim) if x.shape[dim] else sum(x, dim, keepdim)
    return amin(x, (dim,), keepdim)


def _without(x: Any, dims: tuple[int, int]) -> Any:
    return reshape(x, tuple(n for d, n in enumerate(x.shape) if d not in dims))


@composite("linalg.norm", names={"A": "input"}, out=True)
def linalg_norm(A: Any, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """A vector norm of all elements or along one dimension; a matrix norm of a matrix or along two."""
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if dim is None:
        if A.ndim not in (1, 2):
            raise RuntimeError(
                f"linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {A.ndim}D."
            )
        dims: tuple[int, ...] = tuple(range(A.ndim))
    else:
        dims = (dim,) if isinstance(dim, int) else tuple(dim)
    if isinstance(ord, str) or len(dims) == 2:
        return matrix_norm(A, ord, dims, keepdim, dtype=dtype)
    if len(dims) != 1:
        raise RuntimeError(
            f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got [{', '.join(map(str, dims))}]"
        )
    return vector_norm(A, ord, dims, keepdim, dtype=dtype)


@composite("norm", out=True)
def norm(input: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
    """The older `linalg.norm`: a vector norm `p` over all elements or along dimensions; "fro" is the 2-norm, "nuc" a matrix's."""
    if isinstance(p, str) and p != "fro":
        dims = dim if dim is not None else tuple(range(input.ndim))
        return matrix_norm(input, p, dims, keepdim, dtype=dtype)
    return vector_norm(input, 2 if p in ("fro", None) else p, dim, keepdim, dtype=dtype)


@composite("linalg.cond", precision="full", names={"A": "input"}, out=True)
def cond(A: Any, p: Any = None) -> Any:
    """The condition number |A| |A^-1| in the norm `p` (by default the 2-norm); inf if A is singular."""
    at_least_matrix("linalg.cond", A)
    if p is None or p in (2, -2):
        S = svdvals(A)
        if S.shape[-1] == 0:
            return S.new_zeros(tuple(S.shape[:-1]))
        first, last = S[..., 0], S[..., -1]
        return last / first if p == -2 else first / last
    if p not in ("fro", "nuc", 1, -1, inf, -inf):
        raise RuntimeError(f"linalg.cond got an invalid norm type: {p}")
    shown = p if isinstance(p, str) or abs(p) != inf else f"{p:g}"
    square(f"linalg.cond(ord={shown})", A)
    if A.numel() == 0:
        return A.new_zeros(tuple(A.shape[:-2])).real
    inverse, info = inv_rows(A)
    out = matrix_norm(A, p) * matrix_norm(inverse, p)
    return where(info != 0, inf, out) if info.detach().numpy().any() else out


# -- distances ---------------------------------------------------------------------------------------------------


@composite("dist")
def dist(input: Any, other: Any, p: Any = 2) -> Any:
    """The `p`-norm of `input - other`."""
    return vector_norm(input - other, p)


@composite("renorm", out=True, inplace=True)
def renorm(input: Any, p: Any, dim: int, maxnorm: Any) -> Any:
    """Scale each slice along `dim` whose `p`-norm exceeds `maxnorm` down to it."""
    if isinstance(p, complex) or not p > 0:
        raise RuntimeError("renorm: non-positive-norm not supported")
    if maxnorm < 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm:g}")
    if input.ndim < 2:
        raise RuntimeError(f"renorm: input needs at least 2 dimensions, got {input.ndim} dimensions")
    d = wrap_dim(dim, input.ndim)
    size = vector_norm(input, p, tuple(i for i in range(input.ndim) if i != d), True)
    return input * where(size > maxnorm, maxnorm / (size + 1e-7), 1.0).to(size.dtype)


@composite("cdist", precision="full", method=False)
def cdist(x1: Any, x2: Any, p: Any = 2.0, compute_mode: str | None = "use_mm_for_euclid_dist_if_necessary") -> Any:
    """The `p`-norm distance of each row of `x1` (..., P, M) to each of `x2` (..., R, M): (..., P, R)."""
    modes = ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist")
    if compute_mode is not None and compute_mode not in modes:
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode")
    for label, x in (("X1", x1), ("X2", x2)):
        if x.ndim < 2:
            raise RuntimeError(f"cdist only supports at least 2D tensors, {label} got: {x.ndim}D")
    if x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError(f"X1 and X2 must have the same number of columns. X1: {x1.shape[-1]} X2: {x2.shape[-1]}")
    for label, x in (("X1", x1), ("X2", x2)):
        if not x.is_floating_point():
            raise RuntimeError(f"cdist only supports floating-point dtypes, {label} got: {x.dtype.tensor_type}")
    if p < 0:
        raise RuntimeError("cdist only supports non-negative p values")
    large = x1.shape[-2] > 25 or x2.shape[-2] > 25
    if p == 2 and (compute_mode == modes[1] or (compute_mode in (None, modes[0]) and large)):
        return _euclidean(x1, x2)
    return vector_norm(unsqueeze(x1, -2) - unsqueeze(x2, -3), p, -1)


def _euclidean(x1: Any, x2: Any) -> Any:
    """Euclidean distances by one matrix product: |x - y|^2 = |x|^2 + |y|^2 - 2 x.y."""
    squares = sum(x1 * x1, -1, True) + sum(x2 * x2, -1, True).mT - 2 * (x1 @ x2.mT)
    return root_(clamp(squares, min=0))
