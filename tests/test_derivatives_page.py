"""What the table of derivatives says can be read: every row has a formula, and no rule says a long thing twice."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from wengert.core.op import TABLE
from wengert.explain.notation import text
from wengert.explain.symbols import Name, value_of

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools import derivatives

ROWS = [
    [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    for line in derivatives.PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("| `")
]


def test_every_row_is_whole() -> None:
    assert len(ROWS) > 300
    for row in ROWS:
        assert len(row) == 6, row[0]
        operation, formula, rule, forward, saved, _ = row
        assert formula, operation
        assert rule.startswith("`∇"), operation
        assert forward, operation
        assert saved, operation


def test_no_rule_is_longer_than_what_can_be_read() -> None:
    for operation, _, rule, *_ in ROWS:
        assert len(rule) < 400, operation
        assert " object at " not in rule, operation
        assert "lambda" not in rule, operation


def test_a_part_that_is_said_twice_has_a_name() -> None:
    x = Name("x", np.ones(3))
    long = TABLE["exp"].function(x * 2 + 1)
    found, parts = derivatives.shared([long / (1 + long), long * x], text)
    assert [text(r) for r in found] == ["u / (1 + u)", "u · x"]
    assert parts == [("u", "exp(2 · x + 1)")]
    assert np.allclose(value_of(found[1]), np.exp(3))


def test_names_of_parts_are_not_those_of_the_row() -> None:
    u = Name("u", np.ones(3))
    long = TABLE["exp"].function(u * 3 + u * u + 1)
    _, parts = derivatives.shared([long / (1 + long), long], text)
    assert [n for n, _ in parts] == ["v"]


@pytest.mark.parametrize(
    ("make", "shown"),
    [
        (lambda x, y: ~(x <= y), "x > y"),
        (lambda x, y: ~(x > 0), "x ≤ 0"),
        (lambda x, y: ~(x == y), "x ≠ y"),
        (lambda x, y: x != x, "isnan(x)"),
        (lambda x, y: -x / y / y, "-x / y²"),
        (lambda x, y: TABLE["slice"].function(x, 0, 1, 3, 1), "x[1:3]"),
        (lambda x, y: TABLE["slice"].function(x, -1, None, -1, 2), "x[:, :-1:2]"),
        (lambda x, y: TABLE["slice"].function(x, 1, 0, 3, 1), "x"),
    ],
)
def test_how_it_is_written(make, shown: str) -> None:
    assert text(make(Name("x", np.ones((4, 3))), Name("y", np.ones((4, 3))))) == shown
