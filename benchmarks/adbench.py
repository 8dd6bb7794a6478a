"""Objectives of ADBench (Srajer, Kukelova, Fitzgibbon, 2018), value and gradient, written once for every library. float64.

Here as vectorised programs: Gaussian mixture with a Wishart prior, bundle adjustment and hand tracking (sums of squared
residuals), LSTM language model. The numbers are made up, their sizes ADBench's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .program import Program, Workload, differentiated


def wishart_constant(d: int) -> float:
    """What the Wishart prior of one component (gamma 1, m 0) takes off, whatever the parameters."""
    degrees = d + 1
    gammas = sum(math.lgamma(0.5 * degrees + 0.5 * (1 - j)) for j in range(1, d + 1))
    return -0.5 * degrees * d * math.log(2) - 0.25 * d * (d - 1) * math.log(math.pi) - gammas


def gaussian_mixture(d: int, k: int, n: int = 1000) -> Callable[[Any], Program]:
    """Log-likelihood of n points in d dimensions under k Gaussians, each with a full covariance."""

    def make(lib: Any) -> Program:
        rng = np.random.default_rng(0)
        rows, cols = np.tril_indices(d, -1)
        x = lib.tensor(rng.standard_normal((n, d)))
        place = lib.tensor(rows * d + cols)
        prior = wishart_constant(d)
        shapes = [(k,), (k, d), (k, d), (k, len(rows))]
        leaves = [lib.tensor(0.3 * rng.standard_normal(s), requires_grad=True) for s in shapes]

        def objective(alphas: Any, means: Any, logdiag: Any, lower: Any, x: Any, place: Any) -> Any:
            diagonal = lib.exp(logdiag)
            flat = lib.zeros(k, d * d, dtype=lib.float64).index_copy(1, place, lower)
            q = flat.reshape(k, d, d) + lib.diag_embed(diagonal)
            centred = x.unsqueeze(0) - means.unsqueeze(1)
            mapped = lib.matmul(centred, q.transpose(1, 2))
            inner = alphas + logdiag.sum(1) - 0.5 * (mapped * mapped).sum(2).transpose(0, 1)
            likelihood = lib.logsumexp(inner, 1).sum() - n * lib.logsumexp(alphas, 0)
            wishart = 0.5 * ((diagonal**2).sum() + (lower**2).sum()) - k * prior
            return likelihood + wishart - 0.5 * n * d * math.log(2 * math.pi)

        return differentiated(lib, objective, *leaves, x, place)

    return make


def bundle_adjustment(cameras: int = 21, points: int = 11315, seen: int = 36455) -> Callable[[Any], Program]:
    """Squared reprojection errors of `seen` observations; rotation by Rodrigues' formula, radial distortion."""

    def make(lib: Any) -> Program:
        rng = np.random.default_rng(0)
        which = lib.tensor(rng.integers(0, cameras, seen))
        what = lib.tensor(rng.integers(0, points, seen))
        features = lib.tensor(rng.standard_normal((seen, 2)))
        camera = 0.1 * rng.standard_normal((cameras, 11)) + np.array([0, 0, 0, 0, 0, -5.0, 1, 0, 0, 0, 0])
        leaves = [
            lib.tensor(a, requires_grad=True) for a in (camera, rng.standard_normal((points, 3)), rng.random(seen))
        ]

        def objective(camera: Any, point: Any, weight: Any, which: Any, what: Any, features: Any) -> Any:
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

        return differentiated(lib, objective, *leaves, which, what, features)

    return make


def lstm_model(layers: int = 2, width: int = 14, length: int = 1024) -> Callable[[Any], Program]:
    """ADBench's LSTM on bits of text: gates without matrices (one weight for each unit), a long chain of small operations."""

    def make(lib: Any) -> Program:
        rng = np.random.default_rng(0)
        main = lib.tensor(0.3 * rng.standard_normal((layers, 2, 4 * width)), requires_grad=True)
        extra = lib.tensor(0.3 * rng.standard_normal((3, width)), requires_grad=True)
        sequence = lib.tensor(rng.integers(0, 2, (length, width)).astype(np.float64))

        def objective(main: Any, extra: Any, sequence: Any) -> Any:
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

        return differentiated(lib, objective, main, extra, sequence)

    return make


# Of each bone of the hand the one that it hangs on: two of the palm, four of each finger.
PARENTS = (-1, 0, *(0 if joint == 0 else 4 * finger + joint + 1 for finger in range(5) for joint in range(4)))


