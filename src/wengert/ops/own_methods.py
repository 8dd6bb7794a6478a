"""What a tensor is asked, or does to itself, that no row states: where it lies, `apply_`, `fill_diagonal_`, `new` ...

Methods for things that only other devices and layouts have answer as PyTorch does for a dense tensor on a CPU.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..core.device import absent
from ..core.inplace import inplace_composite
from ..core.overriding import DisableTorchFunction
from ..core.storage import TypedStorage, UntypedStorage
from ..core.tensor import Tensor, legacy_array
from ..core.tensor import wrap as leaf
from ..core.views import bump, check_inplace
from . import places, remaking, shape, splitting, strided
from .removed import removed
from .special import polygamma

__all__: list[str] = []

_NEVER = "distributed ipu maia mkldnn mps mtia sparse_csr vulkan xla xpu"  # properties, `is_distributed` apart
_LAYOUTS = {
    "sparse coordinate tensor": "is_coalesced coalesce indices",
    "sparse row compressed tensor": "crow_indices col_indices",
    "sparse column compressed tensor": "ccol_indices row_indices",
    "sparse tensor": "values",
}
_DECLINED = {
    "sparse tensors: use dense ones": """
        resize_as_sparse_ smm sparse_mask sparse_resize_ sparse_resize_and_clear_ sspaddmm to_sparse to_sparse_bsc
        to_sparse_bsr to_sparse_coo to_sparse_csc to_sparse_csr
    """,
    "quantised tensors: use floating-point ones": """
        int_repr q_per_channel_axis q_per_channel_scales q_per_channel_zero_points q_scale q_zero_point qscheme
    """,
    "nested tensors: pad the parts to one size": "to_padded_tensor",
    "other devices and their layouts: use the CPU": "ipu mtia record_stream to_mkldnn",
    "numbers of half-precision complex type: use cfloat()": "chalf",
    "memory shared between processes: send the tensor, it is copied": "share_memory_",
}


def install(T: Any) -> None:
    """Give Tensor these methods."""
    for name in _NEVER.split():
        setattr(T, "is_" + name, property(lambda self: False))
    T.is_distributed = lambda self: False
    T.is_cpu = property(lambda self: True)
    T.is_shared = T.is_pinned = lambda self, device=None: False
    for what, names in _LAYOUTS.items():
        for name in names.split():
            setattr(T, name, _of_layout(name, what))
    for why, names in _DECLINED.items():
        for name in names.split():
            setattr(T, name, _declined(name, why))
    for f in (
        *(apply_, as_subclass, dim_order, fill_diagonal_, is_nonzero, map2_, map_, module_load, new, pin_memory),
        *(reinforce, resize, resize_as, storage_type, to_dense, unsafe_split_with_sizes, cpu, cuda, xpu),
        *remaking.METHODS,
    ):
        setattr(T, f.__name__, f)
    for name in ("eig", "lstsq", "solve", "symeig"):
        setattr(T, name, removed(name))
    T._make_subclass = staticmethod(_make_subclass)
    T.const_data_ptr = T.data_ptr
    T.dequantize = to_dense
    T.sparse_dim, T.dense_dim = lambda self: 0, T.dim
    T.nonzero_static = places.nonzero_static
    T.polygamma = lambda self, n: polygamma(n, self)
    T.polygamma_ = lambda self, n: inplace_composite(T.polygamma, self, (n,), {})
    T.storage = lambda self: TypedStorage(self._array)
    T.untyped_storage = lambda self: UntypedStorage(self._array)
    T.__delitem__ = _undeletable
    T.__array_wrap__ = _array_wrap
    T.__dlpack__ = dlpack
    T.__dlpack_device__ = lambda self: self._array.__dlpack_device__()


def _of_layout(name: str, what: str) -> Any:
    def raises(self: Tensor) -> Any:
        raise RuntimeError(f"{name} expected {what} layout but got Strided")

    raises.__name__ = name
    return raises


def _declined(name: str, why: str) -> Any:
    def raises(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"Tensor.{name}() is not supported. There are no {why}.")

    raises.__name__ = name
    return raises


# -- where it lies ---------------------------------------------------------------------------------------------


def cpu(self: Tensor, memory_format: Any = None) -> Tensor:
    """Itself: every tensor is on the CPU."""
    return self


def cuda(self: Tensor, device: Any = None, non_blocking: bool = False, memory_format: Any = None) -> Tensor:
    """AssertionError, as in a PyTorch without CUDA."""
    raise absent("cuda")


def xpu(self: Tensor, device: Any = None, non_blocking: bool = False, memory_format: Any = None) -> Tensor:
    """AssertionError, as in a PyTorch without XPU."""
    raise absent("xpu")


def pin_memory(self: Tensor, device: Any = None) -> Tensor:
    """RuntimeError, as in a PyTorch on a machine without an accelerator."""
    raise RuntimeError("Cannot access accelerator device when none is available.")


def to_dense(self: Tensor, dtype: Any = None, *, masked_grad: bool | None = None) -> Tensor:
    """Itself: every tensor is dense."""
    return self if dtype is None else self.to(dtype)


def dim_order(self: Tensor, ambiguity_check: Any = False) -> tuple[int, ...]:
    """The dimensions from that of the largest step in memory to that of the smallest."""
    strides = self.stride()
    return tuple(sorted(range(self.ndim), key=lambda d: -strides[d]))


def storage_type(self: Tensor) -> type:
    """The class of `storage()`."""
    return TypedStorage


# -- element by element, in Python -----------------------------------------------------------------------------


def _by_function(self: Tensor, name: str, others: tuple[Tensor, ...], function: Any) -> Tensor:
    if self._rg or any(x._rg for x in others):
        raise RuntimeError(f"Can't call {name}() on Variable that requires grad. Use var.detach().{name}() instead.")
    for x in others:
        if x.dtype is not self.dtype:
            raise TypeError(f"{name}(): argument 'tensor' must have the dtype of self, {self.dtype}, and not {x.dtype}")
    check_inplace(self, False)
    columns = [self._array, *(shape.expand(x, tuple(self.shape))._array for x in others)]
    found = [function(*values) for values in zip(*(a.ravel().tolist() for a in columns), strict=True)]
    self._array[...] = np.array(found, self._array.dtype).reshape(self._array.shape)
    bump(self)
    return self


def apply_(self: Tensor, callable: Any) -> Tensor:
    """Replace each element by `callable(element)`. Slow: use tensor operations where speed matters."""
    return _by_function(self, "apply_", (), callable)


def map_(self: Tensor, tensor: Tensor, callable: Any) -> Tensor:
    """Replace each element by `callable(element, element of tensor)`."""
    return _by_function(self, "map_", (tensor,), callable)


def map2_(self: Tensor, x: Tensor, y: Tensor, callable: Any) -> Tensor:
    """Replace each element by `callable(element, element of x, element of y)`."""
    return _by_function(self, "map2_", (x, y), callable)


def is_nonzero(self: Tensor) -> bool:
    """Is the one number of this tensor not zero?"""
    if self.numel() != 1:
        few = "no values" if self.numel() == 0 else "more than one value"
        raise RuntimeError(f"Boolean value of Tensor with {few} is ambiguous")
    return bool(self)


# -- changing and making ---------------------------------------------------------------------------------------


def fill_diagonal_(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """Overwrite the main diagonal; with `wrap` that of a tall matrix starts again below each square, a row apart."""
    if self.ndim < 2:
        raise RuntimeError("dimensions must larger than 1")
    if self.ndim > 2 and len(set(self.shape)) != 1:
        raise RuntimeError("all dimensions of input must be of equal length")
    if wrap and self.ndim == 2 and self.shape[0] > self.shape[1] + 1:
        n, m = self.shape
        rows = np.arange(n)
        rows = rows[rows % (m + 1) < m]
        self[leaf(rows), leaf(rows % (m + 1))] = fill_value
    else:
        at = self.storage_offset()
        strided.as_strided(self, (min(self.shape),), (sum(self.stride()),), at).fill_(fill_value)
    return self


def new(self: Tensor, *args: Any, device: Any = None) -> Tensor:
    """A tensor of this dtype: `new(2, 3)` of that shape, `new([1, 2])` of those numbers, `new()` an empty one."""
    return leaf(legacy_array(args, self._array.dtype))


def as_subclass(self: Tensor, cls: type) -> Any:
    """The same memory and history, as an instance of `cls`, a subclass of Tensor."""
    if not (isinstance(cls, type) and issubclass(cls, Tensor)):
        raise TypeError(f"as_subclass(): argument 'cls' must be a subclass of torch.Tensor, not {cls!r}")
    with DisableTorchFunction():
        t = shape.alias(self)
    if cls is not Tensor:
        t.__class__ = cls
    return t


def _make_subclass(cls: type, data: Any, require_grad: bool = False) -> Any:
    """`Tensor._make_subclass(cls, data)`: a leaf that is an instance of `cls` and shares the memory of `data`."""
    with DisableTorchFunction():
        t = data.detach()
        t.__class__ = cls
        return t.requires_grad_(require_grad)


def module_load(self: Tensor, other: Tensor, assign: bool = False) -> Tensor:
    """What `load_state_dict` puts in the place of this tensor for `other`."""
    if assign:
        return other.detach()
    return self.detach().copy_(other)


def resize(self: Tensor, *sizes: Any) -> Tensor:
    """Deprecated in PyTorch: `reshape`, to as many elements."""
    warnings.warn("non-inplace resize is deprecated", UserWarning, stacklevel=2)
    return self.reshape(*sizes)


def resize_as(self: Tensor, tensor: Tensor) -> Tensor:
    """Deprecated in PyTorch: `reshape_as`."""
    warnings.warn("non-inplace resize_as is deprecated", UserWarning, stacklevel=2)
    return self.reshape(tuple(tensor.shape))


def unsafe_split_with_sizes(self: Tensor, split_sizes: Any, dim: int = 0) -> Any:
    """`split_with_sizes`, but copies: they may be changed in place."""
    return splitting.unsafe_split_with_sizes(self, split_sizes, dim)


def reinforce(self: Tensor, *args: Any, **kwargs: Any) -> Any:
    """Removed from PyTorch."""
    raise RuntimeError("reinforce() was removed. Write -log_prob * reward as a loss instead.")


def dlpack(
    self: Tensor, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: bool | None = None
) -> Any:
    """A capsule that hands this memory to another library. BufferError if the tensor requires grad."""
    if self._rg:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    if stream is not None:
        raise BufferError("stream: the memory is the CPU's, which has none")
    return self._array.__dlpack__(max_version=max_version, dl_device=dl_device, copy=copy)


def _undeletable(self: Tensor, index: Any) -> None:
    raise TypeError("Tensor does not support deleting items")


def _array_wrap(self: Tensor, array: Any, context: Any = None, return_scalar: bool = False) -> Tensor:
    """What NumPy makes of a ufunc's result when an argument was a tensor."""
    array = np.asarray(array)
    return leaf(array.astype(np.uint8) if array.dtype == np.bool_ else array)
