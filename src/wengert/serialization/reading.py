"""Reading a checkpoint. The pickle in it is read by an interpreter that calls only what `names` lists; see `load`."""

from __future__ import annotations

import io
import os
import pickle
import sys
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..core import dtypes
from ..core.device import device
from ..core.tensor import Tensor, wrap
from . import objects
from .names import BFLOAT16, StorageKind, is_added, lookup

_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # how files of PyTorch before 1.6 begin
_LIMIT = 1 << 30  # bytes of pickle: descriptions are small, numbers are elsewhere


class _Storage:
    """A record of numbers, as one dimension."""

    def __init__(self, array: Any, dtype: Any) -> None:
        self.array = array
        self.dtype = dtype


# -- what pickles may call ------------------------------------------------------------------------------------------


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, d: dtypes.dtype) -> Tensor:
    if not isinstance(storage, _Storage):
        raise pickle.UnpicklingError("a tensor without a storage")
    numbers = (offset, *size, *stride)
    if len(size) != len(stride) or any(not isinstance(n, int) or isinstance(n, bool) or n < 0 for n in numbers):
        raise pickle.UnpicklingError(f"a tensor of size {size} with strides {stride} at {offset}")
    memory = storage.array.view(np.uint8) if storage.array.size else storage.array
    count = memory.nbytes // d.itemsize
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    if 0 in size:
        return wrap(np.empty(size, d.np))
    if last >= count:
        raise pickle.UnpicklingError(f"a tensor of size {size} that ends at element {last} of a storage of {count}")
    strides = tuple(s * d.itemsize for s in stride)
    return wrap(np.ndarray(size, d.np, memory, offset * d.itemsize, strides))


def rebuild_tensor(storage: Any, offset: Any, size: Any, stride: Any, requires_grad: bool = False, *_: Any) -> Tensor:
    t = _tensor(storage, offset, size, stride, storage.dtype)
    return t.requires_grad_() if requires_grad else t


def rebuild_tensor_v3(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: bool, hooks: Any, dtype: Any, *_: Any
) -> Tensor:
    if not isinstance(dtype, dtypes.dtype):
        raise pickle.UnpicklingError(f"a tensor of dtype {dtype!r}")
    t = _tensor(storage, offset, size, stride, dtype)
    return t.requires_grad_() if requires_grad else t


def rebuild_parameter(data: Any, requires_grad: bool, *_: Any) -> Any:
    from ..nn.parameter import Parameter

    return Parameter(data, bool(requires_grad))


# -- the interpreter -------------------------------------------------------------------------------------------------


_Python: Any = pickle._Unpickler


class _Unpickler(_Python):
    """The standard library's, in Python: it calls what is on the list of names, and nothing else."""

    dispatch: ClassVar[dict[int, Any]] = dict(_Python.dispatch)

    def __init__(self, file: Any, storages: Any, with_objects: bool) -> None:
        super().__init__(file, encoding="utf-8")
        self.storages = storages
        self.with_objects = with_objects
        self.listed: list[Any] = []  # what was found on the list, and may be called

    def find_class(self, module: str, name: str) -> Any:
        try:
            found = lookup(module, name)
        except KeyError:
            found = objects.named(module, name) if self.with_objects else None
            if found is not None:
                return found
            raise pickle.UnpicklingError(
                f"the file asks for {module}.{name}, which is not on the list of what load() may use. Nothing of it was "
                "executed. If you trust it, call wengert.serialization.add_safe_globals([...]) with it first, or give "
                "weights_only=False for an object of a class that the program has imported; of a model, rather save the "
                "state_dict()."
            ) from None
        self.listed.append(found)
        return found

    def call(self, function: Any, args: Any, make: Any = None) -> Any:
        """`function(*args)`, or `make` of it, if it is on the list; else an empty object, if it is such a class."""
        if any(function is x for x in self.listed):
            return function(*args) if make is None else make(function, *args)
        if isinstance(function, type):
            return objects.make(function, tuple(args))
        raise pickle.UnpicklingError(f"the file calls {getattr(function, '__name__', function)!s:.60}")

    def load_reduce(self) -> None:
        args = self.stack.pop()
        self.stack[-1] = self.call(self.stack[-1], args)

    def load_newobj(self) -> None:
        args = self.stack.pop()
        cls = self.stack.pop()
        self.append(self.call(cls, args, lambda cls, *args: cls.__new__(cls, *args)))

    def load_newobj_ex(self) -> None:
        kwargs = self.stack.pop()
        args = self.stack.pop()
        cls = self.stack.pop()
        self.append(self.call(cls, args, lambda cls, *args: cls.__new__(cls, *args, **kwargs)))

    def _instantiate(self, cls: Any, args: Any) -> None:
        self.append(self.call(cls, args))

    def persistent_load(self, pid: Any) -> Any:
        if not isinstance(pid, tuple) or len(pid) != 5 or pid[0] != "storage" or not isinstance(pid[1], StorageKind):
            raise pickle.UnpicklingError(f"a persistent id that is no storage: {pid!r:.100}")
        return self.storages(*pid[1:])

    def load_build(self) -> None:
        state = self.stack.pop()
        target: Any = self.stack[-1]
        if isinstance(target, OrderedDict) and isinstance(state, dict):
            target.__dict__.update(state)
        elif isinstance(target, np.dtype) and isinstance(state, tuple) and not target.hasobject:
            target.__setstate__(state)  # type: ignore[attr-defined]
        elif type(target) is np.ndarray:
            objects.fill_array(target, state)
        elif is_added(type(target)):
            if hasattr(target, "__setstate__"):
                target.__setstate__(state)
            else:
                target.__dict__.update(state)
        elif not (self.with_objects and objects.fill(target, state)):
            raise pickle.UnpicklingError(f"the file sets the state of a {type(target).__name__}")

    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.NEWOBJ[0]] = load_newobj
    dispatch[pickle.NEWOBJ_EX[0]] = load_newobj_ex


