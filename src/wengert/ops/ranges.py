"""Evenly spaced numbers: `arange`, `range`, `linspace`, `logspace`. Nothing else."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.by_example import by_example
from ..core.tensor import Tensor
from .creation import check_options, leaf, np_dtype
from .filling import store_in

__all__ = ["arange", "linspace", "logspace", "range"]


def _number(x: Any) -> Any:
    return x.item() if isinstance(x, Tensor) else x


def arange(
    *bounds: Any, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False,
    pin_memory: bool = False, **named: Any,
) -> Tensor:  # fmt: skip
    """`start, start + step, ...` below `end`. int64 if all three are integers, else the default dtype."""
    check_options(device, layout, pin_memory, dtype, out)
    values = [_number(x) for x in bounds]
    if len(values) == 1 and "end" not in named:
        start, end, step = 0, values[0], 1
    else:
        given = dict(zip(("start", "end", "step"), values, strict=False))
        given.update({k: _number(v) for k, v in named.items() if k in ("start", "end", "step")})
        start, end, step = given.get("start", 0), given["end"], given.get("step", 1)
    if "step" in named:
        step = _number(named["step"])
    d = _range_dtype(dtype, out, start, end, step)
    if d.kind in "iu" and int(step) == 0 and step != 0:
        raise ValueError("step must be nonzero")
    if d == np.int64:  # what lies between integers does not count
        start, end, step = int(start), int(end), int(step)
    length = _steps(start, end, step)
    return _finish(_progression(start, step, length, d), out, requires_grad)


def _steps(start: Any, end: Any, step: Any) -> int:
    if step == 0:
        raise RuntimeError("step must be nonzero")
    for x in (start, end):
        if not math.isfinite(x):
            raise RuntimeError(f"unsupported range: {start} -> {end}")
    if (step > 0) != (end >= start) and end != start:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    if all(isinstance(x, int) for x in (start, end, step)):
        return -((start - end) // step)
    return math.ceil((end - start) / step)


def _range_dtype(dtype: Any, out: Any, *values: Any) -> np.dtype[Any]:
    if dtype is not None:
        return np_dtype(dtype)
    if out is not None:
        return out._array.dtype
    return np.dtype(np.int64) if all(isinstance(x, int) for x in values) else np_dtype(None)


def _progression(start: Any, step: Any, length: int, d: np.dtype[Any]) -> Any:
    if d.kind in "iub":
        return (np.arange(length, dtype=np.int64) * int(step) + int(start)).astype(d)
    if d.kind == "f" and isinstance(start, int) and isinstance(step, int):
        return np.arange(start, start + step * length, step, dtype=np.int64).astype(d)
    return (np.arange(length, dtype=np.float64) * step + start).astype(d)


def _finish(array: Any, out: Any, requires_grad: bool) -> Tensor:
    return store_in(out, array) if out is not None else leaf(array, requires_grad)


def range(
    start: Any, end: Any = None, step: Any = 1, *, out: Any = None, dtype: Any = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Like `arange`, but up to and including `end`, and never of integers by default. Deprecated."""
    warnings.warn(
        "torch.range is deprecated and will be removed in a future release because its behavior is inconsistent with "
        "Python's range builtin. Instead, use torch.arange, which produces values in [start, end).",
        UserWarning,
        stacklevel=2,
    )
    check_options(device, layout, None, dtype, out)
    if end is None:
        start, end = 0, start
    _steps(start, end, step)
    return _finish(_progression(start, step, math.floor((end - start) / step) + 1, np_dtype(dtype)), out, requires_grad)


@by_example
def linspace(
    start: Any, end: Any, steps: int, *, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """`steps` numbers from `start` to `end`, both included, at equal distances."""
    check_options(device, layout, pin_memory, dtype, out)
    return _finish(_spaced("linspace", start, end, steps, _spaced_dtype(dtype, out, start, end)), out, requires_grad)


def _spaced_dtype(dtype: Any, out: Any, start: Any, end: Any) -> np.dtype[Any]:
    if dtype is not None:
        return np_dtype(dtype)
    if out is not None:
        return out._array.dtype
    complex_ = any(isinstance(x, complex) or (isinstance(x, Tensor) and x.is_complex()) for x in (start, end))
    default = dtypes.get_default_dtype()
    return (default.to_complex() if complex_ else default).np


def _spaced(name: str, start: Any, end: Any, steps: int, d: np.dtype[Any]) -> Any:
    if not isinstance(steps, (int, np.integer)):
        words = ", ".join(type(x).__name__ for x in (start, end, steps))
        raise TypeError(
            f"{name}() received an invalid combination of arguments - got ({words}), but expected one of "
            "(Number start, Number end, int steps, ...)"
        )
    for _position, (word, x) in enumerate((("start", start), ("end", end))):
        if isinstance(x, Tensor) and x._array.ndim:
            raise RuntimeError(
                f"{name} only supports 0-dimensional start and end tensors, but got {word} with {x._array.ndim} dimension(s)."
            )
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    start, end = _number(start), _number(end)
    if d.kind in "iub":
        start, end = int(start), int(end)
    if steps == 1:
        return np.array([start]).astype(d)
    # From both ends towards the middle, so that both ends are met exactly.
    index = np.arange(steps, dtype=np.float64)
    step = (end - start) / (steps - 1) if steps > 1 else 0
    forth, back = start + step * index, end - step * (steps - 1 - index)
    return np.where(index < steps // 2, forth, back).astype(d)


@by_example
def logspace(
    start: Any, end: Any, steps: int, base: Any = 10.0, *, out: Any = None, dtype: Any = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """`steps` powers of `base`, the exponents at equal distances from `start` to `end`."""
    check_options(device, layout, pin_memory, dtype, out)
    d = _spaced_dtype(dtype, out, start, end)
    if d.kind in "iu":
        start, end = int(_number(start)), int(_number(end))
    wide = np.dtype(np.complex128 if d.kind == "c" else np.float64)
    exponents = _spaced("logspace", start, end, steps, wide)
    return _finish(np.power(wide.type(base), exponents).astype(d), out, requires_grad)
