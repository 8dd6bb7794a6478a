"""How things are timed: rounds in which the libraries take turns, medians, ratios; whole processes for memory."""

from __future__ import annotations

import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Collection
from typing import Any

from .program import Step

PAUSE = 0.15  # seconds: the threads of the library that had its turn (BLAS's, OpenMP's) go on spinning for 0.1 s
WARM = 0.1  # seconds: a core that had nothing to do wakes up, which takes 0.05 s here
TURN = 0.02  # seconds that are timed at least


def interleave(
    turns: dict[str, list[Step]], seconds: float, clean: bool = False, seldom: Collection[str] = ()
) -> dict[str, list[float]]:
    """Median seconds of each of the steps of each library, the libraries taking turns in every round, for about `seconds`.

    Programs run steps one after another, and so does a turn: after the pause the first step is run without being timed for
    `WARM`, then each as often as fills `TURN`.
    `clean`: what one leaves for the collector is collected before the next begins, which would pay for it otherwise.
    `seldom`: libraries that are not compared to the last digit, and have their turn in every third round alone.
    """
    repeat: dict[str, list[int]] = {}
    warms: dict[str, bool] = {}
    per_round = 0.0
    for name, steps in turns.items():
        taken = [min(_seconds(step) for _ in range(2)) for step in steps]
        taken = [_seconds(step) if t < 1 else t for step, t in zip(steps, taken, strict=True)]
        repeat[name] = [max(1, round(TURN / t)) for t in taken]
        warms[name] = not clean and taken[0] < 10 * WARM  # a long step is hardly the longer for the core's waking
        turn = PAUSE + max(WARM, taken[0]) * warms[name] + sum(max(TURN, t) for t in taken)
        per_round += turn / 3 if name in seldom else turn
    times: dict[str, list[list[float]]] = {name: [[] for _ in steps] for name, steps in turns.items()}
    for at in range(max(3, min(31, round(seconds / per_round)))):
        for name, steps in turns.items():
            if name in seldom and at % 3:
                continue
            if clean:
                gc.collect()
            time.sleep(PAUSE)
            warm = time.perf_counter() + WARM
            while warms[name] and time.perf_counter() < warm:
                steps[0]()
            for step, n, into in zip(steps, repeat[name], times[name], strict=True):
                into.append(_seconds(step, n) / n)
    return {name: [statistics.median(t) for t in each] for name, each in times.items()}


def _seconds(step: Step, times: int = 1) -> float:
    start = time.perf_counter()
    for _ in range(times):
        step()
    return time.perf_counter() - start


def run_python(code: str) -> dict[str, Any]:
    """Run code in a fresh interpreter; it prints one JSON object."""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    return json.loads(out.stdout.strip().splitlines()[-1])


LONG_CHAIN = """
import json, time
from benchmarks.memory import resident
import {module} as lib
base = resident()["VmHWM"]
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
print(json.dumps({{"seconds": run, "free": free, "MB": resident()["VmHWM"] - base, "grad": x.grad.item()}}))
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
