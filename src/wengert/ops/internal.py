"""Operators that PyTorch's own functions are made of, for programs that call them: each in a line or two of others.

Those that PyTorch has in its main namespace have their plain name; the rest are `aten.<name>`, shown by `ops.aten`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.modes import no_grad
from ..core.op import composite
from ..core.tensor import wrap
from ..kernels.memory import lying, zeros_lying
from . import batch_norm, convolution, normalisation, pooling, resampling
from .choosing import clamp, where
from .extrema import amax
from .indexing import index_put
from .joining import cat
from .meeting import index_reduce
from .moments import var_mean
from .powers import rsqrt
from .reductions import sum
from .shape import reshape
from .shared import wrap_dim
from .softmax import softmax

__all__ = [
    "_chunk_cat", "_native_batch_norm_legit", "_segment_reduce", "_unsafe_masked_index", "_unsafe_masked_index_put_accumulate",
    "native_batch_norm", "native_group_norm", "native_layer_norm", "segment_reduce",
]  # fmt: skip


# -- softmax, dropout, pooling, resampling -----------------------------------------------------------------------


@composite("aten._softmax_backward_data")
def _softmax_backward_data(grad_output: Any, output: Any, dim: int, input_dtype: Any) -> Any:
    """The gradient of softmax from its result."""
    return ((grad_output - sum(grad_output * output, dim, True)) * output).to(input_dtype)


@composite("aten._safe_softmax")
def _safe_softmax(input: Any, dim: int, dtype: Any = None) -> Any:
    """Softmax that is 0, not NaN, where every element is -inf."""
    if input.numel() == 0:
        return softmax(input, dim, dtype=dtype)
    dead = amax(input.detach(), (dim,), True) == -np.inf
    return where(dead, 0.0, softmax(where(dead, 0.0, input), dim, dtype=dtype))


@composite("aten.native_dropout_backward")
def native_dropout_backward(grad_output: Any, mask: Any, scale: float) -> Any:
    """The gradient of dropout."""
    return grad_output * mask * scale


@composite("aten.max_pool2d_with_indices_backward")
def max_pool2d_with_indices_backward(
    grad_output: Any,
    input: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    indices: Any,
) -> Any:
    """The gradient of max pooling: put where the maxima were. In `input` it is constant, piece by piece."""
    nothing = where(wrap(np.zeros((), np.bool_)), input, 0.0)
    return pooling.put_places(grad_output, indices, tuple(input.shape[-2:])) + nothing


@composite("aten._upsample_bilinear2d_aa")
def _upsample_bilinear2d_aa(
    input: Any,
    output_size: Any,
    align_corners: bool,
    scale_factors: Any = None,
    scales_w: Any = None,
    *,
    scales_h: Any = None,
) -> Any:
    """Bilinear resampling that filters first. Scales are given as a list, or as `scales_h` and `scales_w`."""
    if not isinstance(scale_factors, (list, tuple)) and scale_factors is not None:
        scales_h, scale_factors = scale_factors, None
    factors: Any = scale_factors or ((scales_h, scales_w) if scales_h and scales_w else None)
    if output_size is None:
        output_size = [int(n * f) for n, f in zip(input.shape[2:], factors, strict=True)]
    row = resampling._ROWS["bilinear", True, 2]
    return row(input, tuple(output_size), bool(align_corners), None if factors is None else tuple(factors))


# -- normalisation, with the statistics it used ------------------------------------------------------------------


@composite("native_layer_norm", method=False)
def native_layer_norm(input: Any, normalized_shape: Any, weight: Any, bias: Any, eps: float) -> Any:
    """`(layer norm, mean, 1 / deviation)`; only the first has a gradient."""
    out = normalisation.layer_norm(input, normalized_shape, weight, bias, eps)
    with no_grad():
        axes = tuple(range(input.ndim - len(normalized_shape), input.ndim))
        var, mean = var_mean(input.detach(), axes, correction=0, keepdim=True)
        return out, mean, rsqrt(var + eps)


@composite("native_group_norm", method=False)
def native_group_norm(input: Any, weight: Any, bias: Any, N: int, C: int, HxW: int, group: int, eps: float) -> Any:
    """`(group norm, mean, 1 / deviation)`, all of them with gradients."""
    rows = reshape(input, (N, group, C // group * HxW))
    var, mean = var_mean(rows, -1, correction=0, keepdim=True)
    rstd = rsqrt(var + eps)
    out = reshape((rows - mean) * rstd, tuple(input.shape))
    along = (1, C, *(1,) * (input.ndim - 2))
    out = out if weight is None else out * reshape(weight, along)
    out = out if bias is None else out + reshape(bias, along)
    return out, mean.squeeze(-1), rstd.squeeze(-1)


@composite("native_batch_norm", method=False)
def native_batch_norm(
    input: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, training: bool, momentum: float, eps: float
) -> Any:
    """`(batch norm, mean, 1 / deviation)`, the running statistics brought up to date; statistics are empty in evaluation."""
    out = batch_norm.batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps)
    with no_grad():
        if not training:
            return out, input.new_empty((0,)), input.new_empty((0,))
        axes = tuple(d for d in range(input.ndim) if d != 1)
        var, mean = var_mean(input.detach(), axes, correction=0)
        return out, mean, rsqrt(var + eps)


@composite("_native_batch_norm_legit", method=False)
def _native_batch_norm_legit(input: Any, weight: Any, bias: Any, *rest: Any) -> Any:
    """`native_batch_norm`, with or without running statistics among its arguments."""
    if len(rest) == 3:
        rest = (None, None, *rest)
    return native_batch_norm(input, weight, bias, *rest)


@composite("aten._batch_norm_with_update")
def _batch_norm_with_update(
    input: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, momentum: float, eps: float
) -> Any:
    """`native_batch_norm` in training, and an empty place for a GPU's notes."""
    results = native_batch_norm(input, weight, bias, running_mean, running_var, True, momentum, eps)
    return (*results, wrap(np.empty(0, np.uint8)))


