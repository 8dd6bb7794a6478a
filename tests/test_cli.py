"""The command `wengert`: it runs scripts unchanged, explains them, and says clearly when it cannot."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from wengert.cli import main

PROGRAM = """
import sys
import wengert as torch
print("arguments", sys.argv[1:])
x = torch.tensor([1.0, 2.0], requires_grad=True)
for k in range(1, 4):
    loss = (x * k).sum()
    loss.backward()
"""


@pytest.fixture
def program(tmp_path: Path) -> str:
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    return str(file)


def test_explains_the_last_backward(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", program, "--", "--epochs", "3"]) == 0
    out = capsys.readouterr().out
    assert "arguments ['--epochs', '3']" in out
    assert "∇x = 3 · ∇v1 = 3 · [1, 1] = [3, 3]" in out
    assert "x.grad = [3, 3] + [3, 3] = [6, 6]" in out
    assert "\x1b[" not in out


def test_step_chooses_a_backward(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", program, "--step", "1"]) == 0
    assert "x.grad = [1, 1]\n" in capsys.readouterr().out
    assert main(["explain", program, "--step", "9"]) == 1
    assert "called backward() 3 times; there is no backward number 9" in capsys.readouterr().err
    assert main(["explain", program, "--step", "0"]) == 2
    assert "--step counts from 1" in capsys.readouterr().err


def test_node_shows_one_step_with_the_rule_of_its_row(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", program, "--node", "1"]) == 0
    out = capsys.readouterr().out
    assert "program.py:7: loss = (x * k).sum()" in out
    assert "recorded as MulBackward0" in out
    assert main(["explain", program, "--node", "7"]) == 2
    assert "no step 7 in this pass: it has the steps 1 to 2" in capsys.readouterr().err


def test_colour_only_where_wanted(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rich")
    assert main(["explain", program, "--color", "always"]) == 0
    assert "\x1b[" in capsys.readouterr().out


def test_width_is_kept(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", program, "--width", "70"]) == 0
    shown = capsys.readouterr().out.splitlines()[1:]
    assert max(map(len, shown)) <= 70


def test_limit(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", program, "--limit", "1"]) == 0
    out = capsys.readouterr().out
    assert "... 1 steps before these" in out
    assert "... 1 more steps" in out


def test_json_is_alone_on_standard_output(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", program, "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["schema"] == "wengert-ledger/1"
    assert "arguments []" in captured.err
    assert main(["explain", program, "--tex"]) == 0
    assert r"\nabla x &= 3 \cdot \nabla v_{1}" in capsys.readouterr().out
    assert main(["explain", program, "--markdown"]) == 0
    assert "| 1 | `∇x = 3 · ∇v1` | [3, 3] |" in capsys.readouterr().out


def test_a_picture_is_the_same_every_time(program: str, tmp_path: Path) -> None:
    pytest.importorskip("rich")
    pictures = [tmp_path / "a.svg", tmp_path / "b.svg"]
    for picture in pictures:
        assert main(["explain", program, "--svg", str(picture)]) == 0
    assert pictures[0].read_bytes() == pictures[1].read_bytes()
    assert "∇x" in pictures[0].read_text()
    assert "url(" not in pictures[0].read_text().replace("url(#", "")


def test_a_script_that_raises(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "broken.py"
    file.write_text("1 / 0\n")
    assert main(["explain", str(file)]) == 1
    err = capsys.readouterr().err
    assert "ZeroDivisionError: division by zero" in err
    assert "broken.py raised ZeroDivisionError before any backward() ran; nothing to explain" in err
    assert "cli.py" not in err
    file.write_text(PROGRAM + "raise ValueError('late')\n")
    assert main(["explain", str(file)]) == 1
    captured = capsys.readouterr()
    assert "x.grad = [3, 3] + [3, 3]" in captured.out
    assert "broken.py raised ValueError; this is the last backward before it" in captured.err


def test_a_script_without_backward(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "quiet.py"
    file.write_text("import wengert\nwengert.ones(2)\n")
    assert main(["explain", str(file)]) == 1
    assert "it never called backward(), so there is nothing to explain" in capsys.readouterr().err


def test_files_that_are_no_scripts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(tmp_path / "missing.py")]) == 2
    assert "missing.py: No such file or directory" in capsys.readouterr().err
    file = tmp_path / "text.py"
    file.write_text("no python here")
    assert main(["explain", str(file)]) == 2
    assert "is no Python script" in capsys.readouterr().err


def test_exit_of_the_script_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "stops.py"
    file.write_text(PROGRAM + "sys.exit()\n")
    assert main(["explain", str(file)]) == 0
    assert "x.grad" in capsys.readouterr().out


def test_the_script_is_main_and_can_import_its_neighbours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "neighbour_of_script.py").write_text("factor = 4\n")
    file = tmp_path / "script.py"
    file.write_text(
        "import wengert as torch\nfrom neighbour_of_script import factor\n"
        "if __name__ == '__main__':\n    x = torch.tensor(1., requires_grad=True)\n    (x * factor).backward()\n"
    )
    assert main(["explain", str(file)]) == 0
    assert "x.grad = 4" in capsys.readouterr().out


def test_wrong_usage() -> None:
    with pytest.raises(SystemExit) as stop:
        main(["explain"])
    assert stop.value.code == 2


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "explain" in capsys.readouterr().out


def test_without_rich_everything_is_plain(program: str) -> None:
    code = "import sys; sys.modules['rich'] = None; from wengert.cli import main; main(sys.argv[1:])"
    out = subprocess.run(
        [sys.executable, "-c", code, "explain", program, "--color", "always"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "x.grad = [3, 3] + [3, 3] = [6, 6]" in out.stdout
    assert "\x1b[" not in out.stdout
    assert out.stderr == ""


def test_the_example_of_the_readme_fits_one_screen(capsys: pytest.CaptureFixture[str]) -> None:
    example = Path(__file__).parent.parent / "examples" / "five_lines.py"
    assert main(["explain", str(example)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 100
    assert "∇w = sum(∇v1 · x) = sum([0.1411, -0.2794, -0.5366] · [0.5, 1, 2]) = -1.282" in "\n".join(lines)


def test_demo_reads_digits_and_explains_a_step(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo"]) == 0
    out = capsys.readouterr().out
    score = re.search(r"([\d.]+)% of 360 unseen digits are read correctly", out)
    assert score is not None
    assert float(score[1]) >= 96
    assert "∇0.weight = ∇v3ᵀ @ images" in out
    assert "∇scores = ∇v6 - exp(v6) · sum(∇v6, dim=1, keepdim=True)" in out
    assert "\x1b[" not in out


def test_demo_wants_an_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--epochs", "0"]) == 2
    assert "--epochs must be at least 1" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(("rows", "paged"), [(10, True), (60, False)])
def test_a_ledger_longer_than_the_terminal_is_paged(tmp_path: Path, rows: int, paged: bool) -> None:
    import pty

    script = tmp_path / "p.py"
    script.write_text(
        "import wengert as torch\nx = torch.ones(2, requires_grad=True)\n(x.sin() * x).sum().backward()\n"
    )
    pager = tmp_path / "pager"
    pager.write_text(f"#!/bin/sh\ncat > {tmp_path}/paged\n")
    pager.chmod(0o755)
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PAGER": str(pager), "LINES": str(rows), "COLUMNS": "100", "TERM": "xterm"}
    done = subprocess.run(
        [sys.executable, "-m", "wengert.cli", "explain", str(script)],
        stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, env=environment, timeout=60, check=False,
    )  # fmt: skip
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "paged").exists() == paged
    if paged:
        assert "Backward" in (tmp_path / "paged").read_text(encoding="utf-8")
