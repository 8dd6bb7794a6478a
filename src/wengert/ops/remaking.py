"""Views made again: the same view of another base, and the base from a view. Methods of Tensor, as PyTorch's subclasses use them.

Where it was noted how a view was made (`torch.autograd._force_original_view_tracking`) its operations are run again; other views
are read out of the memory by place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..core.op import TABLE, Array, linear
from ..core.tensor import Tensor
from ..core.views import reread
from ..kernels.memory import lie_alike, lying
from .complex import view_as_complex, view_as_real
from .parts import slice_
from .strided import as_strided

__all__: list[str] = []


def _no_examples(op: Any, args: list[Any], level: int, size: int) -> Any:
    raise RuntimeError(
        "Batching rule not implemented for aten::slice_inverse: one example does not say where the whole of it lies in memory."
    )


@linear(
    "slice_inverse",
    input=lambda g, dim, start, end, step: slice_(g, dim, start, end, step),
    view=True,
    method=False,
    batch=_no_examples,
)
def slice_inverse(
    input: Array, src: Array, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Any:
    """What `input` is the slice `start:end:step` of along `dim`: a view of its memory that lies as `src` does."""
    own, whole = lying(input), lying(src)
    return TABLE["as_strided"].forward(input, src.shape, whole.strides, whole.offset, (own.strides, own.offset))


def _view_func(
    self: Tensor,
    new_base: Tensor,
    symint_visitor_fn: Callable[[int], int] | None = None,
    tensor_visitor_fn: Callable[[Tensor], Tensor] | None = None,
) -> Tensor | None:
    """This view of another base; None if the two bases differ in shape, dtype or layout, or if this is no view.

    The visitors see, and may replace, sizes and places (not dimensions) and tensors that the view was made with.
    """
    base = self._base
    if base is None or not _same_kind(base, new_base):
        return None
    return _view_func_unsafe(self, new_base, symint_visitor_fn, tensor_visitor_fn)


def _view_func_unsafe(
    self: Tensor,
    new_base: Tensor,
    symint_visitor_fn: Callable[[int], int] | None = None,
    tensor_visitor_fn: Callable[[Tensor], Tensor] | None = None,
) -> Tensor | None:
    """`_view_func` of any base."""
    extra = self._extra
    if extra is None or extra.base is None:
        return None
    visits = symint_visitor_fn is not None or tensor_visitor_fn is not None
    if extra.rebuild is not None:
        return extra.rebuild(new_base, _visitor(symint_visitor_fn, tensor_visitor_fn) if visits else None)
    if visits:
        raise NotImplementedError(
            "_view_func() with visitors of a view of which it was not noted how it was made: make it inside "
            "`with torch.autograd._force_original_view_tracking(True)`."
        )
    return _lying_as(new_base, self)


def _rev_view_func_unsafe(self: Tensor, new_view: Tensor) -> Tensor | None:
    """What this view's base would be if `new_view` were the view: read out of the memory of `new_view`."""
    base = self._base
    return None if base is None else _lying_as(new_view, base)


def _visitor(of_numbers: Any, of_tensors: Any) -> Callable[[Any, Any], Any]:
    def visited(p: Any, v: Any) -> Any:
        if isinstance(v, Tensor):
            return v if of_tensors is None else of_tensors(v)
        if of_numbers is None or p.name.startswith("dim"):
            return v
        if isinstance(v, tuple):
            return tuple(visited(p, x) for x in v)
        return of_numbers(v) if isinstance(v, int) and not isinstance(v, bool) else v

    return visited


def _same_kind(a: Tensor, b: Tensor) -> bool:
    x, y = a._array, b._array
    return x.shape == y.shape and x.dtype == y.dtype and lie_alike(x, y)


def _lying_as(x: Tensor, like: Tensor) -> Tensor:
    """The view of the memory of `x` with the shape, layout and dtype of `like`."""
    array, how = like._array, lying(like._array)
    reading = reread(x._array, array)
    if reading == "pairs":
        found = as_strided(x, (*array.shape, 2), (*(2 * s for s in how.strides), 1), 2 * how.offset)
        return view_as_complex(found)
    return as_strided(view_as_real(x) if reading == "parts" else x, array.shape, how.strides, how.offset)


METHODS = (_view_func, _view_func_unsafe, _rev_view_func_unsafe)
