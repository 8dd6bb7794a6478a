"""Methods of Tensor for shapes, indexing and changes in place, where they differ from the functions. States no operation."""

from __future__ import annotations

from typing import Any

from . import arranging, assigning, gathering, indexing, meeting, places, shape, slices, splitting, strided
from .shared import shape_argument


def install(T: Any) -> None:
    """Give Tensor these methods."""
    T.__getitem__ = indexing.subscript
    T.__setitem__ = assigning.assign
    # `x.f(2, 3)` and `x.f((2, 3))` mean the same.
    T.view = _view
    T.reshape = lambda self, *shape_, **kw: shape.reshape(self, _sizes("shape", shape_, kw))
    T.expand = lambda self, *size, **kw: shape.expand(self, _sizes("size", size, kw))
    T.permute = lambda self, *dims, **kw: shape.permute(self, _sizes("dims", dims, kw))
    T.repeat = lambda self, *repeats, **kw: arranging.repeat(self, _sizes("repeats", repeats, kw))
    T.tile = lambda self, *dims, **kw: arranging.tile(self, _sizes("dims", dims, kw))
    T.flip = lambda self, *dims, **kw: arranging.flip(self, _sizes("dims", dims, kw))
    T.reshape_as = lambda self, other: shape.reshape(self, tuple(other.shape))
    T.broadcast_to = lambda self, *size, **kw: shape.broadcast_to(self, _sizes("size", size, kw))
    for f in (
        *(strided.as_strided, shape.expand_as, shape.squeeze, shape.view_as),
        *(splitting.chunk, splitting.dsplit, splitting.hsplit, splitting.split_with_sizes),
        *(splitting.tensor_split, splitting.unsafe_chunk, splitting.unsafe_split, splitting.vsplit),
        *(places.argwhere, slices.index_add, slices.index_fill, places.nonzero, gathering.scatter),
        *(meeting.scatter_reduce, meeting.scatter_reduce_, meeting.index_reduce, meeting.index_reduce_),
        *(indexing.index_put, assigning.index_put_, assigning.index_fill_, assigning.scatter_, assigning.index_add_),
        *(
            assigning.copy_,
            assigning.zero_,
            assigning.contiguous,
            assigning.as_strided_,
            assigning.squeeze_,
            assigning.resize_,
            assigning.resize_as_,
            assigning.set_,
        ),
    ):
        setattr(T, f.__name__, f)
    for name in ("unsqueeze", "transpose", "t"):
        setattr(T, name + "_", assigning.reshaped_inplace(name))
    T.swapaxes_ = T.swapdims_ = T.transpose_
    T.T = property(_T)
    T.mT = property(_mT)
    T.H = property(_H)
    T.mH = property(_mH)
    T.adjoint = shape.adjoint
    T.split = lambda self, split_size, dim=0: splitting.split(self, split_size, dim)
    T.is_set_to = lambda self, tensor: (
        self._array.__array_interface__ == tensor._array.__array_interface__ and self.stride() == tensor.stride()
    )


def _sizes(name: str, given: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[int, ...]:
    return shape_argument(given or (kwargs[name],)) if kwargs else shape_argument(given)


def _view(self: Any, *size: Any, **kw: Any) -> Any:
    """Another shape of the same memory, or, given a dtype, the same memory read as that."""
    dtype = kw.get("dtype", size[0] if len(size) == 1 and not isinstance(size[0], (int, tuple, list)) else None)
    if dtype is not None and not hasattr(dtype, "__index__"):
        return shape.view_dtype(self, dtype)
    return shape.view(self, _sizes("size", size, kw))


def _T(self: Any) -> Any:
    """All dimensions in reverse order, a view."""
    if len(self.shape) == 2:
        return shape.permute(self, (1, 0))
    return shape.permute(self, tuple(range(len(self.shape)))[::-1])


def _matrix(self: Any, name: str) -> None:
    if len(self.shape) == 1:
        raise RuntimeError(
            f"tensor.{name} is only supported on matrices or batches of matrices. Got {len(self.shape)}-D tensor."
        )


def _mT(self: Any) -> Any:
    """The last two dimensions exchanged, a view."""
    _matrix(self, "mT")
    if not len(self.shape):
        return self
    return shape.transpose(self, -2, -1)


def _H(self: Any) -> Any:
    """The conjugate transpose of a matrix."""
    if len(self.shape) not in (0, 2):
        raise RuntimeError(f"tensor.H is only supported on matrices (2-D tensors). Got {len(self.shape)}-D tensor.")
    return shape.adjoint(self)


def _mH(self: Any) -> Any:
    """The conjugate of the last two dimensions exchanged."""
    _matrix(self, "mH")
    return shape.adjoint(self)
