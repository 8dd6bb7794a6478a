"""Changes in place and views: what is refused, what is noticed, and what the graph becomes."""

from __future__ import annotations

import re
import time

import pytest

import wengert as torch
from test_function import make


def leaf(*values: float) -> torch.Tensor:
    return torch.tensor(values, requires_grad=True)


def raises(error: type[BaseException], message: str):
    """The message must start with (or be) these exact words."""
    return pytest.raises(error, match="^" + re.escape(message))


MODIFIED = (
    "one of the variables needed for gradient computation has been modified by an inplace operation: "
    "[torch.FloatTensor [{shape}]]{source} is at version {now}; expected version {then} instead. Hint: enable anomaly "
    "detection to find the operation that failed to compute its gradient, with "
    "torch.autograd.set_detect_anomaly(True, check_nan=False)."
)


# -- leaves ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.add_(1),
        lambda x: x.mul_(2),
        lambda x: x.zero_(),
        lambda x: x.copy_(torch.ones(2)),
        lambda x: x.exp_(),
    ],
)
def test_a_leaf_that_requires_grad_cannot_be_changed(change) -> None:
    x = leaf(1.0, 2.0)
    with raises(RuntimeError, "a leaf Variable that requires grad is being used in an in-place operation."):
        change(x)
    assert x.tolist() == [1.0, 2.0]
    assert x._version == 0


def test_nor_can_its_view() -> None:
    x = leaf(1.0, 2.0)

    def assign(t, index):
        t[index] = 1.0

    for change in (lambda: x[:1].mul_(2), lambda: x.view(2, 1).zero_(), lambda: assign(x, 0), lambda: assign(x[1:], 0)):
        with raises(
            RuntimeError, "a view of a leaf Variable that requires grad is being used in an in-place operation."
        ):
            change()
    assert x.tolist() == [1.0, 2.0]


def test_under_no_grad_a_leaf_may_be_changed_and_stays_one() -> None:
    w = leaf(1.0, 2.0)
    (w * 3).sum().backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
        w[0] = 5.0
    assert w.is_leaf
    assert w.requires_grad
    assert w._version == 2
    assert w.tolist() == [5.0, pytest.approx(1.7)]


# -- saved values ----------------------------------------------------------------------------------------------


def test_a_changed_result_that_was_saved_is_noticed() -> None:
    y = leaf(1.0, 2.0, 3.0).exp()
    y.add_(1)
    message = MODIFIED.format(shape=3, source=", which is output 0 of Exp,", now=1, then=0)
    with raises(RuntimeError, message):
        y.sum().backward()


def test_the_operation_that_made_the_changed_value_is_named() -> None:
    x = leaf(1.0, 2.0, 3.0)
    y = x.exp()
    z = y * y
    with torch.no_grad():
        y.add_(1)
    with raises(RuntimeError, MODIFIED.format(shape=3, source=", which is output 0 of Exp,", now=1, then=0)):
        z.sum().backward()


def test_of_a_leaf_no_operation_is_named() -> None:
    x, w = leaf(1.0), leaf(2.0)
    y = x * w
    with torch.no_grad():
        w.add_(1)
        w.add_(1)
    with raises(RuntimeError, MODIFIED.format(shape=1, source="", now=2, then=0)):
        y.backward()


def test_values_that_were_not_saved_may_change() -> None:
    w = leaf(1.0)
    y = w * 3
    with torch.no_grad():
        w -= 0.1
    y.backward()
    assert w.grad.tolist() == [3.0]
    x = leaf(1.0)
    y = x + 1
    y.mul_(2)
    y.backward()
    assert x.grad.tolist() == [2.0]


def test_a_change_is_noticed_through_any_alias() -> None:
    for alias in (lambda t: t.view(-1), lambda t: t[:1], lambda t: t.detach(), lambda t: t.unsqueeze(0)):
        x = leaf(1.0, 2.0)
        y = x.exp()
        z = y * y
        with torch.no_grad():
            alias(y).mul_(2)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            z.sum().backward()


def test_saved_after_the_change_is_saved_as_it_is_then() -> None:
    x = leaf(2.0)
    y = x * 1
    y.mul_(3)
    z = y * y
    z.backward()
    assert x.grad.tolist() == [36.0]


