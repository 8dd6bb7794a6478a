"""`FloatTensor`, `LongTensor` and their kin: constructors of one dtype, and types to ask `isinstance` of or convert to."""

from __future__ import annotations

from typing import Any

from .core import dtypes
from .core.layout import strided
from .core.tensor import Tensor, legacy_array, wrap


class tensortype(type):
    """The type of such types. `FloatTensor(2, 3)` has that shape, its numbers not set; `FloatTensor([1, 2])` those numbers."""

    dtype: dtypes.dtype
    is_cuda = is_xpu = is_sparse = False
    layout = strided

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if kwargs.pop("device", None) is not None or kwargs:
            raise TypeError(
                f"{cls.__name__}() takes a shape, numbers or a tensor: use torch.tensor for keyword arguments"
            )
        if len(args) == 1 and isinstance(args[0], Tensor) and args[0].dtype is not cls.dtype:
            raise TypeError(
                f"expected a tensor of dtype {cls.dtype}, but got {args[0].dtype}: convert with .to({cls.dtype})"
            )
        return wrap(legacy_array(args, cls.dtype.np))

    def __instancecheck__(cls, obj: Any) -> bool:
        return isinstance(obj, Tensor) and obj.dtype is cls.dtype

    def __repr__(cls) -> str:
        return f"<class '{cls.__module__}.{cls.__name__}'>"


class _absent(type):
    """The type of types whose tensors live on a GPU: none is an instance, and none can be made."""

    is_cuda = True

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"type torch.cuda.{cls.__name__} not available. Torch not compiled with CUDA enabled.")

    def __instancecheck__(cls, obj: Any) -> bool:
        return False


_DTYPES = tuple(
    d for d in (*dtypes.ALL, dtypes.bfloat16) if not d.is_complex and d.name not in ("uint16", "uint32", "uint64")
)
TYPES: dict[str, Any] = {
    f"{d.tensor_type}Tensor": tensortype(f"{d.tensor_type}Tensor", (), {"__module__": "torch", "dtype": d})
    for d in _DTYPES
}
CUDA_TYPES: dict[str, Any] = {name: _absent(name, (), {"__module__": "torch.cuda"}) for name in TYPES}
globals().update(TYPES)


def by_name(name: str) -> Any:
    """The type that `"torch.FloatTensor"` names."""
    found = TYPES.get(name.removeprefix("torch."))
    if name.startswith("torch.cuda."):
        raise TypeError(f"type {name} not available. Torch not compiled with CUDA enabled.")
    if found is None:
        raise ValueError(f"invalid type: '{name}'")
    return found
