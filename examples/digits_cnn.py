"""A convolutional network learns 1,797 handwritten digits: convolution, batch normalisation, dropout.

    python examples/digits_cnn.py --steps 300

With `import torch` in place of `import wengert as torch` it prints the same losses.
"""

from __future__ import annotations

import argparse

import wengert as torch
from wengert.data import load_digits

nn, F = torch.nn, torch.nn.functional


class DigitNet(nn.Module):
    """(batch, 1, 8, 8) pixels to (batch, 10) scores."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU())
        self.drop = nn.Dropout(0.25)
        self.hidden = nn.Linear(32 * 4 * 4, 64)
        self.out = nn.Linear(64, 10)

    def forward(self, x):
        x = F.max_pool2d(self.second(self.first(x)), 2)
        x = F.relu(self.hidden(self.drop(x.flatten(1))))
        return self.out(F.dropout(x, 0.5, self.training))


def data():
    """The digits as tensors: pixels from 0 to 1, and which digit each is."""
    images, labels = load_digits()
    return torch.from_numpy(images).float().unsqueeze(1) / 16, torch.from_numpy(labels)


def train(steps: int = 300, seed: int = 0):
    """Train on the first 1,500. Returns the model and the loss of each step."""
    torch.manual_seed(seed)
    images, labels = data()
    examples = torch.utils.data.TensorDataset(images[:1500], labels[:1500])
    loader = torch.utils.data.DataLoader(examples, batch_size=64, shuffle=True, drop_last=True)
    model = DigitNet()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=100, gamma=0.5)
    losses: list[float] = []
    while True:
        for x, y in loader:
            if len(losses) == steps:
                return model, losses
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y, label_smoothing=0.05)
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())


@torch.no_grad()
def accuracy(model) -> float:
    """The share of the digits kept aside that are recognised."""
    images, labels = data()
    model.eval()
    return (model(images[1500:]).argmax(1) == labels[1500:]).float().mean().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    model, losses = train(args.steps, args.seed)
    for i in range(0, len(losses), 20):
        print(f"step {i:4d}  loss {losses[i]:.4f}")
    print(f"{accuracy(model):.1%} of the digits kept aside are recognised")


if __name__ == "__main__":
    main()