# -- the chain of changes --------------------------------------------------------------------------------------


def test_changes_in_place_are_recorded() -> None:
    x = leaf(1.0, 2.0)
    y = x * 2
    before = y.grad_fn
    y.mul_(x)
    assert y.grad_fn.name() == "MulBackward0"
    assert y.grad_fn is not before
    y.sin_()
    y.sum().backward()
    expected = (torch.tensor([2.0, 8.0]).cos() * torch.tensor([4.0, 8.0])).tolist()
    assert x.grad.tolist() == pytest.approx(expected)


def test_a_constant_becomes_part_of_the_graph() -> None:
    x = leaf(1.0, 2.0)
    total = torch.zeros(2)
    total.add_(x)
    assert not total.is_leaf
    assert total.requires_grad
    total.mul_(3)
    total.sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_squaring_in_place_by_itself_is_noticed() -> None:
    y = leaf(1.0, 2.0) * 1
    y.mul_(y)
    message = "one of the variables needed for gradient computation has been modified by an inplace operation"
    with raises(RuntimeError, message):
        y.sum().backward()


# -- views -----------------------------------------------------------------------------------------------------


def test_changing_a_view_rewrites_its_base() -> None:
    x = leaf(1.0, 2.0, 3.0)
    y = x * 2
    v = y[1:]
    v.mul_(10)
    assert y.grad_fn.name() == "torch::autograd::CopySlices"
    assert v.grad_fn.name() == "AsStridedBackward0"
    assert v._base is y
    assert v._version == y._version == 1
    assert y.tolist() == [2.0, 40.0, 60.0]
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 20.0, 20.0]


def test_changing_the_base_changes_its_views() -> None:
    x = leaf(1.0, 2.0, 3.0)
    y = x * 2
    v, w = y[1:], y.view(3, 1)
    first = v.grad_fn
    y.mul_(y.detach().clone())
    assert v.grad_fn is not first
    v.sum().backward(retain_graph=True)
    assert x.grad.tolist() == [0.0, 8.0, 12.0]
    x.grad = None
    w.sum().backward()
    assert x.grad.tolist() == [4.0, 8.0, 12.0]


def test_a_view_of_a_view() -> None:
    x = torch.arange(6.0).requires_grad_()
    y = x * 1
    v = y.view(2, 3)
    w = v[1]
    w[:2].mul_(5)
    assert w._base is y
    assert v.tolist() == [[0.0, 1.0, 2.0], [15.0, 20.0, 5.0]]
    (v * torch.arange(6.0).view(2, 3)).sum().backward()
    assert x.grad.tolist() == [0.0, 1.0, 2.0, 15.0, 20.0, 5.0]


def test_the_gradient_through_transposed_and_strided_views() -> None:
    x = torch.arange(6.0).view(2, 3).requires_grad_()
    y = x * 1
    y.t()[1].mul_(2)
    y[:, ::2].add_(1)
    y.diagonal().mul_(3)
    weights = torch.tensor([[1.0, 10.0, 100.0], [2.0, 20.0, 200.0]])
    (y * weights).sum().backward()
    assert x.grad.tolist() == [[3.0, 20.0, 100.0], [2.0, 120.0, 200.0]]


def test_the_order_of_changes_to_view_and_base_counts() -> None:
    x = leaf(1.0, 1.0)
    y = x * 1
    v = y[:1]
    y.mul_(2)
    v.mul_(3)
    y.add_(v.clone())
    v.mul_(5)
    # y = [2 x0 * 3 * 2 * 5, 2 x1 + 6 x0]
    assert y.tolist() == [60.0, 8.0]
    y.sum().backward()
    assert x.grad.tolist() == [66.0, 2.0]


def test_assignment_zeroes_the_gradient_of_what_was_there() -> None:
    x = leaf(1.0, 2.0, 3.0)
    y = x * 2
    y[1] = 7.0
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 0.0, 2.0]


