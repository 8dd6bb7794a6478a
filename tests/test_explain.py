"""`wengert.explain`: what is shown of a backward pass is what the engine did, in its order, with its numbers."""

from __future__ import annotations

import gc
import json
import textwrap
import types
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wengert as torch
from wengert import explain
from wengert.explain import export
from wengert.explain.tracing import Trace

LINEAR = """
import wengert as torch

x = torch.tensor([1.0, 2.0, 3.0])
y = torch.tensor([2.0, 3.0, 5.0])
w = torch.tensor(1.5, requires_grad=True)
b = torch.tensor(0.5, requires_grad=True)
error = w * x + b - y
loss = (error * error).mean()
loss.backward()
"""


def run(source: str, tmp_path: Path) -> tuple[Trace, dict[str, Any]]:
    """A program run under a trace, as `wengert explain` does it."""
    file = tmp_path / "program.py"
    file.write_text(textwrap.dedent(source))
    module = types.ModuleType("program")
    with Trace() as t:
        exec(compile(file.read_text(), str(file), "exec"), module.__dict__)
    t.finish(module.__dict__)
    return t, module.__dict__


def last(source: str, tmp_path: Path) -> explain.Explanation:
    return run(source, tmp_path)[0].last


def test_a_five_line_program_as_it_is_shown(tmp_path: Path) -> None:
    assert last(LINEAR, tmp_path).text(100) == textwrap.dedent("""\
        loss = 0.08333  program.py:10                                                      ∇x means ∂loss/∂x

        Forward
          1  v1    = w · x     = [1.5, 3, 4.5]  line 8, keeps x
          2  v2    = v1 + b    = [2, 3.5, 5]    line 8
          3  error = v2 - y    = [0, 0.5, 0]    line 8
          4  v4    = error²    = [0, 0.25, 0]   line 9, keeps error
          5  loss  = mean(v4)  = 0.08333        line 9

        Backward  from the last step to the first, starting with ∇loss = 1
          5  mean      ∇v4 = expand(∇loss / 3, (3,)) = expand(1 / 3, (3,)) = [0.3333, 0.3333, 0.3333]
          4  mul       ∇error += ∇v4 · error = [0.3333, 0.3333, 0.3333] · [0, 0.5, 0] = [0, 0.1667, 0]
                         1 of 2, waiting
                       ∇error += ∇v4 · error = [0.3333, 0.3333, 0.3333] · [0, 0.5, 0] = [0, 0.1667, 0]
                         2 of 2: ∇error = [0, 0.3333, 0]
          3  sub       ∇v2 = ∇error = [0, 0.3333, 0]
          2  add       ∇v1 = ∇v2 = [0, 0.3333, 0]
                       ∇b = sum(∇v2) = sum([0, 0.3333, 0]) = 0.3333
                         b () was stretched to (3,): sum over axis 0
          1  mul       ∇w = sum(∇v1 · x) = sum([0, 0.3333, 0] · [1, 2, 3]) = 0.6667
                         w () was stretched to (3,): sum over axis 0

        Gradients
             b.grad = 0.3333
             w.grad = 0.6667
        """)


def test_it_fits_one_screen(tmp_path: Path) -> None:
    lines = last(LINEAR, tmp_path).text(100).splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_no_line_is_wider_than_asked(width: int, tmp_path: Path) -> None:
    assert max(map(len, last(LINEAR, tmp_path).text(width).splitlines())) <= max(width, 66)


def test_explain_before_backward_changes_nothing() -> None:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()
    shown = str(explain(loss))
    assert "∇w += ∇v1 · w = [1, 1] · [1, 2] = [1, 2]" in shown
    assert "2 of 2: ∇w = [2, 4]" in shown
    assert w.grad is None
    loss.backward()
    assert w.grad is not None
    np.testing.assert_array_equal(w.grad.numpy(), [2, 4])


def test_explain_takes_the_gradient_to_start_from() -> None:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    y = w * 3
    assert "∇w = 3 · ∇y = 3 · [1, -1] = [3, -3]" in str(explain(y, torch.tensor([1.0, -1.0])))


def test_explain_says_why_there_is_nothing_to_explain() -> None:
    w = torch.tensor([1.0], requires_grad=True)
    with pytest.raises(RuntimeError, match=r"explain\(\): this tensor has no grad_fn.*no_grad, detached"):
        explain(w.detach() * 2)
    with pytest.raises(TypeError, match=r"explain\(\): argument 'output' must be Tensor, not float"):
        explain(3.0)
    loss = (w * w).sum()
    loss.backward()
    with pytest.raises(RuntimeError, match=r"(?s)a second time.*put the program under `with wengert.explain.trace"):
        explain(loss)


