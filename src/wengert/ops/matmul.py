"""Matrix products: vectors, matrices, batches of them, and the affine map of a dense layer.

The rules use `.T`, `.mT` and `@`, which arrays, Tensors and symbols share.
"""

from __future__ import annotations

import functools
from math import prod
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.modes import LOCAL
from ..core.op import Array, composite, general, linear
from ..kernels import blas
from ..kernels.products import matmul as product
from .reductions import sum as sum_
from .reductions import sum_dim
from .shape import expand, unsqueeze


def _word(d: Any) -> str:
    """A dtype as PyTorch's matrix products name it."""
    return {"float32": "float", "float64": "double", "int64": "long int", "int32": "int"}.get(d.name, dtypes.of(d).name)


def _same_dtype(a: Any, b: Any) -> None:
    if a.dtype != b.dtype:
        raise RuntimeError(f"expected m1 and m2 to have the same dtype, but got: {_word(a.dtype)} != {_word(b.dtype)}")


def _dims(name: str, a: Any, b: Any, na: int, nb: int) -> None:
    """PyTorch names the first argument self and the second by the product."""
    second = {"mm": "mat2", "bmm": "batch2", "mv": "vec", "dot": "tensor"}[name]
    first = {"bmm": "batch1"}.get(name, "self")
    kinds = {1: "vector", 2: "matrix", 3: "3D tensor"}
    if LOCAL.vmap_levels and name != "dot" and (a.ndim, b.ndim) != (na, nb):
        raise RuntimeError(
            f"Shape mismatch: Got incorrect dims for {name}(a, b). a has dim {a.ndim} and b has dim {b.ndim} but expected "
            f"them to have dim {na} and dim {nb}"
        )
    if name == "dot":
        if a.ndim != 1 or b.ndim != 1:
            raise RuntimeError(f"1D tensors expected, but got {a.ndim}D and {b.ndim}D tensors")
        return
    if name == "mv" and (a.ndim != 2 or b.ndim != 1):
        raise RuntimeError(f"vector + matrix @ vector expected, got 1, {a.ndim}, {b.ndim}")
    for label, x, n in ((first, a, na), (second, b, nb)):
        if x.ndim != n:
            raise RuntimeError(f"{label} must be a {kinds[n]}")


# What the products of this file have in common: operands of one dtype, and `out=`.
_bilinear = functools.partial(linear, promote="same", precision="lower", out=True)


def _product(a: Any, b: Any, na: int, nb: int) -> Any:
    """`a @ b` for so many dimensions of each: NumPy would take others. `check` says what PyTorch says of them."""
    if a.ndim != na or b.ndim != nb:
        raise ValueError("arrays of other dimensions")
    if blas.unready or na == 3 or a.dtype.kind == "V":
        return _matmul(a, b)
    return np.matmul(a, b)


def _matmul(a: Any, b: Any) -> Any:
    """`a @ b`. NumPy multiplies matrices of bfloat16 in float32, and a batch of them with one matrix one by one."""
    if blas.unready and b.size > 1 << 14:
        blas.make_ready()
    if a.dtype.kind == "V":
        return np.matmul(a, b).astype(a.dtype)
    if a.ndim <= 2:
        return np.matmul(a, b)
    if b.ndim == 2 and a.flags.c_contiguous:
        return np.matmul(a.reshape((prod(a.shape[:-1]), a.shape[-1])), b).reshape((*a.shape[:-1], b.shape[-1]))
    return product(a, b)


def _shape(a: Any) -> str:
    return "x".join(str(n) for n in a.shape)


def _check_mm(input: Any, mat2: Any) -> None:
    _dims("mm", input, mat2, 2, 2)
    if input.shape[1] != mat2.shape[0]:
        raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({_shape(input)} and {_shape(mat2)})")
    _same_dtype(input, mat2)


@_bilinear(
    "mm",
    input=lambda g, mat2: mm_nt(g, mat2.conjugate()),
    mat2=lambda g, input: mm_tn(input.conjugate(), g),
    check=_check_mm,
)
def mm(input: Array, mat2: Array) -> Any:
    """The product of matrices (n, k) and (k, m)."""
    return _product(input, mat2, 2, 2)


