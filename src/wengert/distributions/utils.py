"""What the distributions share: parameters brought to one shape, probabilities and logits made of each other."""

from __future__ import annotations

from functools import cached_property
from numbers import Number
from typing import Any

from ..core.dtypes import get_default_dtype
from ..core.modes import enable_grad
from ..core.tensor import Tensor
from ..environment.limits import finfo
from ..ops.creation import tensor
from ..ops.joining import broadcast_tensors

euler_constant = 0.57721566490153286060


class lazy_property(cached_property[Any]):
    """Computed when first asked for, and kept. Recorded even if that is inside `sample`, where nothing is: a loss may ask
    for it again.
    """

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None or self.attrname in instance.__dict__:
            return super().__get__(instance, owner)
        with enable_grad():
            return super().__get__(instance, owner)


def broadcast_all(*values: Any) -> tuple[Tensor, ...]:
    """Numbers and tensors as tensors of one shape. Numbers take the dtype of the first tensor."""
    if not all(isinstance(v, (Tensor, Number)) for v in values):
        raise ValueError(
            "Input arguments must all be instances of Number, torch.Tensor or objects implementing __torch_function__."
        )
    dtype = next((v.dtype for v in values if isinstance(v, Tensor)), get_default_dtype())
    return tuple(broadcast_tensors(*(v if isinstance(v, Tensor) else tensor(v, dtype=dtype) for v in values)))


def clamp_probs(probs: Tensor) -> Tensor:
    """Kept away from 0 and 1 by the spacing of the dtype."""
    eps = finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """Probabilities of log-odds, or of log-probabilities up to a constant."""
    return logits.sigmoid() if is_binary else logits.softmax(-1)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """Log-odds, or logarithms, of probabilities."""
    clamped = clamp_probs(probs)
    return clamped.log() - (-clamped).log1p() if is_binary else clamped.log()


def one_of(probs: Any, logits: Any) -> bool:
    """Are probabilities given? ValueError unless exactly one of both is."""
    if (probs is None) == (logits is None):
        raise ValueError("Either `probs` or `logits` must be specified, but not both.")
    return probs is not None
