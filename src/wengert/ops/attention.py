"""Attention: scaled dot products, and many heads of it. A. Vaswani et al., 2017."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from ..core.blocks import rowwise
from ..core.op import Array, composite, general
from ..core.tensor import wrap
from ..kernels import softmax as kernel
from .dropout import dropout
from .joining import cat
from .matmul import _word, bmm, linear_, matmul
from .softmax import softmax_back, softmax_rows


@general(
    "safe_softmax",
    input=lambda g, out, dim: softmax_back(g, out, dim),
    jvp=lambda out, t_input, dim: softmax_back(t_input, out, dim),
    node="SafeSoftmaxBackward0",
    method=False,
    tex=r"\operatorname{{softmax}} {input}",
)
def safe_softmax(input: Array, dim: int) -> Any:
    """`softmax`, but zeros where everything along `dim` is -inf: a query that may look at nothing."""
    axis = dim % max(input.ndim, 1)
    out = rowwise(kernel.softmax, axis, input)
    if input.size and np.isnan(out.take(0, axis) if out.ndim else out).any():  # so are all of a lost row
        lost = np.maximum.reduce(input, axis=axis, keepdims=True) == -np.inf
        out[np.broadcast_to(lost, out.shape)] = 0
    return out


def _bias(mask: Any, dtype: Any) -> Any:
    """A mask of bools (True: takes part) as what is added to the scores."""
    if mask._array.dtype.kind != "b":
        return mask
    return wrap(np.where(mask._array, dtype.type(0), dtype.type(-np.inf)))


def _check(query: Any, key: Any, value: Any, attn_mask: Any, dropout_p: float, is_causal: bool) -> None:
    if query.dtype is not key.dtype or query.dtype is not value.dtype:
        q, k, v = (_word(x.dtype.np) for x in (query, key, value))
        raise RuntimeError(
            "Expected query, key, and value to have the same dtype, but got query.dtype: "
            f"{q} key.dtype: {k} and value.dtype: {v} instead."
        )
    if min(query.ndim, key.ndim, value.ndim) < 2:
        raise RuntimeError(
            "Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: "
            f"{query.ndim} key.dim: {key.ndim} and value.dim: {value.ndim} instead."
        )
    if attn_mask is not None:
        kind = attn_mask._array.dtype
        if kind.kind != "b" and kind != query.dtype.np and kind != np.float32:
            raise RuntimeError(
                "Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: "
                f"{_word(kind)} and  query.dtype: {_word(query.dtype.np)} instead."
            )
        if is_causal:
            raise RuntimeError(
                "_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True"
            )
    if not 0 <= dropout_p <= 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {dropout_p:g}")


@composite("nn.functional.scaled_dot_product_attention", precision="lower", method=False)
def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """softmax(query key^T * scale + mask) value: (*, l, e), (*, s, e) and (*, s, v) give (*, l, v).

    `attn_mask` is added to the scores, or, if of bools, says which take part; `is_causal` lets query i look at keys
    up to i; `scale` is 1 / sqrt(e) by default. With `enable_gqa` key and value may have fewer heads (dimension -3).
    """
    _check(query, key, value, attn_mask, dropout_p, is_causal)
    if enable_gqa:
        heads = query.shape[-3]
        if heads % key.shape[-3] or heads % value.shape[-3]:
            raise RuntimeError("Number of heads in key and value must divide the number of heads in query")
        key, value = (
            x if x.shape[-3] == heads else x.repeat_interleave(heads // x.shape[-3], -3) for x in (key, value)
        )
    if scale is None:
        scale = 1 / math.sqrt(query.shape[-1]) if query.shape[-1] else 1.0
    dtype = query.dtype.np
    scores = matmul(query * scale, key.transpose(-2, -1))
    if is_causal:
        later = np.tri(query.shape[-2], key.shape[-2], dtype=np.bool_)
        scores = scores + wrap(np.where(later, dtype.type(0), dtype.type(-np.inf)))
    elif attn_mask is not None:
        bias = _bias(attn_mask, dtype)
        scores = scores + (bias if bias.dtype is query.dtype else bias.to(query.dtype))
    weights = safe_softmax(scores, -1)
    if dropout_p > 0:
        weights = dropout(weights, dropout_p, True)
    return matmul(weights, value)


# -- many heads --------------------------------------------------------------------------------------------------


def _check_shapes(query: Any, key: Any, value: Any, key_padding_mask: Any, attn_mask: Any, num_heads: int) -> bool:
    """PyTorch's assertions on dimensions; is there a batch?"""
    if query.ndim not in (2, 3):
        raise AssertionError(
            f"query should be unbatched 2D or batched 3D tensor but received {query.ndim}-D query tensor"
        )
    word, n = ("batched", 3) if query.ndim == 3 else ("unbatched", 2)
    if key.ndim != n or value.ndim != n:
        raise AssertionError(
            f"For {word} ({n}-D) `query`, expected `key` and `value` to be {n}-D but found {key.ndim}-D and {value.ndim}-D "
            "tensors respectively"
        )
    if key_padding_mask is not None and key_padding_mask.ndim != n - 1:
        raise AssertionError(
            f"For {word} ({n}-D) `query`, expected `key_padding_mask` to be `None` or {n - 1}-D but found "
            f"{key_padding_mask.ndim}-D tensor instead"
        )
    if attn_mask is not None:
        if attn_mask.ndim not in (2, 3):
            raise AssertionError(
                f"For {word} ({n}-D) `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found "
                f"{attn_mask.ndim}-D tensor instead"
            )
        if n == 2 and attn_mask.ndim == 3:
            expected = (num_heads, query.shape[0], key.shape[0])
            if tuple(attn_mask.shape) != expected:
                raise AssertionError(f"Expected `attn_mask` shape to be {expected} but got {attn_mask.shape}")
    return n == 3


