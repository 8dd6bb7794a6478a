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


def _scattered(dim: int) -> Any:
    target = np.ones((3, 5, 4) if dim == 1 else (3, 4, 5), np.float32)
    index = INDEX if dim == 1 else INDEX.swapaxes(1, 2)
    scatter.add_each(target, dim, index, R_SOURCE if dim == 1 else R_SOURCE.swapaxes(1, 2))
    return target


R_SOURCE = R.standard_normal((3, 7, 4)).astype(np.float32)


def _sliced() -> Any:
    target = np.ones((3, 5, 4), np.float32)
    scatter.add_along(target, 1, INDEX[0, :, 0], R_SOURCE)
    return target


CASES: dict[str, Any] = {
    "scatter, middle": (lambda: _scattered(1), loops.add_at),
    "scatter, last": (lambda: _scattered(2), loops.add_at),
    "gather": (lambda: scatter.take_each(np.arange(60.0).reshape(3, 5, 4), 1, INDEX), loops.take_at),
    "slices": (_sliced, loops.add_slices),
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
