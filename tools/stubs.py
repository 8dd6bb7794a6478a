"""`python -m tools.stubs`: writes src/wengert/core/methods.pyi, the Tensor methods that the tables install.

Editors and type checkers cannot see what `ops.methods.install` hangs on Tensor at run time; this file, which
`core.tensor` names as Tensor's base while types are checked, shows them. A test fails when it is stale.
"""

from __future__ import annotations

import inspect
import keyword
from pathlib import Path
from typing import Any

import wengert
from wengert.core.op import TABLE
from wengert.core.tensor import Tensor

STUB = Path(wengert.__file__).parent / "core" / "methods.pyi"

HEAD = '''"""The methods of Tensor that the tables state. Written by `python -m tools.stubs`: do not edit."""

from typing import Any

from .tensor import Tensor

class Methods:
'''
# object has these with other types.
_OVERRIDES = {"__eq__", "__ne__"}
_UNARY = {"__neg__", "__pos__", "__abs__", "__invert__"}


def _parameters(function: Any) -> str:
    """The parameters after `self`, as a stub has them."""
    try:
        found = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return "*args: Any, **kwargs: Any"
    # A row's first argument is the tensor itself.
    if found and found[0].kind in (found[0].POSITIONAL_ONLY, found[0].POSITIONAL_OR_KEYWORD):
        found = found[1:]
    shown = []
    starred = False
    for p in found:
        if p.kind is p.VAR_POSITIONAL:
            starred = True
            shown.append(f"*{p.name}: Any")
            continue
        if p.kind is p.VAR_KEYWORD:
            shown.append(f"**{p.name}: Any")
            continue
        if p.kind is p.KEYWORD_ONLY and not starred:
            starred = True
            shown.append("*")
        shown.append(f"{p.name}: Any" + ("" if p.default is p.empty else " = ..."))
    return ", ".join(shown)


def _returns(name: str, function: Any) -> str:
    op = getattr(function, "op", None) or TABLE.get(name)
    if name.endswith("_") and not name.endswith("__"):
        return "Tensor"
    return "Tensor" if op is not None and op.single else "Any"


def stub() -> str:
    """The file's text."""
    written = _written_by_hand()
    lines = []
    for name, value in sorted(Tensor.__dict__.items()):
        if name in written or keyword.iskeyword(name) or (name.startswith("_") and not name.startswith("__")):
            continue
        if isinstance(value, property):
            lines += ["    @property", f"    def {name}(self) -> Any: ..."]
            if value.fset is not None:
                lines += [f"    @{name}.setter", f"    def {name}(self, value: Any) -> None: ..."]
        elif callable(value):
            if name.startswith("__"):  # Python's operators
                parameters, returns = "self" if name in _UNARY else "self, other: Any", "Tensor"
                if name == "__setitem__":
                    parameters, returns = "self, index: Any, value: Any", "None"
            else:
                parameters = ", ".join(filter(None, ("self", _parameters(value))))
                returns = _returns(name, value)
            ignore = "  # type: ignore[override]" if name in _OVERRIDES else ""
            lines.append(f"    def {name}({parameters}) -> {returns}: ...{ignore}")
    return HEAD + "\n".join(lines) + "\n"


def _written_by_hand() -> set[str]:
    """What stands in the class itself."""
    import ast

    tree = ast.parse(Path(inspect.getfile(Tensor)).read_text(encoding="utf-8"))
    body = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Tensor").body
    names = {n.name for n in body if isinstance(n, ast.FunctionDef)}
    for n in body:
        if isinstance(n, ast.Assign):
            names |= {t.id for t in n.targets if isinstance(t, ast.Name)}
        elif isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name):
            names.add(n.target.id)
    return names | {"__module__", "__doc__", "__dict__", "__weakref__", "__slots__", "__annotations__"}


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf-8")
    print(f"{STUB.name}: {STUB.read_text(encoding='utf-8').count('def ')} methods")
