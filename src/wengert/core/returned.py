"""Results with names: tuples that print as PyTorch's `torch.return_types` do. They know nothing of tensors."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterable
from typing import Any

# By the name they print with. `wengert.return_types` shows them.
RETURN_TYPES: dict[str, Any] = {}


def named_result(name: str, fields: Iterable[str]) -> Any:
    """The type of results of the operation `name`. Operations over a dimension (`max_dim`) bear the name users call."""
    shown = name.replace(".", "_").removesuffix("_dim")
    made = namedtuple(shown, list(fields))  # type: ignore[misc]
    made.__module__ = "torch.return_types"
    made.__repr__ = _shown  # type: ignore[method-assign]
    made.__doc__ = f"What {name.removesuffix('_dim')} returns."
    RETURN_TYPES.setdefault(shown, made)
    return made


def _shown(self: Any) -> str:
    fields = ",\n".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
    return f"torch.return_types.{type(self).__name__}(\n{fields})"
