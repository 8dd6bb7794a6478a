"""Operators that PyTorch's functions are made of, and `torch.ops.aten`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import wengert as torch
from wengert.autograd import gradcheck

RNG = np.random.default_rng(8)


def t(*shape: int) -> torch.Tensor:
    return torch.tensor(RNG.standard_normal(shape), requires_grad=True)


def test_aten_names_the_public_functions() -> None:
    a, b = t(2, 3), t(3, 2)
    assert torch.equal(torch.ops.aten.mm.default(a, b), a @ b)
    assert repr(torch.ops.aten.mm) == "aten.mm"
    assert str(torch.ops.aten.mm.default) == "aten.mm.default"
    assert repr(torch.ops.aten.mm.default) == "<OpOverload(op='aten.mm', overload='default')>"
    assert torch.ops.aten.add.Tensor is torch.ops.aten.add.default
    with pytest.raises(AttributeError, match="'_OpNamespace' 'aten' object has no attribute 'nonsense'"):
        _ = torch.ops.aten.nonsense


def test_softmax_of_nothing_but_minus_infinity() -> None:
    x = torch.tensor([[0.0, 1.0], [-np.inf, -np.inf]], requires_grad=True)
    out = torch.ops.aten._safe_softmax(x, 1)
    assert out[1].tolist() == [0, 0]
    assert torch.equal(out[0], x[0].softmax(0))
    out[:, 0].sum().backward()
    assert x.grad.isfinite().all()
    g = torch.ones(2, dtype=torch.float64)
    out = t(2).softmax(0)
    np.testing.assert_allclose(
        torch.ops.aten._softmax_backward_data(g, out, 0, torch.float64).detach().numpy(), 0, atol=1e-15
    )


def test_norms_with_their_statistics() -> None:
    x, w, b = t(2, 4, 3), t(4), t(4)
    out, mean, rstd = torch.native_group_norm(x, w, b, 2, 4, 3, 2, 1e-5)
    expected = torch.nn.functional.group_norm(x, 2, w, b, 1e-5)
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), atol=1e-12)
    rows = x.detach().numpy().reshape(2, 2, 6)
    np.testing.assert_allclose(mean.detach().numpy(), rows.mean(-1))
    np.testing.assert_allclose(rstd.detach().numpy(), 1 / np.sqrt(rows.var(-1) + 1e-5))
    assert gradcheck(lambda *a: torch.native_group_norm(*a, 2, 4, 3, 2, 0.1), (x, w, b))
    out, mean, _ = torch.native_layer_norm(x, (3,), None, None, 1e-5)
    assert mean.shape == (2, 4, 1)
    assert not mean.requires_grad
    running = torch.zeros(4, dtype=torch.float64), torch.ones(4, dtype=torch.float64)
    out, mean, _ = torch.native_batch_norm(x, w, b, *running, True, 0.5, 1e-5)
    np.testing.assert_allclose(running[0].numpy(), x.detach().numpy().mean((0, 2)) / 2)
    assert torch.native_batch_norm(x, w, b, *running, False, 0.5, 1e-5)[1].shape == (0,)
    assert len(torch.ops.aten._batch_norm_with_update(x, w, b, *running, 0.5, 1e-5)) == 4


def test_masked_indexing_does_not_look_outside() -> None:
    x = t(3)
    index, mask = torch.tensor([0, 7, 2]), torch.tensor([True, False, True])
    out = torch._unsafe_masked_index(x, mask, [index], -1.0)
    assert out.tolist() == [x[0].item(), -1.0, x[2].item()]
    added = torch._unsafe_masked_index_put_accumulate(x, mask, [index], torch.ones(3, dtype=torch.float64))
    np.testing.assert_allclose((added - x).detach().numpy(), [1, 0, 1])


SEGMENTS: Any = {
    ("sum", None): [1, 6, 0, 3],
    ("sum", 2): [3, 8, 2, 5],
    ("mean", 2): [3, 4, 2, 2.5],
    ("mean", None): [1, 3, np.nan, 1.5],
    ("max", None): [1, 3, -np.inf, 4],
    ("max", 2): [2, 3, 2, 4],
    ("min", 3): [1, 3, 3, -1],
    ("prod", 2): [2, 18, 2, -8],
}


@pytest.mark.parametrize(("reduce", "initial"), SEGMENTS)
def test_segments(reduce: str, initial: Any) -> None:
    data = torch.tensor([1.0, 3.0, 3.0, 4.0, -1.0], requires_grad=True)
    lengths, offsets = torch.tensor([1, 2, 0, 2]), torch.tensor([0, 1, 3, 3, 5])
    got = torch.segment_reduce(data, reduce, lengths=lengths, initial=initial)
    np.testing.assert_array_equal(got.detach().numpy(), SEGMENTS[reduce, initial])
    again = torch.segment_reduce(data, reduce, offsets=offsets, initial=initial)
    np.testing.assert_array_equal(again.detach().numpy(), got.detach().numpy())
    if reduce == "max":
        got[1].backward()
        assert data.grad.tolist() == [0, 0.5, 0.5, 0, 0]


def test_segments_of_rows() -> None:
    data = torch.arange(12.0).reshape(2, 6)
    got = torch.segment_reduce(data, "sum", lengths=torch.tensor([[1, 5], [3, 3]]), axis=1)
    assert got.tolist() == [[0, 15], [21, 30]]
    with pytest.raises(RuntimeError, match="Expected all rows of lengths along axis to sum"):
        torch.segment_reduce(data, "sum", lengths=torch.tensor([1]))
    with pytest.raises(RuntimeError, match="Either lengths or offsets must be defined"):
        torch.segment_reduce(data, "sum")


def test_chunks_joined() -> None:
    got = torch._chunk_cat([torch.arange(3), torch.tensor([7])], 0, 2)
    assert got.tolist() == [[0, 1, 7], [2, 0, 0]]
    with pytest.raises(RuntimeError, match="_chunk_cat expects positive num_chunks"):
        torch._chunk_cat([torch.ones(2)], 0, 0)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("groups", [1, 2])
def test_gradients_of_a_convolution_by_themselves(transposed: bool, groups: int) -> None:
    torch.manual_seed(3)
    x = torch.randn(2, 4, 6, 5, dtype=torch.float64, requires_grad=True)
    w = torch.randn(4, 4 // groups, 3, 2, dtype=torch.float64, requires_grad=True)
    b = torch.randn(4, dtype=torch.float64, requires_grad=True)
    options = ((2, 1), (1, 0), (1, 2), transposed, (1, 0) if transposed else (0, 0), groups)
    y = torch.convolution(x, w, b, *options)
    g = torch.randn(y.shape, dtype=torch.float64)
    want = torch.autograd.grad(y, (x, w, b), g)
    got = torch.ops.aten.convolution_backward(g, x, w, [4], *options, (True, True, True))
    for a, z in zip(got, want, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), z.numpy(), rtol=1e-12)
    assert torch.ops.aten.convolution_backward(g, x, w, [4], *options, (False, False, True))[:2] == (None, None)


def test_zeros_that_lie_as_another_tensor_does() -> None:
    like = torch.zeros(12, dtype=torch.float64)[2:].as_strided((2, 3), (1, 2), 3)
    z = torch.ops.aten._new_zeros_with_same_feature_meta(torch.ones(4, 5), like, self_num_batch_dims=1)
    assert z.shape == (4, 2, 3)
    assert z.stride() == (12, 1, 2)
    assert z.storage_offset() == 3
    assert len(z.storage()) == 48
    assert z.dtype is torch.float64
    assert not z.any()
