"""What a trace notes and a ledger makes of it: values at their time, within a budget, and nothing made before it is shown."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wengert as torch
from test_explain import last, run
from wengert import explain
from wengert.explain import ledger as ledgers
from wengert.explain.recording import Step


def chain(length: int) -> Any:
    x = torch.ones(3, requires_grad=True)
    y = x
    for _ in range(length // 2):
        y = y * 1.0001
        y = y.sin()
    return y.sum()


def array_of(ledger: explain.Ledger, name: str) -> Any:
    return next(v for v in ledger.values() if v.name == name).shot.array  # type: ignore[union-attr]


# -- within a budget ---------------------------------------------------------------------------------------------------


def test_beyond_the_budget_there_are_summaries() -> None:
    x = torch.ones(8, requires_grad=True)
    with explain.trace(budget=100) as t:
        (x * 2).sin().cos().tanh().sum().backward()
    ledger = t.last.ledger
    whole = [v for v in ledger.values() if v.shot is not None and v.shot.whole and v.shot.size > 1]
    assert sum(v.shot.array.nbytes for v in whole) <= 100 + 32  # the last one may go over
    rest = [v for v in ledger.values() if v.shot is not None and not v.shot.whole]
    assert rest
    assert all(v.shot.known and v.shot.stats()[2] > 0 for v in rest)
    assert "norm" in str(t)


def test_what_is_kept_whole_can_be_chosen() -> None:
    x = torch.ones(1000, requires_grad=True)
    with explain.trace() as t:
        x.sin().sum().backward()
    assert not t.last.ledger.forward[0].outputs[0].shot.whole
    with explain.trace(whole=1000) as t:
        x.sin().sum().backward()
    np.testing.assert_allclose(t.last.ledger.forward[0].outputs[0].shot.array, np.sin(np.ones(1000)), rtol=1e-6)


def test_values_that_nothing_refers_to_are_let_go() -> None:
    with explain.trace() as t:
        for _ in range(3000):
            torch.ones(2) * 2.0
    assert len(t.recorder.free) <= 2048


# -- values at their time ----------------------------------------------------------------------------------------------


def test_a_parameter_is_what_it_was_in_each_pass() -> None:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.5)
    with explain.trace() as t:
        for _ in range(2):
            optimizer.zero_grad()
            (w * w).sum().backward()
            optimizer.step()
    first, second = (p.ledger for p in t.passes)
    np.testing.assert_array_equal(array_of(first, "w"), [1, 2])
    np.testing.assert_array_equal(array_of(second, "w"), [0, 0])
    assert [a.leaf.name for a in second.arrivals] == ["w"]


def test_a_view_of_what_was_overwritten_has_the_new_numbers(tmp_path: Path) -> None:
    ledger = last(
        """
        import wengert as torch
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        z = x.clone()
        u = z[1:]
        z.mul_(torch.tensor([3.0, 4.0]))
        loss = (u * u).sum()
        loss.backward()
        """,
        tmp_path,
    ).ledger
    np.testing.assert_array_equal(array_of(ledger, "u"), [8])
    np.testing.assert_array_equal(ledger.arrivals[0].gradient.array, [0, 64])  # type: ignore[union-attr]


def test_a_change_under_no_grad_is_a_step_of_its_own(tmp_path: Path) -> None:
    ledger = last(
        """
        import wengert as torch
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        y = x + 1
        with torch.no_grad():
            y.mul_(10)
        loss = (y * torch.tensor([1.0, 3.0])).sum()
        loss.backward()
        """,
        tmp_path,
    ).ledger
    (change,) = [s for s in ledger.forward if s.cut == "no_grad"]
    np.testing.assert_array_equal(change.outputs[0].shot.array, [20, 30])  # type: ignore[union-attr]
    assert [b.node for b in ledger.blocks] == ["SumBackward0", "MulBackward0", "AddBackward0"]
    np.testing.assert_array_equal(ledger.arrivals[0].gradient.array, [1, 3])  # type: ignore[union-attr]


def test_a_node_keeps_only_what_its_arguments_want(tmp_path: Path) -> None:
    ledger = last(
        """
        import wengert as torch
        x = torch.tensor([1.0, 2.0])
        w = torch.tensor([3.0, 4.0], requires_grad=True)
        loss = (w * x).sum()
        loss.backward()
        """,
        tmp_path,
    ).ledger
    assert [b.saved for b in ledger.blocks if b.node == "MulBackward0"] == [[("other", "tensor")]]


# -- several passes, several ledgers -----------------------------------------------------------------------------------


def test_two_ledgers_of_one_graph_have_names_of_their_own() -> None:
    x = torch.tensor([0.5, 2.0], requires_grad=True)
    with explain.trace() as t:
        y = (x**3).sum()
        y.backward(retain_graph=True)
        z = y * 2
        z.backward()
    first, second = (p.ledger for p in t.passes)
    assert [s.number for s in first.forward] == [1, 2]
    assert [s.number for s in second.forward] == [1, 2, 3]
    assert (first.root.name, second.root.name) == ("y", "z")
    assert first.forward[0] is not second.forward[0]


def test_explaining_twice_says_the_same() -> None:
    loss = chain(20)
    assert str(explain(loss)) == str(explain(loss))


def test_explain_knows_what_a_trace_has_seen() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with explain.trace():
        hidden = x * 3
        loss = hidden.sin().sum()
    shown = explain(loss)
    assert "hidden" in str(shown)
    assert all(s.site is not None for s in shown.ledger.forward)


def test_steps_from_before_a_trace_come_first() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    early = x * 3
    with explain.trace() as t:
        late = early.sin()
        late.sum().backward()
    assert [s.op.name for s in t.last.ledger.forward] == ["mul", "sin", "sum_all"]
    assert [v.name for s in t.last.ledger.forward for v in s.outputs] == ["early", "late", "loss"]


def test_a_pass_inside_a_pass_does_not_cut_it_in_two() -> None:
    class Inner(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            (x,) = ctx.saved_tensors
            with torch.enable_grad():
                x = x.detach().requires_grad_()
                (grad,) = torch.autograd.grad((x * x).sum(), x)
            return g * grad

    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with explain.trace() as t:
        Inner.apply(x * 3).sum().backward()
    outer = t.passes[0].ledger
    assert [b.node for b in outer.blocks] == ["SumBackward0", "InnerBackward", "MulBackward0"]
    assert len(t.passes) == 2
    np.testing.assert_array_equal(outer.arrivals[0].gradient.array, [18, 36])  # type: ignore[union-attr]


# -- nothing before it is shown ----------------------------------------------------------------------------------------


def test_of_ten_thousand_nodes_only_the_shown_ones_are_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    rule_of = ledgers.rule_of
    monkeypatch.setattr(ledgers, "rule_of", lambda cls, *more: asked.append(cls) or rule_of(cls, *more))
    shown = explain(chain(10_000))
    assert asked == []
    assert len(shown.ledger.blocks) == 10_001
    assert sum(b is not None for b in shown.ledger.blocks.made) <= 1
    assert "steps before these" in str(shown)
    assert len(asked) == 60


def test_a_long_sum_is_added_up_without_recursion() -> None:
    x = torch.tensor(1.0, requires_grad=True)
    loss = x * 0
    for _ in range(5000):
        loss = loss + x
    ledger = explain(loss).ledger
    terms = ledger.arrivals[0].terms
    assert terms[0].of == 5001
    assert terms[4999].total.array == 5000  # type: ignore[union-attr]
    assert terms[4999].position == 5000


def test_the_collector_is_left_as_it_was() -> None:
    before = gc.get_threshold()
    with explain.trace():
        assert gc.get_threshold()[0] >= before[0]
    assert gc.get_threshold() == before
    assert gc.isenabled()
    gc.disable()
    try:
        explain(chain(4))
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_graph_holds_what_was_noted_and_lets_go_of_it(tmp_path: Path) -> None:
    trace, names = run(
        """
        import wengert as torch
        x = torch.tensor([1.0], requires_grad=True)
        y = x.sin()
        """,
        tmp_path,
    )
    assert isinstance(names["y"].grad_fn.noted, Step)
    assert trace.recorder.known(names["y"]) is names["y"].grad_fn.noted.outputs[0]
