"""Embeddings: rows of a table by number, one by one or in bags; one-hot vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes
from ..core.batched import layered, layers, plain
from ..core.by_example import by_example
from ..core.op import Array, composite, linear
from ..core.tensor import Tensor, wrap
from ..core.views import bump
from ..kernels import scatter
from .choosing import keep
from .gathering import gather
from .shared import inside

__all__ = ["embedding", "embedding_bag", "embedding_renorm_"]


def _check(weight: Any, indices: Any, name: str = "embedding") -> None:
    if weight.ndim != 2:
        raise RuntimeError("'weight' must be 2-D")
    if indices.dtype != np.int64 and indices.dtype != np.int32:
        word = dtypes.of(indices.dtype).tensor_type
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got "
            f"torch.{word}Tensor instead (while checking arguments for {name})"
        )
    if not inside(indices, weight.shape[0]):
        raise IndexError("index out of range in self")


@linear(
    "embedding",
    weight=lambda g, indices, weight_shape, padding_idx, scale_grad_by_freq: embedding_back(
        g, indices, weight_shape[0], padding_idx, scale_grad_by_freq
    ),
    method=False,
    tex=r"{weight}_{{{indices}}}",
)
def embedding(
    weight: Array, indices: Array, padding_idx: int = -1, scale_grad_by_freq: bool = False, sparse: bool = False
) -> Any:
    """The rows of `weight` (n, d) that `indices` (*) names: (*, d). Row `padding_idx` gets no gradient."""
    _check(weight, indices)
    return scatter.take_along(weight, 0, indices)


@linear(
    "embedding_back",
    input=lambda g, indices, padding_idx, scale_grad_by_freq: _rows_of(g, indices, padding_idx, scale_grad_by_freq),
    node="EmbeddingDenseBackwardBackward0",
    method=False,
)
def embedding_back(input: Array, indices: Array, rows: int, padding_idx: int, scale_grad_by_freq: bool) -> Any:
    """Zeros (rows, d) with `input` (*, d) added where `indices` points; divided by how often, if that is asked for."""
    width = input.shape[-1]
    flat, source = indices.reshape(-1), input.reshape(-1, width)
    if scale_grad_by_freq:
        source = source / np.bincount(flat, minlength=rows)[flat].astype(input.dtype)[:, None]
    out = np.empty((rows, width), input.dtype)
    scatter.add_along(out, 0, flat, source, 0)
    if padding_idx >= 0:
        out[padding_idx] = 0
    return out


def _rows_of(g: Any, indices: Any, padding_idx: int, scale_grad_by_freq: bool) -> Any:
    """The transpose: rows again, none of them the padding's."""
    if scale_grad_by_freq:
        raise RuntimeError("embedding_backward: double backward with scale_grad_by_freq is not supported")
    rows = embedding(g, indices)
    return rows if padding_idx < 0 else keep(rows, (indices != padding_idx)[..., None])


def embedding_renorm_(input: Any, indices: Any, max_norm: float, norm_type: float = 2.0) -> Any:
    """Shorten, in place, the rows that `indices` names to norm `max_norm` if they are longer."""
    array, named = input._array, plain(indices._array)  # of a batch, the rows that any example names
    if plain(array) is not array:
        raise NotImplementedError(
            "embedding(max_norm=...) under vmap over the weight: shorten its rows outside, or loop"
        )
    _check(array, named, "embedding_renorm_")
    rows = np.unique(named)
    norms = np.linalg.norm(array[rows].astype(np.float64), norm_type, axis=1)
    long = norms > max_norm
    if long.any():
        array[rows[long]] *= (max_norm / (norms[long] + 1e-7)).astype(array.dtype)[:, None]
    bump(input)
    return input


def _padding(padding_idx: int | None, rows: int) -> int:
    if padding_idx is None:
        return -1
    if not -rows <= padding_idx < rows:
        raise AssertionError("Padding_idx must be within num_embeddings")
    return padding_idx % rows


def _no_sparse(sparse: bool, weight: Any) -> None:
    if sparse and weight.requires_grad:
        raise NotImplementedError("embedding: sparse gradients are not supported; use sparse=False")


