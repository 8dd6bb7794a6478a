"""docs/explain.md: what it shows is printed, what it promises is tested; exports are what its schema says."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

import wengert as torch
from test_explain import last
from test_explain_parts import HEAD, run_document
from test_thirty_programs import ALL
from wengert import explain
from wengert.explain import export

jsonschema = pytest.importorskip("jsonschema", reason="needs jsonschema, of the extra `test`")

DOCS = Path(__file__).parents[1] / "docs"
DOCUMENT = (DOCS / "explain.md").read_text(encoding="utf-8")
SCHEMA = json.loads((DOCS / "explain.schema.json").read_text(encoding="utf-8"))


# -- the document ------------------------------------------------------------------------------------------------------


def test_the_document_shows_what_is_printed() -> None:
    shown = re.findall(r"```python\n.*?```\n(?:\n```text\n(.*?)\n```\n)?", DOCUMENT, flags=re.DOTALL)
    assert run_document(DOCUMENT) == shown


def names_in(file: str) -> set[str]:
    tree = ast.parse((Path(__file__).parent / f"{file}.py").read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_each_of_the_44_threads_is_answered_by_a_test_that_exists() -> None:
    rows = re.findall(r"^\| (\d+) \|(.*)$", DOCUMENT, flags=re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 45))
    for _, row in rows:
        named = re.findall(r"`(test_\w+)::(test_\w+)`", row)
        for file, test in named:
            assert test in names_in(file), f"{file}::{test}"
        for entry in re.findall(r"gallery: (\w+) \|", row):
            assert entry == "all" or (DOCS / "gallery" / f"{entry}.html").exists(), entry
        assert named or "gallery" in row or "RESULTS.md" in row or "not about seeing" in row


def test_links_lead_somewhere() -> None:
    headings = {
        re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in re.findall("^#+ (.*)$", DOCUMENT, re.M)
    }
    for link in re.findall(r"\]\(([^)]+)\)", DOCUMENT):
        assert link.removeprefix("#") in headings if link.startswith("#") else (DOCS / link).exists(), link


# -- the schema --------------------------------------------------------------------------------------------------------


def problems(data: Any) -> list[str]:
    return [
        f"{list(e.absolute_path)}: {e.message[:200]}" for e in jsonschema.Draft202012Validator(SCHEMA).iter_errors(data)
    ]


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["title"] == export.SCHEMA == SCHEMA["properties"]["schema"]["const"]


@pytest.mark.parametrize("name", ALL)
def test_exports_are_what_the_schema_says(name: str, tmp_path: Path) -> None:
    data = json.loads(export.to_json(last(HEAD + ALL[name] + "\nloss.backward()\n", tmp_path).ledger))
    assert problems(data) == []
    known = {v["id"] for v in data["values"]}
    assert len(known) == len(data["values"])
    steps = {s["step"] for s in data["forward"]}
    for s in data["forward"]:
        assert known.issuperset([*s["arguments"], *s["results"]])
    for b in data["backward"]:
        assert b["step"] in steps
        assert known.issuperset([*b["outputs"], *(t["target"] for t in b["terms"])])
    assert known.issuperset([data["root"], *(g["value"] for g in data["gradients"])])


def test_numbers_that_json_has_not_and_summaries(tmp_path: Path) -> None:
    x = torch.tensor([0.0, 1.0], requires_grad=True)
    big = torch.zeros(100, requires_grad=True)
    data = export.to_data(explain(torch.sqrt(x).sum() + big.log().sum()).ledger)
    assert problems(data) == []
    numbers = [t["value"] for b in data["backward"] for t in b["terms"]]
    assert any(n.get("value") == ["inf", 0.5] and n.get("not_finite") == 1 for n in numbers)
    assert any("value" not in n and n.get("not_finite") == 100 for n in numbers)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda d: d.update(schema="wengert-ledger/0"), "was expected"),
        (lambda d: d.pop("values"), "required"),
        (lambda d: d["backward"][0].update(extra=1), "unexpected"),
        (lambda d: d["values"][0].update(id=3), "is not of type 'string'"),
        (lambda d: d["gradients"][0]["gradient"].update(min=1.0), "dependency"),
    ],
)
def test_what_is_not_a_ledger_is_refused(spoil: Any, message: str) -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    data = export.to_data(explain((x * x).sum()).ledger)
    spoil(data)
    assert problems(data) != []
    assert any(message in p or "not valid under any of the given schemas" in p for p in problems(data))
