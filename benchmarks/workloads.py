"""Chains of small operations and dense networks, written once for every library shaped like torch; for HIPS autograd beside."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy as np

from .program import Program, Step, Workload, differentiated, trained


def chain(lib: Any, shape: tuple[int, ...], times: int = 100) -> Program:
    """`times` x (multiply, sin, add), forward and backward, float64."""
    rng = np.random.default_rng(0)
    x, w = (lib.tensor(rng.random(shape), dtype=lib.float64, requires_grad=True) for _ in range(2))

    def f(x: Any, w: Any) -> Any:
        y = x
        for _ in range(times):
            y = (y * w).sin() + x
        return y.sum() if shape else y

    return differentiated(lib, f, x, w)


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


def training_step(lib: Any, sizes: tuple[int, ...], batch: int, activation: str, optimiser: str, lr: float) -> Program:
    """One step of training a dense classifier: forward, loss, backward, update. float32."""
    model = _network(lib, sizes, activation)
    loss_of = lib.nn.CrossEntropyLoss()
    opt = getattr(lib.optim, optimiser)(model.parameters(), lr=lr)
    rng = np.random.default_rng(0)
    x = lib.tensor(rng.random((batch, sizes[0]), dtype=np.float32))
    y = lib.tensor(rng.integers(0, sizes[-1], batch))
    return trained(lib, model, lambda x, y: loss_of(model(x), y), opt, x, y)


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


CHAINS: dict[str, Workload] = {
    f"a: chain of multiply, sin, add on {shape}, per operation": Workload(
        functools.partial(chain, shape=shape),
        bar=0.6,
        per=300,
        jax="chain",
        hips=functools.partial(chain_hips, shape),
    )
    for shape in ((), (100,))
}

SMALL, LARGE = (64, 64, 64, 10), (784, 512, 512, 10)

SMALL_NETWORK = {
    "b: 64-64-64-10 tanh, batch 32, SGD step": Workload(
        lambda lib: training_step(lib, SMALL, 32, "Tanh", "SGD", 0.01),
        bar=0.6,
        jax="network",
        options=("tanh", "sgd", 0.01),
        hips=lambda: training_step_hips(SMALL, 32, "Tanh", 0.01),
    )
}

LARGE_NETWORK = {
    "c: 784-512-512-10 relu, batch 128, Adam step": Workload(
        lambda lib: training_step(lib, LARGE, 128, "ReLU", "Adam", 1e-3),
        bar=0.7,
        jax="network",
        options=("relu", "adam", 1e-3),
        memory=True,
    )
}
