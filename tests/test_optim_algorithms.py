"""The optimizers besides SGD and Adam: what PyTorch 2.13 gave after seven steps, and properties of each."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import wengert as torch
from wengert import optim
from wengert.kernels import updates

X = np.array([[1.0, -2.0, 0.5], [-0.25, 3.0, -1.5]])


def gradient(k):
    return np.cos(np.arange(6).reshape(2, 3) * 1.7 + k) * (1 + k)


# Name, options, and the matrix and the vector (its first row) after seven steps with these gradients.
GOLDEN = [
    (
        "Adadelta",
        {},
        [0.9973693511, -2.002478809, 0.5047442393, -0.2475081412, 2.994766627, -1.501716586],
        [0.9973693511, -2.002478809, 0.5047442393],
    ),
    (
        "Adadelta",
        {"rho": 0.8, "eps": 0.001, "weight_decay": 0.1, "lr": 0.5},
        [0.9649187455, -2.008889575, 0.54786945, -0.2220356171, 2.9229559, -1.50510698],
        [0.9649187455, -2.008889575, 0.54786945],
    ),
    (
        "Adagrad",
        {},
        [0.993508993, -1.988381155, 0.5066041251, -0.2599314282, 2.994344822, -1.491070815],
        [0.993508993, -1.988381155, 0.5066041251],
    ),
    (
        "Adagrad",
        {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5},
        [0.994089742, -1.9910103, 0.5033205865, -0.2565219882, 2.993505934, -1.490961316],
        [0.994089742, -1.9910103, 0.5033205865],
    ),
    (
        "Adamax",
        {"weight_decay": 0.1},
        [0.9969882951, -1.995320765, 0.5018346861, -0.2541675464, 2.997830753, -1.495773969],
        [0.9969882951, -1.995320765, 0.5018346861],
    ),
    (
        "ASGD",
        {"t0": 2, "lambd": 0.1, "weight_decay": 0.1},
        [0.9658061719, -2.03405615, 0.529297978, -0.1940407945, 2.908578018, -1.518835786],
        [0.9658061719, -2.03405615, 0.529297978],
    ),
    (
        "NAdam",
        {},
        [0.9985630102, -1.99838753, 0.50166558, -0.2513386446, 2.998326435, -1.498735821],
        [0.9985630102, -1.99838753, 0.50166558],
    ),
    (
        "NAdam",
        {"weight_decay": 0.1, "momentum_decay": 0.1, "decoupled_weight_decay": True},
        [0.9971839923, -1.995539158, 0.5009330744, -0.2510299244, 2.994171938, -1.496608424],
        [0.9971839923, -1.995539158, 0.5009330744],
    ),
    (
        "RAdam",
        {},
        [1.000338714, -1.99633471, 0.4987170373, -0.2533345806, 3.002142159, -1.497217398],
        [1.000338714, -1.99633471, 0.4987170373],
    ),
    (
        "RAdam",
        {"betas": (0.5, 0.9), "weight_decay": 0.1},
        [1.002462457, -1.996875523, 0.4962207893, -0.2510643639, 3.002290026, -1.49901436],
        [1.002462457, -1.996875523, 0.4962207893],
    ),
    (
        "RMSprop",
        {},
        [0.934927266, -1.884441719, 0.5664493553, -0.3487890518, 2.942990619, -1.41102419],
        [0.934927266, -1.884441719, 0.5664493553],
    ),
    (
        "RMSprop",
        {"momentum": 0.5},
        [0.9348429214, -1.70818671, 0.5537547387, -0.4857781989, 2.97438027, -1.309543416],
        [0.9348429214, -1.70818671, 0.5537547387],
    ),
    (
        "RMSprop",
        {"centered": True, "weight_decay": 0.1, "maximize": True},
        [1.054215245, -1.90276872, 0.4286846858, -0.1494495587, 2.994885238, -1.578398921],
        [1.054215245, -1.90276872, 0.4286846858],
    ),
    ("Rprop", {}, [0.9876, -1.965328, 0.5124, -0.27056, 2.9876, -1.47944], [0.9876, -1.965328, 0.5124]),
    (
        "Adafactor",
        {"weight_decay": 0.1},
        [0.9789738362, -1.984896646, 0.5096486065, -0.2511813846, 2.957090859, -1.482365713],
        [0.9834185824, -1.979629215, 0.5091925036],
    ),
    (
        "Adafactor",
        {"eps": (0.001, 0.01), "d": 1.5, "lr": 0.5},
        [0.2754474791, -3.028290449, 1.457008525, 0.533995436, 1.435560869, -1.952433791],
        [0.371679393, -0.9038144453, 1.077358963],
    ),
]


def steps(opt, p, q, count, start=0):
    for k in range(start, start + count):
        p.grad, q.grad = torch.tensor(gradient(k)), torch.tensor(gradient(k)[0].copy())
        opt.step()


@pytest.mark.parametrize(("name", "options", "matrix", "vector"), GOLDEN)
def test_as_pytorch(name, options, matrix, vector):
    p, q = torch.tensor(X, requires_grad=True), torch.tensor(X[0], requires_grad=True)
    opt = getattr(optim, name)([p, q], **options)
    steps(opt, p, q, 3)
    twin = copy.deepcopy(opt)
    steps(opt, p, q, 4, 3)
    assert np.allclose(p.detach().numpy().ravel(), matrix, rtol=1e-9, atol=1e-9)
    assert np.allclose(q.detach().numpy(), vector, rtol=1e-9, atol=1e-9)
    # From saved state it goes on alike.
    (a, b) = twin.param_groups[0]["params"]
    fresh = getattr(optim, name)([a, b], **options)
    fresh.load_state_dict(twin.state_dict())
    steps(fresh, a, b, 4, 3)
    assert np.allclose(a.detach().numpy(), p.detach().numpy(), rtol=1e-7)


@pytest.mark.parametrize("name", ["Adadelta", "Adagrad", "Adamax", "NAdam", "RAdam", "RMSprop", "Rprop"])
def test_blocks_and_complex_numbers(name, monkeypatch):
    """A complex parameter is its two parts, and blocks of a large one give the numbers of the whole."""
    monkeypatch.setattr(updates, "BLOCK", 4)
    z = torch.tensor(X + 1j * X[::-1].copy(), requires_grad=True)
    parts = torch.tensor(np.stack([X, X[::-1]], -1), requires_grad=True)
    a, b = getattr(optim, name)([z]), getattr(optim, name)([parts])
    for k in range(8):
        if k == 4:
            monkeypatch.setattr(updates, "BLOCK", 10**6)
        g, h = gradient(k), gradient(k + 3)
        z.grad, parts.grad = torch.tensor(g + 1j * h), torch.tensor(np.stack([g, h], -1))
        a.step()
        b.step()
    assert np.allclose(z.detach().numpy().imag, parts.detach().numpy()[..., 1], rtol=1e-13)
    assert np.allclose(z.detach().numpy().real, parts.detach().numpy()[..., 0], rtol=1e-13)


def test_muon_steps_along_an_orthogonal_matrix():
    for shape in ((3, 5), (5, 3)):
        g = np.random.default_rng(0).standard_normal(shape)
        p = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
        p.grad = torch.tensor(g)
        optim.Muon([p], lr=1.0, weight_decay=0).step()
        step = -p.detach().numpy() / np.sqrt(max(1, shape[0] / shape[1]))
        u, _, vt = np.linalg.svd(g, full_matrices=False)
        values = u.T @ step @ vt.T  # in the singular vectors of the gradient: diagonal, and about 1
        assert np.allclose(values, np.diag(np.diag(values)), atol=1e-6)
        assert ((np.diag(values) > 0.6) & (np.diag(values) < 1.3)).all()
    with pytest.raises(
        ValueError, match="Muon only supports 2D parameters whereas we found a parameter with size: torch"
    ):
        optim.Muon([torch.zeros(3)])
    opt = optim.Muon([p], ns_steps=100)
    with pytest.raises(ValueError, match="Number of steps must be less than 100"):
        opt.step()


def rosenbrock(p):
    return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2


@pytest.mark.parametrize(
    ("search", "losses", "end", "evaluations"),
    [
        (None, [12.5, 12.2970355914834, 12.211447902901705], [-1.4978092637937122, 2.0007825014075475], 21),
        ("strong_wolfe", [12.5, 5.77415944879044, 3.7452401783414446], [-0.200111270879252, 0.008755048881265687], 24),
    ],
)
def test_lbfgs_as_pytorch(search, losses, end, evaluations):
    p = torch.tensor([-1.5, 2.0], dtype=torch.float64, requires_grad=True)
    opt = optim.LBFGS([p], lr=1 if search else 1e-3, max_iter=7, line_search_fn=search, history_size=4)

    def closure():
        opt.zero_grad()
        loss = rosenbrock(p)
        loss.backward()
        return loss

    found = [opt.step(closure).item() for _ in range(3)]
    assert np.allclose(found, losses, rtol=1e-9)
    assert np.allclose(p.tolist(), end, rtol=1e-7)
    assert opt.state[p]["func_evals"] == evaluations


def test_lbfgs_finds_the_minimum():
    p, q = torch.tensor([-1.5], requires_grad=True), torch.tensor(2.0, requires_grad=True)
    opt = optim.LBFGS([p, q], line_search_fn="strong_wolfe", max_iter=100)

    def closure():
        opt.zero_grad()
        loss = rosenbrock(torch.cat([p, q.reshape(1)]))
        loss.backward()
        return loss

    opt.step(closure)
    assert abs(p.item() - 1) < 1e-3
    assert abs(q.item() - 1) < 1e-3
    assert p._version > 1


def test_lbfgs_refuses():
    p = torch.zeros(2, requires_grad=True)
    with pytest.raises(ValueError, match=r"LBFGS doesn't support per-parameter options \(parameter groups\)"):
        optim.LBFGS([{"params": p}, {"params": torch.zeros(1)}])

    def closure():
        p.grad = torch.ones(2)
        return p.sum()

    with pytest.raises(RuntimeError, match="only 'strong_wolfe' is supported"):
        optim.LBFGS([p], line_search_fn="armijo").step(closure)


def test_sparse_adam_is_refused_when_it_would_have_to_step():
    p = torch.ones(2, requires_grad=True)
    opt = optim.SparseAdam([p])
    assert opt.step(lambda: 3) == 3
    p.grad = torch.ones(2)
    with pytest.raises(RuntimeError, match="SparseAdam does not support dense gradients, please consider Adam instead"):
        opt.step()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: optim.Adadelta(p, rho=1.1), "Invalid rho value: 1.1"),
        (lambda p: optim.Adagrad(p, lr_decay=-0.5), "Invalid lr_decay value: -0.5"),
        (lambda p: optim.Adamax(p, betas=(0.0, 1.0)), "Invalid beta parameter at index 1: 1.0"),
        (lambda p: optim.ASGD(p, weight_decay=-0.5), "Invalid weight_decay value: -0.5"),
        (lambda p: optim.NAdam(p, momentum_decay=-0.2), "Invalid momentum_decay value: -0.2"),
        (lambda p: optim.RMSprop(p, momentum=-1.0), "Invalid momentum value: -1.0"),
        (lambda p: optim.Rprop(p, etas=(1.0, 0.5)), "Invalid eta values: 1.0, 0.5"),
        (lambda p: optim.Adafactor(p, d=0.5), "Clipping threshold d should be >= 1 but is: 0.5"),
        (lambda p: optim.Muon(p, adjust_lr_fn="x"), "Adjust learning rate function x is not supported"),
        (lambda p: optim.SparseAdam(p, lr=0.0), "Invalid learning rate: 0.0"),
    ],
)
def test_errors_of_the_options(make, message):
    with pytest.raises(ValueError, match=message):
        make([torch.zeros(2, 2)])
