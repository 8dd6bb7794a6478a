"""Anomaly mode: the first NaN or infinity, made forwards or backwards, is an error that says where it was made.

`core` calls the object that `LOCAL.anomaly` holds: `made` and `computed` on the way forward, `before`, `after` and
`failed` around each node on the way back, `changed` when memory is written to, `modified_hint` when that was fatal.
A value counts as bad where it is *made*: by an operation whose operands are all finite.
"""

from __future__ import annotations

import os
import sys
import warnings
import weakref
from typing import Any

import numpy as np

from ..core.batched import plain
from ..core.modes import LOCAL, set_mode
from ..core.tensor import Tensor

__all__ = ["detect_anomaly", "is_anomaly_check_nan_enabled", "is_anomaly_enabled", "set_detect_anomaly"]

_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def _bad(x: Any) -> str | None:
    """ "nan" or "inf" if there is one in `x`."""
    array = getattr(x, "_array", x)
    if isinstance(array, (float, complex)):
        array = np.asarray(array)
    while not isinstance(array, (np.ndarray, np.generic)) and hasattr(array, "value"):
        array = array.value  # a batched array
    if not isinstance(array, (np.ndarray, np.generic)) or array.dtype.kind not in "fcV":
        return None
    if np.isfinite(array).all():
        return None
    return "nan" if np.isnan(array).any() else "inf"


def _where(x: Any) -> str:
    """The first bad element of `x`, by index."""
    array = np.asarray(plain(getattr(x, "_array", x)))  # of a batch, by example first
    places = np.argwhere(~np.isfinite(array))
    index = tuple(int(i) for i in places[0]) if places.size else ()
    return f"{array[index]} at {list(index)}" if index else f"{array[()]}"


def _stack() -> list[str]:
    """The user's part of the call stack, outermost first."""
    import traceback

    frames = [f for f in traceback.extract_stack() if not f.filename.startswith((_HERE, "<wengert"))]
    return traceback.format_list(frames)


def _line() -> str:
    """The user's line that is running."""
    import traceback

    for f in reversed(traceback.extract_stack()):
        if not f.filename.startswith((_HERE, "<wengert")):
            return f"{f.filename}:{f.lineno}: {f.line}"
    return "(no line known)"


def _show(name: str, x: Any) -> str:
    if isinstance(x, Tensor):
        array = x._array
        if not isinstance(array, np.ndarray):
            return f"  {name}: {x.dtype} of shape {list(x.shape)}"
        if array.size <= 8:
            return f"  {name} = {np.array2string(array, threshold=8, separator=', ')}  ({x.dtype})"
        low, high = (array.min(), array.max()) if array.dtype.kind in "fiu" else (None, None)
        between = f", {low} to {high}" if low is not None else ""
        return f"  {name}: {x.dtype} of shape {list(x.shape)}{between}"
    return f"  {name} = {x!r}"


