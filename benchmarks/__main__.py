"""`python -m benchmarks [NAME ...] [--quick] [--without-numba] [--write]`: print the table of ratios; `--write` puts it in
RESULTS.md, of a run without Numba the ratios alone, beside the others.

Needs the extras `conformance` (torch) and `bench` (HIPS autograd). A ratio is Wengert's time over PyTorch's, medians of
interleaved rounds in one process: below 1 Wengert is faster.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch

import wengert

from . import timing, workloads, workloads_explain, workloads_functional
from .adbench import ADBENCH
from .models import MODELS
from .operators import OPERATORS

Row = tuple[str, str, str, str, str]  # workload, wengert, torch, ratio, hips


def _seconds(s: float) -> str:
    return f"{s * 1e6:.2f} us" if s < 1e-3 else f"{s * 1e3:.2f} ms" if s < 1 else f"{s:.2f} s"


def _paired(name: str, make: Callable[[Any], Any], hips: Any, rounds: int, per: int = 1) -> Row:
    steps = {"wengert": make(wengert), "torch": make(torch)}
    if hips is not None:
        steps["hips"] = hips
    t = timing.interleave(steps, rounds)
    shown = {k: _seconds(v / per) for k, v in t.items()}
    hips_ratio = f"{t['hips'] / t['torch']:.2f}" if hips is not None else ""
    return (name, shown["wengert"], shown["torch"], f"{t['wengert'] / t['torch']:.2f}", hips_ratio)


def chains(rounds: int) -> list[Row]:
    """(a) 300 x (multiply, sin, add): time an operation, forward and backward."""
    return [
        _paired(
            f"a: chain of multiply, sin, add on {shape}, per operation",
            lambda lib, s=shape: workloads.chain(lib, s),
            workloads.chain_hips(shape),
            rounds,
            300,
        )
        for shape in ((), (100,))
    ]


def small_network(rounds: int) -> list[Row]:
    """(b) a 64-64-64-10 tanh network, batch 32, SGD step."""
    sizes = (64, 64, 64, 10)
    return [
        _paired(
            "b: 64-64-64-10 tanh, batch 32, SGD step",
            lambda lib: workloads.training_step(lib, sizes, 32, "Tanh", "SGD", 0.01),
            workloads.training_step_hips(sizes, 32, "Tanh", 0.01),
            rounds,
        )
    ]


def large_network(rounds: int) -> list[Row]:
    """(c) 784-512-512-10, batch 128, Adam step."""
    sizes = (784, 512, 512, 10)
    return [
        _paired(
            "c: 784-512-512-10 relu, batch 128, Adam step",
            lambda lib: workloads.training_step(lib, sizes, 128, "ReLU", "Adam", 1e-3),
            None,
            rounds,
        )
    ]


def long_chain(rounds: int) -> list[Row]:
    """(d) a chain of a million nodes: time, freeing, peak memory, in processes of their own."""
    n = 1_000_000 if rounds > 10 else 100_000
    ours, theirs = timing.long_chain("wengert", n), timing.long_chain("torch", n)
    rows = []
    for key, label in (("seconds", "forward and backward"), ("free", "freeing"), ("MB", "peak memory")):
        shown = [f"{r[key]:.0f} MB" if key == "MB" else _seconds(r[key]) for r in (ours, theirs)]
        rows.append((f"d: chain of {n:,} nodes, {label}", shown[0], shown[1], f"{ours[key] / theirs[key]:.2f}", ""))
    return rows


def imports(rounds: int) -> list[Row]:
    """(e) import time beyond NumPy's."""
    ours, theirs = (timing.import_seconds(m, 3 if rounds <= 10 else 7) for m in ("wengert", "torch"))
    return [("e: import, beyond NumPy", _seconds(ours), _seconds(theirs), f"{ours / theirs:.2f}", "")]


