"""How things are timed: rounds in which the libraries take turns, medians, ratios; whole processes for memory."""

from __future__ import annotations

import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

PAUSE = 0.15  # seconds: the threads of the library that had its turn (BLAS's, OpenMP's) go on spinning for 0.1 s
WARM = 0.1  # seconds: a core that had nothing to do wakes up, which takes 0.05 s here
TURN = 0.02  # seconds that are timed at least


def interleave(steps: dict[str, Callable[[], Any]], rounds: int, clean: bool = False) -> dict[str, float]:
    """Median seconds of one step of each, the libraries taking turns in every round.

    Programs run steps one after another, and so does a turn: after the pause steps are run without being timed for `WARM`,
    then as many as fill `TURN`.
    `clean`: what one leaves for the collector is collected before the next begins, which would pay for it otherwise.
    """
    repeat = {}
    for name, step in steps.items():
        for _ in range(3):
            start = time.perf_counter()
            step()
        repeat[name] = max(1, round(TURN / (time.perf_counter() - start)))
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            if clean:
                gc.collect()
            time.sleep(PAUSE)
            warm = time.perf_counter() + WARM
            while not clean and time.perf_counter() < warm:
                step()
            start = time.perf_counter()
            for _ in range(repeat[name]):
                step()
            times[name].append((time.perf_counter() - start) / repeat[name])
    return {name: statistics.median(t) for name, t in times.items()}


def run_python(code: str) -> dict[str, Any]:
    """Run code in a fresh interpreter; it prints one JSON object."""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    return json.loads(out.stdout.strip().splitlines()[-1])


LONG_CHAIN = """
import json, resource, time
import {module} as lib
base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
x = lib.tensor(1.0, requires_grad=True)
start = time.perf_counter()
y = x
for _ in range({n}):
    y = y.sin()
y.backward()
run = time.perf_counter() - start
start = time.perf_counter()
del y
free = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({{"seconds": run, "free": free, "MB": (peak - base) / 1024, "grad": x.grad.item()}}))
"""


def long_chain(module: str, n: int) -> dict[str, Any]:
    """A chain of `n` operations: seconds forward and backward, seconds to free it, peak memory it took."""
    return run_python(LONG_CHAIN.format(module=module, n=n))


def import_seconds(module: str, repeat: int = 7) -> float:
    """Seconds that `import module` takes in a fresh interpreter, NumPy having been imported before."""
    code = (
        f"import numpy, time, json; s = time.perf_counter(); import {module}; "
        "print(json.dumps({'s': time.perf_counter() - s}))"
    )
    return statistics.median(run_python(code)["s"] for _ in range(repeat))
