"""`nn.functional` beyond derivatives: values by independent formulas, in-place effects, what does not count, and messages."""

from __future__ import annotations

import itertools
import math
import warnings
from typing import Any

import numpy as np
import pytest

import wengert as torch
from wengert.nn import functional as F

RNG = np.random.default_rng(0)


def leaf(*shape: int) -> Any:
    return torch.tensor(RNG.uniform(-2, 2, shape), requires_grad=True)


def softmax(x: Any, axis: int) -> Any:
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


# -- classification ----------------------------------------------------------------------------------------------


def test_cross_entropy_is_two_nodes_with_pytorchs_names_and_saved_values() -> None:
    x, y = leaf(3, 4), torch.tensor([1, 0, -100])
    loss = F.cross_entropy(x, y)
    node = loss.grad_fn
    assert node.name() == "NllLossBackward0"
    assert node.next_functions[0][0].name() == "LogSoftmaxBackward0"
    assert node._saved_target.tolist() == [1, 0, -100]
    assert (node._saved_reduction, node._saved_ignore_index) == (1, -100)
    assert node.next_functions[0][0]._saved_dim == 1


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_cross_entropy_of_classes_equals_its_formula(reduction: str, weighted: bool, smoothing: float) -> None:
    x, y = leaf(5, 3), np.array([0, 2, 1, -100, 2])
    w = np.array([0.5, 1.0, 2.0]) if weighted else np.ones(3)
    logs = np.log(softmax(x.detach().numpy(), 1))
    kept = y >= 0
    each = np.where(kept, -(logs * w)[range(5), y * kept] * (1 - smoothing) - smoothing / 3 * (logs * w).sum(1), 0)
    expected = {"none": each, "sum": each.sum(), "mean": each.sum() / (w[y * kept] * kept).sum()}[reduction]
    loss = F.cross_entropy(
        x, torch.tensor(y), torch.tensor(w) if weighted else None, reduction=reduction, label_smoothing=smoothing
    )
    np.testing.assert_allclose(loss.detach().numpy(), expected, rtol=1e-12)


def test_cross_entropy_of_probabilities_equals_its_formula() -> None:
    x, p = leaf(4, 3), RNG.dirichlet(np.ones(3), 4)
    expected = -(p * np.log(softmax(x.detach().numpy(), 1))).sum(1).mean()
    assert F.cross_entropy(x, torch.tensor(p)).item() == pytest.approx(expected, rel=1e-12)


def test_images_and_single_examples_are_classified_too() -> None:
    x, y = leaf(2, 3, 4, 5), torch.tensor(RNG.integers(0, 3, (2, 4, 5)))
    rows = F.cross_entropy(x.movedim(1, -1).reshape((-1, 3)), y.reshape((-1,)))
    assert F.cross_entropy(x, y).item() == pytest.approx(rows.item(), rel=1e-12)
    assert F.cross_entropy(x, y).grad_fn.name() == "NllLoss2DBackward0"
    one = F.cross_entropy(x[0, :, 0, 0], y[0, 0, 0])
    assert one.item() == pytest.approx(F.cross_entropy(x[:1, :, 0, 0], y[:1, 0, 0]).item(), rel=1e-12)


