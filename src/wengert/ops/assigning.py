"""Changing tensors in place: `x[...] = v`, `copy_`, `fill_`, and the in-place forms whose signature is their own.

What follows for views and the graph is `core.views`'s (Note [Views and in-place]); the two operations it needs, reading
and writing a view's place in its base, are stated here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes
from ..core.inplace import inplace
from ..core.layout import channels_last, channels_last_3d, contiguous_format, lies_in, made
from ..core.modes import LOCAL, MODES, only_grad
from ..core.op import TABLE, Array, general, linear
from ..core.storage import UntypedStorage
from ..core.tensor import PLAIN_TYPES, Tensor, no_sink, wrap
from ..core.variant import NUMBER_TYPES
from ..core.views import bump, check_inplace, check_overlap, check_partial_overlap, forget_view
from ..kernels.memory import address, owner, strided
from ..kernels.rounding import is_half
from ..kernels.scatter import add_at
from .choosing import fill
from .conversion import clone, copy
from .indexing import _put, put_at_index, read, view_of

__all__ = ["resize_as_", "zero_"]  # the others are methods of Tensor only


# -- a view's place in its base ---------------------------------------------------------------------------------


@linear(
    "as_strided_at",
    input=lambda g, input_shape, places: add_at_places(g, input_shape, places),
    method=False,
    node="AsStridedBackward0",
)
def as_strided_at(input: Array, places: Any) -> Any:
    """The elements at row-major `places`."""
    return np.ascontiguousarray(input).reshape(-1)[places]


@linear("add_at_places", input=lambda g, places: as_strided_at(g, places), method=False)
def add_at_places(input: Array, shape: Any, places: Any) -> Any:
    """Zeros of `shape` with `input` added at row-major `places`."""
    result = np.zeros(shape, input.dtype)
    add_at(result.reshape(-1), places, np.asarray(input))
    return result


@general(
    "put_at",
    input=lambda g, places: clear_at(g, places),
    source=lambda g, places: as_strided_at(g, places),
    jvp=lambda t_input, t_source, places: put_at(t_input, t_source, places),
    method=False,
)
def put_at(input: Array, source: Array, places: Any) -> Any:
    """A copy of `input` with `source` at row-major `places`."""
    result = np.array(input, order="C")
    result.reshape(-1)[places] = source
    return result


@linear("clear_at", input=lambda g, places: clear_at(g, places), method=False)
def clear_at(input: Array, places: Any) -> Any:
    """A copy of `input` with zeros at row-major `places`."""
    result = np.array(input, order="C")
    result.reshape(-1)[places] = 0
    return result


# -- copy_ and zero_ ---------------------------------------------------------------------------------------------


def copy_(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Take the values of `src`, broadcast and converted to this tensor's dtype. Returns the tensor itself."""
    if not isinstance(src, Tensor):
        raise TypeError(f"copy_(): argument 'other' (position 1) must be Tensor, not {_type_name(src)}")
    if src is self:
        return self
    if MODES.active or self._rg or src._rg or self._extra is not None or self.__class__ is not Tensor:
        return inplace(copy.op, (self, src))
    array = self._array
    check_overlap(array)
    if src._vc is not None and src._vc is self._vc:
        check_partial_overlap(array, src._array)
    array[...] = copy(array, src._array)
    bump(self)
    return self


def zero_(input: Tensor) -> Tensor:
    """Make every element 0. Returns the tensor itself."""
    return inplace(TABLE["zero"], (input,))


@linear("zero", input=lambda g: fill(g, 0), method=False)
def zero(input: Array) -> Any:
    """Zeros like `input`."""
    return np.zeros(input.shape, input.dtype)


# -- x[...] = v --------------------------------------------------------------------------------------------------


def assign(self: Tensor, index: Any, value: Any) -> None:
    """`self[index] = value`."""
    number = value.__class__ in NUMBER_TYPES
    if not number and not isinstance(value, Tensor):
        if isinstance(value, np.generic):
            value = value.item()
        if not isinstance(value, (int, float, complex)) and not hasattr(value, "__wengert_op__"):
            shown = "NoneType" if value is None else _type_name(value)
            raise TypeError(f"can't assign a {shown} to a torch.{self.dtype.tensor_type}Tensor")
        number = isinstance(value, (int, float, complex))
    found = read(self._array.shape, index)
    if (
        (not MODES.active or (only_grad() and not LOCAL.transforms))
        and type(self) in PLAIN_TYPES
        and (number or type(value) in PLAIN_TYPES)
        and not (LOCAL.grad and (self._rg or (not number and value._rg)))
    ):
        check_inplace(self, False)
        _assign_array(self, found, value if number else value._array)
        return
    view = view_of(self, found)
    if view is not self and not MODES.active:
        forget_view(view)
    if not found.arrays:
        if view is self and number:
            self.fill_(value)
        elif number:
            view.fill_(value)
        else:
            value = _without_leading_ones(value, len(view.shape))
            _check_expands(view._array.shape, value._array.shape)
            copy_(view, value)
        return
    if number:
        value = wrap(np.asarray(_number_for(self._array, value), self._array.dtype))
    _same_dtype(self._array, value._array)
    inplace(TABLE["index_put"], (view, value, tuple(found.arrays), tuple(found.dims), False))


