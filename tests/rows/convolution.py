"""Convolutions: the bilinear operation and its two transposes, over rank, stride, padding, dilation and groups."""

from __future__ import annotations

from .sample import row

row(
    "convolution_rows",
    lambda r: (r.any(2, 3, 7), r.any(4, 3, 3), (1,), (0,), (1,), 1),
    lambda r: (r.any(2, 4, 6, 5), r.any(6, 2, 3, 2), (2, 1), (1, 0), (1, 2), 2),
    lambda r: (r.any(1, 2, 4, 3, 4), r.any(2, 2, 2, 2, 3), (1, 1, 2), (0, 1, 1), (1, 1, 1), 1),
    lambda r: (r.any(2, 3, 4, 4), r.any(2, 3, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    lambda r: (r.complex(1, 1, 5), r.complex(1, 1, 2), (1,), (0,), (1,), 1),
)
row(
    "conv_input",
    lambda r: (r.any(2, 4, 3), r.any(4, 3, 3), (7,), (2,), (0,), (1,), 1),
    lambda r: (r.any(2, 6, 3, 3), r.any(6, 2, 3, 2), (6, 5), (2, 1), (1, 0), (1, 2), 2),
)
row(
    "conv_weight",
    lambda r: (r.any(2, 3, 7), r.any(2, 4, 5), (4, 3, 3), (1,), (0,), (1,), 1),
    lambda r: (r.any(2, 4, 6, 5), r.any(2, 6, 3, 3), (6, 2, 3, 2), (2, 1), (1, 0), (1, 2), 2),
)
