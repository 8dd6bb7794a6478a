"""A workload, stated once: from its forward follow the step that is timed, the forward alone, and the gradient alone.

Lives here: what a workload is. Not here: the workloads, how they are timed (`timing`), their forms in JAX (`in_jax`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Step = Callable[[], Any]


class Program:
    """A workload in one library: `value()` is the forward, of which one step takes the gradient.

    `inputs` are the tensors that it is a function of, those that require a gradient and others (JAX is given the same
    numbers). The gradient of what is not a number starts from ones.
    `opt`: the step ends with its update.
    """

    def __init__(self, lib: Any, value: Step, inputs: Sequence[Any], opt: Any = None) -> None:
        self.lib, self.value, self.inputs, self.opt = lib, value, list(inputs), opt
        self.leaves = [x for x in self.inputs if x.requires_grad]
        self.seed: Any = None

    def forward(self) -> Any:
        """The value, nothing recorded."""
        with self.lib.no_grad():
            return self.value()

    def gradient(self) -> Any:
        """The value with its graph, and backward."""
        for x in self.leaves:
            x.grad = None
        out = self.value()
        if self.seed is None:
            self.seed = self.lib.ones_like(out.detach())
        out.backward(self.seed)
        return out

    def __call__(self) -> Any:
        """One step, as a program would do it."""
        if self.opt is None:
            return self.gradient()
        self.opt.zero_grad()
        out = self.value()
        out.backward()
        self.opt.step()
        return out


@dataclass(frozen=True)
class Workload:
    """What the table says of one row: how to make it, and what it is held against."""

    make: Callable[[Any], Step]  # of a library shaped like torch; a Program where it has a forward and a gradient
    bar: float | None = None  # what the ratio to PyTorch may be at most
    per: int = 1  # operations in a step: times are shown for each
    jax: str | None = None  # its form in `in_jax`, and the arguments that this takes
    options: tuple[Any, ...] = ()
    hips: Callable[[], Step] | None = None  # a step in HIPS autograd
    memory: bool = False  # its peak memory is a row too

    def __call__(self, lib: Any) -> Step:
        return self.make(lib)


def differentiated(lib: Any, f: Callable[..., Any], *inputs: Any) -> Program:
    """`f(*inputs)`, and backward with a gradient of ones."""
    return Program(lib, lambda: f(*inputs), inputs)


def trained(lib: Any, model: Any, loss_of: Callable[..., Any], opt: Any, *data: Any) -> Program:
    """A training step: `loss_of(*data)`, backward, and an update of the model's parameters."""
    return Program(lib, lambda: loss_of(*data), [*model.parameters(), *data], opt)
