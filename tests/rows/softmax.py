"""Softmax and what its gradients are made of."""

from __future__ import annotations

from .sample import row

for name in ("softmax_rows", "log_softmax_rows"):
    row(name, lambda r: (r.any(3, 4), 1), lambda r: (r.any(2, 3, 2), -2), lambda r: (r.any(), 0))
for name in ("softmax_back", "log_softmax_back"):
    row(name, lambda r: (r.any(3, 4), r.any(3, 4), 1), lambda r: (r.any(2, 3), r.any(2, 3), 0))
