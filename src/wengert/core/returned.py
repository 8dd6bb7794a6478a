"""Results with names: tuples that print as PyTorch's `torch.return_types` do. They know nothing of tensors."""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter
from typing import Any

# By the name they print with. `wengert.return_types` shows them.
RETURN_TYPES: dict[str, Any] = {}


class NamedResult(tuple[Any, ...]):
    """Several results of one operation, by place and by name. (`collections.namedtuple` compiles source for each type.)"""

    __slots__ = ()
    _fields: tuple[str, ...] = ()

    def __new__(cls, *values: Any) -> NamedResult:
        # PyTorch's take one sequence.
        return tuple.__new__(cls, values[0] if len(values) == 1 and len(cls._fields) > 1 else values)

    def __reduce__(self) -> Any:
        return (_restored, (type(self).__name__, tuple(self)))

    def __repr__(self) -> str:
        fields = ",\n".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
        return f"torch.return_types.{type(self).__name__}(\n{fields})"

    def _asdict(self) -> dict[str, Any]:
        return dict(zip(self._fields, self, strict=True))


def _restored(name: str, values: tuple[Any, ...]) -> Any:
    """A result read from a pickle, which cannot find the type by the module that it prints with."""
    return RETURN_TYPES[name](*values)


def named_result(name: str, fields: Iterable[str]) -> Any:
    """The type of results of the operation `name`. Operations over a dimension (`max_dim`) bear the name users call."""
    shown = name.replace(".", "_").removesuffix("_dim")
    names = tuple(fields)
    body: dict[str, Any] = {
        "__slots__": (),
        "__module__": "torch.return_types",
        "__doc__": f"What {name.removesuffix('_dim')} returns.",
        "_fields": names,
    }
    body.update((field, property(itemgetter(i))) for i, field in enumerate(names))
    made = type(shown, (NamedResult,), body)
    RETURN_TYPES.setdefault(shown, made)
    return made
