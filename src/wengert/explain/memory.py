"""What is kept for backward, from when to when: bytes against steps, their peak, and who releases what.

Storage is counted once: a view, and a tensor changed in place, are the memory that they share. A leaf's memory is the
program's own whether it is saved or not, so it is told apart.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .ledger import Block, Ledger, flat, operation
from .notation import text
from .part import Part
from .recording import Step, Value
from .screen import rename

_BARS = " ▁▂▃▄▅▆▇█"
_SHARING = frozenset(["detach", "data"])  # cuts whose result is the argument's own memory


def saved_values(block: Block, packed: bool = False) -> list[Value]:
    """The values that a node saved; or those that a saved-tensors hook packed, of which the node has what the hook made."""
    step = block.step
    names = {name for name, how in block.saved if how in ("tensor", "output", "list", "aux")}
    names = {n for n in names if _is_packed(block, n) is packed}
    found = [v for p, a in zip(step.op.params, step.args, strict=False) if p.name in names for v in flat([a])]
    return found + [v for name, v in zip(step.op.outputs, step.outputs, strict=False) if name in names]


def _is_packed(block: Block, name: str) -> bool:
    """Did a hook take it? Nothing is saved that no rule asks for, and then nothing was there to take."""
    if not block.step.packed or block.ran.saved.get(name) is not None:
        return False
    op = block.step.op
    rules = [op.rules.get(t.argument) for t in block.terms] if op.joint is None else [op.joint]
    return any(rule is None or name in rule.names for rule in rules)


def bytes_of(v: Value) -> int:
    return 0 if v.shot is None else v.shot.size * v.shot.dtype.itemsize


def storage(v: Value) -> Value:
    """The value whose memory this one is."""
    while True:
        step = v.made_by
        source = step.args[0] if step is not None and step.args else None
        if step is None or not isinstance(source, Value):
            return v
        if not (step.inplace or v.view or step.cut in _SHARING):
            return v
        v = source


@dataclass
class Held:
    """Some memory that is kept for backward."""

    owner: Value
    bytes: int
    names: list[str]  # of the saved values that lie in it
    savers: list[Block]
    first: int  # kept after this many forward steps
    last: int  # released when this many nodes have run backward
    leaf: bool  # no step made it, or one that no gradient goes through: the program may hold it anyway

    @property
    def name(self) -> str:
        return ", ".join(self.names)


@dataclass
class Kept:
    """Bytes kept after each step, forward then backward, and what they are made of."""

    curve: list[int]
    held: list[Held]
    forward: int
    peak: int = field(init=False)
    at: int = field(init=False)

    def __post_init__(self) -> None:
        self.at = max(range(len(self.curve)), key=lambda k: (self.curve[k], -k))
        self.peak = self.curve[self.at]

    def at_peak(self) -> list[Held]:
        """What is alive at the peak, the largest first."""
        alive = [h for h in self.held if h.first <= self.at < self.forward + h.last]
        return sorted(alive, key=lambda h: (-h.bytes, h.first))


def kept(ledger: Ledger, steps: list[Step], leaves: bool = True) -> Kept:
    """What the nodes of a pass saved. Without `leaves`, what only the graph keeps alive."""
    place = {id(s): k for k, s in enumerate(steps)}
    found: dict[int, Held] = {}
    for block in ledger.blocks:
        first, last = place[id(block.step)] + 1, block.number
        for v in saved_values(block):
            if v.shot is None:
                continue
            owner = storage(v)
            leaf = owner.made_by is None
            if leaf and not leaves:
                continue
            held = found.get(id(owner))
            if held is None:
                held = found[id(owner)] = Held(owner, bytes_of(owner) or bytes_of(v), [], [], first, last, leaf)
            held.first, held.last = min(held.first, first), max(held.last, last)
            if v.name not in held.names:
                held.names.append(v.name or "?")
            if not any(b is block for b in held.savers):
                held.savers.append(block)
    change = np.zeros(len(steps) + len(ledger.blocks) + 1, dtype=np.int64)
    for h in found.values():
        change[h.first] += h.bytes
        change[len(steps) + h.last] -= h.bytes
    return Kept(np.cumsum(change).tolist(), list(found.values()), len(steps))


class Timeline(Part):
    """What backward needs kept, and until when."""

    columns = ("kept", "bytes", "from step", "saved by", "needed for", "released by the backward of")

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.steps = ledger.forward

    @functools.cached_property
    def _kept(self) -> Kept:
        return kept(self.ledger, self.steps)

    @property
    def curve(self) -> list[int]:
        """Bytes kept after 0, 1, 2, ... steps, forward and then backward."""
        return self._kept.curve

    @property
    def held(self) -> list[Held]:
        return self._kept.held

    @property
    def peak(self) -> int:
        return self._kept.peak

    @property
    def owners(self) -> list[Held]:
        """What the peak is made of, the largest first."""
        return self._kept.at_peak()

    @functools.cached_property
    def graph(self) -> Kept:
        """The same without leaves: what the graph alone keeps alive."""
        return kept(self.ledger, self.steps, leaves=False)

    @property
    def title(self) -> str:
        if not self.peak:
            return "Kept for backward: nothing"
        return f"Kept for backward: at most {amount(self.peak)}, {when(self._kept, self.steps, self.ledger)}"

    def rows(self) -> list[list[str]]:
        found = []
        for h in sorted(self.held, key=lambda h: (-h.bytes, h.first)):
            savers = ", ".join(f"{b.step.number} {operation(b.step)}" for b in h.savers)
            freed = self.ledger.blocks[h.last - 1].step
            name = h.name + (f" ({'leaf' if h.owner.requires_grad else 'given'})" if h.leaf else "")
            start = self.steps[h.first - 1].number
            found.append([name, amount(h.bytes), str(start), savers, "; ".join(_why(h)), _at(freed)])
        return found

    def faint(self) -> set[int]:
        order = sorted(self.held, key=lambda h: (-h.bytes, h.first))
        return {k for k, h in enumerate(order) if h.leaf}

    @property
    def packed(self) -> list[Value]:
        """What saved-tensors hooks took (checkpoint, save_on_cpu): kept as they see fit, and not counted here."""
        found = {id(v): v for b in self.ledger.blocks for v in saved_values(b, packed=True) if v.shot is not None}
        return list(found.values())

    def remarks(self) -> list[str]:
        said = []
        if self.packed:
            names = ", ".join(v.name or "?" for v in self.packed)
            total = sum(bytes_of(v) for v in self.packed)
            said.append(f"Not counted: {names}, {amount(total)}, which a saved-tensors hook (as of checkpoint) took.")
        if not self.peak:
            return said
        said += [f"forward {bars(self.curve[: len(self.steps) + 1])}│{bars(self.curve[len(self.steps) :])} backward"]
        alone = self.graph.peak
        said.append(
            f"Of this the graph alone keeps {amount(alone)} alive; the rest is that of leaves and of what was given."
        )
        stay = self.graph.curve[len(self.steps)]
        if stay:
            said.append(
                f"With retain_graph=True nothing is released in backward: {amount(stay)} stay until the loss is dropped."
            )
        return said

    def to_data(self) -> dict[str, Any]:
        return {
            "peak": self.peak,
            "peak_of_graph": self.graph.peak,
            "curve": self.curve,
            "forward": len(self.steps),
            "packed": [v.name for v in self.packed],
            "held": [
                {
                    "names": h.names,
                    "bytes": h.bytes,
                    "leaf": h.leaf,
                    "saved_by": [b.step.number for b in h.savers],
                    "from_step": self.steps[h.first - 1].number,
                    "released_by": self.ledger.blocks[h.last - 1].step.number,
                    "needed_for": _why(h),
                }
                for h in self.held
            ],
        }


def _why(h: Held) -> list[str]:
    """The rules that read it, as they are printed."""
    found = []
    for block in h.savers:
        names = rename(block)
        for t in block.terms:
            if t.rule is not None and set(h.names) & {names(n) for n in t.rule.names()}:
                found.append(f"∇{t.target.name} = {text(t.rule, names)}")
    return list(dict.fromkeys(found)) or [f"the backward of {operation(b.step)}" for b in h.savers[:1]]


def _at(step: Step) -> str:
    return f"{step.number} {operation(step)}"


def when(kept: Kept, steps: list[Step], ledger: Ledger) -> str:
    """Where the peak is, in words."""
    if kept.at <= kept.forward:
        return f"after forward step {steps[kept.at - 1].number}"
    return f"in backward, after step {ledger.blocks[kept.at - kept.forward - 1].step.number}"


def bars(curve: list[int], width: int = 60) -> str:
    """A curve as a line of blocks; of what does not fit the greatest in each stretch."""
    high = max(curve, default=0) or 1
    stretch = -(-len(curve) // width)
    tops = [max(curve[k : k + stretch]) for k in range(0, len(curve), stretch)]
    return "".join(_BARS[-(-b * (len(_BARS) - 1) // high)] for b in tops)


def amount(b: int) -> str:
    for unit in ("B", "kB", "MB"):
        if b < 1000:
            return f"{b:.3g} {unit}"
        b /= 1000  # type: ignore[assignment]
    return f"{b:.3g} GB"
