"""Test rows for `ops/sorting`, `ops/counting` and the running extrema of `ops/scans`."""

import numpy as np

from .sample import kw, row

row(
    "sort",
    lambda r: (r.distinct(3, 4), 1, False),
    lambda r: (r.distinct(3, 4), 0, True),
    lambda r: (r.any(), 0, False),
)
row(
    "topk",
    lambda r: (r.distinct(3, 4), 2),
    lambda r: (r.distinct(3, 4), 2, 0, False),
    lambda r: (r.distinct(400), 3),
    lambda r: (r.any(), 1),
)
row("kthvalue", lambda r: (r.distinct(3, 4), 2), lambda r: (r.distinct(3, 4), 3, 0, True), lambda r: (r.any(), 1))
row("mode", lambda r: (r.distinct(3, 4), 1), lambda r: (r.any(), 0))
for name in ("median", "nanmedian"):
    row(f"{name}_dim", lambda r: (r.distinct(3, 4), 1), lambda r: (r.distinct(3, 4), 0, True), lambda r: (r.any(), 0))
    row(f"{name}_all", lambda r: (r.distinct(3, 4),), lambda r: (r.any(),))
for name in ("cummax", "cummin"):
    row(name, lambda r: (r.distinct(3, 4), 1), lambda r: (r.distinct(3, 4), 0), lambda r: (r.any(), 0))
row(
    "logcumsumexp",
    lambda r: (r.any(3, 4), 1),
    lambda r: (r.any(3, 4), 0),
    lambda r: (r.any(), 0),
    lambda r: (r.complex(3), 0),
)
row("hash_tensor", lambda r: (r.any(3, 4),), lambda r: (r.any(3, 4), 1, kw(keepdim=True)))
for name in ("weigh_later", "weigh_earlier"):
    row(
        name,
        lambda r: (r.any(3, 4), r.any(3, 4), r.any(3, 4), 1),
        lambda r: (r.any(3, 4), r.any(3, 4), r.any(3, 4), 0),
        lambda r: (r.complex(3), r.complex(3), r.complex(3), 0),
        lambda r: (r.any(), r.any(), r.any(), 0),
    )
row("unique_values", lambda r: (r.const(3), np.array([1.0, 2.0])))
