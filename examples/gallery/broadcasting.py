"""Broadcasting forward is summing backward.

`b` has three elements and was stretched over two rows. Each of its elements was used twice, so its gradient is the sum
over the axis along which it was stretched; the scalar `s` was stretched along both axes and gets the sum over both.
"""

import wengert as torch

x = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
b = torch.tensor([0.1, 0.2, 0.3], requires_grad=True)
s = torch.tensor(2.0, requires_grad=True)
y = s * (x + b)
loss = y.sum()
loss.backward()
