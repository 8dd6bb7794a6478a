"""The half-Cauchy distribution."""

from __future__ import annotations

import math
from typing import Any

from .. import full
from ._shared import Folded
from .cauchy import Cauchy

__all__ = ["HalfCauchy"]


class HalfCauchy(Folded):
    """|X| for X Cauchy around 0"""

    _unfolded = Cauchy

    @property
    def mean(self) -> Any:
        return full(self._extended_shape(), math.inf, dtype=self.scale.dtype)

    @property
    def variance(self) -> Any:
        return self.base_dist.variance
