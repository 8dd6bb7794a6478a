"""`torch.sparse` refuses: tensors are dense."""

from __future__ import annotations

from .environment.refusal import refusals

_WHY = "only dense tensors exist here; use to_dense() in PyTorch, or scipy.sparse for the data"
globals().update(
    refusals(
        "sparse",
        (
            "mm",
            "addmm",
            "sampled_addmm",
            "sum",
            "softmax",
            "log_softmax",
            "spdiags",
            "to_sparse_semi_structured",
        ),
        _WHY,
    )
)
