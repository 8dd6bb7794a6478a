"""PyTorch's name for tests of each device and dtype. What each is, its module says."""

from __future__ import annotations

from .conditions import *  # noqa: F403
from .devices import *  # noqa: F403
