"""Test rows for `ops/shape`, `ops/arranging` and `ops/joining`."""

import numpy as np

import wengert

from .sample import row

for name in ("view", "reshape"):
    row(name, lambda r: (r.any(3, 4), (2, 6)), lambda r: (r.any(3, 4), (-1,)), lambda r: (r.any(), (1, 1)))
for name in ("view_as", "alias"):
    row(name, lambda r: (r.any(3, 4),), lambda r: (r.complex(),))
row("view_dtype", lambda r: (r.any(3), wengert.int64))
row("expand", lambda r: (r.any(3, 1), (2, 3, 4)), lambda r: (r.any(), (2,)), lambda r: (r.any(1, 2), (-1, 2)))
row("sum_to_shape", lambda r: (r.any(2, 3, 4), (3, 1)), lambda r: (r.any(2), ()))
row("unsqueeze", lambda r: (r.any(3, 4), -1), lambda r: (r.any(3), 0), lambda r: (r.any(), 0))
row("unsqueeze_dims", lambda r: (r.any(3, 4), (0, 2)), lambda r: (r.any(), (0,)))
row("squeeze_all", lambda r: (r.any(1, 3, 1),), lambda r: (r.any(),))
row("squeeze_dim", lambda r: (r.any(1, 3), 0), lambda r: (r.any(1, 3), 1), lambda r: (r.any(), 0))
row("squeeze_dims", lambda r: (r.any(1, 3, 1, 1), (0, 1, 3)))
row("transpose", lambda r: (r.any(2, 3, 4), 0, -1), lambda r: (r.any(), 0, -1))
row("t", lambda r: (r.any(3, 4),), lambda r: (r.any(3),), lambda r: (r.any(),))
row("permute", lambda r: (r.any(2, 3, 4), (1, -1, 0)), lambda r: (r.any(), ()))
row("select", lambda r: (r.any(3, 4), 1, -2), lambda r: (r.any(3), 0, 1))
row("select_back", lambda r: (r.any(3), (3, 4), 1, -2), lambda r: (r.any(), (3,), 0, 1))
row("slice", lambda r: (r.any(3, 5), 1, 1, -1, 2), lambda r: (r.any(3),))
row("slice_back", lambda r: (r.any(3, 2), (3, 5), 1, 1, -1, 2))
row("diagonal", lambda r: (r.any(3, 4),), lambda r: (r.any(3, 2, 4), -1, 0, 2))
row("diagonal_back", lambda r: (r.any(3), (3, 4), 0, 0, 1), lambda r: (r.any(2, 2), (3, 2, 4), -1, 0, 2))
row("unfold", lambda r: (r.any(3, 5), 1, 3, 1), lambda r: (r.any(5), 0, 2, 2), lambda r: (r.any(), 0, 1, 1))
row("unfold_back", lambda r: (r.any(3, 3, 3), (3, 5), 1, 3, 1), lambda r: (r.any(2, 2), (5,), 0, 2, 2))
# Overlapping views of a contiguous (3, 4): geometry is the strides and the offset of what is viewed.
_GEOMETRY = ((4, 1), 0)
row(
    "as_strided",
    lambda r: (r.any(3, 4), (2, 3), (4, 2), 1, _GEOMETRY),
    lambda r: (r.any(3, 4), (2, 3), (1, 1), 0, _GEOMETRY),
)
row("as_strided_back", lambda r: (r.any(2, 3), (3, 4), (2, 3), (1, 1), 0, _GEOMETRY))
row("as_strided_again", lambda r: (r.any(3, 4), (2, 3), (1, 1), 0, _GEOMETRY))

row("repeat", lambda r: (r.any(2, 3), (2, 1, 2)), lambda r: (r.any(), (2,)))
row("flip", lambda r: (r.any(2, 3), (1,)), lambda r: (r.any(2, 3), (0, -1)), lambda r: (r.any(), ()))
row("roll", lambda r: (r.any(2, 3), 2), lambda r: (r.any(2, 3), (1, -1), (0, 1)), lambda r: (r.any(3), 1, 0))
for name in ("tril", "triu"):
    row(name, lambda r: (r.any(3, 4),), lambda r: (r.any(2, 3, 3), -1), lambda r: (r.complex(3, 2), 1))
row("diag_embed", lambda r: (r.any(2, 3),), lambda r: (r.any(3), 1, 0, 1), lambda r: (r.any(2, 3), -1, 0, 2))
row("select_scatter", lambda r: (r.any(3, 4), r.any(3), 1, -2))
row("slice_scatter", lambda r: (r.any(3, 5), r.any(3, 2), 1, 1, -1, 2))
row("diagonal_scatter", lambda r: (r.any(3, 4), r.any(3)), lambda r: (r.any(3, 2, 4), r.any(2, 2), -1, 0, 2))

row("cat", lambda r: ((r.any(2, 3), r.any(2, 1)), 1), lambda r: ([r.any(2), r.complex(1)],))
row("stack", lambda r: ((r.any(2, 3), r.any(2, 3)), -1), lambda r: ((r.any(), r.any()), 0))
row("block_diag", lambda r: ((r.any(2, 3), r.any(2), r.any()),))
row("unbind", lambda r: (r.any(2, 3), 1), lambda r: (r.any(2),))
for name in ("split", "split_with_sizes", "unsafe_split", "unsafe_split_with_sizes"):
    row(name, lambda r: (r.any(2, 5), (2, 0, 3), 1), lambda r: (r.any(3), (3,), 0))

# -- places and x[...] -----------------------------------------------------------------------------------------

_PLACES = np.array([[0, 5], [7, 2]])
row("as_strided_at", lambda r: (r.any(3, 4), _PLACES))
row("add_at_places", lambda r: (r.any(2, 2), (3, 4), np.array([[0, 5], [0, 2]])))
row("put_at", lambda r: (r.any(3, 4), r.any(2, 2), _PLACES))
row("clear_at", lambda r: (r.any(3, 4), _PLACES))
row("zero", lambda r: (r.any(3),))
row("slice_inverse", lambda r: (r.any(3, 2), wengert.zeros(3, 2, dtype=wengert.float64), 0, 0, 3, 1))
row("lie_thus", lambda r: (r.any(2, 3), (1, 2), 1, 8))
for name in ("getitem", "getitem_select", "getitem_unsqueeze"):
    row(
        name,
        lambda r: (r.any(3, 4), (1, slice(0, 3, 2))),
        lambda r: (r.any(3, 4), (slice(None), None, -1)),
        lambda r: (r.any(), (None,)),
    )
row("getitem_back", lambda r: (r.any(2), (3, 4), (1, slice(0, 3, 2))))
