"""The parts of an explanation: each number is the engine's, and agrees with finite differences of what ran."""

from __future__ import annotations

import contextlib
import io
import json
import linecache
import re
import textwrap
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wengert as torch
from rows.sample import ROWS, arguments
from test_printed_rules import read
from wengert import explain
from wengert.cli import main
from wengert.core.op import TABLE
from wengert.explain.again import value_of
from wengert.explain.compare import ulps
from wengert.explain.jacobian import structure_of
from wengert.explain.notation import text
from wengert.explain.parts import PARTS
from wengert.explain.symbols import Call, Symbol
from wengert.explain.tracing import Trace

# Small programs, one for each family of operations; `x` (2, 3), `y` (3,) and `s` () are leaves of double precision.
PROGRAMS = {
    "the five lines": "loss = ((x * y + s - 2) ** 2).mean()",
    "arithmetic": "loss = (x / y - y * x + x / 3 - 2 / (y + 5)).sum()",
    "powers": "loss = (x ** 2 + abs(y) ** 1.5 + 2 ** s).sum()",
    "exp and log": "loss = (x.exp().log1p() + torch.logaddexp(x, y)).sum()",
    "trigonometry": "loss = (torch.sin(x) * torch.cos(y) + torch.atan2(x, y)).sum()",
    "hyperbolic": "loss = (torch.tanh(x) + torch.sinh(y) * torch.asinh(s)).sum()",
    "special functions": "loss = (torch.erf(x) + torch.lgamma(y + 4)).sum()",
    "activations": "loss = (F.gelu(x) + F.silu(y) + F.softplus(s) + F.elu(x)).sum()",
    "relu": "loss = (torch.relu(x) * y).sum()",
    "comparison and where": "loss = torch.where(x > 0, x * y, s).sum()",
    "clamp": "loss = (x.clamp(-0.5, 0.5) * y).sum()",
    "maximum": "loss = torch.maximum(x, y).sum() + torch.minimum(y, s).sum()",
    "sum and mean": "loss = (x.sum(0) * y).mean() + x.mean(1).sum()",
    "var and norm": "loss = x.var() + x.std(1).sum() + torch.linalg.norm(y)",
    "prod": "loss = y.prod() + x.prod(1).sum()",
    "max of a row": "loss = (x.max(1).values * s).sum() + x.amax()",
    "cumsum": "loss = (x.cumsum(1) * y.cumprod(0)).sum()",
    "logsumexp": "loss = x.logsumexp(1).sum()",
    "softmax": "loss = (x.softmax(1) * y).sum() + x.log_softmax(0)[0, 1]",
    "cross entropy": "loss = F.cross_entropy(x, torch.tensor([2, 0]))",
    "matrix products": "loss = (x @ y).sum() + (x.T @ x).sum() + torch.einsum('ij,j->', x, y)",
    "linear": "loss = F.linear(x, torch.outer(y, y), y).tanh().sum()",
    "inverse": "loss = torch.linalg.inv(x @ x.T + torch.eye(2, dtype=x.dtype)).sum()",
    "solve": "loss = torch.linalg.solve(torch.outer(y, y) + torch.eye(3, dtype=x.dtype), x.T).sum()",
    "determinant": "loss = torch.linalg.slogdet(x @ x.T + torch.eye(2, dtype=x.dtype))[1]",
    "shape": "loss = (x.T.reshape(2, 3) * x.flip(1)).sum() + y.repeat(2)[1:4].sum()",
    "joining": "loss = (torch.cat([x, y[None]]) ** 2).sum() + torch.stack([y, y * s]).sin().sum()",
    "indexing": "loss = (x[:, 1] * x[1, 2]).sum() + x[torch.tensor([0, 1, 1])].sum() * y[0]",
    "gather and scatter": "loss = (x.gather(1, torch.tensor([[0, 2], [1, 1]])) ** 2).sum() * s",
    "sorting": "loss = (x.sort(1).values * y).sum() + y.topk(2).values.prod()",
    "layer norm": "loss = (F.layer_norm(x, (3,), y) ** 3).sum()",
    "batch norm": "loss = (F.batch_norm(x.T, None, None, y[:2], training=True) ** 3).sum()",
    "convolution": "loss = (F.conv1d(x[None], x[:1, None, :2].expand(1, 2, 2)) ** 2).sum()",
    "pooling": "loss = (F.max_pool1d(x[None], 2) * s).sum() + F.avg_pool1d(x[None], 2).sum()",
    "losses": "loss = F.mse_loss(x, y.expand(2, 3)) + F.huber_loss(x, y.expand(2, 3), delta=0.3)",
    "attention": "loss = F.scaled_dot_product_attention(x[None], x[None], x[None] * y).sum()",
    "complex numbers": "z = torch.complex(x, x * y); loss = (z * z.conj()).real.sum() + torch.fft.fft(y).abs().sum()",
    "a loop": "h = y\nfor _ in range(3):\n    h = torch.tanh(h * s + x[0])\nloss = h.sum()",
    "double backward": "g, = torch.autograd.grad((x.sin() * y).sum(), x, create_graph=True)\nloss = (g * g).sum()",
}  # fmt: skip

HEAD = """
import wengert as torch
from wengert.nn import functional as F

x = torch.tensor([[0.3, -1.2, 0.7], [1.1, 0.4, -0.6]], dtype=torch.float64, requires_grad=True)
y = torch.tensor([0.9, -0.8, 1.7], dtype=torch.float64, requires_grad=True)
s = torch.tensor(0.6, dtype=torch.float64, requires_grad=True)
"""


def traced(source: str, tmp_path: Path) -> tuple[Trace, dict[str, Any]]:
    """A program run under a trace, as `wengert explain` does it."""
    file = tmp_path / "program.py"
    file.write_text(textwrap.dedent(source))
    module = types.ModuleType("program")
    with Trace() as t:
        exec(compile(file.read_text(), str(file), "exec"), module.__dict__)
    t.finish(module.__dict__)
    return t, module.__dict__


def last(source: str, tmp_path: Path) -> explain.Explanation:
    return traced(source, tmp_path)[0].last


