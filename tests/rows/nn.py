"""Test rows for `nn/`."""

from __future__ import annotations

import wengert.nn  # noqa: F401  (states the rows)

from .sample import row

row("nn.watch", lambda r: ([r.any(2, 3), r.any(4)],), lambda r: ([r.any(3)],))
