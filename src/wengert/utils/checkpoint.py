"""Checkpointing: what backward needs of a part of a model is computed again instead of kept.

`checkpoint(fn, *args, use_reentrant=False)` records the graph as usual, but what its nodes save is replaced by place
holders; the first that backward asks for lets `fn` run again, and what is saved then, in the same order, fills them.
`use_reentrant=True` is the older way: the forward is not recorded at all, and a Function's backward runs it again and
walks back inside. What may not be recomputed is said to `utils.selective`.

Note [Recomputing the same]
    A second run of `fn` that takes another way would give wrong gradients. PyTorch compares the number, shapes and dtypes
    of what is saved. Here a digest of the values is compared too (sums, up to rounding), and the error says which operation
    was the first to differ. `determinism_check="none"` turns that off, and so does `preserve_rng_state=False`, which asks
    for other random numbers.
"""

from __future__ import annotations

import contextlib
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from ..autograd import backward
from ..autograd.function import Function
from ..autograd.graph import _current_graph_task_id, saved_tensors_hooks
from ..core.modes import LOCAL, enable_grad, no_grad, set_mode
from ..core.saved import Packed, keep_tensor
from ..core.tensor import Tensor
from ..ops.random import get_rng_state, set_rng_state
from .recomputed import Trace, alike, digest, first_difference, metadata_of
from .selective import CheckpointPolicy as CheckpointPolicy
from .selective import SelectiveCheckpointContext as SelectiveCheckpointContext
from .selective import create_selective_checkpoint_contexts as create_selective_checkpoint_contexts

__all__ = [
    "CheckpointError", "CheckpointFunction", "CheckpointPolicy", "GraphExecGroup", "SelectiveCheckpointContext",
    "checkpoint", "checkpoint_sequential", "create_selective_checkpoint_contexts", "noop_context_fn",
    "set_checkpoint_debug_enabled", "set_checkpoint_early_stop",
]  # fmt: skip

_EXPLICIT = (
    "the use_reentrant parameter should be passed explicitly. Starting in PyTorch 2.9, calling checkpoint without "
    "use_reentrant will raise an exception. use_reentrant=False is recommended, but if you need to preserve the current "
    "default behavior, you can pass use_reentrant=True. Refer to docs for more details on the differences between the two "
    "variants."
)
_TIP = (
    "Tip: debug=True, or `with set_checkpoint_debug_enabled(True):`, shows the operations of both runs and their lines."
)


class CheckpointError(RuntimeError):
    """The second run of a checkpointed function was not like the first."""


def noop_context_fn() -> tuple[Any, Any]:
    """Neither the forward nor the recomputation runs in a context."""
    return contextlib.nullcontext(), contextlib.nullcontext()


class _Setting:
    """A switch for everything inside a `with`; None leaves it to the caller of `checkpoint`."""

    early_stop: bool | None = None
    debug: bool | None = None


@contextlib.contextmanager
def _set(name: str, value: bool | None) -> Iterator[None]:
    before = getattr(_Setting, name)
    setattr(_Setting, name, value)
    try:
        yield
    finally:
        setattr(_Setting, name, before)


def set_checkpoint_early_stop(enable: bool) -> Any:
    """Inside, checkpoints stop their recomputation as soon as all that is needed is there, or do not."""
    return _set("early_stop", enable)


def set_checkpoint_debug_enabled(enabled: bool | None) -> Any:
    """Inside, errors of checkpoints show the operations of both runs (True), do not (False), or as `debug=` says (None)."""
    return _set("debug", enabled)


# -- without reentering --------------------------------------------------------------------------------------------------


class _Stop(Exception):
    """Everything that was saved during forward has been computed again."""


class _Holder:
    """In place of a saved tensor: by backward pass, the recomputed tensor, or None after it was used."""

    __slots__ = ("__weakref__", "values")

    def __init__(self) -> None:
        self.values: dict[Any, Tensor | None] = {}


class _Input:
    """A tensor argument, kept as a node would keep it: packed by hooks that are on, guarded against changes in place."""

    def __init__(self, t: Tensor) -> None:
        self.kept = keep_tensor(t, None)
        self.version = t._version if not t.is_inference() else None

    def get(self) -> Tensor:
        kept = self.kept
        if isinstance(kept, Packed):
            return kept.unpack()
        if self.version is not None and kept._version != self.version:
            raise RuntimeError(
                "one of the variables needed for gradient computation has been modified by an inplace operation: an argument "
                f"of a checkpointed function, of shape {list(kept.shape)}, is at version {kept._version}; expected version "
                f"{self.version} instead."
            )
        return kept


