"""The rule of a node, as an expression: its own compiled `run`, called with symbols instead of arrays.

There is no second statement of any derivative here. `Stand_in` wears the node's class's saved slots with symbols in
them, and `type(node).run` does the rest.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .symbols import Name, Symbol


class Held:
    """A saved tensor as `run` expects one: `_array` is the symbol."""

    __slots__ = ("_array",)

    _vc = None

    def __init__(self, symbol: Any) -> None:
        self._array = symbol


class StandIn:
    """Looks like a node to its class's `run`: saved values are symbols, options and edges are the node's own."""

    def __init__(self, cls: Any, saved: dict[str, Any], edges: Any, outs: Any) -> None:
        self.freed = False
        self.next = edges
        self.outs = outs
        self.op = cls.op
        self.variant = cls.variant
        self.n_outputs = len(outs)
        self.out_counters = (None,) * len(cls.variant.saves)
        self.out_versions = (0,) * len(cls.variant.saves)
        self._cls = cls
        for name, (how, _) in cls.variant.saves.items():
            value = saved[name]
            if how == "tensor":
                value = Held(value) if value is not None else None
            elif how == "list":
                value = [Held(v) for v in value]
            setattr(self, name, value)

    def needs_by_argument(self) -> Any:
        return self._cls.needs_by_argument(self)


def rule_of(cls: Any, saved: dict[str, Any], edges: Any, outs: Any, gradients: list[Any]) -> list[Any]:
    """Gradients of the arguments, as expressions, of a node of class `cls`.

    `saved` maps each name the rules ask for to a Symbol (tensors, results), a list of them, or the option's value;
    `gradients` are the symbols of the incoming gradients, one for each output, None where none arrived.
    """
    node = StandIn(cls, saved, edges, outs)
    g = gradients[0] if len(outs) == 1 and not cls.op.variadic else gradients
    if cls.op.variadic and len(outs) == 1:
        g = gradients[0]
    return [r if isinstance(r, Symbol) or r is None else _constant(r) for r in cls.run(node, g, True)]


def _constant(value: Any) -> Any:
    """A gradient that does not depend on any symbol."""
    array = np.asarray(value)
    if array.size and (array == array.flat[0]).all():
        return Name(f"{array.flat[0]:g}", value)
    return Name("constant", value)


def gradient_names(op: Any, count: int) -> list[str]:
    """How the incoming gradients are called in the rules themselves: g, or g_values, g_indices."""
    if op.variadic or len(op.outputs) == 1:
        return ["g"] if count == 1 else [f"g{k}" for k in range(count)]
    differentiable = [k for k, d in enumerate(op.differentiable) if d]
    if len(differentiable) == 1:
        return ["g" if k in differentiable else f"g_{name}" for k, name in enumerate(op.outputs)]
    return [f"g_{name}" for name in op.outputs]


def symbols_for(node: Any, values: dict[str, Any] | None = None) -> dict[str, Any]:
    """A symbol for everything a node saved, named as its row names it. `values`: kept ones, for a node that is freed."""
    found: dict[str, Any] = {}
    for name, (how, _) in type(node).variant.saves.items():
        value = getattr(node, name, None) if values is None else values.get(name)
        if how in ("tensor", "output", "aux"):
            found[name] = None if value is None and how == "tensor" else Name(name, getattr(value, "_array", value))
        elif how == "list":
            found[name] = [Name(f"{name}{i}", getattr(v, "_array", v)) for i, v in enumerate(value or ())]
        else:
            found[name] = value
    return found
