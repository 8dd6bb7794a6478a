"""`gradcheck` and `gradgradcheck`: derivatives against finite differences.

Jacobians are compared element by element or, in `fast_mode`, along one random direction. A failure says where the two
differ most, by how much, and what was tolerated. The derivatives themselves are taken in `autograd.jacobians`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..core.backward import run_walk
from ..core.modes import LOCAL
from ..core.node import leaf_edge
from ..core.tensor import Tensor, wrap
from ..kernels.generator import Generator, uniform
from . import grad as _grad
from .jacobians import as_tuple, basis, directional, floating, numerical, parts, predicted, pulled, pushed, units

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]

_NOTES = "Please look at 'Notes about undefined output gradients' in \"tools/autograd/derivatives.yaml\""
_PART = "While considering the {} part of complex outputs only, "


class GradcheckError(RuntimeError):
    """A derivative does not agree with finite differences."""


class _Check(NamedTuple):
    """What is checked, and how closely."""

    func: Callable[..., Any]
    inputs: tuple[Any, ...]
    wanted: list[int]  # which inputs require grad
    eps: float
    atol: float
    rtol: float
    nondet: float
    fast: bool

    @property
    def sources(self) -> list[Tensor]:
        return [self.inputs[i] for i in self.wanted]

    @property
    def zeros(self) -> dict[int, Any]:
        """Tangents of zero for all inputs that count."""
        return {i: np.zeros_like(self.inputs[i]._array) for i in self.wanted}

    def close(self, a: Any, b: Any, scale: float = 1.0) -> bool:
        return bool(np.allclose(a, b, rtol=self.rtol, atol=self.atol * scale, equal_nan=True))


def _wanted(inputs: tuple[Any, ...]) -> list[int]:
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
                stacklevel=4,
            )
        if t._array.size and any(s == 0 and n > 1 for s, n in zip(t._array.strides, t._array.shape, strict=True)):
            raise RuntimeError(
                f"The {i}th input has a dimension with stride 0. gradcheck only supports inputs that are non-overlapping to "
                "be able to compute the numerical gradients correctly. You should call .contiguous on the input before "
                "passing it to gradcheck."
            )
    return wanted


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
    `raise_exception`. Inputs that require grad should be float64 or complex128. `fast_mode` compares along one random
    direction instead of whole Jacobians.
    """
    if not (check_forward_ad or check_backward_ad):
        raise AssertionError("Expected at least one of check_forward_ad or check_backward_ad to be True")
    if check_batched_grad and not check_backward_ad:
        raise AssertionError("Setting check_batched_grad=True requires check_backward_ad to be True")
    if check_batched_forward_grad and not check_forward_ad:
        raise AssertionError("Setting check_batched_forward_grad=True requires check_forward_ad to be True")
    given = as_tuple(inputs)
    try:
        check = _Check(func, given, _wanted(given), eps, atol, rtol, nondet_tol, fast_mode)
        outputs = as_tuple(func(*given))
        outs = floating(outputs)
        compare = _fast if fast_mode else _slow
        compare(check, outs, check_backward_ad, check_forward_ad)
        recorded = [o for o in outs if o.requires_grad]
        if check_backward_ad and recorded:
            if check_batched_grad:
                _batched(check, recorded)
            _multiplied(check, recorded)
            if check_undefined_grad:
                _undefined(check, recorded)
        if check_forward_ad:
            if check_batched_forward_grad:
                _batched_forward(check)
            if check_undefined_grad:
                _undefined_forward(check)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


# -- Jacobians ---------------------------------------------------------------------------------------------------------


def _slow(check: _Check, outs: list[Tensor], backward: bool, forward: bool) -> None:
    jacobians = {i: numerical(check.func, check.inputs, i, check.eps) for i in check.wanted}
    for k, out in enumerate(outs):
        if out.requires_grad and backward:
            for unit in reversed(units(out)):
                prefix = "" if len(units(out)) == 1 else _PART.format("imaginary" if unit == 1j else "real")
                _slow_reverse(check, jacobians, k, out, unit, prefix)
        elif not out.requires_grad:
            for i in check.wanted:
                if any(np.abs(j).max(initial=0) > check.atol for j in jacobians[i][k]):
                    raise GradcheckError("Numerical gradient for function expected to be zero")
    if forward:
        for i in check.wanted:
            _slow_forward(check, jacobians[i], i)


