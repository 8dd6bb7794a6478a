"""Products of vectors and of several matrices: outer, inner, cross, Kronecker, tensor and chain products, and covariances.

The matrix product itself is in `matmul`, index notation in `einsum`.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.op import Array, composite, linear
from ..kernels import narrow
from .choosing import clamp
from .complex import conj
from .matmul import dot, matmul, mm, scaled_sum
from .parts import diagonal
from .reductions import mean, sum
from .shape import permute, reshape, squeeze, unsqueeze
from .shared import wrap_dim

__all__ = [
    "addr", "chain_matmul", "corrcoef", "cov", "cross", "ger", "inner", "kron", "outer", "tensordot", "trace", "vdot",
]  # fmt: skip


@composite("outer", out=True)
def outer(input: Any, vec2: Any) -> Any:
    """All products of an element of one vector with one of another."""
    if input.ndim != 1 or vec2.ndim != 1:
        raise RuntimeError(f"outer: Expected 1-D argument self and vec2, but got {input.ndim}-D and {vec2.ndim}-D")
    return unsqueeze(input, 1) * vec2


@composite("ger", out=True)
def ger(input: Any, vec2: Any) -> Any:
    """`outer`."""
    return outer(input, vec2)


@composite("addr", out=True, inplace=True)
def addr(input: Any, vec1: Any, vec2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """`beta * input + alpha * outer(vec1, vec2)`."""
    if vec1.ndim != 1 or vec2.ndim != 1:
        raise RuntimeError(
            f"addr: Expected 1-D argument vec1 and vec2, but got vec1: {vec1.ndim}-D and vec2: {vec2.ndim}-D"
        )
    return scaled_sum(input, outer(vec1, vec2), beta, alpha)


@composite("vdot", out=True)
def vdot(input: Any, other: Any) -> Any:
    """The sum of products of two vectors, the first conjugated."""
    return dot(conj(input), other)


@composite("linalg.vecdot", precision="lower", out=True)
def vecdot(x: Any, y: Any, *, dim: int = -1) -> Any:
    """Sums of products along a dimension, the first factor conjugated."""
    if not (x.is_floating_point() or x.is_complex()):
        raise RuntimeError(
            f"linalg.vecdot: Expected a floating point or complex tensor as input. Got {x.dtype.tensor_type}"
        )
    if x.dtype is not y.dtype:
        raise RuntimeError(
            "linalg.vecdot: Expected vectors x and y to have the same dtype, but found "
            f"{x.dtype.tensor_type} and {y.dtype.tensor_type} instead"
        )
    return sum(conj(x) * y, dim)


@composite("inner", out=True)
def inner(input: Any, other: Any) -> Any:
    """Sums of products over the last dimension of both."""
    if input.ndim == 0 or other.ndim == 0:
        return input * other
    if input.shape[-1] != other.shape[-1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(input.shape)} and {list(other.shape)}"
        )
    return tensordot(input, other, ([-1], [-1]))


@composite("trace", precision="full")
def trace(input: Any) -> Any:
    """The sum of a matrix's diagonal."""
    if input.ndim != 2:
        raise RuntimeError("trace: expected a matrix")
    return sum(diagonal(input))


