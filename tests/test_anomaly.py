"""Anomaly mode: the first NaN or infinity is reported, with where it was made."""

from __future__ import annotations

import re
import warnings

import pytest

import wengert as torch
from wengert.autograd import Function

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def leaf(*values: float) -> torch.Tensor:
    return torch.tensor(values, requires_grad=True)


def test_only_detect_anomaly_warns_and_does_so_when_made() -> None:
    with pytest.warns(UserWarning, match="Anomaly Detection has been enabled"):
        context = torch.autograd.detect_anomaly()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with context:
            assert torch.is_anomaly_enabled()
        torch.autograd.set_detect_anomaly(True)
        assert torch.is_anomaly_enabled()
        torch.autograd.set_detect_anomaly(False)
    assert not torch.is_anomaly_enabled()


def test_nan_in_backward_names_the_operation() -> None:
    x = leaf(0.0, 4.0)
    with torch.autograd.detect_anomaly():
        y = x.sqrt() * torch.tensor([0.0, 1.0])
        with pytest.warns(UserWarning, match="Error detected in SqrtBackward0. Traceback of forward call that caused"):
            with pytest.raises(RuntimeError, match="Function 'SqrtBackward0' returned nan values in its 0th output."):
                y.sum().backward()


def test_without_check_nan_nothing_is_checked() -> None:
    x = leaf(0.0)
    with torch.autograd.detect_anomaly(check_nan=False):
        (x.sqrt() * 0).sum().backward()
    assert x.grad.isnan().all()


def test_a_graph_made_outside_has_no_traceback() -> None:
    y = leaf(0.0).sqrt() * 0
    with torch.autograd.detect_anomaly():
        with pytest.warns(
            UserWarning, match="No forward pass information available. Enable detect anomaly during forward"
        ):
            with pytest.raises(RuntimeError, match="Function 'SqrtBackward0' returned nan values"):
                y.backward()


def test_metadata() -> None:
    x = leaf(2.0)
    with torch.autograd.set_detect_anomaly(True):
        y = x * x
        assert "y = x * x" in "".join(y.grad_fn.metadata["traceback_"])
        assert "parent_" not in y.grad_fn.metadata
        (g,) = torch.autograd.grad(y, x, create_graph=True)
    node = g.grad_fn
    while "parent_" not in node.metadata:
        node = node.next_functions[0][0]
    assert node.metadata["parent_"] is y.grad_fn


def test_errors_in_backward_get_the_traceback() -> None:
    class Broken(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            raise ValueError("mine")

    with torch.autograd.set_detect_anomaly(True):
        y = Broken.apply(leaf(1.0))
        with (
            pytest.warns(UserWarning, match="Error detected in BrokenBackward"),
            pytest.raises(ValueError, match="mine"),
        ):
            y.backward()


# -- beyond PyTorch ----------------------------------------------------------------------------------------------


def told(error) -> str:
    return "\n".join([str(error.value), *getattr(error.value, "__notes__", [])])


def test_infinity_is_an_anomaly() -> None:
    x = leaf(0.0)
    with torch.autograd.set_detect_anomaly(True):
        y = x.sqrt()
        with pytest.raises(
            RuntimeError, match="Function 'SqrtBackward0' returned inf values in its 0th output."
        ) as error:
            y.backward()
    assert "The operands it had, going forward:" in told(error)
    assert "input = [0.]" in told(error)
    assert re.search(r"recorded at .*test_anomaly.py:\d+: y = x.sqrt\(\)", told(error))


def test_the_first_bad_value_is_reported_also_forward() -> None:
    x = leaf(1.0, -1.0)
    with torch.autograd.set_detect_anomaly(True):
        with pytest.raises(
            RuntimeError, match="Function 'log' returned nan values in its 0th output, going forward"
        ) as e:
            x.log()
        assert "nan at [1]" in told(e)
        assert re.search(r"at .*test_anomaly.py:\d+: x.log\(\)", told(e))
        with pytest.raises(RuntimeError, match="Function 'div' returned inf values in its 0th output, going forward"):
            x / 0


def test_bad_operands_are_passed_on() -> None:
    with torch.autograd.set_detect_anomaly(True):
        mask = torch.tensor([True, False])
        scores = leaf(1.0, 2.0).masked_fill(mask, float("-inf"))
        scores.softmax(0).sum().backward()
        assert (torch.tensor([float("nan")]) + 1).isnan().all()


def test_errors_in_backward_say_where_forward_was() -> None:
    x = leaf(1.0)
    with torch.autograd.set_detect_anomaly(True):
        y = x * 2
        y.grad_fn.register_hook(lambda i, o: 1 / 0)
        with pytest.raises(ZeroDivisionError) as error:
            y.backward()
    assert re.search(r"recorded at .*test_anomaly.py:\d+: y = x \* 2", told(error))


def test_a_modified_value_names_who_saved_and_who_changed_it() -> None:
    x = leaf(1.0)
    with torch.autograd.set_detect_anomaly(True):
        y = x.exp()
        z = y * y
        y.add_(1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation") as error:
            z.backward()
    assert "Good luck!" in told(error)
    assert re.search(r"MulBackward0 saved it as '\w+' at .*: z = y \* y", told(error))
    assert re.search(r"last changed in place at .*: y.add_\(1\)", told(error))
