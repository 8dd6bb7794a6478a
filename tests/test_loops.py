"""The compiled loops give what NumPy's passes give."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

from wengert.kernels import loops, pooling, scatter

numba = pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="numba is not installed")
R = np.random.default_rng(0)
TIED = R.integers(0, 3, (2, 3, 9, 8)).astype(np.float64)
TIED[0, 0, 2:4, 3] = np.nan
TIED[1, 1] = -np.inf
INDEX = R.integers(0, 5, (3, 7, 4))


def _scattered(dim: int, start: Any = None) -> Any:
    target = np.ones((3, 5, 4) if dim == 1 else (3, 4, 5), np.float32)
    index = INDEX if dim == 1 else INDEX.swapaxes(1, 2)
    scatter.add_each(target, dim, index, R_SOURCE if dim == 1 else R_SOURCE.swapaxes(1, 2), start)
    return target


def _scattered_to_vectors(start: Any = None) -> Any:
    target = np.ones((3, 9), np.float32)
    scatter.add_each(target, 1, INDEX[:, :, 0], R_SOURCE[:, :, 0], start)
    return target


R_SOURCE = R.standard_normal((3, 7, 4)).astype(np.float32)


def _sliced(dim: int = 1, start: Any = None) -> Any:
    target = np.ones((3, 5, 4), np.float32)
    source = R_SOURCE if dim else R_SOURCE[[0, 1, 2, 0, 1, 2, 0]][:, [0, 1, 2, 3, 4], :]
    scatter.add_along(target, dim, (INDEX[0, :, 0] - 2) % 3 - 3, source, start)
    return target


TABLE = R.standard_normal((4, 50, 60)).astype(np.float32)
MANY = R.integers(-50, 50, (3, 40))


CASES: dict[str, Any] = {
    "scatter, middle": (lambda: _scattered(1), loops.add_at),
    "scatter, last": (lambda: _scattered(2), loops.add_at),
    "gather": (lambda: scatter.take_each(np.arange(60.0).reshape(3, 5, 4), 1, INDEX), loops.take_at),
    "scatter, rows in pairs": (_scattered_to_vectors, loops.add_at),
    "scatter into zeros": (lambda: _scattered(1, 0), loops.add_at),
    "scatter, rows in pairs, into zeros": (lambda: _scattered_to_vectors(0), loops.add_at),
    "scatter into a copy": (lambda: _scattered(2, np.arange(60.0).reshape(3, 4, 5)), loops.add_at),
    "slices": (_sliced, loops.add_slices),
    "slices of the first": (lambda: _sliced(0), loops.add_slices),
    "slices into zeros": (lambda: _sliced(1, 0), loops.add_slices),
    "slices of the first into a copy": (lambda: _sliced(0, np.arange(60.0).reshape(3, 5, 4)), loops.add_slices),
    "slices read": (lambda: scatter.take_along(TABLE, 1, MANY), loops.take_slices),
    "places": (lambda: pooling.put_at_places(R_SOURCE, INDEX, (2, 3)), loops.add_places),
}
for options in (
    ((3, 2), (1, 2), (1, 1), (1, 1), False),
    ((2, 2), (2, 2), (0, 0), (1, 1), True),
    ((2, 3), (2, 1), (0, 0), (3, 2), True),
    ((2, 2), (2, 2), (0, 0), (1, 1), False),
    ((2, 2), (1, 3), (0, 0), (1, 1), False),
):
    CASES[f"max_pool {options}"] = (lambda o=options: pooling.max_pool(TIED, *o), loops.max_pool)


@numba
@pytest.mark.parametrize("name", CASES)
def test_a_compiled_loop_gives_what_numpy_gives(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compute, loop = CASES[name]
    used = []
    run = loops.run
    monkeypatch.setattr(loops, "run", lambda f, *rest: (used.append(f), run(f, *rest))[1])
    monkeypatch.setenv("WENGERT_NUMBA", "1")
    found = compute()
    assert loop in used
    monkeypatch.setattr(loops, "run", lambda *_: False)
    expected = compute()
    for a, b in zip(*((v if isinstance(v, tuple) else (v,)) for v in (found, expected)), strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


OUTSIDE: dict[str, Any] = {
    "gather": lambda i: scatter.take_each(np.ones((3, 5)), 1, np.full((3, 2), i)),
    "scatter": lambda i: scatter.add_each(np.ones((3, 5)), 1, np.full((3, 2), i), np.ones((3, 2))),
    "slices": lambda i: scatter.add_along(np.ones((3, 5)), 1, np.full(2, i if i > 0 else i - 5), np.ones((3, 2))),
    "slices read": lambda i: scatter.take_along(np.ones((500, 50)), 1, np.full(20, i * 10 if i > 0 else -51)),
}


@numba
@pytest.mark.parametrize("compiled", ["0", "1"])
@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("index", [5, -1, 2**40])
def test_an_index_outside_is_refused(name: str, index: int, compiled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WENGERT_NUMBA", compiled)
    with pytest.raises(IndexError):
        OUTSIDE[name](index)
