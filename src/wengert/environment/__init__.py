"""What a script asks about its surroundings, and the settings it makes: dtype limits, kinds of things, threads, determinism.

Nothing here computes a tensor. Names of PyTorch's that cannot be had here are refused by `refusal`.
"""

from __future__ import annotations

from .constants import *
from .limits import *
from .settings import *
