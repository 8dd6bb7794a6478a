"""Mixed precision: what is computed in which dtype inside `autocast`, and how gradients come back."""

from __future__ import annotations

from typing import Any

import pytest

import wengert as torch
import wengert.nn.functional as F
from wengert.amp import custom_bwd, custom_fwd
from wengert.utils.checkpoint import checkpoint

pytest.importorskip("ml_dtypes")  # without it: test_bad_input.py

low, full = torch.bfloat16, torch.float32


def leaf(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, requires_grad=True)


def cpu(**options: Any) -> torch.autocast:
    return torch.autocast("cpu", **options)


@pytest.mark.parametrize(
    "call",
    [
        lambda: torch.mm(leaf(2, 3), leaf(3, 4)),
        lambda: leaf(2, 2, 3) @ leaf(2, 3, 4),
        lambda: leaf(2, 3) @ leaf(3),
        lambda: F.linear(leaf(2, 3), leaf(4, 3), leaf(4)),
        lambda: F.conv2d(leaf(1, 2, 4, 4), leaf(3, 2, 3, 3), leaf(3)),
        lambda: F.conv_transpose1d(leaf(1, 2, 4), leaf(2, 3, 3)),
        lambda: torch.addmm(leaf(4), leaf(2, 3), leaf(3, 4)),
        lambda: torch.baddbmm(leaf(2, 2, 4), leaf(2, 2, 3), leaf(2, 3, 4)),
        lambda: torch.linalg.vecdot(leaf(2, 3), leaf(2, 3)),
        lambda: torch.einsum("ij,jk->ik", leaf(2, 3), leaf(3, 4)),
        lambda: F.scaled_dot_product_attention(leaf(1, 2, 3, 4), leaf(1, 2, 3, 4), leaf(1, 2, 3, 4)),
        lambda: F.prelu(leaf(2, 3), leaf(1)),
    ],
)
def test_products_are_of_lower_precision(call) -> None:
    torch.manual_seed(0)
    expected = call()
    torch.manual_seed(0)
    with cpu():
        found = call()
    assert found.dtype is low
    assert found.requires_grad
    torch.testing.assert_close(found.float(), expected, atol=0.06, rtol=0.03)


@pytest.mark.parametrize(
    "call",
    [
        lambda: F.mse_loss(leaf(3).to(low), leaf(3).to(low)),
        lambda: F.cross_entropy(leaf(2, 3).to(low), torch.tensor([0, 2])),
        lambda: F.l1_loss(leaf(3).to(low), torch.zeros(3)),
        lambda: F.binary_cross_entropy_with_logits(leaf(3).to(low), torch.ones(3)),
        lambda: leaf(3).to(low).prod(),
        lambda: torch.cdist(leaf(2, 3).to(low), leaf(2, 3)),
        lambda: torch.linalg.inv(torch.eye(3).to(low)),
        lambda: torch.fft.rfft(leaf(4).to(low)).real,
        lambda: torch.cat([leaf(3).to(low), leaf(3)]),
        lambda: torch.stack([leaf(3), leaf(3).to(low)]),
        lambda: leaf(3).to(low) + leaf(3),
    ],
)
def test_losses_decompositions_and_what_meets_float32_are_of_full_precision(call) -> None:
    with cpu():
        assert call().dtype is full


def test_what_is_left_alone() -> None:
    with cpu():
        assert (torch.ones(2, 2, dtype=torch.float64) @ torch.ones(2, 2, dtype=torch.float64)).dtype is torch.float64
        assert (torch.ones(2, 2, dtype=torch.int64) @ torch.ones(2, 2, dtype=torch.int64)).dtype is torch.int64
        assert torch.cat([torch.ones(1, dtype=low), torch.ones(1, dtype=low)]).dtype is low
        assert torch.ones(3).exp().dtype is full
        out = torch.empty(2, 2)
        torch.mm(torch.ones(2, 2), torch.ones(2, 2), out=out)
        assert torch.addmm(out, out, out, out=torch.empty(2, 2)).dtype is full


def test_gradients_are_of_the_dtype_of_the_weights() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(),
        torch.nn.Linear(36, 8), torch.nn.LayerNorm(8), torch.nn.Linear(8, 3),
    )  # fmt: skip
    x, target = torch.randn(5, 1, 8, 8), torch.tensor([0, 1, 2, 0, 1])
    found: list[list[torch.Tensor]] = []
    for enabled in (False, True):
        model.zero_grad()
        with cpu(enabled=enabled):
            scores = model(x)
            loss = F.cross_entropy(scores, target)
        assert scores.dtype is (low if enabled else full)
        assert loss.dtype is full
        loss.backward()
        found.append([p.grad for p in model.parameters()])
    for exact, mixed in zip(*found, strict=True):
        assert mixed.dtype is full
        torch.testing.assert_close(mixed, exact, atol=0.02, rtol=0.15)


