"""grad, vjp, jvp and what is made of them. Each works on plain tensors and the one tape, and nests with itself, with the
others and with `vmap`: reverse mode differentiates at a fresh place in the graph, forward mode at a fresh level.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import forward_ad as fad
from ..core.backward import grad as engine_grad
from ..core.modes import LOCAL, set_mode
from ..core.node import AccumulateGrad
from ..core.pytree import describe, flatten, tree_map, unflatten
from ..core.tangents import attach, lie_as, tangent_at
from ..core.tensor import Tensor, wrap
from .opened import NO_SAVED_HOOKS, Opened


def _place(x: Tensor) -> Tensor:
    """A fresh place in the graph for `x`: what is differentiated at it is not confused with other uses of `x`."""
    if x._rg:
        return x.view_as(x)
    t = wrap(x._array, x._array.dtype.kind in "fcV")
    if x._extra is not None and not x.is_inference():  # what an inference tensor holds may be recorded here
        t._extra = x._extra
        if x._extra.base is not None:
            t._vc = x._vc
    return t


class _Recording(Opened):
    """Grad mode on inside a transform, whatever it is outside; knows whether results may be recorded there."""

    def __enter__(self) -> _Recording:
        self.outside = LOCAL.grad
        self.inference = LOCAL.inference
        if LOCAL.saved_hooks:
            raise RuntimeError(NO_SAVED_HOOKS)
        super().__enter__()
        set_mode("grad", True)
        if self.inference:
            set_mode("inference", False)
        return self

    def __exit__(self, *exc: Any) -> None:
        super().__exit__()
        set_mode("grad", self.outside)
        if self.inference:
            set_mode("inference", True)


def _reaches_outside(outputs: list[Tensor], places: list[Tensor]) -> bool:
    """Does the graph of `outputs` end anywhere but at the transform's own places (a leaf outside, an outer transform)?"""
    own = {id(p) for p in places}
    stack = [o._edge[0] if o._edge is not None else None for o in outputs if isinstance(o, Tensor) and o._rg]
    if any(o._edge is None and id(o) not in own for o in outputs if isinstance(o, Tensor) and o._rg):
        return True
    seen = set()
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node.__class__ is AccumulateGrad and id(node.variable) not in own:
            return True
        stack.extend(target for target, _ in node.next)
    return False


def _detached(tree: Any) -> Any:
    return tree_map(lambda t: fad.unlinked(t) if isinstance(t, Tensor) and t._rg else t, tree)


def _wrap_leaves(tree: Any, what: str) -> tuple[Any, list[Tensor]]:
    leaves, spec = flatten(tree)
    for x in leaves:
        if not isinstance(x, Tensor):
            raise ValueError(f"Thing passed to transform API must be Tensor, got {type(x)}")
        if x._array.dtype.kind not in "fcV":
            raise RuntimeError("only Tensors of floating point dtype can require gradients")
    places = [_place(x) for x in leaves]
    return unflatten(places, spec), places


def _tensors_in(*trees: Any) -> list[Tensor]:
    return [x for x in flatten(trees)[0] if isinstance(x, Tensor)]


def _outputs(result: Any, where: str) -> tuple[list[Tensor], Any]:
    """What the user's function returned: tensors, and the structure they came in."""
    outputs, spec = flatten(result)
    if not outputs or (len(outputs) == 1 and outputs[0] is None):
        raise RuntimeError(f"{where}: Expected f to be a function that has non-empty output (got output = {outputs})")
    for o in outputs:
        if not isinstance(o, Tensor):
            raise RuntimeError(f"{where}: expected f(*primals) to return only tensors, got unsupported type {type(o)}")
    return outputs, spec


def _with_aux(result: Any) -> Any:
    """(output, aux), of which aux may hold tensors only."""
    for a in flatten(result[1])[0]:
        if not isinstance(a, Tensor):
            raise RuntimeError(f"Expected tensors, got unsupported type {type(a)}")
    return result


