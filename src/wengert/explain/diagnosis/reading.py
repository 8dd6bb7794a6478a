"""What the program's source says of how values go from one name to another: for programs that nothing watched.

It is read, not run: names are followed through the assignments of one function or module, and through nothing else.
Also the small questions to the source that every answer asks: the statement at a line, the block around it, the
expression with one call left out.
"""

from __future__ import annotations

import ast
import linecache
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..sites import _text as dotted
from .answer import Code

# Calls of a method, a function or an attribute that a gradient does not come through, and what each is called here.
CUTS = {
    "item": "item", "tolist": "tolist", "numpy": "numpy", "detach": "detach", "detach_": "detach", "data": "data",
    "float": "item", "int": "item", "bool": "bool", "argmax": "argmax", "argmin": "argmax", "argsort": "argmax",
    "long": "integer", "short": "integer", "byte": "integer", "tensor": "tensor", "Parameter": "Parameter",
    "from_numpy": "numpy", "asarray": "numpy", "array": "numpy", "one_hot": "argmax", "bincount": "argmax",
    "searchsorted": "argmax", "bucketize": "argmax", "nonzero": "argmax", "multinomial": "argmax", "unique": "argmax",
    "histc": "argmax",
}  # fmt: skip
_BUILTIN = frozenset(["float", "int", "bool"])  # functions when called by this name, casts of a tensor as methods


@dataclass
class Use:
    """In the statement at `line`, the value of `name` goes into a variable, by way of `cuts`, the innermost first."""

    name: str
    cuts: tuple[str, ...]
    line: int


