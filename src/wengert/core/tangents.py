"""Where tangents are kept, how they lie in memory, and what a change in place does to them.

Note [Tangents lie as their primals do]
    A tangent has its primal's strides, in memory as large (`lie_as` copies where it has not). So the tangent of a view,
    which is that view of the base's tangent, shares memory with it just where the primals share theirs; `as_strided` reads
    the same elements of both; and a change in place of a tensor that has a tangent changes the tangent in place, which its
    views and its base see. Tangents of tensors that share no memory share none either (`own`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels.memory import lie_alike, lying, owner, zeros_lying
from .batched import Batched, geometry, layered, layers, levels_of, plain
from .modes import LOCAL, set_mode
from .op import TABLE, Op
from .tensor import Tensor, wrap
from .views import Place, check_fits, live_views


def tangent_at(x: Any, level: int) -> Tensor | None:
    if isinstance(x, Tensor) and x._extra is not None and x._extra.tangents:
        return x._extra.tangents.get(level)
    return None


def attach(primal: Tensor, tangent: Tensor, level: int) -> Tensor:
    """Give a tensor a tangent."""
    extra = primal.more()
    extra.tangents = {**(extra.tangents or {}), level: tangent}
    return primal


# -- where they lie --------------------------------------------------------------------------------------------


def lies_as(t: Tensor, primal: Tensor) -> bool:
    """Does a tangent lie as its primal does? Of batched ones only the strides of one example are compared."""
    a, b = t._array, primal._array
    if a.__class__ is not Batched and b.__class__ is not Batched:
        return lie_alike(a, b)
    (_, one, shape), (_, other, _) = geometry(a), geometry(b)
    return 0 in shape or all(s == z or n == 1 for n, s, z in zip(shape, one, other, strict=True))


def lie_as(t: Tensor, primal: Tensor) -> Tensor:
    """A tangent, copied if it does not lie as its primal does. That of an expanded tensor stays as it is."""
    if lies_as(t, primal):
        return t
    array = primal._array
    if array.__class__ is Batched or any(s == 0 and n > 1 for n, s in zip(array.shape, array.strides, strict=True)):
        return t
    return TABLE["lie_thus"].function(t, *lying(array))


def own(t: Tensor, primal: Tensor, arguments: list[Any], level: int) -> Tensor:
    """The tangent of a result, copied if it is in the memory of an argument's tangent while the result is in new memory."""
    array = t._array
    others = [(x, other) for x in arguments if (other := tangent_at(x, level)) is not None]
    if getattr(array, "base", array) is None and all(other._array is not array for _, other in others):
        return t  # it owns its memory, and is new
    at, to = owner(plain(array)), owner(plain(primal._array))
    if any(owner(plain(other._array)) is at and owner(plain(x._array)) is not to for x, other in others):
        return t.clone()
    return t


# -- changes in place ------------------------------------------------------------------------------------------


def inplace_jvp(op: Op, vals: list[Any], target: Tensor) -> bool:
    """Change `target` in place where tangents are about. True if that was done here."""
    from .forward_ad import careful_jvp, fit, has_tangents

    if not has_tangents(vals):
        return False
    result = careful_jvp(op, [v if v is not target else _snapshot(target) for v in vals])
    check_fits(target._array, result._array)
    primal = wrap(result._array)
    primal._rg, primal._edge = result._rg, result._edge
    before = set_mode("dual_level", -1)
    try:
        target.copy_(primal)
    finally:
        set_mode("dual_level", before)
    for level in LOCAL.dual_levels:
        t = tangent_at(result, level)
        if t is not None:
            change_tangent(target, fit(t, target), level)
        elif tangent_at(target, level) is not None:
            change_tangent(target, wrap(np.zeros(target._array.shape, target._array.dtype)), level)
    return True


def change_tangent(target: Tensor, tangent: Tensor, level: int) -> None:
    """`target` was changed in place and has a new tangent: so have its base, and the views that share its memory."""
    base = target if target._extra is None or target._extra.base is None else target._extra.base
    others = [v for v in (base, *live_views(base)) if v is not target]
    old = tangent_at(target, level)
    if old is not None and _may_change(old, tangent, target, others, level):
        if tangent is not old:
            old.copy_(tangent)
        return
    if old is None and tangent_at(base, level) is None and _give(target, base, tangent, others, level):
        return
    whole = tangent
    if base is not target:
        before = tangent_at(base, level)
        if before is None:
            before = wrap(np.zeros(base._array.shape, base._array.dtype))
        whole = Place(base._array, target._array).write(before, tangent)
        attach(base, whole, level)
    attach(target, tangent, level)
    for v in others:
        if v is not base:
            attach(v, Place(base._array, v._array).read(whole), level)


def _may_change(old: Tensor, new: Tensor, target: Tensor, others: list[Tensor], level: int) -> bool:
    """May a tangent be changed in place: would all and only those tensors see it that share memory with `target`?"""
    root = old if old._base is None else old._base
    if root._rg and root._edge is None:
        return False  # PyTorch refuses; a new tangent does
    if not lies_as(old, target) or not levels_of(new._array) <= levels_of(old._array):
        return False
    memory, start, at = owner(plain(old._array)), geometry(old._array)[0], geometry(target._array)[0]
    for v in others:
        t = tangent_at(v, level)
        if t is not None and not (
            owner(plain(t._array)) is memory
            and lies_as(t, v)
            and geometry(t._array)[0] - start == geometry(v._array)[0] - at
        ):
            return False
    return True


def _give(target: Tensor, base: Tensor, tangent: Tensor, others: list[Tensor], level: int) -> bool:
    """Give `target`, its base and their views, which have none, tangents in one memory. False if that cannot be."""
    if any(x._array.dtype != base._array.dtype or x._array.__class__ is Batched for x in (base, target, *others)):
        return False
    if base is target or (
        base._array.shape == target._array.shape and lies_as(tangent, base) and lies_as(tangent, target)
    ):
        whole = part = lie_as(tangent, target)
        if not lies_as(whole, target):
            return False
    else:
        levels, array = layers(tangent._array)
        zeros = zeros_lying(array.shape[: len(levels)], base._array.shape, lying(base._array), array.dtype)
        whole = wrap(layered(levels, zeros))
        part = _there(whole, base, target)
        part.copy_(tangent)
    attach(base, whole, level)
    attach(target, part, level)
    for v in others:
        if v is not base:
            attach(v, _there(whole, base, v), level)
    return True


def _there(whole: Tensor, base: Tensor, view: Tensor) -> Tensor:
    """The view of a tangent of `base`, which lies as that does, where `view` is."""
    first, then = lying(base._array), lying(view._array)
    geometry = (first.strides, first.offset)
    return TABLE["as_strided"].function(whole, view._array.shape, then.strides, then.offset, geometry)


def _snapshot(t: Tensor) -> Tensor:
    s = wrap(t._array.copy())
    s._rg, s._edge = t._rg, t._edge
    if t._extra is not None and t._extra.tangents:
        s.more().tangents = dict(t._extra.tangents)
    return s
