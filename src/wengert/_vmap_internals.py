"""The names that `vmap` had in PyTorch before `torch.func`: autograd's own code and tests still use them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from .func import vmap as _new


def vmap(func: Callable[..., Any], in_dims: Any = 0, out_dims: Any = 0) -> Callable[..., Any]:
    """`torch.func.vmap` under its old name; warns."""
    warnings.warn("Please use torch.vmap instead of torch._vmap_internals.vmap.", FutureWarning, stacklevel=2)
    return _vmap(func, in_dims, out_dims)


def _vmap(
    func: Callable[..., Any], in_dims: Any = 0, out_dims: Any = 0, allow_none_pass_through: bool = False
) -> Callable[..., Any]:
    """`torch.func.vmap`. With `allow_none_pass_through`, outputs may be None."""
    if not allow_none_pass_through:
        return _new(func, in_dims, out_dims)

    def mapped(*args: Any) -> Any:
        shape: list[Any] = []

        def without(*given: Any) -> Any:
            found = func(*given)
            shape[:] = [found]
            if not isinstance(found, (tuple, list)):
                return found
            return tuple(x for x in found if x is not None)

        kept = iter(_new(without, in_dims, out_dims)(*args))
        return tuple(None if x is None else next(kept) for x in shape[0])

    return mapped
