"""The careful road: how a call of an operation becomes a result and a Node where the fast road does not know the way.

It knows dtype promotion, Python numbers, modes, forward mode, vmap, `out=`, and its errors say what was wrong. The fast road
(`fast_road`) leaves to it whatever it does not recognise, so there is one meaning, in two speeds.
"""

from __future__ import annotations

from time import perf_counter_ns
from typing import Any

import numpy as np

from . import dtypes
from .batched import Batched, first_example, refuse_escaped, run_forward, top_level
from .fast_road import LEFT, by_position, quiet, write
from .modes import LOCAL, MODES
from .node import NO_EDGE, SEQUENCE, Node, leaf_edge
from .node_calls import versions_of
from .op import LIST, OPTIONAL, Op
from .overriding import FOREIGN
from .tensor import PLAIN_TYPES, Tensor, mark_inference, wrap
from .variant import ARRAY_TYPES, NUMBER_TYPES, Variant, variant

_F32, _F64 = np.dtype(np.float32), np.dtype(np.float64)

_new = object.__new__


def type_error(op: Op, position: int, name: str, expected: str, value: Any) -> TypeError:
    kind = type(value)
    shown = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    simple = op.name.rsplit(".", 1)[-1]
    name = op.names.get(name, name)
    return TypeError(f"{simple}(): argument '{name}' (position {position}) must be {expected}, not {shown}")


def promote(op: Op, operands: list[Any]) -> dtypes.dtype | None:
    """The dtype to compute in, by `op.promote`: None leaves operands as they are."""
    mode = op.promote
    if mode is None or mode == "none":
        return None
    common = dtypes.result_type(operands)
    if mode == "float" and common.category < dtypes.FLOATING:
        return dtypes.get_default_dtype()
    return common


def broadcast_check(arrays: list[Any]) -> None:
    """PyTorch's error for shapes that do not broadcast."""
    shapes = [a.shape if hasattr(a, "shape") else () for a in arrays]
    if len(set(shapes) - {()}) < 2:
        return
    known: tuple[int, ...] = ()
    for shape in shapes:
        a, b = known, shape
        n = max(len(a), len(b))
        merged = []
        for d in range(n):
            da = a[d - n + len(a)] if d - n + len(a) >= 0 else 1
            db = b[d - n + len(b)] if d - n + len(b) >= 0 else 1
            if da != db and 1 not in (da, db):
                # PyTorch finds the last dimension that clashes first.
                for e in range(n - 1, -1, -1):
                    ea = a[e - n + len(a)] if e - n + len(a) >= 0 else 1
                    eb = b[e - n + len(b)] if e - n + len(b) >= 0 else 1
                    if ea != eb and 1 not in (ea, eb):
                        raise RuntimeError(
                            f"The size of tensor a ({ea}) must match the size of tensor b ({eb}) at non-singleton "
                            f"dimension {e}"
                        )
            merged.append(db if da == 1 else da)
        known = tuple(merged)


def classify(op: Op, values: tuple[Any, ...]) -> tuple[list[Any], bool, Any]:
    """Check each tensor argument's type. Returns (values as a list, any Tensor among them, interpreter or None).

    An interpreter is an argument that is neither array nor Tensor but knows how to be computed with: it has
    `__wengert_op__(op, values)` (symbols, batched arrays, tracers, Tensor subclasses).
    """
    vals = list(values)
    tensors = False
    interpreter = None
    for i, p in op.tensor_places:
        v = vals[i]
        if v.__class__ in PLAIN_TYPES and p.kind != LIST:
            tensors = True
            continue
        if v is None and p.kind == OPTIONAL:
            continue
        items: Any = (v,)
        if p.kind == LIST:
            if isinstance(v, (Tensor, np.ndarray)) or not hasattr(v, "__iter__"):
                raise type_error(op, i + 1, p.name, "tuple of Tensors", v)
            vals[i] = items = tuple(v)
        for k, x in enumerate(items):
            cls = x.__class__
            if cls in PLAIN_TYPES:
                tensors = True
            elif cls in ARRAY_TYPES or (p.scalar and cls in NUMBER_TYPES):
                continue
            elif hasattr(cls, "__wengert_op__"):
                interpreter = x if interpreter is None else max(interpreter, x, key=_priority)
            elif isinstance(x, Tensor):
                tensors = True
            elif hasattr(cls, "__torch_function__"):
                interpreter = FOREIGN
            elif p.kind == LIST:
                raise TypeError(f"expected Tensor as element {k} in argument {i}, but got {type(x).__name__}")
            elif p.scalar and isinstance(x, (int, float, complex)):
                vals[i] = x if isinstance(x, (bool, int, float, complex)) else float(x)
            else:
                raise type_error(op, i + 1, p.name, "Tensor", x)
    return vals, tensors, interpreter


