"""Softmax with cross entropy collapses to p - y.

The loss is minus the logarithm of the softmax at the right class. Going back, the two Jacobians multiply to something very
simple: the gradient of the scores is the probabilities minus one at the right class. The last line of the program computes
that directly, and the gradient printed for `scores` is the same.
"""

import wengert as torch

scores = torch.tensor([2.0, 1.0, -1.0], requires_grad=True)
onehot = torch.tensor([0.0, 1.0, 0.0])
logp = torch.log_softmax(scores, -1)
loss = -(onehot * logp).sum()
loss.backward()
p_minus_y = torch.softmax(scores.detach(), -1) - onehot
assert torch.allclose(scores.grad, p_minus_y)
