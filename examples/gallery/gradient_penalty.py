"""Double backward: the gradient penalty of a critic.

`autograd.grad(..., create_graph=True)` records the backward pass itself, so it is part of the program: its steps are marked
"order 2". The penalty asks that the norm of the critic's gradient be 1, and its own backward goes through the recorded
gradient: every rule is written in operations that have rules.
"""

import wengert as torch

x = torch.tensor([[0.5, -1.0]], requires_grad=True)
w = torch.tensor([[0.3], [-0.7]], requires_grad=True)
score = torch.tanh(x @ w)
(g,) = torch.autograd.grad(score.sum(), x, create_graph=True)
norm = (g * g).sum().sqrt()
penalty = (norm - 1) ** 2
penalty.backward()
