"""Kin of Adam: Adamax (Kingma and Ba, ICLR 2015), NAdam (Dozat, 2016), RAdam (Liu et al., ICLR 2020), SparseAdam."""

from __future__ import annotations

from typing import Any, ClassVar

from ..core.tensor import Tensor
from ..kernels import updates
from .optimizer import (
    Closure,
    Optimizer,
    Stepwise,
    advance,
    check_adam,
    check_options,
    check_positive,
    check_rate,
    decayed,
    number,
    real,
    scalar,
    zeros_like,
)


class Adamax(Stepwise):
    """Adam with the running maximum of |g| in place of the root of the mean square."""

    def __init__(
        self,
        params: Any,
        lr: Any = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_adam(lr, betas, eps, weight_decay)
        check_options("Adamax", differentiable, foreach, capturable=capturable)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _start(self, p: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        state["step"] = scalar()
        state["exp_avg"] = zeros_like(p)
        state["exp_inf"] = zeros_like(p)

    def _update(self, p: Any, g: Any, param: Tensor, group: dict[str, Any]) -> None:
        state = self.state[param]
        step = advance(state)
        b1, b2 = group["betas"]
        g = decayed(p, g, group["weight_decay"])
        arrays = (p, g, state["exp_avg"]._array, state["exp_inf"]._array)
        rate = number(group["lr"]) / (1 - b1**step)
        updates.blockwise(updates.adamax, tuple(map(real, arrays)), (1 - b1, b2, group["eps"], rate))


class _Means(Stepwise):
    """What keeps Adam's two running means."""

    _later: ClassVar[dict[str, Any]] = {**Stepwise._later, "decoupled_weight_decay": False}

    def _start(self, p: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        state["step"] = scalar()
        state["exp_avg"] = zeros_like(p)
        state["exp_avg_sq"] = zeros_like(p)

    def _arrays(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> tuple[Any, ...]:
        """Parameter and gradient after weight decay, and the means."""
        decay = group["weight_decay"]
        if decay != 0 and group["decoupled_weight_decay"]:
            p *= 1 - number(group["lr"]) * decay
        else:
            g = decayed(p, g, decay)
        return tuple(map(real, (p, g, state["exp_avg"]._array, state["exp_avg_sq"]._array)))


class NAdam(_Means):
    """Adam with Nesterov's momentum."""

    def __init__(
        self,
        params: Any,
        lr: Any = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_adam(lr, betas, eps, weight_decay)
        check_positive(momentum_decay=momentum_decay)
        check_options("NAdam", differentiable, foreach, capturable=capturable)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for found in self.state.values():
            if "mu_product" in found and not isinstance(found["mu_product"], Tensor):
                found["mu_product"] = scalar(found["mu_product"])

    def _start(self, p: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        state["step"] = scalar()
        state["mu_product"] = scalar(1.0)
        state["exp_avg"] = zeros_like(p)
        state["exp_avg_sq"] = zeros_like(p)

    def _update(self, p: Any, g: Any, param: Tensor, group: dict[str, Any]) -> None:
        state = self.state[param]
        step = advance(state)
        lr, (b1, b2), decay = number(group["lr"]), group["betas"], group["momentum_decay"]
        mu = b1 * (1.0 - 0.5 * 0.96 ** (step * decay))
        following = b1 * (1.0 - 0.5 * 0.96 ** ((step + 1) * decay))
        product = state["mu_product"]._array
        product *= mu
        of_g = lr * (1.0 - mu) / (1.0 - product.item())
        of_m = lr * following / (1.0 - product.item() * following)
        constants = (1 - b1, b2, 1 - b2, 1 - b2**step, group["eps"], of_g, of_m)
        updates.blockwise(updates.nadam, self._arrays(p, g, state, group), constants)


class RAdam(_Means):
    """Adam that takes plain steps until the variance of its step size is bounded, and then scales for it."""

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_adam(lr, betas, eps, weight_decay)
        check_options("RAdam", differentiable, foreach, capturable=capturable)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _update(self, p: Any, g: Any, param: Tensor, group: dict[str, Any]) -> None:
        state = self.state[param]
        step = advance(state)
        lr, (b1, b2) = number(group["lr"]), group["betas"]
        arrays = self._arrays(p, g, state, group)
        means = (1 - b1, b2, 1 - b2, 1 - b1**step, lr)
        left = 1 - b2**step
        longest = 2 / (1 - b2) - 1
        length = longest - 2 * step * b2**step / left  # of the simple moving average that has this variance
        if length > 5.0:
            above, below = (length - 4) * (length - 2) * longest, (longest - 4) * (longest - 2) * length
            rectified = (above / below) ** 0.5
            updates.blockwise(updates.radam, arrays, (*means, left**0.5, group["eps"], rectified))
        else:
            updates.blockwise(updates.mean_step, arrays, means)


class SparseAdam(Optimizer):
    """Adam for sparse gradients. There are none here, so that a step is refused: use Adam."""

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        check_rate(lr)
        if not 0.0 < lr:
            raise ValueError(f"Invalid learning rate: {lr}")
        if not 0.0 < eps:
            raise ValueError(f"Invalid epsilon value: {eps}")
        check_adam(lr, betas, eps)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})
        places = [
            [i, j] for i, group in enumerate(self.param_groups) for j, p in enumerate(group["params"]) if p.is_complex()
        ]
        if places:
            raise ValueError(f"Complex params at indices {places}: SparseAdam does not support complex parameters")

    def step(self, closure: Closure = None) -> Any:
        """Refused if there is a gradient, since none is sparse."""
        from ..core.modes import enable_grad

        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        if any(p.grad is not None for group in self.param_groups for p in group["params"]):
            raise RuntimeError("SparseAdam does not support dense gradients, please consider Adam instead")
        return loss
