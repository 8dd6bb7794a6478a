"""Normalisation of batches and of instances: over all examples, or each alone, for each channel; with running statistics.

What a row of normalisation saves and how its rule is made is in `normalisation`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.batched import Batched, levels_of
from ..core.op import Array, composite, general
from ..kernels import normalisation as kernel
from .normalisation import affine, channels, check_dtypes, more_than_one, normalise_back, normalised, per_channel, times
from .powers import rsqrt
from .reductions import mean_dim

__all__ = ["batch_norm", "instance_norm"]


# -- batches -----------------------------------------------------------------------------------------------------


def _but_channels(ndim: int) -> tuple[int, ...]:
    return tuple(d for d in range(ndim) if d != 1)


def _batch_definition(input: Any, weight: Any, bias: Any, eps: float) -> Any:
    axes = _but_channels(input.ndim)
    m = mean_dim(input, axes, True)
    away = input - m
    var = mean_dim(away * away, axes, True)
    y = times(away * rsqrt(var + eps), channels(weight, input.ndim))
    return (y if bias is None else y + channels(bias, input.ndim)), m.detach(), var.detach()


def _batch_back(g: Any, input: Any, weight: Any, mean: Any, rstd: Any) -> Any:
    """All three gradients of `batch_norm_rows` by a compiled loop; None if there is none."""
    return kernel.channels_back_by_loop(g, input, weight, mean, rstd)


@general(
    "batch_norm_rows",
    outputs="out, mean*, var*, ~rstd",
    input=lambda g, input, weight, mean, rstd: normalise_back(
        times(g, channels(weight, input.ndim)), input, mean, rstd, _but_channels(input.ndim)
    ),
    weight=lambda g, input, mean, rstd: per_channel(g * ((input - mean) * rstd)),
    bias=lambda g: per_channel(g),
    fused=_batch_back,
    composite=_batch_definition,
    node="NativeBatchNormBackward0",
    named=False,
    method=False,
)
def batch_norm_rows(input: Array, weight: Array | None, bias: Array | None, eps: float) -> Any:
    """Batch normalisation with the batch's own statistics, which are returned too."""
    found = kernel.channels_by_loop(input, weight, bias, eps) if input.ndim > 2 else None
    if found is not None:
        return found[0], *(x.reshape(1, -1, *(1,) * (input.ndim - 2)) for x in found[1:])
    y, mean, var, rstd = normalised(input, _but_channels(input.ndim), eps)
    return affine(y, channels(weight, input.ndim), channels(bias, input.ndim), input.dtype), mean, var, rstd


@general(
    "batch_norm_fixed",
    input=lambda g, weight, mean, var, eps: g * _scale(weight, var, eps, g.ndim),
    weight=lambda g, input, mean, var, eps: per_channel(
        g * ((input - channels(mean, g.ndim)) * _scale(None, var, eps, g.ndim))
    ),
    bias=lambda g: per_channel(g),
    node="NativeBatchNormBackward0",
    method=False,
)
def batch_norm_fixed(
    input: Array, weight: Array | None, bias: Array | None, mean: Array, var: Array, eps: float
) -> Any:
    """Batch normalisation with given statistics, which count as constants."""
    scale = _scale(weight, var, eps, input.ndim)
    shift = -channels(mean, input.ndim) * scale
    if bias is not None:
        shift += channels(bias, input.ndim)
    out = input * scale
    out += shift
    return out if out.dtype == input.dtype else out.astype(input.dtype)


def _scale(weight: Any, var: Any, eps: float, ndim: int) -> Any:
    """What a channel is multiplied by."""
    return channels(times(rsqrt(var + eps), weight), ndim)


