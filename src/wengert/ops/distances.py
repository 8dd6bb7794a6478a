"""Distances and similarities of vectors, and the bilinear form."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.op import composite
from ..core.tensor import wrap
from .choosing import clamp
from .linalg_norms import vector_norm
from .matmul import bmm, matmul
from .reductions import sum
from .shared import wrap_dim

__all__ = ["bilinear", "cosine_similarity", "pairwise_distance", "pdist"]


def at_least(x: Any, low: float) -> Any:
    """`x` limited from below in value, but with the derivative of `x` itself: as PyTorch limits norms and variances."""
    plain = x.detach()
    return x + (clamp(plain, low, None) - plain)


@composite("cosine_similarity", method=False)
def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    """The cosine of the angle between vectors along `dim`; norms count as at least `eps`."""
    for x in (x1, x2):
        if not (x.is_floating_point() or x.is_complex()):
            raise RuntimeError(f"expected common dtype to be floating point, yet common dtype is {x.dtype.tensor_type}")
    d = wrap_dim(dim, max(x1.ndim, x2.ndim))
    if x1.shape != x2.shape:
        from .joining import broadcast_tensors

        x1, x2 = broadcast_tensors(x1, x2)
    n1, n2 = (at_least(vector_norm(x, 2, d, True), eps) for x in (x1, x2))
    return sum((x1 / n1) * (x2 / n2), d)


@composite("pairwise_distance", method=False)
def pairwise_distance(x1: Any, x2: Any, p: float = 2, eps: float = 1e-6, keepdim: bool = False) -> Any:
    """The p-norm, along the last dimension, of `x1 - x2 + eps`."""
    return vector_norm(x1 - x2 + eps, p, -1, keepdim)


@composite("pdist", method=False)
def pdist(input: Any, p: float = 2) -> Any:
    """The p-norm distances between all pairs of rows of (n, m): (0, 1), (0, 2), ... as n (n - 1) / 2 numbers."""
    if input.ndim != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input.ndim}D")
    if not input.is_floating_point():
        raise RuntimeError("pdist only supports floating-point dtypes")
    if not p >= 0:
        raise RuntimeError("pdist only supports non-negative p values")
    first, second = (wrap(i) for i in np.triu_indices(input.shape[0], 1))
    away = input.index_select(0, first) - input.index_select(0, second)
    if p == 0:  # a count: its derivative is zero
        return vector_norm(away, 0, -1) + sum(away * 0, -1)
    return vector_norm(away, p, -1)


for _function in (cosine_similarity, pairwise_distance, pdist):
    composite("nn.functional." + _function.__name__, method=False)(_function)


@composite("bilinear", method=False)
def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Any:
    """`input1 @ weight[k] @ input2 + bias[k]` for each k: (*, a), (*, b) and (m, a, b) give (*, m)."""
    if input1.ndim != input2.ndim:
        raise RuntimeError(f"bilinear(): input dimensions do not match: got {input1.ndim} and {input2.ndim}")
    for d, (a, b) in enumerate(zip(input1.shape[:-1], input2.shape[:-1], strict=True)):
        if a != b:
            raise RuntimeError(f"bilinear(): input batch dimensions do not match at dim {d}: got {a} and {b}")
    m, n1, n2 = weight.shape
    for i, (x, n) in enumerate(((input1, n1), (input2, n2))):
        if x.shape[-1] != n:
            raise RuntimeError(
                f"bilinear(): input{i + 1} size does not match weight size: got {x.shape[-1]} but expected {n}"
            )
    if bias is not None and bias.shape[0] != m:
        raise RuntimeError(f"bilinear(): bias size does not match weight size: got {bias.shape[0]} but expected {m}")
    lead = tuple(input1.shape[:-1])
    rows = int(np.prod(lead))
    half = matmul(input1.reshape((rows, n1)), weight.permute((1, 0, 2)).reshape((n1, m * n2))).reshape((rows, m, n2))
    out = bmm(half, input2.reshape((rows, n2, 1))).reshape((*lead, m))
    return out if bias is None else out + bias


composite("nn.functional.bilinear", method=False)(bilinear)


@composite("nn.functional.normalize", out=True, method=False)
def normalize(input: Any, p: float = 2.0, dim: Any = 1, eps: float = 1e-12) -> Any:
    """`input` divided by its p-norm along `dim`, or by `eps` if that is larger."""
    return input / clamp(vector_norm(input, p, dim, True), eps, None).expand_as(input)
