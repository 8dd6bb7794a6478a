"""Functions that ask arrays for their numbers (which bins, how many classes), under `vmap`: each example by itself.

Rows of the table are mapped by `func.batching`; this is for functions above them, which look at arrays before they call a row or
compute with NumPy alone. They stay differentiable: examples are taken apart and put together by operations.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .batched import Batched, looped
from .modes import LOCAL
from .op import TABLE
from .pytree import flatten, unflatten
from .tensor import Tensor


def by_example(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: `function` never sees a batch. Its results (a tensor, or several) must have one shape for all examples."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        if not LOCAL.vmap_levels:
            return function(*args, **kwargs)
        leaves, spec = flatten((args, kwargs))
        batched = [x for x in leaves if isinstance(x, Tensor) and x._array.__class__ is Batched]
        if not batched:
            return function(*args, **kwargs)
        looped(function.__name__)
        level = max(x._array.level for x in batched)
        size = next(x._array.value.shape[0] for x in batched if x._array.level == level)
        if not size:
            raise ValueError(f"vmap: {function.__name__} over a batch of size 0 is not supported")
        wholes = [_shown(x, level, size) for x in leaves]
        results = []
        for b in range(size):
            given, named = unflatten(
                [whole[b] if whole is not None else x for x, whole in zip(leaves, wholes, strict=True)], spec
            )
            results.append(flatten(run(*given, **named)))
        stacked = [_hidden(column, level, size) for column in zip(*(found for found, _ in results), strict=True)]
        return unflatten(stacked, results[0][1])

    return run


def _shown(x: Any, level: int, size: int) -> Any:
    """A tensor with the batch of `level` as its first dimension; None for what is the same for all examples.

    A tensor that they share but whose derivative is followed is repeated: it has a gradient, or a tangent, for each example.
    """
    if not isinstance(x, Tensor):
        return None
    followed = x._rg or (x._extra is not None and x._extra.tangents)
    if not followed and level not in getattr(x._array, "levels", ()):
        return None
    return TABLE["from_examples"].function(x, 0, level, size)


def _hidden(column: tuple[Any, ...], level: int, size: int) -> Any:
    """The results of all examples as one batch."""
    first = column[0]
    if not isinstance(first, Tensor):
        return first
    if any(x.shape != first.shape for x in column):
        raise RuntimeError("vmap: the results of the examples have different shapes, so they do not form one tensor")
    return TABLE["to_examples"].function(TABLE["stack"].function(list(column), 0), 0, level, size)
