"""Making tensors: from data, filled, ranges. Random ones are in `random`, copies and casts in `conversion`."""

from __future__ import annotations

import builtins
import math
import warnings
from functools import reduce
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.batched import made_like
from ..core.by_example import by_example
from ..core.device import as_device
from ..core.layout import layout as layout_type
from ..core.layout import made, strided
from ..core.modes import LOCAL, MODES
from ..core.tensor import Tensor, mark_inference, tell, wrap
from ..kernels.memory import strided as strided_memory
from .conversion import clone as clone  # where the engine looks for it
from .conversion import convert
from .conversion import to_dtype as to_dtype

__all__ = [
    "arange", "as_tensor", "asarray", "empty", "empty_like", "empty_permuted", "empty_strided", "eye", "from_numpy",
    "frombuffer", "full", "full_like", "linspace", "logspace", "ones", "ones_like", "range", "scalar_tensor", "tensor",
    "zeros", "zeros_like",
]  # fmt: skip


def leaf(array: Any, requires_grad: bool = False) -> Tensor:
    """A new leaf around `array`."""
    t = wrap(array)
    if LOCAL.inference:
        mark_inference(t)
    if requires_grad:
        if array.dtype.kind not in "fcV":
            raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
        t._rg = True
    return t


def check_options(
    device: Any = None, layout: Any = None, pin_memory: Any = None, dtype: Any = None, out: Any = None
) -> None:
    """Arguments that PyTorch has and that change nothing here; errors for what does not exist here, or contradicts."""
    if device is not None:
        as_device(device)
    if layout is not None and not isinstance(layout, layout_type):
        raise TypeError(f"layout must be torch.layout, not {type(layout).__name__}")
    if layout is not None and layout is not strided:
        raise NotImplementedError(
            f"layout={layout!r}: only dense tensors exist here; leave it out or use torch.strided"
        )
    if pin_memory:
        raise RuntimeError("Cannot access accelerator device when none is available.")
    if dtype is not None and out is not None and dtypes.as_dtype(dtype) is not out.dtype:
        asked = dtypes.as_dtype(dtype).tensor_type
        raise RuntimeError(f"dtype {asked} does not match dtype of out parameter ({out.dtype.tensor_type})")


def np_dtype(dtype: Any, default: Any = None) -> np.dtype[Any]:
    """NumPy's dtype for a `dtype=` argument; for None the default one."""
    if dtype is not None:
        return dtypes.as_dtype(dtype).np
    return default if default is not None else dtypes.get_default_dtype().np


# -- from data -------------------------------------------------------------------------------------------------


def tensor(
    data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False
) -> Tensor:
    """A leaf that holds a copy of `data` (numbers, nested sequences, an ndarray or a Tensor)."""
    check_options(device, None, pin_memory)
    if isinstance(data, Tensor):
        warnings.warn(
            "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
            "sourceTensor.detach().clone().requires_grad_(True), rather than torch.tensor(sourceTensor).",
            UserWarning,
            stacklevel=2,
        )
    new = leaf(array_of(data, dtype, copy=True), requires_grad)
    if MODES.active:
        copied("tensor", data, new)
    return new


def copied(how: str, data: Any, new: Tensor) -> None:
    """Let observers know of the tensors whose numbers a new leaf holds."""
    if isinstance(data, Tensor):
        tell(how, data, new)
    elif isinstance(data, (list, tuple)):
        for x in data:
            copied(how, x, new)


def array_of(data: Any, dtype: Any = None, copy: bool = False) -> Any:
    """The array of `data`, its dtype found by PyTorch's rules; a copy if need be or if asked for."""
    if isinstance(data, Tensor):
        array = data._array
        want = array.dtype if dtype is None else np_dtype(dtype)
        return array.copy() if copy and want == array.dtype else _astype(array, want)
    if isinstance(data, (np.ndarray, np.generic)):
        array = np.asarray(data)
        want = dtypes.of(array.dtype).np if dtype is None else np_dtype(dtype)
        return np.array(array, copy=True, order="K") if copy and want == array.dtype else _astype(array, want)
    if not isinstance(data, (list, tuple)) and hasattr(data, "__array__"):
        return array_of(np.asarray(data), dtype, copy)
    data = _listed(data)
    array = _from_sequence(data)
    if dtype is None:
        return array
    want = np_dtype(dtype)
    if want.kind in "iu" and array.dtype.kind in "iu" and array.size:
        limits = np.iinfo(want)
        low, high = int(array.min()), int(array.max())
        if high > limits.max or (low < limits.min and want.kind == "i"):
            raise RuntimeError(f"value cannot be converted to type {want.name}_t without overflow")
    return _exact(data, want) if want.kind in "fcV" and array.dtype.kind in "fcV" else _astype(array, want)


def _astype(array: Any, want: np.dtype[Any]) -> Any:
    if array.dtype == want:
        return array
    return to_dtype.op.forward(array, dtypes.of(want))


def _exact(data: Any, want: np.dtype[Any]) -> Any:
    """Python's floats are float64: they must not pass through the default dtype on their way to a wider one."""
    return np.array(_plain(data), dtype=want)


