"""Writing a checkpoint: objects become a pickle in PyTorch's words, storages records of a zip archive."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import pickle
import struct
import sys
import tempfile
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..core import dtypes
from ..core.device import device
from ..core.size import Size
from ..core.tensor import Tensor, wrap
from .names import STORAGE_OF

_ALIGNMENT = 64


class _Global:
    """A name of PyTorch's, to be written as it stands."""

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name

    def __call__(self, *args: Any) -> Any:
        raise TypeError(f"{self.module}.{self.name} is only written")  # (a pickler wants what it writes to be callable)


class _Storage:
    """The memory that one or several tensors share."""

    def __init__(self, owner: Any, key: str, d: dtypes.dtype) -> None:
        self.owner = owner  # one dimension, in the order of memory
        self.key = key
        self.dtype = d


def _global(module: str, name: str, made: dict[tuple[str, str], _Global]) -> _Global:
    return made.setdefault((module, name), _Global(module, name))


_Python: Any = pickle._Pickler


class _Pickler(_Python):
    """Knows how PyTorch describes tensors. In Python, since names that cannot be imported here must be written."""

    def __init__(self, file: Any) -> None:
        super().__init__(file, protocol=2)
        self.storages: dict[int, _Storage] = {}
        self.globals: dict[tuple[str, str], _Global] = {}
        self.kept: list[Any] = []  # ids are compared: nothing may go while the pickle is made

    def named(self, full: str) -> _Global:
        module, _, name = full.rpartition(".")
        return _global(module, name, self.globals)

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if isinstance(obj, dtypes.dtype):
            obj = self.named(f"torch.{obj.name}")
        if isinstance(obj, _Global):
            known = self.memo.get(id(obj))
            if known is not None:
                self.write(self.get(known[0]))
                return
            self.write(b"c" + obj.module.encode() + b"\n" + obj.name.encode() + b"\n")
            self.memoize(obj)
            return
        super().save(obj, save_persistent_id)

    def persistent_id(self, obj: Any) -> Any:
        if not isinstance(obj, _Storage):
            return None
        name = STORAGE_OF.get(obj.dtype)
        kind = self.named(f"torch.{name}" if name else "torch.storage.UntypedStorage")
        count = obj.owner.size if name else obj.owner.nbytes
        return ("storage", kind, obj.key, "cpu", count)

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, Tensor):
            return self._tensor(obj)
        if isinstance(obj, Size):
            return self.named("torch.Size"), (tuple(obj),)
        if isinstance(obj, device):
            return self.named("torch.device"), (obj.type,) if obj.index is None else (obj.type, obj.index)
        return NotImplemented

    def _tensor(self, t: Tensor) -> Any:
        if t._edge is not None and t._rg:
            t = t.detach().requires_grad_()  # as PyTorch: the numbers, not the graph
        self.kept.append(t)
        storage, offset, strides = self._place(t._array)
        hooks: OrderedDict[str, Any] = OrderedDict()
        is_parameter = type(t).__name__ in ("Parameter", "Buffer") or getattr(t, "_is_param", False)
        rg = bool(t._rg) and not is_parameter
        made: tuple[Any, Any]
        parts = (storage, offset, tuple(t._array.shape), strides, rg, hooks)
        if storage.dtype in STORAGE_OF:
            made = (self.named("torch._utils._rebuild_tensor_v2"), parts)
        else:
            made = (self.named("torch._utils._rebuild_tensor_v3"), (*parts, storage.dtype))
        if not is_parameter:
            return made
        return self.named("torch._utils._rebuild_parameter"), (_Made(*made), bool(t._rg), OrderedDict())

    def _place(self, array: Any) -> tuple[_Storage, int, tuple[int, ...]]:
        """(storage, offset, strides) of an array, in elements. What PyTorch could not say is copied."""
        owner = array
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        size = array.dtype.itemsize
        offset, rest = divmod(_address(array) - _address(owner), size) if array.size else (0, 0)
        steps = [divmod(s, size) for s in array.strides]
        flat = _in_memory_order(owner)
        fits = flat is not None and flat.dtype == array.dtype and not rest and offset >= 0
        if not fits or any(s < 0 or r for s, r in steps):
            owner = array = np.ascontiguousarray(array)
            flat, offset = array.reshape(-1), 0
        key = _address(owner) if flat.size else id(owner)
        found = self.storages.get(key)
        if found is None:
            d = dtypes.of(array.dtype)
            found = self.storages[key] = _Storage(flat, str(len(self.storages)), d)
            self.kept.append(owner)
        return found, offset, wrap(array).stride()