def grad_and_value(
    func: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """`(gradient, value)` of a scalar function with respect to the arguments `argnums`; with `has_aux`,
    `(gradient, (value, aux))`.
    """

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        numbers, _ = chosen_arguments(args, argnums)
        with _Recording(func, _tensors_in(args, kwargs)) as mode:
            inner = list(args)
            places = mode.places
            specs = []
            for n in numbers:
                inner[n], found = _wrap_leaves(args[n], "grad")
                leaves, spec = flatten(args[n])
                specs.append((len(found), spec))
                mode.entered += zip(found, leaves, strict=True)
                places += found
            result = func(*inner, **kwargs)
            aux = None
            if has_aux:
                if not (isinstance(result, tuple) and len(result) == 2):
                    raise RuntimeError(
                        "grad_and_value(f)(*args): output of function f should be a tuple: (output, aux) if has_aux is True"
                    )
                result, aux = _with_aux(result)
            if not isinstance(result, Tensor):
                raise RuntimeError(
                    f"grad_and_value(f)(*args): Expected f(*args) to return a Tensor, got {type(result)}"
                )
            if result._array.ndim != 0:
                raise RuntimeError(
                    "grad_and_value(f)(*args): Expected f(*args) to return a scalar tensor, got tensor with "
                    f"{result._array.ndim} dims. Maybe you wanted to use the vjp or jacrev APIs instead?"
                )
            tracked = mode.outside and _reaches_outside([result], places)
            grads = _gradients([result], places, None, tracked)
        answer = []
        at = 0
        for count, spec in specs:
            answer.append(unflatten(grads[at : at + count], spec))
            at += count
        gradient = tuple(answer) if isinstance(argnums, tuple) else answer[0]
        if not tracked:
            result, aux = _detached(result), _detached(aux)
        return (gradient, (result, aux)) if has_aux else (gradient, result)

    return wrapper


def _gradients(
    outputs: list[Tensor], places: list[Tensor], cotangents: list[Tensor] | None, tracked: bool
) -> list[Tensor]:
    """Gradients at `places`, zeros where nothing depends on one; recorded if `tracked` or in forward mode."""
    create = tracked  # forward mode needs no recording: a walk inside a dual level carries tangents by itself
    pairs = [
        (o, c)
        for o, c in zip(outputs, cotangents or itertools.repeat(None, len(outputs)), strict=True)
        if isinstance(o, Tensor) and o._rg
    ]
    if pairs:
        wanted = [p for p in places if p._rg]
        starts = [_ones(o) if c is None else c for o, c in pairs]
        found = iter(engine_grad([o for o, _ in pairs], wanted, starts, True, create, allow_unused=True))
        grads = [next(found) if p._rg else None for p in places]
    else:
        grads = [None] * len(places)
    return [_zeros(p) if g is None else g for g, p in zip(grads, places, strict=True)]


def _ones(t: Tensor) -> Tensor:
    return wrap(np.ones(t._array.shape, t._array.dtype))


def _zeros(t: Tensor) -> Tensor:
    return wrap(np.zeros(t._array.shape, t._array.dtype))


def grad(func: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The gradient of a scalar function with respect to the arguments `argnums`; with `has_aux`, `(gradient, aux)`."""
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        gradient, value = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return wrapper


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """`(func(*primals), vjp_fn)`: `vjp_fn(cotangents)` gives one vector-Jacobian product for each primal.

    With `has_aux`, `(output, vjp_fn, aux)`.
    """
    with _Recording(func, _tensors_in(primals)) as mode:
        inner, places = _wrap_leaves(tuple(primals), "vjp")
        mode.places = places
        mode.entered += zip(places, flatten(primals)[0], strict=True)
        result = func(*inner)
        aux = None
        if has_aux:
            if not (isinstance(result, tuple) and len(result) == 2):
                raise RuntimeError(
                    "vjp(f, *primals): output of function f should be a tuple: (output, aux) if has_aux is True"
                )
            result, aux = _with_aux(result)
    outputs, spec = _outputs(result, "vjp(f, *primals)")
    reaches = _reaches_outside(outputs, places)
    tracked = mode.outside and reaches
    primal_specs = [flatten(p)[1] for p in primals]
    counts = [len(flatten(p)[0]) for p in primals]

    def vjp_fn(cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        given, given_spec = flatten(cotangents)
        if given_spec != spec:
            raise RuntimeError(
                f"Expected pytree structure of cotangents to be the same as pytree structure of outputs to the function. "
                f"cotangents: {describe(given_spec)}, primal output: {describe(spec)}"
            )
        with _Recording() as inside:
            recorded = inside.outside and (reaches or any(c._rg for c in given))
            grads = _gradients(outputs, places, given, recorded)
        answer = []
        at = 0
        for count, s in zip(counts, primal_specs, strict=True):
            answer.append(unflatten(grads[at : at + count], s))
            at += count
        return tuple(answer)

    out = unflatten(outputs, spec)
    if not tracked:
        out, aux = _detached(out), _detached(aux)
    return (out, vjp_fn, aux) if has_aux else (out, vjp_fn)


def jvp(func: Callable[..., Any], primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False) -> Any:
    """`(func(*primals), Jacobian times tangents)`, computed forwards; with `has_aux`, `(output, jvp, aux)`."""
    if not isinstance(primals, tuple):
        raise RuntimeError(
            "jvp(f, primals, tangents): Expected primals to be a tuple. E.g. it should be valid to call f(*primals)."
        )
    leaves, spec = flatten(primals)
    directions, tangent_spec = flatten(tangents)
    if spec != tangent_spec:
        raise RuntimeError(
            "jvp(f, primals, tangents): Expected primals and tangents to have the same python structure. For example, if "
            f"primals is a tuple of 3 tensors, tangents also must be. Got primals with structure {describe(spec)} and tangents "
            f"with structure {describe(tangent_spec)}"
        )
    if not leaves:
        raise RuntimeError("jvp(f, primals, tangents): Expected primals to contain at least one Tensor.")
    inference = set_mode("inference", False)
    pushing, LOCAL.push = LOCAL.push, True
    level = fad.open_level()
    opened = Opened(func, leaves, level).__enter__()
    try:
        duals = [_dual(p, t, level) for p, t in zip(leaves, directions, strict=True)]
        result = func(*unflatten(duals, spec))
        aux = None
        if has_aux:
            if not (isinstance(result, tuple) and len(result) == 2):
                raise RuntimeError(
                    "jvp(f, primals, tangents): output of function f should be a tuple: (output, aux) if has_aux is True"
                )
            result, aux = _with_aux(result)
        outputs, out_spec = _outputs(result, "jvp(f, primals, tangents)")
        pushed = []
        for o in outputs:
            t = tangent_at(o, level)
            if t is None:
                if strict:
                    raise RuntimeError(
                        "jvp(f, primals, tangents, strict=True): The output of f is independent of the inputs. This is not "
                        "allowed with strict=True."
                    )
                t = _zeros(o)
            pushed.append(t)
        plain = [fad.strip(o, level) for o in outputs]
        if has_aux:
            aux = tree_map(lambda a: fad.strip(a, level) if isinstance(a, Tensor) else a, aux)
    finally:
        opened.__exit__()
        fad.close_level()
        LOCAL.push = pushing
        set_mode("inference", inference)
    out = unflatten(plain, out_spec), unflatten(pushed, out_spec)
    return (*out, aux) if has_aux else out


def _dual(p: Any, t: Any, level: int) -> Tensor:
    for x, what in ((p, "primals"), (t, "tangents")):
        if not isinstance(x, Tensor):
            raise RuntimeError(f"jvp(f, primals, tangents): Expected {what} to only contain Tensors, got {type(x)}")
    if p._array.shape != t._array.shape:
        raise RuntimeError(
            "Trying to set a forward gradient that has a different size than that of the original Tensor, this is not "
            f"supported. Tensor is of size {list(p._array.shape)} while the given forward gradient is of size "
            f"{list(t._array.shape)}."
        )
    if p._array.dtype.kind not in "fcV":
        raise ValueError(f"Expected primal to be floating point or complex, but got: {p.dtype}")
    dual = p.view_as(p) if p._rg or fad.tangent_level(p) >= 0 else wrap(p._array)
    return attach(dual, lie_as(t, dual), level)


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """`(func(*primals), jvp_fn)`: `jvp_fn(*tangents)` is the Jacobian at `primals` times the tangents.

    The function is run once; `jvp_fn` transposes its backward pass, so it costs no forward pass.
    """
    output, pull = vjp(func, *primals)
    outputs, spec = flatten(output)
    leaves, in_spec = flatten(primals)
    with _Recording():
        probes = [wrap(np.zeros(o._array.shape, o._array.dtype), True) for o in outputs]
        pulled = flatten(pull(unflatten(probes, spec)))[0]

    def jvp_fn(*tangents: Any) -> Any:
        given, given_spec = flatten(tangents)
        if given_spec != in_spec:
            raise RuntimeError(
                f"Expected the tangents {describe(given_spec)} to have the same argspec as the primals {describe(in_spec)}"
            )
        for i, (t, p) in enumerate(zip(given, leaves, strict=True)):
            for what, a, b in (("shape", t.shape, p.shape), ("dtype", t.dtype, p.dtype)):
                if a != b:
                    raise RuntimeError(
                        f"tangent:{i} with {what} {a} in flattened pytree doesn't match the {what} {b} of the corresponding "
                        "primal."
                    )
        with _Recording():
            pairs = [(g, t) for g, t in zip(pulled, given, strict=True) if g._rg]
            found = (
                engine_grad([g for g, _ in pairs], probes, [t for _, t in pairs], create_graph=True, allow_unused=True)
                if pairs
                else [None] * len(probes)
            )
        answer = unflatten([_zeros(p) if f is None else f for f, p in zip(found, probes, strict=True)], spec)
        return answer if tracked or any(t._rg for t in given) else _detached(answer)

    tracked = any(o._rg for o in outputs)
    return output, jvp_fn


def chosen_arguments(args: tuple[Any, ...], argnums: Any) -> tuple[tuple[int, ...], Any]:
    """The numbers of the arguments to differentiate, and those arguments."""
    if not isinstance(argnums, (int, tuple)):
        raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    numbers = argnums if isinstance(argnums, tuple) else (argnums,)
    if not numbers:
        raise RuntimeError("argnums must be non-empty")
    for n in numbers:
        if not isinstance(n, int):
            raise RuntimeError(f"argnum must be int, got: {type(n)}")
        if not -len(args) <= n < len(args):
            raise RuntimeError(f"Got argnum={n}, but only {len(args)} positional inputs")
    if len({n % len(args) for n in numbers}) != len(numbers):
        raise RuntimeError(f"argnums elements must be unique, got {numbers}")
    return numbers, tuple(args[n] for n in numbers)
