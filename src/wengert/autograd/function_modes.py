"""A Function in forward mode (its `jvp`) and under `vmap`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..core.modes import LOCAL, set_mode
from ..core.pytree import broadcast_to, describe, flatten, unflatten
from ..core.tangents import attach, tangent_at
from ..core.tensor import Tensor, wrap

NO_CONTEXT = (
    "In order to use an autograd.Function with functorch transforms (vmap, grad, jvp, jacrev, ...), it must override the "
    "setup_context staticmethod. For more details, please see https://pytorch.org/docs/main/notes/extending.func.html"
)


class VmapInfo(NamedTuple):
    """What a Function's `vmap` is told."""

    batch_size: int
    randomness: str


def push(
    cls: Any, node: Any, args: tuple[Any, ...], plain: tuple[Any, ...], results: tuple[Any, ...], level: int
) -> tuple[Any, ...]:
    """Forward mode: the user's jvp gives the tangents of the outputs."""
    ctx = node.ctx
    given = []
    for a in args:
        t = tangent_at(a, level) if isinstance(a, Tensor) else None
        if t is None and isinstance(a, Tensor) and ctx._materialize and a._array.dtype.kind in "fcV":
            t = wrap(np.zeros(a._array.shape, a._array.dtype))
        given.append(t)
    versions = {id(t): t._version for t in given if t is not None}
    ctx._in_jvp = True
    try:
        pushed = cls.jvp(ctx, *given)
    finally:
        del ctx.__dict__["_in_jvp"]
    found = pushed if isinstance(pushed, tuple) else (pushed,)
    if len(found) != len(results):
        raise RuntimeError(
            f"{cls.__name__}.jvp returned {len(found)} tangents, but forward returned {len(results)} outputs"
        )
    constant = {id(t) for t in ctx.non_differentiable or ()}
    dirty = {id(t) for t in ctx.dirty_tensors or ()}
    sources = {id(p): (a, t) for p, a, t in zip(plain, args, given, strict=True) if isinstance(p, Tensor)}
    returned = list(results)
    for k, (o, t) in enumerate(zip(results, found, strict=True)):
        if t is None or not isinstance(o, Tensor):
            continue
        if id(o) in constant or o._array.dtype.kind not in "fcV":
            raise RuntimeError(
                f"Function's jvp returned a gradient at position {k}, but the corresponding forward output is not a "
                "differentiable Tensor. You should return None at that position instead."
            )
        if id(o) in dirty and id(o) in sources:
            dual, tangent = sources[id(o)]
            unchanged = t is not tangent or tangent is None or tangent._version == versions[id(t)]
            returned[k] = _changed_dual(o, t, dual, unchanged, level)
            continue
        if isinstance(t, Tensor):
            _check_view_tangent(o, t, given, plain, args)
        if not isinstance(t, Tensor):
            raise RuntimeError(f"expected Variable or None (got {type(t).__name__}) for grad output {k}.")
        if t._array.shape != o._array.shape:
            raise RuntimeError(
                "Trying to set a forward gradient that has a different size than that of the original Tensor, this is not "
                f"supported. Tensor is of size {list(o.shape)} while the given forward gradient is of size "
                f"{list(t.shape)}."
            )
        attach(o, t, level)
    for saved in node._kept:
        if saved.output is not None:
            saved.tangents = returned[saved.output]._extra.tangents
    return tuple(returned)


def _changed_dual(o: Tensor, t: Any, dual: Tensor, unchanged: bool, level: int) -> Tensor:
    """An argument that forward changed in place (`o` is its primal): jvp must have changed its tangent likewise."""
    if unchanged:
        raise RuntimeError(
            "An inplace custom Function is not modifying the forward mode gradients inplace. If the forward is modifying an "
            "input inplace, then the jvp function must modify the corresponding gradient inplace."
        )
    if dual is not o:
        dual._array, dual._rg, dual._edge, dual._vc = o._array, o._rg, o._edge, o._vc
    return attach(dual, t, level)


