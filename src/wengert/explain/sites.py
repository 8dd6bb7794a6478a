"""Names, as the user's program has them: from the source at the place where an operation was called, and from variables.

An instruction knows which expression it belongs to (`code.co_positions`), so the source says what an operation's
arguments were called and to which variable its result went.
"""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import types
from typing import Any

from ..core.tensor import Tensor

Span = tuple[int, int, int, int]


class Place:
    """One expression of the program: the call or operator that ran an operation."""

    def __init__(self, node: ast.AST | None, parent: ast.AST | None, text: str, globals: dict[str, Any]) -> None:
        self.node = node
        self.parent = parent
        self.text = text
        self.globals = globals

    @property
    def target(self) -> str | None:
        """The variable that the result is assigned to."""
        parent = self.parent
        if isinstance(self.node, ast.AugAssign):
            return _text(self.node.target)
        if isinstance(parent, ast.Assign) and parent.value is self.node and len(parent.targets) == 1:
            return _text(parent.targets[0])
        if isinstance(parent, (ast.AnnAssign, ast.NamedExpr)) and parent.value is self.node:
            return _text(parent.target)
        return None

    @property
    def callee(self) -> str | None:
        """The last name of the function called, "operator", or "subscript"."""
        node = self.node
        if isinstance(node, ast.Call):
            return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
        if isinstance(node, ast.Subscript):
            return "subscript" if isinstance(node.ctx, ast.Load) else None
        return "operator" if isinstance(node, (ast.BinOp, ast.UnaryOp, ast.Compare, ast.AugAssign)) else None

    @property
    def arguments(self) -> list[str | None]:
        """What the positional arguments are called, None for those that are not just names."""
        node = self.node
        if isinstance(node, ast.BinOp):
            return [_text(node.left), _text(node.right)]
        if isinstance(node, ast.AugAssign):
            return [_text(node.target), _text(node.value)]
        if isinstance(node, ast.UnaryOp):
            return [_text(node.operand)]
        if isinstance(node, ast.Subscript):
            return [_text(node.value)]
        if isinstance(node, ast.Compare):
            return [_text(node.left), _text(node.comparators[0])]
        if isinstance(node, ast.Call):
            given = [_text(a) for a in node.args]
            if isinstance(node.func, ast.Attribute) and not self._is_module(node.func.value):
                return [_text(node.func.value), *given]
            return given
        return []

    def _is_module(self, x: ast.expr) -> bool:
        if isinstance(x, ast.Attribute):
            return self._is_module(x.value)
        if not isinstance(x, ast.Name):
            return False
        return isinstance(self.globals.get(x.id), (types.ModuleType, type))


def _text(x: ast.expr) -> str | None:
    """A variable, attribute or fixed element as source; None for anything longer."""
    if isinstance(x, ast.Name):
        return x.id
    if isinstance(x, ast.Attribute):
        base = _text(x.value)
        return None if base is None else x.attr if base == "self" else f"{base}.{x.attr}"
    if isinstance(x, ast.Subscript) and isinstance(x.slice, ast.Constant):
        base = _text(x.value)
        return None if base is None else f"{base}[{x.slice.value!r}]"
    return None


_TREES: dict[str, tuple[list[str], dict[Span, tuple[ast.AST, ast.AST | None]]]] = {}


def _tree(filename: str) -> dict[Span, tuple[ast.AST, ast.AST | None]]:
    """Every expression of a file by where it stands, with what it is part of."""
    lines = linecache.getlines(filename)
    known = _TREES.get(filename)
    if known is None or known[0] is not lines:  # the same list as long as the file is
        if len(_TREES) > 64:
            _TREES.clear()
        known = _TREES[filename] = lines, _parsed(lines)
    return known[1]