# A product with a transposed factor is a row of its own (BLAS reads either way): the rules of the three are products of the
# three again. So derivatives of any order contain no transposition, and what they give lies row by row.


@linear(
    "mm_nt",
    input=lambda g, mat2: mm(g, mat2.conjugate()),
    mat2=lambda g, input: mm_tn(g, input.conjugate()),
    promote="same",
    method=False,
    node="MmBackward0",
    spelled=lambda input, mat2: input @ mat2.T,
)
def mm_nt(input: Array, mat2: Array) -> Any:
    """`input @ mat2.T` for matrices (n, k) and (m, k)."""
    return _product(input, mat2.T, 2, 2)


@linear(
    "mm_tn",
    input=lambda g, mat2: mm_nt(mat2.conjugate(), g),
    mat2=lambda g, input: mm(input.conjugate(), g),
    promote="same",
    method=False,
    node="MmBackward0",
    spelled=lambda input, mat2: input.T @ mat2,
)
def mm_tn(input: Array, mat2: Array) -> Any:
    """`input.T @ mat2` for matrices (k, n) and (k, m)."""
    return _product(input.T, mat2, 2, 2)


def _check_bmm(input: Any, mat2: Any) -> None:
    _dims("bmm", input, mat2, 3, 3)
    if input.shape[0] != mat2.shape[0] or input.shape[2] != mat2.shape[1]:
        want = [input.shape[0], input.shape[2]]
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: {want} but got: {list(mat2.shape[:2])}."
        )
    _same_dtype(input, mat2)


@_bilinear(
    "bmm",
    input=lambda g, mat2: bmm(g, mat2.mT.conjugate()),
    mat2=lambda g, input: bmm(input.mT.conjugate(), g),
    check=_check_bmm,
)
def bmm(input: Array, mat2: Array) -> Any:
    """Products of matrices in pairs: (b, n, k) and (b, k, m)."""
    if input.shape[:1] != mat2.shape[:1]:
        raise ValueError("as many matrices in each")
    return _product(input, mat2, 3, 3)


def _check_mv(input: Any, vec: Any) -> None:
    _dims("mv", input, vec, 2, 1)
    if input.shape[1] != vec.shape[0]:
        raise RuntimeError(f"size mismatch, got input ({input.shape[0]}), mat ({_shape(input)}), vec ({vec.shape[0]})")
    _same_dtype(input, vec)


@_bilinear(
    "mv",
    input=lambda g, vec: unsqueeze(g, 1) * vec.conjugate(),
    vec=lambda g, input: input.T.conjugate() @ g,
    check=_check_mv,
)
def mv(input: Array, vec: Array) -> Any:
    """The product of a matrix (n, k) and a vector (k,)."""
    return _product(input, vec, 2, 1)


def _check_dot(input: Any, tensor: Any) -> None:
    _dims("dot", input, tensor, 1, 1)
    if input.dtype != tensor.dtype:
        raise RuntimeError(
            "dot : expected both vectors to have same dtype, but found "
            f"{dtypes.of(input.dtype).tensor_type} and {dtypes.of(tensor.dtype).tensor_type}"
        )
    if input.shape != tensor.shape:
        raise RuntimeError(
            "inconsistent tensor size, expected tensor "
            f"[{input.shape[0]}] and src [{tensor.shape[0]}] to have the same number of elements, but got "
            f"{input.shape[0]} and {tensor.shape[0]} elements respectively"
        )


@_bilinear(
    "dot",
    input=lambda g, tensor: g * tensor.conjugate(),
    tensor=lambda g, input: g * input.conjugate(),
    check=_check_dot,
    tex=r"{input} \cdot {tensor}",
)
def dot(input: Array, tensor: Array) -> Any:
    """The sum of products of two vectors (no conjugation)."""
    return _product(input, tensor, 1, 1)


