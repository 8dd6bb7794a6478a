"""`scatter_reduce` and `index_reduce`: elements that an index sends to one place meet there, as sum, product, extremum."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.by_example import by_example
from ..core.inplace import inplace
from ..core.modes import LOCAL
from ..core.op import Array, general
from ..kernels.scatter import places_along
from .choosing import fill, masked_fill, where
from .gathering import check_index, gather, scatter_add, scatter_value, uncut
from .parts import slice_
from .shape import expand, reshape
from .shared import bounds, lifted, wrap_dim

__all__ = ["index_reduce", "scatter_reduce"]

_UFUNCS = {"sum": np.add, "mean": np.add, "prod": np.multiply, "amax": np.maximum, "amin": np.minimum}


def scatter_reduce(
    input: Any, dim: int, index: Any, src: Any, reduce: str, *, include_self: bool = True, out: Any = None
) -> Any:
    """A copy of `input` in which each element meets those of `src` that `index` sends there."""
    return meet(input, dim, index, src, reduce, include_self, out=out)


def scatter_reduce_(self: Any, dim: int, index: Any, src: Any, reduce: str, *, include_self: bool = True) -> Any:
    """`scatter_reduce` in place."""
    return inplace(meet.op, (self, dim, index, src, reduce, include_self))


def _gradients(
    g: Any, needs: Any, input: Any, dim: int, index: Any, src: Any, reduce: str, include_self: bool, out: Any
) -> tuple[Any, None, Any]:
    whole = tuple(src.shape)
    for d, n in enumerate(index.shape):
        if src.shape[d] != n:
            src = slice_(src, d, 0, n, 1)

    def add(x: Any, y: Any) -> Any:
        return scatter_add(x, dim, index, y)

    def read(x: Any) -> Any:
        return gather(x, dim, index)

    def own(x: Any) -> Any:  # what counts of the elements that are there
        return x if include_self else scatter_value(x, dim, index, 0)

    if reduce == "sum":
        to_input, to_src = g, read(g)
    elif reduce == "mean":
        share = g / add(own(fill(g, 1)), fill(src, 1))
        to_input, to_src = share, read(share)
    elif reduce == "prod":
        # The product of the others. An element of `input` is alone in its place, so that all the others are of `src`.
        to_input = g * meet(fill(input, 1), dim, index, src, "prod").conjugate()
        # For one of `src` that is not zero it is the whole product divided by it; for the only zero in its place the
        # product of what is not zero; for one of two zeros that times the other zero, which has a derivative.
        zero = src == 0
        zeros = read(add(fill(input, 0), masked_fill(fill(src, 0), zero, 1)))
        rest = read(meet(input, dim, index, masked_fill(src, zero, 1), "prod", include_self))
        other = read(add(fill(input, 0), masked_fill(src, ~zero, 0))) - src
        of_zero = where(zeros == 1, rest, masked_fill(rest * other, zeros > 2, 0))
        to_src = read(g) * where(zero, of_zero, read(out) / masked_fill(src, zero, 1)).conjugate()
    else:
        hit_input, hit_src = own(_number(input == out)), _number(src == read(out))
        share = g / add(hit_input, hit_src)
        to_input, to_src = hit_input * share, hit_src * read(share)
    if not include_self:
        to_input = scatter_value(to_input, dim, index, 0)
    return to_input, None, uncut(to_src, whole)


def _number(mask: Any) -> Any:
    return where(mask, 1.0, 0.0)


@general(
    "scatter_reduce",
    joint=_gradients,
    out=True,
    method=False,
    domain="extrema that several elements share: the gradient is divided among them equally",
)
def meet(input: Array, dim: int, index: Array, src: Array, reduce: str, include_self: bool = True) -> Any:
    """See `scatter_reduce`."""
    if reduce not in _UFUNCS:
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    d = check_index("scatter", "self", input, dim, index, src)
    result = np.array(input, order="C")
    if not index.size:
        return result
    where_, source = lifted(index, src)
    target = result.reshape(1) if not result.ndim else result
    flat = target.reshape(-1)
    places = places_along(target.shape, d, where_).reshape(-1)
    if source.shape != where_.shape:
        source = source[tuple(slice(n) for n in where_.shape)]
    if not include_self:
        flat[places] = _neutral(reduce, flat.dtype)
    _UFUNCS[reduce].at(flat, places, source.reshape(-1))
    if reduce == "mean":
        count = np.bincount(places, minlength=flat.size) + (1 if include_self else 0)
        np.maximum(count, 1, out=count)
        if flat.dtype.kind in "fcV":
            flat /= count.astype(flat.real.dtype)
        else:
            flat //= count.astype(flat.dtype)
    return result


def _neutral(reduce: str, dtype: Any) -> Any:
    if reduce in ("sum", "mean"):
        return 0
    if reduce == "prod":
        return 1
    if dtype.kind == "b":
        return reduce == "amin"
    low, high = (-np.inf, np.inf) if dtype.kind == "f" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return low if reduce == "amax" else high


@by_example
def index_reduce(
    input: Any, dim: int, index: Any, source: Any, reduce: str, *, include_self: bool = True, out: Any = None
) -> Any:
    """`scatter_reduce` of whole slices: those of `source` meet the ones that a vector names."""
    where_ = _slices(input, dim, index, source, reduce)
    return meet(input, dim, where_, source, reduce, include_self, out=out)


def index_reduce_(self: Any, dim: int, index: Any, source: Any, reduce: str, *, include_self: bool = True) -> Any:
    """`index_reduce` in place."""
    if LOCAL.vmap_levels:
        return self.copy_(index_reduce(self, dim, index, source, reduce, include_self=include_self))
    return inplace(meet.op, (self, dim, _slices(self, dim, index, source, reduce), source, reduce, include_self))


def _slices(input: Any, dim: int, index: Any, source: Any, reduce: str) -> Any:
    """The vector as an index for every element of `source`."""
    from .slices import check_source

    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError(f"index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got {reduce}.")
    ndim = len(input.shape)
    d = wrap_dim(dim, ndim)
    arrays = [getattr(x, "_array", x) for x in (input, index, source)]
    check_source("index_reduce", arrays[0], d, arrays[1], arrays[2])
    bounds(arrays[1], arrays[0].shape[d] if ndim else 1, d)
    if not ndim:
        return reshape(index, tuple(source.shape))
    return expand(reshape(index, (-1,) + (1,) * (ndim - 1 - d)), tuple(source.shape))
