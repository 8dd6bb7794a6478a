"""Names of PyTorch's that scripts import but that cannot be had here: they exist, and refuse when they are called."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def refusals(
    module: str, names: Iterable[str], reason: str, error: type[Exception] = NotImplementedError
) -> dict[str, Any]:
    """For each name a function, or for a capitalised name a class, whose call raises `error` with the name and the reason."""
    return {name: _class(module, name, reason, error) if name[0].isupper() else _function(module, name, reason, error)
            for name in names}  # fmt: skip


def _function(module: str, name: str, reason: str, error: type[Exception]) -> Any:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise error(f"torch.{module}.{name}: {reason}")

    refuse.__name__ = refuse.__qualname__ = name
    refuse.__doc__ = f"Refuses: {reason}"
    return refuse


def _class(module: str, name: str, reason: str, error: type[Exception]) -> Any:
    """A class, so that `isinstance(x, name)` answers (no) and annotations read."""

    def __new__(cls: type, *args: Any, **kwargs: Any) -> Any:
        raise error(f"torch.{module}.{name}: {reason}")

    return type(name, (), {"__new__": __new__, "__doc__": f"Refuses: {reason}", "__module__": f"wengert.{module}"})
