"""An LSTM learns to continue a time series, fitted by LBFGS with a line search.

    python examples/lstm_series.py --steps 40

With `import torch` in place of `import wengert as torch` it prints the same losses.
"""

from __future__ import annotations

import argparse
import math

import wengert as torch

nn = torch.nn


class Forecast(nn.Module):
    """(batch, time, 1) observed values to (batch, time, 1) guesses of the value that follows each."""

    def __init__(self, hidden: int = 24) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, hidden, num_layers=2, batch_first=True)
        self.out = nn.Linear(hidden, 1)

    def forward(self, x, ahead: int = 0):
        h, state = self.lstm(x)
        guesses = [self.out(h)]
        for _ in range(ahead):  # feed each guess back in
            h, state = self.lstm(guesses[-1][:, -1:], state)
            guesses.append(self.out(h))
        return torch.cat(guesses, 1)


def series(count: int = 12, length: int = 60):
    """(count, length, 1): a slow and a fast wave, each series at a place of its own."""
    start = torch.rand(count, 1) * 40
    t = start + torch.arange(length)
    return (0.7 * torch.sin(t * 2 * math.pi / 25) + 0.3 * torch.sin(t * 2 * math.pi / 9)).unsqueeze(-1)


def train(steps: int = 40, seed: int = 0):
    """Returns the model and the loss at the head of each step of LBFGS (each of up to 4 iterations)."""
    torch.manual_seed(seed)
    torch.set_default_dtype(torch.float64)
    try:
        values = series()
        model = Forecast()
        optimizer = torch.optim.LBFGS(model.parameters(), lr=0.8, max_iter=4, line_search_fn="strong_wolfe")
        losses = []

        def closure():
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(values[:, :-1]), values[:, 1:])
            loss.backward()
            return loss

        for _ in range(steps):
            losses.append(optimizer.step(closure).item())
        return model, losses
    finally:
        torch.set_default_dtype(torch.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    model, losses = train(args.steps, args.seed)
    for i, loss in enumerate(losses):
        print(f"step {i:3d}  loss {loss:.6f}")
    torch.manual_seed(args.seed + 1)
    seen = series(1, 80).double()
    with torch.no_grad():
        guessed = model(seen[:, :60], ahead=19)[0, -20:, 0]
    for true, guess in zip(seen[0, 60:, 0].tolist(), guessed.tolist(), strict=True):
        print(f"{true:7.3f} {guess:7.3f}  {' ' * round(20 + 20 * guess)}*")


if __name__ == "__main__":
    main()
