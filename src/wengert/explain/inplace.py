"""The history of each piece of memory that was written to in place: who made it, who kept it for backward, who wrote when.

A node that kept a value needs it as it was. What was written after a node had kept it is what backward raises an error
about; here both places are told.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from .export import site_json
from .ledger import Ledger, flat, operation
from .memory import saved_values, storage
from .part import Part
from .recording import Step, Value
from .sites import line_of


@dataclass
class Keeper:
    """A step that kept a value for its backward."""

    step: Step
    value: Value
    version: int  # of the memory, when it was kept


@dataclass
class Write:
    """One change in place."""

    step: Step
    after: int  # this many steps of the tape had run
    version: int  # of the memory, from then on
    spoils: list[Keeper] = field(default_factory=list)  # who had kept what was overwritten

    @property
    def name(self) -> str:
        return "a part of it" if self.step.op.name == "overwrite" else operation(self.step) + "_"


@dataclass
class Memory:
    """One piece of memory with its history."""

    owner: Value
    name: str
    keepers: list[Keeper] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)


class Audit(Part):
    """Every change in place that the trace saw before this pass."""

    columns = ("memory", "version", "by", "line", "kept by", "")

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.memories = _histories(ledger)

    @property
    def conflicts(self) -> list[tuple[Memory, Write, Keeper]]:
        """What was overwritten although a node had kept it: backward cannot go through that node."""
        return [(m, w, k) for m in self.memories for w in m.writes for k in w.spoils]

    @property
    def title(self) -> str:
        writes = sum(len(m.writes) for m in self.memories)
        if not writes:
            return "No change in place was seen"
        said = f"{writes} change{'s' if writes > 1 else ''} in place, in {len(self.memories)} piece"
        said += f"{'s' if len(self.memories) > 1 else ''} of memory"
        spoilt = {(id(m), id(k.step)) for m, _, k in self.conflicts}
        return said + (f"; {len(spoilt)} kept value{'s' if len(spoilt) > 1 else ''} overwritten" if spoilt else "")

    def rows(self) -> list[list[str]]:
        found = []
        for m in self.memories:
            made = m.owner.made_by
            by = "given" if made is None else f"step {made.number} {operation(made)}"
            found.append([m.name, "0", by, _at(made), _kept(m, 0), ""])
            for w in m.writes:
                spoils = "overwrites what was kept" if w.spoils else ""
                found.append(["", str(w.version), w.name, _at(w.step), _kept(m, w.version), spoils])
        return found

    def remarks(self) -> list[str]:
        said = []
        seen: set[tuple[int, int]] = set()
        for m, w, k in self.conflicts:
            if (id(m), id(k.step)) in seen:
                continue  # the first write is the one to change
            seen.add((id(m), id(k.step)))
            where = line_of(w.step.site)
            said.append(
                f"step {k.step.number} {operation(k.step)} ({_at(k.step)}) kept {k.value.name or m.name} at version "
                f"{k.version} for its backward; {w.name} ({_at(w.step)}) overwrote it"
            )
            if where is not None:
                said.append(f"  change line {where[1]}: {where[2]}   (the form that is not in place, or on a clone())")
        return said

    def to_data(self) -> dict[str, Any]:
        return {
            "memories": [
                {
                    "name": m.name,
                    "made_by": m.owner.made_by.number if m.owner.made_by is not None else None,
                    "kept": [{"step": k.step.number, "value": k.value.name, "version": k.version} for k in m.keepers],
                    "writes": [
                        {
                            "operation": w.name,
                            "version": w.version,
                            "after_step": w.after,
                            "at": site_json(w.step.site),
                            "overwrites_kept_of": [k.step.number for k in w.spoils],
                        }
                        for w in m.writes
                    ],
                }
                for m in self.memories
            ]
        }


def _at(step: Step | None) -> str:
    where = line_of(step.site) if step is not None else None
    return f"{os.path.basename(where[0])}:{where[1]}" if where else ""


def _kept(m: Memory, version: int) -> str:
    return ", ".join(f"{k.step.number} {operation(k.step)}" for k in m.keepers if k.version == version)


def kept_by(step: Step, ledger: Ledger) -> list[Value]:
    """What a step kept: as its node had it, or, where the node did not run, as its row's rules declare."""
    block = next((b for b in ledger.blocks if b.step is step), None)
    if block is not None:
        return saved_values(block)
    op = step.op
    if not op.params or not any(v.requires_grad for v in step.outputs):
        return []
    wanting = {p.name for p, a in zip(op.params, step.args, strict=False) if any(v.requires_grad for v in flat([a]))}
    names = {n for arg, rule in op.rules.items() if arg in wanting for n in rule.names}
    names |= set(op.joint.names) if op.joint is not None else set()
    found = [v for p, a in zip(op.params, step.args, strict=False) if p.name in names for v in flat([a])]
    return found + [v for name, v in zip(op.outputs, step.outputs, strict=False) if name in names]


def _histories(ledger: Ledger) -> list[Memory]:
    found: dict[int, Memory] = {}
    for step, after in ledger.writes:
        target = step.outputs[0]
        owner = storage(target)
        m = found.get(id(owner))
        if m is None:
            m = found[id(owner)] = Memory(owner, owner.name or target.name or "unnamed")
        m.writes.append(Write(step, after, len(m.writes) + 1))
    if not found:
        return []
    for place, step in enumerate(ledger.forward):
        for v in {id(v): v for v in kept_by(step, ledger)}.values():
            m = found.get(id(storage(v)))
            if m is None:
                continue
            keeper = Keeper(step, v, sum(w.after <= place or w.step is step for w in m.writes))
            m.keepers.append(keeper)
            for w in m.writes:
                if w.version > keeper.version:
                    w.spoils.append(keeper)
    return list(found.values())
