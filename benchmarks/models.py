"""One training step of small but real models: forward, loss, backward, update. float32, written once for every library."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .program import Program, Workload, differentiated, trained


def _images(lib: Any, batch: int, channels: int, size: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    x = lib.tensor(rng.random((batch, channels, size, size), dtype=np.float32))
    return x, lib.tensor(rng.integers(0, 10, batch))


def convolutional(lib: Any) -> Program:
    """The classic MNIST network: two convolutions, pooling, dropout, two dense layers; batch 64, SGD."""
    nn = lib.nn
    lib.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25)),
        *(nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10)),
    )
    x, y = _images(lib, 64, 1, 28)
    opt = lib.optim.SGD(model.parameters(), lr=0.01)
    return trained(lib, model, lambda x, y: nn.functional.cross_entropy(model(x), y), opt, x, y)


def resnet20(lib: Any) -> Program:
    """ResNet-20 for 32x32 images, batch 32, SGD with momentum."""
    nn = lib.nn
    lib.manual_seed(0)

    class Block(nn.Module):
        def __init__(self, c_in: int, c_out: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(c_out)
            self.conv2 = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(c_out)
            self.short = nn.Identity()
            if stride != 1:
                self.short = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out))

        def forward(self, x: Any) -> Any:
            h = nn.functional.relu(self.bn1(self.conv1(x)))
            return nn.functional.relu(self.bn2(self.conv2(h)) + self.short(x))

    layers = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    width = 16
    for stage, c in enumerate((16, 32, 64)):
        for i in range(3):
            layers.append(Block(width, c, 2 if stage and not i else 1))
            width = c
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    x, y = _images(lib, 32, 3, 32)
    opt = lib.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    return trained(lib, model, lambda x, y: nn.functional.cross_entropy(model(x), y), opt, x, y)


def transformer(lib: Any) -> Program:
    """A small GPT: 4 layers, 4 heads, 128 wide, block 64, batch 12, AdamW."""
    nn, F = lib.nn, lib.nn.functional
    lib.manual_seed(0)
    width, heads, block, words = 128, 4, 64, 65

    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x: Any) -> Any:
            b, t, c = x.shape
            q, k, v = self.qkv(self.norm1(x)).split(width, dim=2)
            q, k, v = (z.view(b, t, heads, c // heads).transpose(1, 2) for z in (q, k, v))
            a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(a.transpose(1, 2).contiguous().view(b, t, c))
            return x + self.down(F.gelu(self.up(self.norm2(x))))

    class GPT(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.places = nn.Embedding(words, width), nn.Embedding(block, width)
            self.layers = nn.ModuleList([Layer() for _ in range(4)])
            self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, words, bias=False)

        def forward(self, i: Any) -> Any:
            x = self.words(i) + self.places(lib.arange(i.shape[1]))
            for layer in self.layers:
                x = layer(x)
            return self.head(self.norm(x))

    model = GPT()
    rng = np.random.default_rng(0)
    x, y = (lib.tensor(rng.integers(0, words, (12, block))) for _ in range(2))
    opt = lib.optim.AdamW(model.parameters(), lr=1e-3)
    return trained(lib, model, lambda x, y: F.cross_entropy(model(x).view(-1, words), y.view(-1)), opt, x, y)


def lstm(lib: Any) -> Program:
    """`nn.LSTM` 64 to 128, 50 steps, batch 32: forward and backward."""
    lib.manual_seed(0)
    model = lib.nn.LSTM(64, 128)
    x = lib.tensor(np.random.default_rng(0).random((50, 32, 64), dtype=np.float32))
    return Program(lib, lambda: model(x)[0].sum(), [*model.parameters(), x])


def lstm_cells(lib: Any) -> Program:
    """The same LSTM written out cell by cell."""
    lib.manual_seed(0)
    bound = 1 / math.sqrt(128)
    w = lib.empty(64 + 128, 512).uniform_(-bound, bound).requires_grad_()
    b = lib.zeros(512).requires_grad_()
    x = lib.tensor(np.random.default_rng(0).random((50, 32, 64), dtype=np.float32))

    def value(w: Any, b: Any, x: Any) -> Any:
        h, c = lib.zeros(32, 128), lib.zeros(32, 128)
        total = 0
        for t in range(50):
            i, f, g, o = (lib.cat([x[t], h], 1) @ w + b).chunk(4, 1)
            c = lib.sigmoid(f) * c + lib.sigmoid(i) * lib.tanh(g)
            h = lib.sigmoid(o) * lib.tanh(c)
            total = total + h.sum()
        return total

    return differentiated(lib, value, w, b, x)


def black_scholes(dtype: str, n: int = 1_000_000) -> Callable[[Any], Program]:
    """Price of `n` call options and its five first derivatives."""

    def make(lib: Any) -> Program:
        rng = np.random.default_rng(0)
        draws = [(50, 150), (50, 150), (0.1, 2), (0.01, 0.05), (0.1, 0.5)]

        def price(spot: Any, strike: Any, time: Any, rate: Any, vol: Any) -> Any:
            spread = vol * time.sqrt()
            d1 = ((spot / strike).log() + (rate + vol * vol / 2) * time) / spread
            cdf = [0.5 * (1 + lib.erf(d * (1 / math.sqrt(2)))) for d in (d1, d1 - spread)]
            return (spot * cdf[0] - strike * (-rate * time).exp() * cdf[1]).sum()

        leaves = (lib.tensor(rng.uniform(*d, n).astype(dtype), requires_grad=True) for d in draws)
        return differentiated(lib, price, *leaves)

    return make


MODELS: dict[str, Workload] = {
    "MNIST convolutional network, batch 64, SGD step": Workload(convolutional, bar=1.0, memory=True),
    "ResNet-20, 32x32, batch 32, SGD step": Workload(resnet20, bar=1.0, memory=True),
    "transformer, 4 layers of 128, batch 12x64, AdamW step": Workload(
        transformer, bar=0.8, jax="transformer", options=(4,), memory=True
    ),
    "nn.LSTM 64 to 128, 50 steps, batch 32": Workload(lstm, bar=1.0, jax="lstm", memory=True),
    "the same LSTM written with cells": Workload(lstm_cells, bar=0.7, jax="lstm_cells", memory=True),
    "Black-Scholes, 1,000,000 options, float32": Workload(black_scholes("float32"), bar=0.8, jax="black_scholes"),
    "Black-Scholes, 1,000,000 options, float64": Workload(black_scholes("float64"), bar=0.8, jax="black_scholes"),
}
