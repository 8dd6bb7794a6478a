"""Recurrent modules: against a loop of their own cells, packed against padded, and against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import wengert
import wengert as torch
from wengert.nn.utils import rnn as packing

KINDS = ["RNN", "LSTM", "GRU"]


def parts(state: Any) -> list[Any]:
    return list(state) if isinstance(state, tuple) else [state]


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_is_its_cell_in_a_loop(kind: str) -> None:
    torch.manual_seed(0)
    layer = getattr(torch.nn, kind)(3, 4, dtype=torch.float64)
    cell = getattr(torch.nn, kind + "Cell")(3, 4, dtype=torch.float64)
    cell.load_state_dict({name.removesuffix("_l0"): p for name, p in layer.state_dict().items()})
    x = torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True)
    out, last = layer(x)
    state: Any = None
    steps = []
    for t in range(5):
        state = cell(x[t], state)
        steps.append(parts(state)[0])
    assert torch.allclose(out, torch.stack(steps))
    for a, b in zip(parts(last), parts(state), strict=True):
        assert torch.allclose(a[0], b)
    (ours,) = torch.autograd.grad(out.sin().sum(), x, retain_graph=True)
    (theirs,) = torch.autograd.grad(torch.stack(steps).sin().sum(), x)
    assert torch.allclose(ours, theirs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_packed_batch_gives_what_each_sequence_gives(kind: str, bidirectional: bool) -> None:
    torch.manual_seed(1)
    layer = getattr(torch.nn, kind)(3, 4, num_layers=2, bidirectional=bidirectional, dtype=torch.float64)
    sequences = [torch.randn(n, 3, dtype=torch.float64) for n in (2, 5, 3)]
    packed = packing.pack_sequence(sequences, enforce_sorted=False)
    out, last = layer(packed)
    for k, (s, o) in enumerate(zip(sequences, packing.unpack_sequence(out), strict=True)):
        alone, end = layer(s)
        assert torch.allclose(o, alone)
        for a, b in zip(parts(last), parts(end), strict=True):
            assert torch.allclose(a[:, k], b)


def test_padding_and_packing_undo_each_other() -> None:
    sequences = [torch.arange(float(n)).reshape(n, 1) for n in (4, 2, 1)]
    padded = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True, padding_value=-1.0)
    assert padded.squeeze(-1).tolist() == [[0, 1, 2, 3], [0, 1, -1, -1], [0, -1, -1, -1]]
    packed = packing.pack_padded_sequence(padded, torch.tensor([4, 2, 1]), batch_first=True)
    assert packed.batch_sizes.tolist() == [3, 2, 1, 1]
    assert packed.data.squeeze(-1).tolist() == [0, 0, 0, 1, 1, 2, 3]
    back, lengths = packing.pad_packed_sequence(packed, batch_first=True, padding_value=-1.0)
    assert torch.equal(back, padded)
    assert lengths.tolist() == [4, 2, 1]
    left = packing.pad_sequence(sequences, padding_side="left", batch_first=True)
    assert left.squeeze(-1).tolist() == [[0, 1, 2, 3], [0, 0, 0, 1], [0, 0, 0, 0]]


def test_wrong_lengths_and_states_are_named() -> None:
    x = torch.zeros(3, 2, 1)
    with pytest.raises(RuntimeError, match="`lengths` array must be sorted in decreasing order when `enforce_sorted`"):
        packing.pack_padded_sequence(x, torch.tensor([1, 3]))
    with pytest.raises(RuntimeError, match="Length of all samples has to be greater than 0"):
        packing.pack_padded_sequence(x, torch.tensor([3, 0]))
    lstm = torch.nn.LSTM(1, 2)
    with pytest.raises(RuntimeError, match=r"Expected hidden\[0\] size \(1, 2, 2\), got \[1, 3, 2\]"):
        lstm(x, (torch.zeros(1, 3, 2), torch.zeros(1, 3, 2)))
    with pytest.raises(RuntimeError, match=r"input.size\(-1\) must be equal to input_size. Expected 1, got 5"):
        lstm(torch.zeros(3, 2, 5))
    with pytest.raises(ValueError, match="proj_size has to be smaller than hidden_size"):
        torch.nn.LSTM(1, 2, proj_size=2)
    with pytest.warns(UserWarning, match="dropout option adds dropout after all but last recurrent layer"):
        torch.nn.GRU(1, 2, dropout=0.5)


def test_second_derivatives_go_through_the_definition() -> None:
    lstm = torch.nn.LSTM(2, 2, dtype=torch.float64)
    x = torch.randn(3, 1, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: lstm(x)[0], (x,))


CASES: list[tuple[str, dict[str, Any]]] = [
    ("LSTM", {"num_layers": 2, "bidirectional": True, "batch_first": True}),
    ("LSTM", {"proj_size": 2, "num_layers": 2}),
    ("LSTM", {"bias": False}),
    ("GRU", {"num_layers": 2, "bidirectional": True}),
    ("GRU", {"bias": False}),
    ("RNN", {"nonlinearity": "relu", "num_layers": 2}),
    ("LSTM", {"num_layers": 3, "dropout": 0.4}),
]


@pytest.mark.conformance
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize(("kind", "options"), CASES, ids=[f"{k}-{i}" for i, (k, _) in enumerate(CASES)])
def test_the_same_seed_gives_pytorchs_numbers(kind: str, options: dict[str, Any]) -> None:
    """Weights, outputs, states and gradients; dropout between layers included."""
    theirs = pytest.importorskip("torch")
    x = np.random.default_rng(0).standard_normal((4, 3, 5)).astype(np.float32)
    found = []
    for lib in (wengert, theirs):
        lib.manual_seed(3)
        layer = getattr(lib.nn, kind)(5, 4, **options)
        out, last = layer(lib.tensor(x))
        out.sin().sum().backward()
        found.append([out, *parts(last), *(p.grad for p in layer.parameters()), *layer.parameters()])
        assert repr(layer) == repr(getattr(theirs.nn, kind)(5, 4, **options))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=2e-5, atol=2e-6)


@pytest.mark.conformance
@pytest.mark.parametrize("enforce_sorted", [True, False])
def test_packed_batches_are_pytorchs(enforce_sorted: bool) -> None:
    theirs = pytest.importorskip("torch")
    lengths = [4, 2, 1] if enforce_sorted else [2, 4, 1]
    x = np.random.default_rng(0).standard_normal((4, 3, 5)).astype(np.float32)
    found = []
    for lib in (wengert, theirs):
        lib.manual_seed(3)
        layer = lib.nn.LSTM(5, 4, bidirectional=True, num_layers=2)
        pack = lib.nn.utils.rnn.pack_padded_sequence(lib.tensor(x), lib.tensor(lengths), enforce_sorted=enforce_sorted)
        out, (h, c) = layer(pack)
        padded, sizes = lib.nn.utils.rnn.pad_packed_sequence(out, total_length=6)
        padded.sin().sum().backward()
        found.append([padded, sizes, h, c, pack.data, pack.batch_sizes, *(p.grad for p in layer.parameters())])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=2e-5, atol=2e-6)
