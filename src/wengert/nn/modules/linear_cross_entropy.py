"""Cross entropy of a linear layer's scores as a module, and how its batch is cut into chunks."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from ...core import dtypes
from ...core.tensor import Tensor
from .. import functional as F
from .linear import Linear
from .loss import _WeightedLoss

__all__ = ["LinearCrossEntropyLoss", "LinearCrossEntropyOptions"]

_POLICIES = ("auto", "accurate", "balanced", "compact")


@dataclasses.dataclass(slots=True, frozen=True)
class LinearCrossEntropyOptions:
    """Options with which `linear_cross_entropy` works on some examples at a time, so that (n, classes) scores never exist.

    `batch_chunk_size`: examples in a chunk. `chunking_method`: instead, "aspect_ratio" makes a chunk's scores about as
    large as the input, "aspect_ratio:N" smaller by N; "auto" is "aspect_ratio:2" (float16: "aspect_ratio"), None one
    chunk. `allow_retain_graph` and `acc_policy` are accepted: here a graph can always be walked again, because backward
    computes the scores once more, and everything is summed in `acc_dtype` (float32 for float16).
    """

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: Any = None

    def __post_init__(self) -> None:
        if self.acc_policy not in _POLICIES:
            raise ValueError(f"invalid acc_policy: {self.acc_policy!r}")
        method, size = self.chunking_method, self.batch_chunk_size
        if method is not None and method != "auto":
            name, _, factor = method.partition(":")
            factor = factor if ":" in method else "1"
            if name != "aspect_ratio" or not factor.isdigit() or not int(factor):
                raise ValueError(f"invalid chunking_method: {method!r}")
        if size is not None and not (isinstance(size, int) and size > 0):
            raise ValueError(f"batch_chunk_size must be positive int or None, got {size!r}")
        if self.acc_dtype not in (None, dtypes.float16, dtypes.float32, dtypes.float64):
            raise ValueError(
                "acc_dtype must be one of {None, torch.float16, torch.bfloat16, torch.float32, torch.float64}, got "
                f"{self.acc_dtype!r}. Pass acc_dtype=None to let the op pick automatically."
            )

    def _adjust(
        self, num_batches: int, in_features: int, num_classes: int, dtype: Any, device: Any = None
    ) -> LinearCrossEntropyOptions:
        """The same with everything decided, for these sizes."""
        half = dtype == dtypes.float16
        method, size = self.chunking_method, self.batch_chunk_size
        if method == "auto":
            method = None if size is not None else "aspect_ratio" if half else "aspect_ratio:2"
        policy = self.acc_policy if self.acc_policy != "auto" else "accurate" if half else "compact"
        rows = num_batches if size is None else min(size, num_batches)
        if method is not None:
            wanted = -(-num_batches // -(-num_classes // max(in_features, 1)))
            power = 1 << max(wanted - 1, 0).bit_length()
            rows = min(power // int(method.partition(":")[2] or 1), num_batches)
            if size is not None and size != rows:
                raise ValueError(
                    f"batch_chunk_size (={size}) and chunking_method ('{method}') give different chunk sizes "
                    f"({size} vs {rows}); pass only one."
                )
        sums = self.acc_dtype or (dtypes.float32 if half and self.acc_policy == "auto" else dtype)
        return dataclasses.replace(
            self, acc_policy=policy, chunking_method=method, batch_chunk_size=max(1, rows), acc_dtype=sums
        )


class LinearCrossEntropyLoss(_WeightedLoss):
    """Cross entropy of a linear layer's scores: the layer is the loss's own, `linear`.

    Input (n, in_features) or (in_features,). Scores have shape (n, num_classes, *out_features).
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        device: Any = None,
        dtype: Any = None,
        reduction: str = "mean",
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options: LinearCrossEntropyOptions | None = None,
    ) -> None:
        if weight is not None and tuple(weight.shape) != (num_classes,):
            raise RuntimeError(f"expected weight shape to be {(num_classes,)}, got {tuple(weight.shape)}")
        if not 0 <= label_smoothing <= 1:
            raise RuntimeError(f"expected label_smoothing to be in range [0, 1], got {label_smoothing}")
        super().__init__(weight, reduction=reduction)
        self.num_classes, self.out_features = num_classes, out_features
        self.ignore_index, self.label_smoothing, self.options = ignore_index, label_smoothing, options
        self.linear = Linear(in_features, math.prod(out_features, start=num_classes), bias, device, dtype)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        scores = (self.num_classes, *self.out_features)
        bias = self.linear.bias
        return F.linear_cross_entropy(
            input,
            self.linear.weight.reshape((*scores, self.linear.in_features)),
            target,
            linear_bias=None if bias is None else bias.reshape(scores),
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            options=self.options,
        )

    def extra_repr(self) -> str:
        names = ("num_classes", "out_features", "bias", "reduction", "ignore_index", "label_smoothing", "options")
        shown = {name: getattr(self, name, None) for name in names} | {"bias": self.linear.bias is not None}
        return ", ".join(f"{k}={v}" for k, v in ({"in_features": self.linear.in_features} | shown).items())
