"""Fourier transforms and windows: NumPy's numbers, PyTorch's dtypes and messages, and signals that come back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import wengert as torch
from wengert import func

RNG = np.random.default_rng(2)


@pytest.mark.parametrize("norm", [None, "backward", "ortho", "forward"])
@pytest.mark.parametrize("n", [None, 3, 8])
@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"])
def test_one_dimension(name: str, n: int | None, norm: str | None) -> None:
    a = RNG.standard_normal((2, 5, 3))
    x = a if name in ("rfft", "ihfft") else a + 1j * RNG.standard_normal((2, 5, 3))
    got = getattr(torch.fft, name)(torch.tensor(x), n, 1, norm)
    np.testing.assert_allclose(got.numpy(), getattr(np.fft, name)(x, n, 1, norm), atol=1e-12)


@pytest.mark.parametrize("name", ["fftn", "ifftn", "rfftn", "irfftn", "fft2", "ifft2", "rfft2", "irfft2"])
def test_several_dimensions(name: str) -> None:
    a = RNG.standard_normal((2, 5, 4))
    x = a if name.startswith("rfft") else a + 1j * RNG.standard_normal((2, 5, 4))
    ours, theirs = getattr(torch.fft, name), getattr(np.fft, name)
    np.testing.assert_allclose(ours(torch.tensor(x)).numpy(), theirs(x), atol=1e-12)
    got = ours(torch.tensor(x), (3, 6), (2, 0), "ortho").numpy()
    np.testing.assert_allclose(got, theirs(x, (3, 6), (2, 0), "ortho"), atol=1e-12)


def test_the_way_there_and_back_of_hermitian_signals() -> None:
    x = torch.tensor(RNG.standard_normal((3, 4, 6)))
    for there, back, s in (("rfftn", "irfftn", (3, 4, 6)), ("ihfftn", "hfftn", (3, 4, 6)), ("ihfft2", "hfft2", (4, 6))):
        again = getattr(torch.fft, back)(getattr(torch.fft, there)(x), s=s)
        np.testing.assert_allclose(again.numpy(), x.numpy(), atol=1e-12)


def test_single_precision_stays_single() -> None:
    x = torch.ones(6)
    assert torch.fft.fft(x).dtype is torch.complex64
    assert torch.fft.irfft(torch.fft.rfft(x, norm="ortho"), norm="ortho").dtype is torch.float32
    assert torch.fft.fft(torch.ones(3, dtype=torch.int64)).dtype is torch.complex64
    leaf = torch.ones(6, requires_grad=True)
    torch.fft.rfft(leaf).abs().sum().backward()
    assert leaf.grad.dtype is torch.float32


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: torch.fft.fft(x, n=0), RuntimeError, r"Invalid number of data points \(0\) specified"),
        (lambda x: torch.fft.fft(x, norm="abc"), RuntimeError, 'Invalid normalization mode: "abc"'),
        (lambda x: torch.fft.fft(x, dim=3), IndexError, r"expected to be in range of \[-2, 1\], but got 3"),
        (lambda x: torch.fft.fftn(x, s=(1, 2, 3)), RuntimeError, "Got shape with 3 values but input tensor only has 2"),
        (
            lambda x: torch.fft.fftn(x, s=(1, 2), dim=(0,)),
            RuntimeError,
            "dim and shape arguments must have the same length",
        ),
        (lambda x: torch.fft.fftn(x, dim=(0, 0)), RuntimeError, "FFT dims must be unique"),
        (lambda x: torch.fft.rfft(x * 1j), RuntimeError, "rfft expects a real input tensor, but got ComplexFloat"),
        (lambda x: torch.fft.rfftn(x, dim=()), RuntimeError, "rfftn must transform at least one axis"),
        (lambda x: torch.fft.fft(x.half()), RuntimeError, "Unsupported dtype Half"),
        (lambda x: torch.fft.fft(x.sum()), IndexError, "Dimension specified as -1 but tensor has no dimensions"),
    ],
)
def test_what_cannot_be_transformed(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(torch.ones(2, 3))


def test_a_batch_is_one_transform() -> None:
    x = torch.tensor(RNG.standard_normal((4, 6)))
    f = func.grad(lambda row: torch.fft.rfft(row, n=8).abs().sum())
    np.testing.assert_allclose(func.vmap(f)(x).numpy(), np.stack([f(row).numpy() for row in x]), atol=1e-12)


def test_shifts_and_frequencies() -> None:
    x = RNG.standard_normal((5, 4))
    np.testing.assert_array_equal(torch.fft.fftshift(torch.tensor(x)).numpy(), np.fft.fftshift(x))
    np.testing.assert_array_equal(torch.fft.ifftshift(torch.tensor(x), dim=0).numpy(), np.fft.ifftshift(x, 0))
    assert torch.fft.fftfreq(5, d=0.1).tolist() == [0, 2, 4, -4, -2]
    assert torch.fft.rfftfreq(4, dtype=torch.float64).tolist() == [0, 0.25, 0.5]


@pytest.mark.parametrize(("center", "normalized", "n"), [(True, False, 40), (True, True, 41), (False, False, 40)])
def test_a_short_time_transform_comes_back(center: bool, normalized: bool, n: int) -> None:
    x = torch.tensor(RNG.standard_normal((2, n)))
    window = torch.hann_window(8, dtype=torch.float64) + 0.1
    options: Any = {"hop_length": 2, "window": window, "center": center, "normalized": normalized}
    spectra = torch.stft(x, 8, return_complex=True, **options)
    assert spectra.shape[:2] == (2, 5)
    again = torch.istft(spectra, 8, length=n if center else None, **options)
    np.testing.assert_allclose(again.numpy(), x.numpy(), atol=1e-12)
    frame = x.numpy()[0, 4:12] * window.numpy()
    expected = np.fft.rfft(frame, norm="ortho" if normalized else None)
    np.testing.assert_allclose(spectra[0, :, 4 if center else 2].numpy(), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: torch.stft(x, 4), "stft requires the return_complex parameter be given for real inputs"),
        (lambda x: torch.stft(x, 40, center=False, return_complex=True), "expected 0 < n_fft < 10, but got n_fft=40"),
        (
            lambda x: torch.stft(x, 4, hop_length=0, return_complex=True),
            "expected hop_length > 0, but got hop_length=0",
        ),
        (
            lambda x: torch.stft(x, 4, win_length=5, return_complex=True),
            "expected 0 < win_length <= n_fft, but got win",
        ),
        (lambda x: torch.istft(x, 4), "istft requires a complex-valued input tensor"),
        (
            lambda x: torch.istft(torch.stft(x, 4, return_complex=True), 4, window=torch.zeros(4)),
            "window overlap add min: 1",
        ),
    ],
)
def test_short_time_transforms_say_what_is_wrong(call: Any, message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        call(torch.ones(10))


def test_a_signal_longer_than_its_frames_is_padded() -> None:
    spectra = torch.stft(torch.ones(10), 4, return_complex=True)
    with pytest.warns(UserWarning, match="The length of signal is shorter than the length parameter"):
        assert torch.istft(spectra, 4, length=30).shape == (30,)


@pytest.mark.parametrize("sym", [True, False])
def test_windows(sym: bool) -> None:
    w = torch.signal.windows
    for name, theirs in (
        ("hann", np.hanning),
        ("hamming", np.hamming),
        ("bartlett", np.bartlett),
        ("blackman", np.blackman),
    ):
        expected = theirs(9 if sym else 10)[:9]
        got = getattr(w, name)(9, sym=sym, dtype=torch.float64)
        np.testing.assert_allclose(got.numpy(), expected, atol=1e-15)
        old = getattr(torch, name + "_window")(9, periodic=not sym, dtype=torch.float64)
        np.testing.assert_allclose(old.numpy(), expected, atol=1e-15)
    expected = np.kaiser(9 if sym else 10, 5.0)[:9]
    np.testing.assert_allclose(w.kaiser(9, beta=5.0, sym=sym, dtype=torch.float64).numpy(), expected, atol=1e-14)
    np.testing.assert_allclose(torch.kaiser_window(9, not sym, 5.0).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda w: w.hann(-1), ValueError, "hann requires non-negative window length, got M=-1"),
        (
            lambda w: w.hann(3, dtype=torch.int64),
            ValueError,
            "hann expects float32 or float64 dtypes, got: torch.int64",
        ),
        (lambda w: w.hann(3, layout=torch.sparse_coo), ValueError, "strided tensors only, got: torch.sparse_coo"),
        (lambda w: w.exponential(3, tau=-1), ValueError, "Tau must be positive, got: -1 instead."),
        (lambda w: w.exponential(3, center=1), ValueError, "Center must be None for symmetric windows"),
        (lambda w: w.general_cosine(3, a=[]), ValueError, "Coefficients cannot be empty"),
        (lambda w: torch.hann_window(-1), RuntimeError, "requires non-negative window_length, got window_length=-1"),
        (lambda w: torch.zeros(2, layout=torch.sparse_coo), NotImplementedError, "only dense tensors exist here"),
    ],
)
def test_windows_that_do_not_exist(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(torch.signal.windows)
    assert torch.signal.windows.gaussian(1).tolist() == [1.0]