def test_detach_and_data_are_shown_as_cuts(tmp_path: Path) -> None:
    ledger = last(
        """
        import wengert as torch
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        target = x.detach()
        loss = ((x - target * x.data) ** 2).sum()
        loss.backward()
        """,
        tmp_path,
    ).ledger
    assert [(s.cut, s.site[2]) for s in ledger.forward if s.cut] == [("detach", 4), ("data", 5)]
    assert "cut: detach" in str(explain.Explanation(ledger))


def test_every_number_is_the_engines(tmp_path: Path) -> None:
    """The ledger's sums, step for step, against gradients that retain_grad kept."""
    trace, names = run(
        """
        import wengert as torch
        a = torch.linspace(-1, 1, 6).reshape(2, 3).requires_grad_()
        b = torch.linspace(0.5, 2, 3).requires_grad_()
        h = torch.tanh(a * b)
        h.retain_grad()
        z = h @ h.T + a.sum() * h[0, 1]
        z.retain_grad()
        loss = (z.exp() / (1 + z.exp())).mean() + h.std()
        loss.backward()
        """,
        tmp_path,
    )
    ledger = trace.last.ledger
    totals = {t.target.name: t.total for b in ledger.blocks for t in b.terms if t.position == t.of}
    for name in ("h", "z", "a", "b"):
        np.testing.assert_allclose(totals[name].array, names[name].grad.numpy(), rtol=1e-6)
    for block in ledger.blocks:
        for term in block.terms:
            if term.rule is not None and term.value is not None:
                np.testing.assert_allclose(np.asarray(term.rule.value), term.value.array, rtol=1e-6, atol=1e-7)


def test_the_order_is_the_engines(tmp_path: Path) -> None:
    trace, names = run(
        """
        import wengert as torch
        x = torch.tensor([0.5, 1.5], requires_grad=True)
        order = []
        a = x.exp(); a.grad_fn.register_hook(lambda i, o: order.append("exp"))
        b = x.sin(); b.grad_fn.register_hook(lambda i, o: order.append("sin"))
        c = a * b; c.grad_fn.register_hook(lambda i, o: order.append("mul"))
        loss = c.sum(); loss.grad_fn.register_hook(lambda i, o: order.append("sum"))
        loss.backward()
        """,
        tmp_path,
    )
    blocks = trace.last.ledger.blocks
    assert [b.step.op.name.removesuffix("_all") for b in blocks] == names["order"] == ["sum", "mul", "sin", "exp"]
    waiting = [(t.position, t.of) for b in blocks for t in b.terms if t.target.name == "x"]
    assert waiting == [(1, 2), (2, 2)]


def test_a_gradient_that_was_there_is_shown_as_added_to(tmp_path: Path) -> None:
    shown = str(last("import wengert as torch\nx = torch.tensor(2., requires_grad=True)\n" + "(x * 3).backward()\n" * 2,
                     tmp_path))  # fmt: skip
    assert "x.grad = 3 + 3 = 6   it held a gradient already: zero_grad()?" in shown


def test_values_of_a_loop_are_told_apart(tmp_path: Path) -> None:
    shown = str(
        last(
            """
            import wengert as torch
            h = torch.tensor(0.5, requires_grad=True)
            start = h
            for _ in range(3):
                h = torch.sin(h)
            h.backward()
            """,
            tmp_path,
        )
    )
    assert "h₁ = sin(start)" in shown
    assert "h₃ = sin(h₂)" in shown
    assert "∇h₂ = ∇h₃ · cos(h₂)" in shown


def test_names_inside_functions_come_from_the_source(tmp_path: Path) -> None:
    shown = str(
        last(
            """
            import wengert as torch
            def cell(state, weight):
                mixed = state @ weight
                return torch.relu(mixed)
            def main():
                W = torch.ones(2, 2, requires_grad=True)
                cell(torch.ones(1, 2), W).sum().backward()
            main()
            """,
            tmp_path,
        )
    )
    assert "mixed = state @ weight" in shown
    assert "∇weight = stateᵀ @ ∇mixed" in shown


def test_a_tensors_own_name_goes_first() -> None:
    t = torch.tensor([1.0, 2.0], requires_grad=True)
    t.name = "weights"
    assert "∇weights = ∇v1 · cos(weights)" in str(explain(torch.sin(t).sum()))


