"""What `gradcheck` compares: derivatives by finite differences, by reverse and by forward mode, as plain arrays.

A complex number counts as two real ones throughout: an input is stepped along the real and the imaginary axis, an output
is probed with the cotangents 1 and i. States no tolerance and raises no GradcheckError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..core.tensor import Tensor, wrap
from . import grad as _grad


def as_tuple(x: Any) -> tuple[Any, ...]:
    return tuple(x) if isinstance(x, (tuple, list)) else (x,)


def floating(outputs: tuple[Any, ...]) -> list[Tensor]:
    return [o for o in outputs if isinstance(o, Tensor) and o._array.dtype.kind in "fcV"]


def units(t: Tensor) -> tuple[complex, ...]:
    """The real directions of one element."""
    return (1.0,) if t._array.dtype.kind == "f" else (1.0, 1j)


def evaluate(func: Callable[..., Any], inputs: tuple[Any, ...]) -> list[np.ndarray[Any, Any]]:
    """Copies of the floating outputs' values."""
    return [np.array(o._array) for o in floating(as_tuple(func(*inputs)))]


def difference(above: list[Any], below: list[Any], eps: float) -> list[Any]:
    """Central differences of each output."""
    for a, b in zip(above, below, strict=True):
        for what in ("shape", "dtype"):
            x, y = getattr(a, what), getattr(b, what)
            if x != y:
                raise AssertionError(
                    f"Expected `func` to return outputs with the same {what} when inputs are perturbed, but got: {x} and {y}."
                )
    return [(a - b) / (2 * eps) for a, b in zip(above, below, strict=True)]


def numerical(func: Callable[..., Any], inputs: tuple[Any, ...], i: int, eps: float) -> list[list[Any]]:
    """For each output, one matrix (input size, output size) for each real direction of an element of input `i`."""
    x = inputs[i]._array
    slopes: list[list[Any]] = []  # by element, by direction: each output's
    # The elements are changed in place, behind autograd's back, and put back.
    for place in np.ndindex(*x.shape):
        before = x[place]
        row = []
        for unit in units(inputs[i]):
            x[place] = before + unit * eps
            above = evaluate(func, inputs)
            x[place] = before - unit * eps
            below = evaluate(func, inputs)
            x[place] = before
            row.append(difference(above, below, eps))
        slopes.append(row)
    here = evaluate(func, inputs)
    for row in slopes:
        for found in row:
            difference(here, found, 1.0)  # the shapes must not have changed either
    return [
        [
            np.array([row[j][k].reshape(-1) for row in slopes]).reshape(x.size, out.size)
            for j in range(len(units(inputs[i])))
        ]
        for k, out in enumerate(here)
    ]


def parts(u: Any) -> tuple[Any, ...]:
    """A direction as one along the real axes and, if it is complex, one along the imaginary ones."""
    return (u,) if u.dtype.kind != "c" else (u.real, 1j * u.imag)


def directional(func: Callable[..., Any], inputs: tuple[Any, ...], i: int, eps: float, u: Any) -> list[Any]:
    """The derivative of each output along `u` in input `i`, by a central difference."""
    x = inputs[i]._array
    before = x.copy()
    x[...] = before + eps * u
    above = evaluate(func, inputs)
    x[...] = before - eps * u
    below = evaluate(func, inputs)
    x[...] = before
    difference(above, evaluate(func, inputs), 1.0)
    return difference(above, below, eps)


def predicted(jacobian: list[Any], cotangent: Any) -> Any:
    """The gradient that finite differences predict: d<u, f>/da + i d<u, f>/db, with the real part of <u, f>."""
    u = np.conj(cotangent.reshape(-1))
    parts = [(j @ u).real for j in jacobian]
    return parts[0] if len(parts) == 1 else parts[0] + 1j * parts[1]


def basis(out: Tensor, unit: complex) -> Iterator[Any]:
    """Cotangents of an output: `unit` at one element after the other."""
    n = out._array.size
    for e in range(n):
        u = np.zeros(n, out._array.dtype)
        u[e] = unit
        yield u.reshape(out._array.shape)


def pulled(out: Tensor, sources: list[Tensor], u: Any) -> list[Any]:
    """Gradients of `sources` for one cotangent, as arrays; None where nothing arrives."""
    found = _grad(out, sources, wrap(u), retain_graph=True, allow_unused=True)
    return [None if g is None else np.array(g._array) for g in found]


def pushed(func: Callable[..., Any], inputs: tuple[Any, ...], tangents: dict[int, Any]) -> list[Any]:
    """Tangents of the floating outputs for tangents of some inputs: arrays (or batched ones), None where there is none."""
    from . import forward_ad as fwAD

    with fwAD.dual_level():
        duals = [t.detach() if isinstance(t, Tensor) else t for t in inputs]
        for i, t in tangents.items():
            duals[i] = fwAD.make_dual(duals[i], t if isinstance(t, Tensor) else wrap(t))
        outs = floating(as_tuple(func(*duals)))
        found = [fwAD.unpack_dual(o).tangent for o in outs]
    return [None if t is None else t for t in found]