@pytest.fixture(params=PROGRAMS)
def program(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[explain.Explanation, dict[str, Any]]:
    t, names = traced(HEAD + PROGRAMS[request.param] + "\nloss.backward()\n", tmp_path)
    return t.last, names


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


def shown(part: Any, *, width: int = 100) -> str:
    """The text of a part; it is no wider than asked, its JSON can be read, and its HTML is made."""
    text = part.text(width)
    assert max(map(len, text.splitlines())) <= width
    json.loads(part.to_json())
    assert part._repr_html_().count("<tr") == part._repr_html_().count("</tr>")
    assert str(part) == part.text(100)
    return str(text)


# -- every family of operations ----------------------------------------------------------------------------------------


def test_every_step_agrees_with_finite_differences(program: tuple[explain.Explanation, dict[str, Any]]) -> None:
    check = program[0].check()
    assert [(c.block.step.op.name, c.why) for c in check.terms if c.verdict != "agrees"] == []
    assert len(check.terms) >= len(program[0].ledger.blocks)
    assert check.whole.verdict == "agrees", check.whole.said()
    assert check
    shown(check)


def test_the_routes_to_each_leaf_sum_to_its_gradient(program: tuple[explain.Explanation, dict[str, Any]]) -> None:
    explanation, names = program
    for name in "xys":
        if names[name].grad is None:
            assert explanation.paths(name).count == 0 if _has(explanation, name) else True
            continue
        for limit in (1, 3, 100):
            paths = explanation.paths(name, limit)
            assert len(paths.routes) == min(limit, paths.count)
            assert (paths.rest is None) == (paths.count <= limit)
            np.testing.assert_allclose(np.asarray(paths.total), names[name].grad.numpy(), rtol=1e-12, atol=1e-12)
            shown(paths)


def _has(explanation: explain.Explanation, name: str) -> bool:
    return any(v.name == name for v in explanation.ledger.values())


def test_each_local_jacobian_times_the_gradient_is_what_the_engine_gave(
    program: tuple[explain.Explanation, dict[str, Any]],
) -> None:
    for block in program[0].ledger.blocks:
        for term in block.terms:
            came = [v for v, g in zip(block.outputs, block.gradient, strict=False) if g is not None]
            if len(came) > 1:
                with pytest.raises(ValueError, match="has several results, say of which: "):
                    program[0].jacobian(block.step.number, term.argument)
                assert program[0].jacobian(came[0].name, term.argument).agreement is None
                continue
            try:
                jacobian = program[0].jacobian(block.step.number, term.argument)
            except NotImplementedError as error:
                assert "complex" in str(error)  # noqa: PT017
                continue
            assert jacobian.agreement is not None
            assert jacobian.agreement < 1e-12
            shown(jacobian)


def test_each_printed_rule_read_back_gives_the_recorded_number(
    program: tuple[explain.Explanation, dict[str, Any]],
) -> None:
    """With the names and the numbers of the program."""
    for block in program[0].ledger.blocks:
        for term in block.terms:
            if term.rule is None:
                assert block.note
                continue
            known = {n.name: n.value for n in term.rule.names()}
            options = {id(x): f"option{k}" for k, x in enumerate(_options(term.rule))}
            known |= {f"option{k}": x for k, x in enumerate(_options(term.rule))}
            printed = text(term.rule, options=options)
            assert term.value is not None
            np.testing.assert_allclose(
                np.asarray(read(printed, known)), term.value.array, rtol=2e-5, atol=2e-5, err_msg=printed
            )


def _options(rule: Any) -> list[Any]:
    """What a rule was called with that is neither a number nor a symbol: shapes, indices, arrays."""
    found, stack = [], [rule]
    while stack:
        x = stack.pop()
        if isinstance(x, Call):
            stack.extend(x.args)
        elif not isinstance(x, (Symbol, int, float, complex, str, type(None))):
            found.append(x)
    return found


def test_the_tape_and_the_memory_are_of_every_step(program: tuple[explain.Explanation, dict[str, Any]]) -> None:
    tape, memory = program[0].tape, program[0].memory
    assert len(tape) == len(program[0].ledger.forward)
    shown(tape, width=160)
    shown(memory, width=80)
    assert memory.curve[0] == memory.curve[-1] == 0
    assert max(memory.curve) == memory.peak == sum(h.bytes for h in memory.owners)


SAMPLES = [name for name, samples in sorted(ROWS.items()) if samples]


@pytest.mark.parametrize("name", SAMPLES)
def test_every_operation_of_the_tables_is_checked_and_has_a_formula(name: str) -> None:
    """One sample of each test row, watched: the parts know what to do with every operation there is."""
    with explain.trace() as t:
        args, options = arguments(ROWS[name][0])
        result = TABLE[name].function(*args, **options)
        outputs = [
            x for x in (result if isinstance(result, tuple) else (result,)) if getattr(x, "requires_grad", False)
        ]
        if not outputs:
            pytest.skip("no differentiable output for this sample")
        torch.autograd.backward(outputs, [torch.ones_like(x) for x in outputs])
    check = t.last.check()
    assert check, check.text(200)
    assert all("summary" in c.why for c in check.terms if c.verdict == "not checked")
    try:
        form = t.last.closed_form()
    except ValueError as error:
        assert "only a summary was kept" in str(error)  # noqa: PT017
    else:
        assert all(f.differs_by is None or f.differs_by < 1e-9 for f in form.forms)
        form.latex()


# -- the tape ----------------------------------------------------------------------------------------------------------


def test_the_tape_of_five_lines(tmp_path: Path) -> None:
    assert last(LINEAR, tmp_path).tape.text(100) == textwrap.dedent("""\
        Tape of loss: 4 leaves and constants, 5 steps
        step  name   operation  arguments     shape  dtype    value          grad  saves       line
              w      leaf                     ()     float32  1.5            yes
              x      constant                 3      float32  [1, 2, 3]      no
              b      leaf                     ()     float32  0.5            yes
              y      constant                 3      float32  [2, 3, 5]      no
        1     v1     mul        w, x          3      float32  [1.5, 3, 4.5]  yes   x 12 B      program.py:8
        2     v2     add        v1, b         3      float32  [2, 3.5, 5]    yes               program.py:8
        3     error  sub        v2, y         3      float32  [0, 0.5, 0]    yes               program.py:8
        4     v4     mul        error, error  3      float32  [0, 0.25, 0]   yes   error 12 B  program.py:9
        5     loss   mean       v4            ()     float32  0.08333        yes               program.py:9
        """)


def test_a_long_table_is_cut_where_it_is_shown_by_itself() -> None:
    h = torch.tensor(0.1, requires_grad=True)
    for _ in range(300):
        h = h.sin()
    tape = explain(h).tape
    assert len(tape.rows()) == 301
    assert "... 101 more rows" in str(tape)
    assert tape._repr_html_().count("<tr") == 201 + 0
    assert len(tape.text().splitlines()) == 303


def test_the_tape_shows_cuts_in_the_background(tmp_path: Path) -> None:
    tape = last(
        "import wengert as torch\nx = torch.ones(2, requires_grad=True)\nt = x.detach()\n(x * t).sum().backward()\n",
        tmp_path,
    ).tape
    rows = tape.rows()
    cut = next(k for k, row in enumerate(rows) if row[2] == "detach")
    assert rows[cut][7] == "cut: detach"
    assert tape.faint() == {cut}
    assert 'opacity:0.6"><td' in tape._repr_html_()
    assert tape.to_data()["steps"][0]["cut"] == "detach"


# -- sums --------------------------------------------------------------------------------------------------------------


def test_an_accumulation_shows_terms_shares_and_passes(tmp_path: Path) -> None:
    t, _ = traced(
        """
        import wengert as torch
        x = torch.tensor([3.0, 4.0], requires_grad=True)
        for _ in range(2):
            loss = (x * torch.tensor([3.0, 0.0])).sum() + x.sum() * 0 + x[1]
            loss.backward()
        """,
        tmp_path,
    )
    card = t.last.accumulation("x")
    assert [(term.position, term.of) for _, term in card.terms] == [(1, 3), (2, 3), (3, 3)]
    assert card.shares() == [0.25, 0.0, 0.75]
    assert [a.after.array.tolist() for _, a in card.passes()] == [[3, 1], [6, 2]]
    text = shown(card)
    assert text.startswith("∇x = [3, 1]: the sum of 3 terms\n")
    assert "pass 1 (program.py:6): x.grad was nothing, [3, 1] was added: [3, 1]" in text
    assert "pass 2 (program.py:6): x.grad was [3, 1], [3, 1] was added: [6, 2]" in text
    assert text.endswith("is a zero_grad() missing?\n")
    assert "one term" in t.last.accumulation("loss").title or "starts here" in t.last.accumulation("loss").title


def test_a_broadcast_card_says_which_axes_are_summed() -> None:
    a = torch.ones(4, 1, 3, requires_grad=True)
    b = torch.tensor([[1.0], [2.0]], requires_grad=True)
    cards = explain((a * b).sum()).broadcasts
    assert [(c.term.target.name, c.small, c.large, c.axes) for c in cards.cards] == [
        ("a", (4, 1, 3), (4, 2, 3), (1,)),
        ("b", (2, 1), (4, 2, 3), (0, 2)),
    ]
    assert cards[1].title == "step 1 mul: b (2, 1) was stretched to (4, 2, 3); so ∇b is the sum over axes 0, 2"
    assert [row[1:] for row in cards[1].rows()] == [
        ["-", "4", "repeated 4 times", "sum of 4"],
        ["2", "2", "", ""],
        ["1", "3", "repeated 3 times", "sum of 3"],
    ]
    assert "after it:       [[12], [12]]" in shown(cards[1])
    assert shown(cards).startswith("2 broadcasts undone\n")
    assert len(explain((a * a).sum()).broadcasts) == 0


# -- Jacobians ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "structure"),
    [
        (lambda x: x + 1, "the identity"),
        (lambda x: x * 3, "3 times the identity"),
        (lambda x: x.sin(), "diagonal"),
        (lambda x: x.flip(0), "a permutation"),
        (lambda x: x[1:3], "a selection of elements"),
        (lambda x: x.sum(), "a sum: each element of the result adds up several"),
        (lambda x: x.mean(), "0.25 times a sum: each element of the result adds up several"),
        (lambda x: x.expand(2, 4), "a copy: each element of the argument goes to several of the result"),
        (lambda x: x.cumsum(0), "dense"),
        (lambda x: x.softmax(0), "dense"),
        (lambda x: x * 0, "zero"),
    ],
)
def test_the_structure_of_a_jacobian(make: Any, structure: str) -> None:
    x = torch.tensor([0.5, -1.0, 2.0, 1.5], dtype=torch.float64, requires_grad=True)
    y = make(x)
    found = explain(y, torch.ones_like(y)).jacobian(1)
    assert found.structure == structure
    expected = torch.autograd.functional.jacobian(make, x.detach()).numpy().reshape(-1, 4)
    np.testing.assert_allclose(found.matrix, expected, rtol=1e-12)


