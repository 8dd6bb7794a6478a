"""A gradient made to fit its tensor: summed where that was broadcast, cast to its dtype; arrays as Tensors and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels import sums
from . import dtypes
from .node import AccumulateGrad
from .tensor import Tensor, wrap


def conform(g: Any, node: Any, nr: int, source: Any = None) -> Any:
    """Make a gradient fit the tensor it belongs to: sum what was broadcast, cast to its dtype."""
    shape, dtype = node.output_meta(nr)
    array = g._array if isinstance(g, Tensor) else g
    if node.__class__ is AccumulateGrad:
        dtype = grad_dtype(node.variable) or array.dtype
    if array.shape == shape and array.dtype == dtype:
        return g
    if g.shape != shape:
        summed = reducible(g.shape, shape)
        if not summed:
            name = source.name() if source is not None else "backward"
            raise RuntimeError(
                f"Function {name} returned an invalid gradient at index {_index_of(source, node, nr)} - got "
                f"{list(g.shape)} but expected shape compatible with {list(shape)}"
            )
        g = sum_to(g, shape)
    if g.__class__ is Tensor or isinstance(g, Tensor):
        if g._array.dtype != dtype:
            from ..ops.conversion import to_dtype

            g = to_dtype(g.real if dtype.kind != "c" and g._array.dtype.kind == "c" else g, dtypes.of(dtype))
    elif g.dtype != dtype:
        g = (g.real if g.dtype.kind == "c" and dtype.kind != "c" else g).astype(dtype)
    return g


def _index_of(source: Any, node: Any, nr: int) -> int:
    if source is None:
        return 0
    for i, edge in enumerate(source.next):
        if edge == (node, nr):
            return i
    return 0


def reducible(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    """Can an array of `shape` be summed down to `target` (that is, does `target` broadcast to it)?"""
    if len(target) > len(shape):
        return False
    return all(t in (s, 1) for s, t in zip(reversed(shape), reversed(target), strict=False))


def sum_to(g: Any, shape: tuple[int, ...]) -> Any:
    """Undo broadcasting: sum over the axes that were stretched."""
    lead = len(g.shape) - len(shape)
    axes = tuple(range(lead)) + tuple(lead + i for i, n in enumerate(shape) if n == 1 and g.shape[lead + i] != 1)
    if isinstance(g, np.ndarray):
        if lead:
            g = sums.add(g, axes)
            return g if g.shape == shape else g.reshape(shape)
        return sums.add(g, axes, True)
    from ..ops.reductions import sum as sum_

    return sum_(g, axes, True).reshape(shape) if axes else g.reshape(shape)


def grad_dtype(leaf: Tensor) -> Any:
    extra = leaf._extra
    if extra is not None and extra.grad_dtype is not False:
        return None if extra.grad_dtype is None else extra.grad_dtype.np
    return leaf._array.dtype


def as_tensor(g: Any) -> Any:
    return g if g is None or isinstance(g, Tensor) else wrap(np.asarray(g) if isinstance(g, np.generic) else g)


def as_gradient(t: Any, create: bool) -> Any:
    return t if create or t is None or not isinstance(t, Tensor) else t._array
