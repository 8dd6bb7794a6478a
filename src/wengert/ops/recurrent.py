"""Recurrent layers and cells: LSTM, GRU, and the plain one. What computes is `kernels/recurrent`.

A row runs one layer in one direction over a whole sequence; its definition, through which it is differentiated again, is
the cell in a loop. Layers, directions, dropout and packed sequences are composites around it.
Sources: S. Hochreiter and J. Schmidhuber, 1997; K. Cho et al., 2014.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.op import Array, composite, general
from ..kernels import recurrent as kernel
from .choosing import relu
from .joining import cat, stack
from .matmul import affine
from .pointwise import sigmoid, tanh
from .splitting import chunk

__all__ = ["gru_cell", "lstm_cell", "rnn_relu_cell", "rnn_tanh_cell"]


# -- one layer over a sequence ---------------------------------------------------------------------------------


def _loop(gates: Any, reverse: bool, step: Any, *state: Any) -> Any:
    """The states of `step(gate, *state)` at every time, and the last one's parts."""
    steps = gates.shape[0]
    outs: list[Any] = [None] * steps
    for k in range(steps - 1, -1, -1) if reverse else range(steps):
        state = step(gates[k], *state)
        outs[k] = state[0]
    return (stack(outs), *state)


def _lstm_step(gate: Any, h: Any, c: Any, w: Any) -> tuple[Any, Any]:
    i, f, g, o = chunk(gate + h @ w.t(), 4, -1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c


def _lstm_definition(gates: Any, hx: Any, cx: Any, w: Any, reverse: bool) -> Any:
    return _loop(gates, reverse, lambda gate, h, c: _lstm_step(gate, h, c, w), hx, cx)


@general("lstm_back", outputs="d_gates*, d_hx*, d_cx*, d_w*", named=False, method=False)
def lstm_back(
    input: Array,
    g_h: Array,
    g_c: Array,
    active: Array,
    cells: Array,
    out: Array,
    hx: Array,
    cx: Array,
    w: Array,
    reverse: bool,
) -> Any:
    """Gradients of the gates, the first states and the weights of `lstm_layer`."""
    return kernel.lstm_back(input, g_h, g_c, active, cells, out, hx, cx, w, reverse)


@general(
    "lstm_layer",
    outputs="out, h_n, c_n, ~active, ~cells",
    joint=lambda g_out, g_h_n, g_c_n, gates, hx, cx, w, active, cells, out, reverse: lstm_back(
        g_out, g_h_n, g_c_n, active, cells, out, hx, cx, w, reverse
    ),
    composite=_lstm_definition,
    named=False,
    method=False,
    node="MkldnnRnnLayerBackward0",
)
def lstm_layer(gates: Array, hx: Array, cx: Array, w: Array, reverse: bool) -> Any:
    """(T, B, 4 H) gates, (B, H) states and (4 H, H) weights give the states (T, B, H) and the last two."""
    return kernel.lstm(gates, hx, cx, w, reverse)


def _gru_step(gate: Any, h: Any, w: Any, b: Any) -> tuple[Any]:
    r, z, n = chunk(gate, 3, -1)
    state = h @ w.t()
    s_r, s_z, s_n = chunk(state if b is None else state + b, 3, -1)
    r, z = sigmoid(r + s_r), sigmoid(z + s_z)
    n = tanh(n + r * s_n)
    return (n + z * (h - n),)


def _gru_definition(gates: Any, hx: Any, w: Any, b: Any, reverse: bool) -> Any:
    return _loop(gates, reverse, lambda gate, h: _gru_step(gate, h, w, b), hx)


@general("gru_back", outputs="d_gates*, d_hx*, d_w*, d_b*", named=False, method=False)
def gru_back(
    input: Array, g_h: Array, active: Array, inner: Array, out: Array, hx: Array, w: Array, reverse: bool
) -> Any:
    """Gradients of the gates, the first state, the weights and the bias of `gru_layer`."""
    return kernel.gru_back(input, g_h, active, inner, out, hx, w, reverse)


@general(
    "gru_layer",
    outputs="out, h_n, ~active, ~inner",
    joint=lambda g_out, g_h_n, gates, hx, w, b, active, inner, out, reverse: gru_back(
        g_out, g_h_n, active, inner, out, hx, w, reverse
    ),
    composite=_gru_definition,
    named=False,
    method=False,
)
def gru_layer(gates: Array, hx: Array, w: Array, b: Array | None, reverse: bool) -> Any:
    """(T, B, 3 H) gates, (B, H) state, (3 H, H) weights and (3 H,) bias give the states (T, B, H) and the last one."""
    return kernel.gru(gates, hx, w, b, reverse)


def _rnn_step(gate: Any, h: Any, w: Any, is_relu: bool) -> tuple[Any]:
    s = gate + h @ w.t()
    return (relu(s) if is_relu else tanh(s),)


def _rnn_definition(gates: Any, hx: Any, w: Any, is_relu: bool, reverse: bool) -> Any:
    return _loop(gates, reverse, lambda gate, h: _rnn_step(gate, h, w, is_relu), hx)


@general("rnn_back", outputs="d_gates*, d_hx*, d_w*", named=False, method=False)
def rnn_back(input: Array, g_h: Array, out: Array, hx: Array, w: Array, is_relu: bool, reverse: bool) -> Any:
    """Gradients of the gates, the first state and the weights of `rnn_layer`."""
    return kernel.rnn_back(input, g_h, out, hx, w, is_relu, reverse)


@general(
    "rnn_layer",
    outputs="out, h_n",
    joint=lambda g_out, g_h_n, gates, hx, w, out, is_relu, reverse: rnn_back(
        g_out, g_h_n, out, hx, w, is_relu, reverse
    ),
    composite=_rnn_definition,
    named=False,
    method=False,
)
def rnn_layer(gates: Array, hx: Array, w: Array, is_relu: bool, reverse: bool) -> Any:
    """(T, B, H) gates, (B, H) state and (H, H) weights give the states (T, B, H) and the last one."""
    return kernel.rnn(gates, hx, w, is_relu, reverse)


# -- layers and directions -------------------------------------------------------------------------------------


def _one(mode: str, x: Any, state: tuple[Any, ...], weights: tuple[Any, ...], reverse: bool) -> tuple[Any, ...]:
    """One layer in one direction: (states at every time, last state's parts)."""
    w_ih, w_hh, b_ih, b_hh, w_hr = weights
    if mode == "GRU":
        return gru_layer(affine(x, w_ih, b_ih), state[0], w_hh, b_hh, reverse)
    gates = affine(x, w_ih, b_ih if b_hh is None else b_ih + b_hh)
    if mode != "LSTM":
        return rnn_layer(gates, state[0], w_hh, mode == "RNN_RELU", reverse)
    if w_hr is None:
        return lstm_layer(gates, state[0], state[1], w_hh, reverse)

    def projected(gate: Any, h: Any, c: Any) -> tuple[Any, Any]:
        h, c = _lstm_step(gate, h, c, w_hh)
        return h @ w_hr.t(), c

    return _loop(gates, reverse, projected, *state)


def _packed(
    mode: str, x: Any, sizes: list[int], state: tuple[Any, ...], weights: tuple[Any, ...], reverse: bool
) -> tuple[Any, ...]:
    """The same for a packed batch: `sizes[t]` sequences are still running at time t."""
    starts = np.concatenate(([0], np.cumsum(sizes))).tolist()
    times = range(len(sizes) - 1, -1, -1) if reverse else range(len(sizes))
    now = tuple(s[: sizes[times[0]]] for s in state)
    outs: list[Any] = [None] * len(sizes)
    ended: list[tuple[Any, ...]] = []
    for t in times:
        n, running = sizes[t], now[0].shape[0]
        if n < running:  # the shortest sequences have ended
            ended.append(tuple(s[n:] for s in now))
            now = tuple(s[:n] for s in now)
        elif n > running:  # backwards in time they begin
            now = tuple(cat((s, first[running:n])) for s, first in zip(now, state, strict=True))
        out, *now_ = _one(mode, x[starts[t] : starts[t + 1]].unsqueeze(0), now, weights, False)
        now = tuple(now_)
        outs[t] = out[0]
    last = tuple(cat([part[k] for part in (now, *reversed(ended))]) for k in range(len(now)))
    return (cat(outs), *last)


def run_layers(
    mode: str,
    x: Any,
    states: tuple[Any, ...],
    weights: list[tuple[Any, ...]],
    layers: int,
    bidirectional: bool,
    between: Any,
    sizes: list[int] | None = None,
) -> tuple[Any, ...]:
    """All layers: `weights` has a tuple for each layer and direction, `between` is applied to what passes between layers.

    `x` is (T, B, n), or packed (n_total, n) with its `sizes`. Returns the output and the last states, (layers, B, H).
    """
    directions = 2 if bidirectional else 1
    last: list[tuple[Any, ...]] = []
    for layer in range(layers):
        outs = []
        for d in range(directions):
            k = layer * directions + d
            state = tuple(s[k] for s in states)
            if sizes is None:
                out, *end = _one(mode, x, state, weights[k], d == 1)
            else:
                out, *end = _packed(mode, x, sizes, state, weights[k], d == 1)
            outs.append(out)
            last.append(tuple(end))
        x = outs[0] if directions == 1 else cat(outs, -1)
        if layer < layers - 1:
            x = between(x)
    return (x, *(stack([s[k] for s in last]) for k in range(len(states))))


# -- cells -----------------------------------------------------------------------------------------------------


@composite("lstm_cell", method=False)
def lstm_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Any:
    """(h, c) after one step of an LSTM from `hx = (h, c)`."""
    bias = b_ih if b_hh is None else b_ih + b_hh
    return _lstm_step(affine(input, w_ih, bias), hx[0], hx[1], w_hh)


@composite("gru_cell", method=False)
def gru_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Any:
    """h after one step of a GRU."""
    return _gru_step(affine(input, w_ih, b_ih), hx, w_hh, b_hh)[0]


@composite("rnn_tanh_cell", method=False)
def rnn_tanh_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Any:
    """tanh of the weighted input and state."""
    return tanh(affine(input, w_ih, b_ih) + affine(hx, w_hh, b_hh))


@composite("rnn_relu_cell", method=False)
def rnn_relu_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Any:
    """relu of the weighted input and state."""
    return relu(affine(input, w_ih, b_ih) + affine(hx, w_hh, b_hh))
