"""Adam (Kingma and Ba, ICLR 2015), AMSGrad (Reddi et al., ICLR 2018) and AdamW (Loshchilov and Hutter, ICLR 2019)."""

from __future__ import annotations

from typing import Any, ClassVar

from ..core.tensor import Tensor
from ..kernels import updates
from .optimizer import Stepwise, advance, check_adam, check_options, decayed, number, real, scalar, zeros_like


class Adam(Stepwise):
    """Steps by the running mean of the gradient over the root of the running mean of its square."""

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple[Any, Any] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        if isinstance(lr, Tensor):
            if foreach and not capturable:
                raise ValueError("lr as a Tensor is not supported for capturable=False and foreach=True")
            if lr.numel() != 1:
                raise ValueError("Tensor lr must be 1-element")
        check_adam(lr, betas, eps, weight_decay)
        tensors = [isinstance(b, Tensor) for b in betas]
        if not (all(tensors) or all(isinstance(b, float) for b in betas)):
            raise ValueError("betas must be either both floats or both Tensors")
        for i, b in enumerate(betas):
            if tensors[i]:
                if not capturable and foreach:
                    raise ValueError(f"betas[{i}] as a Tensor is not supported for capturable=False and foreach=True")
                if b.numel() != 1:
                    raise ValueError(f"Tensor betas[{i}] must be 1-element")
        check_options(type(self).__name__, differentiable, foreach, fused, capturable)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    _later: ClassVar[dict[str, Any]] = {
        **Stepwise._later,
        "amsgrad": False,
        "decoupled_weight_decay": False,
        "fused": None,
    }

    def _start(self, p: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        state["step"] = scalar()
        state["exp_avg"] = zeros_like(p)
        state["exp_avg_sq"] = zeros_like(p)
        if group["amsgrad"]:
            state["max_exp_avg_sq"] = zeros_like(p)

    def _update(self, p: Any, g: Any, param: Any, group: dict[str, Any]) -> None:
        state = self.state[param]
        step = advance(state)
        lr, decay = number(group["lr"]), group["weight_decay"]
        b1, b2 = map(number, group["betas"])
        if decay != 0 and group["decoupled_weight_decay"]:
            p *= 1 - lr * decay
        else:
            g = decayed(p, g, decay)
        arrays = [p, g, state["exp_avg"]._array, state["exp_avg_sq"]._array]
        if group["amsgrad"]:
            arrays.append(state["max_exp_avg_sq"]._array)
        root, rate = (1 - b2**step) ** 0.5, lr / (1 - b1**step)
        update = updates.amsgrad if group["amsgrad"] else updates.adam
        updates.blockwise(update, tuple(map(real, arrays)), (1 - b1, b2, 1 - b2, root, group["eps"], rate))


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameters themselves and stays out of the running means."""

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple[Any, Any] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True
