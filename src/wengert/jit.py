"""`torch.jit`: decorators that only speak to PyTorch's compiler do nothing, as in Python; compiling and tracing refuse.

With the environment variable `PYTORCH_JIT=0` `script` returns its argument and `trace` its function, as in PyTorch.
"""

from __future__ import annotations

import os
from typing import Any
from typing import Final as Final

from .environment.refusal import refusals

_WHY = (
    "there is no TorchScript. Call the function or module itself: it computes the same; or set the environment variable "
    "PYTORCH_JIT=0, and script and trace return it"
)
_REFUSING = refusals(
    "jit",
    (
        "script", "trace", "trace_module", "load", "save", "freeze", "optimize_for_inference", "fork", "wait",
        "CompilationUnit", "ScriptModule", "ScriptFunction", "RecursiveScriptModule", "Future",
    ),
    _WHY,
)  # fmt: skip
globals().update(_REFUSING)


class Error(RuntimeError):
    """An error in TorchScript. Never raised here; there to be caught."""


def _off() -> bool:
    return os.environ.get("PYTORCH_JIT", "1") == "0"


def script(obj: Any, *args: Any, **kwargs: Any) -> Any:
    """NotImplementedError; `obj` itself where `PYTORCH_JIT=0`."""
    return obj if _off() else _REFUSING["script"]()


def trace(func: Any, *args: Any, **kwargs: Any) -> Any:
    """NotImplementedError; `func` itself where `PYTORCH_JIT=0`."""
    return func if _off() else _REFUSING["trace"]()


def export(fn: Any) -> Any:
    """Marks a method to be compiled. Returns it."""
    return fn


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """Marks a function to be left to Python, where it is anyway. With or without arguments."""
    return drop if callable(drop) else export


unused = interface = script_if_tracing = export


def annotate(the_type: Any, the_value: Any) -> Any:
    """`the_value`, for PyTorch's compiler of a type."""
    return the_value


def Attribute(value: Any, type: Any) -> Any:
    """`value`, for PyTorch's compiler of a type."""
    return value


def is_scripting() -> bool:
    return False


def is_tracing() -> bool:
    return False
