"""Forward mode: tangents carried beside the primal values.

A tensor's tangents live in `_extra.tangents`, by level; levels nest (the innermost `jvp` has the highest number), and
an operation works on the highest level that any argument has: primal and rule see that level removed, and so carry
the lower ones by themselves. That is all there is to nesting.

How an operation maps tangents follows from its kind (see `core.op`): elementwise rules multiply, linear operations
are applied to the tangent, a composite is run on dual numbers, and a general operation uses its `jvp` or, failing
that, transposes its vjp (the vjp is linear in g, so its own vjp with respect to g is the jvp).
"""

from __future__ import annotations

import itertools
from typing import Any, NoReturn

import numpy as np

from .modes import LOCAL, set_mode
from .op import LIST, Op
from .tangents import attach, lie_as, own, tangent_at
from .tensor import Tensor, wrap


def tangent_level(x: Any) -> int:
    """The innermost open level at which `x` has a tangent, or -1."""
    if isinstance(x, Tensor) and x._extra is not None and x._extra.tangents:
        return max((k for k in x._extra.tangents if k in LOCAL.dual_levels), default=-1)
    return -1


# A level's number is never used again: a tangent that outlives its level is not taken for one of a later level.
_NUMBERS = itertools.count()


def open_level() -> int:
    """Open a level inside those that are open."""
    level = next(_NUMBERS)
    LOCAL.dual_levels = (*LOCAL.dual_levels, level)
    set_mode("dual_level", level)
    return level


def close_level() -> None:
    """Close the innermost level."""
    LOCAL.dual_levels = LOCAL.dual_levels[:-1]
    set_mode("dual_level", LOCAL.dual_levels[-1] if LOCAL.dual_levels else -1)


def has_tangents(vals: list[Any]) -> bool:
    if not LOCAL.push:
        return False
    for v in vals:
        for x in v if v.__class__ is tuple else (v,):
            if isinstance(x, Tensor) and x._extra is not None and x._extra.tangents and tangent_level(x) >= 0:
                return True
    return False


def strip(x: Any, level: int) -> Any:
    """The same value (and place in the graph) without its tangent at `level`."""
    if tangent_level(x) < level:
        return x
    t = wrap(x._array)
    t._rg, t._edge, t._vc = x._rg, x._edge, x._vc
    if x._rg and x._edge is None:
        from .node import leaf_edge

        t._edge = leaf_edge(x)
    rest = {k: v for k, v in x._extra.tangents.items() if k != level}
    if rest:
        t.more().tangents = rest
    return t


def unlinked(x: Tensor) -> Tensor:
    """The same values outside the graph, with their tangents (which `detach()` drops), themselves outside it."""
    t = wrap(x._array)
    t._vc = x._vc
    if x._extra is not None and x._extra.tangents:
        t.more().tangents = {k: unlinked(v) for k, v in x._extra.tangents.items()}
    return t


def refuse_out(name: str) -> NoReturn:
    """`out=` and tangents do not go together."""
    raise NotImplementedError(
        f"Trying to use forward AD with {name.rsplit('.', 1)[-1]}_out that does not support it because it is an out= function"
    )


def careful_jvp(op: Op, vals: list[Any], out: Any = None) -> Any:
    """Run `op` on arguments some of which have tangents."""
    if out is not None:
        refuse_out(op.name)
    flat = [x for v in vals for x in (v if isinstance(v, tuple) else (v,))]
    level = max(tangent_level(x) for x in flat)
    primals = [tuple(strip(x, level) for x in v) if isinstance(v, tuple) else strip(v, level) for v in vals]
    if op.view:
        aliases: Any = primals[0] if isinstance(vals[0], tuple) else (primals[0],)
        for alias, x in zip(aliases, vals[0] if isinstance(vals[0], tuple) else (vals[0],), strict=True):
            if alias is not x:
                _stand_in(alias, x)
    tangents = {}
    for p, v in zip(op.params, vals, strict=True):
        if p.is_tensor:
            if p.kind == LIST:
                found: Any = [tangent_at(x, level) for x in v]
                if any(t is not None for t in found):
                    tangents[p.name] = found
            else:
                t = tangent_at(v, level)
                if t is not None:
                    tangents[p.name] = t
    result = call(op, primals)
    outs = result if isinstance(result, tuple) else (result,)
    found = push(op, primals, tangents, outs)
    for o, d, t in zip(outs, op.differentiable_among(outs), found, strict=True):
        if d and t is not None and o._array.dtype.kind in "fcV":
            attach(o, own(lie_as(fit(t, o), o), o, flat, level), level)
    node = next((o._edge[0] for o in outs if o._edge is not None), None)
    if node is not None and node.op is op:
        save_duals(node, primals, vals, outs)
    return result


