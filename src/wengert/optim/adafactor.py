"""Adafactor (Shazeer and Stern, ICML 2018): the mean square of a matrix of gradients kept as a row and a column."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ..core.tensor import Tensor, wrap
from .optimizer import Stepwise, advance, check_options, number, scalar, zeros_like


class Adafactor(Stepwise):
    """Steps relative to the size of the parameter, divided by the root of a factored running mean of the square."""

    _later: ClassVar[dict[str, Any]] = {"foreach": None}

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if not 0.0 <= lr:
            raise ValueError(f"Learning rate should be >= 0 but is: {lr}")
        if not 0.0 >= beta2_decay:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        if eps[0] is not None and not 0.0 <= eps[0]:
            raise ValueError(f"epsilon1 should be >= 0 but is: {eps[0]}")
        if not 0.0 <= eps[1]:
            raise ValueError(f"epsilon2 should be >= 0 but is: {eps[1]}")
        if not 1.0 <= d:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        if not 0.0 <= weight_decay:
            raise ValueError(f"weight_decay should be >= 0 but is: {weight_decay}")
        check_options("Adafactor", False, foreach)
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _start(self, p: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        if p.is_complex():
            raise RuntimeError("Adafactor does not support complex parameters")
        state["step"] = scalar()
        shape, dtype = p._array.shape, p._array.dtype
        if len(shape) > 1:
            state["row_var"] = wrap(np.zeros((*shape[:-1], 1), dtype))
            state["col_var"] = wrap(np.zeros((*shape[:-2], 1, shape[-1]), dtype))
        else:
            state["variance"] = zeros_like(p)

    def _update(self, p: Any, g: Any, param: Tensor, group: dict[str, Any]) -> None:
        state = self.state[param]
        step = advance(state)
        lr, (eps1, eps2) = number(group["lr"]), group["eps"]
        if eps1 is None:
            eps1 = float(np.finfo(p.dtype).eps)
        w = step ** group["beta2_decay"]
        alpha = max(eps2, _size(p)) * min(lr, 1 / step**0.5)
        if group["weight_decay"] != 0:
            p *= 1 - lr * group["weight_decay"]
        if g.ndim > 1:
            rows, columns = state["row_var"]._array, state["col_var"]._array
            rows += w * (np.mean(g * g, axis=-1, keepdims=True) - rows)
            columns += w * (np.mean(g * g, axis=-2, keepdims=True) - columns)
            variance = rows @ columns / np.maximum(rows.mean(axis=-2, keepdims=True), p.dtype.type(eps1))
        else:
            mean = state["variance"]._array
            mean += w * (g * g - mean)
            variance = mean
        update = g / np.sqrt(np.maximum(variance, p.dtype.type(eps1 * eps1)))
        p -= alpha / max(1.0, _size(update) / group["d"]) * update


def _size(x: Any) -> float:
    """Root mean square."""
    return float(np.linalg.norm(x.reshape(-1))) / x.size**0.5 if x.size else 0.0