def test_all_targets_ignored_is_nan_and_its_gradient_zero() -> None:
    x = leaf(2, 3)
    loss = F.cross_entropy(x, torch.tensor([-100, -100]))
    assert math.isnan(loss.item())
    loss.backward()
    assert x.grad.isnan().all() or not x.grad.any()


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: F.cross_entropy(leaf(2, 3), torch.tensor([0, 3])), IndexError, "Target 3 is out of bounds."),
        (lambda: F.cross_entropy(leaf(2, 3), torch.tensor([0, -1])), IndexError, "Target -1 is out of bounds."),
        (
            lambda: F.cross_entropy(leaf(2, 3), torch.tensor([0, 1, 2])),
            ValueError,
            "Expected input batch_size (2) to match target batch_size (3).",
        ),
        (
            lambda: F.cross_entropy(leaf(2, 3), torch.tensor([0.0, 1.0])),
            RuntimeError,
            "expected target dtype to be Long or Byte, but got Float",
        ),
        (
            lambda: F.cross_entropy(leaf(2, 3), torch.tensor([0, 1]), reduction="x"),
            ValueError,
            "x is not a valid value for reduction",
        ),
        (
            lambda: F.cross_entropy(leaf(2, 3), torch.ones(2, 3, dtype=torch.int64)),
            RuntimeError,
            "Expected floating point type for target with class probabilities, got Long",
        ),
        (
            lambda: F.nll_loss(leaf(2, 3, 4), torch.ones(2, 5, dtype=torch.int64)),
            RuntimeError,
            "Expected target size [2, 4], got [2, 5]",
        ),
        (lambda: F.softmax(torch.ones(2, 3, dtype=torch.int64), 1), NotImplementedError, "softmax_lastdim_kernel_impl"),
        (
            lambda: F.layer_norm(leaf(2, 3), (4,)),
            RuntimeError,
            "expected input with shape [*, 4], but got input of size[2, 3]",
        ),
        (lambda: F.group_norm(leaf(2, 6, 3), 4), RuntimeError, "divisible by num_groups"),
        (lambda: F.batch_norm(leaf(2, 3), None, None), RuntimeError, "running_mean must be defined in evaluation mode"),
        (
            lambda: F.batch_norm(leaf(1, 3), None, None, training=True),
            ValueError,
            "Expected more than 1 value per channel when training, got input size torch.Size([1, 3])",
        ),
        (lambda: F.embedding(torch.tensor([5]), leaf(3, 2)), IndexError, "index out of range in self"),
        (
            lambda: F.embedding(torch.tensor([1.0]), leaf(3, 2)),
            RuntimeError,
            "one of the following scalar types: Long, Int",
        ),
        (lambda: F.embedding(torch.tensor([0]), leaf(3, 2), sparse=True), NotImplementedError, "use sparse=False"),
        (lambda: F.one_hot(torch.tensor([5]), 3), RuntimeError, "Class values must be smaller than num_classes."),
        (
            lambda: F.embedding_bag(torch.tensor([1, 2]), leaf(3, 2), torch.tensor([1])),
            RuntimeError,
            "offsets[0] has to be 0",
        ),
        (lambda: F.pdist(leaf(3)), RuntimeError, "pdist only supports 2D tensors, got: 1D"),
        (
            lambda: F.ctc_loss(leaf(5, 2, 4), torch.ones(2, 3, dtype=torch.int64), (5, 6), (3, 3)),
            RuntimeError,
            "Expected input_lengths to have value at most 5, but got value 6",
        ),
        (
            lambda: F.scaled_dot_product_attention(
                leaf(2, 3), leaf(2, 3), leaf(2, 3), attn_mask=leaf(2, 2), is_causal=True
            ),
            RuntimeError,
            "Explicit attn_mask should not be set when is_causal=True",
        ),
        (
            lambda: F.mse_loss(leaf(2), leaf(2), weight=leaf(3)),
            ValueError,
            "Weights and input must have the same size.",
        ),
        (
            lambda: F.binary_cross_entropy(leaf(2) + 9, torch.ones(2, dtype=torch.float64)),
            RuntimeError,
            "all elements of input should be between 0 and 1",
        ),
        (lambda: F.multi_margin_loss(leaf(2, 3), torch.tensor([0, 5])), RuntimeError, "target out of range"),
    ],
)
def test_mistakes_are_named_as_pytorch_names_them(call: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as error:
        call()
    assert message in str(error.value)


def test_a_loss_that_broadcasts_warns() -> None:
    with pytest.warns(UserWarning, match="different to the input size"):
        assert F.mse_loss(leaf(3, 1), leaf(3)).shape == ()


# -- normalisation -------------------------------------------------------------------------------------------------


def test_batch_norm_moves_its_running_statistics_and_then_uses_them() -> None:
    x = leaf(6, 3, 2)
    mean, var = torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    out = F.batch_norm(x, mean, var, training=True, momentum=0.25)
    a = x.detach().numpy()
    np.testing.assert_allclose(mean.numpy(), 0.25 * a.mean((0, 2)), rtol=1e-12)
    np.testing.assert_allclose(var.numpy(), 0.75 + 0.25 * a.var((0, 2), ddof=1), rtol=1e-12)
    np.testing.assert_allclose(out.detach().numpy().mean((0, 2)), 0, atol=1e-12)
    assert out.grad_fn.name() == "NativeBatchNormBackward0"
    fixed = F.batch_norm(x, mean, var, eps=0.5).detach().numpy()
    shown = (a - mean.numpy()[:, None]) / np.sqrt(var.numpy()[:, None] + 0.5)
    np.testing.assert_allclose(fixed, shown, rtol=1e-12)


def test_half_precision_is_normalised_in_single() -> None:
    x = torch.tensor((RNG.uniform(-2, 2, (4, 300)) * 100).astype(np.float16))
    out = F.layer_norm(x, (300,))
    assert out.dtype is torch.float16
    a = x.numpy().astype(np.float64)
    np.testing.assert_allclose(out.numpy(), (a - a.mean(1, keepdims=True)) / a.std(1, keepdims=True), atol=2e-3)


def test_local_response_norm_counts_neighbouring_channels() -> None:
    x = leaf(1, 4, 2)
    a = x.detach().numpy()
    near = [(a[:, max(c - 1, 0) : c + 2] ** 2).sum(1) / 3 for c in range(4)]
    expected = a / (1 + 0.1 * np.stack(near, 1)) ** 0.75
    np.testing.assert_allclose(F.local_response_norm(x, 3, alpha=0.1).detach().numpy(), expected, rtol=1e-12)


# -- embeddings ------------------------------------------------------------------------------------------------------


def test_padding_gets_no_gradient_and_frequent_rows_share_theirs() -> None:
    w = leaf(4, 2)
    F.embedding(torch.tensor([0, 1, 1, 3]), w, padding_idx=0).sum().backward()
    assert w.grad.tolist() == [[0, 0], [2, 2], [0, 0], [1, 1]]
    w.grad = None
    F.embedding(torch.tensor([0, 1, 1, 3]), w, scale_grad_by_freq=True).sum().backward()
    assert w.grad.tolist() == [[1, 1], [1, 1], [0, 0], [1, 1]]


def test_long_rows_are_shortened_in_place() -> None:
    w = torch.tensor([[3.0, 4.0], [0.3, 0.4], [6.0, 8.0]])
    F.embedding(torch.tensor([0, 1, 0]), w, max_norm=1.0)
    np.testing.assert_allclose(w.numpy(), [[0.6, 0.8], [0.3, 0.4], [6.0, 8.0]], rtol=1e-6)
    assert w._version == 1


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding", [None, 1])
def test_bags_equal_a_loop_over_them(mode: str, padding: int | None) -> None:
    w, index, offsets = leaf(5, 3), [4, 1, 1, 0, 2, 3, 4], [0, 3, 3, 5]
    out = F.embedding_bag(torch.tensor(index), w, torch.tensor(offsets), mode=mode, padding_idx=padding)
    for row, (a, b) in zip(out, itertools.pairwise([*offsets, len(index)]), strict=True):
        bag = [w.detach().numpy()[i] for i in index[a:b] if i != padding]
        want = getattr(np, mode)(bag, axis=0) if bag else np.zeros(3)
        np.testing.assert_allclose(row.detach().numpy(), want, rtol=1e-12)
    assert torch.autograd.gradcheck(
        lambda w: F.embedding_bag(torch.tensor(index), w, torch.tensor(offsets), mode=mode), (w,)
    )


def test_one_hot() -> None:
    assert F.one_hot(torch.tensor([2, 0])).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert F.one_hot(torch.tensor(1), 2).tolist() == [0, 1]


# -- attention -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["none", "causal", "bool", "float"])
def test_attention_equals_its_formula(kind: str) -> None:
    q, k, v = leaf(2, 3, 4), leaf(2, 5, 4), leaf(2, 5, 6)
    bias = np.zeros((3, 5))
    options: dict[str, Any] = {}
    if kind == "causal":
        bias[~np.tri(3, 5, dtype=bool)] = -np.inf
        options["is_causal"] = True
    elif kind == "bool":
        mask = RNG.random((3, 5)) < 0.6
        mask[:, 0] = True
        bias[~mask] = -np.inf
        options["attn_mask"] = torch.tensor(mask)
    elif kind == "float":
        bias = RNG.uniform(-1, 1, (3, 5))
        options["attn_mask"] = torch.tensor(bias)
    a, b, c = (x.detach().numpy() for x in (q, k, v))
    expected = softmax(a @ b.swapaxes(1, 2) / 2 + bias, 2) @ c
    np.testing.assert_allclose(
        F.scaled_dot_product_attention(q, k, v, **options).detach().numpy(), expected, rtol=1e-12
    )


def test_a_query_that_may_look_at_nothing_gets_zeros() -> None:
    q = leaf(1, 2, 4)
    mask = torch.tensor([[True, True], [False, False]])
    out = F.scaled_dot_product_attention(q, q, q, attn_mask=mask)
    assert out[0, 1].tolist() == [0, 0, 0, 0]
    out.sum().backward()
    assert q.grad.isfinite().all()


def test_grouped_heads_are_repeated() -> None:
    q, k, v = leaf(1, 4, 3, 2), leaf(1, 2, 3, 2), leaf(1, 2, 3, 2)
    grouped = F.scaled_dot_product_attention(q, k, v, enable_gqa=True)
    plain = F.scaled_dot_product_attention(q, k.repeat_interleave(2, 1), v.repeat_interleave(2, 1))
    np.testing.assert_allclose(grouped.detach().numpy(), plain.detach().numpy(), rtol=1e-12)


def test_many_heads_equal_a_loop_over_them() -> None:
    length, n, e, heads = 3, 2, 4, 2
    x, w, b, wo, bo = leaf(length, n, e), leaf(3 * e, e), leaf(3 * e), leaf(e, e), leaf(e)
    padding = torch.tensor([[False, False, True], [False, False, False]])
    out, weights = F.multi_head_attention_forward(
        x, x, x, e, heads, w, b, None, None, False, 0.0, wo, bo, key_padding_mask=padding
    )
    packed = x.detach().numpy() @ w.detach().numpy().T + b.detach().numpy()
    result, shown = np.zeros((length, n, e)), np.zeros((n, length, length))
    for i in range(n):
        for h in range(heads):
            q, k, v = (packed[:, i, part * e + 2 * h : part * e + 2 * h + 2] for part in range(3))
            scores = q @ k.T / math.sqrt(2) + np.where(padding.numpy()[i], -np.inf, 0)
            p = softmax(scores, 1)
            shown[i] += p / heads
            result[:, i, 2 * h : 2 * h + 2] = p @ v
    result = result @ wo.detach().numpy().T + bo.detach().numpy()
    np.testing.assert_allclose(out.detach().numpy(), result, rtol=1e-10)
    np.testing.assert_allclose(weights.detach().numpy(), shown, rtol=1e-10)
    fast, none = F.multi_head_attention_forward(
        x, x, x, e, heads, w, b, None, None, False, 0.0, wo, bo, key_padding_mask=padding, need_weights=False
    )
    assert none is None
    np.testing.assert_allclose(fast.detach().numpy(), result, rtol=1e-10)


# -- alignments ------------------------------------------------------------------------------------------------------


def _every_path(logs: Any, target: list[int], blank: int) -> float:
    """-log of the summed probability of all paths that collapse to `target`."""
    total = 0.0
    for path in itertools.product(range(logs.shape[1]), repeat=logs.shape[0]):
        collapsed = [s for i, s in enumerate(path) if s != blank and (i == 0 or path[i - 1] != s)]
        if collapsed == target:
            total += math.exp(sum(logs[t, s] for t, s in enumerate(path)))
    return -math.log(total) if total else math.inf


@pytest.mark.parametrize("target", [[1], [1, 2], [1, 1], [], [2, 1, 2]])
def test_ctc_sums_over_every_alignment(target: list[int]) -> None:
    logs = F.log_softmax(leaf(4, 1, 3), 2)
    padded = torch.tensor(np.array([target], np.int64).reshape(1, -1))
    loss = F.ctc_loss(logs, padded, (4,), (len(target),), reduction="sum")
    assert loss.item() == pytest.approx(_every_path(logs.detach().numpy()[:, 0], target, 0), rel=1e-12)


def test_ctc_of_what_cannot_be_aligned_is_infinite_or_zero() -> None:
    x = leaf(2, 1, 3)
    impossible = (F.log_softmax(x, 2), torch.tensor([[1, 1]]), (2,), (2,))
    assert F.ctc_loss(*impossible).item() == math.inf
    loss = F.ctc_loss(*impossible, zero_infinity=True)
    loss.backward()
    assert loss.item() == 0
    assert not x.grad.any()


def test_ctc_can_be_differentiated_twice() -> None:
    x = leaf(5, 2, 3)

    def f(x: Any) -> Any:
        return F.ctc_loss(F.log_softmax(x, 2), torch.tensor([1, 2, 2]), (5, 4), (2, 1))

    assert torch.autograd.gradcheck(f, (x,))
    assert torch.autograd.gradgradcheck(f, (x,))


# -- margins ---------------------------------------------------------------------------------------------------------


def test_multilabel_margin_equals_its_double_sum() -> None:
    x, y = leaf(2, 4), np.array([[3, 0, -1, 1], [-1, 2, 2, 2]])
    a = x.detach().numpy()
    right = [[3, 0], []]
    expected = [
        sum(max(0, 1 - row[i] + row[j]) for i in listed for j in range(4) if j not in listed) / 4
        for row, listed in zip(a, right, strict=True)
    ]
    out = F.multilabel_margin_loss(x, torch.tensor(y), reduction="none")
    np.testing.assert_allclose(out.detach().numpy(), expected, rtol=1e-12)


def test_gumbel_softmax_hard_is_one_hot_with_the_soft_gradient() -> None:
    torch.manual_seed(1)
    x = leaf(4, 3)
    y = F.gumbel_softmax(x, hard=True)
    np.testing.assert_allclose(np.sort(y.detach().numpy(), 1), [[0, 0, 1]] * 4, atol=1e-12)
    (y * torch.tensor(RNG.random((4, 3)))).sum().backward()
    assert x.grad.abs().sum() > 0


def test_no_dimension_for_softmax_warns() -> None:
    with pytest.warns(UserWarning, match="Implicit dimension choice for softmax has been deprecated"):
        F.softmax(leaf(2, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        F.softmax(leaf(2, 3), dim=1)
