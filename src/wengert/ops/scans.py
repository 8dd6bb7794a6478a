"""Running sums, products, extrema and logarithms of sums along a dimension."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.op import Array, general, linear
from .arranging import flip
from .complex import _is_complex as is_complex
from .gathering import gather, gather_back
from .shared import wrap_dim

__all__ = ["cummax", "cummin", "cumprod", "cumsum", "logcumsumexp"]


def _typed(input: Any, dtype: Any) -> Any:
    if dtype is not None:
        return dtypes.as_dtype(dtype).np
    return np.dtype(np.int64) if input.dtype.kind in "iub" else input.dtype


@linear("cumsum", input=lambda g, dim: back_sum(g, dim), out=True, inplace=True)
def cumsum(input: Array, dim: int, *, dtype: Any = None) -> Any:
    """Running sums along `dim`."""
    d = wrap_dim(dim, input.ndim)
    if input.ndim == 0:
        return input.astype(_typed(input, dtype))
    return np.add.accumulate(input, axis=d, dtype=_typed(input, dtype))


def back_sum(g: Any, dim: int) -> Any:
    """Running sums from the end."""
    return g if g.ndim == 0 else flip(cumsum(flip(g, (dim,)), dim), (dim,))


@general("cumprod", input=lambda g, input, out, dim: _cumprod_back(g, input, out, dim), out=True, inplace=True)
def cumprod(input: Array, dim: int, *, dtype: Any = None) -> Any:
    """Running products along `dim`."""
    d = wrap_dim(dim, input.ndim)
    if input.ndim == 0:
        return input.astype(_typed(input, dtype))
    return np.multiply.accumulate(input, axis=d, dtype=_typed(input, dtype))


def _cumprod_back(g: Any, input: Any, out: Any, dim: int) -> Any:
    """Element k of the input enters out[i], i >= k, times the product of the others up to i: exact at zeros.

    Written as a recurrence from the end, s[k] = g[k] + input[k+1] * s[k+1], times the product before k.
    """
    from .joining import stack
    from .shape import select

    if input.ndim == 0:
        return g
    n = input.shape[dim]
    if n == 0:
        return g
    x = input.conjugate()
    sums = [select(g, dim, n - 1)]
    for k in range(n - 2, -1, -1):
        sums.append(select(g, dim, k) + select(x, dim, k + 1) * sums[-1])
    sums.reverse()
    one = select(x, dim, 0) * 0 + 1
    before = [one] + [select(out.conjugate(), dim, k) for k in range(n - 1)]
    return stack([b * s for b, s in zip(before, sums, strict=True)], dim % input.ndim)


# -- running extrema ---------------------------------------------------------------------------------------------


def _running(name: str, ufunc: Any) -> Any:
    def row(input: Array, dim: int) -> Any:
        if input.dtype.kind == "c":
            raise NotImplementedError(f"\"{name}_cpu\" not implemented for '{dtypes.of(input.dtype).tensor_type}'")
        d = wrap_dim(dim, input.ndim)
        if not input.ndim:
            return input.copy(), np.zeros((), np.int64)
        values = ufunc.accumulate(input, axis=d)
        hit = input == values
        if input.dtype.kind == "f":
            hit |= np.isnan(input)
        places = np.arange(input.shape[d]).reshape((-1,) + (1,) * (input.ndim - 1 - d))
        return values, np.maximum.accumulate(np.where(hit, places, 0), axis=d)

    row.__doc__ = f"`(values, indices)` of the running {name[3:]}imum along `dim`."
    return general(
        name,
        row,
        outputs="values, indices*",
        input=lambda g, indices, input_shape, dim: gather_back(g, indices, input_shape, dim),
        jvp=lambda t_input, indices, dim: gather(t_input, dim, indices),
        out=True,
        domain="at ties the last",
    )


cummax = _running("cummax", np.maximum)
cummin = _running("cummin", np.minimum)

# -- logarithms of running sums ----------------------------------------------------------------------------------


def _log_add(a: Any, b: Any) -> Any:
    """`log(exp(a) + exp(b))` of complex numbers, from the larger real part."""
    low, high = np.where(a.real < b.real, a, b), np.where(a.real < b.real, b, a)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = high + np.log1p(np.exp(low - high))
    return np.where(np.isneginf(low.real) | np.isneginf(high.real), high, total)


@general(
    "logcumsumexp",
    input=lambda g, input, out, dim: _logcumsumexp_back(g, input, out, dim),
    out=True,
    tex=r"\log \sum_{{k \le i}} e^{{{input}_k}}",
)
def logcumsumexp(input: Array, dim: int) -> Any:
    """`log(cumsum(exp(input)))` along `dim`, without overflow."""
    d = wrap_dim(dim, input.ndim)
    if input.dtype.kind not in "fc":
        raise NotImplementedError(
            f"\"logcumsumexp_out_cpu\" not implemented for '{dtypes.of(input.dtype).tensor_type}'"
        )
    if not input.ndim or not input.size:
        return input.copy()
    if input.dtype.kind == "f":
        return np.logaddexp.accumulate(input, axis=d)
    result = np.array(input)
    moved = np.moveaxis(result, d, 0)
    for k in range(1, len(moved)):
        moved[k] = _log_add(moved[k - 1], moved[k])
    return result


def _logcumsumexp_back(g: Any, input: Any, out: Any, dim: int) -> Any:
    """Sums from the end of `g_i exp(x_j - out_i)`, in logarithms; positive and negative `g` apart."""
    from .pointwise import exp, log, where

    if not input.ndim:
        return g

    def part(g: Any) -> Any:
        logs = where(g == 0, -math.inf, log(where(g == 0, 1.0, g)))
        return exp(flip(logcumsumexp(flip(logs - out, (dim,)), dim), (dim,)) + input)

    if is_complex(g):
        return part(g.conjugate()).conjugate()
    return part(where(g > 0, g, 0.0)) - part(where(g < 0, -g, 0.0))
