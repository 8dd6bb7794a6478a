"""A variational autoencoder learns to draw handwritten digits from noise.

    python examples/vae.py --steps 1000

With `import torch` in place of `import wengert as torch` it prints the same losses.
"""

from __future__ import annotations

import argparse

import wengert as torch
from wengert.data import load_digits

nn, F = torch.nn, torch.nn.functional


class VAE(nn.Module):
    """(batch, 64) pixels to (batch, 64) scores of pixels, through a normal distribution over `latent` numbers."""

    def __init__(self, hidden: int = 96, latent: int = 6) -> None:
        super().__init__()
        self.latent = latent
        self.encoder = nn.Sequential(nn.Linear(64, hidden), nn.SiLU())
        self.mean = nn.Linear(hidden, latent)
        self.log_variance = nn.Linear(hidden, latent)
        self.decoder = nn.Sequential(nn.Linear(latent, hidden), nn.SiLU(), nn.Linear(hidden, 64))

    def forward(self, x):
        h = self.encoder(x)
        mean, log_variance = self.mean(h), self.log_variance(h)
        z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        return self.decoder(z), mean, log_variance


def bound(scores, x, mean, log_variance):
    """The negative evidence bound of each example: what the picture costs, and the divergence from the normal."""
    picture = F.binary_cross_entropy_with_logits(scores, x, reduction="none").sum(1)
    divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
    return (picture + divergence).mean()


def train(steps: int = 1000, seed: int = 0):
    """Returns the model and the loss of each step."""
    torch.manual_seed(seed)
    x = torch.from_numpy(load_digits()[0]).float().flatten(1) / 16
    model = VAE()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for step in range(steps):
        if step % 20 == 0:
            order = torch.randperm(len(x))
        chosen = x[order[(step % 20) * 80 : (step % 20 + 1) * 80]]
        loss = bound(*_with(chosen, model(chosen)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return model, losses


def _with(x, outputs):
    scores, mean, log_variance = outputs
    return scores, x, mean, log_variance


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    model, losses = train(args.steps, args.seed)
    for i in range(0, len(losses), 50):
        print(f"step {i:4d}  loss {losses[i]:.3f}")
    with torch.no_grad():
        drawn = torch.sigmoid(model.decoder(torch.randn(6, model.latent))).reshape(6, 8, 8)
    for row in range(8):
        print("   ".join("".join(" .:*#"[min(int(5 * p), 4)] * 2 for p in picture[row].tolist()) for picture in drawn))


if __name__ == "__main__":
    main()
