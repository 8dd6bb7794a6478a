"""`gradcheck` and `gradgradcheck`: derivatives against finite differences.

The numerical Jacobian is taken by central differences, f(x + eps) - f(x - eps) over 2 eps, one element of the input at a
time; for a complex input along the real and the imaginary axis, combined as the conjugate convention asks
(dL/da + i dL/db). A failure says where the two Jacobians differ most, by how much, and what was tolerated.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.tensor import Tensor, wrap
from . import grad as _grad

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(RuntimeError):
    """A derivative does not agree with finite differences."""


def _tuple(x: Any) -> tuple[Any, ...]:
    return tuple(x) if isinstance(x, (tuple, list)) else (x,)


def _differentiable(outputs: tuple[Any, ...]) -> list[Tensor]:
    return [o for o in outputs if isinstance(o, Tensor) and o.requires_grad]


def _floating(outputs: tuple[Any, ...]) -> list[Tensor]:
    return [o for o in outputs if isinstance(o, Tensor) and o._array.dtype.kind in "fc"]


def _check_inputs(inputs: tuple[Any, ...]) -> list[int]:
    wanted = [i for i, t in enumerate(inputs) if isinstance(t, Tensor) and t.requires_grad]
    if not wanted:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True."
        )
    for i in wanted:
        t = inputs[i]
        if t._array.dtype not in (np.float64, np.complex128):
            warnings.warn(
                f"Input #{i} requires gradient and is not a double precision floating point or complex. This check will "
                "likely fail if all the inputs are not of double precision floating point or complex. ",
                UserWarning,
                stacklevel=3,
            )
        if t._array.size and any(s == 0 and n > 1 for s, n in zip(t._array.strides, t._array.shape, strict=True)):
            raise RuntimeError(
                f"The {i}th input has a dimension with stride 0. gradcheck only supports inputs that are non-overlapping to "
                "be able to compute the numerical gradients correctly. You should call .contiguous on the input before "
                "passing it to gradcheck."
            )
    return wanted


def _evaluate(func: Callable[..., Any], inputs: tuple[Any, ...], count: int) -> list[Any]:
    """Values of the outputs with respect to which derivatives are taken."""
    outs = _tuple(func(*inputs))
    return [np.array(o._array) for o in outs if isinstance(o, Tensor) and o._array.dtype.kind in "fc"][:count]


def numerical_jacobians(func: Callable[..., Any], inputs: tuple[Any, ...], i: int, eps: float, count: int) -> list[Any]:
    """For each output, the (input size, output size) matrix of central differences with respect to input `i`."""
    x = inputs[i]._array
    rows: list[list[Any]] = [[] for _ in range(count)]
    # The elements are changed in place, behind autograd's back, and put back.
    for place in np.ndindex(*x.shape):
        before = x[place]
        steps = [eps] if x.dtype.kind == "f" else [eps, 1j * eps]
        slopes = []
        for step in steps:
            x[place] = before + step
            above = _evaluate(func, inputs, count)
            x[place] = before - step
            below = _evaluate(func, inputs, count)
            x[place] = before
            slopes.append([(a - b) / (2 * eps) for a, b in zip(above, below, strict=True)])
        for k in range(count):
            rows[k].append(tuple(s[k].reshape(-1) for s in slopes))
    sizes = [] if x.size else [o.size for o in _evaluate(func, inputs, count)]
    return [
        [
            np.array([r[j] for r in rows[k]]) if rows[k] else np.zeros((0, sizes[k]))
            for j in range(1 if x.dtype.kind == "f" else 2)
        ]
        for k in range(count)
    ]


def _expected(jacobian: list[Any], cotangent: Any) -> Any:
    """The gradient that finite differences predict for one cotangent: d<u, f>/da + i d<u, f>/db, the real part of <u, f>."""
    u = np.conj(cotangent.reshape(-1))
    parts = [(j @ u).real for j in jacobian]
    return parts[0] if len(parts) == 1 else parts[0] + 1j * parts[1]


def _basis(out: Tensor) -> Any:
    """Unit cotangents of an output (with i times each, for a complex one)."""
    n = out._array.size
    for e in range(n):
        for unit in (1.0,) if out._array.dtype.kind == "f" else (1.0, 1j):
            u = np.zeros(n, out._array.dtype)
            u[e] = unit
            yield e, u.reshape(out._array.shape)


def _report(kind: str, k: int, i: int, numeric: Any, analytic: Any, atol: float, rtol: float) -> str:
    error = np.abs(numeric - analytic)
    excess = error - (atol + rtol * np.abs(numeric))
    at = np.unravel_index(int(np.argmax(np.nan_to_num(excess, nan=np.inf))), error.shape)
    return (
        f"Jacobian {kind}mismatch for output {k} with respect to input {i},\nnumerical:{numeric}\nanalytical:{analytic}\n"
        f"worst at [input element, output element] {tuple(int(a) for a in at)}: numerical {numeric[at]}, analytical "
        f"{analytic[at]}, difference {error[at]:.3g}, tolerated {atol + rtol * abs(numeric[at]):.3g}\n"
    )


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Compare the derivatives of `func` at `inputs` with finite differences of step `eps`.

    True if every element differs by no more than `atol + rtol * |numerical|`; else GradcheckError, or False without
    `raise_exception`. Inputs that require grad should be float64 or complex128. `fast_mode` compares one random
    projection instead of whole Jacobians.
    """
    try:
        return _gradcheck(
            func, _tuple(inputs), eps, atol, rtol, nondet_tol, check_undefined_grad, check_forward_ad, check_backward_ad,
            check_batched_grad, fast_mode,
        )  # fmt: skip
    except GradcheckError:
        if raise_exception:
            raise
        return False


