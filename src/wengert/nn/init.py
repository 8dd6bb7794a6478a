"""`wengert.nn.init`: filling a tensor in place with the numbers a layer starts from, draw for draw as PyTorch.

Sources: Glorot and Bengio, AISTATS (2010), for xavier; He et al., ICCV (2015), for kaiming; Saxe et al., ICLR (2014),
for orthogonal; Martens, ICML (2010), for sparse.
"""

from __future__ import annotations

import contextlib
import functools
import math
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..core.modes import no_grad
from ..core.tensor import wrap
from ..kernels import generator as kernel
from ..kernels.generator import default_generator
from ..ops.draws import in_memory_order

_STATE = threading.local()


@contextlib.contextmanager
def skipped() -> Iterator[None]:
    """Within it, in this thread, nothing here fills anything."""
    before = getattr(_STATE, "skip", False)
    _STATE.skip = True
    try:
        yield
    finally:
        _STATE.skip = before


def _filling(fn: Any) -> Any:
    """A function that fills its first argument, without a gradient, unless that is skipped."""

    @functools.wraps(fn)
    def fill(tensor: Any, *args: Any, **kwargs: Any) -> Any:
        if getattr(_STATE, "skip", False):
            return tensor
        with no_grad():
            return fn(tensor, *args, **kwargs)

    return fill


_LINEAR = ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")


def calculate_gain(nonlinearity: str, param: Any = None) -> float:
    """The factor that keeps the variance of activations through a nonlinearity."""
    if nonlinearity in _LINEAR or nonlinearity == "sigmoid":
        return 1
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity == "selu":
        return 3.0 / 4
    raise ValueError(f"Unsupported nonlinearity {nonlinearity}")


@_filling
def uniform_(tensor: Any, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Any:
    """Numbers uniform on [a, b)."""
    return tensor.uniform_(a, b, generator=generator)


@_filling
def normal_(tensor: Any, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Any:
    """Normal numbers."""
    return tensor.normal_(mean, std, generator=generator)


@_filling
def constant_(tensor: Any, val: float) -> Any:
    """One number everywhere."""
    return tensor.fill_(val)


def ones_(tensor: Any) -> Any:
    return constant_(tensor, 1.0)


def zeros_(tensor: Any) -> Any:
    return constant_(tensor, 0.0)


@_filling
def trunc_normal_(
    tensor: Any, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Any = None
) -> Any:
    """Normal numbers, those outside [a, b] drawn again.

    Where fewer than 3 in 10 would fall inside, uniform numbers are accepted with the normal's chance instead.
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The distribution of values may be incorrect.",
            stacklevel=2,
        )
    gen = default_generator if generator is None else generator
    dtype = tensor._array.dtype

    def below(x: float) -> float:
        return (1.0 + math.erf((x - mean) / std / math.sqrt(2.0))) / 2.0

    if below(b) - below(a) > 0.3:
        low, high = dtype.type(a), dtype.type(b)

        def normal(like: Any) -> Any:
            laid = bool(like.flags.c_contiguous)
            return in_memory_order(like, lambda s, d: kernel.normal(gen, s, d, mean, std, laid))

        found = np.array(normal(tensor._array), order="K")
        while (outside := (found < low) | (found > high)).any():
            np.copyto(found, normal(found), where=outside)
    else:

        def uniform(low: float = 0.0, high: float = 1.0) -> Any:
            return in_memory_order(tensor._array, lambda s, d: kernel.uniform(gen, s, d, low, high))

        peak = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2
        found = np.zeros(tensor._array.shape, dtype)
        pending = np.ones(found.shape, bool)
        while pending.any():
            drawn = uniform(a, b)
            found = np.where(pending, drawn, found)
            chance = ((drawn - dtype.type(mean)) / dtype.type(std)) ** 2 * dtype.type(-0.5) - dtype.type(peak)
            pending &= np.log(uniform()) > chance
    return _store(tensor, found)


def _store(tensor: Any, numbers: Any) -> Any:
    return tensor.copy_(wrap(np.asarray(numbers)))


@_filling
def eye_(tensor: Any) -> Any:
    """The identity matrix."""
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    return _store(tensor, np.eye(*tensor._array.shape, dtype=tensor._array.dtype))


@_filling
def dirac_(tensor: Any, groups: int = 1) -> Any:
    """A convolution's weight that passes as many channels through unchanged as it can, in each group."""
    if tensor.ndim not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    out_channels, in_channels, *kernel_size = tensor._array.shape
    if out_channels % groups != 0:
        raise ValueError("dim 0 must be divisible by groups")
    each = out_channels // groups
    weight = np.zeros_like(tensor._array)
    centre = tuple(k // 2 for k in kernel_size)
    for group in range(groups):
        for d in range(min(each, in_channels)):
            weight[(group * each + d, d, *centre)] = 1
    return _store(tensor, weight)


def _calculate_fan_in_and_fan_out(tensor: Any) -> tuple[int, int]:
    shape = tensor._array.shape
    if len(shape) < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def _calculate_correct_fan(tensor: Any, mode: str) -> int:
    mode = mode.lower()
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of {['fan_in', 'fan_out']}")
    return _calculate_fan_in_and_fan_out(tensor)[mode == "fan_out"]


def xavier_uniform_(tensor: Any, gain: float = 1.0, generator: Any = None) -> Any:
    """Uniform with variance gain^2 * 2 / (fan_in + fan_out)."""
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    bound = math.sqrt(3.0) * gain * math.sqrt(2.0 / float(fan_in + fan_out))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Any, gain: float = 1.0, generator: Any = None) -> Any:
    """Normal with variance gain^2 * 2 / (fan_in + fan_out)."""
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / float(fan_in + fan_out)), generator)


