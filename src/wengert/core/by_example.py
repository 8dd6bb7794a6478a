"""Operations that compute on arrays and have no derivative, under `vmap`: each example by itself, and the results stacked."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .batched import Batched, example, is_at, looped, stack_examples
from .modes import LOCAL
from .tensor import Tensor, wrap


def by_example(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: `function` never sees a batch. Its results (a tensor, or a tuple) must have one shape for all examples."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        if not LOCAL.vmap_levels:
            return function(*args, **kwargs)
        values = (*args, *kwargs.values())
        level = max(
            (x._array.level for x in values if isinstance(x, Tensor) and x._array.__class__ is Batched), default=None
        )
        if level is None:
            return function(*args, **kwargs)
        looped(function.__name__)
        size = next(x._array.value.shape[0] for x in values if isinstance(x, Tensor) and is_at(x._array, level))

        def at(x: Any, b: int) -> Any:
            return wrap(example(x._array, b, level)) if isinstance(x, Tensor) else x

        rows = [run(*(at(x, b) for x in args), **{k: at(x, b) for k, x in kwargs.items()}) for b in range(size)]
        if not rows:
            raise ValueError(f"vmap: {function.__name__} over a batch of size 0 is not supported")
        return _stacked(rows, level)

    return run


def _stacked(rows: list[Any], level: int) -> Any:
    """The results of the examples as one batch; of tuples, part by part."""
    first = rows[0]
    if not isinstance(first, Tensor):
        parts = [_stacked(list(part), level) for part in zip(*rows, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else type(first)(parts)
    if any(r.shape != first.shape for r in rows):
        raise RuntimeError("vmap: the results of the examples have different shapes, so they do not form one tensor")
    return wrap(Batched(stack_examples([r._array for r in rows]), level))