def _check_many(input: Any, other: Any) -> None:
    if input.shape[-1] != other.shape[-2]:
        if input.ndim == 2 or other.ndim == 2:
            a, b = (int(np.prod(input.shape[:-1])), input.shape[-1]), other.shape[-2:]
            if other.ndim == 2:
                raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({a[0]}x{a[1]} and {b[0]}x{b[1]})")
        batch = int(np.prod(np.broadcast_shapes(input.shape[:-2], other.shape[:-2])))
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{batch}, {input.shape[-1]}] but got: "
            f"[{batch}, {other.shape[-2]}]."
        )
    _same_dtype(input, other)


@linear(
    "matmul_many",
    # What broadcasting repeated, the engine sums.
    input=lambda g, other: matmul_many(g, other.mT.conjugate()),
    other=lambda g, input, other_shape: _right_grad(g, input, other_shape),
    promote="same",
    check=_check_many,
    out=True,
    method=False,
    node="UnsafeViewBackward0",
)
def matmul_many(input: Array, other: Array) -> Any:
    """Products of matrices, leading dimensions broadcast."""
    if input.ndim < 2 or other.ndim < 2:
        raise ValueError("matrices expected")
    return _matmul(input, other)


def _right_grad(g: Any, input: Any, shape: tuple[int, ...]) -> Any:
    """The gradient of the right factor. One matrix shared by a batch takes one product over all rows."""
    if len(shape) == 2:
        rows = prod(input.shape[:-1])
        return mm_tn(input.reshape((rows, input.shape[-1])).conjugate(), g.reshape((rows, g.shape[-1])))
    return matmul_many(input.mT.conjugate(), g)


@composite("matmul", out=True)
def matmul(input: Any, other: Any) -> Any:
    """The matrix product: of vectors, matrices, or batches of matrices whose leading dimensions broadcast."""
    for i, (name, x) in enumerate((("input", input), ("other", other))):
        if not hasattr(x, "ndim"):
            raise TypeError(f"matmul(): argument '{name}' (position {i + 1}) must be Tensor, not {type(x).__name__}")
    na, nb = input.ndim, other.ndim
    if na == 2 and nb == 2:
        return mm(input, other)
    if na == 0 or nb == 0:
        raise RuntimeError(f"both arguments to matmul need to be at least 1D, but they are {na}D and {nb}D")
    if na == 1 and nb == 1:
        return dot(input, other)
    if nb == 1:
        if na == 2:
            return mv(input, other)
        return matmul_many(input, unsqueeze(other, 1)).reshape(tuple(input.shape[:-1]))
    if na == 1:
        if nb == 2:
            return mm(unsqueeze(input, 0), other).reshape((other.shape[-1],))
        return matmul_many(unsqueeze(input, 0), other).reshape((*other.shape[:-2], other.shape[-1]))
    if na == 3 and nb == 3 and input.shape[0] == other.shape[0]:
        return bmm(input, other)
    return matmul_many(input, other)


def _check_linear(input: Any, weight: Any, bias: Any) -> None:
    if weight.ndim not in (1, 2) or input.ndim == 0:
        raise RuntimeError(
            f"both arguments to linear need to be at least 1D, but they are {input.ndim}D and {weight.ndim}D"
        )
    if input.shape[-1] != weight.shape[-1]:
        rows = int(np.prod(input.shape[:-1]))
        if input.ndim == 1:
            raise RuntimeError(
                f"size mismatch, got input ({weight.shape[0]}), mat ({_shape(weight)}), vec ({input.shape[0]})"
            )
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({rows}x{input.shape[-1]} and "
            f"{weight.shape[-1]}x{weight.shape[0]})"
        )
    for x in (weight, bias):
        if x is not None and x.dtype != input.dtype:
            raise RuntimeError(
                f"mat1 and mat2 must have the same dtype, but got {dtypes.of(input.dtype).tensor_type} and "
                f"{dtypes.of(x.dtype).tensor_type}"
            )


def _weight_grad(g: Any, input: Any) -> Any:
    if input.ndim == 2:
        return mm_tn(g, input.conjugate())
    rows = prod(input.shape[:-1])
    return mm_tn(g.reshape((rows, g.shape[-1])), input.reshape((rows, input.shape[-1])).conjugate())


