"""`finfo` and `iinfo`: the limits of dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes

__all__ = ["finfo", "iinfo"]


class _Limits:
    """What both know of a dtype. Two of one dtype are equal."""

    dtype: str
    bits: int
    max: Any
    min: Any

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), self.dtype))


def _dtype_of(name: str, type: Any) -> dtypes.dtype:
    if not isinstance(type, dtypes.dtype):
        raise TypeError(f"{name}(): argument 'type' (position 1) must be torch.dtype, not {type.__class__.__name__}")
    return type


class finfo(_Limits):
    """Limits of a floating dtype, the default one if none is given: `bits`, `eps`, `max`, `min`, `tiny` (also called
    `smallest_normal`) and `resolution`. Those of a complex dtype are its parts'.
    """

    def __init__(self, type: Any = None) -> None:
        dtype = dtypes.get_default_dtype() if type is None else _dtype_of("finfo", type).to_real()
        if not dtype.is_floating_point:
            raise TypeError(
                f"torch.finfo() requires a floating point input type. Use torch.iinfo to handle '{dtype!r}'"
            )
        self.dtype, self.bits = dtype.name, dtype.itemsize * 8
        if dtype is dtypes.bfloat16:  # eight bits of exponent, as float32; seven of the fraction
            self.max, self.eps, self.tiny, self.resolution = (2 - 2**-7) * 2.0**127, 2.0**-7, 2.0**-126, 0.01
        else:
            info = np.finfo(dtype.np)
            self.max, self.eps = float(info.max), float(info.eps)
            self.tiny, self.resolution = float(info.tiny), float(str(info.resolution))
        self.min, self.smallest_normal = -self.max, self.tiny

    def __repr__(self) -> str:
        names = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        return f"finfo({', '.join(f'{n}={getattr(self, n):g}' for n in names)}, dtype={self.dtype})"


class iinfo(_Limits):
    """Limits of an integer dtype: `bits`, `max`, `min`."""

    def __init__(self, type: Any) -> None:
        dtype = _dtype_of("iinfo", type)
        if dtype is dtypes.bool_:
            raise TypeError("torch.bool is not supported by torch.iinfo")
        if dtype.category != dtypes.INTEGER:
            raise TypeError(f"torch.iinfo() requires an integer input type. Use torch.finfo to handle '{dtype!r}'")
        info = np.iinfo(dtype.np)
        self.dtype, self.bits, self.max, self.min = dtype.name, info.bits, int(info.max), int(info.min)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"
