"""Counting and finding: unique elements, bins and histograms, places in a sorted sequence. None has a derivative."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.batched import refuse_dynamic
from ..core.by_example import by_example
from ..core.op import Array, composite, general, missing
from ..core.returned import named_result
from ..core.tensor import Tensor, wrap
from .shared import axes_of, wrap_dim

__all__ = [
    "bincount", "bucketize", "hash_tensor", "histc", "histogram", "histogramdd", "isin", "searchsorted", "unique",
    "unique_consecutive", "_unique", "_unique2",
]  # fmt: skip


def _word(a: Any) -> str:
    return dtypes.of(a.dtype).tensor_type


def _array(x: Any) -> Any:
    return getattr(x, "_array", x)


# -- unique elements ---------------------------------------------------------------------------------------------


@general("unique_values", input=missing("_unique2"), node="Unique2Backward0", method=False)
def unique_values(input: Array, values: Any) -> Any:
    """`values`, which are the different ones among `input`: they require grad if it does, but have no derivative."""
    return values


def _results(input: Any, values: Any, inverse: Any, counts: Any, return_inverse: bool, return_counts: bool) -> Any:
    found = [unique_values(input, np.ascontiguousarray(values))]
    if return_inverse:
        found.append(wrap(inverse.astype(np.int64, copy=False)))
    if return_counts:
        found.append(wrap(counts.astype(np.int64, copy=False)))
    return found[0] if len(found) == 1 else tuple(found)


def _rows_of(a: Any, dim: int) -> tuple[Any, int]:
    """Slices along `dim` as rows of a matrix."""
    d = wrap_dim(dim, a.ndim)
    if a.size == 0 and a.shape[d] != 0:
        raise RuntimeError("There are 0 sized dimensions, and they aren't selected, so unique cannot be applied")
    return np.moveaxis(a, d, 0).reshape(a.shape[d], a.size // max(a.shape[d], 1)), d


@composite("unique")
def unique(
    input: Any, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: Any = None
) -> Any:
    """The different elements (slices, with `dim`), in order; where each element went; how often each appears."""
    refuse_dynamic("_unique2" if dim is None else "unique_dim", input._array)
    a = input._array
    if a.dtype.kind == "c":
        raise NotImplementedError(f"\"unique\" not implemented for '{_word(a)}'")
    if dim is None or a.ndim == 0:
        values, inverse, counts = np.unique(a, return_inverse=True, return_counts=True, equal_nan=False)
        return _results(input, values, inverse.reshape(a.shape), counts, return_inverse, return_counts)
    rows, d = _rows_of(a, dim)
    if not len(rows):
        return _results(input, a.copy(), np.zeros(0), np.zeros(0), return_inverse, return_counts)
    order = np.lexsort(rows.T[::-1])
    ordered = rows[order]
    new = np.ones(len(rows), np.bool_)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    inverse = np.empty(len(rows), np.int64)
    inverse[order] = np.cumsum(new) - 1
    starts = np.flatnonzero(new)
    counts = np.diff(np.append(starts, len(rows)))
    values = np.take(a, order[starts], axis=d)
    return _results(input, values, inverse, counts, return_inverse, return_counts)


@composite("unique_consecutive")
def unique_consecutive(input: Any, return_inverse: bool = False, return_counts: bool = False, dim: Any = None) -> Any:
    """The elements (slices, with `dim`) that differ from the one before."""
    refuse_dynamic("unique_consecutive", input._array)
    a = input._array
    if dim is None:
        rows, shape, flat = a.reshape(-1, 1), a.shape, a.reshape(-1)
    else:
        rows, d = _rows_of(a, dim)
        shape = (len(rows),)
    new = np.ones(len(rows), np.bool_)
    new[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    starts = np.flatnonzero(new)
    counts = np.diff(np.append(starts, len(rows)))
    inverse = (np.cumsum(new) - 1).reshape(shape)
    values = flat[starts] if dim is None else np.take(a, starts, axis=d)
    return _results(input, values, inverse, counts, return_inverse, return_counts)


def _unique(input: Any, sorted: bool = True, return_inverse: bool = False) -> Any:
    """`(unique, inverse)`; the inverse is empty unless it is asked for."""
    return _unique2(input, sorted, return_inverse)[:2]


def _unique2(input: Any, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False) -> Any:
    """`(unique, inverse, counts)`; what is not asked for is empty."""
    values, inverse, counts = unique(input, sorted, True, True)
    nothing = wrap(np.zeros(0, np.int64))
    return values, inverse if return_inverse else nothing, counts if return_counts else nothing


# -- places in a sorted sequence ---------------------------------------------------------------------------------


def _search(sequence: Any, values: Any, right: bool) -> Any:
    """For each value its place in its row of `sequence`: bisection, for all of them at once."""
    low = np.zeros(values.shape, np.int64)
    n = sequence.shape[-1]
    if not n or not values.size:
        return low
    base: Any = 0
    flat = np.ascontiguousarray(sequence).reshape(-1)
    if sequence.ndim > 1:
        base = (np.arange(flat.size // n) * n).reshape(*sequence.shape[:-1], 1)
    high = np.full(values.shape, n)
    for _ in range(n.bit_length()):
        middle = (low + high) >> 1
        open_ = low < high
        found = flat[np.minimum(middle, n - 1) + base]
        beyond = ~(found > values) if right else ~(found >= values)
        low = np.where(open_ & beyond, middle + 1, low)
        high = np.where(open_ & ~beyond, middle, high)
    return low


def _placed(sequence: Any, values: Any, right: bool, int32: bool) -> Any:
    if sequence.dtype != values.dtype:
        common = dtypes.promote_types(dtypes.of(sequence.dtype), dtypes.of(values.dtype)).np
        sequence, values = sequence.astype(common), values.astype(common)
    if sequence.ndim == 1 and not (sequence.dtype.kind == "f" and np.isnan(sequence).any()):
        places = np.asarray(np.searchsorted(sequence, values, "right" if right else "left"))
    else:
        places = _search(sequence, values, right)
    return wrap(places.astype(np.int32 if int32 else np.int64, copy=False))


@composite("searchsorted", out=True, method=False, by_example=True)
def searchsorted(
    sorted_sequence: Any,
    input: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Any = None,
) -> Any:
    """Where each value of `input` would go into the rows of `sorted_sequence`, before (or after) those equal to it."""
    if side not in (None, "left", "right"):
        raise RuntimeError(f"torch.searchsorted(): side can only be 'left' or 'right' but got {side}")
    if side == "left" and right:
        raise RuntimeError(
            "torch.searchsorted(): side and right can't be set to opposites, got side of left while right was True"
        )
    sequence = sorted_sequence._array
    number = not isinstance(input, Tensor)
    values = np.asarray(input).astype(sequence.dtype) if number else input._array
    if values.ndim == 0 and sequence.ndim != 1:
        raise RuntimeError(
            "torch.searchsorted(): input value can be a scalar only when boundaries tensor dimension is 1, but we got "
            f"boundaries tensor dim({sequence.ndim}) and input value's dim({values.ndim}) numel({values.size})"
        )
    if sequence.ndim != 1 and (sequence.ndim != values.ndim or sequence.shape[:-1] != values.shape[:-1]):
        raise RuntimeError(
            "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries "
            f"tensor and input value tensor must match, but we got boundaries tensor {list(sequence.shape)} and input "
            f"value tensor {list(values.shape)}"
        )
    if sorter is not None:
        order = sorter._array
        if order.shape != sequence.shape:
            raise RuntimeError(
                "torch.searchsorted(): boundary and sorter must have the same size, but got boundary tensor "
                f"{list(sequence.shape)}and got sorter tensor {list(order.shape)}"
            )
        if order.dtype != np.int64:
            raise RuntimeError(
                f"torch.searchsorted(): sorter must be a tensor of long dtype but got dtype {_word(order)}"
            )
        if order.size and (order.min() < 0 or order.max() >= sequence.shape[-1]):
            raise RuntimeError("torch.searchsorted(): sorter index out of range")
        sequence = np.take_along_axis(sequence, order, -1)
    return _placed(sequence, values, right or side == "right", out_int32)


@composite("bucketize", out=True, method=False, by_example=True)
def bucketize(input: Any, boundaries: Any, *, out_int32: bool = False, right: bool = False) -> Any:
    """Which of the intervals between the sorted `boundaries` each value lies in."""
    edges = boundaries._array
    if edges.ndim != 1:
        raise RuntimeError(f"boundaries tensor must be 1 dimension, but got dim({edges.ndim})")
    values = input._array if isinstance(input, Tensor) else np.asarray(input).astype(edges.dtype)
    return _placed(edges, values, right, out_int32)


@composite("isin", out=True, method=False, by_example=True)
def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Any:
    """For each element, whether it is one of `test_elements`."""
    if not isinstance(elements, Tensor) and not isinstance(test_elements, Tensor):
        raise TypeError(
            "isin() received an invalid combination of arguments - got "
            f"({type(elements).__name__}, {type(test_elements).__name__})"
        )
    a, b = _array(elements), _array(test_elements)
    for x in (a, b):
        if getattr(x, "dtype", None) is not None and x.dtype.kind == "c":
            raise RuntimeError(f"Unsupported input type encountered for isin(): {_word(x)}")
    return wrap(np.asarray(np.isin(a, b, assume_unique=assume_unique and np.ndim(a) > 0, invert=invert)))


# -- bins --------------------------------------------------------------------------------------------------------


@composite("bincount", by_example=True)
def bincount(input: Any, weights: Any = None, minlength: int = 0) -> Any:
    """How often each number from 0 on appears in a vector; with `weights`, the sum of theirs."""
    a = input._array
    if a.dtype.kind not in "iu" or a.dtype.itemsize > 8:
        raise NotImplementedError(f"\"bincount_cpu\" not implemented for '{_word(a)}'")
    if minlength < 0:
        raise RuntimeError("minlength should be >= 0")
    if a.ndim == 1 and not a.size:
        return wrap(np.zeros(minlength, np.int64))
    if a.ndim != 1 or (a.size and a.min() < 0):
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    if weights is None:
        return wrap(np.bincount(a, minlength=minlength))
    w = weights._array
    if w.shape != a.shape:
        raise RuntimeError("weights should be 1-d and have the same length as input")
    total = np.bincount(a, w.astype(np.float64), minlength)
    return wrap(total.astype(np.float32 if w.dtype == np.float32 else np.float64))


def _range(name: str, a: Any, low: float, high: float) -> tuple[float, float]:
    """The range of bins: that of the data if none is given, and never empty."""
    if low == high and a.size:
        low, high = a.min().item(), a.max().item()
    if low == high:
        low, high = low - 1, high + 1
    if not (math.isfinite(low) and math.isfinite(high)):
        raise RuntimeError(f"{name}: range of [{low:g}, {high:g}] is not finite")
    if low > high:
        raise RuntimeError(f"{name}: max must be larger than min")
    return low, high


@composite("histc", out=True, by_example=True)
def histc(input: Any, bins: int = 100, min: float = 0, max: float = 0) -> Any:
    """How many elements lie in each of `bins` equal parts of [min, max] (by default of the range of the data)."""
    a = input._array
    if a.dtype.kind != "f":
        raise NotImplementedError(f"\"histogram_cpu\" not implemented for '{_word(a)}'")
    if bins <= 0:
        raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {bins} for dimension 0")
    low, high = _range("torch.histc", a, min, max)
    x = a.reshape(-1)
    x = x[(x >= low) & (x <= high)]
    kind = a.dtype.type
    place = ((x - kind(low)) * kind(bins) / (kind(high) - kind(low))).astype(np.int64)
    np.minimum(place, bins - 1, out=place)
    return wrap(np.bincount(place, minlength=bins).astype(a.dtype))


def _edges(name: str, points: Any, bins: Any, ranges: Any) -> list[Any]:
    """The edges of bins along each dimension of `points` (n, d)."""
    d = points.shape[1]
    if bins and isinstance(bins[0], Tensor):
        for i, b in enumerate(bins):
            if b.ndim != 1:
                raise RuntimeError(
                    f"torch.histogramdd: bins tensor should have one dimension, but got {b.ndim} dimensions in the bins tensor "
                    f"for dimension {i}"
                )
            if b.dtype.np != points.dtype:
                raise RuntimeError(
                    f"torch.histogramdd: input tensor and bins tensors should have the same dtype, but got input with dtype "
                    f"{_word(points)} and bins for dimension {i} with dtype {_word(b._array)}"
                )
        return [b._array for b in bins]
    found = []
    for i, n in enumerate(bins):
        if n <= 0:
            raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {n} for dimension {i}")
        low, high = (0.0, 0.0) if ranges is None else (ranges[2 * i], ranges[2 * i + 1])
        if ranges is None and len(points):
            low, high = points[:, i].min().item(), points[:, i].max().item()
        elif ranges is None:
            low, high = 0.0, 1.0
        if not (math.isfinite(low) and math.isfinite(high)):
            raise RuntimeError(f"torch.histogramdd: dimension {i}'s range [{low:g}, {high:g}] is not finite")
        if low > high:
            raise RuntimeError(
                f"torch.histogramdd: min should not exceed max, but got min {low:g} max {high:g} for dimension {i}"
            )
        if low == high:
            low, high = low - 0.5, high + 0.5
        found.append(np.linspace(low, high, n + 1).astype(points.dtype))
    assert len(found) == d
    return found


def _counted(points: Any, edges: list[Any], weight: Any, density: bool) -> Any:
    inside = np.ones(len(points), np.bool_)
    places = []
    for i, e in enumerate(edges):
        x = points[:, i]
        inside &= (x >= e[0]) & (x <= e[-1])
        place = np.searchsorted(e, x, "right") - 1
        place[x == e[-1]] = len(e) - 2
        places.append(place)
    shape = tuple(len(e) - 1 for e in edges)
    flat = np.ravel_multi_index([p[inside] for p in places], shape) if len(points) else np.zeros(0, np.int64)
    total = np.bincount(flat, None if weight is None else weight[inside], math.prod(shape)).reshape(shape)
    total = total.astype(points.dtype)
    if density:
        volume = functools.reduce(np.multiply.outer, [np.diff(e) for e in edges])
        total = total / total.sum() / volume
    return total


_Histogram = named_result("histogram", ["hist", "bin_edges"])
_HistogramDD = named_result("histogramdd", ["hist", "bin_edges"])


@composite("histogram", out=True, by_example=True)
def histogram(input: Any, bins: Any, *, range: Any = None, weight: Any = None, density: bool = False) -> Any:
    """`(hist, bin_edges)`: how many elements (or how much weight) lie in each bin. The last bin includes its right edge."""
    a = input._array
    if a.dtype.kind != "f":
        raise NotImplementedError(f"\"histogramdd\" not implemented for '{_word(a)}'")
    points = a.reshape(-1, 1)
    if range is not None and len(range) != 2:
        raise RuntimeError(f"torch.histogramdd: range should have 2 elements, but got {len(range)}")
    edges = _edges("histogram", points, [bins], range)
    w = _weights(weight, a, a.shape)
    return _Histogram(wrap(_counted(points, edges, w, density)), wrap(edges[0].copy()))


def _weights(weight: Any, a: Any, shape: Any) -> Any:
    if weight is None:
        return None
    w = weight._array
    if w.dtype != a.dtype:
        raise RuntimeError(
            "torch.histogramdd: if weight tensor is provided, input tensor and weight tensor should have the same dtype, but "
            f"got input({_word(a)}), and weight({_word(w)})"
        )
    if w.shape != shape:
        raise RuntimeError(
            "torch.histogramdd: if weight tensor is provided it should have the same shape as the input tensor excluding its "
            f"innermost dimension, but got input with shape {list(a.shape)} and weight with shape {list(w.shape)}"
        )
    return w.reshape(-1)


@by_example
def histogramdd(input: Any, bins: Any, *, range: Any = None, weight: Any = None, density: bool = False) -> Any:
    """`(hist, bin_edges)` in as many dimensions as the last one of `input` has elements."""
    a = input._array
    if a.ndim < 2:
        raise RuntimeError("torch.histogramdd: input tensor should have at least 2 dimensions")
    d = a.shape[-1]
    given = [bins] * d if isinstance(bins, int) else list(bins)
    if len(given) != d:
        raise RuntimeError("histogramdd: The size of bins must be equal to the innermost dimension of the input.")
    if a.dtype.kind != "f":
        raise NotImplementedError(f"\"histogramdd\" not implemented for '{_word(a)}'")
    points = a.reshape(-1, d)
    if range is not None and len(range) != 2 * d:
        raise RuntimeError(
            f"torch.histogramdd: for a {d}-dimensional histogram range should have {2 * d} elements, but got {len(range)}"
        )
    edges = _edges("histogramdd", points, given, range)
    w = _weights(weight, a, a.shape[:-1])
    return _HistogramDD(wrap(_counted(points, edges, w, density)), tuple(wrap(e.copy()) for e in edges))


# -- hashes ------------------------------------------------------------------------------------------------------


@general("hash_tensor", outputs="out*", out=True)
def hash_tensor(input: Array, dim: Any = (), *, keepdim: bool = False, mode: int = 0) -> Any:
    """A hash as uint64: the bits of the elements, widened to 64, by exclusive or over everything or along dimensions."""
    if mode != 0:
        raise RuntimeError(f"hash_tensor: Unknown mode {mode}, only mode=0 (xor) is supported")
    if input.dtype.kind == "c":
        raise NotImplementedError(f"\"xor_sum_cpu\" not implemented for '{_word(input)}'")
    axes = axes_of(dim, input.ndim) or None
    if not input.size and axes is None:
        raise RuntimeError(
            "hash_tensor: Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the "
            "'dim' argument."
        )
    wide = input.astype(np.float64) if input.dtype.kind == "f" else input.astype(np.int64)
    return np.bitwise_xor.reduce(wide.view(np.uint64), axis=axes, keepdims=keepdim)
