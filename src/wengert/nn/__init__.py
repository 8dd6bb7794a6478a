"""`wengert.nn`, shaped like torch.nn."""

from __future__ import annotations

from . import functional as functional
