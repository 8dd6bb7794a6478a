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
from collections.abc import Iterator
from typing import Any

from ..core.tensor import Tensor

Span = tuple[int, int, int, int]


class Place:
    """One expression of the program: the call or operator that ran an operation."""

    def __init__(self, node: ast.AST | None, parent: ast.AST | None, line: str, globals: dict[str, Any]) -> None:
        self.node = node
        self.parent = parent
        self.line = line
        # What the positional ones are called, None for those that are not just names.
        self.arguments = self._arguments(globals)
        # The parameters of what is called, where it is a function of a module and no row: they may be in another order.
        self.parameters = self._parameters(globals)

    @functools.cached_property
    def text(self) -> str:
        """The expression, on one line."""
        return " ".join(ast.unparse(self.node).split()) if self.node is not None else self.line.strip()

    @functools.cached_property
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

    @functools.cached_property
    def callee(self) -> str | None:
        """The last name of the function called, "operator", or "subscript"."""
        node = self.node
        if isinstance(node, ast.Call):
            return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
        if isinstance(node, ast.Subscript):
            return "subscript" if isinstance(node.ctx, ast.Load) else None
        return "operator" if isinstance(node, (ast.BinOp, ast.UnaryOp, ast.Compare, ast.AugAssign)) else None

    def _arguments(self, globals: dict[str, Any]) -> list[str | None]:
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
            if isinstance(node.func, ast.Attribute) and not self._is_module(node.func.value, globals):
                return [_text(node.func.value), *given]
            return given
        return []

    def _parameters(self, globals: dict[str, Any]) -> list[str] | None:
        func = self.node.func if isinstance(self.node, ast.Call) else None
        path: list[str] = []
        while isinstance(func, ast.Attribute):
            path.append(func.attr)
            func = func.value
        if not isinstance(func, ast.Name):
            return None
        found = globals.get(func.id)
        for name in reversed(path):
            if not isinstance(found, types.ModuleType):
                return None
            found = getattr(found, name, None)
        if not isinstance(found, types.FunctionType) or hasattr(found, "op"):
            return None
        return list(inspect.signature(found).parameters)

    def _is_module(self, x: ast.expr, globals: dict[str, Any]) -> bool:
        if isinstance(x, ast.Attribute):
            return self._is_module(x.value, globals)
        if not isinstance(x, ast.Name):
            return False
        return isinstance(globals.get(x.id), (types.ModuleType, type))


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


class Code:
    """What is known of one code object: where each instruction stands, and the Places asked for."""

    def __init__(self, code: types.CodeType) -> None:
        self.code = code
        self.positions = list(code.co_positions())
        self.places: dict[int, Place] = {}
        self.lines = linecache.getlines(code.co_filename)


_CODES: dict[int, Code] = {}  # by identity, which is theirs as long as they are in here
_TREES: dict[str, tuple[list[str], dict[Span, tuple[ast.AST, ast.AST | None]]]] = {}


def _known(code: types.CodeType) -> Code:
    found = _CODES.get(id(code))
    if found is None:
        if len(_CODES) > 1000:
            _CODES.clear()
        found = _CODES[id(code)] = Code(code)
    return found


def _tree(filename: str, lines: list[str]) -> dict[Span, tuple[ast.AST, ast.AST | None]]:
    """Every expression of a file by where it stands, with what it is part of."""
    known = _TREES.get(filename)
    if known is not None and known[0] is lines:
        return known[1]
    found: dict[Span, tuple[ast.AST, ast.AST | None]] = {}
    if len(_TREES) > 64:
        _TREES.clear()
    _TREES[filename] = (lines, found)
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


def place(site: Any) -> Place | None:
    """The expression at a place noted by `recording.place`, or at a site."""
    if site is None:
        return None
    code, instruction, globals = site[0], site[1], site[-1]
    known = _known(code)
    found = known.places.get(instruction)
    if found is None:
        span = known.positions[instruction // 2]
        line = known.lines[span[0] - 1] if span[0] is not None and 0 < span[0] <= len(known.lines) else ""
        node, parent = None, None
        if line and None not in span:
            node, parent = _tree(code.co_filename, known.lines).get(span, (None, None))
        found = known.places[instruction] = Place(node, parent, line, globals)
    return found


def _span(code: types.CodeType, instruction: int) -> Span | None:
    found = _known(code).positions[instruction // 2]
    return None if None in found else found  # type: ignore[return-value]


def site_of(place: Any) -> Any:
    """(code, instruction, line, globals) of what `recording.place` noted."""
    if place is None or len(place) == 4:
        return place
    code, instruction, globals = place
    return code, instruction, _known(code).positions[instruction // 2][0] or code.co_firstlineno, globals


def line_of(site: Any) -> tuple[str, int, str] | None:
    """(file, line number, the line itself) of a site."""
    if site is None:
        return None
    code, _, line, _ = site_of(site)
    return code.co_filename, line, linecache.getline(code.co_filename, line).strip()


# -- variables ---------------------------------------------------------------------------------------------------------


def has_method(v: Any, name: str) -> bool:
    """Does its class have the method? (The program's objects are not asked, as they may answer anything.)"""
    return not isinstance(v, type) and callable(getattr(type(v), name, None))


def attributes(v: Any) -> dict[str, Any]:
    """The attributes that an object holds itself."""
    try:
        found = object.__getattribute__(v, "__dict__")
    except AttributeError:
        return {}
    return dict(found) if isinstance(found, dict) else {}


def named_tensors(variables: dict[str, Any]) -> Iterator[tuple[str, Tensor]]:
    """The tensors in some variables with their names, the best name first.

    Parameters are named as their module names them; a tensor's own `name` goes first.
    """

    def call(name: str, x: Tensor) -> tuple[str, Tensor]:
        own = x._extra.name if x._extra is not None else None
        return own or name, x

    items = [(k, v) for k, v in variables.items() if k.isidentifier() and not k.startswith("__")]
    modules = [(k, v) for k, v in items if has_method(v, "named_parameters")]
    for k, v in modules:
        found = list(v.named_parameters()) + (list(v.named_buffers()) if has_method(v, "named_buffers") else [])
        for name, p in found:
            yield call(name if len(modules) == 1 or k == "self" else f"{k}.{name}", p)
    for k, v in items:
        if isinstance(v, Tensor):
            yield call(k, v)
    for k, v in items:
        if isinstance(v, dict):
            inner = [(f"{k}[{key!r}]", x) for key, x in list(v.items())[:1000]]
        elif isinstance(v, (list, tuple)):
            inner = [(f"{k}[{i}]", x) for i, x in enumerate(v[:1000])]
        elif not isinstance(v, (Tensor, type, types.ModuleType)):
            inner = [(key if k == "self" else f"{k}.{key}", x) for key, x in attributes(v).items()]
        else:
            continue
        for name, x in inner:
            if isinstance(x, Tensor):
                yield call(name, x)


def name_tensors(variables: dict[str, Any]) -> tuple[dict[int, str], dict[tuple[int, int], str]]:
    """Names of the tensors in some variables: by identity, and by their place in the graph (node's number, output)."""
    by_id: dict[int, str] = {}
    by_edge: dict[tuple[int, int], str] = {}
    for name, x in named_tensors(variables):
        by_id.setdefault(id(x), name)
        if x._edge is not None:
            by_edge.setdefault((x._edge[0].seq, x._edge[1]), name)
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
