"""`torch.nn.grad`: the gradients of convolutions as functions."""

from __future__ import annotations

from typing import Any

from ..autograd import grad
from ..core.modes import enable_grad
from . import functional as F

__all__ = ["conv1d_input", "conv1d_weight", "conv2d_input", "conv2d_weight", "conv3d_input", "conv3d_weight"]


def _pull(conv: Any, x: Any, weight: Any, wanted: int, g: Any, *options: Any) -> Any:
    again = x.requires_grad or weight.requires_grad or g.requires_grad
    with enable_grad():
        both = [x, weight]
        both[wanted] = both[wanted].detach().requires_grad_()
        y = conv(*both, None, *options)
    return grad(y, both[wanted], g, create_graph=again)[0]


def _pair(n: int) -> tuple[Any, Any]:
    conv = getattr(F, f"conv{n}d")

    def input(
        input_size: Any,
        weight: Any,
        grad_output: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Any:
        blank = weight.detach().new_zeros(tuple(input_size))
        return _pull(conv, blank, weight, 0, grad_output, stride, padding, dilation, groups)

    def weight(
        input: Any,
        weight_size: Any,
        grad_output: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Any:
        blank = input.detach().new_zeros(tuple(weight_size))
        return _pull(conv, input, blank, 1, grad_output, stride, padding, dilation, groups)

    for function, what in ((input, "input"), (weight, "weight")):
        function.__name__ = function.__qualname__ = f"conv{n}d_{what}"
        function.__doc__ = f"The gradient of `conv{n}d` with respect to its {what}, given that of its output."
    return input, weight


conv1d_input, conv1d_weight = _pair(1)
conv2d_input, conv2d_weight = _pair(2)
conv3d_input, conv3d_weight = _pair(3)