def test_assignment_makes_a_buffer_part_of_the_graph() -> None:
    x = leaf(1.0, 2.0)
    b = torch.zeros(3)
    b[1:] = x * 2
    assert b.grad_fn.name() == "torch::autograd::CopySlices"
    (b * b).sum().backward()
    assert x.grad.tolist() == [8.0, 16.0]


def test_a_view_made_before_sees_the_buffer_change() -> None:
    x = leaf(1.0, 2.0)
    b = torch.zeros(2)
    v = b.view(2, 1)
    b.copy_(x)
    assert v.requires_grad
    v.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_second_derivative_through_a_changed_view() -> None:
    x = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)

    def f(t):
        y = t * t
        y[1:].mul_(t[:1])
        y[0].sin_()
        return y

    assert torch.autograd.gradcheck(f, (x,))
    assert torch.autograd.gradgradcheck(f, (x,))


# -- what may not be changed -----------------------------------------------------------------------------------

MULTI = (
    "Output {nr} of {name} is a view and is being modified inplace. This view is the output of a function that returns "
    "multiple views. Such functions do not allow the output views to be modified inplace. You should replace the inplace "
    "operation by an out-of-place one."
)


@pytest.mark.parametrize(
    ("split", "nr", "name"),
    [
        (lambda y: y.split(2), 0, "Split"),
        (lambda y: y.unbind(0), 1, "Unbind"),
        (lambda y: y.chunk(2), 1, "Split"),
    ],
    ids=["split", "unbind", "chunk"],
)
def test_one_of_several_views_cannot_be_changed(split, nr, name) -> None:
    y = leaf(1.0, 2.0, 3.0, 4.0) * 1
    with raises(RuntimeError, MULTI.format(nr=nr, name=name)):
        split(y)[nr].mul_(2)
    assert y.tolist() == [1.0, 2.0, 3.0, 4.0]


def test_the_base_of_several_views_can() -> None:
    x = leaf(1.0, 2.0)
    y = x * 1
    a, b = y.unbind(0)
    y.mul_(2)
    (a * 3 + b).backward()
    assert x.grad.tolist() == [6.0, 2.0]


def test_a_view_made_in_no_grad_mode() -> None:
    y = leaf(1.0, 2.0) * 1
    with torch.no_grad():
        v = y[:1]
        v.add_(0)
    message = (
        "A view was created in no_grad mode and is being modified inplace with grad mode enabled. Given that this use case "
        "is ambiguous and error-prone, it is forbidden. You can clarify your code by moving both the view and the inplace "
        "either both inside the no_grad block (if you don't want the inplace to be tracked) or both outside (if you want "
        "the inplace to be tracked)."
    )
    with raises(RuntimeError, message):
        v.mul_(2)


def test_a_view_made_in_inference_mode() -> None:
    y = leaf(1.0, 2.0) * 1
    with torch.inference_mode():
        v = y[:1]
    message = (
        "A view was created in inference mode and is being modified inplace in normal mode. Given that this use case is "
        "ambiguous and error-prone, it is forbidden. You can clarify your code by moving both the view and the inplace "
        "either both inside the inference_mode block"
    )
    with raises(RuntimeError, message):
        v.mul_(2)


def test_a_view_made_by_a_function() -> None:
    F = make(lambda ctx, x: x.view(-1), lambda ctx, g: g)
    y = F.apply(leaf(1.0, 2.0) * 1)
    message = (
        "Output 0 of F is a view and is being modified inplace. This view was created inside a custom Function (or "
        "because an input was returned as-is) and the autograd logic to handle view+inplace would override the custom "
        "backward associated with the custom Function, leading to incorrect gradients. This behavior is forbidden. You "
        "can fix this by cloning the output of the custom Function."
    )
    with raises(RuntimeError, message):
        y.mul_(2)


def test_an_expanded_tensor_cannot_be_written_to() -> None:
    message = (
        "unsupported operation: more than one element of the written-to tensor refers to a single memory location. Please "
        "clone() the tensor before performing the operation."
    )
    with raises(RuntimeError, message):
        torch.ones(1).expand(3).add_(torch.ones(3))


def test_the_result_must_fit() -> None:
    with raises(RuntimeError, "output with shape [2] doesn't match the broadcast shape [3, 2]"):
        torch.ones(2).add_(torch.ones(3, 2))
    with raises(RuntimeError, "result type Float can't be cast to the desired output type Long"):
        torch.tensor([1, 2]).add_(1.5)


