"""Drawings of a ledger's graph: what is in them, that boxes do not overlap, that the same run gives the same bytes."""

from __future__ import annotations

import importlib
import pkgutil
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

import rows
import wengert as torch
import wengert.nn as nn
from test_explain import LINEAR, last
from test_printed_rules import SAMPLES, printed
from wengert import explain
from wengert.core.op import TABLE
from wengert.explain.drawing import Painter, colour
from wengert.explain.latex import latex, tex_name
from wengert.explain.mathml import mathml
from wengert.explain.recording import Shot

for module in pkgutil.iter_modules(rows.__path__):
    importlib.import_module(f"rows.{module.name}")


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 4), nn.ReLU())
        self.head = nn.Linear(4, 2)

    def forward(self, x: Any) -> Any:
        h = self.body(x)
        return self.head(h) * 2


def network() -> explain.Explanation:
    torch.manual_seed(0)
    net = Net()
    x = torch.ones(5, 3)
    with explain.trace() as t:
        loss = net(x).square().sum()
        loss.backward()
    return t.last


def texts(svg: str) -> list[str]:
    return [e.text or "" for e in ET.fromstring(svg).iter() if e.tag.endswith("text")]


def test_a_picture_shows_values_gradients_and_what_is_saved(tmp_path: Path) -> None:
    svg = last(LINEAR, tmp_path).svg()
    found = texts(svg)
    for expected in ("error = v2 - y", "[0, 0.5, 0]", "∇ [0, 0.3333, 0]", "∇ 0.6667", "keeps x", "keeps error"):
        assert expected in found
    assert "data-" not in svg
    assert "<script" not in svg


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    assert last(LINEAR, tmp_path).svg() == last(LINEAR, tmp_path).svg()
    assert network().html() == network().html()


def test_what_has_not_run_is_blank_and_zero_is_not(tmp_path: Path) -> None:
    svg = last(
        """
        import wengert as torch
        x = torch.tensor([-1.0, -2.0], requires_grad=True)
        c = torch.tensor([1.0, 2.0])
        d = c * 2
        loss = (torch.relu(x) * d).sum()
        loss.backward()
        """,
        tmp_path,
    ).svg()
    boxes = {
        box.find("{*}text").text: [e.text for e in box.findall("{*}text")]  # type: ignore[union-attr]
        for box in ET.fromstring(svg).findall("{*}g")
    }
    assert "∇ [0, 0]" in boxes["x"]
    assert not any("∇" in (line or "") for line in boxes["d = 2 · c"])
    assert 'class="z"' in svg


def test_module_calls_are_scopes_that_can_be_drawn_as_boxes() -> None:
    explanation = network()
    labels = [s.label for s in Painter(explanation.ledger).tree]
    assert labels == ["loss", "Net", "body"]
    folded = texts(explanation.svg(detail=False))
    assert "Net" in folded
    assert "6 steps" in folded
    assert any("tanh(" in said for said in texts(explanation.svg(detail=True)))


def test_how_parameters_got_their_first_values_is_not_drawn() -> None:
    torch.manual_seed(0)
    with explain.trace() as t:
        net = nn.Linear(2, 2)
        net(torch.ones(1, 2)).sum().backward()
    assert not any("uniform" in said or "copy" in said for said in texts(t.last.svg()))


def test_when_no_trace_is_on_the_call_of_a_module_takes_the_short_road() -> None:
    before = nn.Module._hooks
    with explain.trace():
        assert nn.Module._hooks is not None
    assert nn.Module._hooks is before


def test_a_module_that_raises_leaves_no_scope_open() -> None:
    class Bad(nn.Module):
        def forward(self, x: Any) -> Any:
            raise KeyError("no")

    x = torch.ones(2, requires_grad=True)
    with explain.trace() as t:
        with pytest.raises(KeyError, match="no"):
            Bad()(x)
        (x * 2).sum().backward()
    assert [s.label for s in Painter(t.last.ledger).tree] == ["loss"]