class _File:
    """A file (or notebook cell), parsed once."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        try:
            self.tree = ast.parse("".join(lines))
        except (SyntaxError, ValueError):
            self.tree = ast.Module([], [])
        nodes = list(ast.walk(self.tree))
        self.statements = [n for n in nodes if isinstance(n, ast.stmt)]
        self.functions = [n for n in nodes if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
        self.blocks = [n for n in nodes if isinstance(n, (ast.With, ast.FunctionDef))]


_FILES: dict[str, _File] = {}


def _file(filename: str) -> _File:
    lines = linecache.getlines(filename)
    found = _FILES.get(filename)
    if found is None or found.lines is not lines:  # the same list as long as the file is
        if len(_FILES) > 64:
            _FILES.clear()
        found = _FILES[filename] = _File(lines)
    return found


def code_at(filename: str, line: int) -> Code:
    return filename, line, linecache.getline(filename, line).strip()


def statement_at(filename: str, line: int) -> ast.stmt | None:
    """The innermost statement that a line belongs to."""
    found: ast.stmt | None = None
    for node in _file(filename).statements:
        inside = node.lineno <= line <= (node.end_lineno or node.lineno)
        if inside and (found is None or node.lineno >= found.lineno):
            found = node
    return found


def around(filename: str, line: int, names: tuple[str, ...]) -> tuple[int, str] | None:
    """The innermost `with` block or decorated function around a line that is one of `names`: (line, "with" or "def")."""
    found: tuple[int, str] | None = None
    for node in _file(filename).blocks:
        if not node.lineno <= line <= (node.end_lineno or 0):
            continue
        given = [i.context_expr for i in node.items] if isinstance(node, ast.With) else node.decorator_list
        for e in given:
            call = e.func if isinstance(e, ast.Call) else e
            if (dotted(call) or "").rsplit(".", 1)[-1] in names and (found is None or e.lineno > found[0]):
                found = e.lineno, "with" if isinstance(node, ast.With) else "def"
    return found


def without(filename: str, line: int, *names: str) -> str | None:
    """The statement at a line with the calls of these methods or functions left out: `s = x.item()` is `s = x`."""
    statement = statement_at(filename, line)
    if statement is None or not isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Expr)):
        return None
    left_out = 0

    class Remover(ast.NodeTransformer):
        def visit_Call(self, node: ast.Call) -> Any:
            nonlocal left_out
            self.generic_visit(node)
            f = node.func
            if isinstance(f, ast.Attribute) and f.attr in names and not node.args:
                left_out += 1
                return f.value
            last = (dotted(f) or "").rsplit(".", 1)[-1]
            if last in names and len(node.args) == 1 and not isinstance(node.args[0], (ast.List, ast.Tuple)):
                left_out += 1
                return node.args[0]
            return node

        def visit_Attribute(self, node: ast.Attribute) -> Any:
            nonlocal left_out
            self.generic_visit(node)
            if node.attr in names and node.attr == "data":
                left_out += 1
                return node.value
            return node

    made = Remover().visit(ast.parse(ast.unparse(statement)))
    return ast.unparse(made) if left_out else None


def written_name(filename: str, line: int) -> str | None:
    """What the statement at a line changes in place: `y` of `y += 1`, `y[0] = 1` and `y.mul_(2)`."""
    s = statement_at(filename, line)
    if isinstance(s, ast.AugAssign):
        target: ast.expr = s.target
    elif isinstance(s, ast.Assign) and isinstance(s.targets[0], ast.Subscript):
        target = s.targets[0]
    elif isinstance(s, ast.Expr) and isinstance(s.value, ast.Call) and isinstance(s.value.func, ast.Attribute):
        if not s.value.func.attr.endswith("_"):
            return None
        target = s.value.func.value
    else:
        return None
    return dotted(target.value if isinstance(target, ast.Subscript) else target)


def writes_data(filename: str, line: int) -> bool:
    """Does the statement at a line write through `.data`?"""
    s = statement_at(filename, line)
    targets = s.targets if isinstance(s, ast.Assign) else [s.target] if isinstance(s, ast.AugAssign) else []
    return any(isinstance(n, ast.Attribute) and n.attr == "data" for t in targets for n in ast.walk(t))


def calls(filename: str, line: int, *names: str) -> list[ast.Call]:
    """Calls of functions or methods by these names in the statement at a line."""
    statement = statement_at(filename, line)
    found = [n for n in ast.walk(statement) if isinstance(n, ast.Call)] if statement is not None else []
    return [c for c in found if callee(c) in names]


def callee(call: ast.Call) -> str:
    f = call.func
    return f.attr if isinstance(f, ast.Attribute) else f.id if isinstance(f, ast.Name) else ""


_OPERATORS: dict[str, tuple[type[ast.operator], ...]] = {
    "mul": (ast.Mult,), "div": (ast.Div,), "add": (ast.Add,), "sub": (ast.Sub,), "pow": (ast.Pow,),
    "matmul": (ast.MatMult,), "rsub": (ast.Sub,), "true_divide": (ast.Div,),
}  # fmt: skip


def only_call(filename: str, code: Any, *names: str, mentions: str | None = None) -> int | None:
    """The line of the one place in a function where one of these operations is called, or stands as an operator.

    None if there are several. `mentions`: only places that name this variable count.
    """
    lines = set()
    operators = tuple(o for n in names for o in _OPERATORS.get(n, ()))
    for s in statements(filename, code):
        for e in _all_expressions(s):
            called = isinstance(e, ast.Call) and callee(e) in names
            if called or (operators and isinstance(e, ast.BinOp) and isinstance(e.op, operators)):
                words = [dotted(x) for x in ast.walk(e) if isinstance(x, ast.expr)]
                if mentions is None or mentions in words:
                    lines.add(e.lineno)  # type: ignore[attr-defined]
    return lines.pop() if len(lines) == 1 else None


def _all_expressions(statement: ast.stmt) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(statement):
        if isinstance(child, ast.expr):
            yield from ast.walk(child)


def calls_in(statement: ast.stmt) -> Iterator[ast.Call]:
    """The calls in a statement, without those of the statements inside it."""
    yield from (n for n in _all_expressions(statement) if isinstance(n, ast.Call))


def statements(filename: str, code: Any) -> list[ast.stmt]:
    """The statements of the function or module that a code object was compiled from, inner blocks included."""
    parsed = _file(filename)
    body: list[ast.stmt] = parsed.tree.body
    if code.co_name != "<module>":
        for node in parsed.functions:
            if node.name == code.co_name:
                first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
                if code.co_firstlineno in (first, node.lineno):
                    body = node.body
    found: list[ast.stmt] = []
    stack = body[::-1]
    while stack:
        s = stack.pop()
        found.append(s)
        if not isinstance(s, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            inner = [c for c in ast.iter_child_nodes(s) if isinstance(c, ast.stmt)]
            stack += inner[::-1]
    return found


def _uses(e: ast.AST, cuts: tuple[str, ...] = ()) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(name, the cuts between it and the whole expression, innermost first)."""
    name = dotted(e) if isinstance(e, ast.expr) else None
    if isinstance(e, ast.Attribute) and e.attr == "data":
        yield from _uses(e.value, ("data", *cuts))
    elif name is not None and not isinstance(e, ast.Subscript):
        yield name, cuts
    elif isinstance(e, ast.Call):
        last = callee(e)
        method = isinstance(e.func, ast.Attribute)
        cut = CUTS.get(last) if not (method and last in _BUILTIN) else {"int": "integer", "bool": "integer"}.get(last)
        root = (dotted(e.func) or "").split(".")[0]
        cut = cut or ("numpy" if root in ("np", "numpy", "math") else None)
        inner = (cut, *cuts) if cut else cuts
        if isinstance(e.func, ast.Attribute):
            yield from _uses(e.func.value, inner)
        for a in [*e.args, *(k.value for k in e.keywords)]:
            yield from _uses(a, inner)
    elif isinstance(e, ast.Compare):
        for x in [e.left, *e.comparators]:
            yield from _uses(x, ("comparison", *cuts))
    else:
        for child in ast.iter_child_nodes(e):
            yield from _uses(child, cuts)


