"""Recurrent modules: RNN, LSTM, GRU over sequences, and their cells. What computes is `ops.recurrent`."""

from __future__ import annotations

import math
import numbers
import warnings
from typing import Any

import numpy as np

from ...core.tensor import Tensor, wrap
from ...ops import recurrent
from .. import functional as F
from .. import init
from ..module import Module
from ..utils.rnn import PackedSequence
from .shared import parameter

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNBase", "RNNCell", "RNNCellBase"]


class RNNBase(Module):
    """What RNN, LSTM and GRU share: `num_layers` layers, in one or two directions.

    Input (T, N, input_size), (N, T, input_size) with `batch_first`, (T, input_size) for one sequence, or a PackedSequence.
    Returns the last layer's states and the last states of every layer and direction.
    """

    mode: str
    _gates = 1

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        if not isinstance(dropout, numbers.Number) or not 0 <= dropout <= 1 or isinstance(dropout, bool):
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an element being zeroed"
            )
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects "
                f"num_layers greater than 1, but got dropout={dropout} and num_layers={num_layers}",
                stacklevel=3,
            )
        for name, value, kind in (
            *(("input_size", input_size, int), ("hidden_size", hidden_size, int)),
            *(("bias", bias, bool), ("batch_first", batch_first, bool)),
        ):
            if not isinstance(value, kind):
                raise TypeError(f"{name} should be of type {kind.__name__}, got: {type(value).__name__}")
        for name, value in (("input_size", input_size), ("hidden_size", hidden_size)):
            if value <= 0:
                raise ValueError(f"{name} must be greater than zero")
        if num_layers <= 0:
            raise ValueError("num_layers must be greater than zero")
        if proj_size < 0:
            raise ValueError("proj_size should be a positive integer or zero to disable projections")
        if proj_size >= hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")
        gates = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}.get(mode)
        if gates is None:
            raise ValueError("Unrecognized RNN mode: " + mode)
        self._all_weights: list[list[str]] = []
        out = proj_size or hidden_size
        made = {"device": device, "dtype": dtype}
        for layer in range(num_layers):
            for suffix in ("", "_reverse")[: 2 if bidirectional else 1]:
                entry = input_size if layer == 0 else out * (2 if bidirectional else 1)
                shapes: dict[str, tuple[int, ...]] = {
                    "weight_ih": (gates * hidden_size, entry),
                    "weight_hh": (gates * hidden_size, out),
                }
                if bias:
                    shapes["bias_ih"] = shapes["bias_hh"] = (gates * hidden_size,)
                if proj_size:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                names = []
                for name, shape in shapes.items():
                    names.append(f"{name}_l{layer}{suffix}")
                    setattr(self, names[-1], parameter(*shape, **made))
                self._all_weights.append(names)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def flatten_parameters(self) -> None:
        """Nothing to do: there is no library that wants the weights in one block."""

    @property
    def all_weights(self) -> list[list[Any]]:
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    @property
    def _flat_weights(self) -> list[Any]:
        return [w for weights in self.all_weights for w in weights]

    def _weights(self) -> list[tuple[Any, ...]]:
        """For each layer and direction: (w_ih, w_hh, b_ih, b_hh, w_hr), None for what there is not."""
        found = []
        for weights in self.all_weights:
            w_hr = weights[-1] if self.proj_size else None
            biases = weights[2:4] if self.bias else (None, None)
            found.append((weights[0], weights[1], *biases, w_hr))
        return found

    def _dropped(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, True) if self.dropout and self.training else x

    # -- checks ----------------------------------------------------------------------------------------------------

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        if not any(input.dtype == p.dtype for p in self.parameters()):
            wanted = self._flat_weights[0].dtype
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({wanted}). Convert input: "
                f"input.to({wanted}), or convert model: model.to({input.dtype})"
            )
        expected = 2 if batch_sizes is not None else 3
        if input.dim() != expected:
            raise RuntimeError(f"input must have {expected} dimensions, got {input.dim()}")
        if self.input_size != input.size(-1):
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.size(-1)}"
            )

    def get_expected_hidden_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        batch = int(batch_sizes[0]) if batch_sizes is not None else input.size(0 if self.batch_first else 1)
        return (self.num_layers * self._directions, batch, self.proj_size or self.hidden_size)

    def get_expected_cell_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        return (*self.get_expected_hidden_size(input, batch_sizes)[:2], self.hidden_size)

    def check_hidden_size(
        self, hx: Tensor, expected: tuple[int, ...], msg: str = "Expected hidden size {}, got {}"
    ) -> None:
        if tuple(hx.size()) != tuple(expected):
            raise RuntimeError(msg.format(expected, list(hx.size())))

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    # -- the call ----------------------------------------------------------------------------------------------------

    def _run(self, input: Any, hx: Any) -> Any:
        packed = isinstance(input, PackedSequence)
        data: Any
        sizes: Any
        data, sizes, order, back = input if packed else (input, None, None, None)
        if not packed and data.dim() not in (2, 3):
            raise ValueError(f"{self._title}: Expected input to be 2D or 3D, got {data.dim()}D instead")
        batched = packed or data.dim() == 3
        if not batched:
            data = data.unsqueeze(0 if self.batch_first else 1)
        batch = int(sizes[0]) if packed else data.size(0 if self.batch_first else 1)
        if hx is None:
            states = self._zeros(data, batch)
        else:
            states = self._given(hx, batched)
            if order is not None:
                states = tuple(s.index_select(1, order) for s in states)
        self.check_input(data, sizes)
        self._check_states(states, data, sizes)
        if packed:
            out, *last = self._layers(data, states, sizes.tolist())
            out = PackedSequence(out, sizes, order, back)
            if back is not None:
                last = [s.index_select(1, back) for s in last]
        else:
            out, *last = self._layers(data.transpose(0, 1) if self.batch_first else data, states, None)
            if self.batch_first:
                out = out.transpose(0, 1)
            if not batched:
                out = out.squeeze(0 if self.batch_first else 1)
                last = [s.squeeze(1) for s in last]
        return out, tuple(last)

    _title = "RNN"

    def _layers(self, x: Tensor, states: tuple[Tensor, ...], sizes: list[int] | None) -> Any:
        weights = self._weights()
        return recurrent.run_layers(
            self.mode, x, states, weights, self.num_layers, self.bidirectional, self._dropped, sizes
        )

    def _zeros(self, x: Tensor, batch: int) -> tuple[Tensor, ...]:
        shape = (self.num_layers * self._directions, batch, self.proj_size or self.hidden_size)
        return (wrap(np.zeros(shape, x._array.dtype)),)

    def _given(self, hx: Any, batched: bool) -> tuple[Tensor, ...]:
        if batched:
            if hx.dim() != 3:
                raise RuntimeError(f"For batched 3-D input, hx should also be 3-D but got {hx.dim()}-D tensor")
            return (hx,)
        if hx.dim() != 2:
            raise RuntimeError(f"For unbatched 2-D input, hx should also be 2-D but got {hx.dim()}-D tensor")
        return (hx.unsqueeze(1),)

    def _check_states(self, states: tuple[Tensor, ...], x: Tensor, sizes: Tensor | None) -> None:
        self.check_hidden_size(states[0], self.get_expected_hidden_size(x, sizes))

    def forward(self, input: Any, hx: Any = None) -> Any:
        out, (last,) = self._run(input, hx)
        return out, last

    def extra_repr(self) -> str:
        shown = [f"{self.input_size}, {self.hidden_size}"]
        if self.proj_size:
            shown.append(f"proj_size={self.proj_size}")
        for name, default in (("num_layers", 1), ("bias", True), ("batch_first", False), ("dropout", 0.0),
                              ("bidirectional", False)):  # fmt: skip
            value = getattr(self, name)
            if value != default:
                shown.append(f"{name}={value}")
        return ", ".join(shown)