def _suite(makers: dict[str, Callable[[Any], Any]], rounds: int) -> list[Row]:
    """Each of a suite, with fewer rounds; what Wengert cannot run yet is a row too."""
    rows = []
    for name, make in makers.items():
        try:
            rows.append(_paired(name, make, None, max(3, rounds // 3)))
        except (AttributeError, NotImplementedError) as error:
            rows.append((name, f"not run: {error}", "", "", ""))
    return rows


def single_operators(rounds: int) -> list[Row]:
    """Operators at the sizes of real models, forward and backward."""
    return _suite(OPERATORS, rounds)


def training_steps(rounds: int) -> list[Row]:
    """Whole models."""
    return _suite(MODELS, rounds)


def adbench(rounds: int) -> list[Row]:
    """Objectives of ADBench with their gradients."""
    return _suite(ADBENCH, rounds)


def second_order(rounds: int) -> list[Row]:
    """Second derivatives and function transforms."""
    return _suite(
        {
            "functional: Hessian-vector product, 3-layer softplus network": workloads_functional.hessian_vector,
            "functional: func.hessian of 50-dim Rosenbrock": workloads_functional.full_hessian,
            "functional: vmap(grad) of 64-64-64-10 tanh, batch 32": workloads_functional.per_sample,
        },
        rounds,
    )


def looking(rounds: int) -> list[Row]:
    """What it costs to have 10,000 nodes explained, against the plain run; PyTorch has nothing to compare with."""
    nodes = 10_000
    steps = {
        "plain": workloads_explain.plain(nodes),
        "under trace(), with its ledger": workloads_explain.traced(nodes),
        "explain(loss), with its forward": workloads_explain.explained(nodes),
        "under trace(), and printed": workloads_explain.shown(nodes),
    }
    t = timing.interleave(steps, max(3, rounds // 3), clean=True)
    plain = t.pop("plain")
    rows = [
        (f"explain: {nodes:,} nodes, {name}", _seconds(s), f"plain {_seconds(plain)}", f"{s / plain:.2f}", "")
        for name, s in t.items()
    ]
    off = timing.run_python(workloads_explain.OFF.format(nodes=nodes, rounds=max(3, rounds // 3)))
    shown = [_seconds(off[k]) for k in ("after", "before")]
    ratio = f"{off['after'] / off['before']:.2f}"
    return [*rows, ("explain: off again, after use", shown[0], f"never used {shown[1]}", ratio, "")]


ALL = {
    "a": chains,
    "b": small_network,
    "c": large_network,
    "d": long_chain,
    "e": imports,
    "operators": single_operators,
    "models": training_steps,
    "functional": second_order,
    "adbench": adbench,
    "explain": looking,
}


def table(rows: Sequence[tuple[str, ...]]) -> str:
    head = ("workload", "Wengert", "PyTorch", "ratio", "HIPS / PyTorch", "ratio without Numba")
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    lines += ["| " + " | ".join((*r, "")[: len(head)]) + " |" for r in rows]
    return "\n".join(lines)


def write(where: Path, rows: list[Row], plain: bool = False) -> None:
    """Put the rows into the table; those of other workloads, and what is written below the table, stay.

    `plain`: the rows are of a run without Numba, whose ratios have a column of their own.
    """
    known: dict[str, tuple[str, ...]] = {}
    below: list[str] = []
    for line in where.read_text(encoding="utf-8").splitlines() if where.exists() else []:
        if line.startswith("| ") and not line.startswith("| workload"):
            cells = tuple(cell.strip() for cell in line.strip().strip("|").split("|"))
            known[cells[0]] = (*cells, "", "", "", "", "", "")[:6]
        elif known and not line.startswith("|"):
            below.append(line)
    for row in rows:
        before = known.get(row[0], (row[0], "", "", "", "", ""))
        known[row[0]] = (*before[:5], row[3]) if plain else (*row, before[5])
    where.write_text(
        "# Results\n\nWritten by `python -m benchmarks --write`. Medians of interleaved rounds in one process; a ratio below 1 "
        "means that Wengert is faster than PyTorch eager.\n\n"
        f"Python {platform.python_version()}, NumPy {np.__version__}, PyTorch {torch.__version__}, {_numba()}, 2 threads.\n\n"
        f"{table(list(known.values()))}\n" + "\n".join(below).rstrip() + "\n",
        encoding="utf-8",
    )


def _numba() -> str:
    try:
        return f"Numba {version('numba')}"
    except PackageNotFoundError:
        return "no Numba"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which of {', '.join(ALL)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="few rounds: is it broken, not how fast is it")
    parser.add_argument("--without-numba", action="store_true", help="NumPy alone computes")
    parser.add_argument("--write", action="store_true", help="put the rows into benchmarks/RESULTS.md")
    args = parser.parse_args()
    unknown = [n for n in args.names if n not in ALL]
    if unknown:
        parser.error(f"no benchmark {unknown[0]!r}: choose from {', '.join(ALL)}")
    if args.without_numba:
        os.environ["WENGERT_NUMBA"] = "0"
    torch.set_num_threads(2)
    rounds = 5 if args.quick else 31
    rows: list[Row] = []
    for name in args.names or ALL:
        found = ALL[name](rounds)
        rows += found
        print(table(found), flush=True)
    if args.write:
        where = Path(__file__).with_name("RESULTS.md")
        write(where, rows, args.without_numba)
        print(f"written to {where.name}")


if __name__ == "__main__":
    main()
