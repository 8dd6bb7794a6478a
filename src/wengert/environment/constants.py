"""Numbers and names that PyTorch's namespace has beside its functions."""

from __future__ import annotations

from math import e, inf, nan, pi

__all__ = ["e", "inf", "nan", "pi", "newaxis"]

newaxis = None
