"""`wengert.signal.windows`, shaped like torch.signal.windows. States nothing: the functions live in `wengert.ops.windows`."""

from __future__ import annotations

from ...core.op import stated_under

globals().update(stated_under("signal.windows."))
__all__ = sorted(stated_under("signal.windows."))
