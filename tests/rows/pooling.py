"""Pooling: maxima with their places, sums of windows, and the transposes of both."""

from __future__ import annotations

from .sample import row

row(
    "max_pool_places",
    lambda r: (r.distinct(2, 2, 6), (2,), (2,), (0,), (1,), False),
    lambda r: (r.distinct(1, 2, 5, 6), (3, 2), (1, 2), (1, 0), (1, 2), True),
)
row(
    "put_places",
    lambda r: (r.any(2, 3, 4), r.ints(6, 2, 3, 4), (6,)),
    lambda r: (r.any(1, 2, 2, 2), r.ints(9, 1, 2, 2, 2), (3, 3)),
)
row("take_places", lambda r: (r.any(2, 3, 6), r.ints(6, 2, 3, 4)), lambda r: (r.any(1, 2, 3, 3), r.ints(9, 1, 2, 2, 2)))
row(
    "window_sum",
    lambda r: (r.any(2, 2, 6), (2,), (2,), (0,), False),
    lambda r: (r.any(1, 2, 5, 6), (3, 2), (2, 2), (1, 1), True),
)
row(
    "window_spread",
    lambda r: (r.any(1, 2, 3, 3), (5, 6), (3, 2), (2, 2), (1, 0)),
    lambda r: (r.any(2, 2, 3), (6,), (2,), (2,), (0,)),
)
row("adaptive_max_places", lambda r: (r.distinct(2, 2, 5, 4), (2, 3)))
row("keep_places", lambda r: (r.any(1, 2, 1), r.ints(6, 1, 2, 1), (6,)))