def test_the_jacobian_of_a_matrix_product_is_a_kronecker_product() -> None:
    a = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64, requires_grad=True)
    b = torch.tensor([[0.5, -1.0], [2.0, 1.5]], dtype=torch.float64, requires_grad=True)
    explanation = explain((a @ b).sum())
    left, right = explanation.jacobian(1, a), explanation.jacobian(1, b)
    np.testing.assert_array_equal(left.matrix, np.kron(np.eye(2), b.detach().numpy().T))
    np.testing.assert_array_equal(right.matrix, np.kron(a.detach().numpy(), np.eye(2)))
    assert left.structure == "block diagonal: 2 times the same block of 2×2"
    assert right.structure == "A ⊗ I: a block A of 2×2, applied to each of 2 columns"
    assert structure_of(np.outer([1.0, 2.0], [3.0, 4.0, 5.0])) == "an outer product (rank one)"


def test_a_value_used_twice_has_one_jacobian_or_one_for_each_argument() -> None:
    x = torch.tensor([2.0, 3.0], requires_grad=True)
    explanation = explain((x * x).sum())
    assert explanation.jacobian(1).matrix.tolist() == [[4, 0], [0, 6]]
    assert explanation.jacobian(1, "other").matrix.tolist() == [[2, 0], [0, 3]]
    text = shown(explanation.jacobian(1, "other"))
    assert "the partial derivative: ∂v1/∂x = x" in text
    assert explanation.jacobian(1)._repr_latex_().startswith(r"$$\frac{\partial")


def test_a_large_jacobian_is_not_made_but_asked() -> None:
    x = torch.linspace(0, 1, 100, requires_grad=True)
    jacobian = explain(x.exp().sum()).jacobian(1)
    assert jacobian.structure == "diagonal (8 of 100 rows looked at)"
    assert np.flatnonzero(jacobian.row(7)).tolist() == [7]
    np.testing.assert_allclose(jacobian.times(np.ones(100, np.float32)), x.detach().exp().numpy())
    with pytest.raises(ValueError, match=r"100 × 100 elements, more than 4096; `.row\(k\)` gives one row"):
        _ = jacobian.matrix
    assert "step 1 exp: ∂v1/∂x is 100 × 100, diagonal" in shown(jacobian)


