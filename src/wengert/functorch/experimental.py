"""`functorch.experimental`: names that were tried out there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..func import hessian as hessian
from ..func import jacfwd as jacfwd
from ..func import jvp as jvp
from ..func import replace_all_batch_norm_modules_ as replace_all_batch_norm_modules_
from ..func import vmap
from ..func.vmap import batch_size


def chunk_vmap(
    func: Callable[..., Any], in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error", chunks: int = 2
) -> Callable[..., Any]:
    """`vmap` that works through the batch in `chunks` pieces of one size, the last may be smaller: what `chunk_size` does now."""
    if chunks < 1:
        raise ValueError(f"chunk_vmap: chunks should be greater than 0 (got {chunks})")

    def mapped(*args: Any, **kwargs: Any) -> Any:
        size = max(-(-batch_size(func, in_dims, args) // chunks), 1)
        return vmap(func, in_dims, out_dims, randomness, chunk_size=size)(*args, **kwargs)

    return mapped
