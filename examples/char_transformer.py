"""A transformer learns to write, letter by letter, from this project's own documentation, and then writes.

    python examples/char_transformer.py --steps 500

With `import torch` in place of `import wengert as torch` it prints the same losses.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import wengert as torch

nn, F = torch.nn, torch.nn.functional

HERE = Path(__file__).resolve().parent


class Writer(nn.Module):
    """(batch, time) letters to (batch, time, letters) scores for the letter that follows."""

    def __init__(self, letters: int, block: int = 32, wide: int = 64, heads: int = 4, layers: int = 2) -> None:
        super().__init__()
        self.block = block
        self.letter = nn.Embedding(letters, wide)
        self.place = nn.Embedding(block, wide)
        layer = nn.TransformerEncoderLayer(
            wide, heads, 4 * wide, dropout=0.1, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, norm=nn.LayerNorm(wide), enable_nested_tensor=False)
        self.head = nn.Linear(wide, letters, bias=False)
        self.head.weight = self.letter.weight
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(block), persistent=False)

    def forward(self, x):
        time = x.shape[1]
        h = self.letter(x) + self.place(torch.arange(time))
        return self.head(self.layers(h, mask=self.mask[:time, :time], is_causal=True))


def read():
    """The text, as numbers of its letters, and the letters."""
    text = "".join((HERE.parent / name).read_text(encoding="utf-8") for name in ("LICENSE", "CONTRIBUTING.md"))
    letters = sorted(set(text))
    number = {c: i for i, c in enumerate(letters)}
    return torch.tensor([number[c] for c in text]), letters


def batch(text, size: int, block: int):
    """Passages from anywhere in the text, and the same passages one letter on."""
    starts = torch.randint(len(text) - block, (size,))
    passages = torch.stack([text[i : i + block + 1] for i in starts.tolist()])
    return passages[:, :-1], passages[:, 1:]


def train(steps: int = 500, seed: int = 0):
    """Returns the model and the loss of each step."""
    torch.manual_seed(seed)
    text, letters = read()
    model = Writer(len(letters))
    nn.init.normal_(model.letter.weight, std=0.02)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=max(steps, 2))
    losses = []
    for _ in range(steps):
        x, y = batch(text, 16, model.block)
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return model, losses


@torch.no_grad()
def write(model, letters: list[str], length: int, start: str = "T") -> str:
    """A text drawn letter by letter from the model's own probabilities."""
    model.eval()
    found = torch.tensor([[letters.index(start)]])
    for _ in range(length):
        scores = model(found[:, -model.block :])[:, -1] / 0.8
        found = torch.cat([found, torch.multinomial(scores.softmax(-1), 1)], 1)
    return "".join(letters[i] for i in found[0].tolist())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    model, losses = train(args.steps, args.seed)
    for i in range(0, len(losses), 25):
        print(f"step {i:4d}  loss {losses[i]:.4f}")
    print(write(model, read()[1], 300))


if __name__ == "__main__":
    main()
