"""Generated files are as their generators would write them today."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools import derivatives, readme, stubs


def test_the_stub_of_tensor_is_fresh() -> None:
    assert stubs.STUB.read_text(encoding="utf-8") == stubs.stub(), "run `python -m tools.stubs`"


def test_the_transcript_in_the_readme_is_what_the_command_prints() -> None:
    assert readme.README.read_text(encoding="utf-8") == readme.readme(), "run `python -m tools.readme`"


def test_the_table_of_derivatives_is_fresh() -> None:
    assert derivatives.PAGE.read_text(encoding="utf-8") == derivatives.page(), "run `python -m tools.derivatives`"
