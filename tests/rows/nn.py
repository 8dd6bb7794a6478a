"""Test rows for `nn/`."""

from __future__ import annotations

from .sample import row

row("nn.watch", lambda r: ([r.any(2, 3), r.any(4)],), lambda r: ([r.any(3)],))
