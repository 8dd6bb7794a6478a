"""`torch.cuda` on a machine without a GPU, which here every machine is. See `environment.absent_device`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ..environment.absent_device import namespace
from ..environment.refusal import refusals
from ..environment.settings import AcceleratorError as AcceleratorError
from ..environment.settings import OutOfMemoryError as OutOfMemoryError
from ..tensor_types import CUDA_TYPES
from . import amp as amp

_NAMES = namespace("cuda") | CUDA_TYPES
globals().update(_NAMES)

nvtx = SimpleNamespace(
    **refusals(
        "cuda.nvtx",
        ("range", "range_push", "range_pop", "mark", "range_start", "range_end"),
        "NVTX functions not installed. Are you sure you have a CUDA build?",
        RuntimeError,
    )
)
nccl = SimpleNamespace(is_available=lambda tensors: False, version=lambda: None)
has_half, has_magma = False, False


CudaError = RuntimeError


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals()})
