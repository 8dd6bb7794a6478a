"""Pooling of rank 1, 2 and 3: maxima, averages, adaptive, power-average and fractional pools, and unpooling.

Rows are stated for rank 2 and 3; rank 1 is rank 2 with a dimension of size one. A pool of maxima remembers the *place* of
each: an index into the flattened spatial dimensions. Its derivative puts gradients there, and reads tangents from there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.op import Array, composite, general, linear
from ..kernels import pooling as kernel
from .pool_checks import (
    adaptive_sizes,
    check_adaptive,
    check_avg,
    check_fractional,
    check_max,
    check_unpool,
    pool_ints,
    unpool_size,
    windows,
)  # fmt: skip
from .random import rand
from .resampling import mean_over_bins

__all__ = ["adaptive_avg_pool1d", "adaptive_max_pool1d", "avg_pool1d", "max_pool1d", "max_pool1d_with_indices",
           "max_pool2d", "max_pool3d"]  # fmt: skip

Function = Callable[..., Any]


# -- places ------------------------------------------------------------------------------------------------------


@linear("put_places", input=lambda g, indices, size: take_places(g, indices, len(size)), method=False)
def put_places(input: Array, indices: Array, size: Any) -> Any:
    """Zeros (..., *size) with `input` added at flat spatial places."""
    return kernel.put_at_places(np.asarray(input), indices, tuple(size))


@linear(
    "take_places",
    input=lambda g, indices, input_shape, rank: put_places(g, indices, input_shape[len(input_shape) - rank :]),
    method=False,
)
def take_places(input: Array, indices: Array, rank: int) -> Any:
    """`input` (..., *S) of `rank` spatial dimensions, read at flat spatial places."""
    return kernel.take_at_places(np.asarray(input), indices, rank)


def _pool_of_maxima(name: str, rank: int, node: str, forward: Function) -> Function:
    """A row with results `out` and `indices`."""
    return general(
        name,
        forward,
        outputs="out, indices*",
        input=lambda g, indices, input_shape: put_places(g, indices, input_shape[len(input_shape) - rank :]),
        jvp=lambda t_input, indices: take_places(t_input, indices, rank),
        node=node,
        method=False,
        named=False,
        domain="where the maximum of a window is attained once; else the first one gets the gradient",
    )


# -- maxima ------------------------------------------------------------------------------------------------------


def _max_row(rank: int) -> Function:
    def max_pool(input: Array, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Any:
        """Maxima of windows of (..., *S), and their places."""
        if input.dtype.kind not in "fiuV":
            raise NotImplementedError(f"\"max_pool{rank}d\" not implemented for '{dtypes.of(input.dtype).tensor_type}'")
        if input.dtype.kind == "V":  # bfloat16: float32 holds its numbers exactly
            largest = np.asarray(input, np.float32)
            values, places = kernel.max_pool(largest, kernel_size, stride, padding, dilation, ceil_mode)
            return values.astype(input.dtype), places
        return kernel.max_pool(input, kernel_size, stride, padding, dilation, ceil_mode)

    return _pool_of_maxima(f"max_pool{rank}d_with_indices", rank, f"MaxPool{rank}DWithIndicesBackward0", max_pool)


_MAX = {2: _max_row(2), 3: _max_row(3)}


def _max_pool(
    input: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool, rank: int
) -> tuple[Any, Any]:
    k, s, p, d = windows(f"max_pool{rank}d", kernel_size, stride, padding, dilation, rank)
    check_max(input, k, s, p, d, ceil_mode, rank)
    if rank > 1:
        return _MAX[rank](input, k, s, p, d, ceil_mode)
    out, indices = _MAX[2](input.unsqueeze(-2), (1, *k), (1, *s), (0, *p), (1, *d), ceil_mode)
    return out.squeeze(-2), indices.squeeze(-2)


# -- averages ----------------------------------------------------------------------------------------------------


def _avg_rows(rank: int) -> Function:
    def avg_pool(
        input: Array,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        ceil_mode: bool,
        count_include_pad: bool,
        divisor_override: int | None,
    ) -> Any:
        """Averages over windows of (..., *S)."""
        return kernel.avg_pool(input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)

    def avg_pool_back(
        input: Array,
        size: Any,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        ceil_mode: bool,
        count_include_pad: bool,
        divisor_override: int | None,
    ) -> Any:
        """The transpose: each window's share goes to all its elements."""
        return kernel.avg_pool_back(
            np.asarray(input), tuple(size), kernel_size, stride, padding, count_include_pad, divisor_override
        )

    there = linear(
        f"avg_pool{rank}d",
        avg_pool,
        input=lambda g, input_shape, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override: back(
            g,
            input_shape[len(input_shape) - rank :],
            kernel_size,
            stride,
            padding,
            ceil_mode,
            count_include_pad,
            divisor_override,
        ),
        node=f"AvgPool{rank}DBackward0",
        method=False,
    )
    back = linear(
        f"avg_pool{rank}d_back",
        avg_pool_back,
        input=lambda g, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override: there(
            g, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        ),
        node=f"AvgPool{rank}DBackwardBackward0",
        method=False,
    )
    return there


