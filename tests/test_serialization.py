"""Checkpoints: round trips here and with PyTorch; damaged and hostile files give an error and execute nothing."""

from __future__ import annotations

import argparse
import io
import os
import pickle
import time
import zipfile
from collections import OrderedDict
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pytest

import wengert as torch


def everything(lib: Any) -> dict[str, Any]:
    """All that a checkpoint may hold, made with the library named."""
    lib.manual_seed(0)
    model = lib.nn.Sequential(lib.nn.Linear(3, 4), lib.nn.BatchNorm1d(4))
    opt = lib.optim.Adam(model.parameters())
    model(lib.ones(2, 3)).sum().backward()
    opt.step()
    base = lib.arange(12.0)
    return {
        "model": model.state_dict(),
        "optimizer": opt.state_dict(),
        "parameter": model[0].weight,
        "views": [base[2:5], base, base.reshape(3, 4)[:, 1], base.reshape(3, 4).t()],
        "dtypes": [lib.tensor([1, 0], dtype=getattr(lib, d)) for d in
                   ("bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "float16", "float64", "complex64")],
        "empty": lib.empty(0, 3),
        "scalar": lib.tensor(2.5, dtype=lib.float64, requires_grad=True),
        "plain": [None, True, 3, 2**80, 1.5, 1 + 2j, "text ü", b"bytes", (1, (2, 3)), {1, 2}],
        "objects": [lib.float16, lib.Size([1, 2]), lib.device("cpu")],
    }  # fmt: skip


def same(a: Any, b: Any) -> None:
    """Equal in value, type, shape, strides, dtype."""
    if hasattr(a, "detach"):
        assert (tuple(a.shape), str(a.dtype), a.requires_grad) == (tuple(b.shape), str(b.dtype), b.requires_grad)
        assert tuple(a.stride()) == tuple(b.stride())
        assert type(a).__name__ == type(b).__name__
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-5, atol=1e-7)
    elif isinstance(a, dict):
        assert type(a) is type(b)
        assert list(a) == list(b)
        for k in a:
            same(a[k], b[k])
        assert getattr(a, "_metadata", None) == getattr(b, "_metadata", None)
    elif isinstance(a, (list, tuple)) and not isinstance(a, torch.Size) and type(a).__name__ != "Size":
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y)
    else:
        assert str(a) == str(b)


def written(obj: Any, lib: Any = torch) -> bytes:
    file = io.BytesIO()
    lib.save(obj, file)
    return file.getvalue()


def read(data: bytes) -> Any:
    return torch.load(io.BytesIO(data))


def test_what_is_saved_is_loaded() -> None:
    made = everything(torch)
    back = read(written(made))
    same(made, back)
    back["views"][1][2] = 99  # tensors that shared their memory share it again
    assert back["views"][0][0] == 99
    assert back["views"][3][2, 0] == 99


def test_the_same_object_twice_is_the_same_bytes() -> None:
    assert written(everything(torch)) == written(everything(torch))


def test_paths_files_and_maps(tmp_path: Path) -> None:
    where = tmp_path / "model.pt"
    torch.save({"a": torch.arange(5.0)}, where)
    assert torch.load(str(where))["a"].tolist() == [0, 1, 2, 3, 4]
    mapped = torch.load(where, mmap=True, map_location="cpu")["a"]
    mapped[0] = 7  # a change stays in this process
    assert torch.load(where)["a"][0] == 0
    with where.open("rb") as file:
        assert torch.load(file, weights_only=False)["a"].shape == (5,)
    with pytest.raises(ValueError, match="f must be a file path in order to use the mmap argument"):
        torch.load(io.BytesIO(where.read_bytes()), mmap=True)
    with pytest.raises(FileNotFoundError):
        torch.load(tmp_path / "none.pt")
    with pytest.raises(RuntimeError, match="Parent directory .* does not exist."):
        torch.save({}, tmp_path / "no" / "model.pt")


class Custom:
    def __init__(self, x: int = 1) -> None:
        self.x = x


def test_a_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    where = tmp_path / "model.pt"
    torch.save({"a": 1}, where)
    before = where.read_bytes()
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        torch.save({"a": torch.ones(1000), "b": lambda: 1}, where)
    assert where.read_bytes() == before
    assert os.listdir(tmp_path) == ["model.pt"]


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cells = torch.nn.LSTM(2, 3)
        self.block = torch.nn.TransformerEncoderLayer(4, 2)
        self.settings = argparse.Namespace(rate=0.1, sizes=Pair(2, 3))
        self.scale = np.arange(3.0)

    def forward(self, x: Any) -> Any:
        return self.cells(x)[0].sum()