def _slow_reverse(check: _Check, jacobians: Any, k: int, out: Tensor, unit: complex, prefix: str) -> None:
    columns: dict[int, list[Any]] = {i: [] for i in check.wanted}
    numeric: dict[int, list[Any]] = {i: [] for i in check.wanted}
    steady = True
    for u in basis(out, unit):
        grads, again = (_sized(check, pulled(out, check.sources, u)) for _ in range(2))
        for i, a, b in zip(check.wanted, grads, again, strict=True):
            steady = steady and (not a.size or not np.abs(a - b).max() > check.nondet)
            columns[i].append(a)
            numeric[i].append(predicted(jacobians[i][k], u))
    for i in check.wanted:
        if columns[i]:
            analytic, expected = np.array(columns[i]).T, np.array(numeric[i]).T
            if not check.close(analytic, expected):
                raise GradcheckError(prefix + _report("", k, i, expected, analytic, check))
    if not steady:
        raise _unsteady(check)


def _sized(check: _Check, grads: list[Any]) -> list[Any]:
    """Gradients as vectors, zeros where nothing arrived."""
    found = []
    for t, g in zip(check.sources, grads, strict=True):
        if g is not None and g.shape != t._array.shape:
            raise GradcheckError("grad is incorrect size")
        found.append(np.zeros(t._array.size, t._array.dtype) if g is None else g.reshape(-1))
    return found


def _unsteady(check: _Check) -> GradcheckError:
    return GradcheckError(
        "Backward is not reentrant, i.e., running backward with same input and grad_output multiple times gives different "
        f"values, although analytical gradient matches numerical gradient. The tolerance for nondeterminism was "
        f"{check.nondet}."
    )


def _slow_forward(check: _Check, jacobian: Any, i: int) -> None:
    x = check.inputs[i]._array
    for e in range(x.size):
        for part, unit in enumerate(units(check.inputs[i])):
            t = np.zeros(x.size, x.dtype)
            t[e] = unit
            for k, p in enumerate(pushed(check.func, check.inputs, {**check.zeros, i: t.reshape(x.shape)})):
                expected = jacobian[k][part][e]
                got = np.zeros(expected.size) if p is None else np.asarray(p._array).reshape(-1)
                if not check.close(got, expected):
                    raise GradcheckError(_report("computed with forward mode ", k, i, expected[None], got[None], check))


def _report(kind: str, k: int, i: int, numeric: Any, analytic: Any, check: _Check) -> str:
    error = np.abs(numeric - analytic)
    excess = error - (check.atol + check.rtol * np.abs(numeric))
    at = np.unravel_index(int(np.argmax(np.nan_to_num(excess, nan=np.inf))), error.shape)
    return (
        f"Jacobian {kind}mismatch for output {k} with respect to input {i},\nnumerical:{numeric}\nanalytical:{analytic}\n"
        f"worst at [input element, output element] {tuple(int(a) for a in at)}: numerical {numeric[at]}, analytical "
        f"{analytic[at]}, difference {error[at]:.3g}, tolerated {check.atol + check.rtol * abs(numeric[at]):.3g}\n"
    )


def _fast(check: _Check, outs: list[Tensor], backward: bool, forward: bool) -> None:
    """Along one random direction u of each input, and against one random cotangent v: Re <v, J u>.

    The real and the imaginary part of u are two directions; what belongs to them is compared as one complex number.
    """
    rng = Generator()  # a new one, so that directions and tolerances are PyTorch's
    tangents = {i: _direction(rng, check.inputs[i]) for i in check.wanted}
    cotangents = [_direction(rng, o) for o in outs]
    slopes = {
        i: [directional(check.func, check.inputs, i, check.eps, part) for part in parts(tangents[i])]
        for i in check.wanted
    }
    for k, out in enumerate(outs):
        v = cotangents[k]
        if not out.requires_grad:
            for i in check.wanted:
                if any(np.abs(s[k]).max(initial=0) > check.atol * _weight(tangents[i]) for s in slopes[i]):
                    raise GradcheckError("Numerical gradient for function expected to be zero")
        elif backward:
            grads, again = (_sized(check, pulled(out, check.sources, v)) for _ in range(2))
            for i, a in zip(check.wanted, grads, strict=True):
                _along(check, "", k, i, slopes[i], v, [np.vdot(a, u).real for u in parts(tangents[i])], tangents[i])
            if any(a.size and np.abs(a - b).max() > check.nondet for a, b in zip(grads, again, strict=True)):
                raise _unsteady(check)
    if forward:
        for i in check.wanted:
            dtype = check.inputs[i]._array.dtype
            pushes = [
                pushed(check.func, check.inputs, {**check.zeros, i: np.asarray(u, dtype)}) for u in parts(tangents[i])
            ]
            for k, v in enumerate(cotangents):
                got = [0.0 if p[k] is None else np.vdot(v, p[k]._array).real for p in pushes]
                _along(check, "computed with forward mode ", k, i, slopes[i], v, got, tangents[i])


