"""Wrong input: the error is PyTorch's, in type and message, and nothing is changed by the attempt."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

import wengert as torch

# What was wrong, the call, the type and the message that PyTorch 2.13 gives.
CASES: list[tuple[str, Callable[[], Any], type[Exception], str]] = [
    (
        "matrix product of wrong shapes",
        lambda: torch.ones(2, 3) @ torch.ones(2, 3),
        RuntimeError,
        "mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)",
    ),
    (
        "linear of wrong shapes",
        lambda: torch.nn.functional.linear(torch.ones(2, 3), torch.ones(4, 5), torch.ones(4)),
        RuntimeError,
        "mat1 and mat2 shapes cannot be multiplied (2x3 and 5x4)",
    ),
    (
        "special functions of complex numbers",
        lambda: torch.erf(torch.tensor([1 + 1j])),
        NotImplementedError,
        "\"erf_vml_cpu\" not implemented for 'ComplexFloat'",
    ),
    (
        "polygamma of complex numbers",
        lambda: torch.polygamma(1, torch.tensor([1 + 1j], dtype=torch.complex128)),
        NotImplementedError,
        "\"trigamma\" not implemented for 'ComplexDouble'",
    ),
    (
        "Hurwitz's zeta function of complex numbers",
        lambda: torch.special.zeta(torch.tensor([1 + 1j]), torch.ones(1)),
        NotImplementedError,
        "\"zeta_cpu\" not implemented for 'ComplexFloat'",
    ),
    (
        "sum of shapes that do not broadcast",
        lambda: torch.ones(2, 3) + torch.ones(4),
        RuntimeError,
        "The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 1",
    ),
    (
        "matrix product of two dtypes",
        lambda: torch.ones(2, 3) @ torch.ones(3, 2, dtype=torch.float64),
        RuntimeError,
        "expected m1 and m2 to have the same dtype, but got: float != double",
    ),
    (
        "linear of two dtypes",
        lambda: torch.nn.functional.linear(torch.ones(2, 3, dtype=torch.float64), torch.ones(4, 3), torch.ones(4)),
        RuntimeError,
        "mat1 and mat2 must have the same dtype, but got Double and Float",
    ),
    (
        "class out of range",
        lambda: torch.nn.functional.cross_entropy(torch.ones(2, 3), torch.tensor([0, 3])),
        IndexError,
        "Target 3 is out of bounds.",
    ),
    (
        "batches of two sizes",
        lambda: torch.nn.functional.cross_entropy(torch.ones(2, 3), torch.tensor([0, 1, 2])),
        ValueError,
        "Expected input batch_size (2) to match target batch_size (3).",
    ),
    (
        "integers that require grad",
        lambda: torch.tensor([1, 2], requires_grad=True),
        RuntimeError,
        "Only Tensors of floating point and complex dtype can require gradients",
    ),
    (
        "integers asked to require grad later",
        lambda: torch.tensor([1, 2]).requires_grad_(),
        RuntimeError,
        "only Tensors of floating point dtype can require gradients",
    ),
    (
        "backward from a vector",
        lambda: (torch.ones(3, requires_grad=True) * 2).backward(),
        RuntimeError,
        "grad can be implicitly created only for scalar outputs",
    ),
    (
        "backward without a graph",
        lambda: torch.ones(3).sum().backward(),
        RuntimeError,
        "element 0 of tensors does not require grad and does not have a grad_fn",
    ),
    (
        "reshape to another size",
        lambda: torch.ones(3).reshape(2, 2),
        RuntimeError,
        "shape '[2, 2]' is invalid for input of size 3",
    ),
    (
        "view across strides",
        lambda: torch.ones(2, 3).t().view(6),
        RuntimeError,
        "view size is not compatible with input tensor's size and stride (at least one dimension spans across two contiguous subspaces). Use .reshape(...) instead.",
    ),
    (
        "index out of range",
        lambda: torch.ones(3)[5],
        IndexError,
        "index 5 is out of bounds for dimension 0 with size 3",
    ),
    (
        "index by a fraction",
        lambda: torch.ones(3)[1.5],
        IndexError,
        "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices (got float)",
    ),
    ("too many indices", lambda: torch.ones(3)[0, 0], IndexError, "too many indices for tensor of dimension 1"),
    (
        "cat of other sizes",
        lambda: torch.cat([torch.ones(2, 3), torch.ones(3, 2)]),
        RuntimeError,
        "Sizes of tensors must match except in dimension 0. Expected size 3 but got size 2 for tensor number 1 in the list.",
    ),
    (
        "stack of other sizes",
        lambda: torch.stack([torch.ones(2), torch.ones(3)]),
        RuntimeError,
        "stack expects each tensor to be equal size, but got [2] at entry 0 and [3] at entry 1",
    ),
    (
        "maximum of nothing",
        lambda: torch.ones(0).max(),
        RuntimeError,
        "max(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the 'dim' argument.",
    ),
    (
        "item of many",
        lambda: torch.ones(3).item(),
        RuntimeError,
        "a Tensor with 3 elements cannot be converted to Scalar",
    ),
    (
        "truth of many",
        lambda: bool(torch.ones(3)),
        RuntimeError,
        "Boolean value of Tensor with more than one value is ambiguous",
    ),
    (
        "dimension out of range",
        lambda: torch.ones(3).sum(2),
        IndexError,
        "Dimension out of range (expected to be in range of [-1, 0], but got 2)",
    ),
    ("ragged lists", lambda: torch.tensor([[1, 2], [3]]), ValueError, "expected sequence of length 2 at dim 1 (got 1)"),
    (
        "a number where a tensor belongs",
        lambda: torch.sin(3),
        TypeError,
        "sin(): argument 'input' (position 1) must be Tensor, not int",
    ),
    (
        "expand over a real dimension",
        lambda: torch.ones(3).expand(2, 4),
        RuntimeError,
        "The expanded size of the tensor (4) must match the existing size (3) at non-singleton dimension 1.  Target sizes: [2, 4].  Tensor sizes: [3]",
    ),
    (
        "softmax of integers",
        lambda: torch.tensor([1, 2]).softmax(0),
        NotImplementedError,
        "\"softmax_lastdim_kernel_impl\" not implemented for 'Long'",
    ),
    (
        "mean of integers",
        lambda: torch.tensor([1, 2]).mean(),
        RuntimeError,
        "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got: Long",
    ),
    ("no parameters", lambda: torch.optim.SGD([], lr=0.1), ValueError, "optimizer got an empty parameter list"),
    (
        "negative learning rate",
        lambda: torch.optim.SGD([torch.ones(2, requires_grad=True)], lr=-1),
        ValueError,
        "Invalid learning rate: -1",
    ),
    (
        "requires_grad off inside a graph",
        lambda: setattr(torch.ones(3, requires_grad=True) * 2, "requires_grad", False),
        RuntimeError,
        "you can only change requires_grad flags of leaf variables. If you want to use a computed variable in a subgraph that doesn't require differentiation use var_no_grad = var.detach().",
    ),
    (
        "arange that never ends",
        lambda: torch.arange(0, 5, -1),
        RuntimeError,
        "upper bound and lower bound inconsistent with step sign",
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_error_is_pytorchs(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as raised:
        call()
    assert type(raised.value) is error
    assert str(raised.value) == message


def test_a_freed_graph_says_so_and_leaves_the_gradients() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x.exp().sum()
    y.backward()
    first = x.grad.clone()
    with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
        y.backward()
    assert torch.equal(x.grad, first)


def test_a_refused_change_in_place_changes_nothing() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(
        RuntimeError, match="a leaf Variable that requires grad is being used in an in-place operation."
    ):
        x.add_(1)
    assert x.tolist() == [1.0, 2.0]
    y = torch.ones(3)
    with pytest.raises(RuntimeError, match=r"output with shape \[3\] doesn't match the broadcast shape \[2, 3\]"):
        y.add_(torch.ones(2, 3))
    assert y.tolist() == [1.0, 1.0, 1.0]
    assert y._version == 0


def test_a_gradient_of_the_wrong_shape_is_refused_before_anything_runs() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    with pytest.raises(RuntimeError, match="Mismatch in shape"):
        y.backward(torch.ones(3))
    assert x.grad is None
    y.backward(torch.ones(2))  # the graph is intact
    assert x.grad.tolist() == [2.0, 2.0]


def test_nan_in_the_data_passes_through_and_is_named_on_request() -> None:
    """As in PyTorch NaN is a number like others; anomaly mode says where it was born."""
    x = torch.tensor([1.0, float("nan")], requires_grad=True)
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]
    y = torch.tensor([1.0, -1.0], requires_grad=True)
    with (
        torch.autograd.set_detect_anomaly(True),
        pytest.raises(
            RuntimeError, match="Function 'log' returned nan values in its 0th output, going forward: nan at \\[1\\]"
        ),
    ):
        y.log().sum().backward()


@pytest.mark.parametrize("write", [lambda x, v: x.masked_fill(x == 1, v), lambda x, v: x.__setitem__(0, v) or x])
def test_numbers_are_cut_to_the_dtype_they_are_written_into_or_refused(write: Any) -> None:
    ints, small, floats = torch.ones(2, dtype=torch.int64), torch.ones(2, dtype=torch.uint8), torch.ones(2)
    assert write(ints.clone(), -1.5)[0] == -1
    assert write(ints.clone(), 3 + 0j)[0] == 3
    assert write(small.clone(), -3)[0] == 253
    assert write(floats.clone(), math.inf)[0] == math.inf
    for x, value, name in (
        (ints, 1e30, "int64_t"), (ints, math.nan, "int64_t"), (ints, 1 + 2j, "int64_t"), (small, 300, "uint8_t"),
        (small, -1.5, "uint8_t"), (floats, 1e39, "float"), (floats, 1 + 2j, "float"),
    ):  # fmt: skip
        before = x.clone()
        with pytest.raises(RuntimeError, match=f"value cannot be converted to type {name} without overflow"):
            write(before, value)
        assert torch.equal(before, x)


def test_autocast_without_bfloat16_is_off_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wengert.amp.find_spec", lambda name: None)
    with pytest.warns(UserWarning, match=r"pip install wengert\[bfloat16\]"), torch.autocast("cpu"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.float16):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float16
