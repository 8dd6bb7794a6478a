"""Views made again from another base, and bases from views: `_view_func` and its kin."""

from __future__ import annotations

from typing import Any

import pytest

import wengert as torch

tracked = torch.autograd._force_original_view_tracking

VIEWS: list[tuple[Any, tuple[int, ...], Any]] = [
    (lambda x: x[1:, ::2], (3, 4), torch.float32),
    (lambda x: x.t()[2], (3, 4), torch.float32),
    (lambda x: x.expand(3, 4), (3, 1), torch.float32),
    (lambda x: x.unfold(0, 3, 2), (7,), torch.float32),
    (lambda x: x.split([1, 3])[1].view(-1, 2), (4, 2), torch.float32),
    (lambda x: torch.view_as_real(x)[1, :, 1], (2, 2), torch.complex64),
    (lambda x: torch.view_as_complex(x).t(), (2, 3, 2), torch.float64),
]


@pytest.mark.parametrize("noted", [False, True])
@pytest.mark.parametrize("case", range(len(VIEWS)))
def test_the_same_view_of_another_base_and_back(case: int, noted: bool) -> None:
    f, shape, dtype = VIEWS[case]
    base, other = torch.randn(shape, dtype=dtype), torch.randn(shape, dtype=dtype)
    with tracked(noted):
        view = f(base)
    again = view._view_func(other)
    assert again._base is other
    assert again.equal(f(other))
    assert (again.stride(), again.storage_offset()) == (view.stride(), view.storage_offset())
    back = view._rev_view_func_unsafe(again.detach())
    assert back.shape == base.shape
    assert back.dtype is dtype
    assert back.equal(other)


def test_only_a_base_of_the_same_kind_is_taken() -> None:
    base = torch.zeros(3, 4)
    view = base[0]
    assert base._view_func(base) is None
    assert base._rev_view_func_unsafe(base) is None
    for other in (
        torch.zeros(4, 3),
        torch.zeros(3, 4, dtype=torch.float64),
        torch.zeros(4, 3).t(),
        torch.zeros(4, 4)[1:],
    ):
        assert view._view_func(other) is None
    assert view._view_func_unsafe(torch.ones(2, 4)).tolist() == [1, 1, 1, 1]


def test_visitors_put_other_arguments_in_place() -> None:
    base = torch.arange(24.0).reshape(2, 3, 4).clone()
    with tracked(True):
        view = base.select(1, 0).narrow(1, 0, 2)
    seen: list[int] = []
    view._view_func(base, symint_visitor_fn=lambda n: seen.append(n) or n)
    assert seen[0] == 0  # a place, and no dimension
    moved = base.select(1, 0)._view_func_unsafe
    with pytest.raises(NotImplementedError, match="_force_original_view_tracking"):
        moved(base, symint_visitor_fn=lambda n: n + 1)
    with tracked(True):
        chosen = base.select(1, 0)
    assert chosen._view_func(base, symint_visitor_fn=lambda n: n + 2).equal(base[:, 2])
    assert chosen._view_func(base).equal(base[:, 0])


def test_what_a_slice_was_taken_of() -> None:
    base = torch.arange(12.0, dtype=torch.float64).reshape(3, 4)
    part = base[1:, 1:3].detach()
    whole = torch.ops.aten.slice_inverse(part[:, :], base, 0, 1, 3, 1)
    assert whole.equal(base)
    assert whole._is_view()
    with pytest.raises(RuntimeError, match="out of bounds for storage"):
        torch.ops.aten.slice_inverse(torch.zeros(2), torch.zeros(5), 0, 0, 2, 1)
    with tracked(True):
        whole = torch.ops.aten.slice_inverse(part, base, 0, 1, 3, 1)
    smaller = whole._view_func(part, tensor_visitor_fn=lambda t: t[0])
    assert smaller.equal(base[0])