class _Frame:
    """One call of `checkpoint`: how to run it again, and what was saved."""

    def __init__(
        self, recompute: Callable[..., None], early_stop: bool, check: bool, values: bool, debug: bool
    ) -> None:
        self.recompute = recompute
        self.early_stop = early_stop
        self.check = check
        self.check_values = values
        self.debug = debug
        self.inputs: list[Any] = []
        self.holders: list[weakref.ref[_Holder]] = []
        self.metadata: list[Any] = []
        self.digests: list[Any] = []
        self.done = False  # the forward is over
        self.partial = False  # backward came before that: the second run may save more
        self.trace = Trace(debug)
        self.counts: dict[Any, int] = {}  # saved so far, by pass
        self.again: Trace | None = None

    # -- forward
    def pack(self, t: Tensor) -> _Holder:
        holder = _Holder()
        self.holders.append(weakref.ref(holder))
        if self.check:
            self.metadata.append(metadata_of(t))
            self.digests.append(digest(t) if self.check_values else None)
        return holder

    # -- backward
    def unpack(self, holder: _Holder) -> Tensor:
        key: Any = GraphExecGroup._get_current_group()
        if key is None:
            key = _current_graph_task_id()
        if key == -1:
            key = object()  # outside of a pass every access computes again
        if key not in self.counts:
            self.run_again(key)
        if key not in holder.values:
            raise self.error("A different number of tensors was saved during the original forward and recomputation.")
        found = holder.values[key]
        if found is None:
            overlap = (
                "Performing two backward calls that overlap (i.e. require the same saved activation in order to compute "
                "gradients) is not allowed while under the torch.utils.checkpoint.GraphExecGroup context. "
                if GraphExecGroup._get_current_group() is not None
                else ""
            )
            raise CheckpointError(
                "torch.utils.checkpoint: Unpack is being triggered for a tensor that was already unpacked once. "
                f"{overlap}If you are calling ctx.saved_tensors in backward, make sure to do so only once."
            )
        holder.values[key] = None
        return found

    def run_again(self, key: Any) -> None:
        self.counts[key] = 0
        self.again = Trace(self.debug)
        args = [a.get() if isinstance(a, _Input) else a for a in self.inputs]
        observers = set_mode("observers", (*LOCAL.observers, self.again))
        try:
            with saved_tensors_hooks(lambda t: self.fill(t, key), lambda t: t), enable_grad():
                self.recompute(*args)
        except _Stop:
            pass
        except BaseException:
            del self.counts[key]
            raise
        finally:
            set_mode("observers", observers)
        if not self.partial and self.counts[key] != len(self.holders):
            raise self.error(
                "A different number of tensors was saved during the original forward and recomputation.\n"
                f"Number of tensors saved during forward: {len(self.holders)}\n"
                f"Number of tensors saved during recomputation: {self.counts[key]}."
            )
        self.compare(key)

    def fill(self, t: Tensor, key: Any) -> Tensor:
        """Keep a recomputed tensor for whoever waits for it."""
        t = t.detach() if t.requires_grad else t
        i = self.counts[key]
        self.counts[key] += 1
        if i >= len(self.holders):
            if not self.done:
                self.partial = True
                return t
            raise self.error("trying to save more tensors during recomputation than during the original forward pass.")
        holder = self.holders[i]()
        if holder is not None:
            holder.values[key] = t
        if self.early_stop and self.counts[key] == len(self.holders):
            raise _Stop
        return t

    def compare(self, key: Any) -> None:
        if not self.check or self.partial:
            return
        different, other = "", ""
        for i, ref in enumerate(self.holders):
            holder = ref()
            t = holder.values.get(key) if holder is not None else None
            if t is None:
                continue
            if metadata_of(t) != self.metadata[i]:
                different += (
                    f"tensor at position {i}:\nsaved metadata: {self.metadata[i]}\n"
                    f"recomputed metadata: {metadata_of(t)}\n"
                )
            elif self.check_values and not alike(self.digests[i], digest(t), t):
                other += f"tensor at position {i}: {self.metadata[i]}\n"
        if different:
            raise self.error(
                "Recomputed values for the following tensors have different metadata than during the forward pass.\n"
                + different
            )
        if other:
            raise self.error(
                "Recomputed values for the following tensors are not those of the forward pass: the gradient would be wrong "
                "(PyTorch returns it without a word). The function depends on something that has changed since: a global, an "
                "attribute, a counter, a tensor changed in place. determinism_check='none' turns this check off.\n"
                + other
            )

    def error(self, what: str) -> CheckpointError:
        again = self.again.ops if self.again is not None else []
        told = f"torch.utils.checkpoint: {what}\n{first_difference(self.trace.ops, again)}"
        if not self.debug:
            return CheckpointError(told + _TIP)
        return CheckpointError(
            told
            + "You are seeing this error because you passed `debug=True` to checkpoint and the tensors saved during the original "
            "forward differ from those saved during recomputation. These operations ran:\n"
            + _listed("original forward", self.trace)
            + (_listed("recomputation", self.again) if self.again is not None else "")
        )


