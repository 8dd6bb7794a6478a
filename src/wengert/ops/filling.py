"""Tensors of a given shape, filled: zeros, ones, one value, the identity; like another tensor; with given strides.

Lives here too: what a new tensor takes over from another (dtype, memory order), and the methods `new_*`. Tensors made from
data are in `creation`, ranges in `ranges`, random ones in `random`."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.batched import made_like
from ..core.layout import made
from ..core.tensor import Tensor, wrap
from ..kernels.memory import strided as strided_memory
from .creation import array_of, check_options, leaf, np_dtype

__all__ = [
    "empty", "empty_like", "empty_permuted", "empty_strided", "eye", "full", "full_like", "ones", "ones_like", "zeros",
    "zeros_like",
]  # fmt: skip


def size_of(name: str, size: tuple[Any, ...]) -> tuple[int, ...]:
    """The shape that `f(2, 3)`, `f((2, 3))` or `f(Size)` asks for."""
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = tuple(size[0])
    shape = []
    for i, n in enumerate(size):
        try:
            shape.append(n.__index__())
        except (AttributeError, TypeError):
            raise TypeError(
                f"{name}(): argument 'size' (position 1) must be tuple of ints, but found element of type "
                f"{type(n).__name__} at pos {i}"
            ) from None
    if shape and min(shape) < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension {min(shape)}: {shape}")
    return tuple(shape)


def _filler(name: str, make: Any, doc: str) -> tuple[Any, Any]:
    def filled(
        *size: Any,
        out: Any = None,
        dtype: Any = None,
        layout: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        pin_memory: bool = False,
        memory_format: Any = None,
        **named: Any,
    ) -> Any:
        if "size" in named:
            size = (named.pop("size"),)
        named.pop("names", None)
        if named:
            raise TypeError(f"{name}() got an unexpected keyword argument '{next(iter(named))}'")
        check_options(device, layout, pin_memory, dtype, out)
        if out is not None:
            array = make(size_of(name, size), out._array.dtype if dtype is None else np_dtype(dtype))
            return store_in(out, array)
        d = np_dtype(dtype)
        return leaf(made(lambda shape: make(shape, d), size_of(name, size), memory_format), requires_grad)

    def filled_like(
        input: Any,
        *,
        dtype: Any = None,
        layout: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        pin_memory: bool = False,
        memory_format: Any = None,
    ) -> Any:
        check_options(device, layout, pin_memory)
        array = array_in(input, name + "_like")
        result = like(array, lambda shape, d: make(shape, d), np_dtype(dtype, array.dtype), memory_format)
        return leaf(result, requires_grad) if isinstance(input, Tensor) else result

    filled.__name__ = filled.__qualname__ = name
    filled_like.__name__ = filled_like.__qualname__ = name + "_like"
    filled.__doc__ = doc + "."
    filled_like.__doc__ = doc + " in the shape and dtype of `input`."
    return filled, filled_like


def array_in(input: Any, name: str) -> Any:
    """The array of an argument `input`."""
    if isinstance(input, Tensor):
        return input._array
    if isinstance(input, (np.ndarray, np.generic)) or hasattr(input, "batch_size"):
        return input
    raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")


def like(array: Any, make: Any, d: np.dtype[Any], memory_format: Any = None) -> Any:
    """`make(shape, dtype)` in the shape of `array`, its dimensions in the same order in memory."""
    if hasattr(array, "batch_size"):
        return type(array)(like(array.value, make, d), array.level)
    shape = array.shape
    preserve = memory_format is None or memory_format.name == "preserve_format"
    if preserve and isinstance(array, np.ndarray) and not array.flags.c_contiguous and array.size:
        order = sorted(builtins.range(array.ndim), key=lambda i: (-abs(array.strides[i]), i))
        if 0 not in array.strides:
            result = make(tuple(shape[i] for i in order), d)
            return result.transpose(np.argsort(order))
    return made(lambda s: make(s, d), shape, memory_format)


def store_in(out: Tensor, array: Any) -> Tensor:
    """Store a new array in a tensor given as `out=`."""
    from ..core.out import store

    store((out,), [wrap(array)])
    return out


zeros, zeros_like = _filler("zeros", np.zeros, "Zeros")


ones, ones_like = _filler("ones", np.ones, "Ones")


empty, empty_like = _filler("empty", np.empty, "Uninitialised memory")


def _fill_dtype(value: Any, dtype: Any) -> np.dtype[Any]:
    return np_dtype(dtype) if dtype is not None else dtypes.of_scalar(value).np


def full(
    size: Any,
    fill_value: Any,
    *,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Every element `fill_value`, whose type decides the dtype unless one is given."""
    check_options(device, layout, pin_memory, dtype, out)
    if isinstance(fill_value, Tensor):
        dtype = fill_value.dtype if dtype is None else dtype
        fill_value = fill_value.item()
    shape = size_of("full", (size,))
    if out is not None:
        return store_in(out, np.full(shape, fill_value, out._array.dtype))
    return leaf(_full(shape, fill_value, _fill_dtype(fill_value, dtype)), requires_grad)


def _full(shape: tuple[int, ...], value: Any, d: np.dtype[Any]) -> Any:
    return np.full(shape, np.asarray(value).astype(d), d)


