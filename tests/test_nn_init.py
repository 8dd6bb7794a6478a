"""nn.init: the numbers PyTorch 2.13 draws from the same seed (literals), and its errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import wengert as torch
from wengert import nn

init = nn.init

# Six numbers of a (2, 3) tensor after manual_seed(1).
DRAWN: list[tuple[Callable[[Any], Any], list[float]]] = [
    (
        init.xavier_uniform_,
        [0.5644425749778748, -0.48350563645362854, -0.21236462891101837, 0.5141679, -1.03129243850708, 0.6569573],
    ),
    (init.xavier_normal_, [0.41827583, 0.16881762, 0.03900812193751335, 0.392955, -0.28581044077873, -0.10506998]),
    (init.kaiming_normal_, [0.53999179, 0.217942610383, 0.05035927, 0.50730347, -0.36897966265678406, -0.1356447637]),
    (init.trunc_normal_, [0.6613521575927734, 0.26692411, 0.06167725, 0.62131732, -0.4519059658050537, -0.16613022]),
    (init.orthogonal_, [0.9238713979721069, 0.372877836, 0.0861596316, 0.3812115192, -0.8767916560, -0.293110758]),
    (lambda t: init.sparse_(t, 0.5), [0.0, 0.0026692410465329885, 0.00061677256599, 0.00621317327, 0.0, 0.0]),
]


@pytest.mark.parametrize(("fill", "expected"), DRAWN, ids=[getattr(f, "__name__", "sparse_") for f, _ in DRAWN])
def test_draws_are_pytorchs(fill: Callable[[Any], Any], expected: list[float]) -> None:
    torch.manual_seed(1)
    t = torch.empty(2, 3)
    assert fill(t) is t
    np.testing.assert_allclose(t.numpy().ravel(), expected, rtol=2e-6)


def test_truncated_to_a_tail() -> None:
    torch.manual_seed(1)
    found = init.trunc_normal_(torch.empty(6), 0, 1, 2, 3).tolist()
    assert found == pytest.approx([2.17679023, 2.2104320526, 2.4635455, 2.45498633, 2.029281616, 2.4980025])


def test_a_linear_layer_starts_as_pytorchs() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(3, 2)
    weight = [[-0.004322517663240433, 0.3097158372402191, -0.4751853], [-0.4248946011066437, -0.22236897, 0.15482072]]
    np.testing.assert_allclose(layer.weight.detach().numpy(), weight, rtol=2e-6)
    np.testing.assert_allclose(layer.bias.detach().numpy(), [-0.011439144611358643, 0.45777493715286255], rtol=2e-6)


def test_fixed_fillings() -> None:
    t = torch.empty(2, 3)
    assert init.ones_(t).tolist() == [[1, 1, 1]] * 2
    assert init.zeros_(t).tolist() == [[0, 0, 0]] * 2
    assert init.constant_(t, 0.5).tolist() == [[0.5] * 3] * 2
    assert init.eye_(t).tolist() == [[1, 0, 0], [0, 1, 0]]
    w = init.dirac_(torch.empty(4, 2, 3), groups=2).numpy()
    x = np.random.default_rng(0).standard_normal((2, 5))
    for group in range(2):
        for channel in range(2):
            passed = sum(np.correlate(np.pad(x[i], 1), w[2 * group + channel, i], "valid") for i in range(2))
            np.testing.assert_allclose(passed, x[channel])


def test_fillings_are_not_recorded() -> None:
    p = nn.Parameter(torch.empty(2, 2))
    for fill in (init.ones_, init.uniform_, init.normal_, init.xavier_normal_, init.orthogonal_, init.trunc_normal_):
        assert fill(p) is p
        assert p.is_leaf
        assert p.requires_grad


def test_a_generator_of_ones_own() -> None:
    a, b = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)
    assert torch.equal(
        init.kaiming_uniform_(torch.empty(3, 3), generator=a), init.kaiming_uniform_(torch.empty(3, 3), generator=b)
    )


@pytest.mark.parametrize(
    ("args", "gain"),
    [(("tanh",), 5 / 3), (("relu",), 2**0.5), (("leaky_relu", 1), 1.0), (("selu",), 0.75), (("conv2d",), 1)],
)
def test_gains(args: tuple[Any, ...], gain: float) -> None:
    assert init.calculate_gain(*args) == pytest.approx(gain)


def test_errors_and_warnings() -> None:
    with pytest.raises(ValueError, match="Unsupported nonlinearity swish"):
        init.calculate_gain("swish")
    with pytest.raises(ValueError, match="negative_slope True not a valid number"):
        init.calculate_gain("leaky_relu", True)
    with pytest.raises(ValueError, match="Fan in and fan out can not be computed for tensor with fewer than 2 dim"):
        init.xavier_normal_(torch.empty(3))
    with pytest.raises(ValueError, match="Mode x not supported, please use one of"):
        init.kaiming_normal_(torch.empty(3, 3), mode="x")
    with pytest.raises(ValueError, match="Only tensors with 2 dimensions are supported"):
        init.eye_(torch.empty(3))
    with pytest.raises(ValueError, match="Only tensors with 3, 4, or 5 dimensions are supported"):
        init.dirac_(torch.empty(3))
    with pytest.warns(UserWarning, match="Initializing zero-element tensors is a no-op"):
        init.kaiming_uniform_(torch.empty(0, 3))
    with pytest.warns(UserWarning, match="mean is more than 2 std from"):
        init.trunc_normal_(torch.empty(3), 9.0, 1.0, 2.0, 3.0)
    with pytest.warns(FutureWarning, match="`nn.init.normal` is now deprecated in favor of `nn.init.normal_`"):
        init.normal(torch.empty(3))
