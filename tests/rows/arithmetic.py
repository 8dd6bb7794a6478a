"""Test rows for `ops/arithmetic`, `ops/comparison` and the copies of `ops/conversion`."""

import wengert

from .sample import kw, row

row(
    "add",
    lambda r: (r.any(3, 4), r.any(4)),
    lambda r: (r.any(2), 3.0),
    lambda r: (2, r.any(2)),
    lambda r: (r.complex(2), r.any(2)),
)
row("sub", lambda r: (r.any(3, 4), r.any(4)), lambda r: (r.any(), 3.0), lambda r: (2.0, r.any(2)))
row("add_scaled", lambda r: (r.any(3, 4), r.any(4), 2.5), lambda r: (r.complex(3), r.complex(), 2 - 1j))
row("sub_scaled", lambda r: (r.any(3, 4), r.any(4), 2.5), lambda r: (r.any(), 3.0, -2))
row("neg", lambda r: (r.any(3),), lambda r: (r.complex(),))
row(
    "mul",
    lambda r: (r.any(3, 4), r.any(4)),
    lambda r: (r.any(2), 3.0),
    lambda r: (r.complex(2), r.complex(3, 1)),
    lambda r: (2, r.any()),
)
row(
    "div",
    lambda r: (r.any(3, 4), r.pos(4)),
    lambda r: (r.any(2), 3.0),
    lambda r: (2.0, r.pos(3)),
    lambda r: (r.complex(2), r.complex(2)),
)
row("div_rounded", lambda r: (r.any(3), r.pos(3, low=0.71, high=0.73), "floor"), lambda r: (r.any(3), 0.7, "trunc"))
row("floor_divide", lambda r: (r.any(3), 0.7))
row(
    "remainder",
    lambda r: (r.any(3, 4), r.pos(4, low=3, high=4)),
    lambda r: (r.any(3), 0.77),
    lambda r: (7.5, r.pos(2, low=2.1, high=2.4)),
)
row("fmod", lambda r: (r.any(3, 4), r.pos(4, low=3, high=4)), lambda r: (r.any(3), 0.77))
row("reciprocal", lambda r: (r.pos(3),), lambda r: (r.complex(),))
row("sqrt", lambda r: (r.pos(3),), lambda r: (r.complex(2),))
row("rsqrt", lambda r: (r.pos(3),), lambda r: (r.complex(2),))
row(
    "pow_number",
    *(lambda r, e=e: (r.pos(3), e) for e in (2, 3, -1, 0.5, 0, 1, 2.5)),
    lambda r: (r.complex(2), 1.5 + 0.5j),
)
row(
    "pow_base",
    lambda r: (2.0, r.any(3)),
    lambda r: (0.7, r.any()),
    lambda r: (0, r.pos(2)),
    lambda r: (1 + 2j, r.complex(2)),
)
row(
    "pow",
    lambda r: (r.pos(3, 4), r.any(4)),
    lambda r: (r.any(3), r.const(3).round()),
    lambda r: (r.complex(2), r.complex()),
)
row("square", lambda r: (r.any(3),), lambda r: (r.complex(),))
row(
    "addcmul",
    lambda r: (r.any(3, 4), r.any(4), r.any(3, 1)),
    lambda r: (r.any(3), r.any(3), r.any(), kw(value=2.5)),
    lambda r: (r.complex(2), r.complex(2), r.complex(2), kw(value=1j)),
)
row("addcdiv", lambda r: (r.any(3, 4), r.any(4), r.pos(3, 1)), lambda r: (r.any(3), r.any(3), r.pos(), kw(value=2.5)))
row(
    "lerp",
    lambda r: (r.any(3, 4), r.any(4), r.unit(3, 1)),
    lambda r: (r.any(3), r.any(3), 0.7),
    lambda r: (r.any(), r.any(), 0.2),
)
row("hypot", lambda r: (r.any(3, 4), r.any(4)))
row("ldexp_whole", lambda r: (r.any(3, 4), r.ints(5, 4)))
row("copysign", lambda r: (r.any(3, 4), r.any(4)), lambda r: (r.any(3), -1.0))

for name in ("eq", "ne", "lt", "le", "gt", "ge"):
    row(name, lambda r: (r.any(3), r.any(2, 1)), lambda r: (r.any(3), 0))
for name in ("logical_and", "logical_or", "logical_xor"):
    row(name, lambda r: (r.mask(3), r.mask(2, 1)))
for name in ("logical_not", "isnan", "isfinite", "isinf", "isposinf", "isneginf", "isreal", "signbit"):
    row(name, lambda r: (r.any(3),))
for name in ("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift"):
    row(name, lambda r: (r.ints(9, 3), r.ints(4, 2, 1)), lambda r: (r.ints(9, 3), 2))
row("bitwise_not", lambda r: (r.ints(9, 3),))
row("isclose", lambda r: (r.any(3), r.any(3)))

row("clone", lambda r: (r.any(3),), lambda r: (r.complex(),))
row("copy", lambda r: (r.any(2, 3), r.any(3)), lambda r: (r.any(2), r.any()))
row("to_dtype", lambda r: (r.any(3), wengert.complex128), lambda r: (r.complex(3), wengert.complex128))
