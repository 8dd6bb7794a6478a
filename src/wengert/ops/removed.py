"""Names that PyTorch once had, and the error that says what took their place. States no operation."""

from __future__ import annotations

from typing import Any

REMOVED = {
    "eig": "torch.linalg.eig",
    "lstsq": "torch.linalg.lstsq, which has its arguments reversed",
    "matrix_rank": "torch.linalg.matrix_rank",
    "solve": "torch.linalg.solve, which has its arguments reversed",
    "symeig": "torch.linalg.eigh, which reads the lower triangle",
}


def removed(name: str) -> Any:
    def raises(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(
            f"This function was deprecated since version 1.9 and is now removed. Instead of torch.{name} use {REMOVED[name]}."
        )

    raises.__name__ = raises.__qualname__ = name
    raises.__doc__ = f"Removed from PyTorch: use {REMOVED[name]}."
    return raises
