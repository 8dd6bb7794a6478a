"""`wengert.explain.why_*` and `wengert why`: small real programs, what is wrong with each, and that it is said, with the line.

Docstrings number the threads in which users asked for it; names carry the numbers these have on their trackers.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wengert as torch
from wengert import nn
from wengert.cli import main
from wengert.explain import Why, trace, why_error, why_nan, why_none, why_zero
from wengert.explain.diagnosis import advice
from wengert.nn import functional as F


def raised(program: Callable[[], Any]) -> Why:
    """The explanation of what a program raises."""
    try:
        program()
    except Exception as error:
        return why_error(error)
    raise AssertionError("the program raised nothing")


def source(why: Why) -> str:
    """The line that the answer points to."""
    assert why.line is not None
    return why.line[2]


# -- None: where the way was cut ---------------------------------------------------------------------------------------


def test_106556_none_through_item() -> None:
    """Thread 10."""
    w = torch.tensor([2.0, 3.0], requires_grad=True)
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with trace():
        scale = (w * 2).sum().item()
        loss = (x * scale).sum()
        loss.backward()
    why = why_none(loss, w)
    assert why.kind == "item"
    assert source(why) == "scale = (w * 2).sum().item()"
    assert why.rewrite == ["scale = (w * 2).sum()"]
    assert why.sites[-1].details == ["the number 10 went on from here into loss"]
    assert str(why).startswith("w.grad is None because the way from w to loss is cut: .item()")
    assert "change: use the tensor itself" in str(why)


def test_106556_none_without_a_trace_is_read_from_the_source() -> None:
    """Thread 10."""
    w = torch.tensor([2.0, 3.0], requires_grad=True)
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    scale = (w * 2).sum().item()
    loss = (x * scale).sum()
    loss.backward()
    why = why_none(loss, w)
    assert (why.kind, why.watched) == ("item", False)
    assert source(why) == "scale = (w * 2).sum().item()"
    assert "read from the source" in str(why)


def test_91529_none_through_detach_and_data() -> None:
    """Thread 10."""
    w = torch.tensor([2.0, 3.0], requires_grad=True)
    v = torch.tensor(1.0, requires_grad=True)
    with trace():
        target = (w * 2).detach()
        loss = ((v - target) ** 2).sum()
    why = why_none(loss, w)
    assert (why.kind, source(why)) == ("detach", "target = (w * 2).detach()")
    assert why.rewrite == ["target = w * 2"]
    assert [s.kind for s in why.sites] == ["detach", "path", "path"] or why.sites[0].kind == "detach"
    with trace():
        loss = (w.data * v).sum()
    why = why_none(loss, w)
    assert (why.kind, why.rewrite) == ("data", ["loss = (w * v).sum()"])


def test_42984_none_through_no_grad_names_the_block() -> None:
    """Thread 11."""
    w = torch.tensor([2.0, 3.0], requires_grad=True)
    v = torch.tensor(1.0, requires_grad=True)
    with trace():
        with torch.no_grad():
            feature = w * 3
        loss = (feature * v).sum()
        loss.backward()
    why = why_none(loss, w)
    assert (why.kind, source(why)) == ("no_grad", "feature = w * 3")
    assert why.notes[0].endswith("with torch.no_grad():")


@torch.no_grad()
def embed(w: Any) -> Any:
    return w * 3


def test_42984_none_through_a_decorated_function() -> None:
    """Thread 11."""
    w = torch.tensor([2.0, 3.0], requires_grad=True)
    v = torch.tensor(1.0, requires_grad=True)
    with trace():
        loss = (embed(w) * v).sum()
    why = why_none(loss, w)
    assert (why.kind, source(why)) == ("no_grad", "return w * 3")
    assert "the function is decorated" in why.notes[0]


@pytest.mark.parametrize(
    ("cut", "kind"),
    [
        (lambda w: w.argmax(), "argmax"),
        (lambda w: (w > 2).float(), "comparison"),
        (lambda w: w.long(), "integer"),
        (lambda w: torch.tensor([w[0], w[1]]), "tensor"),
        (lambda w: torch.tensor(w.tolist()), "tolist"),
        (lambda w: torch.tensor(float(w.sum())), "item"),
        (lambda w: torch.from_numpy(np.sin(w.detach().numpy())), "numpy"),
        (lambda w: nn.Parameter(w * 2), "Parameter"),
    ],
)
@pytest.mark.filterwarnings("ignore:To copy construct", "ignore:Converting a tensor")
def test_31919_none_each_way_out_of_the_graph(cut: Callable[[Any], Any], kind: str) -> None:
    """Thread 11."""
    w = torch.tensor([2.0, 3.0], requires_grad=True)
    v = torch.tensor(1.0, requires_grad=True)
    with trace():
        loss = (cut(w) * v).sum()
    why = why_none(loss, w)
    assert why.kind == kind
    assert why.watched
    assert why.advice


def test_none_because_only_an_if_looks_at_it() -> None:
    w = torch.tensor([2.0, 3.0], requires_grad=True)
    v = torch.tensor(1.0, requires_grad=True)
    with trace():
        loss = v * 2
        if w.sum() > 2:
            loss = v * 3
    why = why_none(loss, w)
    assert (why.kind, source(why)) == ("bool", "if w.sum() > 2:")
    assert "which branch is taken has no derivative" in why.title


def test_none_of_a_result_that_is_no_leaf() -> None:
    w = torch.tensor([2.0, 3.0], requires_grad=True).double()
    loss = (w * w).sum()
    loss.backward()
    why = why_none(loss, w)
    assert why.kind == "not a leaf"
    assert "retain_grad()" in why.advice


def test_none_after_a_leaf_was_rebound_by_its_update() -> None:
    w = torch.tensor([2.0, 3.0], requires_grad=True)
    for _ in range(2):
        loss = (w * w).sum()
        loss.backward()
        if w.is_leaf:
            w = w - 0.1 * w.grad
    why = why_none(loss, w)
    assert (why.kind, source(why)) == ("not a leaf", "w = w - 0.1 * w.grad")
    assert why.rewrite == ["with torch.no_grad():", "    w -= 0.1 * w.grad"]


def test_none_where_nobody_asked() -> None:
    w = torch.tensor([2.0, 3.0])
    v = torch.tensor(1.0, requires_grad=True)
    loss = (w * v).sum()
    loss.backward()
    why = why_none(loss, w)
    assert why.kind == "requires_grad"
    assert why.rewrite == ["w = torch.tensor([2.0, 3.0], requires_grad=True)"]
    n = torch.tensor([2, 3])
    assert why_none(loss, n).kind == "integer"


def test_none_where_requires_grad_came_too_late() -> None:
    w = torch.tensor([2.0, 3.0])
    v = torch.tensor(1.0, requires_grad=True)
    with trace():
        loss = (w * v).sum()
        w.requires_grad_()
        loss.backward()
    why = why_none(loss, w)
    assert (why.kind, source(why)) == ("late", "loss = (w * v).sum()")


def test_none_before_backward_and_after_zero_grad() -> None:
    w = torch.tensor([2.0, 3.0], requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1)
    loss = (w * w).sum()
    assert why_none(loss, w).kind == "not run"
    loss.backward()
    assert why_none(loss, w).kind == "fine"
    optimizer.zero_grad()
    why = why_none(loss, w)
    assert (why.kind, source(why)) == ("reset", "optimizer.zero_grad()")


def test_none_of_what_is_not_used() -> None:
    net = nn.Linear(2, 2)
    spare = nn.Linear(2, 2)
    x = torch.ones(3, 2)
    with trace():
        side = spare(x)
        loss = net(x).sum()
        loss.backward()
    assert side.requires_grad
    why = why_none(loss, spare.weight)
    assert (why.kind, source(why)) == ("unused", "side = spare(x)")
    assert "ends in side, which loss does not use" in why.title
    idle = torch.zeros(3, requires_grad=True)
    assert why_none(loss, idle).title.startswith("idle.grad is None because no operation used idle at all")


def test_the_nearest_of_several_ways_is_told() -> None:
    """Two ways, one with two cuts and one with one: the latter is the one to mend."""
    w = torch.tensor([2.0, 3.0], requires_grad=True)
    v = torch.tensor(1.0, requires_grad=True)
    with trace():
        a = (w.detach() * v).detach()
        b = w.long()
        loss = (a * b * v).sum()
    assert why_none(loss, w).kind == "integer"


def test_why_none_asks_for_tensors() -> None:
    with pytest.raises(TypeError, match=r"why_none\(\): argument 'x' must be Tensor, not float"):
        why_none(torch.tensor(1.0), 2.0)


def written_by_setitem(w: Any, v: Any) -> Any:
    out = torch.zeros(3)
    for i in range(3):
        out[i] = w[i] * i
    return out * v


def written_through_data(w: Any, v: Any) -> Any:
    out = torch.zeros(3)
    for i in range(3):
        out.data[i] = w[i] * i
    return out * v


def written_through_numpy(w: Any, v: Any) -> Any:
    out = torch.zeros(3)
    for i in range(3):
        out.numpy()[i] = w[i].item() * i
    return out * v


@pytest.mark.parametrize(
    ("program", "kind", "cure"),
    [
        (written_by_setitem, "not run", []),
        (written_through_data, "data", ["out[i] = w[i] * i"]),
        (written_through_numpy, "item", ["out[i] = w[i] * i"]),
    ],
)
def test_177_none_of_a_result_filled_in_a_loop(program: Callable[..., Any], kind: str, cure: list[str]) -> None:
    """Thread 19."""
    w = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    v = torch.tensor(1.0, requires_grad=True)
    with trace():
        loss = program(w, v).sum()
    found = why_none(loss, w)
    assert (found.kind, found.rewrite) == (kind, cure)


def test_none_through_inference_mode_and_indices() -> None:
    w = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    v = torch.tensor(1.0, requires_grad=True)
    with trace():
        with torch.inference_mode():
            feature = w * 2
        loss = (feature.clone() + v).sum()
    why = why_none(loss, w)
    assert (why.kind, source(why)) == ("inference_mode", "feature = w * 2")
    with trace():
        loss = v * w.max(0).indices
    assert why_none(loss, w).kind == "argmax"
    with trace():
        loss = v * F.one_hot(w.long()).float().sum()
    assert why_none(loss, w).kind == "integer"


# -- NaN ---------------------------------------------------------------------------------------------------------------


def test_160016_nan_the_first_cause_and_not_the_last() -> None:
    """Thread 1. The logarithm makes -inf; the product only makes NaN of it."""
    p = torch.tensor([0.0, 0.5], requires_grad=True)
    with trace():
        entropy = p * torch.log(p)
        loss = -entropy.sum()
    why = why_nan(loss)
    assert (why.kind, source(why)) == ("forward", "entropy = p * torch.log(p)")
    assert [s.kind for s in why.sites] == ["log", "mul"]
    assert why.sites[0].details[0] == "p = 0  gives  -inf at [0]"
    assert "clamp(min=1e-12)" in why.advice


def test_143658_nan_index_incoming_gradient_slope_and_product() -> None:
    """Thread 2."""
    x = torch.tensor([4.0, 0.0], requires_grad=True)
    with trace():
        loss = x.sqrt().sum()
    why = why_nan(loss)
    assert why.kind == "backward"
    (site,) = why.sites
    assert site.details[0].endswith("= 1 / (2 · 0) = inf at [1]")
    assert site.details[1] == "incoming gradient 1 · local slope inf"
    assert site.line is not None
    assert site.line[2] == "loss = x.sqrt().sum()"


def test_182156_nan_what_only_passes_it_on_is_not_blamed() -> None:
    """Thread 3."""
    x = torch.tensor([0.0, 1.0], requires_grad=True)
    with trace():
        a = 1 / x
        b = a * 2 + 1
        c = torch.tanh(b - b)
        loss = c.sum()
    why = why_nan(loss)
    assert [s.kind for s in why.sites] == ["div", "sub"]


def test_187297_nan_from_the_branch_not_taken_and_the_double_where() -> None:
    """Thread 5."""
    x = torch.tensor([4.0, 0.0, -1.0], requires_grad=True)
    with trace() as t:
        y = torch.where(x > 0, torch.sqrt(x), 0.0)
        loss = y.sum()
        loss.backward()
    assert x.grad is not None
    assert torch.isnan(x.grad).any()
    why = why_nan(loss)
    assert (why.kind, source(why)) == ("backward", "y = torch.where(x > 0, torch.sqrt(x), 0.0)")
    assert why.sites[0].kind == "where"
    assert "its first branch was not taken there, and 0 · inf is NaN" in why.sites[0].details[3]
    assert why.rewrite == ["safe = torch.where(x > 0, x, 1.0)", "y = torch.where(x > 0, torch.sqrt(safe), 0.0)"]
    names: dict[str, Any] = {"torch": torch, "x": torch.tensor([4.0, 0.0, -1.0], requires_grad=True)}
    exec("\n".join(why.rewrite), names)  # what is proposed is a cure
    names["y"].sum().backward()
    assert names["x"].grad.tolist() == [0.25, 0.0, 0.0]
    del t


@pytest.mark.parametrize(
    "program",
    [
        "y = torch.where(x > 0, torch.log(x), 0.0)",
        "y = torch.where(x <= 0, 0.0, torch.log(x))",
        "y = torch.where(x > 0, 1 / x, torch.zeros(3))",
        "y = torch.where(x > 0, x ** 0.5, 1.0)",
        "y = torch.where(x.abs() < 1, torch.asin(x), 0.0)",
        "r = x.rsqrt()\ny = torch.where(x > 0, r, 0.0)",
    ],
)
def test_68425_nan_what_is_proposed_is_a_cure(program: str, tmp_path: Path) -> None:
    """Thread 5."""
    values = [0.5, 0.0, 1.0] if "asin" in program else [4.0, 0.0, 1.0]
    start = f"import wengert as torch\nx = torch.tensor({values}, requires_grad=True)\n"
    end = "\nloss = y.sum()\n"
    file = tmp_path / "program.py"
    file.write_text(start + program + end)
    names: dict[str, Any] = {}
    with trace():
        exec(compile(file.read_text(), str(file), "exec"), names)
    why = why_nan(names["loss"])
    assert why.kind == "backward"
    assert why.sites[0].kind == "where"
    rewrite = list(why.rewrite)
    if program.startswith("r ="):
        rewrite.append(program.splitlines()[1])
    cured: dict[str, Any] = {}
    exec(start + "\n".join(rewrite) + end, cured)
    assert torch.isfinite(torch.autograd.grad(cured["loss"], cured["x"])[0]).all()


def test_558_nan_all_poison_sites_in_one_pass() -> None:
    """Thread 6. Several terms with the same poison, some behind others: each is found, not only the first."""
    x = torch.tensor([4.0, 0.0, 2.0], requires_grad=True)
    with trace() as t:
        a = torch.where(x > 0, torch.sqrt(x), 0.0)
        b = torch.where(x > 0, torch.log(x), 0.0)
        c = torch.where(x != 0, 1 / x, 0.0)
        d = torch.where(x > 0, x**0.25, 0.0)
        e = torch.where(c > 0, torch.rsqrt(c), 0.0)
        loss = (a + b * c + d + e).sum()
        loss.backward()
    assert x.grad is not None
    assert torch.isnan(x.grad[1])
    why = why_nan(loss)
    assert sorted(s.kind for s in why.sites) == ["where"] * 5
    named = {s.what.split("(")[0].split()[-1] for s in why.sites}
    assert named == {"sqrt", "log", "div", "pow", "rsqrt"}
    assert all(s.line is not None and len(s.rewrite) == 2 for s in why.sites)
    assert len(t.passes) == 1


def test_558_what_lies_behind_a_poison_is_found_though_it_is_given_nan() -> None:
    """Thread 6."""
    x = torch.tensor([0.0, 1.0], requires_grad=True)
    with trace():
        inner = torch.sqrt(x)
        outer = torch.where(inner > 0, torch.log(inner), 0.0)
        loss = outer.sum()
    why = why_nan(loss)
    assert next(s.kind for s in why.sites) == "where"
    assert len(why.sites) == 2
    assert "besides what came in bad" in why.sites[1].what


def test_nan_in_large_arrays_is_counted_and_its_element_shown() -> None:
    x = torch.ones(100, 50)
    x[7, 3] = 0.0
    x.requires_grad_()
    with trace():
        loss = torch.where(x > 0, x.sqrt(), 0.0).sum()
    (site,) = why_nan(loss).sites
    assert "= 0 / (2 · 0) = nan at [7, 3]" in site.details[0]
    assert "1 of 5000 elements" in site.details


def test_nan_softmax_of_a_row_that_is_masked_out() -> None:
    scores = torch.zeros(2, 3, requires_grad=True)
    mask = torch.tensor([[False, True, True], [True, True, True]])
    with trace():
        masked = scores.masked_fill(mask, float("-inf"))
        weights = F.softmax(masked, dim=-1)
        loss = weights.sum()
    why = why_nan(loss)
    assert (why.kind, source(why)) == ("forward", "weights = F.softmax(masked, dim=-1)")
    assert "masked out entirely" in why.advice


def test_2421_norm_at_zero_is_finite_and_known_as_a_convention() -> None:
    """Thread 7."""
    x = torch.zeros(3, requires_grad=True)
    with trace():
        loss = x.norm()
    assert why_nan(loss).kind == "fine"
    why = why_zero(loss, x)
    assert why.kind == "kink"
    assert "convention" in why.advice


def test_nan_of_a_freed_graph_says_how_to_ask() -> None:
    x = torch.tensor([0.0, 1.0], requires_grad=True)
    loss = x.sqrt().sum()
    loss.backward()
    with pytest.raises(RuntimeError, match=r"why_nan\(\): a backward\(\) has run and freed this graph"):
        why_nan(loss)


def test_nan_asking_changes_nothing() -> None:
    x = torch.tensor([0.0, 1.0], requires_grad=True)
    loss = x.sqrt().sum()
    why_nan(loss)
    assert x.grad is None
    loss.backward()
    assert x.grad is not None


def test_nan_unwatched_the_source_tells_the_line_where_it_leaves_no_choice() -> None:
    x = torch.tensor([0.0, 1.0], requires_grad=True)
    root = torch.sqrt(x)
    loss = torch.where(x > 0, root, 0.0).sum()
    why = why_nan(loss)
    assert source(why) == "root = torch.sqrt(x)"
    assert why.rewrite == ["safe = torch.where(x > 0, x, 1.0)", "root = torch.sqrt(safe)"]


def test_nan_of_an_input() -> None:
    w = torch.tensor([float("nan"), 1.0], requires_grad=True)
    with trace():
        loss = (w * 2).sum()
    why = why_nan(loss)
    assert why.sites[0].kind == "input"
    assert "w is NaN already where it is first used" in why.sites[0].what


# -- zero --------------------------------------------------------------------------------------------------------------


def test_59172_zero_and_not_none_dead_relu() -> None:
    """Thread 9."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
    with torch.no_grad():
        net[0].bias -= 100
    x = torch.ones(3, 2)
    with trace() as t:
        loss = net(x).pow(2).mean()
        loss.backward()
    first = net[0].weight
    why = why_zero(loss, first)
    assert why.kind == "dead"
    assert "all 12 arguments are below 0" in why.sites[0].what
    assert "not None" in why.title
    assert "leaky_relu" in why.advice
    assert t.passes


