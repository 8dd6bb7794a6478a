"""A policy learns to catch falling balls by the policy gradient, with a learnt baseline.

    python examples/policy_gradient.py --steps 300

With `import torch` in place of `import wengert as torch` it prints the same losses.
"""

from __future__ import annotations

import argparse
import random

import wengert as torch

nn, F = torch.nn, torch.nn.functional


class Catch:
    """A ball falls straight down through a field of 7 by 6; the paddle below moves one place left, right, or stays.

    The state is (ball's column, ball's row, paddle's column), each from -1 to 1. The last move earns 1 if the paddle is
    under the ball, else -1; every move sideways costs 0.02.
    """

    width, height = 7, 6

    def __init__(self, rng: random.Random) -> None:
        self.ball, self.row = rng.randrange(self.width), 0
        self.paddle = rng.randrange(self.width)

    def state(self) -> list[float]:
        half = (self.width - 1) / 2
        return [self.ball / half - 1, 2 * self.row / (self.height - 1) - 1, self.paddle / half - 1]

    def move(self, action: int) -> tuple[float, bool]:
        """Move by action - 1 places. Returns the reward, and whether the ball is down."""
        self.paddle = min(max(self.paddle + action - 1, 0), self.width - 1)
        self.row += 1
        down = self.row == self.height - 1
        caught = (1.0 if self.ball == self.paddle else -1.0) if down else 0.0
        return caught - 0.02 * (action != 1), down


class Policy(nn.Module):
    """(batch, 3) states to a distribution over 3 moves, and to the reward expected."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh())
        self.moves = nn.Linear(48, 3)
        self.value = nn.Linear(48, 1)

    def forward(self, state):
        h = self.body(state)
        return torch.distributions.Categorical(logits=self.moves(h)), self.value(h).squeeze(-1)


def play(policy: Policy, rng: random.Random, games: int):
    """Play games side by side. Returns log-probabilities, values, entropies and the rewards still to come, (moves, games)."""
    fields = [Catch(rng) for _ in range(games)]
    log_probs, values, entropies, rewards = [], [], [], []
    done = False
    while not done:
        chosen, value = policy(torch.tensor([field.state() for field in fields]))
        action = chosen.sample()
        outcome = [field.move(a) for field, a in zip(fields, action.tolist(), strict=True)]
        log_probs.append(chosen.log_prob(action))
        values.append(value)
        entropies.append(chosen.entropy())
        rewards.append([reward for reward, _ in outcome])
        done = outcome[0][1]  # all balls fall alike
    to_come = torch.tensor(rewards).flip(0).cumsum(0).flip(0)
    return torch.stack(log_probs), torch.stack(values), torch.stack(entropies), to_come


def train(steps: int = 300, seed: int = 0):
    """Returns the model and the loss of each step."""
    return _train(steps, seed)[:2]


def _train(steps: int, seed: int):
    torch.manual_seed(seed)
    rng = random.Random(seed)
    policy = Policy()
    optimizer = torch.optim.RMSprop(policy.parameters(), lr=3e-3)
    losses, returns = [], []
    for _ in range(steps):
        log_probs, values, entropies, to_come = play(policy, rng, games=24)
        better = (to_come - values).detach()
        loss = -(log_probs * better).mean() + 0.5 * F.smooth_l1_loss(values, to_come) - 0.01 * entropies.mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        returns.append(to_come[0].mean().item())
    return policy, losses, returns


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    _, losses, returns = _train(args.steps, args.seed)
    for i in range(0, len(losses), 20):
        print(f"step {i:4d}  loss {losses[i]:8.4f}  reward {sum(returns[i : i + 20]) / len(returns[i : i + 20]):6.3f}")


if __name__ == "__main__":
    main()