_AVG = {2: _avg_rows(2), 3: _avg_rows(3)}


def _avg_pool(
    input: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
    rank: int,
) -> Any:
    k, s, p, _ = windows(f"avg_pool{rank}d", kernel_size, stride, padding, 1, rank)
    if divisor_override == 0:
        raise RuntimeError("divisor must be not zero")
    check_avg(input, k, s, p, ceil_mode, rank)
    if rank > 1:
        return _AVG[rank](input, k, s, p, ceil_mode, count_include_pad, divisor_override)
    return _AVG[2](
        input.unsqueeze(-2), (1, *k), (1, *s), (0, *p), ceil_mode, count_include_pad, divisor_override
    ).squeeze(-2)


def _lp_pool(input: Any, norm_type: Any, kernel_size: Any, stride: Any, ceil_mode: bool, rank: int) -> Any:
    if isinstance(norm_type, (int, float)) and abs(norm_type) == float("inf"):
        if norm_type > 0:
            return _max_pool(input.abs(), kernel_size, stride, 0, 1, ceil_mode, rank)[0]
        return -_max_pool(-input.abs(), kernel_size, stride, 0, 1, ceil_mode, rank)[0]
    k, s, p, _ = windows(f"lp_pool{rank}d", kernel_size, stride, 0, 1, rank)
    # As PyTorch: an average times the window's size, so that windows rounded up count in full.
    mean = _avg_pool(input**norm_type, k, s, p, ceil_mode, True, None, rank)
    return (mean.sign() * mean.abs().relu() * int(np.prod(k))) ** (1.0 / norm_type)


# -- adaptive ----------------------------------------------------------------------------------------------------


