"""The mathematics of a backward pass, from the rules that really ran.

    wengert.explain(loss)              # before backward(): shows what it will do; nothing is changed
    with wengert.explain.trace() as t: # or watch a piece of program
        loss = model(x).sum()
        loss.backward()
    print(t)

    why_none(loss, x), why_nan(loss), why_zero(loss, x), why_error(exception)   # what went wrong, and what to change

The module itself can be called. It reads the graph and the rules; the engine does not know it.
"""

from __future__ import annotations

import importlib
import sys
import types
from typing import TYPE_CHECKING, Any

from .ledger import Ledger
from .notebook import install as _install
from .tracing import Explanation, Trace, explain, trace

if TYPE_CHECKING:
    from .diagnosis import Why as Why
    from .diagnosis import why_error as why_error
    from .diagnosis import why_nan as why_nan
    from .diagnosis import why_none as why_none
    from .diagnosis import why_zero as why_zero

__all__ = ["Explanation", "Ledger", "Trace", "Why", "explain", "trace", "why_error", "why_nan", "why_none", "why_zero"]

_DIAGNOSIS = frozenset(["Why", "why_error", "why_nan", "why_none", "why_zero"])  # imported when first asked for


def __getattr__(name: str) -> Any:
    if name in _DIAGNOSIS:
        found = getattr(importlib.import_module(".diagnosis", __name__), name)
        globals()[name] = found
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_DIAGNOSIS})


_install()


class _Callable(types.ModuleType):
    def __call__(self, output: Any, grad: Any = None) -> Explanation:
        return explain(output, grad, _frame=sys._getframe(1))


sys.modules[__name__].__class__ = _Callable
