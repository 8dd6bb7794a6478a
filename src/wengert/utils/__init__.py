"""`wengert.utils`, shaped like torch.utils."""

from __future__ import annotations

from . import checkpoint as checkpoint
from . import data as data
