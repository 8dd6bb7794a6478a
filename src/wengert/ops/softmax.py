"""The softmax family."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes
from ..core.op import Array, composite, general
from .pointwise import exp
from .reductions import sum_dim
from .shared import wrap_dim

__all__ = ["log_softmax", "softmax"]


def _shifted(input: Any, dim: int) -> tuple[Any, int]:
    d = wrap_dim(dim, input.ndim)
    if input.dtype.kind not in "fc":
        raise NotImplementedError(
            f"\"softmax_lastdim_kernel_impl\" not implemented for '{dtypes.of(input.dtype).tensor_type}'"
        )
    if input.ndim == 0 or input.size == 0:
        return input - input, d
    return input - np.maximum.reduce(input, axis=d, keepdims=True), d


@general(
    "softmax_rows",
    input=lambda g, out, dim: out * (g - sum_dim(g * out, dim, True)),
    jvp=lambda out, t_input, dim: out * (t_input - sum_dim(t_input * out, dim, True)),
    node="SoftmaxBackward0",
    method=False,
    tex=r"\operatorname{{softmax}} {input}",
)
def softmax_rows(input: Array, dim: int) -> Any:
    """Exponentials that sum to 1 along `dim`."""
    e, d = _shifted(input, dim)
    if not isinstance(e, np.ndarray) or e.ndim == 0:
        return np.ones_like(input)
    np.exp(e, out=e)
    e /= np.add.reduce(e, axis=d, keepdims=True)
    return e


@general(
    "log_softmax_rows",
    input=lambda g, out, dim: g - exp(out) * sum_dim(g, dim, True),
    jvp=lambda out, t_input, dim: t_input - sum_dim(t_input * exp(out), dim, True),
    node="LogSoftmaxBackward0",
    method=False,
    tex=r"\log \operatorname{{softmax}} {input}",
)
def log_softmax_rows(input: Array, dim: int) -> Any:
    """Logarithms of `softmax`."""
    e, d = _shifted(input, dim)
    if not isinstance(e, np.ndarray) or e.ndim == 0:
        return np.zeros_like(input)
    e -= np.log(np.add.reduce(np.exp(e), axis=d, keepdims=True))
    return e


def default_dim(name: str, ndim: int) -> int:
    """PyTorch's old choice where no dimension was given, with its warning."""
    import warnings

    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.",
        UserWarning,
        stacklevel=3,
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
