"""`torch.onnx` refuses: programs are not exported."""

from __future__ import annotations

from .environment.refusal import refusals

globals().update(
    refusals(
        "onnx",
        ("export", "dynamo_export", "OnnxExporterError", "ONNXProgram"),
        "programs are not exported; torch.save(model.state_dict(), path), load it in PyTorch and export there",
    )
)


def is_in_onnx_export() -> bool:
    return False
