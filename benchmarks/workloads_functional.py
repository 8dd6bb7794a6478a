"""What is timed of second derivatives and function transforms. A workload takes a library shaped like torch."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from .program import Step, Workload


def hessian_vector(lib: Any, width: int = 256, batch: int = 64) -> Step:
    """A Hessian-vector product of a 3-layer softplus network, by double backward."""
    rng = np.random.default_rng(0)
    weights = [
        lib.tensor((rng.standard_normal((width, width)) / np.sqrt(width)).astype(np.float32), requires_grad=True)
        for _ in range(3)
    ]
    vectors = [lib.tensor(rng.standard_normal((width, width)).astype(np.float32)) for _ in range(3)]
    x = lib.tensor(rng.standard_normal((batch, width)).astype(np.float32))

    def step() -> Any:
        h = x
        for w in weights:
            h = lib.nn.functional.softplus(h @ w)
        grads = lib.autograd.grad(h.mean(), weights, create_graph=True)
        product = sum((g * v).sum() for g, v in zip(grads, vectors, strict=True))
        return lib.autograd.grad(product, weights)

    return step


def full_hessian(lib: Any, size: int = 50) -> Step:
    """The Hessian of Rosenbrock's function by `func.hessian`."""
    x = lib.tensor(np.linspace(-1, 1, size))

    def f(x: Any) -> Any:
        return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()

    derivative = lib.func.hessian(f)
    return lambda: derivative(x)


def per_sample(lib: Any, batch: int = 32) -> Step:
    """Gradients for each sample of a 64-64-64-10 tanh network, by `vmap(grad(...))`."""
    rng = np.random.default_rng(0)
    sizes = (64, 64, 64, 10)
    params = tuple(
        lib.tensor(rng.standard_normal(shape).astype(np.float32) / 8)
        for a, b in itertools.pairwise(sizes)
        for shape in ((b, a), (b,))
    )
    xs = lib.tensor(rng.standard_normal((batch, 64)).astype(np.float32))
    ys = lib.tensor(rng.integers(0, 10, batch))

    def loss(params: Any, x: Any, y: Any) -> Any:
        w1, b1, w2, b2, w3, b3 = params
        h = lib.nn.functional.linear(x, w1, b1).tanh()
        h = lib.nn.functional.linear(h, w2, b2).tanh()
        return lib.nn.functional.cross_entropy(lib.nn.functional.linear(h, w3, b3), y)

    derivative = lib.vmap(lib.func.grad(loss), in_dims=(None, 0, 0))
    return lambda: derivative(params, xs, ys)


FUNCTIONAL: dict[str, Workload] = {
    "functional: Hessian-vector product, 3-layer softplus network": Workload(hessian_vector),
    "functional: func.hessian of 50-dim Rosenbrock": Workload(full_hessian),
    "functional: vmap(grad) of 64-64-64-10 tanh, batch 32": Workload(per_sample),
}
