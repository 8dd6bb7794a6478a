"""Convolutions of rank 1, 2 and 3, and their transposes.

One bilinear operation and its two transposes carry all of them, and each is the derivative of the others:

    convolution(x, w)            d/dx = convolution_transpose(g, w)   d/dw = convolution_weight(x, g)
    convolution_transpose(x, w)  d/dx = convolution(g, w)             d/dw = convolution_weight(g, x)
    convolution_weight(x, h)     d/dx = convolution_transpose(h, g)   d/dh = convolution(x, g)

so double backward and forward mode need nothing more. The first two take a bias besides. The array code is
`kernels.convolution`.
"""

from __future__ import annotations

from typing import Any

from ..core import dtypes
from ..core.op import Array, composite, general, linear
from ..kernels import convolution as kernel
from .complex import conj
from .reductions import sum
from .shared import integers

__all__ = [
    "conv1d", "conv2d", "conv3d", "conv_tbc", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "convolution",
]  # fmt: skip


def _outside_channels(g: Any) -> tuple[int, ...]:
    return (0, *range(2, len(g.shape)))


@general(
    "convolution",
    precision="lower",
    input=lambda g, weight, input_shape, stride, padding, dilation, groups: transposed(
        g, conj(weight), None, input_shape[2:], stride, padding, dilation, groups
    ),
    weight=lambda g, input, weight_shape, stride, padding, dilation, groups: weight_gradient(
        conj(input), g, weight_shape, stride, padding, dilation, groups
    ),
    bias=lambda g: sum(g, _outside_channels(g)),
    jvp=lambda t_input, t_weight, t_bias, input, weight, bias, stride, padding, dilation, groups: (
        direct(t_input, weight, None if bias is None else t_bias, stride, padding, dilation, groups)
        + direct(input, t_weight, None, stride, padding, dilation, groups)
    ),
    node="ConvolutionBackward0",
    method=False,
    tex=r"{input} \star {weight} + {bias}",
)
def direct(
    input: Array, weight: Array, bias: Array | None, stride: Any, padding: Any, dilation: Any, groups: int
) -> Any:
    """Cross-correlation of (N, C, *S) with (O, C / groups, *K), and a bias (O,) for each channel."""
    return kernel.forward(input, weight, bias, stride, padding, dilation, groups)


@general(
    "convolution_transpose",
    precision="lower",
    input=lambda g, weight, input_shape, stride, padding, dilation, groups: leading(
        direct(g, conj(weight), None, stride, padding, dilation, groups), input_shape
    ),
    weight=lambda g, input, weight_shape, stride, padding, dilation, groups: weight_gradient(
        g, conj(input), weight_shape, stride, padding, dilation, groups
    ),
    bias=lambda g: sum(g, _outside_channels(g)),
    jvp=lambda t_input, t_weight, t_bias, input, weight, bias, size, stride, padding, dilation, groups: (
        transposed(t_input, weight, None if bias is None else t_bias, size, stride, padding, dilation, groups)
        + transposed(input, t_weight, None, size, stride, padding, dilation, groups)
    ),
    node="ConvolutionBackward0",
    method=False,
    tex=r"{input} \star^\top {weight} + {bias}",
)
def transposed(
    input: Array, weight: Array, bias: Array | None, size: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> Any:
    """The transpose of `direct` in its input, of spatial size `size`: (N, O, *L) with (O, C / groups, *K) to (N, C, *size)."""
    return kernel.input_grad(input, weight, bias, tuple(size), stride, padding, dilation, groups)


@linear(
    "convolution_weight",
    input=lambda g, other, input_shape, stride, padding, dilation, groups: transposed(
        conj(other), g, None, input_shape[2:], stride, padding, dilation, groups
    ),
    other=lambda g, input, other_shape, stride, padding, dilation, groups: leading(
        direct(conj(input), g, None, stride, padding, dilation, groups), other_shape
    ),
    node="ConvolutionBackwardBackward0",
    method=False,
)
def weight_gradient(
    input: Array, other: Array, weight_shape: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> Any:
    """The transpose of `direct` in its weight: (N, C, *S) with (N, O, *L) to `weight_shape`."""
    return kernel.weight_grad(input, other, tuple(weight_shape), stride, padding, dilation, groups)


def leading(x: Any, shape: tuple[int, ...]) -> Any:
    """The leading part of `x` that has `shape`: with output_padding there may be room for a window more."""
    return x if tuple(x.shape) == tuple(shape) else x[tuple(slice(0, n) for n in shape)]


# -- PyTorch's checks --------------------------------------------------------------------------------------------

_CPP = {
    "float32": "float", "float64": "double", "float16": "c10::Half", "int64": "long int", "int32": "int",
    "int16": "short int", "int8": "signed char", "uint8": "unsigned char", "bool": "bool",
    "complex64": "c10::complex<float>", "complex128": "c10::complex<double>",
}  # fmt: skip


def _spread(value: Any, rank: int, function: str, name: str, position: int) -> tuple[int, ...]:
    """An int, or one for each spatial dimension, as a tuple."""
    values = integers(value, function, name, position)
    if len(values) == 1:
        return values * rank
    if len(values) != rank:
        raise RuntimeError(
            f"expected {name} to be a single integer value or a list of {rank} values to match the convolution "
            f"dimensions, but got {name}={list(values)}"
        )
    return values


def _batched(input: Any, weight: Any, bias: Any, rank: int, function: str) -> tuple[Any, bool]:
    """The input with a batch dimension, and whether that was added."""
    dims = len(input.shape)
    if dims not in (rank + 1, rank + 2):
        raise RuntimeError(
            f"Expected {rank + 1}D (unbatched) or {rank + 2}D (batched) input to {function}, but got input of size: "
            f"{list(input.shape)}"
        )
    unbatched = dims == rank + 1
    if bias is not None and bias.dtype is not input.dtype:
        raise RuntimeError(
            f"Input type ({_CPP[input.dtype.name]}) and bias type ({_CPP[bias.dtype.name]}) should be the same"
        )
    return (input.unsqueeze(0) if unbatched else input), unbatched


def _check_weight(weight: Any, dims: int, input: Any, groups: int) -> None:
    w = list(weight.shape)
    if len(w) < 3:
        raise RuntimeError("weight should have at least three dimensions")
    if groups <= 0:
        raise RuntimeError("non-positive groups is not supported")
    if len(w) != dims:
        raise RuntimeError(
            f"Expected {len(w)}-dimensional input for {len(w)}-dimensional weight{w}, but got {dims}-dimensional input of "
            f"size {list(input.shape)} instead"
        )
    if w[0] < groups or (w[0] == 0):
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, but got weight of size {w} "
            "instead"
        )
    if w[0] % groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, but got weight of size "
            f"[{w}] instead"
        )
    if weight.dtype is not input.dtype:
        raise RuntimeError(
            f"expected scalar type {input.dtype.tensor_type} but found {weight.dtype.tensor_type}"
            if not (input.dtype.is_complex or weight.dtype.is_complex)
            else f"Input type ({_CPP[input.dtype.name]}) and weight type ({_CPP[weight.dtype.name]}) should be the same"
        )
    if input.dtype is dtypes.bool_:
        raise NotImplementedError("\"slow_conv2d_cpu\" not implemented for 'Bool'")


