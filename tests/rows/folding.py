"""Windows as columns and back, and the shuffles of pixels and channels."""

from __future__ import annotations

from .sample import row

row(
    "im2col",
    lambda r: (r.any(2, 2, 4, 5), (2, 3), (1, 1), (0, 0), (1, 1)),
    lambda r: (r.any(1, 2, 5, 4), (2, 2), (2, 1), (1, 1), (2, 1)),
    lambda r: (r.complex(1, 1, 3, 3), (2, 2), (1, 1), (0, 0), (1, 1)),
)
row(
    "col2im",
    lambda r: (r.any(2, 12, 9), (4, 5), (2, 3), (1, 1), (0, 0), (1, 1)),
    lambda r: (r.any(1, 8, 15), (5, 4), (2, 2), (2, 1), (1, 1), (2, 1)),
)
row("pixel_shuffle", lambda r: (r.any(2, 8, 2, 3), 2), lambda r: (r.any(9, 1, 2), 3))
row("pixel_unshuffle", lambda r: (r.any(2, 2, 4, 6), 2), lambda r: (r.any(1, 3, 6), 3))
row("channel_shuffle", lambda r: (r.any(2, 6, 2), 2), lambda r: (r.any(1, 6, 2, 3), 3))