def test_a_jacobian_that_cannot_be_had_says_why() -> None:
    x = torch.ones(3, requires_grad=True)
    y = torch.ones(3, requires_grad=True)
    explanation = explain((x * y).sum())
    with pytest.raises(ValueError, match=r"step 1 has several arguments, say which: input \(x\), other \(y\)"):
        explanation.jacobian(1)
    with pytest.raises(KeyError, match="hands no gradient to 'z'; it has: input"):
        explanation.jacobian(1, "z")
    with pytest.raises(KeyError, match="no step 9 ran backward in this pass; it has the steps 1 to 2"):
        explanation.jacobian(9)
    with pytest.raises(KeyError, match="no step that ran backward made x"):
        explanation.jacobian("x")
    z = torch.ones(2, dtype=torch.complex64, requires_grad=True)
    with pytest.raises(NotImplementedError, match=r"jacobian\(\) of mul on complex numbers.*view_as_real"):
        explain((z * z).real.sum()).jacobian(3 if False else 1)


def test_numbers_that_were_not_kept_are_said_to_be_missing(tmp_path: Path) -> None:
    explanation = last(
        "import wengert as torch\nx = torch.ones(100, requires_grad=True)\nx.exp().sum().backward()\n", tmp_path
    )
    with pytest.raises(
        RuntimeError, match=r"ExpBackward0 of step 1 had saved is freed.*explain\(loss\) before backward"
    ):
        explanation.jacobian(1).row(0)
    check = explanation.check()
    assert {c.verdict for c in check.terms} == {"not checked"}
    assert "only a summary" in shown(check)


def test_values_are_found_by_tensor_and_by_name() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    h = x * 2
    ledger = explain(h.sum()).ledger
    assert value_of(ledger, h).name == "h"
    assert value_of(ledger, x) is value_of(ledger, "x")
    with pytest.raises(KeyError, match="no value is called 'q' in this pass; there are: x, h"):
        value_of(ledger, "q")
    with pytest.raises(KeyError, match="this tensor has no part in the pass"):
        value_of(ledger, torch.ones(2))
    with pytest.raises(TypeError, match="a Tensor or the name of a value is wanted, not int"):
        value_of(ledger, 3)


# -- paths -------------------------------------------------------------------------------------------------------------


def test_routes_are_shown_with_their_local_derivatives() -> None:
    x = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    a = x.sin()
    b = x.exp()
    loss = a * b
    paths = explain(loss).paths(x)
    assert [r.factors() for r in paths.routes] == [["b", "cos(x)"], ["a", "b"]]
    products = [np.exp(0.5) * np.cos(0.5), np.sin(0.5) * np.exp(0.5)]
    np.testing.assert_allclose([r.contribution for r in paths.routes], products, rtol=1e-15)
    assert shown(paths) == textwrap.dedent("""\
        2 routes lead from loss to x; ∇x = 2.237
          65%  1.447  along x ← a ← loss
               = b  ·  cos(x)
          35%  0.7904  along x ← b ← loss
               = a  ·  b
        their sum: 1.447 + 0.7904 = 2.237
        differs from the engine's ∇x by 0
        """)


def test_exponentially_many_routes_are_counted_and_summed() -> None:
    x = torch.tensor(1.01, dtype=torch.float64, requires_grad=True)
    h = x
    for _ in range(40):
        h = h + h.sin()
    paths = explain(h).paths(x, limit=4)
    assert paths.count == 2**40
    assert len(paths.routes) == 4
    assert paths.differs_by is not None
    assert paths.differs_by < 1e-14
    assert "of 1099511627776 routes the 4 heaviest are shown, chosen step by step" in shown(paths)
    with pytest.raises(ValueError, match="limit must be at least 1, not 0"):
        explain(h).paths(x, limit=0)


def test_routes_start_at_each_root_of_the_pass(tmp_path: Path) -> None:
    explanation = last(
        """
        import wengert as torch
        x = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
        a = x * 3
        b = x * x
        torch.autograd.backward([a, b], [torch.tensor(1.0, dtype=torch.float64), torch.tensor(10.0, dtype=torch.float64)])
        """,
        tmp_path,
    )
    paths = explanation.paths("x")
    assert sorted(float(r.contribution) for r in paths.routes) == [3, 20, 20]
    assert paths.differs_by == 0
    assert explanation.check().whole.verdict == "agrees"
    assert explanation.closed_form("x").forms[0].differs_by == 0


def test_a_hook_that_changes_a_gradient_is_named(tmp_path: Path) -> None:
    explanation = last(
        """
        import wengert as torch
        x = torch.tensor(2.0, requires_grad=True)
        h = x * 3
        h.register_hook(lambda g: g * 5)
        loss = h.sin()
        loss.backward()
        """,
        tmp_path,
    )
    assert "a hook changed ∇h on the way" in shown(explanation.paths("x"))
    check = explanation.check()
    assert check.whole.said() == "the whole pass: not checked, a hook changed the gradient of h"
    assert {c.verdict for c in check.terms} == {"agrees"}  # the rules are right


def test_routes_end_at_an_intermediate_value_too() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    h = x * 3
    paths = explain((h * h).sum()).paths(h)
    assert paths.count == 2
    assert np.asarray(paths.total).tolist() == [6, 12]


# -- finite differences ------------------------------------------------------------------------------------------------


