"""Embeddings, attention and alignments that are rows."""

from __future__ import annotations

import numpy as np

import wengert

from .sample import row

row(
    "embedding",
    lambda r: (r.any(5, 2), r.ints(5, 3, 4)),
    lambda r: (r.any(3, 2), r.ints(1, 4), 2),  # a padding that is hit gets no gradient: test_nn_functional,
)
row(
    "embedding_back",
    lambda r: (r.any(3, 4, 2), r.ints(5, 3, 4), 5, -1, False),
    lambda r: (r.any(6, 2), r.ints(3, 6), 3, 1, False),
)
row("segment_sum", lambda r: (r.any(5, 2), wengert.tensor([0, 0, 2, 2, 3]), 5))
row("safe_softmax", lambda r: (r.any(3, 4), 1), lambda r: (r.any(2, 3, 2), -2))

_ALIGNED = (np.array([[1, 1], [2, 0]]), np.array([4, 3]), np.array([2, 1]), 0)
row(
    "ctc_rows",
    lambda r: (r.any(4, 2, 3), *_ALIGNED),
    lambda r: (r.any(3, 1, 2), np.array([[1]]), np.array([2]), np.array([1]), 0),
    lambda r: (r.any(3, 1, 2), np.zeros((1, 0), np.int64), np.array([3]), np.array([0]), 1),
)
row("ctc_back", lambda r: (r.const(2), r.const(4, 2, 3), r.const(2), r.const(4, 2, 5), *_ALIGNED))
