"""`torch.fx` refuses: programs are not captured."""

from __future__ import annotations

from .environment.refusal import refusals

globals().update(
    refusals(
        "fx",
        (
            "symbolic_trace",
            "Tracer",
            "GraphModule",
            "Graph",
            "Node",
            "Interpreter",
            "Transformer",
            "wrap",
            "replace_pattern",
        ),
        "programs are not captured; wengert.explain shows what a program recorded",
    )
)
