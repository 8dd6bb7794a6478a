"""`torch.utils._pytree`: nested containers taken apart and put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..core.pytree import flatten, unflatten


def tree_flatten(tree: Any) -> tuple[list[Any], Any]:
    """The leaves, in order, and the structure they came from."""
    return flatten(tree)


def tree_unflatten(leaves: Any, treespec: Any) -> Any:
    """The structure with these leaves."""
    return unflatten(list(leaves), treespec)


def tree_leaves(tree: Any) -> list[Any]:
    """The leaves, in order."""
    return flatten(tree)[0]


def tree_map(func: Callable[..., Any], tree: Any, *rests: Any) -> Any:
    """`func` of every leaf (and of those of other trees at the same place), in the same structure."""
    leaves, spec = flatten(tree)
    return unflatten([func(*xs) for xs in zip(leaves, *map(tree_leaves, rests), strict=True)], spec)


def tree_map_only(kind: Any, func: Callable[[Any], Any], tree: Any) -> Any:
    """`func` of the leaves of a type; the others as they are."""
    return tree_map(lambda x: func(x) if isinstance(x, kind) else x, tree)
