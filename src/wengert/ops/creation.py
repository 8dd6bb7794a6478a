"""Making tensors from data, and what every function that makes one asks first (`leaf`, `check_options`, `np_dtype`).

Filled ones are in `filling`, ranges in `ranges`, random ones in `random`, copies and casts in `conversion`.
"""

from __future__ import annotations

import warnings
from functools import reduce
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.device import as_device
from ..core.layout import layout as layout_type
from ..core.layout import strided
from ..core.modes import LOCAL, MODES, tell
from ..core.tensor import Tensor, mark_inference, wrap
from .conversion import convert
from .conversion import to_dtype as to_dtype

__all__ = ["as_tensor", "asarray", "from_numpy", "frombuffer", "scalar_tensor", "tensor"]


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
