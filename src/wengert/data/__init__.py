"""The one data set that comes with the package: 1,797 handwritten digits of 8 x 8. See SOURCE.md beside this file."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import numpy as np


def load_digits() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Images (1797, 8, 8), uint8 with values 0..16, and labels (1797,), int64, of handwritten digits."""
    with files(__package__).joinpath("digits.npz").open("rb") as file, np.load(file) as arrays:
        return arrays["images"], arrays["labels"].astype(np.int64)
