"""The Wengert list: every forward step with its operation, arguments, value, and what it keeps for the way back."""

from __future__ import annotations

import os
from typing import Any

from . import memory
from .export import shot_json, site_json
from .ledger import Block, Ledger, flat, operation
from .numbers import shape_text, shot_text
from .part import Part
from .recording import Step, Value
from .screen import formula
from .sites import line_of


class Tape(Part):
    """What ran forward, in order. Leaves and constants come first; steps that get no gradient are in the background."""

    columns = ("step", "name", "operation", "arguments", "shape", "dtype", "value", "grad", "saves", "line")

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.blocks: dict[int, Block] = {id(b.step): b for b in ledger.blocks}
        made = {id(v) for s in ledger.forward for v in s.outputs}
        self.sources: list[Value] = [v for v in ledger.values() if id(v) not in made]

    @property
    def steps(self) -> list[Step]:
        return self.ledger.forward

    @property
    def title(self) -> str:
        return f"Tape of {self.ledger.root.name}: {len(self.sources)} leaves and constants, {len(self.steps)} steps"

    def __len__(self) -> int:
        return len(self.steps)

    def rows(self) -> list[list[str]]:
        found = []
        for v in self.sources:
            kind = "leaf" if v.requires_grad else "constant"
            found.append(["", v.name or "?", kind, "", *_value(v), "yes" if v.requires_grad else "no", "", ""])
        for s in self.steps:
            arguments = ", ".join(v.name or "?" for v in flat(s.args))
            saves = ", ".join(f"{v.name} {memory.amount(memory.bytes_of(v))}" for v in self.saved(s))
            where = line_of(s.site)
            line = f"{os.path.basename(where[0])}:{where[1]}" if where else ""
            kind = operation(s) + ("_" if s.inplace else "")
            for k, v in enumerate(s.outputs):
                grad = "cut: " + s.cut if s.cut else "yes" if v.requires_grad else "no"
                number, *rest = [str(s.number), kind, arguments, saves, line] if k == 0 else [""] * 5
                found.append([number, v.name or "?", *rest[:2], *_value(v), grad, *rest[2:]])
        return found

    def saved(self, step: Step) -> list[Value]:
        """What a step keeps for backward."""
        block = self.blocks.get(id(step))
        return [] if block is None else list({id(v): v for v in memory.saved_values(block)}.values())

    def faint(self) -> set[int]:
        return {k for k, row in enumerate(self.rows()) if row[7] != "yes"}

    def to_data(self) -> dict[str, Any]:
        return {
            "sources": [
                {"name": v.name, "requires_grad": v.requires_grad, "value": shot_json(v.shot)} for v in self.sources
            ],
            "steps": [
                {
                    "step": s.number,
                    "operation": operation(s),
                    "formula": formula(s),
                    "arguments": [v.name for v in flat(s.args)],
                    "results": [
                        {"name": v.name, "requires_grad": v.requires_grad, "value": shot_json(v.shot)}
                        for v in s.outputs
                    ],
                    "saves": [{"name": v.name, "bytes": memory.bytes_of(v)} for v in self.saved(s)],
                    "in_place": s.inplace,
                    "cut": s.cut,
                    "order": s.order,
                    "at": site_json(s.site),
                }
                for s in self.steps
            ],
        }


def _value(v: Value) -> list[str]:
    shot = v.shot
    if shot is None:
        return ["?", "?", "?"]
    return [shape_text(shot.shape), str(shot.dtype), shot_text(shot)]
