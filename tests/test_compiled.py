"""Compiled loops are kept on disk; a broken place to keep them costs a warning and no result."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="numba is not installed")

CODE = """
import wengert as torch
x = torch.ones(200000, requires_grad=True)
y = torch.nn.functional.layer_norm(x, (200000,)) + torch.gather(x.reshape(400, 500), 1, torch.zeros(400, 500).long()).reshape(-1)
y.sum().backward()
print(y.sum().item(), x.grad.reshape(400, 500)[:, 0].sum().item())
"""


def run(cache: Path, **more: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "WENGERT_NUMBA": "1", "PYTHONWARNINGS": "always", **more}
    done = subprocess.run([sys.executable, "-c", CODE], env=env, capture_output=True, text=True)
    assert done.stdout.split() == ["200000.0", "200000.0"], done.stderr
    return done


def test_loops_are_compiled_once_and_what_is_broken_is_done_without(tmp_path: Path) -> None:
    assert "is compiled again" not in run(tmp_path).stderr
    kept = sorted(tmp_path.rglob("*.nbi"))
    assert any("rows_norm" in p.name for p in kept)
    assert any("take_at" in p.name for p in kept)
    times = [p.stat().st_mtime_ns for p in kept]
    assert "warn" not in run(tmp_path).stderr.lower()
    assert [p.stat().st_mtime_ns for p in kept] == times
    for p in kept:
        p.write_bytes(b"not what Numba wrote")
    told = run(tmp_path).stderr
    assert told.count("Numba could not compile rows_norm, NumPy computes instead") == 1
    assert told.count("Numba cannot keep loops on disk, they are compiled again each time") == 1


def test_numba_is_not_asked_where_the_user_said_so(tmp_path: Path) -> None:
    run(tmp_path, WENGERT_NUMBA="0")
    assert not list(tmp_path.rglob("*.nbi"))
