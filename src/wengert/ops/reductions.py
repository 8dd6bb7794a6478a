"""Reductions: sums, means, products, extrema, norms and moments, over all elements or along dimensions."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.op import Array, composite, general, linear
from ..core.returned import named_result
from ..kernels import sums
from ..kernels.rounding import is_half
from .shape import expand, unsqueeze_dims
from .shared import axes_of, wrap_dim, wrap_dims

__all__ = [
    "all", "amax", "amin", "aminmax", "any", "argmax", "argmin", "count_nonzero", "logsumexp", "max", "mean", "min",
    "nanmean", "nansum", "prod", "std", "std_mean", "sum", "var", "var_mean",
]  # fmt: skip


def spread(g: Any, shape: tuple[int, ...], dim: Any, keepdim: bool) -> Any:
    """Undo a reduction: the same value for every element that was reduced."""
    dims = wrap_dims(dim, len(shape))
    if dims and not keepdim and shape:
        g = unsqueeze_dims(g, dims)
    return expand(g, shape)


def count(shape: tuple[int, ...], dim: Any) -> int:
    """How many elements each result of a reduction is made of."""
    dims = wrap_dims(dim, len(shape))
    n = 1
    for d in dims or range(len(shape)):
        n *= shape[d] if shape else 1
    return n


def _axes(dim: Any, ndim: int) -> Any:
    return axes_of(dim, ndim) or None


def _want(dtype: Any) -> Any:
    return None if dtype is None else dtypes.as_dtype(dtype).np


def _summed(input: Any, dim: Any, keepdim: bool, dtype: Any) -> Any:
    kind = input.dtype.kind
    if dtype is None and (kind == "f" or kind == "c"):
        return sums.add(input, _axes(dim, input.ndim), keepdim)
    want = _want(dtype)
    if want is None and kind in "iubV":
        if input.dtype.kind == "V":
            return _summed(input, dim, keepdim, dtypes.float32).astype(input.dtype)
        want = np.dtype(np.int64)
    return np.add.reduce(input, axis=_axes(dim, input.ndim), keepdims=keepdim, dtype=want)


@linear(
    "sum_all",
    input=lambda g, input_shape: expand(g, input_shape),
    node="SumBackward0",
    method=False,
    tex=r"\sum {input}",
)
def sum_all(input: Array, *, dtype: Any = None) -> Any:
    """The sum of all elements."""
    return _summed(input, None, False, dtype)


@linear(
    "sum",
    input=lambda g, input_shape, dim, keepdim: spread(g, input_shape, dim, keepdim),
    node="SumBackward1",
    method=False,
    tex=r"\sum_{{{dim}}} {input}",
)
def sum_dim(input: Array, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Sums over dimensions."""
    return _summed(input, dim, keepdim, dtype)