def _canonical(mask: Any, name: str, other: Any, other_name: str, dtype: Any) -> Any:
    """A mask as what is added to scores. For `multi_head_attention_forward` True means: does not take part."""
    if mask is None:
        return None
    if mask._array.dtype.kind not in "bf":
        raise RuntimeError(f"only bool and floating types of {name} are supported")
    if other is not None and mask.dtype is not other.dtype:
        warnings.warn(
            f"Support for mismatched {name} and {other_name} is deprecated. Use same type for both instead.",
            stacklevel=4,
        )
    if mask._array.dtype.kind == "f":
        return mask
    return wrap(np.where(mask._array, dtype.np.type(-np.inf), dtype.np.type(0)))


def _project(query: Any, key: Any, value: Any, w: Any, b: Any) -> tuple[Any, Any, Any]:
    """The three projections from their packed weights: in one product where the arguments are one tensor."""
    e = query.shape[-1]
    if query is key and key is value:
        packed = linear_(query, w, b)
        return tuple(packed.narrow(-1, i * e, e) for i in range(3))
    weights = [w.narrow(0, i * e, e) for i in range(3)]
    biases = [None] * 3 if b is None else [b.narrow(0, i * e, e) for i in range(3)]
    return tuple(linear_(x, weight, bias) for x, weight, bias in zip((query, key, value), weights, biases, strict=True))


def _one_more(mask: Any) -> Any:
    """A column for one more key, which every query may look at."""
    if mask is None:
        return None
    return cat([mask, wrap(np.zeros((*mask.shape[:-1], 1), mask.dtype.np))], -1)


