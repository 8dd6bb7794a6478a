"""The node that each call of a `Function` makes, and what it saved. How outputs are hung on it: `function_outputs`."""

from __future__ import annotations

from typing import Any

from ..core.fitting import as_gradient, as_tensor
from ..core.modes import LOCAL, set_mode
from ..core.node import FREED_MESSAGE, NO_EDGE, SEQUENCE, Node, leaf_edge
from ..core.node_calls import check_attached, materialise, modified_error
from ..core.saved import Packed, SavedTensor, keep_tensor
from ..core.tensor import Tensor, wrap
from .context import Context


class LostIntermediate(Node):
    """Where a second derivative would have to pass through a forward that was not recorded."""

    __slots__ = ("_forward_cls", "owner")

    def __init__(self, owner: Node, t: Tensor) -> None:
        self._forward_cls = getattr(owner, "_forward_cls", None)  # whose mistake it is
        self.seq = next(SEQUENCE)
        self.extra = None
        self.freed = False
        self.shape, self.dtype = t._array.shape, t._array.dtype
        self.next = owner.next
        self.owner = owner.name()

    def run(self, g: Any, keep: bool) -> tuple[Any, ...]:
        raise RuntimeError(
            f"{self.owner}: a second derivative was asked for, but backward uses a tensor that forward computed from its "
            "inputs and saved without returning it. How it depends on the inputs was not recorded, so the result would be "
            "wrong (PyTorch returns it without a word). Compute the tensor again in backward from saved inputs, or return "
            "it as an output of forward; or mark backward with @once_differentiable."
        )

    run_recorded = run


class Error(Node):
    """What @once_differentiable hangs its results on."""

    __slots__ = ("results",)

    def __init__(self, t: Tensor, results: tuple[Any, ...], edges: tuple[Any, ...]) -> None:
        self.seq = next(SEQUENCE)
        self.extra = None
        self.freed = False
        self.shape, self.dtype = t._array.shape, t._array.dtype
        self.results = results
        self.next = (*results, *edges)

    @property
    def next_functions(self) -> tuple[Any, ...]:
        return self.results  # as PyTorch shows it; what they were computed from is there for the walk to come this way

    def run(self, g: Any, keep: bool) -> tuple[Any, ...]:
        raise RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")

    run_recorded = run


def edge(t: Any) -> Any:
    return (t._edge or leaf_edge(t)) if isinstance(t, Tensor) and t._rg else NO_EDGE


def hung(t: Tensor, node: Node) -> Tensor:
    """The same values, at another place in the graph."""
    alias = wrap(t._array)
    alias._vc = t._vc
    alias._rg, alias._edge = True, (node, 0)
    return alias


class Saved:
    """One tensor a Function saved: an input, output number `output`, or (`lost`) an intermediate."""

    __slots__ = ("counter", "lost", "output", "tangents", "value", "version")

    def __init__(self, node: Node, t: Tensor | None, output: int | None, lost: bool) -> None:
        self.output = output
        self.lost = lost
        self.counter = None
        self.version = 0
        self.tangents: dict[int, Any] | None = None  # of an output, in forward mode
        if t is not None:
            if t._vc is None:
                t._vc = [0, None]
            self.counter, self.version = t._vc, t._vc[0]
        self.value = keep_tensor(t, output)

    def unpack(self, node: Node) -> Tensor | None:
        value = self.value
        if value is None:
            return None
        if isinstance(value, Packed):
            return value.unpack(node)
        assert self.counter is not None
        if self.counter[0] != self.version:
            array = value if self.output is not None else value._array
            edge = (node, self.output) if self.output is not None else value._edge
            raise modified_error(array, self.counter, self.version, edge, node, "saved_tensors")
        if self.output is None:
            check_attached(node, value)
        else:
            t = wrap(value)
            t._vc = self.counter
            t._rg, t._edge = True, (node, self.output)
            if self.tangents:
                t.more().tangents = dict(self.tangents)
            return t
        if self.lost and LOCAL.grad:
            return hung(value, LostIntermediate(node, value))
        return value