def _priority(x: Any) -> int:
    return int(getattr(x, "__wengert_priority__", 0))


def careful(op: Op, values: tuple[Any, ...], out: Any = None) -> Any:
    """Run one operation with every check and every mode."""
    observers = LOCAL.observers
    if observers:
        LOCAL.began = perf_counter_ns()
    grad, inference = LOCAL.grad, LOCAL.inference
    if MODES.active and out is None and LOCAL.special == (observers != ()) + (not grad) + inference:
        # No mode but that nothing is recorded, and perhaps somebody looking on: the fast road as if nobody did, then tell.
        result = (unwatched if grad and not inference else unrecorded)(op)(*values)
        if result is not LEFT:
            outputs = result if isinstance(result, tuple) else (result,)
            if isinstance(outputs[0], Tensor):
                if inference:
                    _mark_inferred(outputs)
                for observer in observers:
                    observer.recorded(op, values, outputs)
            return result
    if op.precision is not None and LOCAL.autocast is not None and out is None:
        values = LOCAL.autocast.cast(op.precision, values)
    vals, tensors, interpreter = classify(op, values)
    if interpreter is not None:
        return interpreter.__wengert_op__(op, vals)
    if not tensors:
        return _on_arrays(op, vals)
    if op.composite is not None and MODES.active and out is None and _by_definition(op, vals):
        plain = [v for v, p in zip(vals, op.params, strict=True) if not p.keyword_only]
        return op.composite(*plain, **{p.name: v for v, p in zip(vals, op.params, strict=True) if p.keyword_only})
    if MODES.active and (LOCAL.dual_level >= 0):
        from .forward_ad import careful_jvp, has_tangents

        if has_tangents(vals):
            return careful_jvp(op, vals, out)
    return apply(op, vals, out)


def _by_definition(op: Op, vals: list[Any]) -> bool:
    """Must a fused operation be computed by its definition? Batched arrays and tangents are not for its kernel."""
    flat = [x for v in vals for x in (v if isinstance(v, tuple) else (v,))]
    if any(isinstance(x, Tensor) and x._array.__class__ is Batched for x in flat):
        return op.batch is None
    if LOCAL.dual_level >= 0 and op.jvp is None:
        from .forward_ad import has_tangents

        return has_tangents(vals)
    return False


def unwatched(op: Op) -> Any:
    """The row's function as if nobody looked on; see `fast_road.by_position`."""
    if op.unwatched is None:
        write(op)
        op.unwatched = by_position(op, op.body)
    return op.unwatched


def unrecorded(op: Op) -> Any:
    """The same where nothing is to be recorded: `fast_road.quiet`."""
    if op.unrecorded is None:
        op.unrecorded = quiet(op)
    return op.unrecorded


def _on_arrays(op: Op, vals: list[Any]) -> Any:
    """No tensor among the arguments: a rule at work, or a mistake."""
    positions = [i for i, p in enumerate(op.params) if p.is_tensor]
    if positions and not any(_is_array(vals[i]) for i in positions):
        i = positions[0]
        if op.of_numbers and isinstance(vals[i], (int, float, complex)):
            first = np.asarray(vals[i], dtypes.of_scalar(vals[i]).np)
            return apply(op, [*vals[:i], wrap(first), *vals[i + 1 :]])
        raise type_error(op, i + 1, op.params[i].name, "Tensor", vals[i])
    results = forward(op, vals)
    if op.variadic:
        return tuple(results)
    return results[0] if len(op.outputs) == 1 else tuple(results[: len(op.outputs)])


def _is_array(v: Any) -> bool:
    if isinstance(v, tuple):
        return all(x.__class__ in ARRAY_TYPES for x in v)
    return v.__class__ in ARRAY_TYPES


