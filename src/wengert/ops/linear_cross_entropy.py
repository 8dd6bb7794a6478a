"""Cross entropy straight from a linear layer's input, whole or some rows at a time (`kernels/chunked_loss`).

The row never holds all scores: forward keeps one number for each example, backward computes the scores once more. It is
differentiated again through its definition.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.op import Array, composite, general
from ..kernels import chunked_loss as kernel
from .classification import cross_entropy
from .losses import F, code
from .matmul import linear_

_NAMES = ("none", "mean", "sum")


def _definition(
    input: Any, linear_weight: Any, linear_bias: Any, target: Any, weight: Any, reduction: int, ignore: int, rows: int
) -> Any:
    scores = linear_(input, linear_weight, linear_bias)
    return cross_entropy(scores, target, weight, ignore_index=ignore, reduction=_NAMES[reduction])


@general("chunked_cross_entropy_back", outputs="d_input*, d_weight*, d_bias*", named=False, method=False)
def chunked_cross_entropy_back(
    g: Array,
    input: Array,
    linear_weight: Array,
    linear_bias: Array | None,
    target: Array,
    weight: Array | None,
    logs: Array,
    total: Array,
    reduction: int,
    ignore: int,
    rows: int,
) -> Any:
    """Gradients of the input, the layer's weight and its bias."""
    return kernel.back(g, input, linear_weight, linear_bias, target, weight, logs, total, reduction, ignore, rows)


@general(
    "chunked_cross_entropy",
    outputs="out, ~logs, ~total",
    joint=lambda g, input, linear_weight, linear_bias, target, weight, logs, total, reduction, ignore, rows: (
        chunked_cross_entropy_back(
            g, input, linear_weight, linear_bias, target, weight, logs, total, reduction, ignore, rows
        )
    ),
    composite=_definition,
    method=False,
)
def chunked_cross_entropy(
    input: Array,
    linear_weight: Array,
    linear_bias: Array | None,
    target: Array,
    weight: Array | None,
    reduction: int,
    ignore: int,
    rows: int,
) -> Any:
    """Cross entropy of (n, in) @ (classes, in).T + (classes,) with classes (n,), `rows` examples at a time."""
    return kernel.forward(input, linear_weight, linear_bias, target, weight, reduction, ignore, rows)


@composite(F + "linear_cross_entropy", method=False)
def linear_cross_entropy(
    input: Any,
    linear_weight: Any,
    target: Any,
    *,
    linear_bias: Any = None,
    weight: Any = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Any:
    """`cross_entropy(linear(input, linear_weight, linear_bias), target)`.

    input (n, in) or (in,); linear_weight (classes, *, in) gives scores (n, classes, *). With `options`, an
    `nn.LinearCrossEntropyOptions`, the scores are computed some examples at a time and never kept.
    """
    if input.ndim not in (1, 2):
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {input.ndim}")
    if linear_weight.ndim < 2:
        raise RuntimeError(f"expected linear_weight with dimensionality at least 2, got {linear_weight.ndim}")
    features = input.shape[-1]
    if features != linear_weight.shape[-1]:
        raise RuntimeError(
            "expected equal input and linear_weight last dimensions (in_features), "
            f"got {features} and {linear_weight.shape[-1]}, respectively"
        )
    outputs = tuple(linear_weight.shape[:-1])
    if linear_bias is not None and tuple(linear_bias.shape) != outputs:
        raise RuntimeError(f"expected linear_bias shape {outputs}, got {tuple(linear_bias.shape)}")
    if len(outputs) > 1 and input.ndim == 1:
        raise RuntimeError(
            f"K-dimensional loss defined by linear_weight shape {tuple(linear_weight.shape)} requires batched input, "
            f"(N, {features}), got unbatched input with shape {tuple(input.shape)}"
        )
    if ignore_index is not None and tuple(target.shape) == (*input.shape[:-1], *outputs):
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")
    ignore = -100 if ignore_index is None else ignore_index
    if options is not None:
        able = len(outputs) == 1 and reduction in _NAMES and not label_smoothing and target.dtype == dtypes.int64
        if able:
            return _chunked(input, linear_weight, target, linear_bias, weight, reduction, ignore, options)
        warnings.warn(
            "linear_cross_entropy: ``options`` ignored; chunked path needs reduction in {'mean','sum','none'}, "
            f"label_smoothing == 0, target.dtype == int64, out_features == (). Got reduction={reduction!r}, "
            f"label_smoothing={label_smoothing}, target.dtype={target.dtype}, out_features={outputs[1:]}, tracing=False, "
            f"linear_bias.shape={tuple(linear_bias.shape) if linear_bias is not None else None}.",
            stacklevel=2,
        )
    bias = None if linear_bias is None else linear_bias.reshape((-1,))
    scores = linear_(input, linear_weight.reshape((-1, features)), bias).reshape((*input.shape[:-1], *outputs))
    return cross_entropy(scores, target, weight, None, ignore, None, reduction, label_smoothing)


def _chunked(
    input: Any, linear_weight: Any, target: Any, bias: Any, weight: Any, reduction: str, ignore: int, options: Any
) -> Any:
    batched = input.ndim == 2
    if not batched:
        input, target = input.unsqueeze(0), target.unsqueeze(0)
    if target.shape != input.shape[:1]:
        raise ValueError(
            f"Expected input batch_size ({input.shape[0]}) to match target batch_size ({target.shape[0]})."
        )
    n, features = input.shape
    found = options._adjust(n, features, linear_weight.shape[0], input.dtype, input.device)
    if found.acc_dtype != input.dtype and not (input.dtype.np == np.float16 and found.acc_dtype == dtypes.float32):
        raise RuntimeError(
            "linear_cross_entropy supports float32 acc_dtype with float16/bfloat16 inputs, but got "
            f"{found.acc_dtype} acc_dtype and {input.dtype} inputs."
        )
    loss = chunked_cross_entropy(
        input, linear_weight, bias, target, weight, code(reduction), ignore, found.batch_chunk_size
    )
    return loss if batched or not loss.ndim else loss.squeeze(0)


__all__ = ["linear_cross_entropy"]
