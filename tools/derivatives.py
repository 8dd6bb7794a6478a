"""`python -m tools.derivatives`: writes docs/derivatives.md, the table of derivatives, from the rows themselves.

Nothing is stated here: a formula is a row's own `tex`, a rule is its compiled `run` called with symbols (as
`wengert.explain` does), what is saved is what its Node class has slots for, and the domain is the row's. The arguments
with which a row is called come from its test row.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

PROJECT = Path(__file__).parents[1]
PAGE = PROJECT / "docs" / "derivatives.md"
sys.path.insert(0, str(PROJECT / "tests"))

import rows  # noqa: E402  (a package of the tests)
import wengert.nn  # noqa: E402, F401  (it states a row, too)
from rows.sample import ROWS, arguments  # noqa: E402
from wengert.core.op import TABLE, Op  # noqa: E402
from wengert.core.tensor import Tensor  # noqa: E402
from wengert.explain.latex import latex  # noqa: E402
from wengert.explain.notation import is_infix, text  # noqa: E402
from wengert.explain.rules import gradient_names, rule_of, symbols_for  # noqa: E402
from wengert.explain.symbols import Call, Name, value_of  # noqa: E402

HEAD = """# Table of derivatives

Written by `python -m tools.derivatives` from the rows themselves: each rule below is the code that `backward()` runs,
called with symbols. `g` is the gradient of the result; the sums over broadcast dimensions and casts to the argument's
dtype are the engine's affair. An elementwise rule `g · ∂` has the forward rule `t · ∂` with the tangent `t`; a linear
operation is its own forward rule; the others push tangents by their `jvp` or by transposing the rule twice. What a rule
says more than once has a name, behind *where*. Sizes are those of a small example.
"""


def node_of(op: Op) -> Any:
    """A recorded node of the operation, from the first test row that gives every argument a gradient it can have."""
    best, most = None, 0
    for sample in ROWS.get(op.name, ()):
        args, kwargs = arguments(sample)
        result = op.function(*args, **kwargs)
        results = result if isinstance(result, tuple) else (result,)
        made = [t for t in results if isinstance(t, Tensor) and t._edge and t.dtype.is_floating_point]
        if made:
            node = made[0]._edge[0]
            count = sum(target is not None for target, _ in node.next)
            if count > most and type(node).op is op:  # type: ignore[attr-defined]
                best, most = node, count
    return best


def rules(node: Any, rename: Any = None) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(argument, its rule in text) of a recorded node, and (name, what it stands for) of what occurs more than once.

    `rename` names the gradient for each argument anew.
    """
    outs = [node.output_meta(k) for k in range(node.n_outputs)]
    saved = symbols_for(node)
    named = {k: Name(k, v) if isinstance(v, float) else v for k, v in saved.items()}  # alpha, not the sample's 2.5
    options = {}
    for key, value in saved.items():
        value = value_of(value)
        if not isinstance(value, (int, float, complex, bool, str, type(None))):
            options[id(value)] = key
    arguments = [p.name for p in node.op.tensor_params]

    def printed(names: list[str]) -> list[Any]:
        pairs = zip(names, outs, strict=True)
        gradients = [Name(n, np.ones(*meta)) if meta[1].kind in "fc" else None for n, meta in pairs]
        try:
            return rule_of(type(node), named, node.next, outs, gradients)
        except TypeError:  # the rule computes with the option as a number
            return rule_of(type(node), saved, node.next, outs, gradients)

    found = printed(gradient_names(node.op, node.n_outputs))
    if len(found) != len(arguments):
        arguments = [f"{arguments[0]}[{k}]" for k in range(len(found))]
    shown = []
    for k, (a, r, (target, _)) in enumerate(zip(arguments, found, node.next, strict=False)):  # lists have several edges
        if r is not None and target is not None:
            expression = r if rename is None else printed([rename(a)])[k]
            shown.append((a, expression))
    expressions, named_parts = shared([r for _, r in shown], lambda x: text(x, options=options))
    return [(a, text(r, options=options)) for (a, _), r in zip(shown, expressions, strict=True)], named_parts


