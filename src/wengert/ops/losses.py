"""Losses of regression and of probabilities, and what all losses share: reductions, old arguments, warnings.

Where training spends its time a row states value and slope together; the others are composites, as in PyTorch.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.batched import is_at, run_forward
from ..core.op import Array, Op, composite, general
from ..kernels import special
from .choosing import clamp
from .joining import broadcast_tensors
from .pointwise import exp, log, sigmoid
from .reductions import mean, sum
from .special import xlogy

F = "nn.functional."
NONE, MEAN, SUM = 0, 1, 2


# -- what losses share -------------------------------------------------------------------------------------------


def code(reduction: str) -> int:
    """PyTorch's number for a reduction. ValueError for what is none."""
    if reduction in ("none", "mean", "sum"):
        return ("none", "mean", "sum").index(reduction)
    raise ValueError(f"{reduction} is not a valid value for reduction")


def reduce(loss: Any, reduction: str) -> Any:
    """'none', 'mean' or 'sum' of a loss for each element."""
    number = code(reduction)
    return mean(loss) if number == MEAN else sum(loss) if number == SUM else loss


_reduced = reduce  # where an argument has that name


def legacy(size_average: Any, reduce_: Any, reduction: str, frames: int = 5) -> str:
    """PyTorch's former pair of flags as a reduction. `frames`: how far away the user's line is."""
    if size_average is None and reduce_ is None:
        return reduction
    found = "none" if reduce_ is False else "sum" if size_average is False else "mean"
    warnings.warn(
        f"size_average and reduce args will be deprecated, please use reduction='{found}' instead.",
        UserWarning,
        stacklevel=frames,
    )
    return found


def same_size(input: Any, target: Any) -> None:
    """Warn, as PyTorch does, where a loss would broadcast."""
    if input.shape != target.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). This will likely "
            "lead to incorrect results due to broadcasting. Please ensure they have the same size.",
            UserWarning,
            stacklevel=4,
        )


def _collect(loss: Any, reduction: int) -> Any:
    """The reduction of an array."""
    if reduction == NONE:
        return loss
    total = np.add.reduce(loss, axis=None)
    return np.asarray(total / loss.size if reduction == MEAN else total, loss.dtype)


def _share(g: Any, reduction: int, shape: tuple[int, ...]) -> Any:
    """The gradient of each element's loss, from that of their reduction."""
    return g / math.prod(shape) if reduction == MEAN else g


def _examples(op: Op, args: list[Any], level: int, size: int) -> Any:
    """vmap of a loss that is elementwise but for its reduction."""
    tensors = [a for p, a in zip(op.params, args, strict=True) if p.is_tensor and a is not None]
    ndim = max(a.ndim for a in tensors)
    if any(is_at(a, level) and a.ndim != ndim for a in tensors):
        return NotImplemented
    at = next(i for i, p in enumerate(op.params) if p.name == "reduction")
    given = [a.value if is_at(a, level) else NONE if i == at else a for i, a in enumerate(args)]
    losses = run_forward(op, given)
    return (
        losses
        if args[at] == NONE
        else losses.reshape((size, -1)).mean(1)
        if args[at] == MEAN
        else losses.reshape((size, -1)).sum(1)
    )


def _floats(kernel: str) -> Any:
    def check(input: Any, *_: Any) -> None:
        if input.dtype.kind not in "fV":
            raise NotImplementedError(f"\"{kernel}\" not implemented for '{dtypes.of(input.dtype).tensor_type}'")

    return check


def _loss(name: str, kernel: str, **options: Any) -> Any:
    """A row for a loss of floats, elementwise but for its reduction."""
    return general(name, promote="default", method=False, check=_floats(kernel), batch=_examples, **options)


# -- regression --------------------------------------------------------------------------------------------------


@_loss(
    "mse_loss",
    "mse_cpu",
    input=lambda g, input, target, reduction, input_shape: (input - target) * (2 * _share(g, reduction, input_shape)),
    target=lambda g, input, target, reduction, input_shape: (target - input) * (2 * _share(g, reduction, input_shape)),
    tex=r"\operatorname{{mean}}\, ({input} - {target})^2",
)
def mse_rows(input: Array, target: Array, reduction: int) -> Any:
    """Squares of differences, reduced."""
    away = input - target
    if reduction == NONE:
        away *= away
        return away
    flat = away.reshape(-1)
    total = np.dot(flat, flat) if away.dtype != np.float16 else np.add.reduce(np.square(flat, dtype=np.float32))
    return np.asarray(total / away.size if reduction == MEAN else total, away.dtype)