def _gradcheck(
    func: Any,
    inputs: tuple[Any, ...],
    eps: float,
    atol: float,
    rtol: float,
    nondet_tol: float,
    undefined: bool,
    forward: bool,
    backward: bool,
    batched: bool,
    fast: bool,
) -> bool:
    wanted = _check_inputs(inputs)
    outputs = _tuple(func(*inputs))
    floating = _floating(outputs)
    if not floating:
        raise ValueError("gradcheck: the function returned no floating point or complex tensor")
    sources = [inputs[i] for i in wanted]
    jacobians = {i: numerical_jacobians(func, inputs, i, eps, len(floating)) for i in wanted}
    for k, out in enumerate(floating):
        if not out.requires_grad:
            for i in wanted:
                if any(np.abs(j).max(initial=0) > atol for j in jacobians[i][k]):
                    raise GradcheckError("Numerical gradient for function expected to be zero")
            continue
        if backward:
            _check_reverse(out, sources, wanted, jacobians, k, atol, rtol, nondet_tol)
    if backward and undefined:
        _check_undefined(outputs, sources)
    if batched:
        _check_batched(floating, sources)
    if forward:
        _check_forward(func, inputs, wanted, jacobians, floating, atol, rtol)
    return True


def _check_reverse(
    out: Tensor,
    sources: list[Tensor],
    wanted: list[int],
    jacobians: Any,
    k: int,
    atol: float,
    rtol: float,
    nondet: float,
) -> None:
    columns: dict[int, list[Any]] = {i: [] for i in wanted}
    numeric: dict[int, list[Any]] = {i: [] for i in wanted}
    for _, u in _basis(out):
        grads = _grad(out, sources, wrap(u), retain_graph=True, allow_unused=True)
        again = _grad(out, sources, wrap(u), retain_graph=True, allow_unused=True)
        for i, t, g, h in zip(wanted, sources, grads, again, strict=True):
            a = np.zeros(t._array.size, t._array.dtype) if g is None else np.asarray(g._array).reshape(-1)
            b = np.zeros(t._array.size, t._array.dtype) if h is None else np.asarray(h._array).reshape(-1)
            if g is not None and g._array.shape != t._array.shape:
                raise GradcheckError("grad is incorrect size")
            if a.size and np.abs(a - b).max() > nondet:
                raise GradcheckError(
                    "Backward is not reentrant, i.e., running backward with same input and grad_output multiple times "
                    f"gives different values, although analytical gradient matches numerical gradient. The tolerance for "
                    f"nondeterminism was {nondet}."
                )
            columns[i].append(a)
            numeric[i].append(_expected(jacobians[i][k], u))
    for i in wanted:
        if not columns[i]:
            continue
        analytic, expected = np.array(columns[i]).T, np.array(numeric[i]).T
        if not np.allclose(analytic, expected, rtol=rtol, atol=atol, equal_nan=True):
            raise GradcheckError(_report("", k, i, expected, analytic, atol, rtol))


