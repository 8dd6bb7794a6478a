"""The mathematics of a backward pass, from the rules that really ran.

    wengert.explain(loss)              # before backward(): shows what it will do; nothing is changed
    with wengert.explain.trace() as t: # or watch a piece of program
        loss = model(x).sum()
        loss.backward()
    print(t)

The module itself can be called. It reads the graph and the rules; the engine does not know it.
"""

from __future__ import annotations

import sys
import types
from typing import Any

from .ledger import Ledger
from .notebook import install as _install
from .tracing import Explanation, Trace, explain, trace

__all__ = ["Explanation", "Ledger", "Trace", "explain", "trace"]


_install()


class _Callable(types.ModuleType):
    def __call__(self, output: Any, grad: Any = None) -> Explanation:
        return explain(output, grad, _frame=sys._getframe(1))


sys.modules[__name__].__class__ = _Callable
