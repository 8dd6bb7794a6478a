"""The names that checkpoints may use, and what each stands for here: dtypes, kinds of storage, and harmless functions.

`add_safe_globals` lets users add classes and functions of their own. Nothing else is ever called while loading.
"""

from __future__ import annotations

import codecs
import collections
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.device import device
from ..core.size import Size

# PyTorch's class of storage for each dtype. The others are stored without a type.
STORAGES = {
    "BoolStorage": dtypes.bool_,
    "ByteStorage": dtypes.uint8,
    "CharStorage": dtypes.int8,
    "ShortStorage": dtypes.int16,
    "IntStorage": dtypes.int32,
    "LongStorage": dtypes.int64,
    "HalfStorage": dtypes.float16,
    "FloatStorage": dtypes.float32,
    "DoubleStorage": dtypes.float64,
    "ComplexFloatStorage": dtypes.complex64,
    "ComplexDoubleStorage": dtypes.complex128,
}
STORAGE_OF = {d: name for name, d in STORAGES.items()}


class StorageKind:
    """`torch.FloatStorage` and the like, as a pickle names them. `dtype` is None for bytes without a type."""

    def __init__(self, name: str, dtype: Any) -> None:
        self.name = name
        self.dtype = dtype


BFLOAT16 = StorageKind("BFloat16Storage", "bfloat16")


def _encode(text: str, encoding: str) -> bytes:
    """What pickles of old protocols call to make bytes of a string."""
    if encoding not in ("latin1", "latin-1"):
        raise ValueError(f"_codecs.encode with {encoding!r}")
    return codecs.encode(text, "latin-1")


def _no_bytes() -> bytes:
    """How pickles of old protocols make `b""`."""
    return b""


def _scalar(dtype: Any, data: bytes = b"") -> Any:
    """A NumPy scalar."""
    if not isinstance(dtype, np.dtype) or dtype.hasobject:
        raise ValueError("a NumPy scalar of objects")
    return np.frombuffer(data, dtype, 1)[0]


def _np_dtype(name: str, align: bool = False, copy: bool = False) -> np.dtype[Any]:
    found = np.dtype(name)
    if found.hasobject:
        raise ValueError("a NumPy dtype of objects")
    return found


def _known() -> dict[str, Any]:
    from . import objects, reading

    known: dict[str, Any] = {
        "collections.OrderedDict": collections.OrderedDict,
        "collections.Counter": collections.Counter,
        "builtins.set": set,
        "builtins.frozenset": frozenset,
        "builtins.complex": complex,
        "__builtin__.set": set,
        "__builtin__.frozenset": frozenset,
        "__builtin__.complex": complex,
        "__builtin__.bytes": _no_bytes,
        "_codecs.encode": _encode,
        "torch.Size": Size,
        "torch.device": device,
        "torch._utils._rebuild_tensor": reading.rebuild_tensor,
        "torch._utils._rebuild_tensor_v2": reading.rebuild_tensor,
        "torch._utils._rebuild_tensor_v3": reading.rebuild_tensor_v3,
        "torch._utils._rebuild_parameter": reading.rebuild_parameter,
        "torch._utils._rebuild_parameter_with_state": reading.rebuild_parameter,
        "torch.storage.UntypedStorage": StorageKind("UntypedStorage", None),
        "torch.UntypedStorage": StorageKind("UntypedStorage", None),
        "torch.BFloat16Storage": BFLOAT16,
        "numpy.dtype": _np_dtype,
        "numpy.ndarray": objects.NoArray,
    }
    for place in ("numpy.core.multiarray", "numpy._core.multiarray"):
        known[f"{place}.scalar"] = _scalar
        known[f"{place}._reconstruct"] = objects.empty_array
    known |= {f"torch.{name}": StorageKind(name, d) for name, d in STORAGES.items()}
    known |= {f"torch.{d.name}": d for d in dtypes.ALL}
    return known


_KNOWN: dict[str, Any] | None = None
_ADDED: dict[str, Any] = {}


def lookup(module: str, name: str) -> Any:
    """What a pickle may mean by `module.name`; KeyError if it is not on the list."""
    global _KNOWN
    if _KNOWN is None:
        _KNOWN = _known()
    full = f"{module}.{name}"
    return _ADDED[full] if full in _ADDED else _KNOWN[full]


def is_added(cls: Any) -> bool:
    """Did the user put this class on the list?"""
    return any(cls is x for x in _ADDED.values())


def _full_name(x: Any) -> str:
    if not hasattr(x, "__module__") or not hasattr(x, "__qualname__"):
        raise TypeError(f"Expected a class or a function, but got {type(x).__name__}")
    return f"{x.__module__}.{x.__qualname__}"


def add_safe_globals(safe_globals: Iterable[Any]) -> None:
    """Let `load` use these classes and functions, or pairs (one, its full name in the file)."""
    for item in safe_globals:
        x, name = item if isinstance(item, tuple) else (item, None)
        _ADDED[name or _full_name(x)] = x


def get_safe_globals() -> list[Any]:
    """What `add_safe_globals` added."""
    return list(_ADDED.values())


def clear_safe_globals() -> None:
    """Forget what `add_safe_globals` added."""
    _ADDED.clear()


class safe_globals:
    """`add_safe_globals`, inside a `with` block."""

    def __init__(self, safe_globals: Iterable[Any]) -> None:
        self.items = list(safe_globals)

    def __enter__(self) -> None:
        self.before = dict(_ADDED)
        add_safe_globals(self.items)

    def __exit__(self, *exc: Any) -> None:
        _ADDED.clear()
        _ADDED.update(self.before)