def bins(n: int, m: int) -> list[tuple[int, int]]:
    """Where each of `m` adaptive windows over `n` elements begins and ends."""
    return [(i * n // m, -(-(i + 1) * n // m)) for i in range(m)]


def _adaptive_max_row(rank: int) -> Function:
    def adaptive_max(input: Array, sizes: Any) -> Any:
        """Maxima over adaptive windows of (..., *S), and their places."""
        return kernel.max_of_boxes(
            input, [bins(n, m) for n, m in zip(input.shape[input.ndim - rank :], sizes, strict=True)]
        )

    return _pool_of_maxima(f"adaptive_max_pool{rank}d", rank, f"AdaptiveMaxPool{rank}DBackward0", adaptive_max)


_ADAPTIVE_MAX = {2: _adaptive_max_row(2), 3: _adaptive_max_row(3)}


def adaptive_mean(input: Any, output_size: Any, rank: int) -> Any:
    function = f"adaptive_avg_pool{rank}d"
    check_adaptive(input, function, rank)
    sizes = adaptive_sizes(function, output_size, tuple(input.shape[len(input.shape) - rank :]), rank)
    if rank == 1:
        return mean_over_bins(input.unsqueeze(-2), (1, *sizes)).squeeze(-2)
    if all(n == 1 for n in sizes):
        return input.mean(tuple(range(-rank, 0)), True)
    return mean_over_bins(input, sizes)


def _adaptive_max(input: Any, output_size: Any, rank: int) -> tuple[Any, Any]:
    function = f"adaptive_max_pool{rank}d"
    check_adaptive(input, function, rank)
    sizes = adaptive_sizes(function, output_size, tuple(input.shape[len(input.shape) - rank :]), rank)
    if rank > 1:
        return _ADAPTIVE_MAX[rank](input, sizes)
    out, indices = _ADAPTIVE_MAX[2](input.unsqueeze(-2), (1, *sizes))
    return out.squeeze(-2), indices.squeeze(-2)


# -- fractional --------------------------------------------------------------------------------------------------


def _fractional_row(rank: int) -> Function:
    def fractional_max_pool(input: Array, kernel_size: Any, starts: Any) -> Any:
        """Maxima of windows (..., *S) that begin at `starts`, and their places."""
        return kernel.max_at_starts(input, starts, kernel_size)

    return _pool_of_maxima(
        f"fractional_max_pool{rank}d", rank, f"FractionalMaxPool{rank}DBackward0", fractional_max_pool
    )


_FRACTIONAL = {2: _fractional_row(2), 3: _fractional_row(3)}


def _starts(samples: Any, n: int, m: int, k: int) -> Any:
    """Where `m` windows of `k` among `n` begin: steps of almost equal length, shifted by the random `samples`."""
    if m < 2:
        return np.full((*samples.shape, m), n - k, np.int64)
    step = samples.dtype.type(n - k) / samples.dtype.type(m - 1)
    shifted = (np.arange(m).astype(samples.dtype) + samples[..., None]) * step
    starts = shifted.astype(np.int64) - (samples * step).astype(np.int64)[..., None]
    starts[..., -1] = n - k
    return starts


def _fractional(
    input: Any, kernel_size: Any, output_size: Any, output_ratio: Any, samples: Any, rank: int
) -> tuple[Any, Any]:
    function = f"fractional_max_pool{rank}d"
    shape = tuple(input.shape)
    if output_size is None and output_ratio is None:
        raise ValueError(f"{function} requires specifying either an output_size or an output_ratio")
    k = pool_ints(function, kernel_size, "kernel_size", 2, rank)
    if output_size is None:
        ratios = tuple(output_ratio) if isinstance(output_ratio, (tuple, list)) else (output_ratio,) * rank
        if len(ratios) != rank:
            raise ValueError(f"{function} requires output_ratio to either be a single Int or tuple of Ints.")
        output_size = tuple(int(n * r) for n, r in zip(shape[-rank:], ratios, strict=True))
    sizes = pool_ints(function, output_size, "output_size", 3, rank)
    check_fractional(input, k, sizes, rank)
    if samples is None:
        lead = (shape[0] if len(shape) == rank + 2 else 1, shape[-rank - 1], rank)
        samples = rand(lead, dtype=input.dtype)
    elif samples.requires_grad:
        raise RuntimeError(
            f"The function '{function}' is not differentiable with respect to argument 'random_samples'. This input cannot "
            "have requires_grad True."
        )
    planes = int(np.prod(shape[:-rank]))  # of more samples than that, the first are taken
    drawn = samples.detach().numpy().reshape(-1, rank)[:planes].reshape(*shape[:-rank], rank)
    order = (1, 0) if rank == 2 else (0, 1, 2)  # in two dimensions the first number is that of the width
    starts = [
        _starts(drawn[..., order[d]], n, m, w) for d, (n, m, w) in enumerate(zip(shape[-rank:], sizes, k, strict=True))
    ]
    return _FRACTIONAL[rank](input, k, starts)


# -- back to the size before -------------------------------------------------------------------------------------


def _unpool_row(rank: int) -> Function:
    def max_unpool(input: Array, indices: Array, size: Any) -> Any:
        """Zeros (..., *size) with `input` written at flat spatial places."""
        return kernel.keep_at_places(np.asarray(input), indices, tuple(size))

    return linear(
        f"max_unpool{rank}d",
        max_unpool,
        input=lambda g, indices: take_places(g, indices, rank),
        node=f"MaxUnpool{rank}DBackward0",
        method=False,
    )


_UNPOOL = {2: _unpool_row(2), 3: _unpool_row(3)}


def _unpool(input: Any, indices: Any, kernel_size: Any, stride: Any, padding: Any, output_size: Any, rank: int) -> Any:
    k, s, p, _ = windows(f"max_unpool{rank}d", kernel_size, stride, padding, 1, rank)
    size = unpool_size(input, k, s, p, output_size, rank)
    if rank == 1:
        x, at, size = input.unsqueeze(-1), indices.unsqueeze(-1), (*size, 1)
        check_unpool(x, at, size, 2)
        return _UNPOOL[2](x, at, size).squeeze(-1)
    check_unpool(input, indices, size, rank)
    # A place that several values claim keeps one of them (the last); summing would be another operation.
    return _UNPOOL[rank](input, indices, size)


# -- PyTorch's functions -----------------------------------------------------------------------------------------


def _public(rank: int) -> dict[str, Any]:
    """PyTorch's functions of one rank."""

    def max_pool(
        input: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        both = _max_pool(input, kernel_size, stride, padding, dilation, ceil_mode, rank)
        return both if return_indices else both[0]

    def max_pool_with_indices(
        input: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        return _max_pool(input, kernel_size, stride, padding, dilation, ceil_mode, rank)

    def avg_pool(
        input: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Any:
        return _avg_pool(input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, rank)

    def avg_pool_1(
        input: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> Any:
        return _avg_pool(input, kernel_size, stride, padding, ceil_mode, count_include_pad, None, 1)

    def adaptive_avg_pool(input: Any, output_size: Any) -> Any:
        return adaptive_mean(input, output_size, rank)

    def adaptive_max_pool(input: Any, output_size: Any, return_indices: bool = False) -> Any:
        both = _adaptive_max(input, output_size, rank)
        return both if return_indices else both[0]

    def adaptive_max_pool_with_indices(input: Any, output_size: Any, return_indices: bool = False) -> Any:
        return _adaptive_max(input, output_size, rank)

    def lp_pool(input: Any, norm_type: Any, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Any:
        return _lp_pool(input, norm_type, kernel_size, stride, ceil_mode, rank)

    def max_unpool(
        input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
    ) -> Any:
        return _unpool(input, indices, kernel_size, stride, padding, output_size, rank)

    def fractional_max_pool(
        input: Any,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Any = None,
    ) -> Any:
        both = _fractional(input, kernel_size, output_size, output_ratio, _random_samples, rank)
        return both if return_indices else both[0]

    def fractional_max_pool_with_indices(
        input: Any,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Any = None,
    ) -> Any:
        return _fractional(input, kernel_size, output_size, output_ratio, _random_samples, rank)

    functions: dict[str, Any] = {
        f"max_pool{rank}d": max_pool,
        f"max_pool{rank}d_with_indices": max_pool_with_indices,
        f"avg_pool{rank}d": avg_pool if rank > 1 else avg_pool_1,
        f"adaptive_avg_pool{rank}d": adaptive_avg_pool,
        f"adaptive_max_pool{rank}d": adaptive_max_pool,
        f"adaptive_max_pool{rank}d_with_indices": adaptive_max_pool_with_indices,
        f"lp_pool{rank}d": lp_pool,
        f"max_unpool{rank}d": max_unpool,
    }
    if rank > 1:
        functions[f"fractional_max_pool{rank}d"] = fractional_max_pool
        functions[f"fractional_max_pool{rank}d_with_indices"] = fractional_max_pool_with_indices
    for name, fn in functions.items():
        fn.__name__ = fn.__qualname__ = name
        fn.__doc__ = f"{name.replace('_', ' ')}: input (N, C, *S) or (C, *S), PyTorch's options."
        functions[name] = composite(f"nn.functional.{name}", method=False, out=name in _WITH_OUT)(fn)
    return functions


_WITH_OUT = {"avg_pool2d", "avg_pool3d"}
_ONE, _TWO, _THREE = _public(1), _public(2), _public(3)
max_pool2d, max_pool3d = _TWO["max_pool2d"], _THREE["max_pool3d"]
max_pool1d, avg_pool1d, adaptive_avg_pool1d = _ONE["max_pool1d"], _ONE["avg_pool1d"], _ONE["adaptive_avg_pool1d"]
# In the main namespace these two return the places as well.
max_pool1d_with_indices = _ONE["max_pool1d_with_indices"]
adaptive_max_pool1d = _ONE["adaptive_max_pool1d_with_indices"]
