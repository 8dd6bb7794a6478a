"""Files of the safetensors format, read and written by its own library: `pip install wengert[safetensors]`.

Shaped like `safetensors.torch`: `save_file`, `load_file`, `save`, `load`, `save_model`, `load_model`. A file is replaced when the
new one is complete; a truncated or corrupt one raises `safetensors.SafetensorError` and changes nothing.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO

from .core.device import as_device
from .core.tensor import Tensor, wrap
from .serialization.writing import replace_file

_NEEDED = "safetensors: the package is not installed: pip install wengert[safetensors]. torch.save and torch.load need nothing."


def _library() -> Any:
    try:
        import safetensors.numpy as library
    except ImportError:
        raise ImportError(_NEEDED) from None
    return library


def save(tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> bytes:
    """Named tensors as the bytes of a file. ValueError for what is no tensor, RuntimeError for two on the same memory."""
    arrays: dict[str, Any] = {}
    places: dict[Any, str] = {}
    for name, t in tensors.items():
        if not isinstance(t, Tensor):
            raise ValueError(f"Key `{name}` is invalid, expected torch.Tensor but received {type(t)}")
        array = t.detach()._array
        if not array.flags.c_contiguous:
            raise ValueError(
                f"You are trying to save a non contiguous tensor: `{name}` which is not allowed. It either means you are trying "
                "to save tensors which are reference of each other in which case it's recommended to save only the full tensors, "
                "and reslice at load time, or simply call `.contiguous()` on your tensor to pack it before saving."
            )
        place = t.untyped_storage().data_ptr() if array.size else None
        if place is not None and place in places:
            raise RuntimeError(
                f"Some tensors share memory, this will lead to duplicate memory on disk and potential differences when loading "
                f"them again: {{{places[place]!r}, {name!r}}}. A potential way to correctly save your model is to use "
                "`save_model`."
            )
        places[place] = name
        arrays[name] = array
    return bytes(_library().save(arrays, metadata=metadata))


def save_file(
    tensors: dict[str, Tensor], filename: str | os.PathLike[str], metadata: dict[str, str] | None = None
) -> None:
    """Write named tensors to a file. Errors as `save`."""
    data = save(tensors, metadata)

    def write(file: BinaryIO) -> None:
        file.write(data)

    replace_file(Path(filename), write)


def load(data: bytes) -> dict[str, Tensor]:
    """The named tensors in the bytes of a file."""
    return {name: wrap(array.copy()) for name, array in _library().load(data).items()}


def load_file(filename: str | os.PathLike[str], device: Any = "cpu") -> dict[str, Tensor]:
    """The named tensors in a file."""
    as_device(device)
    library = _library()
    with library.safe_open(os.fspath(filename), framework="np") as file:
        return {name: wrap(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118  (it is no mapping)


def save_model(model: Any, filename: str | os.PathLike[str], metadata: dict[str, str] | None = None) -> None:
    """Write a module's state. Of tensors that share memory one is written, and the metadata says under which name."""
    state: dict[str, Tensor] = {}
    more, first = dict(metadata or {}), dict[Any, str]()
    for name, t in sorted(model.state_dict().items()):
        place = (t.data_ptr(), tuple(t.shape), t.stride())
        if t.numel() and place in first:
            more.setdefault(name, first[place])
        else:
            first[place] = name
            state[name] = t.contiguous()
    save_file(state, filename, more or None)


def load_model(model: Any, filename: str | os.PathLike[str], strict: bool = True, device: Any = "cpu") -> Any:
    """Read a module's state. `(missing, unexpected)` names; RuntimeError, if `strict`, when there are any."""
    state = load_file(filename, device)
    ours = model.state_dict()
    place = {name: (t.data_ptr(), tuple(t.shape), t.stride()) for name, t in ours.items()}
    given = {place[name] for name in state if name in place}
    missing = [name for name in ours if name not in state and place[name] not in given]
    unexpected = [name for name in state if name not in ours]
    if strict and (missing or unexpected):
        text = f"Error(s) in loading state_dict for {type(model).__name__}:"
        for label, names in (("Missing", missing), ("Unexpected", unexpected)):
            if names:
                shown = ", ".join(f'"{n}"' for n in sorted(names))
                text += f"\n    {label} key(s) in state_dict: {shown}"
        raise RuntimeError(text)
    model.load_state_dict(state, strict=False)
    return missing, unexpected
