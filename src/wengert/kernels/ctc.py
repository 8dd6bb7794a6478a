"""Connectionist temporal classification on arrays: the forward-backward algorithm, all examples of a batch at once.

A target of S labels is walked through in L = 2 S + 1 states: blanks around and between its labels. From one time to the next
a path stays, goes on to the next state, or skips a blank between two different labels. A. Graves et al., 2006.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def states(targets: Any, blank: int) -> tuple[Any, Any]:
    """For padded targets (N, S): the symbol of each state (N, L), and where the state two before may be come from."""
    n, s = targets.shape
    symbols = np.full((n, 2 * s + 1), blank, np.int64)
    symbols[:, 1::2] = targets
    skips = np.zeros(symbols.shape, np.bool_)
    skips[:, 2:] = (symbols[:, 2:] != blank) & (symbols[:, 2:] != symbols[:, :-2])
    return symbols, skips


def _log_sum(a: Any, b: Any, c: Any) -> Any:
    """log(exp(a) + exp(b) + exp(c)); all may be -inf."""
    top = np.maximum(np.maximum(a, b), c)
    safe = np.where(top == -np.inf, 0, top).astype(a.dtype)
    return np.log(np.exp(a - safe) + np.exp(b - safe) + np.exp(c - safe)) + safe


def _shifted(a: Any, by: int) -> Any:
    """The state `by` before each (after, if negative); -inf where there is none."""
    out = np.full_like(a, -np.inf)
    if by > 0:
        out[:, by:] = a[:, :-by]
    else:
        out[:, :by] = a[:, -by:]
    return out


def forward(log_probs: Any, targets: Any, times: Any, lengths: Any, blank: int) -> tuple[Any, Any]:
    """Losses (N,) of log-probabilities (T, N, C), and log alpha (T, N, L): how likely each state is reached."""
    symbols, skips = states(targets, blank)
    steps = log_probs.shape[0]
    emitted = np.take_along_axis(log_probs, symbols[None], 2)
    alpha = np.full(emitted.shape, -np.inf, log_probs.dtype)
    if steps:
        alpha[0, :, 0] = emitted[0, :, 0]
        if symbols.shape[1] > 1:
            alpha[0, :, 1] = np.where(lengths > 0, emitted[0, :, 1], -np.inf)
    for t in range(1, steps):
        a = alpha[t - 1]
        two = np.where(skips, _shifted(a, 2), -np.inf) if a.shape[1] > 2 else a - np.inf
        one = _shifted(a, 1) if a.shape[1] > 1 else a - np.inf
        alpha[t] = _log_sum(a, one, two) + emitted[t]
    return _losses(alpha, times, lengths), alpha


def _losses(alpha: Any, times: Any, lengths: Any) -> Any:
    n = alpha.shape[1]
    if not alpha.shape[0]:
        return np.where(lengths == 0, 0, np.inf).astype(alpha.dtype)
    last, each = np.maximum(times - 1, 0), np.arange(n)
    at_blank = alpha[last, each, 2 * lengths]
    at_label = np.where(lengths > 0, alpha[last, each, np.maximum(2 * lengths - 1, 0)], -np.inf)
    losses = -np.logaddexp(at_blank, at_label)
    return np.where(times > 0, losses, np.where(lengths == 0, 0, np.inf)).astype(alpha.dtype)


def backward(
    g: Any, log_probs: Any, targets: Any, times: Any, lengths: Any, blank: int, losses: Any, alpha: Any
) -> Any:
    """The gradient of the log-probabilities: -g times how likely it is that a symbol is emitted at a time."""
    symbols, skips = states(targets, blank)
    steps, n, classes = log_probs.shape
    count = symbols.shape[1]
    emitted = np.take_along_axis(log_probs, symbols[None], 2)
    state = np.arange(count)
    ends = (state == 2 * lengths[:, None]) | ((state == 2 * lengths[:, None] - 1) & (lengths[:, None] > 0))
    from_two = np.zeros_like(skips)
    from_two[:, :-2] = skips[:, 2:]
    beta = np.full((n, count), -np.inf, log_probs.dtype)
    share = np.empty_like(alpha)
    for t in range(steps - 1, -1, -1):
        one = _shifted(beta, -1) if count > 1 else beta - np.inf
        two = np.where(from_two, _shifted(beta, -2), -np.inf) if count > 2 else beta - np.inf
        inner = _log_sum(beta, one, two)
        last = (times - 1 == t)[:, None]
        rest = np.where(last, np.where(ends, 0, -np.inf), inner).astype(log_probs.dtype)
        share[t] = alpha[t] + rest  # the emission at t is in alpha
        beta = np.where((t < times)[:, None], rest + emitted[t], -np.inf).astype(log_probs.dtype)
    share += losses[:, None]
    inside = np.arange(steps)[:, None] < times
    share = np.exp(share)
    share *= np.where(inside[:, :, None], -g[:, None], 0)
    share[~inside] = 0
    out = np.zeros(log_probs.shape, log_probs.dtype)
    places = (np.arange(steps * n) * classes).reshape(steps, n, 1) + symbols
    np.add.at(out.reshape(-1), places.reshape(-1), share.reshape(-1))
    return out
