"""Gradients kept within bounds: by their norm, and one by one."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from ...core.modes import no_grad
from ...core.tensor import Tensor, wrap
from ...core.views import bump

__all__ = ["clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]


def _list(parameters: Any) -> list[Tensor]:
    return [parameters] if isinstance(parameters, Tensor) else list(parameters)


def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of the norms of `tensors`: that of all of them as one vector. A 0-dim tensor."""
    norm_type = float(norm_type)
    arrays = [t._array for t in _list(tensors)]
    if not arrays:
        return wrap(np.zeros((), np.float32))
    norms = np.array([np.linalg.norm(a.reshape(-1), norm_type) if a.size else 0.0 for a in arrays])
    total = np.asarray(np.linalg.norm(norms, norm_type), np.abs(arrays[0][:0]).dtype)
    if error_if_nonfinite and not np.isfinite(total):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be clipped. To "
            "disable this error and scale the gradients by the non-finite norm anyway, set `error_if_nonfinite=False`"
        )
    return wrap(total)


@no_grad()
def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scale the gradients, in place, so that a norm `total_norm` becomes at most `max_norm`."""
    factor = np.minimum(float(max_norm) / (total_norm._array + 1e-6), 1.0)
    for p in _list(parameters):
        g = p.grad
        if g is not None:
            g._array *= factor.astype(np.abs(g._array[:0]).dtype) if g._array.ndim else factor
            bump(g)


@no_grad()
def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale the gradients of `parameters`, in place, to a norm of at most `max_norm`. Returns the norm that they had."""
    wanted = _list(parameters)
    if not wanted and not isinstance(parameters, (list, tuple, Tensor)):
        warnings.warn("`parameters` is an empty generator, no gradient clipping will occur.", UserWarning, stacklevel=3)
    grads = [p.grad for p in wanted if p.grad is not None]
    total = get_total_norm(grads, norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(wanted, max_norm, total, foreach)
    return total


def clip_grad_norm(
    parameters: Any, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: Any = None
) -> Tensor:
    """The old name of `clip_grad_norm_`."""
    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of `torch.nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


@no_grad()
def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None) -> None:
    """Cut each element of the gradients to [-clip_value, clip_value], in place."""
    bound = float(clip_value)
    for p in _list(parameters):
        if p.grad is not None:
            np.clip(p.grad._array, -bound, bound, out=p.grad._array)
            bump(p.grad)
