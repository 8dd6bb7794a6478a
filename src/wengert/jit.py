"""`torch.jit`: TorchScript computes what Python computes, so scripting and tracing return their argument.

A note says so once, as for `torch.compile`; with the environment variable `PYTORCH_JIT=0`, as in PyTorch, without a word.
Archives of TorchScript are neither written nor read.
"""

from __future__ import annotations

import os
import sys
from typing import Any
from typing import Final as Final

from .environment.refusal import refusals
from .nn.module import Module

_WHY = "there is no TorchScript. Save and load the state_dict() with torch.save and torch.load"
_REFUSING = refusals(
    "jit",
    (
        "load", "save", "freeze", "optimize_for_inference", "fork", "wait", "enable_onednn_fusion", "export_opnames",
        "set_fusion_strategy", "CompilationUnit", "ScriptFunction", "RecursiveScriptModule", "Future",
    ),
    _WHY,
)  # fmt: skip
globals().update(_REFUSING)
_told = False


class Error(RuntimeError):
    """An error in TorchScript. Never raised here; there to be caught."""


class ScriptModule(Module):
    """A Module, whose methods are Python's."""


def _tell() -> None:
    global _told
    if not _told and os.environ.get("PYTORCH_JIT", "1") != "0":
        _told = True
        print("note: torch.jit returns its argument: wengert runs every program as Python", file=sys.stderr)


def script(obj: Any, *args: Any, **kwargs: Any) -> Any:
    """`obj` itself: a function, a class or a module. What TorchScript would not compile runs as well."""
    _tell()
    return obj


def trace(func: Any, example_inputs: Any = None, *args: Any, **kwargs: Any) -> Any:
    """`func` itself, which has been called once with the inputs. Its branches stay branches, where PyTorch's are frozen."""
    _tell()
    inputs = kwargs.get("example_kwarg_inputs")
    if isinstance(inputs, dict):
        func(**inputs)
    elif example_inputs is not None:
        func(*(example_inputs if isinstance(example_inputs, tuple) else (example_inputs,)))
    return func


def trace_module(mod: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
    """`mod` itself, each of whose methods named in `inputs` has been called once with the inputs given for it."""
    _tell()
    for name, given in inputs.items():
        getattr(mod, name)(*(given if isinstance(given, tuple) else (given,)))
    return mod


def export(fn: Any) -> Any:
    """Marks a method to be compiled. Returns it."""
    return fn


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """Marks a function to be left to Python, where it is anyway. With or without arguments."""
    return drop if callable(drop) else export


unused = interface = script_if_tracing = script_method = export


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
