"""The parts of an explanation, as attributes and methods of it. Each lives in a module of its own, loaded when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

# What `wengert explain --show` can be asked for. Of the last four one says of which value or step.
PARTS = (
    "tape", "broadcasts", "memory", "inplace", "orders", "conventions", "check",
    "closed_form", "accumulation", "paths", "jacobian",
)  # fmt: skip

if TYPE_CHECKING:
    from .cards import Accumulation, Broadcasts
    from .checks import Check
    from .closed import ClosedForm
    from .compare import Comparison
    from .conventions import Conventions
    from .inplace import Audit
    from .jacobian import LocalJacobian
    from .ledger import Ledger
    from .memory import Timeline
    from .orders import Orders
    from .part import Part
    from .paths import Paths
    from .tape import Tape


class Parts:
    """What an Explanation can be asked. Values are named by a Tensor of the program or by the name that is shown."""

    ledger: Ledger
    earlier: list[Ledger]

    @property
    def tape(self) -> Tape:
        """The forward steps: operation, arguments, value, what is kept for backward, line."""
        from .tape import Tape

        return Tape(self.ledger)

    def accumulation(self, x: Any) -> Accumulation:
        """How the gradient of one value came together: its terms, their shares, and the passes that added to `.grad`."""
        from .cards import Accumulation

        return Accumulation(self.ledger, x, self.earlier)

    @property
    def broadcasts(self) -> Broadcasts:
        """The broadcasts that the pass undoes, one card for each."""
        from .cards import Broadcasts

        return Broadcasts(self.ledger)

    def jacobian(self, of: Any, argument: Any = None) -> LocalJacobian:
        """The local Jacobian of one step (its number, or what it made) with respect to one of its arguments."""
        from .jacobian import LocalJacobian

        return LocalJacobian(self.ledger, of, argument)

    def paths(self, x: Any, limit: int = 10) -> Paths:
        """The routes from the loss to a value, the `limit` heaviest, with the local derivatives along each."""
        from .paths import Paths

        return Paths(self.ledger, x, limit)

    def check(self, seed: int = 0) -> Check:
        """Each step's gradients against finite differences of the operation that ran; slow, and false if one differs."""
        from .checks import Check

        return Check(self.ledger, seed)

    @property
    def memory(self) -> Timeline:
        """What is kept for backward, from when to when."""
        from .memory import Timeline

        return Timeline(self.ledger)

    @property
    def inplace(self) -> Audit:
        """Every change in place that the trace saw, who had kept what was overwritten, and the line to change."""
        from .inplace import Audit

        return Audit(self.ledger)

    @property
    def orders(self) -> Orders:
        """Of a pass through a gradient: each step's order, and the node whose backward made it."""
        from .orders import Orders

        return Orders(self.ledger)

    def compare(self, other: Parts, ulp: float = 0) -> Comparison:
        """The first step where this pass and another part; `ulp` units in the last place are let pass."""
        from .compare import Comparison

        if not isinstance(other, Parts):
            raise TypeError(f"compare(): an Explanation is wanted, not {type(other).__name__}")
        return Comparison(self.ledger, other.ledger, ulp)

    @property
    def conventions(self) -> Conventions:
        """The kinks and ties that the pass met, and the choice that the rule made at each."""
        from .conventions import Conventions

        return Conventions(self.ledger)

    def closed_form(self, x: Any = None, expand: bool | None = None) -> ClosedForm:
        """The gradient of a small program as one formula, for one value or for each leaf, compared with the engine's.

        `expand`: write everything out (True), or keep the names of the program's values (False).
        """
        from .closed import ClosedForm

        return ClosedForm(self.ledger, x, expand)

    def part(self, name: str, of: Any = None, step: Any = None) -> Part:
        """A part by its name in `PARTS`, `of` the value where it is a part of one, and of `step` for a Jacobian."""
        if name not in PARTS:
            raise ValueError(f"part(): there is no {name!r}; there are {', '.join(PARTS)}")
        if name in ("accumulation", "paths") and of is None:
            raise ValueError(f"part(): {name} is a part of one value: say of which")
        if name == "jacobian":
            if step is None:
                raise ValueError("part(): jacobian is a part of one step: say of which")
            return self.jacobian(step, of)
        found = getattr(self, name)
        made: Part = (
            (found(of) if name in ("closed_form", "accumulation", "paths") else found()) if callable(found) else found
        )
        return made
