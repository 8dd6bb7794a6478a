"""Programs of every family of operations: every number of the ledger is the engine's, agrees with finite differences of
what ran, and every printed rule, read back with the values that the ledger shows, gives the number that it shows."""

from __future__ import annotations

import linecache
import re
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wengert as torch
from test_explain_parts import HEAD, PROGRAMS, _options
from test_printed_rules import read
from wengert import explain
from wengert.core.node import AccumulateGrad
from wengert.explain.ledger import Block, Ledger, Term
from wengert.explain.notation import text
from wengert.explain.screen import rename
from wengert.explain.tracing import Trace

# ruff: noqa: E501
# Beside those of `test_explain_parts`; again `x` (2, 3), `y` (3,) and `s` () are leaves of double precision.
MORE = {
    "views": "v = x.view(3, 2).transpose(0, 1)[1:].unsqueeze(0).squeeze()\nloss = (v * v).sum() + x.unfold(1, 2, 1).mean()",
    "broadcasting both ways": "loss = (x[:, None, :] * y[None, :, None] + s).expand(2, 3, 3).pow(3).mean()",
    "einsum": "loss = torch.einsum('ij,kj,j->ik', x, x, y).sum() + torch.einsum('ii', x[:, :2])",
    "batched products": "loss = torch.bmm(x[None], x.T[None] * s).sum() + torch.baddbmm(y[None, :2, None], x[None, :, :1], y[None, None, :1]).sum()",
    "cholesky and triangular solve": "c = torch.linalg.cholesky(x @ x.T + torch.eye(2, dtype=x.dtype))\nloss = torch.linalg.solve_triangular(c, x, upper=False).sum()",
    "eigenvalues": "loss = torch.linalg.eigvalsh(torch.outer(y, y) + torch.diag(torch.tensor([1., 2., 4.], dtype=y.dtype)))[1] * s",
    "real Fourier transforms": "loss = (torch.fft.rfft(y).abs() ** 2).sum() + torch.fft.irfft(torch.fft.rfft(x, dim=1), n=3, dim=1)[0, 1]",
    "two-dimensional convolution": "w = x.reshape(1, 1, 2, 3)\nloss = (F.conv2d(torch.outer(y, y)[None, None], w, y[:1], padding=1) ** 2).sum()",
    "transposed convolution": "loss = (F.conv_transpose1d(x[None], x[:, None, :2], y[:1], stride=2) ** 2).sum()",
    "two-dimensional pooling": "m = torch.outer(y, x[0])[None]\nloss = F.max_pool2d(m, 2, 1).sum() + F.avg_pool2d(m, 2, 1).prod() + F.adaptive_avg_pool2d(m, 1).sum()",
    "group and instance norm": "loss = (F.group_norm(x.reshape(1, 2, 3), 1) ** 3).sum() + (F.instance_norm(x.reshape(1, 2, 3)) ** 3).sum() * s",
    "embedding": "loss = (F.embedding(torch.tensor([1, 0, 1]), x) * y).sum()",
    "scatter and index_add": "z = torch.zeros(2, 3, dtype=x.dtype).scatter_add(1, torch.tensor([[0, 0, 2], [1, 1, 1]]), x)\nloss = (z.index_add(0, torch.tensor([0, 0]), x) ** 2).sum()",
    "more losses": "p = torch.sigmoid(x)\nt = torch.tensor([[1., 0., 1.], [0., 1., 0.]], dtype=x.dtype)\nloss = F.binary_cross_entropy(p, t) + F.binary_cross_entropy_with_logits(x, t) + F.kl_div(x.log_softmax(1), t.softmax(1), reduction='sum') + F.smooth_l1_loss(x, t)",
    "recurrent cells": "h = torch.zeros(3, dtype=x.dtype)\nw = torch.outer(y, y)\nfor k in range(2):\n    h = torch.tanh(F.linear(x[k], w) + F.linear(h, w.T, y))\nloss = h.sum()",
    "an LSTM": "torch.manual_seed(0)\nm = torch.nn.LSTM(3, 2).double()\nout, _ = m(x[:, None, :])\nloss = (out ** 2).sum()",
    "a GRU": "torch.manual_seed(0)\nm = torch.nn.GRU(3, 2, num_layers=2).double()\nout, _ = m(x[:, None, :])\nloss = (out ** 2).sum()",
    "multi-head attention": "torch.manual_seed(0)\nm = torch.nn.MultiheadAttention(3, 1, batch_first=True).double()\nout, _ = m(x[None], x[None], x[None])\nloss = (out ** 2).sum()",
    "changes in place": "z = x.clone()\nz.mul_(2)\nz[0, 1:] = y[:2] * s\nz[1] += y\nloss = (z * z).sum()",
    "a Function of the program": "class Cube(torch.autograd.Function):\n    @staticmethod\n    def forward(ctx, a):\n        ctx.save_for_backward(a)\n        return a ** 3\n    @staticmethod\n    def backward(ctx, g):\n        (a,) = ctx.saved_tensors\n        return 3 * a * a * g\nloss = (Cube.apply(x) * y).sum()",
    "a Hessian-vector product": "g, = torch.autograd.grad((x.exp() * x.sin()).sum(), x, create_graph=True)\nloss = (g * y).sum()",
    "a gradient penalty": "out = torch.tanh(x @ y)\ng, = torch.autograd.grad(out.sum(), x, create_graph=True)\nloss = ((g.norm(dim=1) - 1) ** 2).mean()",
    "detached targets and no_grad": "t = (x * y).detach()\nwith torch.no_grad():\n    m = x.mean()\nloss = ((x - t) ** 2).sum() + (y * m).sum()",
    "a module": "torch.manual_seed(0)\nm = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.GELU(), torch.nn.LayerNorm(4), torch.nn.Linear(4, 1)).double()\nloss = m(x).pow(2).mean()",
}  # fmt: skip

