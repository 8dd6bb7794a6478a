"""Large elementwise work in blocks on several threads gives the numbers of one pass; what cannot be cut is not."""

from __future__ import annotations

import os

import numpy as np
import pytest

import wengert as torch
from wengert.core import blocks
from wengert.kernels import threads as team

N = team.LARGE + 3 * 2**14  # not a whole number of blocks


@pytest.fixture(params=[1, 3])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("WENGERT_NUMBA", "0")  # one pass or blocks of NumPy, to the last bit
    before = team.get_num_threads()
    team.set_num_threads(request.param)
    yield request.param
    team.set_num_threads(before)


@pytest.mark.parametrize("name", ["sin", "sigmoid", "erf", "relu"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_same_numbers_as_in_one_pass(name: str, dtype: type, threads: int) -> None:
    data = np.random.default_rng(0).uniform(0.1, 3, (2, N // 2)).astype(dtype)
    x = torch.tensor(data, requires_grad=True)
    y = getattr(torch, name)(x)
    y.backward(torch.ones_like(y.detach()))
    small = [torch.tensor(part, requires_grad=True) for part in np.array_split(data.reshape(-1), 3)]
    expected = [getattr(torch, name)(s) for s in small]
    for s, e in zip(small, expected, strict=True):
        assert s.numel() < team.LARGE
        e.backward(torch.ones_like(e.detach()))
    np.testing.assert_array_equal(
        y.detach().numpy().reshape(-1), np.concatenate([e.detach().numpy() for e in expected])
    )
    np.testing.assert_array_equal(x.grad.numpy().reshape(-1), np.concatenate([s.grad.numpy() for s in small]))


def test_broadcasts_and_other_layouts_are_computed_as_they_stand(threads: int) -> None:
    a = np.random.default_rng(0).uniform(1, 2, (600, 700))
    for x, y in ((a, a[:1]), (a.T, a.T), (a[:, ::2], a[:, ::2]), (a, a.T.copy().T)):
        p, q = torch.tensor(1.0).new_tensor(x), torch.from_numpy(y)
        np.testing.assert_array_equal((torch.from_numpy(x) / q).numpy(), x / y)
        assert p.shape == x.shape


@pytest.mark.parametrize("name", ["add", "multiply", "maximum"])
def test_ufuncs_fill_the_result_in_parts(name: str, threads: int) -> None:
    function = getattr(np, name)
    x, y = np.random.default_rng(0).normal(size=(2, 3, N))
    np.testing.assert_array_equal(blocks.blockwise(function, x, y), function(x, y))
    np.testing.assert_array_equal(blocks.blockwise(function, x, 2.0), function(x, 2.0))
    np.testing.assert_array_equal(blocks.blockwise(np.equal, x, y), x == y)


def test_sums_at_a_fan_in_do_not_touch_the_users_arrays(threads: int) -> None:
    """What only the walk holds is added to in place; what the user or a node holds is not."""
    data = np.random.default_rng(0).normal(size=N)
    x, g = torch.tensor(data, requires_grad=True), torch.from_numpy(np.ones(N))
    seen = []
    y = x * 1.0
    y.register_hook(lambda grad: seen.append(grad))
    z = y.exp() + y * 3 + y
    z.backward(g, retain_graph=True)
    first = seen[0].numpy().copy()
    np.testing.assert_array_equal(g.numpy(), 1)
    np.testing.assert_allclose(first, np.exp(data) + 4)
    z.backward(g)
    np.testing.assert_array_equal(seen[0].numpy(), first)
    np.testing.assert_allclose(x.grad.numpy(), 2 * first)


def test_an_error_in_a_thread_is_the_users(threads: int) -> None:
    def fail(x: np.ndarray) -> np.ndarray:
        if x[0] > team.LARGE:
            raise ZeroDivisionError("in a block")
        return x

    with pytest.raises(ZeroDivisionError, match="in a block"):
        blocks.blockwise(fail, np.arange(float(N)))


def test_divisions_by_zero_are_silent_in_every_thread(threads: int) -> None:
    x = torch.zeros(N, requires_grad=True)
    x.log().sum().backward()
    assert torch.isinf(x.grad).all()


def test_threads_are_counted_as_pytorch_counts() -> None:
    with pytest.raises(RuntimeError, match="set_num_threads expects a positive integer"):
        team.set_num_threads(0)
    with pytest.raises(TypeError, match="set_num_threads expects an int, but got str"):
        team.set_num_threads("2")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_makes_threads_of_its_own() -> None:
    x = torch.ones(N)
    assert x.exp()[0].item() == pytest.approx(np.e, rel=1e-6)  # the threads exist
    pid = os.fork()
    if pid == 0:
        os._exit(0 if x.exp()[-1].item() > 2.7 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