def test_a_users_function_and_changes_in_place(tmp_path: Path) -> None:
    shown = str(
        last(
            """
            import wengert as torch
            class Cube(torch.autograd.Function):
                @staticmethod
                def forward(ctx, x):
                    ctx.save_for_backward(x)
                    return x * x * x
                @staticmethod
                def backward(ctx, g):
                    (x,) = ctx.saved_tensors
                    return 3 * x * x * g
            x = torch.tensor([1.0, 2.0], requires_grad=True)
            z = x.clone()
            z.mul_(2)
            z[0] = 5.0
            c = Cube.apply(z)
            c.sum().backward()
            """,
            tmp_path,
        )
    )
    assert "the backward of Cube, written in the program" in shown
    assert "z₃   = overwrite(z₂, v4)" in shown
    assert "c    = Cube(z₃)" in shown
    assert "∇z₁ = 2 · ∇z₂ = 2 · [0, 48] = [0, 96]" in shown
    assert "x.grad = [0, 96]" in shown


def test_second_derivatives_are_marked_and_named(tmp_path: Path) -> None:
    trace, _ = run(
        """
        import wengert as torch
        x = torch.tensor([0.5, 2.0], requires_grad=True)
        y = (x ** 3).sum()
        (g,) = torch.autograd.grad(y, x, create_graph=True)
        (g * g).sum().backward()
        """,
        tmp_path,
    )
    first, second = trace.passes
    assert "∇x     = [0.75, 12]   returned by autograd.grad" in str(first)
    assert "v1   = expand(∇y, (2,))" in str(second)
    assert {b.order for b in second.ledger.blocks} == {1, 2}
    assert "x.grad = [4.5, 288]" in str(second)


def test_large_arrays_are_summarised_and_not_kept() -> None:
    x = torch.ones(1000, 100, requires_grad=True)
    with explain.trace() as t:
        y = torch.tanh(x)
        held = weakref.ref(y.detach().numpy())
        y.sum().backward()
    del y
    gc.collect()
    assert held() is None
    assert "1000×100, norm 133, 0.42 to 0.42" in str(t)
    x.grad = None


def test_numbers_that_are_not_finite_are_counted() -> None:
    x = torch.tensor([0.0] * 100, requires_grad=True)
    assert "100 not finite" in str(explain(torch.log(x).sum()))


def test_looking_leaves_no_mode_behind() -> None:
    from wengert.core.modes import LOCAL, MODES

    before = MODES.active
    x = torch.tensor(1.0, requires_grad=True)
    with explain.trace() as t:
        (x * x).backward()
    with pytest.raises(ZeroDivisionError), explain.trace():
        raise ZeroDivisionError
    assert (MODES.active, LOCAL.observers) == (before, ())
    assert len(t.passes) == 1


def test_json_is_complete_and_the_same_every_time(tmp_path: Path) -> None:
    made = [export.to_json(last(LINEAR, tmp_path).ledger) for _ in range(2)]
    assert made[0] == made[1]
    data = json.loads(made[0])
    assert data["schema"] == "wengert-ledger/1"
    assert [s["formula"] for s in data["forward"]] == ["w · x", "v1 + b", "v2 - y", "error²", "mean(v4)"]
    term = data["backward"][1]["terms"][1]
    assert (term["named"], term["position"], term["of"]) == ("∇v4 · error", 2, 2)
    assert term["value"]["value"] == pytest.approx([0, 1 / 6, 0])
    assert data["backward"][3]["terms"][1]["stretched"] == {"from": [], "to": [3], "axes": [0]}
    names = {v["id"]: v["name"] for v in data["values"]}
    assert {names[g["value"]]: g["after"]["value"] for g in data["gradients"]} == pytest.approx(
        {"b": 1 / 3, "w": 2 / 3}
    )


def test_latex_and_markdown(tmp_path: Path) -> None:
    ledger = last(LINEAR, tmp_path).ledger
    tex = export.to_latex(ledger)
    assert r"\nabla w &= \sum \nabla v_{1} \cdot x = 0.6667" in tex
    assert tex.count(r"\begin{align*}") == tex.count(r"\end{align*}") == 2
    markdown = export.to_markdown(ledger)
    assert "| 1 | `∇w = sum(∇v1 · x)` | 0.6667 |" in markdown
    assert "* `w.grad` = 0.6667" in markdown
