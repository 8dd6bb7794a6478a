"""Every row under `vmap`, by one generic test: what a batch gives is what each example gives by itself.

Each test row is mapped over each of its tensor arguments and over all of them together, and so is its gradient. Rows whose
numbers are drawn are left out.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import numpy as np
import pytest

import rows
import wengert
from rows.sample import PREPARE, ROWS, arguments
from wengert.core.op import TABLE
from wengert.core.tensor import Tensor, wrap
from wengert.func import vmap

for module in pkgutil.iter_modules(rows.__path__):
    importlib.import_module(f"rows.{module.name}")

SAMPLES = [(name, i) for name, samples in sorted(ROWS.items()) for i in range(len(samples))]
IDS = [f"{name}-{i}" for name, i in SAMPLES]
SIZE = 3
# Their numbers are drawn; their shape depends on values; their gradient is defined up to a phase only.
DRAWN = {"bernoulli", "normal", "poisson", "sample_dirichlet", "standard_gamma"}
DYNAMIC = {"masked_select"}
REFUSED = {"slice_inverse"}  # test_vmap_loop.py
PHASE = {"linalg.eig"}
LAYOUT = {"as_strided"}  # says where its elements lie in memory
# Gradients where indices, or (through masked_select, whose shape follows the mask) masks, differ between examples.
UNMAPPED = {"index_fill_tensor", "embedding_back", "masked_scatter", "masked_put_full"}


def flat(args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
    """The tensors of a call, in order."""
    found = [x for a in (*args, *kwargs.values()) for x in (a if isinstance(a, (list, tuple)) else (a,))]
    return [x.detach() for x in found if isinstance(x, Tensor)]


def rebuilt(args: tuple[Any, ...], kwargs: dict[str, Any], new: list[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    fresh = iter(new)

    def swap(a: Any) -> Any:
        if isinstance(a, (list, tuple)) and not hasattr(a, "_fields"):
            return type(a)([swap(x) for x in a])
        return next(fresh) if isinstance(a, Tensor) else a

    swapped = [swap(a) for a in (*args, *kwargs.values())]
    return tuple(swapped[: len(args)]), dict(zip(kwargs, swapped[len(args) :], strict=True))


def draws(name: str, i: int) -> tuple[tuple[Any, ...], dict[str, Any], list[list[Tensor]]]:
    """One call, and the tensors of as many draws of it as the batch has examples."""
    if name in DRAWN | DYNAMIC | REFUSED:
        pytest.skip("nothing to compare with")
    args, kwargs = arguments(ROWS[name][i])
    many = [flat(*arguments(ROWS[name][i], seed)) for seed in range(SIZE)]
    first = flat(args, kwargs)
    if not first:
        pytest.skip("no tensor among the arguments")
    for other in many:
        if [t.shape for t in other] != [t.shape for t in first]:
            pytest.skip("shapes are drawn")
    return args, kwargs, many


def tensors(result: Any) -> tuple[Tensor, ...]:
    found = result if isinstance(result, (tuple, list)) else (result,)
    return tuple(t for t in found if isinstance(t, Tensor))


def same(got: Tensor, expected: list[Tensor], where: str) -> None:
    a, b = got.detach().numpy(), np.stack([t.detach().numpy() for t in expected])
    assert a.shape == b.shape, f"{where}: shape {a.shape} for {b.shape}"
    assert a.dtype == b.dtype, f"{where}: dtype {a.dtype} for {b.dtype}"
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9, err_msg=where)


# As in PyTorch, these say in backward that they have none.
WITHOUT_DERIVATIVE = {"geqrf", "linalg.ldl_factor_ex", "linalg.ldl_solve", "igamma", "igammac", "special.zeta"}


@pytest.mark.parametrize(("name", "i"), SAMPLES, ids=IDS)
def test_a_batch_gives_what_each_example_gives(name: str, i: int) -> None:
    args, kwargs, many = draws(name, i)
    count = len(many[0])

    def f(*xs: Tensor) -> tuple[Tensor, ...]:
        a, k = rebuilt(args, kwargs, list(xs))
        a = PREPARE[name](*a) if name in PREPARE else a
        return tensors(TABLE[name].function(*a, **k))

    for chosen in [tuple(range(count))] + ([(j,) for j in range(count)] if count > 1 else []):
        rows_of = [[many[b if j in chosen else 0][j] for j in range(count)] for b in range(SIZE)]
        expected = [f(*xs) for xs in rows_of]
        if len({tuple(t.shape for t in e) for e in expected}) > 1:
            continue  # the shape depends on the values
        axis = -1 if len(chosen) == 1 and name not in LAYOUT else 0
        stacked = [
            wrap(np.stack([many[b][j].numpy() for b in range(SIZE)], axis)) if j in chosen else many[0][j]
            for j in range(count)
        ]
        got = vmap(f, in_dims=tuple(axis if j in chosen else None for j in range(count)))(*stacked)
        for k, t in enumerate(got):
            same(t, [e[k] for e in expected], f"mapped over {chosen}, output {k}")


def _missing(name: str) -> bool:
    """Is the derivative of some argument stated to be unknown?"""
    return any(hasattr(rule.fn, "missing") for rule in TABLE[name].rules.values())


@pytest.mark.parametrize(("name", "i"), SAMPLES, ids=IDS)
def test_gradients_of_a_batch_are_those_of_each_example(name: str, i: int) -> None:
    args, kwargs, many = draws(name, i)
    wanted = [j for j, t in enumerate(many[0]) if t.is_floating_point() or t.is_complex()]
    if not wanted or name in PHASE | UNMAPPED | WITHOUT_DERIVATIVE or _missing(name):
        pytest.skip("no gradient to compare")

    def gradient(*xs: Tensor) -> tuple[Tensor, ...]:
        places = [x.detach() for x in xs]
        for j in wanted:
            places[j]._rg = True  # requires_grad_() is refused inside vmap
        a, k = rebuilt(args, kwargs, list(places))
        a = PREPARE[name](*a) if name in PREPARE else a
        result = TABLE[name].function(*a, **k)
        outputs = result if isinstance(result, (tuple, list)) else (result,)
        outs = [t for t in outputs if isinstance(t, Tensor) and t.requires_grad]
        if not outs:
            return ()
        weights = [wrap(np.random.default_rng(5).uniform(0.5, 1.5, o.shape).astype(str(o.dtype)[6:])) for o in outs]
        found = wengert.autograd.grad(outs, [places[j] for j in wanted], weights, allow_unused=True)
        return tuple(g for g in found if g is not None)

    expected = [gradient(*xs) for xs in many]
    if not expected[0]:
        pytest.skip("no differentiable output for this sample")
    if len({tuple(t.shape for t in e) for e in expected}) > 1:
        pytest.skip("the shape depends on the values")
    stacked = [wrap(np.stack([xs[j].numpy() for xs in many])) for j in range(len(many[0]))]
    got = vmap(gradient)(*stacked)
    for k, t in enumerate(got):
        same(t, [e[k] for e in expected], f"gradient {k}")
