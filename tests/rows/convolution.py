"""Convolutions: the bilinear operation and its two transposes, over rank, stride, padding, dilation and groups."""

from __future__ import annotations

from .sample import row

row(
    "convolution",
    lambda r: (r.any(2, 3, 7), r.any(4, 3, 3), r.any(4), (1,), (0,), (1,), 1),
    lambda r: (r.any(2, 4, 6, 5), r.any(6, 2, 3, 2), r.any(6), (2, 1), (1, 0), (1, 2), 2),
    lambda r: (r.any(1, 2, 4, 3, 4), r.any(2, 2, 2, 2, 3), None, (1, 1, 2), (0, 1, 1), (1, 1, 1), 1),
    lambda r: (r.any(2, 3, 4, 4), r.any(2, 3, 1, 1), None, (1, 1), (0, 0), (1, 1), 1),
    lambda r: (r.any(2, 3, 5, 5), r.any(2, 3, 1, 1), r.any(2), (2, 2), (0, 0), (1, 1), 1),
    lambda r: (r.any(2, 4, 5, 5), r.any(4, 1, 3, 3), r.any(4), (1, 1), (1, 1), (1, 1), 4),
    lambda r: (r.complex(1, 1, 5), r.complex(1, 1, 2), r.complex(1), (1,), (0,), (1,), 1),
    lambda r: (r.any(0, 2, 5), r.any(3, 2, 2), r.any(3), (1,), (0,), (1,), 1),
)
row(
    "convolution_transpose",
    lambda r: (r.any(2, 4, 3), r.any(4, 3, 3), r.any(3), (7,), (2,), (0,), (1,), 1),
    lambda r: (r.any(2, 6, 3, 3), r.any(6, 2, 3, 2), None, (6, 5), (2, 1), (1, 0), (1, 2), 2),
    # An output padding smaller than the dilation but not than the stride: one window more would fit.
    lambda r: (r.any(1, 2, 3), r.any(2, 1, 3), r.any(1), (10,), (1,), (0,), (3,), 1),
    lambda r: (r.any(1, 4, 3, 3), r.any(4, 1, 3, 3), r.any(4), (3, 3), (1, 1), (1, 1), (1, 1), 4),
    lambda r: (r.complex(1, 2, 3), r.complex(2, 1, 2), None, (4,), (1,), (0,), (1,), 1),
)
row(
    "convolution_weight",
    lambda r: (r.any(2, 3, 7), r.any(2, 4, 5), (4, 3, 3), (1,), (0,), (1,), 1),
    lambda r: (r.any(2, 4, 6, 5), r.any(2, 6, 3, 3), (6, 2, 3, 2), (2, 1), (1, 0), (1, 2), 2),
    lambda r: (r.any(2, 3, 4, 4), r.any(2, 2, 4, 4), (2, 3, 1, 1), (1, 1), (0, 0), (1, 1), 1),
)