def _heads(x: Any, rows: int) -> Any:
    """(length, batch, e) as (batch * heads, length, e / heads)."""
    length = x.shape[0]
    return x.reshape((length, rows, x.numel() // max(length * rows, 1))).transpose(0, 1)


@composite("nn.functional.multi_head_attention_forward", method=False)
def multi_head_attention_forward(
    query: Any,
    key: Any,
    value: Any,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Any,
    in_proj_bias: Any,
    bias_k: Any,
    bias_v: Any,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Any,
    out_proj_bias: Any,
    training: bool = True,
    key_padding_mask: Any = None,
    need_weights: bool = True,
    attn_mask: Any = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Any = None,
    k_proj_weight: Any = None,
    v_proj_weight: Any = None,
    static_k: Any = None,
    static_v: Any = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Any, Any]:
    """Attention with several heads: query (l, n, e) or (l, e), key and value (s, n, *) or (s, *).

    Returns the result, shaped as the query, and the weights (n, l, s), averaged over the heads, or None.
    """
    batched = _check_shapes(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        same = query is key, key is value
        query = query.unsqueeze(1)
        key = query if same[0] else key.unsqueeze(1)
        value = key if same[1] else value.unsqueeze(1)
        if key_padding_mask is not None:
            key_padding_mask = key_padding_mask.unsqueeze(0)
    length, n, e = query.shape
    source = key.shape[0]
    rows = n * num_heads
    dtype = query.dtype
    padding = _canonical(key_padding_mask, "key_padding_mask", attn_mask, "attn_mask", dtype)
    if is_causal and attn_mask is None:
        raise RuntimeError("Need attn_mask if specifying the is_causal hint.")
    if is_causal and padding is None and not need_weights:
        attn_mask = None  # the hint says it all
    else:
        attn_mask = _canonical(attn_mask, "attn_mask", None, "", dtype)
        is_causal = is_causal and padding is None
    if e != embed_dim_to_check:
        raise AssertionError(f"was expecting embedding dimension of {embed_dim_to_check}, but got {e}")
    if e % num_heads:
        raise AssertionError(f"embed_dim {e} not divisible by num_heads {num_heads}")
    if use_separate_proj_weight:
        if key.shape[:2] != value.shape[:2]:
            raise AssertionError(
                f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}"
            )
        for name, w in (
            ("q_proj_weight", q_proj_weight),
            ("k_proj_weight", k_proj_weight),
            ("v_proj_weight", v_proj_weight),
        ):
            if w is None:
                raise AssertionError(f"use_separate_proj_weight is True but {name} is None")
        biases = [None] * 3 if in_proj_bias is None else [in_proj_bias.narrow(0, i * e, e) for i in range(3)]
        q = linear_(query, q_proj_weight, biases[0])
        k = linear_(key, k_proj_weight, biases[1])
        v = linear_(value, v_proj_weight, biases[2])
    else:
        if key.shape != value.shape:
            raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")
        if in_proj_weight is None:
            raise AssertionError("use_separate_proj_weight is False but in_proj_weight is None")
        q, k, v = _project(query, key, value, in_proj_weight, in_proj_bias)
    if attn_mask is not None:
        expected = (length, source) if attn_mask.ndim == 2 else (rows, length, source)
        if tuple(attn_mask.shape) != expected:
            raise RuntimeError(
                f"The shape of the {attn_mask.ndim}D attn_mask is {attn_mask.shape}, but should be {expected}."
            )
        if attn_mask.ndim == 2:
            attn_mask = attn_mask.unsqueeze(0)
    if bias_k is not None and bias_v is not None:
        if static_k is not None or static_v is not None:
            raise AssertionError(
                "bias cannot be added to static key."
                if static_k is not None
                else "bias cannot be added to static value."
            )
        k, v = cat([k, bias_k.repeat(1, n, 1)]), cat([v, bias_v.repeat(1, n, 1)])
        attn_mask, padding = _one_more(attn_mask), _one_more(padding)
    elif bias_k is not None or bias_v is not None:
        raise AssertionError("bias_k and bias_v must be both given or both None")
    q = _heads(q, rows)
    k = _heads(k, rows) if static_k is None else static_k
    v = _heads(v, rows) if static_v is None else static_v
    if add_zero_attn:
        zeros = wrap(np.zeros((rows, 1, e // num_heads), dtype.np))
        k, v = cat([k, zeros], 1), cat([v, zeros], 1)
        attn_mask, padding = _one_more(attn_mask), _one_more(padding)
    source = k.shape[1]
    if padding is not None:
        if tuple(padding.shape) != (n, source):
            raise AssertionError(f"expecting key_padding_mask shape of {(n, source)}, but got {tuple(padding.shape)}")
        padding = padding.reshape((n, 1, 1, source)).expand((n, num_heads, 1, source)).reshape((rows, 1, source))
        attn_mask = padding if attn_mask is None else attn_mask + padding
    if not training:
        dropout_p = 0.0
    if need_weights:
        scores = bmm(q * math.sqrt(1 / q.shape[-1]), k.transpose(-2, -1))
        weights = softmax_rows(scores if attn_mask is None else scores + attn_mask, -1)
        if dropout_p > 0:
            weights = dropout(weights, dropout_p, True)
        out = bmm(weights, v).transpose(0, 1).reshape((length * n, e))
        out = linear_(out, out_proj_weight, out_proj_bias).reshape((length, n, -1))
        weights = weights.reshape((n, num_heads, length, source))
        if average_attn_weights:
            weights = weights.mean(1)
        return (out, weights) if batched else (out.squeeze(1), weights.squeeze(0))
    if attn_mask is not None:
        single = attn_mask.shape[0] == 1
        attn_mask = attn_mask.unsqueeze(0) if single else attn_mask.reshape((n, num_heads, -1, source))
    q, k, v = (x.reshape((n, num_heads, -1, e // num_heads)) for x in (q, k, v))
    out = scaled_dot_product_attention(q, k, v, attn_mask, dropout_p, is_causal)
    out = out.permute((2, 0, 1, 3)).reshape((n * length, e))
    out = linear_(out, out_proj_weight, out_proj_bias).reshape((length, n, -1))
    return (out if batched else out.squeeze(1)), None