def test_a_wrong_rule_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Break the rule that runs, and the check says which step, which element, by how much."""
    kind = type(torch.ones(1, requires_grad=True).sin().grad_fn)
    monkeypatch.setattr(kind, "run", lambda n, g, keep: (g * 0.25,))
    check = last(HEAD + "loss = (x.sin() * y).sum()\nloss.backward()\n", tmp_path).check()
    assert not check
    wrong = [c for c in check.terms if c.verdict == "DIFFERS"]
    assert [c.block.node for c in wrong] == ["SinBackward0"]
    element = wrong[0].worst
    assert element is not None
    assert element.index == (1, 2)
    np.testing.assert_allclose(element.analytic, 0.25 * 1.7)
    np.testing.assert_allclose(element.numeric, 1.7 * np.cos(-0.6), rtol=1e-9)
    assert check.whole.verdict == "DIFFERS"
    assert "1 DIFFER" in shown(check)
    assert "at [1, 2]: the rule gives 0.425, differences 1.403" in check.text(160)


def test_a_kink_is_told_from_an_error(tmp_path: Path) -> None:
    check = last(
        "import wengert as torch\nx = torch.tensor([-1., 0., 2.], requires_grad=True)\nx.relu().sum().backward()\n",
        tmp_path,
    ).check()
    assert check
    kink = check.terms[1]
    assert kink.verdict == "kink"
    assert [e.verdict for e in kink.elements] == ["agrees", "kink", "agrees"]
    assert "at [1]: slopes 0 and 1, the rule gives 0" in check.text(160)


@pytest.mark.parametrize("source", ["torch.linalg.cholesky(a).sum()", "torch.linalg.eigh(a)[0][0]"])
@pytest.mark.parametrize("halved", ["a = m + m.T", "a = m"])
def test_what_reads_half_of_a_matrix_is_checked_along_symmetric_moves(source: str, halved: str, tmp_path: Path) -> None:
    program = "import wengert as torch\nm = torch.tensor([[2.0, 0.3], [0.4, 1.5]], dtype=torch.float64)\n"
    program += f"{halved}\na.requires_grad_()\nloss = {source}\nloss.backward()\n"
    check = last(program, tmp_path).check()
    assert check
    assert check.whole.verdict == "agrees"
    found = [c.method for c in check.terms if c.block.step.op.name.startswith("linalg")]
    assert found == ["central differences, symmetric moves"]


def test_single_precision_is_checked_in_double(tmp_path: Path) -> None:
    source = HEAD.replace("float64", "float32") + PROGRAMS["layer norm"] + "\nloss.backward()\n"
    check = last(source, tmp_path).check()
    assert check
    assert max(e.error for c in check.terms for e in c.elements) < 1e-5


def test_what_cannot_be_run_again_is_not_checked(tmp_path: Path) -> None:
    check = last(
        """
        import wengert as torch

        class Double(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2
            @staticmethod
            def backward(ctx, g):
                return g * 2

        x = torch.ones(3, requires_grad=True)
        loss = (Double.apply(x) + torch.nn.functional.dropout(x, 0.5)).sum()
        loss.backward()
        """,
        tmp_path,
    ).check()
    why = {c.block.node: c.why for c in check.terms if c.verdict == "not checked"}
    assert "written in the program" in why["DoubleBackward"]
    assert check.whole.verdict == "not checked"
    assert "not checked, step" in check.whole.said()


# -- memory ------------------------------------------------------------------------------------------------------------


def test_memory_counts_storage_once(tmp_path: Path) -> None:
    memory = last(
        """
        import wengert as torch
        x = torch.ones(10, 10, requires_grad=True)
        h = x.exp()
        loss = (h.T * h.reshape(10, 10)[0]).sum()
        loss.backward()
        """,
        tmp_path,
    ).memory
    assert memory.peak == 400  # h, its transpose and its row are one memory
    (held,) = memory.held
    assert [b.step.op.name for b in held.savers] == ["mul", "exp"]
    text = shown(memory, width=120)
    assert text.startswith("Kept for backward: at most 400 B, after forward step 1\n")
    assert "With retain_graph=True nothing is released in backward: 400 B stay" in text


def test_memory_tells_leaves_from_what_the_graph_keeps(tmp_path: Path) -> None:
    memory = last(
        """
        import wengert as torch
        w = torch.ones(100, requires_grad=True)
        loss = (w * w.sin()).sum()
        loss.backward()
        """,
        tmp_path,
    ).memory
    assert memory.peak == 800
    assert memory.graph.peak == 400
    assert [(h.name, h.leaf) for h in memory.owners] == [("w", True), ("v1", False)]
    assert "Of this the graph alone keeps 400 B alive" in shown(memory)


def test_memory_says_what_checkpoint_took(tmp_path: Path) -> None:
    explanation = last(
        """
        import wengert as torch
        from wengert.utils.checkpoint import checkpoint
        x = torch.ones(100, requires_grad=True)
        y = checkpoint(lambda x: x.exp().tanh(), x, use_reentrant=False)
        loss = (y * 2).sum()
        loss.backward()
        """,
        tmp_path,
    )
    assert explanation.memory.peak == 0
    assert "Not counted: y, v1, 800 B, which a saved-tensors hook (as of checkpoint) took." in shown(explanation.memory)
    assert "None" not in str(explanation)


# -- closed form -------------------------------------------------------------------------------------------------------

FORMULAS = [
    ("torch.sin(x) * y + x**2", {"x": "2 · x + y · cos(x)", "y": "sin(x)"}),
    ("1 / (1 + torch.exp(-x))", {"x": "exp(-x) / (1 + exp(-x))²"}),
    ("torch.log(x) / x", {"x": "1 / x² - log(x) / x²"}),
    ("torch.sqrt(x * x + y * y)", {"x": "x / sqrt(x² + y²)", "y": "y / sqrt(x² + y²)"}),
    ("-(x - y)**3 / 2 + x * 0.5", {"x": "1 / 2 - 3 · (x - y)² / 2", "y": "3 · (x - y)² / 2"}),
    ("torch.sigmoid(x) * y", {"x": "y · (1 - sigmoid(x)) · sigmoid(x)", "y": "sigmoid(x)"}),
    ("x.relu() * 3", {"x": "where(relu(x) > 0, 3, 0)"}),
    ("x + x + 2 * x - y", {"x": "4", "y": "-1"}),
    ("(x * y).exp() * 2 - y", {"x": "2 · exp(x · y) · y", "y": "2 · exp(x · y) · x - 1"}),
]


@pytest.mark.parametrize(("source", "formulas"), FORMULAS, ids=[f for f, _ in FORMULAS])
def test_the_closed_form_of_a_small_program(source: str, formulas: dict[str, str], tmp_path: Path) -> None:
    """The formula reads as one would write it; read back as Python, it gives the engine's gradient."""
    head = "import wengert as torch\nx = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)\n"
    head += "y = torch.tensor(1.9, dtype=torch.float64, requires_grad=True)\n"
    t, names = traced(head + f"loss = {source}\nloss.backward()\n", tmp_path)
    form = t.last.closed_form()
    assert {f.name: text(f.expression) for f in form.forms} == formulas
    known = {"x": np.float64(0.7), "y": np.float64(1.9)}
    for f in form.forms:
        assert f.differs_by is not None
        assert f.differs_by < 1e-15
        np.testing.assert_allclose(read(text(f.expression), known), names[f.name].grad.item(), rtol=1e-15)
    np.testing.assert_allclose(read(text(form.loss), known), names["loss"].item(), rtol=1e-15)
    tex = form.latex()
    assert tex.count("{") == tex.count("}")
    assert tex.count(r"\frac{\partial \mathrm{loss}}{\partial") == len(formulas)
    assert form._repr_latex_().startswith("$$\\begin{aligned}")
    shown(form)


def test_the_closed_form_of_the_five_lines(tmp_path: Path) -> None:
    assert last(LINEAR, tmp_path).closed_form().text() == textwrap.dedent("""\
        loss = mean((w · x + b - y)²)
        ∂loss/∂b = 2 · sum(w · x + b - y) / 3
            = 0.3333, the engine's to the bit
        ∂loss/∂w = 2 · sum((w · x + b - y) · x) / 3
            = 0.6667, the engine's to the bit
        """)


def test_the_closed_form_of_programs_with_arrays(program: tuple[explain.Explanation, dict[str, Any]]) -> None:
    """Whatever has a formula at all: it agrees with the engine."""
    try:
        form = program[0].closed_form()
    except (NotImplementedError, ValueError) as error:
        assert "closed_form()" in str(error)  # noqa: PT017
        return
    for f in form.forms:
        assert f.differs_by is not None
        assert f.differs_by < 1e-12


def test_a_longer_closed_form_keeps_the_names_of_the_program(tmp_path: Path) -> None:
    source = "import wengert as torch\nx = torch.tensor(0.9, dtype=torch.float64, requires_grad=True)\nh = x\n"
    source += "for _ in range(6):\n    h = torch.sin(h) * h\nh.backward()\n"
    explanation = last(source, tmp_path)
    form = explanation.closed_form("x")
    names = [name for name, _ in form.definitions]
    assert len(names) > 10
    assert "∇h₅" in names
    (f,) = form.forms
    assert f.differs_by == 0
    assert "  where " in shown(form)
    with pytest.raises(ValueError, match="too large for a formula that can be read; the ledger shows it step by step"):
        explanation.closed_form("x", expand=True)
    assert explanation.closed_form("x", expand=False).forms[0].differs_by == 0


def test_a_closed_form_that_cannot_be_had_says_why(tmp_path: Path) -> None:
    changed = last(
        "import wengert as torch\nx = torch.ones(2, requires_grad=True)\ny = x * 2\ny.add_(1)\ny.sum().backward()\n",
        tmp_path,
    )
    with pytest.raises(NotImplementedError, match=r"closed_form\(\) through step 2, add, which is a change in place"):
        changed.closed_form()
    with pytest.raises(ValueError, match=r"closed_form\(\): of x only a summary was kept"):
        last(
            "import wengert as torch\nx = torch.ones(99, requires_grad=True)\nx.sum().backward()\n", tmp_path
        ).closed_form()


# -- changes in place --------------------------------------------------------------------------------------------------


def test_the_audit_names_who_kept_and_who_overwrote(tmp_path: Path) -> None:
    t, _ = traced(
        """
        import wengert as torch
        x = torch.tensor([0.5, 1.5], requires_grad=True)

        def model():
            y = x.exp()
            z = y * 2
            y.add_(1)
            y[0] = 3.0
            return z

        try:
            model().sum().backward()
        except RuntimeError as error:
            assert "modified by an inplace operation" in str(error)
        """,
        tmp_path,
    )
    audit = t.last.inplace
    assert [(w.name, k.step.op.name, k.version) for _, w, k in audit.conflicts] == [
        ("add_", "exp", 0),
        ("fill_", "exp", 0),
    ]
    assert shown(audit) == textwrap.dedent("""\
        2 changes in place, in 1 piece of memory; 1 kept value overwritten
        memory  version  by          line          kept by
        y       0        step 1 exp  program.py:6  1 exp
                1        add_        program.py:8           overwrites what was kept
                2        fill_       program.py:9           overwrites what was kept
        step 1 exp (program.py:6) kept y at version 0 for its backward; add_ (program.py:8) overwrote it
          change line 8: y.add_(1)   (the form that is not in place, or on a clone())
        """)


def test_the_audit_of_a_program_that_is_right(tmp_path: Path) -> None:
    audit = last(
        """
        import wengert as torch
        x = torch.tensor([0.5, 1.5], requires_grad=True)
        h = x * 1
        h.mul_(2)
        part = h[:1]
        part.mul_(3)
        loss = (h * h).sum()
        loss.backward()
        """,
        tmp_path,
    ).inplace
    assert audit.conflicts == []
    (memory,) = audit.memories
    assert [w.version for w in memory.writes] == [1, 2]
    assert [(k.step.op.name, k.version) for k in memory.keepers] == [("mul", 2)]
    assert "overwritten" not in shown(audit)
    assert last(LINEAR, tmp_path).inplace.title == "No change in place was seen"


def test_the_audit_sees_a_change_through_data(tmp_path: Path) -> None:
    t, _ = traced(
        """
        import wengert as torch
        x = torch.tensor([0.5, 1.5], requires_grad=True)
        y = x.exp()
        loss = y.sum()
        y.data.mul_(2)
        try:
            loss.backward()
        except RuntimeError as error:
            assert "through .data" in str(error)
        """,
        tmp_path,
    )
    assert "mul_ (program.py:6) overwrote it" in shown(t.last.inplace)


# -- double backward ---------------------------------------------------------------------------------------------------


def test_steps_of_double_backward_are_linked_to_what_made_them(tmp_path: Path) -> None:
    explanation = last(
        """
        import wengert as torch
        x = torch.tensor([0.5, 1.5], requires_grad=True)
        y = x.sin() * x
        g, = torch.autograd.grad(y.sum(), x, create_graph=True)
        loss = (g * g).sum()
        loss.backward()
        """,
        tmp_path,
    )
    orders = explanation.orders
    assert orders.highest == 2
    assert [s.op.name for s in orders.of(1)] == ["sin", "mul", "sum_all"]
    sin = orders.of(1)[0]
    assert [orders.maker(s) is sin for s in orders.of(2) if s.op.name == "cos"] == [True]
    text = shown(orders)
    assert "made by the backward of" in text
    assert "cos(x)  1 sin" in " ".join(text.split()).replace("cos(x) 1 sin", "cos(x)  1 sin")
    assert all(f"∇{t.target.name}" in _flat(orders) for b in explanation.ledger.blocks for t in b.terms)
    assert last(LINEAR, tmp_path).orders.title == "All steps are of order 1: nothing was made by a backward pass"


def _flat(part: Any) -> str:
    return part.text(400)


def test_third_order_is_told_from_second(tmp_path: Path) -> None:
    orders = last(
        """
        import wengert as torch
        x = torch.tensor(0.5, requires_grad=True)
        g, = torch.autograd.grad(x.sin(), x, create_graph=True)
        h, = torch.autograd.grad(g, x, create_graph=True)
        h.backward()
        """,
        tmp_path,
    ).orders
    assert orders.highest == 3
    assert {s.op.name for s in orders.of(3)} >= {"sin"}


# -- two traces --------------------------------------------------------------------------------------------------------


def _run(factor: float, more: bool = False) -> explain.Explanation:
    x = torch.tensor([0.5, 1.5], requires_grad=True)
    with explain.trace() as t:
        h = x.sin() * factor
        loss = (h * h).mean()
        loss = loss.sqrt() if more else loss
        loss.backward()
    return t.last


def test_two_passes_that_are_the_same() -> None:
    same = _run(1.0).compare(_run(1.0))
    assert same
    assert same.first is None
    assert shown(same).startswith("loss = 0.6124 and loss = 0.6124: the same, 4 steps forward and back\n")


def test_the_first_step_where_two_passes_part() -> None:
    apart = _run(1.0).compare(_run(1 + 2.0**-23))
    assert not apart
    assert apart.first is not None
    assert (apart.first.what, apart.first.name, apart.first.step.number, apart.first.ulp) == ("value", "h", 2, 2)
    assert "they part at step 2, mul: the value h is apart by 2 ulp" in " ".join(shown(apart).split())
    assert _run(1.0).compare(_run(1 + 2.0**-23), ulp=8)


def test_steps_that_one_of_two_passes_does_not_have() -> None:
    apart = _run(1.0).compare(_run(1.0, more=True))
    assert [s.op.name for s in apart.added] == ["sqrt"]
    assert apart.missing == []
    assert apart.values == []  # forward, what both did is the same
    assert apart.first is not None
    assert apart.first.name == "∇loss"
    assert "only the other has: 5 sqrt" in shown(apart)
    assert "only this one has: 5 sqrt" in shown(_run(1.0, more=True).compare(_run(1.0)))
    with pytest.raises(TypeError, match=r"compare\(\): an Explanation is wanted, not int"):
        _run(1.0).compare(3)


def test_a_gradient_alone_may_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    right = _run(1.0)
    kind = type(torch.ones(1, requires_grad=True).sin().grad_fn)
    monkeypatch.setattr(kind, "run", lambda n, g, keep: (g * float("nan"),))
    apart = right.compare(_run(1.0))
    assert apart.values == []
    assert [d.name for d in apart.gradients] == ["∇x"]
    assert apart.gradients[0].why == "not a number in 0 and 2 elements"


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (np.float64(1), np.nextafter(1, 2), 1),
        (np.float32(1), np.float32(1), 0),
        (np.float32(0.0), np.float32(-0.0), 0),
        (np.float64(5e-324), np.float64(-5e-324), 2),
        (np.float64(np.nan), np.float64(1), np.inf),
        (np.complex128(1 + 1j), np.complex128(1 + 1j + 2.3e-16j), 1),
        (np.int64(5), np.int64(8), 3),
    ],
)
def test_units_in_the_last_place(a: Any, b: Any, expected: float) -> None:
    assert ulps(np.asarray(a), np.asarray(b)) == expected