def forward(op: Op, vals: list[Any]) -> list[Any]:
    """The forward on arrays, with promotion and checks. Returns outputs, then what is saved besides."""
    arrays = list(vals)
    for i, p in op.tensor_places:
        v = vals[i]
        arrays[i] = tuple(getattr(x, "_array", x) for x in v) if p.kind == LIST else getattr(v, "_array", v)
    level = top_level(arrays)
    if level >= 0:
        refuse_escaped(op.name, *arrays)
    if op.check is not None:
        op.check(*(arrays if level < 0 else first_example(arrays)))
    common = None
    if op.promote is not None and not (op.kind == "elementwise" and _uniform(op, arrays)):
        flat: list[Any] = []
        for i, p in op.tensor_places:
            if vals[i] is not None:
                flat.extend(arrays[i]) if p.kind == LIST else flat.append(arrays[i])
        if op.kind == "elementwise":
            broadcast_check(flat)
        if op.promote == "same":
            _same_dtype(op, flat)
        common = promote(op, flat)
        if common is not None:
            target = common.np
            for i, p in op.tensor_places:
                if vals[i] is not None:
                    a = arrays[i]
                    arrays[i] = tuple(cast(x, target) for x in a) if p.kind == LIST else cast(a, target)
    try:
        results = run_forward(op, arrays, level)
    except np.linalg.LinAlgError:
        raise
    except (ValueError, TypeError) as error:
        if type(error) is ValueError or "ufunc" in str(error):
            simple = op.name.rsplit(".", 1)[-1]
            if "ufunc" in str(error):
                which = common.name if common is not None else "these"
                raise NotImplementedError(f"\"{simple}\" not implemented for '{_type_name(common, which)}'") from error
            raise RuntimeError(f"{simple}(): {error}") from error
        raise
    if op.single and not op.aux:
        results = (results,)
    results = list(results)
    for k in range(len(results) if op.variadic else len(op.outputs)):
        if results[k].__class__ is not np.ndarray and isinstance(results[k], np.generic):
            results[k] = np.asarray(results[k])
    if op.promote == "default" and common is not None and results[0].dtype.kind != "b":
        results[0] = cast(results[0], common.np)
    return results


def _uniform(op: Op, arrays: list[Any]) -> bool:
    """Does computing in the default dtype, or in floats, ask for nothing: operands are floats of one dtype and shape?"""
    if op.promote not in ("default", "float"):
        return False
    first = None
    for i, _ in op.tensor_places:
        a = arrays[i]
        if first is None:
            first, dtype = a, getattr(a, "dtype", None)
            if dtype is not _F32 and dtype is not _F64:
                return False
        elif getattr(a, "dtype", None) is not dtype or a.shape != first.shape:
            return False
    return True


def _type_name(common: dtypes.dtype | None, fallback: str) -> str:
    return common.tensor_type if common is not None else fallback


def _same_dtype(op: Op, arrays: list[Any]) -> None:
    first = arrays[0].dtype
    for a in arrays[1:]:
        if a.dtype != first:
            simple = op.name.rsplit(".", 1)[-1]
            raise RuntimeError(
                f"{simple}(): expected all operands to have the same dtype, but got: "
                f"{dtypes.of(first).tensor_type.lower()} != {dtypes.of(a.dtype).tensor_type.lower()}"
            )


def cast(a: Any, target: np.dtype[Any]) -> Any:
    """An array, or a Python number, in dtype `target`. Integers wrap, complex loses its imaginary part."""
    if a.__class__ in NUMBER_TYPES:
        if a.__class__ is int and target.kind in "iu":
            return np.asarray(a & (1 << 64) - 1 if a >= 1 << 63 else a).astype(target)
        return np.asarray(a).astype(target)
    if a.dtype == target:
        return a
    if a.dtype.kind == "c" and target.kind != "c":
        return a.real.astype(target)
    return a.astype(target)


def pattern_of(op: Op, vals: list[Any]) -> str:
    return "".join(
        ["L" if p.kind == LIST else "T" if isinstance(vals[i], Tensor) else "S" for i, p in op.tensor_places]
    )


