"""The examples of CONTRIBUTING.md are the code, and short."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
PAGE = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
EXAMPLES = [
    (path, re.sub(r"(?m)^\+", "", added))
    for block in re.findall(r"```diff\n(.*?)```", PAGE, re.DOTALL)
    for path, added in re.findall(r"--- (\S+)\n((?:\+.*\n)+)", block)
]


def test_there_is_one_of_each_kind_and_their_test_rows() -> None:
    families = [path for path, _ in EXAMPLES if path.startswith("src/wengert/ops/")]
    assert len(families) == 3
    assert len(EXAMPLES) == 5


@pytest.mark.parametrize(("path", "added"), EXAMPLES, ids=[f"{p}-{a.split('(')[0]}" for p, a in EXAMPLES])
def test_the_example_stands_in_the_code(path: str, added: str) -> None:
    assert added in (PROJECT / path).read_text(encoding="utf-8")
    assert added.count("\n") < 10
