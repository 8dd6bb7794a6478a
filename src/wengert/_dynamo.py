"""`torch._dynamo`, for the lines of scripts that reset it or set its options: it is not there, so nothing changes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from .compiler import allow_in_graph as allow_in_graph
from .compiler import disable as disable
from .compiler import is_compiling as is_compiling
from .compiler import list_backends as list_backends
from .compiler import reset as reset
from .environment.refusal import refusals
from .environment.settings import compile as _compile

config = SimpleNamespace(
    suppress_errors=False, cache_size_limit=8, recompile_limit=8, verbose=False, dynamic_shapes=True
)


def optimize(backend: Any = "inductor", **options: Any) -> Any:
    """The decorator behind `torch.compile`: returns its function."""
    return lambda fn: _compile(fn)


def graph_break(msg: str = "") -> None:
    """Marks where a compiled program is split: none is compiled."""


globals().update(
    refusals("_dynamo", ("export", "explain", "register_backend"), "there is no compiler that traces programs")
)
