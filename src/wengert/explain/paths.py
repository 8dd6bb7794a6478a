"""The routes from the loss to a value: along each the product of the local derivatives; their sum is the gradient.

A node's rule is linear in the gradient that comes in, so what one route contributes is found by sending the starting
gradient along that route alone, through the rules that ran. Where there are more routes than are wanted, the heaviest are
kept at each step and the others go on as one sum, so that the total stays whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .again import gradient_of, hooked, pull, starts, value_of
from .export import _nested, shot_json
from .jacobian import factor
from .ledger import Block, Ledger, Term, operation
from .notation import number, text
from .numbers import shot_text
from .part import Part, wrapped
from .recording import Shot, Value
from .screen import rename


@dataclass
class Hop:
    """One step back along a route: from what a node made to one of its arguments."""

    block: Block
    term: Term
    before: Hop | None

    def chain(self) -> list[Hop]:
        found, hop = [], self
        while hop is not None:
            found.append(hop)
            hop = hop.before  # type: ignore[assignment]
        return found[::-1]


@dataclass
class Route:
    """One way from the loss to the value, and what it contributes to the gradient."""

    last: Hop | None
    contribution: Any
    start: Value

    @property
    def hops(self) -> list[Hop]:
        return [] if self.last is None else self.last.chain()

    @property
    def weight(self) -> float:
        size = float(np.linalg.norm(np.asarray(self.contribution).reshape(-1)))
        return size if size == size else float("inf")  # what is not a number is looked at first

    def factors(self) -> list[str]:
        """The local derivative of each step: a formula where it is elementwise, else the rule with a hole □ to fill."""
        return [local(h.block, h.term) for h in self.hops]


def local(block: Block, term: Term) -> str:
    """What one step multiplies a gradient by."""
    found = factor(block, term)
    if found is None:
        names = rename(block)
        gradients = {f"∇{v.name}" for v in block.outputs}
        if term.rule is None:
            return f"{block.node}(□)"
        return text(term.rule, lambda n: "□" if names(n) in gradients else names(n))
    if term.stretched is None:
        return found
    return "sum(□)" if found == "1" else f"sum(□ · {found})"


class Paths(Part):
    """All routes from the loss to one value."""

    columns = ("route", "local derivatives, first to last", "contribution", "share")

    def __init__(self, ledger: Ledger, x: Any, limit: int = 10) -> None:
        if limit < 1:
            raise ValueError(f"paths(): limit must be at least 1, not {limit}")
        self.ledger = ledger
        self.value = value_of(ledger, x)
        self.limit = limit
        self.gradient = gradient_of(ledger, self.value)
        self.routes: list[Route] = []
        self.count = 0  # of all routes
        self.rest: Any = None  # what the routes that are not among `routes` contribute together
        self._walk()

    def _walk(self) -> None:
        ledger, target = self.ledger, self.value
        roots = starts(ledger)
        if any(not g.whole for _, g in roots):
            raise ValueError("paths(): of the gradient that the pass starts with only a summary was kept")
        useful = {id(target)}
        for block in reversed(ledger.blocks):
            if any(id(t.target) in useful for t in block.terms):
                useful |= {id(v) for v in block.outputs}
        routes = {id(v): [Route(None, np.asarray(g.array), v)] for v, g in roots}
        counts = {id(v): 1 for v, _ in roots}
        rests: dict[int, Any] = {}
        for block in ledger.blocks:
            terms = [k for k, t in enumerate(block.terms) if id(t.target) in useful]
            for nr, v in enumerate(block.outputs):
                if v is target or not terms or id(v) not in counts:
                    continue
                kept = self._heaviest(routes.pop(id(v), []), rests, id(v))
                for route in kept:
                    found = self._pull(block, nr, route.contribution)
                    for k in terms:
                        hop = Hop(block, block.terms[k], route.last)
                        made = Route(hop, _or_zero(found[k], block.terms[k].target), route.start)
                        routes.setdefault(id(block.terms[k].target), []).append(made)
                rest = rests.pop(id(v), None)
                pulled = None if rest is None else self._pull(block, nr, rest)
                for k in terms:
                    to = block.terms[k].target
                    counts[id(to)] = counts.get(id(to), 0) + counts[id(v)]
                    if pulled is not None and pulled[k] is not None:
                        rests[id(to)] = pulled[k] if id(to) not in rests else rests[id(to)] + pulled[k]
        self.routes = self._heaviest(routes.get(id(target), []), rests, id(target))
        self.rest = rests.get(id(target))
        self.count = counts.get(id(target), 0)

    def _heaviest(self, found: list[Route], rests: dict[int, Any], key: int) -> list[Route]:
        """The heaviest routes to one value; the others are added to its rest."""
        order = sorted(found, key=lambda r: -r.weight)
        for route in order[self.limit :]:
            rests[key] = route.contribution if key not in rests else rests[key] + route.contribution
        return order[: self.limit]

    @staticmethod
    def _pull(block: Block, nr: int, g: Any) -> list[Any]:
        gradients = [None] * len(block.outputs)
        gradients[nr] = g
        return pull(block, gradients)

    @property
    def total(self) -> Any:
        """The sum over all routes."""
        parts = [r.contribution for r in self.routes] + ([] if self.rest is None else [self.rest])
        return sum(parts[1:], parts[0]) if parts else None

    @property
    def differs_by(self) -> float | None:
        """The largest difference between the sum over all routes and the engine's gradient; None if it was not kept."""
        if self.gradient is None or not self.gradient.whole or self.total is None:
            return None
        return float(np.abs(np.asarray(self.total) - np.asarray(self.gradient.array)).max(initial=0))

    @property
    def title(self) -> str:
        root, name = self.ledger.root.name, self.value.name
        if not self.count:
            return f"no route leads from {root} to {name}"
        routes = "one route leads" if self.count == 1 else f"{self.count} routes lead"
        return f"{routes} from {root} to {name}; ∇{name} = {shot_text(_shot(self.total))}"

    def shares(self) -> list[float]:
        """Of each route, and of the rest together, its norm as a part of all of theirs."""
        sizes = [r.weight for r in self.routes]
        if self.rest is not None:
            sizes.append(float(np.linalg.norm(np.asarray(self.rest).reshape(-1))))
        total = sum(sizes)
        return [s / total if total and np.isfinite(total) else float("nan") for s in sizes]

    def rows(self) -> list[list[str]]:
        found = []
        shares = self.shares()
        for route, share in zip(self.routes, shares, strict=False):
            names = [route.start.name or "?"] + [h.term.target.name or "?" for h in route.hops]
            found.append([" ← ".join(names[::-1]), "  ·  ".join(route.factors()) or "1",
                          shot_text(_shot(route.contribution)), _percent(share)])  # fmt: skip
        others = self.count - len(self.routes)
        if others:
            found.append(["the others", f"{others} routes", shot_text(_shot(self.rest)), _percent(shares[-1])])
        return found

    def text(self, width: int = 100, limit: int | None = None) -> str:
        """Each route on a line, its local derivatives below it: too long for the columns of a table."""
        lines = wrapped(self.title, width)
        for route, factors, contribution, share in self.rows():
            lines += wrapped(f"{share:>5}  {contribution}  along {route}", width, 7)
            lines += wrapped(f"{'':7}= {factors}", width, 9)
        lines += [piece for said in self.remarks() for piece in wrapped(said, width)]
        return "\n".join(lines) + "\n"

    def remarks(self) -> list[str]:
        if not self.count:
            return ["the loss does not depend on it, or its gradient was not asked for"]
        parts = [shot_text(_shot(r.contribution)) for r in self.routes]
        parts += [] if self.rest is None else [shot_text(_shot(self.rest))]
        said = [f"their sum: {' + '.join(parts)} = {shot_text(_shot(self.total))}"] if len(parts) > 1 else []
        if self.differs_by is not None:
            said.append(f"differs from the engine's ∇{self.value.name} by {number(self.differs_by, 2)}")
        changed = [f"∇{v.name}" for v in hooked(self.ledger)]
        if changed:
            said.append(f"a hook changed {', '.join(changed)} on the way: no product of local derivatives gives that")
        if any("□" in f for r in self.routes for f in r.factors()):
            said.append("□ stands for the gradient that comes in")
        if self.count > len(self.routes):
            said.append(f"of {self.count} routes the {len(self.routes)} heaviest are shown, chosen step by step")
        return said

    def to_data(self) -> dict[str, Any]:
        return {
            "from": self.ledger.root.name,
            "to": self.value.name,
            "count": self.count,
            "gradient": shot_json(self.gradient),
            "routes": [
                {
                    "steps": [h.block.step.number for h in r.hops],
                    "operations": [operation(h.block.step) for h in r.hops],
                    "values": [r.start.name, *(h.term.target.name for h in r.hops)],
                    "local": r.factors(),
                    "contribution": _nested(r.contribution),
                }
                for r in self.routes
            ],
            "rest": None if self.rest is None else _nested(self.rest),
            "total": None if self.total is None else _nested(self.total),
        }


def _or_zero(g: Any, target: Value) -> Any:
    return np.zeros(target.shot.shape if target.shot is not None else ()) if g is None else g


def _shot(a: Any) -> Shot | None:
    return None if a is None else Shot(np.asarray(a))


def _percent(share: float) -> str:
    return "" if share != share else f"{100 * share:.0f}%"
