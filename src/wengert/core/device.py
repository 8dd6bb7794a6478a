"""The one device there is. PyTorch code may name it; any other is refused with a clear error."""

from __future__ import annotations

from typing import Any


class device:
    """`device("cpu")`; an index is accepted and kept. RuntimeError for any other kind of device."""

    __slots__ = ("index", "type")

    def __init__(self, type: Any = "cpu", index: int | None = None) -> None:
        if isinstance(type, device):
            self.type: str = type.type
            self.index: int | None = type.index
            return
        if not isinstance(type, str):
            raise TypeError(f"device(): argument 'type' must be str, not {type.__class__.__name__}")
        name, _, number = type.partition(":")
        if name != "cpu":
            raise RuntimeError(
                f"wengert computes on the CPU only: there is no device '{type}'. Use device='cpu', or "
                "'cuda' if wengert.cuda.is_available() else 'cpu'."
            )
        self.type = name
        self.index = int(number) if number else index

    def __repr__(self) -> str:
        return (
            f"device(type='{self.type}')" if self.index is None else f"device(type='{self.type}', index={self.index})"
        )

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __enter__(self) -> device:
        return self

    def __exit__(self, *exc: Any) -> None:
        return None


CPU = device("cpu")


def as_device(value: Any) -> device:
    return CPU if value is None else value if isinstance(value, device) else device(value)
