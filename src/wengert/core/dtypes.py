"""Data types and PyTorch's promotion rules.

Lives here: the `dtype` objects, the map from NumPy's dtypes to them, `promote_types`, `result_type` and the
default dtype. Not here: anything that knows what a Tensor is beyond "it has `_array`".

PyTorch promotes by *category* (bool < integer < floating < complex): an operand raises the result's category
only if no operand of higher priority has that category already; priorities are tensors with dimensions, then
0-dim tensors, then Python numbers. Source: the "Type Promotion" section of PyTorch's tensor attributes page.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

BOOL, INTEGER, FLOATING, COMPLEX = range(4)


class dtype:
    """A data type. `np` is NumPy's own dtype object of the same numbers."""

    __slots__ = ("category", "itemsize", "name", "np", "tensor_type")

    def __init__(self, name: str, np_dtype: Any, tensor_type: str) -> None:
        self.name = name
        self.np = np.dtype(np_dtype)
        self.itemsize = self.np.itemsize
        kind = self.np.kind
        self.category = {"b": BOOL, "i": INTEGER, "u": INTEGER, "c": COMPLEX}.get(kind, FLOATING)
        self.tensor_type = tensor_type

    @property
    def is_floating_point(self) -> bool:
        return self.category == FLOATING

    @property
    def is_complex(self) -> bool:
        return self.category == COMPLEX

    @property
    def is_signed(self) -> bool:
        return self.np.kind not in "bu"

    def to_real(self) -> dtype:
        return {complex64: float32, complex128: float64}.get(self, self)

    def to_complex(self) -> dtype:
        return {float32: complex64, float64: complex128, float16: complex64, bfloat16: complex64}.get(self, self)

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str | tuple[Any, ...]:
        return (_by_name, (self.name,))


def _by_name(name: str) -> dtype:
    return _NAMES[name]


bool_ = dtype("bool", np.bool_, "Bool")
uint8 = dtype("uint8", np.uint8, "Byte")
int8 = dtype("int8", np.int8, "Char")
int16 = dtype("int16", np.int16, "Short")
int32 = dtype("int32", np.int32, "Int")
int64 = dtype("int64", np.int64, "Long")
uint16 = dtype("uint16", np.uint16, "UInt16")
uint32 = dtype("uint32", np.uint32, "UInt32")
uint64 = dtype("uint64", np.uint64, "UInt64")
float16 = dtype("float16", np.float16, "Half")
float32 = dtype("float32", np.float32, "Float")
float64 = dtype("float64", np.float64, "Double")
complex64 = dtype("complex64", np.complex64, "ComplexFloat")
complex128 = dtype("complex128", np.complex128, "ComplexDouble")


class _BFloat16(dtype):
    """The upper half of a float32. NumPy does not know it: the package ml_dtypes brings it, and is asked when it is used.

    Its `kind` is "V" for NumPy, and no other dtype here has that. What ml_dtypes cannot compute says so: convert to float32.
    """

    __slots__ = ()

    def __init__(self) -> None:
        self.name = "bfloat16"
        self.itemsize = 2
        self.category = FLOATING
        self.tensor_type = "BFloat16"

    @property
    def np(self) -> Any:
        try:
            import ml_dtypes
        except ImportError:
            raise NotImplementedError(
                "torch.bfloat16 needs the package ml_dtypes, as NumPy has no such numbers: pip install wengert[bfloat16]. Or "
                "use torch.float32 or torch.float16."
            ) from None
        found = np.dtype(ml_dtypes.bfloat16)
        if found not in _OF:
            from .variant import ARRAY_TYPES

            ARRAY_TYPES.add(found.type)
            _OF[found] = self
        return found


bfloat16 = _BFloat16()

ALL = (
    bool_, uint8, int8, int16, int32, int64, uint16, uint32, uint64,
    float16, float32, float64, complex64, complex128,
)  # fmt: skip
_NAMES = {d.name: d for d in (*ALL, bfloat16)}
_OF: dict[Any, dtype] = {d.np: d for d in ALL}


def of(np_dtype: np.dtype[Any]) -> dtype:
    """The `dtype` of a NumPy dtype. TypeError, in PyTorch's words, for what it cannot hold."""
    try:
        return _OF[np_dtype]
    except KeyError:
        native = np_dtype.newbyteorder("=")
        if native in _OF:
            raise ValueError(
                "given numpy array has byte order different from the native byte order. "
                "Conversion between byte orders is currently not supported."
            ) from None
        raise TypeError(
            f"can't convert np.ndarray of type {np_dtype.type.__module__}.{np_dtype.type.__name__}. "
            "The only supported types are: float64, float32, float16, complex64, complex128, int64, int32, "
            "int16, int8, uint64, uint32, uint16, uint8, and bool."
        ) from None