def apply(op: Op, vals: list[Any], out: Any = None) -> Any:
    """Forward on Tensors and, where gradients are wanted, the node."""
    for i, p in op.tensor_places:
        v = vals[i]
        if p.kind == LIST:
            vals[i] = tuple(wrap(np.asarray(x)) if x.__class__ in ARRAY_TYPES else x for x in v)
        elif v.__class__ in ARRAY_TYPES:
            vals[i] = wrap(np.asarray(v))
    if out is not None:
        refuse_out(op, vals, out)
    results = forward(op, vals) if LOCAL.replay is None else LOCAL.replay(op, vals, forward)
    n_out = len(results) if op.variadic else len(op.outputs)
    outputs = [wrap(np.asarray(x) if x.__class__ in ARRAY_TYPES else x) for x in results[:n_out]]
    if op.view:
        from .views import mark_view, note_rebuild

        first = vals[0]  # of a list, each result is a view of the element in its place
        for t, x in zip(outputs, first if isinstance(first, tuple) else (first,) * len(outputs), strict=True):
            mark_view(t, x, op.view == "maybe", op.multi_view)
        if LOCAL.view_replay:
            note_rebuild(op, vals, outputs)
    if LOCAL.inference:
        _mark_inferred(outputs)
    elif LOCAL.grad:
        record(op, vals, outputs, results)
    if LOCAL.anomaly is not None:
        LOCAL.anomaly.computed(op, vals, outputs)
    if LOCAL.observers:
        for observer in LOCAL.observers:
            observer.recorded(op, vals, outputs)
    if out is not None:
        from .out import write_out

        return write_out(op, vals, out, outputs)
    if op.single:
        return outputs[0]
    return tuple(outputs) if op.result is tuple else op.result(*outputs)


def _mark_inferred(outputs: Any) -> None:
    for t in outputs:
        base = t._base  # a view of a normal tensor is a normal tensor
        if base is None or (base._extra is not None and base._extra.inference):
            mark_inference(t)


def refuse_out(op: Op, vals: list[Any], out: Any) -> None:
    """`out=` and gradients do not go together."""
    simple = op.name.rsplit(".", 1)[-1]
    outs = out if isinstance(out, (tuple, list)) else (out,)
    if len(outs) != len(op.outputs) or not all(isinstance(t, Tensor) for t in outs):
        raise type_error(op, 0, "out", "Tensor" if len(op.outputs) == 1 else "tuple of Tensors", out)
    flat = [x for p, v in zip(op.params, vals, strict=True) if p.is_tensor for x in (v if p.kind == LIST else (v,))]
    if LOCAL.vmap_levels and any(isinstance(x, Tensor) and x._is_batched() for x in (*flat, *outs)):
        raise RuntimeError(
            f"Batching rule not implemented for aten::{simple}.out; the fallback path doesn't work on out= or view ops."
        )
    if LOCAL.dual_level >= 0:
        from .forward_ad import has_tangents
        from .forward_ad import refuse_out as refuse_dual

        if has_tangents(list(outs)):
            refuse_dual(op.name)
    if not LOCAL.grad:
        return
    if any(isinstance(x, Tensor) and x._rg for x in flat) or any(t._rg for t in outs):
        raise RuntimeError(
            f"{simple}(): functions with out=... arguments don't support automatic differentiation, but one of the "
            "arguments requires grad."
        )