class BackwardCFunction(Node):
    """The node of a Function. A subclass, `<name>Backward`, is made for each."""

    user_code = True
    _forward_cls: Any

    def __init__(self) -> None:
        self.ctx = Context(self)
        self.seq = next(SEQUENCE)
        self.extra = None
        self.freed = False
        self.next = ()
        self.shape = None
        self.outs = ()
        self._kept: tuple[Saved, ...] = ()
        self._are_tensors: tuple[bool, ...] = ()
        self._lost: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<torch.autograd.function.{type(self).__name__} object at {hex(id(self))}>"

    def __getattr__(self, name: str) -> Any:
        ctx = self.__dict__.get("ctx")
        return ctx.__dict__[name] if ctx is not None and name in ctx.__dict__ else super().__getattr__(name)

    @property
    def own(self) -> dict[str, Any]:
        """What was set on this node itself."""
        return self.__dict__

    def operation(self) -> str:
        return self._forward_cls.__name__

    def output_meta(self, nr: int) -> Any:
        return self.outs[nr]

    # -- saved tensors ---------------------------------------------------------------------------------------------
    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        if self.freed:
            if getattr(self._forward_cls, "clear_saved_tensors_on_access", False) and self.__dict__.get("_accessed"):
                raise RuntimeError(
                    "saved_tensors can only be accessed once when clear_saved_tensors_on_access=True is set on the "
                    "autograd.Function. Either access saved_tensors only once, or set "
                    "clear_saved_tensors_on_access=False."
                )
            raise RuntimeError(FREED_MESSAGE)
        found = tuple(s.unpack(self) for s in self._kept)
        if self._forward_cls.clear_saved_tensors_on_access and self._kept:
            self._accessed = True
            self.release()
        return found

    @property
    def _raw_saved_tensors(self) -> tuple[SavedTensor, ...]:
        if self.freed:
            raise RuntimeError(FREED_MESSAGE)
        return tuple(SavedTensor(s, "value", self) for s in self._kept)

    def release(self) -> None:
        self._kept = ()
        self.freed = True

    # -- backward --------------------------------------------------------------------------------------------------
    def run(self, g: Any, keep: bool) -> tuple[Any, ...]:
        found = self._user_backward(g, False, False)
        if not keep:
            self.release()
        return tuple(as_gradient(x, False) for x in found)

    def run_recorded(self, g: Any, keep: bool) -> tuple[Any, ...]:
        attributes = self.ctx.__dict__
        originals = {name: attributes[name] for name in self._lost}
        for name, t in originals.items():
            attributes[name] = hung(t, LostIntermediate(self, t))
        try:
            found = self._user_backward(g, LOCAL.grad, True)
        finally:
            attributes.update(originals)
        if not keep:
            self.release()
        return found

    def _user_backward(self, g: Any, create: bool, tensors: bool) -> tuple[Any, ...]:
        cls = self._forward_cls
        if cls.overrides("backward") and cls.overrides("vjp"):
            raise RuntimeError(
                "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. You should only implement "
                "one of them."
            )
        rule = cls.vjp if cls.overrides("vjp") else cls.backward
        grads = [g] if self.n_outputs == 1 else [None] * self.n_outputs if g is None else list(g)
        given = [
            as_tensor(materialise(self, k, tensors) if x is None and self.ctx._materialize and self._wants[k] else x)
            for k, x in enumerate(grads)
        ]
        before = set_mode("grad", create)
        current, LOCAL.node = LOCAL.node, self
        try:
            result = rule(self.ctx, given) if cls.boxed_grads_call else rule(self.ctx, *given)
        finally:
            LOCAL.node = current
            set_mode("grad", before)
        return self._checked(result)

    def _checked(self, result: Any) -> tuple[Any, ...]:
        """One gradient for each tensor argument, from what the user's backward returned."""
        found = list(result) if isinstance(result, (tuple, list)) else [result]
        count = len(self._are_tensors)
        if len(found) > count and all(x is None for x in found[count:]):
            found = found[:count]
        name = self.name()
        if len(found) != count:
            raise RuntimeError(
                f"function {name} returned an incorrect number of gradients (expected {count}, got {len(found)})"
            )
        kept = []
        for i, (x, is_tensor) in enumerate(zip(found, self._are_tensors, strict=True)):
            if not is_tensor:
                if x is not None:
                    raise RuntimeError(
                        f"function {name} returned a gradient different than None at position {i + 1}, but the "
                        "corresponding forward input was not a Variable"
                    )
                continue
            if x is not None and not isinstance(x, Tensor):
                raise RuntimeError(f"expected Variable or None (got {type(x).__name__})")
            kept.append(x)
        return tuple(kept)
