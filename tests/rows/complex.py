"""Test rows for `ops/complex`."""

from .sample import row

row("conj", lambda r: (r.complex(3),))
row("conj_physical", lambda r: (r.complex(3),), lambda r: (r.any(2),))
row("real", lambda r: (r.complex(2, 3),), lambda r: (r.complex(),))
row("imag", lambda r: (r.complex(2, 3),), lambda r: (r.complex(),))
row("complex", lambda r: (r.any(2, 3), r.any(3)), lambda r: (r.any(), r.any()))
row("polar", lambda r: (r.pos(2, 3), r.any(3)), lambda r: (r.pos(), r.any()))
row("angle", lambda r: (r.complex(3),), lambda r: (r.any(3),))
row("view_as_real", lambda r: (r.complex(2, 3),), lambda r: (r.complex(),))
row("view_as_complex", lambda r: (r.any(3, 2),), lambda r: (r.any(2),))
