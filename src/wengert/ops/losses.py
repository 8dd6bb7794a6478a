"""Losses. Each is a composite of other operations, but for the two that training spends its time in."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.op import Array, composite, general
from .reductions import mean, sum
from .softmax import log_softmax_rows

F = "nn.functional."


def reduce(loss: Any, reduction: str) -> Any:
    """'none', 'mean' or 'sum' of a loss for each element."""
    if reduction == "mean":
        return mean(loss)
    if reduction == "sum":
        return sum(loss)
    if reduction == "none":
        return loss
    raise ValueError(f"{reduction} is not a valid value for reduction")


def legacy(size_average: Any, reduce_: Any, reduction: str) -> str:
    """PyTorch's former pair of flags as a reduction."""
    if size_average is None and reduce_ is None:
        return reduction
    warnings.warn(
        "size_average and reduce args will be deprecated, please use reduction='none' instead.",
        UserWarning,
        stacklevel=4,
    )
    if reduce_ is False:
        return "none"
    return "sum" if size_average is False else "mean"


def same_size(name: str, input: Any, target: Any) -> None:
    """Warn, as PyTorch does, where a loss would broadcast."""
    if input.shape != target.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). This will likely "
            "lead to incorrect results due to broadcasting. Please ensure they have the same size.",
            UserWarning,
            stacklevel=4,
        )


# -- classification ----------------------------------------------------------------------------------------------


def _check_classes(input: Any, target: Any) -> None:
    if target.dtype.kind not in "iu":
        raise RuntimeError(f"expected scalar type Long but found {dtypes.of(target.dtype).tensor_type}")
    if input.shape[0] != target.shape[0]:
        raise ValueError(
            f"Expected input batch_size ({input.shape[0]}) to match target batch_size ({target.shape[0]})."
        )


def _bounds(target: Any, classes: int, ignore: int) -> Any:
    """Which targets count; IndexError for one that is no class."""
    kept = target != ignore
    bad = kept & ((target < 0) | (target >= classes))
    if bad.any():
        raise IndexError(f"Target {int(target[bad].flat[0])} is out of bounds.")
    return kept


@general(
    "cross_entropy_rows",
    outputs="out, ~p",
    input=lambda g, p, target: one_taken(p, target) * (g / target.shape[0]),
    composite=lambda input, target: -mean(log_softmax_rows(input, 1).gather(1, target.unsqueeze(1))),
    node="CrossEntropyBackward0",
    method=False,
    tex=r"\operatorname{{crossentropy}}({input}, {target})",
)
def cross_entropy_rows(input: Array, target: Array) -> Any:
    """The mean of -log softmax(input)[target] over rows: (n, classes) and (n,). Its gradient is (softmax - one hot) / n."""
    if input.ndim != 2 or input.dtype.kind != "f" or target.dtype != np.int64 or not input.size:
        raise ValueError("not the plain case")
    n, classes = input.shape
    _bounds(target, classes, -(1 << 62))
    p = input - np.maximum.reduce(input, axis=1, keepdims=True)
    rows = np.arange(n)
    picked = p[rows, target]
    np.exp(p, out=p)
    total = np.add.reduce(p, axis=1)
    loss = np.log(total)
    loss -= picked
    p /= total[:, None]
    return np.add.reduce(loss) / input.dtype.type(n), p


@general("one_taken", input=lambda g: g, method=False)
def one_taken(input: Array, target: Array) -> Any:
    """A copy of (n, classes) with 1 taken off at each row's target."""
    out = np.array(input)
    out[np.arange(out.shape[0]), target] -= 1
    return out


@general(
    "nll_rows",
    input=lambda g, target, weight, input_shape, ignore_index: _nll_back(g, target, weight, input_shape, ignore_index),
    jvp=lambda t_input, target, weight, ignore_index: nll_rows(t_input, target, weight, ignore_index),
    node="NllLossBackward0",
    method=False,
)
def nll_rows(input: Array, target: Array, weight: Array | None = None, ignore_index: int = -100) -> Any:
    """-weight[target] * input[target] for each row of (n, classes); 0 where the target is `ignore_index`."""
    _check_classes(input, target)
    kept = _bounds(target, input.shape[1], ignore_index)
    safe = np.where(kept, target, 0)
    picked = -np.take_along_axis(input, safe[:, None], 1)[:, 0]
    if weight is not None:
        picked = picked * weight[safe]
    return np.where(kept, picked, input.dtype.type(0))


