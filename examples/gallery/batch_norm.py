"""Batch normalisation written out: three ways from the input to the output.

A number of the batch reaches the loss directly, through the mean, and through the variance (which itself contains the
mean). The gradient of `x` is the sum of what comes back along all of them. Because the result does not change when a
constant is added to `x`, the gradients of each column of `x` add up to zero: watch the terms cancel.
"""

import wengert as torch

x = torch.tensor([[1.0, -2.0], [2.0, 0.0], [4.0, 1.0]], requires_grad=True)
target = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, -1.0]])
mean = x.mean(0)
centred = x - mean
var = (centred * centred).mean(0)
std = (var + 1e-5).sqrt()
y = centred / std
loss = ((y - target) ** 2).sum()
loss.backward()
