"""`torch._VF`: the functions behind PyTorch's Python ones. Here they are the same, but for `unique_dim`."""

from __future__ import annotations

from typing import Any

import numpy as np

from .core.tensor import wrap


def unique_dim(
    input: Any, dim: int, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False
) -> Any:
    """`(unique, inverse, counts)` of the slices along `dim`; what is not asked for is empty."""
    from .ops.counting import unique

    values, inverse, counts = unique(input, sorted, True, True, dim)
    nothing = wrap(np.zeros(0, np.int64))
    return values, inverse if return_inverse else nothing, counts if return_counts else nothing


def __getattr__(name: str) -> Any:
    import wengert

    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(wengert, name)
