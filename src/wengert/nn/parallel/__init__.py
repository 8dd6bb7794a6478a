"""`nn.parallel`. On one CPU `DataParallel` passes calls on to its module, as PyTorch's does without GPUs; several processes
(`DistributedDataParallel`) are refused.
"""

from __future__ import annotations

from typing import Any

from ...core.device import absent
from ...environment.refusal import refusals
from ..module import Module


class DataParallel(Module):
    """`module`, under the name `module`: calls are passed on. AssertionError if devices are named."""

    def __init__(self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0) -> None:
        super().__init__()
        if device_ids:
            raise absent("cuda")
        self.module = module
        self.device_ids: list[int] = []
        self.dim = dim

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        return self.module(*inputs, **kwargs)


def data_parallel(
    module: Module,
    inputs: Any,
    device_ids: Any = None,
    output_device: Any = None,
    dim: int = 0,
    module_kwargs: Any = None,
) -> Any:
    """`module(*inputs)`. AssertionError if devices are named."""
    if device_ids:
        raise absent("cuda")
    return module(*(inputs if isinstance(inputs, tuple) else (inputs,)), **(module_kwargs or {}))


globals().update(
    refusals(
        "nn.parallel",
        ("DistributedDataParallel", "replicate", "scatter", "gather", "parallel_apply"),
        "there is one process and one device; use the module itself, or guard with torch.distributed.is_available()",
    )
)
