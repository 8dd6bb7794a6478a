"""Losses with a margin: rankings, hinges, several classes, embeddings, triplets."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.op import Array, composite
from ..core.tensor import wrap
from ..kernels import special
from .activations import logsigmoid
from .choosing import clamp, masked_fill, minimum, where
from .distances import pairwise_distance
from .joining import broadcast_tensors
from .losses import F, _collect, _loss, _share, code, legacy, reduce
from .pointwise import sigmoid
from .reductions import sum

_reduced = reduce  # where an argument has that name


@composite("margin_ranking_loss", precision="full", method=False)
def _ranking(input1: Any, input2: Any, target: Any, margin: float = 0.0, reduction: Any = 1) -> Any:
    """max(0, -target * (input1 - input2) + margin), reduced by PyTorch's number for it."""
    return _numbered(clamp(-target * (input1 - input2) + margin, 0, None), reduction)


def _numbered(loss: Any, reduction: Any) -> Any:
    if isinstance(reduction, str):
        reduction = code(reduction)
    return reduce(loss, ("none", "mean", "sum")[reduction])


@composite(F + "margin_ranking_loss", precision="full", method=False)
def margin_ranking_loss(
    input1: Any,
    input2: Any,
    target: Any,
    margin: float = 0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    """max(0, -target * (input1 - input2) + margin): target 1 asks that input1 be the larger, -1 the smaller."""
    number = code(legacy(size_average, reduce, reduction))
    if input1.ndim != input2.ndim or input1.ndim != target.ndim:
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.shape}, input2: {input2.shape}, target: {target.shape} "
        )
    return _ranking(input1, input2, target, margin, number)


@composite("hinge_embedding_loss", precision="full", method=False)
def _hinge(input: Any, target: Any, margin: float = 1.0, reduction: Any = 1) -> Any:
    """`input` where the target is 1, max(0, margin - input) where it is -1."""
    apart = where(target != 1, clamp(margin - input, 0, None), 0.0)
    return _numbered(apart + where(target != -1, input, 0.0), reduction)


