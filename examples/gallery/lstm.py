"""An LSTM cell over six steps: where the gradient goes, and where it vanishes.

Only the last output is in the loss. Back through time each round multiplies the cell's gradient by the forget gate, here
about 0.38, so what reaches the first round is hundreds of times smaller than what the last one got: step through
backward and look at the norms (break with "norm below"). Set the bias of the forget gate to 3 and run it again.
"""

import wengert as torch

torch.manual_seed(0)
w = (torch.randn(3, 12) * 0.3).requires_grad_()
u = (torch.randn(3, 12) * 0.3).requires_grad_()
bias = torch.tensor([0.0] * 3 + [-0.5] * 3 + [0.0] * 6, requires_grad=True)
h = torch.zeros(1, 3)
c = torch.zeros(1, 3)
for x in torch.randn(6, 1, 3):
    gates = x @ w + h @ u + bias
    i, f, g, o = gates.chunk(4, 1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    h = torch.sigmoid(o) * torch.tanh(c)
loss = h.sum()
loss.backward()
