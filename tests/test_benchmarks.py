"""The benchmarks compute the same in every library, and their table keeps what it is not given anew."""

from __future__ import annotations

import importlib.util
import itertools
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks import adbench, memory, models, operators, program, results, timing, workloads, workloads_functional

import wengert

ROWS = {
    **workloads.CHAINS,
    **workloads.SMALL_NETWORK,
    **workloads.LARGE_NETWORK,
    **adbench.ADBENCH,
    **models.MODELS,
    **operators.OPERATORS,
}


# -- a program, stated once --------------------------------------------------------------------------------------
def test_a_program_gives_forward_gradient_and_step() -> None:
    x = wengert.tensor([1.0, 2.0], requires_grad=True)
    p = program.differentiated(wengert, lambda x, c: x * x * c, x, wengert.tensor(3.0))
    assert p.forward().grad_fn is None
    for step in (p.gradient, p, p):  # gradients do not add up from step to step
        assert step().tolist() == [3.0, 12.0]
        assert x.grad.tolist() == [6.0, 12.0]
    assert len(p.leaves) == 1


def test_a_training_step_ends_with_the_update_and_its_gradient_alone_does_not() -> None:
    model = wengert.nn.Linear(1, 1, bias=False)
    opt = wengert.optim.SGD(model.parameters(), lr=0.5)
    x = wengert.ones(1, 1)
    p = program.trained(wengert, model, lambda x: model(x).sum(), opt, x)
    before = model.weight.item()
    p.gradient()
    assert model.weight.item() == before
    p()
    assert model.weight.item() == before - 0.5


# -- timing ------------------------------------------------------------------------------------------------------
def test_every_library_has_its_turns_and_each_step_a_median(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PAUSE", "WARM"):
        monkeypatch.setattr(timing, name, 0.0)
    calls: list[str] = []
    turns = {name: [lambda name=name, i=i: calls.append(f"{name}{i}") for i in range(2)] for name in "ab"}
    t = timing.interleave(turns, 0.2)
    assert set(t) == {"a", "b"}
    assert all(len(each) == 2 and all(0 < s < 1e-3 for s in each) for each in t.values())
    changes = [b for a, b in itertools.pairwise(calls) if a != b]
    assert changes[-4:] == ["a0", "a1", "b0", "b1"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_peak_of_a_step_is_what_it_takes_beyond_what_stays() -> None:
    class Step:
        leaves: tuple[Any, ...] = ()
        kept = np.ones(20_000_000 // 8)

        def __call__(self) -> None:
            np.ones(10_000_000 // 8)

    assert 9 < memory.of_a_step(Step()) < 14


# -- the table ---------------------------------------------------------------------------------------------------
def test_other_rows_and_the_text_below_stay(tmp_path: Path) -> None:
    where = tmp_path / "RESULTS.md"
    where.write_text("# Results\n\n| workload | Wengert | ratio |\n|---|---|---|\n| old | 1 s | 0.50 |\n\nA note.\n")
    results.write(where, "Versions.", [{"workload": "new", "Wengert": "2 s", "ratio": "**1.50**", "bar": "1"}])
    results.write(
        where, "Versions.", [{"workload": "new", "ratio": "**1.70**"}, {"workload": "old", "ratio": "2.00"}], True
    )
    first = where.read_text()
    lines = [line for line in first.splitlines() if line.startswith("| ")]
    assert len(lines) == 3
    assert [c.strip() for c in lines[1].strip("|").split("|")] == ["old", "1 s", "", "0.50", *[""] * 5, "2.00"]
    assert [c.strip() for c in lines[2].strip("|").split("|")] == ["new", "2 s", "", "**1.50**", "1", *[""] * 4, "1.70"]
    assert first.endswith("\n\nA note.\n")
    results.write(where, "Versions.", [{"workload": "new", "Wengert": "3 s", "ratio": "0.90", "bar": "1"}])
    assert where.read_text() == first.replace("2 s", "3 s").replace("**1.50**", "0.90")


def test_what_is_over_its_bar_is_said() -> None:
    rows = [
        {"workload": "x", "ratio": results.marked(1.2049, 1.2), "bar": "1.2"},
        {"workload": "y", "ratio": results.marked(1.206, 1.2), "bar": "1.2"},
        {"workload": "z", "ratio": results.marked(9, None), results.COST: results.marked(4.5, results.MOST)},
    ]
    assert results.missed(rows) == [
        "y: 1.21 of PyTorch's, at most 1.2",
        "z: a gradient takes 4.50 forwards, at most 4",
    ]


# -- the same in every library -----------------------------------------------------------------------------------
def _values(p: program.Program) -> list[Any]:
    """The value and the gradients, of another gradient than ones, of which that of a softmax would be zero."""
    p.lib.manual_seed(1)
    out = p.gradient()
    if out.ndim:
        p.seed = p.lib.tensor(np.random.default_rng(5).uniform(0.5, 1.5, out.shape).astype(out.detach().numpy().dtype))
        p.lib.manual_seed(1)
        out = p.gradient()
    return [out.detach().numpy(), *(x.grad.numpy() for x in p.leaves)]


@pytest.mark.conformance
@pytest.mark.parametrize("name", ROWS)
def test_every_library_computes_the_same(name: str) -> None:
    import torch

    w = ROWS[name]
    ours = w(wengert)
    found = {"PyTorch": _values(w(torch))}
    if w.jax and importlib.util.find_spec("jax"):
        from benchmarks import in_jax

        if ours.opt is None:
            _values(ours)
            out, grads = in_jax.step_of(w.jax, w.options, ours)()
            found["JAX"] = [np.asarray(a) for a in (out, *grads)]
        else:
            found["JAX"] = [np.asarray(in_jax.step_of(w.jax, w.options, ours)())]
    mine = _values(ours)
    # A sum of float32 that is near the kink of a relu falls on either side of it: of ResNet-20, PyTorch's own gradient is
    # 4e-3 from its float64 one.
    within = 1e-10 if mine[0].dtype == np.float64 else 3e-2 if "ResNet" in name else 2e-5
    for library, theirs in found.items():
        for a, b in zip(mine, theirs, strict=False):
            assert a.dtype == b.dtype, library
            assert a.shape == b.shape, library
            distance = np.linalg.norm((a - b).astype(float)) / max(np.linalg.norm(b.astype(float)), 1e-30)
            assert distance < within, (library, a.shape)
            assert math.isfinite(distance), library


@pytest.mark.conformance
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of PyTorch, about itself
@pytest.mark.parametrize("name", workloads_functional.FUNCTIONAL)
def test_second_derivatives_are_the_same(name: str) -> None:
    import torch

    ours, theirs = (workloads_functional.FUNCTIONAL[name](lib)() for lib in (wengert, torch))
    pairs = zip(*(x if isinstance(x, tuple) else (x,) for x in (ours, theirs)), strict=True)
    for a, b in pairs:
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=2e-4, atol=1e-6)