def _nll_back(g: Any, target: Any, weight: Any, shape: tuple[int, ...], ignore: int) -> Any:
    from .gathering import gather_back
    from .pointwise import where

    kept = target != ignore
    safe = where(kept, target, 0)
    g = where(kept, -g, 0.0)
    if weight is not None:
        g = g * weight[safe]
    return gather_back(g.reshape((shape[0], 1)), safe.reshape((shape[0], 1)), shape, 1)


def _weights(target: Any, weight: Any, ignore: int) -> Any:
    """The weight of each target: what a mean divides by."""
    kept = target != ignore
    if weight is None:
        return kept
    return weight[target * kept] * kept


@composite(F + "nll_loss", method=False)
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
    reduction = legacy(size_average, reduce, reduction)
    if input.ndim == 0:
        raise RuntimeError("input tensor should be 1D or 2D")
    single = input.ndim == 1
    if single:
        input, target = input.unsqueeze(0), target.reshape((1,))
    if input.shape[0] != target.shape[0]:
        raise ValueError(
            f"Expected input batch_size ({input.shape[0]}) to match target batch_size ({target.shape[0]})."
        )
    classes = input.shape[1]
    if weight is not None and tuple(weight.shape) != (classes,):
        raise RuntimeError(
            f"weight tensor should be defined either for all {classes} classes or no classes but got weight tensor of "
            f"shape: {list(weight.shape)}"
        )
    rest = tuple(input.shape[2:])
    if rest:
        if tuple(target.shape[1:]) != rest:
            raise RuntimeError(f"size mismatch (got input: {list(input.shape)}, target: {list(target.shape)})")
        rows = input.movedim(1, -1).reshape((-1, classes))
    else:
        rows = input
    flat = target.reshape((-1,))
    losses = nll_rows(rows, flat, weight, ignore_index)
    if reduction == "none":
        losses = losses.reshape(tuple(target.shape))
        return losses.squeeze(0) if single else losses
    if reduction == "sum":
        return sum(losses)
    if reduction != "mean":
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return sum(losses) / sum(_weights(flat, weight, ignore_index).to(losses.dtype))


@composite(F + "cross_entropy", method=False)
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
    reduction = legacy(size_average, reduce, reduction)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    if (
        weight is None
        and label_smoothing == 0
        and reduction == "mean"
        and input.ndim == 2
        and target.ndim == 1
        and target._array.dtype == np.int64
        and input.shape[0] == target.shape[0] != 0
        and not (isinstance(target._array, np.ndarray) and (target._array == ignore_index).any())
    ):
        return cross_entropy_rows(input, target)
    axis = 0 if input.ndim == 1 else 1
    if input.shape == target.shape and target.is_floating_point():
        return _soft_targets(input, target, weight, reduction, label_smoothing, axis)
    logs = log_softmax_rows(input, axis)
    loss = nll_loss(logs, target, weight, None, ignore_index, None, reduction)
    if label_smoothing == 0:
        return loss
    classes = input.shape[axis]
    kept = (target != ignore_index).to(input.dtype)
    shape = [1] * input.ndim
    shape[axis] = classes
    weighted = logs if weight is None else logs * weight.reshape(tuple(shape))
    smooth = -sum(weighted, axis) * kept
    if reduction == "mean":
        smooth = sum(smooth) / sum(_weights(target, weight, ignore_index).to(input.dtype))
    elif reduction == "sum":
        smooth = sum(smooth)
    return (1 - label_smoothing) * loss + label_smoothing / classes * smooth


