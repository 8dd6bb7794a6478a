"""Reading an image at places, -1 being outside, and adding up there."""

from __future__ import annotations

import numpy as np

from wengert.core.tensor import wrap

from .sample import row

_PLACES = wrap(np.array([[0, 5, 5, -1, 2], [-1, 1, 3, 4, 4]]))

row("read_places", lambda r: (r.any(2, 3, 2, 3), _PLACES), lambda r: (r.complex(2, 1, 6), _PLACES))
row("add_places", lambda r: (r.any(2, 3, 5), _PLACES, (2, 3)), lambda r: (r.complex(2, 1, 5), _PLACES, (6,)))