def _check_view_tangent(o: Tensor, t: Tensor, given: list[Any], plain: tuple[Any, ...], args: tuple[Any, ...]) -> None:
    """Where forward returns a view of an argument, jvp must return that view of its tangent."""
    base = o._base
    if base is None:
        return
    places = [i for i, p in enumerate(plain) if isinstance(p, Tensor) and (p is base or p._base is base)]
    of = [given[i] for i in places]
    if not of:
        return
    if not t._is_view():
        raise RuntimeError(
            "A custom Function's forward is returning a view (or an input as-is) but the jvp is not returning a view."
        )
    roots = [g._base if isinstance(g, Tensor) and g._is_view() else g for g in of]
    if not any(t._base is r for r in roots):
        raise RuntimeError(
            "A custom Function is returning a view but the jvp is not returning a view of "
            + ("the same base." if any(args[i]._is_view() for i in places) else "the given grad input.")
        )


def mapped(cls: Any, args: tuple[Any, ...], separate: bool) -> Any:
    """Apply under vmap; NotImplemented where forward may simply run on the batch."""
    if not separate:
        raise RuntimeError(NO_CONTEXT)
    own = cls.overrides("vmap")
    more = "For more details, please see https://pytorch.org/docs/main/notes/extending.func.html"
    if cls.generate_vmap_rule:
        if own:
            raise RuntimeError(
                f"You tried to vmap over {cls.__name__}, but it has both generate_vmap_rule=True and an overridden vmap "
                "staticmethod. Please set generate_vmap_rule=False or delete the overridden vmap staticmethod to avoid "
                f"ambiguity. {more}"
            )
        return NotImplemented
    if not own:
        raise RuntimeError(
            f"You tried to vmap over {cls.__name__}, but it does not have vmap support. Please override and implement the "
            f"vmap staticmethod or set generate_vmap_rule=True. {more}"
        )
    from ..core.batched import is_at
    from ..func.vmap import from_examples, to_examples

    levels = LOCAL.vmap_levels
    level = levels[-1]
    leaves, spec = flatten(args)
    batched = [isinstance(a, Tensor) and is_at(a._array, level.number) for a in leaves]
    before = set_mode("vmap_levels", levels[:-1])
    try:
        if not any(batched):
            return cls.apply(*args)
        found = [level.given_for(a) if b else None for a, b in zip(leaves, batched, strict=True)]
        places = [(f[1] if f is not None else 0) if b else None for f, b in zip(found, batched, strict=True)]
        whole = [
            a if d is None else from_examples(a, d, level.number, level.size)
            for a, d in zip(leaves, places, strict=True)
        ]
        answer = cls.vmap(VmapInfo(level.size, level.randomness), unflatten(places, spec), *unflatten(whole, spec))
    finally:
        set_mode("vmap_levels", before)
    if not isinstance(answer, tuple) or len(answer) != 2:
        got = f"{len(answer)} returns" if isinstance(answer, tuple) else f"a {type(answer)}"
        raise RuntimeError(
            "Expected the vmap staticmethod to have two returns, an output and out_dims with pytree structure compatible "
            f"with the output. Got {got} instead"
        )
    result, out_dims = answer
    leaves, spec = flatten(result)
    out_places = broadcast_to(out_dims, spec)
    if out_places is None or any(isinstance(d, (tuple, list)) for d in out_places):
        raise RuntimeError(
            "The autograd.Function's vmap staticmethod returned an incompatible (output, out_dims) tuple. Expected "
            f"out_dims={out_dims} to be compatible with the structure of `output`. out_dims has structure "
            f"{describe(flatten(out_dims)[1])} but output has structure {describe(spec)}. {more}"
        )
    shown = [
        x if d is None or not isinstance(x, Tensor) else to_examples(x, d, level.number, level.size)
        for x, d in zip(leaves, out_places, strict=True)
    ]
    return unflatten(shown, spec)
