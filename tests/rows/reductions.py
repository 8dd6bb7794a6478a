"""Test rows for `ops/reductions` and `ops/scans`."""

from .sample import row

for name in ("sum", "mean"):
    row(name + "_all", lambda r: (r.any(3, 2),), lambda r: (r.any(),), lambda r: (r.complex(2, 2),))
    row(
        name,
        lambda r: (r.any(3, 2), 1),
        lambda r: (r.any(3, 2, 2), (0, -1), True),
        lambda r: (r.any(), 0),
        lambda r: (r.complex(2, 2), 0),
    )
row(
    "prod",
    lambda r: (r.any(3, 2),),
    lambda r: (r.any(3, 2), 1, True),
    lambda r: (r.any(), 0),
    lambda r: (r.complex(2, 2), 0),
)
for name in ("amax", "amin"):
    row(name, lambda r: (r.distinct(3, 4),), lambda r: (r.distinct(3, 4), 1, True), lambda r: (r.any(), 0))
for name in ("max_all", "min_all"):
    row(name, lambda r: (r.distinct(3, 4),), lambda r: (r.any(),))
for name in ("max_dim", "min_dim"):
    row(name, lambda r: (r.distinct(3, 4), 1), lambda r: (r.distinct(3, 4), 0, True), lambda r: (r.any(), 0))
for name in ("argmax", "argmin", "any", "all", "count_nonzero"):
    row(name, lambda r: (r.any(3, 4),), lambda r: (r.any(3, 4), 1), lambda r: (r.any(),))
row(
    "logsumexp",
    lambda r: (r.any(3, 4), 1),
    lambda r: (r.any(3, 4), (0, 1), True),
    lambda r: (r.any(), 0),
    lambda r: (r.complex(2, 2), 0),
)
for name in ("var_rows", "var_mean_rows", "std_mean_rows"):
    row(
        name,
        lambda r: (r.any(3, 4), 1, 1, False),
        lambda r: (r.any(3, 4), None, 0, True),
        lambda r: (r.complex(3, 2), 0, 0.5, False),
    )
row("root", lambda r: (r.pos(3),), lambda r: (r.pos(),))

row(
    "cumsum",
    lambda r: (r.any(3, 4), 1),
    lambda r: (r.any(3, 4), -2),
    lambda r: (r.any(), 0),
    lambda r: (r.complex(3), 0),
)
row(
    "cumprod",
    lambda r: (r.any(3, 4), 1),
    lambda r: (r.any(3, 4), -2),
    lambda r: (r.any(), 0),
    lambda r: (r.complex(3), 0),
)
