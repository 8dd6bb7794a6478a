"""Normalisations that are rows. Their definitions in other operations are what double backward and forward mode use."""

from __future__ import annotations

from .sample import row

row(
    "layer_norm_rows",
    lambda r: (r.any(2, 3, 4), (4,), r.any(4), r.any(4), 1e-5),
    lambda r: (r.any(2, 3, 4), (3, 4), r.any(3, 4), None, 1e-5),
    lambda r: (r.any(5), (5,), None, None, 0.1),
)
row(
    "group_norm_rows",
    lambda r: (r.any(2, 4, 3), 2, r.any(4), r.any(4), 1e-5),
    lambda r: (r.any(2, 4), 2, None, None, 1e-3),
)
row(
    "batch_norm_rows",
    lambda r: (r.any(5, 3), r.any(3), r.any(3), 1e-5),
    lambda r: (r.any(2, 3, 2, 2), None, None, 1e-3),
)
row(
    "batch_norm_fixed",
    lambda r: (r.any(2, 3, 2), r.any(3), r.any(3), r.const(3), r.pos(3).detach(), 1e-5),
    lambda r: (r.any(2, 3), None, None, r.const(3), r.pos(3).detach(), 1e-5),
)
row("normalise_back", lambda r: (r.const(3, 4), r.const(3, 4), r.const(3, 1), r.const(3, 1), (1,)))
