"""Stochastic gradient descent, with momentum as in Sutskever et al. (ICML 2013)."""

from __future__ import annotations

from typing import Any, ClassVar

from ..core.tensor import wrap
from ..kernels import updates
from .optimizer import Stepwise, check_options, check_positive, check_rate, decayed, number


class SGD(Stepwise):
    """p <- p - lr * b, where b is the gradient, or with momentum b <- momentum * b + (1 - dampening) * gradient."""

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: Any = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_rate(lr)
        check_positive(momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        check_options("SGD", differentiable, foreach, fused)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    _later: ClassVar[dict[str, Any]] = {
        "nesterov": False,
        "maximize": False,
        "foreach": None,
        "differentiable": False,
        "fused": False,
    }
    _stateful = False

    def _update(self, p: Any, g: Any, param: Any, group: dict[str, Any]) -> None:
        lr, mu = number(group["lr"]), group["momentum"]
        g = decayed(p, g, group["weight_decay"])
        if mu == 0:
            updates.descend_by(p, g, lr)
            return
        state = self.state[param]
        buf = state.get("momentum_buffer")
        if buf is not None:
            update = updates.nesterov if group["nesterov"] else updates.momentum
            updates.blockwise(update, (p, g, buf._array), (mu, 1 - group["dampening"], lr))
            return
        state["momentum_buffer"] = wrap(g.copy(order="K"))
        if group["nesterov"]:
            g = g + mu * g
        updates.descend_by(p, g, lr)
