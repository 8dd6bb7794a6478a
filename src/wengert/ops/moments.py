"""Variances and standard deviations, logarithms of sums of exponentials. Means are in `reductions`, norms in `linalg_norms`."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.op import Array, composite, general
from ..kernels import sums
from ..kernels.rounding import is_half
from .reductions import averaged, axes_for, count, floating, mean_dim, spread

__all__ = ["logsumexp", "std", "std_mean", "var", "var_mean"]


# -- logarithms of sums, norms, moments --------------------------------------------------------------------------


@general(
    "logsumexp",
    input=lambda g, input, out, dim, keepdim: _lse_back(g, input, out, dim, keepdim),
    out=True,
    tex=r"\log \sum_{{{dim}}} e^{{{input}}}",
)
def logsumexp(input: Array, dim: Any, keepdim: bool = False) -> Any:
    """`log(sum(exp(input)))` along `dim`, without overflow."""
    if input.dtype.kind in "iub":
        input = input.astype(dtypes.get_default_dtype().np)
    if is_half(input.dtype):
        return logsumexp.op.forward(input.astype(np.float32), dim, keepdim).astype(input.dtype)
    axes = axes_for(dim, input.ndim)
    if input.size == 0:
        return np.log(np.add.reduce(np.exp(input), axis=axes, keepdims=keepdim))
    high = np.maximum.reduce(input.real, axis=axes, keepdims=True)
    high = np.where(np.isfinite(high), high, 0)
    out = np.log(sums.add(np.exp(input - high), axes, True)) + high
    out = out.astype(input.dtype, copy=False)
    return out if keepdim else out.squeeze(axes)


def _lse_back(g: Any, input: Any, out: Any, dim: Any, keepdim: bool) -> Any:
    from .pointwise import exp

    shape = tuple(input.shape)
    return spread(g, shape, dim, keepdim) * exp(input - spread(out, shape, dim, keepdim)).conjugate()


@general(
    "var_rows",
    input=lambda g, input, dim, keepdim, correction: _var_back(g, input, dim, keepdim, correction),
    node="VarBackward0",
    method=False,
    tex=r"\operatorname{{var}} {input}",
)
def var_rows(input: Array, dim: Any, correction: Any, keepdim: bool) -> Any:
    """Variances with `correction` degrees of freedom taken off."""
    floating("var", input, None)
    if is_half(input.dtype):
        return var_rows.op.forward(input.astype(np.float32), dim, correction, keepdim).astype(input.dtype)
    axes = axes_for(dim, input.ndim)
    away = input - np.mean(input, axis=axes, keepdims=True)
    square = (away * away.conj()).real if input.dtype.kind == "c" else away * away
    total = sums.add(square, axes, keepdim)
    n = _freedom(input.shape, dim, correction)
    return total / total.dtype.type(n)


def _freedom(shape: tuple[int, ...], dim: Any, correction: Any) -> float:
    # No degree of freedom left: the variance is NaN, and so is its gradient.
    n = builtins.max(count(shape, dim) - correction, 0)
    return float("nan") if n == 0 and count(shape, dim) <= correction else n


def _moment_arguments(dim: Any, unbiased: Any, correction: Any) -> tuple[Any, Any]:
    if isinstance(dim, bool):  # var(x, unbiased)
        dim, unbiased = None, dim
    if correction is None:
        correction = 1 if unbiased is None or unbiased else 0
    return dim, correction


@composite("var", out=True)
def var(input: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None) -> Any:
    """Variance; `correction` (1 by default, Bessel's) is taken off the count."""
    dim, correction = _moment_arguments(dim, unbiased, correction)
    return var_rows(input, dim, correction, keepdim)


@composite("std", out=True)
def std(input: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None) -> Any:
    """Standard deviation. Where it is zero its derivative is taken as zero."""
    dim, correction = _moment_arguments(dim, unbiased, correction)
    return root(var_rows(input, dim, correction, keepdim))


@general(
    "root",
    input=lambda g, out: _root_back(g, out),
    method=False,
    node="StdBackward0",
    tex=r"\sqrt{{{input}}}",
    domain="0 at 0",
)
def root(input: Array) -> Any:
    """A square root whose derivative at 0 is taken as 0."""
    return np.sqrt(input)


def _root_back(g: Any, out: Any) -> Any:
    from .choosing import where

    zero = out == 0
    return where(zero, 0.0, g / (2 * where(zero, 1.0, out)))


def _var_back(g: Any, input: Any, dim: Any, keepdim: bool, correction: Any) -> Any:
    shape = tuple(input.shape)
    return spread(g * (2 / _freedom(shape, dim, correction)), shape, dim, keepdim) * (
        input - mean_dim(input, dim, True)
    )


def _mean_back(g: Any, shape: tuple[int, ...], dim: Any, keepdim: bool) -> Any:
    return spread(g / count(shape, dim), shape, dim, keepdim)


@general(
    "var_mean_rows",
    outputs="var, mean",
    named=False,
    input=lambda g_var, g_mean, input, dim, keepdim, correction: (
        _var_back(g_var, input, dim, keepdim, correction) + _mean_back(g_mean, tuple(input.shape), dim, keepdim)
    ),
    node="VarMeanBackward0",
    method=False,
)
def var_mean_rows(input: Array, dim: Any, correction: Any, keepdim: bool) -> Any:
    """Variances, with `correction` degrees of freedom taken off, and means."""
    return var_rows(input, dim, correction, keepdim), averaged(input, dim, keepdim, None)


@composite("var_mean")
def var_mean(
    input: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None
) -> Any:
    """`(variance, mean)`."""
    dim, correction = _moment_arguments(dim, unbiased, correction)
    return var_mean_rows(input, dim, correction, keepdim)


@general(
    "std_mean_rows",
    outputs="std, mean",
    named=False,
    input=lambda g_std, g_mean, input, std, dim, keepdim, correction: (
        _var_back(_root_back(g_std, std), input, dim, keepdim, correction)
        + _mean_back(g_mean, tuple(input.shape), dim, keepdim)
    ),
    node="StdMeanBackward0",
    method=False,
    domain="0 where the deviation is 0",
)
def std_mean_rows(input: Array, dim: Any, correction: Any, keepdim: bool) -> Any:
    """Standard deviations, with `correction` degrees of freedom taken off, and means."""
    return np.sqrt(var_rows(input, dim, correction, keepdim)), averaged(input, dim, keepdim, None)


@composite("std_mean")
def std_mean(
    input: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None
) -> Any:
    """`(standard deviation, mean)`."""
    dim, correction = _moment_arguments(dim, unbiased, correction)
    return std_mean_rows(input, dim, correction, keepdim)