def batch_norm(
    input: Any,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Any:
    """Mean 0 and variance 1 for each channel of (N, C, *), over everything else; then weight and bias.

    While `training` (or without running statistics) the batch's own, and the running ones move towards them by
    `momentum`, in place; else the running statistics. S. Ioffe and C. Szegedy, 2015.
    """
    n = input.shape[1] if input.ndim > 1 else 0
    if not training:
        for name, x in (("running_mean", running_mean), ("running_var", running_var)):
            if x is None:
                raise RuntimeError(f"{name} must be defined in evaluation mode")
    for name, x in (("running_mean", running_mean), ("running_var", running_var), ("weight", weight), ("bias", bias)):
        if x is not None and x.numel() != n:
            raise RuntimeError(f"{name} should contain {n} elements not {x.numel()}")
    others = [getattr(x, "_array", None) for x in (weight, bias, running_mean, running_var)]
    check_dtypes("batch_norm", input._array, *others)
    if input.numel() == 0:
        out = input.clone() if weight is None else input * weight[0]
        return out if bias is None else out + bias[0]
    if not training:
        return batch_norm_fixed(input, weight, bias, running_mean, running_var, eps)
    if input._array.__class__ is Batched:
        _check_running(input._array, running_mean, running_var)
    out, m, v = batch_norm_rows(input, weight, bias, eps)
    size = input.numel() // max(n, 1)
    for running, found, correct in ((running_mean, m, 1.0), (running_var, v, size / max(size - 1, 1))):
        if running is not None:
            _move(running, found, correct, momentum)
    return out


def _check_running(batched: Any, *running: Any) -> None:
    """The statistics of each example need a place of their own."""
    if any(x is not None and not levels_of(batched) <= levels_of(x._array) for x in running):
        raise RuntimeError(
            "Batch norm got a batched tensor as input while the running_mean or running_var, which will be updated in place, "
            "were not batched.\nIf you are using a module and do not need eval mode, please set `track_running_stats` to be "
            "False. torch.func.replace_all_batch_norm_modules_(module) does that to every batch norm in a module."
        )


def _move(running: Any, found: Any, correct: float, momentum: float) -> None:
    """Move a running statistic, in place, towards what a batch has."""
    from ..core.modes import no_grad

    with no_grad():
        found = found.reshape(tuple(running.shape)).to(running.dtype)
        running.mul_(1 - momentum).add_(found, alpha=momentum * correct)


@composite("nn.functional.batch_norm", method=False)
def functional_batch_norm(
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Mean 0 and variance 1 for each channel of (N, C, *), over everything else; then weight and bias."""
    if training:
        more_than_one(input.shape)
        if eps <= 0:
            raise ValueError(f"batch_norm eps must be positive during training, but got {eps}")
    elif eps < 0:
        raise ValueError(f"batch_norm eps must be non-negative, but got {eps}")
    return batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps)


# -- instances ----------------------------------------------------------------------------------------------------


def instance_norm(
    input: Any,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Any:
    """Mean 0 and variance 1 for each channel of each example of (N, C, *): a batch of one with N * C channels."""
    if not use_input_stats and (running_mean is None or running_var is None):
        raise RuntimeError("Expected running_mean and running_var to be defined when use_input_stats is false")
    shape = tuple(input.shape)
    n, c = shape[:2]
    weight, bias, m, v = (None if x is None else x.repeat(n) for x in (weight, bias, running_mean, running_var))
    out = batch_norm(input.reshape((1, n * c, *shape[2:])), weight, bias, m, v, use_input_stats, momentum, eps)
    if use_input_stats:
        for running, moved in ((running_mean, m), (running_var, v)):
            if running is not None and moved is not None:
                running.detach().copy_(moved.reshape((n, c)).mean(0))
    return out.reshape(shape)


@composite("nn.functional.instance_norm", method=False)
def functional_instance_norm(
    input: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Mean 0 and variance 1 for each channel of each example of (N, C, *); then weight and bias.

    D. Ulyanov et al., 2016.
    """
    if use_input_stats and int(np.prod(input.shape[2:])) == 1:
        raise ValueError(f"Expected more than 1 spatial element when training, got input size {input.shape}")
    return instance_norm(input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps)
