"""`torch.__config__`: how this was built. There is nothing to build; what computes is NumPy, and Numba where it is installed."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from importlib.metadata import PackageNotFoundError, version

import numpy as np


def show() -> str:
    """Versions, and how NumPy was built."""
    try:
        numba = version("numba")
    except PackageNotFoundError:
        numba = "not installed"
    with redirect_stdout(io.StringIO()) as built:
        np.show_config()
    return f"Wengert:\n  - NumPy {np.__version__}\n  - Numba: {numba}\n{built.getvalue()}"


def parallel_info() -> str:
    """How many threads compute."""
    from .kernels.threads import get_num_threads

    return f"wengert.get_num_threads() : {get_num_threads()}\n"
