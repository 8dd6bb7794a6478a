"""The chain rule on five lines.

Three steps, three local derivatives, multiplied from the last to the first. `sin` kept its argument because its derivative
is the cosine of it; the square kept `y`. `y` is used twice, by the two sides of the product, so two terms arrive at it and
are added.
"""

import wengert as torch

x = torch.tensor(0.8, requires_grad=True)
w = torch.tensor(3.0, requires_grad=True)
y = (x * w).sin()
loss = y * y
loss.backward()
