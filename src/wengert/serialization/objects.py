"""Objects in checkpoints: which are made again, and how, without running anything that the file chooses.

What a pickle names is looked up only among modules that the program has imported already (and in this package); an object
is made empty, by `object.__new__`, and its attributes are put back. No method of its class runs: no `__init__`, no
`__setstate__`, no setter of a property, no `_missing_` of an Enum.
Arrays of NumPy are numbers, and always read; other objects when `load` is told `weights_only=False`.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from enum import Enum
from types import BuiltinFunctionType, FunctionType, MemberDescriptorType
from typing import Any

import numpy as np


def named(module: str, name: str) -> Any:
    """The class or function of that name, if it may be mentioned; None if not. `torch` means this package."""
    top = module.partition(".")[0]
    if top in ("torch", "wengert"):
        module = "wengert" + module.removeprefix(top)
        try:
            importlib.import_module(module)
        except ImportError:
            return None
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if isinstance(found, type):
        return found if _kind(found) else None
    return found if isinstance(found, (FunctionType, BuiltinFunctionType)) else None


def _kind(cls: type) -> str | None:
    """How objects of this class are made again: module, dict of ours, tuple with names, member, attributes; None if not."""
    from ..nn.module import Module

    if issubclass(cls, Module):
        return "module"
    if issubclass(cls, dict) and cls.__module__.startswith("wengert."):
        return "dict"
    if issubclass(cls, Enum):
        return "member"
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return "tuple"
    quiet = cls.__new__ is object.__new__ and not hasattr(cls, "__setstate__") and not hasattr(cls, "__del__")
    return "attributes" if quiet and cls.__module__ != "builtins" else None


def make(cls: Any, args: tuple[Any, ...]) -> Any:
    """An empty object of the class, or TypeError."""
    kind = _kind(cls) if isinstance(cls, type) else None
    if kind == "tuple":
        return tuple.__new__(cls, args)
    if kind == "member" and len(args) == 1 and type(args[0]) in (bool, int, float, str):
        found = cls._value2member_map_.get(args[0])  # `cls(value)` would ask the class's own `_missing_`
        if found is not None:
            return found
    if kind in ("module", "attributes") and not args:
        return object.__new__(cls)
    if kind == "dict" and not args:
        return cls()
    raise TypeError(f"{getattr(cls, '__name__', cls)!r:.60} is not made by load()")


def fill(target: Any, state: Any) -> bool:
    """Put back what `make` left out. False if the file may not say the state of such an object."""
    from ..nn.module import Module

    kind = _kind(type(target))
    if kind == "module" and isinstance(state, dict):
        Module.__setstate__(target, state)  # not one of its own
        return True
    if kind not in ("attributes", "dict"):
        return False
    plain, slots = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
    if plain:
        target.__dict__.update(plain)
    for name, value in (slots or {}).items():
        slot = inspect.getattr_static(type(target), name, None)
        if not isinstance(slot, MemberDescriptorType):  # a property would be run
            return False
        slot.__set__(target, value)
    return True


class NoArray:
    """`numpy.ndarray`, as a pickle names it."""


def empty_array(cls: Any, shape: Any, kind: Any) -> Any:
    """What the pickle of an array begins with."""
    if cls is not NoArray:
        raise TypeError("only plain arrays of NumPy are read")
    return np.empty((0,), np.uint8)


def fill_array(array: Any, state: Any) -> None:
    """The numbers of an array: (version, shape, dtype, whether in Fortran's order, bytes)."""
    _, shape, dtype, fortran, data = state
    if not isinstance(dtype, np.dtype) or dtype.hasobject or not isinstance(data, bytes):
        raise ValueError("an array of objects")
    array.__setstate__((1, shape, dtype, bool(fortran), data))
