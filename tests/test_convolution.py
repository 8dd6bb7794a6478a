"""Convolutions against sums written out, their options, dtypes and PyTorch's messages."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import wengert
from wengert.nn import functional as F

rng = np.random.default_rng(5)


def t(*shape: int, dtype: Any = np.float64, grad: bool = False) -> wengert.Tensor:
    return wengert.tensor(rng.standard_normal(shape).astype(dtype), requires_grad=grad)


def written_out(x: Any, w: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    """The definition: one sum for each element of the result."""
    rank = w.ndim - 2
    x = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in padding)])
    out = [
        (n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(x.shape[2:], w.shape[2:], stride, dilation, strict=True)
    ]
    result = np.zeros((x.shape[0], w.shape[0], *out), x.dtype)
    per_in, per_out = w.shape[1], w.shape[0] // groups
    for o in range(w.shape[0]):
        channels = slice(o // per_out * per_in, (o // per_out + 1) * per_in)
        for at in np.ndindex(*out):
            window = tuple(
                slice(at[d] * stride[d], at[d] * stride[d] + dilation[d] * (w.shape[2 + d] - 1) + 1, dilation[d])
                for d in range(rank)
            )
            result[(slice(None), o, *at)] = (x[(slice(None), channels, *window)] * w[o]).reshape(x.shape[0], -1).sum(1)
    return result


CASES = [
    ((2, 3, 9), (4, 3, 3), 1, 0, 1, 1),
    ((2, 4, 9), (6, 2, 3), 2, 1, 2, 2),
    ((2, 3, 6, 7), (4, 3, 3, 2), (1, 2), (1, 0), 1, 1),
    ((2, 4, 6, 6), (4, 1, 3, 3), 1, 1, 1, 4),
    ((2, 4, 6, 6), (8, 1, 3, 3), 2, 1, 1, 4),
    ((2, 3, 5, 5), (2, 3, 1, 1), 1, 0, 1, 1),
    ((2, 3, 5, 5), (2, 3, 1, 1), 2, 0, 1, 1),
    ((1, 2, 4, 5, 4), (2, 2, 2, 3, 2), (1, 2, 1), (0, 1, 1), (2, 1, 1), 1),
]


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.complex128, np.int64])
@pytest.mark.parametrize(("x_shape", "w_shape", "stride", "padding", "dilation", "groups"), CASES)
def test_convolution_is_the_sum_it_says(
    x_shape: Any, w_shape: Any, stride: Any, padding: Any, dilation: Any, groups: int, dtype: Any
) -> None:
    rank = len(w_shape) - 2
    make = lambda s: (
        (rng.standard_normal(s) * 3).astype(dtype) + (1j * rng.standard_normal(s) if dtype == np.complex128 else 0)
    )
    x, w = make(x_shape).astype(dtype), make(w_shape).astype(dtype)
    many = [v if isinstance(v, tuple) else (v,) * rank for v in (stride, padding, dilation)]
    expected = written_out(x, w, *many, groups)
    conv = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[rank]
    got = conv(wengert.tensor(x), wengert.tensor(w), None, stride, padding, dilation, groups).numpy()
    tolerance = 1e-4 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)
    assert got.dtype == dtype


@pytest.mark.parametrize(("x_shape", "w_shape", "stride", "padding", "dilation", "groups"), CASES)
def test_the_three_maps_are_transposes_of_one_another(
    x_shape: Any, w_shape: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> None:
    """<g, conv(x, w)> = <conv_transpose(g, w), x> = <weight gradient, w>, exactly as sums of the same products."""
    rank = len(w_shape) - 2
    conv = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[rank]
    x, w = t(*x_shape, grad=True), t(*w_shape, grad=True)
    out = conv(x, w, None, stride, padding, dilation, groups)
    g = t(*out.shape)
    gx, gw = wengert.autograd.grad(out, (x, w), g)
    total = float((g * out.detach()).sum())
    assert float((gx * x.detach()).sum()) == pytest.approx(total, rel=1e-10)
    assert float((gw * w.detach()).sum()) == pytest.approx(total, rel=1e-10)


def test_large_inputs_are_unfolded_in_blocks() -> None:
    """Many blocks give what one block gives."""
    from wengert.kernels import convolution as kernel

    x, w = rng.standard_normal((7, 3, 20, 20)), rng.standard_normal((5, 3, 3, 3))
    options = ((1, 1), (1, 1), (1, 1), 1)
    whole = [kernel.forward(x, w, None, *options)]
    whole += [kernel.weight_grad(x, whole[0], w.shape, *options)]
    whole += [kernel.input_grad(whole[0], w, None, (20, 20), *options)]
    before = kernel._PIECE
    try:
        kernel._PIECE = 1 << 12
        parts = [kernel.forward(x, w, None, *options)]
        parts += [kernel.weight_grad(x, whole[0], w.shape, *options)]
        parts += [kernel.input_grad(whole[0], w, None, (20, 20), *options)]
    finally:
        kernel._PIECE = before
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11)


def test_half_precision_is_computed_in_float32() -> None:
    x, w = rng.standard_normal((1, 64, 5)).astype(np.float16), rng.standard_normal((2, 64, 3)).astype(np.float16)
    got = F.conv1d(wengert.tensor(x), wengert.tensor(w)).numpy()
    exact = written_out(x.astype(np.float64), w.astype(np.float64), (1,), (0,), (1,), 1)
    assert got.dtype == np.float16
    np.testing.assert_allclose(got, exact, rtol=1e-3, atol=1e-2)


def test_transposed_convolution_undoes_the_size() -> None:
    x, w = t(2, 3, 5, 4), t(3, 2, 3, 2)
    for s, p, e, d in itertools.product((1, 2), (0, 1), (0, 1), (1, 2)):
        if e >= s:  # then there is room for a window more
            continue
        out = F.conv_transpose2d(x, w, stride=s, padding=p, output_padding=e, dilation=d)
        assert F.conv2d(out, w, stride=s, padding=p, dilation=d).shape[2:] == x.shape[2:]


def test_unbatched_and_named_padding() -> None:
    x, w, b = t(2, 9, grad=True), t(3, 2, 4), t(3)
    one = F.conv1d(x, w, b, padding="same")
    assert one.shape == (3, 9)
    assert one.grad_fn.name() == "SqueezeBackward1"
    padded = np.pad(x.detach().numpy(), ((0, 0), (1, 2)))[None]
    np.testing.assert_allclose(
        one.detach().numpy(), written_out(padded, w.numpy(), (1,), (0,), (1,), 1)[0] + b.numpy()[:, None], rtol=1e-12
    )
    assert F.conv1d(x, w, padding="valid").shape == (3, 6)
    out = F.conv2d(t(1, 2, 4, 4, grad=True), t(2, 2, 3, 3))
    assert out.grad_fn.name() == "ConvolutionBackward0"


def test_main_namespace() -> None:
    x, w = t(1, 2, 4, 4), t(2, 2, 3, 3)
    np.testing.assert_array_equal(wengert.conv2d(x, w).numpy(), F.conv2d(x, w).numpy())
    same = wengert.convolution(x, w, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1)
    np.testing.assert_array_equal(same.numpy(), F.conv2d(x, w).numpy())
    time_first = wengert.conv_tbc(t(5, 2, 3), t(3, 3, 4), t(4), 1)
    assert time_first.shape == (5, 2, 4)


def test_double_backward_of_the_bias() -> None:
    x, w, b = t(1, 1, 4, grad=True), t(1, 1, 2, grad=True), t(1, grad=True)
    out = (F.conv1d(x, w, b) ** 2).sum()
    (gb,) = wengert.autograd.grad(out, b, create_graph=True)
    gx, gw = wengert.autograd.grad(gb, (x, w))
    # d out / d b = 2 sum(conv + b), whose derivative in w[k] is 2 * the sum of the x it meets.
    a = x.detach().numpy()[0, 0]
    np.testing.assert_allclose(gw.numpy()[0, 0], [2 * a[:3].sum(), 2 * a[1:].sum()], rtol=1e-12)
    v = w.detach().numpy()[0, 0]
    np.testing.assert_allclose(gx.numpy()[0, 0], 2 * np.array([v[0], v.sum(), v.sum(), v[1]]), rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.conv2d(t(4, 4), t(3, 2, 3, 3)), RuntimeError,
         r"Expected 3D \(unbatched\) or 4D \(batched\) input to conv2d, but got input of size: \[4, 4\]"),
        (lambda: F.conv2d(t(1, 3, 4, 4), t(2, 2, 3, 3)), RuntimeError,
         r"Given groups=1, weight of size \[2, 2, 3, 3\], expected input\[1, 3, 4, 4\] to have 2 channels, but got 3"),
        (lambda: F.conv2d(t(1, 2, 4, 4), t(2, 2, 5, 5)), RuntimeError,
         r"\(4 x 4\). Kernel size: \(5 x 5\). Kernel size can't be greater than actual input size"),
        (lambda: F.conv2d(t(1, 2, 4, 4), t(2, 2, 3, 3), t(3)), RuntimeError,
         r"expected bias to be 1-dimensional with 2 elements, but got bias of size \[3\] instead"),
        (lambda: F.conv2d(t(1, 2, 4, 4), t(2, 2, 3, 3), t(2, dtype=np.float32)), RuntimeError,
         r"Input type \(double\) and bias type \(float\) should be the same"),
        (lambda: F.conv2d(t(1, 2, 4, 4), t(2, 2, 3, 3, dtype=np.float32)), RuntimeError,
         "expected scalar type Double but found Float"),
        (lambda: F.conv2d(t(1, 2, 4, 4), t(2, 2, 3, 3), stride=(1, 2, 3)), RuntimeError,
         r"expected stride to be a single integer value or a list of 2 values"),
        (lambda: F.conv2d(t(1, 2, 4, 4), t(2, 2, 3, 3), stride=1.5), TypeError,
         r"conv2d\(\): argument 'stride' \(position 4\) must be tuple of ints, not float"),
        (lambda: F.conv2d(t(1, 2, 4, 4), t(2, 2, 3, 3), padding="x"), RuntimeError, "Invalid padding string: 'x'"),
        (lambda: F.conv2d(t(1, 2, 4, 4), t(2, 2, 3, 3), padding="same", stride=2), RuntimeError,
         "padding='same' is not supported for strided convolutions"),
        (lambda: F.conv_transpose2d(t(1, 2, 4, 4), t(2, 2, 3, 3), output_padding=1), RuntimeError,
         "output padding must be smaller than either stride or dilation, but got output_padding_height: 1"),
        (lambda: F.conv_transpose2d(t(1, 2, 4, 4), t(2, 2, 3, 3), padding=4), RuntimeError,
         r"Calculated output size per channel: \(-2 x -2\). Output size is too small"),
    ],
)  # fmt: skip
def test_messages(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
