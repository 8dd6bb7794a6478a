"""`python -m benchmarks [NAME ...] [--only TEXT] [--quick] [--without-numba] [--write]`: print the table of ratios.

`--write` puts the rows of each group into RESULTS.md as soon as they are there, of a run without Numba the ratios alone,
beside the others. Needs the extra `conformance` (torch); with the extra `bench` JAX and HIPS autograd are timed too.
A ratio is another library's time over PyTorch's, medians of interleaved rounds in one process.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

import wengert

from . import memory, results, timing, workloads, workloads_explain, workloads_functional
from .adbench import ADBENCH
from .models import MODELS
from .operators import OPERATORS
from .program import Program, Step, Workload
from .results import BAR, COST, MOST, RATIO, THEIR_COST, Row, marked

SECONDS = 5.5  # for each row, about


class Options(argparse.Namespace):
    names: list[str]
    only: str
    quick: bool
    without_numba: bool
    write: bool

    @property
    def seconds(self) -> float:
        return 1.0 if self.quick else SECONDS

    def wants(self, row: str) -> bool:
        return re.search(self.only, row) is not None


def _time(s: float) -> str:
    return f"{s * 1e6:.2f} us" if s < 1e-3 else f"{s * 1e3:.2f} ms" if s < 1 else f"{s:.2f} s"


def _versus(name: str, ours: float, theirs: float, show: Callable[[float], str], bar: float | None = None) -> Row:
    row = {"workload": name, "Wengert": show(ours), "PyTorch": show(theirs), RATIO: marked(ours / theirs, bar)}
    return row if bar is None else {**row, BAR: f"{bar:g}"}


def _steps(program: Step) -> list[Step]:
    """The step, and the forward and the gradient, where the workload has them."""
    if not isinstance(program, Program):
        return [program]
    return [program, program.forward, program.gradient] if program.opt else [program, program.forward]


def _row(name: str, w: Workload, options: Options) -> Row:
    ours = w(wengert)
    turns = {"wengert": _steps(ours), "torch": _steps(w(torch))}
    if w.jax and find_spec("jax") and not options.without_numba:
        from . import in_jax

        turns["JAX"] = [in_jax.step_of(w.jax, w.options, ours)]
    if w.hips and find_spec("autograd") and not options.without_numba:
        turns["HIPS"] = [w.hips()]
    t = timing.interleave(turns, options.seconds, seldom=("JAX", "HIPS"))
    row = _versus(name, t["wengert"][0] / w.per, t["torch"][0] / w.per, _time, w.bar)
    row |= {f"{lib} / PyTorch": f"{t[lib][0] / t['torch'][0]:.2f}" for lib in ("JAX", "HIPS") if lib in t}
    if len(t["wengert"]) > 1:  # where there is no update, the step is the gradient
        row[COST], row[THEIR_COST] = (
            marked(t[lib][-1 if len(t[lib]) > 2 else 0] / t[lib][1], bar)
            for lib, bar in (("wengert", MOST), ("torch", None))
        )
    return row


def _suite(suite: dict[str, Workload]) -> Callable[[Options], list[Row]]:
    return lambda options: [_row(name, w, options) for name, w in suite.items() if options.wants(name)]


def long_chain(options: Options) -> list[Row]:
    """(d) a chain of a million nodes: time, freeing, peak memory, in processes of their own."""
    n = 100_000 if options.quick else 1_000_000
    shown = {
        "seconds": ("forward and backward", _time),
        "free": ("freeing", _time),
        "MB": ("peak memory", "{:.0f} MB".format),
    }
    names = {key: f"d: chain of {n:,} nodes, {label}" for key, (label, _) in shown.items()}
    if not any(map(options.wants, names.values())):
        return []
    ours, theirs = timing.long_chain("wengert", n), timing.long_chain("torch", n)
    return [_versus(name, ours[key], theirs[key], shown[key][1]) for key, name in names.items()]


def imports(options: Options) -> list[Row]:
    """(e) import time beyond NumPy's."""
    name = "e: import, beyond NumPy"
    if not options.wants(name):
        return []
    ours, theirs = (timing.import_seconds(m, 3 if options.quick else 5) for m in ("wengert", "torch"))
    return [_versus(name, ours, theirs, _time)]


