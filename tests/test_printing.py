"""Tensors print as PyTorch prints them: golden strings, and a randomised comparison where torch is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from wengert.core.printing import format_tensor, get_printoptions, printoptions, set_printoptions

F32 = np.dtype(np.float32)


def text(array: Any, *suffixes: str) -> str:
    return format_tensor(np.asarray(array), default_float=F32, suffixes=suffixes)


GOLDEN = [
    (np.array([1.0, 2.5], F32), "tensor([1.0000, 2.5000])"),
    (np.array([1.0, 2.0], F32), "tensor([1., 2.])"),
    (np.array(3.0, F32), "tensor(3.)"),
    (np.array([1.0, 1e-5], F32), "tensor([1.0000e+00, 1.0000e-05])"),
    (np.array([np.nan, np.inf, -1.0], F32), "tensor([nan, inf, -1.])"),
    (np.array([True, False]), "tensor([ True, False])"),
    (np.array([[1, 2], [3, 40]]), "tensor([[ 1,  2],\n        [ 3, 40]])"),
    (np.array([1.0]), "tensor([1.], dtype=torch.float64)"),
    (np.array([1, 2], np.int32), "tensor([1, 2], dtype=torch.int32)"),
    (np.array([1 + 2j], np.complex64), "tensor([1.+2.j])"),
    (np.zeros((0, 3), F32), "tensor([], size=(0, 3))"),
    (np.zeros(0), "tensor([], dtype=torch.float64)"),
]


@pytest.mark.parametrize(("array", "expected"), GOLDEN, ids=[e for _, e in GOLDEN])
def test_golden(array: Any, expected: str) -> None:
    assert text(array) == expected


def test_long_arrays_show_their_edges() -> None:
    assert text(np.arange(2000)) == "tensor([   0,    1,    2,  ..., 1997, 1998, 1999])"


def test_suffix_that_does_not_fit_goes_to_a_line_of_its_own() -> None:
    long = text(np.arange(16.0, dtype=F32) / 7, "grad_fn=<MulBackward0>")
    assert long.endswith(",\n       grad_fn=<MulBackward0>)")
    assert text(np.ones(2, F32), "requires_grad=True") == "tensor([1., 1.], requires_grad=True)"


def test_options_are_put_back() -> None:
    before = get_printoptions()
    with printoptions(precision=1, sci_mode=False):
        assert text(np.array([0.123, 0.2], F32)) == "tensor([0.1, 0.2])"
    assert get_printoptions() == before


def test_unknown_profile_is_refused() -> None:
    with pytest.raises(ValueError, match="no print profile 'wide'"):
        set_printoptions(profile="wide")


@pytest.mark.conformance
def test_the_same_characters_as_pytorch() -> None:
    """Random shapes, magnitudes and dtypes: the strings are equal."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    kinds: list[Any] = [np.float32, np.float64, np.float16, np.int64, np.int32, np.uint8, np.bool_, np.complex64]
    for i in range(800):
        shape = tuple(int(n) for n in rng.integers(0 if i % 10 == 0 else 1, 6, rng.integers(0, 5)))
        shape = (1100,) if i % 37 == 0 else (40, 30) if i % 41 == 0 else shape
        a = np.asarray(rng.standard_normal(shape) * 10.0 ** rng.integers(-6, 5))
        if i % 3 == 0:
            a = np.asarray(np.where(rng.random(shape) < 0.2, np.nan, np.round(a)))
        with np.errstate(all="ignore"):
            a = np.asarray(np.nan_to_num(a) if kinds[i % 8] in kinds[3:7] else a).astype(kinds[i % 8])
        assert text(a) == repr(torch.tensor(a))