def _parsed(lines: list[str]) -> dict[Span, tuple[ast.AST, ast.AST | None]]:
    found: dict[Span, tuple[ast.AST, ast.AST | None]] = {}
    try:
        tree = ast.parse("".join(lines))
    except (SyntaxError, ValueError):
        return found
    stack: list[tuple[ast.AST, ast.AST | None]] = [(tree, None)]
    while stack:
        node, parent = stack.pop()
        if isinstance(node, (ast.expr, ast.AugAssign)):
            span = (node.lineno, node.end_lineno or 0, node.col_offset, node.end_col_offset or 0)
            found.setdefault(span, (node, parent))
        stack.extend((child, node) for child in ast.iter_child_nodes(node))
    return found


@functools.lru_cache(4096)
def _span(code: types.CodeType, instruction: int) -> Span | None:
    for k, (line, end, column, stop) in enumerate(code.co_positions()):
        if k == instruction // 2:
            return None if None in (line, end, column, stop) else (line, end, column, stop)  # type: ignore[return-value]
    return None


def place(site: Any) -> Place | None:
    """The expression at a site noted by `recording.site`."""
    if site is None:
        return None
    code, instruction, line, globals = site
    span = _span(code, instruction)
    source = linecache.getline(code.co_filename, line)
    if span is None or not source:
        return Place(None, None, source.strip(), globals)
    node, parent = _tree(code.co_filename).get(span, (None, None))
    text = " ".join(ast.unparse(node).split()) if node is not None else source.strip()
    return Place(node, parent, text, globals)


def line_of(site: Any) -> tuple[str, int, str] | None:
    """(file, line number, the line itself) of a site."""
    if site is None:
        return None
    code, _, line, _ = site
    return code.co_filename, line, linecache.getline(code.co_filename, line).strip()


# -- variables ---------------------------------------------------------------------------------------------------------


def name_tensors(variables: dict[str, Any]) -> tuple[dict[int, str], dict[tuple[int, int], str]]:
    """Names of the tensors in some variables: by identity, and by their place in the graph (node, output).

    Parameters are named as their module names them; a tensor's own `name` goes first.
    """
    by_id: dict[int, str] = {}
    by_edge: dict[tuple[int, int], str] = {}

    def enter(name: str, x: Any) -> None:
        own = x._extra.name if x._extra is not None else None
        by_id.setdefault(id(x), own or name)
        if x._edge is not None:
            by_edge.setdefault((id(x._edge[0]), x._edge[1]), own or name)

    items = [(k, v) for k, v in variables.items() if k.isidentifier() and not k.startswith("__")]
    modules = [(k, v) for k, v in items if callable(getattr(v, "named_parameters", None)) and not isinstance(v, type)]
    for k, v in modules:
        found = list(v.named_parameters()) + list(getattr(v, "named_buffers", list)())
        for name, p in found:
            enter(name if len(modules) == 1 or k == "self" else f"{k}.{name}", p)
    for k, v in items:
        if isinstance(v, Tensor):
            enter(k, v)
    for k, v in items:
        if isinstance(v, dict):
            for key, x in list(v.items())[:1000]:
                if isinstance(x, Tensor):
                    enter(f"{k}[{key!r}]", x)
        elif isinstance(v, (list, tuple)):
            for i, x in enumerate(v[:1000]):
                if isinstance(x, Tensor):
                    enter(f"{k}[{i}]", x)
        elif not isinstance(v, (Tensor, type, types.ModuleType)) and hasattr(v, "__dict__"):
            for key, x in list(vars(v).items()):
                if isinstance(x, Tensor):
                    enter(key if k == "self" else f"{k}.{key}", x)
    return by_id, by_edge


def variables_of(frame: Any) -> dict[str, Any]:
    """The variables that a frame sees, its own last."""
    if frame is None:
        return {}
    own = frame.f_locals
    found = {**frame.f_globals, **own}
    if own is not frame.f_globals and isinstance(own, dict) and frame.f_code.co_flags & inspect.CO_OPTIMIZED:
        own.clear()  # before Python 3.13 it is a copy, which the frame would hold on to
    return found
