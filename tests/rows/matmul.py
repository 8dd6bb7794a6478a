"""Matrix products."""

from __future__ import annotations

from .sample import row

row("mm_nt", lambda r: (r.any(3, 4), r.any(2, 4)), lambda r: (r.complex(2, 3), r.complex(2, 3)))
row("mm_tn", lambda r: (r.any(4, 3), r.any(4, 2)), lambda r: (r.complex(3, 2), r.complex(3, 2)))
row("mm", lambda r: (r.any(3, 4), r.any(4, 2)), lambda r: (r.complex(2, 3), r.complex(3, 2)))
row("bmm", lambda r: (r.any(2, 3, 4), r.any(2, 4, 2)))
row("mv", lambda r: (r.any(3, 4), r.any(4)), lambda r: (r.complex(2, 3), r.complex(3)))
row("dot", lambda r: (r.any(4), r.any(4)), lambda r: (r.complex(3), r.complex(3)))
row(
    "matmul_many",
    lambda r: (r.any(2, 3, 4), r.any(4, 2)),
    lambda r: (r.any(2, 1, 3, 4), r.any(5, 4, 2)),
    lambda r: (r.any(3, 4), r.any(2, 4, 2)),
)
row(
    "affine",
    lambda r: (r.any(3, 4), r.any(2, 4), r.any(2)),
    lambda r: (r.any(2, 3, 4), r.any(2, 4)),
    lambda r: (r.any(4), r.any(3, 4), r.any(3)),
)
