"""The families of dtypes that tests run over: `floating_types()`, `all_types_and_complex_and(torch.half)` ...

Each is a tuple, in PyTorch's order; what ends in `_and` appends the dtypes it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...core.dtypes import (
    bfloat16,
    bool_,
    complex64,
    complex128,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
)  # fmt: skip

Dtypes = tuple[Any, ...]
_FLOATING = (float32, float64)
_INTEGRAL = (uint8, int8, int16, int32, int64)
_COMPLEX = (complex64, complex128)


def _family(dtypes: Dtypes, what: str) -> tuple[Callable[[], Dtypes], Callable[..., Dtypes]]:
    def these() -> Dtypes:
        return dtypes

    def these_and(*more: Any) -> Dtypes:
        return dtypes + more

    these.__doc__, these_and.__doc__ = f"{what}.", f"{what}, and the ones given."
    return these, these_and


floating_types, floating_types_and = _family(_FLOATING, "float32 and float64")
integral_types, integral_types_and = _family(_INTEGRAL, "The integers")
complex_types, complex_types_and = _family(_COMPLEX, "The complex dtypes")
all_types, all_types_and = _family(_FLOATING + _INTEGRAL, "The real dtypes, without bool and those of 16 bits")
floating_and_complex_types, floating_and_complex_types_and = _family(
    _FLOATING + _COMPLEX, "Floating and complex dtypes"
)
all_types_and_complex, all_types_and_complex_and = _family(
    _FLOATING + _INTEGRAL + _COMPLEX, "All without bool and those of 16 bits"
)
double_types, _ = _family((float64, complex128), "The dtypes of double precision")
empty_types, custom_types = _family((), "None")
floating_types_and_half, _ = _family((*_FLOATING, float16), "The floating dtypes, without bfloat16")
all_types_and_half, _ = _family((*_FLOATING, *_INTEGRAL, float16), "The real dtypes, without bool and bfloat16")

float_to_corresponding_complex_type_map = {float32: complex64, float64: complex128}


def get_all_int_dtypes() -> list[Any]:
    """The integers."""
    return list(_INTEGRAL)


def get_all_fp_dtypes(include_half: bool = True, include_bfloat16: bool = True) -> list[Any]:
    """The floating dtypes."""
    return [*_FLOATING, *([float16] if include_half else []), *([bfloat16] if include_bfloat16 else [])]


def get_all_complex_dtypes(include_complex32: bool = False) -> list[Any]:
    """The complex dtypes; there is no complex32."""
    return list(_COMPLEX)


def get_all_dtypes(
    include_half: bool = True, include_bfloat16: bool = True, include_bool: bool = True, include_complex: bool = True,
    include_complex32: bool = False, include_qint: bool = False,
) -> list[Any]:  # fmt: skip
    """Every dtype, without those left out."""
    found = get_all_int_dtypes() + get_all_fp_dtypes(include_half, include_bfloat16)
    return found + ([bool_] if include_bool else []) + (get_all_complex_dtypes() if include_complex else [])


def get_all_math_dtypes(device: Any) -> list[Any]:
    """Those that arithmetic is tested for."""
    return get_all_int_dtypes() + get_all_fp_dtypes(include_half=False, include_bfloat16=False) + list(_COMPLEX)
