"""`wengert.special`, shaped like torch.special. The functions are stated in `wengert.ops.special`."""

from __future__ import annotations

from ..ops.special import SPECIAL

globals().update(SPECIAL)
__all__ = sorted(SPECIAL)
