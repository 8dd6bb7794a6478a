"""Safetensors files, through their own library: round trips, tied weights, broken files, and PyTorch on the other side."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import wengert as torch
from wengert import safetensors

library = pytest.importorskip("safetensors")


def tensors() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {
        "float": torch.randn(2, 3),
        "double": torch.randn(3, dtype=torch.float64),
        "half": torch.randn(3).half(),
        "long": torch.arange(4),
        "bool": torch.tensor([True, False]),
        "scalar": torch.tensor(3.5),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(torch.ones(2)),
    }


def test_round_trip(tmp_path: Path) -> None:
    given = tensors()
    safetensors.save_file(given, tmp_path / "x.safetensors", metadata={"format": "pt"})
    for found in (safetensors.load_file(tmp_path / "x.safetensors"), safetensors.load(safetensors.save(given))):
        assert set(found) == set(given)
        for name, t in given.items():
            assert found[name].dtype is t.dtype
            assert found[name].shape == t.shape
            assert torch.equal(found[name], t.detach())
        found["float"][0, 0] = 9.0  # its own memory, and writable
    assert list(tmp_path.iterdir()) == [tmp_path / "x.safetensors"]


def test_a_model_with_tied_weights(tmp_path: Path) -> None:
    def make() -> torch.nn.Module:
        model = torch.nn.Sequential(torch.nn.Embedding(4, 3), torch.nn.Linear(3, 4))
        model[1].weight = model[0].weight
        return model

    model, other = make(), make()
    file = tmp_path / "m.safetensors"
    with pytest.raises(RuntimeError, match="Some tensors share memory.*'0.weight', '1.weight'.*`save_model`"):
        safetensors.save_file(model.state_dict(), file)
    safetensors.save_model(model, file)
    assert safetensors.load_model(other, file) == ([], [])
    assert torch.equal(other[1].weight, model[0].weight)
    assert other[1].weight is other[0].weight
    with pytest.raises(
        RuntimeError, match='(?s)loading state_dict for Linear:.*Missing key.*: "bias", "weight".*Unexpected'
    ):
        safetensors.load_model(torch.nn.Linear(3, 4), file)


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Key `a` is invalid, expected torch.Tensor but received <class 'float'>"):
        safetensors.save({"a": 1.0})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="non contiguous tensor: `a`"):
        safetensors.save({"a": torch.ones(2, 3).t()})
    with pytest.raises(RuntimeError, match="Parent directory .* does not exist"):
        safetensors.save_file({}, tmp_path / "no" / "x.safetensors")


@pytest.mark.parametrize("spoil", [lambda b: b[:-1], lambda b: b[:20], lambda b: b"\xff" * 8 + b[8:], lambda b: b""])
def test_broken_files_raise(tmp_path: Path, spoil: object) -> None:
    file = tmp_path / "x.safetensors"
    safetensors.save_file(tensors(), file)
    file.write_bytes(spoil(file.read_bytes()))  # type: ignore[operator]
    with pytest.raises(library.SafetensorError):
        safetensors.load_file(file)


def test_the_library_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(ImportError, match=r"pip install wengert\[safetensors\]"):
        safetensors.save({})


@pytest.mark.conformance
def test_pytorch_reads_and_writes_the_same_files(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from safetensors import torch as theirs

    given = {k: v.detach() for k, v in tensors().items()}
    safetensors.save_file(given, tmp_path / "x.safetensors")
    found = theirs.load_file(tmp_path / "x.safetensors")
    for name, t in given.items():
        assert str(found[name].dtype) == str(t.dtype)
        np.testing.assert_array_equal(found[name].numpy(), t.numpy())
    theirs.save_file(found, tmp_path / "y.safetensors")
    assert all(torch.equal(v, given[k]) for k, v in safetensors.load_file(tmp_path / "y.safetensors").items())
