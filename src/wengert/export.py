"""`torch.export` refuses: programs are not captured."""

from __future__ import annotations

from .environment.refusal import refusals

globals().update(
    refusals(
        "export",
        ("export", "save", "load", "Dim", "ExportedProgram", "draft_export", "unflatten", "register_dataclass"),
        "programs are not captured; torch.save(model.state_dict(), path), load it in PyTorch and export there",
    )
)
