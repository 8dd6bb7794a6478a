"""The loss of connectionist temporal classification. What computes is `kernels/ctc`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.by_example import by_example
from ..core.op import Array, composite, general
from ..core.tensor import Tensor, wrap
from ..kernels import ctc as kernel
from .choosing import masked_fill, where
from .joining import cat, stack
from .moments import logsumexp
from .pointwise import logaddexp
from .reductions import mean, sum

__all__ = ["ctc_loss"]

_FAR = -1e30  # in the definition, where the kernel has -inf: a logarithm of 0 whose derivative is a number


def _definition(log_probs: Any, targets: Any, times: Any, lengths: Any, blank: int, zero_infinity: bool) -> Any:
    """The forward recursion in other operations."""
    symbols, skips = kernel.states(targets, blank)
    steps, n, _ = log_probs.shape
    emitted = log_probs.gather(2, wrap(np.ascontiguousarray(np.broadcast_to(symbols, (steps, *symbols.shape)))))
    state = np.arange(symbols.shape[1])
    first = (state == 0) | ((state == 1) & (lengths > 0)[:, None])
    alpha = where(wrap(first), emitted[0], _FAR)
    far: Any = wrap(np.full((n, 2), _FAR, log_probs.dtype.np))
    skip = wrap(~skips)
    reached = [alpha]
    for t in range(1, steps):
        one = cat([far[:, :1], alpha], 1)[:, :-1]
        two = masked_fill(cat([far, alpha], 1)[:, :-2], skip, _FAR)
        alpha = logsumexp(stack([alpha, one, two]), 0) + emitted[t]
        reached.append(alpha)
    each, last = wrap(np.arange(n)), wrap(np.maximum(times - 1, 0))
    table = stack(reached)
    at_blank = table[last, each, wrap(2 * lengths)]
    at_label = where(wrap(lengths > 0), table[last, each, wrap(np.maximum(2 * lengths - 1, 0))], _FAR)
    losses = -logaddexp(at_blank, at_label)
    infinite = 0.0 if zero_infinity else float("inf")
    losses = where(losses > -_FAR / 2, infinite, losses)
    return where(wrap(times > 0), losses, wrap(np.where(lengths == 0, 0, infinite).astype(log_probs.dtype.np)))


@general(
    "ctc_rows",
    outputs="out, ~alpha",
    log_probs=lambda g, log_probs, targets, times, lengths, blank, out, alpha: ctc_back(
        g, log_probs, out, alpha, targets, times, lengths, blank
    ),
    composite=_definition,
    node="CtcLossBackward0",
    method=False,
)
def ctc_rows(log_probs: Array, targets: Any, times: Any, lengths: Any, blank: int, zero_infinity: bool = False) -> Any:
    """A loss for each example; `targets` (N, S), `times` (N,) and `lengths` (N,) are arrays of integers."""
    losses, alpha = kernel.forward(log_probs, targets, times, lengths, blank)
    if zero_infinity:
        losses[losses == np.inf] = 0
    return losses, alpha


@general("ctc_back", method=False)
def ctc_back(
    input: Array, log_probs: Array, losses: Array, alpha: Array, targets: Any, times: Any, lengths: Any, blank: int
) -> Any:
    """The gradient of the log-probabilities from that of the losses."""
    return kernel.backward(input, log_probs, targets, times, lengths, blank, losses, alpha)


def _lengths(name: str, given: Any, n: int) -> Any:
    array = given._array if isinstance(given, Tensor) else np.asarray(given)
    if array.dtype.kind not in "iu":
        raise RuntimeError(f"{name} must be integral")
    array = array.reshape(-1).astype(np.int64)
    if array.size != n:
        raise RuntimeError(f"{name} must be of size batch_size")
    return array


_ALLOCATE = "(while checking arguments for ctc_loss_allocate_outputs)"


def _arguments(log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int) -> tuple[Any, ...]:
    """Lengths as arrays and targets as (N, S), all checked."""
    steps, n, classes = log_probs.shape
    times = _lengths("input_lengths", input_lengths, n)
    lengths = _lengths("target_lengths", target_lengths, n)
    if not log_probs.is_floating_point():
        raise NotImplementedError(f"\"ctc_loss_cpu\" not implemented for '{log_probs.dtype.tensor_type}'")
    if not 0 <= blank < classes:
        raise RuntimeError("blank must be in label range")
    for value in times:
        if value < 0:
            raise RuntimeError(f"Expected input_lengths to have value at least 0, but got value {value} {_ALLOCATE}")
        if value > steps:
            raise RuntimeError(
                f"Expected input_lengths to have value at most {steps}, but got value {value} {_ALLOCATE}"
            )
    for value in lengths:
        if value < 0:
            raise RuntimeError(f"Expected target_lengths to have value at least 0, but got value {value} {_ALLOCATE}")
    longest = int(lengths.max(initial=0))
    labels = targets._array
    if labels.ndim == 1:
        total = int(lengths.sum())
        if labels.size != total:
            raise RuntimeError(
                f"Expected tensor to have size {total} at dimension 0, but got size {labels.size} for argument #2 'targets' "
                f"{_ALLOCATE}"
            )
        padded = np.full((n, longest), blank, np.int64)
        padded[np.arange(longest) < lengths[:, None]] = labels
    else:
        if labels.shape[1] < longest:
            raise RuntimeError(
                f"Expected tensor to have size at least {longest} at dimension 1, but got size {labels.shape[1]} for "
                f"argument #2 'targets' {_ALLOCATE}"
            )
        inside = np.arange(longest) < lengths[:, None]
        padded = np.where(inside, labels[:, :longest], blank).astype(np.int64)
    return padded, times, lengths


@by_example
def ctc_loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: int = 1,
    zero_infinity: bool = False,
) -> Any:
    """As `nn.functional.ctc_loss`, the reduction being PyTorch's number for it."""
    single = log_probs.ndim == 2
    if single:
        log_probs = log_probs.unsqueeze(1)
        targets = targets.reshape((1, -1)) if targets.ndim != 1 else targets
    elif log_probs.ndim != 3:
        raise RuntimeError(f"log_probs must be 2D or 3D, got {log_probs.ndim}D")
    padded, times, lengths = _arguments(log_probs, targets, input_lengths, target_lengths, blank)
    losses = ctc_rows(log_probs, padded, times, lengths, blank, zero_infinity)
    if reduction == 1:
        return mean(losses / wrap(np.maximum(lengths, 1).astype(losses.dtype.np)))
    if reduction == 2:
        return sum(losses)
    return losses.squeeze(0) if single else losses


@composite("nn.functional.ctc_loss", precision="full", method=False, by_example=True)
def functional_ctc_loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Any:
    """-log of the probability of a target, summed over all its alignments with the input.

    log_probs (T, N, C) or (T, C); targets (N, S), or all in one vector; lengths (N,). The mean is over losses divided by the
    target's length.
    """
    from .losses import code

    number = code(reduction)
    return ctc_loss(log_probs, targets, input_lengths, target_lengths, blank, number, zero_infinity)
