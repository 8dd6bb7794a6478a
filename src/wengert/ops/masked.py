"""Reductions and normalisations that pass over elements: `wengert.masked`, shaped like torch.masked. All are composites.

An element that `mask` leaves out takes the value that changes nothing: 0 in a sum, 1 in a product, -inf in a maximum. What
comes out where nothing was left in is that value, or NaN where there is none (mean, median, variance).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes
from ..core.op import composite
from . import choosing, extrema, moments, pointwise, reductions, scans, softmax
from .choosing import where
from .comparison import isnan
from .linalg_norms import vector_norm
from .shape import expand
from .shared import wrap_dim, wrap_dims
from .sorting import nanmedian

MASKED: dict[str, Any] = {}  # what the namespace consists of


def _state(name: str) -> Any:
    def state(fn: Any) -> Any:
        fn.__name__ = fn.__qualname__ = name
        public = composite(f"masked.{name}", method=False)(fn)
        MASKED[name] = public
        return public

    return state


def _inside(input: Any, mask: Any) -> Any:
    """The mask in the shape of the input, as bool."""
    if mask.ndim > input.ndim:
        raise IndexError("_input_mask expected broadcastable mask (got mask dimensionality higher than of the input)")
    return expand(mask, tuple(input.shape)).to(dtypes.bool_)


def _hide(input: Any, mask: Any, value: Any) -> Any:
    """`input` with `value` in place of what the mask leaves out."""
    return input if mask is None else where(_inside(input, mask), input, _like(input, value))


def _like(input: Any, value: Any) -> Any:
    """A 0-dim tensor of the input's dtype."""
    from ..core.tensor import wrap

    return wrap(np.asarray(value).astype(input.dtype.np))


def _lowest(input: Any, sign: int) -> Any:
    """The smallest number of the input's dtype (the largest, for sign -1)."""
    d = input.dtype.np
    if d.kind == "f":
        return -sign * np.inf
    if d.kind not in "iu":
        raise NotImplementedError(f"identity of {'amax' if sign > 0 else 'amin'} on {input.dtype} input")
    return np.iinfo(d).min if sign > 0 else np.iinfo(d).max


def _dims(dim: Any, ndim: int) -> tuple[int, ...]:
    """Dimensions as a sorted tuple: all of them for None and for ()."""
    if dim is None or dim == ():
        return tuple(range(ndim))
    return tuple(sorted(wrap_dims(dim, ndim) or ()))


def _to(input: Any, dtype: Any) -> Any:
    return input if dtype is None else input.to(dtype)


# -- sums and products -------------------------------------------------------------------------------------------


@_state("sum")
def _sum(input: Any, dim: Any = None, *, keepdim: Any = False, dtype: Any = None, mask: Any = None) -> Any:
    """The sum of the elements that `mask` leaves in."""
    return reductions.sum(_hide(input, mask, 0), _dims(dim, input.ndim), bool(keepdim), dtype=dtype)


@_state("prod")
def _prod(input: Any, dim: Any = None, *, keepdim: Any = False, dtype: Any = None, mask: Any = None) -> Any:
    """The product of the elements that `mask` leaves in."""
    result = _hide(input, mask, 1)
    if input.ndim == 0:
        return reductions.prod(result, dtype=dtype)
    for d in reversed(_dims(dim, input.ndim)):
        result = reductions.prod(result, d, bool(keepdim), dtype=dtype)
    return result


@_state("cumsum")
def _cumsum(input: Any, dim: int, *, dtype: Any = None, mask: Any = None) -> Any:
    """Running sums of the elements that `mask` leaves in."""
    return scans.cumsum(_to(_hide(input, mask, 0), dtype), wrap_dim(dim, input.ndim))


@_state("cumprod")
def _cumprod(input: Any, dim: int, *, dtype: Any = None, mask: Any = None) -> Any:
    """Running products of the elements that `mask` leaves in."""
    return scans.cumprod(_to(_hide(input, mask, 1), dtype), wrap_dim(dim, input.ndim))


# -- extrema -----------------------------------------------------------------------------------------------------


def _extremum(name: str, row: Any, sign: int) -> None:
    @_state(name)
    def extremum(input: Any, dim: Any = None, *, keepdim: Any = False, dtype: Any = None, mask: Any = None) -> Any:
        hidden = _hide(input, mask, None if mask is None else _lowest(input, sign))
        return _to(row(hidden, _dims(dim, input.ndim), bool(keepdim)), dtype)

    extremum.__doc__ = f"The {'largest' if sign > 0 else 'smallest'} of the elements that `mask` leaves in."


_extremum("amax", extrema.amax, 1)
_extremum("amin", extrema.amin, -1)


def _place(name: str, row: Any, sign: int) -> None:
    @_state(name)
    def place(input: Any, dim: Any = None, *, keepdim: Any = False, dtype: Any = None, mask: Any = None) -> Any:
        hidden = _hide(input, mask, None if mask is None else _lowest(input, sign))
        return row(hidden, dim, bool(keepdim)).to(input.dtype if dtype is None else dtype)

    place.__doc__ = f"Index of the {'largest' if sign > 0 else 'smallest'} of the elements that `mask` leaves in."


_place("argmax", extrema.argmax, 1)
_place("argmin", extrema.argmin, -1)


# -- moments, median, norm ---------------------------------------------------------------------------------------


