"""Schedules of learning rates: the first ten rates that PyTorch 2.13 set, saving, and what is refused."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import wengert as torch
from wengert import nn
from wengert.optim import SGD, Adam, lr_scheduler, swa_utils
from wengert.optim import lr_scheduler as S

# How a schedule is made, its first ten rates beginning with 1, and the momentum in the fourth step.
GOLDEN = [
    (
        "S.LambdaLR(o, lambda e: 0.5**e)",
        [1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625, 0.0078125, 0.00390625, 0.001953125],
        0.9,
    ),
    (
        "S.MultiplicativeLR(o, lambda e: 0.9)",
        [1.0, 0.9, 0.81, 0.729, 0.6561, 0.59049, 0.531441, 0.4782969, 0.43046721, 0.387420489],
        0.9,
    ),
    ("S.StepLR(o, 3, 0.5)", [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125], 0.9),
    ("S.MultiStepLR(o, [2, 2, 5], 0.5)", [1.0, 1.0, 0.25, 0.25, 0.25, 0.125, 0.125, 0.125, 0.125, 0.125], 0.9),
    ("S.ConstantLR(o, 0.25, 3)", [0.25, 0.25, 0.25, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0], 0.9),
    ("S.LinearLR(o, 0.25, 0.75, 4)", [0.25, 0.375, 0.5, 0.625, 0.75, 0.75, 0.75, 0.75, 0.75, 0.75], 0.9),
    (
        "S.ExponentialLR(o, 0.9)",
        [1.0, 0.9, 0.81, 0.729, 0.6561, 0.59049, 0.531441, 0.4782969, 0.43046721, 0.387420489],
        0.9,
    ),
    ("S.PolynomialLR(o, 5, 2.0)", [1.0, 0.64, 0.36, 0.16, 0.04, 0.0, 0.0, 0.0, 0.0, 0.0], 0.9),
    ("S.CosineAnnealingLR(o, 3, 0.01)", [1.0, 0.7525, 0.2575, 0.01, 0.2575, 0.7525, 1.0, 0.7525, 0.2575, 0.01], 0.9),
    (
        "S.CosineAnnealingWarmRestarts(o, 2, 2, 0.01)",
        [1.0, 0.505, 1.0, 0.855017857, 0.505, 0.154982143, 1.0, 0.962320369, 0.855017857, 0.694428299],
        0.9,
    ),
    (
        "S.CyclicLR(o, 0.1, 0.5, 2, 3)",
        [0.1, 0.3, 0.5, 0.366666667, 0.233333333, 0.1, 0.3, 0.5, 0.366666667, 0.233333333],
        0.833333333,
    ),
    ("S.CyclicLR(o, 0.1, 0.5, 2, mode='triangular2')", [0.1, 0.3, 0.5, 0.3, 0.1, 0.2, 0.3, 0.2, 0.1, 0.15], 0.85),
    (
        "S.CyclicLR(o, 0.1, 0.5, 2, mode='exp_range', gamma=0.9)",
        [0.1, 0.28, 0.424, 0.2458, 0.1, 0.218098, 0.3125764, 0.19565938, 0.1, 0.177484098],
        0.86355,
    ),
    (
        "S.OneCycleLR(o, 0.5, 10)",
        [0.02, 0.26, 0.5, 0.475242316, 0.405872827, 0.305631011, 0.194370989, 0.094129173, 0.024759684, 2e-06],
        0.854951557,
    ),
    (
        "S.OneCycleLR(o, 0.5, epochs=5, steps_per_epoch=2, anneal_strategy='linear', three_phase=True)",
        [0.02, 0.26, 0.5, 0.26, 0.02, 0.0160004, 0.0120008, 0.0080012, 0.0040016, 2e-06],
        0.9,
    ),
    (
        "S.SequentialLR(o, [S.ConstantLR(o, 0.1, 2), S.ExponentialLR(o, 0.9)], [3])",
        [0.1, 0.1, 1.0, 1.0, 0.9, 0.81, 0.729, 0.6561, 0.59049, 0.531441],
        0.9,
    ),
    (
        "S.ChainedScheduler([S.ConstantLR(o, 0.5, 3), S.ExponentialLR(o, 0.9)])",
        [0.5, 0.45, 0.405, 0.729, 0.6561, 0.59049, 0.531441, 0.4782969, 0.43046721, 0.387420489],
        0.9,
    ),
    ("W.SWALR(o, 0.05, 4)", [1.0, 0.860875721, 0.525, 0.189124279, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05], 0.9),
    ("W.SWALR(o, 0.05, 4, 'linear')", [1.0, 0.7625, 0.525, 0.2875, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05], 0.9),
]


def optimizer(**options):
    return SGD([torch.ones(1, requires_grad=True)], lr=1.0, momentum=0.9, **options)


def make(text, o):
    return eval(text, {"S": S, "W": swa_utils, "o": o})


def run(o, s, count):
    found = []
    for _ in range(count):
        found.append((o.param_groups[0]["lr"], o.param_groups[0]["momentum"]))
        o.step()
        s.step()
    return found


@pytest.mark.parametrize(("text", "rates", "momentum"), GOLDEN)
def test_as_pytorch(text, rates, momentum):
    o = optimizer()
    s = make(text, o)
    found = run(o, s, 10)
    assert np.allclose([lr for lr, _ in found], rates, rtol=1e-8)
    assert found[3][1] == pytest.approx(momentum, rel=1e-8)
    assert s.get_last_lr() == [o.param_groups[0]["lr"]]


@pytest.mark.parametrize("text", [text for text, *_ in GOLDEN])
def test_goes_on_from_saved_state(text):
    o = optimizer()
    s = make(text, o)
    run(o, s, 4)
    other = optimizer()
    t = make(text, other)
    other.load_state_dict(copy.deepcopy(o.state_dict()))
    saved = s.state_dict()
    if "lr_lambdas" not in saved:
        saved = pickle.loads(pickle.dumps(saved))
    t.load_state_dict(saved)
    other._opt_called = True
    assert run(other, t, 5) == run(o, s, 5)


def test_plateau():
    o = optimizer()
    s = S.ReduceLROnPlateau(o, patience=1, factor=0.5, cooldown=1, min_lr=0.2)
    found = []
    for metric in (5, 4, 4, 4, 4, 4, 4, 4, 3, 3, 3, 3, 3):
        s.step(torch.tensor(float(metric)))
        found.append(o.param_groups[0]["lr"])
    assert found == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.2, 0.2, 0.2]
    t = S.ReduceLROnPlateau(optimizer(), mode="max", threshold_mode="abs", threshold=0.5)
    assert t.is_better(1.6, 1.0)
    assert not t.is_better(1.4, 1.0)
    t.load_state_dict(s.state_dict())
    assert t.mode == "min"


def test_rates_may_be_tensors_and_stay_the_same_tensors():
    rate = torch.tensor(1.0)
    o = SGD([torch.ones(1, requires_grad=True)], lr=rate)
    s = S.ExponentialLR(o, 0.5)
    o.step()
    s.step()
    assert o.param_groups[0]["lr"] is rate
    assert rate.item() == 0.5
    (last,) = s.get_last_lr()
    assert last is not rate
    assert s.base_lrs[0].item() == 1.0


def test_momentum_of_adam_is_beta1():
    o = Adam([torch.ones(1, requires_grad=True)])
    s = S.OneCycleLR(o, 0.1, 10)
    assert o.param_groups[0]["betas"] == (0.95, 0.999)
    o.step()
    s.step()
    assert o.param_groups[0]["betas"][0] < 0.95


def test_own_schedule():
    class Harmonic(S.LRScheduler):
        def get_lr(self):
            return [base / (1 + self.last_epoch) for base in self.base_lrs]

    o = optimizer()
    assert [lr for lr, _ in run(o, Harmonic(o), 3)] == [1, 1 / 2, 1 / 3]


def test_warnings():
    o = optimizer()
    s = S.StepLR(o, 2)
    with pytest.warns(UserWarning, match=r"Detected call of `lr_scheduler.step\(\)` before `optimizer.step\(\)`"):
        s.step()
    with pytest.warns(
        UserWarning, match=r"To get the last learning rate computed by the scheduler, please use `get_last_lr"
    ):
        s.get_lr()
    with pytest.warns(UserWarning, match=r"The epoch parameter in `scheduler.step\(\)` was not necessary"):
        s.step(7)
    assert o.param_groups[0]["lr"] == pytest.approx(1e-3)
    o = optimizer()
    s = S.StepLR(o, 2)
    o.step = lambda: None
    with pytest.warns(UserWarning, match=r"Seems like `optimizer.step\(\)` has been overridden"):
        s.step()


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("S.StepLR(3, 1)", TypeError, "int is not an Optimizer"),
        ("S.StepLR(o, 1, last_epoch=3)", KeyError, "param 'initial_lr' is not specified in param_groups"),
        ("S.LambdaLR(o, [abs, abs])", ValueError, "Expected 1 lr_lambdas, but got 2"),
        ("S.MultiplicativeLR(o, 3)", TypeError, "lr_lambda should be a function, but got int"),
        ("S.ConstantLR(o, 2)", ValueError, "Constant multiplicative factor expected to be between 0 and 1."),
        ("S.LinearLR(o, 0)", ValueError, "Starting multiplicative factor expected to be greater than 0"),
        ("S.LinearLR(o, 1, 2)", ValueError, "Ending multiplicative factor expected to be between 0 and 1."),
        ("S.SequentialLR(o, [], [])", ValueError, "SequentialLR expects at least one scheduler, but got no scheduler."),
        (
            "S.SequentialLR(o, [S.StepLR(o, 1)], [1])",
            ValueError,
            "expects number of schedulers provided to be one more",
        ),
        ("S.ChainedScheduler([])", ValueError, "ChainedScheduler expects at least one scheduler to be chained"),
        ("S.ChainedScheduler([S.ReduceLROnPlateau(o)])", ValueError, "does not support `ReduceLROnPlateau` scheduler"),
        ("S.ChainedScheduler([3], o)", TypeError, "at index 0 should have `optimizer` as its attribute."),
        ("S.ReduceLROnPlateau(o, factor=1.0)", ValueError, "Factor should be < 1.0."),
        ("S.ReduceLROnPlateau(o, 'mean')", ValueError, "mode mean is unknown!"),
        ("S.ReduceLROnPlateau(o, min_lr=[1, 2])", ValueError, "expected 1 min_lrs, got 2"),
        ("S.CyclicLR(o, 0.1, 0.5, mode='square')", ValueError, "mode is invalid and scale_fn is None"),
        ("S.CyclicLR(o, [0.1, 0.2], 0.5)", ValueError, "base_lr must have the same length as optimizer.param_groups"),
        ("S.OneCycleLR(o, 0.1)", ValueError, r"You must define either total_steps OR \(epochs AND steps_per_epoch\)"),
        ("S.OneCycleLR(o, 0.1, 10, pct_start=3)", ValueError, "Expected float between 0 and 1 pct_start, but got 3"),
        ("S.CosineAnnealingWarmRestarts(o, 0)", ValueError, "Expected positive integer T_0, but got 0"),
        ("W.SWALR(o, 0.1, -1)", ValueError, "anneal_epochs must be equal or greater than 0, got -1"),
    ],
)
def test_errors(text, kind, message):
    with pytest.raises(kind, match=message):
        make(text, optimizer())


def test_one_cycle_ends():
    o = optimizer()
    s = S.OneCycleLR(o, 0.1, 2)
    run(o, s, 2)
    o.step()
    with pytest.raises(ValueError, match="Tried to step 3 times. The specified number of total steps is 2"):
        s.step()


# -- averages of weights ---------------------------------------------------------------------------------------


def test_averaged_model_is_the_mean():
    model = nn.Linear(2, 1)
    mean = swa_utils.AveragedModel(model)
    seen = []
    for k in range(3):
        with torch.no_grad():
            model.weight.fill_(float(k * k))
        seen.append(k * k)
        mean.update_parameters(model)
    assert mean.module.weight.tolist()[0] == pytest.approx([sum(seen) / 3] * 2)
    assert mean.n_averaged.item() == 3
    assert model.weight.tolist()[0] == [4, 4]
    assert list(mean.state_dict()) == ["n_averaged", "module.weight", "module.bias"]
    assert mean(torch.zeros(1, 2)).shape == (1, 1)


@pytest.mark.parametrize("how", ["avg_fn", "multi_avg_fn"])
def test_exponential_average(how):
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(1.0)
    make = {"avg_fn": swa_utils.get_ema_avg_fn, "multi_avg_fn": swa_utils.get_ema_multi_avg_fn}[how]
    mean = swa_utils.AveragedModel(model, **{how: make(0.75)})
    mean.update_parameters(model)
    with torch.no_grad():
        model.weight.fill_(5.0)
    mean.update_parameters(model)
    assert mean.module.weight.item() == pytest.approx(0.75 * 1 + 0.25 * 5)
    with pytest.raises(ValueError, match=r"Invalid decay value 2 provided. Please provide a value in \[0,1\] range."):
        make(2)


def test_lr_scheduler_is_a_package_of_optim():
    assert lr_scheduler is S
