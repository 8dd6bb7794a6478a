"""Convolutions of rank 1, 2 and 3, and their transposes.

One bilinear operation and its two transposes carry all of them, and each is the derivative of the others:

    conv(x, w)          d/dx = conv_input(g, w)      d/dw = conv_weight(x, g)
    conv_input(g, w)    d/dg = conv(h, w)            d/dw = conv_weight(h, g)
    conv_weight(x, g)   d/dx = conv_input(g, h)      d/dg = conv(x, h)

so double backward and forward mode need nothing more. The array code is `kernels.convolution`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core.op import Array, composite, linear
from ..kernels import convolution as kernel
from .complex import conj


@linear(
    "convolution_rows",
    input=lambda g, weight, input_shape, stride, padding, dilation, groups: conv_input(
        g, conj(weight), input_shape[2:], stride, padding, dilation, groups
    ),
    weight=lambda g, input, weight_shape, stride, padding, dilation, groups: conv_weight(
        conj(input), g, weight_shape, stride, padding, dilation, groups
    ),
    node="ConvolutionBackward0",
    method=False,
    tex=r"{input} \star {weight}",
)
def conv(input: Array, weight: Array, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    """Cross-correlation of (N, C, *S) with (O, C / groups, *K)."""
    return kernel.forward(input, weight, stride, padding, dilation, groups)


@linear(
    "conv_input",
    input=lambda g, weight, stride, padding, dilation, groups: conv(g, conj(weight), stride, padding, dilation, groups),
    weight=lambda g, input, weight_shape, stride, padding, dilation, groups: conv_weight(
        g, conj(input), weight_shape, stride, padding, dilation, groups
    ),
    node="ConvolutionBackward0",
    method=False,
)
def conv_input(input: Array, weight: Array, size: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    """The transpose of `conv` in its input, whose spatial size was `size`."""
    return kernel.input_grad(input, weight, tuple(size), stride, padding, dilation, groups)


@linear(
    "conv_weight",
    input=lambda g, other, input_shape, stride, padding, dilation, groups: conv_input(
        conj(other), g, input_shape[2:], stride, padding, dilation, groups
    ),
    other=lambda g, input, stride, padding, dilation, groups: conv(conj(input), g, stride, padding, dilation, groups),
    node="ConvolutionBackward0",
    method=False,
)
def conv_weight(
    input: Array, other: Array, weight_shape: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> Any:
    """The transpose of `conv` in its weight."""
    return kernel.weight_grad(input, other, tuple(weight_shape), stride, padding, dilation, groups)


def spread(value: Any, rank: int, name: str) -> tuple[int, ...]:
    """An int, or one for each spatial dimension, as a tuple."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        values = tuple(int(v) for v in value)
        if len(values) == 1:
            return values * rank
        if len(values) != rank:
            raise RuntimeError(
                f"expected {name} to be a single integer value or a list of {rank} values to match the convolution "
                f"dimensions, but got {name}={list(values)}"
            )
        return values
    return (int(value),) * rank


def _checked(input: Any, weight: Any, bias: Any, rank: int, groups: int, transposed: bool) -> tuple[Any, bool]:
    """The input with a batch dimension, and whether that was added. RuntimeError, in PyTorch's words, for misfits."""
    name = f"conv{'_transpose' if transposed else ''}{rank}d"
    if input.dtype != weight.dtype:
        raise RuntimeError(
            f"Input type ({input.dtype.tensor_type.lower()}) and bias type ({weight.dtype.tensor_type.lower()}) "
            "should be the same"
            if hasattr(input.dtype, "tensor_type")
            else f"{name}: input is {input.dtype}, weight {weight.dtype}"
        )
    if weight.ndim != rank + 2:
        raise RuntimeError(
            f"Expected {rank + 2}-dimensional input for {rank + 2}-dimensional weight {list(weight.shape)}, but got "
            f"{input.ndim}-dimensional input of size {list(input.shape)} instead"
        )
    unbatched = input.ndim == rank + 1
    if unbatched:
        input = input.unsqueeze(0)
    if input.ndim != rank + 2:
        raise RuntimeError(
            f"Expected {rank + 1}D (unbatched) or {rank + 2}D (batched) input to {name}, but got input of size: "
            f"{list(input.shape)}"
        )
    if groups <= 0:
        raise RuntimeError("non-positive groups is not supported")
    outputs, per_group = (weight.shape[1] * groups, weight.shape[0]) if transposed else weight.shape[:2]
    channels = per_group if transposed else per_group * groups
    if input.shape[1] != channels:
        raise RuntimeError(
            f"Given {'transposed=1' if transposed else f'groups={groups}'}, weight of size {list(weight.shape)}, expected "
            f"input{list(input.shape)} to have {channels} channels, but got {input.shape[1]} channels instead"
        )
    if not transposed and weight.shape[0] % groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, and divisible by {groups}, "
            f"but got weight of size {list(weight.shape)} instead"
        )
    if bias is not None and tuple(bias.shape) != (outputs,):
        raise RuntimeError(
            f"Given {'transposed=1, ' if transposed else ''}weight of size {list(weight.shape)}, expected bias to be "
            f"1-dimensional with {outputs} elements, but got bias of size {list(bias.shape)} instead"
        )
    return input, unbatched