def _affine_back(g: Any, input: Any, weight: Any) -> Any:
    """All gradients of rows in more than one dimension: one product each."""
    if g.ndim < 3 or not g.flags.c_contiguous or g.dtype.kind == "V":
        return None
    rows = g.reshape(-1, g.shape[-1])
    at = input.reshape(-1, input.shape[-1])
    return (
        np.matmul(rows, weight.conjugate()).reshape(input.shape),
        np.matmul(rows.T, at.conjugate()),
        np.add.reduce(rows, axis=0),
    )


@general(
    "affine",
    precision="lower",
    input=lambda g, weight: g @ weight.conjugate(),
    weight=lambda g, input: _weight_grad(g, input),
    bias=lambda g, bias_shape: sum_dim(g, tuple(range(g.ndim - 1))) if g.ndim > 1 else g,
    fused=lambda g, input, weight: _affine_back(g, input, weight),
    jvp=lambda input, weight, bias, t_input, t_weight, t_bias: affine_jvp(
        input, weight, bias, t_input, t_weight, t_bias
    ),
    promote="same",
    check=_check_linear,
    node="AddmmBackward0",
    method=False,
    tex=r"{input}\,{weight}^{{\mathsf T}} + {bias}",
)
def affine(input: Array, weight: Array, bias: Array | None = None) -> Any:
    """`input @ weight.T + bias`: (*, n), (m, n) and (m,) give (*, m)."""
    if weight.ndim != 2:
        raise ValueError("a matrix expected")
    out = _matmul(input, weight.T)
    if bias is not None:
        if out.ndim:
            out += bias
        else:
            out = out + bias
    return out


def affine_jvp(input: Any, weight: Any, bias: Any, t_input: Any, t_weight: Any, t_bias: Any) -> Any:
    """The affine map's tangent: it is bilinear in input and weight, and linear in the bias."""
    t = affine(t_input, weight) + affine(input, t_weight)
    return t if bias is None else t + t_bias


@composite("nn.functional.linear", method=False, out=True)
def linear_(input: Any, weight: Any, bias: Any = None) -> Any:
    """`input @ weight.T + bias`, the dense layer. A weight (n,) gives a number for each row."""
    if getattr(weight, "ndim", 2) == 1:
        out = matmul(input, weight)
        return out if bias is None else out + bias
    return affine(input, weight, bias)


def scaled_sum(base: Any, product: Any, beta: Any, alpha: Any) -> Any:
    """`beta * base + alpha * product`; for beta = 0 what `base` holds, NaN included, does not count."""
    if product.dtype.category < dtypes.FLOATING:
        for name, factor in (("beta", beta), ("alpha", alpha)):
            if isinstance(factor, float):  # (PyTorch says so too, but in `addr` alone: the others cut 0.5 to 0)
                raise RuntimeError(f"For integral input tensors, argument {name} must not be a floating point number.")
    product = product if alpha == 1 else product * alpha
    if beta == 0:
        return expand(product, tuple(product.shape))
    return (base if beta == 1 else base * beta) + product


@composite("addmm", precision="lower", out=True, inplace=True)
def addmm(input: Any, mat1: Any, mat2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """`beta * input + alpha * (mat1 @ mat2)`."""
    return scaled_sum(input, mm(mat1, mat2), beta, alpha)


@composite("addmv", out=True, inplace=True)
def addmv(input: Any, mat: Any, vec: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """`beta * input + alpha * (mat @ vec)`."""
    return scaled_sum(input, mv(mat, vec), beta, alpha)


@composite("baddbmm", precision="lower", out=True, inplace=True)
def baddbmm(input: Any, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """`beta * input + alpha * (batch1 @ batch2)`."""
    return scaled_sum(input, bmm(batch1, batch2), beta, alpha)


@composite("addbmm", precision="lower", out=True, inplace=True)
def addbmm(input: Any, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """`beta * input + alpha * ` the sum over the batch of `batch1 @ batch2`."""
    return scaled_sum(input, sum_(bmm(batch1, batch2), 0), beta, alpha)


__all__ = ["addbmm", "addmm", "addmv", "baddbmm", "bmm", "dot", "matmul", "mm", "mv"]