def _soft_targets(input: Any, target: Any, weight: Any, reduction: str, smoothing: float, axis: int) -> Any:
    classes = input.shape[axis]
    if smoothing:
        target = target * (1 - smoothing) + smoothing / classes
    logs = log_softmax_rows(input, axis)
    if weight is not None:
        shape = [1] * input.ndim
        shape[axis] = classes
        logs = logs * weight.reshape(tuple(shape))
    loss = -sum(logs * target, axis)
    if reduction == "mean":
        return sum(loss) / (input.numel() // classes if input.numel() else 0)
    return reduce(loss, reduction)


# -- regression --------------------------------------------------------------------------------------------------


@composite(F + "mse_loss", method=False)
def mse_loss(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean", weight: Any = None
) -> Any:
    """Squares of differences."""
    same_size("mse_loss", input, target)
    away = input - target
    square = away * away
    return _reduced(square if weight is None else square * weight, legacy(size_average, reduce, reduction))


_reduced = reduce


@composite(F + "l1_loss", method=False)
def l1_loss(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean", weight: Any = None
) -> Any:
    """Absolute differences; at a tie the derivative is 0."""
    same_size("l1_loss", input, target)
    away = (input - target).abs()
    return _reduced(away if weight is None else away * weight, legacy(size_average, reduce, reduction))


@composite(F + "huber_loss", method=False)
def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0, weight: Any = None) -> Any:
    """Half the square up to `delta`, linear beyond."""
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    same_size("huber_loss", input, target)
    size = (input - target).abs()
    near = size.clamp(max=delta)
    loss = near * (size - 0.5 * near)
    return _reduced(loss if weight is None else loss * weight, reduction)


@composite(F + "smooth_l1_loss", method=False)
def smooth_l1_loss(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean", beta: float = 1.0
) -> Any:
    """Half the square over `beta` up to `beta`, the absolute difference less beta / 2 beyond."""
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    if beta == 0:
        return l1_loss(input, target, size_average, reduce, reduction)
    same_size("smooth_l1_loss", input, target)
    size = (input - target).abs()
    near = size.clamp(max=beta)
    return _reduced(near * (size - 0.5 * near) / beta, legacy(size_average, reduce, reduction))


# -- probabilities -----------------------------------------------------------------------------------------------


@composite(F + "binary_cross_entropy", method=False)
def binary_cross_entropy(
    input: Any, target: Any, weight: Any = None, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Any:
    """-(t log p + (1 - t) log(1 - p)), logarithms no lower than -100."""
    if input.shape != target.shape:
        raise ValueError(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}) is deprecated. "
            "Please ensure they have the same size."
        )
    array = input.detach()._array
    if array.size and isinstance(array, np.ndarray) and ((array < 0) | (array > 1)).any():
        raise RuntimeError("all elements of input should be between 0 and 1")
    loss = -(target * input.log().clamp(min=-100) + (1 - target) * (1 - input).log().clamp(min=-100))
    return _reduced(loss if weight is None else loss * weight, legacy(size_average, reduce, reduction))


@composite(F + "binary_cross_entropy_with_logits", method=False)
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
    if input.shape != target.shape:
        raise ValueError(f"Target size ({target.shape}) must be the same as input size ({input.shape})")
    softplus = (-input.abs()).exp().log1p() + (-input).clamp(min=0)  # log(1 + exp(-input))
    if pos_weight is None:
        loss = (1 - target) * input + softplus
    else:
        loss = (1 - target) * input + ((pos_weight - 1) * target + 1) * softplus
    return _reduced(loss if weight is None else loss * weight, legacy(size_average, reduce, reduction))


@composite(F + "kl_div", method=False)
def kl_div(
    input: Any,
    target: Any,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Any:
    """target * (log target - input), input being log-probabilities."""
    from .arithmetic import mul
    from .special import xlogy

    reduction = legacy(size_average, reduce, reduction)
    loss = target.exp() * (target - input) if log_target else xlogy(target, target) - mul(target, input)
    if reduction == "batchmean":
        return sum(loss) / input.shape[0] if input.ndim else sum(loss)
    if reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size.'batchmean' divides only "
            "by the batch size, and aligns with the KL div math definition.'mean' will be changed to behave the same as "
            "'batchmean' in the next major release.",
            UserWarning,
            stacklevel=2,
        )
    return _reduced(loss, reduction)
