"""Dtypes of PyTorch that there are no numbers of here: the names, so that programs can ask whether a tensor has one.

None has. What would make numbers of such a dtype asks it for NumPy's, and gets NotImplementedError.
"""

from __future__ import annotations

from typing import Any

from .dtypes import COMPLEX, FLOATING, INTEGER, dtype, float16


class absent(dtype):
    """One of them."""

    __slots__ = ("instead", "signed")

    def __init__(self, name: str, itemsize: int, category: int, instead: str, signed: bool = True) -> None:
        self.name, self.itemsize, self.category = name, itemsize, category
        self.instead, self.signed = instead, signed
        self.tensor_type = name

    @property
    def np(self) -> Any:
        raise NotImplementedError(f"torch.{self.name} is not supported: NumPy has no such numbers. Use {self.instead}.")

    @property
    def is_signed(self) -> bool:
        return self.signed

    def to_real(self) -> dtype:
        return float16 if self.category == COMPLEX else self

    def to_complex(self) -> dtype:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _named, (self.name,)


def _named(name: str) -> dtype:
    return ABSENT[name]


ABSENT: dict[str, dtype] = {
    "complex32": absent("complex32", 4, COMPLEX, "torch.complex64"),
    **{
        name: absent(name, 1, FLOATING, "torch.float16")
        for name in ("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu")
    },
    "qint8": absent("qint8", 1, INTEGER, "torch.int8"),
    "quint8": absent("quint8", 1, INTEGER, "torch.uint8", signed=False),
    "qint32": absent("qint32", 4, INTEGER, "torch.int32"),
    "quint4x2": absent("quint4x2", 1, INTEGER, "torch.uint8", signed=False),
    "quint2x4": absent("quint2x4", 1, INTEGER, "torch.uint8", signed=False),
}
ABSENT["chalf"] = ABSENT["complex32"]
globals().update(ABSENT)
