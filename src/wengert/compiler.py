"""`torch.compiler`: what programs say to PyTorch's compiler. Every program runs eagerly here: decorators return their
function.
"""

from __future__ import annotations

from typing import Any

from .environment.settings import compile as compile


def disable(fn: Any = None, recursive: bool = True, *, reason: Any = None) -> Any:
    """Marks a function not to be compiled. Returns it; with or without arguments."""
    return fn if fn is not None else lambda function: function


def allow_in_graph(fn: Any) -> Any:
    """Marks a function as one step. Returns it."""
    return fn


assume_constant_result = substitute_in_graph = nested_compile_region = wrap_numpy = allow_in_graph


def is_compiling() -> bool:
    return False


is_dynamo_compiling = is_exporting = is_compiling


def reset() -> None:
    """Forget what was compiled: nothing was."""


cudagraph_mark_step_begin = reset


def list_backends(exclude_tags: Any = ()) -> list[str]:
    """There is one way to run a program: eagerly."""
    return ["eager"]


def set_stance(stance: str = "default", **kwargs: Any) -> Any:
    """Which programs are compiled: none, whatever is asked. Usable as a block."""
    from contextlib import nullcontext

    return nullcontext()
