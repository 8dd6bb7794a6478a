"""`out=`: results are stored in tensors given for them. What dtypes those may have, and where they may lie, is asked here.

PyTorch asks in three ways. Most operations store in any dtype of the result's category or a higher one. Some want the very
dtype of the result, each in words of its own (`_EXACT`). And where the numbers read may not lie where results are written,
an overlap is an error, though here the result is complete before any of it is stored.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from . import dtypes
from .modes import LOCAL, set_mode
from .op import TABLE, Op
from .tensor import Tensor
from .views import bump, check_inplace, check_overlap, check_partial_overlap

# What is said if the dtype is another than the result's, and who says it. {r} is the result's dtype, {o} that of `out`, in
# PyTorch's names; {rc} and {oc} in those of C++.
_EXACT_WORDS = {
    "Expected out tensor to have dtype {rc}, but got {oc} instead": """
        addmm addmv alias_copy aminmax argmax argmin as_strided_copy baddbmm bmm cross diag diagonal_copy expand_copy gather
        index_add index_copy index_reduce isin linalg.cholesky linalg.cholesky_ex linalg.cross linalg.det linalg.eigh
        linalg.eigvalsh linalg.inv linalg.inv_ex linalg.ldl_factor linalg.ldl_factor_ex linalg.ldl_solve linalg.lu
        linalg.lu_factor linalg.lu_factor_ex linalg.lu_solve linalg.qr linalg.slogdet linalg.solve linalg.solve_ex
        linalg.svd linalg.svdvals linalg.vector_norm log_softmax lu_solve lu_unpack mm msort nn.functional.avg_pool2d
        nn.functional.avg_pool3d nn.functional.linear norm permute_copy qr renorm scatter scatter_add scatter_reduce
        slice_scatter softmax sort split_with_sizes_copy squeeze_copy t_copy take_along_dim topk transpose_copy
        triangular_solve tril triu unbind_copy unfold_copy unsqueeze_copy view_copy
    """,
    "Found dtype {o} but expected {r}": """
        abs bitwise_not ceil conj_physical floor frac hardshrink neg nn.functional.gelu nn.functional.hardshrink
        nn.functional.softplus nn.functional.softshrink round sgn sign trunc
    """,
    "result dtype {o} does not match input dtype {r}": "dot matmul vdot",
    "expected scalar_type {r} but found {o}": "cummax cummin diff logcumsumexp",
    "expected scalar type {r} but found {o}": "linalg.solve_triangular nn.functional.logsigmoid",
    "Expected object of scalar type {r} but got scalar type {o} for argument 'out'": "complex polar",
    "Expected the dtype for input and out to match, but got {r} for input's dtype and {o} for out's dtype.": "amax amin",
    "quantile() out tensor must be same dtype as the input tensor": "nanquantile quantile",
    "tensordot: Expected the output tensor to have dtype {r}, but got an output tensor with dtype {o}": "inner tensordot",
    "linalg.matrix_norm expected out tensor dtype {r} but got: {o}": "linalg.matrix_norm",
    "linalg.norm expected out tensor dtype {r} but got: {o}": "linalg.norm",
    "linalg.vecdot: Expected out of dtype{r} but found {o}": "linalg.vecdot",
    "multi_dot(): expected out tensor to have dtype {rc} but got {oc}": "linalg.multi_dot",
    "torch.frexp() expects mantissa to have dtype {rc} but got {oc}": "frexp",
    "output values must be of same type as input": "kthvalue",
    "masked_select(): self and result must have the same scalar type": "masked_select",
    "index_select(): self and result must have the same scalar type": "index_select",
    "take(): self and out expected to have the same dtype, but got self.dtype = {r} and out.dtype = {o}": "take",
    "expected scalar type '{r}' but got '{o}' for values output": "mode",
    "nan_to_num: dtype of out: {o} should be same as input: {r}": "nan_to_num",
    "the output given to float_power has dtype {o} but the operation's result requires dtype {r}": "float_power",
    "signbit does not support non-boolean outputs.": "signbit",
    "isposinf does not support non-boolean outputs.": "isposinf",
    "isneginf does not support non-boolean outputs.": "isneginf",
    "Expected out type to be {r} but got {o}": "where",
    "addmv input tensors must have the same dtype, but got {o}, {r}, and {r}": "mv",
    "self and mat2 must have the same dtype, but got {o} and {r}": "addbmm",
    "torch.ormqr: Expected input and result to have the same dtype, but input has dtype{r} and result has dtype {o}": "ormqr",
    "Expected result to be of dtype uint64, but got {o}": "hash_tensor",
    "torch.histogram: input tensor and hist tensor should have the same dtype, but got input {rc} and hist {oc}": """
        histc histogram
    """,
    "heaviside is not yet implemented for tensors with different dtypes.": "heaviside",
    "torch.searchsorted(): output tensor's dtype is wrong, it can only be Int(int32) or Long(int64) depending on whether "
    "out_int32 flag is True, but we got output tensor's dtype {o} and a result of dtype {r}": "bucketize searchsorted",
    "nonzero: Expected out tensor to have scalar type {r} but got scalar type{o}": "nonzero",
}
_EXACT = {name: words for words, names in _EXACT_WORDS.items() for name in names.split()}
# Of several results, the words for the second.
_SECOND = {
    "kthvalue": "output indices must be of scalar type {r}",
    "mode": "expected scalar type '{r}' but got '{o}' for indices output",
    "frexp": "torch.frexp() expects exponent to have int dtype but got {oc}",
}
# A category that `out=` must have, whatever the result's dtype, and the name that says so.
_COMPLEX_ONLY = {
    "fft.fft": "fft", "fft.fft2": "fftn", "fft.fftn": "fftn", "fft.ifft": "ifft", "fft.ifft2": "fftn", "fft.ifftn": "fftn",
    "fft.rfft": "rfft", "fft.rfft2": "rfftn", "fft.rfftn": "rfftn", "fft.ihfft": "ihfft", "fft.ihfft2": "ihfftn",
    "fft.ihfftn": "ihfftn",
}  # fmt: skip
_FLOATING_ONLY = {
    "fft.hfft": "hfft", "fft.hfft2": "hfftn", "fft.hfftn": "hfftn", "fft.irfft": "irfft", "fft.irfft2": "irfftn",
    "fft.irfftn": "irfftn",
}  # fmt: skip
_TYPE_ERROR = frozenset("cat column_stack concat concatenate dstack hstack row_stack stack vstack".split())  # noqa: SIM905
_ONLY_PAIRS = frozenset(["max", "min"])  # these ask exactly if they give values and indices

# `out=` may not share memory with what is read: not at all, or not in part.
_APART = frozenset(
    "cat cross gather index_select kthvalue linalg.cross masked_select take take_along_dim".split()  # noqa: SIM905
)
_NOT_IN_PART = frozenset(
    """
    addbmm addmm addmv addr baddbmm clamp_max clamp_min cumprod cumsum diff div float_power frexp index_add index_copy
    index_reduce kron ldexp logcumsumexp max min mode msort nn.functional.gelu nn.functional.hardshrink
    nn.functional.softplus nn.functional.softshrink outer polygamma renorm round scatter scatter_add scatter_reduce sort
    split_with_sizes_copy topk triangular_solve true_divide
    """.split()  # noqa: SIM905
)

_IN_C = {
    "float16": "c10::Half", "float32": "float", "float64": "double", "int8": "signed char", "int16": "short int",
    "int32": "int", "int64": "long int", "uint8": "unsigned char", "bool": "bool", "complex64": "c10::complex<float>",
    "complex128": "c10::complex<double>", "bfloat16": "c10::BFloat16",
}  # fmt: skip


def store_out(name: str, fn: Any, args: Sequence[Any], kwargs: dict[str, Any], out: Any) -> Any:
    """`out=` of a composite: compute without recording, store."""
    simple = name.rsplit(".", 1)[-1]
    outs = out if isinstance(out, (tuple, list)) else (out,)
    if not all(isinstance(t, Tensor) for t in outs):
        raise TypeError(f"{simple}(): argument 'out' must be Tensor, not {type(out).__name__}")
    given = [x for v in (*args, *kwargs.values()) for x in (v if isinstance(v, (tuple, list)) else (v,))]
    if LOCAL.grad and any(isinstance(x, Tensor) and x._rg for x in (*given, *outs)):
        raise RuntimeError(
            f"{simple}(): functions with out=... arguments don't support automatic differentiation, but one of the "
            "arguments requires grad."
        )
    if LOCAL.dual_level >= 0:
        from .forward_ad import has_tangents, refuse_out

        if has_tangents([*given, *outs]):
            refuse_out(name)
    before = set_mode("grad", False)
    try:
        result = fn(*args, **kwargs)
    finally:
        set_mode("grad", before)
    results = list(result) if isinstance(result, tuple) else [result]
    store(outs, results, name, given)
    return out if not isinstance(result, tuple) else type(result)(*outs) if hasattr(result, "_fields") else tuple(outs)


def write_out(op: Op, vals: Sequence[Any], out: Any, outputs: list[Tensor]) -> Any:
    """Store the results of a row in the tensors given as `out=`."""
    outs = out if isinstance(out, (tuple, list)) else (out,)
    given = [x for v in vals for x in (v if isinstance(v, (tuple, list)) else (v,))]
    store(outs, outputs, op.name, given)
    if len(outputs) == 1:
        return out
    return tuple(outs) if op.result is tuple else op.result(*outs)


def store(outs: Sequence[Tensor], outputs: Sequence[Tensor], name: str = "", given: Iterable[Any] = ()) -> None:
    """Copy results into given tensors, which are resized where their shape does not fit."""
    read = [x for x in given if isinstance(x, Tensor) and isinstance(x._array, np.ndarray)]
    for i, (target, result) in enumerate(zip(outs, outputs, strict=True)):
        _check_dtype(name, i, len(outputs), result.dtype, target.dtype)
        check_inplace(target, False)
        check_overlap(target._array)
        if read:
            _check_places(name, target, read)
    for target, result in zip(outs, outputs, strict=True):
        if LOCAL.mutation is not None:
            LOCAL.mutation.changing(target)
        if target._array.shape != result._array.shape:
            _resize(target, result._array.shape)
        target._array[...] = result._array
        bump(target)


def _check_dtype(name: str, i: int, count: int, have: dtypes.dtype, want: dtypes.dtype) -> None:
    words = _EXACT.get(name)
    if name in _ONLY_PAIRS and count == 2:
        words = _EXACT["gather"]
    if i and words is not None:
        words = _SECOND.get(name, words)
    if words is not None and have is not want:
        raise RuntimeError(
            words.format(
                r=have.tensor_type,
                o=want.tensor_type,
                rc=_IN_C.get(have.name, have.name),
                oc=_IN_C.get(want.name, want.name),
            )
        )
    if name in _COMPLEX_ONLY and not want.is_complex:
        raise RuntimeError(f"{_COMPLEX_ONLY[name]} expects a complex output tensor, but got {want.tensor_type}")
    if name in _FLOATING_ONLY and not want.is_floating_point:
        raise RuntimeError(f"{_FLOATING_ONLY[name]} expects a floating point output tensor, but got {want.tensor_type}")
    if name in ("all", "any") and want is not dtypes.bool_ and want is not dtypes.uint8:
        raise RuntimeError(f"{name} only supports bool tensor for result, got: {want.tensor_type}")
    if have.category > want.category:
        if name in _TYPE_ERROR:
            raise TypeError(f"torch.cat(): input types can't be cast to the desired output type {want.tensor_type}")
        raise RuntimeError(
            f"result type {have.tensor_type} can't be cast to the desired output type {want.tensor_type}"
        )


def _check_places(name: str, target: Tensor, read: list[Tensor]) -> None:
    if name in _APART:
        for x in read:
            if x is target or np.may_share_memory(target._array, x._array):
                check_partial_overlap(target._array, x._array, whole=True)
    elif name in _NOT_IN_PART or (name in TABLE and TABLE[name].kind == "elementwise"):
        for x in read:
            check_partial_overlap(target._array, x._array)


def _resize(target: Tensor, shape: tuple[int, ...]) -> None:
    if target._array.size:
        warnings.warn(
            f"An output with one or more elements was resized since it had shape {list(target._array.shape)}, which does "
            f"not match the required output shape {list(shape)}. This behavior is deprecated, and in a future PyTorch "
            "release outputs will not be resized unless they have zero elements. You can explicitly reuse an out tensor "
            "t by resizing it, inplace, to zero elements with t.resize_(0).",
            UserWarning,
            stacklevel=5,
        )
    target._array = np.empty(shape, target._array.dtype)
