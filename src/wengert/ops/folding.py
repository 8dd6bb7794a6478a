"""Elements moved between space and channels: unfold and fold, and the shuffles of pixels and channels.

All are linear. `unfold` copies windows into columns and `fold` adds them up where they overlap; each is the other's
transpose. A shuffle only permutes, so its transpose is its inverse.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.op import Array, composite, linear
from ..kernels import convolution as kernel
from .shared import integers

__all__ = ["channel_shuffle", "native_channel_shuffle", "pixel_shuffle", "pixel_unshuffle"]

Ints = tuple[int, ...]


# -- windows as columns ------------------------------------------------------------------------------------------


@linear(
    "im2col",
    input=lambda g, input_shape, kernel_size, dilation, padding, stride: col2im(
        g, input_shape[2:], kernel_size, dilation, padding, stride
    ),
    node="Im2ColBackward0",
    method=False,
)
def im2col(input: Array, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Any:
    """Windows of (N, C, H, W) as columns (N, C * K, L)."""
    out = kernel.output_size(input.shape[2:], kernel_size, stride, padding, dilation)
    columns = kernel.unfold(np.asarray(input), kernel_size, out, stride, padding, dilation)
    return columns.reshape(input.shape[0], input.shape[1] * int(np.prod(kernel_size)), int(np.prod(out)))


@linear(
    "col2im",
    input=lambda g, kernel_size, dilation, padding, stride: im2col(g, kernel_size, dilation, padding, stride),
    node="Col2ImBackward0",
    method=False,
)
def col2im(input: Array, size: Any, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Any:
    """Columns (N, C * K, L) added up where windows overlap, to (N, C, *size)."""
    size = tuple(size)
    out = kernel.output_size(size, kernel_size, stride, padding, dilation)
    columns = input.reshape(input.shape[0], input.shape[1] // int(np.prod(kernel_size)), *kernel_size, *out)
    return np.ascontiguousarray(kernel.fold(columns, size, kernel_size, stride, padding, dilation))


def _pair(value: Any, name: str, function: str, position: int) -> Ints:
    values = integers(value, function, name, position)
    if len(values) not in (1, 2):
        raise RuntimeError(f"It is expected {name} equals to 2, but got size {len(values)}")
    return values * 2 if len(values) == 1 else values


def _check_options(kernel_size: Ints, dilation: Ints, padding: Ints, stride: Ints) -> None:
    for words, names, values, least in (
        ("kernel size should be greater than zero", "kernel", kernel_size, 1),
        ("dilation should be greater than zero", "dilation", dilation, 1),
        ("padding should be non-negative", "pad", padding, 0),
        ("stride should be greater than zero", "stride", stride, 1),
    ):
        if min(values) < least:
            raise RuntimeError(f"{words}, but got {names}_height: {values[0]} {names}_width: {values[1]}")


def _shown(values: Ints) -> str:
    return f"({values[0]}, {values[1]})"


@composite("nn.functional.unfold", method=False)
def unfold(input: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """Sliding windows of (N, C, H, W) or (C, H, W) as columns: (N, C * kernel elements, number of windows)."""
    k, d = _pair(kernel_size, "kernel_size", "im2col", 2), _pair(dilation, "dilation", "im2col", 3)
    p, s = _pair(padding, "padding", "im2col", 4), _pair(stride, "stride", "im2col", 5)
    _check_options(k, d, p, s)
    shape = list(input.shape)
    if len(shape) not in (3, 4) or 0 in shape[-3:]:
        raise RuntimeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for input, but "
            f"got: {shape}"
        )
    out = kernel.output_size((shape[-2], shape[-1]), k, s, p, d)
    if min(out) < 1:
        raise RuntimeError(
            f"Given input with spatial size {_shown((shape[-2], shape[-1]))}, kernel_size={_shown(k)}, "
            f"dilation={_shown(d)}, padding={_shown(p)}, calculated shape of the array of sliding blocks as {_shown(out)}, "
            "but its components must be at least one."
        )
    if len(shape) == 3:
        return im2col(input.unsqueeze(0), k, d, p, s).squeeze(0)
    return im2col(input, k, d, p, s)


@composite("nn.functional.fold", method=False)
def fold(input: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """Columns (N, C * kernel elements, number of windows) added up, where windows overlap, to (N, C, *output_size)."""
    size, k = _pair(output_size, "output_size", "col2im", 2), _pair(kernel_size, "kernel_size", "col2im", 3)
    d, p = _pair(dilation, "dilation", "col2im", 4), _pair(padding, "padding", "col2im", 5)
    s = _pair(stride, "stride", "col2im", 6)
    _check_options(k, d, p, s)
    shape = list(input.shape)
    if len(shape) not in (2, 3) or 0 in shape[-2:]:
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions for input, "
            f"but got: {shape}"
        )
    first = len(shape) - 2
    if shape[-2] % (k[0] * k[1]):
        raise RuntimeError(
            f"Expected size of input's dimension {first} to be divisible by the product of kernel_size, but got "
            f"input.size({first})={shape[-2]} and kernel_size={_shown(k)}."
        )
    rows, columns = kernel.output_size(size, k, s, p, d)
    if shape[-1] != rows * columns or min(rows, columns) < 1:
        raise RuntimeError(
            f"Given output_size={_shown(size)}, kernel_size={_shown(k)}, dilation={_shown(d)}, padding={_shown(p)}, "
            f"stride={_shown(s)}, expected size of input's dimension {first + 1} to match the calculated number of sliding "
            f"blocks {rows} * {columns} = {rows * columns}, but got input.size({first + 1})={shape[-1]}."
        )
    if len(shape) == 2:
        return col2im(input.unsqueeze(0), size, k, d, p, s).squeeze(0)
    return col2im(input, size, k, d, p, s)


# -- shuffles ----------------------------------------------------------------------------------------------------


@linear("pixel_shuffle", input=lambda g, upscale_factor: pixel_unshuffle(g, upscale_factor), method=False)
def pixel_shuffle(input: Array, upscale_factor: int) -> Any:
    """(..., C * r * r, H, W) to (..., C, H * r, W * r) with r = `upscale_factor`."""
    r = upscale_factor
    if input.ndim < 3:
        raise RuntimeError(
            f"pixel_shuffle expects input to have at least 3 dimensions, but got input with {input.ndim} dimension(s)"
        )
    if r <= 0:
        raise RuntimeError(f"pixel_shuffle expects a positive upscale_factor, but got {r}")
    *lead, c, h, w = input.shape
    if c % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, but "
            f"input.size(-3)={c} is not divisible by {r * r}"
        )
    n = len(lead)
    parts = input.reshape(*lead, c // (r * r), r, r, h, w)
    parts = parts.transpose(*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return parts.reshape(*lead, c // (r * r), h * r, w * r)


@linear("pixel_unshuffle", input=lambda g, downscale_factor: pixel_shuffle(g, downscale_factor), method=False)
def pixel_unshuffle(input: Array, downscale_factor: int) -> Any:
    """(..., C, H * r, W * r) to (..., C * r * r, H, W) with r = `downscale_factor`."""
    r = downscale_factor
    if input.ndim < 3:
        raise RuntimeError(
            f"pixel_unshuffle expects input to have at least 3 dimensions, but got input with {input.ndim} dimension(s)"
        )
    if r <= 0:
        raise RuntimeError(f"pixel_unshuffle expects a positive downscale_factor, but got {r}")
    *lead, c, h, w = input.shape
    for n, word, dim in ((h, "height", -2), (w, "width", -1)):
        if n % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {word} to be divisible by downscale_factor, but input.size({dim})={n} is not "
                f"divisible by {r}"
            )
    n = len(lead)
    parts = input.reshape(*lead, c, h // r, r, w // r, r)
    parts = parts.transpose(*range(n), n, n + 2, n + 4, n + 1, n + 3)
    return parts.reshape(*lead, c * r * r, h // r, w // r)


@linear(
    "channel_shuffle",
    input=lambda g, input_shape, groups: channel_shuffle(g, input_shape[1] // groups),
    method=False,
)
def channel_shuffle(input: Array, groups: int) -> Any:
    """Channels of (N, C, *S) dealt out: channel i of group j becomes channel j of the i-th."""
    if input.ndim < 3:
        raise RuntimeError(f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(input.shape)}")
    if groups <= 0:
        raise RuntimeError(f"Number of groups to divide channels in must be positive. Value of groups:{groups}")
    n, c, *size = input.shape
    if c % groups:
        raise RuntimeError(f"Number of channels must be divisible by groups. Got {c} channels and {groups} groups.")
    return input.reshape(n, groups, c // groups, *size).swapaxes(1, 2).reshape(input.shape)


def native_channel_shuffle(input: Any, groups: int) -> Any:
    """The same as `channel_shuffle`."""
    return channel_shuffle(input, groups)


for _f in (pixel_shuffle, pixel_unshuffle, channel_shuffle, native_channel_shuffle):
    composite(f"nn.functional.{_f.__name__}", method=False)(_f)
