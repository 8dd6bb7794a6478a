"""PyTorch's name for what its tests ask of a GPU: there is none."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from .conditions import TEST_CUDA as TEST_CUDA
from .conditions import TEST_CUDNN as TEST_CUDNN
from .conditions import TEST_MAGMA as TEST_MAGMA
from .conditions import TEST_MULTIGPU as TEST_MULTIGPU
from .conditions import SM53OrLater as SM53OrLater
from .conditions import SM60OrLater as SM60OrLater
from .conditions import SM70OrLater as SM70OrLater
from .conditions import SM75OrLater as SM75OrLater
from .conditions import SM80OrLater as SM80OrLater
from .conditions import SM90OrLater as SM90OrLater

CUDA_DEVICE = None
PLATFORM_SUPPORTS_FLASH_ATTENTION = PLATFORM_SUPPORTS_MEM_EFF_ATTENTION = PLATFORM_SUPPORTS_FUSED_ATTENTION = False
PLATFORM_SUPPORTS_CUDNN_ATTENTION = PLATFORM_SUPPORTS_BF16 = PLATFORM_SUPPORTS_FP8 = False


def with_tf32_off(fn: Any) -> Any:
    """No float32 is shortened here: the function as it is."""
    return fn


def tf32_on_and_off(*args: Any, **kwargs: Any) -> Any:
    """Decorator: the function as it is."""
    return with_tf32_off


@contextlib.contextmanager
def tf32_off() -> Iterator[None]:
    """Nothing to switch off."""
    yield
