"""Windows for spectral analysis: `signal.windows.*`, and the older `hann_window` and its like.

All are computed from formulas in float64 and rounded once. A window is symmetric, or (for spectral analysis) periodic: the
symmetric one of one point more, without the last.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.layout import strided
from ..core.op import composite
from .creation import check_options, leaf

__all__ = ["bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window"]


def _points(n: int, sym: bool) -> Any:
    return np.arange(n, dtype=np.float64), max(n - 1 if sym else n, 1)


def _cosines(a: Any, n: int, sym: bool) -> Any:
    """Sums of cosines: a0 - a1 cos(x) + a2 cos(2x) - ..."""
    k, span = _points(n, sym)
    x = 2 * math.pi * k / span
    return sum((-1) ** i * c * np.cos(i * x) for i, c in enumerate(a))


def _bartlett(n: int, sym: bool) -> Any:
    k, span = _points(n, sym)
    return 1 - np.abs(2 * k / span - 1)


def _kaiser(n: int, sym: bool, beta: float) -> Any:
    k, span = _points(n, sym)
    x = 2 * k / span - 1
    return np.i0(beta * np.sqrt(np.maximum(1 - x * x, 0))) / np.i0(float(beta))


def _made(
    name: str, M: Any, values: Callable[[], Any], dtype: Any, layout: Any, device: Any, requires_grad: bool
) -> Any:
    want = dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)
    if M < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={M}")
    if layout is not None and layout is not strided:
        raise ValueError(f"{name} is implemented for strided tensors only, got: {layout}")
    if want not in (dtypes.float32, dtypes.float64):
        raise ValueError(f"{name} expects float32 or float64 dtypes, got: {want}")
    check_options(device)
    array = np.ones(M) if M <= 1 else np.asarray(values(), np.float64)
    return leaf(array.astype(want.np), requires_grad)


def _window(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of (M, options) that returns how to compute a window becomes `signal.windows.<its name>`."""
    name = function.__name__

    def window(
        M: int, *args: Any, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None,
        requires_grad: bool = False, **options: Any,
    ) -> Any:  # fmt: skip
        values = function(M, sym, *args, **options)
        return _made(name, M, values, dtype, layout, device, requires_grad)

    window.__name__ = window.__qualname__ = name
    window.__doc__ = f"{function.__doc__} `M` points; symmetric, or periodic if not `sym`."
    composite(f"signal.windows.{name}", method=False)(window)
    return window


@_window
def bartlett(M: int, sym: bool) -> Any:
    """The triangle 1 - |2k / (M - 1) - 1|."""
    return lambda: _bartlett(M, sym)


@_window
def blackman(M: int, sym: bool) -> Any:
    """Blackman's window 0.42 - 0.5 cos x + 0.08 cos 2x."""
    return lambda: _cosines((0.42, 0.5, 0.08), M, sym)


@_window
def cosine(M: int, sym: bool) -> Any:
    """Half a sine wave."""
    return lambda: np.sin(math.pi / (M if sym else M + 1) * (np.arange(M) + 0.5))


@_window
def exponential(M: int, sym: bool, *, center: float | None = None, tau: float = 1.0) -> Any:
    """exp(-|k - center| / tau); the centre is the middle unless given (to a window that is not symmetric)."""
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")
    middle = (M if not sym and M > 1 else M - 1) / 2 if center is None else center
    return lambda: np.exp(-np.abs(np.arange(M) - middle) / tau)


@_window
def gaussian(M: int, sym: bool, *, std: float = 1.0) -> Any:
    """exp(-(k - middle)^2 / (2 std^2))."""
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")
    middle = (M if not sym and M > 1 else M - 1) / 2
    return lambda: np.exp(-(((np.arange(M) - middle) / std) ** 2) / 2)


@_window
def general_cosine(M: int, sym: bool, *, a: Any) -> Any:
    """A sum of cosines with weights `a`."""
    if not isinstance(a, (list, tuple)):
        raise TypeError("Coefficients must be a list/tuple")
    if not a:
        raise ValueError("Coefficients cannot be empty")
    return lambda: _cosines(a, M, sym)


@_window
def general_hamming(M: int, sym: bool, *, alpha: float = 0.54) -> Any:
    """alpha - (1 - alpha) cos x."""
    return lambda: _cosines((alpha, 1 - alpha), M, sym)


@_window
def hamming(M: int, sym: bool) -> Any:
    """Hamming's window 0.54 - 0.46 cos x."""
    return lambda: _cosines((0.54, 0.46), M, sym)


@_window
def hann(M: int, sym: bool) -> Any:
    """Hann's window 0.5 - 0.5 cos x."""
    return lambda: _cosines((0.5, 0.5), M, sym)


@_window
def kaiser(M: int, sym: bool, *, beta: float = 12.0) -> Any:
    """Kaiser's window, from the modified Bessel function of order 0."""
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")
    return lambda: _kaiser(M, sym, beta)


@_window
def nuttall(M: int, sym: bool) -> Any:
    """Nuttall's minimum four-term window."""
    return lambda: _cosines((0.3635819, 0.4891775, 0.1365995, 0.0106411), M, sym)


# -- the older functions, periodic by default --------------------------------------------------------------------


def _older(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of (window_length, symmetric, parameters) that computes a window becomes the function of its name."""
    name = function.__name__

    def window(
        window_length: int, periodic: bool = True, *parameters: Any, dtype: Any = None, layout: Any = None,
        device: Any = None, pin_memory: Any = None, requires_grad: bool = False, **named: Any,
    ) -> Any:  # fmt: skip
        check_options(device, layout, pin_memory)
        want = dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)
        if not want.is_floating_point:
            raise RuntimeError(f"{name} expects floating point dtypes, got: {want!r}")
        if window_length < 0:
            raise RuntimeError(f"{name} requires non-negative window_length, got window_length={window_length}")
        values = function(window_length, not periodic, *parameters, **named)
        return leaf(np.asarray(values if window_length > 1 else np.ones(window_length)).astype(want.np), requires_grad)

    window.__name__ = window.__qualname__ = name
    window.__doc__ = function.__doc__
    return composite(name, method=False)(window)


@_older
def hann_window(window_length: int, sym: bool) -> Any:
    """Hann's window, periodic by default."""
    return _cosines((0.5, 0.5), window_length, sym)


@_older
def hamming_window(window_length: int, sym: bool, alpha: float = 0.54, beta: float = 0.46) -> Any:
    """Hamming's window `alpha - beta cos x`, periodic by default."""
    return _cosines((alpha, beta), window_length, sym)


@_older
def bartlett_window(window_length: int, sym: bool) -> Any:
    """The triangle, periodic by default."""
    return _bartlett(window_length, sym)


@_older
def blackman_window(window_length: int, sym: bool) -> Any:
    """Blackman's window, periodic by default."""
    return _cosines((0.42, 0.5, 0.08), window_length, sym)


@_older
def kaiser_window(window_length: int, sym: bool, beta: float = 12.0) -> Any:
    """Kaiser's window, periodic by default."""
    return _kaiser(window_length, sym, beta)
