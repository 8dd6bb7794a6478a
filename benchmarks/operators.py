"""Single operators that models spend their time in, forward and backward, at sizes of real models. float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .program import Program, Workload, differentiated

Make = Callable[[Any], Program]


def _leaf(lib: Any, *shape: int, seed: int = 0, scale: float = 1.0) -> Any:
    a = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32) * np.float32(scale)
    return lib.tensor(a, requires_grad=True)


def _ints(lib: Any, high: int, *shape: int) -> Any:
    return lib.tensor(np.random.default_rng(1).integers(0, high, shape))


def conv2d(batch: int, c_in: int, size: int, c_out: int, kernel: int, stride: int, padding: int) -> Make:
    def make(lib: Any) -> Program:
        x = _leaf(lib, batch, c_in, size, size)
        w = _leaf(lib, c_out, c_in, kernel, kernel, seed=1, scale=0.1)
        b = _leaf(lib, c_out, seed=2)
        return differentiated(lib, lambda *a: lib.nn.functional.conv2d(*a, stride=stride, padding=padding), x, w, b)

    return make


def max_pool(lib: Any) -> Program:
    return differentiated(lib, lambda x: lib.nn.functional.max_pool2d(x, 2), _leaf(lib, 64, 64, 24, 24))


def batch_norm(lib: Any) -> Program:
    x, w, b = _leaf(lib, 32, 64, 32, 32), _leaf(lib, 64, seed=1), _leaf(lib, 64, seed=2)
    return differentiated(
        lib, lambda x, w, b: lib.nn.functional.batch_norm(x, None, None, w, b, training=True), x, w, b
    )


def layer_norm(lib: Any) -> Program:
    x, w, b = _leaf(lib, 12, 256, 768), _leaf(lib, 768, seed=1), _leaf(lib, 768, seed=2)
    return differentiated(lib, lambda x, w, b: lib.nn.functional.layer_norm(x, (768,), w, b), x, w, b)


def softmax(lib: Any) -> Program:
    return differentiated(lib, lambda x: lib.softmax(x, -1), _leaf(lib, 128, 50_000))


def cross_entropy(lib: Any) -> Program:
    y = _ints(lib, 50_000, 128)
    return differentiated(lib, lib.nn.functional.cross_entropy, _leaf(lib, 128, 50_000), y)


def attention(lib: Any) -> Program:
    q, k, v = (_leaf(lib, 1, 12, 256, 64, seed=s) for s in range(3))
    return differentiated(lib, lib.nn.functional.scaled_dot_product_attention, q, k, v)


def embedding(lib: Any) -> Program:
    i = _ints(lib, 50_000, 32, 256)
    return differentiated(lib, lib.nn.functional.embedding, i, _leaf(lib, 50_000, 128))


def gather(lib: Any) -> Program:
    i = _ints(lib, 1000, 1000, 200)
    return differentiated(lib, lambda x, i: lib.gather(x, 1, i), _leaf(lib, 1000, 1000), i)


def scatter_add(lib: Any) -> Program:
    i = _ints(lib, 1000, 1000, 1000)
    x, s = _leaf(lib, 1000, 1000), _leaf(lib, 1000, 1000, seed=1)
    return differentiated(lib, lambda x, i, s: lib.scatter_add(x, 1, i, s), x, i, s)


def index_add(lib: Any) -> Program:
    i = _ints(lib, 1000, 20_000)
    x, s = _leaf(lib, 1000, 64), _leaf(lib, 20_000, 64, seed=1)
    return differentiated(lib, lambda x, i, s: lib.index_add(x, 0, i, s), x, i, s)


def cumsum(lib: Any) -> Program:
    return differentiated(lib, lambda x: lib.cumsum(x, 1), _leaf(lib, 1000, 1000))


def sort(lib: Any) -> Program:
    # No number twice: PyTorch's order of equal ones, and so their gradients, is its own.
    a = np.random.default_rng(0).permuted(np.tile(np.linspace(-3, 3, 5000, dtype=np.float32), (200, 1)), axis=1)
    return differentiated(lib, lambda x: lib.sort(x, 1)[0], lib.tensor(a, requires_grad=True))


def einsum(lib: Any) -> Program:
    a, b = _leaf(lib, 12, 128, 64), _leaf(lib, 12, 96, 64, seed=1)
    return differentiated(lib, lambda a, b: lib.einsum("bik,bjk->bij", a, b), a, b)


def cholesky(lib: Any) -> Program:
    a = np.random.default_rng(0).standard_normal((200, 200))
    x = lib.tensor(a @ a.T + 200 * np.eye(200), requires_grad=True)
    return differentiated(lib, lib.linalg.cholesky, x)


def svd(lib: Any) -> Program:
    x = lib.tensor(np.random.default_rng(0).standard_normal((200, 200)), requires_grad=True)
    return differentiated(lib, lambda x: lib.linalg.svd(x)[1], x)


def gelu(lib: Any) -> Program:
    return differentiated(lib, lib.nn.functional.gelu, _leaf(lib, 1_000_000))


def silu(lib: Any) -> Program:
    return differentiated(lib, lib.nn.functional.silu, _leaf(lib, 1_000_000))


def dropout(lib: Any) -> Program:
    return differentiated(lib, lambda x: lib.nn.functional.dropout(x, 0.5), _leaf(lib, 1_000_000))


BAR = 1.2  # of each operator

OPERATORS: dict[str, Workload] = {
    "conv2d 64x1x28x28, 32 of 3x3": Workload(conv2d(64, 1, 28, 32, 3, 1, 0), BAR, jax="conv2d", options=(1, 0)),
    "conv2d 64x32x26x26, 64 of 3x3": Workload(conv2d(64, 32, 26, 64, 3, 1, 0), BAR, jax="conv2d", options=(1, 0)),
    "conv2d 32x16x32x32, 16 of 3x3 padded": Workload(
        conv2d(32, 16, 32, 16, 3, 1, 1), BAR, jax="conv2d", options=(1, 1)
    ),
    "conv2d 32x64x8x8, 64 of 3x3 padded": Workload(conv2d(32, 64, 8, 64, 3, 1, 1), BAR, jax="conv2d", options=(1, 1)),
    "conv2d 4x3x224x224, 64 of 7x7 by 2": Workload(conv2d(4, 3, 224, 64, 7, 2, 3), BAR, jax="conv2d", options=(2, 3)),
    "max_pool2d 64x64x24x24 by 2": Workload(max_pool, BAR, jax="max_pool"),
    "batch_norm 32x64x32x32": Workload(batch_norm, BAR, jax="batch_norm"),
    "layer_norm 12x256x768": Workload(layer_norm, BAR, jax="layer_norm"),
    "softmax 128x50,000": Workload(softmax, BAR, jax="softmax"),
    "cross_entropy 128x50,000": Workload(cross_entropy, BAR, jax="cross_entropy"),
    "attention 12 heads, 256x64": Workload(attention, BAR, jax="attention"),
    "embedding 50,000x128, 8,192 looked up": Workload(embedding, BAR, jax="embedding"),
    "gather 1000x1000": Workload(gather, BAR, jax="gather"),
    "scatter_add 1000x1000": Workload(scatter_add, BAR, jax="scatter_add"),
    "index_add 20,000x64 to 1,000": Workload(index_add, BAR, jax="index_add"),
    "cumsum 1000x1000": Workload(cumsum, BAR, jax="cumsum"),
    "sort 200x5000": Workload(sort, BAR, jax="sort"),
    "einsum bik,bjk->bij": Workload(einsum, BAR, jax="einsum"),
    "cholesky 200, float64": Workload(cholesky, BAR, jax="cholesky"),
    "svd values 200, float64": Workload(svd, BAR, jax="svd"),
    "gelu of a million": Workload(gelu, BAR, jax="gelu"),
    "silu of a million": Workload(silu, BAR, jax="silu"),
    "dropout of a million": Workload(dropout, BAR),
}