def full_like(
    input: Any,
    fill_value: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: Any = None,
) -> Any:
    """Every element `fill_value`, in the shape and dtype of `input`."""
    check_options(device, layout, pin_memory)
    array = array_in(input, "full_like")
    if isinstance(fill_value, Tensor):
        fill_value = fill_value.item()
    result = like(array, lambda s, d: _full(s, fill_value, d), np_dtype(dtype, array.dtype), memory_format)
    return leaf(result, requires_grad) if isinstance(input, Tensor) else result


def empty_strided(
    size: Any, stride: Any, *, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Uninitialised memory with the strides given (in elements)."""
    check_options(device, layout, pin_memory)
    return leaf(_with_strides(size, stride, np_dtype(dtype)), requires_grad)


def _with_strides(size: Any, stride: Any, d: np.dtype[Any], batch: tuple[int, ...] = ()) -> Any:
    """Uninitialised memory with strides; one such piece of it after the other for a `batch`."""
    if len(size) != len(stride):
        raise RuntimeError(f"mismatch in length of strides and shape. Got {len(size)} and {len(stride)}")
    length = 1 + sum((n - 1) * s for n, s in zip(size, stride, strict=True)) if 0 not in size else 0
    memory = np.empty((*batch, length), d)
    steps = [length * math.prod(batch[i + 1 :]) for i in builtins.range(len(batch))]
    return strided_memory(memory, (*batch, *size), [s * d.itemsize for s in (*steps, *stride)])


def empty_permuted(
    size: Any, physical_layout: Any, *, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Uninitialised memory whose dimensions lie in memory in the order of `physical_layout`."""
    check_options(device, layout, pin_memory)
    if len(size) != len(physical_layout):
        raise RuntimeError(
            f"Number of dimensions in size does not match the length of the physical_layout; i.e. len(size) = {len(size)} "
            f"is not equal to len(physical_layout) = {len(physical_layout)}"
        )
    seen: set[int] = set()
    for i in physical_layout:
        if not 0 <= i < len(size):
            raise RuntimeError(
                f"Dimension out of range (expected to be between 0 and {len(size) - 1}, but got {i} at index "
                f"{list(physical_layout).index(i)}).  NB: negative dims not currently supported; file an issue if you want it."
            )
        if i in seen:
            raise RuntimeError("Duplicate dim not allowed")
        seen.add(i)
    memory = np.empty([size[i] for i in physical_layout], np_dtype(dtype))
    return leaf(memory.transpose(np.argsort(physical_layout)), requires_grad)


def eye(
    n: int, m: int | None = None, *, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Ones on the diagonal of an `n` by `m` matrix, zeros elsewhere."""
    check_options(device, layout, pin_memory, dtype, out)
    if n < 0:
        raise RuntimeError(f"n must be greater or equal to 0, got {n}")
    if m is not None and m < 0:
        raise RuntimeError(f"m must be greater or equal to 0, got {m}")
    if out is not None:
        return store_in(out, np.eye(n, m, dtype=out._array.dtype))
    return leaf(np.eye(n, m, dtype=np_dtype(dtype)), requires_grad)


# -- methods: new tensors of this one's dtype ------------------------------------------------------------------


def new_tensor(
    self: Tensor, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, **options: Any
) -> Tensor:
    """A copy of `data` in this tensor's dtype."""
    check_options(device, **options)
    return leaf(array_of(data, self.dtype if dtype is None else dtype, copy=True), requires_grad)


def _new_filler(name: str, make: Any, doc: str) -> Any:
    def new(
        self: Tensor, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, layout: Any = None,
        pin_memory: bool = False, **named: Any,
    ) -> Tensor:  # fmt: skip
        check_options(device, layout, pin_memory)
        if "size" in named:
            size = (named["size"],)
        d = np_dtype(dtype, self._array.dtype)
        return leaf(made_like(lambda shape: make(shape, d), size_of(name, size), self._array), requires_grad)

    new.__name__ = new.__qualname__ = name
    new.__doc__ = doc + " of this tensor's dtype."
    return new


new_zeros = _new_filler("new_zeros", np.zeros, "Zeros")


new_ones = _new_filler("new_ones", np.ones, "Ones")


new_empty = _new_filler("new_empty", np.empty, "Uninitialised memory")


def new_full(
    self: Tensor, size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False,
    layout: Any = None, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Every element `fill_value`, of this tensor's dtype."""
    check_options(device, layout, pin_memory)
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    d = np_dtype(dtype, self._array.dtype)
    return leaf(made_like(lambda s: _full(s, value, d), size_of("new_full", (size,)), self._array), requires_grad)


def new_empty_strided(
    self: Tensor, size: Any, stride: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False,
    layout: Any = None, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Uninitialised memory with the strides given, of this tensor's dtype."""
    check_options(device, layout, pin_memory)
    d, n = np_dtype(dtype, self._array.dtype), len(size)
    array = made_like(lambda s: _with_strides(size, stride, d, s[: len(s) - n]), tuple(size), self._array)
    return leaf(array, requires_grad)


METHODS = {f.__name__: f for f in (new_tensor, new_zeros, new_ones, new_empty, new_full, new_empty_strided)}