def test_overlapping_memory_is_refused() -> None:
    x = torch.arange(4.0)
    message = (
        "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory "
        "location. Please clone() the tensor before performing the operation."
    )
    with raises(RuntimeError, message):
        x[1:].add_(x[:-1])
    assert x.tolist() == [0.0, 1.0, 2.0, 3.0]


# -- out= ------------------------------------------------------------------------------------------------------


def test_out_does_not_go_with_gradients() -> None:
    message = (
        "{}(): functions with out=... arguments don't support automatic differentiation, but one of the arguments "
        "requires grad."
    )
    x = leaf(1.0)
    with raises(RuntimeError, message.format("mul")):
        torch.mul(x, x, out=torch.empty(1))
    with raises(RuntimeError, message.format("mul")):
        torch.mul(torch.ones(1), 2, out=leaf(1.0))
    target = torch.empty(1)
    with torch.no_grad():
        assert torch.mul(x, 3, out=target) is target
    assert target.tolist() == [3.0]
    assert target._version == 1


def test_augmented_assignment_and_its_alias() -> None:
    x = leaf(1.0, 2.0)
    y = x * 2
    z = y
    y += 1
    assert y is z
    y -= x
    y *= 3
    y /= 2
    y.sum().backward()
    assert x.grad.tolist() == [1.5, 1.5]


def test_views_of_several_views_follow_their_base() -> None:
    x = leaf(1.0, 2.0, 3.0, 4.0)
    y = x * 1
    parts = y.split(2)
    inner = parts[0].view(2, 1)
    with raises(RuntimeError, "Output 0 of View is a view and is being modified inplace."):
        inner.mul_(2)
    y[0] = 0.0
    inner.sum().backward()
    assert x.grad.tolist() == [0.0, 1.0, 0.0, 0.0]


def test_reinterpreting_views_follow_their_base_too() -> None:
    z = torch.tensor([1 + 2j, 3 + 4j], requires_grad=True)
    w = z * 1
    r = torch.view_as_real(w)
    r[:, 0].mul_(2)
    assert w.tolist() == [2 + 2j, 6 + 4j]
    torch.view_as_real(w).sum().backward()
    assert z.grad.tolist() == [2 + 1j, 2 + 1j]


def test_how_a_view_of_a_leaf_was_made_is_said_before_that_it_is_one() -> None:
    x = torch.ones(2, 2, requires_grad=True)
    with pytest.raises(RuntimeError, match="^Output 0 of Unbind is a view and is being modified inplace"):
        x.unbind()[0].mul_(2)
    with torch.no_grad():
        v = x[0]
    with pytest.raises(RuntimeError, match="^A view was created in no_grad mode"):
        v.mul_(2)


def test_views_may_be_rebuilt_by_the_operations_that_made_them() -> None:
    tracking = torch.autograd._force_original_view_tracking
    x = leaf(1.0, 2.0, 3.0, 4.0)

    def changed() -> tuple[torch.Tensor, torch.Tensor]:
        base = x * 1
        corner = base.view(2, 2).t()[1]
        base.mul_(2)
        return base, corner

    expected = torch.tensor([0.0, 2.0, 0.0, 2.0])
    _, plain = changed()
    assert plain.grad_fn.name() == "AsStridedBackward0"
    with tracking(True):
        assert torch.autograd.is_view_replay_enabled()
        base, corner = changed()
    assert not torch.autograd.is_view_replay_enabled()
    names, node = [], corner.grad_fn
    while node is not base.grad_fn:
        names.append(node.name())
        node = node.next_functions[0][0]
    assert names == ["SelectBackward0", "TBackward0", "ViewBackward0"]
    for c in (plain, corner):
        assert torch.autograd.grad(c.sum(), x)[0].equal(expected)
    base.add_(corner.detach().sum())  # also after the block: how it was made is known
    assert corner.grad_fn.name() == "SelectBackward0"
    tracking(True)  # as a function: at once
    try:
        assert changed()[1].grad_fn.name() == "SelectBackward0"
    finally:
        tracking(False)


