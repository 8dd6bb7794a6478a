"""Making a module without filling its parameters."""

from __future__ import annotations

import inspect
from typing import Any

from ...kernels.generator import default_generator
from ..init import skipped
from ..module import Module

__all__ = ["skip_init"]


def skip_init(module_cls: Any, *args: Any, **kwargs: Any) -> Any:
    """`module_cls(*args, **kwargs)` with parameters whose numbers are not set; no random number is drawn."""
    if not issubclass(module_cls, Module):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    state = default_generator.get_state()
    try:
        with skipped():
            return module_cls(*args, **kwargs)
    finally:
        default_generator.set_state(state)
