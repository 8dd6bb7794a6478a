"""Dropout, of elements and of whole channels. The draws are `random`'s."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.batched import drawn as drawn_for_examples
from ..core.op import composite
from ..core.tensor import wrap
from ..kernels import generator as kernel
from .arithmetic import add, mul
from .random import draw_like, source_of

__all__ = ["dropout"]


# -- dropout ---------------------------------------------------------------------------------------------------


def _check_p(p: float) -> None:
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _noise(input: Any, p: float, shape: tuple[int, ...]) -> Any:
    source, d = source_of(None), input._array.dtype
    if shape == tuple(input.shape):  # drawn in the order in which the input lies in memory
        return draw_like(input._array, lambda s, d: kernel.bernoulli(source, 1 - p, s, d), d)
    return drawn_for_examples(lambda s: kernel.bernoulli(source, 1 - p, s, d), shape)


def _drop(input: Any, p: float, train: bool, shape: Any) -> Any:
    if p == 0 or not train or input.numel() == 0:
        return input
    if p == 1:
        return mul(input, wrap(np.zeros((), input._array.dtype)))
    noise = _noise(input, p, shape)
    work = np.float64 if noise.dtype == np.float64 else np.float32
    noise *= noise.dtype.type(work(1) / work(1 - p))
    return mul(input, wrap(noise))


def dropout(input: Any, p: float, train: bool) -> Any:
    """Elements set to 0 with probability `p`, the others divided by `1 - p`."""
    _check_p(p)
    return _drop(input, p, train, tuple(input.shape))


def _channels(input: Any) -> tuple[int, ...]:
    shape = tuple(input.shape)
    return shape[:2] + (1,) * (len(shape) - 2)


def _feature(name: str, dims: int, unbatched: bool) -> Any:
    def dropped(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
        _check_p(p)
        if unbatched and input.ndim == dims + 1:
            out = _drop(input, p, training, (input.shape[0],) + (1,) * dims)
        else:
            if input.ndim < 2:
                raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
            out = _drop(input, p, training, _channels(input))
        return input.copy_(out) if inplace and out is not input else out

    dropped.__name__ = dropped.__qualname__ = name
    dropped.__doc__ = "Whole channels set to 0 with probability `p`, the others divided by `1 - p`."
    return composite("nn.functional." + name)(dropped)


@composite("nn.functional.dropout")
def functional_dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """While training, elements set to 0 with probability `p`, the others divided by `1 - p`."""
    out = dropout(input, p, training)
    return input.copy_(out) if inplace and out is not input else out


dropout1d = _feature("dropout1d", 1, True)


dropout2d = _feature("dropout2d", 2, False)


dropout3d = _feature("dropout3d", 3, True)


_ALPHA = 1.7580993408473766  # minus the limit of SELU for large negative numbers


def _alpha(input: Any, p: float, training: bool, shape: Any) -> Any:
    _check_p(p)
    if p == 0 or not training or input.numel() == 0:
        return input
    if p == 1:
        return mul(input, wrap(np.zeros((), input._array.dtype)))
    noise = _noise(input, p, shape)
    a = 1 / math.sqrt((_ALPHA * _ALPHA * p + 1) * (1 - p))
    shift = (noise - 1) * (_ALPHA * a) + _ALPHA * a * p
    return add(mul(input, wrap(noise * a)), wrap(shift))


@composite("nn.functional.alpha_dropout")
def alpha_dropout(input: Any, p: float = 0.5, training: bool = False, inplace: bool = False) -> Any:
    """Dropout that keeps mean and variance of SELU's output. G. Klambauer et al., 2017."""
    out = _alpha(input, p, training, tuple(input.shape))
    return input.copy_(out) if inplace and out is not input else out


@composite("nn.functional.feature_alpha_dropout")
def feature_alpha_dropout(input: Any, p: float = 0.5, training: bool = False, inplace: bool = False) -> Any:
    """`alpha_dropout` of whole channels."""
    if input.ndim < 2 and training:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    out = _alpha(input, p, training, _channels(input))
    return input.copy_(out) if inplace and out is not input else out
