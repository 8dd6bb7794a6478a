"""`wengert.masked`, shaped like torch.masked. The functions are stated in `wengert.ops.masked`."""

from __future__ import annotations

from ..ops.masked import MASKED

globals().update(MASKED)
__all__ = sorted(MASKED)