@composite("linalg.diagonal")
def matrix_diagonal(A: Any, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """The diagonal of each matrix, a view."""
    return diagonal(A, offset, dim1, dim2)


@composite("kron", out=True)
def kron(input: Any, other: Any) -> Any:
    """The Kronecker product: each element of `input` times all of `other`."""
    n = max(input.ndim, other.ndim)
    a = (1,) * (n - input.ndim) + tuple(input.shape)
    b = (1,) * (n - other.ndim) + tuple(other.shape)
    left = reshape(input, tuple(k for size in a for k in (size, 1)))
    right = reshape(other, tuple(k for size in b for k in (1, size)))
    return reshape(left * right, tuple(x * y for x, y in zip(a, b, strict=True)))


# -- cross products ----------------------------------------------------------------------------------------------


@linear(
    "linalg.cross",
    input=lambda g, other, dim: vector_product(other.conjugate(), g, dim=dim),
    other=lambda g, input, dim: vector_product(g, input.conjugate(), dim=dim),
    promote="default",
    out=True,
    node="LinalgCrossBackward0",
    tex=r"{input} \times {other}",
)
def vector_product(input: Array, other: Array, *, dim: int = -1) -> Any:
    """The vector product along `dim`, whose size is 3; other dimensions broadcast."""
    if input.ndim != other.ndim:
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    d = wrap_dim(dim, input.ndim)
    if input.ndim == 0 or input.shape[d] != 3 or other.shape[d] != 3:
        got = [a.shape[d] if a.ndim else 1 for a in (input, other)]
        raise RuntimeError(f"linalg.cross: inputs dimension {dim} must have length 3. Got {got[0]} and {got[1]}")
    found = narrow.cross(input, other) if d == 1 else None
    if found is not None:
        return found
    shape = np.broadcast_shapes(input.shape, other.shape)
    out = np.empty(shape, np.result_type(input, other))
    a, b, c = (np.moveaxis(x, d, 0) for x in (input, other, out))
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        np.subtract(a[j] * b[k], a[k] * b[j], out=c[i, ...])
    return out


@composite("cross", out=True)
def cross(input: Any, other: Any, dim: int | None = None) -> Any:
    """`linalg.cross` along `dim`, by default the first dimension of size 3."""
    if dim is None:
        dim = next((d for d, n in enumerate(input.shape) if n == 3), None)
        if dim is None:
            raise RuntimeError("no dimension of size 3 in input")
    return vector_product(input, other, dim=dim)


# -- several matrices --------------------------------------------------------------------------------------------


@composite("chain_matmul", method=False, out=True)
def chain_matmul(*matrices: Any) -> Any:
    """The product of several matrices, in the order that multiplies least."""
    if not matrices:
        raise RuntimeError("chain_matmul(): Expected one or more matrices")
    for i, m in enumerate(matrices):
        if m.ndim != 2:
            raise RuntimeError(f"Tensor with more than 2 dimensions in position {i}" if m.ndim else "2-D expected")
    return matrices[0] if len(matrices) == 1 else multi_dot(list(matrices))


@composite("linalg.multi_dot", out=True)
def multi_dot(tensors: Any) -> Any:
    """The product of several matrices in the order that multiplies least (the first and last may be vectors)."""
    items = list(tensors)
    if len(items) < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {len(items)}")
    for i, x in enumerate(items):
        ends = i in (0, len(items) - 1)
        if not (x.ndim == 2 or (ends and x.ndim == 1)):
            wanted = "1D or 2D" if ends else "2D"
            which = "the first tensor" if i == 0 else "the last tensor" if ends else f"tensor {i}"
            raise RuntimeError(f"multi_dot(): {which} must be {wanted} but got {x.ndim}D")
    if len(items) == 2:
        return matmul(items[0], items[1])
    first, last = items[0].ndim == 1, items[-1].ndim == 1
    if first:
        items[0] = unsqueeze(items[0], 0)
    if last:
        items[-1] = unsqueeze(items[-1], 1)
    out = _in_order(items, _best_cuts([x.shape[0] for x in items] + [items[-1].shape[1]]), 0, len(items) - 1)
    if first:
        out = squeeze(out, 0)
    return squeeze(out, -1) if last else out


def _best_cuts(sizes: list[int]) -> dict[tuple[int, int], int]:
    """Where to cut each run of matrices, by dynamic programming over the number of multiplications."""
    n = len(sizes) - 1
    cost = {(i, i): 0 for i in range(n)}
    cut: dict[tuple[int, int], int] = {}
    for span in range(1, n):
        for i in range(n - span):
            j = i + span
            cost[i, j], cut[i, j] = min(
                (cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)
            )
    return cut


def _in_order(items: list[Any], cut: dict[tuple[int, int], int], i: int, j: int) -> Any:
    if i == j:
        return items[i]
    k = cut[i, j]
    return mm(_in_order(items, cut, i, k), _in_order(items, cut, k + 1, j))


@composite("tensordot", method=False, out=True)
def tensordot(a: Any, b: Any, dims: Any = 2) -> Any:
    """Sums of products over `dims`: a count (last of `a` with first of `b`) or two lists of dimensions."""
    if hasattr(dims, "tolist"):
        dims = dims.tolist()
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a.ndim, b.ndim):
            raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        left, right = list(range(a.ndim - dims, a.ndim)), list(range(dims))
    else:
        left, right = ([d] if isinstance(d, int) else list(d) for d in dims)
    if len(left) != len(right):
        raise RuntimeError("both dimension lists should have same length")
    if a.dtype != b.dtype:
        raise RuntimeError("both inputs should have same dtype")
    left, right = [wrap_dim(d, a.ndim) for d in left], [wrap_dim(d, b.ndim) for d in right]
    for x, y in zip(left, right, strict=True):
        # A size of 1 is repeated: the other is summed over.
        if a.shape[x] == 1 and b.shape[y] != 1:
            b = sum(b, y, True)
        elif b.shape[y] == 1 and a.shape[x] != 1:
            a = sum(a, x, True)
        elif a.shape[x] != b.shape[y]:
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {a.shape[x]} in dim {x} and second has size "
                f"{b.shape[y]} in dim {y}"
            )
    keep_a = [d for d in range(a.ndim) if d not in left]
    keep_b = [d for d in range(b.ndim) if d not in right]
    shape_a, shape_b = tuple(a.shape[d] for d in keep_a), tuple(b.shape[d] for d in keep_b)
    n = prod(a.shape[d] for d in left)
    rows = reshape(permute(a, (*keep_a, *left)), (prod(shape_a), n))
    columns = reshape(permute(b, (*right, *keep_b)), (n, prod(shape_b)))
    return reshape(mm(rows, columns), shape_a + shape_b)


