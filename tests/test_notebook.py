"""What a notebook shows; one test runs a real notebook where nbclient and ipykernel (extra `page`) are installed."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

import wengert as torch
from test_explain import LINEAR, last
from wengert import explain


def parsed(html: str) -> Any:
    """The HTML as XML: it must be well formed."""
    return ET.fromstring("<div>" + re.sub(r"=(\w+)(?=[ >])", r'="\1"', html).replace("<br>", "<br/>") + "</div>")


def test_an_explanation_shows_its_graph_and_tables(tmp_path: Path) -> None:
    explanation = last(LINEAR, tmp_path)
    html = explanation._repr_html_()
    root = parsed(html)
    assert root.find(".//{http://www.w3.org/2000/svg}svg") is not None
    assert "<script" not in html
    said = "".join(root.itertext())
    assert "2 of 2: ∇error = [0, 0.3333, 0]" in said
    assert "loss = 0.08333" in said


def test_a_ledger_shows_its_tables_and_its_latex(tmp_path: Path) -> None:
    ledger = last(LINEAR, tmp_path).ledger
    assert parsed(ledger._repr_html_()).findall(".//table")
    tex = ledger._repr_latex_()
    assert tex.count("$$") == 4
    assert tex.count(r"\begin{aligned}") == tex.count(r"\end{aligned}") == 2
    assert r"\nabla w &= \sum \nabla v_{1} \cdot x" in tex


def test_a_node_shows_its_rule_and_what_it_keeps() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    html = x.sin().grad_fn._repr_html_()
    said = "".join(parsed(html).itertext())
    assert "SinBackward0" in said
    assert "∇input=g·" in said.replace(" ", "")
    assert "[1, 2]" in said
    y = x.sin()
    y.sum().backward()
    assert "freed by backward()" in y.grad_fn._repr_html_()


def test_a_tensor_shows_its_text_and_where_it_comes_from() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    assert "2, float32, a leaf" in x._repr_html_()
    assert "made by MulBackward0" in (x * 2)._repr_html_()
    assert "&lt;MulBackward0&gt;" in (x * 2)._repr_html_()


def test_a_long_ledger_is_cut() -> None:
    x = torch.ones(1, requires_grad=True)
    y = x
    for _ in range(100):
        y = y * 2
    html = explain(y)._repr_html_()
    assert "… 40 more steps" in html
    assert html.count("<tr>") < 140


def test_in_a_real_notebook(tmp_path: Path) -> None:
    nbclient = pytest.importorskip("nbclient", reason="needs nbclient: pip install 'wengert[page]'")
    pytest.importorskip("ipykernel", reason="needs ipykernel: pip install 'wengert[page]'")
    import nbformat

    book = nbformat.v4.new_notebook()
    book.cells = [
        nbformat.v4.new_code_cell(
            "import wengert as torch\nfrom wengert import explain\nx = torch.tensor([0.5, 2.0], requires_grad=True)\n"
            "loss = x.sin().sum()"
        ),
        nbformat.v4.new_code_cell("explain(loss)"),
        nbformat.v4.new_code_cell("loss.grad_fn"),
        nbformat.v4.new_code_cell("x"),
    ]
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the kernel's own libraries
        nbclient.NotebookClient(book, timeout=60, kernel_name="python3", resources={}).execute()
    shown = [cell.outputs[0].data for cell in book.cells[1:]]
    assert "<svg" in shown[0]["text/html"]
    assert r"\nabla x &= \nabla v_{1} \cdot \cos x" in shown[0]["text/latex"].replace(r"\left(\cos x\right)", r"\cos x")
    assert "SumBackward0" in shown[1]["text/html"]
    assert "a leaf" in shown[2]["text/html"]
