"""`make_tensor`: random numbers of any dtype within bounds, PyTorch's from PyTorch's seeds."""

from __future__ import annotations

from typing import Any

from ..core import dtypes
from ..core.device import as_device
from ..core.tensor import Tensor
from ..environment.limits import finfo, iinfo
from ..ops.filling import empty


def make_tensor(
    *shape: Any, dtype: dtypes.dtype, device: Any, low: float | None = None, high: float | None = None,
    requires_grad: bool = False, noncontiguous: bool = False, exclude_zero: bool = False, memory_format: Any = None,
) -> Tensor:  # fmt: skip
    """Numbers from `low` up to, but not including, `high`: by default -9 to 9, or 0 to 9 for dtypes without a sign.

    `noncontiguous` leaves gaps in memory; `exclude_zero` puts the smallest positive number (1, for integers) for each 0.
    ValueError for bounds that the dtype does not hold or that are the wrong way round.
    """
    as_device(device)
    size = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
    size = tuple(map(int, size))
    if noncontiguous and memory_format is not None:
        raise ValueError(
            f"The parameters `noncontiguous` and `memory_format` are mutually exclusive, but got noncontiguous={noncontiguous!r} "
            f"and memory_format={memory_format!r}"
        )
    whole = not (dtype.is_floating_point or dtype.is_complex)
    if requires_grad and whole:
        raise ValueError(
            f"`requires_grad=True` is not supported for boolean and integral dtypes, but got dtype={dtype}"
        )
    gaps = noncontiguous and all(size) and any(n > 1 for n in size)
    made = empty((*size[:-1], 2 * size[-1]) if gaps else size, dtype=dtype)
    if dtype is dtypes.bool_:
        made.random_(*_bounds(dtype, low, high, 0, 2, 0, 2))
    elif whole:
        info = iinfo(dtype)
        start = -9 if info.min < 0 else 0
        a, b = _bounds(dtype, low, high, start, 10, info.min, info.max + 1)
        made.random_(int(a), int(b))
    else:
        limits = finfo(dtype)
        a, b = _bounds(dtype, low, high, -9, 9, limits.min, limits.max)
        _real(made).uniform_(a, b)
    if gaps:
        made = made[..., 1::2]
    elif memory_format is not None:
        made = made.clone(memory_format=memory_format)
    if exclude_zero:
        made[made == 0] = 1 if whole else finfo(dtype).tiny
    return made.requires_grad_(requires_grad) if requires_grad else made


def _real(t: Tensor) -> Tensor:
    """The parts of complex numbers as real numbers; real numbers as they are."""
    from ..ops.complex import view_as_real

    return view_as_real(t) if t.is_complex() else t


def _bounds(
    dtype: dtypes.dtype, low: Any, high: Any, default_low: Any, default_high: Any, least: Any, most: Any
) -> tuple[Any, Any]:
    a, b = default_low if low is None else low, default_high if high is None else high
    if a != a or b != b:
        raise ValueError(f"`low` and `high` cannot be NaN, but got low={a!r} and high={b!r}")
    if a >= b and not (dtype.is_floating_point and a == b):
        raise ValueError(f"`low` must be less than `high`, but got {a} >= {b}")
    if a >= most or b < least:
        raise ValueError(
            f"The value interval specified by `low` and `high` is [{a}, {b}), but {dtype} only supports [{least}, {most})"
        )
    return max(a, least), min(b, most)