def _check_options(stride: Any, padding: Any, output_padding: Any, dilation: Any) -> None:
    if min(padding) < 0:
        raise RuntimeError("negative padding is not supported")
    if min(output_padding) < 0:
        raise RuntimeError("negative output_padding is not supported")
    if min(stride) <= 0:
        raise RuntimeError("non-positive stride is not supported")
    if min(dilation) <= 0:
        raise RuntimeError("dilation should be greater than zero")


def _check_channels(input: Any, channels: int, bias: Any, outputs: int, weight: Any, given: str) -> None:
    w = list(weight.shape)
    if input.shape[1] != channels:
        raise RuntimeError(
            f"Given {given}, weight of size {w}, expected input{list(input.shape)} to have {channels} channels, but got "
            f"{input.shape[1]} channels instead"
        )
    if bias is not None and tuple(bias.shape) != (outputs,):
        prefix = "transposed=1, " if given == "transposed=1" else ""
        raise RuntimeError(
            f"Given {prefix}weight of size {w}, expected bias to be 1-dimensional with {outputs} elements, but got bias of "
            f"size {list(bias.shape)} instead"
        )


# -- the public functions ----------------------------------------------------------------------------------------


def _conv(input: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int, rank: int) -> Any:
    function = f"conv{rank}d"
    x, unbatched = _batched(input, weight, bias, rank, function)
    stride, dilation = _spread(stride, rank, function, "stride", 4), _spread(dilation, rank, function, "dilation", 6)
    if isinstance(padding, str):
        _check_weight(weight, rank + 2, x, groups)
        _check_options(stride, (0,), (0,), dilation)
        x, padding = _named_padding(x, weight, padding, stride, dilation, rank)
    padding = _spread(padding, rank, function, "padding", 5)
    _check_options(stride, padding, (0,), dilation)
    _check_weight(weight, rank + 2, x, groups)
    _check_channels(x, weight.shape[1] * groups, bias, weight.shape[0], weight, f"groups={groups}")
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, weight.shape[2:], strict=True)]
    padded = [n + 2 * p for n, p in zip(x.shape[2:], padding, strict=True)]
    if any(r > n for r, n in zip(reach, padded, strict=True)):
        raise RuntimeError(
            f"Calculated padded input size per channel: ({' x '.join(map(str, padded))}). Kernel size: "
            f"({' x '.join(map(str, reach))}). Kernel size can't be greater than actual input size"
        )
    out = direct(x, weight, bias, stride, padding, dilation, groups)
    return out.squeeze(0) if unbatched else out


