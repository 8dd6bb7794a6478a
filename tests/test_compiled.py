"""Compiled loops are kept on disk; a broken place to keep them costs a warning and no result."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import wengert
from wengert.kernels import compiled

pytestmark = pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="numba is not installed")

CODE = """
import wengert as torch
x = torch.ones(400, 500)
print(torch.nn.functional.layer_norm(x * 3, (500,)).sum().item(), torch.gather(x, 1, torch.zeros(400, 500).long()).sum().item())
"""


def start(cache: Path, before: str = "", **more: str) -> subprocess.Popen[str]:
    env = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "WENGERT_NUMBA": "1", "PYTHONWARNINGS": "always", **more}
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", before + CODE], env=env, stdout=pipe, stderr=pipe, text=True)


def end(process: subprocess.Popen[str]) -> str:
    """What it said on the way to the right numbers."""
    out, told = process.communicate()
    assert out.split() == ["0.0", "200000.0"], told
    return told


def run(cache: Path, before: str = "", **more: str) -> str:
    return end(start(cache, before, **more))


def test_loops_are_compiled_once_and_what_is_broken_is_done_without(tmp_path: Path) -> None:
    assert "Numba could not" not in run(tmp_path)
    kept = sorted(tmp_path.rglob("*.nbi"))
    assert any("rows_norm" in p.name for p in kept)
    assert any("take_at" in p.name for p in kept)
    times = [p.stat().st_mtime_ns for p in kept]
    assert run(tmp_path) == ""
    assert [p.stat().st_mtime_ns for p in kept] == times
    for p in kept:
        p.write_bytes(b"not what Numba wrote")
    told = run(tmp_path)
    assert told.count("Numba could not compile rows_norm, NumPy computes instead") == 1
    assert told.count("Warning") == 1


def test_processes_that_compile_at_once_do_not_spoil_each_others_loops(tmp_path: Path) -> None:
    for process in [start(tmp_path) for _ in range(2)]:
        assert "Warning" not in end(process)
    assert run(tmp_path) == ""


READ_ONLY = """
import numba.core.caching as caching
def refuse(self):
    raise OSError(30, "Read-only file system")
caching._CacheLocator.ensure_cache_path = refuse
"""


def test_where_nothing_can_be_kept_one_warning_says_so_and_numpy_computes(tmp_path: Path) -> None:
    told = run(tmp_path, READ_ONLY)
    assert told.count("NumPy computes instead: cannot cache function") == 1
    assert told.count("Warning") == 1


def test_a_loop_whose_file_changed_is_compiled_anew(tmp_path: Path) -> None:
    home = Path(wengert.__file__).parent
    shutil.copytree(home, tmp_path / "wengert", ignore=shutil.ignore_patterns("__pycache__"))
    cache, path = tmp_path / "cache", {"PYTHONPATH": str(tmp_path)}
    run(cache, **path)
    before = {p: p.stat().st_mtime_ns for p in cache.rglob("*.nbi")}
    with (tmp_path / "wengert" / "kernels" / "row_loops.py").open("a") as file:
        file.write("\n# another version\n")
    assert "Warning" not in run(cache, **path)
    assert {p.name.split("-")[0] for p in before if p.stat().st_mtime_ns != before[p]} == {
        p.name.split("-")[0] for p in before if p.name.startswith("row_loops.")
    }


def test_compiling_is_announced_once_when_it_takes_more_than_a_second(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "_spent", 0.0)
    new, kept = (SimpleNamespace(stats=SimpleNamespace(cache_misses=m, cache_hits=1 - m)) for m in (1, 0))
    compiled._announce(kept, 9.0)
    compiled._announce(new, 0.6)
    assert not caplog.records
    compiled._announce(new, 0.6)
    compiled._announce(new, 0.6)
    (record,) = caplog.records
    assert record.name == "wengert"
    assert "compiling loops for this machine takes some seconds, once" in record.message


def test_numba_is_not_asked_where_the_user_said_so(tmp_path: Path) -> None:
    run(tmp_path, WENGERT_NUMBA="0")
    assert not list(tmp_path.rglob("*.nbi"))