# -- conventions -------------------------------------------------------------------------------------------------------

KINKS = {
    "relu": "x.relu()",
    "abs": "abs(x)",
    "sign": "x.sign()",
    "maximum": "T.maximum(x, y)",
    "minimum": "T.minimum(x, y)",
    "fmax": "T.fmax(x, y)",
    "fmin": "T.fmin(x, y)",
    "max": "x.max()",
    "amin": "(-x).amin()",
    "max of a dimension": "x.max(0).values",
    "clamp": "x.clamp(-1, 2)",
    "clamp by tensors": "T.clamp(x, y.detach() - 1, y)",
    "norm at 0": "T.linalg.norm(x * 0)",
    "1-norm": "x.norm(1)",
    "maximum norm": "T.linalg.norm(x, float('inf'))",
    "leaky_relu": "F.leaky_relu(x, 0.1)",
    "elu": "F.elu(x, 2.0)",
    "selu": "F.selu(x)",
    "hardtanh": "F.hardtanh(x, -1, 2)",
    "relu6": "F.relu6(x + 4)",
    "hardsigmoid": "F.hardsigmoid(x * 3)",
    "hardswish": "F.hardswish(x * 1.5)",
    "hardshrink": "F.hardshrink(x, 0.5)",
    "softshrink": "F.softshrink(x, 0.5)",
    "threshold": "F.threshold(x, 0.5, 1.0)",
    "prelu": "F.prelu(x, y[:1])",
    "sort": "x.sort(stable=True).values * w",
    "cummax": "x.cummax(0).values * w",
    "max_pool": "F.max_pool1d(x[None], 2)",
    "l1_loss": "F.l1_loss(x, y)",
    "cdist": "T.cdist(x[:, None], y[:, None])",
    "round": "(x + 0.5).round()",
}
POINTS = ([-1.0, 0.0, 2.0, 2.0, 0.5, -2.0], [-1.0, 1.0, 2.0, 0.0, 0.0, 3.0])


