"""A convolution or linear layer and the batch normalisation after it as one layer, for evaluation."""

from __future__ import annotations

import copy
from typing import Any

from ..parameter import Parameter

__all__ = ["fuse_conv_bn_eval", "fuse_conv_bn_weights", "fuse_linear_bn_eval", "fuse_linear_bn_weights"]


def _fused(layer: Any, bn: Any, fuse: Any, *options: Any) -> Any:
    if layer.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("bn.running_mean and bn.running_var must not be None")
    new = copy.deepcopy(layer)
    new.weight, new.bias = fuse(
        new.weight, new.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias, *options
    )
    return new


def fuse_conv_bn_eval(conv: Any, bn: Any, transpose: bool = False) -> Any:
    """A new convolution that computes bn(conv(x)); both must be in evaluation mode."""
    return _fused(conv, bn, fuse_conv_bn_weights, transpose)


def fuse_linear_bn_eval(linear: Any, bn: Any) -> Any:
    """A new linear layer that computes bn(linear(x)); both must be in evaluation mode."""
    if linear.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    if linear.out_features != bn.num_features and bn.num_features != 1:
        raise AssertionError(
            "To fuse, linear.out_features == bn.num_features or bn.num_features == 1, "
            f"got linear.out_features={linear.out_features} and bn.num_features={bn.num_features}"
        )
    return _fused(linear, bn, fuse_linear_bn_weights)


def _affine(w: Any, b: Any, mean: Any, var: Any, eps: float, gain: Any, shift: Any, shape: Any) -> tuple[Any, Any]:
    """w and b such that w x + b is normalised: w scale, (b - mean) scale + shift."""
    from ... import rsqrt

    bias_dtype = w.dtype if b is None else b.dtype
    wanted = False if b is None else b.requires_grad
    scale = rsqrt(var + eps) if gain is None else gain * rsqrt(var + eps)
    weight = (w * scale.reshape(shape)).to(w.dtype)
    bias = ((-mean if b is None else b - mean) * scale + (0 if shift is None else shift)).to(bias_dtype)
    return Parameter(weight.detach(), w.requires_grad), Parameter(bias.detach(), wanted)


def fuse_conv_bn_weights(
    conv_w: Any, conv_b: Any, bn_rm: Any, bn_rv: Any, bn_eps: float, bn_w: Any, bn_b: Any, transpose: bool = False
) -> tuple[Parameter, Parameter]:
    """Weight and bias of a convolution (or, with `transpose`, a transposed one) and the normalisation after it."""
    ones = (1,) * (conv_w.ndim - 2)
    shape = (1, -1, *ones) if transpose else (-1, 1, *ones)
    return _affine(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, shape)


def fuse_linear_bn_weights(
    linear_w: Any, linear_b: Any, bn_rm: Any, bn_rv: Any, bn_eps: float, bn_w: Any, bn_b: Any
) -> tuple[Parameter, Parameter]:
    """Weight and bias of a linear layer and the normalisation after it."""
    return _affine(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, (-1, 1))
