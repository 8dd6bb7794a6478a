"""Every row of the tables, by one generic test: what is true of an operation because of how it is stated.

For each test row (`tests/rows`): reverse mode against finite differences, double backward likewise, forward mode against
reverse mode, the printed rule against the numbers, and that arguments of other layouts give the same. PyTorch's own
database is run by `test_conformance.py`; here no torch is needed.
"""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
from typing import Any

import numpy as np
import pytest

import rows
import wengert
from rows.sample import PREPARE, ROWS, arguments
from wengert.autograd import forward_ad as fwAD
from wengert.autograd import gradcheck, gradgradcheck
from wengert.core import inplace
from wengert.core.batched import SELF
from wengert.core.op import TABLE
from wengert.core.tensor import Tensor, wrap

for module in pkgutil.iter_modules(rows.__path__):
    importlib.import_module(f"rows.{module.name}")

# Operations whose numbers are drawn: their derivative is tested where they are stated.
SAMPLES = [(name, i) for name, samples in sorted(ROWS.items()) for i in range(len(samples))]
IDS = [f"{name}-{i}" for name, i in SAMPLES]


def compute(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    args = PREPARE[name](*args) if name in PREPARE else args
    return TABLE[name].function(*args, **kwargs)


def call(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Tensor, ...]:
    """The differentiable floating outputs of one call."""
    result = compute(name, args, kwargs)
    outputs = result if isinstance(result, tuple) else (result,)
    differentiable = TABLE[name].differentiable_among(outputs)
    return tuple(t for t, d in zip(outputs, differentiable, strict=True) if d and t.requires_grad)


def leaves(args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
    flat = [x for a in (*args, *kwargs.values()) for x in (a if isinstance(a, (list, tuple)) else (a,))]
    return [x for x in flat if isinstance(x, Tensor) and x.requires_grad]


def replace(args: tuple[Any, ...], kwargs: dict[str, Any], new: list[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The same call with its leaves replaced, in order."""
    fresh = iter(new)

    def swap(a: Any) -> Any:
        if isinstance(a, (list, tuple)):
            return type(a)([swap(x) for x in a]) if not hasattr(a, "_fields") else a
        return next(fresh) if isinstance(a, Tensor) and a.requires_grad else a

    swapped = [swap(a) for a in (*args, *kwargs.values())]
    return tuple(swapped[: len(args)]), dict(zip(kwargs, swapped[len(args) :], strict=True))


def differentiable_sample(name: str, i: int) -> tuple[tuple[Any, ...], dict[str, Any], list[Tensor]]:
    args, kwargs = arguments(ROWS[name][i])
    inputs = leaves(args, kwargs)
    if not inputs or not call(name, args, kwargs):
        pytest.skip("no differentiable output for this sample")
    return args, kwargs, inputs


def test_every_operation_has_a_test_row() -> None:
    """A row of the tables without a test row is not finished."""
    # (Operations that know batched arrays carry vmap: they exist inside it only, and are tested there.)
    missing = sorted(name for name, op in TABLE.items() if name not in ROWS and op.batch is not SELF)
    assert not missing, f"no test row for {missing}: add one in tests/rows"


def test_no_test_row_without_operation() -> None:
    assert not sorted(set(ROWS) - set(TABLE))


@pytest.mark.parametrize(("name", "i"), SAMPLES, ids=IDS)
def test_reverse_mode_agrees_with_finite_differences(name: str, i: int) -> None:
    args, kwargs, inputs = differentiable_sample(name, i)

    def f(*xs: Tensor) -> tuple[Tensor, ...]:
        a, k = replace(args, kwargs, list(xs))
        return call(name, a, k)

    assert gradcheck(f, tuple(inputs), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("name", "i"), SAMPLES, ids=IDS)
def test_double_backward_agrees_with_finite_differences(name: str, i: int) -> None:
    args, kwargs, inputs = differentiable_sample(name, i)

    def f(*xs: Tensor) -> tuple[Tensor, ...]:
        a, k = replace(args, kwargs, list(xs))
        return call(name, a, k)

    assert gradgradcheck(f, tuple(inputs), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("name", "i"), SAMPLES, ids=IDS)
def test_forward_mode_agrees_with_reverse_mode(name: str, i: int) -> None:
    """For random u and t: <u, J t> computed forwards equals <J^H u, t> computed backwards."""
    args, kwargs, inputs = differentiable_sample(name, i)
    rng = np.random.default_rng(7)

    def random_like(t: Tensor) -> Tensor:
        a = rng.standard_normal(t.shape)
        return wrap(np.asarray(a + 1j * rng.standard_normal(t.shape) if t.is_complex() else a))

    tangents = [random_like(t) for t in inputs]
    with fwAD.dual_level():
        duals = [fwAD.make_dual(t.detach(), v) for t, v in zip(inputs, tangents, strict=True)]
        fwd_args, fwd_kwargs = replace(args, kwargs, duals)
        result = compute(name, fwd_args, fwd_kwargs)
        outputs = result if isinstance(result, tuple) else (result,)
        kept = [o for o, d in zip(outputs, TABLE[name].differentiable_among(outputs), strict=True) if d]
        pushed = [fwAD.unpack_dual(o).tangent for o in kept if o.is_floating_point() or o.is_complex()]
    outs = call(name, args, kwargs)
    assert len(pushed) == len(outs)
    cotangents = [random_like(o) for o in outs]
    pulled = wengert.autograd.grad(outs, inputs, cotangents, allow_unused=True)
    forwards = sum(
        float(np.vdot(u.numpy(), t.numpy()).real) for u, t in zip(cotangents, pushed, strict=True) if t is not None
    )
    backwards = sum(
        float(np.vdot(g.numpy(), t.numpy()).real) for g, t in zip(pulled, tangents, strict=True) if g is not None
    )
    assert forwards == pytest.approx(backwards, rel=1e-9, abs=1e-9)


# `view` refuses to copy, `as_strided` reads memory.
OTHER_LAYOUTS = [
    (s, id) for s, id in zip(SAMPLES, IDS, strict=True) if s[0] not in ("view", "as_strided", "slice_inverse")
]


@pytest.mark.parametrize(("name", "i"), [s for s, _ in OTHER_LAYOUTS], ids=[id for _, id in OTHER_LAYOUTS])
def test_other_layouts_give_the_same(name: str, i: int) -> None:
    """Transposed and negatively strided memory of the same numbers changes neither result nor gradient."""
    args, kwargs, inputs = differentiable_sample(name, i)

    def relaid(t: Tensor) -> Tensor:
        array = t.detach().numpy()
        if not array.ndim:
            return wrap(array.copy(), True)
        memory = np.zeros([2 * n + 1 for n in array.shape], array.dtype)[tuple(slice(1, None, 2) for _ in array.shape)]
        memory = memory[..., ::-1]
        memory[...] = array
        return wrap(memory, True)

    others = [relaid(t) for t in inputs]
    plain = call(name, args, kwargs)
    strided = call(name, *replace(args, kwargs, others))
    ones = [wrap(np.ones(o.shape, o.detach().numpy().dtype)) for o in plain]
    g_plain = wengert.autograd.grad(plain, inputs, ones, allow_unused=True)
    g_strided = wengert.autograd.grad(strided, others, ones, allow_unused=True)
    for a, b in zip(plain, strided, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-12, atol=1e-12)
    for a, b in zip(g_plain, g_strided, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("name", "i"), SAMPLES, ids=IDS)
def test_gradients_have_the_dtype_and_shape_of_their_tensor(name: str, i: int) -> None:
    args, kwargs, inputs = differentiable_sample(name, i)
    outs = call(name, args, kwargs)
    ones = [wrap(np.ones(o.shape, o.detach().numpy().dtype)) for o in outs]
    for g, t in zip(wengert.autograd.grad(outs, inputs, ones, allow_unused=True), inputs, strict=True):
        assert g is None or (g.shape, g.dtype) == (t.shape, t.dtype)


IN_PLACE = [
    (name, i)
    for name, i in SAMPLES
    if TABLE[name].single and not TABLE[name].view and isinstance(arguments(ROWS[name][i])[0][0], Tensor)
]


@pytest.mark.parametrize(("name", "i"), IN_PLACE, ids=[f"{name}-{i}" for name, i in IN_PLACE])
@pytest.mark.parametrize("grad", [True, False], ids=["recorded", "no_grad"])
def test_in_place_both_roads_do_the_same(name: str, i: int, grad: bool) -> None:
    """What the fast road leaves alone is unchanged; else target, version, node and gradients are the careful road's."""
    op = TABLE[name]

    def run(road: Any) -> tuple[Any, Any] | None:
        wengert.manual_seed(0)
        args, kwargs = arguments(ROWS[name][i])
        args = PREPARE[name](*args) if name in PREPARE else args
        values = [*args, *(p.default for p in op.params[len(args) :])]
        values = [kwargs.get(p.name, v) for p, v in zip(op.params, values, strict=True)]
        inputs = leaves(tuple(values), {})
        target = values[0].clone()
        before = target.detach().clone()
        with wengert.set_grad_enabled(grad):
            if road(op, (target, *values[1:])) is False:
                assert wengert.equal(target, before)
                assert target._version == 0
                return None
        result = (target.tolist(), target._version, target.requires_grad, target.grad_fn and target.grad_fn.name())
        grads = None
        if target.requires_grad and (target.is_floating_point() or target.is_complex()):
            weights = wrap(np.linspace(0.5, 1.5, target.numel()).reshape(target.shape).astype(target._array.dtype))
            grads = [
                g if g is None else g.tolist()
                for g in wengert.autograd.grad(target, inputs, weights, allow_unused=True)
            ]
        return result, grads

    fast = run(inplace._fast)
    if fast is not None:
        np.testing.assert_equal(fast, run(inplace._careful))


@pytest.mark.parametrize(("name", "i"), SAMPLES, ids=IDS)
def test_what_is_not_recorded_comes_out_the_same_on_both_roads(name: str, i: int) -> None:
    """Under no_grad and in inference mode operations take a fast road; with hooks for saved tensors they do not."""

    def run(mode: Any, careful: bool) -> list[Any]:
        wengert.manual_seed(0)
        args, kwargs = arguments(ROWS[name][i])
        inputs = leaves(args, kwargs)
        with mode(), wengert.autograd.graph.saved_tensors_hooks(id, id) if careful else contextlib.nullcontext():
            result = compute(name, args, kwargs)
        facts: list[Any] = [type(result).__name__]
        for t in result if isinstance(result, tuple) else (result,):
            shown = next((k for k, x in enumerate(inputs) if t._base is x), t._base is not None)
            facts += [t.tolist(), t.dtype, t.requires_grad, t.grad_fn, t.is_inference(), shown]
        return facts

    for mode in (wengert.no_grad, wengert.inference_mode):
        np.testing.assert_equal(run(mode, False), run(mode, True))
