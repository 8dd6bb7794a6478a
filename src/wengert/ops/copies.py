"""The views as copies: `view_copy`, `transpose_copy` ... and writing a strided view's place into a copy."""

from __future__ import annotations

from typing import Any

from ..core.op import composite
from .arranging import diagonal_copy
from .conversion import clone

__all__ = ["diagonal_copy"]


def _copied(name: str, view: Any) -> Any:
    """`name`: the result of `view` in new memory."""

    def copied(*args: Any, **kwargs: Any) -> Any:
        found = view(*args, **kwargs)
        return tuple(clone(x) for x in found) if isinstance(found, tuple) else clone(found)

    copied.__name__ = copied.__qualname__ = name
    copied.__doc__ = f"`{name.removesuffix('_copy')}`, in new memory."
    __all__.append(name)
    return composite(name, copied.__name__ != "split_with_sizes_copy", out=True, method=name == "narrow_copy")(copied)
