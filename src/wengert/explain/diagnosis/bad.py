"""`why_nan(loss)`: where the first NaN or infinity was born, forward or backward, and every other place of the same pass.

What was born and what only passed on is the watcher's to say (Note [Born here, or passed on]); here each birth is put
into words, and a gradient of 0 that met an infinite slope is followed up to the `where` that sent it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.tensor import Tensor
from ..ledger import flat
from ..notation import Style, number, text
from ..recording import Step, Value, shot
from ..sites import line_of
from ..symbols import Name
from ..watching import ROOM, Birth, Watcher, watcher_of
from . import advice, reading
from .answer import Code, Site, Why
from .cures import argument_of, double_where, safe_value
from .looking import Look, bad_word, look
from .places import Names, bare_name, caller, function_of, line_of_node, operation, rule_line, source_of


def why_nan(loss: Any) -> Why:
    """Where NaN or infinity comes from, in `loss` or in its gradients: the first bad value and all others that were born.

    Runs the backward pass once more for looking, before `loss.backward()` or under `retain_graph`; after it, the pass
    must have been watched (`with wengert.explain.trace() as t:`). `kind` is "forward", "backward" or "fine".
    """
    if not isinstance(loss, Tensor):
        raise TypeError(f"why_nan(): argument 'loss' must be Tensor, not {type(loss).__name__}")
    names = Names(caller())
    if loss._edge is None:
        return _of_leaf(loss, names)
    return of_look(look(loss, names, "why_nan()"))


def _of_leaf(t: Tensor, names: Names) -> Why:
    """A tensor that was not computed under autograd, or a leaf whose `.grad` is bad."""
    name = names.of(t, "the tensor")
    watcher = watcher_of(t)
    if watcher is not None:
        for noted in watcher.passes:
            if noted.number in watcher.poisons and any(sink.variable is t for sink, _, _ in noted.arrived):
                from .looking import of_pass

                return of_look(of_pass(watcher, noted, names))
        value = watcher.met(t)
        if value is not None and value.made_by is not None and not np.isfinite(t._array).all():
            return _forward_only(watcher, value, name)
    if t._array.dtype.kind in "fc" and not np.isfinite(t._array).all():
        return Why(
            "forward",
            f"{name} has bad values itself ({_count(t._array)}), and nothing that made it was watched.",
            line=names.here(),
            advice="look at where its numbers come from (a file, a division, an optimizer step), or run it all under "
            "`with wengert.explain.trace() as t:`.",
            watched=False,
        )
    return Why("fine", f"{name} is finite, and no backward pass that was watched gave it a bad gradient.")


def _forward_only(watcher: Watcher, value: Value, name: str) -> Why:
    from . import routes

    steps, _ = routes.ancestors(value)
    births = _forward_births(watcher, steps)
    sites = [_forward_site(b, s) for b, s in births]
    if not sites:
        return Why("fine", f"{name} has bad values, and so had what it was made from.")
    return _told("forward", f"{name} is not finite", births[0], None, sites)


def of_look(found: Look) -> Why:
    """The answer for one backward pass."""
    ledger = found.ledger
    forward = _forward_births(found.watcher, ledger.forward)
    root = ledger.root.shot
    name = ledger.root.name or "loss"
    word = bad_word(root)
    sites: list[Site] = []
    done: set[int] = set()
    hidden = {id(step): birth for birth, step in forward}
    back = [(b, found.step(b.node)) for b in found.poisons]
    # Where what was saved is bad already, the cause lies before, unless it was this very step.
    back = [(b, s) for b, s in back if not b.inherited or id(s) in hidden] or back[: 0 if word is not None else 1]
    if word is None and not back:
        start = bad_word(ledger.start)
        if start is not None:
            return Why(
                "start",
                f"The gradient that backward was given is {start} already.",
                line=line_of(ledger.site),
                advice="look at the gradient argument of backward().",
            )
        hooked = _by_hooks(found)
        if hooked:
            return Why(
                "backward",
                f"{name} is finite; its gradient is made bad by a hook.",
                hooked,
                hooked[0].line or line_of(ledger.site),
                "look at what this hook returns, or leave it out.",
            )
        arrived = [a for a in ledger.arrivals if bad_word(a.before)]
        if arrived:
            who = arrived[0].leaf.name
            return Why(
                "start",
                f"This pass is finite, but {who}.grad was {bad_word(arrived[0].before)} before it, and gradients add up.",
                line=line_of(ledger.site),
                advice="call optimizer.zero_grad() before backward(), and look at the pass before this one.",
            )
        return Why("fine", f"{name} and all gradients of its backward pass are finite.")
    if word is not None:
        sites = _sources(found, learnt=bool(forward))
        came = bool(sites)
        for birth, step in forward:
            sites.append(_forward_site(birth, step))
            done.add(id(step))
        if not sites:
            sites = [Site(f"{name} is {word} here; what it was computed from is not known any more", None, "forward")]
    for poison, at in back:
        if at is not None and id(at) in done:
            continue
        sites.append(_backward_site(found, poison, at, hidden.get(id(at))))
    if word is not None:
        first = forward[0] if forward and not came else None
        title = f"{name} is {word}"
        return _told("forward", title, first, found, sites)
    count = len(back)
    places = "one place" if count == 1 else f"{count} places"
    bad = [a.leaf.name for a in ledger.arrivals if bad_word(a.gradient)]
    whose = f" ({', '.join(str(b) + '.grad' for b in bad[:4])}{', ...' if len(bad) > 4 else ''})" if bad else ""
    first_birth, first_step = back[0]
    why = Why(
        "backward",
        f"{name} is finite; its gradient is not{whose}: bad values are born in backward at {places}.",
        sites,
    )
    _finish_backward(why, found, first_birth, first_step)
    return why


# -- forward -----------------------------------------------------------------------------------------------------------


def _forward_births(watcher: Watcher, steps: list[Step]) -> list[tuple[Birth | None, Step]]:
    """The steps that made bad numbers of good ones, in order. A Birth where it was watched."""
    found: list[tuple[Birth | None, Step]] = []
    born = {_key(b.step): b for b in watcher.births.values() if b.step is not None}
    for step in steps:
        word = next((w for w in (bad_word(v.shot) for v in step.outputs) if w), None)
        if word is None:
            continue
        given = {bad_word(v.shot) for v in flat(step.args)} - {None}
        numbers = [a for a in step.args if isinstance(a, float) and not np.isfinite(a)]
        if "NaN" in given or (word == "infinite" and (given or numbers)):
            continue
        if any(v.shot is None or not v.shot.known for v in flat(step.args)) and step.site is None:
            continue  # not known to be born here
        if step.site is not None and len(watcher.births) < ROOM and _key(step) not in born:
            continue  # watched as it ran, and it was given bad numbers then
        if step.op.name == "overwrite" or (given and word != "NaN"):
            continue
        found.append((born.get(_key(step)), step))
    return found


def _key(step: Step) -> Any:
    """What a step and its copies in ledgers have in common."""
    return step.seq if step.seq is not None else (step.op.name, step.site[:2] if step.site is not None else None)


def _sources(found: Look, learnt: bool) -> list[Site]:
    """Inputs that were bad before anything was computed. `learnt`: only what is NaN or learnt; a mask may hold -inf."""
    sites = []
    for v in found.ledger.values():
        t = v.tensor() if v.tensor is not None else None
        if t is not None and v.made_by is None and bad_word(v.shot) is None and bad_word(shot(found.watcher.shots(t))):
            v.shot = found.watcher.shots(t)  # changed since it was first seen, by an optimizer's step
        word = bad_word(v.shot)
        if learnt and word == "infinite" and not v.requires_grad:
            continue
        if v.made_by is None and word is not None and v.shot is not None:
            user = next((s for s in found.ledger.forward if any(a is v for a in flat(s.args))), None)
            line = line_of(user.site) if user is not None else None
            sites.append(
                Site(
                    f"{v.name} is {word} already where it is first used ({_bad_of(v)})", line, "input", _grown(found, v)
                )
            )
    return sites


def _grown(found: Look, v: Value) -> list[str]:
    """How an input became bad, if an earlier pass tells."""
    earlier = [n for n in found.watcher.poisons if n < found.noted.number]
    if not earlier:
        return []
    site = next((place for number, place, _ in found.watcher.begun if number == earlier[0]), None)
    line = line_of(site)
    where = f" (line {line[1]})" if line is not None else ""
    return [
        f"bad gradients had arrived already in pass {earlier[0] + 1}{where}, and the optimizer put them into {v.name}"
    ]


def _bad_of(v: Value) -> str:
    assert v.shot is not None
    return f"{v.shot.non_finite()} of {v.shot.size} elements"


def _count(array: Any) -> str:
    return f"{int((~np.isfinite(array)).sum())} of {array.size} elements"


def _forward_site(birth: Birth | None, step: Step) -> Site:
    op, step_line = _what(step)
    word = next((w for w in (bad_word(v.shot) for v in step.outputs) if w), "NaN")
    word = "an infinity" if word == "infinite" else word
    made = _first(step)
    code = source_of(made)
    said = f"{op} makes {word} going forward" if made is step else f"the backward of {op}, recorded, makes {word}"
    site = Site(said + (f": {code}" if code else ""), step_line, op)
    if birth is not None:
        at = f" at {list(birth.index)}" if birth.index else ""
        given = ", ".join(f"{_called(step, name)} = {number(v)}" for name, v in birth.saved.items() if _is_number(v))
        if given:
            site.details.append(f"{given}  gives  {number(birth.result)}{at}")
        site.details.append(f"{birth.count} of {birth.size} elements" if birth.size > 1 else "a single number")
    else:
        site.details += [
            f"{v.name or 'an argument'}: {_described(v)}"
            for v in flat(step.args)
            if v.shot is not None and v.shot.known
        ]
    return site


def _first(step: Step) -> Step:
    """The step of the program whose backward, recorded by create_graph, made this one; or the step itself."""
    while step.origin is not None and step.origin.step is not None:
        step = step.origin.step
    return step


def _what(step: Step) -> tuple[str, Code | None]:
    made = _first(step)
    return bare_name(made.op.name), line_of(made.site)


def _described(v: Value) -> str:
    from ..numbers import shot_text

    return shot_text(v.shot)


def _called(step: Step, parameter: str) -> str:
    for p, a in zip(step.op.params, step.args, strict=False):
        if p.name == parameter and isinstance(a, Value) and a.name:
            return a.name
    return parameter


def _is_number(v: Any) -> bool:
    return isinstance(v, (int, float, complex, np.number)) and not isinstance(v, bool)


# -- backward ----------------------------------------------------------------------------------------------------------


def _backward_site(found: Look, birth: Birth, step: Step | None, hidden: Birth | None) -> Site:
    node = birth.node
    op = operation(node)
    line = line_of_node(node, step, found.names)
    target = found.value(*node.next[birth.nr]).name or "its argument"
    code = source_of(step)
    again = ", besides what came in bad" if birth.passed_on else ""
    word = "NaN" if np.isnan(birth.result) else "an infinite gradient"
    site = Site(f"the backward of {op}{f' ({code})' if code else ''} makes {word} for {target}{again}", line, op)
    at = f" at {list(birth.index)}" if birth.index else ""
    if birth.g is not None:
        if birth.rule is not None:
            names = found.blocks[node.seq].names if node.seq in found.blocks else {}
            rule = text(birth.rule, lambda n: names.get(n.name, n.name))
            numbers = Style(lambda n: _number_of(n)).write(birth.rule)
            site.details.append(f"∇{target} = {rule} = {numbers} = {number(birth.result)}{at}")
        if birth.slope is not None and not np.isfinite(birth.slope):
            site.details.append(f"incoming gradient {number(birth.g)} · local slope {number(birth.slope)}")
    if birth.size > 1:
        site.details.append(f"{birth.count} of {birth.size} elements")
    chooser = sender(found, birth)
    if chooser is not None:
        other, argument, chose = chooser
        where = line_of_node(other, chose, found.names)
        text_at = f" at line {where[1]}" if where is not None else ""
        taken = {"input": "first", "other": "second"}.get(argument or "")
        branch = f"its {taken} branch was not taken there" if taken else "this element was not chosen there"
        site.details.append(f"the 0 comes from {operation(other)}{text_at}: {branch}, and 0 · {_slope(birth)} is NaN")
        site.kind = "where" if operation(other) in ("where", "masked_fill", "mul") else "not chosen"
        if operation(other) == "where":
            site.rewrite = double_where(step, line, chose, where, op, argument)
    if hidden is not None:
        site.details.append(f"its forward value is {number(hidden.result)} there already, hidden by what follows")
    return site


def _slope(birth: Birth) -> str:
    return number(birth.slope) if birth.slope is not None else "inf"


def _number_of(name: Name) -> str:
    value = np.asarray(name.value)
    return number(value[()]) if value.ndim == 0 else name.name


def sender(found: Look, birth: Birth) -> tuple[Any, str | None, Step | None] | None:
    """The operation that sent a gradient of 0 to where it met an infinite slope: (node, which argument, its step)."""
    if birth.g is None or birth.g != 0:
        return None
    seen = {birth.node}
    stack = [birth.node]
    while stack:
        for user, i in found.users.get(stack.pop(0), []):
            if user in seen:
                continue
            seen.add(user)
            op = operation(user)
            if op in advice.CHOOSERS or (op == "mul" and _masks(found, user)):
                names = [p.name for p in user.op.tensor_params] if user.op is not None else []
                return user, names[i] if i < len(names) else None, found.step(user)
            if len(seen) < 200:
                stack.append(user)
    return None


def _masks(found: Look, node: Any) -> bool:
    """Does a product have a factor with zeros in it?"""
    block = found.blocks.get(node.seq)
    saved = [shot(block.held(name)) for name, how in block.saved if how == "tensor"] if block is not None else []
    return any(s is not None and s.whole and not np.all(s.array) for s in saved)


def _by_hooks(found: Look) -> list[Site]:
    """Gradients that are bad where they are used though all that was added up for them was not: hooks changed them."""
    clean: dict[int, bool] = {}
    for block in found.ledger.blocks:
        for term in block.terms:
            good = bad_word(term.value if term.value is not None else term.raw) is None
            clean[id(term.target)] = clean.get(id(term.target), True) and good
    nodes = {n.seq: n for n in found.ran}
    sites = []
    for block in found.ledger.blocks:
        node = nodes.get(block.step.seq)
        for nr, (v, g) in enumerate(zip(block.outputs, block.gradient, strict=False)):
            if bad_word(g) and clean.get(id(v), False):
                hooks = node.extra.tensor_hooks.get(nr) if node is not None and node.extra is not None else None
                sites.append(_hook_site(v, bad_word(g), hooks))
    for arrival in found.ledger.arrivals:
        leaf = arrival.leaf.tensor() if arrival.leaf.tensor is not None else None
        if bad_word(arrival.gradient) and clean.get(id(arrival.leaf), False):
            hooks = leaf._extra.hooks if leaf is not None and leaf._extra is not None else None
            sites.append(_hook_site(arrival.leaf, bad_word(arrival.gradient), hooks))
    return sites


def _hook_site(v: Value, word: str | None, hooks: Any) -> Site:
    codes = [getattr(h, "__code__", None) for h in (hooks or {}).values()]
    code = next((c for c in codes if c is not None), None)
    line = reading.code_at(code.co_filename, code.co_firstlineno) if code is not None else None
    return Site(f"a hook on {v.name} made its gradient {word}", line, "hook")


# -- what to change ----------------------------------------------------------------------------------------------------


def _told(kind: str, title: str, first: tuple[Birth | None, Step] | None, found: Look | None, sites: list[Site]) -> Why:
    if first is None:
        site = sites[0]
        return Why(
            kind,
            f"{title}: it comes from an input that is not finite.",
            sites,
            line=site.line or (found.names.here() if found is not None and found.names is not None else None),
            advice="look at where this tensor got its numbers"
            + (
                ": a training step that diverged, most likely; lower the learning rate, or clip gradients."
                if site.details
                else " (torch.isfinite(x).all() tells)."
            ),
        )
    _, step = first
    op, line = _what(step)
    if line is None and found is not None:
        line = line_of_node(_node_of(found, step), step, found.names)
        if sites and sites[0].line is None:
            sites[0].line = line
    more = len(sites) - 1
    rest = f" {more} more place{'s make' if more > 1 else ' makes'} bad values too." if more else ""
    return Why(
        kind,
        f"{title}: the first bad value is born going forward, in {op}.{rest}",
        sites,
        line=line,
        advice=advice.nan_advice(op) + ".",
    )


def _node_of(found: Look, step: Step) -> Any:
    return next((r.node for r in found.noted.ran if r.node.seq == step.seq), None)


def _finish_backward(why: Why, found: Look, birth: Birth, step: Step | None) -> None:
    op = operation(birth.node)
    why.line = line_of_node(birth.node, step, found.names)
    chooser = sender(found, birth)
    if birth.node.user_code:
        why.line = rule_line(function_of(birth.node)) or why.line
        why.advice = (
            f"this derivative is the program's own: guard what it divides by or takes a root of, in {op}.backward."
        )
        return
    if chooser is None:
        why.advice = advice.nan_advice(op) + "."
        return
    other, argument, chose = chooser
    where = line_of_node(other, chose, found.names)
    why.advice = (
        f"{operation(other)} hides the bad values going forward, but sends a gradient of 0 back to them, and 0 · "
        f"{_slope(birth)} is NaN. Make the argument of {op} safe before {op} sees it (the double where):"
        if operation(other) in ("where", "masked_fill", "mul")
        else f"{operation(other)} did not choose these elements, but sends them a gradient of 0, and 0 · {_slope(birth)} is "
        f"NaN. Choose before {op}, so that it sees no bad argument"
        + (", or " + advice.nan_advice(op) if op in advice.NAN else "")
        + "."
    )
    if operation(other) == "where":
        why.rewrite = double_where(step, why.line, chose, where, op, argument)
    elif operation(other) in ("masked_fill", "mul"):
        why.rewrite = [
            f"safe = torch.where(mask, {argument_of(step, why.line, op) or 'x'}, {safe_value(op)})",
            "# use safe below",
        ]
