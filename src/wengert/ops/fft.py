"""Discrete Fourier transforms. Each is linear, and its transpose is the transform back with the same scale.

Three rows carry everything: complex to complex (`fft_c2c`), and the pair real to half of a Hermitian signal (`fft_r2c`) and
back (`fft_c2r`), each with its exact transpose (`fft_r2c_back`, `fft_c2r_back`). Around them `resized` cuts or pads with
zeros. The public functions of torch.fft read `n`, `s`, `dim` and `norm` and are composites. Short-time transforms are in
`stft`.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.op import Array, composite, linear
from ..core.tensor import Tensor
from .arranging import roll
from .complex import conj
from .creation import check_options, leaf, np_dtype
from .shared import wrap_dim

__all__: list[str] = []  # the functions are torch.fft's, not torch's


# -- rows --------------------------------------------------------------------------------------------------------


@linear(
    "fft_c2c",
    input=lambda g, dims, scale, forward: fft_c2c(g, dims, scale, not forward),
    method=False,
    node="FftC2CBackward0",
    tex=r"\mathcal{{F}} {input}",
)
def fft_c2c(input: Array, dims: Any, scale: float, forward: bool) -> Any:
    """`scale` times the sums over `dims` of input * exp(-+ 2 pi i jk / n)."""
    # Without `norm` NumPy's forward transform has no scale, and with norm="forward" the one back has none.
    out = np.fft.fftn(input, axes=dims) if forward else np.fft.ifftn(input, axes=dims, norm="forward")
    return out if scale == 1 else out * out.real.dtype.type(scale)


@linear(
    "fft_r2c",
    input=lambda g, input_shape, dim, scale: fft_r2c_back(g, input_shape[dim], dim, scale),
    method=False,
    node="FftR2CBackward0",
    tex=r"\mathcal{{F}} {input}",
)
def fft_r2c(input: Array, dim: int, scale: float) -> Any:
    """The first n // 2 + 1 elements of a real signal's transform; the others are their conjugates."""
    out = np.fft.rfft(input, axis=dim)
    return out if scale == 1 else out * out.real.dtype.type(scale)


@linear("fft_r2c_back", input=lambda g, dim, scale: fft_r2c(g, dim, scale), method=False)
def fft_r2c_back(input: Array, n: int, dim: int, scale: float) -> Any:
    """The transpose of `fft_r2c`: the half is not completed to a Hermitian signal but to zeros; real parts."""
    # irfft counts each element between the ends twice, once as itself and once as its conjugate.
    half = input * input.real.dtype.type(scale)
    half[_between(half.ndim, dim, n)] *= 0.5
    return np.fft.irfft(half, n, dim, norm="forward")


@linear(
    "fft_c2r",
    input=lambda g, dim, scale: fft_c2r_back(g, dim, scale),
    method=False,
    node="FftC2RBackward0",
    tex=r"\mathcal{{F}}^{{-1}} {input}",
)
def fft_c2r(input: Array, n: int, dim: int, scale: float) -> Any:
    """The real signal of length n whose transform is Hermitian and begins with `input` (n // 2 + 1 elements)."""
    out = np.fft.irfft(input, n, dim, norm="forward")
    return out if scale == 1 else out * out.dtype.type(scale)


@linear("fft_c2r_back", input=lambda g, input_shape, dim, scale: fft_c2r(g, input_shape[dim], dim, scale), method=False)
def fft_c2r_back(input: Array, dim: int, scale: float) -> Any:
    """The transpose of `fft_c2r`: elements that stand for their conjugates too count twice."""
    out = np.fft.rfft(input, axis=dim)
    out *= out.real.dtype.type(scale)
    out[_between(out.ndim, dim, input.shape[dim])] *= 2
    return out


