"""`torch.return_types`: the types of results with names, such as that of `torch.max(x, dim)`."""

from __future__ import annotations

from .core.returned import RETURN_TYPES

globals().update(RETURN_TYPES)
all_return_types = list(RETURN_TYPES.values())