def test_59172_none_and_not_zero() -> None:
    """Thread 9. `why_zero` of what gets no gradient at all says so."""
    w = torch.tensor([2.0, 3.0], requires_grad=True)
    v = torch.tensor(1.0, requires_grad=True)
    with trace():
        loss = w.detach().sum() * v
    assert why_zero(loss, w).title.startswith("w.grad is None because")


@pytest.mark.parametrize(
    ("program", "kind"),
    [
        (lambda x: torch.sigmoid(x * 100).sum(), "saturated"),
        (lambda x: torch.tanh(x * 100).sum(), "saturated"),
        (lambda x: (x - x).sum(), "cancelled"),
        (lambda x: torch.softmax(x, 0).sum(), "cancelled"),
        (lambda x: F.layer_norm(x, (3,)).sum(), "cancelled"),
        (lambda x: (x.sum() + torch.tensor([1.0, -1.0])).mul(torch.tensor([1.0, -1.0])).sum(), "cancelled"),
        (lambda x: (x * torch.zeros(3)).sum(), "structural"),
        (lambda x: (x * 0).sum(), "structural"),
        (lambda x: torch.where(x < 0, x, torch.ones(3)).sum(), "structural"),
        (lambda x: x.masked_fill(x > 0, 7.0).sum(), "structural"),
        (lambda x: (x * 2).zero_().sum(), "structural"),
        (lambda x: torch.softmax(x.unsqueeze(1), 1).pow(2).sum(), "structural"),
        (lambda x: x.round().sum(), "integer"),
        (lambda x: torch.sign(x).sum(), "integer"),
        (lambda x: x.clamp(max=0.5).sum(), "dead"),
        (lambda x: F.relu(-x).sum(), "dead"),
        (lambda x: F.relu(x - x.detach()).sum(), "kink"),
        (lambda x: (x - x.detach()).abs().sum(), "kink"),
        (lambda x: (x - x.detach()).pow(2).sum(), "stationary"),
        (lambda x: F.mse_loss(x, x.detach()), "stationary"),
        (lambda x: (x.sum() * 1e-30) * 1e-30, "underflow"),
    ],
)
def test_184572_zero_each_kind(program: Callable[[Any], Any], kind: str) -> None:
    """Thread 8."""
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    with trace():
        loss = program(x)
    why = why_zero(loss, x)
    loss.backward()
    assert x.grad is not None
    if kind != "cancelled":
        assert not x.grad.any()
    assert why.kind == kind
    assert why.advice
    assert why.sites[0].line is not None


