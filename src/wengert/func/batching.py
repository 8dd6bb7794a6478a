"""How operations are mapped over a batch, where their kind does not say.

An elementwise operation needs nothing, and any other is mapped by a loop over the examples until a rule here says better.
A rule is `rule(op, args, level, size)`: `args` in the order of the operation's parameters, some of them batched at `level`;
it returns the forward's results with the batch as axis 0, or NotImplemented to leave it to the loop.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.batched import is_at, run_forward
from ..core.op import LIST, TABLE, Op


def _position(op: Op, name: str) -> int:
    return next(i for i, p in enumerate(op.params) if p.name == name)


def _shift(d: Any, ndim: int) -> Any:
    """A dimension, or several, of an example as those of the batch."""
    if isinstance(d, (tuple, list)):
        return tuple(_shift(x, ndim) for x in d)
    return int(d) % ndim + 1


def along(*names: str, none: str = "all") -> Any:
    """The options `names` are dimensions of the first argument: they move by one.

    `none` says what None (or nothing) means: "all" dimensions, or "loop" to do those calls one by one.
    """

    def rule(op: Op, args: list[Any], level: int, size: int) -> Any:
        x = args[0]
        others = [a for p, a in zip(op.params[1:], args[1:], strict=True) if p.is_tensor]
        if not is_at(x, level) or x.ndim == 0 or any(is_at(a, level) for a in others if a is not None):
            return NotImplemented
        new = list(args)
        new[0] = x.value
        for name in names:
            i = _position(op, name)
            if args[i] is None or args[i] == ():
                if none != "all":
                    return NotImplemented
                new[i] = tuple(range(1, x.ndim + 1))
            else:
                new[i] = _shift(args[i], x.ndim)
        return run_forward(op, new)

    return rule


def both_along(name: str) -> Any:
    """Like `along`, for operations whose tensor arguments all have the same number of dimensions (gather, scatter)."""

    def rule(op: Op, args: list[Any], level: int, size: int) -> Any:
        tensors = [i for i, p in enumerate(op.params) if p.is_tensor and args[i] is not None]
        ndim = args[tensors[0]].ndim
        if ndim == 0 or any(np.ndim(_visible(args[i])) != ndim and not is_at(args[i], level) for i in tensors):
            return NotImplemented
        new = list(args)
        for i in tensors:
            a = args[i]
            if is_at(a, level):
                if a.ndim != ndim:
                    return NotImplemented
                new[i] = a.value
            else:
                new[i] = _repeat(a, size)
        i = _position(op, name)
        new[i] = _shift(args[i], ndim)
        return run_forward(op, new)

    return rule


def _visible(a: Any) -> Any:
    return a


def _repeat(a: Any, size: int) -> Any:
    """What all examples share, once for each (without copying)."""
    from ..core.batched import Batched

    if a.__class__ is Batched:
        v = a.value
        return Batched(np.broadcast_to(v[:, None], (v.shape[0], size, *v.shape[1:])), a.level)
    return np.broadcast_to(a, (size, *np.shape(a)))


def shaped(name: str) -> Any:
    """The option `name` is the shape of the result: the batch goes in front."""

    def rule(op: Op, args: list[Any], level: int, size: int) -> Any:
        x = args[0]
        if not is_at(x, level):
            return NotImplemented
        new = list(args)
        new[0] = x.value
        i = _position(op, name)
        new[i] = (size, *(int(n) for n in args[i]))
        return run_forward(op, new)

    return rule


def expanded(op: Op, args: list[Any], level: int, size: int) -> Any:
    """`expand` and `sum_to_shape` line dimensions up from the right."""
    x, shape = args[0], tuple(args[1])
    lead = len(shape) - x.ndim
    v = x.value
    if lead > 0:
        v = v.reshape((v.shape[0], *(1,) * lead, *v.shape[1:]))
        shape = tuple(shape)
    return run_forward(op, [v, (size, *shape)])


def whole(op: Op, args: list[Any], level: int, size: int) -> Any:
    """Nothing to move: the operation works on every dimension alike, or on the last ones only."""
    x = args[0]
    others = [a for p, a in zip(op.params[1:], args[1:], strict=True) if p.is_tensor and a is not None]
    if not is_at(x, level) or others:
        return NotImplemented
    return run_forward(op, [x.value, *args[1:]])


def joined(op: Op, args: list[Any], level: int, size: int) -> Any:
    """`cat`, `stack`: a list of tensors and a dimension."""
    tensors, dim = args[0], args[1]
    ndim = len(np.shape(tensors[0])) + (1 if op.name == "stack" else 0)
    if ndim == 0 or any(len(np.shape(t)) != len(np.shape(tensors[0])) for t in tensors):
        return NotImplemented
    values = tuple(t.value if is_at(t, level) else _repeat(t, size) for t in tensors)
    return run_forward(op, [values, int(dim) % ndim + 1, *args[2:]])


_RULES: dict[str, Any] = {}


def state(rule: Any, *names: str) -> None:
    for name in names:
        _RULES[name] = rule


def install() -> None:
    """Give the operations their rules. Called once, when all tables are there."""
    for name, rule in _RULES.items():
        if name in TABLE and TABLE[name].batch is None:
            TABLE[name].batch = rule


__all__ = ["LIST", "along", "both_along", "expanded", "install", "joined", "shaped", "state", "whole"]