def _named_padding(input: Any, weight: Any, name: str, stride: Any, dilation: Any, rank: int) -> tuple[Any, Any]:
    """padding='same' or 'valid'. An odd total pads one more at the end, by zeros put there."""
    if name == "valid":
        return input, (0,) * rank
    if name != "same":
        raise RuntimeError(f"Invalid padding string: '{name}'")
    if any(s != 1 for s in stride):
        raise RuntimeError("padding='same' is not supported for strided convolutions")
    total = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
    if any(t % 2 for t in total):
        from .padding import constant_pad_nd

        input = constant_pad_nd(input, [x for t in reversed(total) for x in (0, t % 2)])
    return input, tuple(t // 2 for t in total)


def _conv_transpose(
    input: Any, weight: Any, bias: Any, stride: Any, padding: Any, extra: Any, groups: int, dilation: Any, rank: int
) -> Any:
    function = f"conv_transpose{rank}d"
    x, unbatched = _batched(input, weight, bias, rank, function)
    stride, padding = _spread(stride, rank, function, "stride", 4), _spread(padding, rank, function, "padding", 5)
    extra = _spread(extra, rank, function, "output_padding", 6)
    dilation = _spread(dilation, rank, function, "dilation", 8)
    _check_options(stride, padding, extra, dilation)
    _check_weight(weight, rank + 2, x, groups)
    _check_channels(x, weight.shape[0], bias, weight.shape[1] * groups, weight, "transposed=1")
    if any(e >= s and e >= d for e, s, d in zip(extra, stride, dilation, strict=True)):
        words = {1: [""], 2: ["_height", "_width"], 3: ["_depth", "_height", "_width"]}[rank]
        options = (("output_padding", extra), ("stride", stride), ("dilation", dilation))
        raise RuntimeError(
            "output padding must be smaller than either stride or dilation, but got "
            + " ".join(f"{n}{w}: {v}" for n, vs in options for w, v in zip(words, vs, strict=True))
        )
    size = tuple(
        (n - 1) * s - 2 * p + d * (k - 1) + e + 1
        for n, s, p, d, k, e in zip(x.shape[2:], stride, padding, dilation, weight.shape[2:], extra, strict=True)
    )
    if min(size) <= 0:
        raise RuntimeError(
            f"Given input size per channel: ({' x '.join(map(str, x.shape[2:]))}). Calculated output size per channel: "
            f"({' x '.join(map(str, size))}). Output size is too small"
        )
    out = transposed(x, weight, bias, size, stride, padding, dilation, groups)
    return out.squeeze(0) if unbatched else out


def _state(rank: int) -> tuple[Any, Any]:
    """The public functions of one rank."""

    def convolve(
        input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
    ) -> Any:
        return _conv(input, weight, bias, stride, padding, dilation, groups, rank)

    def transpose(
        input: Any,
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Any:
        return _conv_transpose(input, weight, bias, stride, padding, output_padding, groups, dilation, rank)

    convolve.__doc__ = (
        f"Convolution of rank {rank}: input (N, C, *S) or (C, *S), weight (O, C / groups, *K), bias (O,); result (N, O, *L) "
        "with L = (S + 2 padding - dilation (K - 1) - 1) // stride + 1. `padding` may be 'valid' or 'same'."
    )
    transpose.__doc__ = (
        f"Transposed convolution of rank {rank}: input (N, C, *S) or (C, *S), weight (C, O / groups, *K), bias (O,); result "
        "(N, O, *L) with L = (S - 1) stride - 2 padding + dilation (K - 1) + output_padding + 1."
    )
    convolve.__name__ = convolve.__qualname__ = f"conv{rank}d"
    transpose.__name__ = transpose.__qualname__ = f"conv_transpose{rank}d"
    return (
        composite(f"nn.functional.conv{rank}d", method=False)(convolve),
        composite(f"nn.functional.conv_transpose{rank}d", method=False)(transpose),
    )


conv1d, conv_transpose1d = _state(1)
conv2d, conv_transpose2d = _state(2)
conv3d, conv_transpose3d = _state(3)


def convolution(
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
) -> Any:
    """Any of the convolutions; the rank is that of `weight`."""
    rank = len(weight.shape) - 2
    if rank not in (1, 2, 3):
        raise RuntimeError("weight should have at least three dimensions")
    if transposed:
        return _conv_transpose(input, weight, bias, stride, padding, output_padding, groups, dilation, rank)
    return _conv(input, weight, bias, stride, padding, dilation, groups, rank)


@composite("nn.functional.conv_tbc", method=False)
def conv_tbc(input: Any, weight: Any, bias: Any, pad: int = 0) -> Any:
    """Convolution of (T, N, C) with (K, C, O), time first: the result is (T', N, O)."""
    if len(input.shape) != 3:
        raise RuntimeError("Input must have 3 dims: time, batch, in_channel")
    if len(weight.shape) != 3:
        raise RuntimeError("Weight tensor must have 3 dims: kernel_width, in_channels, out_channels.")
    if len(bias.shape) != 1:
        raise RuntimeError("Bias must be 1-D")
    if input.shape[2] != weight.shape[1]:
        raise RuntimeError("Input dim 2 (input channels) is not == dim 1 in the weight tensor")
    if weight.shape[2] != bias.shape[0]:
        raise RuntimeError("Bias size must equal dim 2 in the weight tensor (output channels).")
    out = conv1d(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, 1, pad)
    return out.permute(2, 0, 1)