def record(op: Op, vals: list[Any], outputs: list[Any], results: list[Any]) -> Node | None:
    """Make the node of an operation that ran on the careful road, if any argument needs a gradient."""
    if not any(op.differentiable):
        return None
    if op.kind != "elementwise" or _alike(op, vals, outputs[0]):
        v = variant(op, pattern_of(op, vals))
    else:
        v = variant(op, pattern_of(op, vals), _any_complex(op, vals, outputs), mixes(op, vals, outputs[0]))
    plain = not LOCAL.saved_hooks and LOCAL.mutation is None and LOCAL.anomaly is None
    if plain and v.recorder is not None and all(t._array.dtype.kind in "fcV" for t in outputs):
        node: Node | None = v.recorder(vals, outputs, results)
        return node
    by_name = {p.name: value for p, value in zip(op.params, vals, strict=True)}
    needs = {}
    for i, p in v.targets:
        value = by_name[p.name]
        needs[i] = any(x._rg for x in value) if p.kind == LIST else value._rg
    if not any(needs.values()):
        return None
    differentiable = op.differentiable_among(outputs)
    if not any(d and o._array.dtype.kind in "fcV" for d, o in zip(differentiable, outputs, strict=True)):
        return None
    n: Any = _new(v.node)
    n.seq = next(SEQUENCE)
    n.extra = None
    n.freed = False
    if op.variadic:
        n.n_outputs = len(outputs)
    if len(outputs) == 1:
        n.shape, n.dtype = outputs[0]._array.shape, outputs[0]._array.dtype
    else:
        n.shape = None
        n.outs = tuple((t._array.shape, t._array.dtype) for t in outputs)
    edges: list[Any] = []
    targets = {i for i, _ in v.targets}
    for i, p in enumerate(op.tensor_params):
        value = by_name[p.name]
        if p.kind == LIST:
            edges.extend((x._edge or leaf_edge(x)) if x._rg and i in targets else NO_EDGE for x in value)
        else:
            edges.append((value._edge or leaf_edge(value)) if needs.get(i) else NO_EDGE)
    n.next = tuple(edges)
    _save(n, v, by_name, needs, outputs, results)
    for k, (t, d) in enumerate(zip(outputs, differentiable, strict=True)):
        if d and t._array.dtype.kind in "fcV":
            t._rg = True
            t._edge = (n, k)
    if LOCAL.anomaly is not None:
        LOCAL.anomaly.made(n, vals, outputs)
    return n


def _alike(op: Op, vals: list[Any], output: Any) -> bool:
    """Are all operands and the result of one real dtype? Then nothing is complex, and nothing was promoted."""
    d = output._array.dtype
    if d is not _F32 and d is not _F64:
        return False
    return all(v._array.dtype is d for i, _ in op.tensor_places if isinstance(v := vals[i], Tensor))


def mixes(op: Op, vals: list[Any], output: Any) -> bool:
    """Was an operand of an elementwise operation promoted to the result's dtype?"""
    if op.promote not in ("default", "float"):
        return False
    d = output._array.dtype
    return any(
        p.is_tensor and isinstance(v, Tensor) and v._array.dtype != d for p, v in zip(op.params, vals, strict=True)
    )


def _any_complex(op: Op, vals: list[Any], outputs: list[Any]) -> bool:
    flat = [x for p, v in zip(op.params, vals, strict=True) if p.is_tensor for x in (v if p.kind == LIST else (v,))]
    return any(
        isinstance(x, complex) or (isinstance(x, Tensor) and x._array.dtype.kind == "c") for x in (*flat, *outputs)
    )


def _save(
    n: Any, v: Variant, by_name: dict[str, Any], needs: dict[int, bool], outputs: list[Any], results: list[Any]
) -> None:
    from .saved import pack

    op = v.op
    saved_tensors = []
    counters: list[Any] = []
    for name, (how, users) in v.saves.items():
        wanted = op.joint is not None or any(needs[i] for i in users)
        if how == "tensor":
            value = pack(n, by_name[name]) if wanted else None
            saved_tensors.append((name, value))
        elif how == "list":
            value = tuple(pack(n, x) for x in by_name[name])
            saved_tensors.extend((name, x) for x in value)
        elif how == "plain":
            value = by_name[name]
        elif how == "shape":
            value = by_name[name.removesuffix("_shape")]._array.shape
        elif how == "scalar_shape":
            value = ()
        elif how == "shapes":
            value = tuple(x._array.shape for x in by_name[name.removesuffix("_shape")])
        elif how == "output":
            t = outputs[op.outputs.index(name)]
            if t._vc is None:
                t._vc = [0, None]
            counters.append(t._vc)
            value = pack(n, t, op.outputs.index(name))
        elif how == "output_shape":
            value = outputs[op.outputs.index(name.removesuffix("_shape"))]._array.shape
        else:
            value = results[len(op.outputs) + op.aux.index(name)]
        setattr(n, name, value)
    if any(how in ("tensor", "list") for how, _ in v.saves.values()):
        n.versions = versions_of(tuple(saved_tensors))
    if counters:
        n.out_counters = tuple(counters)
        n.out_versions = tuple(c[0] for c in counters)