def _stand_in(alias: Tensor, x: Tensor) -> None:
    """A view of `alias` is to be a view of `x`."""
    if x._vc is None:
        x._vc = [0, None]
    alias._vc = x._vc
    extra, source = alias.more(), x._extra
    assert source is not None
    extra.base = x if source.base is None else source.base
    extra.multi_view, extra.creation = source.multi_view, source.creation


class DualOutput:
    """A result that its own node saved, with its tangents: where a node without forward mode has the array."""

    __slots__ = ("_array", "k", "tangents")

    def __init__(self, saved: Any, k: int, tangents: dict[int, Any]) -> None:
        self._array = saved._array if hasattr(saved, "unpack") else saved
        self.k = k
        self.tangents = tangents

    def unpack(self, node: Any) -> Tensor:
        t = wrap(self._array)
        t._rg, t._edge = True, (node, self.k)
        t.more().tangents = dict(self.tangents)
        return t


def save_duals(node: Any, primals: list[Any], vals: list[Any], outs: tuple[Any, ...]) -> None:
    """Forward over reverse: the node must keep what it saved with tangents, for its rule will be pushed forward too."""
    duals: dict[int, Tensor] = {}
    for p, v in zip(primals, vals, strict=True):
        pairs = zip(p, v, strict=True) if isinstance(p, tuple) else ((p, v),)
        duals.update({id(a): b for a, b in pairs if a is not b})
    for name, (how, _) in node.variant.saves.items():
        saved = getattr(node, name)
        if how == "tensor":
            kept: Any = duals.get(id(saved), saved)
        elif how == "list":
            kept = tuple(duals.get(id(x), x) for x in saved)
        elif how == "output":
            k = node.op.outputs.index(name)
            extra = outs[k]._extra
            kept = DualOutput(saved, k, extra.tangents) if extra is not None and extra.tangents else saved
        else:
            continue
        setattr(node, name, kept)
    versions = getattr(node, "versions", None)
    if versions:
        versions.update({id(b): versions[a] for a, b in duals.items() if a in versions})


def fit(t: Tensor, out: Tensor) -> Tensor:
    """A tangent has its primal's shape and dtype."""
    if t._array.shape != out._array.shape:
        t = t.expand(out._array.shape)
    if t._array.dtype != out._array.dtype:
        real = t._array.dtype.kind == "c" and out._array.dtype.kind != "c"
        t = (t.real if real else t).to(out.dtype)
    return t


def call(op: Op, vals: list[Any]) -> Any:
    args = [v for v, p in zip(vals, op.params, strict=True) if not p.keyword_only]
    kwargs = {p.name: v for v, p in zip(vals, op.params, strict=True) if p.keyword_only}
    return op.function(*args, **kwargs)


