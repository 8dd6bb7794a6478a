"""`torch.quantization` and `torch.ao` refuse: there are no quantised numbers."""

from __future__ import annotations

from .environment.refusal import refusals

globals().update(
    refusals(
        "quantization",
        (
            "quantize", "quantize_dynamic", "quantize_qat", "prepare", "prepare_qat", "convert", "fuse_modules", "QuantStub",
            "DeQuantStub", "QConfig", "get_default_qconfig",
        ),
        "there are no quantised numbers; use float16 or float32",
    )
)  # fmt: skip
