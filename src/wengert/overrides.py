"""`torch.overrides`: functions of tensors are not overridden here, so the questions are answered with no."""

from __future__ import annotations

from typing import Any

from .core.tensor import Tensor


def has_torch_function(relevant_args: Any) -> bool:
    """False: `__torch_function__` is not asked."""
    return False


has_torch_function_unary = has_torch_function


def has_torch_function_variadic(*args: Any) -> bool:
    """False: `__torch_function__` is not asked."""
    return False


def is_tensor_like(inp: Any) -> bool:
    """Is it a Tensor?"""
    return isinstance(inp, Tensor)


def handle_torch_function(public_api: Any, relevant_args: Any, *args: Any, **kwargs: Any) -> Any:
    """NotImplementedError: `__torch_function__` is not asked."""
    raise NotImplementedError("torch.overrides: functions are not overridden by __torch_function__; wrap them instead")
