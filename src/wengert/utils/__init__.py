"""`wengert.utils`, shaped like torch.utils."""

from __future__ import annotations

import importlib
from typing import Any

from . import checkpoint as checkpoint
from . import data as data
from . import dlpack as dlpack
from . import hooks as hooks

_LAZY = frozenset(["_mode_utils", "_python_dispatch", "_pytree", "benchmark", "flop_counter", "tensorboard"])


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return importlib.import_module("." + name, __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
