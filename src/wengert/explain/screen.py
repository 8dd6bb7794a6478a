"""A ledger as lines of text, to read in a terminal: the forward steps, then each backward step with its mathematics.

A line is a list of (text, style); `plain` joins them and `cli` colours them. Styles: `number`, `name`, `dim`, `head`,
`good`, `bad`, `rule`, or "" for none.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from .ledger import Arrival, Block, Ledger, Term, operation
from .notation import Style, text
from .numbers import is_short, shot_text
from .recording import Step, Value
from .sites import line_of
from .symbols import Call, Name, Symbol

Line = list[tuple[str, str]]


def length(line: Line) -> int:
    return sum(len(part) for part, _ in line)


def plain(lines: Iterable[Line]) -> str:
    """The lines without style."""
    return "\n".join("".join(part for part, _ in line).rstrip() for line in lines) + "\n"


def step_expression(step: Step) -> Any:
    """What a step computed, as an expression of the names of its arguments."""

    def named(a: Any) -> Any:
        if isinstance(a, Value):
            shot = a.shot
            return Name(a.name or "?", None, shot.shape if shot else (), shot.dtype if shot else None)
        return [named(x) for x in a] if isinstance(a, list) else a

    def place(p: Any, a: Any) -> Any:
        return Name("·") if a is None and p.kind == "tensor" else named(a)

    if not step.complete:
        return Name("·")  # nobody watched, and its node is gone
    if not step.op.params:
        return Call(step.op.name, _never, tuple(named(a) for a in step.args))
    args = [place(p, a) for p, a in zip(step.op.params, step.args, strict=True)]
    first = next((a for x in args for a in (x if isinstance(x, list) else [x]) if isinstance(a, Symbol)), None)
    if first is None or not step.op.single:
        return Call(step.op.name, _never, tuple(args))
    return first.__wengert_op__(step.op, args)


def _never(*args: Any) -> Any:
    raise AssertionError("made for printing only")


def formula(step: Step, style: Callable[[Any], str] = text) -> str:
    return style(step_expression(step))


def rename(block: Block) -> Callable[[Name], str]:
    return lambda name: block.names.get(name.name, name.name)


def with_numbers(block: Block, rule: Any) -> str | None:
    """The rule with every name replaced by its number, if all of them are short."""
    values: dict[str, str] = {}
    stack = [rule]
    while stack:
        x = stack.pop()
        if isinstance(x, Name):
            shot = _shot(x)
            if not is_short(shot):
                return None
            values[x.name] = shot_text(shot)
        elif isinstance(x, Call):
            stack.extend(x.args)
        elif isinstance(x, (tuple, list)):
            stack.extend(x)
    return Style(lambda n: values[n.name]).write(rule) if values else None


def _shot(x: Name) -> Any:
    from .recording import Shot

    return Shot(x._value) if x._value is not None else None


def lay_out(ledger: Ledger, width: int = 100, limit: int | None = None) -> list[Line]:
    """The whole ledger; with `limit`, at most so many steps each way."""
    lines: list[Line] = [*heading(ledger, width), []]
    lines += forward_lines(ledger, width, limit)
    lines.append([])
    blocks = ledger.blocks
    start = f"∇{ledger.root.name} = {shot_text(ledger.start)}"
    lines.append([("Backward", "head"), (f"  from the last step to the first, starting with {start}", "dim")])
    shown = blocks if limit is None or len(blocks) <= limit else blocks[:limit]
    for block in shown:
        lines += block_lines(block, width, ledger)
    if len(shown) < len(blocks):
        lines.append([(f"     ... {len(blocks) - len(shown)} more steps: --node N shows one, --html FILE all", "dim")])
    lines.append([])
    lines += arrival_lines(ledger, width, limit)
    lines += [[(note, "dim")] for note in ledger.notes]
    return lines


def one_block(ledger: Ledger, number: int, width: int = 100) -> list[Line]:
    """One step: its forward, the rule as its row states it, its backward."""
    lines: list[Line] = [*heading(ledger, width), []]
    for block in ledger.blocks:
        step = block.step
        if step.number != number:
            continue
        value = shot_text(step.outputs[0].shot, width)
        lines.append([(f"{number:>3}  ", "dim"), (f"{step.outputs[0].name} = {formula(step)} = {value}", "")])
        where = line_of(step.site)
        if where:
            lines.append([("     ", ""), (f"{os.path.basename(where[0])}:{where[1]}: {where[2]}", "dim")])
        lines.append([("     ", ""), (f"recorded as {block.node}; {keeps(block) or 'keeps nothing'}", "dim")])
        for name, g in zip([v.name for v in block.outputs], block.gradient, strict=False):
            lines.append([("     ", ""), (f"∇{name}", "name"), (" = ", "dim"), (shot_text(g, width), "number")])
        for term in block.terms:
            lines.append([])
            lines.append([("     ", ""), ("the rule", "dim"), (f"  ∇{term.argument} = {_rule(term)}", "rule")])
            lines += term_lines(block, term, [("     ", "")], width)
        if step.op.domain:
            lines.append([("     ", ""), (f"convention: {step.op.domain}", "dim")])
    return lines


def _rule(term: Term) -> str:
    return "?" if term.rule is None else text(term.rule)


def heading(ledger: Ledger, width: int) -> list[Line]:
    root = ledger.root.name
    where = ledger.line
    at = f"  {os.path.basename(where[0])}:{where[1]}" if where else ""
    left: Line = [(f"{root} = {shot_text(ledger.root.shot)}", "head"), (at, "dim")]
    legend = f"∇x means ∂{root}/∂x"
    room = width - length(left) - len(legend)
    return [[*left, (" " * room, ""), (legend, "dim")] if room > 1 else left]


def forward_lines(ledger: Ledger, width: int, limit: int | None) -> list[Line]:
    steps = ledger.forward
    hidden = 0
    if limit is not None and len(steps) > limit:
        hidden = len(steps) - limit
        steps = steps[-limit:]
    kept = {id(s): b for s in steps if (b := ledger.block_of(s)) is not None}
    rows = []
    for step in steps:
        names = ", ".join(v.name or "?" for v in step.outputs)
        value = shot_text(step.outputs[0].shot) if step.outputs else ""
        note = keeps(kept[id(step)]) if id(step) in kept else f"cut: {step.cut}" if step.cut else idle(step)
        if step.inplace:
            note = f"in place, {note}" if note else "in place"
        where = f"line {step.site[2]}" if step.site is not None else ""
        if step.order > 1:
            note = f"order {step.order}" + (f", {note}" if note else "")
        rows.append((step, names, formula(step), value, where, note))
    lines: list[Line] = [[("Forward", "head")]]
    if hidden:
        lines.append([(f"     ... {hidden} steps before these", "dim")])
    wide = min(12, max((len(r[1]) for r in rows), default=0))
    left = min(40, max((len(r[1]) + len(r[2]) - len(r[1]) for r in rows), default=0))
    middle = min(34, max((len(r[3]) for r in rows), default=0))
    for step, names, shown, value, where, note in rows:
        style = "" if id(step) in kept else "dim"
        room = width - 5 - wide - 3 - left - 5 - middle - 2
        line: Line = [(f"{step.number:>3}  ", "dim"), (f"{names:<{wide}}", "name"), (f" = {shown:<{left}}", style)]
        line.append((f"  = {value:<{middle}}", "number"))
        if where and room >= len(where):
            line.append((f"  {where}", "dim"))
            room -= len(where) + 2
        if note and room >= len(note):
            line.append((f"{', ' if where else '  '}{note}", "dim"))
        lines.append(line)
    return lines


def idle(step: Step) -> str:
    """What is to be said of a step that got no gradient, and cut none off."""
    return "no gradient came" if any(v.requires_grad for v in step.outputs) else "constant"


def keeps(block: Block) -> str:
    """What a node saved for backward."""
    found = [block.names.get(name, name) for name, how in block.saved if how in ("tensor", "output", "list", "aux")]
    return "keeps " + ", ".join(dict.fromkeys(found)) if found else ""


def block_lines(block: Block, width: int, ledger: Ledger) -> list[Line]:
    head: Line = [(f"{block.step.number:>3}  ", "dim"), (f"{operation(block.step):<9} ", "rule")]
    if block.note:
        lines = [[*head, (block.note, "dim")]]
        head = [(" " * length(head), "")]
    else:
        lines = []
    for term in block.terms:
        lines += term_lines(block, term, head, width)
        head = [(" " * length(head), "")]
    if not block.terms and not block.note:
        lines.append([*head, ("no gradient to pass on", "dim")])
    return lines


def term_lines(block: Block, term: Term, head: Line, width: int) -> list[Line]:
    """One gradient: name = rule = numbers = result, on one line if it fits."""
    name = f"∇{term.target.name}"
    sign = " += " if term.of > 1 else " = "
    parts: list[tuple[str, str]] = []
    if term.rule is not None:
        parts.append((text(term.rule, rename(block)), "rule"))
        numbers = with_numbers(block, term.rule)
        if numbers is not None:
            parts.append((numbers, ""))
    result = shot_text(
        term.value if term.value is not None else term.raw, max(40, width - length(head) - len(name) - 24)
    )
    if not parts or parts[-1][0] != result:
        parts.append((result, "number"))
    else:
        parts[-1] = (result, "number")
    note = remark(term)
    indent = length(head) + len(name)
    whole = indent + sum(len(p) + 4 for p, _ in parts)
    lines: list[Line] = []
    if whole <= width:
        line: Line = [*head, (name, "name")]
        for k, (part, style) in enumerate(parts):
            line += [(sign if k == 0 else " = ", "dim"), (part, style)]
        lines.append(line)
    else:
        for k, (part, style) in enumerate(parts):
            start: Line = [*head, (name, "name"), (sign, "dim")] if k == 0 else [(" " * (indent + len(sign) - 2), ""),
                                                                                  ("= ", "dim")]  # fmt: skip
            room = width - length(start)
            for j, piece in enumerate(wrapped(part, room)):
                lines.append([*start, (piece, style)] if j == 0 else [(" " * length(start), ""), (piece, style)])
    if note:
        if length(lines[-1]) + len(note) + 3 <= width:
            lines[-1].append((f"   {note}", "dim"))
        else:
            lines.append([(" " * (length(head) + 2), ""), (note[: width - length(head) - 2], "dim")])
    return lines


def wrapped(part: str, room: int) -> list[str]:
    """A long formula in pieces, broken at spaces."""
    room = max(room, 20)
    pieces = []
    while len(part) > room:
        cut = part.rfind(" ", 0, room)
        cut = cut if cut > room // 3 else room
        pieces.append(part[:cut])
        part = part[cut:].lstrip()
    return [*pieces, part]


def remark(term: Term) -> str:
    """What is to be said of a term: its place in a sum, a broadcast undone."""
    said = []
    if term.stretched is not None:
        small, large, axes = term.stretched
        which = f"axis {axes[0]}" if len(axes) == 1 else f"axes {', '.join(map(str, axes))}"
        said.append(f"{term.target.name} {_tuple(small)} was stretched to {_tuple(large)}: sum over {which}")
    if term.note:
        said.append(term.note)
    if term.of > 1:
        if term.position < term.of:
            said.append(f"{term.position} of {term.of}, waiting")
        else:
            said.append(f"{term.of} of {term.of}: ∇{term.target.name} = {shot_text(term.total)}")
    return "; ".join(said)


def _tuple(shape: tuple[int, ...]) -> str:
    return "()" if not shape else "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"


def arrival_lines(ledger: Ledger, width: int, limit: int | None = None) -> list[Line]:
    lines: list[Line] = [[("Gradients", "head")]] if ledger.arrivals else []
    shown = ledger.arrivals if limit is None else ledger.arrivals[:limit]
    wide = max((len(a.leaf.name or "") for a in shown), default=0) + 5
    for a in shown:
        lines += arrival_lines_of(a, wide, width)
    if len(shown) < len(ledger.arrivals):
        lines.append([(f"     ... {len(ledger.arrivals) - len(shown)} more", "dim")])
    return lines


def arrival_lines_of(a: Arrival, wide: int, width: int) -> list[Line]:
    line: Line = [("     ", ""), (f"{f'{a.leaf.name}.grad':<{wide}}", "name"), (" = ", "dim")]
    remark: tuple[str, str] | None = None
    if a.after is None:
        line[1] = (f"{f'∇{a.leaf.name}':<{wide}}", "name")
        line.append((shot_text(a.gradient, width - 30), "number"))
        remark = ("returned by autograd.grad", "dim")
    else:
        if a.before is not None:
            line.append((f"{shot_text(a.before, 24)} + {shot_text(a.gradient, 24)} = ", ""))
            remark = ("it held a gradient already: zero_grad()?", "bad")
        line.append((shot_text(a.after, width - 30), "number"))
    if remark is None:
        return [line]
    if length(line) + 3 + len(remark[0]) <= width:
        return [[*line, ("   ", ""), remark]]
    return [line, [("       ", ""), remark]]
