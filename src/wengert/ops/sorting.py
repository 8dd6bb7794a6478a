"""Order along a dimension: sorting, the k largest, medians, quantiles, the most frequent value.

Whatever is picked is picked by index, and the gradient goes to the element that was picked.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes
from ..core.batched import plain
from ..core.op import Array, composite, general
from ..core.tensor import Tensor, wrap
from ..kernels import sorting as kernel
from .choosing import clamp_min, where
from .comparison import isnan
from .compound import lerp
from .conversion import convert
from .extrema import _pick, _pick_back
from .gathering import gather, gather_back
from .parts import select
from .pointwise import ceil, floor, round
from .reductions import sum
from .shape import expand, flatten, movedim, reshape, squeeze_dim, transpose, unsqueeze
from .shared import wrap_dim

__all__ = [
    "argsort", "kthvalue", "median", "mode", "msort", "nanmedian", "nanquantile", "quantile", "sort", "topk",
]  # fmt: skip


def _real(input: Any, message: str) -> None:
    if input.dtype.kind == "c":
        raise RuntimeError(message)


def _implemented(name: str, input: Any) -> None:
    if input.dtype.kind == "c":
        raise NotImplementedError(f"\"{name}_cpu\" not implemented for '{dtypes.of(input.dtype).tensor_type}'")


def _unsqueezed(results: tuple[Any, Any], d: int, keepdim: bool) -> tuple[Any, Any]:
    return results if keepdim else (results[0].squeeze(d), results[1].squeeze(d))


def _scalar(input: Any) -> tuple[Any, Any]:
    return input.copy(), np.zeros((), np.int64)


# -- whole orders ------------------------------------------------------------------------------------------------


@general(
    "sort",
    outputs="values, indices*",
    input=lambda g, indices, input_shape, dim: gather_back(g, indices, input_shape, dim),
    jvp=lambda t_input, indices, dim: gather(t_input, dim, indices),
    method=False,
    tex=r"\operatorname{{sort}} {input}",
    domain="equal elements keep their order",
)
def _sort(input: Array, dim: int, descending: bool) -> Any:
    """Elements along `dim` in order, and where each came from."""
    _real(input, " Sort does not support complex dtypes on CPU")
    d = wrap_dim(dim, input.ndim)
    if not input.ndim:
        return _scalar(input)
    return kernel.along(input, d, lambda a: kernel.order(a, bool(descending)))


@composite("sort", out=True)
def sort(input: Any, dim: Any = -1, descending: bool = False, stable: bool | None = None) -> Any:
    """`(values, indices)` sorted along `dim`. Always stable; NaN counts as the largest number."""
    return _sort(input, dim, descending)


@composite("argsort", out=True)
def argsort(input: Any, dim: int = -1, descending: bool = False, *, stable: bool = False) -> Any:
    """The indices that sort `input` along `dim`."""
    return sort(input, dim, descending)[1]


@composite("msort", out=True)
def msort(input: Any) -> Any:
    """`input` sorted along its first dimension."""
    return sort(input, 0)[0]


@general(
    "topk",
    outputs="values, indices*",
    input=lambda g, indices, input_shape, dim: gather_back(g, indices, input_shape, dim),
    jvp=lambda t_input, indices, dim: gather(t_input, dim, indices),
    out=True,
    domain="of equal elements the first",
)
def topk(input: Array, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """`(values, indices)` of the `k` largest (or smallest) elements along `dim`, in order."""
    _real(input, "topk does not support complex dtypes on CPU")
    d = wrap_dim(dim, input.ndim)
    if not 0 <= k <= (input.shape[d] if input.ndim else 1):
        raise RuntimeError("selected index k out of range")
    if not input.ndim:
        return _scalar(input)
    return kernel.along(input, d, lambda a: kernel.largest(a, k, bool(largest)))


# -- single elements ---------------------------------------------------------------------------------------------


def _picks(name: str, **options: Any) -> Any:
    """An operation that picks one element along `dim`."""
    return general(
        name,
        outputs="values, indices*",
        input=lambda g, input_shape, dim, keepdim, indices: _pick_back(g, input_shape, dim, keepdim, indices),
        jvp=lambda t_input, dim, keepdim, indices: _pick(t_input, dim, keepdim, indices),
        out=True,
        **options,
    )


@_picks("kthvalue", domain="at ties the first")
def kthvalue(input: Array, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """`(value, index)` of the `k`-th smallest element along `dim`, counted from 1."""
    d = wrap_dim(dim, input.ndim)
    if not 1 <= k <= (input.shape[d] if input.ndim else 1):
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {d}")
    _implemented("kthvalue", input)
    if not input.ndim:
        return _scalar(input)
    return _unsqueezed(kernel.along(input, d, lambda a: kernel.nth(a, k - 1)), d, keepdim)


@_picks("mode", domain="the last index of that value")
def mode(input: Array, dim: int = -1, keepdim: bool = False) -> Any:
    """`(value, index)` of the most frequent element along `dim`: the smallest of several."""
    d = wrap_dim(dim, input.ndim)
    if input.ndim and not input.shape[d]:
        raise IndexError(f"mode(): Expected reduction dim {d} to have non-zero size.")
    _implemented("mode", input)
    if not input.ndim:
        return _scalar(input)
    return _unsqueezed(kernel.along(input, d, kernel.mode), d, keepdim)


def _medians(name: str, skip: bool) -> Any:
    def along(input: Array, dim: int, keepdim: bool = False) -> Any:
        d = wrap_dim(dim, input.ndim)
        if input.ndim and not input.shape[d]:
            raise IndexError(f"median(): Expected reduction dim {d} to have non-zero size.")
        _implemented("median", input)
        if not input.ndim:
            return _scalar(input)
        return _unsqueezed(kernel.along(input, d, lambda a: kernel.median(a, skip)), d, keepdim)

    def whole(input: Array) -> Any:
        _implemented("median", input)
        if not input.size:
            if input.dtype.kind == "f":
                return input.dtype.type(np.nan)
            return np.iinfo(input.dtype).min if input.dtype.kind in "iu" else False
        return kernel.median(input.reshape(-1), skip)[0].reshape(()).copy()

    node = name.capitalize()
    along.__doc__ = f"{node} along `dim`."
    whole.__doc__ = f"{node} of all elements."
    pick = _picks(f"{name}_dim", node=f"{node}Backward1", domain="at ties the first", method=False)(along)
    share = general(
        f"{name}_all",
        whole,
        input=lambda g, input, out: _share_with_nan(g, input, out),
        node=f"{node}Backward0",
        method=False,
        domain="ties share evenly",
    )

    def public(input: Any, dim: Any = None, keepdim: bool = False, *, out: Any = None) -> Any:
        return share(input) if dim is None else pick(input, dim, keepdim, out=out)

    public.__name__ = public.__qualname__ = name
    public.__doc__ = (
        "The lower median of all elements"
        + (", NaN left out" if skip else "")
        + "; with `dim`, `(values, indices)` along it."
    )
    return composite(name)(public)


def _share_with_nan(g: Any, input: Any, out: Any) -> Any:
    """Split evenly among the elements that are the median: among the NaN, if it is NaN."""
    attained = (input == out) | (isnan(input) & isnan(out))
    return expand(g, tuple(input.shape)) * attained / sum(attained)


median = _medians("median", False)
nanmedian = _medians("nanmedian", True)

# -- quantiles ---------------------------------------------------------------------------------------------------

_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _quantile(name: str, input: Any, q: Any, dim: Any, keepdim: bool, interpolation: str, skip: bool) -> Any:
    if input.numel() == 0:
        raise RuntimeError(f"{name}() input tensor must be non-empty")
    if input.dtype not in (dtypes.float32, dtypes.float64):
        raise RuntimeError(f"{name}() input tensor must be either float or double dtype")
    if isinstance(q, Tensor):
        if q.ndim > 1:
            raise RuntimeError(f"{name}() q must be a scalar or 1D tensor")
        if q.dtype is not input.dtype:
            raise RuntimeError(f"{name}() q tensor must be same dtype as the input tensor")
    else:
        if not 0 <= q <= 1:
            raise RuntimeError(f"{name}() q must be in the range [0, 1] but got {q:g}")
        q = wrap(np.asarray(q, input.dtype.np))
    if interpolation not in _INTERPOLATIONS:
        raise RuntimeError(
            f"{name}() interpolation must be one of linear, lower, higher, midpoint or nearest, but got {interpolation}"
        )
    where_ = plain(q._array)
    if not ((where_ >= 0) & (where_ <= 1)).all():
        raise RuntimeError(f"{name}() q values must be in the range [0, 1]")
    ndim = input.ndim
    if dim is None:
        values, kept = flatten(input), (1,) * ndim
    else:
        d = wrap_dim(dim, ndim)
        values = transpose(unsqueeze(input, -1), d, -1) if ndim else reshape(input, (1,))
        if ndim:
            values = squeeze_dim(values, d) if not keepdim else values
        kept = tuple(values.shape[:-1])
    ordered = sort(values, -1)[0]
    n = ordered.shape[-1]
    missing = isnan(ordered)
    ranks = reshape(q, (-1,))
    if skip:
        counts = n - sum(missing, -1, True)
        ranks = ranks * convert(clamp_min(counts - 1, 0), input.dtype)
    else:
        ranks = ranks * (n - 1)
        # A row with a NaN has it last; every quantile of it is NaN.
        if plain(missing._array).any():
            ranks = where(unsqueeze(select(missing, -1, n - 1), -1), float(n - 1), ranks)
    found = _at_ranks(ordered, ranks, interpolation)
    if q.ndim == 0:
        found = squeeze_dim(found, -1)
        return reshape(found, kept) if dim is None and keepdim else found
    found = movedim(found, -1, 0)
    return reshape(found, (q.numel(), *kept)) if dim is None and keepdim else found


def _at_ranks(ordered: Any, ranks: Any, interpolation: str) -> Any:
    """What stands at places between 0 and n - 1 that need not be whole."""

    def at(places: Any) -> Any:
        return gather(ordered, -1, expand(convert(places, dtypes.int64), (*ordered.shape[:-1], places.shape[-1])))

    place = ranks.detach()
    if interpolation in ("lower", "higher", "nearest"):
        return at({"lower": floor, "higher": ceil, "nearest": round}[interpolation](place))
    low = floor(place)
    weight: Any = 0.5 if interpolation == "midpoint" else ranks - low
    return lerp(at(low), at(ceil(place)), weight)


@composite("quantile", precision="full", out=True)
def quantile(input: Any, q: Any, dim: Any = None, keepdim: bool = False, *, interpolation: str = "linear") -> Any:
    """The `q`-quantiles (a number or a vector, whose dimension comes first) of all elements or along `dim`."""
    return _quantile("quantile", input, q, dim, keepdim, interpolation, False)


@composite("nanquantile", precision="full", out=True)
def nanquantile(input: Any, q: Any, dim: Any = None, keepdim: bool = False, *, interpolation: str = "linear") -> Any:
    """`quantile` of the elements that are not NaN."""
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation, True)
