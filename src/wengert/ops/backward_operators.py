"""The gradients of activations as operators: `torch.ops.aten.silu_backward(grad_output, self)` is the rule of the row `silu`.

States no formula. What follows the two tensors are the row's options, in PyTorch's order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..core.op import TABLE
from .complex import conj

__all__: list[str] = []  # shown by `ops.aten` alone

# Those whose arguments PyTorch orders as the rule does: the gradient, what was saved, the options.
_ROWS = frozenset((
    "gelu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "logit", "mish", "sigmoid", "silu",
    "softplus", "softshrink", "tanh", "threshold",
))  # fmt: skip
_MAY_BE_LEFT_OUT = {"approximate": "none", "eps": None}


def operator(name: str) -> Callable[..., Any] | None:
    """The operator of this name, `silu_backward`, if there is one."""
    of = name.removesuffix("_backward")
    if of == name or of not in _ROWS:
        return None
    rule = TABLE[of].rules["input"]
    saved, *options = (n for n in rule.names if n != "g")

    def backward(grad_output: Any, self: Any, *given: Any, **named: Any) -> Any:
        values = list(
            given[: len(options)]
        )  # beyond them: a flag whether `self` is the result, which has the same sign
        for option in options[len(given) :]:
            if option not in named and option not in _MAY_BE_LEFT_OUT:
                raise RuntimeError(f"aten::{name}() is missing value for argument '{option}'.")
            values.append(named.get(option, _MAY_BE_LEFT_OUT.get(option)))
        if rule.takes_g:
            return rule.fn(grad_output, self, *values)
        return grad_output * conj(rule.fn(self, *values))

    backward.__name__ = backward.__qualname__ = name
    backward.__doc__ = (
        f"The gradient of {of}, from that of its result and its {'result' if saved == 'out' else 'argument'}."
    )
    return backward
