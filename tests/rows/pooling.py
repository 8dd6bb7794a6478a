"""Pooling: maxima with their places, averages over windows, and the transposes of both."""

from __future__ import annotations

import numpy as np

from .sample import row

row(
    "max_pool2d_with_indices",
    lambda r: (r.distinct(2, 2, 4, 6), (2, 2), (2, 2), (0, 0), (1, 1), False),
    lambda r: (r.distinct(2, 5, 6), (3, 2), (1, 2), (1, 0), (1, 2), True),
)
row(
    "max_pool3d_with_indices",
    lambda r: (r.distinct(1, 2, 4, 4, 4), (2, 2, 2), (2, 1, 2), (0, 1, 0), (1, 1, 1), False),
)
row(
    "put_places",
    lambda r: (r.any(2, 3, 4), r.ints(6, 2, 3, 4), (6,)),
    lambda r: (r.any(1, 2, 2, 2), r.ints(9, 1, 2, 2, 2), (3, 3)),
    lambda r: (r.complex(2, 3), r.ints(4, 2, 3), (4,)),
)
row(
    "take_places",
    lambda r: (r.any(2, 3, 6), r.ints(6, 2, 3, 4), 1),
    lambda r: (r.any(1, 2, 3, 3), r.ints(9, 1, 2, 2, 2), 2),
)
row(
    "avg_pool2d",
    lambda r: (r.any(2, 2, 4, 6), (2, 2), (2, 2), (0, 0), False, True, None),
    lambda r: (r.any(1, 2, 5, 6), (3, 2), (2, 2), (1, 1), True, False, None),
    lambda r: (r.any(2, 5, 6), (3, 2), (2, 1), (1, 1), True, True, 5),
)
row("avg_pool3d", lambda r: (r.any(1, 2, 4, 3, 4), (2, 3, 2), (2, 1, 2), (1, 1, 0), True, False, None))
row(
    "avg_pool2d_back",
    lambda r: (r.any(1, 2, 3, 3), (5, 6), (3, 2), (2, 2), (1, 0), False, True, None),
    lambda r: (r.any(2, 2, 3), (4, 6), (2, 2), (2, 2), (0, 0), False, True, 3),
)
row("avg_pool3d_back", lambda r: (r.any(1, 2, 3, 3, 2), (4, 3, 4), (2, 3, 2), (2, 1, 2), (1, 1, 0), True, False, None))
row("adaptive_max_pool2d", lambda r: (r.distinct(2, 2, 5, 4), (2, 3)))
row("adaptive_max_pool3d", lambda r: (r.distinct(2, 3, 2, 4), (2, 1, 3)))
row(
    "fractional_max_pool2d",
    lambda r: (r.distinct(1, 2, 5, 5), (2, 2), [np.array([[[0, 2, 3], [0, 1, 3]]]), np.array([[[0, 3], [1, 3]]])]),
)
row(
    "fractional_max_pool3d",
    lambda r: (r.distinct(2, 3, 3, 4), (2, 2, 2), [np.array([[1], [0]]), np.array([[0], [1]]), np.array([[0, 2]] * 2)]),
)
# Every value has a place of its own: of several at one place the last is kept, while (as in PyTorch) all get its gradient.
row("max_unpool2d", lambda r: (r.any(1, 2, 1, 2), np.array([[[[4, 1]], [[0, 5]]]]), (2, 3)))
row("max_unpool3d", lambda r: (r.any(2, 1, 1, 1), r.ints(6, 2, 1, 1, 1), (1, 2, 3)))
