"""`python -m tools.gallery`: runs the programs of examples/gallery and writes docs/gallery from what they did.

For each: a page to step through (HTML, one file), a picture (SVG), the mathematics (LaTeX), and in the index the
paragraph at the program's head. Nothing is written by hand but the programs.
"""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path

from wengert.cli import run_script
from wengert.explain import Explanation
from wengert.explain.export import to_latex
from wengert.explain.tracing import Trace

PROJECT = Path(__file__).parents[1]
PROGRAMS = PROJECT / "examples" / "gallery"
GALLERY = PROJECT / "docs" / "gallery"
ORDER = (
    "chain_rule", "broadcasting", "fan_in", "batch_norm", "cross_entropy", "attention", "lstm", "where_nan", "none_item",
    "gradient_penalty",
)  # fmt: skip

HEAD = """# Gallery

Ten small programs and what their backward passes do. Each has a page to step through (download it, or open it from a clone:
it is one file and needs no server), a picture of its graph in both directions, and its mathematics in LaTeX. All of it is
written by `python -m tools.gallery` from a run of the programs in [examples/gallery](../../examples/gallery).

In the pictures grey lines carry values forward, coloured lines carry gradients back: orange for positive, blue for
negative, purple for both signs, red for NaN or infinity. A box without ∇ was given no gradient.
"""


def explained(name: str) -> Explanation:
    """The last backward pass of a program."""
    trace = Trace(keep="last")
    here = os.getcwd()
    os.chdir(PROJECT)
    try:
        raised = run_script(str((PROGRAMS / f"{name}.py").relative_to(PROJECT)), [], trace)
    finally:
        os.chdir(here)
    if raised is not None:
        raise SystemExit(f"{name} raised {raised!r}")
    return trace.last


def said(name: str) -> tuple[str, str, str]:
    """(title, paragraph, code) of a program."""
    source = (PROGRAMS / f"{name}.py").read_text(encoding="utf-8")
    doc = ast.get_docstring(ast.parse(source)) or ""
    title, _, paragraph = doc.partition("\n\n")
    return title.rstrip("."), paragraph, source.split('"""\n\n', 1)[1]


def entry(name: str) -> str:
    title, paragraph, code = said(name)
    return (
        f"## {title}\n\n{paragraph}\n\n```python\n{code.rstrip()}\n```\n\n![The graph of {name}]({name}.svg)\n\n"
        f"[Step through it]({name}.html) · [its mathematics]({name}.tex) · "
        f"[the program](../../examples/gallery/{name}.py)\n"
    )


def files() -> dict[str, str]:
    """What docs/gallery should hold."""
    made = {"README.md": "\n".join([HEAD, *(entry(name) for name in ORDER)])}
    for name in ORDER:
        explanation = explained(name)
        made[f"{name}.html"] = explanation.html()
        made[f"{name}.svg"] = explanation.svg()
        made[f"{name}.tex"] = to_latex(explanation.ledger)
    return made


def main() -> int:
    GALLERY.mkdir(parents=True, exist_ok=True)
    made = files()
    for old in GALLERY.iterdir():
        if old.name not in made:
            old.unlink()
    for name, content in made.items():
        (GALLERY / name).write_text(content, encoding="utf-8", newline="\n")
    print(f"docs/gallery: {len(ORDER)} programs, largest page {max(len(v) for k, v in made.items()) // 1000} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