def test_zero_from_a_layer_that_starts_at_zero() -> None:
    body, head = nn.Linear(2, 3), nn.Linear(3, 1)
    nn.init.zeros_(head.weight)
    with trace():
        hidden = torch.tanh(body(torch.ones(4, 2)))
        loss = head(hidden).pow(2).mean()
    why = why_zero(loss, body.weight)
    assert (why.kind, source(why)) == ("structural", "loss = head(hidden).pow(2).mean()")
    assert "which is 0" in why.sites[0].what
    assert "initialise" in why.advice


def test_zero_only_in_part() -> None:
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    with trace():
        loss = (x[:2] * 3).sum()
    why = why_zero(loss, x)
    assert why.kind == "fine"
    assert "1 of 3 elements are, the first at [2]" in why.title


def test_zero_of_an_intermediate() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with trace():
        hidden = x * 2
        loss = (F.relu(hidden - 10) + 1).sum()
    assert why_zero(loss, hidden).kind == "dead"


# -- errors ------------------------------------------------------------------------------------------------------------


def test_96265_in_place_names_the_variable_who_saved_it_and_who_wrote() -> None:
    """Thread 15."""

    def program() -> None:
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        y = x * 3
        with trace():
            z = y * x
            y += 1
            z.sum().backward()

    why = raised(program)
    assert (why.kind, source(why)) == ("in place", "y += 1")
    assert why.title.startswith("y was changed in place after mul had saved it")
    assert [s.line[2] for s in why.sites if s.line is not None] == ["z = y * x", "y += 1"]
    assert why.rewrite == ["y = y + 1"]


