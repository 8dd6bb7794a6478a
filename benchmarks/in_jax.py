"""The workloads as pure functions in jax.numpy, compiled with `jax.jit`; XLA's threads on the CPU.

A function takes the inputs of the workload's `Program`, in its order and layout, and returns its value. What differs between
rows of one kind (a stride, an activation) comes first, as the workload's `options`. Importing this imports JAX.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("PJRT_NPROC", "2")  # XLA's threads

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erf
from jax.scipy.special import logsumexp as _logsumexp

from .adbench import PARENTS, wishart_constant
from .program import Program, Step

jax.config.update("jax_enable_x64", True)


def step_of(name: str, options: tuple[Any, ...], program: Program) -> Step:
    """One step of the workload: value and gradient, and the update where the program has one, compiled as a whole."""
    made = globals()[name](*options) if options else globals()[name]
    f, update = made if isinstance(made, tuple) else (made, None)
    inputs = [jnp.asarray(x.detach().numpy()) for x in program.inputs]
    wanted = tuple(i for i, x in enumerate(program.inputs) if x.requires_grad)
    leaves, others = [inputs[i] for i in wanted], [x for i, x in enumerate(inputs) if i not in wanted]

    def value(leaves: list[Any], others: list[Any]) -> Any:
        mine, given = iter(leaves), iter(others)
        return f(*(next(mine if i in wanted else given) for i in range(len(inputs))))

    def gradient(
        leaves: list[Any], others: list[Any], seed: Any
    ) -> tuple[Any, Any]:  # compiled for any seed, not for ones
        out, back = jax.vjp(lambda leaves: value(leaves, others), leaves)
        return out, back(seed)[0]

    seed = jax.eval_shape(value, leaves, others)
    seed = jnp.ones(seed.shape, seed.dtype) if program.seed is None else jnp.asarray(program.seed.numpy())
    if update is None:
        run = jax.jit(gradient)
        return lambda: jax.block_until_ready(run(leaves, others, seed))

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def train(leaves: list[Any], state: Any, others: list[Any], seed: Any) -> tuple[Any, Any, Any]:
        out, grads = gradient(leaves, others, seed)
        return out, *update(leaves, grads, state)

    at = leaves, (jnp.zeros(()), [jnp.zeros_like(p) for p in leaves], [jnp.zeros_like(p) for p in leaves])

    def step() -> Any:
        nonlocal at
        out, *at = jax.block_until_ready(train(*at, others, seed))
        return out

    return step


def _sgd(lr: float) -> Callable[..., Any]:
    return lambda ps, gs, state: ([p - lr * g for p, g in zip(ps, gs, strict=True)], state)


def _adam(lr: float, decay: float = 0.0, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> Callable[..., Any]:
    """Adam; with a decay AdamW."""

    def update(ps: Any, gs: Any, state: Any) -> Any:
        t, ms, vs = state
        t = t + 1
        ms = [b1 * m + (1 - b1) * g for m, g in zip(ms, gs, strict=True)]
        vs = [b2 * v + (1 - b2) * g * g for v, g in zip(vs, gs, strict=True)]
        size, root = lr / (1 - b1**t), jnp.sqrt(1 - b2**t)
        moved = [
            (p * (1 - lr * decay) - size * m / (jnp.sqrt(v) / root + eps)).astype(p.dtype)
            for p, m, v in zip(ps, ms, vs, strict=True)
        ]
        return moved, (t, ms, vs)

    return update


# -- chains, networks --------------------------------------------------------------------------------------------


def chain(x: Any, w: Any) -> Any:
    y = x
    for _ in range(100):
        y = jnp.sin(y * w) + x
    return y.sum()


def network(activation: str, optimiser: str, lr: float) -> Any:
    act = getattr(jax.nn, activation)

    def loss(w1: Any, b1: Any, w2: Any, b2: Any, w3: Any, b3: Any, x: Any, y: Any) -> Any:
        h = act(act(x @ w1.T + b1) @ w2.T + b2)
        return cross_entropy(h @ w3.T + b3, y)

    return loss, {"sgd": _sgd, "adam": _adam}[optimiser](lr)


def black_scholes(spot: Any, strike: Any, time: Any, rate: Any, vol: Any) -> Any:
    spread = vol * jnp.sqrt(time)
    d1 = (jnp.log(spot / strike) + (rate + vol * vol / 2) * time) / spread
    near, far = (0.5 * (1 + erf(d * 0.5**0.5)) for d in (d1, d1 - spread))
    return (spot * near - strike * jnp.exp(-rate * time) * far).sum()


def lstm(w: Any, u: Any, b: Any, c: Any, x: Any) -> Any:
    """The rows of the weights are the gates i, f, g, o."""

    def cell(state: Any, x: Any) -> Any:
        h, c = state
        i, f, g, o = jnp.split(x + h @ u.T, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    start = jnp.zeros((x.shape[1], u.shape[1]), x.dtype)
    return jax.lax.scan(cell, (start, start), x @ w.T + b + c)[1].sum()


def lstm_cells(w: Any, b: Any, x: Any) -> Any:
    return lstm(w[: x.shape[2]].T, w[x.shape[2] :].T, b, jnp.zeros_like(b), x)


def transformer(heads: int) -> Any:
    def loss(*inputs: Any) -> Any:
        words, places, *layers, gain, shift, head, i, y = inputs
        x = words[i] + places[: i.shape[1]]
        b, t, c = x.shape
        seen = jnp.tril(jnp.ones((t, t), bool))
        for at in range(0, len(layers), 12):
            g1, s1, g2, s2, qkv, qkv_b, out, out_b, up, up_b, down, down_b = layers[at : at + 12]
            parts = jnp.split(layer_norm(x, g1, s1) @ qkv.T + qkv_b, 3, axis=-1)
            q, k, v = (z.reshape(b, t, heads, c // heads).swapaxes(1, 2) for z in parts)
            x = x + attention(q, k, v, seen).swapaxes(1, 2).reshape(b, t, c) @ out.T + out_b
            x = x + gelu(layer_norm(x, g2, s2) @ up.T + up_b) @ down.T + down_b
        return cross_entropy((layer_norm(x, gain, shift) @ head.T).reshape(b * t, -1), y.reshape(-1))

    return loss, _adam(1e-3, 0.01)


# -- ADBench -----------------------------------------------------------------------------------------------------


def gaussian_mixture(alphas: Any, means: Any, logdiag: Any, lower: Any, x: Any, place: Any) -> Any:
    (k, d), n = means.shape, len(x)
    diagonal = jnp.exp(logdiag)
    q = jnp.zeros((k, d * d)).at[:, place].set(lower).reshape(k, d, d) + jax.vmap(jnp.diag)(diagonal)
    mapped = jnp.einsum("knd,ked->kne", x - means[:, None], q)
    inner = alphas + logdiag.sum(1) - 0.5 * (mapped**2).sum(2).T
    likelihood = _logsumexp(inner, axis=1).sum() - n * _logsumexp(alphas)
    wishart = 0.5 * ((diagonal**2).sum() + (lower**2).sum()) - k * wishart_constant(d)
    return likelihood + wishart - 0.5 * n * d * np.log(2 * np.pi)


def bundle_adjustment(camera: Any, point: Any, weight: Any, which: Any, what: Any, features: Any) -> Any:
    c, p = camera[which], point[what]
    rotation, centre, focal, origin, radial = c[:, :3], c[:, 3:6], c[:, 6:7], c[:, 7:9], c[:, 9:11]
    moved = p - centre
    angle = jnp.sqrt((rotation**2).sum(1, keepdims=True) + 1e-12)
    axis = rotation / angle
    along = axis * (axis * moved).sum(1, keepdims=True)
    turned = moved * jnp.cos(angle) + jnp.cross(axis, moved) * jnp.sin(angle) + along * (1 - jnp.cos(angle))
    flat = turned[:, :2] / turned[:, 2:]
    r2 = (flat**2).sum(1, keepdims=True)
    distorted = flat * (1 + radial[:, :1] * r2 + radial[:, 1:] * r2 * r2)
    error = weight[:, None] * (distorted * focal + origin - features)
    return (error**2).sum() + ((1 - weight**2) ** 2).sum()


def lstm_model(main: Any, extra: Any, sequence: Any) -> Any:
    layers, width = len(main), extra.shape[1]
    gates = main.reshape(layers, 2, 4, width)

    def token(state: Any, pair: Any) -> Any:
        (hidden, cell), (now, then) = state, pair
        x, new = now * extra[0], []
        for (w, b), h, c in zip(gates, hidden, cell, strict=True):
            forget, ingate = jax.nn.sigmoid(x * w[0] + b[0]), jax.nn.sigmoid(h * w[1] + b[1])
            out, change = jax.nn.sigmoid(x * w[2] + b[2]), jnp.tanh(h * w[3] + b[3])
            c = c * forget + ingate * change
            x = out * jnp.tanh(c)
            new.append((x, c))
        guess = x * extra[1] + extra[2]
        guess = guess - jnp.log(jnp.exp(guess).sum() + 2)
        return tuple(map(tuple, zip(*new, strict=True))), (then * guess).sum()

    start = ((jnp.zeros(width),) * layers,) * 2
    total = jax.lax.scan(token, start, (sequence[:-1], sequence[1:]))[1].sum()
    return -total / ((len(sequence) - 1) * width)


def hand(
    theta: Any, base: Any, unposed: Any, mesh: Any, weights: Any, points: Any, place: Any, order: Any, which: Any
) -> Any:
    bones = len(base)
    angles = jnp.zeros(3 * bones).at[place].set(theta[order]).reshape(bones, 3)
    (cx, cz, cy), (sx, sz, sy) = jnp.cos(angles).T, jnp.sin(angles).T
    zero, one = jnp.zeros(bones), jnp.ones(bones)
    rows = [
        *(cz * cy, -sz * cx - cz * sy * sx, sz * sx - cz * sy * cx, zero),
        *(sz * cy, cz * cx - sz * sy * sx, -cz * sx - sz * sy * cx, zero),
        *(sy, cy * sx, cy * cx, zero),
        *(zero, zero, zero, one),
    ]
    relative = base @ jnp.stack(rows, 1).reshape(bones, 4, 4)
    posed: list[Any] = []
    for bone, parent in enumerate(PARENTS):
        posed.append(relative[bone] if parent < 0 else posed[parent] @ relative[bone])
    skinned = (jnp.stack(posed) @ unposed @ mesh * weights[:, None]).sum(0)[:3]
    angle = jnp.sqrt((theta[:3] ** 2).sum())
    x, y, z = axis = theta[:3] / angle
    crossed = jnp.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    still = jnp.outer(axis, axis)
    whole = still + jnp.cos(angle) * (jnp.eye(3) - still) + jnp.sin(angle) * crossed
    return ((points - (whole @ skinned + theta[3:6, None])[:, which]) ** 2).sum()


# -- operators ---------------------------------------------------------------------------------------------------


def conv2d(stride: int, padding: int) -> Callable[..., Any]:
    def f(x: Any, w: Any, b: Any) -> Any:
        out = jax.lax.conv_general_dilated(
            x, w, (stride,) * 2, [(padding,) * 2] * 2, dimension_numbers=("NCHW", "OIHW", "NCHW")
        )
        return out + b[:, None, None]

    return f


def max_pool(x: Any) -> Any:
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")


def _normalised(x: Any, axes: Any) -> Any:
    return (x - x.mean(axes, keepdims=True)) * jax.lax.rsqrt(x.var(axes, keepdims=True) + 1e-5)


def batch_norm(x: Any, w: Any, b: Any) -> Any:
    return _normalised(x, (0, 2, 3)) * w[:, None, None] + b[:, None, None]


def layer_norm(x: Any, w: Any, b: Any) -> Any:
    return _normalised(x, -1) * w + b


def softmax(x: Any) -> Any:
    return jax.nn.softmax(x, axis=-1)


def cross_entropy(x: Any, y: Any) -> Any:
    return -jnp.take_along_axis(jax.nn.log_softmax(x, axis=-1), y[:, None], axis=1).mean()


def attention(q: Any, k: Any, v: Any, seen: Any = None) -> Any:
    scores = q @ jnp.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1]).astype(q.dtype)
    return softmax(scores if seen is None else jnp.where(seen, scores, -jnp.inf)) @ v


def embedding(i: Any, w: Any) -> Any:
    return w[i]


def gather(x: Any, i: Any) -> Any:
    return jnp.take_along_axis(x, i, axis=1)


def scatter_add(x: Any, i: Any, s: Any) -> Any:
    return x.at[jnp.arange(len(x))[:, None], i].add(s)


def index_add(x: Any, i: Any, s: Any) -> Any:
    return x.at[i].add(s)


def cumsum(x: Any) -> Any:
    return jnp.cumsum(x, 1)


def sort(x: Any) -> Any:
    return jnp.sort(x, 1)


def einsum(a: Any, b: Any) -> Any:
    return jnp.einsum("bik,bjk->bij", a, b)


def cholesky(x: Any) -> Any:
    return jnp.linalg.cholesky(x)


def svd(x: Any) -> Any:
    return jnp.linalg.svd(x)[1]


def gelu(x: Any) -> Any:
    return jax.nn.gelu(x, approximate=False)


def silu(x: Any) -> Any:
    return jax.nn.silu(x)
