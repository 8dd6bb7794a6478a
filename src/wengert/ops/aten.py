"""`torch.ops.aten`: every operation by PyTorch's own name. States none.

`torch.ops.aten.mm(a, b)` and `torch.ops.aten.mm.default(a, b)` are the function `mm`.
"""

from __future__ import annotations

from typing import Any

from ..core.op import COMPOSITES, TABLE


class Overload:
    """An operator for one kind of arguments, as a policy of selective checkpointing is shown it. Equal to the function."""

    def __init__(self, name: str, function: Any) -> None:
        self.__name__ = name + ".default"
        self._function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)

    def __eq__(self, other: object) -> bool:
        return self is other or other is self._function

    def __hash__(self) -> int:
        return hash(self._function)

    def __str__(self) -> str:
        return f"aten.{self.__name__}"

    def __repr__(self) -> str:
        return f"<OpOverload(op='aten.{self.__name__.removesuffix('.default')}', overload='default')>"


class Packet:
    """An operator as `torch.ops.aten` shows it: a function. Its one overload has every overload's name."""

    def __init__(self, name: str, function: Any) -> None:
        self.__name__ = name
        self._function = function
        self.default = Overload(name, function)

    def __getattr__(self, overload: str) -> Overload:
        if overload.startswith("_"):
            raise AttributeError(overload)
        return self.default  # `Tensor`, `Scalar`, `dim` ...: the function tells by its arguments

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"aten.{self.__name__}"


_PACKETS: dict[str, Packet] = {}


def packet(name: str, function: Any) -> Packet:
    """The one operator of this name."""
    found = _PACKETS.get(name)
    if found is None:
        found = _PACKETS[name] = Packet(name, function)
    return found


def __getattr__(name: str) -> Packet:
    if name.endswith("_backward"):
        from .backward_operators import operator

        backward = operator(name)
        if backward is not None:
            return packet(name, backward)
    for full in ("aten." + name, name):
        row: Any = COMPOSITES.get(full) or TABLE.get(full)
        if row is not None:
            return packet(name, row.function)
    raise AttributeError(f"'_OpNamespace' 'aten' object has no attribute '{name}'")
