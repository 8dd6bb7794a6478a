"""Where a backward pass enters the graph: for each output its node, and the gradient to start from. What the walk does with
them is in `backward`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import dtypes
from .modes import LOCAL
from .node import Edge, leaf_edge
from .tensor import Tensor, wrap


def edge_of(t: Any, position: int) -> Edge:
    """Where the gradient of a root enters the graph."""
    if not t._rg:
        raise RuntimeError(f"element {position} of tensors does not require grad and does not have a grad_fn")
    return t._edge or leaf_edge(t)


def first_gradient(out: Any, g: Any, position: int, create: bool, batched: bool = False) -> Any:
    """The gradient to start from at a root: given, or 1 for one number."""
    array = out._array
    if g is None:
        if array.size != 1:
            raise RuntimeError("grad can be implicitly created only for scalar outputs")
        if array.dtype.kind == "c":
            raise RuntimeError(
                f"grad can be implicitly created only for real scalar outputs but got {dtypes.of(array.dtype)!r}"
            )
        if not create and array.ndim == 0:
            return array.dtype.type(1)  # NumPy computes with its scalars faster than with 0-dim arrays
        ones = np.ones(array.shape, array.dtype)
        return wrap(ones) if create else ones
    if not isinstance(g, Tensor):
        raise TypeError(f"gradients can be either Tensors or None, but got {type(g).__name__}")
    if g._array.shape != array.shape:
        if batched:
            raise RuntimeError(
                "If `is_grads_batched=True`, we interpret the first dimension of each grad_output as the batch "
                "dimension. The sizes of the remaining dimensions are expected to match the shape of corresponding "
                f"output, but a mismatch was detected: grad_output[{position}] has a shape of {g.shape} and output"
                f"[{position}] has a shape of {out.shape}. If you only want some tensors in `grad_output` to be "
                "considered batched, consider using vmap."
            )
        raise RuntimeError(
            f"Mismatch in shape: grad_output[{position}] has a shape of {g.shape} and output[{position}] has a shape "
            f"of {out.shape}."
        )
    if (array.dtype.kind == "c") != (g._array.dtype.kind == "c"):
        raise RuntimeError(
            "For complex Tensors, both grad_output and output are required to have the same dtype. Mismatch in "
            f"dtype: grad_output[{position}] has a dtype of {g.dtype!r} and output[{position}] has a dtype of "
            f"{out.dtype!r}."
        )
    if create:
        return g if g._array.dtype == array.dtype else g.to(out.dtype)
    start = g._array if g._array.dtype == array.dtype else g._array.astype(array.dtype)
    return start[()] if start.ndim == 0 else start


def roots_of(outputs: Sequence[Any], gradients: Sequence[Any], create: bool) -> list[tuple[Any, int, Any]]:
    create = create or LOCAL.dual_level >= 0
    roots = []
    for i, (out, g) in enumerate(zip(outputs, gradients, strict=True)):
        if isinstance(out, Tensor):
            # The gradient is judged before the root, as in PyTorch: a vector without one is told so first.
            if g is not None or out._rg:
                start = first_gradient(out, g, i, create)
            node, nr = edge_of(out, i)
        else:  # a GradientEdge
            node, nr = out.node, out.output_nr
            shape, dtype = node.output_meta(nr)
            if g is None:
                if int(np.prod(shape)) != 1:
                    raise RuntimeError("grad can be implicitly created only for scalar outputs")
                start = np.ones(shape, dtype)
                start = wrap(start) if create else start
            else:
                start = first_gradient(wrap(np.broadcast_to(np.zeros((), dtype), shape)), g, i, create)
        roots.append((node, nr, start))
    return roots
