# mypy: ignore-errors
"""The gates of recurrent cells at one time, in loops that stay in the cache, forward and for the way back.

Only `compiled.machine` imports this module, for it needs Numba. What the loops compute is stated in NumPy in
`kernels/recurrent`, the tests' reference; rows are the batch, gates lie side by side in PyTorch's order.
"""

from __future__ import annotations

from .vector_math import _as, _loop, sigmoid, tanh


@_loop
def lstm(out, cell, a, given, before):
    """Gates `a` (what the state contributes) plus `given`, activated in place; the cells and the output that follow."""
    n = out.shape[1]
    for b in range(out.shape[0]):
        row, add = a[b], given[b]
        for j in range(2 * n):
            row[j] = sigmoid(row[j] + add[j])
        for j in range(2 * n, 3 * n):
            row[j] = tanh(row[j] + add[j])
        for j in range(3 * n, 4 * n):
            row[j] = sigmoid(row[j] + add[j])
        c, last, h = cell[b], before[b], out[b]
        for j in range(n):
            c[j] = row[n + j] * last[j] + row[j] * row[2 * n + j]
        for j in range(n):
            h[j] = row[3 * n + j] * tanh(c[j])


@_loop
def lstm_back(d, dh, dc, g, a, cell, before):
    """Gradients of the gates into `d`, from those of the output `dh` + `g` and of the cells `dc`, which becomes that of the
    cells before.
    """
    n = dh.shape[1]
    for b in range(dh.shape[0]):
        to, act, hidden, kept = d[b], a[b], dh[b], dc[b]
        c, last, more = cell[b], before[b], g[b]
        for j in range(n):
            one = _as(c[j], 1.0)
            s, o, h = tanh(c[j]), act[3 * n + j], hidden[j] + more[j]
            to[3 * n + j] = h * s * o * (one - o)
            kept[j] += h * o * (one - s * s)
        for j in range(n):
            one = _as(c[j], 1.0)
            i, new = act[j], act[2 * n + j]
            to[j] = kept[j] * new * i * (one - i)
            to[2 * n + j] = kept[j] * i * (one - new * new)
        for j in range(n):
            f = act[n + j]
            to[n + j] = kept[j] * last[j] * f * (_as(f, 1.0) - f)
            kept[j] *= f


@_loop
def gru(out, inner, a, given, s, before):
    """Gates (reset, update, new) of `given` and of `s`, what the state contributes; `inner` is its part in the new one."""
    n = out.shape[1]
    for b in range(out.shape[0]):
        row, add, state, kept, last, h = a[b], given[b], s[b], inner[b], before[b], out[b]
        for j in range(2 * n):
            row[j] = sigmoid(add[j] + state[j])
        for j in range(n):
            kept[j] = state[2 * n + j]
            row[2 * n + j] = tanh(add[2 * n + j] + row[j] * kept[j])
        for j in range(n):
            h[j] = (last[j] - row[2 * n + j]) * row[n + j] + row[2 * n + j]


@_loop
def gru_back(d, recurrent, dh, g, a, inner, before):
    """Gradients of the gates into `d` and of the state's contributions into `recurrent`; `dh` becomes what the state before
    gets directly.
    """
    n = dh.shape[1]
    for b in range(dh.shape[0]):
        to, back, act, hidden = d[b], recurrent[b], a[b], dh[b]
        kept, last, more = inner[b], before[b], g[b]
        for j in range(n):
            one = _as(kept[j], 1.0)
            r, z, new, h = act[j], act[n + j], act[2 * n + j], hidden[j] + more[j]
            to_new = h * (one - z) * (one - new * new)
            to[2 * n + j] = to_new
            back[2 * n + j] = to_new * r
            to[j] = to_new * kept[j] * r * (one - r)
            hidden[j] = h
        for j in range(n):
            one = _as(kept[j], 1.0)
            z, new = act[n + j], act[2 * n + j]
            to[n + j] = hidden[j] * (last[j] - new) * z * (one - z)
            hidden[j] *= z
        for j in range(2 * n):
            back[j] = to[j]