def _listed(title: str, trace: Trace) -> str:
    lines = [f"\nduring the {title}:\n"]
    for i, (op, stack) in enumerate(zip(trace.ops, trace.stacks, strict=True)):
        lines.append(f"{i}: {op}\n{stack}")
    return "".join(lines)


def _without_reentering(
    fn: Callable[..., Any],
    preserve: bool,
    context_fn: Callable[[], tuple[Any, Any]],
    determinism_check: str,
    debug: bool,
    early_stop: bool,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    debug = _Setting.debug if _Setting.debug is not None else debug
    if debug and context_fn is not noop_context_fn:
        raise ValueError("debug=True is incompatible with non-default context_fn")
    if determinism_check not in ("default", "none"):
        raise ValueError(f"determinism_check should be one of ['default', 'none'], but got {determinism_check}")
    first, second = context_fn()
    state = get_rng_state() if preserve else None

    precision = LOCAL.autocast

    def recompute(*args: Any) -> None:
        with _random_state(state), _autocast(precision), second:
            fn(*args, **kwargs)

    if not LOCAL.grad:
        return fn(*args, **kwargs)
    early_stop = _Setting.early_stop if _Setting.early_stop is not None else early_stop
    frame = _Frame(recompute, early_stop, determinism_check == "default", preserve, debug)
    frame.inputs = [_Input(a) if isinstance(a, Tensor) else a for a in args]
    observers = set_mode("observers", (*LOCAL.observers, frame.trace))
    try:
        with saved_tensors_hooks(frame.pack, frame.unpack), first:
            result = fn(*args, **kwargs)
    finally:
        set_mode("observers", observers)
    frame.done = True
    return result


@contextlib.contextmanager
def _autocast(precision: Any) -> Iterator[None]:
    """Inside, the mixed precision, or none, that the forward pass had."""
    before = set_mode("autocast", None if precision is None else precision.again())
    try:
        yield
    finally:
        set_mode("autocast", before)


@contextlib.contextmanager
def _random_state(state: Tensor | None) -> Iterator[None]:
    """Inside, the random numbers of `state`; afterwards go on as if nothing had been drawn."""
    if state is None:
        yield
        return
    before = get_rng_state()
    set_rng_state(state)
    try:
        yield
    finally:
        set_rng_state(before)


# -- reentering -------------------------------------------------------------------------------------------------------------


class CheckpointFunction(Function):
    """The function is not recorded; backward runs it again and walks back inside."""

    @staticmethod
    def forward(ctx: Any, run_function: Callable[..., Any], preserve_rng_state: bool, *args: Any) -> Any:
        if not any(isinstance(a, Tensor) and a.requires_grad for a in args):
            warnings.warn(
                "None of the inputs have requires_grad=True. Gradients will be None", UserWarning, stacklevel=4
            )
        ctx.run_function = run_function
        ctx.state = get_rng_state() if preserve_rng_state else None
        ctx.precision = LOCAL.autocast
        ctx.args = [None if isinstance(a, Tensor) else a for a in args]
        ctx.places = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
        ctx.save_for_backward(*(args[i] for i in ctx.places))
        with no_grad():
            outputs = run_function(*args)
        ctx.digests = [digest(o) if isinstance(o, Tensor) else None for o in _as_tuple(outputs)]
        return outputs

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        if LOCAL.walk is not None and not LOCAL.walk[3]:
            raise RuntimeError(
                "When use_reentrant=True, torch.utils.checkpoint is incompatible with .grad() or passing an `inputs` parameter "
                "to .backward(). To resolve this error, you can either set use_reentrant=False, or call .backward() without "
                "passing the `inputs` argument."
            )
        args = list(ctx.args)
        for i, t in zip(ctx.places, ctx.saved_tensors, strict=True):
            args[i] = t.detach().requires_grad_(t.requires_grad)
        with _random_state(ctx.state), _autocast(ctx.precision), enable_grad():
            outputs = _as_tuple(ctx.run_function(*args))
        pairs = [(o, g) for o, g in zip(outputs, grads, strict=True) if isinstance(o, Tensor) and o.requires_grad]
        if not pairs:
            raise RuntimeError("none of output has requires_grad=True, this checkpoint() is not necessary")
        for k, (o, before) in enumerate(zip(outputs, ctx.digests, strict=True)):
            if ctx.state is not None and isinstance(o, Tensor) and not alike(before, digest(o), o):
                raise CheckpointError(
                    f"torch.utils.checkpoint: output {k} was computed again and is not what it was during the forward pass: "
                    "the gradient would be wrong (PyTorch returns it without a word). The function depends on something that "
                    "has changed since."
                )
        backward([o for o, _ in pairs], [g for _, g in pairs])
        return (None, None, *(a.grad if isinstance(a, Tensor) else None for a in args))


def _as_tuple(x: Any) -> tuple[Any, ...]:
    return x if isinstance(x, tuple) else (x,)


# -- the public functions -----------------------------------------------------------------------------------------------------


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], tuple[Any, Any]] = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Any,
) -> Any:
    """`function(*args, **kwargs)`, keeping only the arguments for backward, which runs the function again.

    `use_reentrant=False` is to be preferred. Random numbers are the same in both runs unless `preserve_rng_state=False`.
    `context_fn` returns a context for each run. CheckpointError if the second run is not like the first.
    """
    if use_reentrant is None:
        warnings.warn(f"torch.utils.checkpoint: {_EXPLICIT}", UserWarning, stacklevel=2)
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if not use_reentrant:
        return _without_reentering(function, preserve, context_fn, determinism_check, debug, early_stop, args, kwargs)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    if context_fn is not noop_context_fn or debug:
        raise ValueError("Passing `context_fn` or `debug` is only supported when use_reentrant=False.")
    return CheckpointFunction.apply(function, preserve, *args)