def _finish(out: Any, bias: Any, rank: int, unbatched: bool) -> Any:
    if bias is not None:
        out = out + bias.reshape((-1, *(1,) * rank))
    return out.squeeze(0) if unbatched else out


def _conv(input: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int, rank: int) -> Any:
    stride, dilation = spread(stride, rank, "stride"), spread(dilation, rank, "dilation")
    input, unbatched = _checked(input, weight, bias, rank, groups, False)
    if isinstance(padding, str):
        input, padding = _named_padding(input, weight, padding, stride, dilation, rank)
    padding = spread(padding, rank, "padding")
    if any(s <= 0 for s in stride):
        raise RuntimeError("non-positive stride is not supported")
    if any(p < 0 for p in padding):
        raise RuntimeError("negative padding is not supported")
    if any(d <= 0 for d in dilation):
        raise RuntimeError("dilation should be greater than zero")
    reach = tuple(d * (k - 1) + 1 for d, k in zip(dilation, weight.shape[2:], strict=True))
    padded = tuple(n + 2 * p for n, p in zip(input.shape[2:], padding, strict=True))
    if any(r > n for r, n in zip(reach, padded, strict=True)):
        raise RuntimeError(
            f"Calculated padded input size per channel: ({' x '.join(map(str, padded))}). Kernel size: "
            f"({' x '.join(map(str, reach))}). Kernel size can't be greater than actual input size"
        )
    return _finish(conv(input, weight, stride, padding, dilation, groups), bias, rank, unbatched)


def _named_padding(
    input: Any, weight: Any, name: str, stride: tuple[int, ...], dilation: tuple[int, ...], rank: int
) -> tuple[Any, Any]:
    """padding='same' or 'valid'. An odd total pads one more at the end, by zeros put there."""
    if name == "valid":
        return input, (0,) * rank
    if name != "same":
        raise RuntimeError(f"Invalid padding string: '{name}'")
    if any(s != 1 for s in stride):
        raise RuntimeError("padding='same' is not supported for strided convolutions")
    total = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
    if any(t % 2 for t in total):
        from .padding import pad

        input = pad(input, [x for t in reversed(total) for x in (0, t % 2)])
    return input, tuple(t // 2 for t in total)


def _conv_transpose(
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
    rank: int,
) -> Any:
    stride, dilation = spread(stride, rank, "stride"), spread(dilation, rank, "dilation")
    padding, extra = spread(padding, rank, "padding"), spread(output_padding, rank, "output_padding")
    input, unbatched = _checked(input, weight, bias, rank, groups, True)
    for e, s, d in zip(extra, stride, dilation, strict=True):
        if e >= s and e >= d:
            raise RuntimeError(
                "output padding must be smaller than either stride or dilation, but got "
                + ", ".join(f"{n}: {v}" for n, v in (("output_padding", e), ("stride", s), ("dilation", d)))
            )
    size = tuple(
        (n - 1) * s - 2 * p + d * (k - 1) + e + 1
        for n, s, p, d, k, e in zip(input.shape[2:], stride, padding, dilation, weight.shape[2:], extra, strict=True)
    )
    return _finish(conv_input(input, weight, size, stride, padding, dilation, groups), bias, rank, unbatched)


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

    convolve.__doc__ = f"Convolution of rank {rank}: input (N, C, *S), weight (O, C / groups, *K), result (N, O, *L)."
    transpose.__doc__ = f"Transposed convolution of rank {rank}: input (N, C, *S), weight (C, O / groups, *K)."
    convolve.__name__ = convolve.__qualname__ = f"conv{rank}d"
    transpose.__name__ = transpose.__qualname__ = f"conv_transpose{rank}d"
    return (
        composite(f"nn.functional.conv{rank}d", method=False)(convolve),
        composite(f"nn.functional.conv_transpose{rank}d", method=False)(transpose),
    )


conv1d, conv_transpose1d = _state(1)
conv2d, conv_transpose2d = _state(2)
conv3d, conv_transpose3d = _state(3)

__all__ = ["conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]
