"""Muon (Jordan, 2024; learning rates as in Liu et al., arXiv 2502.16982): the momentum of a matrix, orthogonalised."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ..core.tensor import Tensor, wrap
from .optimizer import Stepwise, number

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


class Muon(Stepwise):
    """Steps along the momentum with its singular values made about equal. For 2-D parameters of hidden layers only.

    PyTorch orthogonalises in bfloat16, which moves its result by some per cent; here it is done in the parameter's dtype.
    """

    _stateful = False
    _later: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = COEFFICIENTS,
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if not 0.0 <= lr:
            raise ValueError(f"Learning rate should be >= 0 but is: {lr}")
        if not 0.0 <= momentum:
            raise ValueError(f"momentum should be >= 0 but is: {momentum}")
        if not 0.0 <= weight_decay:
            raise ValueError(f"weight decay should be >= 0 but is: {weight_decay}")
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                if p.ndim != 2:
                    raise ValueError(
                        f"Muon only supports 2D parameters whereas we found a parameter with size: {p.size()}"
                    )

    def _update(self, p: Any, g: Any, param: Tensor, group: dict[str, Any]) -> None:
        if p.dtype.kind == "c":
            raise RuntimeError("Muon does not support complex parameters")
        state = self.state[param]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = wrap(g * 0)
        buf, mu, lr = state["momentum_buffer"]._array, group["momentum"], number(group["lr"])
        buf += (g - buf) * (1 - mu)
        direction = g + (buf - g) * mu if group["nesterov"] else buf
        step = orthogonal(direction, group["ns_coefficients"], group["ns_steps"], group["eps"])
        p *= 1 - lr * group["weight_decay"]
        p -= step * (lr * _ratio(p.shape, group["adjust_lr_fn"]))


def orthogonal(g: Any, coefficients: tuple[float, float, float], steps: int, eps: float) -> Any:
    """U V^T of a matrix U S V^T, about: its singular values become 0.7 to 1.2 by Newton and Schulz's iteration."""
    if steps >= 100:
        raise ValueError("Number of steps must be less than 100 for computational efficiency")
    if len(coefficients) != 3:
        raise ValueError("Coefficients must be a tuple of exactly 3 values")
    import numpy as np

    a, b, c = coefficients
    tall = g.shape[0] > g.shape[1]
    x = g.T if tall else g
    x = x / max(float(np.linalg.norm(x)), eps)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.T if tall else x


def _ratio(shape: tuple[int, int], adjust: str | None) -> float:
    if adjust == "match_rms_adamw":
        return 0.2 * math.sqrt(max(shape))
    return math.sqrt(max(1, shape[0] / shape[1]))
