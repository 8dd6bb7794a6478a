"""`torch.storage`: the memory under tensors, as objects."""

from __future__ import annotations

from .core.storage import TypedStorage as TypedStorage
from .core.storage import UntypedStorage as UntypedStorage
