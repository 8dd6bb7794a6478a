"""Test rows for `ops/activations`."""

from .sample import row

row("leaky_relu", lambda r: (r.any(3, 2), 0.01), lambda r: (r.any(), 2.0))
row("hardtanh", lambda r: (r.any(3, 2), -1, 1), lambda r: (r.any(), -1, 0))
for name in ("hardsigmoid", "hardswish"):
    row(name, lambda r: (r.any(3, 2),), lambda r: (r.pos(2, low=3.5, high=5),))
for name in ("hardshrink", "softshrink"):
    row(name, lambda r: (r.any(3, 2), 1.0), lambda r: (r.any(), 0.0))
row("threshold", lambda r: (r.any(3, 2), 1.0, 7.0))
row("prelu", lambda r: (r.any(3, 2), r.any(2)), lambda r: (r.any(3), r.any()))
row("elu", lambda r: (r.any(3, 2), 1.5, 1, 1), lambda r: (r.any(), 1.5, 1.2, 0.7))
row("gelu", lambda r: (r.any(3, 2), "none"), lambda r: (r.any(3), "tanh"), lambda r: (r.any(), "none"))
row("silu", lambda r: (r.any(3, 2),), lambda r: (r.any(),))
row("mish", lambda r: (r.any(3, 2),), lambda r: (r.any(),))
row("softplus", lambda r: (r.any(3, 2), 1.0, 20.0), lambda r: (r.any(4), 2.0, 1.5))
row("softplus_slope", lambda r: (r.any(3, 2), 1.0, 20.0), lambda r: (r.any(4), 2.0, 1.5))
row("logsigmoid", lambda r: (r.any(3, 2),), lambda r: (r.any(),))