def _count(input: Any, mask: Any, dim: Any, keepdim: bool) -> Any:
    from .filling import ones

    inside = ones(tuple(input.shape), dtype=dtypes.bool_) if mask is None else _inside(input, mask)
    return reductions.sum(inside, _dims(dim, input.ndim), keepdim)


@_state("mean")
def _mean(input: Any, dim: Any = None, *, keepdim: Any = False, dtype: Any = None, mask: Any = None) -> Any:
    """The mean of the elements that `mask` leaves in; NaN where there is none."""
    kind = input.dtype if dtype is None else dtypes.as_dtype(dtype)
    if kind.category < dtypes.FLOATING:
        source = "Input" if dtype is None else "Optional"
        raise ValueError(
            f"mean(): Could not infer output dtype. {source} dtype must be either a floating point or complex dtype. "
            f"Got: {kind}"
        )
    total = _sum(input, dim, keepdim=keepdim, dtype=dtype, mask=mask)
    return total / _count(input, mask, dim, bool(keepdim))


@_state("median")
def _median(input: Any, dim: int = -1, *, keepdim: bool = False, dtype: Any = None, mask: Any = None) -> Any:
    """The lower median along `dim` of the elements that `mask` leaves in; NaN where there is none."""
    floating = input.is_floating_point()
    values = input if floating else input.to(dtypes.float32)
    found = nanmedian(_hide(values, mask, np.nan), wrap_dim(dim, input.ndim), keepdim).values
    if floating:
        return found
    if bool(isnan(found).any()):
        raise ValueError("masked median expects no fully masked out rows if dtype is not floating point")
    return found.to(input.dtype if dtype is None else dtype)


@_state("norm")
def _norm(
    input: Any, ord: Any = 2.0, dim: Any = None, *, keepdim: Any = False, dtype: Any = None, mask: Any = None
) -> Any:
    """The vector norm of the elements that `mask` leaves in."""
    hidden = _hide(input, mask, np.inf if ord == -np.inf else 0)
    return vector_norm(hidden, ord, _dims(dim, input.ndim), bool(keepdim), dtype=dtype)


def _moment(name: str, root: bool) -> None:
    @_state(name)
    def moment(
        input: Any,
        dim: Any = None,
        unbiased: Any = None,
        *,
        correction: Any = None,
        keepdim: Any = False,
        dtype: Any = None,
        mask: Any = None,
    ) -> Any:
        if unbiased is not None and correction is not None:
            raise AssertionError("Only one of unbiased and correction may be given")
        if correction is None:
            correction = 1 if unbiased is None or unbiased else 0
        kind = input.dtype if dtype is None else dtypes.as_dtype(dtype)
        if kind.category < dtypes.FLOATING:
            kind = dtypes.float32
        count = _count(input, mask, dim, True)
        away = input - _sum(input, dim, keepdim=True, dtype=kind, mask=mask) / count
        total = _sum(away * away.conj(), dim, keepdim=keepdim, dtype=kind, mask=mask)
        freedom = choosing.clamp(count.reshape(tuple(total.shape)).to(kind.to_real()) - correction, 0)
        result = (total / freedom).to(kind)
        return result.sqrt() if root else result

    moment.__doc__ = f"The {'standard deviation' if root else 'variance'} of the elements that `mask` leaves in."


_moment("var", False)
_moment("std", True)


# -- logarithms of sums, softmax ---------------------------------------------------------------------------------


@_state("logsumexp")
def _logsumexp(input: Any, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None) -> Any:
    """`log(sum(exp(input)))` over the elements that `mask` leaves in."""
    hidden = _hide(input, mask, -np.inf if input.dtype.category >= dtypes.FLOATING else _lowest(input, 1))
    return moments.logsumexp(hidden, _dims(dim, input.ndim), keepdim).to(input.dtype if dtype is None else dtype)


@_state("logaddexp")
def _logaddexp(input: Any, other: Any, *, dtype: Any = None, input_mask: Any = None, other_mask: Any = None) -> Any:
    """`log(exp(input) + exp(other))`, each with its mask."""
    a, b = _hide(input, input_mask, -np.inf), _hide(other, other_mask, -np.inf)
    return pointwise.logaddexp(a, b).to(input.dtype if dtype is None else dtype)


def _soft(name: str, row: Any, sign: int, doc: str) -> None:
    @_state(name)
    def soft(input: Any, dim: int, *, dtype: Any = None, mask: Any = None) -> Any:
        hidden = _hide(_to(input, dtype), mask, -sign * np.inf)
        return row(hidden if sign > 0 else -hidden, wrap_dim(dim, input.ndim))

    soft.__doc__ = f"{doc} of the elements that `mask` leaves in."


_soft("softmax", softmax.softmax, 1, "Softmax along `dim`")
_soft("log_softmax", softmax.log_softmax, 1, "The logarithm of the softmax along `dim`")
_soft("softmin", softmax.softmax, -1, "Softmax of the negative along `dim`")


@_state("normalize")
def _normalize(input: Any, ord: float, dim: int, *, eps: float = 1e-12, dtype: Any = None, mask: Any = None) -> Any:
    """`input` divided by its norm along `dim` (at least `eps`)."""
    size = _norm(input, ord, dim, keepdim=True, dtype=dtype, mask=mask)
    return _hide(input, mask, 0) / choosing.maximum(size, _like(size, eps))
