"""Resampling in every mode, larger and smaller, and the transposes."""

from __future__ import annotations

from .sample import row

for _name in ("upsample_nearest", "upsample_nearest_exact"):
    row(
        f"{_name}1d", lambda r: (r.any(2, 2, 4), (7,), False, None), lambda r: (r.complex(1, 1, 5), (3,), False, (0.7,))
    )
    row(f"{_name}2d", lambda r: (r.any(1, 2, 4, 5), (7, 3), False, None))
    row(f"{_name}3d", lambda r: (r.any(1, 2, 2, 3, 3), (3, 5, 2), False, None))
    row(f"{_name}1d_back", lambda r: (r.any(2, 2, 7), (4,), False, None))
    row(f"{_name}2d_back", lambda r: (r.any(1, 2, 7, 3), (4, 5), False, None))
    row(f"{_name}3d_back", lambda r: (r.any(1, 1, 3, 5, 2), (2, 3, 3), False, None))
row("upsample_linear1d", lambda r: (r.any(2, 2, 4), (7,), False, None), lambda r: (r.any(1, 1, 5), (3,), True, None))
row("upsample_linear1d_back", lambda r: (r.any(2, 2, 7), (4,), False, None))
row("upsample_trilinear3d", lambda r: (r.any(1, 1, 2, 3, 3), (3, 5, 2), False, None))
row("upsample_trilinear3d_back", lambda r: (r.any(1, 1, 3, 5, 2), (2, 3, 3), True, None))
for _name in ("bilinear2d", "bicubic2d", "bilinear2d_aa", "bicubic2d_aa", "lanczos2d_aa"):
    row(
        f"upsample_{_name}",
        lambda r: (r.any(1, 2, 4, 5), (7, 3), False, None),
        lambda r: (r.any(1, 1, 4, 5), (6, 2), True, None),
        lambda r: (r.any(1, 1, 4, 5), (7, 3), False, (1.8, 0.7)),
    )
    row(f"upsample_{_name}_back", lambda r: (r.any(1, 2, 7, 3), (4, 5), False, None))
row(
    "adaptive_avg_pool2d",
    lambda r: (r.any(2, 5, 4), (2, 3), False, None),
    lambda r: (r.any(1, 2, 3, 4), (5, 2), False, None),
)
row("adaptive_avg_pool3d", lambda r: (r.any(1, 3, 2, 4), (2, 2, 3), False, None))
row("adaptive_avg_pool2d_back", lambda r: (r.any(2, 2, 3), (5, 4), False, None))
row("adaptive_avg_pool3d_back", lambda r: (r.any(1, 2, 2, 3), (3, 2, 4), False, None))