@composite("sum", out=True)
def sum(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Sum over `dim` (an int, a tuple, or None for all). Integers and bools are summed as int64."""
    if dim is None and not keepdim:
        return sum_all(input) if dtype is None else sum_all(input, dtype=dtype)
    return sum_dim(input, dim, keepdim) if dtype is None else sum_dim(input, dim, keepdim, dtype=dtype)


def _floating(name: str, input: Any, dtype: Any) -> Any:
    want = _want(dtype)
    kind = (input.dtype if want is None else want).kind
    if kind not in "fcV":
        what = dtypes.of(input.dtype if want is None else want).tensor_type
        whose = "Input" if want is None else "Optional"
        raise RuntimeError(
            f"{name}(): could not infer output dtype. {whose} dtype must be either a floating point or complex dtype. "
            f"Got: {what}"
        )
    return want


def _averaged(input: Any, dim: Any, keepdim: bool, dtype: Any) -> Any:
    want = _floating("mean", input, dtype)
    if is_half(input.dtype) and want is None:
        return _averaged(input, dim, keepdim, dtypes.float32).astype(input.dtype)
    axes = _axes(dim, input.ndim)
    total = sums.add(input, axes, keepdim) if want is None else np.add.reduce(input, axes, want, None, keepdim)
    n = count(input.shape, dim)
    return total / n if n else total / total.dtype.type(0)


def _shared(g: Any, n: int) -> Any:
    """`g / n`, in two steps where `n` is beyond the largest float16 (a power of two changes no digit)."""
    return g / n if n <= 65504 else g / 32768 / (n / 32768)


@linear(
    "mean_all",
    input=lambda g, input_shape: expand(_shared(g, count(input_shape, None)), input_shape),
    node="MeanBackward0",
    method=False,
    tex=r"\operatorname{{mean}} {input}",
)
def mean_all(input: Array, *, dtype: Any = None) -> Any:
    """The mean of all elements."""
    return _averaged(input, None, False, dtype)


@linear(
    "mean",
    input=lambda g, input_shape, dim, keepdim: spread(_shared(g, count(input_shape, dim)), input_shape, dim, keepdim),
    node="MeanBackward1",
    method=False,
    tex=r"\operatorname{{mean}}_{{{dim}}} {input}",
)
def mean_dim(input: Array, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Means over dimensions."""
    return _averaged(input, dim, keepdim, dtype)


@composite("mean", out=True)
def mean(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Mean over `dim` (an int, a tuple, or None for all)."""
    if dim is None and not keepdim:
        return mean_all(input) if dtype is None else mean_all(input, dtype=dtype)
    return mean_dim(input, dim, keepdim) if dtype is None else mean_dim(input, dim, keepdim, dtype=dtype)


@composite("nansum", out=True)
def nansum(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Sum in which NaN counts as zero."""
    from .comparison import isnan
    from .pointwise import where

    return sum(where(isnan(input), 0.0, input) if input.dtype.is_floating_point else input, dim, keepdim, dtype=dtype)


@composite("nanmean", out=True)
def nanmean(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Mean of the elements that are not NaN."""
    from .comparison import isnan

    if not (input.is_floating_point() or input.is_complex()):
        raise RuntimeError(
            f"nanmean(): expected input to have floating point or complex dtype but got {input.dtype.tensor_type}"
        )
    return nansum(input, dim, keepdim, dtype=dtype) / sum(~isnan(input.detach()), dim, keepdim)


# -- products ----------------------------------------------------------------------------------------------------


def _prod_grad(g: Any, input: Any, out: Any, dim: int | None, keepdim: bool) -> Any:
    """g times the product of all the others: by prefix and suffix products, exact where elements are zero."""
    from .scans import cumprod

    if dim is None:
        flat = input.reshape((-1,))
        return (g * _others(flat, 0, cumprod)).reshape(tuple(input.shape))
    if input.ndim == 0:
        return g
    return spread(g, tuple(input.shape), dim, keepdim) * _others(input, dim, cumprod)


def _others(x: Any, dim: int, cumprod: Any) -> Any:
    from .arranging import flip
    from .joining import cat
    from .parts import narrow

    n = x.shape[dim]
    if n == 0:
        return x
    one = narrow(x, dim, 0, 1) * 0 + 1
    before = cat([one, narrow(cumprod(x, dim), dim, 0, n - 1)], dim)
    back = cumprod(flip(x, (dim,)), dim)
    after = flip(cat([one, narrow(back, dim, 0, n - 1)], dim), (dim,))
    return (before * after).conjugate()


@general(
    "prod",
    precision="full",
    input=lambda g, input, out, dim, keepdim: _prod_grad(g, input, out, dim, keepdim),
    method=False,
    tex=r"\prod {input}",
    domain="one zero: exact; two zeros: 0",
)
def prod_rows(input: Array, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Products."""
    want = _want(dtype)
    if want is None and input.dtype.kind in "iub":
        want = np.dtype(np.int64)
    axis = None if dim is None or input.ndim == 0 else wrap_dim(dim, input.ndim)
    if dim is not None:
        wrap_dim(dim, input.ndim)
    if axis is None and not keepdim and input.size > 4096 and input.flags.c_contiguous:
        rows = input.size // 1024  # products of many at once: along the last dimension NumPy takes one by one
        head = np.multiply.reduce(input.reshape(-1)[: rows * 1024].reshape(rows, 1024), axis=0, dtype=want)
        return np.multiply.reduce(head) * np.multiply.reduce(input.reshape(-1)[rows * 1024 :], dtype=want)
    return np.multiply.reduce(input, axis=axis, keepdims=keepdim, dtype=want)


@composite("prod", precision="full", out=True)
def prod(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Product over all elements, or along one dimension."""
    if dtype is not None and input.dtype is not dtypes.as_dtype(dtype):
        input = input.to(dtype)
    return prod_rows(input, dim, keepdim)


# -- extrema -----------------------------------------------------------------------------------------------------


def _share(g: Any, input: Any, out: Any, dim: Any, keepdim: bool) -> Any:
    """The gradient of an extremum, split evenly among the elements that attain it."""
    shape = tuple(input.shape)
    out = spread(out, shape, dim, keepdim)
    attained = (input == out) | ((input != input) & (out != out))  # of NaN, every NaN
    return spread(g, shape, dim, keepdim) * attained / sum(attained, dim, True)


def _empty_check(name: str, input: Any, dim: Any) -> None:
    if input.size == 0:
        dims = wrap_dims(dim, input.ndim)
        if dims is None or dims == ():
            raise RuntimeError(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim "
                "with the 'dim' argument."
            )
        for d in dims:
            if input.shape[d] == 0:
                raise IndexError(f"{name}(): Expected reduction dim {d} to have non-zero size.")


@general(
    "amax",
    input=lambda g, input, out, dim, keepdim: _share(g, input, out, dim, keepdim),
    out=True,
    tex=r"\max_{{{dim}}} {input}",
    domain="ties share evenly",
)
def amax(input: Array, dim: Any = (), keepdim: bool = False) -> Any:
    """Maxima over dimensions (all of them for `()`)."""
    _empty_check("amax", input, dim)
    return np.maximum.reduce(input, axis=_axes(dim, input.ndim), keepdims=keepdim)


@general(
    "amin",
    input=lambda g, input, out, dim, keepdim: _share(g, input, out, dim, keepdim),
    out=True,
    tex=r"\min_{{{dim}}} {input}",
    domain="ties share evenly",
)
def amin(input: Array, dim: Any = (), keepdim: bool = False) -> Any:
    """Minima over dimensions (all of them for `()`)."""
    _empty_check("amin", input, dim)
    return np.minimum.reduce(input, axis=_axes(dim, input.ndim), keepdims=keepdim)


@composite("aminmax", out=True)
def aminmax(input: Any, *, dim: Any = None, keepdim: bool = False) -> Any:
    """`(min, max)` over all elements or along one dimension."""
    dims = () if dim is None else dim
    if not input.numel():
        if dim is None:
            raise RuntimeError(
                "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity."
            )
        if input.shape and not input.shape[wrap_dim(dim, input.ndim)]:
            raise IndexError(f"aminmax: Expected reduction dim {wrap_dim(dim, input.ndim)} to have non-zero size.")
    return _MinMax(amin(input, dims, keepdim), amax(input, dims, keepdim))


def _pick_back(g: Any, shape: tuple[int, ...], dim: int, keepdim: bool, indices: Any) -> Any:
    """Put the gradient where the extremum was found."""
    from .gathering import gather_back

    if not shape:
        return g
    if not keepdim:
        g, indices = unsqueeze_dims(g, (dim % len(shape),)), unsqueeze_dims(indices, (dim % len(shape),))
    return gather_back(g, indices, shape, dim)


def _pick(t: Any, dim: int, keepdim: bool, indices: Any) -> Any:
    from .gathering import gather

    if t.ndim == 0:
        return t
    if keepdim:
        return gather(t, dim, indices)
    return gather(t, dim, indices.unsqueeze(dim)).squeeze(dim)


def _extremum(input: Any, dim: int, keepdim: bool, arg: Any, name: str) -> tuple[Any, Any]:
    d = wrap_dim(dim, input.ndim)
    if input.ndim == 0:
        return input.copy(), np.zeros((), np.int64)
    if input.shape[d] == 0:
        raise IndexError(f"{name}(): Expected reduction dim {d} to have non-zero size.")
    indices = np.asarray(arg(input, axis=d, keepdims=True))
    values = np.take_along_axis(input, indices, d)
    if not keepdim:
        values, indices = values.squeeze(d), indices.squeeze(d)
    return values, indices


def _extremum_row(name: str, arg: Any) -> Any:
    """`max(input, dim)` and `min(input, dim)`: values and the index of the first that attains them."""

    def row(input: Array, dim: int, keepdim: bool = False) -> Any:
        return _extremum(input, dim, keepdim, arg, name)

    row.__doc__ = f"The {name}imum along `dim`, and the index of the first element that attains it."
    return general(
        f"{name}_dim",
        row,
        outputs="values, indices*",
        input=lambda g, input_shape, dim, keepdim, indices: _pick_back(g, input_shape, dim, keepdim, indices),
        jvp=lambda t_input, dim, keepdim, indices: _pick(t_input, dim, keepdim, indices),
        node=f"{name.capitalize()}Backward0",
        method=False,
        domain="at ties the first",
    )


_max_dim = _extremum_row("max", np.argmax)
_min_dim = _extremum_row("min", np.argmin)


def _extremum_all(name: str, ufunc: Any) -> Any:
    def row(input: Array) -> Any:
        if input.size == 0:
            raise RuntimeError(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim "
                "with the 'dim' argument."
            )
        return ufunc.reduce(input, axis=None)

    row.__doc__ = f"The {name}imum of all elements."
    return general(
        f"{name}_all",
        row,
        input=lambda g, input, out: _share(g, input, out, None, False),
        node=f"{name.capitalize()}Backward1",
        method=False,
        domain="ties share evenly",
    )


_max_all = _extremum_all("max", np.maximum)
_min_all = _extremum_all("min", np.minimum)


def _overloads(name: str, whole: Any, along: Any, pair: str) -> Any:
    def extremum(input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
        from . import pointwise

        if hasattr(dim, "ndim") and not isinstance(dim, int):
            other, dim = dim, None
        if isinstance(dim, bool):
            raise TypeError(f"{name}() received an invalid combination of arguments - got (Tensor, bool)")
        if other is not None:
            return getattr(pointwise, pair)(input, other)
        return whole(input) if dim is None else along(input, dim, keepdim)

    extremum.__name__ = extremum.__qualname__ = name
    extremum.__doc__ = (
        f"The {name}imum of all elements; with `dim`, `(values, indices)` along it; with a second tensor, elementwise."
    )
    return composite(name, out=True)(extremum)


max = _overloads("max", _max_all, _max_dim, "maximum")
min = _overloads("min", _min_all, _min_dim, "minimum")


_MinMax = named_result("aminmax", ["min", "max"])


def _arg(name: str, find: Any) -> Any:
    def row(input: Array, dim: Any = None, keepdim: bool = False) -> Any:
        if input.size == 0 and dim is None:
            raise IndexError(f"{name}(): Expected reduction dim to be specified for input.numel() == 0.")
        if dim is None or input.ndim == 0:
            if dim is not None:
                wrap_dim(dim, input.ndim)
            flat = np.asarray(find(input))
            return flat.reshape((1,) * input.ndim) if keepdim else flat
        d = wrap_dim(dim, input.ndim)
        if input.shape[d] == 0:
            raise IndexError(f"{name}(): Expected reduction dim {d} to have non-zero size.")
        return find(input, axis=d, keepdims=keepdim)

    row.__doc__ = f"Index of the first {name[3:]}imum, in the flattened tensor or along `dim`."
    return general(name, row, outputs="out*", out=True)


argmax = _arg("argmax", np.argmax)
argmin = _arg("argmin", np.argmin)


def _truth(name: str, ufunc: Any) -> Any:
    def row(input: Array, dim: Any = None, keepdim: bool = False) -> Any:
        kind = np.uint8 if input.dtype == np.uint8 else np.bool_
        return np.asarray(ufunc.reduce(input.astype(np.bool_), axis=_axes(dim, input.ndim), keepdims=keepdim)).astype(
            kind
        )

    row.__doc__ = f"Whether {name} element is true (not zero), over everything or along dimensions."
    return general(name, row, outputs="out*", out=True)


any = _truth("any", np.logical_or)
all = _truth("all", np.logical_and)


@general("count_nonzero", outputs="out*")
def count_nonzero(input: Array, dim: Any = None) -> Any:
    """How many elements are not zero."""
    return np.asarray(np.count_nonzero(input, axis=_axes(dim, input.ndim)))


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
    axes = _axes(dim, input.ndim)
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
    _floating("var", input, None)
    if is_half(input.dtype):
        return var_rows.op.forward(input.astype(np.float32), dim, correction, keepdim).astype(input.dtype)
    axes = _axes(dim, input.ndim)
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
    from .pointwise import where

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
    return var_rows(input, dim, correction, keepdim), _averaged(input, dim, keepdim, None)


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
    return np.sqrt(var_rows(input, dim, correction, keepdim)), _averaged(input, dim, keepdim, None)


@composite("std_mean")
def std_mean(
    input: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None
) -> Any:
    """`(standard deviation, mean)`."""
    dim, correction = _moment_arguments(dim, unbiased, correction)
    return std_mean_rows(input, dim, correction, keepdim)