def test_18523_in_place_without_a_trace() -> None:
    """Thread 15."""

    def program() -> None:
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        y = x * 3
        z = y**2
        y.mul_(2)
        z.sum().backward()

    why = raised(program)
    assert (why.kind, source(why)) == ("in place", "y.mul_(2)")
    assert why.rewrite == ["y = y.mul(2)"]
    assert why.notes


def test_9391_in_place_sigmoid_saves_its_result() -> None:
    """Thread 16."""

    def fails() -> None:
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        y = torch.sigmoid(x)
        y *= 2
        y.sum().backward()

    why = raised(fails)
    assert why.title == (
        "y was changed in place after sigmoid had saved it: sigmoid saves its result because its derivative needs it."
    )
    assert "computes its derivative from its result" in why.advice
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x.sin()  # which saves its argument
    y *= 2
    y.sum().backward()


def test_30987_in_place_through_data() -> None:
    """Thread 17."""

    def program() -> None:
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        y = x * x
        with trace():
            z = y.exp()
            z.data.mul_(2)
            z.sum().backward()

    why = raised(program)
    assert (why.kind, source(why)) == ("in place", "z.data.mul_(2)")
    assert ".data does not hide a change" in why.advice


def test_in_place_by_an_optimizer_between_two_losses() -> None:
    def program() -> None:
        w = nn.Parameter(torch.ones(2))
        optimizer = torch.optim.SGD([w], lr=0.1)
        first, second = (w * w).sum(), (w**3).sum()
        first.backward()
        optimizer.step()
        second.backward()

    why = raised(program)
    assert source(why) == "optimizer.step()"
    assert "Call every backward() before step()" in why.advice


