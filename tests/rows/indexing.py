"""Test rows for `ops/indexing`, `ops/gathering`, `ops/slices`, `ops/places` and `ops/meeting`."""

import numpy as np

from wengert.core.tensor import wrap

from .sample import row


def _at(*numbers: object) -> object:
    return wrap(np.array(numbers))


_PAIR = (np.array([0, 2, 2]), np.array([1, 1, 1]))
row(
    "index",
    lambda r: (r.any(3, 4), _PAIR, (0, 1)),
    lambda r: (r.any(3, 4), (np.array([[1, 1], [0, -1]]),), (1,)),
    lambda r: (r.any(3, 2, 4), _PAIR, (0, 2)),
)
row(
    "index_back",
    lambda r: (r.any(3), _PAIR, (3, 4), (0, 1)),
    lambda r: (r.any(3, 2, 2), (np.array([[1, 1], [0, -1]]),), (3, 4), (1,)),
    lambda r: (r.any(3, 2), _PAIR, (3, 2, 4), (0, 2)),
)
row(
    "index_put",
    lambda r: (r.any(3, 4), r.any(3), (np.array([0, 2, 1]), np.array([1, 1, 1])), (0, 1)),
    lambda r: (r.any(3, 4), r.any(3), _PAIR, (0, 1), True),
    lambda r: (r.any(3, 4), r.any(), (np.array([1, 0]),), (1,)),
)
row("index_clear", lambda r: (r.any(3, 4), _PAIR, (0, 1)))

row(
    "gather",
    lambda r: (r.any(3, 4), 1, _at([0, 0], [3, 1], [2, 2])),
    lambda r: (r.any(3, 4), 0, _at([0, 2, 2])),
    lambda r: (r.any(), 0, _at(0, 0)),
)
row("gather_back", lambda r: (r.any(3, 2), _at([0, 0], [3, 1], [2, 2]), (3, 4), 1))
row("scatter_src", lambda r: (r.any(3, 4), 1, _at([0, 2], [3, 1]), r.any(3, 2)))
row("scatter_value", lambda r: (r.any(3, 4), 1, _at([0, 0], [3, 1]), 2.5))
row("scatter_reduced", lambda r: (r.const(3, 4), 1, _at([0, 0], [3, 1]), r.const(3, 2), "add"))
row(
    "scatter_add",
    lambda r: (r.any(3, 4), 1, _at([0, 0], [3, 1]), r.any(3, 2)),
    lambda r: (r.any(), 0, _at(0, 0), r.any(2)),
)
row(
    "scatter_reduce",
    *(
        lambda r, how=how, self=self: (r.distinct(3, 4), 1, _at([0, 0], [3, 1]), r.distinct(3, 2) + 0.1, how, self)
        for how in ("sum", "mean", "prod", "amax", "amin")
        for self in (True, False)
    ),
)

row("index_select", lambda r: (r.any(3, 4), 1, _at(0, 0, 3)), lambda r: (r.any(), 0, _at(0)))
row("index_select_back", lambda r: (r.any(3, 3), _at(0, 0, 3), (3, 4), 1))
row(
    "index_add",
    lambda r: (r.any(3, 4), 1, _at(0, 0, 3), r.any(3, 3)),
    lambda r: (r.any(3, 4), 0, _at(2), r.any(1, 4), 2.5),
)
row("index_copy", lambda r: (r.any(3, 4), 1, _at(0, 3), r.any(3, 2)), lambda r: (r.any(), 0, _at(0), r.any()))
row("index_fill", lambda r: (r.any(3, 4), 1, _at(0, 3), 2.5))
row("index_fill_tensor", lambda r: (r.any(3, 4), 1, _at(0, 3), r.any()))

row("take", lambda r: (r.any(3, 4), _at([0, 0], [11, -1])), lambda r: (r.any(), _at(0)))
row("take_back", lambda r: (r.any(2, 2), _at([0, 0], [11, -1]), (3, 4)))
row(
    "put",
    lambda r: (r.any(3, 4), _at([0, 5], [11, -2]), r.any(2, 2)),
    lambda r: (r.any(3, 4), _at(0, 0), r.any(2), True),
)
row("put_value", lambda r: (r.any(3, 4), _at(0, 5), 2.5))
row("masked_select", lambda r: (r.any(3, 4), r.mask(3, 4)), lambda r: (r.any(4), _at([True], [False], [True])))
row("masked_put_full", lambda r: (r.any(2), _at([True, False], [False, True])))
row("masked_scatter", lambda r: (r.any(2, 2), _at([True, False], [False, True]), r.any(3)))
