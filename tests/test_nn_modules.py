"""Modules by family: what they print, how they start, and their own errors. What they compute is the functions' test."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import wengert as torch
from wengert import nn

# As PyTorch 2.13 prints them.
PRINTED: list[tuple[Callable[[], Any], str]] = [
    (lambda: nn.Bilinear(2, 3, 4), "Bilinear(in1_features=2, in2_features=3, out_features=4, bias=True)"),
    (lambda: nn.Flatten(), "Flatten(start_dim=1, end_dim=-1)"),
    (lambda: nn.Unflatten(1, (2, 3)), "Unflatten(dim=1, unflattened_size=(2, 3))"),
    (lambda: nn.RReLU(), "RReLU(lower=0.125, upper=0.3333333333333333)"),
    (lambda: nn.Hardtanh(inplace=True), "Hardtanh(min_val=-1.0, max_val=1.0, inplace=True)"),
    (lambda: nn.ReLU6(True), "ReLU6(inplace=True)"),
    (lambda: nn.Hardsigmoid(True), "Hardsigmoid()"),
    (lambda: nn.GELU("tanh"), "GELU(approximate='tanh')"),
    (lambda: nn.Softshrink(0.3), "Softshrink(0.3)"),
    (lambda: nn.PReLU(3), "PReLU(num_parameters=3)"),
    (lambda: nn.Softmax(dim=1), "Softmax(dim=1)"),
    (
        lambda: nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, bias=False, padding_mode="circular"),
        "Conv2d(4, 6, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), groups=2, bias=False, padding_mode=circular)",
    ),
    (lambda: nn.Conv1d(1, 1, 2, padding="same"), "Conv1d(1, 1, kernel_size=(2,), stride=(1,), padding=same)"),
    (
        lambda: nn.ConvTranspose1d(2, 3, 4, 2, 1, 1, dilation=2),
        "ConvTranspose1d(2, 3, kernel_size=(4,), stride=(2,), padding=(1,), dilation=(2,), output_padding=(1,))",
    ),
    (
        lambda: nn.BatchNorm2d(3, momentum=None),
        "BatchNorm2d(3, eps=1e-05, momentum=None, affine=True, bias=True, track_running_stats=True)",
    ),
    (
        lambda: nn.InstanceNorm1d(3),
        "InstanceNorm1d(3, eps=1e-05, momentum=0.1, affine=False, bias=False, track_running_stats=False)",
    ),
    (lambda: nn.LayerNorm(3, bias=False), "LayerNorm((3,), eps=1e-05, elementwise_affine=True, bias=False)"),
    (lambda: nn.GroupNorm(2, 4), "GroupNorm(2, 4, eps=1e-05, affine=True, bias=True)"),
    (lambda: nn.RMSNorm((2, 3)), "RMSNorm((2, 3), eps=None, elementwise_affine=True)"),
    (lambda: nn.LocalResponseNorm(2), "LocalResponseNorm(2, alpha=0.0001, beta=0.75, k=1.0)"),
    (lambda: nn.Dropout(0.2), "Dropout(p=0.2, inplace=False)"),
    (lambda: nn.Embedding(5, 2, padding_idx=-1), "Embedding(5, 2, padding_idx=4)"),
    (lambda: nn.EmbeddingBag(5, 2, mode="sum"), "EmbeddingBag(5, 2, mode='sum')"),
    (lambda: nn.MaxPool2d(2), "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)"),
    (lambda: nn.AvgPool1d(2), "AvgPool1d(kernel_size=(2,), stride=(2,), padding=(0,))"),
    (lambda: nn.LPPool2d(2, 3), "LPPool2d(norm_type=2, kernel_size=3, stride=None, ceil_mode=False)"),
    (lambda: nn.AdaptiveAvgPool2d((1, None)), "AdaptiveAvgPool2d(output_size=(1, None))"),
    (lambda: nn.MaxUnpool2d(2), "MaxUnpool2d(kernel_size=(2, 2), stride=(2, 2), padding=(0, 0))"),
    (lambda: nn.ZeroPad2d(1), "ZeroPad2d((1, 1, 1, 1))"),
    (lambda: nn.ConstantPad1d((1, 2), 3), "ConstantPad1d(padding=(1, 2), value=3)"),
    (lambda: nn.ReflectionPad1d(2), "ReflectionPad1d((2, 2))"),
    (lambda: nn.Upsample(scale_factor=2), "Upsample(scale_factor=2.0, mode='nearest')"),
    (lambda: nn.UpsamplingBilinear2d(size=3), "UpsamplingBilinear2d(size=3, mode='bilinear')"),
    (lambda: nn.PixelShuffle(2), "PixelShuffle(upscale_factor=2)"),
    (lambda: nn.ChannelShuffle(2), "ChannelShuffle(groups=2)"),
    (lambda: nn.Unfold(2), "Unfold(kernel_size=2, dilation=1, padding=0, stride=1)"),
    (lambda: nn.Fold(4, 2), "Fold(output_size=4, kernel_size=2, dilation=1, padding=0, stride=1)"),
    (lambda: nn.MSELoss(), "MSELoss()"),
    (
        lambda: nn.LinearCrossEntropyLoss(3, 4, out_features=(2,)),
        "LinearCrossEntropyLoss(\n  in_features=3, num_classes=4, out_features=(2,), bias=False, reduction=mean, "
        "ignore_index=None, label_smoothing=0.0, options=None\n"
        "  (linear): Linear(in_features=3, out_features=8, bias=False)\n)",
    ),
    (lambda: nn.CosineSimilarity(), "CosineSimilarity()"),
    (lambda: nn.LazyConv2d(3, 2), "LazyConv2d(0, 3, kernel_size=(2, 2), stride=(1, 1))"),
]


@pytest.mark.parametrize(("make", "printed"), PRINTED, ids=[p.partition("(")[0] for _, p in PRINTED])
def test_printed_copied_and_pickled(make: Callable[[], Any], printed: str) -> None:
    module = make()
    assert repr(module) == printed
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert repr(twin) == printed
        assert list(twin.state_dict()) == list(module.state_dict())


def test_initial_numbers_are_pytorchs() -> None:
    """The sum of squares of all parameters after manual_seed(5)."""
    for make, expected in (
        (lambda: nn.Conv2d(2, 3, 3), 1.287073016),
        (lambda: nn.ConvTranspose1d(4, 3, 2, groups=1), 2.0982533395),
        (lambda: nn.Embedding(4, 3, padding_idx=1), 5.454389572),
        (lambda: nn.Bilinear(2, 3, 2), 3.391415298),
        (lambda: nn.MultiheadAttention(4, 2), 8.2727276087),
    ):
        torch.manual_seed(5)
        found = sum(float((p.detach() ** 2).sum()) for p in make().parameters())
        assert found == pytest.approx(expected, rel=1e-5), make


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nn.Conv2d(3, 4, 2, groups=2), ValueError, "in_channels must be divisible by groups"),
        (lambda: nn.Conv2d(2, 3, 2, groups=2), ValueError, "out_channels must be divisible by groups"),
        (lambda: nn.Conv2d(2, 3, 2, groups=0), ValueError, "groups must be a positive integer"),
        (lambda: nn.Conv1d(1, 1, 1, padding="big"), ValueError, "Invalid padding string 'big', should be one of"),
        (
            lambda: nn.Conv1d(1, 1, 1, 2, padding="same"),
            ValueError,
            "padding='same' is not supported for strided convolutions",
        ),
        (lambda: nn.Conv1d(1, 1, 1, padding_mode="x"), ValueError, "padding_mode must be one of"),
        (
            lambda: nn.ConvTranspose2d(1, 1, 1, padding_mode="circular"),
            ValueError,
            'Only "zeros" padding mode is supported for ConvTranspose2d',
        ),
        (lambda: nn.Dropout(1.5), ValueError, "dropout probability has to be between 0 and 1, but got 1.5"),
        (lambda: nn.GroupNorm(2, 3), ValueError, r"num_channels \(3\) must be divisible by num_groups \(2\)"),
        (lambda: nn.Hardtanh(1, 0), AssertionError, r"max_val \(0\) must be greater than min_val \(1\)"),
        (lambda: nn.Embedding(3, 2, padding_idx=3), AssertionError, "Padding_idx must be within num_embeddings"),
        (lambda: nn.Unflatten(1, 3), TypeError, "unflattened_size must be a tuple of ints, but found type int"),
        (lambda: nn.MultiheadAttention(5, 2), AssertionError, "embed_dim must be divisible by num_heads"),
        (lambda: nn.MultiMarginLoss(p=3), ValueError, "only p == 1 and p == 2 supported"),
        (
            lambda: nn.TripletMarginLoss(margin=0),
            ValueError,
            "TripletMarginLoss: expected margin to be greater than 0, got 0",
        ),
        (
            lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 5, [3, 2]),
            ValueError,
            "cutoffs should be a sequence of unique, positive integers sorted in an increasing order",
        ),
        (
            lambda: nn.FractionalMaxPool2d(2),
            ValueError,
            "FractionalMaxPool2d requires specifying either an output size, or a pooling ratio",
        ),
        (
            lambda: nn.BatchNorm2d(3)(torch.ones(2, 3)),
            ValueError,
            r"expected 4D input \(got 2D input\)",
        ),
        (lambda: nn.InstanceNorm1d(3)(torch.ones(3)), ValueError, r"expected 2D or 3D input \(got 1D input\)"),
        (lambda: nn.Softmax2d()(torch.ones(3)), ValueError, "Softmax2d: expected input to be 3D or 4D, got 1D instead"),
        (
            lambda: nn.LazyConv1d(1, 1)(torch.ones(3)),
            RuntimeError,
            r"Expected 2D \(unbatched\) or 3D \(batched\) input",
        ),
    ],
)
def test_errors(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


class TestBatchNorm:
    x = np.random.default_rng(0).standard_normal((6, 3)) * 3 + 1

    def test_running_statistics(self) -> None:
        norm = nn.BatchNorm1d(3, momentum=0.3).double()
        x = torch.tensor(self.x)
        out = norm(x)
        mean, var = self.x.mean(0), self.x.var(0)
        np.testing.assert_allclose(out.detach().numpy(), (self.x - mean) / np.sqrt(var + 1e-5))
        np.testing.assert_allclose(norm.running_mean.numpy(), 0.3 * mean)
        np.testing.assert_allclose(norm.running_var.numpy(), 0.7 + 0.3 * self.x.var(0, ddof=1))
        assert norm.num_batches_tracked.item() == 1
        norm.eval()
        shift, scale = norm.running_mean.numpy(), norm.running_var.numpy()
        np.testing.assert_allclose(norm(x).detach().numpy(), (self.x - shift) / np.sqrt(scale + 1e-5))
        assert norm.num_batches_tracked.item() == 1

    def test_without_momentum_it_is_the_mean_of_all_batches(self) -> None:
        norm = nn.BatchNorm1d(3, momentum=None).double()
        for batch in np.split(self.x, 3):
            norm(torch.tensor(batch))
        np.testing.assert_allclose(norm.running_mean.numpy(), self.x.mean(0))
        assert norm.num_batches_tracked.item() == 3

    def test_untracked_it_uses_the_batch_always(self) -> None:
        norm = nn.BatchNorm1d(3, track_running_stats=False, affine=False).double().eval()
        assert list(norm.state_dict()) == []
        np.testing.assert_allclose(norm(torch.tensor(self.x)).numpy().mean(0), 0, atol=1e-12)

    def test_state_saved_before_batches_were_counted(self) -> None:
        norm = nn.BatchNorm1d(3)
        state = {k: v for k, v in norm.state_dict().items() if k != "num_batches_tracked"}
        assert str(norm.load_state_dict(state)) == "<All keys matched successfully>"

    def test_synchronised_over_one_process(self) -> None:
        net = nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(nn.BatchNorm1d(3)).double())
        assert type(net[0]) is nn.SyncBatchNorm
        np.testing.assert_allclose(net(torch.tensor(self.x)).detach().numpy().mean(0), 0, atol=1e-12)
        with pytest.raises(NotImplementedError, match="SyncBatchNorm: there are no process groups"):
            nn.SyncBatchNorm(3, process_group=object())


def test_lazy_modules_become_ordinary() -> None:
    for make, kind, shape in (
        (lambda: nn.LazyConv1d(4, 3), nn.Conv1d, (2, 3, 8)),
        (lambda: nn.LazyConv2d(4, 3, 2), nn.Conv2d, (2, 3, 8, 8)),
        (lambda: nn.LazyConvTranspose1d(4, 3, 1), nn.ConvTranspose1d, (2, 3, 8)),
        (lambda: nn.LazyBatchNorm1d(), nn.BatchNorm1d, (2, 3, 8)),
        (lambda: nn.LazyInstanceNorm1d(affine=True), nn.InstanceNorm1d, (2, 3, 8)),
    ):
        module = make()
        assert module.has_uninitialized_params()
        module(torch.ones(shape))
        assert type(module) is kind
        assert not any(isinstance(p, nn.UninitializedParameter) for p in module.parameters())


def test_the_size_of_a_transposed_convolution_can_be_chosen() -> None:
    up = nn.ConvTranspose2d(1, 1, 3, stride=2)
    x = torch.ones(1, 1, 4, 4)
    assert up(x).shape == (1, 1, 9, 9)
    assert up(x, output_size=(10, 9)).shape == (1, 1, 10, 9)
    assert up(x, output_size=[1, 1, 9, 10]).shape == (1, 1, 9, 10)
    with pytest.raises(
        ValueError, match=r"requested an output size of \[11, 9\], but valid sizes range from \[9, 9\] to"
    ):
        up(x, output_size=[11, 9])
    with pytest.raises(ValueError, match="ConvTranspose2D: for 4D input, output_size must have 2 or 4 elements"):
        up(x, output_size=[1, 2, 3])


def test_embeddings_from_numbers_given() -> None:
    rows = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    table = nn.Embedding.from_pretrained(rows)
    assert not table.weight.requires_grad
    assert table.weight.tolist() == rows.tolist()
    assert nn.Embedding(4, 2, padding_idx=2).weight[2].tolist() == [0, 0]


class TestContainers:
    def test_sequential(self) -> None:
        a, b, c = nn.Linear(1, 2), nn.Tanh(), nn.Linear(2, 1)
        net = nn.Sequential(a, b)
        net.append(c)
        assert list(net) == [a, b, c]
        assert net[-1] is c
        assert list(net[1:]) == [b, c]
        assert isinstance(net[1:], nn.Sequential)
        net[1] = nn.ReLU()
        assert isinstance(net[1], nn.ReLU)
        del net[1]
        assert list(net._modules) == ["0", "1"]
        assert net[1] is c
        net.insert(0, b)
        assert list(net) == [b, a, c]
        assert net.pop(0) is b
        assert len(net + nn.Sequential(b)) == 3
        assert len(net * 2) == 4
        net *= 2
        assert len(net) == 4
        with pytest.raises(IndexError, match="index 9 is out of range"):
            net[9]
        with pytest.raises(ValueError, match="add operator supports only objects of Sequential class, but"):
            net.__add__([b])

    def test_module_list(self) -> None:
        layers = nn.ModuleList([nn.Linear(1, 1)])
        layers += [nn.Tanh(), nn.ReLU()]
        layers.insert(1, nn.ELU())
        assert [type(m).__name__ for m in layers] == ["Linear", "ELU", "Tanh", "ReLU"]
        assert len(layers[:2]) == 2
        assert isinstance(layers.pop(0), nn.Linear)
        assert list(layers._modules) == ["0", "1", "2"]
        with pytest.raises(TypeError, match="ModuleList.extend should be called with an iterable, but got int"):
            layers.extend(3)  # type: ignore[arg-type]

    def test_module_dict(self) -> None:
        d = nn.ModuleDict({"a": nn.Tanh()})
        d["b"] = nn.Linear(1, 1)
        d.update([("c", nn.ReLU())])
        assert list(d) == ["a", "b", "c"]
        assert [n for n, _ in d.named_parameters()] == ["b.weight", "b.bias"]
        assert "a" in d
        d.pop("a")
        assert list(d.keys()) == ["b", "c"]
        with pytest.raises(ValueError, match="element #0 has length 1; 2 is required"):
            d.update([(1,)])

    def test_parameter_list(self) -> None:
        p = nn.ParameterList([torch.ones(2), nn.Parameter(torch.zeros(1))])
        p.append("text")
        assert isinstance(p[0], nn.Parameter)
        assert [n for n, _ in p.named_parameters()] == ["0", "1"]
        assert p[-1] == "text"
        assert len(p[:2]) == 2
        assert repr(p) == (
            "ParameterList(\n    (0): Parameter containing: [torch.float32 of size 2]\n"
            "    (1): Parameter containing: [torch.float32 of size 1]\n    (2): Object of type: str\n)"
        )
        with pytest.raises(RuntimeError, match="ParameterList should not be called"):
            p()

    def test_parameter_dict(self) -> None:
        p = nn.ParameterDict({"b": torch.ones(2), "a": torch.zeros(1)})
        assert list(p) == ["a", "b"]
        assert isinstance(p["b"], nn.Parameter)
        p["c"] = 3
        assert p.get("z") is None
        assert p.pop("c") == 3
        assert [n for n, _ in p.named_parameters()] == ["a", "b"]
        assert list((p | nn.ParameterDict({"d": torch.ones(1)})).keys()) == ["a", "b", "d"]
        with pytest.raises(TypeError, match="cannot be used as a key as it is not a string"):
            p[3]  # type: ignore[index]


def test_adaptive_softmax_sums_to_one() -> None:
    torch.manual_seed(0)
    soft = nn.AdaptiveLogSoftmaxWithLoss(8, 10, [3, 6], div_value=2.0).double()
    x = torch.randn(5, 8, dtype=torch.float64)
    full = soft.log_prob(x)
    np.testing.assert_allclose(full.exp().sum(1).detach().numpy(), 1)
    target = torch.tensor([0, 4, 9, 2, 7])
    output, loss = soft(x, target)
    np.testing.assert_allclose(output.detach().numpy(), full.detach().numpy()[range(5), target.numpy()])
    assert loss.item() == pytest.approx(-output.mean().item())
    assert soft.predict(x).tolist() == full.argmax(1).tolist()
    with pytest.raises(RuntimeError, match=r"Target values should be in \[0, 9\], but values in range \[0, 10\]"):
        soft(x, torch.tensor([0, 1, 2, 3, 10]))


def test_linear_cross_entropy_by_chunks() -> None:
    """The same loss and gradients as all at once, twice from one graph, and differentiable again."""
    torch.manual_seed(0)
    whole = nn.LinearCrossEntropyLoss(3, 5, bias=True, ignore_index=2, dtype=torch.float64)
    parts = copy.deepcopy(whole)
    parts.options = nn.LinearCrossEntropyOptions(batch_chunk_size=2)
    assert list(whole.state_dict()) == ["linear.weight", "linear.bias"]
    target = torch.tensor([0, 2, 4, 1, 1, 2, 3])
    found = []
    for loss in (whole, parts):
        x = torch.linspace(-1, 1, 21, dtype=torch.float64).reshape(7, 3).requires_grad_()
        value = loss(x, target)
        first = torch.autograd.grad(value, [x, *loss.parameters()], create_graph=True)
        size = first[0].square().sum() + first[1].sum()
        second = torch.autograd.grad(size, [x, *loss.parameters()], retain_graph=True)
        value.backward(retain_graph=True)
        value.backward()
        found.append([value, *first, *second, x.grad])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(b.detach().numpy(), a.detach().numpy(), rtol=1e-12, atol=1e-14)
    x = torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.5, 0.0]], dtype=torch.float64)
    w = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], dtype=torch.float64)
    for n in (1, 2, 3):
        options = nn.LinearCrossEntropyOptions(batch_chunk_size=n)
        value = nn.functional.linear_cross_entropy(x, w, torch.tensor([0, 1, 2]), options=options)
        assert value.item() == pytest.approx(2.564062897886295, rel=1e-14)  # PyTorch's


def test_linear_cross_entropy_options() -> None:
    """How many examples make a chunk, and what is refused."""
    options = nn.LinearCrossEntropyOptions
    for given, size in (({}, 8), ({"batch_chunk_size": 3}, 3), ({"chunking_method": "aspect_ratio:4"}, 4)):
        assert options(**given)._adjust(100, 8, 50, torch.float32).batch_chunk_size == size
    assert options()._adjust(100, 8, 50, torch.float16) == options(False, 16, "aspect_ratio", "accurate", torch.float32)
    with pytest.raises(ValueError, match="invalid acc_policy: 'fast'"):
        options(acc_policy="fast")
    with pytest.raises(ValueError, match="invalid chunking_method: 'aspect_ratio:0'"):
        options(chunking_method="aspect_ratio:0")
    with pytest.raises(ValueError, match="batch_chunk_size must be positive int or None, got 0"):
        options(batch_chunk_size=0)
    with pytest.raises(ValueError, match="give different chunk sizes"):
        options(batch_chunk_size=3, chunking_method="aspect_ratio")._adjust(100, 8, 50, torch.float32)
    x, w, t = torch.ones(2, 3), torch.ones(4, 3), torch.tensor([0, 1])
    with pytest.warns(UserWarning, match="``options`` ignored; chunked path needs reduction"):
        nn.functional.linear_cross_entropy(x, w, t, label_smoothing=0.1, options=options())
    with pytest.raises(RuntimeError, match="supports float32 acc_dtype with float16/bfloat16 inputs"):
        nn.functional.linear_cross_entropy(x, w, t, options=options(acc_dtype=torch.float64))
    with pytest.raises(IndexError, match="Target 4 is out of bounds"):
        nn.functional.linear_cross_entropy(x, w, torch.tensor([0, 4]), options=options())
    with pytest.raises(RuntimeError, match=r"expected weight shape to be \(4,\), got \(3,\)"):
        nn.LinearCrossEntropyLoss(3, 4, weight=torch.ones(3))


def test_the_data_of_a_weight_without_a_shape_yet_is_empty() -> None:
    """`LazyLinear(1).weight.data.normal_(0, 0.01)`, as the book's models are set up: no error, and nothing happens."""
    layer = torch.nn.LazyLinear(1)
    assert layer.weight.data.normal_(0, 0.01).shape == (0,)
    layer.bias.data.fill_(0)
    assert layer(torch.ones(2, 3)).shape == (2, 1)
    assert layer.weight.data.shape == (1, 3)
    with pytest.raises(ValueError, match="Attempted to use an uninitialized parameter in an operation"):
        torch.nn.LazyLinear(1).weight + 1
