"""Which backward made what: in a pass through a gradient, each step with its order and the node that made it.

A step of order 1 is the program's own. Under `create_graph` the backward of such a step is itself recorded, as steps of order
2; those have a backward too.
"""

from __future__ import annotations

from typing import Any

from .cards import _term_rule
from .ledger import Block, Ledger, operation
from .numbers import shot_text
from .part import Part
from .recording import Step
from .screen import formula


class Orders(Part):
    """The steps of a pass by order, each linked to the node whose backward made it."""

    columns = ("step", "order", "forward", "made by the backward of", "its own backward")

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.by_seq: dict[int | None, Step] = {s.seq: s for s in ledger.forward if s.seq is not None}
        self.blocks: dict[int, Block] = {id(b.step): b for b in ledger.blocks}

    @property
    def highest(self) -> int:
        return max((s.order for s in self.ledger.forward), default=1)

    def of(self, order: int) -> list[Step]:
        """The steps of one order."""
        return [s for s in self.ledger.forward if s.order == order]

    def maker(self, step: Step) -> Step | None:
        """The step whose backward made this one; None for the program's own."""
        return None if step.origin is None else self.by_seq.get(step.origin.node.seq, step.origin.step)

    @property
    def title(self) -> str:
        if self.highest == 1:
            return "All steps are of order 1: nothing was made by a backward pass"
        counts = ", ".join(f"{len(self.of(k))} of order {k}" for k in range(1, self.highest + 1))
        return f"{len(self.ledger.forward)} steps: {counts}"

    def rows(self) -> list[list[str]]:
        found = []
        for s in self.ledger.forward:
            maker = self.maker(s)
            block = self.blocks.get(id(s))
            names = ", ".join(v.name or "?" for v in s.outputs)
            by = "" if maker is None else f"{maker.number} {operation(maker)}"
            if maker is not None and self.by_seq.get(maker.seq) is not maker:
                by = operation(maker)  # of another pass: its number means nothing here, its line does
                by += f" of line {maker.site[2]}" if maker.site is not None else ""
            found.append([str(s.number), str(s.order), f"{names} = {formula(s)}", by, _back(block)])
        return found

    def faint(self) -> set[int]:
        return {k for k, s in enumerate(self.ledger.forward) if id(s) not in self.blocks}

    def to_data(self) -> dict[str, Any]:
        found = []
        for s in self.ledger.forward:
            maker = self.maker(s)
            here = maker is not None and self.by_seq.get(maker.seq) is maker
            found.append(
                {
                    "step": s.number,
                    "order": s.order,
                    "formula": formula(s),
                    "made_by_backward_of": maker.number if maker is not None and here else None,
                    "operation_of_maker": None if maker is None else operation(maker),
                    "terms": [
                        {
                            "target": t.target.name,
                            "rule": _term_rule(self.blocks[id(s)], t),
                            "value": shot_text(t.value),
                        }
                        for t in (self.blocks[id(s)].terms if id(s) in self.blocks else [])
                    ],
                }
            )
        return {"highest": self.highest, "steps": found}


def _back(block: Block | None) -> str:
    if block is None:
        return ""
    return "; ".join(f"∇{t.target.name} {'+=' if t.of > 1 else '='} {_term_rule(block, t)}" for t in block.terms)