def shared(rules: list[Any], write: Any) -> tuple[list[Any], list[tuple[str, str]]]:
    """The rules with a name for each part that is long and occurs more than once, the longest first, and those parts."""
    parts: list[tuple[str, Any]] = []
    taken = set(re.findall(r"\w+", " ".join(map(write, rules))))
    for name in (n for n in "uvwpqrs" if n not in taken):
        found: dict[str, list[Any]] = {}
        for x in calls([rules, [part for _, part in parts]]):
            shown = write(x)
            if not (x.args and isinstance(x.args[0], Call) and write(x.args[0]) == shown):  # a slice that is the whole
                found.setdefault(shown, []).append(x)
        often = [k for k, xs in found.items() if len(xs) > 1 and len(k) >= 14 and (len(xs) - 1) * len(k) >= 24]
        if not often:
            break
        same = found[max(often, key=len)]
        symbol, places = Name(name, value_of(same[0])), {id(x) for x in same}
        rules = replaced(rules, places, symbol)
        parts = [(n, replaced(part, places, symbol)) for n, part in parts]
        parts.append((name, same[0]))
    return rules, [(n, write(part)) for n, part in parts]


def calls(x: Any) -> Iterator[Any]:
    """Every operation of an expression, as often as it is written."""
    if isinstance(x, Call):
        yield x
    for y in x.args if isinstance(x, Call) else x if isinstance(x, (tuple, list)) else ():
        yield from calls(y)


def replaced(x: Any, places: set[int], symbol: Any) -> Any:
    if id(x) in places:
        return symbol
    if isinstance(x, Call):
        return Call(x.op, x.fn, tuple(replaced(a, places, symbol) for a in x.args))
    return type(x)(replaced(a, places, symbol) for a in x) if type(x) in (tuple, list) else x


def forward_rule(node: Any) -> str:
    """How tangents are pushed."""
    op = node.op
    if op.kind == "elementwise":
        found, parts = rules(node, lambda a: "t_" + a)
        return f"`{' + '.join(rule for _, rule in found)}`{where(parts)}"
    if op.kind == "linear":
        return "itself"
    return "a `jvp` of its own" if op.jvp is not None else "the rule, transposed"


def where(parts: list[tuple[str, str]]) -> str:
    return f" where {', '.join(f'`{name} = {part}`' for name, part in parts)}" if parts else ""


def formula(op: Op) -> str:
    """What the row computes: its own notation, where it has one, or the first sentence about it."""
    if op.tex or is_infix(op.name):
        for option in (Name, lambda name: name):  # an option is a symbol too, where the row lets it be one
            symbols = [Name(p.name) if p.is_tensor else option(p.name) for p in op.params]
            try:
                return f"${latex(op.function(*symbols))}$".replace("|", "\\vert ")
            except (TypeError, AttributeError, ValueError, IndexError, RuntimeError):
                pass  # the notation needs shapes; the sentence below does not
    return (op.doc.strip().splitlines() or [""])[0].replace("|", "\\|")


def signature(op: Op) -> str:
    simple = op.name.removeprefix("nn.functional.")
    return f"{simple}({', '.join(p.name for p in op.params)})"


def saved(node: Any) -> str:
    return ", ".join(f"`{name}`" for name in type(node).variant.saves) or "nothing"


def entry(op: Op) -> str | None:
    node = node_of(op)
    if node is None:
        return None
    found, parts = rules(node)
    shown = ("<br>".join(f"`∇{a} = {rule}`" for a, rule in found) + where(parts)).replace("|", "\\|")
    pushed = forward_rule(node).replace("|", "\\|")
    return f"| `{signature(op)}` | {formula(op)} | {shown} | {pushed} | {saved(node)} | {op.domain} |"


def family_of(op: Op) -> str:
    """The file that states the row: a bare ufunc is known by its rules."""
    stated = [op.forward, *(r.fn for r in op.rules.values())]
    modules = [m for m in (getattr(f, "__module__", None) or "" for f in stated) if m.startswith("wengert.ops.")]
    return modules[0].rpartition(".")[2] if modules else "arithmetic"


def page() -> str:
    for module in pkgutil.iter_modules(rows.__path__):
        importlib.import_module(f"rows.{module.name}")
    families: dict[str, list[Op]] = {}
    for op in TABLE.values():
        families.setdefault(family_of(op), []).append(op)
    parts = [HEAD]
    for family in sorted(families):
        entries = [e for e in (entry(op) for op in sorted(families[family], key=lambda o: o.name)) if e]
        if entries:
            title = family.replace("_", " ").capitalize()
            head = "| operation | formula | reverse rule | forward rule | saved | domain, and kinks |\n|---|---|---|---|---|---|"
            parts.append("\n".join([f"## {title}\n", head, *entries, ""]))
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE.name}: {PAGE.read_text(encoding='utf-8').count('∇')} rules")