def _kaiming_std(tensor: Any, a: float, mode: str, nonlinearity: str) -> float | None:
    if 0 in tensor._array.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return None
    return calculate_gain(nonlinearity, a) / math.sqrt(_calculate_correct_fan(tensor, mode))


def kaiming_uniform_(
    tensor: Any, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Any:
    """Uniform with variance gain^2 / fan."""
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    if std is None:
        return tensor
    bound = math.sqrt(3.0) * std
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Any, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Any:
    """Normal with variance gain^2 / fan."""
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    return tensor if std is None else normal_(tensor, 0.0, std, generator)


@_filling
def orthogonal_(tensor: Any, gain: float = 1, generator: Any = None) -> Any:
    """A random orthogonal matrix times `gain`: all dimensions but the first flattened."""
    if tensor.ndim < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if tensor.numel() == 0:
        return tensor
    shape, dtype = tensor._array.shape, tensor._array.dtype
    rows = shape[0]
    flat = kernel.normal(default_generator if generator is None else generator, (rows, tensor.numel() // rows), dtype)
    q, r = np.linalg.qr(flat.T if rows < flat.shape[1] else flat)
    q = q * np.sign(np.diagonal(r))
    return _store(tensor, (q.T if rows < flat.shape[1] else q).reshape(shape)).mul_(gain)


@_filling
def sparse_(tensor: Any, sparsity: float, std: float = 0.01, generator: Any = None) -> Any:
    """Normal numbers; in each column the fraction `sparsity` of them, at random places, set to zero."""
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    gen = default_generator if generator is None else generator
    rows, columns = tensor._array.shape
    found = kernel.normal(gen, (rows, columns), tensor._array.dtype, 0.0, std)
    zeros = math.ceil(sparsity * rows)
    for column in range(columns):
        found[kernel.randperm(default_generator, rows)[:zeros], column] = 0
    return _store(tensor, found)


def _old(new: Any) -> Any:
    """The name without the underscore, which still works and warns."""
    name = new.__name__[:-1]

    @functools.wraps(new)
    def old(*args: Any, **kwargs: Any) -> Any:
        warnings.warn(f"`nn.init.{name}` is now deprecated in favor of `nn.init.{name}_`.", FutureWarning, stacklevel=2)
        return new(*args, **kwargs)

    old.__name__ = old.__qualname__ = name
    return old


uniform, normal, constant, eye, dirac = map(_old, (uniform_, normal_, constant_, eye_, dirac_))
xavier_uniform, xavier_normal = map(_old, (xavier_uniform_, xavier_normal_))
kaiming_uniform, kaiming_normal = map(_old, (kaiming_uniform_, kaiming_normal_))
orthogonal, sparse = map(_old, (orthogonal_, sparse_))

__all__ = [
    "calculate_gain",
    "constant_",
    "dirac_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "sparse_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]
