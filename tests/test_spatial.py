"""Padding, pooling, resampling, folding and sampling: values from independent formulas, kinks, dtypes and messages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import wengert
from wengert.nn import functional as F

rng = np.random.default_rng(6)


def t(*shape: int, dtype: Any = np.float64, grad: bool = False) -> wengert.Tensor:
    return wengert.tensor(rng.standard_normal(shape).astype(dtype), requires_grad=grad)


# -- padding -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "numpy_mode"),
    [("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap"), ("constant", "constant")],
)
def test_padding_agrees_with_numpy(mode: str, numpy_mode: str) -> None:
    x = t(2, 3, 4, 5)
    got = F.pad(x, (2, 3, 1, 2), mode).numpy()
    np.testing.assert_array_equal(got, np.pad(x.numpy(), [(0, 0), (0, 0), (1, 2), (2, 3)], mode=numpy_mode))  # type: ignore[call-overload]


def test_negative_padding_cuts() -> None:
    x = wengert.arange(6.0).reshape(1, 6)
    assert F.pad(x, (-1, -2)).tolist() == [[1, 2, 3]]
    assert F.pad(x, (-2, 1), value=9).tolist() == [[2, 3, 4, 5, 9]]
    # Reflection and repetition see the whole input; a circle is closed after the cut. (Values of PyTorch 2.13.)
    assert F.pad(x, (-4, 2), mode="reflect").tolist() == [[4, 5, 4, 3]]
    assert F.pad(x, (-4, 2), mode="replicate").tolist() == [[4, 5, 5, 5]]
    assert F.pad(x, (-2, 2), mode="circular").tolist() == [[2, 3, 4, 5, 2, 3]]


def test_what_a_border_repeats_gets_its_gradient_too() -> None:
    x = t(1, 3, grad=True)
    F.pad(x, (2, 0), mode="reflect").sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[1, 2, 2]]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.pad(t(1, 2), (1, 1, 2)), RuntimeError, "Padding length must be divisible by 2"),
        (lambda: F.pad(t(2), (1, 1, 2, 2)), RuntimeError, "less than or equal to two times the input dimension"),
        (lambda: F.pad(t(1, 2, 4), (4, 1), mode="reflect"), RuntimeError,
         r"Argument #4: Padding size should be less than the corresponding input dimension, but got: padding \(4, 1\) at"),
        (lambda: F.pad(t(1, 2, 4, 4), (1, 1), mode="reflect"), NotImplementedError, "Padding size 2 is not supported for 4D"),
        (lambda: F.pad(t(1, 2, 4), (5, 1), mode="circular"), RuntimeError, "causes wrapping around more than once"),
        (lambda: F.pad(t(1, 2, 4), (1, 1), mode="mirror"), NotImplementedError, "Unrecognised padding mode mirror"),
        (lambda: F.pad(t(1, 2), (1.5, 1)), TypeError, "must be tuple of ints, but found element of type float at pos 0"),
    ],
)  # fmt: skip
def test_padding_messages(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


# -- pooling -----------------------------------------------------------------------------------------------------


def windows(x: Any, k: int, s: int) -> Any:
    return np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(-2, -1))[..., ::s, ::s, :, :]


@pytest.mark.parametrize(("k", "s"), [(2, 2), (3, 1), (3, 2), (2, 3)])
def test_pools_of_plain_windows(k: int, s: int) -> None:
    x = t(2, 3, 9, 8)
    w = windows(x.numpy(), k, s)
    np.testing.assert_array_equal(F.max_pool2d(x, k, s).numpy(), w.max((-2, -1)))
    np.testing.assert_allclose(F.avg_pool2d(x, k, s).numpy(), w.mean((-2, -1)), rtol=1e-12, atol=1e-12)
    p3 = (np.abs(w) ** 3).sum((-2, -1)) ** (1 / 3)
    np.testing.assert_allclose(F.lp_pool2d(x.abs(), 3.0, k, s).numpy(), p3, rtol=1e-12)


def test_places_of_maxima_lead_back() -> None:
    x = t(2, 3, 9, 8)
    for padding, dilation, ceil in ((0, 1, False), (1, 1, True), (1, 2, False)):
        out, places = F.max_pool2d(x, 3, 2, padding, dilation, ceil, return_indices=True)
        flat = x.numpy().reshape(2, 3, -1)
        read = np.take_along_axis(flat, places.numpy().reshape(2, 3, -1), 2).reshape(out.shape)
        np.testing.assert_array_equal(read, out.numpy())


def test_first_maximum_wins_and_nan_is_the_maximum() -> None:
    x = wengert.tensor([[[1.0, 1.0, 0.0, np.nan]]], requires_grad=True)
    out, places = F.max_pool1d(x, 2, return_indices=True)
    assert places.tolist() == [[[0, 3]]]
    assert np.isnan(out.detach().numpy()[0, 0, 1])
    out.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[[1, 0, 0, 1]]]


def test_a_window_of_minus_infinity_has_a_place_inside() -> None:
    x = wengert.full((1, 1, 3), -np.inf)
    _, places = F.max_pool1d(x, 2, 2, 1, return_indices=True)
    assert places.tolist() == [[[0, 1]]]


def test_average_counts() -> None:
    x = wengert.ones(1, 1, 3)
    assert F.avg_pool1d(x, 2, 2, 1).tolist() == [[[0.5, 1.0]]]
    assert F.avg_pool1d(x, 2, 2, 1, count_include_pad=False).tolist() == [[[1.0, 1.0]]]
    assert F.avg_pool1d(x, 2, 2, 0, ceil_mode=True).tolist() == [[[1.0, 1.0]]]
    assert F.avg_pool2d(wengert.ones(1, 1, 2, 2), 2, divisor_override=8).tolist() == [[[[0.5]]]]
    assert F.avg_pool2d(wengert.tensor([[[[1, 2], [3, 5]]]]), 2).tolist() == [[[[2]]]]  # integers: towards zero


def test_adaptive_pools_split_as_they_say() -> None:
    x = t(1, 1, 7)
    a = x.numpy()[0, 0]
    parts = [a[0:3], a[2:5], a[4:7]]
    np.testing.assert_allclose(F.adaptive_avg_pool1d(x, 3).numpy()[0, 0], [p.mean() for p in parts], rtol=1e-12)
    np.testing.assert_array_equal(F.adaptive_max_pool1d(x, 3).numpy()[0, 0], [p.max() for p in parts])
    assert F.adaptive_avg_pool2d(t(2, 3, 5, 6), (None, 2)).shape == (2, 3, 5, 2)


def test_unpool_undoes_pool() -> None:
    x = t(2, 3, 6, 6).abs()
    out, places = F.max_pool2d(x, 2, return_indices=True)
    back = F.max_unpool2d(out, places, 2)
    np.testing.assert_array_equal(F.max_pool2d(back, 2).numpy(), out.numpy())
    assert F.max_unpool2d(out, places, 2, output_size=(7, 7)).shape == (2, 3, 7, 7)
    with pytest.raises(ValueError, match=r"invalid output_size .* \(dim 0 must be between 4 and 8\)"):
        F.max_unpool2d(out, places, 2, output_size=(9, 9))


def test_fractional_windows_follow_the_samples() -> None:
    x = t(1, 1, 5, 5)
    samples = wengert.tensor([[[0.3, 0.6]]], dtype=wengert.float64)
    out = F.fractional_max_pool2d(x, 2, output_size=(3, 2), _random_samples=samples)
    a = x.numpy()[0, 0]
    rows = [0, int(1.6 * 1.5) - int(0.6 * 1.5), 3]  # the second number is that of the rows; (5 - 2) / (3 - 1) = 1.5
    columns = [0, 3]
    expected = [[a[r : r + 2, c : c + 2].max() for c in columns] for r in rows]
    np.testing.assert_array_equal(out.numpy()[0, 0], expected)
    wengert.manual_seed(0)
    drawn = F.fractional_max_pool3d(t(1, 2, 6, 6, 6), 2, output_ratio=(0.5, 0.5, 0.5))
    assert drawn.shape == (1, 2, 3, 3, 3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.max_pool2d(t(1, 2, 4, 4), 2, padding=2), RuntimeError,
         "pad should be at most half of effective kernel size, but got pad=2, kernel_size=2 and dilation=1"),
        (lambda: F.max_pool2d(t(1, 2, 4, 4), (2, 2, 2)), RuntimeError,
         "max_pool2d: kernel_size must either be a single int, or a tuple of two ints"),
        (lambda: F.max_pool2d(t(1, 1, 1, 4), 2), RuntimeError,
         r"Given input size: \(1x1x4\). Calculated output size: \(1x0x2\). Output size is too small"),
        (lambda: F.avg_pool2d(t(1, 2, 4, 4), 2, divisor_override=0), RuntimeError, "divisor must be not zero"),
        (lambda: F.max_pool2d(wengert.ones(1, 1, 2, 2, dtype=wengert.bool), 2), NotImplementedError,
         "\"max_pool2d\" not implemented for 'Bool'"),
        (lambda: F.adaptive_avg_pool2d(t(2, 2), 2), ValueError, "Input dimension should be at least 3"),
        (lambda: F.fractional_max_pool2d(t(1, 2, 8, 8), 2, output_size=8), RuntimeError,
         "pool height 2 too large relative to input height 8"),
        (lambda: F.max_unpool2d(t(1, 1, 2, 2), wengert.zeros(1, 1, 2, 2, dtype=wengert.int32), 2), RuntimeError,
         "elements in indices should be type int64 but got: Int"),
    ],
)  # fmt: skip
def test_pooling_messages(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


# -- resampling --------------------------------------------------------------------------------------------------


def test_linear_interpolation_is_numpys() -> None:
    x = t(1, 1, 5)
    at = (np.arange(12) + 0.5) * 5 / 12 - 0.5
    expected = np.interp(at, np.arange(5), x.numpy()[0, 0])
    np.testing.assert_allclose(F.interpolate(x, 12, mode="linear").numpy()[0, 0], expected, rtol=1e-12)
    corners = np.interp(np.linspace(0, 4, 12), np.arange(5), x.numpy()[0, 0])
    got = F.interpolate(x, 12, mode="linear", align_corners=True).numpy()[0, 0]
    np.testing.assert_allclose(got, corners, rtol=1e-12)


def test_nearest_repeats() -> None:
    x = t(1, 2, 3, 2)
    np.testing.assert_array_equal(
        F.interpolate(x, scale_factor=2).numpy(), x.numpy().repeat(2, axis=2).repeat(2, axis=3)
    )
    one = wengert.arange(5.0).reshape(1, 1, 5)
    assert F.interpolate(one, 3).tolist() == [[[0, 1, 3]]]
    assert F.interpolate(one, 3, mode="nearest-exact").tolist() == [[[0, 2, 4]]]


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "lanczos"])
def test_filters_keep_constants_and_means(mode: str) -> None:
    """Weights of each result sum to one; the transpose of that: gradients of a sum, summed, count the results."""
    x = wengert.full((1, 1, 9, 7), 2.5, dtype=wengert.float64, requires_grad=True)
    for size in ((4, 3), (12, 15)):
        out = F.interpolate(x, size, mode=mode, antialias=True)
        np.testing.assert_allclose(out.detach().numpy(), 2.5, rtol=1e-12)
        (g,) = wengert.autograd.grad(out.sum(), x)
        assert float(g.sum()) == pytest.approx(size[0] * size[1])


def test_infinity_stays_in_its_neighbourhood() -> None:
    x = np.zeros((1, 1, 8))
    x[0, 0, 0] = np.inf
    out = F.interpolate(wengert.tensor(x), 16, mode="linear").numpy()
    assert np.isfinite(out[0, 0, 3:]).all()


def test_area_is_adaptive_average() -> None:
    x = t(1, 2, 6, 8)
    np.testing.assert_allclose(
        F.interpolate(x, (3, 4), mode="area").numpy(), x.numpy().reshape(1, 2, 3, 2, 4, 2).mean((3, 5)), rtol=1e-12
    )


def test_former_names_warn() -> None:
    x = t(1, 1, 2, 2)
    with pytest.warns(UserWarning, match=r"`nn.functional.upsample_bilinear` is deprecated"):
        out = F.upsample_bilinear(x, 3)
    np.testing.assert_allclose(out.numpy()[0, 0, 1, 1], x.numpy().mean(), rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.interpolate(t(1, 2, 4, 4)), ValueError, "either size or scale_factor should be defined"),
        (lambda: F.interpolate(t(1, 2, 4, 4), 8, scale_factor=2), ValueError, "only one of size or scale_factor"),
        (lambda: F.interpolate(t(1, 2, 4, 4), 8, mode="linear"), NotImplementedError,
         "Got 4D input, but linear mode needs 3D input"),
        (lambda: F.interpolate(t(1, 2, 4, 4), 0), RuntimeError,
         r"but got input \(H: 4, W: 4\) output \(H: 0, W: 0\)"),
        (lambda: F.interpolate(t(1, 2, 4, 4), 8, align_corners=True), ValueError, "align_corners option can only be set"),
        (lambda: F.interpolate(t(1, 2, 4, 4), 8, mode="lanczos"), ValueError, "Lanczos mode requires antialias=True"),
    ],
)  # fmt: skip
def test_interpolate_messages(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


# -- folding -----------------------------------------------------------------------------------------------------


def test_unfold_holds_windows_and_fold_counts_overlaps() -> None:
    x = t(2, 3, 6, 5)
    columns = F.unfold(x, (2, 3))
    w = np.lib.stride_tricks.sliding_window_view(x.numpy(), (2, 3), axis=(2, 3))  # n, c, i, j, k, l
    np.testing.assert_array_equal(columns.numpy(), w.transpose(0, 1, 4, 5, 2, 3).reshape(2, 18, 15))
    ones = F.fold(F.unfold(wengert.ones(1, 1, 3, 3), 2), 3, 2)
    assert ones.tolist() == [[[[1, 2, 1], [2, 4, 2], [1, 2, 1]]]]
    assert F.unfold(t(3, 6, 5), 2).shape == (12, 20)


def test_shuffles_are_inverses() -> None:
    x = t(2, 8, 3, 4)
    np.testing.assert_array_equal(F.pixel_unshuffle(F.pixel_shuffle(x, 2), 2).numpy(), x.numpy())
    assert wengert.pixel_shuffle(wengert.arange(4.0).reshape(1, 4, 1, 1), 2).tolist() == [[[[0, 1], [2, 3]]]]
    deal = wengert.channel_shuffle(wengert.arange(6.0).reshape(1, 6, 1), 2)
    assert deal.flatten().tolist() == [0, 3, 1, 4, 2, 5]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: F.unfold(t(1, 2, 4, 4), 5), r"calculated shape of the array of sliding blocks as \(0, 0\)"),
        (lambda: F.fold(t(1, 7, 9), 4, 2), "divisible by the product of kernel_size, but got input.size"),
        (
            lambda: F.fold(t(1, 8, 8), 4, 2),
            r"calculated number of sliding blocks 3 \* 3 = 9, but got input.size\(2\)=8",
        ),
        (lambda: F.pixel_shuffle(t(1, 3, 2, 2), 2), r"input.size\(-3\)=3 is not divisible by 4"),
        (lambda: F.channel_shuffle(t(1, 3, 2, 2), 2), "Got 3 channels and 2 groups"),
    ],
)
def test_folding_messages(call: Any, message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        call()


# -- sampling ----------------------------------------------------------------------------------------------------


def test_the_identity_grid_reads_the_image() -> None:
    x = t(2, 3, 4, 5)
    theta = wengert.tensor(np.tile(np.eye(2, 3), (2, 1, 1)))
    for align in (True, False):
        grid = F.affine_grid(theta, (2, 3, 4, 5), align_corners=align)
        for mode in ("bilinear", "nearest", "bicubic"):
            got = F.grid_sample(x, grid, mode, align_corners=align).numpy()
            np.testing.assert_allclose(got, x.numpy(), rtol=1e-9, atol=1e-9)


def test_outside_is_padded() -> None:
    x = wengert.tensor([[[[1.0, 2.0], [3.0, 4.0]]]], dtype=wengert.float64)
    grid = wengert.tensor([[[[-3.0, -1.0], [3.0, 1.0]]]], dtype=wengert.float64)  # x far out, y at the corners
    read = lambda padding: F.grid_sample(x, grid, "bilinear", padding, align_corners=True).flatten().tolist()
    assert read("zeros") == [0, 0]
    assert read("border") == [1, 4]
    assert read("reflection") == [2, 3]


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("align", [True, False])
def test_grid_sample_by_gradcheck(mode: str, padding: str, align: bool) -> None:
    x, grid = t(1, 2, 3, 4, grad=True), wengert.tensor(rng.uniform(-1.3, 1.3, (1, 2, 3, 2)), requires_grad=True)
    f = lambda a, b: F.grid_sample(a, b, mode, padding, align)
    assert wengert.autograd.gradcheck(f, (x, grid))
    assert wengert.autograd.gradgradcheck(f, (x, grid))


def test_grid_sample_in_three_dimensions_by_gradcheck() -> None:
    x, grid = t(1, 2, 3, 3, 2, grad=True), wengert.tensor(rng.uniform(-1, 1, (1, 2, 1, 2, 3)), requires_grad=True)
    assert wengert.autograd.gradcheck(lambda a, b: F.grid_sample(a, b, align_corners=False), (x, grid))


def test_sampling_messages() -> None:
    with pytest.raises(RuntimeError, match=r"expected grid to have size 2 in last dimension, but got grid with sizes"):
        F.grid_sample(t(1, 2, 4, 4), t(1, 3, 3, 3), align_corners=False)
    with pytest.raises(
        ValueError, match="expected padding_mode to be 'zeros', 'border', or 'reflection', but got: 'x'"
    ):
        F.grid_sample(t(1, 2, 4, 4), t(1, 3, 3, 2), padding_mode="x")
    with pytest.raises(
        ValueError, match=r"Expected a batch of 2D affine matrices of shape Nx2x3 for size \(1, 2, 4, 4\)"
    ):
        F.affine_grid(t(1, 2, 4), (1, 2, 4, 4), align_corners=False)
    with pytest.warns(UserWarning, match="Default grid_sample and affine_grid behavior has changed"):
        F.affine_grid(t(1, 2, 3), (1, 2, 4, 4))