ALL = {**PROGRAMS, **MORE}
Made = tuple[explain.Explanation, dict[str, Any], list[Any]]


def run(source: str, file: Path) -> tuple[dict[str, Any], list[Any]]:
    """A program run with nobody looking on: (its variables, what arrived at each node, in the engine's order)."""
    names: dict[str, Any] = {}
    exec(compile(source, str(file), "exec"), names)
    arrived: list[Any] = []
    stack = [names["loss"].grad_fn]
    seen = {stack[0]}
    while stack:
        node = stack.pop()
        if node.__class__ is not AccumulateGrad:
            node.register_prehook(lambda gs: arrived.append([None if g is None else g.numpy().copy() for g in gs]))
        for target, _ in node.next_functions:
            if target is not None and target not in seen:
                seen.add(target)
                stack.append(target)
    names["loss"].backward()
    return names, arrived


@pytest.fixture(params=ALL, scope="module")
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    file = tmp_path_factory.mktemp("programs") / "program.py"
    source = HEAD + ALL[request.param] + "\n"
    file.write_text(source + "loss.backward()\n")
    linecache.checkcache(str(file))
    module = types.ModuleType("program")
    with Trace() as t:
        exec(compile(file.read_text(), str(file), "exec"), module.__dict__)
    t.finish(module.__dict__)
    return t.last, *run(source, file)


def test_there_are_thirty_of_them() -> None:
    assert len(ALL) >= 60


def test_every_number_is_the_engines(made: Made) -> None:
    """Gradients at every node, in order, against hooks; those of leaves against `.grad`; sums against what arrived."""
    explanation, names, arrived = made
    ledger = explanation.ledger
    assert len(ledger.blocks) == len(arrived)
    for block, gradients in zip(ledger.blocks, arrived, strict=True):
        for g, expected in zip(block.gradient, gradients, strict=True):
            if g is None or expected is None:
                assert g is expected is None
            else:
                np.testing.assert_array_equal(np.asarray(g.array), expected)
    for name in "xys":
        found = [a for a in ledger.arrivals if a.leaf.name == name]
        if names[name].grad is None:
            assert not found
        else:
            np.testing.assert_array_equal(found[0].after.array, names[name].grad.numpy())  # type: ignore[union-attr]
    for block in ledger.blocks:
        for term in block.terms:
            if term.position == term.of and term.total is not None:
                whole = sum(np.asarray(t.value.array) for t in terms_of(ledger, term))
                np.testing.assert_allclose(np.asarray(term.total.array), whole, rtol=1e-12, atol=1e-14)


def terms_of(ledger: Ledger, term: Term) -> list[Any]:
    return [ledger.term(i, place) for i, place in ledger.arriving[term.edge]]


def test_forward_values_are_the_programs(made: Made) -> None:
    explanation, names, _ = made
    for v in explanation.ledger.values():
        t = names.get(v.name or "")
        if isinstance(t, torch.Tensor) and v.shot is not None and v.shot.shape == t.shape:
            np.testing.assert_array_equal(np.asarray(v.shot.array), t.detach().numpy())


def test_every_step_agrees_with_finite_differences(made: Made) -> None:
    check = made[0].check()
    unchecked = (
        "Cube",
        "overwrite",
    )  # the program's own backward, and what the engine does itself, cannot be run again
    wrong = [(c.block.step.op.name, c.verdict, c.why) for c in check.terms if c.verdict != "agrees"]
    assert [w for w in wrong if w[0] not in unchecked] == []


def test_every_printed_rule_read_back_gives_the_number_shown(made: Made) -> None:
    """With the names that are shown, and for them the values that are shown."""
    ledger = made[0].ledger
    values = {v.name: v.shot for v in ledger.values()}
    count = 0
    for block in ledger.blocks:
        values |= {f"∇{v.name}": g for v, g in zip(block.outputs, block.gradient, strict=False)}
        for term in block.terms:
            if term.rule is None:
                assert block.note
                continue
            assert_rule(block, term, values)
            count += 1
    assert count


def assert_rule(block: Block, term: Term, values: dict[Any, Any]) -> None:
    shown, known = rename(block), {}
    numbered: dict[str, str] = {}

    def identifier(name: Any) -> str:
        called = shown(name)
        if re.fullmatch(r"-?[\d.e+-]+|-?inf|nan", called):
            return called
        found = numbered.setdefault(called, f"name{len(numbered)}")
        held = values.get(called)
        # What is neither argument nor result (an auxiliary value that was saved) has no name in the ledger.
        known[found] = name.value if held is None or not held.whole or called == name.name else np.asarray(held.array)
        return found

    rule: Any = term.rule
    options = {id(o): f"option{k}" for k, o in enumerate(_options(rule))}
    known |= {f"option{k}": o for k, o in enumerate(_options(rule))}
    printed = text(rule, identifier, options)
    assert term.value is not None
    number = np.asarray(read(printed, known))
    np.testing.assert_allclose(number, np.asarray(term.value.array), rtol=2e-5, atol=2e-5, err_msg=printed)