def checkpoint_sequential(
    functions: Any, segments: int, input: Tensor, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """The functions one after the other, in `segments` checkpoints; the last segment is not one."""
    if use_reentrant is None:
        warnings.warn(f"torch.utils.checkpoint.checkpoint_sequential: {_EXPLICIT}", UserWarning, stacklevel=2)
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    steps = list(functions.children()) if hasattr(functions, "children") else list(functions)

    def run(part: list[Any]) -> Callable[[Any], Any]:
        def forward(x: Any) -> Any:
            for step in part:
                x = step(x)
            return x

        return forward

    size = len(steps) // segments
    last = size * (segments - 1)
    for start in range(0, last, size):
        part = run(steps[start : start + size])
        input = checkpoint(part, input, use_reentrant=use_reentrant, preserve_rng_state=preserve)
    return run(steps[last:])(input)


class _Groups(threading.local):
    current: GraphExecGroup | None = None


_GROUPS = _Groups()


class GraphExecGroup:
    """Inside, each checkpoint is computed again once at most, however many backward passes there are: they may not overlap."""

    def __enter__(self) -> GraphExecGroup:
        if _GROUPS.current is not None:
            raise RuntimeError(f"GraphExecGroup contexts cannot be nested. Already inside group {_GROUPS.current}")
        _GROUPS.current = self
        return self

    def __exit__(self, *exc: Any) -> None:
        _GROUPS.current = None

    @classmethod
    def _get_current_group(cls) -> GraphExecGroup | None:
        return _GROUPS.current


def _unsupported(name: str) -> NoReturn:
    raise NotImplementedError(f"torch.utils.checkpoint.{name} is about devices that Wengert does not have")


def get_device_states(*args: Any) -> NoReturn:
    """There is one device, and its random state is `get_rng_state()`."""
    _unsupported("get_device_states")


def set_device_states(*args: Any, **kwargs: Any) -> NoReturn:
    """There is one device, and its random state is `set_rng_state(state)`."""
    _unsupported("set_device_states")