def as_dtype(value: Any) -> dtype:
    """Accept a `dtype`, a NumPy dtype or Python's `float`, `int`, `bool`, `complex`."""
    if isinstance(value, dtype):
        return value
    if value is float:
        return float64
    if value is int:
        return int64
    if value is bool:
        return bool_
    if value is complex:
        return complex128
    if isinstance(value, (np.dtype, type)):
        return of(np.dtype(value))
    raise TypeError(f"dtype must be torch.dtype, not {type(value).__name__}")


class _Default:
    """The default floating dtype (one for the process, as in PyTorch)."""

    floating = float32


DEFAULT = _Default()


def get_default_dtype() -> dtype:
    """The dtype of floating tensors that are made without one."""
    return DEFAULT.floating


def set_default_dtype(d: dtype, /) -> None:
    """Let `d` be the dtype of floating tensors that are made without one. TypeError unless it is a floating dtype."""
    if not isinstance(d, dtype):
        raise TypeError("invalid dtype object: only floating-point types are supported as the default type")
    if not d.is_floating_point:
        raise TypeError("only floating-point types are supported as the default type")
    DEFAULT.floating = d


def of_scalar(value: Any) -> dtype:
    """The dtype a Python number has on its own: `True` is bool, `1` int64, `1.0` the default dtype."""
    if isinstance(value, bool):
        return bool_
    if isinstance(value, int):
        return int64
    if isinstance(value, float):
        return DEFAULT.floating
    return DEFAULT.floating.to_complex()


def promote_types(a: dtype, b: dtype) -> dtype:
    """The smallest dtype that holds both in PyTorch's lattice (int64 with float32 is float32)."""
    if a is b:
        return a
    if a.category < b.category:
        a, b = b, a
    if a.category != b.category and b.category <= INTEGER:
        return a
    if a.category == b.category and bfloat16 in (a, b):
        return float32 if float16 in (a, b) else b if a is bfloat16 else a
    return of(np.promote_types(a.np, b.np))


def result_type(operands: Iterable[Any]) -> dtype:
    """The dtype of a pointwise result of tensors and Python numbers."""
    dim: dtype | None = None
    zero: dtype | None = None
    number: dtype | None = None
    for x in operands:
        array = getattr(x, "_array", x)
        if hasattr(array, "ndim"):
            d = of(array.dtype)
            if array.ndim:
                dim = d if dim is None else promote_types(dim, d)
            else:
                zero = d if zero is None else promote_types(zero, d)
        elif x is not None:
            d = of_scalar(x)
            number = d if number is None else promote_types(number, d)
    result = dim
    for lower in (zero, number):
        if lower is None:
            continue
        if result is None:
            result = lower
        elif result.category < lower.category:
            # A Python number, or a 0-dim tensor, adds its category only: an int64 tensor and 2.0 give the
            # default dtype, a float32 tensor and 2j give complex64.
            if lower.is_complex and result.is_floating_point:
                result = result.to_complex()
            else:
                result = promote_types(result, lower)
    assert result is not None
    return result


_C_NAMES = {
    "bool": "bool", "int32": "int", "float16": "c10::Half", "bfloat16": "c10::BFloat16", "float32": "float",
    "float64": "double", "complex64": "c10::complex<float>", "complex128": "c10::complex<double>",
}  # fmt: skip


def fitted(value: Any, target: np.dtype[Any]) -> np.ndarray:
    """One number as a 0-dim array of dtype `target`: fractions are cut off. RuntimeError if it is too large for it."""
    given = np.asarray(value)
    with np.errstate(all="ignore"):
        if target.kind != "c" and target.kind != "b" and given.dtype.kind == "c":
            fits = given.imag == 0
            given = given.real
        else:
            fits = True
        if target.kind in "iu":
            limits = np.iinfo(target)
            number = given.item()
            # a negative integer wraps in an unsigned dtype
            low = limits.min if target.kind == "i" else -limits.max if number.__class__ is int else 0
            fits = bool(fits) and (number == number and low <= number <= limits.max)
            result = np.asarray(int(number) if fits else 0).astype(target)
        else:
            result = given.astype(target)
            if target.kind != "b":
                fits = bool(fits) and bool(np.isfinite(result) or not np.isfinite(given))
    if not fits:
        name = of(target).name
        raise RuntimeError(f"value cannot be converted to type {_C_NAMES.get(name, name + '_t')} without overflow")
    return result
