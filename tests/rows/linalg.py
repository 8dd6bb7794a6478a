"""Test rows for `ops/linalg_*`. Matrices are made well conditioned where an inverse is taken."""

from __future__ import annotations

import numpy as np

from wengert import Tensor, int32, tensor

from .sample import Draw, hermitian, kw, row

row(
    "linalg.cross",
    lambda r: (r.any(2, 3), r.any(2, 3)),
    lambda r: (r.any(3, 2), r.any(3, 1), kw(dim=0)),
    lambda r: (r.complex(3), r.complex(3)),
)


def near_one(r: Draw, *batch: int, n: int = 3, complex: bool = False) -> Tensor:
    """The identity plus something small: far from singular."""
    a = 0.4 * r.rng.standard_normal((*batch, n, n))
    if complex:
        a = a + 0.4j * r.rng.standard_normal((*batch, n, n))
    return r._leaf(a + 1.5 * np.eye(n))


def positive(r: Draw, *batch: int, n: int = 3, complex: bool = False) -> Tensor:
    a = near_one(r, *batch, n=n, complex=complex).detach().numpy()
    return r._leaf(a @ a.swapaxes(-1, -2).conj())


for name in ("linalg.inv_ex", "linalg.lu_factor_ex"):
    flags = (True,) if name == "linalg.lu_factor_ex" else ()
    row(
        name,
        lambda r, f=flags: (near_one(r), *f),
        lambda r, f=flags: (near_one(r, 2), *f),
        lambda r, f=flags: (near_one(r, complex=True), *f),
        *([] if name == "linalg.inv_ex" else [lambda r: (r.any(2, 4), True), lambda r: (r.any(4, 2), True)]),
    )
row(
    "linalg.solve_ex",
    lambda r: (near_one(r), r.any(3, 2)),
    lambda r: (near_one(r, 2), r.any(3, 1)),
    lambda r: (near_one(r, complex=True), r.complex(3, 2)),
)
row(
    "solve_triangular",
    lambda r: (near_one(r), r.any(3, 2), True),
    lambda r: (near_one(r, 2), r.any(3, 1), False, True),
    lambda r: (near_one(r, complex=True), r.complex(3, 2), False),
)
row(
    "linalg.qr",
    lambda r: (near_one(r),),
    lambda r: (r.any(2, 4, 2),),
    lambda r: (r.any(2, 4),),
    lambda r: (r.complex(3, 2),),
)
row("geqrf", lambda r: (r.const(3, 2),))
row("permutation_matrix", lambda r: (tensor([2, 2], dtype=int32), 3, float))
row(
    "linalg.pinv",
    lambda r: (r.any(3, 2), 0.0, 1e-9, False),
    lambda r: (r.any(2, 3), 0.0, 1e-9, False),
    lambda r: (r.complex(3, 2), 0.0, 1e-9, False),
)
row(
    "linalg.lstsq",
    lambda r: (r.any(4, 2), r.any(4, 2), 1e-9, "gelsd"),
    lambda r: (r.any(2, 3, 2), r.any(2, 3, 1), 1e-9, "gels"),
    lambda r: (r.complex(3, 2), r.complex(3, 1), 1e-9, "gelss"),
)
row(
    "linalg.cholesky_ex",
    lambda r: (positive(r), False),
    lambda r: (positive(r, 2), True),
    lambda r: (positive(r, complex=True), False),
    prepare=hermitian,
)

for name in ("linalg.det", "linalg.slogdet"):
    row(name, lambda r: (near_one(r),), lambda r: (near_one(r, 2),), lambda r: (near_one(r, complex=True),))
row(
    "linalg.matrix_exp",
    lambda r: (r.any(3, 3),),
    lambda r: (near_one(r, 2, n=2),),
    lambda r: (near_one(r, complex=True),),
)
for name, last in (("linalg.eigh", ("L",)), ("eigvalsh_rows", ("U",))):
    row(
        name,
        lambda r, k=last: (r.distinct(3, 3), *k),
        lambda r, k=last: (r.distinct(2, 2, 2), *k),
        prepare=hermitian,
    )
row(
    "linalg.svd",
    lambda r: (r.distinct(3, 3), False),
    lambda r: (r.distinct(2, 2, 3), False),
    lambda r: (r.distinct(4, 2), False),
)
row("svdvals_rows", lambda r: (r.distinct(3, 2),))
row("eigvals_rows", lambda r: (r.distinct(3, 3),))
row("matrix_rank_rows", lambda r: (r.any(2, 3, 2), 0.0, 1e-9, False))
row(
    "linalg.vector_norm",
    *(lambda r, p=p: (r.any(3, 2), p, (1,), False) for p in (2, 1, 3.0, 0.5, float("inf"), -float("inf"), 0)),
    lambda r: (r.any(3), 2, None, True),
    lambda r: (r.complex(3, 2), 2, None, False),
    lambda r: (r.complex(3), 1.5, (0,), True),
)
# Eigenvectors are defined up to a phase: what does not depend on it is tested in `test_linalg.py`.
row("linalg.eig", lambda r: (r.distinct(3, 3).detach(),))
row("linalg.ldl_factor_ex", lambda r: (r.const(3, 3), False))
row("linalg.ldl_solve", lambda r: (r.const(3, 3), tensor([1, 2, 3], dtype=int32), r.const(3, 1), False))