class Pair(NamedTuple):
    a: int
    b: int


def test_whole_modules_and_their_settings() -> None:
    """Saved as in PyTorch; read when asked for, without running `__init__`, and refused with advice when not."""
    net = Net()
    data = written({"model": net, "args": argparse.Namespace(lr=1)})
    with pytest.raises(
        pickle.UnpicklingError, match=r"Net, which is not on the list.*weights_only=False.*state_dict\(\)"
    ):
        read(data)
    found = torch.load(io.BytesIO(data), weights_only=False)
    again, x = found["model"], torch.ones(1, 1, 2)
    assert isinstance(again, Net)
    assert found["args"].lr == 1
    assert again.settings == net.settings
    assert type(again.settings.sizes) is Pair
    assert again.scale.tolist() == [0, 1, 2]
    assert again(x).item() == net(x).item()
    assert all(p.requires_grad for p in again.parameters())
    with torch.serialization.safe_globals([Net, Pair, argparse.Namespace, torch.nn.LSTM, torch.nn.Linear]):
        with pytest.raises(pickle.UnpicklingError, match="TransformerEncoderLayer"):
            read(data)


def test_arrays_of_numpy_are_numbers() -> None:
    for a in (np.arange(6.0).reshape(2, 3), np.ones((2, 3), order="F"), np.array([True]), np.empty((0, 2))):
        b = read(written({"a": a}))["a"]
        assert (b.shape, b.dtype, b.tolist()) == (a.shape, a.dtype, a.tolist())
    with pytest.raises(pickle.UnpicklingError, match="NumPy dtype of objects"):
        read(written(np.array([None, "a"], dtype=object)))


def test_classes_that_the_user_trusts() -> None:
    serialization = torch.serialization
    with serialization.safe_globals([Custom]):
        data = written({"c": Custom(3)})
        assert read(data)["c"].x == 3
        assert serialization.get_safe_globals() == [Custom]
    with pytest.raises(pickle.UnpicklingError, match="Custom, which is not on the list of what load"):
        read(data)


# -- hostile files -------------------------------------------------------------------------------------------------