def test_freed_by_a_second_backward() -> None:
    def program() -> None:
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        loss = (x * x).sum()
        loss.backward()
        loss.backward()

    why = raised(program)
    assert why.kind == "freed"
    assert "a second time from the same result" in why.title
    assert why.sites[0].line is not None
    assert why.line is not None
    assert why.line[1] == why.sites[0].line[1] + 1


@pytest.mark.parametrize("watched", [True, False])
def test_freed_by_a_hidden_state_that_goes_on(watched: bool) -> None:
    def program() -> None:
        w = torch.tensor([0.5, 0.2], requires_grad=True)
        h = torch.zeros(2)
        for k in range(3):
            h = torch.tanh(w * h + k)
            loss = (h * h).sum()
            loss.backward()

    def watch() -> None:
        with trace():
            program()

    why = raised(watch if watched else program)
    assert why.kind == "freed"
    assert "h was computed before it, and this loss uses it again" in why.title
    assert why.rewrite == ["h = h.detach()"]
    assert any(s.line is not None and s.line[2] == "h = torch.tanh(w * h + k)" for s in why.sites)


def test_not_scalar() -> None:
    def program() -> None:
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        y = x * 2
        y.backward()

    why = raised(program)
    assert why.kind == "not scalar"
    assert why.title.startswith("y has 2 elements (shape (2,))")
    assert why.rewrite == ["y.sum().backward()"]


@pytest.mark.parametrize("watched", [True, False])
def test_91529_no_grad_fn(watched: bool) -> None:
    """Thread 10."""

    def program() -> None:
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        y = x.detach() * 2
        loss = y.sum()
        loss.backward()

    def watch() -> None:
        with trace():
            program()

    why = raised(watch if watched else program)
    assert (why.kind, source(why)) == ("no grad_fn", "y = x.detach() * 2")
    assert why.rewrite == ["y = x * 2"]


def test_5479_the_second_derivative_of_something_linear() -> None:
    """Thread 12."""

    def program() -> None:
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        y = (3 * x).sum()
        (g,) = torch.autograd.grad(y, x, create_graph=True)
        torch.autograd.grad(g.sum(), x)

    why = raised(program)
    assert why.kind == "constant gradient"
    assert "second derivative is identically zero" in why.title


def test_a_gradient_without_create_graph() -> None:
    def program() -> None:
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        y = (x**3).sum()
        (g,) = torch.autograd.grad(y, x)
        g.sum().backward()

    why = raised(program)
    assert "create_graph=True" in why.advice
    assert source(why) == "(g,) = torch.autograd.grad(y, x)"


def test_8_numpy_is_refused_and_said_why() -> None:
    """Thread 14."""

    def program() -> None:
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        print(x.numpy())

    why = raised(program)
    assert (why.kind, source(why)) == ("numpy", "print(x.numpy())")
    assert why.rewrite == ["print(x.detach().numpy())"]


def test_24849_an_unused_input_of_grad() -> None:
    """Thread 11."""

    def program() -> None:
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        w = torch.tensor([1.0, 2.0], requires_grad=True)
        with trace():
            loss = (x * w.detach()).sum()
        torch.autograd.grad(loss, w)

    why = raised(program)
    assert why.kind == "detach"
    assert why.title.startswith("there is no gradient for w: the way from w to loss is cut")
    assert "allow_unused=True" in why.notes[-1]


def test_a_leaf_changed_in_place() -> None:
    def program() -> None:
        w = torch.ones(2, requires_grad=True)
        w -= 0.1

    why = raised(program)
    assert (why.kind, why.rewrite) == ("leaf in place", ["with torch.no_grad():", "    w -= 0.1"])


def test_shapes_are_told_with_names() -> None:
    def program() -> None:
        weight, x = torch.ones(2, 3), torch.ones(2, 3)
        print(weight @ x)

    why = raised(program)
    assert why.kind == "shape"
    assert why.notes == ["weight: (2, 3) torch.float32", "x: (2, 3) torch.float32"]
    assert "transpose" in why.advice


def test_the_gradient_given_has_another_shape() -> None:
    def program() -> None:
        x = torch.ones(2, requires_grad=True)
        y = x * 2
        y.backward(torch.ones(3))

    why = raised(program)
    assert why.kind == "shape"
    assert why.notes[0] == "y: (2,) torch.float32"


class Wrong(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Any, b: Any) -> Any:
        return a * b

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return g


def test_43405_a_mistake_in_a_function_points_into_it() -> None:
    """Thread 44."""

    def program() -> None:
        x = torch.ones(2, requires_grad=True)
        Wrong.apply(x, x).sum().backward()

    why = raised(program)
    assert (why.kind, source(why)) == ("function", "return g")
    assert why.notes == ["forward takes 2 arguments (a, b)"]


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        square = x * x
        ctx.save_for_backward(square)
        return square * x

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (square,) = ctx.saved_tensors
        return g * 3 * square


def test_104040_a_function_that_saved_an_intermediate() -> None:
    """Thread 34."""

    def program() -> None:
        x = torch.tensor(2.0, requires_grad=True)
        (g,) = torch.autograd.grad(Cube.apply(x), x, create_graph=True)
        g.backward()

    namesake = type("Cube", (torch.autograd.Function,), {})  # the node says whose it is, not the name
    why = raised(program)
    assert namesake.__name__ == Cube.__name__
    assert why.kind == "saved intermediate"
    assert source(why) == "return g * 3 * square"


def test_43405_an_error_in_a_hook_is_the_programs_own() -> None:
    """Thread 44."""

    def program() -> None:
        def hook(g: Any) -> Any:
            return 1 / 0

        x = torch.ones(2, requires_grad=True)
        x.register_hook(hook)
        (x * 2).sum().backward()

    why = raised(program)
    assert (why.kind, source(why)) == ("other", "return 1 / 0")
    assert "the program's own" in why.advice


def test_43405_anomaly_mode_is_explained_too() -> None:
    """Thread 44."""

    def program() -> None:
        x = torch.tensor([0.0, 1.0], requires_grad=True)
        with torch.autograd.set_detect_anomaly(True):
            y = x.sqrt()
            y.sum().backward()

    with pytest.warns(UserWarning, match="Error detected in SqrtBackward0"):
        why = raised(program)
    assert (why.kind, source(why)) == ("nan", "y = x.sqrt()")


