"""Test rows for `ops/special`."""

from .sample import row

for name in ("erf", "erfc"):
    row(name, lambda r: (r.any(3, 2),), lambda r: (r.any(),))