# -- covariances -------------------------------------------------------------------------------------------------


def _weights(name: str, w: Any, count: int, integral: bool) -> None:
    if w.ndim > 1:
        raise RuntimeError(f"cov(): expected {name} to have one or fewer dimensions but got {w.ndim} dimensions")
    if integral and (w.is_floating_point() or w.is_complex()):
        raise RuntimeError(f"cov(): expected {name} to have integral dtype but got {w.dtype.tensor_type}")
    if not integral and not w.is_floating_point():
        raise RuntimeError(f"cov(): expected {name} to have floating point dtype but got {w.dtype.tensor_type}")
    if w.numel() != count:
        raise RuntimeError(
            f"cov(): expected {name} to have the same numel as there are observations in the input but got "
            f"{w.numel()} != {count}"
        )
    if (w.detach() < 0).any():
        raise RuntimeError(f"cov(): {name} cannot be negative")


@composite("cov")
def cov(input: Any, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Any:
    """Covariances of variables (rows) over observations (columns), with frequency and reliability weights."""
    if input.ndim > 2:
        raise RuntimeError(
            f"cov(): expected input to have two or fewer dimensions but got an input with {input.ndim} dimensions"
        )
    if input.dtype is dtypes.bool_:
        raise RuntimeError("cov(): bool dtype is not supported for input")
    x = reshape(input, (1, -1)) if input.ndim < 2 else input
    count = x.shape[1]
    weight: Any = None
    if fweights is not None:
        _weights("fweights", fweights, count, True)
        weight = fweights
    if aweights is not None:
        _weights("aweights", aweights, count, False)
        weight = aweights if weight is None else weight * aweights
    if not (x.is_floating_point() or x.is_complex()):
        x = x.to(dtypes.get_default_dtype())
    if weight is None:
        centre, total = mean(x, 1, True), count
    else:
        total = sum(weight)
        if not total.detach().item() > 0:
            raise RuntimeError("cov(): weights sum to zero, can't be normalized")
        centre = sum(x * weight, 1, True) / total
    if weight is not None and aweights is not None and correction != 0:
        freedom: Any = total - correction * sum(weight * aweights) / total
    else:
        freedom = total - correction
    freedom = max(freedom, 0) if isinstance(freedom, int) else clamp(freedom, min=0)
    away = x - centre
    scaled = away if weight is None else away * weight
    product = mm(away, conj(scaled).t())
    out = product / freedom if freedom.__class__ is not int else product * (1 / freedom if freedom else float("inf"))
    return squeeze(out)


@composite("corrcoef")
def corrcoef(input: Any) -> Any:
    """Pearson's correlation coefficients of variables (rows) over observations (columns)."""
    if input.ndim > 2:
        raise RuntimeError(
            f"corrcoef(): expected input to have two or fewer dimensions but got an input with {input.ndim} dimensions"
        )
    c = cov(input)
    if c.ndim == 0:  # one variable: 1, or NaN where it does not vary
        return c / c
    d = diagonal(c)
    root = (d.real if d.is_complex() else d).sqrt()
    c = c / unsqueeze(root, 1) / unsqueeze(root, 0)
    # Rounding may take a correlation out of [-1, 1].
    if c.is_complex():
        from .complex import complex as complex_

        return complex_(clamp(c.real, -1, 1), clamp(c.imag, -1, 1))
    return clamp(c, -1, 1)