def test_711_what_has_no_derivative_is_named() -> None:
    """Thread 43."""

    def program() -> None:
        class Half(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, x: Any) -> Any:
                return x * 2

        x = torch.ones(2, requires_grad=True)
        Half.apply(x).sum().backward()

    why = raised(program)
    assert why.kind == "not implemented"
    assert "Half" in why.sites[0].what


def test_errors_of_backward_point_here_in_one_line() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    with pytest.raises(RuntimeError) as caught:
        y.backward()
    (note,) = caught.value.__notes__
    assert "why_error()" in note
    assert "\n" not in note
    with pytest.raises(RuntimeError) as caught:
        torch.autograd.grad(y, x)
    assert len(caught.value.__notes__) == 1


def test_errors_that_are_not_the_engines_get_no_note() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    x.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError) as caught:
        (x * 2).sum().backward()
    assert not getattr(caught.value, "__notes__", [])


def test_the_exception_being_handled_needs_no_name() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    try:
        (x * 2).backward()
    except RuntimeError:
        assert why_error().kind == "not scalar"
    with pytest.raises(TypeError, match=r"why_error\(\): argument 'error' must be an exception"):
        why_error("no")  # type: ignore[arg-type]


# -- how answers look --------------------------------------------------------------------------------------------------


def test_an_answer_shows_itself_in_a_notebook_and_as_data() -> None:
    x = torch.tensor([4.0, 0.0], requires_grad=True)
    with trace():
        loss = torch.where(x > 0, torch.sqrt(x), 0.0).sum()
    why = why_nan(loss)
    html = why._repr_html_()
    assert html.startswith("<div>")
    assert "x &gt; 0" in html
    assert "<pre>safe = " in html
    data = json.loads(json.dumps(why.as_dict()))
    assert data["kind"] == "backward"
    assert data["sites"][0]["line"]["text"].startswith("loss = ")
    assert all(
        len(line) <= 60 or " " not in line.strip() for line in why.text(60).splitlines() if "test_why" not in line
    )


def test_what_a_trace_noted_does_not_keep_its_tensors_alive() -> None:
    import gc
    import weakref

    x = torch.ones(1000, requires_grad=True)
    with trace():
        y = x * 2
        z = y * y
        loss = z.sum()
        loss.backward()
    alive = [weakref.ref(t) for t in (y, z, loss, x)]
    del x, y, z, loss
    gc.collect()
    assert [r() for r in alive] == [None] * 4


# -- the command -------------------------------------------------------------------------------------------------------


