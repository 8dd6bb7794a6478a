"""The softmax family. What computes is `kernels/softmax`."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.batched import drawn, refuse_random
from ..core.blocks import rowwise
from ..core.modes import LOCAL
from ..core.op import Array, composite, general
from ..core.tensor import wrap
from ..kernels import distributions, generator
from ..kernels import softmax as kernel
from .pointwise import exp
from .reductions import sum_dim
from .shared import wrap_dim

__all__ = ["log_softmax", "softmax"]


def _axis(input: Any, dim: int, name: str = "softmax") -> int:
    d = wrap_dim(dim, input.ndim)
    if input.dtype.kind not in "fcV":
        last = "_lastdim" if d == max(input.ndim - 1, 0) else ""
        raise NotImplementedError(
            f"\"{name}{last}_kernel_impl\" not implemented for '{dtypes.of(input.dtype).tensor_type}'"
        )
    return d


def _check_log(input: Any, dim: int) -> None:
    _axis(input, dim, "log_softmax")


@general(
    "softmax_rows",
    input=lambda g, out, dim: softmax_back(g, out, dim),
    jvp=lambda out, t_input, dim: softmax_back(t_input, out, dim),  # the Jacobian is symmetric
    check=_axis,
    node="SoftmaxBackward0",
    method=False,
    tex=r"\operatorname{{softmax}} {input}",
)
def softmax_rows(input: Array, dim: int) -> Any:
    """Exponentials that sum to 1 along `dim`."""
    if input.dtype.kind == "V":
        return softmax_rows.op.forward(input.astype(np.float32), dim).astype(input.dtype)
    return rowwise(kernel.softmax, _axis(input, dim), input)


@general(
    "softmax_back",
    input=lambda g, y, dim: softmax_back(g, y, dim),
    y=lambda g, input, y, dim: g * (input - sum_dim(input * y, dim, True)) - input * sum_dim(g * y, dim, True),
    node="SoftmaxBackwardDataBackward0",
    method=False,
    tex=r"{y} \left({input} - \textstyle\sum {input} {y}\right)",
)
def softmax_back(input: Array, y: Array, dim: int) -> Any:
    """The gradient `input` of `y`, a softmax along `dim`, as that of what it is the softmax of."""
    return rowwise(kernel.softmax_back, _axis(input, dim), input, y)


@general(
    "log_softmax_rows",
    input=lambda g, out, dim: log_softmax_back(g, out, dim),
    jvp=lambda out, t_input, dim: t_input - sum_dim(t_input * exp(out), dim, True),
    check=_check_log,
    node="LogSoftmaxBackward0",
    method=False,
    tex=r"\log \operatorname{{softmax}} {input}",
)
def log_softmax_rows(input: Array, dim: int) -> Any:
    """Logarithms of `softmax`."""
    return rowwise(kernel.log_softmax, _axis(input, dim), input)


@general(
    "log_softmax_back",
    input=lambda g, y, dim: g - sum_dim(g * exp(y), dim, True),
    y=lambda g, input, y, dim: -g * exp(y) * sum_dim(input, dim, True),
    node="LogSoftmaxBackwardDataBackward0",
    method=False,
    tex=r"{input} - e^{{{y}}} \textstyle\sum {input}",
)
def log_softmax_back(input: Array, y: Array, dim: int) -> Any:
    """The gradient `input` of `y`, a log-softmax along `dim`, as that of what it is the log-softmax of."""
    return rowwise(kernel.log_softmax_back, _axis(input, dim), input, y)


def default_dim(name: str, ndim: int, stacklevel: int = 3) -> int:
    """PyTorch's old choice where no dimension was given, with its warning."""
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.",
        UserWarning,
        stacklevel=stacklevel + 1,
    )
    return 0 if ndim in (0, 1, 3) else 1


def _family(name: str, row: Any, sign: int) -> Any:
    def public(input: Any, dim: Any = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
        if dim is None:
            dim = default_dim(name, input.ndim)
        if dtype is not None:
            input = input.to(dtype)
        return row(input if sign > 0 else -input, dim)

    public.__name__ = public.__qualname__ = name
    public.__doc__ = f"{name} along `dim`; computed in `dtype` if one is given."
    return composite(f"nn.functional.{name}", method=False)(public)


_softmax = _family("softmax", softmax_rows, 1)
_log_softmax = _family("log_softmax", log_softmax_rows, 1)
softmin = _family("softmin", softmax_rows, -1)


@composite("softmax", out=True)
def softmax(input: Any, dim: int, dtype: Any = None) -> Any:
    """Exponentials that sum to 1 along `dim`."""
    return softmax_rows(input if dtype is None else input.to(dtype), dim)


@composite("log_softmax", out=True)
def log_softmax(input: Any, dim: int, dtype: Any = None) -> Any:
    """Logarithms of `softmax`."""
    return log_softmax_rows(input if dtype is None else input.to(dtype), dim)


@composite("nn.functional.gumbel_softmax", method=False)
def gumbel_softmax(logits: Any, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Any:
    """A sample of the Gumbel-softmax distribution; `hard` makes it one-hot, with the gradient of the soft one.

    E. Jang et al., 2017.
    """
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    array = logits.detach()._array
    if LOCAL.vmap_levels:
        refuse_random()
    source = generator.default_generator
    draws = drawn(lambda s: distributions.exponential(source, s, array.dtype), tuple(array.shape))
    soft = softmax_rows((logits - wrap(draws).log()) / tau, dim)
    if not hard:
        return soft
    peak = soft.detach()
    index = peak.argmax(dim, keepdim=True)
    one_hot = (peak * 0).scatter(dim, index, 1.0)
    return one_hot - peak + soft
