"""Step sizes for each element: Adagrad, Adadelta, RMSprop and Rprop; and averaged SGD.

Sources: Duchi, Hazan and Singer (JMLR 2011); Zeiler (arXiv 1212.5701); Tieleman and Hinton (2012), centred as in Graves
(arXiv 1308.0850); Riedmiller and Braun (ICNN 1993); Polyak and Juditsky (SIAM J. Control Optim. 1992).
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ..core.tensor import Tensor, wrap
from ..kernels import updates
from .optimizer import (
    Stepwise,
    advance,
    check_options,
    check_positive,
    check_rate,
    decayed,
    number,
    real,
    scalar,
    zeros_like,
)


def _full_like(p: Tensor, value: float) -> Tensor:
    """`value` everywhere; for a complex `p` in both parts."""
    fill = complex(value, value) if p.is_complex() else value
    return wrap(np.full_like(p._array, fill))


class Adagrad(Stepwise):
    """p <- p - lr / (1 + (t - 1) lr_decay) g / (sqrt(sum of g g so far) + eps)."""

    _later: ClassVar[dict[str, Any]] = {
        "foreach": None,
        "maximize": False,
        "differentiable": False,
        "fused": None,
    }

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_rate(lr)
        check_positive(
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            epsilon=eps,
        )
        check_options("Adagrad", differentiable, foreach, fused)
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                self._start(p, self.state[p], group)

    def share_memory(self) -> None:
        """Refused: state is not shared between processes here."""
        raise NotImplementedError(
            "Adagrad.share_memory(): tensors cannot be moved to shared memory. Pass them between processes with "
            "multiprocessing's queues or pipes instead."
        )

    def _start(self, p: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        state["step"] = scalar()
        state["sum"] = _full_like(p, self.defaults["initial_accumulator_value"])

    def _update(self, p: Any, g: Any, param: Tensor, group: dict[str, Any]) -> None:
        state = self.state[param]
        step = advance(state)
        g = decayed(p, g, group["weight_decay"])
        rate = number(group["lr"]) / (1 + (step - 1) * group["lr_decay"])
        updates.blockwise(updates.adagrad, tuple(map(real, (p, g, state["sum"]._array))), (group["eps"], rate))


class Adadelta(Stepwise):
    """p <- p - lr d with d = sqrt(mean of d d) / sqrt(mean of g g) g, the means running."""

    def __init__(
        self,
        params: Any,
        lr: Any = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_rate(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        check_positive(epsilon=eps, weight_decay=weight_decay)
        check_options("Adadelta", differentiable, foreach, capturable=capturable)
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _start(self, p: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        state["step"] = scalar()
        state["square_avg"] = zeros_like(p)
        state["acc_delta"] = zeros_like(p)

    def _update(self, p: Any, g: Any, param: Tensor, group: dict[str, Any]) -> None:
        state = self.state[param]
        advance(state)
        g = decayed(p, g, group["weight_decay"])
        arrays = (p, g, state["square_avg"]._array, state["acc_delta"]._array)
        rho = group["rho"]
        updates.blockwise(updates.adadelta, tuple(map(real, arrays)), (rho, 1 - rho, group["eps"], number(group["lr"])))


class RMSprop(Stepwise):
    """p <- p - lr g / (sqrt(v) + eps), v the running mean of g g, less the square of that of g if `centered`."""

    _later: ClassVar[dict[str, Any]] = {**Stepwise._later, "momentum": 0, "centered": False}

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_rate(lr)
        check_positive(epsilon=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        check_options("RMSprop", differentiable, foreach, capturable=capturable)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _start(self, p: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        state["step"] = scalar()
        state["square_avg"] = zeros_like(p)
        if group["momentum"] > 0:
            state["momentum_buffer"] = zeros_like(p)
        if group["centered"]:
            state["grad_avg"] = zeros_like(p)

    def _update(self, p: Any, g: Any, param: Tensor, group: dict[str, Any]) -> None:
        state = self.state[param]
        advance(state)
        lr, alpha, eps, mu = number(group["lr"]), group["alpha"], group["eps"], group["momentum"]
        g = decayed(p, g, group["weight_decay"])
        p, g, v = map(real, (p, g, state["square_avg"]._array))
        if not group["centered"] and mu == 0:
            updates.blockwise(updates.rmsprop, (p, g, v), (alpha, 1 - alpha, eps, lr))
            return
        v *= alpha
        v += g * g * (1 - alpha)
        if group["centered"]:
            mean = real(state["grad_avg"]._array)
            mean += (g - mean) * (1 - alpha)
            over = np.sqrt(v - mean * mean)
        else:
            over = np.sqrt(v)
        over += eps
        if mu > 0:
            buf = real(state["momentum_buffer"]._array)
            buf *= mu
            buf += g / over
            p -= lr * buf
        else:
            p -= lr * (g / over)


class Rprop(Stepwise):
    """Steps by the sign of the gradient, of a size that grows while the sign stays and shrinks when it changes."""

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_rate(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        check_options("Rprop", differentiable, foreach, capturable=capturable)
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _start(self, p: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        state["step"] = scalar()
        state["prev"] = zeros_like(p)
        state["step_size"] = _full_like(p, number(group["lr"]))

    def _update(self, p: Any, g: Any, param: Tensor, group: dict[str, Any]) -> None:
        state = self.state[param]
        advance(state)
        arrays = (p, g, state["prev"]._array, state["step_size"]._array)
        updates.blockwise(updates.rprop, tuple(map(real, arrays)), (*group["etas"], *group["step_sizes"]))


class ASGD(Stepwise):
    """SGD with a decaying rate; `state[p]["ax"]` is the average of the parameters from step `t0` on."""

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_rate(lr)
        check_positive(weight_decay=weight_decay)
        check_options("ASGD", differentiable, foreach, capturable=capturable)
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for p in group["params"]:
                found = self.state.get(p) or {}
                for name in ("eta", "mu"):
                    if name in found and not isinstance(found[name], Tensor):
                        found[name] = scalar(found[name])

    def _start(self, p: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        state["step"] = scalar()
        state["eta"] = scalar(number(group["lr"]))
        state["mu"] = scalar(1.0)
        state["ax"] = zeros_like(p)

    def _update(self, p: Any, g: Any, param: Tensor, group: dict[str, Any]) -> None:
        state = self.state[param]
        step = advance(state)
        lr, lambd = number(group["lr"]), group["lambd"]
        mu, eta, mean = state["mu"]._array, state["eta"]._array, state["ax"]._array
        g = decayed(p, g, group["weight_decay"])
        rate = eta.item()
        updates.blockwise(updates.asgd, (real(p), real(g)), (1 - lambd * rate, rate))
        if mu.item() != 1:
            mean += (p - mean) * mu.item()
        else:
            mean[...] = p
        # Rounded as in PyTorch, also where loading has made the counters double.
        eta[...] = scalar(lr / (1 + lambd * lr * step) ** group["alpha"])._array
        mu[...] = scalar(1 / max(1, step - group["t0"]))._array
