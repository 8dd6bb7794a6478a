"""Words and zeros and ones by compiled loops are those of NumPy's generator, and leave it in the same state."""

from __future__ import annotations

import copy
import importlib.util
import pickle
from typing import Any

import numpy as np
import pytest

import wengert as torch
from wengert.kernels import generator, twister

pytestmark = pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="numba is not installed")


@pytest.mark.parametrize("lengths", [(1, 623, 1), (5, 7, 640, 2000), (624, 1248, 3), (100_003, 17)], ids=str)
def test_words(lengths: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twister, "_MANY", 1)
    ours = twister.Generator().manual_seed(5)
    numpys = np.random.RandomState(5)
    for wish in "110":
        monkeypatch.setenv("WENGERT_NUMBA", wish)
        for n in lengths:
            found = ours.bits(n)
            assert found.dtype == np.uint32
            np.testing.assert_array_equal(found, numpys.randint(0, 1 << 32, n, dtype=np.uint32))
    state, key = ours.get_state(), numpys.get_state(legacy=False)["state"]["key"]
    np.testing.assert_array_equal(
        twister.Generator().set_state(state).bits(3), numpys.randint(0, 1 << 32, 3, np.uint32)
    )
    np.testing.assert_array_equal(state[24:5016].view(np.uint64), key)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g))])
def test_a_copy_goes_on_from_the_same_state(copied: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WENGERT_NUMBA", "1")
    n = twister._MANY
    ours = twister.Generator().manual_seed(5)
    expected = twister.Generator().manual_seed(5).bits(3 * n)
    ours.bits(n)
    another = copied(ours)
    np.testing.assert_array_equal(another.bits(n), expected[n : 2 * n])
    np.testing.assert_array_equal(another.bits(5), expected[2 * n : 2 * n + 5])
    if copied is not copy.copy:  # which shares NumPy's generator
        np.testing.assert_array_equal(ours.bits(n), expected[n : 2 * n])
    ours.manual_seed(5)
    np.testing.assert_array_equal(ours.bits(n), expected[:n])


def test_no_words() -> None:
    assert twister.Generator().bits(0).shape == (0,)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.bool_])
@pytest.mark.parametrize("p", [0.0, 0.25, 1 / 3, 1.0])
def test_ones_with_a_probability(p: float, dtype: type, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for wish in "01":
        monkeypatch.setenv("WENGERT_NUMBA", wish)
        gen = twister.Generator().manual_seed(3)
        found.append((generator.bernoulli(gen, p, (3, 30_001), dtype), gen.bits(2)))
    for a, b in zip(*found, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    assert abs(found[0][0].mean() - p) < 0.01


def test_dropout_and_normal_numbers_draw_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for wish in "01":
        monkeypatch.setenv("WENGERT_NUMBA", wish)
        torch.manual_seed(7)
        found.append((torch.nn.functional.dropout(torch.ones(50_000), 0.3), torch.rand(40_000), torch.randn(70_000)))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)