def push(op: Op, primals: list[Any], tangents: dict[str, Any], outs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Tangents of the outputs from those of the arguments."""
    if not any(op.differentiable):
        return (None,) * len(outs)
    if op.jvp is not None:
        result = op.jvp(**_jvp_arguments(op, primals, tangents, outs))
        pushed = iter(result if isinstance(result, tuple) else (result,))
        return tuple(next(pushed) if d else None for d in op.differentiable_among(outs))
    if op.kind == "elementwise":
        return (_push_elementwise(op, primals, tangents, outs),)
    if op.kind == "linear" and not op.aux:
        return _push_linear(op, primals, tangents)
    return _transpose_twice(op, primals, tangents, outs)


def environment(op: Op, primals: list[Any], outs: tuple[Any, ...]) -> dict[str, Any]:
    """Everything a rule's parameters may name."""
    env: dict[str, Any] = {}
    for p, v in zip(op.params, primals, strict=True):
        env[p.name] = v
        if p.is_tensor:
            if p.kind == LIST:
                env[p.name + "_shape"] = tuple(tuple(x.shape) for x in v)
            elif v is not None:
                env[p.name + "_shape"] = tuple(v.shape) if hasattr(v, "shape") else ()
    for name, o in zip(op.outputs, outs, strict=not op.variadic):
        env[name] = o
        env[name + "_shape"] = tuple(o.shape)
    return env


def _jvp_arguments(op: Op, primals: list[Any], tangents: dict[str, Any], outs: tuple[Any, ...]) -> dict[str, Any]:
    """A jvp rule's parameters: values by name, and `t_<argument>` for tangents (zeros where there is none)."""
    import inspect

    env = environment(op, primals, outs)
    wanted = inspect.signature(op.jvp).parameters  # type: ignore[arg-type]
    given = {}
    for name in wanted:
        if name.startswith("t_"):
            base = name[2:]
            t = tangents.get(base)
            if t is None:
                value = env[base]
                t = wrap(np.zeros(value._array.shape, value._array.dtype)) if isinstance(value, Tensor) else 0.0
            given[name] = t
        else:
            given[name] = env[name]
    return given


def _push_elementwise(op: Op, primals: list[Any], tangents: dict[str, Any], outs: tuple[Any, ...]) -> Any:
    from .record import mixes

    env = environment(op, primals, outs)
    if mixes(op, primals, outs[0]):
        d = outs[0].dtype
        env.update({p.name: v.to(d) for p, v in zip(op.params, primals, strict=True) if isinstance(v, Tensor)})
    total = None
    for name, t in tangents.items():
        rule = op.rules.get(name)
        if rule is None:
            continue
        if hasattr(rule.fn, "missing"):
            raise NotImplementedError(
                f"Trying to use forward AD with {op.name.replace('.', '_')} that does not support it because it has not been "
                "implemented yet."
            )
        if rule.constant:
            term = t if rule.fn == 1 else t * rule.fn
        elif rule.takes_g:
            term = rule.fn(t, *(env[n] for n in rule.names[1:]))
        else:
            term = t * rule.fn(*(env[n] for n in rule.names))
        if term._array.shape != outs[0]._array.shape:
            term = term.expand(outs[0]._array.shape)
        total = term if total is None else total + term
    return total


def _push_linear(op: Op, primals: list[Any], tangents: dict[str, Any]) -> tuple[Any, ...]:
    """(Multi)linear: the operation itself with one argument at a time replaced by its tangent."""
    totals: list[Any] | None = None
    for i, p in enumerate(op.params):
        t = tangents.get(p.name)
        if t is None or (p.name not in op.rules and op.joint is None):
            continue
        if p.kind == LIST:
            t = tuple(
                wrap(np.zeros(x._array.shape, x._array.dtype)) if d is None else d
                for d, x in zip(t, primals[i], strict=True)
            )
        args = list(primals)
        args[i] = t
        result = call(op, args)
        terms = list(result) if isinstance(result, tuple) else [result]
        totals = terms if totals is None else [a + b for a, b in zip(totals, terms, strict=True)]
    return tuple(totals) if totals is not None else (None,) * len(op.outputs)


def _transpose_twice(op: Op, primals: list[Any], tangents: dict[str, Any], outs: tuple[Any, ...]) -> tuple[Any, ...]:
    """jvp from vjp: differentiate `v -> vjp(v)`, which is linear, with respect to v, against the tangents."""
    from .backward import grad

    before = set_mode("grad", True)
    try:
        places: list[Any] = []
        args: list[Any] = []
        aims: list[Tensor] = []
        for p, v in zip(op.params, primals, strict=True):
            t = tangents.get(p.name)
            if t is None:
                args.append(v)
                continue
            if p.kind == LIST:
                items = []
                for x, d in zip(v, t, strict=True):
                    if d is None:
                        items.append(x)
                    else:
                        x = _fresh(x)
                        items.append(x)
                        places.append(x)
                        aims.append(d)
                args.append(tuple(items))
            else:
                x = _fresh(v)
                args.append(x)
                places.append(x)
                aims.append(t)
        result = call(op, args)
        results = result if isinstance(result, tuple) else (result,)
        chosen = [r for r in results if isinstance(r, Tensor) and r._rg]
        if not chosen:
            return (None,) * len(results)
        probes = []
        for r in chosen:
            v = wrap(np.zeros(r._array.shape, r._array.dtype), True)
            probes.append(v)
        back = grad(chosen, places, probes, create_graph=True, allow_unused=True)
        pairs = [(b, a) for b, a in zip(back, aims, strict=True) if b is not None and b._rg]
        if pairs:
            forward = grad(
                [b for b, _ in pairs], probes, [fit(a, b) for b, a in pairs], create_graph=True, allow_unused=True
            )
        else:
            forward = (None,) * len(probes)
        found = iter(forward)
        genuine = before and any(
            x is not None and x._rg
            for v in (*primals, *tangents.values())
            for x in (v if isinstance(v, (list, tuple)) else (v,))
            if isinstance(x, Tensor)
        )
        answer = []
        for r in results:
            if isinstance(r, Tensor) and r._rg:
                t = next(found)
                answer.append(wrap(np.zeros(r._array.shape, r._array.dtype)) if t is None else t)
            else:
                answer.append(None)
        if not genuine:  # the probes above are no part of the user's graph
            answer = [None if t is None else unlinked(t) for t in answer]
        return tuple(answer)
    finally:
        set_mode("grad", before)


def _fresh(x: Tensor) -> Tensor:
    """A place of its own in the graph for `x`, so that a derivative can be taken exactly there."""
    if x._rg:
        return x.view_as(x)
    t = wrap(x._array, True)
    t._extra = x._extra
    return t
