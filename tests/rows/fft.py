"""Fourier transforms and their transposes."""

from __future__ import annotations

from .sample import row

row(
    "fft_c2c",
    lambda r: (r.complex(5), (0,), 1.0, True),
    lambda r: (r.complex(2, 3, 4), (0, 2), 0.5, False),
)
row("fft_r2c", lambda r: (r.any(5), 0, 0.5), lambda r: (r.any(2, 4, 3), 1, 1.0), lambda r: (r.any(1), 0, 1.0))
row("fft_r2c_back", lambda r: (r.complex(3), 5, 0, 0.5), lambda r: (r.complex(2, 3, 2), 4, 1, 1.0))
row("fft_c2r", lambda r: (r.complex(3), 5, 0, 0.5), lambda r: (r.complex(2, 3, 2), 4, 1, 1.0))
row("fft_c2r_back", lambda r: (r.any(5), 0, 0.5), lambda r: (r.any(2, 4, 3), 1, 1.0))
row("fft_resized", lambda r: (r.any(3, 4), (5, 2)))