class _Archive:
    """The zip archive, and the storages that were read from it."""

    def __init__(self, file: Any, path: Path | None, place: Any) -> None:
        self.zip = zipfile.ZipFile(file)
        self.path = path
        self.place = place
        names = self.zip.namelist()
        roots = {n.split("/", 1)[0] for n in names if "/" in n}
        pickles = [n for n in names if n.count("/") == 1 and n.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise pickle.UnpicklingError(
                "there is no data.pkl in it: it is no checkpoint of PyTorch's"
                + ("" if "constants.pkl" not in str(names) else " (a TorchScript archive?)")
            )
        if len(set(names)) != len(names):
            raise pickle.UnpicklingError("two of its records have the same name")
        self.root = pickles[0].split("/", 1)[0]
        if any(n.endswith("/constants.pkl") for n in names):
            raise pickle.UnpicklingError("it is a TorchScript archive: scripts are not executed here")
        assert roots
        for info in self.zip.infolist():
            if info.compress_type != zipfile.ZIP_STORED:
                raise pickle.UnpicklingError(f"its record {info.filename} is compressed, as PyTorch never does")
        self.swapped = False
        if f"{self.root}/byteorder" in names:
            order = self.zip.read(f"{self.root}/byteorder")
            if order not in (b"little", b"big"):
                raise pickle.UnpicklingError(f"its byte order is {order!r:.40}")
            self.swapped = order.decode() != sys.byteorder
        self.found: dict[str, _Storage] = {}

    def description(self) -> bytes:
        info = self.zip.getinfo(f"{self.root}/data.pkl")
        if info.file_size > _LIMIT:
            raise pickle.UnpicklingError(f"its pickle has {info.file_size} bytes")
        return self.zip.read(info)

    def storage(self, kind: StorageKind, key: Any, location: Any, count: Any) -> _Storage:
        if not isinstance(key, str) or not isinstance(count, int):
            raise pickle.UnpicklingError(f"a storage {key!r:.40} of {count!r:.40} elements")
        found = self.found.get(key)
        if found is None:
            self._check_place(location)
            found = self.found[key] = self._read(kind, key, count)
        return found

    def _check_place(self, location: Any) -> None:
        wish = self.place
        if callable(wish) and not isinstance(wish, type):
            return
        if isinstance(wish, dict):
            location = wish.get(location, location)
        elif wish is not None:
            location = str(device(wish))
        if not str(location).startswith("cpu"):
            raise RuntimeError(
                f"Attempting to deserialize object on device {location} but there is only the CPU here. Please use load "
                "with map_location='cpu' to map your storages to the CPU."
            )

    def _read(self, kind: StorageKind, key: str, count: int) -> _Storage:
        name = f"{self.root}/data/{key}"
        try:
            info = self.zip.getinfo(name)
        except KeyError:
            raise pickle.UnpicklingError(f"its record {name} is missing") from None
        itemsize = 1 if kind.dtype is None else 2 if kind is BFLOAT16 else kind.dtype.itemsize
        if count * itemsize > info.file_size:
            raise pickle.UnpicklingError(f"its record {name} has {info.file_size} bytes, not {count * itemsize}")
        if self.path is not None:
            memory = self._mapped(info)
        else:
            memory = np.frombuffer(bytearray(self.zip.read(info)), np.uint8)
        if kind.dtype is None:
            return _Storage(memory, None)
        if kind is BFLOAT16:
            return self._bfloat16(memory)
        numbers = memory[: count * itemsize].view(kind.dtype.np)
        if self.swapped and kind.dtype.itemsize > 1:
            numbers = numbers.byteswap()
        return _Storage(numbers, kind.dtype)

    def _bfloat16(self, memory: Any) -> _Storage:
        """bfloat16 is the upper half of float32: nothing is lost where NumPy does not know it."""
        words = memory.view(np.uint16)
        if self.swapped:
            words = words.byteswap()
        own = getattr(dtypes, "bfloat16", None)
        if own is not None and own.np.name == "bfloat16":
            return _Storage(words.view(own.np), own)
        warnings.warn("load: bfloat16 is read as float32; for bfloat16 install ml_dtypes", UserWarning, stacklevel=2)
        return _Storage((words.astype(np.uint32) << 16).view(np.float32), dtypes.float32)

    def _mapped(self, info: zipfile.ZipInfo) -> Any:
        """The record where it lies in the file, changes kept to this process."""
        assert self.path is not None
        if not info.file_size:
            return np.empty(0, np.uint8)
        with open(self.path, "rb") as file:
            file.seek(info.header_offset)
            header = file.read(30)
        if len(header) < 30 or header[:4] != b"PK\x03\x04":
            raise pickle.UnpicklingError(f"its record {info.filename} has no header")
        start = (
            info.header_offset + 30 + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        )
        return np.memmap(self.path, np.uint8, "c", start, (info.file_size,))


# What a damaged or hostile file can make a reader raise.
_TROUBLE = (
    *(zipfile.BadZipFile, pickle.UnpicklingError, EOFError, IndexError, KeyError, ValueError, TypeError),
    *(AttributeError, OverflowError, MemoryError, RecursionError, UnicodeError, NotImplementedError, AssertionError),
)


def load(
    f: Any,
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """What `save`, here or in PyTorch, wrote to a path or a binary file.

    The file is trusted with nothing: tensors, arrays, numbers, strings and containers are read, and whatever else its pickle
    asks for is refused with UnpicklingError. With `weights_only=False` also objects, such as whole modules, of classes that
    the program has imported: they get their attributes back, and nothing that the file names is called. With `mmap` the
    numbers of a file on disk are read when they are used. RuntimeError for a tensor on another device, unless `map_location`
    says 'cpu'.
    """
    with_objects = weights_only is False
    name = str(f) if isinstance(f, (str, os.PathLike)) else getattr(f, "name", "the file")
    if isinstance(f, (str, os.PathLike)):
        with open(f, "rb") as file:
            return _load(file, Path(f) if mmap else None, map_location, name, with_objects)
    if mmap:
        raise ValueError("f must be a file path in order to use the mmap argument")
    if not hasattr(f, "read"):
        raise AttributeError(
            f"expected 'f' to be string, path, or a file-like object with a 'read' attribute, got {f!r}"
        )
    if not hasattr(f, "seek"):
        f = io.BytesIO(f.read())
    return _load(f, None, map_location, name, with_objects)


def _load(file: Any, path: Path | None, place: Any, name: str, with_objects: bool) -> Any:
    start = file.tell()
    head = file.read(len(_LEGACY))
    file.seek(start)
    if head == _LEGACY:
        raise NotImplementedError(
            f"load({name}): a file of PyTorch before 1.6 is not read. Load it in PyTorch and save it again: torch.save's "
            "default format since then is read."
        )
    try:
        archive = _Archive(file, path, place)
        reader = _Unpickler(io.BytesIO(archive.description()), archive.storage, with_objects)
        return reader.load()
    except RuntimeError as error:
        if isinstance(error, (NotImplementedError, RecursionError)):
            raise _corrupt(name, error) from error
        raise
    except _TROUBLE as error:
        raise _corrupt(name, error) from error


def _corrupt(name: str, error: BaseException) -> pickle.UnpicklingError:
    said = str(error) or type(error).__name__
    return pickle.UnpicklingError(f"load({name}): not a checkpoint that can be read: {said}")