@_loss(
    "huber_loss",
    "huber_cpu",
    input=lambda g, input, target, reduction, delta, input_shape: (
        clamp(input - target, -delta, delta) * _share(g, reduction, input_shape)
    ),
    target=lambda g, input, target, reduction, delta, input_shape: (
        clamp(target - input, -delta, delta) * _share(g, reduction, input_shape)
    ),
)
def huber_rows(input: Array, target: Array, reduction: int, delta: float) -> Any:
    """Half the square up to `delta`, linear beyond."""
    size = np.abs(input - target)
    near = np.minimum(size, delta)
    return _collect(near * (size - 0.5 * near), reduction)


@_loss(
    "smooth_l1_loss",
    "smooth_l1_cpu",
    input=lambda g, input, target, reduction, beta, input_shape: (
        clamp((input - target) / beta, -1, 1) * _share(g, reduction, input_shape)
    ),
    target=lambda g, input, target, reduction, beta, input_shape: (
        clamp((target - input) / beta, -1, 1) * _share(g, reduction, input_shape)
    ),
    node="SmoothL1LossBackward0",
)
def smooth_l1_rows(input: Array, target: Array, reduction: int, beta: float) -> Any:
    """Half the square over `beta` up to `beta`, the absolute difference less beta / 2 beyond."""
    size = np.abs(input - target)
    near = np.minimum(size, beta)
    return _collect(near * (size - 0.5 * near) / beta, reduction)


def _weighted(loss: Any, input: Any, weight: Any, reduction: str) -> Any:
    if tuple(weight.shape) != tuple(input.shape):
        raise ValueError("Weights and input must have the same size.")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"Invalid reduction mode: {reduction}. Expected one of 'none', 'mean', 'sum'.")
    weighted = loss * weight
    return sum(weighted) / sum(weight) if reduction == "mean" else sum(weighted) if reduction == "sum" else weighted


@composite(F + "mse_loss", precision="full", method=False)
def mse_loss(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean", weight: Any = None
) -> Any:
    """Squares of differences."""
    if input.shape != target.shape:
        same_size(input, target)
        input, target = broadcast_tensors(input, target)
    reduction = legacy(size_average, reduce, reduction)
    if weight is not None:
        return _weighted((input - target) ** 2, input, weight, reduction)
    return mse_rows(input, target, code(reduction))


@composite(F + "l1_loss", precision="full", method=False)
def l1_loss(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean", weight: Any = None
) -> Any:
    """Absolute differences; at a tie the derivative is 0."""
    if input.shape != target.shape:
        same_size(input, target)
        input, target = broadcast_tensors(input, target)
    reduction = legacy(size_average, reduce, reduction)
    away = (input - target).abs()
    return _reduced(away, reduction) if weight is None else _weighted(away, input, weight, reduction)


@composite(F + "huber_loss", precision="full", method=False)
def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0, weight: Any = None) -> Any:
    """Half the square up to `delta`, linear beyond."""
    if input.shape != target.shape:
        same_size(input, target)
        input, target = broadcast_tensors(input, target)
    number = code(reduction) if weight is None else NONE
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    loss = huber_rows(input, target, number, delta)
    if weight is None:
        return loss
    weighted = _weighted(loss, input, weight, "none" if reduction == "mean" else reduction)
    return mean(weighted) if reduction == "mean" else weighted


@composite(F + "smooth_l1_loss", precision="full", method=False)
def smooth_l1_loss(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean", beta: float = 1.0
) -> Any:
    """Half the square over `beta` up to `beta`, the absolute difference less beta / 2 beyond."""
    if input.shape != target.shape:
        same_size(input, target)
        input, target = broadcast_tensors(input, target)
    number = code(legacy(size_average, reduce, reduction))
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    if beta == 0:
        return l1_loss(input, target, size_average, reduce, reduction)
    return smooth_l1_rows(input, target, number, beta)


# -- probabilities -----------------------------------------------------------------------------------------------


def _times(a: Any, weight: Any) -> Any:
    return a if weight is None else a * weight


@_loss(
    "binary_cross_entropy",
    "binary_cross_entropy",
    input=lambda g, input, target, weight, reduction, input_shape: _times(
        _share(g, reduction, input_shape) * ((input - target) / clamp((1 - input) * input, 1e-12, None)), weight
    ),
    target=lambda g, input, weight, reduction, input_shape: _times(
        _share(g, reduction, input_shape) * (clamp(log(1 - input), -100, None) - clamp(log(input), -100, None)), weight
    ),
    tex=r"-\operatorname{{mean}}\, ({target} \ln {input} + (1 - {target}) \ln (1 - {input}))",
)
def bce_rows(input: Array, target: Array, weight: Array | None, reduction: int) -> Any:
    """-(t log p + (1 - t) log(1 - p)), logarithms no lower than -100."""
    if input.size and (input.min() < 0 or input.max() > 1):
        raise RuntimeError("all elements of input should be between 0 and 1")
    loss = (target - 1) * np.maximum(np.log1p(-input), -100) - target * np.maximum(np.log(input), -100)
    return _collect(_times(loss, weight), reduction)


