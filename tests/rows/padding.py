"""Padding, and the transposes of the paddings that repeat the input. Pads are (left, right) of the last dimension first."""

from __future__ import annotations

from .sample import row

row(
    "constant_pad_nd",
    lambda r: (r.any(2, 3), (1, 2), 0),
    lambda r: (r.any(3, 4), (-1, 2, 1, -2), 1.5),
    lambda r: (r.complex(3), (1, 1), 0),
)
for _name in ("reflection", "replication", "circular"):
    row(
        f"{_name}_pad1d",
        lambda r: (r.any(2, 2, 4), (2, 3)),
        lambda r: (r.any(2, 4), (-1, 2)),
        lambda r: (r.complex(2, 4), (1, 1)),
    )
    row(f"{_name}_pad2d", lambda r: (r.any(2, 3, 4), (1, 2, 2, 0)), lambda r: (r.any(1, 2, 4, 3), (0, 1, -1, 2)))
    row(f"{_name}_pad3d", lambda r: (r.any(2, 2, 3, 2), (1, 0, 1, 2, 0, 1)))
    row(f"{_name}_pad1d_back", lambda r: (r.any(2, 2, 9), (2, 2, 4), (2, 3)), lambda r: (r.any(2, 5), (2, 4), (-1, 2)))
    row(f"{_name}_pad2d_back", lambda r: (r.any(2, 5, 7), (2, 3, 4), (1, 2, 2, 0)))
    row(f"{_name}_pad3d_back", lambda r: (r.any(2, 3, 6, 3), (2, 2, 3, 2), (1, 0, 1, 2, 0, 1)))
