"""What looking costs: a run of 10,000 nodes plain, under a trace, explained; and what it costs not to look."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import wengert
from wengert import explain

Step = Callable[[], Any]


def program(nodes: int) -> Step:
    """The forward of a chain of so many nodes on three numbers, as a loop of the user's."""
    x = wengert.ones(3, requires_grad=True)

    def run() -> Any:
        y = x
        for _ in range(nodes // 2):
            y = y * 1.0001
            y = y.sin()
        return y.sum()

    return run


def plain(nodes: int) -> Step:
    run = program(nodes)
    return lambda: run().backward()


def traced(nodes: int) -> Step:
    """The run under a trace, and the ledger made of it."""
    run = program(nodes)

    def step() -> Any:
        with explain.trace() as t:
            run().backward()
        return t.last.ledger

    return step


def shown(nodes: int) -> Step:
    """The same, printed as a user sees it."""
    run = program(nodes)

    def step() -> Any:
        with explain.trace() as t:
            run().backward()
        return str(t.last)

    return step


def explained(nodes: int) -> Step:
    """The forward, plain, and `explain(loss)`, which runs backward for looking."""
    run = program(nodes)
    return lambda: explain(run()).ledger


# In a fresh process: the plain run before wengert.explain is imported, and after a trace has come and gone.
OFF = """
import json, statistics, sys, time
import wengert
x = wengert.ones(3, requires_grad=True)
def run():
    y = x
    for _ in range({nodes} // 2):
        y = y * 1.0001
        y = y.sin()
    y.sum().backward()
def seconds(rounds):
    times = []
    for _ in range(rounds):
        start = time.perf_counter(); run(); times.append(time.perf_counter() - start)
    return statistics.median(times)
seconds(3)
assert "wengert.explain" not in sys.modules
before = seconds({rounds})
from wengert import explain
with explain.trace():
    (x * 2).sum().backward()
explain((x * 2).sum())
print(json.dumps({{"before": before, "after": seconds({rounds})}}))
"""