def test_a_saved_argument_that_is_detached_in_place_is_refused() -> None:
    message = re.escape("Trying to use a saved tensor that has been detached in-place, i.e. with .detach_()")
    x = torch.tensor(0.5, requires_grad=True)
    h = x * 1
    y = h.sin()
    h.detach_()
    with pytest.raises(RuntimeError, match=message):
        y.backward()
    for detached, fine in ((x.exp(), True), (x.clone(), False)):
        y = detached if fine else detached.cos()
        kept = y * 1
        detached.detach_()  # a result that its own node saved may be detached, what another saved may not
        if fine:
            assert torch.autograd.grad(kept, x)[0].item() == pytest.approx(1.6487212707)
        else:
            with pytest.raises(RuntimeError, match=message):
                torch.autograd.grad(kept, x, create_graph=True)
    h = x * 1
    h.detach_()
    assert not (h * h).requires_grad  # what is recorded from then on is another matter
    h.requires_grad_()
    h.sin().backward()
    assert h.grad.item() == pytest.approx(0.8775825619)


def test_a_custom_function_that_saved_what_is_then_detached_is_refused() -> None:
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * x * g

    h = torch.ones(2, requires_grad=True) * 1
    y = Square.apply(h)
    h.detach_()
    with pytest.raises(RuntimeError, match="a saved tensor that has been detached in-place"):
        y.sum().backward()


def test_a_view_that_requires_grad_of_a_leaf_that_does_not_may_not_be_changed() -> None:
    v = torch.zeros(3)[1:].requires_grad_()
    with pytest.raises(
        RuntimeError, match="^a view of a leaf Variable that requires grad is being used in an in-place"
    ):
        v.mul_(2)
    base = torch.zeros(3)
    base[1:].mul_(torch.ones(2, requires_grad=True))
    assert base.requires_grad


def test_as_strided_reads_beyond_the_view_it_is_given() -> None:
    whole = torch.arange(5.0)
    assert whole[:3].detach().as_strided((5,), (1,), 0).tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(RuntimeError, match="out of bounds for storage of size 20"):
        whole[:3].as_strided((6,), (1,), 0)
    with pytest.raises(RuntimeError, match="can access memory outside of `tensor`"):
        torch.vmap(lambda x: x.as_strided((4,), (1,), 0))(torch.zeros(2, 3))


# -- the fast road -----------------------------------------------------------------------------------------------


def test_a_result_saved_by_a_change_in_place_may_not_change_after() -> None:
    for change, slope in ((lambda t: t.exp_(), 1.0), (lambda t: t.sigmoid_(), 0.25), (lambda t: t.tanh_(), 1.0)):
        x = leaf(0.0, 0.0)
        y = change(x.clone())
        y.sum().backward()
        assert x.grad.tolist() == [slope, slope]
        y = change(x.clone())
        y.add_(1)
        with raises(RuntimeError, MODIFIED.format(shape="[2]", source="", now=2, then=1)[:60]):
            y.sum().backward()


def test_what_backward_reads_of_the_old_value_is_kept() -> None:
    x, w = leaf(2.0, 3.0), leaf(5.0, 7.0)
    y = x.clone()
    y *= w
    y *= w
    y.sum().backward()
    assert x.grad.tolist() == [25.0, 49.0]
    assert w.grad.tolist() == [20.0, 42.0]  # 2 w x


def test_a_result_of_another_shape_or_dtype_is_not_stored() -> None:
    x = torch.zeros(3)
    with raises(RuntimeError, "output with shape [3] doesn't match the broadcast shape [1, 3]"):
        x.add_(torch.ones(1, 3))
    with raises(RuntimeError, "output with shape [3] doesn't match the broadcast shape [2, 3]"):
        x.add_(torch.ones(2, 3))
    assert x.tolist() == [0.0, 0.0, 0.0]
    assert x._version == 0
    x += torch.full((3,), 1.5, dtype=torch.float64)
    assert x.dtype == torch.float32
    n = torch.tensor([1, 2])
    with raises(RuntimeError, "result type Float can't be cast to the desired output type Long"):
        n.add_(0.5)
    n += 1
    assert n.tolist() == [2, 3]
    assert n.dtype == torch.int64


