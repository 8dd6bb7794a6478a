"""Two cards for a sum in a backward pass: where several terms meet in one gradient, and where a broadcast is undone."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from .again import gradient_of, terms_to, value_of
from .export import shot_json
from .ledger import Arrival, Block, Ledger, Term, operation
from .notation import number, text
from .numbers import shot_text
from .part import Part
from .recording import Shot, Value
from .screen import _tuple, rename
from .sites import line_of


def norm(shot: Shot | None) -> float | None:
    """The Euclidean norm of what was noted, None where nothing is known of it."""
    return shot.stats()[2] if shot is not None and shot.known and shot.size else None


def _term_rule(block: Block, term: Term) -> str:
    return text(term.rule, rename(block)) if term.rule is not None else block.note or block.node


class Accumulation(Part):
    """How one gradient came together: each term, its share, the sum so far, and what was in `.grad` before."""

    columns = ("term", "from step", "rule", "value", "norm", "share", "sum so far")

    def __init__(self, ledger: Ledger, x: Any, earlier: list[Ledger]) -> None:
        self.ledger = ledger
        self.value: Value = value_of(ledger, x)
        self.terms = terms_to(ledger, self.value)
        self.gradient = gradient_of(ledger, self.value)
        self.arrival = next((a for a in ledger.arrivals if a.leaf is self.value), None)
        self.earlier = [(e, a) for e in earlier for a in e.arrivals if self.is_leaf(a)]

    def is_leaf(self, a: Arrival) -> bool:
        """Is it the gradient of the same tensor, in another pass?"""
        mine = self.value.tensor() if self.value.tensor is not None else None
        theirs = a.leaf.tensor() if a.leaf.tensor is not None else None
        return a.after is not None and mine is not None and mine is theirs

    @property
    def title(self) -> str:
        name = self.value.name
        if not self.terms:
            return f"∇{name} = {shot_text(self.gradient)}: the pass starts here"
        count = len(self.terms)
        sum_of = "one term" if count == 1 else f"the sum of {count} terms"
        return f"∇{name} = {shot_text(self.gradient)}: {sum_of}"

    def shares(self) -> list[float | None]:
        """Of each term, its norm as a part of all terms' norms."""
        norms = [norm(t.value if t.value is not None else t.raw) for _, t in self.terms]
        if any(x is None or not np.isfinite(x) for x in norms):
            return [None] * len(norms)
        total = sum(x for x in norms if x is not None)
        return [x / total if total and x is not None else None for x in norms]

    def rows(self) -> list[list[str]]:
        found = []
        for (block, term), share in zip(self.terms, self.shares(), strict=True):
            shot = term.value if term.value is not None else term.raw
            size = norm(shot)
            found.append(
                [
                    f"{term.position} of {term.of}",
                    f"{block.step.number} {operation(block.step)}",
                    _term_rule(block, term),
                    shot_text(shot),
                    "" if size is None else number(size, 3),
                    "" if share is None else f"{100 * share:.0f}%",
                    shot_text(term.total),
                ]
            )
        return found

    def passes(self) -> list[tuple[Ledger, Arrival]]:
        """Every pass of the trace, up to this one, that added to the leaf's `.grad`."""
        own = [(self.ledger, self.arrival)] if self.arrival is not None and self.arrival.after is not None else []
        return self.earlier + own

    def remarks(self) -> list[str]:
        said = []
        for ledger, a in self.passes():
            before = "nothing" if a.before is None else shot_text(a.before)
            at = line_of(ledger.site)
            where = f" ({os.path.basename(at[0])}:{at[1]})" if at else ""
            said.append(
                f"pass {ledger.number + 1}{where}: {a.leaf.name}.grad was {before}, "
                f"{shot_text(a.gradient)} was added: {shot_text(a.after)}"
            )
        if self.arrival is not None and self.arrival.before is not None and self.arrival.after is not None:
            said.append("it held a gradient before this pass: is a zero_grad() missing?")
        return said

    def to_data(self) -> dict[str, Any]:
        return {
            "value": self.value.name,
            "gradient": shot_json(self.gradient),
            "terms": [
                {
                    "block": t.block,
                    "step": b.step.number,
                    "rule": _term_rule(b, t),
                    "value": shot_json(t.value if t.value is not None else t.raw),
                    "share": share,
                    "total": shot_json(t.total),
                }
                for (b, t), share in zip(self.terms, self.shares(), strict=True)
            ],
            "passes": [
                {
                    "pass": e.number,
                    "before": shot_json(a.before),
                    "added": shot_json(a.gradient),
                    "after": shot_json(a.after),
                }
                for e, a in self.passes()
            ],
        }


class Broadcast(Part):
    """One argument that was stretched on the way forward, so that its gradient is a sum on the way back."""

    columns = ("axis", "argument", "result", "forward", "backward")

    def __init__(self, block: Block, term: Term) -> None:
        self.block = block
        self.term = term
        assert term.stretched is not None
        self.small, self.large, self.axes = term.stretched

    @property
    def title(self) -> str:
        name = self.term.target.name
        which = f"axis {self.axes[0]}" if len(self.axes) == 1 else "axes " + ", ".join(map(str, self.axes))
        return (
            f"step {self.block.step.number} {operation(self.block.step)}: {name} {_tuple(self.small)} was stretched to "
            f"{_tuple(self.large)}; so ∇{name} is the sum over {which}"
        )

    def rows(self) -> list[list[str]]:
        """The axes of the result, each beside the argument's own."""
        lead = len(self.large) - len(self.small)
        found = []
        for k, n in enumerate(self.large):
            own = "" if k < lead else str(self.small[k - lead])
            stretched = k in self.axes
            found.append(
                [
                    str(k),
                    own or "-",
                    str(n),
                    f"repeated {n} times" if stretched else "",
                    f"sum of {n}" if stretched else "",
                ]
            )
        return found

    def remarks(self) -> list[str]:
        name = self.term.target.name
        rule = _term_rule(self.block, self.term)
        value = self.term.value
        return [
            f"∇{name} = {rule}",
            f"before the sum: {shot_text(self.term.raw)}",
            f"after it:       {shot_text(value)}",
        ]

    def to_data(self) -> dict[str, Any]:
        return {
            "step": self.block.step.number,
            "argument": self.term.target.name,
            "from": list(self.small),
            "to": list(self.large),
            "axes": list(self.axes),
            "rule": _term_rule(self.block, self.term),
            "before": shot_json(self.term.raw),
            "after": shot_json(self.term.value),
        }


class Broadcasts(Part):
    """Every broadcast of a pass, in the order in which they are undone."""

    columns = ("step", "operation", "argument", "from", "to", "sum over", "gradient")

    def __init__(self, ledger: Ledger) -> None:
        self.cards = [Broadcast(b, t) for b in ledger.blocks for t in b.terms if t.stretched is not None]

    def __len__(self) -> int:
        return len(self.cards)

    def __getitem__(self, k: int) -> Broadcast:
        return self.cards[k]

    @property
    def title(self) -> str:
        count = len(self.cards)
        return "No argument was broadcast" if not count else f"{count} broadcast{'s' if count > 1 else ''} undone"

    def rows(self) -> list[list[str]]:
        return [
            [
                str(c.block.step.number),
                operation(c.block.step),
                c.term.target.name or "?",
                _tuple(c.small),
                _tuple(c.large),
                ", ".join(map(str, c.axes)),
                shot_text(c.term.value),
            ]
            for c in self.cards
        ]

    def to_data(self) -> dict[str, Any]:
        return {"broadcasts": [c.to_data() for c in self.cards]}
