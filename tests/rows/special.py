"""Test rows for `ops/special`."""

from wengert.core.op import TABLE

from .sample import row

for name in ("erf", "erfc", "sinc", "i0", "special.i0e", "special.i1", "special.i1e", "special.log_ndtr"):
    row(name, lambda r: (r.any(3, 2),), lambda r: (r.any(),))
row("special.erfcx", lambda r: (r.any(3),))
row("erfinv", lambda r: (r.unit(3, 2),), lambda r: (r.unit(),))
row("special.ndtri", lambda r: (r.prob(3, 2),), lambda r: (r.prob(),))
row("logit", lambda r: (r.prob(3, 2), None), lambda r: (r.prob(3), 0.3))
row("lgamma", lambda r: (r.any(3, 2),), lambda r: (r.pos(),))
row("digamma", lambda r: (r.pos(3, 2),), lambda r: (r.pos(),))
row("polygamma", *(lambda r, n=n: (r.pos(3), n) for n in (0, 1, 3)))
for name in ("igamma", "igammac"):
    row(name, lambda r: (r.const(3, 1).abs(), r.pos(2)))
row("special.zeta", lambda r: (r.const(3).abs() + 1.5, r.pos(2, 1)), lambda r: (2.5, r.pos(2)))
row("special.entr", lambda r: (r.pos(3),))
for name in ("xlogy", "special.xlog1py"):
    row(
        name,
        lambda r: (r.any(3, 2), r.pos(2)),
        lambda r: (r.any(3), 0.7),
        lambda r: (2, r.pos(2)),
        lambda r: (r.any(), r.pos()),
    )
row("frexp", lambda r: (r.any(3, 2),), lambda r: (r.any(),))
for name in ("gcd", "lcm"):
    row(name, lambda r: (r.ints(30, 3), r.ints(30, 2, 1)))
# PyTorch has no derivative for these.
for name, op in TABLE.items():
    if name.startswith("special.") and not op.rules:
        row(name, (lambda r: (r.const(3).abs(),)) if len(op.params) == 1 else (lambda r: (r.const(3), r.ints(5, 2, 1))))
