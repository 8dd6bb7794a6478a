"""`torch.utils.hooks`: the handle that every `register_*hook` returns."""

from __future__ import annotations

from ..core.node import RemovableHandle as RemovableHandle