@composite("nn.functional.embedding", method=False)
def functional_embedding(
    input: Any,
    weight: Any,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Any:
    """The rows of `weight` (n, d) that `input` (*) names: (*, d).

    Row `padding_idx` gets no gradient; rows longer than `max_norm` are first shortened to it, in place.
    """
    _no_sparse(sparse, weight)
    if weight.ndim != 2:
        raise RuntimeError("'weight' must be 2-D")
    padding = _padding(padding_idx, weight.shape[0])
    if max_norm is not None:
        embedding_renorm_(weight, input, max_norm, norm_type)
    return embedding(weight, input, padding, scale_grad_by_freq)


# -- bags ----------------------------------------------------------------------------------------------------------


@linear(
    "segment_sum",
    input=lambda g, segments: embedding(g, segments),
    method=False,
)
def segment_sum(input: Array, segments: Array, count: int) -> Any:
    """Sums of the rows of (n, d) by segment, whose numbers `segments` (n,) do not fall: (count, d)."""
    out = np.zeros((count, input.shape[1]), input.dtype)
    if segments.size:
        starts = np.flatnonzero(np.diff(segments, prepend=-1))
        out[segments[starts]] = np.add.reduceat(input, starts, axis=0)
    return out


def _first_of_maximum(rows: Any, segments: Any, count: int) -> Any:
    """For each segment and column, the number of the row that has the maximum; -1 for an empty segment."""
    found = np.full((count, rows.shape[1]), -1, np.int64)
    if segments.size:
        starts = np.flatnonzero(np.diff(segments, prepend=-1))
        top = np.empty((count, rows.shape[1]), rows.dtype)
        top[segments[starts]] = np.maximum.reduceat(rows, starts, axis=0)
        at = np.where(rows == top[segments], np.arange(len(rows))[:, None], len(rows))
        found[segments[starts]] = np.minimum.reduceat(at, starts, axis=0)
    return found


_MODES = ("sum", "mean", "max")


def _check_bags(input: Any, weight: Any, offsets: Any, mode: str, per_sample_weights: Any, scale: bool) -> None:
    if per_sample_weights is not None and input.shape != per_sample_weights.shape:
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({per_sample_weights.shape}) is not None, then it must have the same "
            f"shape as the input ({input.shape})"
        )
    if weight.ndim != 2:
        raise ValueError(f"weight has to be a 2D Tensor, but got Tensor of dimension {weight.ndim}")
    if input.ndim == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length "
                "sequences. However, found offsets of type <class 'torch.Tensor'>"
            )
    elif input.ndim == 1:
        if offsets is None:
            raise ValueError("offsets has to be a 1D Tensor but got None")
        if offsets.ndim != 1:
            raise ValueError("offsets has to be a 1D Tensor")
    else:
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.ndim}")
    if mode not in _MODES:
        raise ValueError("mode has to be one of sum, mean or max")
    if mode == "max" and scale:
        raise ValueError("max mode does not support scaling the gradient by the frequency")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' "
            f"(got mode='{mode}'). Please open a feature request on GitHub."
        )


