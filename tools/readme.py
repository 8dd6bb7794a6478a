"""`python -m tools.readme`: puts the transcript of the five-line example into README.md, from a run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[1]
README = PROJECT / "README.md"
_PLACE = re.compile(r"(<!-- transcript: wengert (.*?) -->\n).*?(<!-- /transcript -->)", re.DOTALL)


def _run(match: re.Match[str]) -> str:
    command = [sys.executable, "-m", "wengert.cli", *match[2].split()]
    shown = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True, encoding="utf-8").stdout
    return f"{match[1]}```\n{shown.rstrip()}\n```\n{match[3]}"


def readme() -> str:
    """README.md as it should be."""
    return _PLACE.sub(_run, README.read_text(encoding="utf-8"))


if __name__ == "__main__":
    README.write_text(readme(), encoding="utf-8")