def _check_undefined(outputs: tuple[Any, ...], sources: list[Tensor]) -> None:
    """With some output gradients missing, and with zeros in their place, the result is the same."""
    outs = _differentiable(outputs)
    if len(outs) < 2:
        return
    for k, out in enumerate(outs):
        one = wrap(np.ones(out._array.shape, out._array.dtype))
        zeros = [wrap(np.zeros(o._array.shape, o._array.dtype)) for o in outs]
        zeros[k] = one
        alone = _grad(out, sources, one, retain_graph=True, allow_unused=True)
        together = _grad(outs, sources, zeros, retain_graph=True, allow_unused=True)
        for a, b in zip(alone, together, strict=True):
            x = 0.0 if a is None else a._array
            y = 0.0 if b is None else b._array
            if not np.allclose(x, y, equal_nan=True):
                raise GradcheckError(
                    "Expected backward function to handle undefined output grads. Please look at 'Notes about undefined "
                    "output gradients' in 'tools/autograd/derivatives.yaml'"
                )


def _check_batched(outs: list[Tensor], sources: list[Tensor]) -> None:
    rng = np.random.default_rng(0)
    for out in outs:
        if not out.requires_grad:
            continue
        many = rng.standard_normal((3, *out._array.shape)).astype(out._array.dtype)
        together = _grad(out, sources, wrap(many), retain_graph=True, allow_unused=True, is_grads_batched=True)
        for b in range(3):
            one = _grad(out, sources, wrap(np.asarray(many[b])), retain_graph=True, allow_unused=True)
            for x, y in zip(together, one, strict=True):
                if x is not None and y is not None and not np.allclose(x._array[b], y._array):
                    raise GradcheckError(
                        "While computing batched gradients, got a result unlike that of each by itself."
                    )


def _check_forward(
    func: Any,
    inputs: tuple[Any, ...],
    wanted: list[int],
    jacobians: Any,
    floating: list[Tensor],
    atol: float,
    rtol: float,
) -> None:
    from . import forward_ad as fwAD

    for i in wanted:
        x = inputs[i]
        n = x._array.size
        for e in range(n):
            for part, unit in enumerate((1.0,) if x._array.dtype.kind == "f" else (1.0, 1j)):
                t = np.zeros(n, x._array.dtype)
                t[e] = unit
                with fwAD.dual_level():
                    duals = list(inputs)
                    duals[i] = fwAD.make_dual(x.detach(), wrap(t.reshape(x._array.shape)))
                    outs = _floating(_tuple(func(*duals)))
                    pushed = [fwAD.unpack_dual(o).tangent for o in outs]
                for k, (o, p) in enumerate(zip(outs, pushed, strict=True)):
                    got = np.zeros(o._array.size) if p is None else np.asarray(p._array).reshape(-1)
                    expected = jacobians[i][k][part][e]
                    if not np.allclose(got, expected, rtol=rtol, atol=atol, equal_nan=True):
                        raise GradcheckError(
                            _report("computed with forward mode ", k, i, expected[None], got[None], atol, rtol)
                        )


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """`gradcheck` of the gradient of `func`, with respect to the inputs and to the cotangents."""
    inputs = _tuple(inputs)
    outputs = _differentiable(_tuple(func(*inputs)))
    if grad_outputs is None:
        rng = np.random.default_rng(1)
        cotangents = []
        for o in outputs:
            u = rng.standard_normal(o._array.shape)
            u = u + 1j * rng.standard_normal(o._array.shape) if o._array.dtype.kind == "c" else u
            u = np.asarray(u).astype(o._array.dtype)
            if gen_non_contig_grad_outputs and u.ndim:
                u = np.repeat(u, 2, axis=-1)[..., ::2]
            cotangents.append(wrap(u, True))
    else:
        cotangents = list(_tuple(grad_outputs))
    wanted = [i for i, t in enumerate(inputs) if isinstance(t, Tensor) and t.requires_grad]
    count = len(inputs)

    def gradient(*args: Any) -> Any:
        ins, us = args[:count], args[count:]
        ins = tuple(
            t.detach().requires_grad_() if i in wanted and not t.requires_grad else t for i, t in enumerate(ins)
        )
        outs = _differentiable(_tuple(func(*ins)))
        sources = [ins[i] for i in wanted]
        grads = _grad(outs, sources, us, create_graph=True, allow_unused=True)
        kept = tuple(g for g in grads if g is not None)
        return kept

    if not outputs:
        raise ValueError("gradgradcheck: no output requires grad")
    probe = gradient(*inputs, *cotangents)
    if not any(g.requires_grad for g in probe):
        return True  # the gradient is constant: nothing to differentiate
    return gradcheck(
        gradient, (*inputs, *cotangents), eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception,
        nondet_tol=nondet_tol, check_undefined_grad=check_undefined_grad, check_batched_grad=check_batched_grad,
        check_forward_ad=check_fwd_over_rev, check_backward_ad=check_rev_over_rev, fast_mode=fast_mode,
    )  # fmt: skip
