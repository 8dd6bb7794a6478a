"""Attention, one head, written out.

Queries meet keys, a softmax makes weights of the scores, the weights mix the values. Gradients reach the values through the
transposed weights, and queries and keys only through the softmax, whose rule subtracts the weighted mean from each
gradient: a position whose value is as good as the average gets no gradient.
"""

import wengert as torch

torch.manual_seed(0)
q = torch.randn(3, 2, requires_grad=True)
k = torch.randn(3, 2, requires_grad=True)
v = torch.randn(3, 2, requires_grad=True)
scores = q @ k.T / 2**0.5
weights = torch.softmax(scores, -1)
out = weights @ v
loss = (out * out).sum()
loss.backward()
