"""`jacrev`, `jacfwd` and `hessian`: whole Jacobians, by `vjp` or `jvp` over a basis with `vmap`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.pytree import flatten, tree_map, unflatten
from ..core.tensor import Tensor, wrap
from ..ops.joining import stack
from .transforms import chosen_arguments, jvp, vjp
from .vmap import vmap


def _basis(leaves: list[Tensor]) -> list[Tensor]:
    """For each leaf, unit vectors over all leaves together: (total, *shape)."""
    sizes = [x._array.size for x in leaves]
    total = sum(sizes)
    basis = []
    at = 0
    for x, n in zip(leaves, sizes, strict=True):
        b = np.zeros((total, n), x._array.dtype)
        b[np.arange(at, at + n), np.arange(n)] = 1
        basis.append(wrap(b.reshape((total, *x._array.shape))))
        at += n
    return basis


def _real(tensors: list[Any], where: str, what: str) -> None:
    for i, t in enumerate(tensors):
        if isinstance(t, Tensor) and t._array.dtype.kind == "c":
            raise RuntimeError(
                f"{where}: Expected all {what} to be real but received complex tensor at flattened input idx: {i}"
            )


def _partial(
    func: Callable[..., Any], args: tuple[Any, ...], numbers: tuple[int, ...], kwargs: Any
) -> Callable[..., Any]:
    """`func` of the chosen arguments alone. The others are arguments still: they may be changed in place."""

    def of_chosen(*chosen: Any) -> Any:
        full = list(args)
        for n, c in zip(numbers, chosen, strict=True):
            full[n] = c
        return func(*full, **kwargs)

    of_chosen.__wrapped__ = func  # type: ignore[attr-defined]
    return of_chosen


def jacrev(
    func: Callable[..., Any],
    argnums: int | tuple[int, ...] = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
    _preallocate_and_copy: bool = False,
) -> Callable[..., Any]:
    """The Jacobian, row by row in reverse mode: out.shape + in.shape for each output and chosen argument."""

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if chunk_size is not None and not chunk_size > 0:
            raise ValueError("jacrev: `chunk_size` should be greater than 0.")
        numbers, chosen = chosen_arguments(args, argnums)
        _real(flatten(chosen)[0], "jacrev", "inputs")
        found = vjp(_partial(func, args, numbers, kwargs), *chosen, has_aux=has_aux)
        output, pull = found[0], found[1]
        outputs, out_spec = flatten(output)
        _real(outputs, "jacrev", "outputs")
        basis = _basis(outputs)
        total = sum(o._array.size for o in outputs)
        if total == 1:  # a gradient: one row needs no batch
            row = pull(unflatten([b.squeeze(0) for b in basis], out_spec))
            rows = tree_map(lambda t: t.unsqueeze(0), row)
        elif chunk_size == 1:  # ... nor do rows one by one: what vmap cannot map is possible
            single = [pull(unflatten([b[k] for b in basis], out_spec)) for k in range(total)]
            columns = zip(*(flatten(row)[0] for row in single), strict=True)
            rows = unflatten([stack(column) for column in columns], flatten(single[0])[1])
        else:
            rows = vmap(lambda *c: pull(unflatten(list(c), out_spec)), chunk_size=chunk_size)(*basis)
        leaves, in_spec = flatten(rows)
        sources = flatten(chosen)[0]
        sizes = [o._array.size for o in outputs]
        per_output = []
        at = 0
        for o, n in zip(outputs, sizes, strict=True):
            blocks = [
                leaf.narrow(0, at, n).reshape((*o._array.shape, *x._array.shape))
                for leaf, x in zip(leaves, sources, strict=True)
            ]
            tree = unflatten(blocks, in_spec)
            per_output.append(tree if isinstance(argnums, tuple) else tree[0])
            at += n
        jacobian = unflatten(per_output, out_spec)
        return (jacobian, found[2]) if has_aux else jacobian

    return wrapper


def jacfwd(
    func: Callable[..., Any],
    argnums: int | tuple[int, ...] = 0,
    has_aux: bool = False,
    *,
    randomness: str = "error",
) -> Callable[..., Any]:
    """The Jacobian, column by column in forward mode: out.shape + in.shape for each output and chosen argument."""

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        numbers, chosen = chosen_arguments(args, argnums)
        target = _partial(func, args, numbers, kwargs)
        leaves, in_spec = flatten(chosen)
        _real(leaves, "jacfwd", "inputs")
        basis = _basis(leaves)

        def push(*directions: Any) -> Any:
            found = jvp(target, chosen, unflatten(list(directions), in_spec), has_aux=has_aux)
            return (found[1], found[2]) if has_aux else found[1]

        columns = vmap(push, out_dims=(-1, 0) if has_aux else -1, randomness=randomness)(*basis)
        aux = None
        if has_aux:
            columns, aux = columns
            aux = tree_map(lambda a: a[0], aux)
        outputs, out_spec = flatten(columns)
        _real(outputs, "jacfwd", "outputs")
        per_output = []
        for o in outputs:
            blocks = []
            at = 0
            for x in leaves:
                n = x._array.size
                blocks.append(o.narrow(-1, at, n).reshape((*o._array.shape[:-1], *x._array.shape)))
                at += n
            tree = unflatten(blocks, in_spec)
            per_output.append(tree if isinstance(argnums, tuple) else tree[0])
        jacobian = unflatten(per_output, out_spec)
        return (jacobian, aux) if has_aux else jacobian

    return wrapper


def hessian(func: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """The Hessian, reverse over reverse: only the second pass works on a batch, which forward over reverse does all along.

    For a function that can be differentiated backwards but once, `jacfwd(jacrev(func))`.
    """
    return jacrev(jacrev(func, argnums), argnums)
