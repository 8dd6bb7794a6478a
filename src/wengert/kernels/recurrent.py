"""Recurrent layers on arrays: a whole sequence forward, and its vjp.

Shapes: time T, batch B, hidden H. `gates` is what the inputs contribute at every time, (T, B, n H), computed beforehand in
one matrix product; the loop over time has one product each step, and the weights' gradient is again one at the end. With
`reverse` time runs backwards. Gates lie in PyTorch's order: LSTM input, forget, cell, output; GRU reset, update, new.
With Numba the gates of one time are computed by a loop of `gate_loops`, where they are worth it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .compiled import machine


def _sigmoid(x: Any) -> None:
    """In place."""
    np.negative(x, out=x)
    np.exp(x, out=x)
    x += 1
    np.reciprocal(x, out=x)


def _times(steps: int, reverse: bool) -> range:
    return range(steps - 1, -1, -1) if reverse else range(steps)


def _before(first: Any, states: Any, reverse: bool) -> Any:
    """The state from which each time started."""
    return np.concatenate((states[1:], first[None]) if reverse else (first[None], states[:-1]))


def _loop(name: str, size: int, *arrays: Any) -> Any:
    """The compiled loop for arrays like these; None if NumPy should do its work, on `size` elements in all."""
    return machine(f"gate_loops.{name}", size, *arrays) if arrays[0].size > 256 else None


def _weights(d: Any, states: Any) -> Any:
    """The gradient of the recurrent weights, from those of the gates and the states that they met."""
    return d.reshape(-1, d.shape[-1]).T @ states.reshape(-1, states.shape[-1])


# -- LSTM ----------------------------------------------------------------------------------------------------------


def lstm(gates: Any, hx: Any, cx: Any, w: Any, reverse: bool) -> tuple[Any, ...]:
    """(out, last h, last c), and what backward wants: activated gates and cells."""
    steps, batch, width = gates.shape
    n = width // 4
    out = np.empty((steps, batch, n), gates.dtype)
    cells = np.empty_like(out)
    active = np.empty_like(gates)
    transposed = np.ascontiguousarray(w.T)
    t = np.empty((batch, n), gates.dtype)
    h, c = np.ascontiguousarray(hx), np.ascontiguousarray(cx)
    loop = _loop("lstm", gates.size, t, t, active[0], np.ascontiguousarray(gates[0]), c) if steps else None
    for k in _times(steps, reverse):
        a = active[k]
        np.matmul(h, transposed, out=a)
        if loop is not None:
            loop(out[k], cells[k], a, np.ascontiguousarray(gates[k]), c)
            h, c = out[k], cells[k]
            continue
        a += gates[k]
        _sigmoid(a[:, : 2 * n])
        np.tanh(a[:, 2 * n : 3 * n], out=a[:, 2 * n : 3 * n])
        _sigmoid(a[:, 3 * n :])
        np.multiply(a[:, n : 2 * n], c, out=cells[k])
        np.multiply(a[:, :n], a[:, 2 * n : 3 * n], out=t)
        c = cells[k]
        c += t
        np.tanh(c, out=t)
        h = out[k]
        np.multiply(a[:, 3 * n :], t, out=h)
    return out, np.array(h), np.array(c), active, cells


def lstm_back(
    g: Any, g_h: Any, g_c: Any, active: Any, cells: Any, out: Any, hx: Any, cx: Any, w: Any, reverse: bool
) -> tuple[Any, ...]:
    """Gradients of (gates, hx, cx, w) from those of (out, last h, last c)."""
    steps, batch, width = active.shape
    n = width // 4
    before = _before(cx, cells, reverse)
    dh, dc = np.array(g_h, order="C"), np.array(g_c, order="C")
    d = np.empty_like(active)
    loop = _loop("lstm_back", d.size, d[0], dh, dc, np.ascontiguousarray(g[0]), active[0], dc, dc) if steps else None
    if loop is not None:
        for k in _times(steps, not reverse):
            loop(d[k], dh, dc, np.ascontiguousarray(g[k]), active[k], cells[k], before[k])
            np.matmul(d[k], w, out=dh)
        return d, dh, dc, _weights(d, _before(hx, out, reverse))
    i, f, c, o = (active[..., k * n : (k + 1) * n] for k in range(4))
    np.multiply(active, 1 - active, out=d)
    d[..., 2 * n : 3 * n] = i * (1 - c * c)
    d[..., :n] *= c
    d[..., n : 2 * n] *= before
    squashed = np.tanh(cells)
    d[..., 3 * n :] *= squashed
    to_cell = o * (1 - squashed * squashed)
    parts = d.reshape(steps, batch, 4, n)
    for k in _times(steps, not reverse):
        dh += g[k]
        dc += dh * to_cell[k]
        parts[k, :, :3] *= dc[:, None]
        parts[k, :, 3] *= dh
        dc *= f[k]
        dh = d[k] @ w
    return d, dh, dc, _weights(d, _before(hx, out, reverse))


# -- GRU -----------------------------------------------------------------------------------------------------------


def gru(gates: Any, hx: Any, w: Any, b: Any, reverse: bool) -> tuple[Any, ...]:
    """(out, last h), and what backward wants: activated gates and what the state contributes to the new one."""
    steps, batch, width = gates.shape
    n = width // 3
    out = np.empty((steps, batch, n), gates.dtype)
    inner = np.empty_like(out)
    active = np.array(gates, order="C")
    transposed = np.ascontiguousarray(w.T)
    h = np.ascontiguousarray(hx)
    loop = _loop("gru", gates.size, h, h, active[0], active[0], active[0], h) if steps else None
    for k in _times(steps, reverse):
        a = active[k]
        s = h @ transposed
        if b is not None:
            s += b
        if loop is not None:
            loop(out[k], inner[k], a, a, s, h)
            h = out[k]
            continue
        a[:, : 2 * n] += s[:, : 2 * n]
        _sigmoid(a[:, : 2 * n])
        inner[k] = s[:, 2 * n :]
        new = a[:, 2 * n :]
        new += a[:, :n] * inner[k]
        np.tanh(new, out=new)
        np.subtract(h, new, out=out[k])
        h = out[k]
        h *= a[:, n : 2 * n]
        h += new
    return out, np.array(h), active, inner


def gru_back(
    g: Any, g_h: Any, active: Any, inner: Any, out: Any, hx: Any, w: Any, reverse: bool
) -> tuple[Any, Any, Any, Any]:
    """Gradients of (gates, hx, w, b) from those of (out, last h)."""
    steps, batch, width = active.shape
    n = width // 3
    r, z, new = (active[..., k * n : (k + 1) * n] for k in range(3))
    before = _before(hx, out, reverse)
    d = np.empty_like(active)
    dh = np.array(g_h, order="C")
    loop = _loop("gru_back", d.size, d[0], d[0], dh, np.ascontiguousarray(g[0]), active[0], dh, dh) if steps else None
    if loop is not None:
        recurrent = np.empty_like(active)
        for k in _times(steps, not reverse):
            loop(d[k], recurrent[k], dh, np.ascontiguousarray(g[k]), active[k], inner[k], before[k])
            dh += recurrent[k] @ w
        return d, dh, _weights(recurrent, before), recurrent.sum((0, 1))
    d[..., 2 * n :] = (1 - z) * (1 - new * new)  # of the new gate, for a unit gradient of the state
    d[..., n : 2 * n] = (before - new) * z * (1 - z)
    d[..., :n] = d[..., 2 * n :] * inner * r * (1 - r)
    parts = d.reshape(steps, batch, 3, n)
    recurrent = d.copy()
    recurrent[..., 2 * n :] *= r
    others = recurrent.reshape(steps, batch, 3, n)
    for k in _times(steps, not reverse):
        dh += g[k]
        parts[k] *= dh[:, None]
        others[k] *= dh[:, None]
        dh = dh * z[k] + recurrent[k] @ w
    return d, dh, _weights(recurrent, before), recurrent.sum((0, 1))


# -- the plain recurrent layer -------------------------------------------------------------------------------------


def rnn(gates: Any, hx: Any, w: Any, relu: bool, reverse: bool) -> tuple[Any, Any]:
    """(out, last h): each state is tanh, or relu, of its gate and the weighted state before."""
    out = np.empty_like(gates)
    transposed = np.ascontiguousarray(w.T)
    h = hx
    for k in _times(len(gates), reverse):
        s = out[k]
        np.matmul(h, transposed, out=s)
        s += gates[k]
        if relu:
            np.maximum(s, 0, out=s)
        else:
            np.tanh(s, out=s)
        h = s
    return out, np.array(h)


def rnn_back(g: Any, g_h: Any, out: Any, hx: Any, w: Any, relu: bool, reverse: bool) -> tuple[Any, Any, Any]:
    """Gradients of (gates, hx, w) from those of (out, last h)."""
    d = (out > 0).astype(out.dtype) if relu else 1 - out * out
    dh = g_h.copy()
    for k in _times(len(out), not reverse):
        dh += g[k]
        d[k] *= dh
        dh = d[k] @ w
    return d, dh, _weights(d, _before(hx, out, reverse))
