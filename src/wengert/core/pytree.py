"""Nested containers (tuples, lists, dicts, named tuples) of values, taken apart and put together again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any


class Leaf:
    """The structure of a value that is no container."""

    def __repr__(self) -> str:
        return "*"


LEAF = Leaf()
Spec = Any  # LEAF, or (type, keys or fields, specs of the children)


def flatten(tree: Any) -> tuple[list[Any], Spec]:
    """The leaves, in order, and the structure they came from."""
    leaves: list[Any] = []

    def visit(x: Any) -> Spec:
        if isinstance(x, dict):
            return (type(x), tuple(x), tuple(visit(v) for v in x.values()))
        if isinstance(x, tuple) or type(x) is list:
            return (type(x), None, tuple(visit(v) for v in x))
        leaves.append(x)
        return LEAF

    return leaves, visit(tree)


def describe(spec: Spec) -> str:
    """A structure, as PyTorch writes it in messages."""
    if spec is LEAF:
        return "*"
    kind, keys, children = spec
    return f"TreeSpec({kind.__name__}, {None if keys is None else list(keys)}, [{', '.join(map(describe, children))}])"


def unflatten(leaves: list[Any], spec: Spec) -> Any:
    """Leaves put back into a structure."""
    remaining = iter(leaves)

    def build(s: Spec) -> Any:
        if s is LEAF:
            return next(remaining)
        kind, keys, children = s
        values = [build(c) for c in children]
        if keys is not None:
            pairs = zip(keys, values, strict=True)
            return OrderedDict(pairs) if issubclass(kind, OrderedDict) else dict(pairs)
        return kind(*values) if hasattr(kind, "_fields") else kind(values)

    return build(spec)


def tree_map(fn: Callable[[Any], Any], tree: Any) -> Any:
    """The same structure with `fn` of each leaf."""
    leaves, spec = flatten(tree)
    return unflatten([fn(x) for x in leaves], spec)


def broadcast_to(prefix: Any, spec: Spec) -> list[Any] | None:
    """A structure that may stop early (`0` for all of a tuple) as one value for each leaf; None if it does not fit."""
    if spec is LEAF:
        return [prefix]
    kind, keys, children = spec
    if isinstance(prefix, (tuple, list, dict)):
        if type(prefix) is not kind:
            return None
        if isinstance(prefix, dict):
            if set(prefix) != set(keys):
                return None
            parts = [prefix[k] for k in keys]
        else:
            if len(prefix) != len(children):
                return None
            parts = list(prefix)
        found: list[Any] = []
        for part, child in zip(parts, children, strict=True):
            below = broadcast_to(part, child)
            if below is None:
                return None
            found += below
        return found
    found = []
    for child in children:
        below = broadcast_to(prefix, child)
        assert below is not None
        found += below
    return found
