"""Running sums, products, extrema and logarithms of sums along a dimension."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes
from ..core.op import Array, general, linear
from ..kernels.rounding import is_half
from ..kernels.scans import running_sums
from .arranging import flip
from .gathering import gather, gather_back
from .shared import wrap_dim

__all__ = ["cummax", "cummin", "cumprod", "cumsum", "logcumsumexp"]


def _typed(input: Any, dtype: Any) -> Any:
    if dtype is not None:
        return dtypes.as_dtype(dtype).np
    return np.dtype(np.int64) if input.dtype.kind in "iub" else input.dtype


@linear("cumsum", input=lambda g, dim: back_sum(g, dim), fused=lambda g, dim: _back(g, dim), out=True, inplace=True)
def cumsum(input: Array, dim: int, *, dtype: Any = None) -> Any:
    """Running sums along `dim`."""
    d = wrap_dim(dim, input.ndim)
    if input.ndim == 0:
        return input.astype(_typed(input, dtype))
    if is_half(input.dtype) and dtype is None:
        return np.add.accumulate(input.astype(np.float32), axis=d).astype(input.dtype)
    if input.dtype == _typed(input, dtype):
        return running_sums(input, d)
    return np.add.accumulate(input, axis=d, dtype=_typed(input, dtype))


def _back(g: Any, dim: int) -> tuple[Any]:
    """`back_sum` of a large array in one pass."""
    wide = g.astype(np.float32) if is_half(g.dtype) else g
    return (running_sums(wide, wrap_dim(dim, g.ndim), True).astype(g.dtype, copy=False),)


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
    from .parts import select

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
    input=lambda g, input, out, dim: _weigh_later(g, input.conjugate(), out.conjugate(), dim),
    jvp=lambda t_input, input, out, dim: _weigh_earlier(t_input, input, out, dim),
    out=True,
    tex=r"\log \sum_{{k \le i}} e^{{{input}_k}}",
)
def logcumsumexp(input: Array, dim: int) -> Any:
    """`log(cumsum(exp(input)))` along `dim`, without overflow."""
    d = wrap_dim(dim, input.ndim)
    if input.dtype.kind not in "fcV":
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


def _decaying_sum(terms: Any, exponents: Any, d: int) -> Any:
    """s[k] = terms[k] + exp(exponents[k - 1] - exponents[k]) * s[k - 1] along `d`."""
    terms = np.moveaxis(terms, d, -1)
    exponents = np.moveaxis(exponents, d, -1)
    factors = np.exp(exponents[..., :-1] - exponents[..., 1:])
    result = np.array(np.broadcast_to(terms, np.broadcast_shapes(terms.shape, exponents.shape)), order="C")
    result = result.astype(np.result_type(terms, exponents), copy=False)
    rows, steps = result.reshape(-1, result.shape[-1]).T, factors.reshape(-1, factors.shape[-1]).T
    if rows.shape[1] >= 32:
        for k in range(1, len(rows)):
            rows[k] += steps[k - 1] * rows[k - 1]
        return np.moveaxis(result, -1, d)
    # Few and long: sums of 1, 2, 4 ... terms, each in one stroke.
    width = 1
    while width < len(rows):
        rows[width:] += steps[width - 1 :] * rows[:-width]
        steps = np.concatenate([steps[:width], steps[width:] * steps[:-width]])
        width *= 2
    return np.moveaxis(result, -1, d)


# The two are each other's transpose. Both are sums of `input` with weights exp(logs_j - total_i), which are at most 1 in
# size where `total` are the logarithms of the running sums: nothing overflows.


@general(
    "weigh_later",
    input=lambda g, logs, total, dim: _weigh_earlier(g, logs.conjugate(), total.conjugate(), dim),
    logs=lambda g, out: g * out.conjugate(),
    total=lambda g, input, logs, total, dim: (
        -input.conjugate() * _weigh_earlier(g, logs.conjugate(), total.conjugate(), dim)
    ),
    method=False,
    node="LogcumsumexpBackwardBackward0",
)
def _weigh_later(input: Array, logs: Array, total: Array, dim: int) -> Any:
    """Element j: the sum over i >= j of `input[i] exp(logs[j] - total[i])`."""
    if not input.ndim or not input.size:
        return input * np.exp(logs - total)
    d = wrap_dim(dim, input.ndim)
    back = (slice(None),) * d + (slice(None, None, -1),)
    # The row from its end: element j is exp(logs_j - total_j) times a sum whose terms shrink by exp(total_j - total_(j+1)).
    return np.exp(logs - total) * _decaying_sum(input[back], -total[back], d)[back]


@general(
    "weigh_earlier",
    input=lambda g, logs, total, dim: _weigh_later(g, logs.conjugate(), total.conjugate(), dim),
    logs=lambda g, input, logs, total, dim: (
        input.conjugate() * _weigh_later(g, logs.conjugate(), total.conjugate(), dim)
    ),
    total=lambda g, out: -g * out.conjugate(),
    method=False,
    node="LogcumsumexpBackwardBackward1",
)
def _weigh_earlier(input: Array, logs: Array, total: Array, dim: int) -> Any:
    """Element i: the sum over j <= i of `input[j] exp(logs[j] - total[i])`."""
    if not input.ndim or not input.size:
        return input * np.exp(logs - total)
    return _decaying_sum(input * np.exp(logs - total), total, wrap_dim(dim, input.ndim))
