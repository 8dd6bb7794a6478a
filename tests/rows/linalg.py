"""Test rows for `ops/linalg_*`. Matrices are made well conditioned where an inverse is taken."""

from __future__ import annotations

from .sample import kw, row

row(
    "linalg.cross",
    lambda r: (r.any(2, 3), r.any(2, 3)),
    lambda r: (r.any(3, 2), r.any(3, 1), kw(dim=0)),
    lambda r: (r.complex(3), r.complex(3)),
)