def assignments(filename: str, code: Any, until: int) -> dict[str, list[Use]]:
    """For each name what was put into it, in the statements of a function up to line `until`."""
    found: dict[str, list[Use]] = {}
    for s in statements(filename, code):
        if s.lineno > until:
            continue
        block = around(filename, s.lineno, ("no_grad", "inference_mode"))
        outer = ("no_grad",) if block is not None else ()
        pairs: list[tuple[ast.expr, ast.expr]] = []
        if isinstance(s, ast.Assign):
            for t in s.targets:
                if isinstance(t, ast.Tuple) and isinstance(s.value, ast.Tuple) and len(t.elts) == len(s.value.elts):
                    pairs += zip(t.elts, s.value.elts, strict=True)
                else:
                    pairs += [(x, s.value) for x in (t.elts if isinstance(t, ast.Tuple) else [t])]
        elif isinstance(s, (ast.AugAssign, ast.AnnAssign)) and s.value is not None:
            pairs.append((s.target, s.value))
            if isinstance(s, ast.AugAssign):
                pairs.append((s.target, s.target))
        elif isinstance(s, (ast.For, ast.AsyncFor)):
            pairs += [(x, s.iter) for x in (s.target.elts if isinstance(s.target, ast.Tuple) else [s.target])]
        elif isinstance(s, ast.Expr) and isinstance(s.value, ast.Call) and isinstance(s.value.func, ast.Attribute):
            target = s.value.func.value  # xs.append(y), x.add_(y)
            if s.value.func.attr.endswith("_") or s.value.func.attr in ("append", "extend", "insert"):
                pairs += [(target, a) for a in s.value.args]
        for target, value in pairs:
            into = dotted(target) or (dotted(target.value) if isinstance(target, ast.Subscript) else None)
            if into is not None:
                found.setdefault(into, []).extend(Use(n, (*c, *outer), s.lineno) for n, c in _uses(value))
    return found


def path(frame: Any, start: str, end: str) -> list[Use] | None:
    """How the value of `start` comes into `end`, in a frame's function, as far as it has run: the uses, from `start` on."""
    code = frame.f_code
    found = assignments(code.co_filename, code, frame.f_lineno)
    came: dict[str, tuple[str, Use]] = {}
    queue = [end]
    while queue:
        name = queue.pop(0)
        if name == start and name in came:
            break
        for use in found.get(name, []):
            if use.name not in came and use.name != end:
                came[use.name] = (name, use)
                queue.append(use.name)
    if start not in came:
        return None
    way = []
    name = start
    while name != end:
        name, use = came[name]
        way.append(use)
    return way


def assigned(code: Any, target: str) -> int | None:
    """The line in a function where a name or an attribute is assigned."""
    for s in statements(code.co_filename, code):
        targets = s.targets if isinstance(s, ast.Assign) else [s.target] if isinstance(s, ast.AnnAssign) else []
        if any(ast.unparse(t) == target for t in targets):
            return s.lineno
    return None


def cuts_into(frame: Any, end: str) -> list[tuple[str, Use]]:
    """Every cut on a way into `end`: (what it is called, where)."""
    code = frame.f_code
    found = assignments(code.co_filename, code, frame.f_lineno)
    seen = {end}
    queue = [end]
    cuts = []
    while queue:
        for use in found.get(queue.pop(0), []):
            held = frame.f_locals.get(use.name.split(".")[0], frame.f_globals.get(use.name.split(".")[0]))
            if not isinstance(held, types.ModuleType):
                cuts += [(c, use) for c in use.cuts[:1]]
            if use.name not in seen:
                seen.add(use.name)
                queue.append(use.name)
    return cuts