# -- indexing and joining ----------------------------------------------------------------------------------------


def _inside(input: Any, indices: Any) -> tuple[Any, ...]:
    """Indices brought inside: where they were not, the mask does not look."""
    return tuple(
        slice(None) if i is None else clamp(i, -input.shape[d], input.shape[d] - 1) for d, i in enumerate(indices)
    )


@composite("_unsafe_masked_index", method=False)
def _unsafe_masked_index(input: Any, mask: Any, indices: Any, fill: Any) -> Any:
    """`input[indices]` where `mask`, `fill` elsewhere (there an index may be anything)."""
    return where(mask, input[_inside(input, indices)], fill)


@composite("_unsafe_masked_index_put_accumulate", method=False)
def _unsafe_masked_index_put_accumulate(input: Any, mask: Any, indices: Any, values: Any) -> Any:
    """`input` with `values` added at `indices` where `mask`."""
    return index_put(input, _inside(input, indices), where(mask, values, 0), accumulate=True)


@composite("_chunk_cat", method=False, out=True)
def _chunk_cat(tensors: Any, dim: int, num_chunks: int) -> Any:
    """Each tensor cut along `dim` into `num_chunks` (zeros fill the last), flattened from there on, and joined chunk by chunk."""
    if num_chunks < 1:
        raise RuntimeError("_chunk_cat expects positive num_chunks")
    if not tensors:
        raise RuntimeError("_chunk_cat expects a non-empty input tensor list")
    if any(t.numel() == 0 for t in tensors):
        raise RuntimeError("_chunk_cat expects non-empty tensor")
    if dim < 0:
        if len({t.ndim for t in tensors}) > 1:
            raise RuntimeError("_chunk_cat expects non-negative dim when input tensors have different ndims")
        dim = wrap_dim(dim, tensors[0].ndim)
    if any(dim >= t.ndim for t in tensors):
        raise RuntimeError("_chunk_cat expects dim < ndim for all input tensors")
    lead = tuple(tensors[0].shape[:dim])
    if any(tuple(t.shape[:dim]) != lead for t in tensors):
        raise RuntimeError("_chunk_cat expects same sizes of 0,...,dim-1 dimensions for all tensors")
    pieces = []
    for t in tensors:
        n = t.shape[dim]
        short = -n % num_chunks
        if short:
            t = cat([t, t.new_zeros((*lead, short, *t.shape[dim + 1 :]))], dim)
        pieces.append(reshape(t, (*lead, num_chunks, -1)))
    return cat(pieces, dim + 1)


# -- segments ----------------------------------------------------------------------------------------------------