def _between(ndim: int, dim: int, n: int) -> tuple[slice, ...]:
    """The elements of a half transform that have a conjugate in the other half."""
    index = [slice(None)] * ndim
    index[dim] = slice(1, (n + 1) // 2)
    return tuple(index)


@linear("fft_resized", input=lambda g, input_shape: resized(g, tuple(input_shape)), method=False)
def resized(input: Array, shape: Any) -> Any:
    """Cut, or padded with zeros at the end, to `shape`."""
    inside = tuple(slice(0, min(a, b)) for a, b in zip(input.shape, shape, strict=True))
    out = np.zeros(shape, input.dtype)
    out[inside] = input[inside]
    return out


# -- arguments ---------------------------------------------------------------------------------------------------


def _promoted(name: str, x: Any, to_complex: bool) -> Any:
    """Integers become the default dtype, as a transform wants floating point; and complex if asked."""
    if not isinstance(x, Tensor) and not hasattr(x, "dtype"):
        raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {type(x).__name__}")
    want = x.dtype
    if want.category < dtypes.FLOATING:
        want = dtypes.get_default_dtype()
    if want is dtypes.float16:
        raise RuntimeError("Unsupported dtype Half")
    if to_complex:
        want = want.to_complex()
    return x if want is x.dtype else x.to(want)


def _real(name: str, x: Any, adjective: str = "real") -> Any:
    if x.is_complex():
        raise RuntimeError(f"{name} expects a {adjective} input tensor, but got {x.dtype.tensor_type}")
    return _promoted(name, x, False)


def _scale(norm: Any, n: int, forward: bool) -> float:
    """What a transform of n elements is multiplied by: "backward" scales the way back only, "forward" the way forward."""
    if norm is None:
        norm = "backward"
    if norm not in ("backward", "forward", "ortho"):
        raise RuntimeError(f'Invalid normalization mode: "{norm}"')
    if norm == "ortho":
        return float(1 / np.sqrt(n)) if n else 1.0
    return 1 / n if n and (norm == "forward") == forward else 1.0


def _dim(x: Any, dim: Any) -> int:
    if x.ndim == 0:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    return wrap_dim(dim, x.ndim)


def _length(n: Any, have: int) -> int:
    n = have if n is None else int(n)
    if n < 1:
        raise RuntimeError(f"Invalid number of data points ({n}) specified")
    return n


def _fit(x: Any, sizes: dict[int, int]) -> Any:
    """The sizes of some dimensions changed."""
    shape = tuple(sizes.get(d, n) for d, n in enumerate(x.shape))
    return x if shape == tuple(x.shape) else resized(x, shape)


def _shape_and_dims(x: Any, s: Any, dim: Any) -> tuple[list[int], list[int]]:
    """(sizes, dimensions) of a transform over several; a size of -1 stays as it is."""
    s = (s,) if isinstance(s, int) else s
    if dim is not None:
        dims = [_dim(x, d) for d in ((dim,) if isinstance(dim, int) else dim)]
        if len(set(dims)) < len(dims):
            raise RuntimeError("FFT dims must be unique")
    if s is None:
        dims = list(range(x.ndim)) if dim is None else dims
        sizes = [x.shape[d] for d in dims]
    else:
        if dim is not None and len(dims) != len(s):
            raise RuntimeError("When given, dim and shape arguments must have the same length")
        if len(s) > x.ndim:
            raise RuntimeError(f"Got shape with {len(s)} values but input tensor only has {x.ndim} dimensions.")
        if dim is None:
            dims = list(range(x.ndim - len(s), x.ndim))
        sizes = [x.shape[d] if n == -1 else int(n) for n, d in zip(s, dims, strict=True)]
    for n in sizes:
        _length(n, n)
    return sizes, dims


# -- along one dimension -----------------------------------------------------------------------------------------


def _c2c(name: str, x: Any, n: Any, dim: Any, norm: Any, forward: bool) -> Any:
    x = _promoted(name, x, True)
    d = _dim(x, dim)
    n = _length(n, x.shape[d])
    return fft_c2c(_fit(x, {d: n}), (d,), _scale(norm, n, forward), forward)


def _r2c(x: Any, n: Any, dim: Any, norm: Any, forward: bool, name: str) -> Any:
    x = _real(name, x)
    d = _dim(x, dim)
    n = _length(n, x.shape[d])
    out = fft_r2c(_fit(x, {d: n}), d, _scale(norm, n, forward))
    return out if forward else conj(out)


def _c2r(x: Any, n: Any, dim: Any, norm: Any, forward: bool, name: str) -> Any:
    x = _promoted(name, x, True)
    d = _dim(x, dim)
    n = _length(n, 2 * (x.shape[d] - 1))
    x = _fit(x, {d: n // 2 + 1})
    return fft_c2r(conj(x) if forward else x, n, d, _scale(norm, n, forward))


@composite("fft.fft", precision="full", out=True)
def fft(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Any:
    """The transform along `dim`, of length `n` (the input is cut or padded with zeros to it)."""
    return _c2c("fft_fft", input, n, dim, norm, True)


@composite("fft.ifft", precision="full", out=True)
def ifft(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Any:
    """The inverse of `fft`."""
    return _c2c("fft_ifft", input, n, dim, norm, False)


@composite("fft.rfft", precision="full", out=True)
def rfft(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Any:
    """`fft` of a real signal: the n // 2 + 1 elements that determine it."""
    return _r2c(input, n, dim, norm, True, "rfft")


@composite("fft.irfft", precision="full", out=True)
def irfft(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Any:
    """The inverse of `rfft`; the length of the result is even unless `n` says otherwise."""
    return _c2r(input, n, dim, norm, False, "irfft")


@composite("fft.hfft", precision="full", out=True)
def hfft(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Any:
    """The real transform of a Hermitian signal given by its first half."""
    return _c2r(input, n, dim, norm, True, "hfft")


@composite("fft.ihfft", precision="full", out=True)
def ihfft(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Any:
    """The inverse of `hfft`."""
    return _r2c(input, n, dim, norm, False, "ihfft")


# -- along several -----------------------------------------------------------------------------------------------


def _c2c_many(name: str, x: Any, s: Any, dim: Any, norm: Any, forward: bool) -> Any:
    x = _promoted(name, x, True)
    sizes, dims = _shape_and_dims(x, s, dim)
    scale = _scale(norm, prod(sizes), forward)
    if not dims:
        return x.clone()
    return fft_c2c(_fit(x, dict(zip(dims, sizes, strict=True))), tuple(dims), scale, forward)


def _r2c_many(name: str, x: Any, s: Any, dim: Any, norm: Any, forward: bool) -> Any:
    """Real to complex along the last dimension named, complex to complex along the others."""
    x = _real(name, x, "real-valued")
    sizes, dims = _shape_and_dims(x, s, dim)
    if not dims:
        raise RuntimeError(f"{name} must transform at least one axis")
    scale = _scale(norm, prod(sizes), forward)
    out = fft_r2c(_fit(x, dict(zip(dims, sizes, strict=True))), dims[-1], scale)
    out = out if forward else conj(out)
    return fft_c2c(out, tuple(dims[:-1]), 1.0, forward) if len(dims) > 1 else out


def _c2r_many(name: str, x: Any, s: Any, dim: Any, norm: Any, forward: bool) -> Any:
    x = _promoted(name, x, True)
    last = None if s is None else (s if isinstance(s, int) else s[-1] if len(s) else None)
    if s is None or last == -1:
        dims = list(range(x.ndim)) if dim is None else [_dim(x, d) for d in ((dim,) if isinstance(dim, int) else dim)]
        if dim is None and s is not None and not isinstance(s, int):
            dims = dims[-len(s) :]
        if dims:
            n = _length(2 * (x.shape[dims[-1]] - 1), 0)
            s = [*(x.shape[d] for d in dims[:-1]), n] if s is None or isinstance(s, int) else [*s[:-1], n]
            dim = dims
    sizes, dims = _shape_and_dims(x, s, dim)
    if not dims:
        raise RuntimeError(f"{name} must transform at least one axis")
    scale = _scale(norm, prod(sizes), forward)
    x = _fit(x, {**dict(zip(dims, sizes, strict=True)), dims[-1]: sizes[-1] // 2 + 1})
    if len(dims) > 1:
        x = fft_c2c(x, tuple(dims[:-1]), 1.0, forward)
    return fft_c2r(conj(x) if forward else x, sizes[-1], dims[-1], scale)


_SEVERAL = {
    "fftn": (_c2c_many, True, "The transform over several dimensions (all of them by default)."),
    "ifftn": (_c2c_many, False, "The inverse of `fftn`."),
    "rfftn": (_r2c_many, True, "`fftn` of a real signal: half of the last dimension, which determines the rest."),
    "irfftn": (_c2r_many, False, "The inverse of `rfftn`."),
    "hfftn": (_c2r_many, True, "The real transform over several dimensions of a Hermitian signal given by its half."),
    "ihfftn": (_r2c_many, False, "The inverse of `hfftn`."),
}


def _state(name: str, run: Any, forward: bool, doc: str) -> None:
    """`fftn`, whose dimensions are all by default, and `fft2`, whose are the last two."""

    def several(input: Any, s: Any = None, dim: Any = None, norm: str | None = None) -> Any:
        return run(name, input, s, dim, norm, forward)

    def two(input: Any, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Any:
        return run(name, input, s, dim, norm, forward)

    for function, own, text in (
        (several, name, doc),
        (two, name[:-1] + "2", f"`{name}` over the last two dimensions."),
    ):
        function.__name__ = function.__qualname__ = own
        function.__doc__ = text
        composite(f"fft.{own}", precision="full", out=True)(function)


for _name, (_run, _forward, _doc) in _SEVERAL.items():
    _state(_name, _run, _forward, _doc)


# -- frequencies and order ---------------------------------------------------------------------------------------


def _shifted(input: Any, dim: Any, sign: int) -> Any:
    if dim is None:
        dims = list(range(input.ndim))
    else:
        dims = [wrap_dim(d, input.ndim) for d in ((dim,) if isinstance(dim, int) else dim)]
    if input.ndim == 0 or not dims:
        return input.clone()
    # Forward by n // 2, so that frequency 0 stands in the middle; back by (n + 1) // 2.
    return roll(input, [(input.shape[d] + (sign < 0)) // 2 for d in dims], dims)


@composite("fft.fftshift")
def fftshift(input: Any, dim: Any = None) -> Any:
    """Negative frequencies first: each dimension rotated so that frequency 0 stands in the middle."""
    return _shifted(input, dim, 1)


@composite("fft.ifftshift")
def ifftshift(input: Any, dim: Any = None) -> Any:
    """The inverse of `fftshift`."""
    return _shifted(input, dim, -1)


def _frequencies(make: Any, n: int, d: float, dtype: Any, device: Any, requires_grad: bool, out: Any) -> Any:
    check_options(device)
    values = make(n, d).astype(np_dtype(dtype) if out is None else out._array.dtype)
    if out is None:
        return leaf(values, requires_grad)
    return out.resize_(values.shape).copy_(leaf(values, False))


@composite("fft.fftfreq", method=False)
def fftfreq(
    n: int, d: float = 1.0, *, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Any:  # fmt: skip
    """The frequencies of `fft`'s elements for samples `d` apart."""
    return _frequencies(np.fft.fftfreq, n, d, dtype, device, requires_grad, out)


@composite("fft.rfftfreq", method=False)
def rfftfreq(
    n: int, d: float = 1.0, *, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Any:  # fmt: skip
    """The frequencies of `rfft`'s elements for samples `d` apart."""
    return _frequencies(np.fft.rfftfreq, n, d, dtype, device, requires_grad, out)
