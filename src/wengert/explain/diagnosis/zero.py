"""`why_zero(loss, x)`: which steps turned a gradient that was not zero into zero on its way to x, and why.

The gradients are those of the pass itself. A step is to blame where what came in was not zero and what went on to x was;
where two that are not zero add up to zero, the sum is. What kind of zero it is, is told from the operation and from the
values it had.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.tensor import Tensor
from ..ledger import Block, Term, flat
from ..notation import number
from ..numbers import shot_text
from ..recording import Shot, Value
from ..sites import line_of
from . import advice
from .answer import Site, Why
from .looking import Look, is_zero, look
from .nothing import why_none
from .places import Names, bare_name, caller, line_of_node, operation, source_of

_FACTORS = frozenset(
    [
        "mul",
        "matmul",
        "linear",
        "conv",
        "convolution",
        "convolution_transpose",
        "einsum",
        "bilinear",
        "addmm",
        "addcmul",
        "outer",
        "lerp",
        "div",
    ]
)
_KINKS = frozenset(["abs", "sgn", "norm", "linalg_vector_norm", "vector_norm", "cdist", "dist", "l1_loss"])
# Operations that put values into places, or choose them by place.
_PLACES = frozenset(
    ["index_copy", "index_add", "index_put", "scatter", "scatter_add", "scatter_reduce", "cat", "stack", "copy", "cummax",
     "cummin", "sort", "topk", "kthvalue", "median", "mode", "max_pool1d", "max_pool2d", "max_pool3d", "dropout"]
)  # fmt: skip
_NORMALISE = frozenset(
    ["softmax", "safe_softmax", "log_softmax", "layer_norm", "batch_norm", "group_norm", "instance_norm", "normalize"]
)
_LOSSES = frozenset(["mse_loss", "smooth_l1_loss", "huber_loss", "l1_loss", "kl_div", "cosine_similarity"])
_OVERWRITES = frozenset(["zero_", "fill_", "copy_", "zero", "fill", "copy", "overwrite"])


def why_zero(loss: Any, x: Any, *, _names: Names | None = None, _look: Look | None = None) -> Why:
    """Why the gradient of `loss` with respect to `x` is zero: the steps that made it so, with their lines.

    `kind`: "dead" (relu and the like), "saturated", "cancelled", "structural" (masked, sliced out, multiplied by zero,
    overwritten), "integer" (rounding), "stationary" (the slope is zero just there), "kink" (a convention), "underflow",
    "start"; "fine" if it is not zero. If there is no way from loss to x the gradient is None and not zero: the answer is
    that of `why_none`. Before `loss.backward()` the pass is run once for looking; after it, it must have been watched.
    """
    for name, t in (("loss", loss), ("x", x)):
        if not isinstance(t, Tensor):
            raise TypeError(f"why_zero(): argument '{name}' must be Tensor, not {type(t).__name__}")
    names = _names or Names(caller())
    if loss._edge is None or not loss._rg:
        return why_none(loss, x, _names=names)
    found = _look or look(loss, names, "why_zero()")
    return of_look(found, x, names)


def of_look(found: Look, x: Any, names: Names) -> Why:
    value = _value_of(found, x)
    if value is None:
        return why_none(_root(found), x, _names=names) if _root(found) is not None else _no_way(names.of(x, "x"))
    asked = _Question(found, value, names.of(x, value.name or "x"), names)
    return asked.answer()


def _root(found: Look) -> Any:
    v = found.ledger.root
    return v.tensor() if v.tensor is not None else None


def _no_way(name: str) -> Why:
    return Why("unknown", f"no gradient comes to {name} in this pass: it would be None, not zero.")


def _value_of(found: Look, x: Tensor) -> Value | None:
    """The Value of x in this pass, None if no gradient comes to it."""
    if x._edge is not None:
        node, nr = x._edge
        return found.value(node, nr) if node in found.ran or node in found.users else None
    sink = next((n for n in found.users if getattr(n, "variable", None) is x), None)
    return found.value(sink, 0) if sink is not None else None


class _Question:
    def __init__(self, found: Look, value: Value, name: str, names: Names) -> None:
        self.found = found
        self.value = value
        self.name = name
        self.names = names
        self.root = found.ledger.root.name or "loss"
        self.arriving: dict[int, list[tuple[Block, Term]]] = {}
        self.gradient: dict[int, Shot | None] = {}
        for block in found.ledger.blocks:
            for term in block.terms:
                self.arriving.setdefault(id(term.target), []).append((block, term))
            for v, g in zip(block.outputs, block.gradient, strict=False):
                self.gradient[id(v)] = g
        for arrival in found.ledger.arrivals:
            self.gradient.setdefault(id(arrival.leaf), arrival.gradient)

    def answer(self) -> Why:
        g = self.gradient.get(id(self.value))
        if g is not None and g.known and not is_zero(g):
            return self.not_zero(g)
        sites: list[Site] = []
        seen = {id(self.value)}
        queue = [self.value]
        while queue:
            v = queue.pop(0)
            terms = self.arriving.get(id(v), [])
            alive = [(b, t) for b, t in terms if not is_zero(_arrived(t))]
            if len(alive) > 1 or (alive and len(terms) > 1):
                sites.append(self.cancelled(v, alive))
                continue
            for block, term in terms:
                if alive and (block, term) not in alive:
                    continue
                outputs = [o for o, shot in zip(block.outputs, block.gradient, strict=False) if not _none(shot)]
                if all(is_zero(self.gradient.get(id(o))) for o in outputs):
                    for o in outputs:
                        if id(o) not in seen:
                            seen.add(id(o))
                            queue.append(o)
                    if any(o is self.found.ledger.root for o in outputs):
                        sites.append(self.started())
                elif not is_zero(term.raw):
                    sites.append(self.summed(block, term))
                else:
                    sites.append(self.killed(block, term))
        unique = {(s.kind, s.what, s.line): s for s in sites}
        sites = list(unique.values())
        if not sites:
            return Why(
                "unknown", f"{self.name}.grad is zero; which step made it so is not known.", line=self.names.here()
            )
        first = sites[0]
        where = f" at {len(sites)} places" if len(sites) > 1 else ""
        return Why(
            first.kind,
            f"The gradient of {self.root} with respect to {self.name} is zero ({first.kind}{where}), not None: the way "
            f"from {self.name} to {self.root} is whole.",
            sites,
            line=first.line or line_of(self.found.ledger.site) or self.names.here(),
            advice=first.advice,
        )

    # -- the kinds -----------------------------------------------------------------------------------------------------
    def not_zero(self, g: Shot) -> Why:
        if not g.whole or g.size == 1:
            return Why("fine", f"{self.name}.grad is not zero: {shot_text(g)}.")
        zeros = int(g.size - np.count_nonzero(g.array))
        if not zeros:
            return Why("fine", f"{self.name}.grad is not zero anywhere.")
        index = [int(i) for i in np.argwhere(np.asarray(g.array) == 0)[0]]
        why = Why(
            "fine", f"{self.name}.grad is not zero as a whole: {zeros} of {g.size} elements are, the first at {index}."
        )
        for block, _term in self.arriving.get(id(self.value), []):
            op = bare_name(block.step.op.name)
            if op in advice.CHOOSERS or op in advice.DEAD:
                site = self.site(block, f"{source_of(block.step) or op} does not use the rest", "structural")
                why.sites.append(site)
                why.line = why.line or site.line
        if why.sites:
            why.advice = advice.ZERO["structural"] + "."
        return why

    def site(self, block: Block, what: str, kind: str, *details: str, hint: str = "") -> Site:
        node = next((n for n in self.found.ran if n.seq == block.step.seq), None)
        line = line_of_node(node, block.step, self.names)
        return Site(what, line, kind, [d for d in details if d], advice.ZERO[hint or kind] + ".")

    def started(self) -> Site:
        what = "backward was given a gradient of zero to start from"
        return Site(what, line_of(self.found.ledger.site), "start", advice=advice.ZERO["start"] + ".")

    def cancelled(self, v: Value, alive: list[tuple[Block, Term]]) -> Site:
        block = alive[-1][0]
        details = []
        for b, t in alive:
            line = self.site(b, "", "cancelled").line
            said = f", line {line[1]}" if line is not None else ""
            details.append(f"{shot_text(_arrived(t))} by way of {source_of(b.step) or operation_of(b)}{said}")
        return self.site(
            block, f"{len(alive)} gradients of {v.name} that are not zero add up to zero", "cancelled", *details
        )

    def summed(self, block: Block, term: Term) -> Site:
        """Broadcasting is undone by a sum, and that is zero."""
        return self.site(
            block,
            f"{term.target.name} was stretched over several elements; their gradients add up to zero",
            "cancelled",
            f"before the sum: {shot_text(term.raw)}",
        )

    def killed(self, block: Block, term: Term) -> Site:
        """What came into this step was not zero, and what went on is."""
        step = block.step
        op = bare_name(step.op.name)
        said = source_of(step) or op
        name = term.target.name or "its argument"
        argument = term.target.shot
        came = f"the gradient that came in: {shot_text(next((g for g in block.gradient if not is_zero(g)), None))}"
        held = f"{name} = {shot_text(argument)}" if argument is not None and argument.known else ""
        out = step.outputs[0].shot if step.outputs else None
        bare = op
        if bare in advice.FLAT:
            return self.site(block, f"{said}: {bare} is flat between its jumps, its slope is 0", "integer", held)
        if bare in _KINKS and is_zero(argument):
            return self.site(block, f"{said}: at 0 there is a kink; the slope is taken to be 0", "kink", held)
        if bare in _NORMALISE:
            found = self.normalised(block, term, said, bare, held, came)
            if found is not None:
                return found
        if bare in advice.DEAD and len(flat(step.args)) >= 1:
            if is_zero(argument) and bare in ("relu", "relu6", "threshold"):
                return self.site(
                    block, f"{said}: {name} is exactly 0; the slope at the kink is taken to be 0", "kink", held
                )
            return self.site(block, f"{said}: {_flat_part(bare, argument)}", "dead", held, came)
        if bare in _OVERWRITES or (step.inplace and step.op.name in _OVERWRITES):
            return self.site(block, f"{said}: {name} was overwritten here", "structural", came, hint="overwritten")
        if bare == "embedding":
            return self.site(
                block,
                f"{said}: no row but that of padding_idx was looked up, and that one is not learnt",
                "structural",
                came,
            )
        if bare in advice.CHOOSERS:
            return self.site(
                block, f"{said}: nothing of {name} was chosen here where a gradient came back", "structural", came
            )
        kind = getattr(step.op, "kind", "")
        if bare in _FACTORS or (kind == "linear" and len(flat(step.args)) > 1 and bare not in _PLACES):
            others = [v for v in flat(step.args) if v is not term.target]
            zero = next((v for v in others if is_zero(v.shot)), None)
            if zero is not None:
                return self.site(
                    block, f"{said}: {name} is multiplied by {zero.name}, which is 0", "structural", came, hint="factor"
                )
            if any(isinstance(a, (int, float)) and not isinstance(a, bool) and a == 0 for a in step.args):
                return self.site(block, f"{said}: {name} is multiplied by 0", "structural", came, hint="factor")
            if is_zero(argument) and not others:
                return self.site(block, f"{said}: its slope at 0 is 0", "stationary", held)
            if bare in ("mul", "div") and all(_no_zeros(v.shot) for v in others):
                return self.site(block, f"{said}: the product is too small for its dtype", "underflow", came)
            if others:
                return self.site(
                    block,
                    f"{said}: the other factor is 0 where a gradient comes back",
                    "structural",
                    came,
                    hint="factor",
                )
        if bare in _LOSSES:
            return self.site(block, f"{said}: the loss is at its least here, where its slope is 0", "stationary", held)
        if bare == "dropout":
            return self.site(block, f"{said}: every element was dropped", "structural", came)
        if _tiny(block.gradient):
            return self.site(block, f"{said}: the product is too small for its dtype", "underflow", came)
        if bare in advice.SATURATED:
            result = f"result = {shot_text(out)}" if out is not None and out.known else ""
            return self.site(block, f"{said}: {bare} is flat where {name} is", "saturated", held, result, came)
        if kind == "elementwise":
            return self.site(block, f"{said}: its slope is 0 at this {name}", "stationary", held)
        if kind == "linear" or bare in _PLACES:
            return self.site(
                block, f"{said}: nothing of {name} comes through here where a gradient came back", "structural", came
            )
        return self.site(block, f"{said}: its derivative is 0 at these values", "stationary", held, came)

    def normalised(self, block: Block, term: Term, said: str, op: str, held: str, came: str) -> Site | None:
        g = next((g for g in block.gradient if g is not None), None)
        shot = term.target.shot
        dim = next((a for a in block.step.args if isinstance(a, int) and not isinstance(a, bool)), -1)
        if (
            op in ("softmax", "log_softmax", "safe_softmax")
            and shot is not None
            and shot.shape
            and shot.shape[dim] == 1
        ):
            return self.site(
                block,
                f"{said}: over a dimension of size 1 the result is always the same",
                "structural",
                held,
                hint="one",
            )
        if g is not None and g.known:
            low, high, _ = g.stats()
            if low == high:
                return self.site(
                    block,
                    f"{said}: every element of the result gets the same gradient, and the sum of what {op} gives is the "
                    "same whatever it is given",
                    "cancelled",
                    came,
                )
        return None


def operation_of(block: Block) -> str:
    return bare_name(block.step.op.name)


def _arrived(term: Term) -> Shot | None:
    return term.value if term.value is not None and term.value.known else term.total if term.of == 1 else term.raw


def _none(shot: Shot | None) -> bool:
    return shot is None


def _tiny(gradients: list[Shot | None]) -> bool:
    """Are all incoming numbers so small that a product with an ordinary number vanishes?"""
    found = [g for g in gradients if g is not None and g.known and g.size and g.dtype.kind in "fc"]
    return bool(found) and all(max(map(abs, g.stats()[:2])) <= np.finfo(g.dtype).tiny * 4 for g in found)


def _no_zeros(shot: Shot | None) -> bool:
    return shot is not None and shot.whole and bool(np.all(shot.array))


def _flat_part(op: str, argument: Shot | None) -> str:
    if argument is None or not argument.known or not argument.size:
        return "its argument is in the flat part"
    low, high, _ = argument.stats()
    if op in ("relu", "relu6", "threshold"):
        if high <= 0:
            every = "its argument is" if argument.size == 1 else f"all {argument.size} arguments are"
            return f"{every} below 0 (at most {number(high)}): the unit is dead"
        if argument.whole:
            count = int((np.asarray(argument.array) <= 0).sum())
            return f"{count} of {argument.size} arguments are below 0, all of those that a gradient came back to"
    which = "it is" if argument.size == 1 else "all are"
    return f"{which} outside the limits ({number(low)} to {number(high)}), where {op} is flat"


__all__ = ["operation", "why_zero"]
