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

from ..core.modes import LOCAL, Observer, set_mode
from ..core.op import COMPOSITES, TABLE, Op
from ..core.tensor import wrap
from ..explain.notation import public_name
from ..ops.aten import Overload, Packet, packet


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


def memory_of(array: Any) -> Any:
    """The array that owns the memory."""
    while isinstance(getattr(array, "base", None), np.ndarray):
        array = array.base
    return array


class SelectiveCheckpointContext:
    """What a policy function is told besides the operation and its arguments."""

    def __init__(self, *, is_recompute: bool, op_output: Any = None) -> None:
        self.is_recompute = is_recompute
        self.op_output = op_output


def _composites() -> list[Any]:
    """The functions that are stated in other operations."""
    return [row.function for row in COMPOSITES.values()]


def _operator(op: Op) -> Overload:
    """The operator that a row belongs to, as `torch.ops.aten` has it."""
    name = public_name(op.name)
    row: Any = COMPOSITES.get(name) or TABLE.get(name)
    return packet(name, op.function if row is None else row.function).default


class _Writes(Observer):
    """Notes, while a function runs, which kept results are changed in place."""

    def __init__(self, kept: dict[int, Any]) -> None:
        self.kept = kept  # by the identity of the memory

    def changed(self, op: Any, vals: list[Any], target: Any) -> None:
        entry = self.kept.get(id(memory_of(target._array)))
        if entry is not None:
            entry.changed = True


class _Kept:
    """The results of one operation."""

    def __init__(self, results: list[Any]) -> None:
        self.results: list[Any] | None = results
        self.changed = False


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

    def __enter__(self) -> None:
        super().__enter__()
        self.memory: dict[int, _Kept] = {}
        self.observers = set_mode("observers", (*LOCAL.observers, _Writes(self.memory)))

    def __exit__(self, *exc: Any) -> None:
        set_mode("observers", self.observers)
        super().__exit__(*exc)

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
            policy = self.policy(told, _operator(op), *vals)
        finally:
            set_mode("replay", before)
        if isinstance(policy, bool):
            policy = CheckpointPolicy.MUST_SAVE if policy else CheckpointPolicy.PREFER_RECOMPUTE
        self.store[key] = entry = _Kept(results) if policy in _KEPT else None
        if entry is not None:
            for r in results[: len(op.outputs)]:
                self.memory[id(memory_of(r))] = entry
        return results


class _Handing(_Context):
    def __init__(self, store: dict[Any, Any], allow_mutation: bool) -> None:
        self.store = store
        self.allow_mutation = allow_mutation

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
        if kept.results is None:
            raise RuntimeError(
                "Trying to backward an extra time. You are only allowed to backward once on any region computed under "
                "selective activation checkpoint."
            )
        if kept.changed and not self.allow_mutation:
            raise RuntimeError(
                "Tensor cached during selective activation checkpoint has been mutated. If you are sure that the changed value "
                "is what the recomputation needs, pass allow_cache_entry_mutation=True."
            )
        results, kept.results = kept.results, None
        return results


def create_selective_checkpoint_contexts(
    policy_fn_or_list: Callable[..., Any] | list[Callable[..., Any]], allow_cache_entry_mutation: bool = False
) -> tuple[Any, Any]:
    """The contexts of the forward and of the recomputation, for `checkpoint(context_fn=lambda: ...)`.

    A policy `(ctx, op, *args) -> CheckpointPolicy` is asked about each operation; `op` equals both `torch.mm`, say, and
    `torch.ops.aten.mm.default`. A list of operations means: keep their results, compute all others again. A kept result that
    is changed in place afterwards is an error in backward, unless `allow_cache_entry_mutation`.
    """
    if isinstance(policy_fn_or_list, list):
        for op in policy_fn_or_list:
            if isinstance(op, Packet):
                hint = f" Please update the OpOverloadPacket to a specific OpOverload: {op}.default."
            elif isinstance(op, Overload) or hasattr(op, "op") or op in _composites():
                continue
            else:
                hint = " Give torch.ops.aten.mm.default, say, or a function: torch.mm."
            raise ValueError(f"Expected op in `op_list` to be an OpOverload but got: {op} of type {type(op)}.{hint}")
        chosen = list(policy_fn_or_list)

        def policy(ctx: Any, op: Any, *args: Any) -> CheckpointPolicy:
            return CheckpointPolicy.MUST_SAVE if op in chosen else CheckpointPolicy.PREFER_RECOMPUTE

    elif callable(policy_fn_or_list):
        policy = policy_fn_or_list
    else:
        raise TypeError("policy_fn_or_list must be either a function or a list of ops.")
    store: dict[Any, Any] = {}
    return _Keeping(policy, store), _Handing(store, allow_cache_entry_mutation)


__all__ = ["CheckpointPolicy", "SelectiveCheckpointContext", "create_selective_checkpoint_contexts"]
