"""Pooling of rank 1, 2 and 3: maxima, averages, adaptive and power-average pools, and unpooling."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.op import Array, composite, general, linear
from ..core.tensor import wrap
from ..kernels import pooling as kernel
from .convolution import spread


@general(
    "max_pool_places",
    outputs="out, indices*",
    input=lambda g, indices, input_shape: put_places(g, indices, input_shape[2:]),
    jvp=lambda t_input, indices: take_places(t_input, indices),
    node="MaxPool2DWithIndicesBackward0",
    method=False,
    named=False,
)
def max_pool_rows(input: Array, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Any:
    """Maxima of windows of (N, C, *S), and their places in the flattened spatial dimensions."""
    return kernel.max_pool(input, kernel_size, stride, padding, dilation, ceil_mode)


@linear("put_places", input=lambda g, indices: take_places(g, indices), method=False)
def put_places(input: Array, indices: Array, size: Any) -> Any:
    """Zeros (N, C, *size) with `input` added at flat spatial places."""
    return kernel.put_at_places(np.asarray(input), indices, tuple(size))


@linear("take_places", input=lambda g, indices, input_shape: put_places(g, indices, input_shape[2:]), method=False)
def take_places(input: Array, indices: Array) -> Any:
    """(N, C, *S) read at flat spatial places."""
    return kernel.take_at_places(input, indices)


@linear(
    "window_sum",
    input=lambda g, input_shape, kernel_size, stride, padding: window_spread(
        g, input_shape[2:], kernel_size, stride, padding
    ),
    node="AvgPool2DBackward0",
    method=False,
)
def window_sum(input: Array, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool) -> Any:
    """Sums over windows of (N, C, *S)."""
    return kernel.window_sum(input, kernel_size, stride, padding, ceil_mode)


@linear(
    "window_spread",
    # How many windows there are is what the gradient's own shape says: rounding up is then known.
    input=lambda g, input_shape, kernel_size, stride, padding: cut_to(
        window_sum(g, kernel_size, stride, padding, True), input_shape
    ),
    method=False,
)
def window_spread(input: Array, size: Any, kernel_size: Any, stride: Any, padding: Any) -> Any:
    """The transpose of `window_sum`."""
    return kernel.window_spread(input, tuple(size), kernel_size, stride, padding)


def cut_to(x: Any, shape: tuple[int, ...]) -> Any:
    """The leading part of `x` that has `shape`."""
    return x if tuple(x.shape) == tuple(shape) else x[tuple(slice(0, n) for n in shape)]


def _batched(input: Any, rank: int, name: str) -> tuple[Any, bool]:
    if input.ndim == rank + 1:
        return input.unsqueeze(0), True
    if input.ndim != rank + 2:
        raise RuntimeError(
            f"{name}: Expected {rank + 1}D or {rank + 2}D input, but got a tensor of shape {list(input.shape)}"
        )
    return input, False


def _windows(kernel_size: Any, stride: Any, padding: Any, rank: int) -> tuple[Any, Any, Any]:
    k = spread(kernel_size, rank, "kernel_size")
    s = k if stride is None or stride == [] or stride == () else spread(stride, rank, "stride")
    p = spread(padding, rank, "padding")
    if any(v <= 0 for v in k):
        raise RuntimeError(f"pooling: kernel_size must be greater than zero, but got {list(k)}")
    if any(v <= 0 for v in s):
        raise RuntimeError("stride should not be zero")
    if any(2 * a > b for a, b in zip(p, k, strict=True)) or any(v < 0 for v in p):
        a, b = next((a, b) for a, b in zip(p, k, strict=True) if 2 * a > b or a < 0)
        if a < 0:
            raise RuntimeError(f"pad must be non-negative, but got pad: {a}")
        raise RuntimeError(
            f"pad should be at most half of effective kernel size, but got pad={a}, kernel_size={b} and dilation=1"
        )
    return k, s, p


def _nonempty(out: tuple[int, ...], input: Any) -> None:
    if any(n <= 0 for n in out):
        raise RuntimeError(
            f"Given input size: ({'x'.join(str(n) for n in input.shape[1:])}). Calculated output size: "
            f"({'x'.join(str(n) for n in (input.shape[1], *out))}). Output size is too small"
        )


def _max_pool(
    input: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    with_indices: bool,
    rank: int,
) -> Any:
    k, s, p = _windows(kernel_size, stride, padding, rank)
    d = spread(dilation, rank, "dilation")
    if any(v <= 0 for v in d):
        raise RuntimeError(f"dilation must be greater than zero, but got {list(d)}")
    x, added = _batched(input, rank, f"max_pool{rank}d")
    _nonempty(kernel.result_size(tuple(x.shape[2:]), k, s, p, d, ceil_mode), x)
    out, indices = max_pool_rows(x, k, s, p, d, ceil_mode)
    if added:
        out, indices = out.squeeze(0), indices.squeeze(0)
    return (out, indices) if with_indices else out


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
    k, s, p = _windows(kernel_size, stride, padding, rank)
    if divisor_override == 0:
        raise RuntimeError("divisor must be not zero")
    x, added = _batched(input, rank, f"avg_pool{rank}d")
    size = tuple(x.shape[2:])
    _nonempty(kernel.result_size(size, k, s, p, (1,) * rank, ceil_mode), x)
    total = window_sum(x, k, s, p, ceil_mode)
    if divisor_override is not None:
        out = total / divisor_override
    elif not any(p) and not ceil_mode:
        out = total / int(np.prod(k))
    else:
        count = kernel.coverage(size, k, s, p, ceil_mode, count_include_pad)
        out = total / wrap(count.astype(x.detach().numpy().dtype))
    return out.squeeze(0) if added else out


def _bins(n: int, m: int) -> list[tuple[int, int]]:
    """Where each of `m` adaptive windows over `n` elements begins and ends."""
    return [(i * n // m, -(-(i + 1) * n // m)) for i in range(m)]


def _sizes(output_size: Any, size: tuple[int, ...], rank: int) -> tuple[int, ...]:
    wanted = output_size if isinstance(output_size, (tuple, list)) else (output_size,) * rank
    if len(wanted) == 1 and rank > 1:
        wanted = tuple(wanted) * rank
    if len(wanted) != rank:
        raise RuntimeError(f"adaptive pooling: output_size must be {rank} numbers")
    found = tuple(n if w is None else int(w) for w, n in zip(wanted, size, strict=True))
    if any(v < 0 for v in found):
        raise RuntimeError("adaptive pooling: elements of output_size must be greater than or equal to 0")
    return found


def _adaptive_avg(input: Any, output_size: Any, rank: int) -> Any:
    x, added = _batched(input, rank, f"adaptive_avg_pool{rank}d")
    sizes = _sizes(output_size, tuple(x.shape[2:]), rank)
    if all(n == 1 for n in sizes):
        x = x.mean(tuple(range(2, rank + 2)), True)
    else:
        # Separable: along each dimension a product with the matrix of averages.
        for axis, m in enumerate(sizes):
            n = x.shape[2 + axis]
            matrix = np.zeros((n, m), x.detach().numpy().dtype)
            for j, (a, b) in enumerate(_bins(n, m)):
                matrix[a:b, j] = 1 / (b - a)
            x = (x.transpose(2 + axis, -1) @ wrap(matrix)).transpose(2 + axis, -1)
    return x.squeeze(0) if added else x


@general(
    "adaptive_max_places",
    outputs="out, indices*",
    input=lambda g, indices, input_shape: put_places(g, indices, input_shape[2:]),
    jvp=lambda t_input, indices: take_places(t_input, indices),
    node="AdaptiveMaxPool2DBackward0",
    method=False,
    named=False,
)
def adaptive_max_rows(input: Array, sizes: Any) -> Any:
    """Maxima over adaptive windows of (N, C, *S), and their places."""
    size = input.shape[2:]
    out = np.empty((*input.shape[:2], *sizes), input.dtype)
    places = np.empty(out.shape, np.int64)
    for index in np.ndindex(*sizes):
        bounds = [_bins(n, m)[i] for n, m, i in zip(size, sizes, index, strict=True)]
        part = input[(slice(None), slice(None), *(slice(a, b) for a, b in bounds))]
        flat = part.reshape(*input.shape[:2], -1)
        first = flat.argmax(-1)
        offsets = np.unravel_index(first, part.shape[2:])
        place: Any = 0
        for n, (a, _), o in zip(size, bounds, offsets, strict=True):
            place = place * n + a + o
        out[(slice(None), slice(None), *index)] = np.take_along_axis(flat, first[..., None], -1)[..., 0]
        places[(slice(None), slice(None), *index)] = place
    return out, places


def _adaptive_max(input: Any, output_size: Any, return_indices: bool, rank: int) -> Any:
    x, added = _batched(input, rank, f"adaptive_max_pool{rank}d")
    out, indices = adaptive_max_rows(x, _sizes(output_size, tuple(x.shape[2:]), rank))
    if added:
        out, indices = out.squeeze(0), indices.squeeze(0)
    return (out, indices) if return_indices else out


def _lp_pool(input: Any, norm_type: Any, kernel_size: Any, stride: Any, ceil_mode: bool, rank: int) -> Any:
    k, s, p = _windows(kernel_size, stride, 0, rank)
    x, added = _batched(input, rank, f"lp_pool{rank}d")
    # As PyTorch: an average times the window's size, so that windows rounded up count in full.
    mean = _avg_pool(x**norm_type, k, s, p, ceil_mode, True, None, rank)
    out = (mean.sign() * mean.abs().relu() * int(np.prod(k))) ** (1.0 / norm_type)
    return out.squeeze(0) if added else out


def _unpool(input: Any, indices: Any, kernel_size: Any, stride: Any, padding: Any, output_size: Any, rank: int) -> Any:
    k, s, p = _windows(kernel_size, stride, padding, rank)
    x, added = _batched(input, rank, f"max_unpool{rank}d")
    places = indices.unsqueeze(0) if added else indices
    if places.dtype.np != np.int64:
        raise RuntimeError(f"elements in indices should be type int64 but got: {places.dtype.tensor_type}")
    default = tuple((n - 1) * b - 2 * c + a for n, a, b, c in zip(x.shape[2:], k, s, p, strict=True))
    size = default if output_size is None else tuple(int(n) for n in output_size)[-rank:]
    area = int(np.prod(size))
    if places.numel() and (int(places.max()) >= area or int(places.min()) < 0):
        raise RuntimeError(
            f"Found an invalid max index: {int(places.max())} (output volumes are of size {'x'.join(map(str, size))})"
        )
    # A place that several values claim keeps one of them (the last); summing would be another operation.
    out = keep_places(x, places, size)
    return out.squeeze(0) if added else out


@linear("keep_places", input=lambda g, indices: take_places(g, indices), method=False, node="MaxUnpool2DBackward0")
def keep_places(input: Array, indices: Array, size: Any) -> Any:
    """Zeros (N, C, *size) with `input` written at flat spatial places."""
    out = np.zeros((*input.shape[:2], int(np.prod(size))), input.dtype)
    np.put_along_axis(out, indices.reshape(*input.shape[:2], -1), input.reshape(*input.shape[:2], -1), axis=2)
    return out.reshape(*input.shape[:2], *size)


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
        return _max_pool(input, kernel_size, stride, padding, dilation, ceil_mode, return_indices, rank)

    def max_pool_with_indices(
        input: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        return _max_pool(input, kernel_size, stride, padding, dilation, ceil_mode, True, rank)

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

    def adaptive_avg_pool(input: Any, output_size: Any) -> Any:
        return _adaptive_avg(input, output_size, rank)

    def adaptive_max_pool(input: Any, output_size: Any, return_indices: bool = False) -> Any:
        return _adaptive_max(input, output_size, return_indices, rank)

    def adaptive_max_pool_with_indices(input: Any, output_size: Any, return_indices: bool = False) -> Any:
        return _adaptive_max(input, output_size, True, rank)

    def lp_pool(input: Any, norm_type: Any, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Any:
        return _lp_pool(input, norm_type, kernel_size, stride, ceil_mode, rank)

    def max_unpool(
        input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
    ) -> Any:
        return _unpool(input, indices, kernel_size, stride, padding, output_size, rank)

    functions: dict[str, Any] = {
        f"max_pool{rank}d": max_pool,
        f"max_pool{rank}d_with_indices": max_pool_with_indices,
        f"avg_pool{rank}d": avg_pool,
        f"adaptive_avg_pool{rank}d": adaptive_avg_pool,
        f"adaptive_max_pool{rank}d": adaptive_max_pool,
        f"adaptive_max_pool{rank}d_with_indices": adaptive_max_pool_with_indices,
        f"lp_pool{rank}d": lp_pool,
        f"max_unpool{rank}d": max_unpool,
    }
    for name, fn in functions.items():
        fn.__name__ = fn.__qualname__ = name
        fn.__doc__ = f"{name.replace('_', ' ')}: input (N, C, *S) or (C, *S), PyTorch's options."
        composite(f"nn.functional.{name}", method=False)(fn)
    return functions


POOLS = _public(1) | _public(2) | _public(3)

__all__ = ["POOLS"]