def _without_leading_ones(value: Any, ndim: int) -> Any:
    """PyTorch lets the value have more dimensions than the place, if those in front have size 1."""
    shape = value._array.shape
    extra = len(shape) - ndim
    if extra > 0 and all(n == 1 for n in shape[:extra]):
        return value.reshape(shape[extra:])
    return value


def _same_dtype(array: Any, given: Any) -> None:
    if given.dtype != array.dtype:
        raise RuntimeError(
            "Index put requires the source and destination dtypes match, got "
            f"{dtypes.of(array.dtype).tensor_type} for the destination and {dtypes.of(given.dtype).tensor_type} for the "
            "source."
        )


def _check_expands(shape: Any, given: Any) -> None:
    """PyTorch's error where a value does not broadcast to the place it is assigned to."""
    for d in range(1, min(len(given), len(shape)) + 1):
        if given[-d] not in (1, shape[-d]):
            raise RuntimeError(
                f"The expanded size of the tensor ({shape[-d]}) must match the existing size ({given[-d]}) at non-singleton "
                f"dimension {len(shape) - d}.  Target sizes: {list(shape)}.  Tensor sizes: {list(given)}"
            )


def _type_name(value: Any) -> str:
    cls = type(value)
    return cls.__name__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__name__}"


def _assign_array(target: Tensor, found: Any, value: Any) -> None:
    """The fast way: nothing is recorded."""
    array = target._array
    part = array[(*found.basic, ...)] if found.last or found.arrays else array
    if value.__class__ is np.ndarray:
        check_overlap(part)
    if found.arrays:
        if value.__class__ is np.ndarray:
            _same_dtype(array, value)
        else:
            value = _number_for(array, value)
        indices = [getattr(a, "_array", a) for a in found.arrays]
        put_at_index(part, value, indices, found.dims, False)
    elif value.__class__ is np.ndarray:
        extra = value.ndim - part.ndim
        if extra > 0 and all(n == 1 for n in value.shape[:extra]):
            value = value.reshape(value.shape[extra:])
        _check_expands(part.shape, value.shape)
        part[...] = copy(part, value)
    else:
        part[...] = _number_for(array, value)
    bump(target)


def _number_for(array: Any, value: Any) -> Any:
    """A number as it is written into the array; PyTorch lets it overflow in the half-precision dtypes."""
    if value.__class__ is float and array.dtype.char in "fd" and -1e38 < value < 1e38:
        return value
    if not is_half(array.dtype):
        return dtypes.fitted(value, array.dtype)
    with np.errstate(over="ignore"):
        return dtypes.fitted(value, np.dtype(np.float64)).astype(array.dtype)


# -- in-place forms with a signature of their own ----------------------------------------------------------------


def index_put_(self: Tensor, indices: Any, values: Any, accumulate: bool = False) -> Tensor:
    """Write (or add) `values` where a tuple of index tensors points. Returns the tensor itself."""

    def run(input: Any, values: Any, arrays: Any, dims: Any, accumulate: bool) -> Any:
        return inplace(TABLE["index_put"], (input, values, arrays, dims, accumulate))

    return _put(self, indices, values, accumulate, run)


def index_fill_(self: Tensor, dim: int, index: Any, value: Any) -> Tensor:
    """Fill the slices that a vector names. Returns the tensor itself."""
    name = "index_fill_tensor" if hasattr(value, "dtype") else "index_fill"
    return inplace(TABLE[name], (self, dim, index, value))


def scatter_(
    self: Tensor, dim: int, index: Any, src: Any = None, *, value: Any = None, reduce: str | None = None
) -> Tensor:
    """Write `src` (a tensor or a number) where `index` points along `dim`. Returns the tensor itself."""
    src = value if src is None else src
    if reduce is not None:
        if reduce not in ("add", "multiply"):
            raise RuntimeError("reduce argument must be either add or multiply.")
        return inplace(TABLE["scatter_reduced"], (self, dim, index, src, reduce))
    name = "scatter_value" if isinstance(src, (int, float, complex)) else "scatter_src"
    return inplace(TABLE[name], (self, dim, index, src))


def index_add_(self: Tensor, dim: int, index: Any, source: Any, *, alpha: Any = 1) -> Tensor:
    """Add `alpha` times the slices of `source`. Returns the tensor itself."""
    return inplace(TABLE["index_add"], (self, dim, index, source, alpha))


# -- another shape in place ----------------------------------------------------------------------------------------


def contiguous(self: Tensor, memory_format: Any = None) -> Tensor:
    """The tensor itself if its elements lie in row-major order (or `memory_format`) without gaps, else a copy that does."""
    if self.is_contiguous(memory_format):
        return self
    return clone(self, memory_format=contiguous_format if memory_format is None else memory_format)


