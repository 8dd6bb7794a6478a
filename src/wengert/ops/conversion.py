"""Copies and conversions: clone, casts, `to`, copying into a tensor."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np

from ..core import dtypes
from ..core.device import as_device, device
from ..core.inplace import inplace
from ..core.layout import copied, layout, lies_in, preserve_format
from ..core.op import Array, elementwise, linear
from ..core.record import broadcast_check, cast
from ..core.tensor import Tensor, wrap

__all__ = ["clone"]  # the rest are methods


@linear("clone", input=lambda g: g)
def clone(input: Array, *, memory_format: Any = None) -> Any:
    """A copy; the gradient passes through."""
    return copied(input, memory_format) if memory_format is not None else input.copy(order="K")


_warned = False


def _warn_once() -> None:
    global _warned
    if not _warned:
        _warned = True
        warnings.warn("Casting complex values to real discards the imaginary part", UserWarning, stacklevel=5)


@linear("to_dtype", input=lambda g: g, node="ToCopyBackward0", method=False)
def to_dtype(input: Array, dtype: Any) -> Any:
    """A copy in another dtype. The engine casts the gradient back."""
    if input.dtype.kind == "c" and dtype.np.kind != "c":
        if dtype.np.kind == "b":
            return input != 0
        _warn_once()
        input = input.real
    return _cast(input, dtype.np)


def _cast(a: Any, d: np.dtype[Any]) -> Any:
    """As C converts on PyTorch's machines: fractions are cut, and what is no int32 (NaN, too) is the least int32, of
    which narrower integers keep the lower bits."""
    if a.dtype.kind == "f" and d.kind in "iu" and d.itemsize < 8 and d != np.uint32:
        whole = a.astype(np.int64)
        low = whole.astype(np.int32)
        return np.where(low == whole, low, np.int32(-(1 << 31))).astype(d)
    return a.astype(d)


def convert(input: Any, dtype: Any) -> Any:
    """`input` in `dtype`: itself if it has it already. For arrays too."""
    have = input.dtype
    return input if have is dtype or have == dtype.np else to_dtype(input, dtype)


class ToArguments(NamedTuple):
    """What was given to `Tensor.to` or `Module.to`; None for a device, dtype or order that was not."""

    device: device | None
    dtype: dtypes.dtype | None
    non_blocking: bool
    copy: bool
    memory_format: Any


def to_arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> ToArguments:
    """The arguments of `to`, in any of their orders. TypeError for what is none of them."""
    given = dict.fromkeys(("device", "dtype", "other", "tensor", "non_blocking", "copy", "memory_format"))
    for name, value in kwargs.items():
        if name not in given:
            raise TypeError(
                f"to() received an invalid combination of arguments - got ({name}={type(value).__name__}, )"
            )
    given.update(kwargs)
    place, dtype, flags = given["device"], given["dtype"], []
    other = given["other"] if given["tensor"] is None else given["tensor"]
    for arg in args:
        if isinstance(arg, Tensor):
            other = arg
        elif isinstance(arg, bool):
            flags.append(arg)
        elif isinstance(arg, (dtypes.dtype, type, np.dtype)):
            dtype = arg
        elif isinstance(arg, (str, device, int)):
            place = arg
        elif arg is not None and not isinstance(arg, layout):
            raise TypeError(
                f"to() received an invalid combination of arguments - got ({type(arg).__name__}), but expected one of "
                "(device, dtype), (dtype) or (Tensor other)"
            )
    if other is not None:
        place, dtype = other.device, other.dtype
    return ToArguments(
        None if place is None else as_device(place),
        None if dtype is None else dtypes.as_dtype(dtype),
        bool(flags[0] if flags else given["non_blocking"]),
        bool(flags[1] if len(flags) > 1 else given["copy"]),
        given["memory_format"],
    )


def to(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """`x.to(dtype)`, `x.to(device)`, `x.to(device, dtype)`, `x.to(other)`: itself if nothing changes."""
    said = to_arguments(args, kwargs)
    copy, order = said.copy, said.memory_format
    target = self.dtype if said.dtype is None else said.dtype
    if target is not self.dtype:
        self = to_dtype(self, target)
        copy = False
    if order is not None and order is not preserve_format and not lies_in(self._array, order):
        copy = True
    return clone(self, memory_format=order) if copy else self


def type_(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """The name of the tensor's type; with a dtype (or such a name), the tensor converted."""
    if dtype is None:
        return f"torch.{self.dtype.tensor_type}Tensor"
    if isinstance(dtype, str):
        from ..tensor_types import by_name

        dtype = by_name(dtype)
    if getattr(dtype, "is_cuda", False):
        raise TypeError(f"type torch.cuda.{dtype.__name__} not available. Torch not compiled with CUDA enabled.")
    dtype = getattr(dtype, "dtype", dtype) if isinstance(dtype, type) else dtype  # torch.LongTensor
    return convert(self, dtypes.as_dtype(dtype))


def type_as(self: Tensor, other: Tensor) -> Tensor:
    """Converted to the dtype of `other`."""
    return convert(self, other.dtype)


def _converter(name: str, dtype: dtypes.dtype) -> Any:
    def method(self: Tensor, memory_format: Any = None) -> Tensor:
        return self if self._array.dtype == dtype.np else to_dtype(self, dtype)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"Converted to {dtype.name}; itself if it is that already."
    return method


CONVERTERS = {
    name: _converter(name, dtype)
    for name, dtype in {
        "float": dtypes.float32, "double": dtypes.float64, "half": dtypes.float16, "long": dtypes.int64,
        "int": dtypes.int32, "short": dtypes.int16, "char": dtypes.int8, "byte": dtypes.uint8, "bool": dtypes.bool_,
        "cfloat": dtypes.complex64, "cdouble": dtypes.complex128, "bfloat16": dtypes.bfloat16,
    }.items()
}  # fmt: skip


@elementwise("copy", promote=None, out=False, method=False, input=0, src=1, node="CopyBackwards", inplace=True)
def copy(input: Array, src: Array) -> Any:
    """`src` broadcast to the shape, and cast to the dtype, of `input`."""
    if src.shape != input.shape:
        try:
            src = np.broadcast_to(src, input.shape)
        except ValueError:
            broadcast_check([input, src])
            wide = np.broadcast_shapes(input.shape, src.shape)
            raise RuntimeError(
                f"output with shape {list(input.shape)} doesn't match the broadcast shape {list(wide)}"
            ) from None
    return cast(src, input.dtype) if src.dtype.kind == "c" and input.dtype.kind != "c" else _cast(src, input.dtype)


def copy_(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Overwrite in place with the numbers of `src`."""
    return inplace(copy.op, (self, src if isinstance(src, Tensor) else wrap(np.asarray(src))))
