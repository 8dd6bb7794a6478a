"""`wengert demo`: a classifier of handwritten digits, trained in seconds, and one step of its backward pass explained."""

from __future__ import annotations

import sys
import time
from typing import Any

import wengert as torch
from wengert import explain, nn, optim
from wengert.data import load_digits
from wengert.utils.data import DataLoader, TensorDataset


def digits() -> tuple[TensorDataset, TensorDataset]:
    """Training and test images as (n, 64) floats in 0..1, with their labels; every fifth image is for testing."""
    images, labels = load_digits()
    x = torch.from_numpy(images.reshape(len(images), 64).astype("float32") / 16)
    y = torch.from_numpy(labels)
    test = torch.arange(len(y)) % 5 == 0
    return TensorDataset(x[~test], y[~test]), TensorDataset(x[test], y[test])


def accuracy(model: Any, data: TensorDataset) -> float:
    x, y = data.tensors
    with torch.no_grad():
        return float((model(x).argmax(1) == y).float().mean())


class Bar:
    """Progress on one line of a terminal; one line for each quarter where the output is no terminal."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.live = sys.stdout.isatty()
        self.last = -1

    def show(self, done: int, loss: float, score: float) -> None:
        said = f"epoch {done:>2}/{self.total}  loss {loss:.3f}  test accuracy {score:6.1%}"
        if self.live:
            full = 30 * done // self.total
            end = "\n" if done == self.total else ""
            print(f"\r  {'█' * full}{'░' * (30 - full)}  {said}", end=end, flush=True)
        elif 4 * done // self.total > self.last:
            self.last = 4 * done // self.total
            print(f"  {said}", flush=True)


def train(model: Any, data: TensorDataset, test: TensorDataset, epochs: int) -> float:
    """Plain PyTorch code. Returns the accuracy on the test images."""
    optimizer = optim.Adam(model.parameters(), lr=3e-3)
    loss_of = nn.CrossEntropyLoss()
    bar = Bar(epochs)
    score = 0.0
    for epoch in range(epochs):
        total = 0.0
        for x, y in DataLoader(data, batch_size=64, shuffle=True):
            optimizer.zero_grad()
            loss = loss_of(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(y)
        score = accuracy(model, test)
        bar.show(epoch + 1, total / len(data), score)
    return score


def run(args: Any, screen: Any) -> int:
    """The whole demonstration. Returns 0."""
    if args.epochs < 1:
        from .cli import Trouble

        raise Trouble("--epochs must be at least 1", 2)
    torch.manual_seed(args.seed)
    data, test = digits()
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    count = sum(p.numel() for p in model.parameters())
    print(f"Training a network of {count:,} parameters on {len(data):,} handwritten digits.", flush=True)
    began = time.perf_counter()
    score = train(model, data, test, args.epochs)
    print(f"{score:.1%} of {len(test)} unseen digits are read correctly, after {time.perf_counter() - began:.1f} s.")
    print("\nOne more step, on two digits, and what its backward() did:\n", flush=True)
    model.zero_grad()
    with explain.trace() as trace:
        images, labels = data[:2]
        scores = model(images)
        loss = nn.functional.cross_entropy(scores, labels)
        loss.backward()
    from .explain.screen import lay_out

    screen.show(lay_out(trace.last.ledger, screen.width))
    print("\nNow yours: wengert explain YOUR_SCRIPT.py", flush=True)
    return 0
