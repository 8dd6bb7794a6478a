"""Training as a whole: the same seed gives PyTorch's weights and PyTorch's losses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import wengert
from wengert.data import load_digits


def losses(lib: Any, optimiser: str, steps: int = 10, **options: Any) -> list[float]:
    """Loss at each step of training a small classifier of handwritten digits, float32."""
    images, labels = load_digits()
    x = lib.tensor(np.asarray(images, np.float32).reshape(len(images), -1)[:640] / 16)
    y = lib.tensor(np.asarray(labels, np.int64)[:640])
    lib.manual_seed(7)
    nn = lib.nn
    model = nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    opt = getattr(lib.optim, optimiser)(model.parameters(), **options)
    loader = lib.utils.data.DataLoader(lib.utils.data.TensorDataset(x, y), batch_size=64, shuffle=True)
    found: list[float] = []
    for xb, yb in loader:
        opt.zero_grad()
        loss = nn.functional.cross_entropy(model(xb), yb)
        loss.backward()
        opt.step()
        found.append(loss.item())
    assert len(found) == steps
    return found


CASES = [
    ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 1e-3}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("Adam", {"lr": 1e-2}),
    ("AdamW", {"lr": 1e-2, "weight_decay": 0.1}),
]


@pytest.mark.conformance
@pytest.mark.parametrize(("optimiser", "options"), CASES, ids=[f"{o}-{i}" for i, (o, _) in enumerate(CASES)])
def test_ten_steps_follow_pytorch(optimiser: str, options: dict[str, Any]) -> None:
    """Same seed, same weights, same shuffling, same losses: to 1e-5 relative over ten steps in float32."""
    torch = pytest.importorskip("torch")
    ours, theirs = losses(wengert, optimiser, **options), losses(torch, optimiser, **options)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_a_classifier_learns() -> None:
    """The loss of the digits network falls, and twice the same seed is twice the same run, to the bit."""
    first = losses(wengert, "Adam", lr=1e-2)
    assert first[-1] < 0.8 * first[0]
    assert first == losses(wengert, "Adam", lr=1e-2)