def peaks(options: Options) -> list[Row]:
    """What a training step takes of memory."""
    wanted = {f"peak memory of a step: {name}": name for name in memory.MEASURED}
    rows = []
    for name, of in wanted.items():
        if options.wants(name):
            ours, theirs = (memory.peak_of_step(lib, of) for lib in ("wengert", "torch"))
            rows.append(_versus(name, ours, theirs, "{:.1f} MB".format, 1.0))
    return rows


def looking(options: Options) -> list[Row]:
    """What it costs to have 10,000 nodes explained, against the plain run; PyTorch has nothing to compare with."""
    nodes = 10_000
    if not options.wants(f"explain: {nodes:,} nodes"):
        return []
    steps = {
        "plain": workloads_explain.plain(nodes),
        "under trace(), with its ledger": workloads_explain.traced(nodes),
        "explain(loss), with its forward": workloads_explain.explained(nodes),
        "under trace(), and printed": workloads_explain.shown(nodes),
    }
    t = {
        name: s[0]
        for name, s in timing.interleave({k: [v] for k, v in steps.items()}, 4 * options.seconds, True).items()
    }
    plain = t.pop("plain")
    off = timing.run_python(workloads_explain.OFF.format(nodes=nodes, rounds=3 if options.quick else 10))
    found = {f"explain: {nodes:,} nodes, {name}": (s, plain, "plain") for name, s in t.items()}
    found["explain: off again, after use"] = off["after"], off["before"], "never used"
    return [
        {"workload": name, "Wengert": _time(s), "PyTorch": f"{than} {_time(base)}", RATIO: f"{s / base:.2f}"}
        for name, (s, base, than) in found.items()
    ]


ALL: dict[str, Callable[[Options], list[Row]]] = {
    "a": _suite(workloads.CHAINS),
    "b": _suite(workloads.SMALL_NETWORK),
    "c": _suite(workloads.LARGE_NETWORK),
    "d": long_chain,
    "e": imports,
    "operators": _suite(OPERATORS),
    "models": _suite(MODELS),
    "functional": _suite(workloads_functional.FUNCTIONAL),
    "adbench": _suite(ADBENCH),
    "memory": peaks,
    "explain": looking,
}


def versions() -> str:
    found = [f"Python {platform.python_version()}", f"NumPy {np.__version__}", f"PyTorch {torch.__version__}"]
    for name, package in (("Numba", "numba"), ("JAX", "jax"), ("HIPS autograd", "autograd")):
        try:
            found.append(f"{name} {version(package)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    return ", ".join(found) + ", 2 threads."


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which of {', '.join(ALL)} (default: all)")
    parser.add_argument("--only", default="", metavar="TEXT", help="rows whose name has it, a regular expression")
    parser.add_argument("--quick", action="store_true", help="few rounds: is it broken, not how fast is it")
    parser.add_argument("--without-numba", action="store_true", help="NumPy alone computes")
    parser.add_argument("--write", action="store_true", help="put the rows into benchmarks/RESULTS.md")
    options = parser.parse_args(argv, Options())
    unknown = [n for n in options.names if n not in ALL]
    if unknown:
        parser.error(f"no benchmark {unknown[0]!r}: choose from {', '.join(ALL)}")
    # As in a program that has run for a while: Numba is at work from the first call.
    os.environ["WENGERT_NUMBA"] = "0" if options.without_numba else "1"
    for lib in (torch, wengert):
        lib.set_num_threads(2)
    where = Path(__file__).with_name("RESULTS.md")
    found: list[Row] = []
    for name in options.names or ALL:
        rows = ALL[name](options)
        found += rows
        print(results.table(rows), flush=True)
        if options.write:
            results.write(where, versions(), rows, options.without_numba)
    if options.write:
        print(f"written to {where.name}")
    print("\n".join(["", "over the bar:", *results.missed(found)]) if results.missed(found) else "\nno bar is missed")


if __name__ == "__main__":
    main()
