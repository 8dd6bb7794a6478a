"""What users call: `explain(loss)`, which runs the backward pass for looking only, and `trace()`, which watches a program."""

from __future__ import annotations

import shutil
import sys
from typing import Any

from ..core import backward
from ..core.modes import LOCAL, set_mode
from ..core.node import FREED_MESSAGE, AccumulateGrad
from ..core.roots import roots_of
from ..core.tensor import Tensor
from . import collector
from .building import Builder
from .ledger import Ledger
from .parts import Parts
from .recording import _internal
from .scopes import Watch
from .screen import lay_out, plain
from .shots import BUDGET, WHOLE
from .sites import named_tensors, variables_of
from .watching import Watcher, remember


class Explanation(Parts):
    """One backward pass, to be printed. `ledger` holds it as data; `earlier` the passes that the trace saw before it."""

    def __init__(self, ledger: Ledger, earlier: list[Ledger] | None = None) -> None:
        self.ledger = ledger
        self.earlier = earlier or []

    def text(self, width: int | None = None, limit: int | None = None) -> str:
        """The ledger as plain text."""
        with collector.paused():
            return plain(lay_out(self.ledger, width or shutil.get_terminal_size((100, 40)).columns, limit))

    def svg(self, *, detail: bool | None = None) -> str:
        """The graph in both directions as an SVG picture; `detail=False` draws each module's call as one box."""
        from .drawing import svg

        with collector.paused():
            return svg(self.ledger, detail)

    def html(self, path: Any = None) -> str:
        """One self-contained HTML page: the graph, a stepper, formulas and numbers. Written to `path` if it is given."""
        from .page import html

        with collector.paused():
            made = html(self.ledger)
        if path is not None:
            with open(path, "w", encoding="utf-8", newline="\n") as file:
                file.write(made)
        return made

    to_html = html

    def _repr_html_(self) -> str:
        from .notebook import explanation_html

        return explanation_html(self)

    def _repr_latex_(self) -> str:
        from .notebook import ledger_latex

        return ledger_latex(self.ledger)

    def __str__(self) -> str:
        return self.text(limit=60)

    def __repr__(self) -> str:
        return str(self)


def explain(output: Any, grad: Any = None, *, _frame: Any = None) -> Explanation:
    """Show what `output.backward(grad)` does, step by step, without doing it: no `.grad` is touched, the graph stays.

    `output`: a Tensor with a grad_fn. If its graph was freed by a backward that has run already there are no numbers
    left to show: RuntimeError; use `trace()` around the program instead, or explain before calling backward.
    """
    if not isinstance(output, Tensor):
        raise TypeError(f"explain(): argument 'output' must be Tensor, not {type(output).__name__}")
    if not output._rg or output._edge is None:
        raise RuntimeError(
            "explain(): this tensor has no grad_fn, so there is no backward pass to show. It is a leaf, or was made "
            "under no_grad, detached, or from tensors that do not require grad."
        )
    with collector.paused():
        return _explain(output, grad, _frame or sys._getframe(1))


def _explain(output: Any, grad: Any, frame: Any) -> Explanation:
    recorder = Watcher(late=True)
    recorder_on = set_mode("observers", (*LOCAL.observers, recorder))
    sinks = _sinks(output._edge[0])
    try:
        found = backward.run_walk(
            roots_of([output], [grad], False), True, False, dict.fromkeys((s, 0) for s in sinks), set()
        )
    except RuntimeError as error:
        if str(error) != FREED_MESSAGE:
            raise
        raise RuntimeError(
            f"{FREED_MESSAGE}\nexplain(): a backward() has run and freed this graph; call explain before it, or put the "
            "program under `with wengert.explain.trace() as t:` and print(t)."
        ) from None
    finally:
        set_mode("observers", recorder_on)
        recorder.end()
    if not recorder.passes:
        raise RuntimeError("explain(): no step of this graph needs a gradient")
    noted = recorder.passes[-1]
    for sink in sinks:
        g = found.get((sink, 0))
        if g is not None:
            noted.arrived.append((sink, recorder.shots(g), recorder.shots(g)))
    noted.held = {}
    noted.place = None
    recorder.value_of(output)
    return Explanation(Builder(recorder, noted, variables_of(frame)).build())


def _sinks(node: Any) -> list[AccumulateGrad]:
    """The leaves' sinks that can be reached."""
    seen = {node}
    stack = [node]
    found = []
    while stack:
        n = stack.pop()
        if n.__class__ is AccumulateGrad:
            found.append(n)
        for target, _ in n.next:
            if target is not None and target not in seen:
                seen.add(target)
                stack.append(target)
    return found


class Trace:
    """Watches the program between `with` and its end. `passes` are the backward passes it saw."""

    def __init__(
        self, keep: Any = None, *, whole: int = WHOLE, budget: int = BUDGET, recorder: Watcher | None = None
    ) -> None:
        self.recorder = Watcher(keep=keep, whole=whole, budget=budget) if recorder is None else recorder
        self._before: Any = None
        self._collector: Any = None
        self._watch = Watch(self.recorder)
        self._made: dict[int, Explanation] = {}

    def __enter__(self) -> Trace:
        self._collector = collector.seldom()
        self._before = set_mode("observers", (*LOCAL.observers, self.recorder))
        self._watch.start()
        return self

    def __exit__(self, *exc: Any) -> None:
        self._watch.stop()
        set_mode("observers", self._before)
        collector.as_before(self._collector)
        remember(self.recorder)
        frame = sys._getframe(1)
        if not _internal(frame.f_code.co_filename):
            self.finish(variables_of(frame))

    def finish(self, variables: dict[str, Any]) -> None:
        """Note now what the program's variables are called."""
        self.recorder.finished(variables)
        names = {}
        for name, t in reversed(list(named_tensors(variables))):  # the best name comes last
            names[id(t)] = name
            value = self.recorder.known(t)
            if value is not None:
                value.given = name
        for noted in self.recorder.passes:  # an optimizer may have changed its leaves since
            for sink, value in noted.leaves.items():
                value.given = names.get(id(sink.variable), value.given)

    @property
    def passes(self) -> list[Explanation]:
        """An Explanation of each backward pass."""
        made: list[Explanation] = []
        for noted in self.recorder.passes:
            if noted.number not in self._made:
                ledger = Builder(self.recorder, noted, {}).build()
                self._made[noted.number] = Explanation(ledger, [e.ledger for e in made])
            made.append(self._made[noted.number])
        return made

    @property
    def last(self) -> Explanation:
        if not self.recorder.passes:
            raise RuntimeError("trace(): no backward pass ran inside the block")
        return self.passes[-1]

    def __str__(self) -> str:
        return "\n".join(str(p) for p in self.passes) or "no backward pass ran inside the block"


def trace(*, whole: int = WHOLE, budget: int = BUDGET) -> Trace:
    """Watch a piece of program: `with wengert.explain.trace() as t: ...; print(t)`.

    Arrays of at most `whole` elements are kept as they were, as long as they take `budget` bytes together; of all others
    there is a summary: shape, least, greatest, norm, and how many elements are not finite.
    """
    return Trace(whole=whole, budget=budget)