@composite(F + "hinge_embedding_loss", precision="full", method=False)
def hinge_embedding_loss(
    input: Any,
    target: Any,
    margin: float = 1.0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    """`input` where the target is 1, max(0, margin - input) where it is -1."""
    return _hinge(input, target, margin, code(legacy(size_average, reduce, reduction)))


@_loss(
    "soft_margin_loss",
    "soft_margin_loss",
    input=lambda g, input, target, reduction, input_shape: (
        _share(g, reduction, input_shape) * (-target * sigmoid(-target * input))
    ),
    tex=r"\operatorname{{mean}}\, \ln (1 + e^{{-{target} {input}}})",
)
def soft_margin_rows(input: Array, target: Array, reduction: int) -> Any:
    """log(1 + exp(-target * input)), reduced."""
    return _collect(special.softplus(-target * input), reduction)


@composite(F + "soft_margin_loss", precision="full", method=False)
def soft_margin_loss(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Any:
    """log(1 + exp(-target * input)), the target being 1 or -1."""
    number = code(legacy(size_average, reduce, reduction))
    if input.shape != target.shape:
        input, target = broadcast_tensors(input, target)
    return soft_margin_rows(input, target, number)


@composite(F + "multilabel_soft_margin_loss", method=False)
def multilabel_soft_margin_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    """Binary cross entropy with scores, averaged over the classes (the last dimension)."""
    reduction = legacy(size_average, reduce, reduction, frames=4)
    loss = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    if weight is not None:
        loss = loss * weight
    loss = sum(loss, -1) / input.shape[-1]
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(reduction + " is not valid")
    return _reduced(loss, reduction)


def _rows(name: str, input: Any) -> tuple[int, int]:
    """How many examples and classes; scores are (c,) or (n, c)."""
    if input.ndim > 2 or (input.ndim and input.shape[-1] == 0):
        raise RuntimeError(
            f"Expected non-empty vector or matrix with optional 0-dim batch size, but got: {list(input.shape)}"
        )
    return (input.shape[0] if input.ndim == 2 else 1), (input.shape[-1] if input.ndim else 1)


def _long(target: Any) -> None:
    if target._array.dtype != np.int64:
        raise RuntimeError(f"expected scalar type Long but found {target.dtype.tensor_type}")


@composite(F + "multi_margin_loss", precision="full", method=False)
def multi_margin_loss(
    input: Any,
    target: Any,
    p: int = 1,
    margin: float = 1.0,
    weight: Any = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    """The sum over wrong classes j of max(0, margin - input[target] + input[j]) ** p, over the number of classes."""
    reduction = legacy(size_average, reduce, reduction)
    code(reduction)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.ndim != 1:
        raise ValueError("weight must be one-dimensional")
    n, classes = _rows("multi_margin_loss", input)
    if target.ndim > 1 or target.numel() != n:
        raise RuntimeError(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of input samples (batch size). "
            f"Expected target size [{n}], but got {list(target.shape)}. Input has shape {list(input.shape)}."
        )
    if weight is not None and weight.numel() != classes:
        raise RuntimeError(f"inconsistent weight size, expected {classes} but got {list(weight.shape)}")
    _long(target)
    places = target._array
    if isinstance(places, np.ndarray) and places.size and (places.min() < 0 or places.max() >= classes):
        raise RuntimeError("target out of range")
    rows, column = input.reshape((n, classes)), target.reshape((n, 1))
    short = clamp(margin - rows.gather(1, column) + rows, 0, None)
    short = masked_fill(short if p == 1 else short * short, column == wrap(np.arange(classes)), 0)
    if weight is not None:
        short = short * weight[column]
    loss = sum(short, 1) / classes
    if reduction == "none" and input.ndim < 2:
        loss = loss.reshape(tuple(target.shape) if input.ndim else ())
    return _reduced(loss, reduction)


@composite(F + "multilabel_margin_loss", precision="full", method=False, by_example=True)
def multilabel_margin_loss(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Any:
    """The sum over right classes i and wrong ones j of max(0, 1 - input[i] + input[j]), over the number of classes.

    A row of `target` lists the right classes up to the first -1.
    """
    reduction = legacy(size_average, reduce, reduction)
    code(reduction)
    n, classes = _rows("multilabel_margin_loss", input)
    if tuple(target.shape) != tuple(input.shape) and not (input.ndim == 1 and target.numel() == classes):
        raise RuntimeError(f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}")
    _long(target)
    listed = target._array.reshape(n, classes)
    if listed.size and (listed.min() < -1 or listed.max() >= classes):
        raise RuntimeError("argument #2 'target' is out of range")
    counts = np.logical_and.accumulate(listed >= 0, axis=1)
    longest = int(counts.sum(1).max(initial=0))
    counts, places = counts[:, :longest], np.where(counts, listed, 0)[:, :longest]
    wrong = np.ones((n, classes), np.bool_)
    wrong[np.nonzero(counts)[0], places[counts]] = False
    rows = input.reshape((n, classes))
    short = clamp(1 - rows.gather(1, wrap(places)).unsqueeze(2) + rows.unsqueeze(1), 0, None)
    short = where(wrap(counts[:, :, None] & wrong[:, None, :]), short, 0.0)
    loss = sum(short, (1, 2)) / classes
    if reduction == "none" and input.ndim < 2:
        loss = loss.reshape(())
    return _reduced(loss, reduction)


@composite("cosine_embedding_loss", precision="full", method=False)
def _cosine(input1: Any, input2: Any, target: Any, margin: float = 0.0, reduction: Any = 1) -> Any:
    """1 - cos where the target is 1, max(0, cos - margin) where it is -1."""
    if target.ndim not in (0, 1):
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if input1.ndim != target.ndim + 1 or input2.ndim != target.ndim + 1:
        raise RuntimeError(
            f"{target.ndim}D target tensor expects {target.ndim + 1}D input tensors, but found inputs with sizes "
            f"{list(input1.shape)} and {list(input2.shape)}."
        )
    eps, d = 1e-12, target.ndim
    squares = (sum(input1 * input1, d) + eps) * (sum(input2 * input2, d) + eps)
    cos = sum(input1 * input2, d) / squares.sqrt()
    apart = where(target == -1, clamp(cos - margin, 0, None), 0.0)
    return _numbered(where(target == 1, 1 - cos, 0.0) + apart, reduction)


@composite(F + "cosine_embedding_loss", precision="full", method=False)
def cosine_embedding_loss(
    input1: Any,
    input2: Any,
    target: Any,
    margin: float = 0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    """1 - cos(input1, input2) where the target is 1, max(0, cos - margin) where it is -1."""
    return _cosine(input1, input2, target, margin, code(legacy(size_average, reduce, reduction)))


def _triplet(
    anchor: Any, positive: Any, negative: Any, distance: Any, margin: float, swap: bool, reduction: str
) -> Any:
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return _reduced(clamp(near - far + margin, 0, None), reduction)


def _check_triplet(anchor: Any, positive: Any, negative: Any, margin: float, reduction: str) -> None:
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    code(reduction)
    a, p, n = anchor.ndim, positive.ndim, negative.ndim
    if not a == p == n:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
            f"anchor {a}D, positive {p}D, and negative {n}D inputs"
        )


@composite(F + "triplet_margin_loss", precision="full", method=False)
def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin). V. Balntas et al., 2016."""
    reduction = legacy(size_average, reduce, reduction)
    _check_triplet(anchor, positive, negative, margin, reduction)

    def distance(x: Any, y: Any) -> Any:
        return pairwise_distance(x, y, p, eps)

    return _triplet(anchor, positive, negative, distance, margin, swap, reduction)


@composite(F + "triplet_margin_with_distance_loss", method=False)
def triplet_margin_with_distance_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    *,
    distance_function: Any = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Any:
    """`triplet_margin_loss` with any distance (by default that of `pairwise_distance`)."""
    _check_triplet(anchor, positive, negative, margin, reduction)
    return _triplet(anchor, positive, negative, distance_function or pairwise_distance, margin, swap, reduction)
