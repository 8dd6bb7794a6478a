"""Selective checkpointing: which operations of a checkpointed function are kept instead of computed again.

`create_selective_checkpoint_contexts` makes the two contexts that `checkpoint(context_fn=...)` wants. Inside the first,
`LOCAL.replay` sees each operation and keeps the results that the policy says; inside the second it hands them out.
"""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.modes import set_mode
from ..core.op import Op
from ..core.tensor import wrap


class CheckpointPolicy(enum.Enum):
    """What becomes of an operation's result. MUST and PREFER differ for compilers only; CPU_OFFLOAD is SAVE on a CPU."""

    MUST_SAVE = 0
    PREFER_SAVE = 1
    MUST_RECOMPUTE = 2
    PREFER_RECOMPUTE = 3
    MUST_CPU_OFFLOAD = 4
    PREFER_CPU_OFFLOAD = 5


_KEPT = frozenset(
    (
        CheckpointPolicy.MUST_SAVE,
        CheckpointPolicy.PREFER_SAVE,
        CheckpointPolicy.MUST_CPU_OFFLOAD,
        CheckpointPolicy.PREFER_CPU_OFFLOAD,
    )
)
# They cost nothing, or share the memory of their argument.
_IGNORED = frozenset(["detach", "alias"])
_CHANGED = (
    "This can happen if the operations in the checkpointed region are nondeterministic or depend on global state that "
    "changed between forward and backward."
)


class SelectiveCheckpointContext:
    """What a policy function is told besides the operation and its arguments."""

    def __init__(self, *, is_recompute: bool, op_output: Any = None) -> None:
        self.is_recompute = is_recompute
        self.op_output = op_output


class _Context:
    """Sets `LOCAL.replay` to its own `run` inside."""

    def __enter__(self) -> None:
        self.start()
        self.before = set_mode("replay", self.run)

    def __exit__(self, *exc: Any) -> None:
        set_mode("replay", self.before)

    def start(self) -> None:
        """A run begins."""
        self.counts: dict[str, int] = defaultdict(int)

    def run(self, op: Op, vals: list[Any], forward: Callable[[Op, list[Any]], list[Any]]) -> list[Any]:
        """The results of one operation: its outputs, and what it saves besides."""
        raise NotImplementedError


class _Keeping(_Context):
    def __init__(self, policy: Callable[..., Any], store: dict[Any, Any]) -> None:
        self.policy = policy
        self.store = store

    def run(self, op: Op, vals: list[Any], forward: Callable[[Op, list[Any]], list[Any]]) -> list[Any]:
        results = forward(op, vals)
        if op.name in _IGNORED or op.view:
            return results
        key = (op.name, self.counts[op.name])
        self.counts[op.name] += 1
        outputs = [wrap(np.asarray(r)) for r in results[: len(op.outputs)]]
        told = SelectiveCheckpointContext(is_recompute=False, op_output=outputs[0] if op.single else tuple(outputs))
        before = set_mode("replay", None)
        try:
            policy = self.policy(told, op.function, *vals)
        finally:
            set_mode("replay", before)
        if isinstance(policy, bool):
            policy = CheckpointPolicy.MUST_SAVE if policy else CheckpointPolicy.PREFER_RECOMPUTE
        self.store[key] = results if policy in _KEPT else None
        return results


class _Handing(_Context):
    def __init__(self, store: dict[Any, Any]) -> None:
        self.store = store

    def run(self, op: Op, vals: list[Any], forward: Callable[[Op, list[Any]], list[Any]]) -> list[Any]:
        if op.name in _IGNORED or op.view:
            return forward(op, vals)
        number = self.counts[op.name]
        key = (op.name, number)
        self.counts[op.name] += 1
        if key not in self.store:
            raise RuntimeError(
                f"{op.name} invocation index {number} encountered during backward but not found in storage. {_CHANGED}"
            )
        kept = self.store[key]
        if kept is None:
            return forward(op, vals)
        if kept == ():
            raise RuntimeError(
                "Trying to backward an extra time. You are only allowed to backward once on any region computed under "
                "selective activation checkpoint."
            )
        self.store[key] = ()
        return kept


def create_selective_checkpoint_contexts(
    policy_fn_or_list: Callable[..., Any] | list[Callable[..., Any]], allow_cache_entry_mutation: bool = False
) -> tuple[Any, Any]:
    """The contexts of the forward and of the recomputation, for `checkpoint(context_fn=lambda: ...)`.

    A policy `(ctx, op, *args) -> CheckpointPolicy` is asked about each operation; `op` is the function, `torch.mm` say. A
    list of operations means: keep their results, compute all others again.
    """
    if isinstance(policy_fn_or_list, list):
        names = set()
        for op in policy_fn_or_list:
            if not hasattr(op, "op"):
                raise ValueError(
                    f"Expected op in `op_list` to be an operation (torch.mm, say) but got: {op} of type {type(op)}."
                )
            names.add(op.op.name)

        def policy(ctx: Any, op: Any, *args: Any) -> CheckpointPolicy:
            return CheckpointPolicy.MUST_SAVE if op.op.name in names else CheckpointPolicy.PREFER_RECOMPUTE

    elif callable(policy_fn_or_list):
        policy = policy_fn_or_list
    else:
        raise TypeError("policy_fn_or_list must be either a function or a list of ops.")
    store: dict[Any, Any] = {}
    return _Keeping(policy, store), _Handing(store)


__all__ = ["CheckpointPolicy", "SelectiveCheckpointContext", "create_selective_checkpoint_contexts"]