def test_boxes_do_not_overlap_and_lines_go_down() -> None:
    torch.manual_seed(1)
    xs = [torch.randn(2, requires_grad=True) for _ in range(6)]
    with explain.trace() as t:
        made = list(xs)
        for k in range(30):
            made.append(made[(k * 7) % len(made)] * made[(k * 5 + 3) % len(made)])
        loss = torch.stack(made).sum()
        loss.backward()
    painter = Painter(t.last.ledger)
    d, _ = painter.drawing(painter.tree[0], True)
    for i, a in enumerate(d.boxes):
        assert a.x - a.width / 2 >= 0
        assert a.y - a.height / 2 >= 0
        assert a.x + a.width / 2 <= d.width
        assert a.y + a.height / 2 <= d.height
        for b in d.boxes[:i]:
            apart = abs(a.x - b.x) * 2 >= a.width + b.width or abs(a.y - b.y) * 2 >= a.height + b.height
            assert apart, (a.value and a.value.name, b.value and b.value.name)
    for e in d.edges:
        assert d.boxes[e.source].layer < d.boxes[e.target].layer
        heights = [y for _, y in e.points]
        assert heights == sorted(heights)


def test_a_long_program_is_gathered_into_scopes_of_bounded_width() -> None:
    x = torch.ones(1, requires_grad=True)
    with explain.trace() as t:
        y = x
        for _ in range(400):
            y = y * 1.01
            y = y.sin()
            y = y + 1
        y.sum().backward()
    tree = Painter(t.last.ledger).tree
    assert max(len(s.entries) for s in tree) <= 48
    covered = sorted(e for s in tree for e in s.entries if isinstance(e, int))
    assert covered == list(range(1201))
    assert any(s.kind == "loop" and s.label.startswith("round") for s in tree)


@pytest.mark.parametrize(
    ("array", "kind"),
    [([1.0, 2.0], "p"), ([-1.0, 0.0], "n"), ([1.0, -1.0], "m"), ([0.0, 0.0], "z"), ([float("nan"), 1.0], "x")],
)
def test_colours_say_the_sign(array: list[float], kind: str) -> None:
    assert colour(Shot(torch.tensor(array).numpy()))[0] == kind


def test_darker_is_larger() -> None:
    weights = [colour(Shot(torch.tensor([10.0**k]).numpy()))[1] for k in range(-7, 3)]
    assert weights == sorted(weights)
    assert len(set(weights)) == len(weights)


def test_every_printed_rule_becomes_mathml() -> None:
    count = 0
    for name, i in SAMPLES:
        try:
            rules = printed(name, i)[2]
        except pytest.skip.Exception:  # no differentiable output for this sample
            continue
        for rule in rules:
            if rule is not None:
                made = mathml(latex(rule))
                assert "\\" not in made, (name, i)
                ET.fromstring("<math>" + re.sub(r"=(\w+)(?=[ >])", r'="\1"', made) + "</math>")
                count += 1
    assert count > 900


def test_every_rows_own_formula_becomes_mathml() -> None:
    for op in TABLE.values():
        if op.tex:
            filled = op.tex.format_map({p.name: "x" for p in op.params} | {"y": "y", "rstd": "r"})
            assert mathml(filled)


def test_a_name_that_several_values_share_has_an_index() -> None:
    assert tex_name("y₁₂") == "{y}_{12}"
    assert tex_name("∇gates₁") == r"\nabla {\mathrm{gates}}_{1}"


def test_mathml_of_the_pieces() -> None:
    assert mathml(r"\frac{x}{2}") == "<mfrac><mrow><mi>x</mi></mrow><mrow><mn>2</mn></mrow></mfrac>"
    assert mathml("x_{1}^{2}") == "<msubsup><mi>x</mi><mrow><mn>1</mn></mrow><mrow><mn>2</mn></mrow></msubsup>"
    assert "<mtable>" in mathml(r"\begin{cases} x & a > 0 \\ 0 & \text{else} \end{cases}")
    with pytest.raises(ValueError, match=r"\\unknown is not known"):
        mathml(r"\unknown x")