def _random(rng: Any, t: Tensor) -> Any:
    a = rng.random(t._array.shape)
    a = a + 1j * rng.random(t._array.shape) if t._array.dtype.kind == "c" else a
    return np.asarray(a, t._array.dtype)


def _direction(rng: Generator, t: Tensor) -> Any:
    """Of length 1, real and imaginary part each: the error of a central difference grows with the cube of the length."""
    parts = [uniform(rng, t._array.size, np.float32).astype(np.float64) for _ in units(t)]
    unit = [a / np.linalg.norm(a) if a.size else a for a in parts]
    return np.asarray(unit[0] if len(unit) == 1 else unit[0] + 1j * unit[1], t._array.dtype).reshape(t._array.shape)


def _weight(a: Any) -> float:
    return float(np.abs(a.real).sum() + np.abs(a.imag).sum())


def _along(check: _Check, kind: str, k: int, i: int, slopes: Any, v: Any, found: list[float], u: Any) -> None:
    numeric, analytic = (complex(*x) for x in ([np.vdot(v, s[k]).real for s in slopes], found))
    if not check.close(analytic, numeric, _weight(u) * _weight(v)):
        if len(found) == 1:
            numeric, analytic = numeric.real, analytic.real
        raise GradcheckError(
            f"Jacobian {kind}mismatch for output {k} with respect to input {i},\nnumerical:{numeric}\nanalytical:{analytic}\n"
            "Both are v^T J u for one random u and v (fast_mode); without fast_mode the whole Jacobian is shown."
        )


# -- backward --------------------------------------------------------------------------------------------------------------


def _batched(check: _Check, outs: list[Tensor]) -> None:
    """A batch of cotangents in one pass gives what each gives by itself."""
    rng = np.random.default_rng(0)
    for k, out in enumerate(outs):
        many = np.stack([_random(rng, out) for _ in range(2)])
        try:
            together = _grad(
                out, check.sources, wrap(many), retain_graph=True, allow_unused=True, is_grads_batched=True
            )
        except RuntimeError as error:
            raise GradcheckError(
                "While computing batched gradients, got: "
                f"{error}\n\ngradcheck or gradgradcheck failed while testing batched gradient computation. This could have "
                "been invoked in a number of ways: via a test that calls gradcheck/gradgradcheck directly or via an "
                "autogenerated test. check_batched_grad=False turns this test off."
            ) from error
        for b in range(len(many)):
            one = pulled(out, check.sources, np.asarray(many[b]))
            for i, x, y in zip(check.wanted, together, one, strict=True):
                if (x is None) != (y is None) or (x is not None and not np.allclose(x._array[b], y, equal_nan=True)):
                    raise GradcheckError(
                        f"For output {k} and input {i}:\n\ngradcheck or gradgradcheck failed while testing batched gradient "
                        f"computation: in a batch {None if x is None else x._array[b]}, by itself {y}."
                    )


def _multiplied(check: _Check, outs: list[Tensor]) -> None:
    """With cotangents of zero every gradient is zero: the rules multiply by what arrives."""
    zeros = [wrap(np.zeros(o._array.shape, o._array.dtype)) for o in outs]
    for g in _grad(outs, check.sources, zeros, retain_graph=True, allow_unused=True):
        if g is not None and np.any(g._array != 0):
            raise GradcheckError("backward not multiplied by grad_output")