def test_large_tensors_change_in_place_like_small_ones() -> None:
    n = 1 << 20
    for change in (lambda t: t.add_(torch.arange(n) % 7.0), lambda t: t.mul_(0.5), lambda t: t.exp_()):
        whole, part = torch.linspace(-1, 1, n), torch.linspace(-1, 1, n)[:100].clone()
        memory = whole.numpy()
        change(whole)
        assert memory[1] == whole[1].item()
        assert torch.equal(whole[:100], change_of_part(change, part))


def change_of_part(change, part: torch.Tensor) -> torch.Tensor:
    n = 1 << 20
    padded = torch.zeros(n)
    padded[:100] = part
    return change(padded)[:100]


def test_assigning_checks_what_it_is_told_of() -> None:
    x = torch.zeros(3)
    view = x[1:]
    x.requires_grad_()
    with raises(RuntimeError, "a view of a leaf Variable that requires grad is being used in an in-place operation."):
        view[0] = 1.0
    with torch.inference_mode():
        made = torch.zeros(3)
    with torch.no_grad(), raises(RuntimeError, "Inplace update to inference tensor outside InferenceMode"):
        made[0] = 1.0
    assert x.tolist() == made.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("order", ["rows", "columns"])
@pytest.mark.parametrize(
    "view",
    [
        lambda t: t[1],
        lambda t: t[2, 3],
        lambda t: t[:, 2],
        lambda t: t[1:3, ::2],
        lambda t: t.t()[3],
        lambda t: t.unfold(1, 2, 2)[1:, 1],
        lambda t: t.diagonal(),
        lambda t: t[3:3],
        lambda t: t.unsqueeze(0),
    ],
)
def test_the_place_of_a_view_in_its_base(view, order: str) -> None:
    """The part of the gradient that lies where the view does goes through the change, the rest past it."""
    x = torch.linspace(-1, 1, 24, dtype=torch.float64).reshape(4, 6).requires_grad_()
    w = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    numbers = torch.arange(24.0, dtype=torch.float64).reshape(4, 6)
    places = view(numbers).flatten().long()
    weights = torch.linspace(1, 2, 24, dtype=torch.float64).reshape(4, 6)

    def changed() -> torch.Tensor:
        y = x * 1 if order == "rows" else (x.t() * 1).t()
        view(y).mul_(w)
        return (y * weights).sum()

    slopes = torch.ones(24, dtype=torch.float64).index_fill(0, places, 3.0).reshape(4, 6)
    of_w = (x.detach() * weights).flatten()[places].sum()
    for create_graph in (False, True):
        gx, gw = torch.autograd.grad(changed(), (x, w), create_graph=create_graph)
        assert torch.allclose(gx, slopes * weights)
        assert torch.allclose(gw, of_w)


def test_a_buffer_is_filled_without_looking_at_all_of_it() -> None:
    buffer, s = torch.zeros(1 << 24), leaf(2.0)
    buffer[0] = s[0]
    began = time.perf_counter()
    for i in range(20):
        buffer[i] = s[0] * i
    assert time.perf_counter() - began < 0.5  # numbering its elements once would take longer
    assert buffer[:3].tolist() == [0.0, 2.0, 4.0]


def test_numbers_written_where_a_mask_says_into_recorded_tensors() -> None:
    """`scores[~mask] = -1e6`, as attention masks: of a float, an int and a bool, and with a list of places."""
    x = torch.ones(2, 3, requires_grad=True)
    mask = torch.tensor([[True, False, True], [False, True, True]])
    for number in (-1e6, 3, True, float("-inf")):
        y = x * 2
        y[~mask] = number
        assert y.tolist() == [[2, number, 2], [number, 2, 2]]
        y[mask].sum().backward()
        assert x.grad.tolist() == [[2, 0, 2], [0, 2, 2]]
        x.grad = None
        y = x * 2
        y[[0, 1], [2, 0]] = number
        y[mask].sum().backward()
        assert x.grad.tolist() == [[2, 0, 0], [0, 2, 2]]
        x.grad = None
