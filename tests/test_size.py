"""Shapes behave and print as PyTorch's."""

from __future__ import annotations

import copy
import operator
import pickle
from typing import Any

import numpy as np
import pytest

from wengert.core.size import Size


def test_prints_as_pytorch() -> None:
    assert repr(Size([2, 3])) == str(Size((2, 3))) == f"{Size(iter((2, 3)))}" == "torch.Size([2, 3])"
    assert repr(Size()) == "torch.Size([])"


def test_integers_of_other_kinds_print_as_ints() -> None:
    items: list[Any] = [np.int64(2), True]
    assert repr(Size(items)) == "torch.Size([2, 1])"


def test_is_a_tuple() -> None:
    assert Size((2, 3)) == (2, 3)
    assert hash(Size((2, 3))) == hash((2, 3))
    assert Size((2, 3))[-1] == 3


def test_slices_sums_and_multiples_are_sizes() -> None:
    size, one = Size((2, 3)), (4,)
    for made, expected in [
        (size[1:], [3]),
        (size[::-1], [3, 2]),
        (size + one, [2, 3, 4]),
        (one + size, [4, 2, 3]),
        (size + size, [2, 3, 2, 3]),
        (size * 2, [2, 3, 2, 3]),
        (2 * size, [2, 3, 2, 3]),
    ]:
        assert type(made) is Size
        assert list(made) == expected


def test_counts_elements() -> None:
    assert [Size(s).numel() for s in [(), (2, 3), (0, 5)]] == [1, 6, 0]


def test_copies_and_pickles_stay_sizes() -> None:
    size = Size((2, 3))
    for made in [copy.copy(size), copy.deepcopy(size), pickle.loads(pickle.dumps(size))]:
        assert type(made) is Size
        assert made == size


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Size(3), "^'int' object is not iterable$"),  # type: ignore[arg-type]
        (lambda: operator.add(Size((2,)), [3]), r"^can only concatenate tuple \(not list\) to torch.Size$"),
        (lambda: Size((2,)) * 2.0, "^can't multiply sequence by non-int of type 'float'$"),
    ],
)
def test_refuses_what_pytorch_refuses(make: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        make()
