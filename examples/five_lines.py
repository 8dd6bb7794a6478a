import wengert as torch

x = torch.tensor([0.5, 1.0, 2.0], requires_grad=True)
w = torch.tensor(3.0, requires_grad=True)
y = (x * w).sin()
loss = (y * y).sum()
loss.backward()