class RNN(RNNBase):
    """h' = tanh(W x + b + W' h + b'), or relu by `nonlinearity`."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
        proj_size: int = 0,
    ) -> None:
        if proj_size:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        self.nonlinearity = nonlinearity
        super().__init__(
            "RNN_" + nonlinearity.upper(),
            *(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional),
            device=device,
            dtype=dtype,
        )


class GRU(RNNBase):
    """Gated recurrent units (Cho et al., 2014), in PyTorch's form: the reset gate acts after the product."""

    _title = "GRU"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
        proj_size: int = 0,
    ) -> None:
        if proj_size:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        super().__init__(
            "GRU",
            *(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional),
            device=device,
            dtype=dtype,
        )


class LSTM(RNNBase):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997). Its state is a pair (h, c).

    `proj_size` projects h to fewer features (Sak et al., 2014).
    """

    _title = "LSTM"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            "LSTM",
            *(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size),
            device=device,
            dtype=dtype,
        )

    def _zeros(self, x: Tensor, batch: int) -> tuple[Tensor, ...]:
        c = np.zeros((self.num_layers * self._directions, batch, self.hidden_size), x._array.dtype)
        return (*super()._zeros(x, batch), wrap(c))

    def _given(self, hx: Any, batched: bool) -> tuple[Tensor, ...]:
        h, c = hx
        n = 3 if batched else 2
        if h.dim() != n or c.dim() != n:
            kind = "batched 3-D" if batched else "unbatched 2-D"
            raise RuntimeError(
                f"For {kind} input, hx and cx should also be {n}-D but got ({h.dim()}-D, {c.dim()}-D) tensors"
            )
        return (h, c) if batched else (h.unsqueeze(1), c.unsqueeze(1))

    def _check_states(self, states: tuple[Tensor, ...], x: Tensor, sizes: Tensor | None) -> None:
        message = "Expected hidden[{}] size {{}}, got {{}}"
        self.check_hidden_size(states[0], self.get_expected_hidden_size(x, sizes), message.format(0))
        self.check_hidden_size(states[1], self.get_expected_cell_size(x, sizes), message.format(1))

    def forward(self, input: Any, hx: Any = None) -> Any:
        return self._run(input, hx)


# -- cells -----------------------------------------------------------------------------------------------------


class RNNCellBase(Module):
    """One step: input (N, input_size) or (input_size), state (N, hidden_size) or (hidden_size)."""

    _chunks = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        made = {"device": device, "dtype": dtype}
        self.weight_ih = parameter(num_chunks * hidden_size, input_size, **made)
        self.weight_hh = parameter(num_chunks * hidden_size, hidden_size, **made)
        if bias:
            self.bias_ih: Tensor | None = parameter(num_chunks * hidden_size, **made)
            self.bias_hh: Tensor | None = parameter(num_chunks * hidden_size, **made)
        else:
            self.register_parameter("bias_ih", None)
            self.register_parameter("bias_hh", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def extra_repr(self) -> str:
        shown = f"{self.input_size}, {self.hidden_size}"
        if not self.bias:
            shown += f", bias={self.bias}"
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            shown += f", nonlinearity={self.nonlinearity}"
        return shown

    def _checked(self, input: Tensor, hx: Any) -> tuple[Tensor, Any, bool]:
        """Input and state as batches, zeros for no state."""
        name = type(self).__name__
        if input.dim() not in (1, 2):
            raise ValueError(f"{name}: Expected input to be 1D or 2D, got {input.dim()}D instead")
        states = hx if isinstance(hx, (tuple, list)) else (hx,)
        if hx is not None:
            for i, s in enumerate(states):
                if s.dim() not in (1, 2):
                    which = "hidden" if len(states) == 1 else f"hx[{i}]"
                    raise ValueError(f"{name}: Expected {which} to be 1D or 2D, got {s.dim()}D instead")
        batched = input.dim() == 2
        if not batched:
            input = input.unsqueeze(0)
        if hx is None:
            zeros = wrap(np.zeros((input.shape[0], self.hidden_size), input._array.dtype))
            states = (zeros, zeros)
        elif not batched:
            states = tuple(s.unsqueeze(0) for s in states)
        if input.shape[1] != self.input_size:
            raise RuntimeError(f"input has inconsistent input_size: got {input.shape[1]} expected {self.input_size}")
        for i, s in enumerate(states):
            if s.shape[0] != input.shape[0]:
                raise RuntimeError(f"Input batch size {input.shape[0]} doesn't match hidden{i} batch size {s.shape[0]}")
            if s.shape[1] != self.hidden_size:
                raise RuntimeError(
                    f"hidden{i} has inconsistent hidden_size: got {s.shape[1]}, expected {self.hidden_size}"
                )
        return input, states, batched

    def _stepped(self, step: Any, input: Tensor, state: Any) -> Any:
        return step(input, state, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)


class RNNCell(RNNCellBase):
    """h' = tanh(W x + b + W' h + b'), or relu by `nonlinearity`."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Any = None) -> Tensor:
        x, states, batched = self._checked(input, hx)
        steps = {"tanh": recurrent.rnn_tanh_cell, "relu": recurrent.rnn_relu_cell}
        if self.nonlinearity not in steps:
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        h = self._stepped(steps[self.nonlinearity], x, states[0])
        return h if batched else h.squeeze(0)


class LSTMCell(RNNCellBase):
    """One step of an LSTM: returns (h, c)."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: Any = None) -> tuple[Tensor, Tensor]:
        x, states, batched = self._checked(input, hx)
        h, c = self._stepped(recurrent.lstm_cell, x, states)
        return (h, c) if batched else (h.squeeze(0), c.squeeze(0))


class GRUCell(RNNCellBase):
    """One step of a GRU."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Any = None) -> Tensor:
        x, states, batched = self._checked(input, hx)
        h = self._stepped(recurrent.gru_cell, x, states[0])
        return h if batched else h.squeeze(0)
