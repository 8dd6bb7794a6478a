"""Single operators that models spend their time in, forward and backward, at sizes of real models. float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Step = Callable[[], Any]
Make = Callable[[Any], Step]


def _leaf(lib: Any, *shape: int, seed: int = 0, scale: float = 1.0) -> Any:
    a = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32) * np.float32(scale)
    return lib.tensor(a, requires_grad=True)


def _ints(lib: Any, high: int, *shape: int) -> Any:
    return lib.tensor(np.random.default_rng(1).integers(0, high, shape))


def differentiated(lib: Any, f: Callable[..., Any], *inputs: Any) -> Step:
    """`f(*inputs)`, then backward with a gradient of ones for whatever it returned first."""
    leaves = [x for x in inputs if x.requires_grad]
    out = f(*inputs)
    ones = lib.ones_like(out.detach())

    def step() -> Any:
        for x in leaves:
            x.grad = None
        out = f(*inputs)
        out.backward(ones)
        return out

    return step


def conv2d(batch: int, c_in: int, size: int, c_out: int, kernel: int, stride: int, padding: int) -> Make:
    def make(lib: Any) -> Step:
        x = _leaf(lib, batch, c_in, size, size)
        w = _leaf(lib, c_out, c_in, kernel, kernel, seed=1, scale=0.1)
        b = _leaf(lib, c_out, seed=2)
        return differentiated(lib, lambda *a: lib.nn.functional.conv2d(*a, stride=stride, padding=padding), x, w, b)

    return make


def max_pool(lib: Any) -> Step:
    return differentiated(lib, lambda x: lib.nn.functional.max_pool2d(x, 2), _leaf(lib, 64, 64, 24, 24))


def batch_norm(lib: Any) -> Step:
    x, w, b = _leaf(lib, 32, 64, 32, 32), _leaf(lib, 64, seed=1), _leaf(lib, 64, seed=2)
    return differentiated(
        lib, lambda x, w, b: lib.nn.functional.batch_norm(x, None, None, w, b, training=True), x, w, b
    )


def layer_norm(lib: Any) -> Step:
    x, w, b = _leaf(lib, 12, 256, 768), _leaf(lib, 768, seed=1), _leaf(lib, 768, seed=2)
    return differentiated(lib, lambda x, w, b: lib.nn.functional.layer_norm(x, (768,), w, b), x, w, b)


def softmax(lib: Any) -> Step:
    return differentiated(lib, lambda x: lib.softmax(x, -1), _leaf(lib, 128, 50_000))


def cross_entropy(lib: Any) -> Step:
    y = _ints(lib, 50_000, 128)
    return differentiated(lib, lambda x: lib.nn.functional.cross_entropy(x, y), _leaf(lib, 128, 50_000))


def attention(lib: Any) -> Step:
    q, k, v = (_leaf(lib, 1, 12, 256, 64, seed=s) for s in range(3))
    return differentiated(lib, lib.nn.functional.scaled_dot_product_attention, q, k, v)


def embedding(lib: Any) -> Step:
    i = _ints(lib, 50_000, 32, 256)
    return differentiated(lib, lambda w: lib.nn.functional.embedding(i, w), _leaf(lib, 50_000, 128))


def gather(lib: Any) -> Step:
    i = _ints(lib, 1000, 1000, 200)
    return differentiated(lib, lambda x: lib.gather(x, 1, i), _leaf(lib, 1000, 1000))


def scatter_add(lib: Any) -> Step:
    i = _ints(lib, 1000, 1000, 1000)
    x, s = _leaf(lib, 1000, 1000), _leaf(lib, 1000, 1000, seed=1)
    return differentiated(lib, lambda x, s: lib.scatter_add(x, 1, i, s), x, s)


def index_add(lib: Any) -> Step:
    i = _ints(lib, 1000, 20_000)
    x, s = _leaf(lib, 1000, 64), _leaf(lib, 20_000, 64, seed=1)
    return differentiated(lib, lambda x, s: lib.index_add(x, 0, i, s), x, s)


def cumsum(lib: Any) -> Step:
    return differentiated(lib, lambda x: lib.cumsum(x, 1), _leaf(lib, 1000, 1000))


def sort(lib: Any) -> Step:
    return differentiated(lib, lambda x: lib.sort(x, 1)[0], _leaf(lib, 200, 5000))


def einsum(lib: Any) -> Step:
    a, b = _leaf(lib, 12, 128, 64), _leaf(lib, 12, 96, 64, seed=1)
    return differentiated(lib, lambda a, b: lib.einsum("bik,bjk->bij", a, b), a, b)


def cholesky(lib: Any) -> Step:
    a = np.random.default_rng(0).standard_normal((200, 200))
    x = lib.tensor(a @ a.T + 200 * np.eye(200), requires_grad=True)
    return differentiated(lib, lib.linalg.cholesky, x)


def svd(lib: Any) -> Step:
    x = lib.tensor(np.random.default_rng(0).standard_normal((200, 200)), requires_grad=True)
    return differentiated(lib, lambda x: lib.linalg.svd(x)[1], x)


def gelu(lib: Any) -> Step:
    return differentiated(lib, lib.nn.functional.gelu, _leaf(lib, 1_000_000))


def silu(lib: Any) -> Step:
    return differentiated(lib, lib.nn.functional.silu, _leaf(lib, 1_000_000))


def dropout(lib: Any) -> Step:
    return differentiated(lib, lambda x: lib.nn.functional.dropout(x, 0.5), _leaf(lib, 1_000_000))


OPERATORS: dict[str, Make] = {
    "conv2d 64x1x28x28, 32 of 3x3": conv2d(64, 1, 28, 32, 3, 1, 0),
    "conv2d 64x32x26x26, 64 of 3x3": conv2d(64, 32, 26, 64, 3, 1, 0),
    "conv2d 32x16x32x32, 16 of 3x3 padded": conv2d(32, 16, 32, 16, 3, 1, 1),
    "conv2d 32x64x8x8, 64 of 3x3 padded": conv2d(32, 64, 8, 64, 3, 1, 1),
    "conv2d 4x3x224x224, 64 of 7x7 by 2": conv2d(4, 3, 224, 64, 7, 2, 3),
    "max_pool2d 64x64x24x24 by 2": max_pool,
    "batch_norm 32x64x32x32": batch_norm,
    "layer_norm 12x256x768": layer_norm,
    "softmax 128x50,000": softmax,
    "cross_entropy 128x50,000": cross_entropy,
    "attention 12 heads, 256x64": attention,
    "embedding 50,000x128, 8,192 looked up": embedding,
    "gather 1000x1000": gather,
    "scatter_add 1000x1000": scatter_add,
    "index_add 20,000x64 to 1,000": index_add,
    "cumsum 1000x1000": cumsum,
    "sort 200x5000": sort,
    "einsum bik,bjk->bij": einsum,
    "cholesky 200, float64": cholesky,
    "svd values 200, float64": svd,
    "gelu of a million": gelu,
    "silu of a million": silu,
    "dropout of a million": dropout,
}
