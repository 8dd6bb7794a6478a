"""`FlopCounterMode` by name; it counts in PyTorch's dispatcher, so entering it raises."""

from __future__ import annotations

from typing import Any

from ._python_dispatch import TorchDispatchMode


class FlopCounterMode(TorchDispatchMode):
    """Would count the floating point operations of a block by module."""

    def __init__(self, mods: Any = None, depth: int = 2, display: bool = True, custom_mapping: Any = None) -> None:
        self.depth, self.display = depth, display
