"""Test rows for `ops/pointwise` and the draws of `ops/random` that are rows."""

from wengert.ops.random import default_generator

from .sample import kw, row

for name in ("exp", "exp2", "expm1", "sin", "cos", "sinh", "cosh", "tanh", "sigmoid", "asinh"):
    row(name, lambda r: (r.any(3, 2),), lambda r: (r.unit(),), *([] if name == "exp2" else [lambda r: (r.complex(2),)]))
for name in ("log", "log2", "log10"):
    row(name, lambda r: (r.pos(3, 2),), lambda r: (r.pos(),), lambda r: (r.complex(2),))
row("log1p", lambda r: (r.pos(3, low=-0.8),), lambda r: (r.complex(2),))
for name in ("tan", "asin", "acos", "atan", "atanh"):
    row(name, lambda r: (r.unit(3, 2),), lambda r: (r.unit(),))
row("acosh", lambda r: (r.pos(3, low=1.3, high=4),), lambda r: (r.pos(low=1.5),))
row("atan2", lambda r: (r.any(3, 4), r.any(4)), lambda r: (r.any(), r.any()))
for name in ("deg2rad", "rad2deg"):
    row(name, lambda r: (r.any(3),))
row("abs", lambda r: (r.any(3),), lambda r: (r.complex(3),), lambda r: (r.complex(),))
row("sgn", lambda r: (r.any(3),), lambda r: (r.complex(3),))
for name in ("sign", "floor", "ceil", "trunc", "frac"):
    row(name, lambda r: (r.any(3),))
row("round", lambda r: (r.pos(3, low=0.1, high=0.4),), lambda r: (r.unit(3), kw(decimals=0)))
row("relu", lambda r: (r.any(3, 2),), lambda r: (r.any(),))
for name in ("keep", "threshold_backward"):
    row(name, lambda r: (r.any(3, 2), r.mask(3, 2)), lambda r: (r.complex(3), r.mask(3)))
row(
    "where",
    lambda r: (r.mask(3, 1), r.any(2), r.any(3, 2)),
    lambda r: (r.mask(2), r.any(2), 0.0),
    lambda r: (r.mask(), r.any(), r.any(2)),
    lambda r: (r.mask(2), r.complex(2), 1),
)
row("masked_fill", lambda r: (r.any(3), r.mask(3), 2.0), lambda r: (r.any(3, 2), r.mask(2), r.any()))
row("fill", lambda r: (r.any(3), 2.0), lambda r: (r.any(3), r.any()))
row("clamp", lambda r: (r.any(3, 4), -1, 1.0), lambda r: (r.any(3), None, 0), lambda r: (r.any(3), -1, None))
row(
    "clamp_tensors",
    lambda r: (r.any(3, 4), r.const(4) - 1, r.any(4)),
    lambda r: (r.any(3), r.any(3), None),
    lambda r: (r.any(3), None, r.any(2, 1)),
    lambda r: (r.any(3), r.any(), 1.0),
)
for name in ("maximum", "minimum", "fmax", "fmin", "logaddexp", "logaddexp2"):
    row(name, lambda r: (r.any(3, 4), r.any(4)), lambda r: (r.any(), r.any(2)))
row("nan_to_num", lambda r: (r.any(3),))
row("heaviside", lambda r: (r.const(3), r.const()))
row("nextafter", lambda r: (r.const(3), r.const(3)))

row("bernoulli", lambda r: (r.const(3).abs() * 0.3, default_generator._source))
row("normal", lambda r: (r.const(3), 1.0, default_generator._source))
row("standard_gamma", lambda r: (r.pos(3).detach(), default_generator._source))
row("sample_dirichlet", lambda r: (r.pos(3).detach(), default_generator._source))
row("_standard_gamma_grad", lambda r: (r.pos(3).detach(), r.pos(3).detach()))
row("_dirichlet_grad", lambda r: (r.unit(3).detach().abs(), r.pos(3).detach(), r.pos(3, low=3, high=5).detach()))
row("poisson", lambda r: (r.const(3).abs(), default_generator._source))
