"""What is peculiar to complex numbers: parts, conjugate, angle, and views of one kind as the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes
from ..core.batched import plain
from ..core.op import Array, elementwise, linear
from ..kernels.memory import address, owner
from .choosing import where
from .pointwise import cos, sin

__all__ = [
    "angle", "complex", "conj", "conj_physical", "imag", "polar", "real", "resolve_conj", "resolve_neg",
    "view_as_complex", "view_as_real",
]  # fmt: skip

_WIDE = {"f2": np.complex64, "f4": np.complex64, "f8": np.complex128}


@linear("conj", input=lambda g: g.conjugate(), method=False, tex=r"\overline{{{input}}}", node="ConjBackward0")
def _conj(input: Array) -> Any:
    """The conjugates (a new tensor: there are no lazily conjugated ones)."""
    return np.conjugate(input)


def conj(input: Any) -> Any:
    """The complex conjugate; a real tensor is returned as it is."""
    return _conj(input) if _is_complex(input) else input


conj_physical = elementwise(
    "conj_physical",
    np.conjugate,
    promote=None,
    inplace=True,
    input=lambda g: g.conjugate(),
    tex=r"\overline{{{input}}}",
)


def _is_complex(x: Any) -> bool:
    d = x.dtype
    return d.category == dtypes.COMPLEX if isinstance(d, dtypes.dtype) else d.kind == "c"


def resolve_conj(input: Any) -> Any:
    """The tensor itself: conjugation is never lazy here."""
    return input


def resolve_neg(input: Any) -> Any:
    """The tensor itself: negation is never lazy here."""
    return input


@linear("real", input=lambda g: g, view=True, method=False, tex=r"\operatorname{{Re}} {input}")
def _real(input: Array) -> Any:
    return input.real


@linear("imag", input=lambda g: g * 1j, view=True, method=False, tex=r"\operatorname{{Im}} {input}")
def _imag(input: Array) -> Any:
    return input.imag


def real(input: Any) -> Any:
    """The real part, a view; a real tensor is returned as it is."""
    return _real(input) if _is_complex(input) else input


def imag(input: Any) -> Any:
    """The imaginary part, a view."""
    if not _is_complex(input):
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    return _imag(input)


@linear(
    "complex",
    real=lambda g: _real_part(g),
    imag=lambda g: _imag_part(g),
    jvp=lambda t_real, t_imag: complex(t_real, t_imag),
    method=False,
    out=True,
)
def complex(real: Array, imag: Array) -> Any:
    """`real + 1j * imag`."""
    for a in (real, imag):
        if a.dtype.kind != "f":
            raise RuntimeError(
                "Expected both inputs to be Half, Float or Double tensors but got "
                f"{dtypes.of(real.dtype).tensor_type} and {dtypes.of(imag.dtype).tensor_type}"
            )
    if real.dtype != imag.dtype:
        raise RuntimeError(
            f"Expected object of scalar type {dtypes.of(real.dtype).tensor_type} but got scalar type "
            f"{dtypes.of(imag.dtype).tensor_type} for second argument"
        )
    try:
        result: Any = np.empty(np.broadcast_shapes(real.shape, imag.shape), _WIDE[real.dtype.str[1:]])
    except ValueError:
        from ..core.record import broadcast_check

        broadcast_check([real, imag])
        raise
    result.real = real
    result.imag = imag
    return result


def _real_part(g: Any) -> Any:
    return real(g)


def _imag_part(g: Any) -> Any:
    return imag(g)


@elementwise(
    "angle",
    promote=None,
    input=lambda g, input: _turn(g, input),
    jvp=lambda input, t_input: _turned(input, t_input),
    tex=r"\arg {input}",
    domain="at 0 the derivative is taken as 0",
)
def angle(input: Array) -> Any:
    """The argument of a complex number; 0 or pi for real ones."""
    if input.dtype.kind == "c":
        return np.arctan2(input.imag, input.real)
    kind = input.dtype.type if input.dtype.kind == "f" else dtypes.get_default_dtype().np.type
    result = np.where(np.less(input, 0), kind(np.pi), kind(0))
    return np.where(np.isnan(input), input, result) if input.dtype.kind == "f" else result


def _turn(g: Any, z: Any) -> Any:
    if not _is_complex(z):
        return g * 0
    square = (z * z.conjugate()).real
    return where(square == 0, 0, g * 1j * z / square)


def _turned(z: Any, t: Any) -> Any:
    if not _is_complex(z):
        return t * 0
    square = (z * z.conjugate()).real
    return where(square == 0, 0, imag(z.conjugate() * t) / square)


@elementwise(
    "polar",
    precision="full",
    promote=None,
    method=False,
    abs=lambda g, angle: real(g * complex(cos(angle), -sin(angle))),
    angle=lambda g, out: imag(g * out.conjugate()),
    jvp=lambda abs, angle, out, t_abs, t_angle: t_abs * complex(cos(angle), sin(angle)) + 1j * t_angle * out,
)
def polar(abs: Array, angle: Array) -> Any:
    """`abs * exp(1j * angle)`."""
    for a in (abs, angle):
        if a.dtype.kind != "f" or a.dtype.itemsize < 4:
            raise RuntimeError(
                "Expected both inputs to be Half, Float or Double tensors but got "
                f"{dtypes.of(abs.dtype).tensor_type} and {dtypes.of(angle.dtype).tensor_type}"
            )
    if abs.dtype != angle.dtype:
        raise RuntimeError(
            f"Expected object of scalar type {dtypes.of(abs.dtype).tensor_type} but got scalar type "
            f"{dtypes.of(angle.dtype).tensor_type} for second argument"
        )
    return complex.op.forward(abs * np.cos(angle), abs * np.sin(angle))


@linear("view_as_real", input=lambda g: _as_complex(g), view=True)
def view_as_real(input: Array) -> Any:
    """A view as pairs of real numbers, in a new last dimension of size 2."""
    if input.dtype.kind != "c":
        raise RuntimeError("view_as_real is only supported for complex tensors")
    part = np.asarray(input).real
    return np.lib.stride_tricks.as_strided(part, (*part.shape, 2), (*part.strides, part.itemsize))


def view_as_complex(input: Any) -> Any:
    """A view of a last dimension of size 2 as complex numbers."""
    array = getattr(input, "_array", input)
    if array.dtype.kind == "f" and array.ndim == 0:
        raise RuntimeError("Input tensor must have one or more dimensions")
    if array.dtype.kind == "f" and array.shape[-1:] == (2,) and array.size:
        steps = [s // array.itemsize for s in array.strides]
        if steps[-1] != 1:
            raise RuntimeError("Tensor must have a last dimension with stride 1")
        if any(s % 2 and n > 1 for s, n in zip(steps[:-1], array.shape, strict=False)):
            raise RuntimeError("Tensor must have a stride divisible by 2 for all but last dimension")
        whole = plain(array)
        if (address(whole) - address(owner(whole))) // array.itemsize % 2:
            raise RuntimeError("Tensor must have a storage_offset divisible by 2")
    return _as_complex(input)


@linear("view_as_complex", input=lambda g: view_as_real(g), view=True, method=False)
def _as_complex(input: Array) -> Any:
    """See `view_as_complex`. A gradient or tangent need not be laid out like the tensor, and is copied if it is not."""
    if input.dtype.kind != "f":
        word = dtypes.of(input.dtype).tensor_type
        raise RuntimeError(
            f"view_as_complex is only supported for half, float and double tensors, but got a tensor of scalar type: {word}"
        )
    if input.shape[-1] != 2:
        raise RuntimeError("Tensor must have a last dimension of size 2")
    if input.strides[-1] != input.itemsize:
        input = np.ascontiguousarray(input)
    return input.view(_WIDE[input.dtype.str[1:]])[..., 0]