def _undefined(check: _Check, outs: list[Tensor]) -> None:
    """Gradients that do not arrive (None) are as good as zeros: of all outputs, and of each by itself."""
    edges = [t._edge or leaf_edge(t) for t in check.sources]
    for chosen in [outs] + [[o] for o in outs if len(outs) > 1]:
        roots = [(*(o._edge or leaf_edge(o)), None) for o in chosen]
        try:
            found = run_walk(roots, True, False, dict.fromkeys(edges), set())
        except RuntimeError as error:
            warnings.warn(
                "Backwards compatibility: New undefined gradient support checking feature is enabled by default, but it may "
                "break existing callers of this function. If this is true for you, you can call this function with "
                '"check_undefined_grad=False" to disable the feature',
                UserWarning,
                stacklevel=4,
            )
            raise GradcheckError(f"Expected backward function to handle undefined output grads. {_NOTES}") from error
        for g in found.values():
            if g is not None and np.any(np.asarray(g) != 0):
                raise GradcheckError(
                    "Expected all input grads to be undefined or zero when all output grads are undefined or zero. "
                    + _NOTES
                )


# -- forward mode ------------------------------------------------------------------------------------------------------------


def _batched_forward(check: _Check) -> None:
    """A batch of tangents in one call of a vmapped function gives what each gives by itself."""
    from ..func import vmap

    rng = np.random.default_rng(3)
    for i in check.wanted:
        many = np.stack([_random(rng, check.inputs[i]) for _ in range(2)])

        def push(t: Tensor, i: int = i) -> tuple[Tensor, ...]:
            # The batch is gradcheck's affair: what Functions must have for func's transforms is not asked of them.
            before, LOCAL.transforms = LOCAL.transforms, ()
            try:
                return tuple(p for p in pushed(check.func, check.inputs, {i: t}) if p is not None)
            finally:
                LOCAL.transforms = before

        try:
            together = vmap(push)(wrap(many))
        except RuntimeError as error:
            what = str(error)
            if "randomness error mode" in what:
                what = (
                    "vmap: We do not yet support calling random operations inside of vmap. Please perform random operations "
                    "outside of vmap as a workaround"
                )
            raise GradcheckError(
                f"While computing batched gradients, got: {what}\n\ngradcheck failed while testing batched forward gradient "
                "computation. check_batched_forward_grad=False turns this test off."
            ) from error
        for b in range(len(many)):
            alone = [p for p in pushed(check.func, check.inputs, {i: np.asarray(many[b])}) if p is not None]
            for x, y in zip(together, alone, strict=True):
                if not np.allclose(x._array[b], y._array, equal_nan=True):
                    raise GradcheckError(
                        f"For input {i}: gradcheck failed while testing batched forward gradient computation: in a batch "
                        f"{x._array[b]}, by itself {y._array}."
                    )


def _undefined_forward(check: _Check) -> None:
    """An input without a tangent is as good as one whose tangent is zero."""
    rng = np.random.default_rng(4)
    tangents = {i: _random(rng, check.inputs[i]) for i in check.wanted}
    for i in check.wanted:
        zero = pushed(check.func, check.inputs, {**tangents, i: np.zeros_like(tangents[i])})
        others = {j: t for j, t in tangents.items() if j != i}
        if not others:
            if any(p is not None and np.any(p._array != 0) for p in zero):
                raise GradcheckError(
                    "Expected all output tangents to be zero or undefined, for an input tangent of zero."
                )
            continue
        for p, q in zip(zero, pushed(check.func, check.inputs, others), strict=True):
            a, b = (0.0 if x is None else x._array for x in (p, q))
            if not np.allclose(a, b, equal_nan=True):
                raise GradcheckError(
                    f"Expected the same output tangents where input {i} has a tangent of zero and where it has none."
                )


