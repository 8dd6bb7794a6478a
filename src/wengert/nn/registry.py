"""Where a module keeps its parameters, its buffers and its children: a dictionary that the module's own attributes mirror.

Note [Attributes that are found at once]
    PyTorch finds `self.weight` in `__getattr__`, which Python calls only after everything else has failed. Here every
    change of `_parameters`, `_buffers` and `_modules` is written into the module's `__dict__` too, so that reading is
    an ordinary attribute access; `__getattr__` has only the error to raise. The dictionaries stay what PyTorch code
    takes them for: writing to `module._parameters["weight"]` is writing to `module.weight`.
"""

from __future__ import annotations

import weakref
from typing import Any

_nothing = object()
STORES = ("_parameters", "_buffers", "_modules")


class Registry(dict[str, Any]):
    """A dictionary whose entries are also the attributes of its owner (which it does not keep alive)."""

    __slots__ = ("_owner",)

    def __init__(self, owner: Any, entries: Any = ()) -> None:
        self._owner = weakref.ref(owner)
        self.update(entries)

    def __setitem__(self, name: str, value: Any) -> None:
        dict.__setitem__(self, name, value)
        owner = self._owner()
        if owner is not None:
            owner.__dict__[name] = value

    def __delitem__(self, name: str) -> None:
        dict.__delitem__(self, name)
        owner = self._owner()
        if owner is not None:
            owner.__dict__.pop(name, None)

    def pop(self, name: str, default: Any = _nothing) -> Any:
        if name not in self:
            if default is _nothing:
                raise KeyError(name)
            return default
        value = self[name]
        del self[name]
        return value

    def popitem(self) -> tuple[str, Any]:
        if not self:
            raise KeyError("popitem(): dictionary is empty")
        name = next(reversed(self))
        return name, self.pop(name)

    def clear(self) -> None:
        for name in list(self):
            del self[name]

    def update(self, *args: Any, **kwargs: Any) -> None:
        for name, value in dict(*args, **kwargs).items():
            self[name] = value

    def setdefault(self, name: str, default: Any = None) -> Any:
        if name not in self:
            self[name] = default
        return self[name]

    def __ior__(self, other: Any) -> Registry:  # type: ignore[override,misc]
        self.update(other)
        return self

    def move_to_end(self, name: str, last: bool = True) -> None:
        """As an OrderedDict's."""
        rest = [(k, v) for k, v in self.items() if k != name]
        moved = [(name, self[name])]
        dict.clear(self)
        dict.update(self, [*rest, *moved] if last else [*moved, *rest])

    def copy(self) -> dict[str, Any]:
        return dict(self)

    def __reduce__(self) -> Any:
        return (dict, (dict(self),))

    def __reduce_ex__(self, protocol: Any) -> Any:
        return (dict, (dict(self),))


def mirrored(state: dict[str, Any]) -> set[str]:
    """The names in a module's `__dict__` that only mirror an entry of its registries."""
    return {
        name for store in STORES for name, value in state.get(store, {}).items() if state.get(name, _nothing) is value
    }


def install(module: Any, store: str, entries: Any) -> None:
    """Make `entries` the module's registry of this kind."""
    state = module.__dict__
    old = state.get(store)
    for name in old or ():
        if state.get(name, _nothing) is old[name]:
            del state[name]
    new = Registry(module)
    state[store] = new
    new.update(entries)