@composite("segment_reduce", method=False)
def segment_reduce(
    data: Any,
    reduce: str,
    *,
    lengths: Any = None,
    indices: Any = None,
    offsets: Any = None,
    axis: int = 0,
    unsafe: bool = False,
    initial: Any = None,
) -> Any:
    """Sums, means, products, maxima or minima of consecutive segments along `axis`.

    Segments are told by `lengths` or `offsets`, whose last dimension runs along `axis` and whose others are data's first.
    `initial` takes part in each (a mean's sum begins with it).
    """
    name = "segment_reduce(): "
    if reduce not in ("sum", "mean", "max", "min", "prod"):
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    if indices is not None:
        raise RuntimeError(name + "indices based reduction is not supported yet.")
    if lengths is None and offsets is None:
        raise RuntimeError(name + "Either lengths or offsets must be defined.")
    d = wrap_dim(axis, data.ndim)
    given = lengths if lengths is not None else offsets
    if d != given.ndim - 1:
        raise RuntimeError(name + f"Expected axis to be the last dimension of lengths but got {axis}.")
    sizes = given.detach().numpy()
    if sizes.dtype.kind not in "iu":
        raise NotImplementedError(
            f"\"_segment_reduce_lengths_cpu_kernel1\" not implemented for '{given.dtype.tensor_type}'"
        )
    starts = np.zeros_like(sizes[..., :1]) if lengths is not None else sizes[..., :1]
    sizes = sizes if lengths is not None else np.diff(sizes, axis=-1)
    if (sizes < 0).any():
        raise RuntimeError("lengths contains negative value!")
    if lengths is not None and not unsafe and (sizes.sum(-1) != data.shape[d]).any():
        raise RuntimeError(
            name + "Expected all rows of lengths along axis to sum to data.size(lengths.dim()-1) when !unsafe."
        )
    lead, rest = tuple(data.shape[:d]), tuple(data.shape[d + 1 :])
    count, n, m = int(np.prod(lead, dtype=int)), data.shape[d], sizes.shape[-1]
    # All segments of all rows one after the other: which elements, and where each goes.
    flat = sizes.reshape(-1)
    ends = (starts + np.cumsum(sizes, -1)).reshape(-1) + np.repeat(np.arange(count) * n, m)
    to = np.repeat(np.arange(count * m), flat)
    elements = np.arange(len(to)) + np.repeat(ends - np.cumsum(flat), flat)
    rows = reshape(data, (count * n, *rest))[wrap(elements)]
    out = _meeting(rows, wrap(to), data.new_tensor(flat).reshape((-1, *(1,) * len(rest))), reduce, initial)
    return reshape(out, (*lead, m, *rest))


def _meeting(rows: Any, to: Any, sizes: Any, reduce: str, initial: Any) -> Any:
    shape = (sizes.shape[0], *rows.shape[1:])
    if reduce in ("sum", "mean"):
        total = rows.new_full(shape, 0 if initial is None else initial).index_add(0, to, rows)
        if reduce == "sum":
            return total
        empty = sizes == 0
        return where(empty, np.nan if initial is None else initial, total / where(empty, 1, sizes))
    if reduce == "prod":
        out = index_reduce(rows.new_ones(shape), 0, to, rows, "prod")
        return out if initial is None else out * initial
    worst = -np.inf if reduce == "max" else np.inf
    out = index_reduce(rows.new_full(shape, worst), 0, to, rows, "a" + reduce)
    if initial is None:
        return out
    # At a tie with `initial` the elements keep the gradient.
    return where(out < initial if reduce == "max" else out > initial, initial, out)


composite("_segment_reduce", method=False)(segment_reduce)
_segment_reduce = segment_reduce


# -- convolutions, tangents --------------------------------------------------------------------------------------


@composite("aten.convolution_backward")
def convolution_backward(
    grad_output: Any,
    input: Any,
    weight: Any,
    bias_sizes: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
    output_mask: Any,
) -> Any:
    """The gradients of `convolution` with respect to input, weight and bias; None for those that the mask leaves out.

    `output_padding` is not needed: the shapes say it.
    """
    rank = len(weight.shape) - 2
    options = (*(tuple(x) * rank if len(x) == 1 else tuple(x) for x in (stride, padding, dilation)), groups)
    x = w = b = None
    if output_mask[0]:
        x = (
            convolution.leading(convolution.direct(grad_output, weight.conj(), None, *options), input.shape)
            if transposed
            else convolution.transposed(grad_output, weight.conj(), None, input.shape[2:], *options)
        )
    if output_mask[1]:
        pair = (grad_output, input.conj()) if transposed else (input.conj(), grad_output)
        w = convolution.weight_gradient(*pair, tuple(weight.shape), *options)
    if output_mask[2]:
        b = sum(grad_output, (0, *range(2, rank + 2)))
    return x, w, b


@composite("aten._new_zeros_with_same_feature_meta")
def _new_zeros_with_same_feature_meta(input: Any, other: Any, *, self_num_batch_dims: int = 0) -> Any:
    """Zeros that lie in memory as `other` does, one for each of the leading `self_num_batch_dims` dimensions of `input`."""
    like = other._array
    return wrap(zeros_lying(tuple(input.shape[:self_num_batch_dims]), like.shape, lying(like), like.dtype))