def test_blocks_nest_and_end() -> None:
    a = torch.ones(2, 2)
    with cpu(dtype=torch.float16):
        assert torch.is_autocast_enabled("cpu")
        assert torch.is_autocast_cpu_enabled()
        assert torch.get_autocast_dtype("cpu") is torch.float16
        assert (a @ a).dtype is torch.float16
        with cpu(enabled=False):
            assert not torch.is_autocast_enabled("cpu")
            assert (a @ a).dtype is full
        with cpu(dtype=low):
            assert (a @ a).dtype is low
        assert (a @ a).dtype is torch.float16
    assert not torch.is_autocast_enabled("cpu")
    assert torch.get_autocast_dtype("cpu") is low
    assert (a @ a).dtype is full
    with pytest.raises(ZeroDivisionError), cpu():
        raise ZeroDivisionError
    assert (a @ a).dtype is full
    assert cpu()(lambda: a @ a)().dtype is low  # a decorated function

    torch.set_autocast_enabled("cpu", True)
    torch.set_autocast_dtype("cpu", torch.float16)
    try:
        assert (a @ a).dtype is torch.float16
    finally:
        torch.set_autocast_enabled("cpu", False)
        torch.set_autocast_dtype("cpu", low)
    assert (a @ a).dtype is full


def test_a_weight_is_cast_once_in_a_block_and_again_when_it_has_changed() -> None:
    w, x = leaf(3, 3), torch.randn(2, 3)

    def cast(y: torch.Tensor) -> Any:
        return next(n for n, _ in y.grad_fn.next_functions if n is not None)

    with cpu():
        first, second = x @ w, x @ w
        assert cast(first) is cast(second)
        with torch.no_grad():
            assert not (x @ w).requires_grad  # made in no_grad mode, and not kept for later
            w.mul_(2)
        third = x @ w
        assert cast(third) is not cast(first)
        torch.testing.assert_close(third, 2 * first, atol=0.05, rtol=0.02)
    with cpu(cache_enabled=False):
        assert cast(x @ w) is not cast(x @ w)
    with cpu():
        assert cast(x @ w) is not cast(third)  # the block that knew it has ended


@pytest.mark.parametrize("use_reentrant", [False, True])
@pytest.mark.parametrize("enabled", [False, True])
def test_a_checkpoint_computes_again_in_the_same_precision(use_reentrant, enabled) -> None:
    seen: list[torch.dtype] = []

    def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        first = a @ b
        seen.append(first.dtype)
        return first @ b

    a, b = leaf(3, 3), leaf(3, 3)
    with cpu(enabled=enabled):
        _ = a @ b  # in such a block `b` has been cast already
        loss = checkpoint(product, a, b, use_reentrant=use_reentrant).float().sum()
    with cpu(enabled=not enabled):
        loss.backward()
    assert seen == [low if enabled else full] * 2
    assert a.grad.dtype is full


def test_a_function_runs_backward_in_the_precision_of_its_forward() -> None:
    seen: list[tuple[str, torch.dtype, bool]] = []

    def function(**options: Any) -> Any:
        class Square(torch.autograd.Function):
            @staticmethod
            @custom_fwd(device_type="cpu", **options)
            def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
                ctx.save_for_backward(x)
                seen.append(("forward", x.dtype, torch.is_autocast_enabled("cpu")))
                return x @ x

            @staticmethod
            @custom_bwd(device_type="cpu")
            def backward(ctx: Any, g: torch.Tensor) -> torch.Tensor:
                (x,) = ctx.saved_tensors
                seen.append(("backward", x.dtype, torch.is_autocast_enabled("cpu")))
                return g.to(full) @ x.T.to(full) + x.T.to(full) @ g.to(full)

        return Square

    x = leaf(2, 2)
    for f in (function(), function(cast_inputs=torch.float32)):
        with cpu():
            y = f.apply(x)
        y.sum().backward()
    assert seen == [
        ("forward", full, True), ("backward", full, True), ("forward", full, False), ("backward", full, False),
    ]  # fmt: skip
    function().apply(x).sum().backward()  # and outside
    assert seen[-1] == ("backward", full, False)


def test_low_precision_is_normalised_with_weights_of_float32() -> None:
    x = leaf(2, 4, 3)
    for layer in (torch.nn.BatchNorm1d(4), torch.nn.GroupNorm(2, 4), torch.nn.InstanceNorm1d(4, affine=True)):
        expected, found = layer(x), layer(x.to(low))
        assert found.dtype is low
        torch.testing.assert_close(found.float(), expected, atol=0.03, rtol=0.03)
        found.float().square().sum().backward()
        assert layer.weight.grad.dtype is full
    with pytest.raises(RuntimeError, match="mixed dtype"):
        F.layer_norm(x, (3,), torch.ones(3, dtype=low))


def test_pooling_of_bfloat16() -> None:
    x = torch.tensor([[1.0, 3.0, 2.0, float("nan"), 0.5, 4.0]], requires_grad=True)
    out, places = F.max_pool1d(x.to(low), 2, return_indices=True)
    assert out.dtype is low
    assert places.tolist() == [[1, 3, 5]]
    torch.testing.assert_close(out, torch.tensor([[3.0, float("nan"), 4.0]], dtype=low), equal_nan=True)
    out.float()[0, 0].backward()
    assert x.grad.tolist() == [[0, 1, 0, 0, 0, 0]]