# -- second derivatives ------------------------------------------------------------------------------------------------------


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
    if not (check_fwd_over_rev or check_rev_over_rev):
        raise AssertionError("Expected at least one of check_fwd_over_rev or check_rev_over_rev to be True")
    given = as_tuple(inputs)
    outputs = [o for o in as_tuple(func(*given)) if isinstance(o, Tensor) and o.requires_grad]
    if grad_outputs is None:
        rng = np.random.default_rng(1)
        cotangents = []
        for o in outputs:
            u = np.asarray(_random(rng, o) - 0.5)
            if gen_non_contig_grad_outputs and u.ndim:
                u = np.repeat(u, 2, axis=-1)[..., ::2]
            cotangents.append(wrap(u, True))
    else:
        cotangents = list(as_tuple(grad_outputs))
    wanted = [i for i, t in enumerate(given) if isinstance(t, Tensor) and t.requires_grad]
    count = len(given)

    def gradient(*args: Any) -> Any:
        ins, us = args[:count], args[count:]
        ins = tuple(t.requires_grad_() if i in wanted else t for i, t in enumerate(ins))  # dual ones come without
        outs = [o for o in as_tuple(func(*ins)) if isinstance(o, Tensor) and o.requires_grad]
        grads = _grad(outs, [ins[i] for i in wanted], us, create_graph=True, allow_unused=True)
        return tuple(g for g in grads if g is not None)

    if not outputs:
        raise ValueError("gradgradcheck: no output requires grad")
    probe = gradient(*given, *cotangents)
    if not any(g.requires_grad for g in probe):
        return True  # the gradient is constant: nothing to differentiate
    return gradcheck(
        gradient, (*given, *cotangents), eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception,
        nondet_tol=nondet_tol, check_undefined_grad=check_undefined_grad, check_batched_grad=check_batched_grad,
        check_forward_ad=check_fwd_over_rev, check_backward_ad=check_rev_over_rev, fast_mode=fast_mode,
    )  # fmt: skip


# -- older names -------------------------------------------------------------------------------------------------------------


def _private(name: str, grad_out: float) -> None:
    warnings.warn(
        f"`{name}` was part of PyTorch's private API and not meant to be exposed. We are deprecating it and it will be removed "
        "in a future version of PyTorch. If you have a specific use for this or feature request for this to be a stable API, "
        "please file us an issue at https://github.com/pytorch/pytorch/issues/new",
        FutureWarning,
        stacklevel=3,
    )
    if grad_out != 1.0:
        raise ValueError(
            f"Expected grad_out to be 1.0. {name} no longer supports values of grad_out != 1.0. See more details in the issue."
        )


def get_numerical_jacobian(
    fn: Callable[..., Any], inputs: Any, target: Any = None, eps: float = 1e-3, grad_out: float = 1.0
) -> tuple[Tensor, ...]:
    """By finite differences, d (first output of `fn(inputs)`) / d (each of `target`): (input size, output size)."""
    _private("get_numerical_jacobian", grad_out)
    given = as_tuple(inputs)
    chosen = [t for t in as_tuple(given if target is None else target) if isinstance(t, Tensor) and t._rg]
    places = [next(i for i, t in enumerate(given) if t is c) for c in chosen]
    found = []
    for i in places:
        parts = numerical(lambda *args: fn(args), given, i, eps)[0]
        found.append(wrap(parts[0] if len(parts) == 1 else 0.5 * (parts[0] - 1j * parts[1])))
    return tuple(found)


def get_analytical_jacobian(
    inputs: Any, output: Tensor, nondet_tol: float = 0.0, grad_out: float = 1.0
) -> tuple[tuple[Tensor, ...], bool, bool, bool]:
    """(Jacobians as (input size, output size), is backward reentrant, are sizes right, are dtypes right)."""
    _private("get_analytical_jacobian", grad_out)
    sources = [t for t in as_tuple(inputs) if isinstance(t, Tensor) and t._rg]
    columns: list[list[Any]] = [[] for _ in sources]
    steady = sizes = kinds = True
    for u in basis(output, 1.0):
        for k, (t, a, b) in enumerate(
            zip(sources, pulled(output, sources, u), pulled(output, sources, u), strict=True)
        ):
            if a is None:
                a = b = np.zeros(t._array.shape, t._array.dtype)
            steady = steady and bool(np.abs(a - b).max(initial=0) <= nondet_tol)
            sizes = sizes and a.shape == t._array.shape
            kinds = kinds and a.dtype == t._array.dtype
            columns[k].append(np.conj(a.reshape(-1)))
    found = tuple(wrap(np.array(c).T.copy()) for c in columns)
    return found, steady, sizes, kinds
