"""`torch._foreach_*`: the operation of that name for each tensor of a list."""

from __future__ import annotations

from typing import Any

import pytest

import wengert as torch
from wengert.ops.foreach import NAMES, function

DATA = ([0.25, 0.5, 0.75], [0.125])


def lists(of: Any, *, scale: float = 1.0) -> list[Any]:
    return [of.tensor([x * scale for x in row], dtype=of.float64) for row in DATA]


def given(of: Any, name: str) -> list[tuple[Any, ...]]:
    """What each function is called with after the list itself."""
    base = name.removeprefix("_foreach_").rstrip("_")
    if base in ("add", "sub"):
        return [(lists(of),), (2,), ([1.0, 2.0],), (of.tensor(3.0),)]
    if base in ("mul", "div", "pow"):
        return [(lists(of),), (2,), ([1.0, 2.0],)]
    if base in ("maximum", "minimum", "clamp_max", "clamp_min"):
        return [(lists(of, scale=0.5),), (0.3,), ([0.3, 0.1],)]
    if base == "lerp":
        return [(lists(of, scale=3.0), 0.25), (lists(of, scale=3.0), [0.25, 0.5]), (lists(of, scale=3.0), lists(of))]
    if base in ("addcmul", "addcdiv"):
        a, b = lists(of, scale=2.0), lists(of, scale=3.0)
        return [(a, b), (a, b, 2), (a, b, [2.0, 3.0]), (a, b, of.tensor([2.0, 3.0]))]
    if base == "copy":
        return [(lists(of, scale=2.0),)]
    if base == "norm":
        return [(), (1,), (float("inf"),)]
    if base == "powsum":
        return [(), (3.0,)]
    return [()]


def single(name: str, t: Any, rest: tuple[Any, ...], i: int) -> Any:
    """The same of one tensor, by public functions."""
    plain = name.removeprefix("_foreach_")
    base = plain.rstrip("_")
    each = [r[i] if isinstance(r, list) or (isinstance(r, torch.Tensor) and r.ndim) else r for r in rest]
    if base in ("maximum", "minimum"):
        bound = each[0] if isinstance(each[0], torch.Tensor) else torch.tensor(each[0], dtype=torch.float64)
        return getattr(torch, base)(t, bound)
    if base in ("addcmul", "addcdiv"):
        return getattr(torch, base)(t, *each[:2], value=float(each[2]) if len(each) > 2 else 1)
    if base == "norm":
        return torch.linalg.vector_norm(t, *each)
    if base == "powsum":
        return t.abs().pow(each[0] if each else 2).sum()
    if base in ("copy", "zero"):
        return each[0] if each else torch.zeros_like(t)
    return getattr(t, base)(*each)


@pytest.mark.parametrize("name", [n for n in NAMES if n != "_foreach_mm"])
def test_each_tensor_gets_what_the_function_gives_it_alone(name: str) -> None:
    for rest in given(torch, name):
        tensors = lists(torch)
        wanted = [single(name, t.clone(), rest, i) for i, t in enumerate(tensors)]
        found = getattr(torch, name)(tensors, *rest)
        assert (found is tensors) is name.endswith("_")
        assert isinstance(found, tuple) is not name.endswith("_")
        for f, w in zip(found, wanted, strict=True):
            assert torch.allclose(f, w, rtol=1e-12, atol=0)


def test_gradients_and_saved_values_are_those_of_single_operations() -> None:
    a = [torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor(3.0, requires_grad=True)]
    results = torch._foreach_mul(torch._foreach_exp(a), [2.0, 3.0])
    (results[0].sum() + results[1]).backward()
    assert torch.allclose(a[0].grad, 2 * a[0].exp())
    assert torch.allclose(a[1].grad, 3 * a[1].exp())
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used in an in-place operation"):
        torch._foreach_add_(a, 1)
    with torch.no_grad():
        torch._foreach_sub_(a, a, alpha=0.5)
    assert a[0].tolist() == [0.5, 1.0]


def test_matrices_and_powers_of_a_number() -> None:
    a, b = torch.arange(4.0).reshape(2, 2), torch.ones(2, 1)
    assert torch._foreach_mm([a], [b])[0].tolist() == [[1], [5]]
    assert torch._foreach_pow(2.0, [torch.tensor([3.0, -1.0])])[0].tolist() == [8, 0.5]
    assert torch._foreach_add([b], [b], alpha=3)[0].tolist() == [[4], [4]]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda a: torch._foreach_exp([]), RuntimeError, "Tensor list must have at least one tensor."),
        (
            lambda a: torch._foreach_exp(a[0]),
            TypeError,
            "argument 'self' .position 1. must be tuple of Tensors, not Tensor",
        ),
        (lambda a: torch._foreach_exp([a[0], 2]), TypeError, "expected Tensor as element 1 in argument 0, but got int"),
        (lambda a: torch._foreach_add(a, [1.0]), RuntimeError, "same number of elements as scalar list"),
        (lambda a: torch._foreach_add(a, a[:1]), RuntimeError, "same number of tensors, got 2 and 1"),
        (
            lambda a: torch._foreach_add(a, [1.0, a[0]]),
            TypeError,
            "expected Tensor as element 0 in argument 1, but got float",
        ),
        (lambda a: torch._foreach_add(a, 1, alpha=2), TypeError, r"_foreach_add\(\) received an invalid combination"),
        (lambda a: torch._foreach_mul(a, 1, alpha=2), TypeError, r"_foreach_mul\(\) received an invalid combination"),
        (lambda a: torch._foreach_mul(a, "x"), TypeError, r"_foreach_mul\(\) received an invalid combination"),
        (
            lambda a: torch._foreach_mul(a, torch.ones(2)),
            RuntimeError,
            "scalar tensor expected to be 0 dim but it has 1",
        ),
        (lambda a: torch._foreach_lerp(a, a), TypeError, r"_foreach_lerp\(\) received an invalid combination"),
        (
            lambda a: torch._foreach_lerp(a, 1, 2),
            TypeError,
            "argument 'tensors1' .position 2. must be tuple of Tensors",
        ),
        (lambda a: torch._foreach_max([torch.zeros(0)]), RuntimeError, "max over zero elements is undefined"),
        (lambda a: torch._foreach_norm(a, "fro"), TypeError, "argument 'ord' .position 2. must be Number, not str"),
        (lambda a: torch._foreach_nonsense(a), AttributeError, "has no attribute '_foreach_nonsense'"),
    ],
)
def test_bad_lists(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call([torch.tensor([1.0]), torch.tensor(2.0)])


@pytest.mark.conformance
def test_the_same_names_and_values_as_pytorch() -> None:
    theirs: Any = pytest.importorskip("torch")
    assert sorted(n for n in dir(theirs) if n.startswith("_foreach_")) == NAMES
    for name in NAMES:
        if name == "_foreach_mm":
            continue
        for mine, wanted in zip(given(torch, name), given(theirs, name), strict=True):
            found, expected = function(name)(lists(torch), *mine), getattr(theirs, name)(lists(theirs), *wanted)
            for f, e in zip(found, expected, strict=True):
                assert f.tolist() == pytest.approx(e.tolist(), rel=1e-12), name
                assert str(f.dtype).split(".")[-1] == str(e.dtype).split(".")[-1], name
