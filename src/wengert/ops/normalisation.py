"""Normalisation: of layers and groups of channels, by root mean square, and across neighbouring channels.

A row normalises and applies weight and bias at once; what differs is over which dimensions the mean and variance are
taken. Each also has its definition in other operations, through which it is differentiated again.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.op import Array, composite, general
from ..core.tensor import wrap
from ..kernels import normalisation as kernel
from ..kernels.rounding import is_half
from .matmul import matmul
from .powers import rsqrt
from .reductions import mean_dim
from .shape import reshape

__all__ = ["group_norm", "layer_norm", "rms_norm"]


def check_dtypes(name: str, input: Any, *others: Any) -> None:
    if input.dtype.kind not in "fV":
        raise NotImplementedError(f"\"{name}\" not implemented for '{dtypes.of(input.dtype).tensor_type}'")
    for x in others:
        if x is not None and x.dtype != input.dtype and not (is_half(input.dtype) and x.dtype == np.float32):
            raise RuntimeError("mixed dtype (CPU): all inputs must share same datatype.")


def normalised(x: Any, axes: tuple[int, ...], eps: float) -> tuple[Any, Any, Any, Any]:
    """The kernel; low precision in float32."""
    if is_half(x.dtype):
        x = x.astype(np.float32)
    return kernel.normalise(x, axes, eps)


def affine(y: Any, weight: Any, bias: Any, dtype: Any) -> Any:
    """y * weight + bias in the memory of `y`."""
    if weight is not None:
        y *= weight
    if bias is not None:
        y += bias
    return y if y.dtype == dtype else y.astype(dtype)


def times(g: Any, weight: Any) -> Any:
    return g if weight is None else g * weight


def definition(input: Any, axes: tuple[int, ...], eps: float) -> Any:
    """(input - mean) / sqrt(var + eps) in other operations."""
    away = input - mean_dim(input, axes, True)
    return away * rsqrt(mean_dim(away * away, axes, True) + eps)


@general("normalise_back", method=False, tex=r"{rstd} ({input} - \overline{{{input}}} - y \overline{{{input} y}})")
def normalise_back(input: Array, x: Array, mean: Array, rstd: Array, axes: Any) -> Any:
    """The gradient of `x` from `input`, that of (x - mean) * rstd."""
    if is_half(x.dtype):
        return kernel.normalise_back(np.asarray(input, np.float32), x.astype(np.float32), mean, rstd, axes)
    return kernel.normalise_back(input, x, mean, rstd, axes)


# -- layers ------------------------------------------------------------------------------------------------------


def _last(ndim: int, normalized_shape: Any) -> tuple[int, ...]:
    return tuple(range(ndim - len(normalized_shape), ndim))


def _check_shape(input: Any, shape: Any, *named: tuple[str, Any], star: str = "*, ") -> None:
    if not len(shape):
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got "
            "normalized_shape = []"
        )
    for name, x in named:
        if x is not None and tuple(x.shape) != tuple(shape):
            raise RuntimeError(
                f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape {list(x.shape)} and "
                f"normalized_shape = {list(shape)}"
            )
    if tuple(input.shape[max(input.ndim - len(shape), 0) :]) != tuple(shape):
        raise RuntimeError(
            f"Given normalized_shape={list(shape)}, expected input with shape [{star}{', '.join(map(str, shape))}], but "
            f"got input of size{list(input.shape)}"
        )


def _check_layer(input: Any, normalized_shape: Any, weight: Any, bias: Any, eps: float) -> None:
    _check_shape(input, normalized_shape, ("weight", weight), ("bias", bias))
    check_dtypes("LayerNormKernelImpl", input, weight, bias)


def _layer_definition(input: Any, normalized_shape: Any, weight: Any, bias: Any, eps: float) -> Any:
    y = times(definition(input, _last(input.ndim, normalized_shape), eps), weight)
    return y if bias is None else y + bias


def _layer_back(g: Any, input: Any, normalized_shape: Any, weight: Any, mean: Any, rstd: Any) -> Any:
    """All three gradients of `layer_norm_rows` by a compiled loop; None if there is none."""
    found = kernel.rows_back_by_loop(g, input, weight.size, weight.reshape(1, -1), mean, rstd)
    return found and (found[0], *(x.reshape(weight.shape) for x in found[1:]))


@general(
    "layer_norm_rows",
    outputs="out, ~mean, ~rstd",
    input=lambda g, input, normalized_shape, weight, mean, rstd: normalise_back(
        times(g, weight), input, mean, rstd, _last(input.ndim, normalized_shape)
    ),
    weight=lambda g, input, mean, rstd: g * ((input - mean) * rstd),
    bias=lambda g: g,
    fused=_layer_back,
    check=_check_layer,
    composite=_layer_definition,
    node="NativeLayerNormBackward0",
    method=False,
)
def layer_norm_rows(input: Array, normalized_shape: Any, weight: Array | None, bias: Array | None, eps: float) -> Any:
    """See `layer_norm`."""
    _check_layer(input, normalized_shape, weight, bias, eps)
    n, kept = math.prod(normalized_shape), input.shape[: input.ndim - len(normalized_shape)]
    w, b = (None if x is None else x.reshape(1, n) for x in (weight, bias))
    found = kernel.rows_by_loop(input, n, w, b, eps)
    if found is not None:
        y, mean, _, rstd = found
        return y, *(x.reshape(kept + (1,) * len(normalized_shape)) for x in (mean, rstd))
    y, mean, _, rstd = normalised(input, _last(input.ndim, normalized_shape), eps)
    return affine(y, weight, bias, input.dtype), mean, rstd


def _shape_of(name: str, shape: Any) -> tuple[int, ...]:
    if isinstance(shape, (int, np.integer)):
        raise TypeError(f"{name}(): argument 'normalized_shape' (position 2) must be tuple of ints, not int")
    return tuple(int(n) for n in shape)


def layer_norm(
    input: Any,
    normalized_shape: Any,
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Any:
    """Mean 0 and variance 1 over the last dimensions, which have `normalized_shape`; then weight and bias.

    J. L. Ba et al., 2016.
    """
    return layer_norm_rows(input, _shape_of("layer_norm", normalized_shape), weight, bias, eps)


@composite("nn.functional.layer_norm", method=False)
def functional_layer_norm(
    input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Any:
    """Mean 0 and variance 1 over the last dimensions, which have `normalized_shape`; then weight and bias."""
    return layer_norm_rows(input, _shape_of("layer_norm", normalized_shape), weight, bias, eps)


def rms_norm(input: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Any:
    """`input` over its root mean square in the last dimensions (`normalized_shape`), times `weight`.

    `eps` is by default the dtype's. B. Zhang and R. Sennrich, 2019.
    """
    shape = _shape_of("rms_norm", normalized_shape)
    _check_shape(input, shape, ("weight", weight), star="*")
    if not (input.is_floating_point() or input.is_complex()):
        raise NotImplementedError(f"\"rms_norm\" not implemented for '{input.dtype.tensor_type}'")
    array_dtype = input.dtype.np
    x = input.to(dtypes.float32) if is_half(array_dtype) else input
    if eps is None:
        eps = float(np.finfo(x.dtype.np).eps)
    square = x * x
    y = x * rsqrt(mean_dim(square, _last(x.ndim, shape), True) + eps)
    return times(y if y.dtype == input.dtype else y.to(input.dtype), weight)


composite("nn.functional.rms_norm", method=False)(rms_norm)

# -- groups of channels --------------------------------------------------------------------------------------------


def more_than_one(size: Any) -> None:
    if int(np.prod(size[:1])) * int(np.prod(size[2:])) == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {size}")


def channels(weight: Any, ndim: int) -> Any:
    """A number for each channel, so that it broadcasts over (N, C, *)."""
    return None if weight is None else reshape(weight, (1, -1) + (1,) * (ndim - 2))


def _check_group(input: Any, num_groups: int, weight: Any, bias: Any, eps: float) -> None:
    n = input.shape[1]
    if num_groups <= 0:
        raise RuntimeError(f"Expected num groups to be greater than 0, got {num_groups}")
    if n % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of shape "
            f"{list(input.shape)} and num_groups={num_groups}"
        )
    for name, x in (("weight", weight), ("bias", bias)):
        if x is not None and x.shape != (n,):
            raise RuntimeError(
                f"Expected {name} to be a vector of size equal to the number of channels in input, but got {name} of "
                f"shape {list(x.shape)} and input of shape {list(input.shape)}"
            )
    check_dtypes("GroupNormKernelImpl", input, weight, bias)


def _grouped(x: Any, num_groups: int) -> Any:
    return reshape(x, (x.shape[0], num_groups, math.prod(x.shape[1:]) // num_groups))


def _group_definition(input: Any, num_groups: int, weight: Any, bias: Any, eps: float) -> Any:
    y = reshape(definition(_grouped(input, num_groups), (2,), eps), tuple(input.shape))
    y = times(y, channels(weight, input.ndim))
    return y if bias is None else y + channels(bias, input.ndim)


def _group_weight_grad(g: Any, input: Any, mean: Any, rstd: Any) -> Any:
    y = reshape((_grouped(input, mean.shape[1]) - mean) * rstd, tuple(input.shape))
    return per_channel(g * y)


def per_channel(g: Any) -> Any:
    """The sum of (N, C, *) over all but the channels."""
    from .reductions import sum_dim

    return sum_dim(g, tuple(d for d in range(g.ndim) if d != 1))


def _each_place(weight: Any, input: Any, groups: int) -> Any:
    """A number for each channel, repeated for its places, in rows of groups."""
    return None if weight is None else np.repeat(weight, math.prod(input.shape[2:])).reshape(groups, -1)


def _group_back(g: Any, input: Any, num_groups: int, weight: Any, mean: Any, rstd: Any) -> Any:
    """All three gradients of `group_norm_rows` by a compiled loop; None if there is none."""
    w = _each_place(weight, input, num_groups)
    found = kernel.rows_back_by_loop(g, input, w.shape[1], w, mean, rstd)
    return found and (found[0], *(x.reshape(len(weight), -1).sum(1) for x in found[1:]))


@general(
    "group_norm_rows",
    outputs="out, ~mean, ~rstd",
    input=lambda g, input, num_groups, weight, mean, rstd: reshape(
        normalise_back(
            _grouped(times(g, channels(weight, input.ndim)), num_groups),
            _grouped(input, num_groups),
            mean,
            rstd,
            (2,),
        ),
        tuple(input.shape),
    ),
    weight=lambda g, input, mean, rstd: _group_weight_grad(g, input, mean, rstd),
    bias=lambda g: per_channel(g),
    fused=_group_back,
    check=_check_group,
    composite=_group_definition,
    node="NativeGroupNormBackward0",
    method=False,
)
def group_norm_rows(input: Array, num_groups: int, weight: Array | None, bias: Array | None, eps: float) -> Any:
    """See `group_norm`."""
    _check_group(input, num_groups, weight, bias, eps)
    if input.size:
        n = input.size // (len(input) * num_groups)
        w, b = (_each_place(x, input, num_groups) for x in (weight, bias))
        found = kernel.rows_by_loop(input, n, w, b, eps)
        if found is not None:
            y, mean, _, rstd = found
            return y, *(x.reshape(len(input), num_groups, 1) for x in (mean, rstd))
    y, mean, _, rstd = normalised(_grouped(input, num_groups), (2,), eps)
    y = y.reshape(input.shape)
    return affine(y, channels(weight, input.ndim), channels(bias, input.ndim), input.dtype), mean, rstd


def group_norm(
    input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5, cudnn_enabled: bool = True
) -> Any:
    """Mean 0 and variance 1 within each group of channels of each example of (N, C, *); then weight and bias.

    Y. Wu and K. He, 2018.
    """
    if input.ndim < 2:
        raise RuntimeError(f"Expected at least 2 dimensions for input tensor but received {input.ndim}")
    return group_norm_rows(input, num_groups, weight, bias, eps)


@composite("nn.functional.group_norm", method=False)
def functional_group_norm(input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """Mean 0 and variance 1 within each group of channels of each example of (N, C, *); then weight and bias."""
    if input.ndim < 2:
        raise RuntimeError(f"Expected at least 2 dimensions for input tensor but received {input.ndim}")
    shape = tuple(input.shape)
    more_than_one([shape[0] * shape[1] // num_groups, num_groups, *shape[2:]])
    return group_norm_rows(input, num_groups, weight, bias, eps)


# -- neighbouring channels ------------------------------------------------------------------------------------------


@composite("nn.functional.local_response_norm", method=False)
def local_response_norm(input: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Any:
    """`input / (k + alpha * m) ** beta`, m being the mean square over `size` neighbouring channels of (N, C, *).

    A. Krizhevsky et al., 2012.
    """
    if input.ndim < 3:
        raise ValueError(
            f"Expected 3D or higher dimensionality                          input (got {input.ndim} dimensions)"
        )
    if input.numel() == 0:
        return input
    channels = input.shape[1]
    offset = np.arange(channels) - np.arange(channels)[:, None] + size // 2
    band = ((offset >= 0) & (offset < size)).astype(input.dtype.np)
    whole = (
        input.dtype.category < dtypes.FLOATING
    )  # the mean of integers is cut to an integer, as PyTorch's pooling does
    square = (input * input).reshape((input.shape[0], channels, -1))
    near = matmul(wrap(band), square) // size if whole else matmul(wrap(band / band.dtype.type(size)), square)
    near = near.reshape(tuple(input.shape))
    return input / (near * alpha + k) ** beta