def why(program: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    file = tmp_path / "program.py"
    file.write_text(textwrap.dedent(program))
    code = main(["why", str(file), *options])
    return code, capsys.readouterr().out


TRAINING = """
    import wengert as torch
    from wengert import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(4, 8)
            self.second = nn.Linear(8, 1)
            self.spare = nn.Linear(3, 3)
            self.scale = nn.Parameter(torch.tensor(1.0))

        def forward(self, x):
            h = torch.relu(self.first(x) - 100)
            return self.second(h) * self.scale.item()

    def main():
        net = Net()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            loss = net(torch.ones(5, 4)).pow(2).mean()
            loss.backward()
            optimizer.step()

    main()
"""


def test_106556_command_lists_parameters_without_a_gradient(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Thread 10."""
    code, out = why(TRAINING, tmp_path, capsys)
    assert code == 0
    assert "scale.grad is None because the way from scale to loss is cut: .item()" in out
    assert "return self.second(h) * self.scale\n" in out
    assert "spare.weight.grad is None because no operation used spare.weight at all" in out
    assert "spare.bias.grad is None" in out
    assert "first.weight is zero (dead)" in out
    assert "still held the gradient" not in out
    assert "\x1b[" not in out


def test_47175_command_sees_a_forgotten_zero_grad(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Thread 13."""
    program = TRAINING.replace("optimizer.zero_grad()", "pass")
    _, out = why(program, tmp_path, capsys)
    assert "second.bias.grad still held the gradient of an earlier pass, already used by a step" in out
    assert "change: call optimizer.zero_grad() before each backward()" in out


def test_adding_up_on_purpose_is_no_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = """
    import wengert as torch
    w = torch.ones(2, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1)
    for _ in range(2):
        for part in range(3):
            (w * part + w).pow(2).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    """
    code, out = why(program, tmp_path, capsys)
    assert (code, out) == (
        0,
        "program.py: nothing wrong. In 6 backward passes the parameter got a gradient that is finite and not zero.\n",
    )


def test_742_command_finds_the_first_nan_of_a_training_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Thread 4. The loss becomes NaN in the third pass because a gradient was NaN in the second."""
    program = """
    import wengert as torch
    w = torch.tensor([2.0, 1.0], requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=1.0)
    for step in range(4):
        optimizer.zero_grad()
        x = w - step * torch.tensor([0.0, 1.0]) + w.detach() * 0
        y = torch.where(x > 0, x.sqrt(), 0.0)
        loss = (y * 0.0 + w * 0.0).sum()
        loss.backward()
        optimizer.step()
    """
    code, out = why(program, tmp_path, capsys)
    assert code == 0
    assert "loss is finite; its gradient is not (w.grad)" in out
    assert "y = torch.where(x > 0, x.sqrt(), 0.0)" in out
    assert "this is backward pass 2 of 4, begun at line 10, the first with bad values" in out
    assert "safe = torch.where(x > 0, x, 1.0)" in out


def test_command_explains_the_error_of_a_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = """
    import wengert as torch
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = torch.exp(x)
    y += 1
    y.sum().backward()
    """
    code, out = why(program, tmp_path, capsys)
    assert code == 1
    assert "y was changed in place after exp had saved it" in out
    assert "program.py:5: y += 1\n    y was changed in place here (version 1)" in out
    assert out.rstrip().endswith("y = y + 1")


def test_command_answers_one_question(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = why(TRAINING, tmp_path, capsys, "--none", "scale", "--json")
    (answer,) = json.loads(out)
    assert (code, answer["kind"], answer["line"]["line"]) == (0, "item", 15)
    _, out = why(TRAINING, tmp_path, capsys, "--zero", "first.bias")
    assert out.startswith("The gradient of loss with respect to first.bias is zero (dead)")
    _, out = why(TRAINING, tmp_path, capsys, "--nan")
    assert "are finite." in out
    file = tmp_path / "program.py"
    assert main(["why", str(file), "--none", "nobody"]) == 2
    assert "no tensor of program.py is called 'nobody'; it has scale, first.weight" in capsys.readouterr().err


def test_command_says_when_there_is_nothing_to_ask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "program.py"
    file.write_text("import wengert as torch\nprint(torch.ones(2).sum())\n")
    assert main(["why", str(file)]) == 1
    assert "never called backward()" in capsys.readouterr().err


# -- docs/why.md -------------------------------------------------------------------------------------------------------

DOCUMENT = (Path(__file__).parents[1] / "docs" / "why.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", DOCUMENT, re.DOTALL)


@pytest.mark.parametrize(("program", "shown"), EXAMPLES)
def test_the_document_shows_what_is_printed(
    program: str, shown: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    file = tmp_path / "program.py"
    file.write_text(program)
    exec(compile(program, str(file), "exec"), {})
    assert capsys.readouterr().out == shown


def test_the_document_names_every_kind() -> None:
    assert len(EXAMPLES) == 4
    prose = re.sub(r"```.*?```", "", DOCUMENT, flags=re.DOTALL)
    named = set(re.findall(r"`([^`]+)`", prose.replace("\n", " ")))
    assert {*advice.CUT} <= named
    assert {*advice.ZERO} - {"factor", "one", "overwritten"} <= named


# -- a few more programs as people write them --------------------------------------------------------------------------


def test_nan_of_a_parameter_that_an_optimizer_made_so() -> None:
    w = nn.Parameter(torch.tensor([1.0, 0.0]))
    optimizer = torch.optim.SGD([w], lr=0.1)
    with trace() as t:
        for _ in range(2):
            optimizer.zero_grad()
            loss = (w.sqrt() * 2).sum()
            loss.backward()
            optimizer.step()
    why = why_nan(loss)
    assert [s.kind for s in why.sites][:1] == ["input"]
    assert "w is" in why.sites[0].what
    assert "bad gradients had arrived already in pass 1" in why.sites[0].details[0]
    assert len(t.passes) == 2


def test_command_sees_a_list_that_should_be_a_module_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = """
    import wengert as torch
    from wengert import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Linear(2, 2)
            self.heads = [nn.Linear(2, 1) for _ in range(2)]

        def forward(self, x):
            return sum(head(self.body(x)) for head in self.heads)

    torch.manual_seed(0)
    net = Net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        net(torch.ones(3, 2)).pow(2).mean().backward()
        optimizer.step()
    """
    code, out = why(program, tmp_path, capsys)
    assert code == 0
    assert out == textwrap.dedent("""\
        The parameters of self.heads got gradients, but no optimizer step changed them: a plain list hides
        its modules from parameters().

        program.py:9: self.heads = [nn.Linear(2, 1) for _ in range(2)]
        change: make it a module too: nn.ModuleList(...).
        """)


def test_command_finds_numbers_that_a_list_carried(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = """
    import wengert as torch
    from wengert import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell, self.out = nn.RNNCell(3, 5), nn.Linear(5, 1)

        def forward(self, xs):
            h, outputs = torch.zeros(1, 5), []
            for x in xs:
                h = self.cell(x, h)
                outputs.append(self.out(h).item())
            return torch.tensor(outputs)

    net = Net()
    loss = net([torch.ones(1, 3)] * 4).pow(2).mean()
    loss.backward()
    """
    code, out = why(program, tmp_path, capsys)
    assert code == 1
    assert "loss has no graph behind it: its numbers were read out of tensors" in out
    assert "program.py:14: outputs.append(self.out(h).item())\nchange: use the tensor itself" in out
    assert "outputs.append(self.out(h))\n" in out


def test_an_unused_parameter_is_shown_where_its_module_declares_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out = why(TRAINING, tmp_path, capsys, "--none", "spare.weight")
    assert "program.py:10: self.spare = nn.Linear(3, 3)\nchange: call the module that spare.weight belongs to" in out


def test_nan_in_a_lambda_is_cured_in_its_place() -> None:
    x = torch.tensor([0.0, 4.0], requires_grad=True)
    with trace() as t:
        root = lambda a: torch.where(a > 0, a.sqrt(), 0.0)
        loss = root(x).sum()
        loss.backward()
    why = why_nan(loss)
    assert why.rewrite == ["root = lambda a: torch.where(a > 0, torch.where(a > 0, a, 1.0).sqrt(), 0.0)"]
    assert t.passes


def test_nan_of_a_double_backward_names_the_step_whose_backward_made_it() -> None:
    x = torch.tensor([0.0, 1.0], requires_grad=True)
    with trace():
        y = x.sqrt().sum()
        (g,) = torch.autograd.grad(y, x, create_graph=True)
        penalty = (g * g).sum()
    why = why_nan(penalty)
    assert why.sites[0].what == "the backward of sqrt, recorded, makes an infinity: x.sqrt()"
    assert source(why) == "y = x.sqrt().sum()"


class Root(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x.sqrt()

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (x,) = ctx.saved_tensors
        return g / (2 * x.sqrt())


def test_nan_of_a_function_points_into_its_backward() -> None:
    x = torch.tensor([0.0, 1.0], requires_grad=True)
    with trace():
        loss = Root.apply(x).sum()
    why = why_nan(loss)
    assert (why.kind, source(why)) == ("backward", "return g / (2 * x.sqrt())")
    assert "Root.backward" in why.advice


def test_nan_under_checkpoint_is_found_in_the_second_run() -> None:
    from wengert.utils.checkpoint import checkpoint

    def block(a: Any) -> Any:
        return torch.where(a > 0, a.log(), 0.0)

    x = torch.tensor([0.0, 4.0], requires_grad=True)
    with trace() as t:
        loss = checkpoint(block, x, use_reentrant=False).sum()
        loss.backward()
    why = why_nan(loss)
    assert source(why) == "return torch.where(a > 0, a.log(), 0.0)"
    assert why.rewrite == ["safe = torch.where(a > 0, a, 1.0)", "return torch.where(a > 0, safe.log(), 0.0)"]
    assert t.passes


def test_command_runs_a_script_that_imports_torch(tmp_path: Path) -> None:
    """In a process of its own, where PyTorch may be installed or not."""
    file = tmp_path / "program.py"
    file.write_text("import torch\nw = torch.ones(2, requires_grad=True)\ny = w.detach().sum()\ny.backward()\n")
    done = subprocess.run(
        [sys.executable, "-m", "wengert.cli", "why", "--torch", str(file)],
        capture_output=True, text=True, encoding="utf-8", env={**os.environ, "PYTHONIOENCODING": "utf-8"}, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout.startswith("y has no graph behind it: detach()")
    assert done.stdout.endswith("    y = w.sum()\n")


def test_freed_by_two_losses_over_one_feature() -> None:
    def program() -> None:
        w = torch.tensor([1.0, 2.0], requires_grad=True)
        feature = torch.tanh(w)
        first, second = feature.pow(2).mean(), feature.abs().mean()
        first.backward()
        second.backward()

    why = raised(program)
    assert "feature was computed before it" in why.title
    assert why.rewrite == ["(first + second).backward()"]


def test_freed_by_a_sum_of_losses_that_goes_on() -> None:
    def program() -> None:
        w = torch.tensor([1.0, 2.0], requires_grad=True)
        total = 0
        for _ in range(3):
            loss = (w * w).sum()
            total = total + loss
            total.backward()

    why = raised(program)
    assert why.title.endswith("total still holds the losses of the passes before.")
    assert why.rewrite == ["loss.backward()", "total = total + loss.item()"]


def test_freed_by_the_state_of_an_lstm() -> None:
    def program() -> None:
        net = nn.LSTM(2, 3)
        state = None
        for _ in range(2):
            out, state = net(torch.ones(4, 1, 2), state)
            out.sum().backward()

    why = raised(program)
    assert "state was computed before it" in why.title
    assert why.rewrite == ["state = tuple(t.detach() for t in state)"]


def test_a_gradient_penalty_without_create_graph() -> None:
    def program() -> None:
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        grads = torch.autograd.grad((x**3).sum(), x)[0]
        penalty = ((grads.norm() - 1) ** 2).mean()
        penalty.backward()

    why = raised(program)
    assert source(why) == "grads = torch.autograd.grad((x**3).sum(), x)[0]"
    assert why.rewrite == ["grads = torch.autograd.grad((x ** 3).sum(), x, create_graph=True)[0]"]


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(2, 2), nn.Linear(2, 2)

    def forward(self, x: Any) -> Any:
        h = F.relu(self.first(x))
        out = self.second(h)
        h += x
        return out + h


def test_in_place_inside_a_module_that_has_returned() -> None:
    def program() -> None:
        with trace():
            Residual()(torch.ones(3, 2)).sum().backward()

    why = raised(program)
    assert why.title.startswith("h was changed in place after linear had saved it")
    assert (source(why), why.rewrite) == ("h += x", ["h = h + x"])


GAN = """
    import wengert as torch
    from wengert import nn
    torch.manual_seed(0)
    G, D, frozen = nn.Linear(4, 2), nn.Linear(2, 1), nn.Linear(2, 1)
    og, od = torch.optim.Adam(G.parameters()), torch.optim.Adam(D.parameters())
    bce = nn.BCEWithLogitsLoss()
    for _ in range(3):
        fake = G(torch.randn(8, 4))
        od.zero_grad()
        with torch.no_grad():
            goal = torch.sigmoid(frozen(fake))
        (bce(D(torch.randn(8, 2)), torch.ones(8, 1)) + bce(D(fake.detach()), goal)).backward()
        od.step()
        og.zero_grad()
        bce(D(fake), torch.ones(8, 1)).backward()
        og.step()
"""


def test_command_takes_two_optimizers_and_a_target_network_for_what_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Gradients that the other loss left, which are reset before use, and a network that is not to be learnt."""
    code, out = why(GAN, tmp_path, capsys)
    assert (code, out) == (
        0,
        "program.py: nothing wrong. In 6 backward passes all 4 parameters got a gradient that is finite and not zero.\n",
    )


def test_command_sees_a_plain_tensor_in_a_module(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = """
    import wengert as torch
    from wengert import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.gain = torch.ones(3, requires_grad=True)
            self.out = nn.Linear(3, 1)

        def forward(self, x):
            return self.out(x * self.gain)

    net = Net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        net(torch.ones(4, 3)).mean().backward()
        optimizer.step()
    """
    _, out = why(program, tmp_path, capsys)
    assert out.startswith("self.gain got a gradient, but no optimizer step changed it: a plain tensor is not among")
    assert out.endswith("change: make it a parameter:\n    self.gain = nn.Parameter(torch.ones(3))\n")


def test_command_leaves_the_programs_objects_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Objects that answer strangely when asked, a generator, and an exit code."""
    program = """
    import wengert as torch

    class Strange:
        def __getattr__(self, name):
            raise RuntimeError("not you")

        def __eq__(self, other):
            raise RuntimeError("nor you")

        __hash__ = None

    x = torch.tensor([1.0, 2.0], requires_grad=True)
    idle = torch.ones(3, requires_grad=True)
    strange = Strange()
    for loss in ((x * k).sum() for k in range(1, 3)):
        loss.backward()
    raise SystemExit(3)
    """
    code, out = why(program, tmp_path, capsys)
    assert code == 1
    assert out.startswith("idle.grad is None because no operation used idle at all")
    assert "program.py:14: idle = torch.ones(3, requires_grad=True)\nchange: use idle" in out


def test_8874_nan_that_a_hook_made() -> None:
    """Thread 18."""

    def spoil(g: Any) -> Any:
        return g / 0

    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with trace():
        y = x * 2
        y.register_hook(spoil)
        loss = y.sum()
    why = why_nan(loss)
    assert why.kind == "backward"
    assert why.sites[0].what == "a hook on y made its gradient infinite"
    assert source(why) == "def spoil(g: Any) -> Any:"
    x.register_hook(spoil)
    with trace():
        loss = (x * 2).sum()
    assert why_nan(loss).sites[0].what == "a hook on x made its gradient infinite"


def test_788_none_of_an_operation_that_has_no_derivative() -> None:
    """Thread 36."""
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    v = torch.tensor(1.0, requires_grad=True)
    with trace():
        loss = (torch.heaviside(w, torch.ones(2)) * v).sum()
    assert why_none(loss, w).kind == "not differentiable"
    with trace():
        places = torch.searchsorted(torch.tensor([0.0, 1.5]), w)
        other = (places * v).sum()
    why = why_none(other, w)
    assert (why.kind, source(why)) == ("argmax", "places = torch.searchsorted(torch.tensor([0.0, 1.5]), w)")
