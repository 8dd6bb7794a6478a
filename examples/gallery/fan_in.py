"""A value that is used three times gets three terms.

`h` goes into a sine, a square and a product. None of the three knows of the others: each sends its term back, the engine
adds them, and only when the third has arrived may the step that made `h` run. The page says "1 of 4, waiting" until then
(the square is a product of `h` with itself, so it sends two).
"""

import wengert as torch

x = torch.tensor([0.5, -1.0], requires_grad=True)
w = torch.tensor([2.0, 3.0], requires_grad=True)
h = x.exp()
a = h.sin()
b = h * h
c = h * w
loss = (a + b + c).sum()
loss.backward()