def _at_kinks(T: Any, source: str) -> tuple[Any, Any]:
    x, y = (T.tensor(p, requires_grad=True) for p in POINTS)
    w = T.arange(1.0, 7.0)
    eval(source, {"T": T, "F": T.nn.functional, "x": x, "y": y, "w": w}).sum().backward()
    return x.grad, y.grad


@pytest.mark.parametrize("source", KINKS.values(), ids=KINKS)
def test_a_kink_is_met_and_what_the_rule_chose_is_told(source: str) -> None:
    with explain.trace() as t:
        _at_kinks(torch, source)
    found = t.last.conventions
    assert found.met, "no kink was found"
    for m in found.met:
        assert m.left != m.right or np.isinf(m.left)
        assert m.block.step.op.domain, "the row does not state its convention"
        low, high = sorted([m.left, m.right])
        assert min(low, 0) - 1e-6 <= m.chosen <= max(high, 0) + 1e-6
    assert "PyTorch chooses the same." in shown(found, width=140)
    assert t.last.check(), "a kink is no error"


@pytest.mark.conformance
@pytest.mark.parametrize("source", KINKS.values(), ids=KINKS)
def test_pytorch_chooses_the_same(source: str) -> None:
    oracle = pytest.importorskip("torch")
    for mine, theirs in zip(_at_kinks(torch, source), _at_kinks(oracle, source), strict=True):
        assert (mine is None) == (theirs is None)
        if mine is not None:
            np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-6)