def _log_sigmoid(x: Any) -> Any:
    return clamp(x, None, 0) - log(1 + exp(-abs(x)))


def _logits_slope(input: Any, target: Any, pos_weight: Any) -> Any:
    if pos_weight is None:
        return sigmoid(input) - target
    positive = pos_weight * target
    return (positive + 1 - target) * sigmoid(input) - positive


@_loss(
    "binary_cross_entropy_with_logits",
    "binary_cross_entropy_with_logits",
    input=lambda g, input, target, weight, pos_weight, reduction, input_shape: _times(
        _share(g, reduction, input_shape) * _logits_slope(input, target, pos_weight), weight
    ),
    target=lambda g, input, weight, pos_weight, reduction, input_shape: _times(
        _share(g, reduction, input_shape)
        * (-input if pos_weight is None else _log_sigmoid(-input) - pos_weight * _log_sigmoid(input)),
        weight,
    ),
)
def bce_logits_rows(input: Array, target: Array, weight: Array | None, pos_weight: Array | None, reduction: int) -> Any:
    """Binary cross entropy of sigmoid(input), without overflow."""
    below = -special.softplus(-input)  # log(sigmoid(input))
    if pos_weight is None:
        loss = (1 - target) * input - below
    else:
        loss = (1 - target) * input - ((pos_weight - 1) * target + 1) * below
    return _collect(_times(loss, weight), reduction)


@composite(F + "binary_cross_entropy", precision="full", method=False)
def binary_cross_entropy(
    input: Any, target: Any, weight: Any = None, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Any:
    """-(t log p + (1 - t) log(1 - p)), logarithms no lower than -100."""
    number = code(legacy(size_average, reduce, reduction))
    if input.shape != target.shape:
        raise ValueError(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}) is deprecated. "
            "Please ensure they have the same size."
        )
    if weight is not None:
        weight = weight.expand(tuple(broadcast_tensors(target, weight)[0].shape))
    return bce_rows(input, target, weight, number)


@composite(F + "binary_cross_entropy_with_logits", precision="full", method=False)
def binary_cross_entropy_with_logits(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    pos_weight: Any = None,
) -> Any:
    """Binary cross entropy of sigmoid(input), without overflow."""
    number = code(legacy(size_average, reduce, reduction))
    if input.shape != target.shape:
        raise ValueError(f"Target size ({target.shape}) must be the same as input size ({input.shape})")
    return bce_logits_rows(input, target, weight, pos_weight, number)


@composite(F + "kl_div", precision="full", method=False)
def kl_div(
    input: Any,
    target: Any,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Any:
    """target * (log target - input), input being log-probabilities."""
    reduction = legacy(size_average, reduce, reduction)
    loss = target.exp() * (target - input) if log_target else xlogy(target, target) - target * input
    if reduction == "batchmean":
        return sum(loss) / input.shape[0] if input.ndim else sum(loss)
    if reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size.'batchmean' divides only "
            "by the batch size, and aligns with the KL div math definition.'mean' will be changed to behave the same as "
            "'batchmean' in the next major release.",
            UserWarning,
            stacklevel=3,
        )
    return _reduced(loss, reduction)


@composite(F + "poisson_nll_loss", precision="full", method=False)
def poisson_nll_loss(
    input: Any,
    target: Any,
    log_input: bool = True,
    full: bool = False,
    size_average: Any = None,
    eps: float = 1e-8,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    """Negative log-likelihood of counts; `full` adds Stirling's approximation of log(target!) where target > 1."""
    reduction = legacy(size_average, reduce, reduction)
    code(reduction)
    loss = exp(input) - target * input if log_input else input - target * log(input + eps)
    if full:
        stirling = target * log(target) - target + 0.5 * log(2 * math.pi * target)
        loss = loss + stirling.masked_fill(target <= 1, 0)
    return _reduced(loss, reduction)


@composite(F + "gaussian_nll_loss", method=False)
def gaussian_nll_loss(
    input: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Any:
    """Negative log-likelihood of a normal distribution of mean `input` and variance `var` (at least `eps`)."""
    if isinstance(var, float):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = var + input.detach() * 0
    elif (var.detach() < 0).any():
        raise ValueError("var has negative entry/entries")
    if var.shape != input.shape:
        shape, given = tuple(input.shape), tuple(var.shape)
        if shape[:-1] == given:
            var = var.unsqueeze(-1)
        elif len(given) != len(shape) or any(a not in (b, 1) for a, b in zip(given, shape, strict=True)):
            raise ValueError("var is of incorrect size")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(reduction + " is not valid")
    # As PyTorch: limited from below in value, but the derivative goes to `var` all the same.
    var = var + (clamp(var.detach(), eps, None) - var.detach())
    loss = 0.5 * (log(var) + (input - target) ** 2 / var)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return _reduced(loss, reduction)
