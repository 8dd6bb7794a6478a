"""`save` and `load`: PyTorch's own checkpoint files, written here and read there, and the other way round.

A checkpoint is a zip archive: a pickle that describes the objects, and the numbers of each storage beside it
(`writing`, `reading`). `load` never executes what a pickle asks for: it knows a short list of harmless names, and refuses
all others. Nothing is written over until the new file is complete.
"""

from __future__ import annotations

from .names import add_safe_globals as add_safe_globals
from .names import clear_safe_globals as clear_safe_globals
from .names import get_safe_globals as get_safe_globals
from .names import safe_globals as safe_globals
from .reading import load as load
from .writing import save as save

__all__ = ["add_safe_globals", "clear_safe_globals", "get_safe_globals", "load", "safe_globals", "save"]
