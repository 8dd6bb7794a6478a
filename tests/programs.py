"""Random programs of views and changes in place, written once and run with PyTorch or with Wengert.

A program starts from two leaves and keeps a pool of tensors; each step makes a view, changes a tensor in place, or computes
something new. What it does depends on the seed and on shapes only, so both libraries run the same program.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np

Step = Callable[[Any, random.Random, list[Any], Any], Any]


def _dim(r: random.Random, x: Any) -> int:
    return r.randrange(len(x.shape))


def _root(x: Any) -> Any:
    return x if x._base is None else x._base


def _same_shape(r: random.Random, pool: list[Any], x: Any) -> Any:
    """Another tensor of the pool of the same shape and in other memory (what overlaps is read while it is written)."""
    found = [y for y in pool if tuple(y.shape) == tuple(x.shape) and _root(y) is not _root(x)]
    return r.choice(found) if found else None


def view(T: Any, r: random.Random, pool: list[Any], x: Any) -> Any:
    kind = r.randrange(14)
    d = _dim(r, x) if len(x.shape) else 0
    n = x.shape[d] if len(x.shape) else 0
    if kind == 0 and n:
        return x.select(d, r.randrange(n))
    if kind == 1 and n:
        start = r.randrange(n)
        return x.narrow(d, start, r.randrange(1, n - start + 1))
    if kind == 2 and n:
        return x[r.randrange(n)]
    if kind == 3 and n:
        return x[:: r.randrange(1, 3)]
    if kind == 4 and len(x.shape) > 1:
        return x.transpose(d, _dim(r, x))
    if kind == 5 and len(x.shape) > 1:
        order = list(range(len(x.shape)))
        r.shuffle(order)
        return x.permute(order)
    if kind == 6:
        return x.unsqueeze(r.randrange(len(x.shape) + 1))
    if kind == 7:
        return x.squeeze()
    if kind == 8:
        return x.view(-1)
    if kind == 9:
        return x.reshape(-1)
    if kind == 10 and len(x.shape) > 1:
        return x.diagonal(0, 0, 1)
    if kind == 11 and n > 1:
        return x.unfold(d, 2, 2)
    if kind == 12 and n > 1:
        return r.choice(x.split(1, d))
    if kind == 13 and n:
        return x[..., None, : r.randrange(1, x.shape[-1] + 1)]
    return x.view_as(x)


def inplace(T: Any, r: random.Random, pool: list[Any], x: Any) -> Any:
    kind = r.randrange(13)
    other = _same_shape(r, pool, x)
    n = x.shape[0] if len(x.shape) else 0
    if kind == 0:
        x.mul_(r.uniform(0.5, 1.5))
    elif kind == 1 and other is not None:
        x.add_(other)
    elif kind == 2 and other is not None:
        x.mul_(other)
    elif kind == 3 and other is not None:
        x.copy_(other)
    elif kind == 4:
        x.sin_()
    elif kind == 5:
        x.zero_() if r.random() < 0.5 else x.fill_(r.uniform(-1, 1))
    elif kind == 6 and n:
        x[r.randrange(n)] = r.uniform(-1, 1)
    elif kind == 7 and n:
        y = r.choice(pool)
        x[r.randrange(n) :] = y.sum() * 0.1
    elif kind == 8 and n:
        rows = T.tensor([r.randrange(n) for _ in range(2)])
        x[rows[:1]] = r.choice(pool).mean()
    elif kind == 9 and n:
        rows = T.tensor([r.randrange(n) for _ in range(2)])
        x.index_add_(0, rows, T.ones((2, *x.shape[1:]), dtype=T.float64) * 0.3)
    elif kind == 10:
        x.masked_fill_(x > 0.7, r.uniform(-1, 1))
    elif kind == 11 and n:
        x[0] += x[n - 1]
    elif kind == 12 and len(x.shape) == 2:
        x.t_()
    return None


def new(T: Any, r: random.Random, pool: list[Any], x: Any) -> Any:
    kind = r.randrange(4)
    other = _same_shape(r, pool, x)
    if kind == 0:
        return x.sin()
    if kind == 1 and other is not None:
        return x * other
    if kind == 2:
        return x.detach() if r.random() < 0.2 else x.clone()
    return x * r.uniform(0.5, 1.5)


def run(T: Any, seed: int, values: list[Any], steps: int = 12) -> dict[str, Any]:
    """Run a program; what can be compared: outcomes of the steps, values, versions, gradients of the leaves."""
    r = random.Random(seed)
    leaves = [T.tensor(v, dtype=T.float64, requires_grad=True) for v in values]
    pool: list[Any] = [x * 1.0 for x in leaves]
    log: list[str] = []
    for _ in range(steps):
        step: Step = r.choice([view, view, inplace, inplace, new])
        x = r.choice(pool)
        state = r.getstate()
        try:
            made = step(T, r, pool, x)
        except (RuntimeError, IndexError, ValueError) as error:
            log.append(f"{type(error).__name__}: {error}")
            made = None
            # Both libraries go on from the same draw, however far they got.
            r.setstate(state)
            r.random()
        if made is not None:
            pool.append(made)
    weights = np.random.default_rng(seed)
    loss = leaves[0].sum() * 0
    for x in pool:
        loss = loss + (x * T.tensor(weights.standard_normal(tuple(x.shape)))).sum()
    outcome = {
        "log": log,
        "values": [x.detach().numpy().copy() for x in pool],
        "versions": [x._version for x in pool],
        "strides": [[s for s, n in zip(x.stride(), x.shape, strict=True) if n > 1] for x in pool if x._is_view()],
        "requires_grad": [x.requires_grad for x in pool],
        "loss": float(loss.detach()),
        "gradients": None,
        "error": "",
    }
    try:
        loss.backward()
        outcome["gradients"] = [x.grad.numpy() for x in leaves]
    except RuntimeError as error:
        outcome["error"] = str(error)
    return outcome
