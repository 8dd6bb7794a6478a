"""Short-time Fourier transforms: overlapping frames of a signal, times a window, transformed; and the way back."""

from __future__ import annotations

import warnings
from typing import Any

from ..core.op import composite
from .complex import view_as_real
from .fft import fft as fft_
from .fft import ifft, irfft, resized, rfft
from .padding import pad
from .parts import narrow, unfold, unfold_back
from .shape import reshape, transpose, unsqueeze

__all__ = ["istft", "stft"]


def _word(x: Any) -> str:
    return f"torch.{x.dtype.tensor_type}Tensor"


def _shown(name: str, subject: str, window: Any, middle: str, last: str) -> str:
    shape = "None" if window is None else f"{_word(window)}{{[{', '.join(map(str, window.shape))}]}}"
    return f"{name}({subject}, {middle}, window={shape}, {last})"


def _flag(x: Any) -> str:
    return "None" if x is None else str(int(x))


def _widened(window: Any, win_length: int, n_fft: int) -> Any:
    """A window shorter than a frame stands in its middle, between zeros."""
    left = (n_fft - win_length) // 2
    return window if win_length == n_fft else pad(window, (left, n_fft - win_length - left))


@composite("stft", precision="full")
def stft(
    input: Any,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Any = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Any:
    """Transforms of frames of `n_fft` samples, `hop_length` apart: (*, L) gives (*, frequencies, frames).

    With `center` the signal is padded so that frame t is centred at sample t * hop_length. RuntimeError for sizes that do
    not fit.
    """
    if align_to_window is not None and center:
        raise RuntimeError("stft align_to_window should only be set when center = false")
    hop = n_fft // 4 if hop_length is None else hop_length
    length = n_fft if win_length is None else win_length
    if center:
        edge = n_fft // 2
        shape = tuple(input.shape)
        deep = reshape(input, (1,) * (3 - len(shape)) + shape)
        input = pad(deep, (edge, edge), pad_mode)
        input = reshape(input, tuple(input.shape[input.ndim - len(shape) :]))
    middle = f"n_fft={n_fft}, hop_length={hop}, win_length={length}"
    last = (
        f"normalized={_flag(normalized)}, onesided={_flag(onesided)}, return_complex={_flag(return_complex)}, "
        f"align_to_window={_flag(align_to_window)}"
    )
    subject = f"{_word(input)}[{', '.join(map(str, input.shape))}]"
    where = _shown("stft", subject, window, middle, last) + " : "
    is_complex = input.is_complex() or (window is not None and window.is_complex())
    if not is_complex and return_complex is None:
        raise RuntimeError(
            "stft requires the return_complex parameter be given for real inputs, and will further require that "
            "return_complex=True in a future PyTorch release."
        )
    if not (input.is_floating_point() or input.is_complex()):
        raise RuntimeError(where + "expected a tensor of floating point or complex values")
    if input.ndim not in (1, 2):
        raise RuntimeError(where + "expected a 1D or 2D tensor")
    signal = unsqueeze(input, 0) if input.ndim == 1 else input
    n = signal.shape[1]
    if not 0 < n_fft <= n:
        raise RuntimeError(where + f"expected 0 < n_fft < {n}, but got n_fft={n_fft}")
    if hop <= 0:
        raise RuntimeError(where + f"expected hop_length > 0, but got hop_length={hop}")
    if not 0 < length <= n_fft:
        raise RuntimeError(where + f"expected 0 < win_length <= n_fft, but got win_length={length}")
    if window is not None and tuple(window.shape) != (length,):
        raise RuntimeError(
            where + f"expected a 1D window tensor of size equal to win_length={length}, but got window with size "
            f"{list(window.shape)}"
        )
    one_side = not is_complex if onesided is None else onesided
    if one_side and is_complex:
        raise RuntimeError("Cannot have onesided output if window or input is complex")
    if window is None and length < n_fft:
        window = signal.new_ones((length,))
    frames = unfold(signal, 1, n_fft, hop)
    if window is not None:
        frames = frames * _widened(window, length, n_fft)
    out = transpose((rfft if one_side else fft_)(frames, norm="ortho" if normalized else None), 1, 2)
    if input.ndim == 1:
        out = out.squeeze(0)
    whole = is_complex if return_complex is None else return_complex
    return out if whole else view_as_real(out)


@composite("istft")
def istft(
    input: Any,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Any = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Any:
    """The inverse of `stft` by least squares: frames added where they overlap, over the sum of squared windows there.

    RuntimeError where that sum is zero, as there nothing determines the signal.
    """
    hop = n_fft // 4 if hop_length is None else hop_length
    span = n_fft if win_length is None else win_length
    middle = f"n_fft={n_fft}, hop_length={hop}, win_length={span}"
    last = (
        f"center={_flag(center)}, normalized={_flag(normalized)}, onesided={_flag(onesided)}, length={length}, "
        f"return_complex={_flag(return_complex)}"
    )
    subject = f"CPU{input.dtype.tensor_type}Type[{', '.join(map(str, input.shape))}]"
    where = _shown("istft", subject, window, middle, last)
    if not input.is_complex():
        raise RuntimeError(
            "istft requires a complex-valued input tensor matching the output from stft with return_complex=True."
        )
    if input.ndim not in (2, 3):
        raise RuntimeError(where + f" : expected a tensor with 2 or 3 dimensions, but got {input.ndim}")
    if input.numel() == 0:
        raise RuntimeError(where + " : input tensor cannot be empty.")
    spectra = unsqueeze(input, 0) if input.ndim == 2 else input
    bins, count = spectra.shape[1], spectra.shape[2]
    whole = bins == n_fft if onesided is None else not onesided
    if whole and bins != n_fft:
        raise RuntimeError(
            where + " : expected the frequency dimension (3rd to the last) of the input tensor to match n_fft when "
            f"onesided=False, but got {bins}"
        )
    if not whole and bins != n_fft // 2 + 1:
        raise RuntimeError(
            where + " : expected the frequency dimension (3rd to the last) of the input tensor to match n_fft / 2 + 1 "
            f"when onesided=True, but got {bins}"
        )
    if not 0 < hop <= span:
        raise RuntimeError(where + " : expected 0 < hop_length <= win_length")
    if not 0 < span <= n_fft:
        raise RuntimeError(where + " : expected 0 < win_length <= n_fft")
    if window is not None and tuple(window.shape) != (span,):
        raise RuntimeError(where + " : Invalid window shape. window has to be 1D and length of `win_length`")
    if return_complex and not whole:
        raise RuntimeError("Cannot have onesided output if window or input is complex")
    if not return_complex and window is not None and window.is_complex():
        raise RuntimeError("Complex windows are incompatible with return_complex=False")
    if window is None:
        window = spectra.real.new_ones((span,))
    window = _widened(window, span, n_fft)
    norm = "ortho" if normalized else None
    spectra = transpose(spectra, 1, 2)
    if return_complex:
        frames = ifft(spectra, norm=norm)
    else:
        half = narrow(spectra, -1, 0, n_fft // 2 + 1) if whole else spectra
        frames = irfft(half, n_fft, norm=norm)
    total = n_fft + hop * (count - 1)
    out = unfold_back(frames * window, (frames.shape[0], total), 1, n_fft, hop)
    weight = (window * window).expand((1, count, n_fft))
    envelope = unfold_back(weight, (1, total), 1, n_fft, hop)
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else total - n_fft // 2 if center else total
    end = min(end, total)
    out, envelope = narrow(out, 1, start, end - start), narrow(envelope, 1, start, end - start)
    least = envelope.detach().abs().min()
    if not (least > 1e-11).item():
        raise RuntimeError(where + " window overlap add min: 1")
    out = out / envelope
    if length is not None and end - start < length:
        warnings.warn(
            "The length of signal is shorter than the length parameter. Result is being padded with zeros in the tail. "
            "Please check your center and hop_length settings.",
            stacklevel=3,
        )
        out = resized(out, (out.shape[0], length))
    return out.squeeze(0) if input.ndim == 2 else out