def test_a_convention_without_effect_is_told_from_one_that_matters(tmp_path: Path) -> None:
    found = last(
        """
        import wengert as torch
        x = torch.tensor([0.0, 0.0, 1.0], requires_grad=True)
        loss = (x.relu() * torch.tensor([1.0, 0.0, 1.0])).sum()
        loss.backward()
        """,
        tmp_path,
    ).conventions
    assert [(m.index, m.left, m.right, m.chosen, m.matters) for m in found.met] == [
        ((0,), 0, pytest.approx(1), 0, True),
        ((1,), 0, pytest.approx(1), 0, False),
    ]
    text = shown(found)
    assert "at 0 the derivative is taken as 0" in text
    assert "line 4: the gradient that comes in at [1] is 0, so the choice is without effect" in text


def test_smooth_programs_meet_no_convention(tmp_path: Path) -> None:
    found = last(LINEAR, tmp_path).conventions
    assert len(found) == 0
    assert found.title == "No kink and no tie was met"
    large = last(
        "import wengert as torch\nx = torch.zeros(99, requires_grad=True)\nx.relu().sum().backward()\n", tmp_path
    )
    assert "Not looked at, since their numbers were not kept: 1 relu (at 0" in shown(large.conventions)


def test_a_long_program_is_refused_a_closed_form_at_once() -> None:
    """Written out it would have 2**200 terms."""
    x = torch.tensor(0.1, requires_grad=True)
    h = x
    for _ in range(200):
        h = h + h.sin()
    with pytest.raises(ValueError, match="too large for a formula"):
        explain(h).closed_form(x)


# -- the document and the command --------------------------------------------------------------------------------------

DOCUMENT = Path(__file__).parent.parent / "docs" / "explain-parts.md"


def run_document(source: str) -> list[str]:
    """What each Python block of a document prints, one after the other in one program."""
    names: dict[str, Any] = {"__name__": "document"}
    printed = []
    for k, block in enumerate(re.findall(r"```python\n(.*?)```\n", source, flags=re.DOTALL)):
        # A name for the source lines, so that variables are found in it.
        file = f"doc{k}.py"
        linecache.cache[file] = (len(block), None, block.splitlines(keepends=True), file)
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(block, file, "exec"), names)
        printed.append("\n".join(line.rstrip() for line in out.getvalue().rstrip().splitlines()))
    return printed


def test_the_document_shows_what_is_printed() -> None:
    source = DOCUMENT.read_text(encoding="utf-8")
    shown = re.findall(r"```python\n.*?```\n(?:\n```text\n(.*?)\n```\n)?", source, flags=re.DOTALL)
    assert run_document(source) == shown
    for name in PARTS:
        assert f"(#{name.replace('_', '-')})" in source


@pytest.fixture
def script(tmp_path: Path) -> str:
    file = tmp_path / "program.py"
    file.write_text(LINEAR)
    return str(file)


@pytest.mark.parametrize("name", PARTS)
def test_the_command_shows_a_part(name: str, script: str, capsys: pytest.CaptureFixture[str]) -> None:
    of = ["--of", "w"] if name in ("accumulation", "paths", "closed_form", "jacobian") else []
    of += ["--node", "1"] if name == "jacobian" else []
    assert main(["explain", script, "--show", name, *of]) == 0
    text = capsys.readouterr().out
    assert text.count("\n") >= 1
    assert main(["explain", script, "--show", name, *of, "--json"]) == 0
    json.loads(capsys.readouterr().out)


def test_the_command_checks_and_compares(script: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", script, "--check"]) == 0
    assert capsys.readouterr().out.startswith("6 of 6 gradients agree with finite differences\n")
    other = tmp_path / "other.py"
    other.write_text(LINEAR.replace("1.5", "1.25"))
    assert main(["explain", script, "--diff", str(other)]) == 1
    assert "they part at step 1, mul: its argument w is apart" in " ".join(capsys.readouterr().out.split())
    assert main(["explain", script, "--diff", script]) == 0
    assert main(["explain", script, "--show", "closed_form", "--tex"]) == 0
    assert r"\frac{\partial \mathrm{loss}}{\partial w}" in capsys.readouterr().out


TRAIN = """
import wengert as torch

torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(16, 12), torch.nn.ReLU(), torch.nn.Linear(12, 3))
opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
x, y = torch.randn(40, 16), torch.randint(0, 3, (40,))
for _ in range(5):
    opt.zero_grad()
    loss = torch.nn.functional.cross_entropy(net(x), y)
    loss.backward()
    opt.step()
"""


def test_the_command_checks_a_training_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Arrays of more than 64 elements are kept for it, and parameters that were stepped since keep their names."""
    file = tmp_path / "train.py"
    file.write_text(TRAIN)
    assert main(["explain", str(file), "--check"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("8 of 8 gradients agree with finite differences\n")
    assert "linear       0.weight     agrees" in shown
    assert shown.rstrip().endswith("agrees")
    assert main(["explain", str(file), "--show", "jacobian", "--node", "3", "--of", "2.weight"]) == 0
    assert "∂v3/∂2.weight is 120 × 36" in capsys.readouterr().out


def test_the_budget_of_a_trace_is_for_the_passes_it_keeps() -> None:
    """Thousands of passes that are let go do not use it up."""
    w = torch.ones(50, requires_grad=True)
    with Trace(keep="last", budget=100_000) as t:
        for _ in range(500):
            (w * 2).sum().backward()
    assert all(v.shot is not None and v.shot.whole for v in t.last.ledger.values())
    assert t.last.check()


def test_the_command_fails_the_check_of_a_wrong_rule(
    script: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kind = type((torch.ones(2, requires_grad=True) * torch.ones(2)).grad_fn)
    monkeypatch.setattr(kind, "run", lambda n, g, keep: (g * 0.25, None))
    assert main(["explain", script, "--check"]) == 1
    assert "DIFFERS" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--show", "nope"], "there is no 'nope'; there are tape,"),
        (["--show", "paths"], "--show paths is of one value: --of NAME"),
        (["--show", "jacobian"], "--show jacobian is of one step: --node N"),
        (["--show", "paths", "--of", "q"], "no value is called 'q' in this pass; there are: w, x"),
        (["--show", "tape", "--tex"], "--tex: tape has no LaTeX"),
        (["--diff", "missing.py"], "cannot read missing.py"),
    ],
)
def test_the_command_says_what_is_wrong(
    arguments: list[str], message: str, script: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", script, *arguments]) == 2
    assert message in capsys.readouterr().err
