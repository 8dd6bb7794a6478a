"""What is timed. A workload takes a library shaped like torch and returns one step to repeat.

Lives here: the work, written once for every library. Not here: how it is timed (`timing`) and printed (`__main__`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

Step = Callable[[], Any]


def chain(lib: Any, shape: tuple[int, ...], times: int = 100) -> Step:
    """`times` x (multiply, sin, add), forward and backward, float64."""
    rng = np.random.default_rng(0)
    x0, w0 = np.asarray(rng.random(shape)), np.asarray(rng.random(shape))

    def step() -> Any:
        x = lib.tensor(x0, requires_grad=True)
        w = lib.tensor(w0, requires_grad=True)
        y = x
        for _ in range(times):
            y = (y * w).sin() + x
        (y.sum() if shape else y).backward()
        return x.grad

    return step


def chain_hips(shape: tuple[int, ...], times: int = 100) -> Step:
    """The same in HIPS autograd."""
    import autograd.numpy as anp
    from autograd import grad

    rng = np.random.default_rng(0)
    x0, w0 = rng.random(shape), rng.random(shape)

    def f(x: Any, w: Any) -> Any:
        y = x
        for _ in range(times):
            y = anp.sin(y * w) + x
        return anp.sum(y)

    derivative = grad(f, (0, 1))
    return lambda: derivative(x0, w0)


def _network(lib: Any, sizes: tuple[int, ...], activation: str) -> Any:
    lib.manual_seed(0)
    layers = []
    for i, (a, b) in enumerate(itertools.pairwise(sizes)):
        layers.append(lib.nn.Linear(a, b))
        if i < len(sizes) - 2:
            layers.append(getattr(lib.nn, activation)())
    return lib.nn.Sequential(*layers)


def training_step(lib: Any, sizes: tuple[int, ...], batch: int, activation: str, optimiser: str, lr: float) -> Step:
    """One step of training a dense classifier: forward, loss, backward, update. float32."""
    model = _network(lib, sizes, activation)
    loss_of = lib.nn.CrossEntropyLoss()
    opt = getattr(lib.optim, optimiser)(model.parameters(), lr=lr)
    rng = np.random.default_rng(0)
    x = lib.tensor(rng.random((batch, sizes[0]), dtype=np.float32))
    y = lib.tensor(rng.integers(0, sizes[-1], batch))

    def step() -> Any:
        opt.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        opt.step()
        return loss

    return step


def training_step_hips(sizes: tuple[int, ...], batch: int, activation: str, lr: float) -> Step:
    """The same network in HIPS autograd, with plain SGD."""
    import autograd.numpy as anp
    from autograd import grad

    rng = np.random.default_rng(0)
    params = [
        (rng.normal(0, a**-0.5, (a, b)).astype(np.float32), np.zeros(b, np.float32))
        for a, b in itertools.pairwise(sizes)
    ]
    x = rng.random((batch, sizes[0]), dtype=np.float32)
    y = rng.integers(0, sizes[-1], batch)
    act = {"Tanh": anp.tanh, "ReLU": lambda z: anp.maximum(z, 0)}[activation]

    def loss(ps: Any) -> Any:
        h = x
        for i, (w, b) in enumerate(ps):
            h = anp.dot(h, w) + b
            if i < len(ps) - 1:
                h = act(h)
        h = h - anp.max(h, axis=1, keepdims=True)
        return -anp.mean((h - anp.log(anp.sum(anp.exp(h), axis=1, keepdims=True)))[np.arange(batch), y])

    derivative = grad(loss)

    def step() -> None:
        for (w, b), (dw, db) in zip(params, derivative(params), strict=True):
            w -= lr * dw
            b -= lr * db

    return step