class _Made:
    """A call to be written where an object would be."""

    def __init__(self, function: _Global, args: tuple[Any, ...]) -> None:
        self.call = function, args

    def __reduce__(self) -> Any:
        return self.call


def _address(array: Any) -> int:
    return int(array.__array_interface__["data"][0])


def _in_memory_order(owner: Any) -> Any:
    """The array as one dimension in the order of its memory; None if it has gaps."""
    if owner.flags.c_contiguous:
        return owner.reshape(-1)
    return owner.ravel(order="F") if owner.flags.f_contiguous else None


# -- the archive -------------------------------------------------------------------------------------------------


def _record(archive: zipfile.ZipFile, name: str, data: Any) -> None:
    """One record, its data aligned as PyTorch aligns it."""
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    assert archive.fp is not None
    start = archive.fp.tell() + 30 + len(name.encode()) + 4
    padding = -start % _ALIGNMENT
    info.extra = struct.pack("<HH", 0x4246, padding) + b"Z" * padding
    archive.writestr(info, data)


def _write(obj: Any, file: BinaryIO, root: str) -> None:
    text = io.BytesIO()
    pickler = _Pickler(text)
    pickler.dump(obj)
    described = text.getvalue()
    digest = hashlib.sha256(described)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        _record(archive, f"{root}/data.pkl", described)
        _record(archive, f"{root}/.format_version", "1")
        _record(archive, f"{root}/.storage_alignment", str(_ALIGNMENT))
        _record(archive, f"{root}/byteorder", sys.byteorder)
        for storage in pickler.storages.values():
            data = np.ascontiguousarray(storage.owner).view(np.uint8).data if storage.owner.size else b""
            _record(archive, f"{root}/data/{storage.key}", data)
            digest.update(data)
        _record(archive, f"{root}/version", "3\n")
        _record(archive, f"{root}/.data/serialization_id", str(int(digest.hexdigest(), 16))[:40].zfill(40))


def save(
    obj: Any,
    f: Any,
    pickle_module: Any = None,
    pickle_protocol: int = 2,
    _use_new_zipfile_serialization: bool = True,
) -> None:
    """Write `obj` (tensors, numbers, strings, and containers of them) to a path or a binary file, as PyTorch would.

    A file at that path is replaced when the new one is complete, or not at all. Whatever else pickles is written too, such as
    whole modules; `load` then wants `weights_only=False` or `add_safe_globals`.
    """
    if not _use_new_zipfile_serialization:
        raise NotImplementedError("save(): the format of PyTorch before 1.6 is not written; leave out this argument")
    if not isinstance(f, (str, os.PathLike)):
        if not hasattr(f, "write"):
            raise AttributeError(
                f"expected 'f' to be string, path, or a file-like object with a 'write' attribute, got {f!r}"
            )
        whole = io.BytesIO()
        _write(obj, whole, "archive")
        f.write(whole.getvalue())
        return
    path = Path(f)
    replace_file(path, lambda file: _write(obj, file, path.stem or "archive"))


def replace_file(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Write a file in place of the one at `path`, when it is complete, or not at all. RuntimeError if there is no directory."""
    if not path.parent.is_dir():
        raise RuntimeError(f"Parent directory {path.parent} does not exist.")
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(number, "w+b") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
