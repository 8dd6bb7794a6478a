"""Grad modes: `no_grad` and its kin, as contexts, decorators and around generators; inference mode; threads."""

from __future__ import annotations

import re
import threading

import pytest

import wengert as torch


def leaf(*values: float) -> torch.Tensor:
    return torch.tensor(values, requires_grad=True)


def raises(error: type[BaseException], message: str):
    """The message must start with (or be) these exact words."""
    return pytest.raises(error, match="^" + re.escape(message))


def test_no_grad_and_enable_grad_nest() -> None:
    assert torch.is_grad_enabled()
    with torch.no_grad():
        assert not torch.is_grad_enabled()
        with torch.enable_grad():
            assert torch.is_grad_enabled()
            with torch.no_grad():
                assert not torch.is_grad_enabled()
            assert torch.is_grad_enabled()
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    "make", [lambda: torch.no_grad, lambda: torch.no_grad(), lambda: torch.set_grad_enabled(False)]
)
def test_decorators(make) -> None:
    @make()
    def f(x):
        "Says what it does."
        return x * 2, torch.is_grad_enabled()

    y, mode = f(leaf(1.0))
    assert not y.requires_grad
    assert not mode
    assert f.__name__ == "f"
    assert f.__doc__ == "Says what it does."
    assert torch.is_grad_enabled()

    @make()
    def outer():
        return f(leaf(1.0))[1]

    assert outer() is False
    assert torch.is_grad_enabled()


def test_set_grad_enabled_takes_effect_at_once() -> None:
    guard = torch.set_grad_enabled(False)
    assert not torch.is_grad_enabled()
    with guard:
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()
    with torch.set_grad_enabled(False):
        assert not torch.is_grad_enabled()
        with torch.set_grad_enabled(True):
            assert torch.is_grad_enabled()
    assert torch.is_grad_enabled()


def test_the_mode_is_restored_after_an_exception() -> None:
    with pytest.raises(ZeroDivisionError), torch.no_grad():
        1 / 0
    assert torch.is_grad_enabled()


def test_a_generator_keeps_its_mode_to_itself() -> None:
    @torch.no_grad()
    def count():
        got = []
        for i in range(3):
            assert not torch.is_grad_enabled()
            try:
                got.append((yield i))
            except KeyError:
                assert not torch.is_grad_enabled()
                got.append("thrown")
        return got

    g = count()
    assert next(g) == 0
    assert torch.is_grad_enabled()
    assert g.send("a") == 1
    assert torch.is_grad_enabled()
    assert g.throw(KeyError()) == 2
    with pytest.raises(StopIteration) as stop:
        g.send("b")
    assert stop.value.value == ["a", "thrown", "b"]
    with torch.no_grad():

        @torch.enable_grad()
        def inside():
            yield torch.is_grad_enabled()

        assert list(inside()) == [True]
        assert not torch.is_grad_enabled()


def test_a_closed_generator_cleans_up_in_its_own_mode() -> None:
    seen = []

    @torch.no_grad()
    def f():
        try:
            yield 1
        finally:
            seen.append(torch.is_grad_enabled())

    g = f()
    next(g)
    g.close()
    assert seen == [False]


def test_each_thread_has_its_own_mode() -> None:
    seen = []
    with torch.no_grad():
        t = threading.Thread(target=lambda: seen.append((torch.is_grad_enabled(), (leaf(1.0) * 2).requires_grad)))
        t.start()
        t.join()
    assert seen == [(True, True)]


# -- inference mode ----------------------------------------------------------------------------------------------


def test_inference_mode() -> None:
    x = leaf(1.0)
    with torch.inference_mode():
        assert torch.is_inference_mode_enabled()
        assert not torch.is_grad_enabled()
        t = torch.ones(1)
        y = x * 2
        assert t.is_inference()
        assert y.is_inference()
        assert not y.requires_grad
        with torch.inference_mode(False):
            assert not torch.is_inference_mode_enabled()
            assert torch.is_grad_enabled()
            assert not torch.ones(1).is_inference()
            assert (x * 2).requires_grad
    assert not torch.is_inference_mode_enabled()
    assert not x.is_inference()
    assert not torch.ones(1).is_inference()


def test_inference_mode_as_a_decorator() -> None:
    @torch.inference_mode()
    def f(x):
        return x * 2

    @torch.inference_mode
    def g(x):
        return x * 2

    assert f(leaf(1.0)).is_inference()
    assert g(leaf(1.0)).is_inference()


def test_inference_tensors_cannot_be_saved() -> None:
    with torch.inference_mode():
        t = torch.ones(1)
    x = leaf(1.0)
    with raises(RuntimeError, "Inference tensors cannot be saved for backward. Please do not use Tensors created in"):
        x * t
    (x + t).backward()
    assert x.grad.tolist() == [1.0]
    (x * t.clone()).backward()
    assert x.grad.tolist() == [2.0]


def test_inference_tensors_outside() -> None:
    with torch.inference_mode():
        t = torch.ones(2)
        t.add_(1)
    with raises(RuntimeError, "Inplace update to inference tensor outside InferenceMode is not allowed."):
        t.add_(1)
    assert t.tolist() == [2.0, 2.0]
    message = "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed."
    with raises(RuntimeError, message):
        t.requires_grad_()


def test_changing_a_normal_tensor_inside_counts() -> None:
    x = torch.ones(1)
    y = leaf(1.0) * x
    with torch.inference_mode():
        x.add_(1)
        v = x.view(1)
    assert x._version == 1
    assert not v.is_inference()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


# -- the others --------------------------------------------------------------------------------------------------


def test_queries() -> None:
    assert not torch.is_anomaly_enabled()
    assert torch.is_anomaly_check_nan_enabled()
    with torch.autograd.set_detect_anomaly(True, check_nan=False):
        assert torch.is_anomaly_enabled()
        assert not torch.is_anomaly_check_nan_enabled()
    assert not torch.is_anomaly_enabled()


def test_multithreading_is_accepted_and_ignored() -> None:
    with torch.autograd.set_multithreading_enabled(False):
        x = leaf(2.0)
        (x * x).backward()
    assert x.grad.tolist() == [4.0]


def test_a_mode_can_be_cloned() -> None:
    assert isinstance(torch.no_grad().clone(), torch.no_grad)
    assert torch.inference_mode(False).clone().mode is False
