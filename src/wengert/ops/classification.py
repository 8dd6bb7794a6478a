"""Losses of classifiers: negative log-likelihood, cross entropy. What computes is `kernels/losses`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes
from ..core.batched import is_at
from ..core.op import Array, Op, composite, linear
from ..kernels import losses as kernel
from .losses import F, code, legacy, reduce
from .reductions import sum
from .softmax import log_softmax_rows


def _check(input: Any, target: Any, weight: Any = None, *_: Any) -> None:
    ndim = input.ndim
    if target.dtype != np.int64 and target.dtype != np.uint8:
        raise RuntimeError(f"expected target dtype to be Long or Byte, but got {dtypes.of(target.dtype).tensor_type}")
    if ndim <= 2:
        if ndim == 0:
            raise RuntimeError("input tensor should be 1D or 2D")
        if target.ndim > 1:
            raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
        if not (ndim == 1 and target.ndim == 0) and input.shape[0] != target.size:
            raise RuntimeError(f"size mismatch (got input: {list(input.shape)}, target: {list(target.shape)})")
    elif target.shape[1:] != input.shape[2:]:
        raise RuntimeError(f"Expected target size {[input.shape[0], *input.shape[2:]]}, got {list(target.shape)}")
    classes = input.shape[-1] if ndim <= 2 else input.shape[1]
    if weight is not None and weight.shape != (classes,):
        raise RuntimeError(
            f"weight tensor should be defined either for all {classes} classes or no classes but got weight tensor of "
            f"shape: {list(weight.shape)}"
        )
    if input.dtype.kind not in "fV":
        raise NotImplementedError(f"\"nll_loss_out_frame\" not implemented for '{dtypes.of(input.dtype).tensor_type}'")
    if weight is not None and weight.dtype != input.dtype:
        raise RuntimeError(
            f"expected scalar type {dtypes.of(input.dtype).tensor_type} but found {dtypes.of(weight.dtype).tensor_type}"
        )


def _examples(op: Op, args: list[Any], level: int, size: int) -> Any:
    """vmap: the examples are more rows, each loss by itself, then reduced row by row."""
    x, target, weight, reduction, ignore = args
    if x.__class__ is not target.__class__ or not (is_at(x, level) and is_at(target, level)) or x.ndim > 2:
        return NotImplemented
    if x.value.__class__ is not np.ndarray or not isinstance(weight, (np.ndarray, type(None))):
        return NotImplemented
    rows = x.value.reshape(-1, x.shape[-1])
    flat = target.value.reshape(-1)
    losses = kernel.nll(rows, flat, weight, kernel.NONE, ignore)[0].reshape(size, -1)
    if reduction == kernel.NONE:
        return losses.reshape(target.value.shape), np.zeros(size, losses.dtype)
    if weight is None:
        total = (flat != ignore).reshape(size, -1).sum(1).astype(losses.dtype)
    else:
        total = -kernel.nll(np.ones_like(rows), flat, weight, kernel.NONE, ignore)[0].reshape(size, -1).sum(1)
    return losses.sum(1) / (total if reduction == kernel.MEAN else 1), total


def _examples_back(op: Op, args: list[Any], level: int, size: int) -> Any:
    g, target, weight, total, shape, reduction, ignore = args
    if (
        not (is_at(target, level) and is_at(total, level))
        or len(shape) > 2
        or (hasattr(g, "level") and not is_at(g, level))
    ):
        return NotImplemented
    each = g.value if is_at(g, level) else np.broadcast_to(g, (size, *np.shape(g)))
    if each.__class__ is not np.ndarray or not isinstance(weight, (np.ndarray, type(None))):
        return NotImplemented
    if reduction != kernel.NONE:
        count = shape[0] if len(shape) == 2 else 1
        each = np.repeat(each / total.value if reduction == kernel.MEAN else each, count)
    flat = target.value.reshape(-1)
    rows = kernel.nll_back(each.reshape(-1), flat, weight, None, (flat.size, shape[-1]), kernel.NONE, ignore)
    return rows.reshape(size, *shape)


def _nll_row(name: str, node: str) -> Any:
    def nll(input: Array, target: Array, weight: Array | None, reduction: int, ignore_index: int) -> Any:
        """-weight[target] * input[target] for scores (c,), (n, c) or (n, c, *), reduced."""
        _check(input, target, weight)
        return kernel.nll(input, target, weight, reduction, ignore_index)

    return linear(
        name,
        nll,
        outputs="out, ~total_weight",
        input=lambda g, input_shape, target, weight, total_weight, reduction, ignore_index: nll_back(
            g, target, weight, total_weight, input_shape, reduction, ignore_index
        ),
        jvp=lambda t_input, target, weight, reduction, ignore_index: nll_rows(
            t_input, target, weight, reduction, ignore_index
        ),
        check=_check,
        batch=_examples,
        node=node,
        method=False,
        tex=r"-\operatorname{{mean}}\, {input}_{{{target}}}",
    )


nll_rows = _nll_row("nll_loss_rows", "NllLossBackward0")
nll_planes = _nll_row("nll_loss_planes", "NllLoss2DBackward0")


@linear(
    "nll_back",
    input=lambda g, target, weight, reduction, ignore_index: nll_rows(g, target, weight, reduction, ignore_index),
    batch=_examples_back,
    node="NllLossBackwardBackward0",
    method=False,
)
def nll_back(
    input: Array,
    target: Array,
    weight: Array | None,
    total_weight: Array,
    shape: Any,
    reduction: int,
    ignore_index: int,
) -> Any:
    """The transpose of `nll_rows`: zeros of `shape`, but where the targets point."""
    return kernel.nll_back(np.asarray(input), target, weight, total_weight, tuple(shape), reduction, ignore_index)


def _nll(input: Any, target: Any, weight: Any, reduction: int, ignore_index: int) -> Any:
    if input.ndim <= 2:
        return nll_rows(input, target, weight, reduction, ignore_index)
    if input.ndim == 4:
        return nll_planes(input, target, weight, reduction, ignore_index)
    n, c = input.shape[:2]
    plane = nll_planes(input.reshape((n, c, 1, -1)), target.reshape((n, 1, -1)), weight, reduction, ignore_index)
    return plane.reshape(tuple(target.shape)) if reduction == kernel.NONE else plane


def _check_batch(input: Any, target: Any) -> None:
    if input.ndim < 1:
        raise ValueError(f"Expected 1 or more dimensions (got {input.ndim})")
    if input.ndim != 1 and (target.ndim == 0 or input.shape[0] != target.shape[0]):
        raise ValueError(
            f"Expected input batch_size ({input.shape[0]}) to match target batch_size "
            f"({target.shape[0] if target.ndim else 1})."
        )
    if input.ndim > 2 and tuple(target.shape[1:]) != tuple(input.shape[2:]):
        raise RuntimeError(f"Expected target size {[input.shape[0], *input.shape[2:]]}, got {list(target.shape)}")


@composite(F + "nll_loss", precision="full", method=False)
def nll_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    """Negative log-likelihood of classes: (n, c, *) log-probabilities and (n, *) targets."""
    number = code(legacy(size_average, reduce, reduction))
    _check_batch(input, target)
    return _nll(input, target, weight, number, ignore_index)


@composite(F + "cross_entropy", precision="full", method=False)
def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """Cross entropy of scores (n, c, *) with class indices (n, *), or with probabilities of the scores' shape."""
    plain = weight is None and size_average is None and reduce is None and not label_smoothing and reduction == "mean"
    if plain and input.ndim == 2 and target.ndim == 1 and input.shape[0] == target.shape[0]:  # the ordinary case
        return nll_rows(log_softmax_rows(input, 1), target, None, kernel.MEAN, ignore_index)
    number = code(legacy(size_average, reduce, reduction))
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    axis = 0 if input.ndim == 1 else 1
    if input.shape == target.shape and input.ndim:
        if not target.is_floating_point():
            raise RuntimeError(
                f"Expected floating point type for target with class probabilities, got {target.dtype.tensor_type}"
            )
        if ignore_index >= 0:
            raise RuntimeError("ignore_index is not supported for floating point target")
        return _soft_targets(input, target, weight, reduction, label_smoothing, axis)
    if input.ndim == 1 and target.ndim == 1 and target.shape[0] == 1:
        input, axis = input.unsqueeze(0), 1
    elif input.ndim != 1 or target.ndim:
        _check_batch(input, target)
    logs = log_softmax_rows(input, axis)
    loss = _nll(logs, target, weight, number, ignore_index)
    if label_smoothing == 0:
        return loss
    classes = input.shape[axis]
    kept = (target != ignore_index).to(input.dtype)
    weighted = logs if weight is None else logs * _along(weight, axis, input.ndim)
    smooth = -sum(weighted, axis) * kept
    if number == kernel.MEAN:
        counted = kept if weight is None else weight[target * (target != ignore_index)] * kept
        smooth = sum(smooth) / sum(counted)
    elif number == kernel.SUM:
        smooth = sum(smooth)
    return (1 - label_smoothing) * loss + label_smoothing / classes * smooth


def _along(weight: Any, axis: int, ndim: int) -> Any:
    """A weight for each class, shaped so that it broadcasts."""
    return weight.reshape((1,) * axis + (-1,) + (1,) * (ndim - axis - 1))


def _soft_targets(input: Any, target: Any, weight: Any, reduction: str, smoothing: float, axis: int) -> Any:
    classes = input.shape[axis]
    if weight is not None and tuple(weight.shape) != (classes,):
        raise RuntimeError(
            f"cross_entropy: weight tensor should be defined either for all {classes} classes or no classes but got "
            f"weight tensor of shape: {list(weight.shape)}"
        )
    if smoothing:
        target = target * (1 - smoothing) + smoothing / classes
    logs = log_softmax_rows(input, axis)
    if weight is not None:
        logs = logs * _along(weight, axis, input.ndim)
    if reduction == "mean":
        count = input.numel() / classes if input.numel() else 0
        return -sum(logs * target) / count
    return reduce(-sum(logs * target, axis), reduction)


__all__ = ["cross_entropy", "nll_loss"]