def _from_sequence(data: Any) -> Any:
    plain = _plain(data)
    _check_sequence(plain)
    try:
        array = np.array(plain)
    except OverflowError as error:
        raise RuntimeError("Overflow when unpacking long long") from error
    except ValueError as error:
        raise _ragged(plain) from error
    kind = array.dtype.kind
    if array.size == 0 and kind == "f":
        return array.astype(dtypes.get_default_dtype().np)
    if kind == "f":
        return _promoted(array, data) if _all_arrays(data) else array.astype(dtypes.get_default_dtype().np)
    if kind == "c":
        return _promoted(array, data) if _all_arrays(data) else array.astype(dtypes.get_default_dtype().to_complex().np)
    if kind == "u" and array.dtype.itemsize == 8 and not _all_arrays(data):
        raise RuntimeError("Overflow when unpacking long long")
    if kind in "iub":
        return array
    if kind == "O" and (isinstance(plain, int) or any(isinstance(x, int) for x in _flat(plain))):
        raise RuntimeError("Overflow when unpacking long long")
    if kind in "US":
        first = next(iter(_flat(plain)))
        if isinstance(plain, str):
            raise TypeError(f"new(): invalid data type '{type(plain).__name__}'")
        raise ValueError(f"too many dimensions '{type(first).__name__}'")
    raise RuntimeError(f"Could not infer dtype of {type(data).__name__}")


def _flat(data: Any) -> Any:
    if isinstance(data, list):
        for x in data:
            yield from _flat(x)
    else:
        yield data


def _check_sequence(plain: Any) -> None:
    for x in _flat(plain):
        if x is None or not isinstance(x, (bool, int, float, complex, np.generic, np.ndarray, str)):
            raise RuntimeError(f"Could not infer dtype of {type(x).__name__}")


def _all_arrays(data: Any) -> bool:
    """Made of arrays or Tensors only, whose dtype is then the result's."""
    if isinstance(data, (list, tuple)):
        return len(data) > 0 and all(_all_arrays(x) for x in data)
    return isinstance(data, (np.ndarray, np.generic, Tensor))


def _promoted(array: Any, data: Any) -> Any:
    """In the dtype that PyTorch, and not NumPy, finds for arrays of several: float32 with int64 is float32."""
    found = {dtypes.of(x._array.dtype if isinstance(x, Tensor) else x.dtype) for x in _leaves(data)}
    return array.astype(reduce(dtypes.promote_types, found).np, copy=False)


def _leaves(data: Any) -> Any:
    if isinstance(data, (list, tuple)):
        for x in data:
            yield from _leaves(x)
    else:
        yield data


def _ragged(plain: Any) -> Exception:
    """PyTorch's error for sequences of unequal lengths."""

    def visit(items: list[Any], expected: list[int], depth: int) -> Exception | None:
        for x in items:
            if depth + 1 >= len(expected):
                if isinstance(x, list):
                    return TypeError(f"must be real number, not {type(x).__name__}")
                continue
            if not isinstance(x, list):
                return TypeError(f"only length-1 arrays can be converted to Python scalars ({type(x).__name__})")
            if len(x) != expected[depth + 1]:
                return ValueError(
                    f"expected sequence of length {expected[depth + 1]} at dim {depth + 1} (got {len(x)})"
                )
            found = visit(x, expected, depth + 1)
            if found is not None:
                return found
        return None

    expected = []
    level = plain
    while isinstance(level, list):
        expected.append(len(level))
        level = level[0] if level else None
    return visit(plain, expected, 0) or ValueError("expected sequences of equal lengths")


def _plain(data: Any) -> Any:
    if isinstance(data, Tensor):
        if data._array.size != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        return data._array.reshape(())[()]
    if isinstance(data, (list, tuple)):
        return [_plain(x) for x in data]
    listed = _listed(data)
    return data if listed is data else _plain(listed)


def _listed(data: Any) -> Any:
    """Other sequences than lists and tuples, such as a deque or a range, as a list."""
    if isinstance(data, (list, tuple, str, bytes, dict, int, float, complex, np.generic, np.ndarray, Tensor)):
        return data
    return list(data) if hasattr(data, "__getitem__") and hasattr(data, "__len__") else data


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """`data` as a tensor, sharing its memory if it is an ndarray or Tensor of the right dtype."""
    check_options(device)
    if isinstance(data, Tensor):
        return data if dtype is None else convert(data, dtypes.as_dtype(dtype))
    return leaf(array_of(data, dtype))


def asarray(
    obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None, requires_grad: bool = False
) -> Tensor:
    """`obj` as a tensor; `copy` True or False demands or forbids a copy."""
    check_options(device)
    if isinstance(obj, Tensor) and not copy:
        t = obj if dtype is None else convert(obj, dtypes.as_dtype(dtype))
        if copy is False and t is not obj:
            raise ValueError("can't alias tensor with dtype changed: copy=False was asked for")
        return (
            t.detach().requires_grad_()
            if requires_grad and not t._rg
            else t
            if requires_grad or not t._rg
            else t.detach()
        )
    return leaf(array_of(obj, dtype, copy=bool(copy)), requires_grad)


def from_numpy(ndarray: Any) -> Tensor:
    """A tensor that shares the memory of an ndarray."""
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    dtypes.of(ndarray.dtype)
    return leaf(ndarray)


def frombuffer(buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False) -> Tensor:
    """A one-dimensional tensor that shares the memory of a buffer."""
    return leaf(np.frombuffer(buffer, np_dtype(dtype), count, offset), requires_grad)


def scalar_tensor(
    s: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, **options: Any
) -> Tensor:
    """A 0-dim tensor, of the default dtype unless another is given."""
    check_options(device, **options)
    return leaf(np.asarray(s).astype(np_dtype(dtype)), requires_grad)


# -- filled ----------------------------------------------------------------------------------------------------


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


# -- ranges ----------------------------------------------------------------------------------------------------


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