def hand(vertices: int = 544, seen: int = 100) -> Callable[[Any], Program]:
    """Hand tracking, simple: how far a skinned mesh, posed by 26 numbers, is from points that are seen of it.

    The numbers turn and move the whole hand (3, 3), and bend
    each finger at its first joint in two directions, at the next two in one.
    """
    bones, fingers = len(PARENTS), range(5)
    first = [2 + 4 * f for f in fingers]
    bent = [3 * (bone + joint) for bone in first for joint in range(3)]  # x, in angles that lie bone by bone
    aside = [3 * bone + 1 for bone in first]  # z
    order = [6 + 4 * f + i for f in fingers for i in (0, 2, 3)] + [7 + 4 * f for f in fingers]

    def make(lib: Any) -> Program:
        rng = np.random.default_rng(0)
        base = np.zeros((bones, 4, 4))
        base[:, :3, :3] = np.linalg.qr(rng.standard_normal((bones, 3, 3)))[0]
        base[:, :3, 3], base[:, 3, 3] = 0.3 * rng.standard_normal((bones, 3)), 1
        rest = base.copy()  # where each bone lies when nothing is bent
        for bone, parent in enumerate(PARENTS):
            rest[bone] = base[bone] if parent < 0 else rest[parent] @ base[bone]
        mesh = np.concatenate([rng.standard_normal((3, vertices)), np.ones((1, vertices))])
        weights = rng.random((bones, vertices)) ** 8
        data = base, np.linalg.inv(rest), mesh, weights / weights.sum(0), rng.standard_normal((3, seen))
        places = np.array(bent + aside), np.array(order), rng.permutation(vertices)[:seen]
        theta = lib.tensor(0.2 * rng.standard_normal(26), requires_grad=True)

        def objective(
            theta: Any,
            base: Any,
            unposed: Any,
            mesh: Any,
            weights: Any,
            points: Any,
            place: Any,
            order: Any,
            which: Any,
        ) -> Any:
            angles = lib.zeros(3 * bones, dtype=lib.float64).index_copy(0, place, theta[order]).reshape(bones, 3)
            (cx, cz, cy), (sx, sz, sy) = lib.cos(angles).unbind(1), lib.sin(angles).unbind(1)
            zero, one = lib.zeros_like(cx), lib.ones_like(cx)
            turned = lib.stack(
                [
                    *(cz * cy, -sz * cx - cz * sy * sx, sz * sx - cz * sy * cx, zero),
                    *(sz * cy, cz * cx - sz * sy * sx, -cz * sx - sz * sy * cx, zero),
                    *(sy, cy * sx, cy * cx, zero),
                    *(zero, zero, zero, one),
                ],
                1,
            ).reshape(bones, 4, 4)
            relative = lib.matmul(base, turned)
            posed: list[Any] = []
            for bone, parent in enumerate(PARENTS):
                posed.append(relative[bone] if parent < 0 else posed[parent] @ relative[bone])
            skinned = (lib.matmul(lib.stack(posed) @ unposed, mesh) * weights.unsqueeze(1)).sum(0)[:3]
            rotation, centre = theta[:3], theta[3:6]
            angle = (rotation * rotation).sum().sqrt()
            x, y, z = axis = rotation / angle
            none = lib.zeros_like(x)
            crossed = lib.stack([none, -z, y, z, none, -x, -y, x, none]).reshape(3, 3)
            still = lib.outer(axis, axis)
            whole = still + lib.cos(angle) * (lib.eye(3, dtype=lib.float64) - still) + lib.sin(angle) * crossed
            error = points - (whole @ skinned + centre.unsqueeze(1))[:, which]
            return (error * error).sum()

        return differentiated(lib, objective, theta, *map(lib.tensor, (*data, *places)))

    return make


ADBENCH: dict[str, Workload] = {
    "ADBench Gaussian mixture, d 10, K 25, n 1,000": Workload(gaussian_mixture(10, 25), 0.5, jax="gaussian_mixture"),
    "ADBench Gaussian mixture, d 64, K 50, n 1,000": Workload(gaussian_mixture(64, 50), 0.5, jax="gaussian_mixture"),
    "ADBench bundle adjustment, 36,455 observations": Workload(bundle_adjustment(), 0.8, jax="bundle_adjustment"),
    "ADBench LSTM, 2 layers of 14, 1,024 steps": Workload(lstm_model(), 0.6, jax="lstm_model"),
    "ADBench hand tracking, 22 bones, 544 vertices": Workload(hand(), 0.6, jax="hand"),
}
