"""Transformers: against PyTorch from the same seed, and what must hold without it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import wengert
import wengert as torch

nn = torch.nn


def test_a_causal_mask_hides_the_future() -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    x = torch.randn(1, 5, 8, requires_grad=True)
    mask = nn.Transformer.generate_square_subsequent_mask(5)
    out = nn.TransformerEncoder(layer, 2)(x, mask=mask)
    (g,) = torch.autograd.grad(out[0, 2].sum(), x)
    assert g[0, :3].abs().sum(1).min() > 0
    assert g[0, 3:].abs().max() == 0


def test_padding_is_not_looked_at() -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    x = torch.randn(1, 5, 8)
    padding = torch.tensor([[False, False, False, True, True]])
    whole = layer(x, src_key_padding_mask=padding)
    short = layer(x[:, :3])
    assert torch.allclose(whole[:, :3], short, atol=1e-6)


def test_wrong_sizes_are_named() -> None:
    with pytest.raises(RuntimeError, match="activation should be relu/gelu, not tanh"):
        nn.TransformerEncoderLayer(8, 2, activation="tanh")
    with pytest.raises(AssertionError, match="embed_dim must be divisible by num_heads"):
        nn.TransformerEncoderLayer(8, 3)
    model = nn.Transformer(8, 2, 1, 1, 16)
    with pytest.raises(RuntimeError, match="the batch number of src and tgt must be equal"):
        model(torch.zeros(3, 2, 8), torch.zeros(3, 1, 8))
    with pytest.raises(RuntimeError, match="the feature number of src and tgt must be equal to d_model"):
        model(torch.zeros(3, 2, 7), torch.zeros(3, 2, 8))


@pytest.mark.conformance
@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")
@pytest.mark.parametrize(
    "options", [{}, {"norm_first": True, "activation": "gelu"}, {"batch_first": True, "bias": False}]
)
def test_the_same_seed_gives_pytorchs_numbers(options: dict[str, Any]) -> None:
    """Weights, dropout, outputs and gradients of a whole transformer in training; and its repr."""
    theirs = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    src, tgt = (rng.standard_normal((4, 4, 8)).astype(np.float32) for _ in range(2))
    found = []
    for lib in (wengert, theirs):
        lib.manual_seed(5)
        model = lib.nn.Transformer(8, 2, 2, 2, 16, **options)
        mask = lib.nn.Transformer.generate_square_subsequent_mask(4)
        out = model(lib.tensor(src), lib.tensor(tgt), tgt_mask=mask)
        out.sin().sum().backward()
        found.append([out, *model.parameters(), *(p.grad for p in model.parameters())])
        shown = repr(model)
        assert shown == repr(theirs.nn.Transformer(8, 2, 2, 2, 16, **options))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=2e-4, atol=2e-5)
