"""Float arithmetic that rounds where PyTorch's compiled loops round: C library calls, fused products, casts.

What may not live here: anything random. Source of the exact product: T. Dekker, Numer. Math. 18 (1971); of
the exact sum: D. Knuth, The Art of Computer Programming 2, section 4.2.2.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

Array = np.ndarray[Any, np.dtype[Any]]


def libm(name: str, x: Array) -> Array:
    """The function `name` of float64 `x`: by the C library for small arrays, by NumPy for large ones.

    PyTorch's serial loops call the C library, so this is exact where exactness is cheap, and within an ulp
    where a Python loop would be slow.
    """
    if x.size <= 256:
        try:
            function = getattr(math, name)
            return np.array([function(v) for v in x.ravel().tolist()]).reshape(x.shape)
        except (ValueError, OverflowError):  # Python raises where C returns an infinity
            pass
    with np.errstate(divide="ignore", over="ignore"):
        result: Array = getattr(np, name)(x)
    return result


def fused_multiply_add(x: Array, factor: float, addend: float) -> Array:
    """x * factor + addend rounded once, as the compiler fuses it in PyTorch's vector kernels.

    float32: a float64 holds the product exactly, so one rounding of the sum and one to float32 remain, and
    differ from a true fusion once in about 5e8. float64: Dekker's product and Knuth's sum keep what each
    rounding loses.
    """
    if addend == 0 or factor == 1:  # a single rounding anyway
        out = x if factor == 1 else np.multiply(x, factor, dtype=x.dtype)
        return out if addend == 0 else np.add(out, addend, dtype=x.dtype)
    if x.dtype == np.float32:
        return cast(np.multiply(x, factor, dtype=np.float64) + addend, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        product = x * factor
        total = product + addend
        x_high, x_low = _split(x)
        f_high, f_low = _split(np.float64(factor))
        lost = ((x_high * f_high - product) + x_high * f_low + x_low * f_high) + x_low * f_low
        added = total - product
        lost += (product - (total - added)) + (addend - added)
        exact = total + lost
    return np.where(np.isfinite(exact), exact, total)


def _split(x: Any) -> tuple[Any, Any]:
    """`x` as a sum of two numbers of 26 bits each (Dekker)."""
    scaled = x * 134217729.0  # 2**27 + 1
    high = scaled - (scaled - x)
    return high, x - high


def kind(dtype: Any) -> str:
    """`dtype.kind`, which for bfloat16, a stranger to NumPy, is "V": "f" for it too."""
    return "f" if dtype.name == "bfloat16" else str(dtype.kind)


def is_half(dtype: Any) -> bool:
    """float16 or bfloat16? Such numbers are computed with in float32, and rounded at the end, as PyTorch does."""
    return bool(dtype.itemsize == 2 and dtype.kind in "fV")


def limits(dtype: Any) -> Any:
    """`np.finfo`, of bfloat16 too."""
    if dtype.kind != "V":
        return np.finfo(dtype)
    import ml_dtypes

    return ml_dtypes.finfo(dtype)


def cast(x: Array, dtype: npt.DTypeLike) -> Array:
    """`x` as `dtype` the way C converts: a float too large becomes an infinity without a warning."""
    with np.errstate(over="ignore", invalid="ignore"):
        if is_half(np.dtype(dtype)):  # by way of float32, so some float64 are rounded twice
            x = x.astype(np.float32, copy=False)
        return x.astype(dtype, copy=False)
