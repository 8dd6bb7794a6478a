"""How much memory a training step takes at most, in a process of its own: `timing.run_python` runs `CODE` there."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path
from typing import Any

from .models import MODELS
from .program import Workload
from .timing import run_python
from .workloads import LARGE_NETWORK

MEASURED: dict[str, Workload] = {name: w for name, w in {**LARGE_NETWORK, **MODELS}.items() if w.memory}

CODE = """
import json
import {module} as lib
from benchmarks import memory
lib.set_num_threads(2)
print(json.dumps({{"MB": memory.of_a_step(memory.MEASURED[{name!r}](lib))}}))
"""


def peak_of_step(module: str, name: str) -> float:
    """MB that a step of the workload takes at most beyond what the program has between steps.

    All code is in memory before: PyTorch's at its import, Wengert's compiled loops from the first step on (WENGERT_NUMBA=1).
    """
    return run_python(CODE.format(module=module, name=name))["MB"]


def of_a_step(step: Any, warm: int = 3, steps: int = 5) -> float:
    """The same, in this process. What stays is model, data, state of the optimiser and code; gradients and what was freed
    are given back to the system before it is measured."""
    for _ in range(warm):
        step()
    for x in step.leaves:
        x.grad = None
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = resident()["VmRSS"]
    for _ in range(steps):
        step()
    return resident()["VmHWM"] - before


def resident() -> dict[str, float]:
    """MB that the process has in memory (`VmRSS`), and the most that it had (`VmHWM`). Linux.

    Not `ru_maxrss`: that of a new process begins with what the process had that started it.
    """
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    return {cells[0].rstrip(":"): int(cells[1]) / 1024 for cells in lines if cells[0] in ("VmRSS:", "VmHWM:")}
