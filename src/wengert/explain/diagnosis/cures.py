"""What to write instead: statements of the program rewritten so that NaN is not made. Source to source, nothing is run."""

from __future__ import annotations

import ast
from typing import Any

from ..recording import Step
from ..sites import place
from . import advice, reading
from .answer import Code


def safe_value(op: str) -> str:
    return "0.0" if op in advice.NOT_ONE else "1.0"


def argument_of(step: Step | None, line: Code | None, op: str) -> str | None:
    """The first argument of an operation, as the source has it."""
    node = _expression(step, line, op)
    if isinstance(node, ast.Call):
        f = node.func
        method = isinstance(f, ast.Attribute) and not (isinstance(f.value, ast.Name) and f.value.id in _MODULES)
        if method and isinstance(f, ast.Attribute):
            return ast.unparse(f.value)
        return ast.unparse(node.args[0]) if node.args else None
    if isinstance(node, ast.BinOp):
        return ast.unparse(node.right if op in ("div", "true_divide") else node.left)
    return None


_MODULES = frozenset(["torch", "wengert", "F", "nn", "wg", "w"])


def _expression(step: Step | None, line: Code | None, *names: str) -> ast.AST | None:
    if step is not None and step.site is not None:
        found = place(step.site)
        if found is not None and found.node is not None:
            return found.node
    if line is not None:
        return next(iter(reading.calls(line[0], line[1], *names)), None)
    return None


def double_where(
    step: Step | None, line: Code | None, chose: Step | None, where: Code | None, op: str, argument: str | None
) -> list[str]:
    """The rewrite: `safe = where(condition, x, 1)`, and the operation on that; in the program's own words if known."""
    outer = _expression(chose, where, "where")
    inner = _expression(step, line, op)
    x = argument_of(step, line, op)
    if not isinstance(outer, ast.Call) or x is None or inner is None:
        return [
            f"safe = torch.where(condition, x, {safe_value(op)})",
            f"y = torch.where(condition, torch.{op}(safe), other)",
        ]
    head = ast.unparse(outer.func)
    args = [ast.unparse(a) for a in outer.args]
    if len(args) == 3:
        condition, first = args[0], args[1]
    elif len(args) == 2 and isinstance(outer.func, ast.Attribute):
        condition, first = args[0], ast.unparse(outer.func.value)
        head = "torch.where"
    else:
        return []
    other = args[-1]
    keep = (x, safe_value(op)) if argument == "input" else (safe_value(op), x)
    value = f"{head}({condition}, {keep[0]}, {keep[1]})"
    safe = f"safe = {value}"
    old = ast.unparse(inner)
    if _inside(where, outer):
        # In a lambda or a comprehension there is no place for a statement before.
        return _statement(line, inner, _with(inner, x, value))
    new = _with(inner, x, "safe")
    parts = [first.replace(old, new), other.replace(old, new)]
    if old in (first, other) or old in first or old in other:
        return [safe, *_statement(where, outer, f"{head}({condition}, {parts[0]}, {parts[1]})")]
    return [safe, *_statement(line, inner, new)]


def _statement(where: Code | None, outer: ast.AST, new: str) -> list[str]:
    """The statement that `outer` stands in, with `new` in its place."""
    found = reading.statement_at(where[0], where[1]) if where is not None else None
    whole = (
        ast.unparse(found)
        if isinstance(found, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Expr))
        else ""
    )
    old = ast.unparse(outer)
    return [whole.replace(old, new)] if old in whole else [f"... = {new}"]


def _inside(where: Code | None, outer: ast.AST) -> bool:
    """Does the choice stand in a lambda or a comprehension?"""
    found = reading.statement_at(where[0], where[1]) if where is not None else None
    old = ast.unparse(outer)
    bodies = (ast.Lambda, ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp)
    nodes = ast.walk(found) if found is not None and not isinstance(found, (ast.FunctionDef, ast.ClassDef)) else ()
    return any(isinstance(n, bodies) and old in ast.unparse(n) for n in nodes)


def _with(node: ast.AST, x: str, new: str) -> str:
    """An expression with its argument `x` replaced by another."""
    put = ast.parse(new, mode="eval").body

    class Swap(ast.NodeTransformer):
        def visit(self, n: ast.AST) -> Any:
            if isinstance(n, ast.expr) and ast.unparse(n) == x:
                return put
            return self.generic_visit(n)

    return ast.unparse(Swap().visit(ast.parse(ast.unparse(node), mode="eval").body))