def reshaped_inplace(name: str) -> Any:
    """`x.transpose_(0, 1)` and the like: the tensor becomes that view of itself."""
    row = TABLE[name]

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return _become(self, row.function, args, kwargs)

    method.__name__ = method.__qualname__ = name + "_"
    return method


def _become(self: Tensor, view: Any, args: Any, kwargs: Any) -> Tensor:
    check_inplace(self, self._rg)
    result = view(self, *args, **kwargs)
    bump(self)
    self._array = result._array
    if result._edge is not None:
        self._rg, self._edge = True, result._edge
    return self


def as_strided_(self: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """Become the view of one's own memory with these sizes and strides."""
    from .strided import as_strided

    return _become(self, as_strided, (size, stride, storage_offset), {})


def squeeze_(self: Tensor, dim: Any = None) -> Tensor:
    """Drop dimensions of size 1 in place."""
    from .shape import squeeze

    return _become(self, squeeze, (dim,), {})


def resize_(self: Tensor, *sizes: Any, size: Any = None, memory_format: Any = None) -> Tensor:
    """Another shape in place: elements stay in memory order, new ones are not set."""
    from .shared import shape_argument

    if self._rg and not LOCAL.inference:
        raise RuntimeError("cannot resize variables that require grad")
    shape = shape_argument(sizes if size is None else (size,))
    for n in shape:
        if n < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {n}: {list(shape)}")
    array = self._array
    if memory_format is not None and memory_format.name == "preserve_format":
        raise RuntimeError(f"Unsupported memory format {memory_format}")
    if array.shape == shape and (memory_format is None or lies_in(array, memory_format)):
        return self
    size = array.itemsize
    for n in shape:
        size *= n
    if size >= 2**63:
        raise RuntimeError(f"Storage size calculation overflowed with sizes={list(shape)}")
    size //= array.itemsize
    memory = owner(array)
    start = (address(array) - address(memory)) // array.itemsize
    if (size and start + size > memory.size) or not memory.flags.c_contiguous:
        fresh = np.empty(start + size, array.dtype)
        kept = memory.reshape(-1)[: fresh.size]
        fresh[: kept.size] = kept
        memory = fresh
    self._array = made(memory.reshape(-1)[start : start + size].reshape, shape, memory_format)
    bump(self)
    return self


def resize_as_(input: Tensor, the_template: Tensor, *, memory_format: Any = None) -> Tensor:
    """`resize_` to the shape of `the_template`; with preserve_format, to the order of its dimensions too."""
    if memory_format is not None and memory_format.name == "preserve_format":
        order = the_template._array
        memory_format = next((f for f in (channels_last, channels_last_3d) if lies_in(order, f)), contiguous_format)
    return resize_(input, tuple(the_template.shape), memory_format=memory_format)


def _of_source(self: Tensor, source: Any, offset: int, size: Any, stride: Any) -> Any:
    """The array that `set_` puts in the place of this tensor's."""
    if source is None:
        return np.empty((0,), self._array.dtype)
    if isinstance(source, Tensor):
        if source.dtype is not self.dtype:
            raise RuntimeError(
                f"Could not set tensor of type {source.dtype.tensor_type.lower()} to a tensor of type "
                f"{self.dtype.tensor_type.lower()}"
            )
        if size is None:
            return source._array
        memory = owner(source._array).reshape(-1, order="A")
    elif isinstance(source, UntypedStorage):
        memory = source._owner.reshape(-1, order="A").view(self._array.dtype)
    else:
        raise TypeError(
            f"set_(): argument 'source' (position 1) must be Tensor or Storage, not {type(source).__name__}"
        )
    shape = memory.shape if size is None else tuple(size)
    if stride is None:
        stride = [int(np.prod(shape[d + 1 :], dtype=np.int64)) for d in range(len(shape))]
    last = offset + sum(s * (n - 1) for s, n in zip(stride, shape, strict=True))
    if 0 not in shape and last >= memory.size:
        k = memory.itemsize
        raise RuntimeError(
            f"setStorage: sizes {list(shape)}, strides {list(stride)}, storage offset {offset}, and itemsize {k} requiring "
            f"a storage size of {(last + 1) * k} are out of bounds for storage of size {memory.nbytes}"
        )
    return strided(memory[offset:], shape, [s * memory.itemsize for s in stride])


def set_(self: Tensor, source: Any = None, storage_offset: int = 0, size: Any = None, stride: Any = None) -> Tensor:
    """Take over the memory of `source`, a tensor or a storage; with a size, the part of it that begins at an offset."""
    if LOCAL.grad and self._rg and self._edge is None:
        raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
    self._array = _of_source(self, source, storage_offset, size, stride)
    if self._edge is None:
        self._acc = no_sink  # the graph so far belongs to the memory of before
    bump(self)
    return self