def archive(description: bytes, **records: bytes) -> bytes:
    """A checkpoint with this pickle."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as z:
        z.writestr("archive/data.pkl", description)
        z.writestr("archive/version", "3\n")
        for name, data in records.items():
            z.writestr(f"archive/data/{name.removeprefix('s')}", data)
    return file.getvalue()


class Loud:
    """Would say so if anything of it ran."""

    heard: ClassVar[list[str]] = []

    def __init__(self) -> None:
        self.heard.append("init")

    def __setstate__(self, state: Any) -> None:
        self.heard.append("setstate")


class Late:
    def __del__(self) -> None:
        Loud.heard.append("del")


class Setter:
    x = property(lambda self: 0, lambda self, value: Loud.heard.append("set"))


class Choice(Enum):
    one = 1

    @classmethod
    def _missing_(cls, value: Any) -> Any:
        Loud.heard.append("missing")
        return cls.one


class LoudNet(torch.nn.Module):
    def __setstate__(self, state: Any) -> None:
        Loud.heard.append("setstate")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"ctest_serialization\nSetter\n)\x81N}X\x01\x00\x00\x00xK\x01s\x86b.", "state of a Setter"),
        (b"ctest_serialization\nChoice\nK\x07\x85R.", "Choice"),
        (b"ctest_serialization\nChoice\nK\x01\x85R.", None),
        (b"ctest_serialization\nLoudNet\n)\x81}b.", None),
        (b"cos\nsystem\n(X\x07\x00\x00\x00echo hitR.", "calls system"),
        (b"cposix\nsystem\n(X\x07\x00\x00\x00echo hit\x85R.", "calls system"),
        (b"cbuiltins\neval\n(X\x03\x00\x00\x001+1tR.", "calls eval"),
        (b"ctest_serialization\nLoud\n)\x81.", "Loud"),
        (b"ctest_serialization\nLoud\n(tR.", "Loud"),
        (b"ctest_serialization\nLate\n)\x81.", "Late"),
        (b"csubprocess\nPopen\n(X\x02\x00\x00\x00lstR.", "Popen"),
        (b"ctorch\nload\n(X\x01\x00\x00\x00xtR.", "calls load"),
        (b"ctorch.nn\nLinear\n(K\x02K\x03tR.", "Linear"),
        (b"cargparse\nNamespace\n)\x81}X\x09\x00\x00\x00__class__K\x01sb.", None),
        (b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tX\x01\x00\x00\x00btR(K\x01(K\x09tcnumpy\ndtype\n"
         b"(X\x02\x00\x00\x00f8tR\x89X\x01\x00\x00\x00atb.", "array of objects"),
    ],
)  # fmt: skip
def test_objects_are_rebuilt_without_running_anything(text: bytes, said: str | None) -> None:
    """`weights_only=False` calls nothing that the file names: no function, no class, no `__init__`, no `__setstate__`."""
    Loud.heard.clear()
    data = archive(b"\x80\x02" + text)
    if said is None:
        torch.load(io.BytesIO(data), weights_only=False)  # an attribute's name is no command
    else:
        with pytest.raises((pickle.UnpicklingError, AttributeError), match=said):
            torch.load(io.BytesIO(data), weights_only=False)
    assert Loud.heard == []


class _Call:
    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> Any:
        return self.call


def _storage(key: str = "0", count: str = "K\x04", kind: str = "FloatStorage") -> bytes:
    return b"(X\x07\x00\x00\x00storagectorch\n" + kind.encode() + b"\nX\x01\x00\x00\x00" + key.encode() + (
        b"X\x03\x00\x00\x00cpu" + count.encode("latin-1") + b"tQ")  # fmt: skip


def _tensor(storage: bytes, rest: bytes) -> bytes:
    return b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(" + storage + rest + b"\x89}tR."


MARKER = "/tmp/wengert-test-was-executed"
HOSTILE = {
    "os.system": pickle.dumps(_Call(os.system, f"touch {MARKER}"), 2),
    "eval": pickle.dumps(_Call(eval, f"open({MARKER!r}, 'w')"), 2),
    "getattr": pickle.dumps(_Call(getattr, "", "join"), 2),
    "open": pickle.dumps(_Call(open, MARKER, "w"), 2),
    "a class's state": b"\x80\x02ccollections\nCounter\n)R}X\x01\x00\x00\x00aK\x01sb.",
    "instance": b"(ios\nsystem\n.",
    "a storage that is not there": _tensor(_storage("7"), b"K\x00K\x04\x85K\x01\x85"),
    "more elements than there are": _tensor(_storage(count="K\x63"), b"K\x00K\x04\x85K\x01\x85"),
    "beyond the storage": _tensor(_storage(), b"K\x01K\x04\x85K\x01\x85"),
    "absurd size": _tensor(_storage(), b"K\x00\x8a\x05\x00\x00\x00\x00\x7f\x85K\x01\x85"),
    "negative stride": _tensor(_storage(), b"K\x03K\x04\x85J\xff\xff\xff\xff\x85"),
    "negative offset": _tensor(_storage(), b"J\xff\xff\xff\xffK\x04\x85K\x01\x85"),
    "no storage": _tensor(b"K\x01", b"K\x00K\x04\x85K\x01\x85"),
    "a storage of strings": b"\x80\x02(X\x07\x00\x00\x00storageX\x01\x00\x00\x00aX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ.",
    "an odd persistent id": b"\x80\x02K\x05Q.",
    "memo far away": b"\x80\x02K\x01r\xff\xff\xff\x7fh\x05.",
    "a huge string": b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\x00\x00a.",
    "a huge integer": b"\x80\x02\x8b\xff\xff\xff\x7f.",
    "extension": b"\x80\x02\x82\x01.",
    "objects in a dtype": pickle.dumps(np.dtype("O"), 2),
    "empty": b"",
    "no end": b"\x80\x02K\x01",
    "protocol of the future": b"\x80\xffK\x01.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pickle_is_refused_and_nothing_is_executed(name: str) -> None:
    start = time.perf_counter()
    with pytest.raises((pickle.UnpicklingError, NotImplementedError), match=r"load\(the file\): not a checkpoint"):
        read(archive(HOSTILE[name], s0=bytes(16)))
    assert time.perf_counter() - start < 1
    assert not os.path.exists(MARKER)


def test_other_archives_are_told_apart() -> None:
    with pytest.raises(pickle.UnpicklingError, match="not a checkpoint that can be read"):
        read(b"not a zip")
    with pytest.raises(NotImplementedError, match="a file of PyTorch before 1.6 is not read"):
        read(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("archive/data.pkl", pickle.dumps({}, 2))
        z.writestr("archive/data/0", bytes(10_000_000))
    with pytest.raises(pickle.UnpicklingError, match="is compressed, as PyTorch never does"):
        read(file.getvalue())
    good = archive(_tensor(_storage().replace(b"\x03\x00\x00\x00cpu", b"\x06\x00\x00\x00cuda:0"), b"K\x00K\x04\x85K\x01\x85"),
                   s0=bytes(16))  # fmt: skip
    with pytest.raises(RuntimeError, match="Attempting to deserialize object on device cuda:0"):
        read(good)
    assert torch.load(io.BytesIO(good), map_location="cpu").tolist() == [0, 0, 0, 0]
    assert torch.load(io.BytesIO(good), map_location={"cuda:0": "cpu"}).shape == (4,)


def test_two_hundred_damaged_files() -> None:
    """Cut short or with bits flipped: an error, or (where a bit means nothing) the same content; never anything else."""
    made = {"w": torch.arange(24.0).reshape(4, 6), "b": torch.ones(3), "o": OrderedDict(a=1), "s": "text"}
    data = written(made)
    rng = np.random.default_rng(0)
    refused = 0
    for k in range(200):
        damaged = bytearray(data)
        if k % 4 == 0:
            damaged = damaged[: int(rng.integers(0, len(data)))]
        else:
            for _ in range(1 + k % 3):
                place = int(rng.integers(0, len(data)))
                damaged[place] ^= 1 << int(rng.integers(0, 8))
        start = time.perf_counter()
        try:
            same(made, read(bytes(damaged)))
        except (pickle.UnpicklingError, RuntimeError):
            refused += 1
        assert time.perf_counter() - start < 1
    assert refused > 120


# -- with PyTorch ----------------------------------------------------------------------------------------------------


@pytest.mark.conformance
def test_round_trips_with_pytorch() -> None:
    theirs = pytest.importorskip("torch")
    mine = everything(torch)
    same(mine, theirs.load(io.BytesIO(written(mine)), weights_only=True))
    other = everything(theirs)
    same(other, read(written(other, theirs)))


@pytest.mark.conformance
def test_bfloat16_of_pytorch_is_read_without_loss() -> None:
    theirs = pytest.importorskip("torch")
    data = written({"x": theirs.tensor([1.5, -2.25, 3e38], dtype=theirs.bfloat16)}, theirs)
    if hasattr(torch, "bfloat16"):
        found = read(data)["x"].float()
    else:
        with pytest.warns(UserWarning, match="bfloat16 is read as float32"):
            found = read(data)["x"]
    np.testing.assert_allclose(found.numpy(), [1.5, -2.25, 3e38], rtol=1e-2)


@pytest.mark.conformance
def test_a_model_goes_on_training_on_the_other_side(tmp_path: Path) -> None:
    """A checkpoint of model and optimizer written by one library is continued by the other, with the same losses."""
    theirs = pytest.importorskip("torch")

    def begin(lib: Any) -> tuple[Any, Any]:
        lib.manual_seed(1)
        model = lib.nn.Linear(3, 2)
        return model, lib.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def steps(lib: Any, model: Any, opt: Any) -> list[float]:
        x = lib.tensor(np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3))
        found = []
        for _ in range(3):
            opt.zero_grad()
            loss = (model(x) ** 2).sum()
            loss.backward()
            opt.step()
            found.append(loss.item())
        return found

    for first, second in ((torch, theirs), (theirs, torch)):
        model, opt = begin(first)
        steps(first, model, opt)
        first.save({"model": model.state_dict(), "opt": opt.state_dict()}, tmp_path / "c.pt")
        expected = steps(first, model, opt)
        again, opt2 = begin(second)
        loaded = second.load(tmp_path / "c.pt")
        again.load_state_dict(loaded["model"])
        opt2.load_state_dict(loaded["opt"])
        np.testing.assert_allclose(steps(second, again, opt2), expected, rtol=1e-5)
