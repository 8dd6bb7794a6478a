"""`wengert.fft`, shaped like torch.fft. States nothing: the rows named `fft.*` live in `wengert.ops`."""

from __future__ import annotations

from ..core.op import stated_under

globals().update(stated_under("fft."))
__all__ = sorted(stated_under("fft."))