@composite("nn.functional.embedding_bag", method=False, by_example=True)
def functional_embedding_bag(
    input: Any,
    weight: Any,
    offsets: Any = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Any = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Any:
    """Sums, means or maxima of bags of rows of `weight` (n, d): (bags, d).

    A bag is a row of `input` (bags, k), or what lies between two `offsets` in `input` (m,). Rows `padding_idx` do not
    count; an empty bag gives zeros.
    """
    if weight._array.dtype.kind in "iu" and input.is_floating_point():
        input, weight = weight, input  # the order of long ago
    _check_bags(input, weight, offsets, mode, per_sample_weights, scale_grad_by_freq)
    _no_sparse(sparse, weight)
    if input.ndim == 2:
        length, bags = input.shape[1], input.shape[0]
        offsets = wrap(np.arange(bags + 1) * length)
        include_last_offset = True
        input = input.reshape((-1,))
        if per_sample_weights is not None:
            per_sample_weights = per_sample_weights.reshape((-1,))
    if max_norm is not None:
        embedding_renorm_(weight, input, max_norm, norm_type)
    return embedding_bag(
        weight, input, offsets, scale_grad_by_freq, _MODES.index(mode), sparse, per_sample_weights, include_last_offset,
        padding_idx,
    )[0]  # fmt: skip


def _bounds(offsets: Any, size: int, include_last: bool) -> Any:
    """Where each bag begins, and the end."""
    starts = offsets._array.astype(np.int64)
    if starts.size and starts[0] != 0:
        raise RuntimeError(
            "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. However, got "
            f"{starts[0]}"
        )
    if starts.size and starts[-1] > size:
        raise RuntimeError(
            f"offsets[-1] can not be greater than input's length {size} but got offsets[-1] of {starts[-1]}"
        )
    if include_last:
        if not starts.size:
            raise RuntimeError("include_last_offset: number of offset should be at least 1")
        return starts
    return np.append(starts, size)


@by_example
def embedding_bag(
    weight: Any,
    indices: Any,
    offsets: Any,
    scale_grad_by_freq: bool = False,
    mode: int = 0,
    sparse: bool = False,
    per_sample_weights: Any = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> tuple[Any, Any, Any, Any]:
    """PyTorch's lower-level function: the bags, the bag of each index, the size of each bag, and where maxima are."""
    _check_bag_indices(weight, indices)
    bounds = _bounds(offsets, indices.shape[0], include_last_offset)
    count = len(bounds) - 1
    segments = np.repeat(np.arange(count), np.diff(bounds))
    whole = wrap(segments)
    numbers = indices._array[: segments.size]
    padding = -1
    weights = per_sample_weights
    if padding_idx is not None:
        padding = _padding(padding_idx, weight.shape[0])
        kept = np.flatnonzero(numbers != padding)
        numbers, segments = numbers[kept], segments[kept]
        if weights is not None:
            weights = weights.index_select(0, wrap(kept))
    elif weights is not None:
        weights = weights[: segments.size]
    rows = embedding(weight, wrap(numbers), padding, scale_grad_by_freq)
    sizes = np.bincount(segments, minlength=count)
    if mode == 2:
        found = _first_of_maximum(rows.detach()._array, segments, count)
        empty = wrap(found < 0)
        if not numbers.size:
            bagged = segment_sum(rows, wrap(segments), count)
        else:
            bagged = gather(rows, 0, wrap(np.maximum(found, 0))).masked_fill(empty, 0)
        places = wrap(np.where(found < 0, 0, numbers[found] if numbers.size else found))
    else:
        if weights is not None:
            rows = rows * weights.unsqueeze(1)
        bagged = segment_sum(rows, wrap(segments), count)
        if mode == 1:
            bagged = bagged / wrap(np.maximum(sizes, 1).astype(weight.dtype.np)[:, None])
        places = wrap(np.zeros(0, np.int64))
    return bagged, whole, wrap(sizes), places


def _check_bag_indices(weight: Any, indices: Any) -> None:
    array = indices._array
    if array.dtype == np.int64 or array.dtype == np.int32:
        bad = np.flatnonzero((array < 0) | (array >= weight.shape[0]))
        if bad.size:
            raise RuntimeError(
                f"Index {bad[0]} of input takes value {array[bad[0]]} which is not in the valid range [0, "
                f"{weight.shape[0]})"
            )
    _check(weight._array, array, "embedding_bag")


# -- one-hot -------------------------------------------------------------------------------------------------------


@composite("nn.functional.one_hot", names={"tensor": "input"}, method=False)
def one_hot(tensor: Any, num_classes: int = -1) -> Any:
    """Classes (*) as vectors (*, num_classes) of zeros and a single one. -1: as many classes as are needed."""
    array = tensor._array if isinstance(tensor, Tensor) else tensor
    if array.dtype != np.int64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    if array.size == 0:
        if num_classes <= 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        return wrap(np.zeros((*array.shape, num_classes), np.int64))
    levels, classes = layers(array)
    if levels and num_classes <= 0:
        raise RuntimeError(
            "When vmap-ing torch.nn.functional.one_hot, please provide an explicit positive num_classes argument."
        )
    if classes.min() < 0:
        raise RuntimeError("Class values must be non-negative.")
    if num_classes == -1:
        num_classes = int(classes.max()) + 1
    elif classes.max() >= num_classes:
        raise RuntimeError("Class values must be smaller than num_classes.")
    out = np.zeros((*classes.shape, num_classes), np.int64)
    np.put_along_axis(out, classes[..., None], 1, axis=-1)
    return wrap(layered(levels, out))
