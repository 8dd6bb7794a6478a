"""Objectives of ADBench (Srajer, Kukelova, Fitzgibbon, 2018), value and gradient, written once for every library. float64.

Here as vectorised programs: Gaussian mixture with a Wishart prior, bundle adjustment (sum of squared residuals), LSTM
language model. Hand tracking is not among them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Step = Callable[[], Any]


def _gradient(leaves: list[Any], objective: Callable[..., Any]) -> Step:
    def step() -> Any:
        for x in leaves:
            x.grad = None
        value = objective(*leaves)
        value.backward()
        return value

    return step


def gaussian_mixture(d: int, k: int, n: int = 1000) -> Callable[[Any], Step]:
    """Log-likelihood of n points in d dimensions under k Gaussians, each with a full covariance."""

    def make(lib: Any) -> Step:
        rng = np.random.default_rng(0)
        rows, cols = np.tril_indices(d, -1)
        x = lib.tensor(rng.standard_normal((n, d)))
        place = lib.tensor(rows * d + cols)
        shapes = [(k,), (k, d), (k, d), (k, len(rows))]
        leaves = [lib.tensor(0.3 * rng.standard_normal(s), requires_grad=True) for s in shapes]
        gamma, m = 1.0, 0
        degrees = d + m + 1
        gammas = sum(math.lgamma(0.5 * degrees + 0.5 * (1 - j)) for j in range(1, d + 1))
        prior = degrees * d * (math.log(gamma) - 0.5 * math.log(2)) - (0.25 * d * (d - 1) * math.log(math.pi) + gammas)

        def objective(alphas: Any, means: Any, logdiag: Any, lower: Any) -> Any:
            diagonal = lib.exp(logdiag)
            flat = lib.zeros(k, d * d, dtype=lib.float64).index_copy(1, place, lower)
            q = flat.reshape(k, d, d) + lib.diag_embed(diagonal)
            centred = x.unsqueeze(0) - means.unsqueeze(1)
            mapped = lib.matmul(centred, q.transpose(1, 2))
            inner = alphas + logdiag.sum(1) - 0.5 * (mapped * mapped).sum(2).transpose(0, 1)
            likelihood = lib.logsumexp(inner, 1).sum() - n * lib.logsumexp(alphas, 0)
            wishart = 0.5 * gamma**2 * ((diagonal**2).sum() + (lower**2).sum()) - m * logdiag.sum() - k * prior
            return likelihood + wishart - 0.5 * n * d * math.log(2 * math.pi)

        return _gradient(leaves, objective)

    return make


def bundle_adjustment(cameras: int = 21, points: int = 11315, seen: int = 36455) -> Callable[[Any], Step]:
    """Squared reprojection errors of `seen` observations; rotation by Rodrigues' formula, radial distortion."""

    def make(lib: Any) -> Step:
        rng = np.random.default_rng(0)
        which = lib.tensor(rng.integers(0, cameras, seen))
        what = lib.tensor(rng.integers(0, points, seen))
        features = lib.tensor(rng.standard_normal((seen, 2)))
        camera = 0.1 * rng.standard_normal((cameras, 11)) + np.array([0, 0, 0, 0, 0, -5.0, 1, 0, 0, 0, 0])
        leaves = [
            lib.tensor(a, requires_grad=True) for a in (camera, rng.standard_normal((points, 3)), rng.random(seen))
        ]

        def objective(camera: Any, point: Any, weight: Any) -> Any:
            c, p = camera[which], point[what]
            rotation, centre, focal = c[:, 0:3], c[:, 3:6], c[:, 6:7]
            origin, radial = c[:, 7:9], c[:, 9:11]
            moved = p - centre
            square = (rotation * rotation).sum(1, keepdim=True) + 1e-12
            angle = square.sqrt()
            axis = rotation / angle
            cosine, sine = lib.cos(angle), lib.sin(angle)
            crossed = lib.linalg.cross(axis, moved, dim=1)
            along = axis * (axis * moved).sum(1, keepdim=True)
            turned = moved * cosine + crossed * sine + along * (1 - cosine)
            flat = turned[:, :2] / turned[:, 2:3]
            r2 = (flat * flat).sum(1, keepdim=True)
            distorted = flat * (1 + radial[:, 0:1] * r2 + radial[:, 1:2] * r2 * r2)
            error = weight.unsqueeze(1) * (distorted * focal + origin - features)
            return (error * error).sum() + ((1 - weight * weight) ** 2).sum()

        return _gradient(leaves, objective)

    return make


def lstm_model(layers: int = 2, width: int = 14, length: int = 1024) -> Callable[[Any], Step]:
    """ADBench's LSTM on bits of text: gates without matrices (one weight for each unit), a long chain of small operations."""

    def make(lib: Any) -> Step:
        rng = np.random.default_rng(0)
        main = lib.tensor(0.3 * rng.standard_normal((layers, 2, 4 * width)), requires_grad=True)
        extra = lib.tensor(0.3 * rng.standard_normal((3, width)), requires_grad=True)
        sequence = lib.tensor(rng.integers(0, 2, (length, width)).astype(np.float64))

        def objective(main: Any, extra: Any) -> Any:
            hidden = [lib.zeros(width, dtype=lib.float64)] * layers
            cell = [lib.zeros(width, dtype=lib.float64)] * layers
            total: Any = 0.0
            for t in range(length - 1):
                x = sequence[t] * extra[0]
                for i in range(layers):
                    weight, bias = main[i, 0].reshape(4, width), main[i, 1].reshape(4, width)
                    forget = lib.sigmoid(x * weight[0] + bias[0])
                    ingate = lib.sigmoid(hidden[i] * weight[1] + bias[1])
                    out = lib.sigmoid(x * weight[2] + bias[2])
                    change = lib.tanh(hidden[i] * weight[3] + bias[3])
                    cell[i] = cell[i] * forget + ingate * change
                    x = hidden[i] = out * lib.tanh(cell[i])
                guess = x * extra[1] + extra[2]
                guess = guess - lib.log(lib.exp(guess).sum() + 2)
                total = total + (sequence[t + 1] * guess).sum()
            return -total / ((length - 1) * width)

        return _gradient([main, extra], objective)

    return make


ADBENCH: dict[str, Callable[[Any], Step]] = {
    "ADBench Gaussian mixture, d 10, K 25, n 1,000": gaussian_mixture(10, 25),
    "ADBench Gaussian mixture, d 64, K 50, n 1,000": gaussian_mixture(64, 50),
    "ADBench bundle adjustment, 36,455 observations": bundle_adjustment(),
    "ADBench LSTM, 2 layers of 14, 1,024 steps": lstm_model(),
}
