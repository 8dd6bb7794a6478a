"""A gradient that is None: .item() leaves the graph.

`scale` was to be learnt, but `.item()` makes a Python number of it. From there on it is a constant: the product knows `x`
and a number, nothing in the drawing leads to `scale`, and its `.grad` stays None. `x` gets its gradient as ever. The cure
is to write `x * scale`.
"""

import wengert as torch

x = torch.tensor([1.0, 2.0], requires_grad=True)
scale = torch.tensor(3.0, requires_grad=True)
y = x * scale.item()
loss = (y * y).sum()
loss.backward()
assert scale.grad is None