class Anomaly:
    """What is noted while anomaly mode is on in a thread."""

    def __init__(self, check_nan: bool) -> None:
        self.check_nan = check_nan
        self.parents: list[Any] = []  # nodes being run
        self.writes: dict[int, tuple[Any, str]] = {}  # by version counter: who last changed it in place
        self.operands: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()

    # -- forward -------------------------------------------------------------------------------------------------------
    def made(self, node: Any, vals: list[Any], outputs: list[Any]) -> None:
        """A node has been recorded."""
        metadata = node.metadata
        metadata["traceback_"] = _stack()
        metadata["line_"] = _line()
        if self.parents:
            metadata["parent_"] = self.parents[-1]
        names = [p.name for p in node.op.params] if node.op is not None else [f"argument {i}" for i in range(len(vals))]
        self.operands[node] = "\n".join(_show(n, v) for n, v in zip(names, vals, strict=False) if v is not None)
        if node.op is None:
            self.check(node.operation(), names, vals, outputs)

    def computed(self, op: Any, vals: list[Any], outputs: list[Any]) -> None:
        """An operation has run."""
        self.check(op.name, [p.name for p in op.params], vals, outputs)

    def check(self, name: str, names: list[str], vals: list[Any], outputs: list[Any]) -> None:
        if not self.check_nan or self.parents:
            return  # the rules of backward are watched node by node
        for k, out in enumerate(outputs):
            bad = _bad(out)
            if bad is None:
                continue
            flat = [x for v in vals for x in (v if isinstance(v, (tuple, list)) else (v,))]
            if any(_bad(x) for x in flat):
                return  # it was there before
            shown = "\n".join(_show(n, v) for n, v in zip(names, vals, strict=False) if v is not None)
            raise RuntimeError(
                f"Function '{name}' returned {bad} values in its {k}th output, going forward: {_where(out)}.\n"
                f"Its operands, all finite:\n{shown}\nat {_line()}"
            )

    def changed(self, t: Any) -> None:
        """A tensor's memory was written to."""
        self.writes[id(t._vc)] = (t._vc, _line())

    # -- backward ------------------------------------------------------------------------------------------------------
    def before(self, node: Any, g: Any) -> None:
        self.parents.append(node)

    def after(self, node: Any, g: Any, grads: tuple[Any, ...]) -> None:
        self.parents.pop()
        if not self.check_nan:
            return
        for k, x in enumerate(grads):
            bad = _bad(x) if x is not None and node.next[k][0] is not None else None
            if bad is None:
                continue
            incoming = g if isinstance(g, (list, tuple)) else [g]
            self.warn(node)
            told = [
                f"Function '{node.name()}' returned {bad} values in its {k}th output.",
                f"It is the first to: the gradient of its argument number {k} is {_where(x)}.",
            ]
            if any(_bad(y) for y in incoming if y is not None):
                told[-1] = "The gradient that backward was given, which it starts from, has such values already."
            told.append("The gradient that came to it:")
            told += [
                _show(f"g{i}" if len(incoming) > 1 else "g", _tensor(y))
                for i, y in enumerate(incoming)
                if y is not None
            ]
            told += self.origin(node)
            raise RuntimeError("\n".join(told))

    def failed(self, node: Any, error: BaseException) -> None:
        self.parents.pop()
        self.warn(node)
        for line in self.origin(node):
            error.add_note(line)

    def origin(self, node: Any) -> list[str]:
        """What is known of the forward call that made a node."""
        found = node.metadata
        told = []
        if node in self.operands:
            told += ["The operands it had, going forward:", self.operands[node]]
        told.append(
            f"It was recorded at {found['line_']}"
            if "line_" in found
            else "It was recorded before anomaly mode was on."
        )
        parent = found.get("parent_")
        if parent is not None:
            told.append(
                f"by the backward of '{parent.name()}', recorded at {parent.metadata.get('line_', '(no line known)')}"
            )
        return told

    def warn(self, node: Any) -> None:
        """PyTorch's warning, for who looks there."""
        lines = node.metadata.get("traceback_")
        if lines is None:
            text = (
                f"Error detected in {node.name()}. No forward pass information available. Enable detect anomaly during "
                "forward pass for more information."
            )
        else:
            text = (
                f"Error detected in {node.name()}. Traceback of forward call that caused the error:\n{''.join(lines)}"
            )
        _warn(text)
        parent = node.metadata.get("parent_")
        while parent is not None:
            lines = parent.metadata.get("traceback_")
            text = (
                f"\n\nPrevious calculation was induced by {parent.name()}. Traceback of forward call that induced the "
                f"previous calculation:\n{''.join(lines)}"
                if lines
                else f"\n\nPrevious calculation was induced by {parent.name()}. No forward pass information available."
            )
            _warn(text)
            parent = parent.metadata.get("parent_")

    def modified_hint(self, node: Any, name: str, counter: Any = None) -> str:
        """What is known of a saved value that was changed in place."""
        told = (
            " Hint: the backtrace further above shows the operation that failed to compute its gradient. The variable in "
            "question was changed in there or anywhere later. Good luck!"
        )
        line = node.metadata.get("line_")
        if line is not None:
            told += f"\n{node.name()} saved it as '{name}' at {line}"
        write = self.writes.get(id(counter))
        if write is not None:
            told += f"\nand it was last changed in place at {write[1]}"
        return told


def _warn(text: str) -> None:
    """Warn; an error is on its way already, so where warnings are errors the text goes to stderr."""
    try:
        warnings.warn(text, UserWarning, stacklevel=4)
    except UserWarning:
        print(text, file=sys.stderr)


def _tensor(g: Any) -> Any:
    from ..core.fitting import as_tensor

    return as_tensor(g)


# -- the switches ------------------------------------------------------------------------------------------------------


class set_detect_anomaly:
    """Turn anomaly mode on or off, at once; until the end of the block when used as a context."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self.before = LOCAL.anomaly
        set_mode("anomaly", Anomaly(check_nan) if mode else None)

    def __enter__(self) -> None:
        return None

    def __exit__(self, *exc: Any) -> None:
        set_mode("anomaly", self.before)


class detect_anomaly(set_detect_anomaly):
    """Context: the first NaN or infinity, forwards or backwards, raises and says which operation made it, and where.

    Slow: for finding mistakes only.
    """

    def __init__(self, check_nan: bool = True) -> None:
        self.check_nan = check_nan
        self.before = LOCAL.anomaly
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should only be enabled for "
            "debugging.",
            UserWarning,
            stacklevel=2,
        )

    def __enter__(self) -> None:
        self.before = set_mode("anomaly", Anomaly(self.check_nan))


def is_anomaly_enabled() -> bool:
    return LOCAL.anomaly is not None


def is_anomaly_check_nan_enabled() -> bool:
    return LOCAL.anomaly is None or bool(LOCAL.anomaly.check_nan)
