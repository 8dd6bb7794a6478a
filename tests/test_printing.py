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
    (np.array(complex(1.5, -0.0), np.complex64), "tensor(1.5000-0.j)"),
    (np.array([1e-5, 2.0, np.inf, np.nan], F32), "tensor([1.0000e-05, 2.0000e+00,        inf,        nan])"),
    (np.array([1.0, 123456792.0], F32), "tensor([1.0000e+00, 1.2346e+08])"),
    (np.array([1.0, 2.5], np.float16), "tensor([1.0000, 2.5000], dtype=torch.float16)"),
    (np.array([7, 200], np.uint8), "tensor([  7, 200], dtype=torch.uint8)"),
    (np.zeros((2, 1, 2), F32), "tensor([[[0., 0.]],\n\n        [[0., 0.]]])"),
    (np.zeros(0, np.bool_), "tensor([], dtype=torch.bool)"),
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


def test_matrices_show_the_edges_of_both_axes() -> None:
    assert text(np.arange(1200).reshape(30, 40)[:, ::-1].copy()).splitlines() == [
        "tensor([[  39,   38,   37,  ...,    2,    1,    0],",
        "        [  79,   78,   77,  ...,   42,   41,   40],",
        "        [ 119,  118,  117,  ...,   82,   81,   80],",
        "        ...,",
        "        [1119, 1118, 1117,  ..., 1082, 1081, 1080],",
        "        [1159, 1158, 1157,  ..., 1122, 1121, 1120],",
        "        [1199, 1198, 1197,  ..., 1162, 1161, 1160]])",
    ]


def test_lines_end_before_column_80() -> None:
    assert text(np.arange(20.0, dtype=F32)).splitlines() == [
        "tensor([ 0.,  1.,  2.,  3.,  4.,  5.,  6.,  7.,  8.,  9., 10., 11., 12., 13.,",
        "        14., 15., 16., 17., 18., 19.])",
    ]


@pytest.mark.parametrize(
    ("options", "array", "expected"),
    [
        # A width is measured in the notation that is printed.
        ({"sci_mode": True}, np.array([0.5, -2.0], F32), "tensor([ 5.0000e-01, -2.0000e+00])"),
        ({"sci_mode": False}, np.array([1e-5, 1.0], F32), "tensor([0.0000, 1.0000])"),
        # Zeros alone are never written in scientific notation.
        ({"sci_mode": True}, np.zeros(2, F32), "tensor([0., 0.])"),
        ({"edgeitems": 0, "threshold": 5}, np.zeros((9, 2), F32), "tensor([...], size=(9, 2))"),
        ({"edgeitems": 0}, np.array(2, np.uint8), "tensor(2, size=(), dtype=torch.uint8)"),
        ({"profile": "short"}, np.array([0.125, 1.0], F32), "tensor([0.12, 1.00])"),
        ({"linewidth": 5}, np.array([1, 2]), "tensor([1,\n        2])"),
    ],
)
def test_options(options: dict[str, Any], array: Any, expected: str) -> None:
    with printoptions(**options):
        assert text(array) == expected


def test_other_default_dtype_and_prefix() -> None:
    f64 = np.dtype(np.float64)
    assert format_tensor(np.array([1j]), default_float=f64) == "tensor([0.+1.j])"
    assert format_tensor(np.ones(1, F32), default_float=f64) == "tensor([1.], dtype=torch.float32)"
    assert format_tensor(np.ones((2, 1), F32), default_float=F32, prefix="Mine(") == "Mine([[1.],\n      [1.]])"


def test_unknown_profile_is_refused() -> None:
    with pytest.raises(ValueError, match="no print profile 'wide'"):
        set_printoptions(profile="wide")


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch")


def random_array(rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Any dtype, from 0 to 5 axes, now and then empty, long or transposed."""

    def reals(shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
        normal = np.asarray(rng.standard_normal(shape))
        kinds = [
            lambda: normal * 10.0 ** rng.integers(-12, 12),
            lambda: normal * 10.0 ** rng.integers(-45, 38, shape),
            lambda: np.round(normal * 10.0 ** rng.integers(0, 10)),
            lambda: rng.choice([1e-4, 1e8, 1e8 + 1, 1000.0, 1001.0, 0.1, 0.0, -0.0, 9999.99996, 0.99996], shape),
            lambda: rng.choice([1.0, -3.0, 0.0, -0.0], shape),
            lambda: rng.choice([np.nan, np.inf, -np.inf, 0.0], shape),
        ]
        made = np.asarray(kinds[rng.integers(len(kinds))]())
        if rng.random() < 0.3:
            made = np.where(rng.random(shape) < 0.2, rng.choice([np.nan, np.inf, -np.inf, -0.0]), made)
        with np.errstate(over="ignore"):
            return np.asarray(made).astype(dtype)

    axes = int(rng.integers(0, 6))
    shape = tuple(int(n) for n in rng.integers(1, [2, 60, 14, 7, 5, 4][axes], axes))
    if rng.random() < 0.1:
        longs = [(1001,), (40, 30), (3, 400), (7, 2, 80), (8, 5, 4, 8), (1200, 1), (3, 0, 2), (0,)]
        shape = longs[rng.integers(len(longs))]
    kind = rng.choice(["float", "integer", "bool", "complex"], p=[0.5, 0.2, 0.1, 0.2])
    if kind == "float":
        a = reals(shape, rng.choice(["float16", "float32", "float64"]))
    elif kind == "integer":
        info = np.iinfo(rng.choice(["int8", "int16", "int32", "int64", "uint8"]))
        low, high = (info.min, info.max) if rng.random() < 0.5 else (0, 100)
        a = np.asarray(rng.integers(low, high, shape, dtype=info.dtype, endpoint=True))
    elif kind == "bool":
        a = np.asarray(rng.random(shape) < 0.5)
    else:
        a = np.empty(shape, rng.choice(["complex64", "complex128"]))
        a.real, a.imag = reals(shape, a.real.dtype), reals(shape, a.real.dtype)
    return a.T if rng.random() < 0.2 else a


@pytest.mark.conformance
@pytest.mark.parametrize("with_options", [False, True], ids=["default", "options"])
def test_the_same_characters_as_pytorch(torch: Any, with_options: bool) -> None:
    """Random arrays and options: the strings are equal."""
    rng = np.random.default_rng(with_options)
    choices: dict[str, list[Any]] = {
        "precision": [None, 0, 1, 8],
        "threshold": [None, 0, 5, 50],
        "edgeitems": [None, 0, 1, 2, 5],
        "linewidth": [None, 5, 20, 120],
        "profile": [None, "default", "short", "full"],
        "sci_mode": [None, True, False],
    }
    for _ in range(1000):
        a = random_array(rng)
        t = torch.tensor(a)
        suffixes = []
        if a.dtype.kind in "fc" and rng.random() < 0.5:
            t = t.requires_grad_().clone()
            suffixes.append("grad_fn=<CloneBackward0>")
        options = {k: v[rng.integers(len(v))] for k, v in choices.items()} if with_options else {}
        with torch._tensor_str.printoptions(**options):
            expected = repr(t)
        with printoptions(**options):
            assert text(a, *suffixes) == expected, options
