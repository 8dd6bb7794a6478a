"""`torch.library` refuses: an operation of one's own is a `torch.autograd.Function`."""

from __future__ import annotations

from .environment.refusal import refusals

globals().update(
    refusals(
        "library",
        (
            "Library", "custom_op", "define", "impl", "register_fake", "register_kernel", "register_autograd",
            "register_autocast", "register_vmap", "register_torch_dispatch", "impl_abstract", "triton_op", "wrap_triton",
            "opcheck", "infer_schema", "get_ctx",
        ),
        "there is no dispatcher to register with; write a torch.autograd.Function, or a plain function of tensors",
    )
)  # fmt: skip
