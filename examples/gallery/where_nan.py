"""NaN from the branch that was not taken.

The forward values are fine: where `x` is not positive the zero is chosen. But `where` sends a gradient of 0 to the square
root there, and the derivative of the root at 0 is infinite: 0 · inf is NaN. Tick "Break at NaN" and run: it stops at the
step where the NaN is born. The cure is to make the argument safe before the root: `torch.where(x > 0, x, 1.0).sqrt()`.
"""

import wengert as torch

x = torch.tensor([4.0, 0.0, 1.0], requires_grad=True)
root = torch.sqrt(x)
y = torch.where(x > 0, root, torch.zeros(3))
loss = y.sum()
loss.backward()
